// SPDX-License-Identifier: GPL-2.0
/*
 * KMSGPIPE_MODE_LINES: each line of a write is a message. Lengths, room, waiting and signals. The partial line
 * between two writes is tested in lines_kept.c.
 */
#include "lib/harness.h"
#include "lib/lines_fixture.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/ring.h"
#include "lib/signals.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <signal.h>

/* ---- Splitting ---- */

TEST_F(lines, each_line_is_a_message_with_its_newline)
{
	EXPECT_EQ(14, write_text(self->fd, "one\ntwo\n\nfour\n"));
	EXPECT_EQ(4, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(14, stats_of(self->fd).depth_bytes);
	EXPECT_EQ(0, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "one\n", "two\n", "\n", "four\n");
}

TEST_F(lines, other_bytes_do_not_end_a_line)
{
	static const char text[] = "a\0b\r\n\0\n\377\n";
	char got[LONGEST];

	EXPECT_EQ(9, write(self->fd, text, 9));
	EXPECT_EQ(5, read(self->reading, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, text, 5));
	EXPECT_EQ(2, read(self->reading, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, text + 5, 2));
	EXPECT_EQ(2, read(self->reading, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, text + 7, 2));
}

TEST_F(lines, files_in_other_modes_are_not_split)
{
	EXPECT_EQ(8, write_text(self->plain, "one\ntwo\n"));
	EXPECT_EQ(4, write_text(self->fd, "a\nb\n"));
	EXPECT_MESSAGES(self, "one\ntwo\n", "a\n", "b\n");
}

TEST_F(lines, a_partial_line_is_continued_by_the_next_write)
{
	EXPECT_EQ(6, write_text(self->fd, "one\ntw"));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(4, stats_of(self->fd).depth_bytes);
	EXPECT_EQ(2, line_bytes(self->fd));
	EXPECT_EQ(5, write_text(self->fd, "o\nthr"));
	EXPECT_EQ(3, line_bytes(self->fd));
	EXPECT_EQ(1, write_text(self->fd, "e"));
	EXPECT_EQ(1, write_text(self->fd, "e"));
	EXPECT_EQ(5, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "one\n", "two\n");
	EXPECT_EQ(1, write_text(self->fd, "\n"));
	EXPECT_EQ(0, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "three\n");
}

TEST_F(lines, a_text_cut_at_any_offset_gives_the_same_lines)
{
	static const char text[] = "a\nsecond line\n\nfour\n";
	const size_t len = sizeof(text) - 1;
	size_t cut, at, kept, i;

	for (cut = 1; cut <= len; cut++) {
		for (at = 0, kept = 0; at < len; at += cut) {
			size_t some = len - at < cut ? len - at : cut;

			ASSERT_EQ(some, write(self->nonblocking, text + at, some)) TH_LOG("%zu of %zu", at, cut);
			for (i = at; i < at + some; i++)
				kept = text[i] == '\n' ? 0 : kept + 1;
			ASSERT_EQ(kept, line_bytes(self->nonblocking)) TH_LOG("%zu of %zu", at, cut);
		}
		EXPECT_MESSAGES(self, "a\n", "second line\n", "\n", "four\n");
	}
}

TEST_F(lines, segments_of_a_writev_are_one_text)
{
	struct iovec iov[] = { { "on", 2 }, { "", 0 }, { "e\ntw", 4 }, { bad_address, 0 }, { "o\nend", 5 } };

	EXPECT_EQ(11, writev(self->fd, iov, 5));
	EXPECT_EQ(3, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "one\n", "two\n");
}

TEST_F(lines, each_line_counts_as_a_message)
{
	struct kmsgpipe_stats stats;

	ASSERT_EQ(6, write_text(self->fd, "one\ntw"));
	stats = stats_of(self->fd);
	EXPECT_EQ(1, stats.enqueued_msgs);
	EXPECT_EQ(4, stats.enqueued_bytes);
	EXPECT_EQ(1, fdinfo_number(self->fd, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(4, fdinfo_number(self->fd, "kmsgpipe-sent-bytes"));
	ASSERT_EQ(9, write_text(self->fd, "o\nthree\nf"));
	stats = stats_of(self->fd);
	EXPECT_EQ(3, stats.enqueued_msgs);
	EXPECT_EQ(14, stats.enqueued_bytes);
	EXPECT_EQ(3, fdinfo_number(self->fd, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(14, fdinfo_number(self->fd, "kmsgpipe-sent-bytes"));
}

TEST_F(lines, a_write_of_no_bytes_changes_nothing)
{
	struct kmsgpipe_stats before;
	struct iovec none[] = { { "", 0 }, { bad_address, 0 } };
	int turn;

	ASSERT_EQ(2, write_text(self->fd, "ab"));
	for (turn = 0; turn < 2; turn++) {
		before = state_of(self->fd);
		EXPECT_EQ(0, TRY(write(self->fd, "", 0)));
		EXPECT_EQ(0, TRY(write(self->fd, NULL, 0)));
		EXPECT_EQ(0, TRY(writev(self->fd, none, 2)));
		EXPECT_TRUE(unchanged(&before, self->fd));
		EXPECT_EQ(2, line_bytes(self->fd));
		/* In the second turn the pipe is full. */
		fill(self->plain);
	}
}

TEST_F(lines, bad_memory_changes_nothing)
{
	char *end = page_end();
	struct kmsgpipe_stats before;

	ASSERT_EQ(2, write_text(self->fd, "ab"));
	before = state_of(self->fd);
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 4)));
	memcpy(end - 2, "cd", 2);
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, end - 2, 4)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(2, line_bytes(self->fd));
	EXPECT_EQ(1, write_text(self->fd, "\n"));
	EXPECT_MESSAGES(self, "ab\n");
}

/* ---- Lengths ---- */

TEST_F(lines, a_line_may_be_as_long_as_msg_size)
{
	EXPECT_EQ(16, write_text(self->fd, "0123456789abcde\n"));
	EXPECT_EQ(20, write_text(self->fd, "one\n0123456789abcde\n"));
	EXPECT_EQ(14, write_text(self->fd, "0123456789abcd"));
	EXPECT_EQ(2, write_text(self->fd, "e\n"));
	EXPECT_MESSAGES(self, "0123456789abcde\n", "one\n", "0123456789abcde\n", "0123456789abcde\n");
}

TEST_F(lines, a_first_line_that_is_too_long_is_emsgsize)
{
	static const char *const texts[] = {
		"0123456789abcdef\n", "0123456789abcdef\none\n", "0123456789abcdefg", "0123456789abcdef0123456789abcdef\n",
	};
	struct kmsgpipe_stats before = state_of(self->fd), after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		EXPECT_EQ(-EMSGSIZE, write_text(self->fd, texts[i]));
	after = state_of(self->fd);
	EXPECT_EQ(before.refused_size + i, after.refused_size);
	after.refused_size = before.refused_size;
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(0, line_bytes(self->fd));
	/* The partial line counts, too. */
	ASSERT_EQ(2, write_text(self->fd, "ab"));
	EXPECT_EQ(-EMSGSIZE, write_text(self->fd, "0123456789abcd\n"));
	EXPECT_EQ(-EMSGSIZE, write_text(self->fd, "0123456789abcde"));
	EXPECT_EQ(2, line_bytes(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).enqueued_msgs);
	/* With free slots and without. */
	fill(self->plain);
	EXPECT_EQ(-EMSGSIZE, write_text(self->fd, "0123456789abcd\n"));
	EXPECT_EQ(-EMSGSIZE, write_text(self->nonblocking, "0123456789abcdef\n"));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(14, write_text(self->fd, "0123456789abc\n"));
	EXPECT_MESSAGES(self, "ab0123456789abc\n");
}

TEST_F(lines, a_partial_line_of_msg_size_bytes_cannot_be_ended)
{
	ASSERT_EQ(16, write_text(self->fd, "0123456789abcdef"));
	EXPECT_EQ(-EMSGSIZE, write_text(self->fd, "\n"));
	EXPECT_EQ(-EMSGSIZE, write_text(self->fd, "x"));
	EXPECT_EQ(16, line_bytes(self->fd));
	close(self->fd);
	EXPECT_MESSAGES(self, "0123456789abcdef");
	self->fd = open_id(self->id, O_RDWR);
}

TEST_F(lines, a_later_line_that_is_too_long_makes_a_short_write)
{
	struct kmsgpipe_stats before = stats_of(self->fd);

	EXPECT_EQ(4, write_text(self->fd, "one\n0123456789abcdef\ntwo\n"));
	EXPECT_EQ(0, line_bytes(self->fd));
	EXPECT_EQ(6, write_text(self->fd, "a\n\nbc\n0123456789abcdefg"));
	EXPECT_EQ(0, line_bytes(self->fd));
	EXPECT_EQ(before.refused_size, stats_of(self->fd).refused_size);
	EXPECT_MESSAGES(self, "one\n", "a\n", "\n", "bc\n");
	ASSERT_EQ(2, write_text(self->fd, "ab"));
	EXPECT_EQ(2, write_text(self->fd, "c\n0123456789abcdef\n"));
	EXPECT_EQ(0, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "abc\n");
}

TEST_F(lines, lines_of_several_pages_arrive_whole)
{
	static char text[12288], got[12288];
	long id = limited_pipe(12288, 2);
	int fd = open_for_lines(id, O_RDWR | O_NONBLOCK);
	size_t at;

	for (at = 0; at < 10000; at++)
		text[at] = 'a' + at % 26;
	text[9999] = '\n';
	ASSERT_EQ(10000, write(fd, text, 10000));
	ASSERT_EQ(10000, read(fd, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, text, 10000));
	ASSERT_EQ(4097, write(fd, text, 4097));
	ASSERT_EQ(4097, write(fd, text + 4097, 4097));
	EXPECT_EQ(-EMSGSIZE, TRY(write(fd, text, 4097)));
	EXPECT_EQ(8194, line_bytes(fd));
	ASSERT_EQ(1806, write(fd, text + 8194, 1806));
	ASSERT_EQ(10000, read(fd, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, text, 10000));
	EXPECT_EQ(-EAGAIN, TRY(read(fd, got, sizeof(got))));
	expect_destroyed(_metadata, fd);
	close(fd);
}

/* ---- Room ---- */

TEST_F(lines, a_nonblocking_write_accepts_the_lines_that_fit)
{
	struct kmsgpipe_stats before = stats_of(self->fd);
	struct iovec iov = { "7\n8\n", 4 };

	EXPECT_EQ(8, write_text(self->nonblocking, "1\n2\n3\n4\n5\n6\n"));
	EXPECT_EQ(0, line_bytes(self->nonblocking));
	/* The call that succeeded is not counted as refused. */
	EXPECT_EQ(before.refused_full, stats_of(self->fd).refused_full);
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "5\n6\n"));
	EXPECT_EQ(before.refused_full + 1, stats_of(self->fd).refused_full);
	EXPECT_EQ(before.enqueued_msgs + 4, stats_of(self->fd).enqueued_msgs);
	EXPECT_EQ(before.enqueued_bytes + 8, stats_of(self->fd).enqueued_bytes);
	EXPECT_STREQ("1\n", read_text(self->reading, 100));
	/* Nothing that follows a line that was not accepted is kept. */
	EXPECT_EQ(2, write_text(self->nonblocking, "5\n6\nta"));
	EXPECT_EQ(0, line_bytes(self->nonblocking));
	EXPECT_STREQ("2\n", read_text(self->reading, 100));
	EXPECT_EQ(4, write_text(self->nonblocking, "6\nta"));
	EXPECT_EQ(2, line_bytes(self->nonblocking));
	EXPECT_STREQ("3\n", read_text(self->reading, 100));
	EXPECT_EQ(2, TRY(pwritev2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(-EAGAIN, TRY(pwritev2(self->fd, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_MESSAGES(self, "4\n", "5\n", "6\n", "7\n");
}

TEST_F(lines, a_blocking_write_waits_until_all_lines_are_accepted)
{
	struct call call = write_call(self->fd, "1\n2\n3\n4\n5\n6\nt", 13);

	start_call(&call);
	await_writers(self->fd, 1);
	EXPECT_EQ(4, stats_of(self->fd).depth_msgs);
	EXPECT_STREQ("1\n", read_text(self->reading, 100));
	await_depth(self->fd, 4);
	await_writers(self->fd, 1);
	EXPECT_STREQ("2\n", read_text(self->reading, 100));
	EXPECT_EQ(13, finish_call(&call));
	EXPECT_EQ(1, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "3\n", "4\n", "5\n", "6\n");
}

TEST_F(lines, clear_queue_wakes_all_waiting_writers)
{
	int another = open_for_lines(self->id, O_WRONLY);
	struct call calls[] = { write_call(self->fd, "a\nb\n", 4), write_call(another, "c\nd\n", 4) };

	fill(self->plain);
	start_call(&calls[0]);
	await_writers(self->fd, 1);
	start_call(&calls[1]);
	await_writers(self->fd, 2);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(4, finish_call(&calls[0]));
	EXPECT_EQ(4, finish_call(&calls[1]));
	EXPECT_EQ(4, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(8, stats_of(self->fd).depth_bytes);
	close(another);
}

TEST_F(lines, each_line_wakes_a_reader)
{
	char first[8], second[8];
	struct call readers[] = { read_call(self->fd, first, 8), read_call(self->fd, second, 8) };

	start_call(&readers[0]);
	await_readers(self->fd, 1);
	start_call(&readers[1]);
	await_readers(self->fd, 2);
	EXPECT_EQ(6, write_text(self->nonblocking, "a\nbc\nd"));
	EXPECT_EQ(2, finish_call(&readers[0]));
	EXPECT_EQ(0, memcmp(first, "a\n", 2));
	EXPECT_EQ(3, finish_call(&readers[1]));
	EXPECT_EQ(0, memcmp(second, "bc\n", 3));
}

/* ---- Signals ---- */

TEST_F(lines, a_signal_makes_a_short_write)
{
	static const int flags[] = { 0, SA_RESTART };
	struct call call;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		on_sigusr1(flags[i]);
		call = write_call(self->fd, "1\n2\n3\n4\n5\nt", 11);
		start_call(&call);
		await_writers(self->fd, 1);
		ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
		EXPECT_EQ(8, finish_call(&call));
		EXPECT_EQ(1, signals);
		EXPECT_EQ(0, line_bytes(self->fd));
		EXPECT_MESSAGES(self, "1\n", "2\n", "3\n", "4\n");
	}
}

TEST_F(lines, a_signal_before_the_first_line_is_eintr)
{
	struct call call = write_call(self->fd, "c\nd", 3);

	ASSERT_EQ(2, write_text(self->fd, "ab"));
	fill(self->plain);
	on_sigusr1(0);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, finish_call(&call));
	EXPECT_EQ(2, line_bytes(self->fd));
	EXPECT_EQ(4, stats_of(self->fd).enqueued_msgs);
	/* With SA_RESTART the call continues. */
	on_sigusr1(SA_RESTART);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	while (!signals)
		sched_yield();
	await_writers(self->fd, 1);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(3, finish_call(&call));
	EXPECT_EQ(1, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "abc\n");
}

/* ---- Other calls ---- */

TEST_F(lines, io_uring_writes_lines)
{
	struct io_uring_sqe write = { .opcode = IORING_OP_WRITE, .fd = self->fd, .off = -1 };
	struct ring ring;

	ring_open(&ring);
	write.addr = (uintptr_t)"one\ntwo\nth";
	write.len = 10;
	ASSERT_EQ(1, ring_submit(&ring, &write));
	EXPECT_EQ(10, ring_complete(&ring));
	EXPECT_EQ(2, line_bytes(self->fd));
	/* The lines that fit are written at once. */
	write.addr = (uintptr_t)"ree\n4\n5\n";
	write.len = 8;
	ASSERT_EQ(1, ring_submit(&ring, &write));
	EXPECT_EQ(6, ring_complete(&ring));
	/* This write completes when there is room. */
	write.addr = (uintptr_t)"5\nx";
	write.len = 3;
	ASSERT_EQ(1, ring_submit(&ring, &write));
	EXPECT_EQ(0, ring_completions(&ring));
	EXPECT_STREQ("one\n", read_text(self->reading, 100));
	EXPECT_EQ(3, ring_complete(&ring));
	EXPECT_EQ(1, line_bytes(self->fd));
	EXPECT_MESSAGES(self, "two\n", "three\n", "4\n", "5\n");
	ring_close(&ring);
}

TEST_F(lines, splice_writes_lines)
{
	char got[8];
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(10, write_text(ends[1], "one\ntwo\nth"));
	EXPECT_EQ(10, splice(ends[0], NULL, self->nonblocking, NULL, 4096, 0));
	EXPECT_EQ(2, line_bytes(self->nonblocking));
	/* Lines that do not fit stay in the other pipe. */
	ASSERT_EQ(8, write_text(ends[1], "ree\n4\n5\n"));
	EXPECT_EQ(6, splice(ends[0], NULL, self->nonblocking, NULL, 4096, 0));
	EXPECT_EQ(-EAGAIN, TRY(splice(ends[0], NULL, self->nonblocking, NULL, 4096, 0)));
	EXPECT_EQ(2, read(ends[0], got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, "5\n", 2));
	EXPECT_MESSAGES(self, "one\n", "two\n", "three\n", "4\n");
	close(ends[0]);
	close(ends[1]);
}

TEST_HARNESS_MAIN
