// SPDX-License-Identifier: GPL-2.0
/*
 * Further ways to use io_uring that programs get from its library: multishot reads with provided buffers, registered
 * files and buffers, vectors, and linked requests. Each in a plain ring, in one with deferred task work, and in one
 * that a kernel thread polls.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/ring.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

/* The header of Debian 12 lacks this request. */
#define READ_MULTISHOT 49

#define GROUP 7
#define BUFFERS 4
#define SIZE 16

FIXTURE(uring_ways)
{
	int fd;
	struct ring ring;
	struct io_uring_buf_ring *provided;
	char buffers[BUFFERS][SIZE];
};

FIXTURE_VARIANT(uring_ways)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring_ways, plain) {};
FIXTURE_VARIANT_ADD(uring_ways, deferred) { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, };
FIXTURE_VARIANT_ADD(uring_ways, polled) { .flags = IORING_SETUP_SQPOLL, };

FIXTURE_SETUP(uring_ways)
{
	self->fd = open_pipe(O_RDWR);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ring_setup(&self->ring, variant->flags);
}

FIXTURE_TEARDOWN(uring_ways)
{
	EXPECT_EQ(0, ring_workers());
	ring_close(&self->ring);
	close(self->fd);
}

static struct io_uring_sqe request(FIXTURE_DATA(uring_ways) *self, int op, const void *addr, unsigned int len)
{
	return (struct io_uring_sqe){ .opcode = op, .fd = self->fd, .addr = (uintptr_t)addr, .len = len, .off = -1, };
}

/* Registers one object, or a list of one. */
static long register_with(FIXTURE_DATA(uring_ways) *self, int what, void *arg)
{
	return TRY(syscall(SYS_io_uring_register, self->ring.fd, what, arg, 1));
}

/* Provides the buffers again; `given` buffers were provided so far. */
static void give_buffers(FIXTURE_DATA(uring_ways) *self, unsigned int given)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++) {
		self->provided->bufs[i].addr = (uintptr_t)self->buffers[i];
		self->provided->bufs[i].len = SIZE;
		self->provided->bufs[i].bid = i;
	}
	__atomic_store_n(&self->provided->tail, given + BUFFERS, __ATOMIC_RELEASE);
}

static long provide_buffers(FIXTURE_DATA(uring_ways) *self)
{
	struct io_uring_buf_reg group = { .ring_entries = BUFFERS, .bgid = GROUP };

	self->provided = map_pages(4096);
	group.ring_addr = (uintptr_t)self->provided;
	give_buffers(self, 0);
	return register_with(self, IORING_REGISTER_PBUF_RING, &group);
}

/* Submits a multishot read. */
static long read_on(FIXTURE_DATA(uring_ways) *self)
{
	struct io_uring_sqe read = request(self, READ_MULTISHOT, NULL, 0);

	read.flags = IOSQE_BUFFER_SELECT;
	read.buf_group = GROUP;
	return ring_submit(&self->ring, &read);
}

/* Expects the next completion to have these bytes in this buffer, and more completions to follow. */
static void expect_part(struct __test_metadata *_metadata, FIXTURE_DATA(uring_ways) *self, unsigned int buffer,
			const char *bytes, int len)
{
	unsigned int flags;

	EXPECT_EQ(len, ring_take(&self->ring, &flags));
	EXPECT_EQ(buffer << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER | IORING_CQE_F_MORE, flags);
	EXPECT_EQ(0, memcmp(self->buffers[buffer], bytes, len));
}

/* Expects the next completion to be the last one of a multishot read. */
static void expect_end(struct __test_metadata *_metadata, FIXTURE_DATA(uring_ways) *self, int result)
{
	unsigned int flags;

	EXPECT_EQ(result, ring_take(&self->ring, &flags));
	EXPECT_EQ(0, flags);
}

/* Expects that the submitted requests wait: a later request completes before them. */
static void expect_waiting(struct __test_metadata *_metadata, FIXTURE_DATA(uring_ways) *self)
{
	struct io_uring_sqe nothing = { .opcode = IORING_OP_NOP };

	ASSERT_EQ(1, ring_submit(&self->ring, &nothing));
	EXPECT_EQ(0, ring_complete(&self->ring));
	EXPECT_EQ(0, ring_completions(&self->ring));
}

TEST_F(uring_ways, a_multishot_read_ends_without_buffers)
{
	ASSERT_EQ(0, provide_buffers(self));
	ASSERT_EQ(5, write(self->fd, "early", 5));
	ASSERT_EQ(1, read_on(self));
	expect_part(_metadata, self, 0, "early", 5);
	ASSERT_EQ(3, write(self->fd, "one", 3));
	expect_part(_metadata, self, 1, "one", 3);
	ASSERT_EQ(3, write(self->fd, "two", 3));
	ASSERT_EQ(5, write(self->fd, "three", 5));
	expect_part(_metadata, self, 2, "two", 3);
	expect_part(_metadata, self, 3, "three", 5);
	expect_waiting(_metadata, self);
	ASSERT_EQ(5, write(self->fd, "extra", 5));
	expect_end(_metadata, self, -ENOBUFS);
	/* The message is still queued for a read with a buffer. */
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	give_buffers(self, BUFFERS);
	ASSERT_EQ(1, read_on(self));
	expect_part(_metadata, self, 0, "extra", 5);
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

TEST_F(uring_ways, a_message_continues_in_the_next_buffer)
{
	static const char message[] = "16 bytes for one 16 for the other and the rest";
	int rest = sizeof(message) - 1 - 2 * SIZE;

	ASSERT_EQ(0, provide_buffers(self));
	ASSERT_EQ(1, read_on(self));
	ASSERT_EQ(2 * SIZE + rest, write(self->fd, message, 2 * SIZE + rest));
	expect_part(_metadata, self, 0, message, SIZE);
	expect_part(_metadata, self, 1, message + SIZE, SIZE);
	expect_part(_metadata, self, 2, message + 2 * SIZE, rest);
	ASSERT_EQ(4, write(self->fd, "next", 4));
	expect_part(_metadata, self, 3, "next", 4);
}

TEST_F(uring_ways, destroy_ends_a_multishot_read)
{
	struct kmsgpipe_create create = default_pipe();
	int pipe0 = self->fd;

	self->fd = open_id(create_pipe(&create), O_RDWR);
	ASSERT_EQ(0, provide_buffers(self));
	ASSERT_EQ(1, read_on(self));
	ASSERT_EQ(4, write(self->fd, "last", 4));
	expect_part(_metadata, self, 0, "last", 4);
	expect_waiting(_metadata, self);
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	expect_end(_metadata, self, -ENODEV);
	close(self->fd);
	self->fd = pipe0;
}

TEST_F(uring_ways, registered_files_and_buffers_work)
{
	struct iovec all = { self->buffers, sizeof(self->buffers) };
	struct io_uring_sqe fixed;
	int fd = open_pipe(O_RDWR);
	char buffer[SIZE];
	long len;

	ASSERT_EQ(0, register_with(self, IORING_REGISTER_FILES, &fd));
	ASSERT_EQ(0, register_with(self, IORING_REGISTER_BUFFERS, &all));
	/* From here on only the ring holds that file. */
	close(fd);
	fixed = request(self, IORING_OP_READ_FIXED, self->buffers[1], SIZE);
	fixed.fd = 0;
	fixed.flags = IOSQE_FIXED_FILE;
	ASSERT_EQ(1, ring_submit(&self->ring, &fixed));
	expect_waiting(_metadata, self);
	ASSERT_EQ(4, write(self->fd, "into", 4));
	EXPECT_EQ(4, ring_complete(&self->ring));
	EXPECT_EQ(0, memcmp(self->buffers[1], "into", 4));

	memcpy(self->buffers[2], "from", 4);
	fixed.opcode = IORING_OP_WRITE_FIXED;
	fixed.addr = (uintptr_t)self->buffers[2];
	fixed.len = 4;
	fill(self->fd);
	ASSERT_EQ(1, ring_submit(&self->ring, &fixed));
	expect_waiting(_metadata, self);
	ASSERT_EQ(1, read(self->fd, buffer, SIZE));
	EXPECT_EQ(4, ring_complete(&self->ring));
	/* At the end of the queue. */
	do
		len = read(self->fd, buffer, SIZE);
	while (len == 1);
	EXPECT_EQ(4, len);
	EXPECT_EQ(0, memcmp(buffer, "from", 4));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

TEST_F(uring_ways, vectors_gather_and_scatter_one_message)
{
	struct iovec from[] = { { "one ", 4 }, { "", 0 }, { "message", 7 } };
	char head[3], tail[SIZE];
	struct iovec to[] = { { head, sizeof(head) }, { tail, sizeof(tail) } };
	struct io_uring_sqe read = request(self, IORING_OP_READV, to, 2);
	struct io_uring_sqe write = request(self, IORING_OP_WRITEV, from, 3);

	ASSERT_EQ(1, ring_submit(&self->ring, &read));
	expect_waiting(_metadata, self);
	ASSERT_EQ(1, ring_submit(&self->ring, &write));
	/* In either order. */
	EXPECT_EQ(11, ring_complete(&self->ring));
	EXPECT_EQ(11, ring_complete(&self->ring));
	EXPECT_EQ(0, memcmp(head, "one", 3));
	EXPECT_EQ(0, memcmp(tail, " message", 8));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

TEST_F(uring_ways, a_linked_read_runs_after_a_write_that_waits)
{
	struct io_uring_sqe first = request(self, IORING_OP_WRITE, "late", 4);
	struct io_uring_sqe second = request(self, IORING_OP_READ, self->buffers[0], SIZE);
	char byte;

	fill(self->fd);
	ring_push_linked(&self->ring, &first, &second);
	ASSERT_EQ(2, ring_enter(&self->ring, 2));
	/* Messages are queued, but the linked read must wait for the write. */
	expect_waiting(_metadata, self);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(0, byte);
	EXPECT_EQ(4, ring_complete(&self->ring));
	EXPECT_EQ(1, ring_complete(&self->ring));
	EXPECT_EQ(1, self->buffers[0][0]);
}

TEST_F(uring_ways, a_linked_read_is_cancelled_after_a_failed_write)
{
	static const char long_one[KMSGPIPE_MSG_SIZE_DEFAULT + 1];
	struct io_uring_sqe first = request(self, IORING_OP_WRITE, long_one, sizeof(long_one));
	struct io_uring_sqe second = request(self, IORING_OP_READ, self->buffers[0], SIZE);

	ASSERT_EQ(4, write(self->fd, "kept", 4));
	ring_push_linked(&self->ring, &first, &second);
	ASSERT_EQ(2, ring_enter(&self->ring, 2));
	EXPECT_EQ(-EMSGSIZE, ring_complete(&self->ring));
	EXPECT_EQ(-ECANCELED, ring_complete(&self->ring));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_HARNESS_MAIN
