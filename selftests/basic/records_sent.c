// SPDX-License-Identifier: GPL-2.0
/* Writes with KMSGPIPE_MODE_RECORDS: one or more messages, each after a header. Reads are tested in records.c. */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/signals.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <stddef.h>
#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <signal.h>
#include <sys/wait.h>

/* The buffer that writes are composed in. */
static char sent[1 << 20] __attribute__((aligned(8)));

/* The size of the three messages of three(). */
#define THREE (32 + 40 + 32)

static size_t three(void)
{
	return put_words(put_words(put_words(sent, "one"), "two words"), "three") - sent;
}

FIXTURE(sender)
{
	long id;
	/* A file in the mode RECORDS. */
	int fd;
	/* A file in no mode, with O_NONBLOCK. */
	int plain;
};

/* With spare memory the pipe takes the fast path; without it, each message takes the path of a plain write. */
FIXTURE_VARIANT(sender)
{
	int has_memory;
};

FIXTURE_VARIANT_ADD(sender, pipe_without_memory) {};
FIXTURE_VARIANT_ADD(sender, pipe_with_spare_memory) { .has_memory = 1 };

FIXTURE_SETUP(sender)
{
	struct kmsgpipe_create create = default_pipe();

	self->id = create_pipe(&create);
	ASSERT_LE(1, self->id);
	self->fd = open_id(self->id, O_RDWR);
	self->plain = open_id(self->id, O_RDWR | O_NONBLOCK);
	if (variant->has_memory) {
		ASSERT_EQ(1, write(self->plain, "x", 1));
		ASSERT_EQ(1, try_read(self->plain, 1));
	}
	ASSERT_EQ(variant->has_memory, debug_value(self->id, "segments") > 0);
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
}

FIXTURE_TEARDOWN(sender)
{
	expect_gone(_metadata, self->fd);
	close(self->plain);
	close(self->fd);
}

/* ---- Accepted writes ---- */

TEST_F(sender, each_message_of_a_write_is_queued)
{
	ASSERT_EQ(THREE, three());
	EXPECT_EQ(THREE, write(self->fd, sent, THREE));
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(17, stats_of(self->fd).depth_bytes);
	EXPECT_EQ(3, fdinfo_number(self->fd, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(17, fdinfo_number(self->fd, "kmsgpipe-sent-bytes"));
	EXPECT_STREQ("one", read_text(self->plain, 100));
	EXPECT_STREQ("two words", read_text(self->plain, 100));
	EXPECT_STREQ("three", read_text(self->plain, 100));
	EXPECT_EQ(-EAGAIN, try_read(self->plain, 100));
}

TEST_F(sender, messages_written_as_records_are_read_as_records)
{
	static char got[PAGE_SIZE] __attribute__((aligned(8)));
	unsigned long long seq = stats_of(self->fd).enqueued_msgs + 1;
	struct kmsgpipe_record *record = (void *)got;

	ASSERT_EQ(THREE, write(self->fd, sent, three()));
	ASSERT_EQ(72 + 80 + 72, read(self->fd, got, sizeof(got)));
	EXPECT_TRUE(is_record(record, seq, "one"));
	record = next_record(record);
	EXPECT_TRUE(is_record(record, seq + 1, "two words"));
	record = next_record(record);
	EXPECT_TRUE(is_record(record, seq + 2, "three"));
	EXPECT_EQ(getpid(), record->pid);
	EXPECT_LE(((struct kmsgpipe_record *)got)->monotonic_ns, record->monotonic_ns);
}

TEST_F_TIMEOUT(sender, messages_of_every_length_are_read_back_in_order, 240)
{
	/* Messages that end in a page, with it, and after it. */
	static const size_t lengths[] = { 1, 7, 8, 9, 255, 4064, 4065, 4071, 4072, 4073, 8192, 65536 };
	int reader = open_id(limited_pipe(65536, 64), O_RDWR | O_NONBLOCK), fd = open_id(stats_of(reader).id, O_WRONLY);
	static char payload[65536], got[65536];
	char *at;
	size_t i, k;

	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		at = put_message(sent, payload, numbered(payload, i, lengths[i]));
		ASSERT_EQ(at - sent, write(fd, sent, at - sent)) TH_LOG("%zu bytes", lengths[i]);
		for (k = 0; k < ARRAY_SIZE(lengths); k++)
			at = put_message(at, payload, numbered(payload, k, lengths[k]));
		ASSERT_EQ(at - sent - (ssize_t)send_size(lengths[i]),
			  write(fd, sent + send_size(lengths[i]), at - sent - send_size(lengths[i])));
		ASSERT_EQ(lengths[i], read(reader, got, sizeof(got)));
		ASSERT_TRUE(is_numbered(got, i, lengths[i]));
		for (k = 0; k < ARRAY_SIZE(lengths); k++) {
			ASSERT_EQ(lengths[k], read(reader, got, sizeof(got)));
			ASSERT_TRUE(is_numbered(got, k, lengths[k]));
		}
	}
	expect_destroyed(_metadata, reader);
	close(fd);
	close(reader);
}

TEST_F(sender, each_message_has_the_sender_of_its_write)
{
	static char got[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)got;
	pid_t child = fork();
	int i;

	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		_exit(write(self->fd, sent, three()) != THREE);
	}
	ASSERT_EQ(0, exit_of(child));
	ASSERT_EQ(72 + 80 + 72, read(self->fd, got, sizeof(got)));
	for (i = 0; i < 3; i++, record = next_record(record)) {
		EXPECT_EQ(34, record->uid);
		EXPECT_EQ(12, record->gid);
		EXPECT_EQ(child, record->pid);
		EXPECT_EQ(KMSGPIPE_RECORD_PRIVILEGED, record->flags);
	}
}

TEST_F(sender, every_write_call_takes_records)
{
	struct iovec iov[] = { { sent, 10 }, { sent + 10, 0 }, { sent + 10, 30 }, { sent + 40, THREE - 40 } };
	struct io_uring_sqe request = {
		.opcode = IORING_OP_WRITE, .fd = self->fd, .addr = (uintptr_t)sent, .len = THREE, .off = -1,
	};
	struct ring ring;
	int ends[2];

	ring_open(&ring);
	ASSERT_EQ(0, pipe(ends));
	three();
	EXPECT_EQ(THREE, writev(self->fd, iov, 4));
	EXPECT_EQ(THREE, pwritev2(self->fd, iov, 4, -1, RWF_NOWAIT));
	EXPECT_EQ(1, ring_submit(&ring, &request));
	EXPECT_EQ(THREE, ring_complete(&ring));
	ASSERT_EQ(THREE, write(ends[1], sent, THREE));
	EXPECT_EQ(THREE, splice(ends[0], NULL, self->fd, NULL, PAGE_SIZE, 0));
	EXPECT_EQ(12, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, write(self->fd, sent, 0));
	EXPECT_EQ(12, stats_of(self->fd).depth_msgs);
	close(ends[0]);
	close(ends[1]);
	ring_close(&ring);
}

/* ---- Refused writes ---- */

/* Whether a write of `len` bytes fails with this error and queues nothing, not even its valid messages. */
static int refused(int fd, long expected, size_t len)
{
	struct kmsgpipe_stats before = state_of(fd);
	long got = TRY(write(fd, sent, len));

	if (expected == -EMSGSIZE)
		before.refused_size++;
	return got == expected && unchanged(&before, fd);
}

TEST_F(sender, a_truncated_message_is_einval)
{
	size_t len;

	three();
	for (len = 1; len < THREE; len++)
		if (len != 32 && len != 72)
			EXPECT_TRUE(refused(self->fd, -EINVAL, len)) TH_LOG("%zu bytes", len);
	memset(sent + THREE, 0, 8);
	EXPECT_TRUE(refused(self->fd, -EINVAL, THREE + 8));
}

TEST_F(sender, nonzero_reserved_fields_or_length_zero_are_einval)
{
	struct kmsgpipe_send *send = (void *)(sent + 32);
	size_t i;

	for (i = 4; i < sizeof(*send); i++) {
		/* A time to live is allowed: the program ttl tests it. The pipe has one priority, so another is not. */
		if (i >= offsetof(struct kmsgpipe_send, ttl_ns) && i < offsetof(struct kmsgpipe_send, priority))
			continue;
		three();
		sent[32 + i] = 1;
		EXPECT_TRUE(refused(self->fd, -EINVAL, THREE)) TH_LOG("byte %zu", i);
	}
	three();
	send->len = 0;
	EXPECT_TRUE(refused(self->fd, -EINVAL, THREE));
}

TEST_F(sender, nonzero_padding_is_einval)
{
	size_t i;

	/* The padding of "two words" is seven bytes. */
	for (i = 65; i < 72; i++) {
		three();
		sent[i] = 1;
		EXPECT_TRUE(refused(self->fd, -EINVAL, THREE)) TH_LOG("byte %zu", i);
	}
}

TEST_F(sender, a_message_that_is_too_long_is_emsgsize)
{
	static const char payload[65536];
	static const unsigned int lens[] = { 257, 4096, 1U << 20, 1U << 31, ~0U };
	struct kmsgpipe_send *second;
	char *end;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		end = put_message(put_words(sent, "good"), payload, 300);
		second = (void *)(sent + 32);
		second->len = lens[i];
		EXPECT_TRUE(refused(self->fd, -EMSGSIZE, end - sent)) TH_LOG("%u", lens[i]);
	}
	/* A write of more than a page. */
	end = put_message(put_words(sent, "good"), payload, 5000);
	EXPECT_TRUE(refused(self->fd, -EMSGSIZE, end - sent));
	end = put_message(sent, payload, 256);
	EXPECT_EQ(280, write(self->fd, sent, end - sent));
}

TEST_F(sender, a_bad_message_on_the_last_of_many_pages_is_einval)
{
	char *at = sent;
	size_t i;

	for (i = 0; i < 100; i++)
		at = put_message(at, sent + (1 << 19), 200);
	/* The padding, the header, and the length of the last message. */
	at = put_words(at, "good");
	at[-1] = 1;
	EXPECT_TRUE(refused(self->fd, -EINVAL, at - sent));
	at[-1] = 0;
	at[-28] = 1;
	EXPECT_TRUE(refused(self->fd, -EINVAL, at - sent));
	at[-28] = 0;
	EXPECT_TRUE(refused(self->fd, -EINVAL, at - sent - 1));
	EXPECT_TRUE(refused(self->fd, -EINVAL, at - sent - 9));
	EXPECT_EQ(at - sent, write(self->fd, sent, at - sent));
	EXPECT_EQ(101, stats_of(self->fd).depth_msgs);
}

TEST_F(sender, bad_memory_is_efault)
{
	struct kmsgpipe_stats before = state_of(self->fd);
	char *end = page_end();

	three();
	memcpy(end - 100, sent, 100);
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, end - 100, THREE)));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, THREE)));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 2 * PAGE_SIZE)));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, end - 8, 2 * PAGE_SIZE)));
	EXPECT_TRUE(unchanged(&before, self->fd));
}

/* ---- Full pipes ---- */

/* Fills the pipe except for `slots` slots. */
static void leave_room(int fd, unsigned int slots)
{
	unsigned int i;

	for (i = stats_of(fd).depth_msgs; i < KMSGPIPE_MAX_MSGS_DEFAULT - slots; i++)
		if (write(fd, "x", 1) != 1)
			abort();
}

TEST_F(sender, a_nonblocking_write_accepts_the_messages_that_fit)
{
	unsigned int room;

	for (room = 0; room <= 3; room++) {
		static const long accepted[] = { -EAGAIN, 32, 72, THREE };

		leave_room(self->plain, room);
		three();
		EXPECT_EQ(accepted[room], TRY(pwritev2(self->fd, &(struct iovec){ sent, THREE }, 1, -1, RWF_NOWAIT)))
			TH_LOG("%u", room);
		EXPECT_EQ(128, stats_of(self->fd).depth_msgs);
		ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	}
	/* A write of which some messages were accepted is not counted as refused. */
	EXPECT_EQ(1, stats_of(self->fd).refused_full);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_TOGGLE_BLOCK));
	leave_room(self->plain, 1);
	EXPECT_EQ(32, write(self->fd, sent, THREE));
	EXPECT_EQ(1, stats_of(self->fd).refused_full);
	EXPECT_EQ(-EAGAIN, TRY(write(self->fd, sent, THREE)));
	EXPECT_EQ(2, stats_of(self->fd).refused_full);
}

/* There is spare memory for one more message, but no slot. */
TEST_F(sender, a_message_without_a_slot_is_eagain)
{
	int fd = open_id(limited_pipe(256, 2), O_RDWR | O_NONBLOCK);

	ASSERT_EQ(3, write_text(fd, "one"));
	ASSERT_EQ(3, write_text(fd, "two"));
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	three();
	EXPECT_EQ(-EAGAIN, TRY(write(fd, sent, send_size(3))));
	EXPECT_EQ(-EAGAIN, TRY(write(fd, sent, THREE)));
	EXPECT_EQ(2, stats_of(fd).depth_msgs);
	EXPECT_EQ(2, stats_of(fd).refused_full);
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(sender, a_blocking_write_waits_until_all_are_accepted)
{
	struct call call = write_call(self->fd, sent, THREE);
	unsigned int i;

	leave_room(self->plain, 1);
	three();
	start_call(&call);
	for (i = 0; i < 2; i++) {
		await_writers(self->plain, 1);
		EXPECT_EQ(128, stats_of(self->plain).depth_msgs);
		EXPECT_STREQ("x", read_text(self->plain, 100));
	}
	EXPECT_EQ(THREE, finish_call(&call));
	EXPECT_EQ(128, stats_of(self->plain).depth_msgs);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

TEST_F(sender, a_signal_makes_a_short_write)
{
	unsigned int room;

	on_sigusr1(0);
	for (room = 0; room < 3; room++) {
		static const long accepted[] = { -EINTR, 32, 72 };
		struct call call = write_call(self->fd, sent, THREE);

		leave_room(self->plain, room);
		three();
		start_call(&call);
		await_writers(self->plain, 1);
		pthread_kill(call.thread, SIGUSR1);
		EXPECT_EQ(accepted[room], finish_call(&call)) TH_LOG("%u", room);
		EXPECT_EQ(128, stats_of(self->plain).depth_msgs);
		ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	}
}

TEST_F(sender, destroy_makes_a_short_write)
{
	struct call call = write_call(self->fd, sent, THREE);

	leave_room(self->plain, 1);
	three();
	start_call(&call);
	await_writers(self->plain, 1);
	ASSERT_EQ(0, ioctl(self->plain, KMSGPIPE_DESTROY));
	EXPECT_EQ(32, finish_call(&call));
	EXPECT_EQ(-ENODEV, TRY(write(self->fd, sent, THREE)));
	EXPECT_EQ(-ENODEV, TRY(write(self->fd, sent, 2 * PAGE_SIZE)));
}

/* io_uring tries without waiting and takes a short write for the result: it does not retry the rest. */
TEST_F(sender, io_uring_accepts_the_messages_that_fit)
{
	struct io_uring_sqe request = {
		.opcode = IORING_OP_WRITE, .fd = self->fd, .addr = (uintptr_t)sent, .len = THREE, .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	leave_room(self->plain, 2);
	three();
	EXPECT_EQ(1, ring_submit(&ring, &request));
	EXPECT_EQ(72, ring_complete(&ring));
	ring_close(&ring);
}

/*
 * A write of more than a page reads each header twice. A message that is too long by then ends the call, and does not
 * count as refused.
 */
TEST_F(sender, a_smaller_msg_size_makes_a_short_write)
{
	struct kmsgpipe_send *third = (void *)(sent + 2 * send_size(3));
	size_t len = 0, i;
	struct call call;

	leave_room(self->plain, 1);
	for (i = 0; i < 200; i++)
		len += put_words(sent + len, "one") - (sent + len);
	ASSERT_LT(PAGE_SIZE, len);
	call = write_call(self->fd, sent, len);
	start_call(&call);
	await_writers(self->plain, 1);
	third->len = 257;
	/* Two messages are read, so that there would be a slot for the third one as well. */
	EXPECT_LT(0, try_read(self->plain, 256));
	EXPECT_LT(0, try_read(self->plain, 256));
	EXPECT_EQ(2 * send_size(3), finish_call(&call));
	EXPECT_EQ(0, stats_of(self->plain).refused_size);
	/* A message that is too long from the start is refused. */
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, sent, len)));
	EXPECT_EQ(1, stats_of(self->plain).refused_size);
}

/* The bounce pages for records, one for each direction, stay with the pipe when a write fails. */
TEST_F(sender, a_failed_write_leaves_spare_memory_for_the_next)
{
	struct call call = write_call(self->fd, sent, THREE);

	ASSERT_EQ(2, debug_value(self->id, "spare_segments"));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, THREE)));
	EXPECT_EQ(2, debug_value(self->id, "spare_segments"));
	memset(sent, 1, THREE);
	EXPECT_EQ(-EINVAL, TRY(write(self->fd, sent, THREE)));
	EXPECT_EQ(2, debug_value(self->id, "spare_segments"));
	/* A write that waits keeps the page for writes. */
	leave_room(self->plain, 0);
	three();
	start_call(&call);
	await_writers(self->plain, 1);
	EXPECT_EQ(1, debug_value(self->id, "spare_segments"));
	ASSERT_EQ(0, ioctl(self->plain, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(THREE, finish_call(&call));
	EXPECT_LE(2, debug_value(self->id, "spare_segments"));
}

/* Two concurrent writes to one open file, for which the pipe has one page. */
TEST_F(sender, concurrent_writes_to_one_file_do_not_mix)
{
	struct call calls[2];
	char got[100];
	int i, k;

	leave_room(self->plain, 0);
	three();
	for (i = 0; i < 2; i++) {
		calls[i] = write_call(self->fd, sent, THREE);
		start_call(&calls[i]);
		await_writers(self->plain, i + 1);
	}
	ASSERT_EQ(0, ioctl(self->plain, KMSGPIPE_CLEAR_QUEUE));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(THREE, finish_call(&calls[i]));
	EXPECT_EQ(6, stats_of(self->plain).depth_msgs);
	for (i = 0, k = 0; i < 6; i++) {
		ASSERT_LT(0, read(self->plain, got, sizeof(got)));
		k += *got == 'o';
	}
	EXPECT_EQ(2, k);
}

/* ---- Wakeups ---- */

TEST_F(sender, a_reader_is_woken_and_wakes_the_next)
{
	struct call calls[3];
	char bytes[3][100];
	int i;

	/* Blocking files in no mode. */
	ASSERT_EQ(0, ioctl(self->plain, KMSGPIPE_TOGGLE_BLOCK));
	for (i = 0; i < 3; i++) {
		calls[i] = read_call(self->plain, bytes[i], 100);
		start_call(&calls[i]);
		await_readers(self->plain, i + 1);
	}
	ASSERT_EQ(THREE, write(self->fd, sent, three()));
	EXPECT_EQ(3, finish_call(&calls[0]));
	EXPECT_EQ(9, finish_call(&calls[1]));
	EXPECT_EQ(5, finish_call(&calls[2]));
}

static int write_three(int fd)
{
	return write(fd, sent, three()) == THREE;
}

/* Several messages wake all pollers that wait exclusively. */
TEST_F(sender, several_messages_wake_two_exclusive_epolls)
{
	expect_two_woken(_metadata, self->fd, EPOLLIN, 1, write_three);
}

TEST_HARNESS_MAIN
