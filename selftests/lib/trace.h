/* SPDX-License-Identifier: GPL-2.0 */
/* Trace events of the kernel. */
#ifndef SELFTESTS_LIB_TRACE_H
#define SELFTESTS_LIB_TRACE_H

#include "lib/harness.h"

/* Enables or disables a trace event. */
int set_tracing(const char *event, int on);

/* Returns what was traced since the last call. */
const char *take_trace(void);

/* Enables a trace event with a filter, "0" for none. Returns whether that worked. */
int start_trace(const char *event, const char *filter);

#endif
