// SPDX-License-Identifier: GPL-2.0
/*
 * poll, select and epoll: level-triggered, edge-triggered, one-shot and exclusive, also beside tasks that sleep in
 * read and write.
 */
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"
#include "lib/pollers.h"
#include "lib/tasks.h"

#include <sys/epoll.h>
#include <sys/select.h>

/* The events that epoll_wait returns at once; 0 if there are none. */
static uint32_t ready(int epoll)
{
	struct epoll_event event = { 0 };
	int n = epoll_wait(epoll, &event, 1, 0);

	if (n < 0)
		abort();
	return n ? event.events : 0;
}

TEST_F(pipe, poll_reports_what_would_not_block)
{
	char byte = 'x';

	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(1, write(self->fd, &byte, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	fill(self->fd);
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
}

TEST_F(pipe, poll_respects_the_access_mode)
{
	int reading = open_pipe(O_RDONLY), writing = open_pipe(O_WRONLY);

	EXPECT_EQ(0, poll_now(reading));
	EXPECT_EQ(POLLOUT, poll_now(writing));
	EXPECT_EQ(1, write(writing, "x", 1));
	EXPECT_EQ(POLLIN, poll_now(reading));
	EXPECT_EQ(POLLOUT, poll_now(writing));
	close(reading);
	close(writing);
}

TEST_F(pipe, select_agrees_with_poll)
{
	struct timeval now = { 0 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	EXPECT_EQ(1, select(self->fd + 1, &in, &out, NULL, &now));
	EXPECT_FALSE(FD_ISSET(self->fd, &in));
	EXPECT_TRUE(FD_ISSET(self->fd, &out));

	fill(self->fd);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	EXPECT_EQ(1, select(self->fd + 1, &in, &out, NULL, &now));
	EXPECT_TRUE(FD_ISSET(self->fd, &in));
	EXPECT_FALSE(FD_ISSET(self->fd, &out));
}

/* spec: 4-write-wakes */
TEST_F(pipe, a_message_wakes_poll)
{
	struct poller poller = { .fd = self->fd, .events = POLLIN };

	start_poll(&poller);
	EXPECT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(POLLIN, finish_poll(&poller));
}

TEST_F(pipe, room_wakes_poll)
{
	struct poller poller = { .fd = self->fd, .events = POLLOUT };
	char byte;

	fill(self->fd);
	start_poll(&poller);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(POLLOUT, finish_poll(&poller));
}

TEST_F(pipe, clear_queue_wakes_poll)
{
	struct poller poller = { .fd = self->fd, .events = POLLOUT };

	fill(self->fd);
	start_poll(&poller);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(POLLOUT, finish_poll(&poller));
}

TEST_F(pipe, level_triggered_epoll_reports_until_drained)
{
	int epoll = new_epoll(self->fd, EPOLLIN);
	char byte;

	EXPECT_EQ(0, ready(epoll));
	EXPECT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(EPOLLIN, ready(epoll));
	EXPECT_EQ(EPOLLIN, ready(epoll));
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(0, ready(epoll));
	close(epoll);
}

TEST_F(pipe, edge_triggered_epoll_reports_every_message)
{
	int epoll = new_epoll(self->fd, EPOLLIN | EPOLLET);
	int i;

	EXPECT_EQ(0, ready(epoll));
	for (i = 0; i < 5; i++) {
		/* The messages are not read: each of them is an edge. */
		ASSERT_EQ(1, write(self->fd, "a", 1));
		ASSERT_EQ(EPOLLIN, ready(epoll));
		ASSERT_EQ(0, ready(epoll));
	}
	close(epoll);
}

TEST_F(pipe, edge_triggered_epoll_reports_every_free_slot)
{
	int epoll, i;
	char byte;

	fill(self->fd);
	epoll = new_epoll(self->fd, EPOLLOUT | EPOLLET);
	EXPECT_EQ(0, ready(epoll));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		ASSERT_EQ(EPOLLOUT, ready(epoll));
		ASSERT_EQ(0, ready(epoll));
	}
	close(epoll);
}

TEST_F(pipe, edge_triggered_epoll_reports_the_first_slot_of_a_filled_pipe)
{
	int epoll = new_epoll(self->fd, EPOLLOUT | EPOLLET);
	char byte;

	EXPECT_EQ(EPOLLOUT, ready(epoll));
	/* The last poll reported free slots, and no wakeup tells of the pipe becoming full. */
	fill(self->fd);
	EXPECT_EQ(0, ready(epoll));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(EPOLLOUT, ready(epoll));
	close(epoll);
}

TEST_F(pipe, one_shot_epoll_reports_once)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT };
	int epoll = new_epoll(self->fd, EPOLLIN | EPOLLONESHOT);

	EXPECT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(EPOLLIN, ready(epoll));
	EXPECT_EQ(0, ready(epoll));
	EXPECT_EQ(1, write(self->fd, "b", 1));
	EXPECT_EQ(0, ready(epoll));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_MOD, self->fd, &again));
	EXPECT_EQ(EPOLLIN, ready(epoll));
	EXPECT_EQ(0, ready(epoll));
	close(epoll);
}

TEST_F(pipe, exclusive_epoll_wakes_one_of_two)
{
	struct poller pollers[2];
	int i;

	share_one_processor();
	for (i = 0; i < 2; i++) {
		pollers[i] = (struct poller){ .epoll = new_epoll(self->fd, EPOLLIN | EPOLLEXCLUSIVE) };
		start_poll(&pollers[i]);
	}
	/* The woken thread cannot run before its state is checked. */
	run_alone(1);
	EXPECT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(1, is_runnable(pollers[0].tid) + is_runnable(pollers[1].tid));
	EXPECT_EQ(1, write(self->fd, "b", 1));
	EXPECT_EQ(2, is_runnable(pollers[0].tid) + is_runnable(pollers[1].tid));
	run_alone(0);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(EPOLLIN, finish_poll(&pollers[i]));
		close(pollers[i].epoll);
	}
}

static int write_one(int fd)
{
	return write(fd, "a", 1);
}

static int read_one(int fd)
{
	char byte;

	return read(fd, &byte, 1);
}

static int clear_once(int fd)
{
	return ioctl(fd, KMSGPIPE_CLEAR_QUEUE) == 0;
}

TEST_F(pipe, two_messages_wake_two_exclusive_epolls)
{
	expect_two_woken(_metadata, self->fd, EPOLLIN, 2, write_one);
}

TEST_F(pipe, two_slots_wake_two_exclusive_epolls)
{
	fill(self->fd);
	expect_two_woken(_metadata, self->fd, EPOLLOUT, 2, read_one);
}

TEST_F(pipe, several_free_slots_wake_two_exclusive_epolls)
{
	fill(self->fd);
	expect_two_woken(_metadata, self->fd, EPOLLOUT, 1, clear_once);
}

TEST_F(pipe, an_exclusive_epoll_does_not_take_the_wakeup_of_a_reader)
{
	struct poller poller = { .epoll = new_epoll(self->fd, EPOLLIN | EPOLLEXCLUSIVE) };
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	/* The poller came first and does not read. */
	start_poll(&poller);
	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(1, finish_call(&call));
	/* The poller may have found the first message gone. */
	ASSERT_EQ(1, write(self->fd, "b", 1));
	EXPECT_EQ(EPOLLIN, finish_poll(&poller));
	close(poller.epoll);
}

TEST_F(pipe, closing_a_file_in_an_epoll_set_is_safe)
{
	int fd = open_pipe(O_RDWR), epoll = new_epoll(fd, EPOLLIN);

	close(fd);
	EXPECT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(0, ready(epoll));
	close(epoll);
}

TEST_HARNESS_MAIN
