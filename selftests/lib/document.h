/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A document whose commands are a test. views/document.awk makes a function of them, rows(), so that nothing is written
 * twice; the commands of a section depend on those before them. This is a header, because kselftest.h keeps its counters
 * in each file that includes it.
 */
#ifndef SELFTESTS_LIB_DOCUMENT_H
#define SELFTESTS_LIB_DOCUMENT_H

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "kselftest.h"

static unsigned int count;

/* Whether `text` is `expected`, in which "..." stands for any text. */
static inline bool matches(const char *expected, const char *text)
{
	char pattern[4096], *at = pattern;

	while (*expected) {
		if (!strncmp(expected, "...", 3)) {
			*at++ = '*';
			expected += 3;
			continue;
		}
		if (strchr("*?[]\\", *expected))
			*at++ = '\\';
		*at++ = *expected++;
	}
	*at = 0;
	return !fnmatch(pattern, text, 0);
}

/* Prints a text of several lines as a remark. */
static inline void remark(const char *what, const char *text)
{
	ksft_print_msg("%s: ", what);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			fputs("# ", stdout);
	}
	putchar('\n');
}

static inline void check(const char *section, const char *row, bool ok, const char *expected, const char *got)
{
	count++;
	if (!ok) {
		remark("expected", expected);
		remark("     got", got);
	}
	ksft_test_result(ok, "%s: %s\n", section, row);
}

/* A command of the shell printed these lines and ended with this status. */
static inline void printed(const char *section, const char *command, int status, const char *expected)
{
	char line[1024], said[4096], want[4096];
	size_t len;
	FILE *out;
	int ended;

	snprintf(line, sizeof(line), "exec 2>&1; %s", command);
	out = popen(line, "r");
	if (!out)
		ksft_exit_fail_msg("popen: %s\n", strerror(errno));
	len = fread(said, 1, sizeof(said) - 64, out);
	ended = pclose(out);
	if (len && said[len - 1] == '\n')
		len--;
	snprintf(said + len, 64, " (exit status %d)", WIFEXITED(ended) ? WEXITSTATUS(ended) : -1);
	snprintf(want, sizeof(want), "%s (exit status %d)", expected, status);
	check(section, command, matches(want, said), want, said);
}

/* A call returned this value: "-1 NAME" is an error, and "..." is any value but an error. */
static inline void returned(const char *section, const char *call, long value, const char *expected)
{
	char got[64];
	int fd;

	if (value == -1)
		snprintf(got, sizeof(got), "-1 %s", strerrorname_np(errno));
	else
		snprintf(got, sizeof(got), "%ld", value);
	check(section, call, matches(expected, got) && (value >= 0 || expected[0] == '-'), expected, got);
	/* The commands have no files of this program. */
	for (fd = 3; fd < 32; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* What document.awk makes. */
static void rows(void);

/* Runs all commands and calls. */
static inline int document(void)
{
	ksft_print_header();
	rows();
	ksft_set_plan(count);
	ksft_finished();
}

#endif
