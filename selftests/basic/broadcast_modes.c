// SPDX-License-Identifier: GPL-2.0
/*
 * The ways of reading a subscription: rests, modes, vectors, splice, io_uring, FIONREAD, fdinfo, and several
 * descriptors of one open file.
 */
#include "lib/broadcast_fixture.h"
#include "lib/harness.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define MESSAGE "0123456789"

/* ---- Rests ---- */

TEST_F(broadcast, each_file_keeps_a_rest_of_its_own)
{
	int a = subscribe(self->id), b = subscribe(self->id), c = subscribe(self->id);

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_STREQ("0123", read_text(a, 4));
	EXPECT_STREQ("01", read_text(b, 2));
	EXPECT_EQ(6, rest_bytes(a));
	EXPECT_EQ(8, rest_bytes(b));
	EXPECT_EQ(0, rest_bytes(c));
	EXPECT_STREQ(MESSAGE, read_text(c, 256));
	EXPECT_STREQ("45", read_text(a, 2));
	EXPECT_READS(b, "23456789", "next");
	EXPECT_READS(a, "6789", "next");
	EXPECT_READS(c, "next");
	EXPECT_STREQ("2/14 = 2/14 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
	close(c);
}

TEST_F(broadcast, a_message_counts_as_read_with_its_first_piece)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(a, 4));
	EXPECT_STREQ("own next 2 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_STREQ("1/10 = 0/0 + 0/0 + 0/0 + 1/10", counts_of(self->fd));
	EXPECT_STREQ("0", read_text(b, 1));
	EXPECT_STREQ("1/10 = 1/10 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	/* What is left is neither cleared nor lost. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("1/10 = 1/10 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	EXPECT_READS(a, "456789");
	close(b);
	EXPECT_STREQ("1/10 = 1/10 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
}

TEST_F(broadcast, a_rest_survives_overflow)
{
	int a = subscribe(self->id), i;

	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(a, 4));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_STREQ("456789", read_text(a, 256));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(a));
	EXPECT_LT(0, try_read(a, 256));
	EXPECT_EQ(POLLIN, poll_now(a));
	close(a);
}

TEST_F(broadcast, a_rest_of_a_subscription_holds_no_slot)
{
	int a = subscribe(self->id), b = subscribe(self->id), i;

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(a, 4));
	EXPECT_STREQ("01", read_text(b, 2));
	/* Both have read the message, so there is room for three others. */
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, write_text(self->nonblocking, "x"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_READS(a, "456789", "x", "x", "x");
	EXPECT_READS(b, "23456789", "x", "x", "x");
	close(a);
	close(b);
}

TEST_F(broadcast, no_mode_can_be_set_beside_a_rest)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_STREQ("0123", read_text(a, 4));
	EXPECT_EQ(-EBUSY, set_mode(a, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(0, set_mode(b, KMSGPIPE_MODE_WHOLE));
	EXPECT_STREQ("456789", read_text(a, 256));
	EXPECT_EQ(0, set_mode(a, KMSGPIPE_MODE_WHOLE));
	close(a);
	close(b);
}

/* ---- Modes ---- */

TEST_F(broadcast, whole_leaves_a_message_that_does_not_fit)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_EQ(-EMSGSIZE, try_read(a, 9));
	EXPECT_STREQ("own next 1 lag 1 lost 0 expired 0", position_of(a));
	/* The mode is that of the file. */
	EXPECT_STREQ("012345678", read_text(b, 9));
	EXPECT_STREQ("1/10 = 0/0 + 0/0 + 0/0 + 1/10", counts_of(self->fd));
	EXPECT_READS(a, MESSAGE);
	EXPECT_READS(b, "9");
	close(a);
	close(b);
}

TEST_F(broadcast, eof_ends_each_subscription_by_itself)
{
	int a = open_id(self->id, O_RDONLY), b = subscribe(self->id);

	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(0, try_read(a, 256));
	EXPECT_EQ(-EAGAIN, try_read(b, 256));
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_EQ(0, poll_now(b));
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	EXPECT_STREQ("333", read_text(a, 256));
	EXPECT_EQ(0, try_read(a, 256));
	/* The other one still has a backlog. */
	EXPECT_READS(b, "1", "22", "333");
	EXPECT_EQ(0, try_read(a, 256));
	close(a);
	close(b);
}

TEST_F(broadcast, records_are_read_many_at_once)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_RECORDS));
	fill_full(self->fd);
	EXPECT_TRUE(READS(a, 1, "1", "22", "333"));
	EXPECT_EQ(-EAGAIN, try_read(a, 256));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_STREQ("1:0:1 2:0:22", records_of(b, 2));
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_READS(b, "333");
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_TRUE(READS(a, 4, "4444"));
	EXPECT_READS(b, "4444");
	close(a);
	close(b);
}

TEST_F(broadcast, records_are_written_to_all)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	char buffer[256] __attribute__((aligned(8))), *end;

	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	end = put_words(put_words(put_words(put_words(buffer, "a"), "b"), "c"), "d");
	/* There is room for three of the four. */
	EXPECT_EQ(3 * (long)send_size(1), TRY(write(self->nonblocking, buffer, end - buffer)));
	EXPECT_READS(a, "a", "b", "c");
	EXPECT_STREQ("1:0:a 2:0:b 3:0:c", records_of(b, 9));
	close(a);
	close(b);
}

TEST_F(broadcast, each_line_goes_to_all)
{
	int lines = open_for_lines(self->id, O_WRONLY | O_NONBLOCK), a = subscribe(self->id), b = subscribe(self->id);

	EXPECT_EQ(7, write_text(lines, "a\nbc\nde"));
	EXPECT_READS(a, "a\n", "bc\n");
	EXPECT_READS(b, "a\n", "bc\n");
	EXPECT_EQ(2, write_text(lines, "f\n"));
	EXPECT_READS(a, "def\n");
	EXPECT_EQ(4, write_text(lines, "last"));
	close(lines);
	EXPECT_READS(a, "last");
	EXPECT_READS(b, "def\n", "last");
	close(a);
	close(b);
}

TEST_F(broadcast, records_have_the_sender_and_times_of_the_message)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	struct {
		struct kmsgpipe_record record;
		char payload[8];
	} got[2];

	ASSERT_EQ(3, write_text(self->fd, "one"));
	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(0, set_mode(b, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(sizeof(got[0]), read(a, &got[0], sizeof(got[0])));
	ASSERT_EQ(sizeof(got[1]), read(b, &got[1], sizeof(got[1])));
	EXPECT_EQ(0, memcmp(&got[0], &got[1], sizeof(got[0])));
	EXPECT_EQ((unsigned int)getpid(), got[0].record.pid);
	EXPECT_EQ(1, got[0].record.deliveries);
	EXPECT_NE(0, got[0].record.monotonic_ns);
	EXPECT_NE(0, got[0].record.realtime_ns);
	close(a);
	close(b);
}

/* ---- Calls ---- */

TEST_F(broadcast, vectors_read_a_message_and_its_rest)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	char first[4], second[8];
	struct iovec iov[] = { { first, 4 }, { second, 8 } };

	ASSERT_EQ(10, write_text(self->fd, MESSAGE));
	EXPECT_EQ(10, TRY(readv(a, iov, 2)));
	EXPECT_EQ(0, memcmp(first, "0123", 4));
	EXPECT_EQ(0, memcmp(second, "456789", 6));
	EXPECT_EQ(4, TRY(preadv2(b, iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(6, TRY(readv(b, iov, 2)));
	EXPECT_EQ(0, memcmp(first, "4567", 4));
	EXPECT_EQ(0, memcmp(second, "89", 2));
	EXPECT_EQ(-EAGAIN, TRY(preadv2(b, iov, 1, -1, RWF_NOWAIT)));
	close(a);
	close(b);
}

TEST_F(broadcast, fionread_is_the_next_message_of_the_file)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	EXPECT_EQ(0, fionread(a));
	fill_full(self->fd);
	EXPECT_EQ(1, fionread(a));
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_EQ(2, fionread(a));
	EXPECT_EQ(1, fionread(b));
	EXPECT_STREQ("2", read_text(a, 1));
	EXPECT_EQ(1, fionread(a));
	EXPECT_READS(a, "2", "333");
	EXPECT_EQ(0, fionread(a));
	EXPECT_EQ(1, fionread(b));
	close(a);
	close(b);
}

TEST_F(broadcast, splice_takes_a_message_of_each_subscription)
{
	int a = subscribe(self->id), b = subscribe(self->id), ends[2];
	char text[16];

	ASSERT_EQ(0, pipe(ends));
	/* What is spliced into the pipe goes to all. */
	ASSERT_EQ(10, write(ends[1], MESSAGE, 10));
	EXPECT_EQ(10, TRY(splice(ends[0], NULL, self->fd, NULL, 100, 0)));
	EXPECT_EQ(10, TRY(splice(a, NULL, ends[1], NULL, 100, 0)));
	ASSERT_EQ(10, read(ends[0], text, sizeof(text)));
	EXPECT_EQ(0, memcmp(text, MESSAGE, 10));
	EXPECT_EQ(-EAGAIN, TRY(splice(a, NULL, ends[1], NULL, 100, 0)));
	EXPECT_EQ(4, TRY(splice(b, NULL, ends[1], NULL, 4, 0)));
	EXPECT_EQ(6, rest_bytes(b));
	EXPECT_EQ(6, TRY(splice(b, NULL, ends[1], NULL, 100, 0)));
	ASSERT_EQ(10, read(ends[0], text, sizeof(text)));
	EXPECT_EQ(0, memcmp(text, MESSAGE, 10));
	EXPECT_STREQ("1/10 = 1/10 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(ends[0]);
	close(ends[1]);
	close(a);
	close(b);
}

static struct io_uring_sqe reading(int fd, char *buffer, unsigned int len)
{
	return (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)buffer, .len = len, .off = -1,
	};
}

TEST_F(broadcast, io_uring_reads_of_each_subscription_complete)
{
	int fds[3], i;
	char got[3][16];
	struct io_uring_sqe request;
	struct ring ring;

	ring_open(&ring);
	for (i = 0; i < 3; i++)
		fds[i] = open_id(self->id, O_RDONLY);
	/* Later: one message completes all three. */
	for (i = 0; i < 3; i++) {
		request = reading(fds[i], got[i], sizeof(got[i]));
		ASSERT_EQ(1, ring_submit(&ring, &request));
	}
	EXPECT_EQ(0, ring_completions(&ring));
	ASSERT_EQ(4, write_text(self->fd, "late"));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(4, ring_complete(&ring));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, memcmp(got[i], "late", 4));
	/* At once. */
	ASSERT_EQ(5, write_text(self->fd, "ready"));
	for (i = 0; i < 3; i++) {
		request = reading(fds[i], got[i], sizeof(got[i]));
		ASSERT_EQ(1, ring_submit(&ring, &request));
		EXPECT_EQ(5, ring_complete(&ring));
		EXPECT_EQ(0, memcmp(got[i], "ready", 5));
	}
	EXPECT_EQ(0, ring_workers());
	EXPECT_STREQ("2/9 = 2/9 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	ring_close(&ring);
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* ---- One open file ---- */

TEST_F(broadcast, all_descriptors_of_an_open_file_share_a_subscription)
{
	int a = subscribe(self->id), copy = dup(a);
	pid_t child;

	EXPECT_EQ(1, stats_of(self->fd).readers);
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(copy, 256));
	child = fork();
	if (!child)
		_exit(strcmp("22", read_text(a, 256)) != 0);
	ASSERT_EQ(0, exit_of(child));
	EXPECT_STREQ("own next 3 lag 1 lost 0 expired 0", position_of(a));
	/* Closing one of two descriptors does not end it. */
	close(a);
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_READS(copy, "333");
	close(copy);
	EXPECT_EQ(0, stats_of(self->fd).readers);
}

TEST_F(broadcast, a_subscription_lives_as_long_as_a_child_has_it)
{
	int a = subscribe(self->id), go[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child)
		_exit(read(go[0], &byte, 1) != 1 || strcmp("1", read_text(a, 256)));
	close(a);
	fill_full(self->fd);
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, exit_of(child));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 2/5 + 0/0", counts_of(self->fd));
	close(go[0]);
	close(go[1]);
}

TEST_F(broadcast, o_excl_excludes_other_subscriptions)
{
	char node[32];
	pid_t child;
	int a;

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", self->id);
	ASSERT_EQ(0, chmod(node, 0666));
	a = open(node, O_RDONLY | O_NONBLOCK | O_EXCL | O_CLOEXEC);
	ASSERT_LE(0, a);
	child = fork();
	if (!child)
		_exit(setgid(12) || setuid(34) || TRY(open(node, O_RDONLY)) != -EBUSY || open(node, O_WRONLY) < 0);
	EXPECT_EQ(0, exit_of(child));
	/* The open that failed has left no subscription. */
	fill_full(self->fd);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	EXPECT_EQ(1, stats_of(self->fd).readers);
	close(a);
	child = fork();
	if (!child)
		_exit(setgid(12) || setuid(34) || open(node, O_RDONLY | O_EXCL) < 0);
	EXPECT_EQ(0, exit_of(child));
}

/* ---- fdinfo ---- */

/* The lines of fdinfo that come after those of every file. */
static const char *last_lines(int fd)
{
	static char text[1024];
	char *at;

	fdinfo(fd, text, sizeof(text));
	at = strstr(text, "\nkmsgpipe-line-bytes:\t");
	return at ? strchr(at + 1, '\n') + 1 : "";
}

TEST_F(broadcast, fdinfo_has_exactly_the_documented_lines)
{
	long queue = limited_pipe(256, 3);
	int a = subscribe(self->id), queued = open_id(queue, O_RDWR), writing = open_id(queue, O_WRONLY), none;

	none = open_id(self->id, O_ACCMODE);
	EXPECT_STREQ("kmsgpipe-reads:\tnothing\n", last_lines(self->fd));
	EXPECT_STREQ("kmsgpipe-reads:\tnothing\n", last_lines(none));
	EXPECT_STREQ("kmsgpipe-reads:\tnothing\n", last_lines(writing));
	EXPECT_STREQ("kmsgpipe-reads:\tqueue\n", last_lines(queued));
	EXPECT_STREQ("kmsgpipe-reads:\town\nkmsgpipe-subscription:\t1\nkmsgpipe-next-seq:\t1\nkmsgpipe-lag-msgs:\t0\n"
		     "kmsgpipe-lost-msgs:\t0\nkmsgpipe-expired-msgs:\t0\n", last_lines(a));
	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("kmsgpipe-reads:\town\nkmsgpipe-subscription:\t1\nkmsgpipe-next-seq:\t5\nkmsgpipe-lag-msgs:\t2\n"
		     "kmsgpipe-lost-msgs:\t3\nkmsgpipe-expired-msgs:\t0\n", last_lines(a));
	ASSERT_EQ(0, browse(a, KMSGPIPE_START_OLDEST, 0));
	EXPECT_TRUE(strstr(last_lines(a), "kmsgpipe-reads:\tbrowse\nkmsgpipe-subscription:\t2\nkmsgpipe-next-seq:\t") != NULL)
		TH_LOG("%s", last_lines(a));
	ASSERT_EQ(0, browse(queued, KMSGPIPE_START_NOW, 0));
	EXPECT_STREQ("kmsgpipe-reads:\tbrowse\nkmsgpipe-subscription:\t1\nkmsgpipe-next-seq:\t1\nkmsgpipe-lag-msgs:\t0\n"
		     "kmsgpipe-lost-msgs:\t0\nkmsgpipe-expired-msgs:\t0\n", last_lines(queued));
	close(a);
	close(none);
	close(writing);
	expect_destroyed(_metadata, queued);
	close(queued);
}

TEST_F(broadcast, fdinfo_counts_what_each_file_received)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_EQ(2, fdinfo_number(a, "kmsgpipe-received-msgs"));
	EXPECT_EQ(3, fdinfo_number(a, "kmsgpipe-received-bytes"));
	EXPECT_EQ(1, fdinfo_number(b, "kmsgpipe-received-msgs"));
	EXPECT_EQ(1, fdinfo_number(b, "kmsgpipe-received-bytes"));
	EXPECT_EQ(3, fdinfo_number(self->fd, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(6, fdinfo_number(self->fd, "kmsgpipe-sent-bytes"));
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
