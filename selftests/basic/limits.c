// SPDX-License-Identifier: GPL-2.0
/*
 * Lengths of messages and numbers of segments at their bounds: 1, the maximum, one more, 2^31, 2^32 - 1, 2^63 and -1.
 * (Limits of pipes are tested in `params` and `instances`, module parameters in `load`, numbers in sysfs in
 * `views_sysfs`, sizes of dumps in `dump`.)
 */
#include "lib/harness.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"

#include <limits.h>

/* The default length. */
#define MOST 256

/* volatile, because the compiler would warn of constants that exceed the buffer. */
static const volatile size_t lengths[] = {
	1, MOST - 1, MOST, MOST + 1, 1UL << 31, UINT32_MAX, 1UL << 32, 1UL << 63, SIZE_MAX,
};

/* Whether the kernel accepts a buffer of this length: its end must be a user address. */
static int is_memory(size_t len)
{
	return len < 1UL << 47;
}

TEST_F(own, writes_longer_than_msg_size_are_emsgsize_or_efault)
{
	struct kmsgpipe_stats before, after;
	static char bytes[MOST];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		long expected = lengths[i] <= MOST ? (long)lengths[i] : is_memory(lengths[i]) ? -EMSGSIZE : -EFAULT;

		before = stats_of(self->fd);
		EXPECT_EQ(expected, TRY(write(self->nonblocking, bytes, lengths[i]))) TH_LOG("%#zx", lengths[i]);
		after = stats_of(self->fd);
		EXPECT_EQ(before.depth_msgs + (expected > 0), after.depth_msgs);
		EXPECT_EQ(before.refused_size + (expected == -EMSGSIZE), after.refused_size);
	}
}

TEST_F(own, whole_reads_shorter_than_the_message_are_emsgsize)
{
	static char bytes[MOST];
	size_t i;

	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		long expected = lengths[i] < MOST ? -EMSGSIZE : is_memory(lengths[i]) ? MOST : -EFAULT;

		ASSERT_EQ(MOST, write(self->nonblocking, bytes, MOST));
		/* A length beyond the end of the buffer does no harm, as only the message is copied. */
		EXPECT_EQ(expected, TRY(read(self->nonblocking, bytes, lengths[i]))) TH_LOG("%#zx", lengths[i]);
		EXPECT_EQ(expected != MOST, stats_of(self->fd).depth_msgs);
		if (expected != MOST)
			ASSERT_EQ(MOST, read(self->nonblocking, bytes, MOST));
	}
}

TEST_F(own, more_than_iov_max_segments_are_einval)
{
	static struct iovec pieces[IOV_MAX + 1];
	static char bytes[MOST], read_back[MOST];
	/* volatile, because the compiler would warn of such constants. */
	static const volatile int too_many[] = { IOV_MAX + 1, INT_MAX, INT_MIN, -1 };
	size_t i;

	/* One byte in each segment up to the message limit, then empty segments up to the kernel's limit. */
	for (i = 0; i <= IOV_MAX; i++) {
		pieces[i] = (struct iovec){ &bytes[i % MOST], i < MOST };
		bytes[i % MOST] = i;
	}
	EXPECT_EQ(0, TRY(writev(self->nonblocking, pieces, 0)));
	EXPECT_EQ(1, TRY(writev(self->nonblocking, pieces, 1)));
	EXPECT_EQ(MOST, TRY(writev(self->nonblocking, pieces, IOV_MAX)));
	for (i = 0; i < ARRAY_SIZE(too_many); i++)
		EXPECT_EQ(-EINVAL, TRY(writev(self->nonblocking, pieces, too_many[i])));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	pieces[IOV_MAX - 1].iov_len = 1;
	EXPECT_EQ(-EMSGSIZE, TRY(writev(self->nonblocking, pieces, IOV_MAX)));
	/* Lengths whose sum overflows, and a negative one. */
	pieces[0].iov_len = SSIZE_MAX;
	EXPECT_EQ(-EFAULT, TRY(writev(self->nonblocking, pieces, 2)));
	pieces[0].iov_len = SIZE_MAX;
	EXPECT_EQ(-EINVAL, TRY(writev(self->nonblocking, pieces, 2)));
	EXPECT_EQ(-EINVAL, TRY(readv(self->nonblocking, pieces, 2)));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(1, read(self->nonblocking, read_back, MOST));
	EXPECT_EQ(MOST, read(self->nonblocking, read_back, MOST));
	EXPECT_EQ(0, memcmp(bytes, read_back, MOST));
}

TEST_HARNESS_MAIN
