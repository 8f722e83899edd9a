// SPDX-License-Identifier: GPL-2.0
/*
 * The rest of a message that an open file keeps: it belongs to the open file, it holds its slot, and it stays until
 * it is read or the file is closed.
 */
#include "lib/harness.h"
#include "lib/missing.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <signal.h>

#define MESSAGE "0123456789"

/* ---- Owner ---- */

TEST_F(own, a_rest_is_invisible_to_other_open_files)
{
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(self->fd, 4));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 100));
	EXPECT_EQ(0, rest_bytes(self->nonblocking));
	ASSERT_EQ(7, write_text(self->fd, "another"));
	EXPECT_STREQ("another", read_text(self->nonblocking, 100));
	EXPECT_STREQ("456789", read_text(self->fd, 100));
}

TEST_F(own, each_open_file_has_its_own_rest)
{
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(7, write_text(self->fd, "another"));
	EXPECT_STREQ("0123", read_text(self->fd, 4));
	EXPECT_STREQ("an", read_text(self->nonblocking, 2));
	EXPECT_EQ(6, rest_bytes(self->fd));
	EXPECT_EQ(5, rest_bytes(self->nonblocking));
	EXPECT_STREQ("45", read_text(self->fd, 2));
	EXPECT_STREQ("other", read_text(self->nonblocking, 100));
	EXPECT_STREQ("6789", read_text(self->fd, 100));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 100));
}

TEST_F(own, all_descriptors_of_an_open_file_share_the_rest)
{
	int copy = dup(self->fd);
	pid_t child;

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("012", read_text(self->fd, 3));
	EXPECT_EQ(7, rest_bytes(copy));
	EXPECT_STREQ("345", read_text(copy, 3));
	child = fork();
	if (!child)
		_exit(rest_bytes(self->fd) != 4 || strcmp("67", read_text(self->fd, 2)));
	ASSERT_EQ(0, exit_of(child));
	/* Closing one of two descriptors does not close the file. */
	close(copy);
	EXPECT_EQ(2, rest_bytes(self->fd));
	EXPECT_STREQ("89", read_text(self->fd, 100));
}

/*
 * The reader that is woken passes the wakeup on while it allocates memory for the rest. So either of the two may take
 * the message from the queue.
 */
TEST_F(own, a_sleeping_read_of_the_same_open_file_gets_the_rest)
{
	char pieces[2][5];
	struct call readers[] = { read_call(self->fd, pieces[0], 5), read_call(self->fd, pieces[1], 5) };
	int first;

	start_call(&readers[0]);
	await_readers(self->fd, 1);
	start_call(&readers[1]);
	await_readers(self->fd, 2);
	ASSERT_EQ(10, write_text(self->nonblocking, MESSAGE));
	EXPECT_EQ(5, finish_call(&readers[0]));
	EXPECT_EQ(5, finish_call(&readers[1]));
	first = pieces[0][0] != '0';
	EXPECT_EQ(0, memcmp(pieces[first], "01234", 5));
	EXPECT_EQ(0, memcmp(pieces[!first], "56789", 5));
}

TEST_F(own, a_sleeping_read_of_another_open_file_is_not_woken)
{
	int another = open_id(self->id, O_RDONLY);
	char next[100];
	struct call late = read_call(another, next, 100);

	ASSERT_EQ(10, write_text(self->nonblocking, MESSAGE));
	EXPECT_STREQ("0123", read_text(self->fd, 4));
	start_call(&late);
	await_readers(self->fd, 1);
	EXPECT_STREQ("45", read_text(self->fd, 2));
	EXPECT_EQ(1, stats_of(self->fd).waiting_readers);
	ASSERT_EQ(7, write_text(self->nonblocking, "another"));
	EXPECT_EQ(7, finish_call(&late));
	EXPECT_EQ(0, memcmp(next, "another", 7));
	EXPECT_STREQ("6789", read_text(self->fd, 100));
	close(another);
}

/* ---- Slot ---- */

TEST_F(own, a_rest_holds_its_slot_until_it_is_read)
{
	struct call late = write_call(self->fd, "late", 4);
	struct kmsgpipe_stats before;

	ASSERT_EQ(0, set_limits(self->fd, 256, 2));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(5, write_text(self->fd, "other"));
	EXPECT_STREQ("012", read_text(self->fd, 3));
	before = stats_of(self->fd);
	EXPECT_EQ(1, before.depth_msgs);
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(before.refused_full + 1, stats_of(self->fd).refused_full);
	EXPECT_EQ(POLLIN, poll_now(self->nonblocking));
	EXPECT_STREQ("3456", read_text(self->fd, 4));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(POLLIN, poll_now(self->nonblocking));
	/* Reading the last byte wakes a waiting writer. */
	start_call(&late);
	await_writers(self->fd, 1);
	EXPECT_STREQ("78", read_text(self->fd, 2));
	EXPECT_EQ(1, stats_of(self->fd).waiting_writers);
	EXPECT_STREQ("9", read_text(self->fd, 1));
	EXPECT_EQ(4, finish_call(&late));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	EXPECT_STREQ("other", read_text(self->fd, 100));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->nonblocking));
	EXPECT_STREQ("late", read_text(self->fd, 100));
}

TEST_F(own, each_rest_holds_a_slot)
{
	ASSERT_EQ(0, set_limits(self->fd, 256, 2));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(7, write_text(self->fd, "another"));
	EXPECT_STREQ("012", read_text(self->fd, 3));
	EXPECT_STREQ("an", read_text(self->nonblocking, 2));
	/* The queue is empty, and yet the pipe is full. */
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(2, debug_value(self->id, "rests"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(POLLIN, poll_now(self->nonblocking));
	EXPECT_STREQ("3456789", read_text(self->fd, 100));
	EXPECT_EQ(1, write_text(self->nonblocking, "x"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "y"));
	EXPECT_STREQ("other", read_text(self->nonblocking, 100));
	EXPECT_EQ(1, write_text(self->nonblocking, "y"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "z"));
	EXPECT_STREQ("x", read_text(self->fd, 100));
	EXPECT_STREQ("y", read_text(self->fd, 100));
	EXPECT_EQ(0, debug_value(self->id, "rests"));
}

/* The queue is empty, so that no message frees a slot by being read. */
TEST_F(own, a_larger_max_msgs_wakes_writers_beside_a_rest)
{
	struct call calls[2] = { write_call(self->fd, "one", 3), write_call(self->fd, "two", 3) };
	int fd = open_id(self->id, O_RDWR), i;

	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(fd, 4));
	ASSERT_EQ(0, poll_now(self->nonblocking));
	for (i = 0; i < 2; i++) {
		start_call(&calls[i]);
		await_writers(self->fd, i + 1);
	}
	ASSERT_EQ(0, set_limits(self->fd, 256, 4));
	EXPECT_EQ(3, finish_call(&calls[0]));
	EXPECT_EQ(3, finish_call(&calls[1]));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->nonblocking));
	EXPECT_STREQ("456789", read_text(fd, 100));
	close(fd);
}

TEST_F(own, close_discards_the_rest_and_frees_its_slot)
{
	struct call late = write_call(self->fd, "late", 4);
	int reading = open_id(self->id, O_RDONLY);
	struct kmsgpipe_stats before, after;

	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("012", read_text(reading, 3));
	before = stats_of(self->fd);
	start_call(&late);
	await_writers(self->fd, 1);
	close(reading);
	EXPECT_EQ(4, finish_call(&late));
	after = stats_of(self->fd);
	EXPECT_EQ(before.dequeued_msgs, after.dequeued_msgs);
	EXPECT_EQ(before.dequeued_bytes, after.dequeued_bytes);
	EXPECT_EQ(before.dropped_msgs, after.dropped_msgs);
	EXPECT_EQ(before.expired_msgs, after.expired_msgs);
	EXPECT_TRUE(accounted(&after));
	EXPECT_STREQ("late", read_text(self->nonblocking, 100));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 100));
}

TEST_F(own, killing_the_reader_discards_its_rest)
{
	int ready[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	if (!child) {
		int reading = open_id(self->id, O_RDONLY);

		if (try_read(reading, 3) != 3 || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	kill(child, SIGKILL);
	EXPECT_EQ(-1, exit_of(child));
	EXPECT_EQ(1, write_text(self->nonblocking, "x"));
	EXPECT_STREQ("x", read_text(self->nonblocking, 100));
	close(ready[0]);
	close(ready[1]);
}

/* ---- Expiry, clearing and destruction ---- */

TEST_F(own, a_rest_does_not_expire)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1, .expiry_ms = 1 };

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(5, write_text(self->fd, "other"));
	EXPECT_STREQ("012", read_text(self->fd, 3));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	await_depth(self->fd, 0);
	EXPECT_EQ(7, rest_bytes(self->fd));
	EXPECT_STREQ("3456789", read_text(self->fd, 100));
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
	EXPECT_EQ(5, stats_of(self->fd).expired_bytes);
}

TEST_F(own, clear_queue_does_not_discard_a_rest)
{
	ASSERT_EQ(0, set_limits(self->fd, 256, 2));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(5, write_text(self->fd, "other"));
	EXPECT_STREQ("012", read_text(self->fd, 3));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(1, stats_of(self->fd).dropped_msgs);
	EXPECT_EQ(5, stats_of(self->fd).dropped_bytes);
	/* The slot is not free either. */
	EXPECT_EQ(1, write_text(self->nonblocking, "x"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "y"));
	EXPECT_STREQ("3456789", read_text(self->fd, 100));
	EXPECT_STREQ("x", read_text(self->fd, 100));
}

TEST_F(own, destroy_discards_a_rest)
{
	char bytes[100];
	struct iovec iov = { bytes, 100 };
	int ends[2], number;

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("012", read_text(self->fd, 3));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, TRY(read(self->fd, bytes, 100)));
	EXPECT_EQ(-ENODEV, TRY(readv(self->fd, &iov, 1)));
	EXPECT_EQ(-ENODEV, TRY(splice(self->fd, NULL, ends[1], NULL, 100, 0)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(self->fd, FIONREAD, &number)));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP | POLLERR, poll_now(self->fd));
	close(ends[0]);
	close(ends[1]);
}

/* ---- Page faults ---- */

TEST_F(own, a_read_in_a_page_fault_does_not_stall_other_files)
{
	int reading = open_id(self->id, O_RDONLY), uffd, turn;
	struct call hanging;
	char *missing;

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("012", read_text(reading, 3));
	/* Once while it reads a rest, and once while it reads the beginning of a message. */
	for (turn = 0; turn < 2; turn++) {
		uffd = missing_page(&missing);
		hanging = read_call(reading, missing, 4);
		start_call(&hanging);
		await_fault(uffd);
		if (turn) {
			/* The message is still in the queue for other files. */
			EXPECT_STREQ(MESSAGE, read_text(self->nonblocking, 100));
			ASSERT_EQ(7, write_text(self->fd, "another"));
		} else {
			ASSERT_EQ(5, write_text(self->fd, "other"));
			EXPECT_STREQ("other", read_text(self->nonblocking, 100));
		}
		resolve_fault(uffd, missing);
		EXPECT_EQ(4, finish_call(&hanging));
		EXPECT_EQ(0, memcmp(missing, turn ? "anot" : "3456", 4));
		EXPECT_STREQ(turn ? "her" : "789", read_text(reading, 100));
		ASSERT_EQ(10, write_text(self->fd, MESSAGE));
		close(uffd);
	}
	EXPECT_STREQ(MESSAGE, read_text(self->fd, 100));
	close(reading);
}

/* ---- Many readers ---- */

#define SHARING 4

/* Threads that share one open file, or each have their own. */
struct sharing {
	long id;
	int fd;
	int over;
	unsigned long seed;
	/* With a shared file: how often each byte was received. */
	unsigned long of[256];
	/* With separate files: the whole messages that were received. */
	unsigned long messages, bytes;
	unsigned long wrong;
};

static void *read_pieces(void *arg)
{
	struct sharing *sharing = arg;
	unsigned long long chance = __atomic_add_fetch(&sharing->seed, 0x9e3779b9, __ATOMIC_SEQ_CST);
	unsigned char bytes[64];
	int over;
	long ret, i;

	for (;;) {
		over = __atomic_load_n(&sharing->over, __ATOMIC_ACQUIRE);
		ret = TRY(read(sharing->fd, bytes, 1 + pick(&chance, sizeof(bytes))));
		if (ret == -EAGAIN && over)
			return NULL;
		if (ret == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (ret <= 0) {
			__atomic_add_fetch(&sharing->wrong, 1, __ATOMIC_SEQ_CST);
			return NULL;
		}
		for (i = 0; i < ret; i++) {
			__atomic_add_fetch(&sharing->of[bytes[i]], 1, __ATOMIC_SEQ_CST);
			/* All bytes of one read are of one message. */
			if (bytes[i] != bytes[0] + i)
				__atomic_add_fetch(&sharing->wrong, 1, __ATOMIC_SEQ_CST);
		}
	}
}

TEST_F_TIMEOUT(own, tasks_that_share_a_file_get_each_byte_once, 120)
{
	struct sharing sharing = { .fd = self->nonblocking, .seed = new_seed() };
	unsigned long messages = scaled(5000), i;
	unsigned char message[256];
	pthread_t threads[SHARING];

	TH_LOG("seed %lu", sharing.seed);
	for (i = 0; i < 256; i++)
		message[i] = i;
	for (i = 0; i < SHARING; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_pieces, &sharing));
	for (i = 0; i < messages; i++)
		ASSERT_EQ(256, write(self->fd, message, 256));
	__atomic_store_n(&sharing.over, 1, __ATOMIC_RELEASE);
	for (i = 0; i < SHARING; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, sharing.wrong);
	for (i = 0; i < 256; i++)
		EXPECT_EQ(messages, sharing.of[i]);
	EXPECT_EQ(messages, stats_of(self->fd).dequeued_msgs);
	EXPECT_EQ(0, rest_bytes(self->nonblocking));
}

/*
 * The first byte of a message is its length, and the others follow from it; a message of one byte tells the reader to
 * stop.
 */
static void *read_messages(void *arg)
{
	struct sharing *sharing = arg;
	unsigned long long chance = __atomic_add_fetch(&sharing->seed, 0x9e3779b9, __ATOMIC_SEQ_CST);
	int fd = open_id(sharing->id, O_RDONLY);
	unsigned char bytes[256], len;
	size_t at, i;
	long ret;

	for (;;) {
		if (read(fd, &len, 1) != 1 || !len)
			break;
		if (len == 1) {
			close(fd);
			return NULL;
		}
		for (at = 1; at < len; at += ret) {
			size_t most = 1 + pick(&chance, 100);

			ret = TRY(read(fd, bytes, most));
			if (ret != (long)(len - at < most ? len - at : most))
				break;
			for (i = 0; i < (size_t)ret; i++)
				if (bytes[i] != (unsigned char)(len + at + i))
					break;
			if (i < (size_t)ret)
				break;
		}
		if (at != len)
			break;
		__atomic_add_fetch(&sharing->messages, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&sharing->bytes, len, __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&sharing->wrong, 1, __ATOMIC_SEQ_CST);
	close(fd);
	return NULL;
}

TEST_F_TIMEOUT(own, tasks_with_files_of_their_own_get_whole_messages, 120)
{
	struct sharing sharing = { .id = self->id, .seed = new_seed() };
	unsigned long messages = scaled(5000), bytes = 0, i, k;
	unsigned long long chance = sharing.seed;
	unsigned char message[256];
	pthread_t threads[SHARING];

	TH_LOG("seed %lu", sharing.seed);
	/* Rests hold slots: with fewer slots than readers, some readers wait for others. */
	ASSERT_EQ(0, set_limits(self->fd, 256, SHARING - 1));
	for (i = 0; i < SHARING; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_messages, &sharing));
	for (i = 0; i < messages; i++) {
		size_t len = 2 + pick(&chance, 254);

		message[0] = len;
		for (k = 1; k < len; k++)
			message[k] = len + k;
		ASSERT_EQ(len, write(self->fd, message, len));
		bytes += len;
	}
	message[0] = 1;
	for (i = 0; i < SHARING; i++)
		ASSERT_EQ(1, write(self->fd, message, 1));
	for (i = 0; i < SHARING; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, sharing.wrong);
	EXPECT_EQ(messages, sharing.messages);
	EXPECT_EQ(bytes, sharing.bytes);
}

TEST_HARNESS_MAIN
