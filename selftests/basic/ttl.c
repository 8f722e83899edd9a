// SPDX-License-Identifier: GPL-2.0
/*
 * Messages with a time to live, which is shorter than that of the pipe, or the only one: they are not delivered after
 * it, and the sweeper frees their slots wherever they are in the queue.
 */
#include "lib/broadcast.h"
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/priorities.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

/* Times to live: one that ends before sleep_ms(LATER), and one that does not end during a test. */
#define SHORT (5 * MS)
#define LATER 10
#define LONG (3600000 * MS)

/*
 * A pipe for eight messages of up to 256 bytes that has one priority, or eight. The teardown expects no task asleep in
 * it and consistent statistics, and destroys it.
 */
FIXTURE(ttl)
{
	long id;
	int fd;
};

FIXTURE_VARIANT(ttl)
{
	unsigned int priorities;
};

FIXTURE_VARIANT_ADD(ttl, one_priority)
{
	.priorities = 1,
};

FIXTURE_VARIANT_ADD(ttl, eight_priorities)
{
	.priorities = 8,
};

FIXTURE_SETUP(ttl)
{
	self->id = prioritized_pipe(8, variant->priorities);
	self->fd = open_id(self->id, O_RDWR | O_NONBLOCK);
}

FIXTURE_TEARDOWN(ttl)
{
	expect_gone(_metadata, self->fd);
	close(self->fd);
}

/* ---- Delivery ---- */

TEST_F(ttl, a_message_is_delivered_before_its_end_and_not_after)
{
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "a"));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "b"));
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "c"));
	sleep_ms(LATER);
	EXPECT_STREQ("0:1:0:a", prioritized_of(self->fd, 1));
	EXPECT_STREQ("0:3:0:c", prioritized_of(self->fd, 9));
	EXPECT_STREQ("3/3 = 2/2 + 1/1 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(ttl, messages_without_a_time_to_live_stay)
{
	ASSERT_EQ(1, write_text(self->fd, "a"));
	ASSERT_EQ(1, write_text(self->fd, "b"));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "c"));
	ASSERT_EQ(1, write_text(self->fd, "d"));
	sleep_ms(LATER);
	EXPECT_READS(self->fd, "a", "b", "d");
	/* The pipe is as before its first message with a time to live. */
	ASSERT_EQ(1, write_text(self->fd, "e"));
	EXPECT_STREQ("0:5:0:e", prioritized_of(self->fd, 1));
}

TEST_F(ttl, nobody_sees_an_expired_message)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_dump dump;
	int ends[2];

	ASSERT_EQ(0, pipe2(ends, O_NONBLOCK));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "abc"));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	sleep_ms(LATER);
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(0, fionread(self->fd));
	EXPECT_EQ(-EAGAIN, try_read(self->fd, 256));
	EXPECT_EQ(-EAGAIN, TRY(splice(self->fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK)));
	EXPECT_STREQ("Resource temporarily unavailable", prioritized_of(self->fd, 9));
	ASSERT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	EXPECT_EQ(0, dump.records);
	EXPECT_EQ(0, set_limits(self->fd, 256, 4));
	EXPECT_STREQ("1/3 = 0/0 + 1/3 + 0/0 + 0/0", counts_of(self->fd));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(ttl, a_dump_shows_what_has_not_expired)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	struct kmsgpipe_dump dump;

	ASSERT_EQ(1, write_text(self->fd, "a"));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "b"));
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "c"));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "d"));
	sleep_ms(LATER);
	ASSERT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	ASSERT_EQ(2, dump.records);
	EXPECT_EQ(0, dump.missing);
	EXPECT_EQ(1, record->seq);
	record = next_record(record);
	EXPECT_EQ(3, record->seq);
	EXPECT_EQ('c', *(char *)(record + 1));
	ASSERT_EQ(0, dump_to(self->fd, buffer, 8, &dump));
	EXPECT_EQ(0, dump.records);
	EXPECT_EQ(2, dump.missing);
	EXPECT_READS(self->fd, "a", "c");
}

TEST_F(ttl, the_rest_of_a_message_does_not_expire)
{
	ASSERT_EQ(0, send_timed(self->fd, 0, 1000 * MS, "abcdef"));
	EXPECT_STREQ("abc", read_text(self->fd, 3));
	sleep_ms(1001);
	EXPECT_STREQ("def", read_text(self->fd, 256));
	EXPECT_STREQ("1/6 = 1/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(ttl, the_earlier_end_counts)
{
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, LATER));
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "a"));
	sleep_ms(LATER + 5);
	EXPECT_READS(self->fd);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, NEVER));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "b"));
	sleep_ms(LATER);
	EXPECT_READS(self->fd);
	/* Without the expiry of the pipe, messages still have their own. */
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "c"));
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "d"));
	sleep_ms(LATER);
	EXPECT_READS(self->fd);
	EXPECT_STREQ("4/4 = 0/0 + 4/4 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(ttl, one_write_has_messages_with_and_without)
{
	char buffer[512] __attribute__((aligned(8))), *at = buffer;

	at = put_timed(at, 0, 0, "a");
	at = put_timed(at, 0, SHORT, "b");
	at = put_timed(at, 0, ~0ULL, "c");
	at = put_timed(at, 0, 0, "d");
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(at - buffer, write(self->fd, buffer, at - buffer));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	sleep_ms(LATER);
	EXPECT_STREQ("0:1:0:a 0:3:0:c 0:4:0:d", prioritized_of(self->fd, 9));
}

TEST_F(ttl, memory_that_is_absent_changes_nothing)
{
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "a"));
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad_address, 100)));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 100)));
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad_address, 1000)));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_READS(self->fd, "a");
}

/* ---- The sweeper ---- */

TEST_F(ttl, the_sweeper_frees_slots_behind_live_messages)
{
	char buffer[512] __attribute__((aligned(8)));
	int blocking = open_id(self->id, O_WRONLY), i;
	struct call call;

	ASSERT_EQ(1, write_text(self->fd, "a"));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, send_timed(self->fd, 0, 50 * MS, "x"));
	ASSERT_EQ(1, write_text(self->fd, "b"));
	EXPECT_EQ(-EAGAIN, TRY(write(self->fd, "c", 1)));
	call = write_call(blocking, buffer, 1);
	buffer[0] = 'c';
	start_call(&call);
	await_writers(self->fd, 1);
	/* Nobody reads: the sweeper makes room. */
	EXPECT_EQ(1, finish_call(&call));
	await_expired(self->fd, 6);
	EXPECT_STREQ("9/9 = 0/0 + 6/6 + 0/0 + 3/3", counts_of(self->fd));
	EXPECT_STREQ("0:1:0:a 0:8:0:b 0:9:0:c", prioritized_of(self->fd, 9));
	close(blocking);
}

TEST_F(ttl, the_sweeper_runs_for_the_earliest_end)
{
	unsigned long long begin = now_ns();

	ASSERT_EQ(1, write_text(self->fd, "a"));
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "b"));
	ASSERT_EQ(0, send_timed(self->fd, 0, 20000 * MS, "c"));
	ASSERT_EQ(0, send_timed(self->fd, 0, 30 * MS, "d"));
	EXPECT_EQ(1, sweeper_armed(self->id));
	await_expired(self->fd, 1);
	EXPECT_LE(30 * MS, now_ns() - begin);
	EXPECT_GT(10000 * MS, now_ns() - begin);
	EXPECT_READS(self->fd, "a", "b", "c");
}

TEST_F(ttl, the_sweeper_finds_each_of_many_messages)
{
	enum { COUNT = 3000 };
	struct kmsgpipe_create create = priorities_request(COUNT, variant->priorities);
	int fd = open_id(create_pipe(&create), O_RDWR | O_NONBLOCK), i;
	char buffer[128] __attribute__((aligned(8))), text[16];

	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	for (i = 0; i < COUNT; i++) {
		char *end;

		snprintf(text, sizeof(text), "%d", i);
		end = put_timed(buffer, i % variant->priorities, i % 3 ? SHORT : 0, text);
		ASSERT_EQ(end - buffer, write(fd, buffer, end - buffer));
	}
	await_expired(fd, COUNT - COUNT / 3);
	EXPECT_EQ(COUNT / 3, stats_of(fd).depth_msgs);
	for (i = 0; i < COUNT / 3; i++) {
		struct kmsgpipe_record *record = (void *)buffer;

		ASSERT_LT(0, read(fd, buffer, record_size(8)));
		EXPECT_EQ(1, record->seq % 3);
	}
	EXPECT_EQ(-EAGAIN, try_read(fd, 128));
	ASSERT_EQ(0, set_mode(fd, 0));
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(ttl, a_reader_that_waits_is_not_woken_for_nothing)
{
	char in[16] = "";
	int blocking = open_id(self->id, O_RDONLY);
	struct call call = read_call(blocking, in, sizeof(in));

	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "x"));
	EXPECT_EQ(1, finish_call(&call));
	close(blocking);
}

/* ---- Overflow, and what is refused ---- */

TEST_F(ttl, drop_oldest_and_clear_count_live_messages)
{
	int i;

	set_policy(self->id, "drop-oldest");
	for (i = 0; i < 4; i++)
		ASSERT_EQ(1, write_text(self->fd, "x"));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "y"));
	EXPECT_STREQ("10/10 = 0/0 + 0/0 + 2/2 + 8/8", counts_of(self->fd));
	EXPECT_STREQ("0:3:2:x", prioritized_of(self->fd, 1));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("10/10 = 1/1 + 0/0 + 9/9 + 0/0", counts_of(self->fd));
	EXPECT_READS(self->fd);
}

TEST_F(ttl, a_broadcast_pipe_refuses_it)
{
	int fd = open_id(broadcast_pipe(3, 0), O_WRONLY | O_NONBLOCK);

	EXPECT_EQ(-EINVAL, send_timed(fd, 0, SHORT, "x"));
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(ttl, it_and_browsing_exclude_each_other)
{
	int other = open_id(self->id, O_RDONLY | O_NONBLOCK);

	if (variant->priorities == 1) {
		ASSERT_EQ(0, browse(other, KMSGPIPE_START_OLDEST, 0));
		EXPECT_EQ(-EINVAL, send_timed(self->fd, 0, SHORT, "x"));
		ASSERT_EQ(0, attach(other, KMSGPIPE_ATTACH_GROUP, KMSGPIPE_START_NOW, 0));
	}
	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "x"));
	EXPECT_EQ(-EINVAL, browse(other, KMSGPIPE_START_OLDEST, 0));
	EXPECT_READS(self->fd, "x");
	close(other);
}

TEST_F(ttl, expired_messages_behind_another_hold_no_more_than_two_pipes_full)
{
	unsigned int sent = 1, round;

	ASSERT_EQ(0, send_timed(self->fd, 0, LONG, "x"));
	for (round = 0; round < 4; round++) {
		while (!send_timed(self->fd, 0, SHORT, "y"))
			sent++;
		await_depth(self->fd, 1);
	}
	EXPECT_EQ(16, sent);
	EXPECT_EQ(0, poll_now(self->fd) & POLLOUT);
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "z"));
	EXPECT_STREQ("x", read_text(self->fd, 256));
	EXPECT_EQ(1, write_text(self->fd, "z"));
	EXPECT_READS(self->fd, "z");
	EXPECT_STREQ("17/17 = 2/2 + 15/15 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(ttl, a_message_before_the_first_with_a_time_to_live_has_its_number)
{
	ASSERT_EQ(1, write_text(self->fd, "a"));
	ASSERT_EQ(0, send_timed(self->fd, 0, SHORT, "b"));
	sleep_ms(LATER);
	await_depth(self->fd, 1);
	EXPECT_STREQ("0:1:0:a", prioritized_of(self->fd, 1));
	ASSERT_EQ(1, write_text(self->fd, "c"));
	EXPECT_STREQ("0:3:0:c", prioritized_of(self->fd, 1));
}

TEST_HARNESS_MAIN
