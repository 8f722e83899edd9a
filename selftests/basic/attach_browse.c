// SPDX-License-Identifier: GPL-2.0
/* KMSGPIPE_ATTACH_BROWSE: a file that looks at the messages of a queue or of a broadcast pipe, and consumes nothing. */
#include "lib/broadcast.h"
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define NOW KMSGPIPE_START_NOW
#define OLDEST KMSGPIPE_START_OLDEST
#define SEQ KMSGPIPE_START_SEQ

/* Opens a file that browses from `start` on. */
static int browser(long id, int flags, unsigned int start)
{
	int fd = open_id(id, O_RDONLY | flags);

	if (browse(fd, start, 0))
		abort();
	return fd;
}

/* ---- What it reads ---- */

TEST_F(own, browsing_consumes_nothing)
{
	int look = subscribe(self->id), i;
	struct kmsgpipe_stats before;

	fill_full(self->fd);
	before = state_of(self->fd);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, browse(look, OLDEST, 0));
		EXPECT_STREQ("browse next 1 lag 3 lost 0 expired 0", position_of(look));
		EXPECT_READS(look, "1", "22", "333");
		EXPECT_STREQ("browse next 4 lag 0 lost 0 expired 0", position_of(look));
		EXPECT_TRUE(unchanged(&before, self->fd));
	}
	EXPECT_READS(self->nonblocking, "1", "22", "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(look);
}

TEST_F(own, browsing_sees_later_messages)
{
	int now = browser(self->id, O_NONBLOCK, NOW), oldest = browser(self->id, O_NONBLOCK, OLDEST);

	EXPECT_READS(now);
	EXPECT_READS(oldest);
	ASSERT_EQ(1, write_text(self->fd, "1"));
	EXPECT_READS(now, "1");
	close(now);
	now = browser(self->id, O_NONBLOCK, NOW);
	ASSERT_EQ(2, write_text(self->fd, "22"));
	EXPECT_READS(oldest, "1", "22");
	EXPECT_READS(now, "22");
	EXPECT_READS(self->nonblocking, "1", "22");
	close(now);
	close(oldest);
}

TEST_F(own, browsing_begins_at_a_sequence_number)
{
	static const struct { unsigned long long at; const char *reads; } cases[] = {
		{ 0, "2:0:22 3:0:333" }, { 1, "2:0:22 3:0:333" }, { 2, "2:0:22 3:0:333" }, { 3, "3:0:333" },
		{ 4, "Resource temporarily unavailable" }, { ~0ULL, "Resource temporarily unavailable" },
	};
	int look = subscribe(self->id);
	size_t i;

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, browse(look, SEQ, cases[i].at));
		EXPECT_STREQ(cases[i].reads, records_of(look, 9)) TH_LOG("at %llu", cases[i].at);
	}
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_READS(look, "4444");
	close(look);
}

TEST_F(own, several_files_browse_each_at_its_own_pace)
{
	int a = browser(self->id, O_NONBLOCK, OLDEST), b = browser(self->id, O_NONBLOCK, OLDEST);

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	EXPECT_STREQ("1:0:1", records_of(b, 1));
	EXPECT_READS(a, "333");
	EXPECT_READS(b, "22", "333");
	close(a);
	close(b);
}

TEST_F(own, a_file_that_browses_can_write)
{
	ASSERT_EQ(0, browse(self->nonblocking, OLDEST, 0));
	ASSERT_EQ(4, write_text(self->nonblocking, "mine"));
	EXPECT_READS(self->nonblocking, "mine");
	EXPECT_STREQ("mine", read_text(self->fd, 256));
	EXPECT_STREQ("1/4 = 1/4 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(own, browsing_sees_long_messages_whole)
{
	static const size_t lens[] = { 70000, 1, 4096, 4097 };
	static char out[70000], in[70001];
	long id = limited_pipe(sizeof(out), 4);
	int fd = open_id(id, O_RDWR | O_NONBLOCK), look = browser(id, O_NONBLOCK, OLDEST), round;
	size_t k;

	for (k = 0; k < ARRAY_SIZE(lens); k++)
		ASSERT_EQ((long)numbered(out, k, lens[k]), TRY(write(fd, out, lens[k])));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, browse(look, OLDEST, 0));
		for (k = 0; k < ARRAY_SIZE(lens); k++) {
			ASSERT_EQ((long)lens[k], TRY(read(look, in, sizeof(in))));
			EXPECT_TRUE(is_numbered(in, k, lens[k])) TH_LOG("message %zu", k);
		}
	}
	EXPECT_EQ(4, stats_of(fd).depth_msgs);
	close(look);
	expect_destroyed(_metadata, fd);
	close(fd);
}

/* ---- Losses ---- */

TEST_F(own, what_others_took_first_is_lost)
{
	int look = browser(self->id, O_NONBLOCK, OLDEST);

	fill_full(self->fd);
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_STREQ("1:0:1", records_of(look, 1));
	/* It has seen "1" already, so it loses only "22". */
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	EXPECT_EQ(POLLIN, poll_now(look));
	EXPECT_STREQ("browse next 2 lag 3 lost 0 expired 0", position_of(look));
	EXPECT_STREQ("22", read_text(self->nonblocking, 256));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(look));
	EXPECT_STREQ("browse next 3 lag 2 lost 1 expired 0", position_of(look));
	EXPECT_STREQ("3:1:333", records_of(look, 1));
	EXPECT_EQ(POLLIN, poll_now(look));
	EXPECT_READS(self->nonblocking, "333", "4444");
	EXPECT_EQ(POLLPRI, poll_now(look));
	EXPECT_READS(look);
	EXPECT_STREQ("browse next 5 lag 0 lost 2 expired 0", position_of(look));
	ASSERT_EQ(5, write_text(self->fd, "55555"));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(look));
	EXPECT_STREQ("5:1:55555", records_of(look, 9));
	EXPECT_EQ(0, poll_now(look));
	/* The losses of a file that browses are not those of the queue. */
	EXPECT_STREQ("5:0:55555", records_of(self->nonblocking, 9));
	close(look);
}

TEST_F(own, what_was_dropped_or_cleared_is_lost)
{
	int look, i;

	ASSERT_EQ(0, set_limits(self->fd, 256, 3));
	set_policy(self->id, "drop-oldest");
	look = browser(self->id, O_NONBLOCK, OLDEST);
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(look, 256));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_STREQ("11:9:x", records_of(look, 1));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("browse next 14 lag 0 lost 11 expired 0", position_of(look));
	EXPECT_EQ(POLLPRI, poll_now(look));
	ASSERT_EQ(1, write_text(self->fd, "y"));
	EXPECT_STREQ("14:2:y", records_of(look, 9));
	close(look);
}

TEST_F(own, nothing_is_lost_that_was_there_before)
{
	int look;

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	look = browser(self->id, O_NONBLOCK, OLDEST);
	EXPECT_EQ(POLLIN, poll_now(look));
	EXPECT_STREQ("2:0:22", records_of(look, 1));
	/* Attaching anew forgets what was not reported. */
	EXPECT_READS(self->nonblocking, "22", "333");
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(look));
	ASSERT_EQ(0, browse(look, OLDEST, 0));
	EXPECT_EQ(POLLIN, poll_now(look));
	EXPECT_STREQ("4:0:4444", records_of(look, 9));
	close(look);
}

TEST_F(own, expired_messages_are_not_seen)
{
	int look = browser(self->id, O_NONBLOCK, OLDEST);

	queue_expired(self->fd);
	EXPECT_READS(look);
	EXPECT_READS(self->nonblocking);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(3, write_text(self->fd, "new"));
	EXPECT_READS(look, "new");
	EXPECT_EQ(2, fdinfo_number(look, "kmsgpipe-lost-msgs") + fdinfo_number(look, "kmsgpipe-expired-msgs"));
	EXPECT_STREQ("3/11 = 0/0 + 2/8 + 0/0 + 1/3", counts_of(self->fd));
	close(look);
}

/* ---- Ways of reading ---- */

TEST_F(own, browsing_reads_in_pieces)
{
	int look = browser(self->id, O_NONBLOCK, OLDEST);

	ASSERT_EQ(10, write_text(self->fd, "0123456789"));
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_EQ(10, fionread(look));
	EXPECT_STREQ("0123", read_text(look, 4));
	EXPECT_EQ(6, fionread(look));
	EXPECT_EQ(6, rest_bytes(look));
	EXPECT_EQ(-EBUSY, browse(look, OLDEST, 0));
	EXPECT_EQ(-EBUSY, attach(look, KMSGPIPE_ATTACH_GROUP, NOW, 0));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	/* The rest stays when the message has gone. */
	EXPECT_READS(self->nonblocking, "0123456789", "next");
	EXPECT_STREQ("456789", read_text(look, 256));
	EXPECT_EQ(0, fionread(look));
	EXPECT_READS(look);
	EXPECT_STREQ("2/14 = 2/14 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(look);
}

TEST_F(own, a_rest_of_a_browser_holds_no_slot)
{
	int look;

	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	look = browser(self->id, O_NONBLOCK, OLDEST);
	ASSERT_EQ(10, write_text(self->nonblocking, "0123456789"));
	EXPECT_STREQ("0123", read_text(look, 4));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_STREQ("01234", read_text(self->nonblocking, 5));
	/* The rest of a message of the queue holds its slot, also while a file browses. */
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(POLLIN, poll_now(self->nonblocking));
	EXPECT_STREQ("56789", read_text(self->nonblocking, 256));
	EXPECT_EQ(4, write_text(self->nonblocking, "next"));
	EXPECT_STREQ("next", read_text(self->nonblocking, 256));
	EXPECT_READS(look, "456789");
	EXPECT_STREQ("2/14 = 2/14 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(look);
}

TEST_F(own, browsing_in_each_mode)
{
	int look = browser(self->id, 0, OLDEST);

	ASSERT_EQ(0, set_mode(look, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(0, try_read(look, 256));
	EXPECT_EQ(POLLIN, poll_now(look));
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(look, 256));
	EXPECT_STREQ("22", read_text(look, 256));
	EXPECT_STREQ("333", read_text(look, 256));
	EXPECT_EQ(0, try_read(look, 256));
	ASSERT_EQ(0, browse(look, OLDEST, 0));
	ASSERT_EQ(0, set_mode(look, KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_RECORDS));
	EXPECT_TRUE(READS(look, 1, "1", "22", "333"));
	EXPECT_EQ(0, try_read(look, 256));
	ASSERT_EQ(0, browse(look, SEQ, 3));
	ASSERT_EQ(0, set_mode(look, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, try_read(look, 2));
	EXPECT_STREQ("333", read_text(look, 3));
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
	close(look);
}

TEST_F(own, browsing_by_each_call)
{
	int look = browser(self->id, 0, OLDEST), ends[2];
	char text[16];
	struct iovec iov[] = { { text, 1 }, { text + 1, 8 } };
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ, .fd = look, .addr = (uintptr_t)text, .len = sizeof(text), .off = -1,
	};
	struct ring ring;

	ASSERT_EQ(0, pipe(ends));
	ring_open(&ring);
	fill_full(self->fd);
	EXPECT_EQ(1, TRY(readv(look, iov, 2)));
	EXPECT_EQ(2, TRY(preadv2(look, iov, 2, -1, RWF_NOWAIT)));
	EXPECT_EQ(0, memcmp(text, "22", 2));
	EXPECT_EQ(3, TRY(splice(look, NULL, ends[1], NULL, 100, 0)));
	EXPECT_EQ(3, TRY(read(ends[0], text, sizeof(text))));
	EXPECT_EQ(0, memcmp(text, "333", 3));
	EXPECT_EQ(-EAGAIN, TRY(preadv2(look, iov, 2, -1, RWF_NOWAIT)));
	ASSERT_EQ(1, ring_submit(&ring, &request));
	EXPECT_EQ(0, ring_completions(&ring));
	ASSERT_EQ(4, write_text(self->fd, "late"));
	EXPECT_EQ(4, ring_complete(&ring));
	EXPECT_EQ(0, memcmp(text, "late", 4));
	EXPECT_READS(self->nonblocking, "1", "22", "333", "late");
	ring_close(&ring);
	close(ends[0]);
	close(ends[1]);
	close(look);
}

/* ---- Waiting ---- */

/* Starts a read that sleeps. */
static struct call *sleeping(struct call *call, int fd, char *buffer, size_t len)
{
	*call = read_call(fd, buffer, len);
	start_call(call);
	await_asleep(call->tid);
	return call;
}

TEST_F(own, a_sleeping_browser_wakes_for_a_message)
{
	int look = browser(self->id, 0, OLDEST), i;
	struct call call;
	char buffer[16];

	for (i = 0; i < 10; i++) {
		sleeping(&call, look, buffer, sizeof(buffer));
		ASSERT_EQ(4, write_text(self->fd, "wake"));
		EXPECT_EQ(4, finish_call(&call));
		EXPECT_EQ(0, memcmp(buffer, "wake", 4));
	}
	EXPECT_EQ(10, stats_of(self->fd).depth_msgs);
	close(look);
}

/* Both are woken. The browser may find that the reader has taken the message, and then waits for the next one. */
TEST_F(own, one_message_wakes_a_reader_and_a_browser)
{
	int look = browser(self->id, 0, NOW), order, i, k;
	char seen[16], got[16];
	struct call calls[2];

	share_one_processor();
	for (i = 0; i < 10; i++)
		for (order = 0; order < 2; order++) {
			/* Either of them may be the one that waits longer. */
			for (k = 0; k < 2; k++)
				if (k == order)
					sleeping(&calls[k], look, seen, sizeof(seen));
				else
					sleeping(&calls[k], self->fd, got, sizeof(got));
			run_alone(1);
			ASSERT_EQ(4, write_text(self->nonblocking, "wake"));
			EXPECT_TRUE(is_runnable(calls[0].tid)) TH_LOG("order %d", order);
			EXPECT_TRUE(is_runnable(calls[1].tid)) TH_LOG("order %d", order);
			run_alone(0);
			EXPECT_EQ(4, finish_call(&calls[!order]));
			EXPECT_EQ(0, memcmp(got, "wake", 4));
			/* No reader takes the second message before the browser sees it. */
			ASSERT_EQ(4, write_text(self->nonblocking, "more"));
			EXPECT_EQ(4, finish_call(&calls[order]));
			ASSERT_EQ(4, try_read(self->nonblocking, 256));
			ASSERT_EQ(0, browse(look, NOW, 0));
		}
	close(look);
}

TEST_F(own, browsers_take_no_wakeup_of_readers)
{
	int looks[4], i;
	char buffers[6][16];
	struct call calls[6];

	for (i = 0; i < 4; i++) {
		looks[i] = browser(self->id, 0, NOW);
		sleeping(&calls[i], looks[i], buffers[i], 16);
	}
	for (; i < 6; i++)
		sleeping(&calls[i], self->fd, buffers[i], 16);
	ASSERT_EQ(1, write_text(self->nonblocking, "1"));
	ASSERT_EQ(1, write_text(self->nonblocking, "2"));
	/* Both readers get a message, whatever the browsers do. */
	EXPECT_EQ(1, finish_call(&calls[4]));
	EXPECT_EQ(1, finish_call(&calls[5]));
	ASSERT_EQ(1, write_text(self->nonblocking, "3"));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(1, finish_call(&calls[i]));
		close(looks[i]);
	}
	EXPECT_STREQ("3/3 = 2/2 + 0/0 + 0/0 + 1/1", counts_of(self->fd));
}

TEST_F(own, pollers_learn_of_what_the_browser_has_not_seen)
{
	int look = browser(self->id, O_NONBLOCK, OLDEST), epoll = new_epoll(look, EPOLLIN | EPOLLET), i;
	struct poller poller = { .fd = look, .events = POLLIN };
	struct epoll_event event;

	EXPECT_EQ(0, poll_now(look));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (i = 0; i < 3; i++) {
		start_poll(&poller);
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_EQ(POLLIN, finish_poll(&poller));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
		EXPECT_EQ(EPOLLIN, event.events);
		EXPECT_EQ(POLLIN, poll_now(look));
		EXPECT_READS(look, "x");
		EXPECT_EQ(0, poll_now(look));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		/* Those of the queue see it still. */
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	}
	close(epoll);
	close(look);
}

TEST_F(own, destroying_wakes_a_browser)
{
	int look = browser(self->id, 0, OLDEST);
	struct call call;
	char buffer[16];

	sleeping(&call, look, buffer, sizeof(buffer));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, finish_call(&call));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP | POLLERR, poll_now(look));
	close(look);
}

/* ---- Broadcast pipes ---- */

TEST_F(own, a_browser_of_a_broadcast_pipe_is_no_subscription)
{
	long id = broadcast_pipe(3, 0);
	int writer = open_id(id, O_WRONLY | O_NONBLOCK), a = subscribe(id), look = subscribe(id);

	fill_full(writer);
	EXPECT_STREQ("1", read_text(a, 256));
	ASSERT_EQ(0, browse(look, OLDEST, 0));
	/* What only it had to read has left the pipe. */
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(writer));
	EXPECT_EQ(2, stats_of(writer).readers);
	EXPECT_STREQ("2:0:22", records_of(look, 1));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(writer));
	EXPECT_READS(a, "22", "333");
	/* It holds nothing back. */
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(writer));
	EXPECT_EQ(POLLPRI, poll_now(look));
	EXPECT_READS(look);
	ASSERT_EQ(4, write_text(writer, "4444"));
	EXPECT_STREQ("4:1:4444", records_of(look, 9));
	EXPECT_STREQ("4/10 = 3/6 + 0/0 + 0/0 + 1/4", counts_of(writer));
	EXPECT_READS(a, "4444");
	/* As a subscription it gets what is sent from now on. */
	ASSERT_EQ(0, attach(look, KMSGPIPE_ATTACH_OWN, NOW, 0));
	ASSERT_EQ(5, write_text(writer, "55555"));
	EXPECT_READS(a, "55555");
	EXPECT_STREQ("5/15 = 4/10 + 0/0 + 0/0 + 1/5", counts_of(writer));
	EXPECT_READS(look, "55555");
	EXPECT_STREQ("5/15 = 5/15 + 0/0 + 0/0 + 0/0", counts_of(writer));
	close(look);
	close(a);
	expect_destroyed(_metadata, writer);
	close(writer);
}

TEST_F(own, without_subscriptions_a_browser_sees_the_history_alone)
{
	long id = broadcast_pipe(3, 2), none = broadcast_pipe(3, 0);
	int writers[2] = { open_id(id, O_WRONLY | O_NONBLOCK), open_id(none, O_WRONLY | O_NONBLOCK) };
	int look = browser(id, O_NONBLOCK, OLDEST), blind = browser(none, O_NONBLOCK, OLDEST);

	fill_full(writers[0]);
	fill_full(writers[1]);
	EXPECT_STREQ("2:1:22 3:0:333", records_of(look, 9));
	EXPECT_READS(blind);
	EXPECT_STREQ("browse next 4 lag 0 lost 3 expired 0", position_of(blind));
	EXPECT_EQ(POLLPRI, poll_now(blind));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 3/6 + 0/0", counts_of(writers[0]));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 3/6 + 0/0", counts_of(writers[1]));
	ASSERT_EQ(0, browse(look, SEQ, 3));
	EXPECT_READS(look, "333");
	close(look);
	close(blind);
	expect_destroyed(_metadata, writers[0]);
	expect_destroyed(_metadata, writers[1]);
	close(writers[0]);
	close(writers[1]);
}

TEST_HARNESS_MAIN
