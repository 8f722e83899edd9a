// SPDX-License-Identifier: GPL-2.0
#include "lib/terminal.h"

#include <fnmatch.h>
#include <grp.h>
#include <termios.h>

void start_on_terminal(struct terminal *terminal, uid_t uid, const char *const argv[])
{
	struct winsize size = { .ws_row = TERMINAL_ROWS, .ws_col = TERMINAL_COLUMNS };

	memset(terminal, 0, sizeof(*terminal));
	memset(terminal->screen, ' ', sizeof(terminal->screen));
	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->master < 0 || grantpt(terminal->master) || unlockpt(terminal->master))
		ksft_exit_fail_msg("cannot open a pseudo-terminal: %s\n", strerror(errno));
	terminal->slave = open(ptsname(terminal->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->slave < 0 || ioctl(terminal->slave, TIOCSWINSZ, &size))
		ksft_exit_fail_msg("cannot open %s: %s\n", ptsname(terminal->master), strerror(errno));
	terminal->pid = fork();
	if (terminal->pid)
		return;
	setenv("TERM", "xterm", 1);
	setenv("TZ", "UTC", 1);
	setenv("NO_COLOR", "1", 1);
	if (setsid() < 0 || ioctl(terminal->slave, TIOCSCTTY, 0) || dup2(terminal->slave, 0) < 0 ||
	    dup2(terminal->slave, 1) < 0 || dup2(terminal->slave, 2) < 0 || setgroups(0, NULL) ||
	    setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(126);
	execvp(argv[0], (char **)argv);
	_exit(127);
}

void type(struct terminal *terminal, const char *text)
{
	size_t len = strlen(text);

	if (write(terminal->master, text, len) != (ssize_t)len)
		ksft_exit_fail_msg("cannot type: %s\n", strerror(errno));
}

static void new_line(struct terminal *terminal)
{
	if (terminal->row + 1 < TERMINAL_ROWS) {
		terminal->row++;
		return;
	}
	memmove(terminal->screen[0], terminal->screen[1], sizeof(terminal->screen) - sizeof(terminal->screen[0]));
	memset(terminal->screen[TERMINAL_ROWS - 1], ' ', sizeof(terminal->screen[0]));
}

static void put(struct terminal *terminal, char c)
{
	if (terminal->column == TERMINAL_COLUMNS) {
		new_line(terminal);
		terminal->column = 0;
	}
	terminal->screen[terminal->row][terminal->column++] = c;
}

/* Clears to the end of the line, and of the screen for a `whole` one. */
static void clear_from_cursor(struct terminal *terminal, int whole)
{
	unsigned int row = terminal->row;

	memset(terminal->screen[row] + terminal->column, ' ', TERMINAL_COLUMNS - terminal->column);
	while (whole && ++row < TERMINAL_ROWS)
		memset(terminal->screen[row], ' ', TERMINAL_COLUMNS);
}

/* Obeys "\033[NX", with N in `number`. What only changes colours or settings of the terminal does nothing here. */
static void obey(struct terminal *terminal, int number, char command)
{
	unsigned int count = number ? number : 1;

	switch (command) {
	case 'A':
		terminal->row -= count < terminal->row ? count : terminal->row;
		break;
	case 'B':
		terminal->row += terminal->row + count < TERMINAL_ROWS ? count : TERMINAL_ROWS - 1 - terminal->row;
		break;
	case 'C':
		terminal->column += terminal->column + count < TERMINAL_COLUMNS ? count : TERMINAL_COLUMNS - 1 - terminal->column;
		break;
	case 'D':
		terminal->column -= count < terminal->column ? count : terminal->column;
		break;
	case 'G':
		terminal->column = count - 1;
		break;
	case 'H':
		terminal->row = terminal->column = 0;
		break;
	case 'J':
		if (number == 2)
			memset(terminal->screen, ' ', sizeof(terminal->screen));
		else
			clear_from_cursor(terminal, 1);
		break;
	case 'K':
		clear_from_cursor(terminal, 0);
		break;
	}
}

static void show(struct terminal *terminal, char c)
{
	if (terminal->pending_len) {
		/* ESC [ parameters letter */
		terminal->pending[terminal->pending_len++] = c;
		if (terminal->pending_len == 2 && c == '[')
			return;
		if (terminal->pending_len == sizeof(terminal->pending) || terminal->pending_len == 2 || isalpha((unsigned char)c)) {
			terminal->pending[terminal->pending_len - 1] = 0;
			if (isalpha((unsigned char)c) && terminal->pending_len > 2)
				obey(terminal, atoi(terminal->pending + 2), c);
			terminal->pending_len = 0;
		}
		return;
	}
	switch (c) {
	case '\033':
		terminal->pending[terminal->pending_len++] = c;
		break;
	case '\r':
		terminal->column = 0;
		break;
	case '\n':
		new_line(terminal);
		break;
	case '\b':
		terminal->column -= terminal->column > 0;
		break;
	case '\a':
		break;
	default:
		put(terminal, c);
	}
}

/* Handles output that arrives within this time. Returns whether there may be more. */
static int handle_output(struct terminal *terminal, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = terminal->master, .events = POLLIN };
	char bytes[1024];
	ssize_t len, i;

	if (poll(&poll_fd, 1, timeout_ms) != 1)
		return 0;
	len = read(terminal->master, bytes, sizeof(bytes));
	for (i = 0; i < len; i++) {
		if (terminal->output_len < sizeof(terminal->output))
			terminal->output[terminal->output_len++] = bytes[i];
		show(terminal, bytes[i]);
	}
	return len > 0;
}

/* A row of the screen without spaces at its end. */
static const char *trimmed(const struct terminal *terminal, unsigned int row)
{
	static char text[TERMINAL_COLUMNS + 1];
	unsigned int len = TERMINAL_COLUMNS;

	while (len && terminal->screen[row][len - 1] == ' ')
		len--;
	memcpy(text, terminal->screen[row], len);
	text[len] = 0;
	return text;
}

int shows(const struct terminal *terminal, const char *line)
{
	char pattern[512], *at = pattern;
	unsigned int row;

	for (; *line; line++) {
		if (!strncmp(line, "...", 3)) {
			*at++ = '*';
			line += 2;
			continue;
		}
		if (strchr("*?[]\\", *line))
			*at++ = '\\';
		*at++ = *line;
	}
	*at = 0;
	for (row = 0; row < TERMINAL_ROWS; row++)
		if (!fnmatch(pattern, trimmed(terminal, row), 0))
			return 1;
	return 0;
}

int await_line(struct terminal *terminal, const char *line)
{
	int i;

	/* Only a failure takes so long. */
	for (i = 0; i < 200 && !shows(terminal, line); i++)
		if (!handle_output(terminal, 100) && waitpid(terminal->pid, NULL, WNOHANG | __WALL) > 0)
			terminal->pid = 0;
	if (!shows(terminal, line))
		ksft_print_msg("no \"%s\" on the screen:\n%s", line, screen_of(terminal));
	return shows(terminal, line);
}

void settle(struct terminal *terminal)
{
	while (handle_output(terminal, 100))
		;
}

const char *cursor_line(const struct terminal *terminal)
{
	return trimmed(terminal, terminal->row);
}

const char *screen_of(const struct terminal *terminal)
{
	static char text[TERMINAL_ROWS * (TERMINAL_COLUMNS + 4) + 1];
	char *at = text;
	unsigned int row;

	for (row = 0; row < TERMINAL_ROWS; row++)
		at += sprintf(at, "# %s\n", trimmed(terminal, row));
	return text;
}

int await_end(struct terminal *terminal)
{
	int status;

	while (waitpid(terminal->pid, &status, WNOHANG) == 0)
		handle_output(terminal, 50);
	terminal->pid = 0;
	settle(terminal);
	return status;
}

int is_for_a_shell(const struct terminal *terminal)
{
	struct termios settings;

	return !tcgetattr(terminal->slave, &settings) && (settings.c_lflag & ICANON) && (settings.c_lflag & ECHO) &&
	       (settings.c_lflag & ISIG);
}

void close_terminal(struct terminal *terminal)
{
	if (terminal->pid > 0) {
		kill(terminal->pid, SIGKILL);
		waitpid(terminal->pid, NULL, 0);
	}
	close(terminal->slave);
	close(terminal->master);
}
