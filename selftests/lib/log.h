/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel log. */
#ifndef SELFTESTS_LIB_LOG_H
#define SELFTESTS_LIB_LOG_H

#include "lib/harness.h"

/* Opens the kernel log at its end. */
int open_log(void);

/* Reads the log up to now and counts the lines that contain `what` or `that`. */
unsigned int log_lines(int log, const char *what, const char *that);

#endif
