// SPDX-License-Identifier: GPL-2.0
#include "lib/expiry.h"
#include "lib/clock.h"
#include "lib/pipe.h"
#include "lib/views.h"

long flush_periodic(int fd, unsigned int enable, unsigned int interval_ms, unsigned int expiry_ms)
{
	struct kmsgpipe_flush flush = { .enable = enable, .interval_ms = interval_ms, .expiry_ms = expiry_ms };

	return TRY(ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
}

int expires(int fd, unsigned int interval_ms, unsigned int expiry_ms)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	return !(stats.flags & KMSGPIPE_STATS_FLUSH) == !(interval_ms | expiry_ms) &&
	       stats.flush_interval_ms == interval_ms && stats.flush_expiry_ms == expiry_ms;
}

void queue_expired(int fd)
{
	if (flush_periodic(fd, 1, NEVER, 50))
		abort();
	if (write(fd, "old", 3) != 3 || write(fd, "older", 5) != 5)
		abort();
	sleep_ms(50);
}

long long sweeper_armed(long id)
{
	return debug_value(id, "sweeper_armed");
}

void await_expired(int fd, unsigned long long msgs)
{
	while (stats_of(fd).expired_msgs != msgs)
		sched_yield();
}

void expect_expired(struct __test_metadata *_metadata, int fd, unsigned long long msgs, unsigned long long bytes)
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
