/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's log, as tests read it. */
#ifndef SELFTESTS_LOG_H
#define SELFTESTS_LOG_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The log from now on. */
static inline int open_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log < 0 || lseek(log, 0, SEEK_END) < 0)
		abort();
	return log;
}

/* How many of its lines, up to now, have this in them, or that. */
static inline unsigned int log_lines(int log, const char *what, const char *that)
{
	unsigned int count = 0;
	char line[8192];
	ssize_t got;

	while ((got = read(log, line, sizeof(line) - 1)) >= 0) {
		line[got] = 0;
		count += strstr(line, what) || strstr(line, that);
	}
	if (errno != EAGAIN)
		abort();
	return count;
}

#endif
