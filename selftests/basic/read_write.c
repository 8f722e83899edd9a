// SPDX-License-Identifier: GPL-2.0
/*
 * Read and write without waiting: whole messages in order, exact errors, and no change by a call that fails. Reads
 * that are too short for a message are tested in short_reads.c.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"

#define MSG_SIZE 256

/* Maps two pages, makes the second one inaccessible, and returns the first. */
static char *page_before_a_hole(void)
{
	char *map = map_pages(2 * PAGE_SIZE);

	if (mprotect(map + PAGE_SIZE, PAGE_SIZE, PROT_NONE))
		abort();
	return map;
}

/* spec: 2-pipe0 3-size 3-depth */
TEST_F(pipe, defaults_are_128_messages_of_256_bytes)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_EQ(0, stats.id);
	EXPECT_EQ(MSG_SIZE, stats.msg_size);
	EXPECT_EQ(128, stats.max_msgs);
}

/* spec: 1-message-based 4-write-copies 4-read-length */
TEST_F(pipe, one_write_is_one_message)
{
	char buffer[MSG_SIZE];

	EXPECT_EQ(5, write(self->fd, "first", 5));
	EXPECT_EQ(6, write(self->fd, "second", 6));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(11, stats_of(self->fd).depth_bytes);
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "first", 5));
	EXPECT_EQ(6, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "second", 6));
}

/* spec: 3-raw-bytes */
TEST_F(pipe, messages_of_every_length_are_read_back)
{
	char sent[MSG_SIZE], got[MSG_SIZE + 1];
	size_t len, i;

	for (len = 1; len <= MSG_SIZE; len++) {
		for (i = 0; i < len; i++)
			sent[i] = (char)(len * 7 + i);
		ASSERT_EQ(len, write(self->fd, sent, len));
		memset(got, 0x55, sizeof(got));
		ASSERT_EQ(len, read(self->fd, got, sizeof(got)));
		ASSERT_EQ(0, memcmp(sent, got, len));
		ASSERT_EQ(0x55, got[len]);
	}
}

/* spec: 1-introspectable */
TEST_F(pipe, writev_gathers_and_readv_scatters_one_message)
{
	char a[3], b[4];
	struct iovec out[] = { { "one", 3 }, { "", 0 }, { "-two", 4 } };
	struct iovec in[] = { { a, 3 }, { b, 4 } };

	EXPECT_EQ(7, writev(self->fd, out, 3));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(7, readv(self->fd, in, 2));
	EXPECT_EQ(0, memcmp(a, "one", 3));
	EXPECT_EQ(0, memcmp(b, "-two", 4));
}

/* spec: 3-size 4-write-emsgsize 9-emsgsize */
TEST_F(pipe, a_message_that_is_too_long_is_emsgsize)
{
	char buffer[MSG_SIZE + 1] = { 0 };
	struct iovec halves[] = { { buffer, MSG_SIZE }, { buffer, 1 } };
	struct kmsgpipe_stats before = stats_of(self->fd), after;

	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, MSG_SIZE + 1)));
	EXPECT_EQ(-EMSGSIZE, TRY(writev(self->fd, halves, 2)));
	/* The length is checked before the memory is accessed and before any allocation. */
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, bad_address, MSG_SIZE + 1)));
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, bad_address, 1UL << 30)));
	after = stats_of(self->fd);
	EXPECT_EQ(before.enqueued_msgs, after.enqueued_msgs);
	EXPECT_EQ(before.refused_size + 4, after.refused_size);
	EXPECT_EQ(MSG_SIZE, write(self->fd, buffer, MSG_SIZE));
	/* With spare memory, a message that is too long would have a place on the fast path. */
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, MSG_SIZE + 1)));
	EXPECT_EQ(before.enqueued_msgs + 1, stats_of(self->fd).enqueued_msgs);
}

/* spec: 4-write-emsgsize */
TEST_F(pipe, a_message_that_is_too_long_is_emsgsize_when_full)
{
	char buffer[MSG_SIZE + 1] = { 0 };

	fill(self->fd);
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, MSG_SIZE + 1)));
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->nonblocking, buffer, MSG_SIZE + 1)));
}

TEST_F(pipe, a_write_of_no_bytes_queues_no_message)
{
	struct kmsgpipe_stats before = stats_of(self->fd);

	EXPECT_EQ(0, TRY(write(self->fd, "", 0)));
	EXPECT_EQ(0, TRY(write(self->fd, NULL, 0)));
	EXPECT_EQ(0, TRY(writev(self->fd, &(struct iovec){ "", 0 }, 1)));
	EXPECT_EQ(before.enqueued_msgs, stats_of(self->fd).enqueued_msgs);
	EXPECT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(0, TRY(write(self->fd, "", 0)));
	EXPECT_EQ(before.enqueued_msgs + 1, stats_of(self->fd).enqueued_msgs);
	fill(self->fd);
	EXPECT_EQ(0, TRY(write(self->fd, "", 0)));
}

/* spec: 4-read-length */
TEST_F(pipe, whole_read_into_a_short_buffer_is_emsgsize)
{
	char buffer[8];

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(5, write(self->fd, "whole", 5));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, buffer, 4)));
	/* A read of no bytes returns 0. */
	EXPECT_EQ(0, TRY(read(self->fd, buffer, 0)));
	EXPECT_EQ(0, TRY(readv(self->fd, &(struct iovec){ buffer, 0 }, 1)));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->nonblocking, buffer, 4)));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(5, read(self->fd, buffer, 5));
	EXPECT_EQ(0, memcmp(buffer, "whole", 5));
}

/* spec: 1-bounded-queue 3-depth 4-write-eagain 4-read-eagain 9-write-eagain 9-read-eagain */
TEST_F(pipe, empty_and_full_pipes_are_eagain_for_a_nonblocking_file)
{
	struct kmsgpipe_stats stats;
	unsigned char byte;
	struct iovec iov = { &byte, 1 };
	unsigned int i;

	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
	EXPECT_EQ(-EAGAIN, TRY(readv(self->nonblocking, &iov, 1)));
	fill(self->nonblocking);
	stats = stats_of(self->fd);
	EXPECT_EQ(stats.max_msgs, stats.depth_msgs);
	EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, "x", 1)));
	EXPECT_EQ(-EAGAIN, TRY(writev(self->nonblocking, &iov, 1)));
	EXPECT_EQ(stats.refused_full + 2, stats_of(self->fd).refused_full);
	for (i = 0; i < stats.max_msgs; i++) {
		ASSERT_EQ(1, read(self->nonblocking, &byte, 1));
		ASSERT_EQ(i, byte);
	}
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
}

/* spec: 3-nonblock 11-nonblocking */
TEST_F(pipe, fcntl_and_rwf_nowait_make_calls_nonblocking)
{
	struct iovec iov = { &(char){ 'x' }, 1 };
	int flags = fcntl(self->fd, F_GETFL);
	char byte;

	EXPECT_EQ(-EAGAIN, TRY(preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, flags | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, TRY(read(self->fd, &byte, 1)));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, flags));

	fill(self->fd);
	EXPECT_EQ(-EAGAIN, TRY(pwritev2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(1, TRY(pwritev2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(1, TRY(preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
}

/* spec: 4-write-copies */
TEST_F(pipe, write_from_bad_memory_queues_no_message)
{
	void *bad[] = { NULL, bad_address, (void *)-PAGE_SIZE };
	struct kmsgpipe_stats before = stats_of(self->fd);
	size_t i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad[i], 16)));
	EXPECT_EQ(before.enqueued_msgs, stats_of(self->fd).enqueued_msgs);
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	/* With spare memory, a write from a bad address is tried on the fast path. */
	EXPECT_EQ(1, write(self->fd, "x", 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad[i], 16)));
	EXPECT_EQ(before.enqueued_msgs + 1, stats_of(self->fd).enqueued_msgs);
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

/* spec: 4-read-oldest */
TEST_F(pipe, read_into_bad_memory_leaves_the_message)
{
	void *bad[] = { NULL, bad_address, (void *)-PAGE_SIZE };
	void *readonly = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buffer[16];
	size_t i;

	EXPECT_EQ(4, write(self->fd, "keep", 4));
	EXPECT_EQ(4, write(self->fd, "next", 4));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad[i], 16)));
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, readonly, 16)));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "keep", 4));
	EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "next", 4));
}

TEST_F(pipe, memory_that_ends_at_every_offset_is_efault)
{
	char *end = page_before_a_hole() + PAGE_SIZE, buffer[64];
	size_t k;

	for (k = 0; k < 64; k++) {
		ASSERT_EQ(-EFAULT, TRY(write(self->fd, end - k, 64)));
		ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
	}
	memset(end - 64, 'k', 64);
	ASSERT_EQ(64, write(self->fd, end - 64, 64));
	for (k = 0; k < 64; k++) {
		ASSERT_EQ(-EFAULT, TRY(read(self->fd, end - k, 64)));
		ASSERT_EQ(1, stats_of(self->fd).depth_msgs);
	}
	ASSERT_EQ(64, read(self->fd, end - 64, 64));
	memset(buffer, 'k', 64);
	ASSERT_EQ(0, memcmp(buffer, end - 64, 64));
}

TEST_F(pipe, a_bad_segment_at_every_index_is_efault)
{
	char parts[] = "part-0..part-1..part-2..part-3..", got[32];
	struct iovec iov[4];
	int bad, i;

	for (bad = 0; bad < 4; bad++) {
		for (i = 0; i < 4; i++)
			iov[i] = (struct iovec){ i == bad ? bad_address : parts + 8 * i, 8 };
		ASSERT_EQ(-EFAULT, TRY(writev(self->fd, iov, 4)));
		ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
	}
	for (i = 0; i < 4; i++)
		iov[i] = (struct iovec){ parts + 8 * i, 8 };
	ASSERT_EQ(32, writev(self->fd, iov, 4));
	for (bad = 0; bad < 4; bad++) {
		for (i = 0; i < 4; i++)
			iov[i] = (struct iovec){ i == bad ? bad_address : got + 8 * i, 8 };
		ASSERT_EQ(-EFAULT, TRY(readv(self->fd, iov, 4)));
		ASSERT_EQ(1, stats_of(self->fd).depth_msgs);
	}
	for (i = 0; i < 4; i++)
		iov[i] = (struct iovec){ got + 8 * i, 8 };
	ASSERT_EQ(32, readv(self->fd, iov, 4));
	EXPECT_EQ(0, memcmp(got, parts, 32));
}

TEST_F(pipe, pages_that_are_not_present_are_faulted_in)
{
	char *fresh = map_pages(PAGE_SIZE);
	char zeroes[16] = { 0 }, got[32];
	struct iovec halves[] = { { "front", 5 }, { fresh, 16 } };

	/* Memory that is not populated: a write reads the zero page, a read needs a new page. */
	EXPECT_EQ(16, write(self->fd, fresh, 16));
	EXPECT_EQ(5, write(self->fd, "hello", 5));
	EXPECT_EQ(16, read(self->fd, fresh, PAGE_SIZE));
	EXPECT_EQ(0, memcmp(fresh, zeroes, 16));
	ASSERT_EQ(0, madvise(fresh, PAGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(5, read(self->fd, fresh, PAGE_SIZE));
	EXPECT_EQ(0, memcmp(fresh, "hello", 5));
	/* Bytes that were copied before the page fault must be in the message only once. */
	ASSERT_EQ(0, madvise(fresh, PAGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(21, writev(self->fd, halves, 2));
	EXPECT_EQ(21, read(self->fd, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, "front", 5));
	EXPECT_EQ(0, memcmp(got + 5, zeroes, 16));
}

TEST_F(pipe, seeks_and_positioned_calls_are_espipe)
{
	char byte = 'x';

	EXPECT_EQ(-ESPIPE, TRY(lseek(self->fd, 0, SEEK_SET)));
	EXPECT_EQ(-ESPIPE, TRY(lseek(self->fd, 0, SEEK_CUR)));
	EXPECT_EQ(-ESPIPE, TRY(lseek(self->fd, 0, SEEK_END)));
	EXPECT_EQ(-ESPIPE, TRY(pread(self->fd, &byte, 1, 0)));
	EXPECT_EQ(-ESPIPE, TRY(pwrite(self->fd, &byte, 1, 0)));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

TEST_F(pipe, access_modes_are_enforced)
{
	int reading = open_pipe(O_RDONLY | O_NONBLOCK), writing = open_pipe(O_WRONLY);
	struct kmsgpipe_stats stats = stats_of(self->fd);
	char byte = 'x';

	EXPECT_EQ(3, stats.readers);
	EXPECT_EQ(3, stats.writers);
	EXPECT_EQ(-EBADF, TRY(write(reading, &byte, 1)));
	EXPECT_EQ(-EBADF, TRY(read(writing, &byte, 1)));
	EXPECT_EQ(1, write(writing, &byte, 1));
	EXPECT_EQ(1, read(reading, &byte, 1));
	close(reading);
	EXPECT_EQ(2, stats_of(self->fd).readers);
	close(writing);
	EXPECT_EQ(2, stats_of(self->fd).writers);
}

TEST(messages_outlive_the_last_descriptor)
{
	int fd = open_pipe(O_RDWR);
	char buffer[8];

	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(4, write(fd, "stay", 4));
	close(fd);
	fd = open_pipe(O_RDWR | O_NONBLOCK);
	EXPECT_EQ(1, stats_of(fd).readers);
	EXPECT_EQ(4, read(fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "stay", 4));
	close(fd);
}

TEST_HARNESS_MAIN
