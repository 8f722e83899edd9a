// SPDX-License-Identifier: GPL-2.0
/*
 * Full broadcast pipes: the slowest subscription makes them full. Then writers wait, or messages are lost, for each
 * subscription by its own count.
 */
#include "lib/broadcast_fixture.h"
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <sys/epoll.h>

/* ---- block ---- */

TEST_F(broadcast, is_full_when_the_slowest_is_max_msgs_behind)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	fill_full(self->nonblocking);
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(0, poll_now(self->fd));
	/* The faster one makes no room. */
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(0, poll_now(self->fd));
	EXPECT_EQ(2, stats_of(self->fd).refused_full);
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(4, write_text(self->nonblocking, "4444"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_READS(b, "22", "333", "4444");
	EXPECT_READS(a, "4444");
	EXPECT_STREQ("4/10 = 4/10 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

TEST_F(broadcast, a_writer_sleeps_until_the_slowest_reads)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	struct call call = write_call(self->fd, "late", 4);

	fill_full(self->fd);
	start_call(&call);
	await_writers(self->fd, 1);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_EQ(1, stats_of(self->fd).waiting_writers);
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_READS(b, "22", "333", "late");
	EXPECT_READS(a, "late");
	close(a);
	close(b);
}

TEST_F(broadcast, a_writer_sleeps_until_the_slowest_closes)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	struct call call = write_call(self->fd, "late", 4);

	fill_full(self->fd);
	EXPECT_READS(a, "1", "22", "333");
	start_call(&call);
	await_writers(self->fd, 1);
	close(b);
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_READS(a, "late");
	EXPECT_STREQ("4/10 = 4/10 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
}

TEST_F(broadcast, sleeping_writers_go_on_when_the_last_subscription_ends)
{
	int a = subscribe(self->id);
	struct call calls[5];
	unsigned int i;

	fill_full(self->fd);
	start_writers(calls, 5, self->fd, "late", 4);
	close(a);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(4, finish_call(&calls[i]));
	EXPECT_STREQ("8/26 = 0/0 + 0/0 + 8/26 + 0/0", counts_of(self->fd));
}

TEST_F(broadcast, clear_wakes_sleeping_writers)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	struct call calls[3];
	unsigned int i;

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	start_writers(calls, 3, self->fd, "late", 4);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(4, finish_call(&calls[i]));
	EXPECT_READS(a, "late", "late", "late");
	EXPECT_READS(b, "late", "late", "late");
	EXPECT_STREQ("6/18 = 4/13 + 0/0 + 2/5 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

TEST_F(broadcast, pollers_learn_of_room_when_the_slowest_reads)
{
	int a = subscribe(self->id), b = subscribe(self->id), epoll;
	struct poller poller = { .fd = self->fd, .events = POLLOUT };
	struct epoll_event event;

	fill_full(self->fd);
	epoll = new_epoll(self->fd, EPOLLOUT | EPOLLET);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	start_poll(&poller);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_EQ(POLLOUT, finish_poll(&poller));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(EPOLLOUT, event.events);
	close(epoll);
	close(a);
	close(b);
}

/* ---- drop-oldest ---- */

TEST_F(broadcast, drop_oldest_takes_from_those_that_had_not_read)
{
	int a = subscribe(self->id), b = subscribe(self->id), c;

	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	/* Only one of them had not read "1", so it counts as delivered. */
	EXPECT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_STREQ("4/10 = 1/1 + 0/0 + 0/0 + 3/9", counts_of(self->fd));
	EXPECT_STREQ("own next 2 lag 3 lost 0 expired 0", position_of(a));
	EXPECT_STREQ("own next 2 lag 3 lost 1 expired 0", position_of(b));
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(b));
	/* No one has read "22". */
	EXPECT_EQ(5, write_text(self->nonblocking, "55555"));
	EXPECT_STREQ("5/15 = 1/1 + 0/0 + 1/2 + 3/12", counts_of(self->fd));
	c = subscribe(self->id);
	EXPECT_STREQ("3:1:333 4:0:4444 5:0:55555", records_of(a, 9));
	EXPECT_EQ(0, poll_now(a));
	EXPECT_STREQ("3:2:333", records_of(b, 1));
	EXPECT_EQ(POLLIN, poll_now(b));
	EXPECT_STREQ("4:0:4444 5:0:55555", records_of(b, 9));
	EXPECT_STREQ("own next 6 lag 0 lost 1 expired 0", position_of(a));
	EXPECT_STREQ("own next 6 lag 0 lost 2 expired 0", position_of(b));
	EXPECT_STREQ("own next 6 lag 0 lost 0 expired 0", position_of(c));
	EXPECT_STREQ("5/15 = 4/13 + 0/0 + 1/2 + 0/0", counts_of(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).refused_full);
	close(a);
	close(b);
	close(c);
}

TEST_F(broadcast, drop_oldest_counts_long_losses_exactly)
{
	int a = subscribe(self->id), b = subscribe(self->id), i;

	set_policy(self->id, "drop-oldest");
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(1, write_text(self->fd, "x"));
		if (i < 500)
			ASSERT_STREQ("x", read_text(a, 256));
	}
	EXPECT_STREQ("998:497:x 999:0:x 1000:0:x", records_of(a, 9));
	EXPECT_STREQ("998:997:x 999:0:x 1000:0:x", records_of(b, 9));
	EXPECT_STREQ("1000/1000 = 503/503 + 0/0 + 497/497 + 0/0", counts_of(self->fd));
	/* The next losses are counted anew. */
	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, write_text(self->fd, "y"));
	EXPECT_STREQ("1003:2:y 1004:0:y 1005:0:y", records_of(b, 9));
	EXPECT_STREQ("own next 1006 lag 0 lost 999 expired 0", position_of(b));
	EXPECT_STREQ("own next 1003 lag 3 lost 499 expired 0", position_of(a));
	close(a);
	close(b);
}

TEST_F(broadcast, a_new_subscription_did_not_lose_what_went_before)
{
	int a = subscribe(self->id), b;

	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	b = subscribe(self->id);
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	ASSERT_EQ(5, write_text(self->fd, "55555"));
	/* "1" and "22" were not meant for the later one. */
	EXPECT_EQ(POLLIN, poll_now(b));
	EXPECT_STREQ("4:0:4444 5:0:55555", records_of(b, 9));
	EXPECT_STREQ("3:2:333 4:0:4444 5:0:55555", records_of(a, 9));
	close(a);
	close(b);
}

/* ---- drop-newest ---- */

TEST_F(broadcast, drop_newest_takes_from_all)
{
	int a = subscribe(self->id), b = subscribe(self->id), c;

	set_policy(self->id, "drop-newest");
	fill_full(self->fd);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_EQ(3, write_text(self->fd, "new"));
	EXPECT_EQ(4, write_text(self->nonblocking, "more"));
	EXPECT_STREQ("5/13 = 0/0 + 0/0 + 2/7 + 3/6", counts_of(self->fd));
	/* The one that has read all has the loss before it, the other one behind its backlog. */
	EXPECT_EQ(POLLPRI, poll_now(a));
	EXPECT_EQ(POLLIN, poll_now(b));
	EXPECT_STREQ("own next 4 lag 0 lost 2 expired 0", position_of(a));
	EXPECT_STREQ("own next 1 lag 3 lost 0 expired 0", position_of(b));
	c = subscribe(self->id);
	EXPECT_EQ(0, poll_now(c));
	EXPECT_STREQ("1:0:1 2:0:22", records_of(b, 2));
	EXPECT_EQ(POLLIN, poll_now(b));
	EXPECT_STREQ("3:0:333", records_of(b, 9));
	EXPECT_EQ(POLLPRI, poll_now(b));
	EXPECT_STREQ("own next 4 lag 0 lost 2 expired 0", position_of(b));
	/* What was discarded got no sequence number. */
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(a));
	EXPECT_STREQ("4:2:next", records_of(a, 9));
	EXPECT_EQ(0, poll_now(a));
	EXPECT_STREQ("4:2:next", records_of(b, 9));
	EXPECT_STREQ("4:0:next", records_of(c, 9));
	EXPECT_STREQ("6/17 = 4/10 + 0/0 + 2/7 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
	close(c);
}

/* ---- Losses ---- */

TEST_F(broadcast, a_read_that_fails_reports_no_loss)
{
	int a = subscribe(self->id);

	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_EQ(-EFAULT, TRY(read(a, bad_address, 100)));
	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, try_read(a, 1));
	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(-EMSGSIZE, try_read(a, record_size(2) - 1));
	EXPECT_EQ(-EFAULT, TRY(read(a, bad_address, 100)));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(a));
	EXPECT_STREQ("2:1:22", records_of(a, 1));
	EXPECT_EQ(POLLIN, poll_now(a));
	close(a);
}

TEST_F(broadcast, a_read_without_records_uses_the_loss_up)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_STREQ("2", read_text(a, 1));
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(b));
	EXPECT_STREQ("2", read_text(a, 1));
	EXPECT_STREQ("3:0:333", records_of(a, 1));
	EXPECT_STREQ("2:1:22", records_of(b, 1));
	close(a);
	close(b);
}

TEST_F(broadcast, a_loss_by_clearing_is_reported_too)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	int epoll = new_epoll(a, EPOLLPRI | EPOLLET);
	struct poller poller = { .fd = a, .events = POLLPRI };
	struct epoll_event event;

	fill_full(self->fd);
	EXPECT_READS(b, "1", "22", "333");
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	start_poll(&poller);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(POLLPRI, finish_poll(&poller));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(EPOLLPRI, event.events);
	EXPECT_EQ(POLLPRI, poll_now(a));
	EXPECT_EQ(0, poll_now(b));
	ASSERT_EQ(1, write_text(self->fd, "4"));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(a));
	EXPECT_STREQ("4:3:4", records_of(a, 9));
	EXPECT_EQ(0, poll_now(a));
	EXPECT_STREQ("4:0:4", records_of(b, 9));
	close(epoll);
	close(a);
	close(b);
}

TEST_F(broadcast, several_losses_lie_between_the_messages_that_they_were_between)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	set_policy(self->id, "drop-newest");
	fill_full(self->fd);
	ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("1", read_text(b, 256));
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(1, write_text(self->fd, "y"));
	ASSERT_EQ(1, write_text(self->fd, "z"));
	EXPECT_STREQ("2:0:22 3:0:333 4:1:4", records_of(a, 9));
	ASSERT_EQ(1, write_text(self->fd, "0"));
	EXPECT_STREQ("2:0:22", records_of(b, 1));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	EXPECT_STREQ("5:3:5", records_of(a, 9));
	EXPECT_STREQ("3:0:333 4:1:4 5:3:5", records_of(b, 9));
	EXPECT_STREQ("own next 6 lag 0 lost 4 expired 0", position_of(b));
	close(a);
	close(b);
}

TEST_F(broadcast, a_loss_wakes_pollers_of_each_subscription_that_lost)
{
	int fds[2] = { subscribe(self->id), subscribe(self->id) };
	struct poller pollers[2];
	int i, k;

	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 2; k++) {
			pollers[k] = (struct poller){ .fd = fds[k], .events = POLLPRI };
			start_poll(&pollers[k]);
		}
		ASSERT_EQ(1, write_text(self->fd, "x"));
		for (k = 0; k < 2; k++) {
			EXPECT_EQ(POLLPRI, finish_poll(&pollers[k]));
			EXPECT_LT(0, try_read(fds[k], 256));
		}
		ASSERT_EQ(1, write_text(self->fd, "y"));
	}
	/* One that has read all loses a discarded message at once. */
	set_policy(self->id, "drop-newest");
	EXPECT_READS(fds[0], "y", "x", "y");
	pollers[0] = (struct poller){ .fd = fds[0], .events = POLLPRI };
	start_poll(&pollers[0]);
	ASSERT_EQ(1, write_text(self->fd, "z"));
	EXPECT_EQ(POLLPRI, finish_poll(&pollers[0]));
	EXPECT_EQ(POLLIN, poll_now(fds[1]));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(broadcast, a_write_that_fails_loses_nothing)
{
	static const char *const policies[] = { "block", "drop-oldest", "drop-newest" };
	static char text[257];
	struct kmsgpipe_stats before;
	int a = subscribe(self->id);
	size_t i;

	fill_full(self->fd);
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		before = state_of(self->fd);
		EXPECT_EQ(-EMSGSIZE, TRY(write(self->nonblocking, text, 257)));
		before.refused_size++;
		if (i)
			EXPECT_EQ(-EFAULT, TRY(write(self->nonblocking, bad_address, 8)));
		EXPECT_TRUE(unchanged(&before, self->fd)) TH_LOG("%s", policies[i]);
	}
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_STREQ("1:0:1 2:0:22 3:0:333", records_of(a, 9));
	close(a);
}

TEST_F(broadcast, a_change_of_the_policy_lets_sleeping_writers_through)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	struct call calls[5];
	unsigned int i;

	fill_full(self->fd);
	start_writers(calls, 5, self->fd, "late", 4);
	set_policy(self->id, "drop-oldest");
	for (i = 0; i < 5; i++)
		EXPECT_EQ(4, finish_call(&calls[i]));
	EXPECT_STREQ("6:5:late 7:0:late 8:0:late", records_of(a, 9));
	EXPECT_STREQ("6:5:late 7:0:late 8:0:late", records_of(b, 9));
	EXPECT_STREQ("8/26 = 3/12 + 0/0 + 5/14 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

/* ---- Expiry ---- */

TEST_F(broadcast, messages_expire_for_those_that_had_not_read_them)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	ASSERT_EQ(1, write_text(self->fd, "1"));
	EXPECT_STREQ("1", read_text(a, 256));
	queue_expired(self->fd);
	/* Nobody gets an expired message, whether it was swept or not. */
	EXPECT_READS(a);
	EXPECT_READS(b);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(3, write_text(self->fd, "new"));
	EXPECT_STREQ("own next 4 lag 1 lost 0 expired 2", position_of(a));
	EXPECT_STREQ("own next 4 lag 1 lost 0 expired 3", position_of(b));
	/* "1" counts as delivered, as one has read it. */
	EXPECT_STREQ("4/12 = 1/1 + 2/8 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_STREQ("4:0:new", records_of(a, 9));
	EXPECT_STREQ("4:0:new", records_of(b, 9));
	EXPECT_STREQ("4/12 = 2/4 + 2/8 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

TEST_F(broadcast, expired_messages_make_room_first)
{
	static const char *const policies[] = { "block", "drop-oldest", "drop-newest" };
	unsigned long long i;
	int a;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		a = subscribe(self->id);
		ASSERT_EQ(1, write_text(self->nonblocking, "1"));
		queue_expired(self->fd);
		EXPECT_EQ(3, write_text(self->nonblocking, "new"));
		ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
		EXPECT_EQ(3 * (i + 1), stats_of(self->fd).expired_msgs) TH_LOG("%s", policies[i]);
		EXPECT_EQ(0, stats_of(self->fd).dropped_msgs);
		EXPECT_EQ(0, poll_now(a) & POLLPRI);
		EXPECT_READS(a, "new");
		close(a);
	}
	EXPECT_EQ(0, stats_of(self->fd).refused_full);
}

TEST_F(broadcast, the_sweeper_frees_the_backlog_and_wakes_writers)
{
	int a = subscribe(self->id);
	struct call call = write_call(self->fd, "late", 4);

	fill_full(self->fd);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 50));
	EXPECT_EQ(4, finish_call(&call));
	await_expired(self->fd, 4);
	EXPECT_STREQ("4/10 = 0/0 + 4/10 + 0/0 + 0/0", counts_of(self->fd));
	EXPECT_STREQ("own next 5 lag 0 lost 0 expired 4", position_of(a));
	close(a);
}

TEST_HARNESS_MAIN
