// SPDX-License-Identifier: GPL-2.0
/*
 * Reading with a lease: a message stays in the queue until it is acknowledged, and comes back otherwise. leases_end.c
 * has what takes time, and files that tasks wait for.
 */
#include "lib/broadcast.h"
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/leases.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/priorities.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <sys/wait.h>

#define GROUP KMSGPIPE_ATTACH_GROUP
#define LAST (~0ULL)

/* A pipe for five messages, which has "1", "22" and "333". `lessee` reads with a lease, `plain` without one. */
FIXTURE(leases)
{
	long id;
	int fd;
	int lessee;
	int plain;
};

FIXTURE_SETUP(leases)
{
	self->id = limited_pipe(256, 5);
	self->fd = open_id(self->id, O_RDWR | O_NONBLOCK);
	self->lessee = lessee(self->id, O_NONBLOCK, LONG);
	self->plain = open_id(self->id, O_RDONLY | O_NONBLOCK);
	ASSERT_EQ(1, write_text(self->fd, "1"));
	ASSERT_EQ(2, write_text(self->fd, "22"));
	ASSERT_EQ(3, write_text(self->fd, "333"));
}

FIXTURE_TEARDOWN(leases)
{
	expect_gone(_metadata, self->fd);
	close(self->plain);
	close(self->lessee);
	close(self->fd);
}

/* ---- Errors ---- */

TEST_F(leases, attach_takes_a_lease_of_a_queue_only)
{
	struct kmsgpipe_attach request = { .kind = GROUP, .lease_ms = 1 };
	long cast_id = broadcast_pipe(5, 0);
	int cast = subscribe(cast_id);
	size_t i;

	EXPECT_EQ(-EINVAL, lease(cast, 1000, 0));
	EXPECT_EQ(-EINVAL, lease(self->plain, 0, 1));
	EXPECT_EQ(0, lease(self->plain, 1, ~0U));
	EXPECT_EQ(0, lease(self->plain, ~0U, 0));
	for (request.kind = 0; request.kind < 4; request.kind++)
		EXPECT_EQ(request.kind == GROUP ? 0 : -EINVAL, TRY(ioctl(self->plain, KMSGPIPE_ATTACH, &request)));
	request.kind = GROUP;
	for (i = 0; i < sizeof(request.group); i++) {
		request.group[i] = 'a';
		EXPECT_EQ(-EINVAL, TRY(ioctl(self->plain, KMSGPIPE_ATTACH, &request)));
		request.group[i] = 0;
	}
	request.start = KMSGPIPE_START_OLDEST;
	EXPECT_EQ(-EINVAL, TRY(ioctl(self->plain, KMSGPIPE_ATTACH, &request)));
	EXPECT_EQ(-EBADF, lease(open_id(self->id, O_WRONLY), 1, 0));
	EXPECT_EQ(0, destroy_id(cast_id));
	close(cast);
}

TEST_F(leases, a_queue_with_priorities_has_none)
{
	struct kmsgpipe_create create = { .msg_size = 256, .max_msgs = 5, .priorities = 2 };
	long id = create_pipe(&create);
	int fd = open_id(id, O_RDWR | O_NONBLOCK);

	EXPECT_EQ(-EINVAL, lease(fd, LONG, 0));
	EXPECT_EQ(0, lease(fd, 0, 0));
	EXPECT_EQ(-ENOENT, ack(fd, 0, LAST));
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(leases, leases_and_times_to_live_exclude_each_other)
{
	long id = limited_pipe(256, 5);
	int fd = open_id(id, O_RDWR | O_NONBLOCK);

	EXPECT_EQ(-EINVAL, send_timed(self->fd, 0, NEVER * MS, "x"));
	ASSERT_EQ(0, lease(self->lessee, 0, 0));
	EXPECT_EQ(-EINVAL, send_timed(self->fd, 0, NEVER * MS, "x"));
	ASSERT_EQ(0, send_timed(fd, 0, NEVER * MS, "x"));
	EXPECT_EQ(-EINVAL, lease(fd, LONG, 0));
	EXPECT_READS(fd, "x");
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(leases, ack_and_nack_check_their_arguments)
{
	static const unsigned int requests[] = { KMSGPIPE_ACK, KMSGPIPE_NACK };
	int writer = open_id(self->id, O_WRONLY), control = open_id(self->id, O_ACCMODE);
	struct kmsgpipe_ack request;
	char *end = page_end();
	size_t i;

	ASSERT_STREQ("1", read_text(self->lessee, 256));
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		request = (struct kmsgpipe_ack){ .first = 1, .last = 1 };
		EXPECT_EQ(-EBADF, TRY(ioctl(writer, requests[i], &request)));
		EXPECT_EQ(-EBADF, TRY(ioctl(control, requests[i], &request)));
		EXPECT_EQ(-EFAULT, TRY(ioctl(self->lessee, requests[i], bad_address)));
		EXPECT_EQ(-EFAULT, TRY(ioctl(self->lessee, requests[i], end - sizeof(request) + 1)));
		request.first = 2;
		EXPECT_EQ(-EINVAL, TRY(ioctl(self->lessee, requests[i], &request)));
		request.first = 1;
		request.reserved = 1;
		EXPECT_EQ(-EINVAL, TRY(ioctl(self->lessee, requests[i], &request)));
	}
	request = (struct kmsgpipe_ack){ .first = 1, .last = 1, .delay_ms = 1 };
	EXPECT_EQ(-EINVAL, TRY(ioctl(self->lessee, KMSGPIPE_ACK, &request)));
	EXPECT_STREQ("3600000 ms, 1 leased", leases_of(self->lessee));
	ASSERT_EQ(0, destroy_id(self->id));
	EXPECT_EQ(-ENODEV, ack(self->lessee, 1, 1));
	EXPECT_EQ(-ENODEV, nack(self->lessee, 1, 1, 0));
	EXPECT_EQ(-ENODEV, lease(self->lessee, 1, 0));
	close(writer);
	close(control);
}

TEST_F(leases, only_what_this_file_has_is_acknowledged)
{
	int other = lessee(self->id, O_NONBLOCK, LONG);

	EXPECT_EQ(-ENOENT, ack(self->lessee, 0, LAST));
	EXPECT_EQ(-ENOENT, nack(self->lessee, 0, LAST, 0));
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_STREQ("22", read_text(other, 256));
	EXPECT_EQ(-ENOENT, ack(self->lessee, 2, ~0ULL));
	EXPECT_EQ(-ENOENT, ack(self->lessee, 0, 0));
	EXPECT_EQ(-ENOENT, nack(other, 1, 1, 0));
	EXPECT_EQ(-ENOENT, ack(self->plain, 0, LAST));
	EXPECT_EQ(-ENOENT, ack(other, 3, 3));
	EXPECT_EQ(0, ack(self->lessee, 0, LAST));
	EXPECT_EQ(-ENOENT, ack(self->lessee, 0, LAST));
	EXPECT_EQ(0, nack(other, 0, LAST, 0));
	EXPECT_EQ(-ENOENT, nack(other, 0, LAST, 0));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(self->fd));
	close(other);
}

TEST_F(leases, needs_no_privilege)
{
	pid_t child = fork();

	if (!child)
		_exit(setgid(12) || setuid(34) || lease(self->plain, LONG, 2) || try_read(self->plain, 256) != 1 ||
		      nack(self->plain, 1, 1, 0) || try_read(self->plain, 256) != 1 || ack(self->plain, 1, 1));
	EXPECT_EQ(0, exit_of(child));
}

/* ---- Acknowledging ---- */

TEST_F(leases, a_message_counts_until_it_is_acknowledged)
{
	struct kmsgpipe_stats stats;

	ASSERT_STREQ("1", read_text(self->lessee, 256));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	stats = stats_of(self->plain);
	EXPECT_EQ(1, stats.head_seq);
	EXPECT_STREQ("3600000 ms, 1 leased", leases_of(self->lessee));
	EXPECT_STREQ("none", leases_of(self->plain));
	ASSERT_EQ(0, ack(self->lessee, 1, 1));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(self->fd));
	EXPECT_EQ(2, stats_of(self->plain).head_seq);
	EXPECT_STREQ("3600000 ms, 0 leased", leases_of(self->lessee));
	EXPECT_READS(self->plain, "22", "333");
}

TEST_F(leases, others_do_not_see_a_message_on_trust)
{
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_STREQ("22", read_text(self->lessee, 256));
	EXPECT_EQ(3, fionread(self->plain));
	EXPECT_READS(self->plain, "333");
	EXPECT_EQ(0, fionread(self->plain));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(-EAGAIN, try_read(self->lessee, 256));
	ASSERT_EQ(0, set_mode(self->plain, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(0, try_read(self->plain, 256));
	EXPECT_STREQ("3/6 = 1/3 + 0/0 + 0/0 + 2/3", counts_of(self->fd));
	ASSERT_EQ(0, ack(self->lessee, 0, LAST));
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(leases, messages_are_acknowledged_in_any_order)
{
	static const unsigned int orders[][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } };
	unsigned long long base;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		base = 3 * i;
		ASSERT_EQ(1, try_read(self->lessee, 256));
		ASSERT_EQ(2, try_read(self->lessee, 256));
		ASSERT_EQ(3, try_read(self->lessee, 256));
		for (j = 0; j < 3; j++) {
			EXPECT_EQ(3 - j, stats_of(self->fd).depth_msgs);
			EXPECT_EQ(0, ack(self->lessee, base + orders[i][j], base + orders[i][j]));
			EXPECT_EQ(-ENOENT, ack(self->lessee, base + orders[i][j], base + orders[i][j]));
		}
		EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
		ASSERT_EQ(1, write_text(self->fd, "1"));
		ASSERT_EQ(2, write_text(self->fd, "22"));
		ASSERT_EQ(3, write_text(self->fd, "333"));
	}
}

TEST_F(leases, a_range_takes_what_is_there)
{
	int other = lessee(self->id, O_NONBLOCK, LONG);

	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_STREQ("22", read_text(other, 256));
	ASSERT_STREQ("333", read_text(self->lessee, 256));
	ASSERT_EQ(0, ack(self->lessee, 1, 3));
	EXPECT_STREQ("3/6 = 2/4 + 0/0 + 0/0 + 1/2", counts_of(self->fd));
	EXPECT_STREQ("3600000 ms, 1 leased", leases_of(other));
	ASSERT_EQ(0, nack(other, 0, 2, 0));
	EXPECT_STREQ("2:2:22", deliveries_of(self->lessee));
	close(other);
}

TEST_F(leases, records_are_leased_too)
{
	EXPECT_STREQ("1:1:1 2:1:22 3:1:333", deliveries_of(self->lessee));
	EXPECT_STREQ("Resource temporarily unavailable", deliveries_of(self->lessee));
	EXPECT_STREQ("3600000 ms, 3 leased", leases_of(self->lessee));
	ASSERT_EQ(0, nack(self->lessee, 2, 3, 0));
	EXPECT_STREQ("2:2:22 3:2:333", deliveries_of(self->lessee));
	ASSERT_EQ(0, ack(self->lessee, 0, LAST));
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

/* ---- Coming back ---- */

TEST_F(leases, what_comes_back_is_delivered_first_in_order)
{
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_STREQ("22", read_text(self->lessee, 256));
	ASSERT_EQ(0, nack(self->lessee, 2, 2, 0));
	ASSERT_EQ(0, nack(self->lessee, 1, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(1, fionread(self->plain));
	EXPECT_STREQ("1:2:1 2:2:22 3:1:333", deliveries_of(self->plain));
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(leases, closing_gives_all_back)
{
	int other = lessee(self->id, O_NONBLOCK, LONG);

	ASSERT_STREQ("1", read_text(other, 256));
	ASSERT_STREQ("22", read_text(self->lessee, 256));
	ASSERT_STREQ("333", read_text(other, 256));
	EXPECT_EQ(-EAGAIN, try_read(self->plain, 256));
	close(other);
	EXPECT_STREQ("1:2:1 3:2:333", deliveries_of(self->plain));
	EXPECT_EQ(0, ack(self->lessee, 2, 2));
}

TEST_F(leases, a_killed_reader_gives_all_back)
{
	int other = lessee(self->id, O_NONBLOCK, LONG), pair[2], status;
	pid_t child;
	char ready;

	ASSERT_EQ(0, pipe(pair));
	child = fork();
	if (!child) {
		if (try_read(other, 256) == 1 && try_read(other, 256) == 2 && write(pair[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(other);
	ASSERT_EQ(1, read(pair[0], &ready, 1));
	EXPECT_READS(self->plain, "333");
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_STREQ("1:2:1 2:2:22", deliveries_of(self->plain));
}

TEST_F(leases, deliveries_are_counted)
{
	char expected[40];
	int i;

	for (i = 1; i <= 5; i++) {
		snprintf(expected, sizeof(expected), "1:%d:1 2:%d:22 3:%d:333", i, i, i);
		EXPECT_STREQ(expected, deliveries_of(self->lessee));
		ASSERT_EQ(0, nack(self->lessee, 0, LAST, 0));
	}
	EXPECT_READS(self->plain, "1", "22", "333");
}

TEST_F(leases, after_the_last_delivery_a_message_is_dropped)
{
	ASSERT_EQ(0, lease(self->lessee, LONG, 2));
	EXPECT_STREQ("1:1:1 2:1:22 3:1:333", deliveries_of(self->lessee));
	ASSERT_EQ(0, nack(self->lessee, 1, 2, 0));
	EXPECT_STREQ("1:2:1 2:2:22", deliveries_of(self->lessee));
	ASSERT_EQ(0, nack(self->lessee, 2, 2, 0));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 1/2 + 2/4", counts_of(self->fd));
	EXPECT_EQ(-EAGAIN, try_read(self->plain, 256));
	/* The third one was delivered once, and comes back. */
	close(self->lessee);
	EXPECT_STREQ("3:2:333", deliveries_of(self->plain));
	EXPECT_STREQ("3/6 = 1/3 + 0/0 + 2/3 + 0/0", counts_of(self->fd));
	self->lessee = -1;
}

TEST_F(leases, the_terms_are_those_of_the_last_receiver)
{
	int strict = open_id(self->id, O_RDONLY | O_NONBLOCK);

	ASSERT_EQ(0, lease(strict, LONG, 1));
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_EQ(0, nack(self->lessee, 1, 1, 0));
	ASSERT_STREQ("1", read_text(strict, 256));
	ASSERT_EQ(0, nack(strict, 1, 1, 0));
	EXPECT_READS(self->plain, "22", "333");
	EXPECT_STREQ("3/6 = 2/5 + 0/0 + 1/1 + 0/0", counts_of(self->fd));
	close(strict);
}

TEST_F(leases, attaching_again_changes_the_terms_of_later_messages)
{
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_EQ(0, attach(self->lessee, GROUP, KMSGPIPE_START_NOW, 0));
	EXPECT_STREQ("none", leases_of(self->lessee));
	EXPECT_STREQ("22", read_text(self->lessee, 256));
	EXPECT_STREQ("3/6 = 1/2 + 0/0 + 0/0 + 2/4", counts_of(self->fd));
	ASSERT_EQ(0, browse(self->lessee, KMSGPIPE_START_OLDEST, 0));
	EXPECT_EQ(0, ack(self->lessee, 1, 1));
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 0/0 + 1/3", counts_of(self->fd));
}

/* ---- Limits ---- */

TEST_F(leases, messages_on_trust_hold_their_slots)
{
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	ASSERT_EQ(5, write_text(self->fd, "55555"));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "6"));
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_STREQ("22", read_text(self->lessee, 256));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "6"));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	ASSERT_EQ(0, ack(self->lessee, 2, 2));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(1, write_text(self->fd, "6"));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "7"));
	ASSERT_EQ(0, nack(self->lessee, 1, 1, 0));
	EXPECT_STREQ("1:2:1 3:1:333 4:1:4444 5:1:55555 6:1:6", deliveries_of(self->plain));
}

TEST_F(leases, one_lease_holds_no_more_than_two_pipes_full)
{
	unsigned int i;

	ASSERT_STREQ("1", read_text(self->lessee, 256));
	EXPECT_READS(self->plain, "22", "333");
	/* Numbers 4 to 10: with the first one that is a span of ten messages. */
	for (i = 4; i <= 10; i++) {
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_READS(self->plain, "x");
	}
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, poll_now(self->fd));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "y"));
	ASSERT_EQ(0, ack(self->lessee, 1, 1));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(1, write_text(self->fd, "y"));
	EXPECT_STREQ("11:1:y", deliveries_of(self->plain));
}

TEST_F(leases, drop_oldest_spares_messages_on_trust)
{
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	ASSERT_EQ(5, write_text(self->fd, "55555"));
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_EQ(1, write_text(self->fd, "6"));
	EXPECT_STREQ("6/16 = 0/0 + 0/0 + 1/2 + 5/14", counts_of(self->fd));
	ASSERT_EQ(0, nack(self->lessee, 1, 1, 0));
	/* What has come back is the oldest one now. */
	ASSERT_EQ(1, write_text(self->fd, "7"));
	EXPECT_STREQ("7/17 = 0/0 + 0/0 + 2/3 + 5/14", counts_of(self->fd));
	EXPECT_STREQ("3:1:333 4:1:4444 5:1:55555 6:1:6 7:1:7", deliveries_of(self->lessee));
	/* All are on trust: the new one is discarded. */
	ASSERT_EQ(1, write_text(self->fd, "8"));
	EXPECT_STREQ("8/18 = 0/0 + 0/0 + 3/4 + 5/14", counts_of(self->fd));
	ASSERT_EQ(0, ack(self->lessee, 0, LAST));
}

TEST_F(leases, clear_takes_messages_on_trust_too)
{
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_STREQ("22", read_text(self->lessee, 256));
	ASSERT_EQ(0, nack(self->lessee, 1, 1, 0));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 3/6 + 0/0", counts_of(self->fd));
	EXPECT_EQ(-ENOENT, ack(self->lessee, 0, LAST));
	EXPECT_EQ(-EAGAIN, try_read(self->plain, 256));
	ASSERT_EQ(1, write_text(self->fd, "4"));
	EXPECT_STREQ("4:1:4", deliveries_of(self->lessee));
	EXPECT_EQ(0, ack(self->lessee, 4, 4));
}

TEST_F(leases, limits_change_once_all_is_acknowledged)
{
	ASSERT_EQ(3, try_read(self->lessee, 256) + try_read(self->lessee, 256));
	ASSERT_EQ(3, try_read(self->lessee, 256));
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 256, 2));
	ASSERT_EQ(0, ack(self->lessee, 2, 3));
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 256, 2));
	ASSERT_EQ(0, ack(self->lessee, 1, 1));
	ASSERT_EQ(0, set_limits(self->fd, 64, 2));
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "6"));
	EXPECT_STREQ("4:1:4 5:1:5", deliveries_of(self->lessee));
	ASSERT_EQ(0, ack(self->lessee, 4, 4));
	ASSERT_EQ(0, nack(self->lessee, 5, 5, 0));
	EXPECT_STREQ("5:2:5", deliveries_of(self->plain));
}

/* ---- With other features ---- */

TEST_F(leases, a_short_read_leases_the_whole_message)
{
	ASSERT_EQ(1, try_read(self->lessee, 256));
	EXPECT_STREQ("2", read_text(self->lessee, 1));
	EXPECT_STREQ("3600000 ms, 2 leased", leases_of(self->lessee));
	EXPECT_EQ(-EBUSY, lease(self->lessee, 5, 0));
	/* The rest needs no slot: the message has one. */
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "6"));
	ASSERT_EQ(0, nack(self->lessee, 2, 2, 0));
	EXPECT_STREQ("2:2:22 3:1:333 4:1:4 5:1:5", deliveries_of(self->plain));
	EXPECT_STREQ("2", read_text(self->lessee, 256));
	EXPECT_EQ(0, ack(self->lessee, 1, 1));
}

TEST_F(leases, closing_a_file_with_a_rest_leaves_all_slots)
{
	int other = lessee(self->id, O_NONBLOCK, LONG);

	ASSERT_STREQ("1", read_text(self->plain, 256));
	EXPECT_STREQ("2", read_text(other, 1));
	close(other);
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	ASSERT_EQ(1, write_text(self->fd, "6"));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "7"));
	EXPECT_STREQ("2:2:22 3:1:333 4:1:4 5:1:5 6:1:6", deliveries_of(self->plain));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
}

TEST_F(leases, an_expired_message_does_not_come_back)
{
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 1));
	await_expired(self->fd, 2);
	EXPECT_STREQ("3/6 = 0/0 + 2/5 + 0/0 + 1/1", counts_of(self->fd));
	ASSERT_EQ(0, nack(self->lessee, 1, 1, 0));
	EXPECT_EQ(-EAGAIN, try_read(self->plain, 256));
	EXPECT_STREQ("3/6 = 0/0 + 3/6 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(leases, what_was_delivered_in_time_can_be_acknowledged_later)
{
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 1));
	await_expired(self->fd, 2);
	EXPECT_EQ(0, ack(self->lessee, 1, 1));
	EXPECT_STREQ("3/6 = 1/1 + 2/5 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(leases, dump_shows_messages_on_trust)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	struct kmsgpipe_dump dump;

	ASSERT_STREQ("1", read_text(self->lessee, 256));
	ASSERT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	EXPECT_EQ(3, dump.records);
	EXPECT_EQ(1, record->seq);
	EXPECT_EQ(0, record->deliveries);
	EXPECT_EQ(0, ack(self->lessee, 1, 1));
}

TEST_F(leases, browsing_goes_on_meanwhile)
{
	int look = subscribe(self->id);

	ASSERT_EQ(0, browse(look, KMSGPIPE_START_OLDEST, 0));
	ASSERT_STREQ("1", read_text(self->lessee, 256));
	EXPECT_STREQ("1", read_text(look, 256));
	ASSERT_EQ(0, ack(self->lessee, 1, 1));
	EXPECT_STREQ("22", read_text(self->lessee, 256));
	EXPECT_READS(look, "22", "333");
	close(look);
}

TEST_F(leases, memory_and_fast_paths_return_with_the_last_file)
{
	int fd;

	ASSERT_STREQ("1", read_text(self->lessee, 256));
	close(self->lessee);
	close(self->plain);
	close(self->fd);
	/* A message that has come back keeps its number of deliveries. */
	fd = open_id(self->id, O_RDWR | O_NONBLOCK);
	EXPECT_STREQ("1:2:1 2:1:22 3:1:333", deliveries_of(fd));
	close(fd);
	self->fd = open_id(self->id, O_RDWR | O_NONBLOCK);
	ASSERT_EQ(1, write_text(self->fd, "4"));
	EXPECT_READS(self->fd, "4");
	self->plain = open_id(self->id, O_RDONLY);
	self->lessee = open_id(self->id, O_RDONLY);
}

TEST_HARNESS_MAIN
