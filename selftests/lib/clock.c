// SPDX-License-Identifier: GPL-2.0
#include "lib/clock.h"

unsigned long long clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

unsigned long long now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void sleep_ms(unsigned int ms)
{
	unsigned long long until = now_ns() + (ms + 1) * MS;
	struct timespec moment = { .tv_sec = until / (1000 * MS), .tv_nsec = until % (1000 * MS) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL))
		;
}
