// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for a broadcast pipe: one message wakes every subscription that sleeps, destroying the pipe wakes all, and a
 * subscriber that is killed or stopped delays no other task.
 */
#include "lib/broadcast_fixture.h"
#include "lib/harness.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define SLEEPERS 8

/* Opens subscriptions that wait. */
static void subscribe_all(long id, int *fds, int flags)
{
	int i;

	for (i = 0; i < SLEEPERS; i++)
		fds[i] = open_id(id, O_RDONLY | flags);
}

static void close_all(int *fds)
{
	int i;

	for (i = 0; i < SLEEPERS; i++)
		close(fds[i]);
}

/* Starts a read of each file that sleeps. */
static void start_readers(int fd, struct call *calls, int *fds, char buffers[][16])
{
	int i;

	for (i = 0; i < SLEEPERS; i++) {
		calls[i] = read_call(fds[i], buffers[i], 16);
		start_call(&calls[i]);
		await_readers(fd, i + 1);
	}
}

/* ---- Wakeups ---- */

TEST_F(broadcast, one_message_wakes_all_sleeping_readers)
{
	struct call calls[SLEEPERS];
	char buffers[SLEEPERS][16];
	int fds[SLEEPERS], i, round;

	subscribe_all(self->id, fds, 0);
	for (round = 0; round < 10; round++) {
		start_readers(self->fd, calls, fds, buffers);
		ASSERT_EQ(4, write_text(self->fd, "wake"));
		for (i = 0; i < SLEEPERS; i++) {
			EXPECT_EQ(4, finish_call(&calls[i]));
			EXPECT_EQ(0, memcmp(buffers[i], "wake", 4));
		}
		EXPECT_EQ(0, stats_of(self->fd).waiting_readers);
		EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	}
	EXPECT_STREQ("10/40 = 10/40 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close_all(fds);
}

/* The tasks that share a subscription share its messages, as those of a queue. */
TEST_F(broadcast, one_message_satisfies_one_of_the_readers_that_share_a_subscription)
{
	int a = open_id(self->id, O_RDONLY), b = open_id(self->id, O_RDONLY), i;
	struct call shared[3], other;
	char buffers[4][16];

	for (i = 0; i < 3; i++) {
		shared[i] = read_call(a, buffers[i], 16);
		start_call(&shared[i]);
		await_readers(self->fd, i + 1);
	}
	other = read_call(b, buffers[3], 16);
	start_call(&other);
	await_readers(self->fd, 4);
	ASSERT_EQ(1, write_text(self->fd, "1"));
	EXPECT_EQ(1, finish_call(&other));
	await_readers(self->fd, 2);
	ASSERT_EQ(2, write_text(self->fd, "22"));
	ASSERT_EQ(3, write_text(self->fd, "333"));
	EXPECT_EQ(6, finish_call(&shared[0]) + finish_call(&shared[1]) + finish_call(&shared[2]));
	EXPECT_STREQ("22", read_text(b, 256));
	EXPECT_STREQ("333", read_text(b, 256));
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

/* A subscription that has a backlog does not wait for the one that sleeps. */
TEST_F(broadcast, a_message_wakes_the_readers_behind_others_that_do_not_sleep)
{
	int slow = subscribe(self->id), a = open_id(self->id, O_RDONLY);
	char buffer[16];
	struct call call = read_call(a, buffer, sizeof(buffer));
	int i;

	for (i = 0; i < 3; i++) {
		start_call(&call);
		await_readers(self->fd, 1);
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_EQ(1, finish_call(&call));
	}
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
	EXPECT_READS(slow, "x", "x", "x");
	close(slow);
	close(a);
}

TEST_F(broadcast, each_of_several_records_is_seen_by_all_sleepers)
{
	char out[256] __attribute__((aligned(8))), *end;
	struct call calls[SLEEPERS];
	char buffers[SLEEPERS][16];
	int fds[SLEEPERS], i;

	subscribe_all(self->id, fds, 0);
	start_readers(self->fd, calls, fds, buffers);
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	end = put_words(put_words(out, "1"), "22");
	ASSERT_EQ(end - out, TRY(write(self->fd, out, end - out)));
	for (i = 0; i < SLEEPERS; i++) {
		EXPECT_EQ(1, finish_call(&calls[i]));
		EXPECT_STREQ("22", read_text(fds[i], 256));
	}
	close_all(fds);
}

/* ---- Polling ---- */

TEST_F(broadcast, one_message_wakes_all_pollers)
{
	struct poller pollers[SLEEPERS];
	int fds[SLEEPERS], i, round;

	subscribe_all(self->id, fds, O_NONBLOCK);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < SLEEPERS; i++) {
			/* Half of them sleep in poll, half in epoll. */
			pollers[i] = (struct poller){ .fd = fds[i], .events = POLLIN };
			if (i % 2)
				pollers[i].epoll = new_epoll(fds[i], EPOLLIN);
			start_poll(&pollers[i]);
		}
		ASSERT_EQ(1, write_text(self->fd, "x"));
		for (i = 0; i < SLEEPERS; i++) {
			EXPECT_EQ(POLLIN, finish_poll(&pollers[i]));
			if (i % 2)
				close(pollers[i].epoll);
			EXPECT_READS(fds[i], "x");
			EXPECT_EQ(0, poll_now(fds[i]));
		}
	}
	close_all(fds);
}

TEST_F(broadcast, edge_triggered_epoll_reports_each_message_to_each)
{
	int a = subscribe(self->id), b = subscribe(self->id), i;
	int epolls[2] = { new_epoll(a, EPOLLIN | EPOLLET), new_epoll(b, EPOLLIN | EPOLLET) };
	struct epoll_event event;

	for (i = 0; i < 6; i++) {
		EXPECT_EQ(0, epoll_wait(epolls[0], &event, 1, 0));
		EXPECT_EQ(0, epoll_wait(epolls[1], &event, 1, 0));
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_EQ(1, epoll_wait(epolls[0], &event, 1, 0));
		EXPECT_EQ(EPOLLIN, event.events);
		EXPECT_EQ(1, epoll_wait(epolls[1], &event, 1, 0));
		EXPECT_EQ(EPOLLIN, event.events);
		/* One of them reads at once, the other one only when the pipe is full. */
		EXPECT_READS(a, "x");
		if (i % 3 == 2)
			EXPECT_READS(b, "x", "x", "x");
	}
	close(epolls[0]);
	close(epolls[1]);
	close(a);
	close(b);
}

TEST_F(broadcast, poll_tells_each_subscription_of_its_own_messages)
{
	int a = subscribe(self->id), b = open_id(self->id, O_RDWR | O_NONBLOCK);

	EXPECT_EQ(0, poll_now(a));
	EXPECT_EQ(POLLOUT, poll_now(b));
	fill_full(self->fd);
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_EQ(POLLIN, poll_now(b));
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_EQ(0, poll_now(a));
	EXPECT_EQ(POLLIN, poll_now(b));
	EXPECT_EQ(0, poll_now(self->fd));
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(b));
	close(a);
	close(b);
}

/* ---- Destroying ---- */

TEST_F(broadcast, destroying_wakes_all_with_enodev)
{
	struct call calls[SLEEPERS], writers[2];
	char buffers[SLEEPERS][16];
	int fds[SLEEPERS], i, slow;
	struct poller poller;

	subscribe_all(self->id, fds, 0);
	slow = subscribe(self->id);
	fill_full(self->fd);
	for (i = 0; i < SLEEPERS; i++) {
		ASSERT_EQ(1, try_read(fds[i], 256));
		ASSERT_EQ(2, try_read(fds[i], 256));
		ASSERT_EQ(3, try_read(fds[i], 256));
	}
	start_readers(self->fd, calls, fds, buffers);
	start_writers(writers, 2, self->fd, "late", 4);
	poller = (struct poller){ .fd = fds[0], .events = POLLIN };
	start_poll(&poller);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	for (i = 0; i < SLEEPERS; i++)
		EXPECT_EQ(-ENODEV, finish_call(&calls[i]));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(-ENODEV, finish_call(&writers[i]));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, finish_poll(&poller));
	EXPECT_EQ(-ENODEV, try_read(slow, 256));
	EXPECT_EQ(-ENODEV, write_text(self->fd, "x"));
	close(slow);
	close_all(fds);
}

TEST_F(broadcast, destroying_completes_io_uring_reads)
{
	int a = open_id(self->id, O_RDONLY);
	char buffer[16];
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ, .fd = a, .addr = (uintptr_t)buffer, .len = sizeof(buffer), .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	ASSERT_EQ(1, ring_submit(&ring, &request));
	EXPECT_EQ(0, ring_completions(&ring));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, ring_complete(&ring));
	ring_close(&ring);
	close(a);
}

/* ---- Subscribers that do not run ---- */

/* A child process with a subscription. It waits for a byte, then it reads until there is no message, and ends. */
struct child {
	pid_t pid;
	int go;
};

static struct child start_child(long id)
{
	int ready[2], go[2];
	struct child child;
	char byte;

	if (pipe(ready) || pipe(go))
		abort();
	child.pid = fork();
	if (!child.pid) {
		int fd = subscribe(id);

		close(go[1]);
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(strcmp("998:997:x 999:0:x 1000:0:x", records_of(fd, 9)) != 0);
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	child.go = go[1];
	return child;
}

static void kill_child(struct child *child)
{
	int status;

	if (kill(child->pid, SIGKILL) || waitpid(child->pid, &status, 0) != child->pid)
		abort();
	close(child->go);
}

TEST_F(broadcast, killing_a_subscriber_frees_its_backlog)
{
	struct child child = start_child(self->id);
	struct call call = write_call(self->fd, "late", 4);
	int a = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_READS(a, "1", "22", "333");
	start_call(&call);
	await_writers(self->fd, 1);
	kill_child(&child);
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_STREQ("4/10 = 3/6 + 0/0 + 0/0 + 1/4", counts_of(self->fd));
	EXPECT_EQ(1, stats_of(self->fd).readers);
	EXPECT_READS(a, "late");
	close(a);
}

TEST_F(broadcast, killing_a_subscriber_that_sleeps_in_a_read_ends_its_subscription)
{
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		try_read(open_id(self->id, O_RDONLY), 256);
		_exit(1);
	}
	await_readers(self->fd, 1);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, stats_of(self->fd).waiting_readers);
	EXPECT_EQ(0, stats_of(self->fd).readers);
	ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_STREQ("1/1 = 0/0 + 0/0 + 1/1 + 0/0", counts_of(self->fd));
}

TEST_F(broadcast, a_stopped_subscriber_of_a_pipe_that_drops_delays_no_task)
{
	struct child child = start_child(self->id);
	int a = subscribe(self->id), i, status;

	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(0, kill(child.pid, SIGSTOP));
	ASSERT_EQ(child.pid, waitpid(child.pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	/* The blocking writer never sleeps, and the other subscription loses nothing. */
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(1, write_text(self->fd, "x"));
		ASSERT_STREQ("x", read_text(a, 256));
	}
	EXPECT_STREQ("own next 1001 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_STREQ("1000/1000 = 997/997 + 0/0 + 0/0 + 3/3", counts_of(self->fd));
	ASSERT_EQ(0, kill(child.pid, SIGCONT));
	/* It finds what is left, and how much it lost. */
	ASSERT_EQ(1, write(child.go, "", 1));
	EXPECT_EQ(0, exit_of(child.pid));
	close(child.go);
	EXPECT_STREQ("1000/1000 = 1000/1000 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
}

TEST_HARNESS_MAIN
