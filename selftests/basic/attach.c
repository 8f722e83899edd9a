// SPDX-License-Identifier: GPL-2.0
/*
 * KMSGPIPE_ATTACH: its errors, where a subscription begins, and reading a queue again. attach_browse.c tests browsing,
 * and attach_wait.c files that tasks wait for.
 */
#include "lib/broadcast.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

#define OWN KMSGPIPE_ATTACH_OWN
#define GROUP KMSGPIPE_ATTACH_GROUP
#define BROWSE KMSGPIPE_ATTACH_BROWSE
#define NOW KMSGPIPE_START_NOW
#define OLDEST KMSGPIPE_START_OLDEST
#define SEQ KMSGPIPE_START_SEQ
#define TIME KMSGPIPE_START_TIME

/* A queue and a broadcast pipe, for five messages each. `queue` reads and writes, `cast` only writes. */
FIXTURE(attach)
{
	long queue_id;
	long cast_id;
	int queue;
	int cast;
};

FIXTURE_SETUP(attach)
{
	self->queue_id = limited_pipe(256, 5);
	self->cast_id = broadcast_pipe(5, 0);
	self->queue = open_id(self->queue_id, O_RDWR | O_NONBLOCK);
	self->cast = open_id(self->cast_id, O_WRONLY | O_NONBLOCK);
}

FIXTURE_TEARDOWN(attach)
{
	expect_gone(_metadata, self->queue);
	expect_gone(_metadata, self->cast);
	close(self->queue);
	close(self->cast);
}

/* ---- Errors ---- */

TEST_F(attach, takes_what_the_kind_of_the_pipe_allows)
{
	static const struct { unsigned int kind, start; unsigned long long at; long queue, cast; } cases[] = {
		{ OWN, NOW, 0, -EINVAL, 0 }, { OWN, OLDEST, 0, -EINVAL, 0 }, { OWN, SEQ, 0, -EINVAL, 0 },
		{ OWN, SEQ, ~0ULL, -EINVAL, 0 }, { OWN, TIME, 0, -EINVAL, 0 }, { OWN, TIME, ~0ULL, -EINVAL, 0 },
		{ GROUP, NOW, 0, 0, -EINVAL }, { GROUP, OLDEST, 0, -EINVAL, -EINVAL }, { GROUP, SEQ, 0, -EINVAL, -EINVAL },
		{ GROUP, SEQ, 1, -EINVAL, -EINVAL }, { GROUP, TIME, 0, -EINVAL, -EINVAL }, { GROUP, NOW, 1, -EINVAL, -EINVAL },
		{ BROWSE, NOW, 0, 0, 0 }, { BROWSE, OLDEST, 0, 0, 0 }, { BROWSE, SEQ, 0, 0, 0 }, { BROWSE, SEQ, ~0ULL, 0, 0 },
		{ BROWSE, TIME, 0, 0, 0 }, { BROWSE, TIME, ~0ULL, 0, 0 },
		/* A place to begin at that does not use `at`. */
		{ OWN, NOW, 1, -EINVAL, -EINVAL }, { OWN, OLDEST, 1, -EINVAL, -EINVAL }, { BROWSE, NOW, 1, -EINVAL, -EINVAL },
		{ BROWSE, OLDEST, ~0ULL, -EINVAL, -EINVAL }, { BROWSE, NOW, 1ULL << 32, -EINVAL, -EINVAL },
		/* Unknown kinds and starts. */
		{ 3, NOW, 0, -EINVAL, -EINVAL }, { 1U << 31, NOW, 0, -EINVAL, -EINVAL }, { ~0U, NOW, 0, -EINVAL, -EINVAL },
		{ OWN, 4, 0, -EINVAL, -EINVAL }, { GROUP, 4, 0, -EINVAL, -EINVAL }, { BROWSE, 4, 0, -EINVAL, -EINVAL },
		{ BROWSE, 1U << 31, 0, -EINVAL, -EINVAL }, { BROWSE, ~0U, 0, -EINVAL, -EINVAL },
	};
	int cast = subscribe(self->cast_id);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].queue, attach(self->queue, cases[i].kind, cases[i].start, cases[i].at))
			TH_LOG("case %zu of a queue", i);
		EXPECT_EQ(cases[i].cast, attach(cast, cases[i].kind, cases[i].start, cases[i].at))
			TH_LOG("case %zu of a broadcast pipe", i);
	}
	close(cast);
}

TEST_F(attach, flags_and_reserved_fields_must_be_zero)
{
	struct kmsgpipe_attach request = { .kind = BROWSE };
	int cast = subscribe(self->cast_id);
	size_t i;

	for (i = 0; i < 32; i++) {
		request.flags = 1U << i;
		EXPECT_EQ(-EINVAL, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, &request))) TH_LOG("flag %zu", i);
		EXPECT_EQ(-EINVAL, TRY(ioctl(cast, KMSGPIPE_ATTACH, &request))) TH_LOG("flag %zu", i);
	}
	request.flags = 0;
	for (i = 0; i < 32; i++) {
		request.reserved = 1U << i;
		EXPECT_EQ(-EINVAL, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, &request))) TH_LOG("reserved bit %zu", i);
		EXPECT_EQ(-EINVAL, TRY(ioctl(cast, KMSGPIPE_ATTACH, &request))) TH_LOG("reserved bit %zu", i);
	}
	request.reserved = 0;
	EXPECT_EQ(0, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, &request)));
	EXPECT_EQ(0, TRY(ioctl(cast, KMSGPIPE_ATTACH, &request)));
	close(cast);
}

TEST_F(attach, needs_read_access)
{
	static const int flags[] = { O_WRONLY, O_ACCMODE };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = open_id(self->queue_id, flags[i]);
		EXPECT_EQ(-EBADF, attach(fd, GROUP, NOW, 0));
		EXPECT_EQ(-EBADF, browse(fd, NOW, 0));
		EXPECT_STREQ("nothing", position_of(fd));
		close(fd);
		fd = open_id(self->cast_id, flags[i]);
		EXPECT_EQ(-EBADF, attach(fd, OWN, NOW, 0));
		EXPECT_EQ(-EBADF, browse(fd, OLDEST, 0));
		EXPECT_STREQ("nothing", position_of(fd));
		close(fd);
	}
}

TEST_F(attach, needs_no_privilege)
{
	int cast = subscribe(self->cast_id);
	pid_t child = fork();

	if (!child)
		_exit(setgid(12) || setuid(34) || attach(cast, OWN, OLDEST, 0) || browse(cast, NOW, 0) ||
		      browse(self->queue, OLDEST, 0) || attach(self->queue, GROUP, NOW, 0));
	EXPECT_EQ(0, exit_of(child));
	close(cast);
}

TEST_F(attach, memory_that_cannot_be_read_is_efault)
{
	struct kmsgpipe_attach request = { .kind = BROWSE };
	char *end = page_end();

	EXPECT_EQ(-EFAULT, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, bad_address)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, end - 63)));
	EXPECT_STREQ("queue", position_of(self->queue));
	memcpy(end - sizeof(request), &request, sizeof(request));
	EXPECT_EQ(0, TRY(ioctl(self->queue, KMSGPIPE_ATTACH, end - sizeof(request))));
	EXPECT_STREQ("browse next 1 lag 0 lost 0 expired 0", position_of(self->queue));
}

TEST_F(attach, a_destroyed_pipe_is_enodev)
{
	int cast = subscribe(self->cast_id), browser = subscribe(self->queue_id);

	ASSERT_EQ(0, browse(browser, OLDEST, 0));
	ASSERT_EQ(0, ioctl(self->queue, KMSGPIPE_DESTROY));
	ASSERT_EQ(0, ioctl(self->cast, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, attach(self->queue, GROUP, NOW, 0));
	EXPECT_EQ(-ENODEV, browse(self->queue, OLDEST, 0));
	EXPECT_EQ(-ENODEV, attach(browser, GROUP, NOW, 0));
	EXPECT_EQ(-ENODEV, attach(cast, OWN, NOW, 0));
	EXPECT_EQ(-ENODEV, browse(cast, OLDEST, 0));
	EXPECT_EQ(-ENODEV, try_read(browser, 256));
	close(browser);
	close(cast);
}

TEST_F(attach, a_rest_is_ebusy)
{
	int cast = subscribe(self->cast_id), copy = dup(cast), other = subscribe(self->queue_id);

	ASSERT_EQ(10, write_text(self->queue, "0123456789"));
	ASSERT_EQ(10, write_text(self->cast, "0123456789"));
	EXPECT_STREQ("0123", read_text(self->queue, 4));
	EXPECT_STREQ("01234", read_text(cast, 5));
	EXPECT_EQ(-EBUSY, attach(self->queue, GROUP, NOW, 0));
	EXPECT_EQ(-EBUSY, browse(self->queue, OLDEST, 0));
	EXPECT_EQ(-EBUSY, attach(cast, OWN, NOW, 0));
	EXPECT_EQ(-EBUSY, browse(cast, OLDEST, 0));
	EXPECT_EQ(-EBUSY, browse(copy, OLDEST, 0));
	/* The rest is that of the file. */
	EXPECT_EQ(0, browse(other, OLDEST, 0));
	EXPECT_READS(self->queue, "456789");
	EXPECT_READS(cast, "56789");
	EXPECT_EQ(0, browse(self->queue, OLDEST, 0));
	EXPECT_EQ(0, attach(self->queue, GROUP, NOW, 0));
	EXPECT_EQ(0, attach(cast, OWN, NOW, 0));
	close(copy);
	close(cast);
	close(other);
}

TEST_F(attach, a_partial_line_is_no_obstacle)
{
	ASSERT_EQ(0, set_mode(self->queue, KMSGPIPE_MODE_LINES));
	ASSERT_EQ(4, write_text(self->queue, "line"));
	EXPECT_EQ(0, browse(self->queue, OLDEST, 0));
	EXPECT_EQ(4, line_bytes(self->queue));
	ASSERT_EQ(1, write_text(self->queue, "\n"));
	EXPECT_READS(self->queue, "line\n");
	EXPECT_EQ(1, stats_of(self->queue).depth_msgs);
}

TEST_F(attach, one_that_fails_changes_nothing)
{
	int cast = subscribe(self->cast_id);
	struct kmsgpipe_stats before;

	fill_full(self->cast);
	EXPECT_STREQ("1", read_text(cast, 256));
	before = state_of(self->cast);
	EXPECT_EQ(-EINVAL, attach(cast, GROUP, NOW, 0));
	EXPECT_EQ(-EINVAL, attach(cast, OWN, NOW, 1));
	EXPECT_EQ(-EINVAL, browse(cast, 4, 0));
	EXPECT_EQ(-EFAULT, TRY(ioctl(cast, KMSGPIPE_ATTACH, bad_address)));
	EXPECT_TRUE(unchanged(&before, self->cast));
	EXPECT_STREQ("own next 2 lag 2 lost 0 expired 0", position_of(cast));
	EXPECT_READS(cast, "22", "333");
	close(cast);
}

/* ---- Subscriptions of a broadcast pipe ---- */

TEST_F(attach, own_now_skips_the_backlog)
{
	int a = subscribe(self->cast_id), b = subscribe(self->cast_id);

	fill_full(self->cast);
	EXPECT_STREQ("1", read_text(b, 256));
	ASSERT_EQ(0, attach(a, OWN, NOW, 0));
	/* What only this one had to read is freed, and it has lost nothing. */
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(self->cast));
	EXPECT_STREQ("own next 4 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_EQ(0, poll_now(a));
	EXPECT_READS(a);
	ASSERT_EQ(0, attach(b, OWN, NOW, 0));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 2/5 + 0/0", counts_of(self->cast));
	ASSERT_EQ(4, write_text(self->cast, "4444"));
	EXPECT_STREQ("4:0:4444", records_of(a, 9));
	EXPECT_READS(b, "4444");
	close(a);
	close(b);
}

TEST_F(attach, own_oldest_reads_again_what_is_still_stored)
{
	int a = subscribe(self->cast_id), b = subscribe(self->cast_id);

	fill_full(self->cast);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_STREQ("1", read_text(b, 256));
	/* "1" has left the pipe. */
	ASSERT_EQ(0, attach(a, OWN, OLDEST, 0));
	EXPECT_STREQ("own next 2 lag 2 lost 0 expired 0", position_of(a));
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_READS(b, "22", "333");
	/* It holds them back now. */
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(self->cast));
	EXPECT_STREQ("2:0:22 3:0:333", records_of(a, 9));
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->cast));
	ASSERT_EQ(0, attach(a, OWN, OLDEST, 0));
	EXPECT_READS(a);
	close(a);
	close(b);
}

TEST_F(attach, own_seq_begins_at_the_first_with_that_number)
{
	static const struct { unsigned long long at; const char *reads; } cases[] = {
		{ 0, "3:0:333 4:0:4444 5:0:55555" }, { 1, "3:0:333 4:0:4444 5:0:55555" }, { 3, "3:0:333 4:0:4444 5:0:55555" },
		{ 4, "4:0:4444 5:0:55555" }, { 5, "5:0:55555" }, { 6, "Resource temporarily unavailable" },
		{ 7, "Resource temporarily unavailable" }, { ~0ULL, "Resource temporarily unavailable" },
		{ 4, "4:0:4444 5:0:55555" },
	};
	int holder = subscribe(self->cast_id), a = subscribe(self->cast_id);
	size_t i;

	fill_full(self->cast);
	ASSERT_EQ(4, write_text(self->cast, "4444"));
	ASSERT_EQ(5, write_text(self->cast, "55555"));
	EXPECT_READS(a, "1", "22", "333", "4444", "55555");
	EXPECT_STREQ("1", read_text(holder, 256));
	EXPECT_STREQ("22", read_text(holder, 256));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, attach(a, OWN, SEQ, cases[i].at));
		EXPECT_STREQ(cases[i].reads, records_of(a, 9)) TH_LOG("at %llu", cases[i].at);
	}
	/* A number beyond the newest message is like "now". */
	ASSERT_EQ(0, attach(a, OWN, SEQ, 100));
	ASSERT_EQ(0, attach(holder, OWN, NOW, 0));
	ASSERT_EQ(6, write_text(self->cast, "666666"));
	EXPECT_STREQ("6:0:666666", records_of(a, 9));
	close(holder);
	close(a);
}

/* The times of the messages that the file reads in the mode RECORDS. */
static unsigned int times_of(int fd, unsigned long long *times, unsigned int count)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	unsigned int i;
	long len;

	if (set_mode(fd, KMSGPIPE_MODE_RECORDS))
		abort();
	len = TRY(read(fd, buffer, sizeof(buffer)));
	if (set_mode(fd, 0))
		abort();
	for (i = 0; i < count && (char *)record < buffer + len; i++, record = next_record(record))
		times[i] = record->realtime_ns;
	return i;
}

TEST_F(attach, time_begins_at_the_first_that_was_sent_then)
{
	int holder = subscribe(self->cast_id), a = subscribe(self->cast_id), browser = subscribe(self->queue_id);
	unsigned long long times[5];
	struct timespec last, now;
	unsigned int i;

	clock_gettime(CLOCK_REALTIME, &last);
	for (i = 0; i < 5; i++) {
		/* Each message has a time of its own. */
		do
			clock_gettime(CLOCK_REALTIME, &now);
		while (now.tv_sec == last.tv_sec && now.tv_nsec - last.tv_nsec < 10000000);
		last = now;
		ASSERT_EQ(1, write_text(self->cast, "x"));
		ASSERT_EQ(1, write_text(self->queue, "x"));
	}
	ASSERT_EQ(5, times_of(a, times, 5));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, attach(a, OWN, TIME, times[i]));
		EXPECT_EQ(i + 1, fdinfo_number(a, "kmsgpipe-next-seq"));
		ASSERT_EQ(0, attach(a, OWN, TIME, times[i] + 1));
		EXPECT_EQ(i + 2, fdinfo_number(a, "kmsgpipe-next-seq"));
	}
	EXPECT_EQ(0, fdinfo_number(a, "kmsgpipe-lag-msgs"));
	ASSERT_EQ(0, attach(a, OWN, TIME, 0));
	EXPECT_STREQ("own next 1 lag 5 lost 0 expired 0", position_of(a));
	ASSERT_EQ(0, attach(a, OWN, TIME, ~0ULL));
	EXPECT_STREQ("own next 6 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_READS(holder, "x", "x", "x", "x", "x");
	/* The same in a queue. */
	ASSERT_EQ(0, browse(browser, OLDEST, 0));
	ASSERT_EQ(5, times_of(browser, times, 5));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, browse(browser, TIME, times[i]));
		EXPECT_EQ(i + 1, fdinfo_number(browser, "kmsgpipe-next-seq"));
		EXPECT_EQ(5 - i, fdinfo_number(browser, "kmsgpipe-lag-msgs"));
		ASSERT_EQ(0, browse(browser, TIME, times[i] + 1));
		EXPECT_EQ(i + 2, fdinfo_number(browser, "kmsgpipe-next-seq"));
	}
	close(holder);
	close(a);
	close(browser);
}

TEST_F(attach, own_reaches_the_history)
{
	long id = broadcast_pipe(5, 3);
	int writer = open_id(id, O_WRONLY), a = subscribe(id);

	fill_full(writer);
	ASSERT_EQ(4, write_text(writer, "4444"));
	EXPECT_READS(a, "1", "22", "333", "4444");
	ASSERT_EQ(0, attach(a, OWN, OLDEST, 0));
	EXPECT_STREQ("own next 2 lag 3 lost 0 expired 0", position_of(a));
	EXPECT_READS(a, "22", "333", "4444");
	ASSERT_EQ(0, attach(a, OWN, SEQ, 3));
	EXPECT_READS(a, "333", "4444");
	ASSERT_EQ(0, attach(a, OWN, SEQ, 1));
	EXPECT_READS(a, "22", "333", "4444");
	ASSERT_EQ(0, attach(a, OWN, TIME, 0));
	EXPECT_READS(a, "22", "333", "4444");
	/* "Now" is without history. */
	ASSERT_EQ(0, attach(a, OWN, NOW, 0));
	EXPECT_READS(a);
	/* Each message was counted once. */
	EXPECT_STREQ("4/10 = 4/10 + 0/0 + 0/0 + 0/0", counts_of(writer));
	close(a);
	expect_destroyed(_metadata, writer);
	close(writer);
}

TEST_F(attach, moving_the_slowest_makes_room)
{
	int a = subscribe(self->cast_id), b = subscribe(self->cast_id), writer = open_id(self->cast_id, O_WRONLY), i;
	struct call call = write_call(writer, "late", 4);

	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, write_text(self->cast, "x"));
	EXPECT_READS(b, "x", "x", "x", "x", "x");
	start_call(&call);
	await_writers(self->cast, 1);
	ASSERT_EQ(0, attach(a, OWN, SEQ, 5));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_READS(a, "x", "late");
	EXPECT_READS(b, "late");
	/* The same when it begins to browse. */
	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, write_text(self->cast, "y"));
	EXPECT_READS(b, "y", "y", "y", "y", "y");
	start_call(&call);
	await_writers(self->cast, 1);
	ASSERT_EQ(0, browse(a, NOW, 0));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_READS(b, "late");
	EXPECT_STREQ("12/18 = 12/18 + 0/0 + 0/0 + 0/0", counts_of(self->cast));
	close(a);
	close(b);
	close(writer);
}

TEST_F(attach, a_sleeping_reader_goes_on_from_the_new_position)
{
	int a = open_id(self->cast_id, O_RDONLY), holder = subscribe(self->cast_id);
	char buffer[16];
	struct call call = read_call(a, buffer, sizeof(buffer));

	ASSERT_EQ(2, write_text(self->cast, "22"));
	EXPECT_STREQ("22", read_text(a, 256));
	start_call(&call);
	await_readers(self->cast, 1);
	ASSERT_EQ(0, attach(a, OWN, OLDEST, 0));
	EXPECT_EQ(2, finish_call(&call));
	EXPECT_EQ(0, memcmp(buffer, "22", 2));
	close(a);
	close(holder);
}

TEST_F(attach, all_descriptors_of_an_open_file_move)
{
	int a = subscribe(self->cast_id), copy = dup(a), other = subscribe(self->cast_id);
	pid_t child;

	fill_full(self->cast);
	child = fork();
	if (!child)
		_exit(attach(copy, OWN, SEQ, 3) != 0);
	ASSERT_EQ(0, exit_of(child));
	EXPECT_READS(a, "333");
	EXPECT_READS(other, "1", "22", "333");
	close(a);
	close(copy);
	close(other);
}

/* ---- A queue ---- */

TEST_F(attach, group_reads_the_queue)
{
	int other = subscribe(self->queue_id);

	EXPECT_STREQ("queue", position_of(self->queue));
	fill_full(self->queue);
	EXPECT_EQ(0, attach(self->queue, GROUP, NOW, 0));
	EXPECT_STREQ("queue", position_of(self->queue));
	/* It takes the oldest message: "now" is no position in a queue. */
	EXPECT_STREQ("1", read_text(self->queue, 256));
	ASSERT_EQ(0, browse(self->queue, OLDEST, 0));
	EXPECT_STREQ("22", read_text(self->queue, 256));
	EXPECT_STREQ("22", read_text(other, 256));
	EXPECT_EQ(0, attach(self->queue, GROUP, NOW, 0));
	EXPECT_STREQ("queue", position_of(self->queue));
	EXPECT_READS(self->queue, "333");
	EXPECT_READS(other);
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->queue));
	close(other);
}

TEST_F(attach, the_right_to_read_of_a_queue_stays_when_it_browses)
{
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, browse(self->queue, i % 2 ? OLDEST : NOW, 0));
		EXPECT_EQ(1, stats_of(self->queue).readers);
		ASSERT_EQ(0, attach(self->queue, GROUP, NOW, 0));
		EXPECT_EQ(1, stats_of(self->queue).readers);
	}
}

TEST_HARNESS_MAIN
