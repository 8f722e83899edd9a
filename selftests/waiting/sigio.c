// SPDX-License-Identifier: GPL-2.0
/*
 * Asynchronous notification: O_ASYNC, F_SETOWN and F_SETSIG of fcntl.
 *
 * A call sends its signals before it returns, so a signal that is not pending then was not sent. Only the sweeper
 * sends signals later.
 */
#include "waiting/sigio.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		abort();
}

int take_signal(siginfo_t *info, int seconds)
{
	struct timespec timeout = { .tv_sec = seconds };
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	memset(info, 0, sizeof(*info));
	do
		ret = sigtimedwait(&set, info, &timeout);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? 0 : ret;
}

int told(int fd, int code, long band)
{
	siginfo_t info;

	return take_signal(&info, 0) == SIGRTMIN && info.si_code == code && info.si_band == band && info.si_fd == fd;
}

int nothing(void)
{
	siginfo_t info;

	return !take_signal(&info, 0);
}

void notify(int fd, int signal)
{
	if (fcntl(fd, F_SETOWN, getpid()) || fcntl(fd, F_SETSIG, signal) ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC))
		abort();
}

void no_longer(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_ASYNC))
		abort();
}

TEST_F(own, a_message_raises_sigio)
{
	siginfo_t info;

	block_signals();
	notify(self->fd, 0);
	EXPECT_TRUE(nothing());
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(SIGIO, take_signal(&info, 0));
	EXPECT_EQ(SI_KERNEL, info.si_code);
	EXPECT_TRUE(nothing());
}

/* spec: 11-async */
TEST_F(own, f_setsig_delivers_siginfo)
{
	int reading = open_id(self->id, O_RDONLY);
	siginfo_t info;

	block_signals();
	notify(reading, SIGIO);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(SIGIO, take_signal(&info, 0));
	EXPECT_EQ(POLL_IN, info.si_code);
	EXPECT_EQ(BAND_IN, info.si_band);
	EXPECT_EQ(reading, info.si_fd);
	close(reading);
}

TEST_F(own, default_action_of_sigio_kills_the_process)
{
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		notify(self->fd, 0);
		if (write(self->fd, "x", 1) != 1)
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGIO);
}

TEST_F(own, each_message_signals_a_reader)
{
	int reading = open_id(self->id, O_RDONLY), i;
	char byte;

	block_signals();
	notify(reading, SIGRTMIN);
	EXPECT_TRUE(nothing());
	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, write(self->fd, "x", 1));
	for (i = 0; i < 5; i++)
		EXPECT_TRUE(told(reading, POLL_IN, BAND_IN));
	EXPECT_TRUE(nothing());
	/* Free slots do not signal a file that is open for reading only. */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, read(self->fd, &byte, 1));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_TRUE(nothing());
	close(reading);
}

TEST_F(own, each_free_slot_signals_a_writer)
{
	int writing = open_id(self->id, O_WRONLY), i;
	char byte;

	fill(self->fd);
	block_signals();
	notify(writing, SIGRTMIN);
	EXPECT_TRUE(nothing());
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		EXPECT_TRUE(told(writing, POLL_OUT, BAND_OUT));
		EXPECT_TRUE(nothing());
	}
	/* Messages do not signal a file that is open for writing only. */
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(nothing());
	close(writing);
}

TEST_F(own, read_write_file_is_signalled_for_both)
{
	char byte;

	block_signals();
	notify(self->fd, SIGRTMIN);
	ASSERT_EQ(1, write(self->nonblocking, "x", 1));
	EXPECT_TRUE(told(self->fd, POLL_IN, BAND_IN));
	EXPECT_TRUE(nothing());
	ASSERT_EQ(1, read(self->nonblocking, &byte, 1));
	EXPECT_TRUE(told(self->fd, POLL_OUT, BAND_OUT));
	EXPECT_TRUE(nothing());
}

TEST_F(own, clear_queue_signals_writers)
{
	int writing = open_id(self->id, O_WRONLY);

	fill(self->fd);
	block_signals();
	notify(writing, SIGRTMIN);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	/* At least one signal: all slots were freed at once. */
	EXPECT_TRUE(told(writing, POLL_OUT, BAND_OUT));
	while (!nothing())
		;
	/* The queue is empty already. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_TRUE(nothing());
	close(writing);
}

TEST_F(own, a_sweep_signals_writers)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 10, .expiry_ms = 1 };
	int writing = open_id(self->id, O_WRONLY);
	siginfo_t info;

	fill(self->fd);
	block_signals();
	notify(writing, SIGRTMIN);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	EXPECT_EQ(SIGRTMIN, take_signal(&info, 20));
	EXPECT_EQ(POLL_OUT, info.si_code);
	EXPECT_EQ(BAND_OUT, info.si_band);
	EXPECT_EQ(writing, info.si_fd);
	close(writing);
}

TEST_F(own, failing_calls_send_no_signal)
{
	struct kmsgpipe_stats *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buffer[512] = { 0 };

	block_signals();
	notify(self->fd, SIGRTMIN);
	EXPECT_EQ(0, write(self->nonblocking, buffer, 0));
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->nonblocking, buffer, 257)));
	EXPECT_EQ(-EFAULT, TRY(write(self->nonblocking, bad_address, 5)));
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, buffer, 5)));
	EXPECT_TRUE(nothing());
	ASSERT_EQ(5, write(self->nonblocking, "alpha", 5));
	EXPECT_TRUE(told(self->fd, POLL_IN, BAND_IN));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->nonblocking, buffer, 4)));
	EXPECT_EQ(-EFAULT, TRY(read(self->nonblocking, readonly, 5)));
	EXPECT_TRUE(nothing());
}

TEST_F(own, no_signal_after_o_async_is_cleared)
{
	block_signals();
	notify(self->fd, SIGRTMIN);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(told(self->fd, POLL_IN, BAND_IN));
	no_longer(self->fd);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(nothing());
	notify(self->fd, SIGRTMIN);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(told(self->fd, POLL_IN, BAND_IN));
	EXPECT_TRUE(nothing());
}

TEST_F(own, fioasync_sets_and_clears_o_async)
{
	int on = 1, off = 0;

	block_signals();
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(self->fd, F_SETSIG, SIGRTMIN));
	EXPECT_EQ(0, ioctl(self->fd, FIOASYNC, &on));
	EXPECT_EQ(O_ASYNC, fcntl(self->fd, F_GETFL) & O_ASYNC);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(told(self->fd, POLL_IN, BAND_IN));
	EXPECT_EQ(0, ioctl(self->fd, FIOASYNC, &off));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_ASYNC);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(nothing());
}

TEST_F(own, no_signal_after_close)
{
	int closed = open_id(self->id, O_RDWR), other = open_id(self->id, O_RDWR), copy, i;
	char byte;

	block_signals();
	notify(closed, SIGRTMIN);
	notify(other, SIGRTMIN);
	copy = dup(closed);
	ASSERT_LE(0, copy);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	/* One signal for each open file, in any order. */
	for (i = 0; i < 2; i++) {
		siginfo_t info;

		EXPECT_EQ(SIGRTMIN, take_signal(&info, 0));
		EXPECT_TRUE(info.si_fd == closed || info.si_fd == other);
	}
	EXPECT_TRUE(nothing());
	/* The duplicate keeps the file open, and the signal names the descriptor that asked for it. */
	close(other);
	close(closed);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(told(closed, POLL_IN, BAND_IN));
	EXPECT_TRUE(nothing());
	close(copy);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_TRUE(nothing());
}

TEST_F(own, no_notification_without_a_listener)
{
	/* No task polls, so that only files with O_ASYNC need notifications. */
	/* Files with different access modes are in different lists. */
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY, O_ACCMODE };
	int first, last, copy;
	size_t i, k;

	block_signals();
	EXPECT_EQ(0, debug_value(self->id, "polled"));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (k = 0; k < ARRAY_SIZE(modes); k++) {
			first = open_id(self->id, modes[i]);
			last = open_id(self->id, modes[k]);
			notify(first, 0);
			EXPECT_EQ(1, debug_value(self->id, "polled"));
			notify(last, 0);
			no_longer(first);
			EXPECT_EQ(1, debug_value(self->id, "polled"));
			no_longer(last);
			EXPECT_EQ(0, debug_value(self->id, "polled"));
			/* Closing the last descriptor of a file removes it from the list as well. */
			notify(last, 0);
			copy = dup(last);
			close(last);
			EXPECT_EQ(1, debug_value(self->id, "polled"));
			close(copy);
			EXPECT_EQ(0, debug_value(self->id, "polled"));
			close(first);
		}
	}
	/* Clearing O_ASYNC without having set it changes nothing. */
	no_longer(self->fd);
	EXPECT_EQ(0, debug_value(self->id, "polled"));
	EXPECT_TRUE(nothing());
}

TEST_F(own, destroy_signals_all_listeners)
{
	int reading = open_id(self->id, O_RDONLY), writing = open_id(self->id, O_WRONLY), i;
	unsigned int seen = 0;
	siginfo_t info;

	block_signals();
	ASSERT_EQ(1, write(self->fd, "x", 1));
	notify(self->fd, SIGRTMIN);
	notify(reading, SIGRTMIN);
	notify(writing, SIGRTMIN);
	ASSERT_EQ(0, ioctl(self->nonblocking, KMSGPIPE_DESTROY));
	while (take_signal(&info, 0)) {
		ASSERT_EQ(SIGRTMIN, info.si_signo);
		ASSERT_EQ(POLL_HUP, info.si_code);
		ASSERT_EQ(BAND_HUP, info.si_band);
		ASSERT_EQ(0, seen & 1U << info.si_fd);
		seen |= 1U << info.si_fd;
	}
	EXPECT_EQ(1U << self->fd | 1U << reading | 1U << writing, seen);
	/* After that no signal is sent, and O_ASYNC can still be cleared. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENODEV, TRY(write(self->fd, "x", 1)));
		no_longer(self->fd);
	}
	EXPECT_TRUE(nothing());
	close(reading);
	close(writing);
}

TEST_F(own, ioctl_only_file_is_signalled_by_destroy)
{
	int neither = open_id(self->id, O_ACCMODE);
	char byte;

	block_signals();
	notify(neither, SIGRTMIN);
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_TRUE(nothing());
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_TRUE(told(neither, POLL_HUP, BAND_HUP));
	EXPECT_TRUE(nothing());
	close(neither);
}

TEST_HARNESS_MAIN
