/* SPDX-License-Identifier: GPL-2.0 */
/* The clock that messages age by. */
#ifndef SELFTESTS_LIB_CLOCK_H
#define SELFTESTS_LIB_CLOCK_H

#include "lib/harness.h"

unsigned long long clock_ns(clockid_t clock);

/* CLOCK_MONOTONIC in nanoseconds, the clock that messages age by. */
unsigned long long now_ns(void);

#define MS 1000000ULL
/* A sweep interval in milliseconds that does not end during a test. */
#define NEVER 3600000

/* Sleeps until all messages that are queued now are older than this. */
void sleep_ms(unsigned int ms);

#endif
