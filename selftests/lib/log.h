/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel log. */
#ifndef SELFTESTS_LIB_LOG_H
#define SELFTESTS_LIB_LOG_H

#include "lib/harness.h"

/* The log from now on. */
int open_log(void);

/* How many of its lines, up to now, have this in them, or that. */
unsigned int log_lines(int log, const char *what, const char *that);

#endif
