/* SPDX-License-Identifier: GPL-2.0 */
/* The clock that messages age by. */
#ifndef SELFTESTS_LIB_CLOCK_H
#define SELFTESTS_LIB_CLOCK_H

#include "lib/harness.h"

unsigned long long clock_ns(clockid_t clock);

/* By the clock that messages age by. */
unsigned long long now_ns(void);

#define MS 1000000ULL
/* An interval in which no sweep will happen during a test, in milliseconds. */
#define NEVER 3600000

/* Lets time pass: when it returns, what was queued before is older than this. */
void sleep_ms(unsigned int ms);

#endif
