// SPDX-License-Identifier: GPL-2.0
/*
 * The mode KMSGPIPE_MODE_HUP: reads and polls after the last writer has gone.
 */
#include "lib/broadcast.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/tasks.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

/* A pipe without a file that may write; `fd` is open for requests only. */
FIXTURE(hup)
{
	long id;
	int fd;
};

FIXTURE_VARIANT(hup)
{
	unsigned int kind;
};

FIXTURE_VARIANT_ADD(hup, queue) { .kind = KMSGPIPE_KIND_QUEUE };
FIXTURE_VARIANT_ADD(hup, broadcast) { .kind = KMSGPIPE_KIND_BROADCAST };

FIXTURE_SETUP(hup)
{
	struct kmsgpipe_create create = default_pipe();

	create.kind = variant->kind;
	self->id = create_pipe(&create);
	ASSERT_LE(1, self->id);
	self->fd = open_id(self->id, O_ACCMODE);
}

FIXTURE_TEARDOWN(hup)
{
	expect_gone(_metadata, self->fd);
	close(self->fd);
}

static int open_hup(long id, int flags, unsigned int more)
{
	int fd = open_id(id, O_RDONLY | flags);
	unsigned int mode = KMSGPIPE_MODE_HUP | more;

	return ioctl(fd, KMSGPIPE_SET_MODE, &mode) ? -1 : fd;
}

TEST_F(hup, a_reader_without_writers_waits_for_the_first)
{
	char buffer[16];
	int fd = open_hup(self->id, O_NONBLOCK, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, 16)));
	EXPECT_EQ(0, poll_now(fd));
	close(fd);
}

TEST_F(hup, what_was_written_is_read_before_the_end)
{
	int fd = open_hup(self->id, 0, 0), writer = open_id(self->id, O_WRONLY);
	char buffer[16];

	ASSERT_EQ(3, write_text(writer, "one"));
	ASSERT_EQ(3, write_text(writer, "two"));
	EXPECT_EQ(POLLIN, poll_now(fd));
	close(writer);
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(fd));
	EXPECT_EQ(3, read(fd, buffer, 16));
	EXPECT_EQ(3, read(fd, buffer, 16));
	EXPECT_EQ(POLLHUP, poll_now(fd));
	EXPECT_EQ(0, read(fd, buffer, 16));
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, a_new_writer_ends_the_end)
{
	int fd = open_hup(self->id, O_NONBLOCK, 0), writer = open_id(self->id, O_WRONLY);
	char buffer[16];

	close(writer);
	EXPECT_EQ(0, read(fd, buffer, 16));
	writer = open_id(self->id, O_WRONLY);
	EXPECT_EQ(0, poll_now(fd));
	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, 16)));
	close(writer);
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, a_writer_that_was_there_first_counts)
{
	int writer = open_id(self->id, O_WRONLY), fd = open_hup(self->id, O_NONBLOCK, 0);
	char buffer[16];

	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, 16)));
	close(writer);
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, a_writer_that_had_gone_before_does_not_count)
{
	int fd;
	char buffer[16];

	close(open_id(self->id, O_WRONLY));
	fd = open_hup(self->id, O_NONBLOCK, 0);
	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, 16)));
	EXPECT_EQ(0, poll_now(fd));
	close(fd);
}

TEST_F(hup, one_writer_of_two_is_enough_to_wait_for)
{
	int fd = open_hup(self->id, O_NONBLOCK, 0), a = open_id(self->id, O_WRONLY), b = open_id(self->id, O_RDWR);
	char buffer[16];

	close(a);
	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, 16)));
	EXPECT_EQ(0, poll_now(fd));
	close(b);
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, a_file_that_may_also_write_sees_no_end)
{
	int both = open_id(self->id, O_RDWR | O_NONBLOCK);
	unsigned int mode = KMSGPIPE_MODE_HUP;
	char buffer[16];

	ASSERT_EQ(0, ioctl(both, KMSGPIPE_SET_MODE, &mode));
	close(open_id(self->id, O_WRONLY));
	EXPECT_EQ(-EAGAIN, TRY(read(both, buffer, 16)));
	EXPECT_EQ(POLLOUT, poll_now(both));
	close(both);
}

TEST_F(hup, other_files_do_not_see_the_end)
{
	int fd = open_hup(self->id, O_NONBLOCK, 0), plain = open_id(self->id, O_RDONLY | O_NONBLOCK);
	char buffer[16];

	close(open_id(self->id, O_WRONLY));
	EXPECT_EQ(0, read(fd, buffer, 16));
	EXPECT_EQ(-EAGAIN, TRY(read(plain, buffer, 16)));
	EXPECT_EQ(0, poll_now(plain));
	close(plain);
	close(fd);
}

TEST_F(hup, the_mode_may_be_set_after_the_writer_has_gone)
{
	int fd = open_id(self->id, O_RDONLY | O_NONBLOCK);
	unsigned int mode = KMSGPIPE_MODE_HUP;
	char buffer[16];

	close(open_id(self->id, O_WRONLY));
	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, 16)));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_SET_MODE, &mode));
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, records_end_too)
{
	int fd = open_hup(self->id, 0, KMSGPIPE_MODE_RECORDS), writer = open_id(self->id, O_WRONLY);
	char buffer[512];

	ASSERT_EQ(3, write_text(writer, "one"));
	close(writer);
	EXPECT_EQ((long)sizeof(struct kmsgpipe_record) + 8, read(fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, read(fd, buffer, sizeof(buffer)));
	close(fd);
}

TEST_F(hup, a_rest_is_read_before_the_end)
{
	int fd = open_hup(self->id, 0, 0), writer = open_id(self->id, O_WRONLY);
	char buffer[16];

	ASSERT_EQ(5, write_text(writer, "alpha"));
	close(writer);
	EXPECT_EQ(2, read(fd, buffer, 2));
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(fd));
	EXPECT_EQ(3, read(fd, buffer, 16));
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, a_partial_line_is_sent_before_the_end)
{
	int fd = open_hup(self->id, 0, 0), writer = open_id(self->id, O_WRONLY);
	unsigned int lines = KMSGPIPE_MODE_LINES;
	char buffer[16];

	ASSERT_EQ(0, ioctl(writer, KMSGPIPE_SET_MODE, &lines));
	ASSERT_EQ(4, write_text(writer, "tail"));
	EXPECT_EQ(0, poll_now(fd));
	close(writer);
	EXPECT_EQ(4, read(fd, buffer, 16));
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(fd);
}

TEST_F(hup, the_last_close_wakes_all_sleeping_readers)
{
	int fds[3], writer = open_id(self->id, O_WRONLY), i;
	struct call calls[3];
	char buffers[3][16];

	for (i = 0; i < 3; i++) {
		fds[i] = open_hup(self->id, 0, 0);
		calls[i] = read_call(fds[i], buffers[i], 16);
		start_call(&calls[i]);
		await_readers(self->fd, i + 1);
	}
	close(writer);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, finish_call(&calls[i]));
		close(fds[i]);
	}
}

TEST_F(hup, the_last_close_completes_io_uring_reads)
{
	int fd = open_hup(self->id, 0, 0), writer = open_id(self->id, O_WRONLY);
	char buffer[16];
	struct io_uring_sqe read = {
		.opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)buffer, .len = sizeof(buffer), .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	ASSERT_EQ(1, ring_submit(&ring, &read));
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(0, ring_completions(&ring));
	close(writer);
	EXPECT_EQ(0, ring_complete(&ring));
	EXPECT_EQ(0, ring_complete(&ring));
	/* One that begins at the end. */
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(0, ring_complete(&ring));
	EXPECT_EQ(0, ring_workers());
	ring_close(&ring);
	close(fd);
}

/* SIGIO says that there is something to read: the end, as for a pipe(7). */
TEST_F(hup, the_last_close_sends_sigio)
{
	int fd = open_hup(self->id, 0, 0), a = open_id(self->id, O_WRONLY), b = open_id(self->id, O_WRONLY);
	struct timespec now = { 0 };
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(fd, F_SETSIG, SIGRTMIN));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_ASYNC));
	close(a);
	EXPECT_EQ(-EAGAIN, TRY(sigtimedwait(&set, &info, &now)));
	close(b);
	EXPECT_EQ(SIGRTMIN, TRY(sigtimedwait(&set, &info, &now)));
	EXPECT_EQ(POLL_IN, info.si_code);
	EXPECT_EQ(fd, info.si_fd);
	EXPECT_EQ(-EAGAIN, TRY(sigtimedwait(&set, &info, &now)));
	close(fd);
}

TEST_F(hup, all_kinds_of_reads_return_zero_at_the_end)
{
	static const unsigned int more[] = { 0, KMSGPIPE_MODE_WHOLE, KMSGPIPE_MODE_LINES, KMSGPIPE_MODE_RECORDS };
	char bytes[256];
	struct iovec vector[] = { { bytes, 128 }, { bytes + 128, 128 } };
	int ends[2], fd, number;
	fd_set set;
	size_t i;

	ASSERT_EQ(0, pipe(ends));
	for (i = 0; i < 2 * ARRAY_SIZE(more); i++) {
		fd = open_hup(self->id, i % 2 ? O_NONBLOCK : 0, more[i / 2]);
		ASSERT_LE(0, fd);
		close(open_id(self->id, O_WRONLY));
		EXPECT_EQ(0, TRY(read(fd, bytes, 256)));
		EXPECT_EQ(0, TRY(readv(fd, vector, 2)));
		EXPECT_EQ(0, TRY(preadv2(fd, vector, 2, -1, RWF_NOWAIT)));
		EXPECT_EQ(0, TRY(splice(fd, NULL, ends[1], NULL, 100, 0)));
		EXPECT_EQ(0, TRY(sendfile(ends[1], fd, NULL, 100)));
		EXPECT_EQ(0, TRY(ioctl(fd, FIONREAD, &number)));
		EXPECT_EQ(0, number);
		FD_ZERO(&set);
		FD_SET(fd, &set);
		EXPECT_EQ(1, select(fd + 1, &set, NULL, NULL, NULL));
		close(fd);
	}
	close(ends[0]);
	close(ends[1]);
}

TEST_F(hup, edge_triggered_epoll_reports_each_end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = open_hup(self->id, 0, 0), epoll = epoll_create1(0), turn;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	for (turn = 0; turn < 3; turn++) {
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		close(open_id(self->id, O_WRONLY));
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 0));
		EXPECT_EQ(EPOLLHUP, event.events);
	}
	close(epoll);
	close(fd);
}

TEST_F(hup, a_file_has_the_mode_by_default)
{
	struct kmsgpipe_create create = default_pipe();
	int fd, writer;
	char byte;
	long id;

	create.kind = variant->kind;
	create.default_mode = KMSGPIPE_MODE_HUP;
	id = create_pipe(&create);
	ASSERT_LE(1, id);
	fd = open_id(id, O_RDONLY | O_NONBLOCK);
	EXPECT_EQ(KMSGPIPE_MODE_HUP, mode_of(fd));
	EXPECT_EQ(-EAGAIN, TRY(read(fd, &byte, 1)));
	writer = open_id(id, O_WRONLY);
	EXPECT_EQ(-EAGAIN, TRY(read(fd, &byte, 1)));
	close(writer);
	EXPECT_EQ(0, TRY(read(fd, &byte, 1)));
	expect_destroyed(_metadata, fd);
	EXPECT_EQ(-ENODEV, TRY(read(fd, &byte, 1)));
	EXPECT_LE(POLLHUP | POLLERR, poll_now(fd));
	close(fd);
}

/* A file for requests, and a file that may only read, are no writers; a copy of a descriptor is the same writer. */
TEST_F(hup, only_open_files_that_may_write_count)
{
	int fd = open_hup(self->id, O_NONBLOCK, 0), both = open_id(self->id, O_RDWR), copy = dup(both);
	char byte;

	close(open_id(self->id, O_ACCMODE));
	close(open_id(self->id, O_RDONLY));
	close(both);
	EXPECT_EQ(-EAGAIN, TRY(read(fd, &byte, 1)));
	close(copy);
	EXPECT_EQ(0, TRY(read(fd, &byte, 1)));
	close(fd);
}

/* With the mode EOF, too, a read never waits, and the file is readable from the start. */
TEST_F(hup, eof_ends_as_well)
{
	int fd = open_hup(self->id, 0, KMSGPIPE_MODE_EOF);
	char byte;

	EXPECT_EQ(POLLIN, poll_now(fd));
	EXPECT_EQ(0, TRY(read(fd, &byte, 1)));
	close(open_id(self->id, O_WRONLY));
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(fd));
	EXPECT_EQ(0, TRY(read(fd, &byte, 1)));
	close(fd);
}

/* A reader without the mode that the last close wakes, too, sleeps on and gets the next message. */
TEST_F(hup, a_sleeping_reader_without_the_mode_sleeps_on)
{
	int fd = open_hup(self->id, 0, 0), plain = open_id(self->id, O_RDONLY), writer = open_id(self->id, O_WRONLY);
	struct call ending, staying;
	char buffers[2][16];

	ending = read_call(fd, buffers[0], 16);
	start_call(&ending);
	await_readers(self->fd, 1);
	staying = read_call(plain, buffers[1], 16);
	start_call(&staying);
	await_readers(self->fd, 2);
	close(writer);
	EXPECT_EQ(0, finish_call(&ending));
	await_readers(self->fd, 1);
	close(fd);
	writer = open_id(self->id, O_WRONLY);
	ASSERT_EQ(4, write_text(writer, "next"));
	EXPECT_EQ(4, finish_call(&staying));
	close(writer);
	close(plain);
}

/* POLLHUP is reported whether asked for or not. */
TEST_F(hup, the_last_close_wakes_pollers)
{
	int fd = open_hup(self->id, 0, 0), writer = open_id(self->id, O_WRONLY), status;
	struct epoll_event event = { 0 };
	int epoll = epoll_create1(0);
	pid_t child;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	child = fork();
	if (!child) {
		close(writer);
		_exit(epoll_wait(epoll, &event, 1, -1) == 1 && event.events == EPOLLHUP ? 0 : 1);
	}
	close(writer);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(epoll);
	close(fd);
}

TEST_F(hup, a_killed_writer_has_gone)
{
	int fd = open_hup(self->id, 0, 0), ready[2], status;
	char buffer[16];
	pid_t child;

	ASSERT_EQ(0, pipe(ready));
	child = fork();
	if (!child) {
		int writer = open_id(self->id, O_WRONLY);

		if (write_text(writer, "last") != 4 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(2);
	}
	ASSERT_EQ(1, read(ready[0], buffer, 1));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(4, read(fd, buffer, 16));
	EXPECT_EQ(0, read(fd, buffer, 16));
	close(ready[0]);
	close(ready[1]);
	close(fd);
}

/* A file that browses sees the end when it has seen all. */
TEST_F(hup, browsing_ends_too)
{
	int fd = open_hup(self->id, 0, 0), keeper = open_id(self->id, O_RDONLY), writer;
	char buffer[16];

	ASSERT_EQ(0, browse(fd, KMSGPIPE_START_OLDEST, 0));
	writer = open_id(self->id, O_WRONLY);
	ASSERT_EQ(3, write_text(writer, "one"));
	close(writer);
	EXPECT_EQ(3, read(fd, buffer, 16));
	EXPECT_EQ(POLLHUP, poll_now(fd));
	EXPECT_EQ(0, read(fd, buffer, 16));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	close(keeper);
	close(fd);
}

TEST_HARNESS_MAIN
