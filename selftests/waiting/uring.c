// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring: a read or write that would wait neither blocks its submitter nor needs a worker thread, and completes
 * when there is a message or a free slot.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/ring.h"

#include <linux/io_uring.h>

FIXTURE(uring)
{
	int fd;
	struct ring ring;
};

FIXTURE_SETUP(uring)
{
	self->fd = open_pipe(O_RDWR);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ring_open(&self->ring);
}

FIXTURE_TEARDOWN(uring)
{
	ring_close(&self->ring);
	close(self->fd);
}

static long submit(FIXTURE_DATA(uring) *self, int op, void *buffer, unsigned int len)
{
	struct io_uring_sqe request = {
		.opcode = op, .fd = self->fd, .addr = (uintptr_t)buffer, .len = len, .off = -1,
	};

	if (op == IORING_OP_POLL_ADD) {
		request.off = 0;
		request.poll32_events = POLLIN;
	}
	return ring_submit(&self->ring, &request);
}

static unsigned int completions(FIXTURE_DATA(uring) *self)
{
	return ring_completions(&self->ring);
}

static int complete(FIXTURE_DATA(uring) *self)
{
	return ring_complete(&self->ring);
}

/* spec: 1-file-operations */
TEST_F(uring, a_read_of_a_queued_message_completes_at_once)
{
	char buffer[16];

	ASSERT_EQ(5, write(self->fd, "ready", 5));
	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
	EXPECT_EQ(5, complete(self));
	EXPECT_EQ(0, memcmp(buffer, "ready", 5));
	EXPECT_EQ(0, ring_workers());
}

/* spec: 4-read-eagain */
TEST_F(uring, a_read_of_an_empty_pipe_completes_later)
{
	char buffer[16];

	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
	EXPECT_EQ(0, completions(self));
	EXPECT_EQ(0, ring_workers());
	ASSERT_EQ(4, write(self->fd, "late", 4));
	EXPECT_EQ(4, complete(self));
	EXPECT_EQ(0, memcmp(buffer, "late", 4));
	EXPECT_EQ(0, ring_workers());
}

/* spec: 4-write-eagain */
TEST_F(uring, a_write_to_a_full_pipe_completes_later)
{
	char byte;

	fill(self->fd);
	ASSERT_EQ(1, submit(self, IORING_OP_WRITE, "late", 4));
	EXPECT_EQ(0, completions(self));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(4, complete(self));
	EXPECT_EQ(stats_of(self->fd).max_msgs, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, ring_workers());
}

TEST_F(uring, refused_full_counts_only_writes_that_fail)
{
	struct kmsgpipe_stats before;
	int refused, i;
	char byte;

	fill(self->fd);
	before = stats_of(self->fd);
	/* The request finds the pipe full, waits, and gets a slot. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, submit(self, IORING_OP_WRITE, "late", 4));
		EXPECT_EQ(0, completions(self));
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		EXPECT_EQ(4, complete(self));
		EXPECT_EQ(before.refused_full, stats_of(self->fd).refused_full);
	}
	EXPECT_EQ(before.enqueued_msgs + 3, stats_of(self->fd).enqueued_msgs);
	/* A call that fails is counted. */
	refused = open_pipe(O_WRONLY | O_NONBLOCK);
	EXPECT_EQ(-EAGAIN, TRY(write(refused, "late", 4)));
	EXPECT_EQ(-EAGAIN, TRY(pwritev2(self->fd, &(struct iovec){ "late", 4 }, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(before.refused_full + 2, stats_of(self->fd).refused_full);
	close(refused);
}

TEST_F(uring, several_reads_share_the_messages)
{
	char buffers[3][16];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, submit(self, IORING_OP_READ, buffers[i], sizeof(buffers[i])));
	EXPECT_EQ(0, completions(self));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(4, write(self->fd, "mess", 4));
		ASSERT_EQ(4, complete(self));
	}
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, ring_workers());
}

TEST_F(uring, errors_are_those_of_read_and_write)
{
	char buffer[300];

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(5, write(self->fd, "whole", 5));
	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, 4));
	EXPECT_EQ(-EMSGSIZE, complete(self));
	ASSERT_EQ(1, submit(self, IORING_OP_READ, bad_address, 16));
	EXPECT_EQ(-EFAULT, complete(self));
	ASSERT_EQ(1, submit(self, IORING_OP_WRITE, buffer, 300));
	EXPECT_EQ(-EMSGSIZE, complete(self));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_F(uring, requests_to_a_nonblocking_file_wait_as_for_a_pipe)
{
	int message_pipe = self->fd, ends[2], i;
	char buffer[16];

	/* io_uring waits by poll wherever it can, with O_NONBLOCK, too. */
	ASSERT_EQ(0, pipe2(ends, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(message_pipe, F_SETFL, O_RDWR | O_NONBLOCK));
	for (i = 0; i < 2; i++) {
		self->fd = i ? ends[0] : message_pipe;
		ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
		EXPECT_EQ(0, completions(self));
		ASSERT_EQ(4, write(i ? ends[1] : message_pipe, "late", 4));
		EXPECT_EQ(4, complete(self));
	}
	EXPECT_EQ(0, ring_workers());
	self->fd = message_pipe;
	close(ends[0]);
	close(ends[1]);
}

TEST_F(uring, a_poll_request_completes_with_a_message)
{
	ASSERT_EQ(1, submit(self, IORING_OP_POLL_ADD, NULL, 0));
	EXPECT_EQ(0, completions(self));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(POLLIN, complete(self) & POLLIN);
}

TEST_F(uring, destroy_ends_waiting_requests)
{
	struct kmsgpipe_create create = { .msg_size = 16, .max_msgs = 1 };
	int fd = self->fd, empty, full, results[3], i;
	char buffer[16];
	long ids[2];

	for (i = 0; i < 2; i++) {
		ids[i] = create_pipe(&create);
		ASSERT_LT(0, ids[i]);
	}
	empty = open_id(ids[0], O_RDWR);
	full = open_id(ids[1], O_RDWR);
	fill(full);
	self->fd = empty;
	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
	ASSERT_EQ(1, submit(self, IORING_OP_POLL_ADD, NULL, 0));
	self->fd = full;
	ASSERT_EQ(1, submit(self, IORING_OP_WRITE, "late", 4));
	EXPECT_EQ(0, completions(self));
	EXPECT_EQ(0, ioctl(full, KMSGPIPE_DESTROY));
	results[0] = complete(self);
	EXPECT_EQ(0, ioctl(empty, KMSGPIPE_DESTROY));
	results[1] = complete(self);
	results[2] = complete(self);
	EXPECT_EQ(-ENODEV, results[0]);
	/* The read and the poll complete in either order. */
	EXPECT_TRUE(results[1] == -ENODEV || results[2] == -ENODEV);
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, results[1] == -ENODEV ? results[2] : results[1]);
	EXPECT_EQ(0, ring_workers());
	/* Later requests fail at once. */
	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
	EXPECT_EQ(-ENODEV, complete(self));
	self->fd = fd;
	close(full);
	close(empty);
}

TEST_HARNESS_MAIN
