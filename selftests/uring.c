// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring: a read or write that would wait never blocks its submitter, needs no
 * worker thread, and completes when there is a message or room.
 */
#include "pipe.h"

#include <dirent.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/syscall.h>

#define ENTRIES 8

FIXTURE(uring)
{
	int fd;
	int ring;
	char *rings;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

FIXTURE_SETUP(uring)
{
	size_t size;

	self->fd = open_pipe(O_RDWR);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	memset(&self->params, 0, sizeof(self->params));
	self->ring = syscall(SYS_io_uring_setup, ENTRIES, &self->params);
	ASSERT_LE(0, self->ring);
	ASSERT_TRUE(self->params.features & IORING_FEAT_SINGLE_MMAP);
	size = self->params.cq_off.cqes + self->params.cq_entries * sizeof(struct io_uring_cqe);
	self->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, self->ring, IORING_OFF_SQ_RING);
	ASSERT_NE(MAP_FAILED, self->rings);
	self->sqes = mmap(NULL, ENTRIES * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->ring, IORING_OFF_SQES);
	ASSERT_NE(MAP_FAILED, self->sqes);
}

FIXTURE_TEARDOWN(uring)
{
	close(self->ring);
	close(self->fd);
}

static unsigned int *sq(FIXTURE_DATA(uring) *self, unsigned int offset)
{
	return (unsigned int *)(self->rings + offset);
}

/* Submits one request; must come back whatever the pipe's state is. */
static long submit(FIXTURE_DATA(uring) *self, int op, void *buffer, unsigned int len)
{
	unsigned int *tail = sq(self, self->params.sq_off.tail);
	unsigned int index = *tail & *sq(self, self->params.sq_off.ring_mask);

	memset(&self->sqes[index], 0, sizeof(self->sqes[index]));
	self->sqes[index].opcode = op;
	self->sqes[index].fd = self->fd;
	self->sqes[index].addr = (uintptr_t)buffer;
	self->sqes[index].len = len;
	self->sqes[index].off = -1;
	if (op == IORING_OP_POLL_ADD) {
		self->sqes[index].off = 0;
		self->sqes[index].poll32_events = POLLIN;
	}
	sq(self, self->params.sq_off.array)[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return TRY(syscall(SYS_io_uring_enter, self->ring, 1, 0, 0, NULL, 0));
}

static unsigned int completions(FIXTURE_DATA(uring) *self)
{
	return __atomic_load_n(sq(self, self->params.cq_off.tail), __ATOMIC_ACQUIRE) -
	       *sq(self, self->params.cq_off.head);
}

/* Waits for one completion and returns its result. */
static int complete(FIXTURE_DATA(uring) *self)
{
	unsigned int *head = sq(self, self->params.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(self->rings + self->params.cq_off.cqes);
	int result;

	if (syscall(SYS_io_uring_enter, self->ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		abort();
	result = cqes[*head & *sq(self, self->params.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

/* The number of io_uring's worker threads in this process. */
static int workers(void)
{
	DIR *tasks = opendir("/proc/self/task");
	char path[300], name[32];
	struct dirent *task;
	int count = 0;
	FILE *file;

	while (tasks && (task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strncmp(name, "iou-wrk", 7))
			count++;
		fclose(file);
	}
	closedir(tasks);
	return count;
}

TEST_F(uring, read_of_a_waiting_message)
{
	char buffer[16];

	ASSERT_EQ(5, write(self->fd, "ready", 5));
	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
	EXPECT_EQ(5, complete(self));
	EXPECT_EQ(0, memcmp(buffer, "ready", 5));
	EXPECT_EQ(0, workers());
}

TEST_F(uring, read_that_would_wait)
{
	char buffer[16];

	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
	EXPECT_EQ(0, completions(self));
	EXPECT_EQ(0, workers());
	ASSERT_EQ(4, write(self->fd, "late", 4));
	EXPECT_EQ(4, complete(self));
	EXPECT_EQ(0, memcmp(buffer, "late", 4));
	EXPECT_EQ(0, workers());
}

TEST_F(uring, write_that_would_wait)
{
	char byte;

	fill(self->fd);
	ASSERT_EQ(1, submit(self, IORING_OP_WRITE, "late", 4));
	EXPECT_EQ(0, completions(self));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(4, complete(self));
	EXPECT_EQ(stats_of(self->fd).max_msgs, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, workers());
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
	EXPECT_EQ(0, workers());
}

TEST_F(uring, errors_are_those_of_read_and_write)
{
	char buffer[300];

	ASSERT_EQ(5, write(self->fd, "whole", 5));
	ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, 4));
	EXPECT_EQ(-EMSGSIZE, complete(self));
	ASSERT_EQ(1, submit(self, IORING_OP_READ, nowhere, 16));
	EXPECT_EQ(-EFAULT, complete(self));
	ASSERT_EQ(1, submit(self, IORING_OP_WRITE, buffer, 300));
	EXPECT_EQ(-EMSGSIZE, complete(self));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_F(uring, a_nonblocking_file_is_waited_for_as_a_pipe_is)
{
	int message_pipe = self->fd, ends[2], i;
	char buffer[16];

	/* io_uring waits by poll wherever it can, whatever O_NONBLOCK says. */
	ASSERT_EQ(0, pipe2(ends, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(message_pipe, F_SETFL, O_RDWR | O_NONBLOCK));
	for (i = 0; i < 2; i++) {
		self->fd = i ? ends[0] : message_pipe;
		ASSERT_EQ(1, submit(self, IORING_OP_READ, buffer, sizeof(buffer)));
		EXPECT_EQ(0, completions(self));
		ASSERT_EQ(4, write(i ? ends[1] : message_pipe, "late", 4));
		EXPECT_EQ(4, complete(self));
	}
	EXPECT_EQ(0, workers());
	self->fd = message_pipe;
	close(ends[0]);
	close(ends[1]);
}

TEST_F(uring, poll_request)
{
	ASSERT_EQ(1, submit(self, IORING_OP_POLL_ADD, NULL, 0));
	EXPECT_EQ(0, completions(self));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(POLLIN, complete(self) & POLLIN);
}

TEST_HARNESS_MAIN
