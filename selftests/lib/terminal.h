/* SPDX-License-Identifier: GPL-2.0 */
/* A pseudo-terminal with a program on it, and what its screen shows. */
#ifndef SELFTESTS_LIB_TERMINAL_H
#define SELFTESTS_LIB_TERMINAL_H

#include "lib/harness.h"

#define TERMINAL_ROWS 24
#define TERMINAL_COLUMNS 80

struct terminal {
	int master;
	/* Keeps the terminal and its settings when the program has ended. */
	int slave;
	pid_t pid;
	char screen[TERMINAL_ROWS][TERMINAL_COLUMNS + 1];
	unsigned int row, column;
	/* The start of an escape sequence or of a character of several bytes. */
	char pending[64];
	unsigned int pending_len;
	/* All output, as long as there is space for it. */
	char output[1 << 16];
	size_t output_len;
};

/* Starts a program as this user on a new terminal. The argument list ends with NULL. */
void start_on_terminal(struct terminal *terminal, uid_t uid, const char *const argv[]);

/* Types a text. */
void type(struct terminal *terminal, const char *text);

/* Handles output until a line of the screen is `line`, in which "..." stands for any text. Returns whether there is one. */
int await_line(struct terminal *terminal, const char *line);

/* Handles the output of a tenth of a second. */
void settle(struct terminal *terminal);

/* Whether a line of the screen is `line`, in which "..." stands for any text. */
int shows(const struct terminal *terminal, const char *line);

/* The line with the cursor, without spaces at its end. It stays valid until the next call. */
const char *cursor_line(const struct terminal *terminal);

/* The whole screen as a text. It stays valid until the next call. */
const char *screen_of(const struct terminal *terminal);

/* Handles output until the program ends. Returns its status, as of waitpid(2). */
int await_end(struct terminal *terminal);

/* Whether the terminal handles lines and echoes them, as it does for a shell. */
int is_for_a_shell(const struct terminal *terminal);

/* Ends the program, if it runs, and closes the terminal. */
void close_terminal(struct terminal *terminal);

#endif
