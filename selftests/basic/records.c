// SPDX-License-Identifier: GPL-2.0
/*
 * Reads with KMSGPIPE_MODE_RECORDS: as many whole records as fit, with the metadata of each message. Writes are
 * tested in records_sent.c.
 */
#include "lib/clock.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

/* The sequence number of the next message. */
static unsigned long long next_seq(int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	return stats.enqueued_msgs + 1;
}

/* ---- Metadata ---- */

TEST_F(own, a_record_holds_all_metadata_of_a_message)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	unsigned long long mono[2], real[2], seq = next_seq(self->fd);

	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	mono[0] = clock_ns(CLOCK_MONOTONIC);
	real[0] = clock_ns(CLOCK_REALTIME);
	ASSERT_EQ(5, write_text(self->fd, "hello"));
	mono[1] = clock_ns(CLOCK_MONOTONIC);
	real[1] = clock_ns(CLOCK_REALTIME);
	memset(buffer, 0x55, sizeof(buffer));
	ASSERT_EQ(72, read(self->nonblocking, buffer, sizeof(buffer)));
	EXPECT_EQ(seq, record->seq);
	EXPECT_LE(mono[0], record->monotonic_ns);
	EXPECT_GE(mono[1], record->monotonic_ns);
	EXPECT_LE(real[0], record->realtime_ns);
	EXPECT_GE(real[1], record->realtime_ns);
	EXPECT_EQ(0, record->lost);
	EXPECT_EQ(5, record->len);
	EXPECT_EQ(getuid(), record->uid);
	EXPECT_EQ(getgid(), record->gid);
	EXPECT_EQ(getpid(), record->pid);
	EXPECT_EQ(0, record->flags);
	EXPECT_EQ(0, record->priority);
	EXPECT_EQ(1, record->deliveries);
	EXPECT_EQ(0, record->reserved);
	EXPECT_EQ(0, memcmp(record + 1, "hello\0\0", 8));
	EXPECT_EQ(0x55, buffer[72]);
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, PAGE_SIZE));
}

TEST_F(own, each_record_has_its_own_sender)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	pid_t children[3];
	int i;

	for (i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			/* The second writer has effective ids that differ from its real ones. */
			if (setresgid(2000 + i, i == 1 ? 7 : 2000 + i, 7) || setresuid(1000 + i, 1000 + i, 1000 + i))
				_exit(1);
			_exit(write(self->fd, "mine", 4) != 4);
		}
		ASSERT_EQ(0, exit_of(children[i]));
	}
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(3 * 72, read(self->nonblocking, buffer, sizeof(buffer)));
	for (i = 0; i < 3; i++, record = next_record(record)) {
		EXPECT_EQ(1000 + i, record->uid);
		EXPECT_EQ(2000 + i, record->gid);
		EXPECT_EQ(children[i], record->pid);
		/* The writers use a file that root has opened. */
		EXPECT_EQ(KMSGPIPE_RECORD_PRIVILEGED, record->flags);
	}
}

/*
 * Checks records in a pid namespace and a user namespace without mapped ids. Returns the number of the check that
 * fails.
 */
static int seen_from_namespaces(int fd)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	int i;

	/* Each record with a separate read, then both with one read. */
	for (i = 0; i < 2; i++) {
		if (write(fd, "one", 3) != 3 || write(fd, "two", 3) != 3 || set_mode(fd, KMSGPIPE_MODE_RECORDS))
			return 1;
		if (i ? read(fd, buffer, PAGE_SIZE) != 144 : read(fd, buffer, 72) != 72 || read(fd, buffer + 72, 72) != 72)
			return 2;
		if (record->uid != 65534 || record->gid != 65534 || record->pid || set_mode(fd, 0))
			return 3;
		if (memcmp(&record->uid, &next_record(record)->uid, 3 * sizeof(record->uid)))
			return 4;
	}
	return 0;
}

TEST_F(own, ids_are_in_the_namespaces_of_the_reader)
{
	pid_t child = fork();

	if (!child) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(5);
		/* Only children of this process are in the new pid namespace. */
		child = fork();
		if (!child)
			_exit(seen_from_namespaces(self->fd));
		_exit(exit_of(child));
	}
	EXPECT_EQ(0, exit_of(child));
}

/* Earlier content of the segment does not leak into the padding. */
TEST_F(own, padding_of_a_record_is_zero)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	char ones[128];
	size_t len;
	int count;

	memset(ones, 0xff, sizeof(ones));
	for (count = 1; count <= 2; count++) {
		for (len = 1; len <= 8; len++) {
			ASSERT_EQ(128, write(self->fd, ones, 128));
			ASSERT_EQ(128, try_read(self->nonblocking, 128));
			ASSERT_EQ(len, write(self->fd, ones, len));
			if (count == 2)
				ASSERT_EQ(len, write(self->fd, ones, len));
			ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
			ASSERT_EQ(count * 72, read(self->nonblocking, buffer, sizeof(buffer)));
			ASSERT_EQ(0, set_mode(self->nonblocking, 0));
			/* next_record() checks the padding. */
			ASSERT_EQ(buffer + 72, (char *)next_record(record));
			if (count == 2)
				ASSERT_EQ(buffer + 144, (char *)next_record(next_record(record)));
		}
	}
}

TEST_F(own, a_dump_shows_the_same_except_deliveries)
{
	static char dumped[PAGE_SIZE] __attribute__((aligned(8))), got[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *first = (void *)dumped;
	struct kmsgpipe_dump dump;

	ASSERT_EQ(3, write_text(self->fd, "one"));
	ASSERT_EQ(9, write_text(self->fd, "two words"));
	ASSERT_EQ(0, dump_to(self->fd, dumped, sizeof(dumped), &dump));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(dump.used, read(self->nonblocking, got, sizeof(got)));
	EXPECT_EQ(0, first->deliveries);
	first->deliveries = 1;
	next_record(first)->deliveries = 1;
	EXPECT_EQ(0, memcmp(dumped, got, dump.used));
}

/* ---- Records per read ---- */

TEST_F_TIMEOUT(own, every_buffer_size_gets_the_whole_records_that_fit, 120)
{
	static char buffer[1024] __attribute__((aligned(8)));
	struct kmsgpipe_record *record;
	size_t size, used, total, i, read_so_far;
	unsigned long long seq;

	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	for (total = 0, i = 1; i <= 9; i++)
		total += record_size(i);
	for (size = 72; size <= total + 8; size++) {
		seq = next_seq(self->fd);
		for (i = 1; i <= 9; i++)
			ASSERT_EQ(i, write(self->fd, "123456789", i));
		/* Reads all records with buffers of this size. */
		for (i = 1; i <= 9; i = read_so_far) {
			for (used = 0, read_so_far = i; read_so_far <= 9 && used + record_size(read_so_far) <= size; read_so_far++)
				used += record_size(read_so_far);
			memset(buffer, 0x55, sizeof(buffer));
			if (!used) {
				ASSERT_EQ(-EMSGSIZE, TRY(read(self->nonblocking, buffer, size)));
				ASSERT_EQ(record_size(i), read(self->nonblocking, buffer, record_size(i)));
				read_so_far = i + 1;
				continue;
			}
			ASSERT_EQ(used, read(self->nonblocking, buffer, size)) TH_LOG("size %zu", size);
			ASSERT_EQ(0x55, buffer[used]);
			for (record = (void *)buffer; i < read_so_far; i++, record = next_record(record))
				ASSERT_TRUE(record->seq == seq + i - 1 && record->len == i &&
					    !memcmp(record + 1, "123456789", i));
		}
		ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
	}
}

TEST_F(own, a_record_that_does_not_fit_is_emsgsize_and_stays)
{
	unsigned long long seq = next_seq(self->fd);
	struct kmsgpipe_stats before;
	char bytes[71];
	struct iovec iov[] = { { bytes, 70 }, { bytes + 70, 1 } };
	size_t len;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(7, write_text(self->nonblocking, "message"));
	before = state_of(self->fd);
	for (len = 1; len < 72; len++)
		EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, bytes, len))) TH_LOG("%zu bytes", len);
	EXPECT_EQ(-EMSGSIZE, TRY(readv(self->fd, iov, 2)));
	EXPECT_EQ(-EMSGSIZE, TRY(preadv2(self->fd, iov, 2, -1, RWF_NOWAIT)));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, bad_address, 71)));
	EXPECT_EQ(0, TRY(read(self->fd, bytes, 0)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_TRUE(READS(self->fd, seq, "message"));
}

TEST_F_TIMEOUT(own, records_across_segment_boundaries_are_whole_and_in_order, 120)
{
	static const size_t around[] = { 4096, 8192, 65536 };
	char *sent = map_pages(1 << 17), *buffer = map_pages(1 << 22);
	int fd = open_id(limited_pipe(1 << 17, 256), O_RDWR | O_NONBLOCK);
	int plain = open_id(stats_of(fd).id, O_WRONLY), number = 0, seen = 0;
	struct kmsgpipe_record *record;
	size_t len, i;
	ssize_t got;

	for (i = 0; i < ARRAY_SIZE(around); i++)
		for (len = around[i] - 72; len <= around[i] + 8; len += 5, number++)
			ASSERT_EQ(len, write(plain, sent, numbered(sent, number, len)));
	for (len = 1; len < 130; len++, number++)
		ASSERT_EQ(len, write(plain, sent, numbered(sent, number, len)));
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	/* Some records of each kind do not fit into what is left of the buffer. */
	while (seen < number) {
		got = read(fd, buffer, 150000);
		ASSERT_LT(0, got);
		for (record = (void *)buffer; (char *)record < buffer + got; record = next_record(record), seen++) {
			ASSERT_EQ(seen + 1, record->seq);
			ASSERT_TRUE(is_numbered((char *)(record + 1), seen, record->len)) TH_LOG("message %d", seen);
		}
		ASSERT_EQ(buffer + got, (char *)record);
	}
	EXPECT_EQ(number, seen);
	EXPECT_EQ(-EAGAIN, try_read(fd, 100));
	expect_destroyed(_metadata, fd);
	close(plain);
	close(fd);
}

TEST_F(own, one_read_gets_all_records_that_fit)
{
	const unsigned int count = 2000;
	int fd = open_id(limited_pipe(8, count), O_RDWR | O_NONBLOCK);
	int plain = open_id(stats_of(fd).id, O_WRONLY);
	char *buffer = map_pages(count * 72);
	struct kmsgpipe_record *record = (void *)buffer;
	unsigned int i;

	for (i = 0; i < count; i++)
		ASSERT_EQ(4, write(plain, &i, 4));
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(count * 72, fionread(fd));
	ASSERT_EQ(count * 72, read(fd, buffer, count * 72));
	for (i = 0; i < count; i++, record = next_record(record))
		ASSERT_TRUE(record->seq == i + 1 && *(unsigned int *)(record + 1) == i);
	EXPECT_EQ(count, stats_of(fd).dequeued_msgs);
	EXPECT_EQ(4 * count, stats_of(fd).dequeued_bytes);
	EXPECT_EQ(0, fionread(fd));
	expect_destroyed(_metadata, fd);
	close(plain);
	close(fd);
}

/* ---- Other calls ---- */

TEST_F(own, every_read_call_returns_records)
{
	static char bytes[PAGE_SIZE] __attribute__((aligned(8)));
	struct iovec iov[] = { { bytes, 10 }, { bytes + 10, 0 }, { bytes + 10, 150 } };
	unsigned long long seq = next_seq(self->fd);
	struct kmsgpipe_record *record = (void *)bytes;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(3, write_text(self->fd, "one"));
	ASSERT_EQ(3, write_text(self->fd, "two"));
	EXPECT_EQ(144, readv(self->nonblocking, iov, 3));
	EXPECT_EQ(2, fdinfo_number(self->nonblocking, "kmsgpipe-received-msgs"));
	EXPECT_EQ(6, fdinfo_number(self->nonblocking, "kmsgpipe-received-bytes"));
	EXPECT_TRUE(is_record(record, seq, "one"));
	EXPECT_TRUE(is_record(next_record(record), seq + 1, "two"));
	ASSERT_EQ(5, write_text(self->fd, "three"));
	EXPECT_EQ(72, preadv2(self->nonblocking, iov, 3, -1, RWF_NOWAIT));
	EXPECT_TRUE(is_record(record, seq + 2, "three"));
	EXPECT_EQ(-EAGAIN, TRY(preadv2(self->nonblocking, iov, 3, -1, RWF_NOWAIT)));
	ASSERT_EQ(4, write_text(self->fd, "four"));
	ASSERT_EQ(4, write_text(self->fd, "five"));
	EXPECT_EQ(144, splice(self->nonblocking, NULL, ends[1], NULL, PAGE_SIZE, 0));
	EXPECT_EQ(144, read(ends[0], bytes, sizeof(bytes)));
	EXPECT_TRUE(is_record(record, seq + 3, "four"));
	EXPECT_TRUE(is_record(next_record(record), seq + 4, "five"));
	ASSERT_EQ(3, write_text(self->fd, "six"));
	EXPECT_EQ(72, sendfile(ends[1], self->nonblocking, NULL, PAGE_SIZE));
	EXPECT_EQ(72, read(ends[0], bytes, sizeof(bytes)));
	EXPECT_TRUE(is_record(record, seq + 5, "six"));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(own, splice_does_not_split_records)
{
	int long_fd = open_id(limited_pipe(2 * PAGE_SIZE, 1), O_RDWR | O_NONBLOCK), ends[2];
	static char text[2 * PAGE_SIZE];
	char byte;

	ASSERT_EQ(0, pipe2(ends, O_NONBLOCK));
	/* The record does not fit into an empty pipe(2) either. */
	ASSERT_EQ(2 * PAGE_SIZE, fcntl(ends[1], F_SETPIPE_SZ, 2 * PAGE_SIZE));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	ASSERT_EQ(2 * PAGE_SIZE, write(long_fd, text, 2 * PAGE_SIZE));
	ASSERT_EQ(0, set_mode(long_fd, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(-EMSGSIZE, TRY(splice(long_fd, NULL, ends[1], NULL, 4 * PAGE_SIZE, SPLICE_F_NONBLOCK)));
	ASSERT_EQ(1, read(ends[0], &byte, 1));
	ASSERT_EQ(PAGE_SIZE, fcntl(ends[1], F_SETPIPE_SZ, PAGE_SIZE));
	EXPECT_EQ(1, stats_of(long_fd).depth_msgs);
	expect_destroyed(_metadata, long_fd);
	close(long_fd);
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_EQ(-EMSGSIZE, TRY(splice(self->nonblocking, NULL, ends[1], NULL, 71, 0)));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(-EAGAIN, TRY(splice(self->nonblocking, NULL, ends[1], NULL, PAGE_SIZE, SPLICE_F_NONBLOCK)));
	ASSERT_EQ(1, read(ends[0], &byte, 1));
	EXPECT_EQ(72, TRY(splice(self->nonblocking, NULL, ends[1], NULL, PAGE_SIZE, SPLICE_F_NONBLOCK)));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(own, io_uring_gets_records)
{
	static char bytes[PAGE_SIZE] __attribute__((aligned(8)));
	unsigned long long seq = next_seq(self->fd);
	struct kmsgpipe_record *record = (void *)bytes;
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ, .fd = self->nonblocking, .addr = (uintptr_t)bytes, .len = sizeof(bytes), .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(3, write_text(self->fd, "one"));
	ASSERT_EQ(9, write_text(self->fd, "two words"));
	EXPECT_EQ(1, ring_submit(&ring, &request));
	EXPECT_EQ(152, ring_complete(&ring));
	EXPECT_TRUE(is_record(record, seq, "one"));
	EXPECT_TRUE(is_record(next_record(record), seq + 1, "two words"));
	ring_close(&ring);
}

TEST_F(own, fionread_and_poll_agree_with_reads)
{
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(0, fionread(self->nonblocking));
	EXPECT_EQ(POLLOUT, poll_now(self->nonblocking));
	ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_EQ(72, fionread(self->nonblocking));
	ASSERT_EQ(9, write_text(self->fd, "two words"));
	EXPECT_EQ(152, fionread(self->nonblocking));
	EXPECT_EQ(1, fionread(self->fd));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->nonblocking));
	EXPECT_EQ(-EMSGSIZE, try_read(self->nonblocking, 71));
	EXPECT_EQ(152, try_read(self->nonblocking, 152));
}

/* ---- Other modes, and waiting ---- */

TEST_F(own, eof_read_of_an_empty_pipe_returns_zero)
{
	unsigned long long seq = next_seq(self->fd);

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS | KMSGPIPE_MODE_EOF));
	EXPECT_EQ(0, try_read(self->fd, 100));
	ASSERT_EQ(1, write_text(self->nonblocking, "x"));
	EXPECT_EQ(-EMSGSIZE, try_read(self->fd, 71));
	EXPECT_TRUE(READS(self->fd, seq, "x"));
	EXPECT_EQ(0, try_read(self->fd, 100));
}

TEST_F(own, a_rest_of_another_file_is_not_in_the_records)
{
	unsigned long long seq = next_seq(self->fd);
	int other = open_id(self->id, O_RDWR | O_NONBLOCK);

	ASSERT_EQ(7, write_text(self->fd, "message"));
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_STREQ("mess", read_text(other, 4));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	EXPECT_TRUE(READS(self->nonblocking, seq + 1, "next"));
	EXPECT_STREQ("age", read_text(other, 4));
	/* A file with a rest must read that before its mode can be set. */
	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_STREQ("mess", read_text(other, 4));
	EXPECT_EQ(-EBUSY, set_mode(other, KMSGPIPE_MODE_RECORDS));
	close(other);
}

TEST_F(own, an_expired_message_has_no_record)
{
	unsigned long long seq = next_seq(self->fd);
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3600000, .expiry_ms = 1 };

	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(3, write_text(self->fd, "old"));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	while (stats_of(self->fd).head_age_ns <= 1000000)
		sched_yield();
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 100));
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
	flush = (struct kmsgpipe_flush){ 0 };
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ASSERT_EQ(3, write_text(self->fd, "new"));
	EXPECT_TRUE(READS(self->nonblocking, seq + 1, "new"));
}

/* The read has no room for a record, and must not leave a rest, which only a read without records could get. */
TEST_F(own, a_mode_change_applies_to_a_waiting_read)
{
	char bytes[3];
	struct call call = read_call(self->fd, bytes, sizeof(bytes));

	start_call(&call);
	await_readers(self->nonblocking, 1);
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(7, write_text(self->nonblocking, "message"));
	EXPECT_EQ(-EMSGSIZE, finish_call(&call));
	EXPECT_EQ(0, rest_bytes(self->fd));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(0, set_mode(self->fd, 0));
}

TEST_F(own, waiting_reads_get_records_in_order)
{
	unsigned long long seq = next_seq(self->fd);
	pid_t children[2];
	int i;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	for (i = 0; i < 2; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(!READS(self->fd, seq + i, i ? "second" : "first"));
		/* Readers are served in FIFO order. */
		await_readers(self->nonblocking, i + 1);
	}
	ASSERT_EQ(5, write_text(self->nonblocking, "first"));
	EXPECT_EQ(0, exit_of(children[0]));
	ASSERT_EQ(6, write_text(self->nonblocking, "second"));
	EXPECT_EQ(0, exit_of(children[1]));
}

TEST_F(own, a_destroyed_pipe_is_enodev)
{
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(1, write_text(self->nonblocking, "x"));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, try_read(self->fd, 100));
	EXPECT_EQ(-ENODEV, write_text(self->fd, "not a message"));
}

TEST_HARNESS_MAIN
