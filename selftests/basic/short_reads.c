// SPDX-License-Identifier: GPL-2.0
/*
 * Reads that are too short for a message, without any mode: the open file keeps the rest, and its next reads get it.
 * What else happens to a rest is tested in rests.c.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/ring.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>

#define MESSAGE "0123456789"

/* ---- Content ---- */

/* spec: 4-read-length */
TEST_F(own, later_reads_get_the_rest_of_a_message)
{
	ASSERT_EQ(13, write_text(self->fd, "first message"));
	ASSERT_EQ(6, write_text(self->fd, "second"));
	EXPECT_STREQ("first", read_text(self->nonblocking, 5));
	EXPECT_STREQ(" mes", read_text(self->nonblocking, 4));
	/* A read never gets bytes of two messages. */
	EXPECT_STREQ("sage", read_text(self->nonblocking, 100));
	EXPECT_STREQ("second", read_text(self->nonblocking, 6));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 100));
}

/* Reads a message piece by piece; returns whether the pieces make up the message. */
static int comes_in_pieces(int fd, const char *message, size_t len, size_t most, char *got)
{
	size_t at, expected;

	for (at = 0; at < len; at += expected) {
		expected = len - at < most ? len - at : most;
		if (read(fd, got, most) != (ssize_t)expected || memcmp(got, message + at, expected))
			return 0;
	}
	return TRY(read(fd, got, most)) == -EAGAIN;
}

static void make_pattern(char *to, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		to[i] = (char)(i * 7 + i / 251 + 1);
}

TEST_F(own, reads_of_every_length_get_the_whole_message)
{
	static const size_t lengths[] = { 1, 2, 3, 31, 32, 33, 63, 64, 65, 128, 255, 256 };
	char message[256], got[256];
	size_t i, most;

	make_pattern(message, sizeof(message));
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (most = 1; most <= lengths[i]; most++) {
			ASSERT_EQ(lengths[i], write(self->fd, message, lengths[i]));
			ASSERT_TRUE(comes_in_pieces(self->nonblocking, message, lengths[i], most, got))
				TH_LOG("%zu bytes in pieces of %zu", lengths[i], most);
		}
}

TEST_F(own, reads_of_every_length_get_long_messages)
{
	static const size_t lengths[] = { 4095, 4096, 4097, 8192, 12289, 65535, 65536 };
	static const size_t pieces[] = { 509, 4000, 4095, 4096, 4097, 8191, 8192, 8193, 65535 };
	static char message[65536], got[65536];
	int fd = open_id(limited_pipe(65536, 2), O_RDWR | O_NONBLOCK);
	size_t i, k;

	make_pattern(message, sizeof(message));
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (k = 0; k < ARRAY_SIZE(pieces); k++) {
			ASSERT_EQ(lengths[i], write(fd, message, lengths[i]));
			ASSERT_TRUE(comes_in_pieces(fd, message, lengths[i], pieces[k], got))
				TH_LOG("%zu bytes in pieces of %zu", lengths[i], pieces[k]);
		}
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(own, readv_does_not_mix_a_rest_with_the_next_message)
{
	char a[3], b[3], c[3] = "..";
	struct iovec iov[] = { { a, 3 }, { b, 0 }, { b, 3 }, { c, 3 } };

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(5, write_text(self->fd, "other"));
	EXPECT_EQ(6, readv(self->fd, iov, 3));
	EXPECT_EQ(0, memcmp(a, "012", 3));
	EXPECT_EQ(0, memcmp(b, "345", 3));
	/* Segments after the end of the rest are not written to. */
	EXPECT_EQ(4, readv(self->fd, iov, 4));
	EXPECT_EQ(0, memcmp(a, "678", 3));
	EXPECT_EQ('9', b[0]);
	EXPECT_EQ('4', b[1]);
	EXPECT_STREQ("..", c);
	EXPECT_STREQ("other", read_text(self->fd, 100));
}

TEST_F(own, a_read_of_a_rest_does_not_block)
{
	char byte;
	struct iovec iov = { &byte, 1 };

	ASSERT_EQ(3, write_text(self->fd, "abc"));
	EXPECT_EQ(1, preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ('a', byte);
	EXPECT_EQ(1, preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ('b', byte);
	/* The pipe is empty, and the file is a blocking one. */
	EXPECT_STREQ("c", read_text(self->fd, 1));
	EXPECT_EQ(-EAGAIN, TRY(preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
}

TEST_F(own, io_uring_gets_the_rest)
{
	char bytes[10];
	struct iovec iov[] = { { bytes, 2 }, { bytes + 4, 1 } };
	struct io_uring_sqe read = {
		.opcode = IORING_OP_READ, .fd = self->fd, .addr = (uintptr_t)bytes, .len = 4, .off = -1,
	}, readv = {
		.opcode = IORING_OP_READV, .fd = self->fd, .addr = (uintptr_t)iov, .len = 2, .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	/* A request that waits for the message. */
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(0, ring_completions(&ring));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_EQ(4, ring_complete(&ring));
	EXPECT_EQ(0, memcmp(bytes, "0123", 4));
	ASSERT_EQ(5, write_text(self->fd, "other"));
	ASSERT_EQ(1, ring_submit(&ring, &readv));
	EXPECT_EQ(3, ring_complete(&ring));
	EXPECT_EQ(0, memcmp(bytes, "45236", 5));
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(3, ring_complete(&ring));
	EXPECT_EQ(0, memcmp(bytes, "789", 3));
	EXPECT_STREQ("other", read_text(self->fd, 100));
	ring_close(&ring);
}

TEST_F(own, splice_and_sendfile_get_the_rest)
{
	char bytes[16];
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(5, write_text(self->fd, "other"));
	EXPECT_EQ(3, splice(self->fd, NULL, ends[1], NULL, 3, 0));
	EXPECT_EQ(2, sendfile(ends[1], self->fd, NULL, 2));
	EXPECT_STREQ("56", read_text(self->fd, 2));
	EXPECT_EQ(3, splice(self->fd, NULL, ends[1], NULL, 4096, 0));
	EXPECT_EQ(5, splice(self->fd, NULL, ends[1], NULL, 4096, 0));
	EXPECT_EQ(13, read(ends[0], bytes, sizeof(bytes)));
	EXPECT_EQ(0, memcmp(bytes, "01234789other", 13));
	EXPECT_EQ(-EAGAIN, TRY(splice(self->nonblocking, NULL, ends[1], NULL, 4096, 0)));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(own, splice_moves_what_the_other_pipe_has_room_for)
{
	static char message[9000], got[9000];
	int fd = open_id(limited_pipe(9000, 2), O_RDWR | O_NONBLOCK), ends[2];

	make_pattern(message, sizeof(message));
	ASSERT_EQ(0, pipe2(ends, O_NONBLOCK));
	ASSERT_EQ(8192, fcntl(ends[1], F_SETPIPE_SZ, 8192));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	ASSERT_EQ(9000, write(fd, message, 9000));
	EXPECT_EQ(4096, splice(fd, NULL, ends[1], NULL, 65536, 0));
	EXPECT_EQ(-EAGAIN, TRY(splice(fd, NULL, ends[1], NULL, 65536, SPLICE_F_NONBLOCK)));
	EXPECT_EQ(1, read(ends[0], got, 1));
	EXPECT_EQ(4096, read(ends[0], got, 4096));
	EXPECT_EQ(4904, splice(fd, NULL, ends[1], NULL, 65536, 0));
	EXPECT_EQ(4904, read(ends[0], got + 4096, 4904));
	EXPECT_EQ(0, memcmp(message, got, 9000));
	EXPECT_EQ(-EAGAIN, TRY(splice(fd, NULL, ends[1], NULL, 65536, 0)));
	expect_destroyed(_metadata, fd);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(own, a_read_of_no_bytes_changes_nothing)
{
	struct kmsgpipe_stats before;
	char byte = 'x';
	struct iovec none[] = { { &byte, 0 }, { bad_address, 0 } };

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	before = state_of(self->fd);
	EXPECT_EQ(0, TRY(read(self->fd, &byte, 0)));
	EXPECT_EQ(0, TRY(read(self->fd, bad_address, 0)));
	EXPECT_EQ(0, TRY(readv(self->fd, none, 2)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(0, rest_bytes(self->fd));
	EXPECT_STREQ("0123", read_text(self->fd, 4));
	before = state_of(self->fd);
	EXPECT_EQ(0, TRY(read(self->fd, &byte, 0)));
	EXPECT_EQ(0, TRY(read(self->fd, bad_address, 0)));
	EXPECT_EQ(0, TRY(readv(self->fd, none, 2)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(6, rest_bytes(self->fd));
	EXPECT_STREQ("456789", read_text(self->fd, 100));
	EXPECT_EQ('x', byte);
}

TEST_F(own, bad_memory_for_the_first_read_leaves_the_message)
{
	char *end = page_end(), good[2];
	struct iovec iov[] = { { good, 2 }, { bad_address, 2 } };
	struct kmsgpipe_stats before;
	size_t there;

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	before = state_of(self->fd);
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad_address, 4)));
	EXPECT_EQ(-EFAULT, TRY(readv(self->fd, iov, 2)));
	for (there = 0; there < 4; there++)
		EXPECT_EQ(-EFAULT, TRY(read(self->fd, end - there, 4)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(0, rest_bytes(self->fd));
	/* The message is still in the queue for other files. */
	EXPECT_STREQ(MESSAGE, read_text(self->nonblocking, 100));
}

TEST_F(own, bad_memory_for_a_rest_leaves_the_rest)
{
	char *end = page_end(), good[2];
	struct iovec iov[] = { { good, 2 }, { bad_address, 2 } };
	struct kmsgpipe_stats before;
	size_t there;

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0", read_text(self->fd, 1));
	before = state_of(self->fd);
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad_address, 4)));
	EXPECT_EQ(-EFAULT, TRY(readv(self->fd, iov, 2)));
	for (there = 0; there < 9; there++)
		EXPECT_EQ(-EFAULT, TRY(read(self->fd, end - there, 100)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(9, rest_bytes(self->fd));
	EXPECT_STREQ("1234", read_text(self->fd, 4));
	/* Only memory for the rest must be accessible, whatever the length of the read is. */
	EXPECT_EQ(5, read(self->fd, end - 5, 100));
	EXPECT_EQ(0, memcmp(end - 5, "56789", 5));
}

/* ---- Statistics, FIONREAD, DUMP and poll ---- */

TEST_F(own, a_message_is_counted_with_its_first_read)
{
	struct kmsgpipe_stats before, after;
	struct kmsgpipe_dump dump = { 0 };

	ASSERT_EQ(10, write_text(self->nonblocking, MESSAGE));
	before = stats_of(self->fd);
	EXPECT_STREQ("012", read_text(self->fd, 3));
	after = stats_of(self->fd);
	EXPECT_EQ(before.dequeued_msgs + 1, after.dequeued_msgs);
	EXPECT_EQ(before.dequeued_bytes + 10, after.dequeued_bytes);
	EXPECT_EQ(0, after.depth_msgs);
	EXPECT_EQ(0, after.depth_bytes);
	EXPECT_EQ(0, after.flags & KMSGPIPE_STATS_HEAD);
	EXPECT_TRUE(accounted(&after));
	EXPECT_EQ(1, fdinfo_number(self->fd, "kmsgpipe-received-msgs"));
	EXPECT_EQ(10, fdinfo_number(self->fd, "kmsgpipe-received-bytes"));
	/* A rest is not a queued message. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DUMP, &dump));
	EXPECT_EQ(0, dump.records);
	EXPECT_EQ(0, dump.missing);
	after = state_of(self->fd);
	EXPECT_STREQ("3456789", read_text(self->fd, 100));
	EXPECT_TRUE(unchanged(&after, self->fd));
	EXPECT_EQ(1, fdinfo_number(self->fd, "kmsgpipe-received-msgs"));
	EXPECT_EQ(10, fdinfo_number(self->fd, "kmsgpipe-received-bytes"));
}

TEST_F(own, fionread_is_the_length_of_the_rest_or_the_next_message)
{
	EXPECT_EQ(0, fionread(self->fd));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_EQ(10, fionread(self->fd));
	EXPECT_STREQ("0123", read_text(self->fd, 4));
	EXPECT_EQ(6, fionread(self->fd));
	EXPECT_EQ(0, fionread(self->nonblocking));
	ASSERT_EQ(7, write_text(self->fd, "another"));
	EXPECT_EQ(6, fionread(self->fd));
	EXPECT_EQ(7, fionread(self->nonblocking));
	EXPECT_STREQ("4", read_text(self->fd, 1));
	EXPECT_EQ(5, fionread(self->fd));
	EXPECT_STREQ("56789", read_text(self->fd, 100));
	EXPECT_EQ(7, fionread(self->fd));
	EXPECT_STREQ("another", read_text(self->fd, 100));
	EXPECT_EQ(0, fionread(self->fd));
}

TEST_F(own, poll_reports_pollin_with_a_rest)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(self->fd, 4));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(POLLOUT, poll_now(self->nonblocking));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_STREQ("456789", read_text(self->fd, 100));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	close(epoll);
}

TEST_HARNESS_MAIN
