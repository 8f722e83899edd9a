/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages that grow too old.
 *
 * Time that passes is what is tested here, so some tests let it pass: pass() waits until a
 * moment by the clock that messages age by, never for another task to get somewhere.
 */
#ifndef SELFTESTS_EXPIRY_H
#define SELFTESTS_EXPIRY_H

#include "own_fixture.h"

#define MS 1000000ULL
/* An interval in which no sweep will happen during a test, in milliseconds. */
#define NEVER 3600000

static inline long flush_periodic(int fd, unsigned int enable, unsigned int interval_ms, unsigned int expiry_ms)
{
	struct kmsgpipe_flush flush = { .enable = enable, .interval_ms = interval_ms, .expiry_ms = expiry_ms };

	return TRY(ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
}

/* Whether messages expire as these say; both are zero where they do not. */
static inline int expires(int fd, unsigned int interval_ms, unsigned int expiry_ms)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	return !(stats.flags & KMSGPIPE_STATS_FLUSH) == !(interval_ms | expiry_ms) &&
	       stats.flush_interval_ms == interval_ms && stats.flush_expiry_ms == expiry_ms;
}

/* Lets time pass: when it returns, what was queued before is older than this. */
static inline void pass(unsigned int ms)
{
	unsigned long long until = now_ns() + (ms + 1) * MS;
	struct timespec moment = { .tv_sec = until / (1000 * MS), .tv_nsec = until % (1000 * MS) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL))
		;
}

/* Two messages that have expired. */
static inline void queue_expired(int fd)
{
	if (flush_periodic(fd, 1, NEVER, 50))
		abort();
	if (write(fd, "old", 3) != 3 || write(fd, "older", 5) != 5)
		abort();
	pass(50);
}

static inline int fionread(int fd)
{
	int length = -1;

	if (ioctl(fd, FIONREAD, &length))
		abort();
	return length;
}

static inline long long sweeper_armed(long id)
{
	return debug_value(id, "sweeper_armed");
}

static inline void await_expired(int fd, unsigned long long msgs)
{
	while (stats_of(fd).expired_msgs != msgs)
		sched_yield();
}

/* What has expired, and been noticed, is gone, and counted as that and nothing else. */
static inline void expect_expired(struct __test_metadata *_metadata, int fd, unsigned long long msgs,
				  unsigned long long bytes)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	EXPECT_EQ(msgs, stats.expired_msgs);
	EXPECT_EQ(bytes, stats.expired_bytes);
	EXPECT_EQ(msgs, stats.enqueued_msgs);
	EXPECT_EQ(0, stats.depth_msgs);
	EXPECT_EQ(0, stats.depth_bytes);
	EXPECT_EQ(0, stats.dequeued_msgs);
	EXPECT_EQ(0, stats.dropped_msgs);
	EXPECT_TRUE(accounted(&stats));
}

#endif
