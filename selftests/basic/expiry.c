// SPDX-License-Identifier: GPL-2.0
/* Message expiry: its settings, and that no call returns or shows an expired message, before a sweep and after it. */
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/tasks.h"

#include <sys/wait.h>

/* The number of records in a DUMP; `buffer` gets the first payload. */
static unsigned int dumped(int fd, char *buffer, size_t size)
{
	static char space[65536] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)space;
	struct kmsgpipe_dump dump = { .buffer = (uintptr_t)space, .size = sizeof(space) };

	if (ioctl(fd, KMSGPIPE_DUMP, &dump) || dump.missing)
		abort();
	memset(buffer, 0, size);
	if (dump.records)
		memcpy(buffer, record + 1, record->len < size ? record->len : size);
	return dump.records;
}

/* spec: 3-lifetime 7-optional */
TEST_F(own, messages_do_not_expire_by_default)
{
	EXPECT_TRUE(expires(self->fd, 0, 0));
	EXPECT_EQ(0, sweeper_armed(self->id));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(0, sweeper_armed(self->id));
}

/* spec: 6-flush-periodic 7-default */
TEST_F(own, flush_periodic_stores_its_settings)
{
	static const unsigned int values[] = { 1, 1000, 1U << 31, UINT32_MAX };
	int i, j;

	EXPECT_EQ(0, flush_periodic(self->fd, 1, 0, 0));
	EXPECT_TRUE(expires(self->fd, 1000, 10000));
	EXPECT_EQ(0, flush_periodic(self->fd, 1, 5, 0));
	EXPECT_TRUE(expires(self->fd, 5, 10000));
	EXPECT_EQ(0, flush_periodic(self->fd, 1, 0, 7));
	EXPECT_TRUE(expires(self->fd, 1000, 7));
	for (i = 0; i < 4; i++)
		for (j = 0; j < 4; j++) {
			EXPECT_EQ(0, flush_periodic(self->fd, 1, values[i], values[j]));
			EXPECT_TRUE(expires(self->fd, values[i], values[j]));
		}
	EXPECT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_TRUE(expires(self->fd, 0, 0));
	EXPECT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_TRUE(expires(self->fd, 0, 0));
	/* The settings from before expiry was disabled are not kept. */
	EXPECT_EQ(0, flush_periodic(self->fd, 1, 0, 0));
	EXPECT_TRUE(expires(self->fd, 1000, 10000));
}

/* spec: 9-einval */
TEST_F(own, bad_settings_are_einval)
{
	static const unsigned int values[] = { 1, 1U << 31, UINT32_MAX };
	unsigned int enabled, i;

	for (enabled = 0; enabled < 2; enabled++) {
		unsigned int interval = enabled ? 123 : 0, expiry = enabled ? 456 : 0;

		ASSERT_EQ(0, flush_periodic(self->fd, enabled, interval, expiry));
		EXPECT_EQ(-EINVAL, flush_periodic(self->fd, 2, 0, 0));
		for (i = 0; i < 3; i++) {
			struct kmsgpipe_flush flush = { .enable = 1, .reserved = values[i] };

			EXPECT_EQ(-EINVAL, TRY(ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush)));
			flush.enable = 0;
			EXPECT_EQ(-EINVAL, TRY(ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush)));
			EXPECT_EQ(-EINVAL, flush_periodic(self->fd, 0, values[i], 0));
			EXPECT_EQ(-EINVAL, flush_periodic(self->fd, 0, 0, values[i]));
			if (values[i] > 1)
				EXPECT_EQ(-EINVAL, flush_periodic(self->fd, values[i], 0, 0));
		}
		EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, NULL)));
		EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, (void *)(1UL << 63))));
		EXPECT_TRUE(expires(self->fd, interval, expiry));
	}
}

/* spec: 6-flush-periodic */
TEST_F(own, works_on_every_descriptor_with_cap_sys_admin)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	int i, fd, status;
	pid_t child;

	for (i = 0; i < 4; i++) {
		fd = open_id(self->id, flags[i]);
		EXPECT_EQ(0, flush_periodic(fd, 1, 10 + i, 20000 + i));
		EXPECT_TRUE(expires(fd, 10 + i, 20000 + i));
		close(fd);
	}
	child = fork();
	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		_exit(flush_periodic(self->fd, 1, 1, 1) != -EPERM ? 2 : !expires(self->fd, 13, 20003));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(expires(self->fd, 13, 20003));
}

/*
 * No call returns an expired message before any sweep. Each of the following tests makes a different call first, as
 * the first call may remove the messages for later ones.
 */
/* spec: 7-cleans */
TEST_F(own, read_skips_expired_messages)
{
	char buffer[8];

	queue_expired(self->fd);
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
	expect_expired(_metadata, self->fd, 2, 8);
}

/* The calls may have removed the expired messages or not; they are counted in either case. */
static void expect_looked_over(struct __test_metadata *_metadata, int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	EXPECT_EQ(2, stats.expired_msgs + stats.depth_msgs);
	EXPECT_TRUE(accounted(&stats));
}

TEST_F(own, poll_ignores_expired_messages)
{
	queue_expired(self->fd);
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	expect_looked_over(_metadata, self->fd);
}

TEST_F(own, fionread_ignores_expired_messages)
{
	queue_expired(self->fd);
	EXPECT_EQ(0, fionread(self->fd));
	expect_looked_over(_metadata, self->fd);
}

TEST_F(own, dump_omits_expired_messages)
{
	char buffer[8];

	queue_expired(self->fd);
	EXPECT_EQ(0, dumped(self->fd, buffer, sizeof(buffer)));
	expect_looked_over(_metadata, self->fd);
}

TEST_F(own, a_sleeping_reader_gets_the_next_unexpired_message)
{
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	queue_expired(self->fd);
	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, NEVER));
	ASSERT_EQ(5, write(self->fd, "fresh", 5));
	EXPECT_EQ(5, finish_call(&call));
	EXPECT_EQ(0, memcmp(buffer, "fresh", 5));
	EXPECT_EQ(2, stats_of(self->fd).expired_msgs);
}

/* A pipe that is full of expired messages has free slots. */
TEST_F(own, a_writer_gets_the_slots_of_expired_messages)
{
	char buffer[8];

	fill(self->fd);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 50));
	sleep_ms(50);
	EXPECT_EQ(5, TRY(write(self->nonblocking, "fresh", 5)));
	EXPECT_EQ(0, stats_of(self->fd).refused_full);
	EXPECT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_EQ(5, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
	EXPECT_EQ(0, memcmp(buffer, "fresh", 5));
}

TEST_F(own, poll_reports_the_slots_of_expired_messages)
{
	fill(self->fd);
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 50));
	sleep_ms(50);
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(1, TRY(write(self->nonblocking, "x", 1)));
}

TEST_F(own, unexpired_messages_are_kept)
{
	char buffer[16], dump[16];
	int which;

	/* The margin is far above the delays of a slow machine. */
	for (which = 0; which < 4; which++) {
		ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
		ASSERT_EQ(3, write(self->fd, "old", 3));
		sleep_ms(10000 / 4);
		ASSERT_EQ(5, write(self->fd, "fresh", 5));
		ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 10000 / 4));
		if (which == 1)
			EXPECT_EQ(5, fionread(self->fd));
		if (which == 2)
			EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
		if (which == 3) {
			EXPECT_EQ(1, dumped(self->fd, dump, sizeof(dump)));
			EXPECT_EQ(0, strcmp(dump, "fresh"));
		}
		ASSERT_EQ(5, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
		ASSERT_EQ(0, memcmp(buffer, "fresh", 5));
	}
	EXPECT_EQ(4, stats_of(self->fd).expired_msgs);
	EXPECT_EQ(4, stats_of(self->fd).dequeued_msgs);
}

TEST_F(own, messages_queued_before_it_was_enabled_expire)
{
	char buffer[8];

	ASSERT_EQ(3, write(self->fd, "old", 3));
	sleep_ms(20);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 20));
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
}

/* spec: 7-cleans */
TEST_F(own, no_message_expires_early)
{
	static const unsigned int expiries[] = { 600000, 1U << 31, UINT32_MAX };
	char buffer[8];
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, expiries[i]));
		ASSERT_EQ(4, write(self->fd, "stay", 4));
		/* Enough time for some sweeps. */
		sleep_ms(20);
		EXPECT_EQ(4, fionread(self->fd));
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
		EXPECT_EQ(4, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
	}
	EXPECT_EQ(0, stats_of(self->fd).expired_msgs);
}

/*
 * A message that was read is at most 50 ms old, and one that was not is at least 50 ms old, as far as timestamps
 * around the calls can tell.
 */
TEST_F(own, a_message_expires_exactly_at_its_age)
{
	unsigned long long before, after, reading, expired = 0;
	unsigned int ms;
	char byte;
	long ret;

	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 50));
	for (ms = 40; ms < 60; ms++) {
		before = now_ns();
		ASSERT_EQ(1, write(self->fd, "x", 1));
		after = now_ns();
		sleep_ms(ms);
		reading = now_ns();
		ret = TRY(read(self->nonblocking, &byte, 1));
		if (ret == 1) {
			ASSERT_GE(50 * MS, reading - after);
		} else {
			ASSERT_EQ(-EAGAIN, ret);
			ASSERT_LE(50 * MS, now_ns() - before);
			expired++;
		}
	}
	EXPECT_EQ(expired, stats_of(self->fd).expired_msgs);
	/* The sweeper does not remove a message early either. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 50));
	before = now_ns();
	ASSERT_EQ(1, write(self->fd, "x", 1));
	await_expired(self->fd, expired + 1);
	EXPECT_LE(50 * MS, now_ns() - before);
}

/* The message that a reader was woken for expires before the reader runs: the reader sleeps again. */
TEST_F(own, a_message_can_expire_before_the_woken_reader_runs)
{
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));
	unsigned long long sent;

	share_one_processor();
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 1));
	start_call(&call);
	await_readers(self->fd, 1);
	run_alone(1);
	ASSERT_EQ(3, write(self->fd, "old", 3));
	sent = now_ns();
	while (now_ns() <= sent + MS)
		;
	run_alone(0);
	await_expired(self->fd, 1);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(5, write(self->fd, "fresh", 5));
	EXPECT_EQ(5, finish_call(&call));
	EXPECT_EQ(0, memcmp(buffer, "fresh", 5));
}

TEST_HARNESS_MAIN
