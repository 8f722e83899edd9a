// SPDX-License-Identifier: GPL-2.0
/*
 * The partial line that an open file keeps in KMSGPIPE_MODE_LINES: each open file has its own, it has the sender of
 * its beginning, it takes no slot, and closing the file sends it.
 */
#include "lib/harness.h"
#include "lib/lines_fixture.h"
#include "lib/missing.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <signal.h>

/* ---- Closing ---- */

TEST_F(lines, close_sends_the_partial_line)
{
	int file = open_for_lines(self->id, O_WRONLY), copy = dup(file);

	ASSERT_EQ(6, write_text(file, "one\ntw"));
	/* The file is open as long as another descriptor of it exists. */
	close(file);
	EXPECT_EQ(2, line_bytes(copy));
	EXPECT_EQ(1, write_text(copy, "o"));
	EXPECT_MESSAGES(self, "one\n");
	close(copy);
	EXPECT_MESSAGES(self, "two");
	EXPECT_EQ(2, stats_of(self->fd).enqueued_msgs);
	EXPECT_EQ(7, stats_of(self->fd).enqueued_bytes);
}

TEST_F(lines, close_without_a_partial_line_sends_nothing)
{
	int file = open_for_lines(self->id, O_WRONLY);

	close(file);
	file = open_for_lines(self->id, O_WRONLY);
	ASSERT_EQ(4, write_text(file, "one\n"));
	close(file);
	EXPECT_MESSAGES(self, "one\n");
	EXPECT_EQ(1, stats_of(self->fd).enqueued_msgs);
}

TEST_F(lines, exit_sends_the_partial_line)
{
	pid_t child;
	int killed;

	for (killed = 0; killed < 2; killed++) {
		child = fork();
		if (!child) {
			int file = open_for_lines(self->id, O_WRONLY);

			if (write_text(file, "mine") != 4)
				_exit(1);
			if (killed)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		EXPECT_EQ(killed ? -1 : 0, exit_of(child));
		EXPECT_EQ(child, stats_of(self->fd).head_pid);
		EXPECT_MESSAGES(self, "mine");
	}
}

TEST_F(lines, close_wakes_a_reader)
{
	int reading = open_id(self->id, O_RDONLY), file = open_for_lines(self->id, O_WRONLY);
	char bytes[LONGEST];
	struct call call = read_call(reading, bytes, sizeof(bytes));

	ASSERT_EQ(2, write_text(file, "ab"));
	start_call(&call);
	await_readers(self->fd, 1);
	close(file);
	EXPECT_EQ(2, finish_call(&call));
	EXPECT_EQ(0, memcmp(bytes, "ab", 2));
	close(reading);
}

TEST_F(lines, close_does_not_wait_for_room)
{
	int file = open_for_lines(self->id, O_WRONLY);
	struct kmsgpipe_stats before, after;

	ASSERT_EQ(4, write_text(file, "lost"));
	fill(self->plain);
	before = state_of(self->fd);
	ASSERT_EQ(0, close(file));
	after = state_of(self->fd);
	EXPECT_EQ(before.refused_full + 1, after.refused_full);
	EXPECT_EQ(before.enqueued_msgs, after.enqueued_msgs);
	EXPECT_EQ(before.dropped_msgs, after.dropped_msgs);
	EXPECT_EQ(4, after.depth_msgs);
	EXPECT_EQ(4, after.depth_bytes);
	EXPECT_EQ(before.writers - 1, after.writers);
}

TEST_F(lines, a_killed_writer_loses_its_partial_line_if_the_pipe_is_full)
{
	struct kmsgpipe_stats before;
	pid_t child;

	fill(self->plain);
	before = stats_of(self->fd);
	child = fork();
	if (!child) {
		int file = open_for_lines(self->id, O_WRONLY);

		if (write_text(file, "ab") == 2)
			write_text(file, "c\n");
		_exit(1);
	}
	await_writers(self->fd, 1);
	kill(child, SIGKILL);
	EXPECT_EQ(-1, exit_of(child));
	EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	EXPECT_EQ(before.refused_full + 1, stats_of(self->fd).refused_full);
	EXPECT_EQ(before.enqueued_msgs, stats_of(self->fd).enqueued_msgs);
}

/* ---- Room ---- */

TEST_F(lines, a_partial_line_takes_no_slot)
{
	struct kmsgpipe_stats before;

	fill(self->plain);
	before = state_of(self->fd);
	EXPECT_EQ(2, write_text(self->nonblocking, "ab"));
	EXPECT_EQ(2, write_text(self->nonblocking, "cd"));
	EXPECT_EQ(4, line_bytes(self->nonblocking));
	/* A blocking file does not wait either. */
	EXPECT_EQ(3, write_text(self->fd, "efg"));
	EXPECT_EQ(3, line_bytes(self->fd));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(0, poll_now(self->plain));
	/* The end of the line needs a slot. */
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "\n"));
	EXPECT_EQ(4, line_bytes(self->nonblocking));
}

TEST_F(lines, a_write_that_is_eagain_leaves_the_partial_line)
{
	ASSERT_EQ(2, write_text(self->nonblocking, "ab"));
	fill(self->plain);
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "c\nd"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "\n"));
	EXPECT_EQ(2, line_bytes(self->nonblocking));
	EXPECT_EQ(2, stats_of(self->fd).refused_full);
	EXPECT_EQ(1, try_read(self->reading, 100));
	EXPECT_EQ(3, write_text(self->nonblocking, "c\nd"));
	EXPECT_EQ(1, line_bytes(self->nonblocking));
	EXPECT_EQ(1, try_read(self->reading, 100));
	EXPECT_EQ(1, try_read(self->reading, 100));
	EXPECT_EQ(1, try_read(self->reading, 100));
	EXPECT_MESSAGES(self, "abc\n");
}

/* ---- Owner ---- */

TEST_F(lines, each_open_file_has_its_own_partial_line)
{
	ASSERT_EQ(2, write_text(self->fd, "ab"));
	ASSERT_EQ(2, write_text(self->nonblocking, "xy"));
	ASSERT_EQ(2, write_text(self->fd, "c\n"));
	ASSERT_EQ(2, write_text(self->nonblocking, "z\n"));
	EXPECT_MESSAGES(self, "abc\n", "xyz\n");
}

TEST_F(lines, writes_of_other_files_are_queued_before_the_partial_line)
{
	ASSERT_EQ(2, write_text(self->fd, "ab"));
	ASSERT_EQ(5, write_text(self->plain, "plain"));
	ASSERT_EQ(2, write_text(self->fd, "c\n"));
	EXPECT_MESSAGES(self, "plain", "abc\n");
}

TEST_F(lines, clear_expiry_and_reads_do_not_change_a_partial_line)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1, .expiry_ms = 1 }, off = { 0 };

	ASSERT_EQ(2, write_text(self->fd, "ab"));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, stats_of(self->fd).dropped_msgs);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ASSERT_EQ(5, write_text(self->plain, "plain"));
	await_depth(self->fd, 0);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &off));
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
	EXPECT_EQ(2, line_bytes(self->fd));
	ASSERT_EQ(2, write_text(self->fd, "c\n"));
	EXPECT_MESSAGES(self, "abc\n");
}

/* A write is refused once, whether it continues the partial line or, with other ids, would send it first. */
TEST_F(lines, a_partial_line_longer_than_msg_size_refuses_each_write_once)
{
	unsigned long long before;
	pid_t child;

	ASSERT_EQ(10, write_text(self->fd, "0123456789"));
	ASSERT_EQ(0, set_limits(self->fd, 4, SLOTS));
	before = stats_of(self->fd).refused_size;
	EXPECT_EQ(-EMSGSIZE, write_text(self->fd, "\n"));
	EXPECT_EQ(before + 1, stats_of(self->fd).refused_size);
	child = fork();
	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		_exit(write_text(self->fd, "x") != -EMSGSIZE);
	}
	EXPECT_EQ(0, exit_of(child));
	EXPECT_EQ(before + 2, stats_of(self->fd).refused_size);
	EXPECT_EQ(10, line_bytes(self->fd));
}

TEST_F(lines, destroy_discards_the_partial_line)
{
	ASSERT_EQ(2, write_text(self->fd, "ab"));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, write_text(self->fd, "c\n"));
	EXPECT_EQ(-ENODEV, write_text(self->fd, "c"));
	EXPECT_EQ(0, close(self->fd));
	self->fd = dup(self->reading);
}

/* ---- Sender ---- */

/* Writes a text as this user and group in a child process, and returns its process id after it has ended. */
static pid_t put_as(int fd, uid_t uid, gid_t gid, const char *text)
{
	pid_t child = fork();

	if (!child) {
		if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			_exit(1);
		_exit(write_text(fd, text) != (long)strlen(text));
	}
	if (exit_of(child))
		abort();
	return child;
}

/* Reads the oldest message; returns whether it is this one, of this sender. */
static int next_is(FIXTURE_DATA(lines) *self, const char *text, uid_t uid, gid_t gid, pid_t pid)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	return stats.head_uid == uid && stats.head_gid == gid && stats.head_pid == (unsigned int)pid &&
	       stats.head_len == strlen(text) && !strcmp(text, read_text(self->reading, 100));
}

TEST_F(lines, a_line_has_the_sender_of_its_beginning)
{
	pid_t child = put_as(self->fd, 1234, 5678, "one\ntwo\n");

	EXPECT_TRUE(next_is(self, "one\n", 1234, 5678, child));
	EXPECT_TRUE(next_is(self, "two\n", 1234, 5678, child));
	/* A line that several writes make up. */
	ASSERT_EQ(2, write_text(self->fd, "ab"));
	ASSERT_EQ(2, write_text(self->fd, "c\n"));
	EXPECT_TRUE(next_is(self, "abc\n", 0, 0, getpid()));
}

TEST_F(lines, a_line_sent_by_close_has_the_sender_of_its_beginning)
{
	int file = open_for_lines(self->id, O_WRONLY);
	pid_t child = put_as(file, 1234, 5678, "one\ntw");

	EXPECT_TRUE(next_is(self, "one\n", 1234, 5678, child));
	EXPECT_EQ(2, line_bytes(file));
	close(file);
	EXPECT_EQ(KMSGPIPE_STATS_HEAD | KMSGPIPE_STATS_HEAD_PRIVILEGED, stats_of(self->fd).flags);
	EXPECT_TRUE(next_is(self, "tw", 1234, 5678, child));
	EXPECT_EQ(-EAGAIN, try_read(self->reading, 100));
}

TEST_F(lines, a_write_with_other_ids_sends_the_partial_line_first)
{
	static const struct { uid_t uid; gid_t gid; } cases[] = {
		{ 1234, 5678 }, { 1234, 0 }, { 0, 5678 },
	};
	pid_t child;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		child = put_as(self->fd, cases[i].uid, cases[i].gid, "tw");
		EXPECT_EQ(2, line_bytes(self->fd));
		ASSERT_EQ(4, write_text(self->fd, "o\nab"));
		EXPECT_EQ(2, line_bytes(self->fd));
		EXPECT_TRUE(next_is(self, "tw", cases[i].uid, cases[i].gid, child)) TH_LOG("case %zu", i);
		EXPECT_TRUE(next_is(self, "o\n", 0, 0, getpid())) TH_LOG("case %zu", i);
		ASSERT_EQ(1, write_text(self->fd, "\n"));
		EXPECT_TRUE(next_is(self, "ab\n", 0, 0, getpid())) TH_LOG("case %zu", i);
		EXPECT_EQ(-EAGAIN, try_read(self->reading, 100));
	}
}

TEST_F(lines, a_process_with_the_same_ids_continues_the_partial_line)
{
	pid_t child = put_as(self->fd, 0, 0, "tw");

	EXPECT_EQ(2, line_bytes(self->fd));
	ASSERT_EQ(8, write_text(self->fd, "o\nthree\n"));
	EXPECT_TRUE(next_is(self, "two\n", 0, 0, child));
	EXPECT_TRUE(next_is(self, "three\n", 0, 0, getpid()));
	EXPECT_EQ(-EAGAIN, try_read(self->reading, 100));
}

TEST_F(lines, a_write_with_other_ids_is_eagain_if_the_partial_line_does_not_fit)
{
	pid_t child = put_as(self->nonblocking, 1234, 5678, "tw");

	fill(self->plain);
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "o\n"));
	EXPECT_EQ(2, line_bytes(self->nonblocking));
	EXPECT_EQ(1, stats_of(self->fd).refused_full);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(2, write_text(self->nonblocking, "o\n"));
	EXPECT_TRUE(next_is(self, "tw", 1234, 5678, child));
	EXPECT_TRUE(next_is(self, "o\n", 0, 0, getpid()));
}

/* ---- Page faults ---- */

TEST_F(lines, a_write_in_a_page_fault_does_not_stall_other_files)
{
	struct call hanging;
	char *missing;
	int uffd = missing_page(&missing);

	ASSERT_EQ(2, write_text(self->fd, "ab"));
	hanging = write_call(self->fd, missing, 4);
	start_call(&hanging);
	await_fault(uffd);
	EXPECT_EQ(4, write_text(self->nonblocking, "c\nde"));
	EXPECT_EQ(5, write_text(self->plain, "plain"));
	EXPECT_MESSAGES(self, "c\n", "plain");
	EXPECT_EQ(1, write_text(self->nonblocking, "\n"));
	EXPECT_MESSAGES(self, "de\n");
	resolve_fault_with(uffd, missing, "f\ng\n", 4);
	EXPECT_EQ(4, finish_call(&hanging));
	EXPECT_MESSAGES(self, "abf\n", "g\n");
	close(uffd);
}

/* ---- Many writers ---- */

#define CUTTING 3
#define SHARING 2

/* What a writer sends: numbered lines that carry its letter. */
struct writing {
	long id;
	int fd; /* a shared descriptor for whole lines; -1 for a separate file and pieces of lines */
	char letter;
	unsigned long lines;
	unsigned long long chance;
	long wrong;
};

static size_t make_line(char *to, char letter, unsigned long number)
{
	return sprintf(to, "%c%06lu%.*s\n", letter, number, (int)(number % 8), "abcdefgh");
}

static void *write_lines(void *arg)
{
	struct writing *writing = arg;
	int fd = writing->fd < 0 ? open_for_lines(writing->id, O_WRONLY) : writing->fd;
	char text[256];
	size_t len = 0, some;
	unsigned long number = 0;

	while (number < writing->lines || len) {
		while (number < writing->lines && len < 100)
			len += make_line(text + len, writing->letter, number++);
		some = writing->fd < 0 ? 1 + pick(&writing->chance, len) : len;
		if (TRY(write(fd, text, some)) != (long)some) {
			writing->wrong++;
			break;
		}
		len -= some;
		memmove(text, text + some, len);
	}
	if (writing->fd < 0)
		close(fd);
	return NULL;
}

TEST_F_TIMEOUT(lines, lines_of_many_writers_arrive_whole_and_in_order, 120)
{
	unsigned long lines = scaled(5000), next[CUTTING + SHARING] = { 0 }, i;
	unsigned long long seed = new_seed();
	struct writing writings[CUTTING + SHARING];
	pthread_t threads[CUTTING + SHARING];
	int reading = open_id(self->id, O_RDONLY);
	char line[LONGEST + 1], expected[LONGEST + 1];
	size_t which;

	TH_LOG("seed %llu", seed);
	for (i = 0; i < CUTTING + SHARING; i++) {
		writings[i] = (struct writing){
			.id = self->id, .fd = i < CUTTING ? -1 : self->fd, .letter = 'A' + i, .lines = lines, .chance = seed + i,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_lines, &writings[i]));
	}
	for (i = 0; i < (CUTTING + SHARING) * lines; i++) {
		memset(line, 0, sizeof(line));
		ASSERT_LT(0, read(reading, line, LONGEST));
		which = line[0] - 'A';
		ASSERT_GT(CUTTING + SHARING, which) TH_LOG("'%s'", line);
		make_line(expected, line[0], next[which]++);
		ASSERT_STREQ(expected, line);
	}
	for (i = 0; i < CUTTING + SHARING; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, writings[i].wrong);
		EXPECT_EQ(lines, next[i]);
	}
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, line_bytes(self->fd));
	close(reading);
}

TEST_HARNESS_MAIN
