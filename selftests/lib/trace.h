/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's trace events. */
#ifndef SELFTESTS_LIB_TRACE_H
#define SELFTESTS_LIB_TRACE_H

#include "lib/harness.h"

/* Ends the tracing of an event, or begins it. */
int set_tracing(const char *event, int on);

/* What was traced since this was called last. */
const char *take_trace(void);

/* Traces an event from now on, if "filter" says so ("0": always); returns whether it could be begun. */
int start_trace(const char *event, const char *filter);

#endif
