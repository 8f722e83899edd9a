// SPDX-License-Identifier: GPL-2.0
/*
 * Overflow policies: what a write to a full pipe does, what is counted, and how it changes. How readers learn of
 * losses is tested in overflow_lost.c.
 */
#include "lib/expiry.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/overflow_fixture.h"
#include "lib/ring.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

/* ---- Full pipes ---- */

TEST_F(full, a_blocking_pipe_refuses)
{
	struct kmsgpipe_stats before = state_of(self->fd);

	EXPECT_STREQ("block\n", policy_of(self->id));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "new"));
	before.refused_full++;
	EXPECT_TRUE(unchanged(&before, self->fd));
}

TEST_F(full, drop_oldest_replaces_the_oldest_message)
{
	struct kmsgpipe_stats stats;

	set_policy(self->id, "drop-oldest");
	/* No call waits, whether it may or not. */
	EXPECT_EQ(3, write_text(self->fd, "new"));
	EXPECT_EQ(4, write_text(self->nonblocking, "more"));
	stats = stats_of(self->fd);
	EXPECT_EQ(3, stats.depth_msgs);
	EXPECT_EQ(3 + 3 + 4, stats.depth_bytes);
	EXPECT_EQ(5, stats.enqueued_msgs);
	EXPECT_EQ(1 + 2 + 3 + 3 + 4, stats.enqueued_bytes);
	EXPECT_EQ(2, stats.dropped_msgs);
	EXPECT_EQ(1 + 2, stats.dropped_bytes);
	EXPECT_EQ(0, stats.dequeued_msgs);
	EXPECT_EQ(0, stats.refused_full);
	EXPECT_EQ(3, stats.peak_msgs);
	EXPECT_EQ(3 + 3 + 4, stats.peak_bytes);
	/* Sequence numbers show the gap. */
	EXPECT_EQ(3, stats.head_seq);
	EXPECT_STREQ("333", read_text(self->nonblocking, 256));
	EXPECT_STREQ("new", read_text(self->nonblocking, 256));
	EXPECT_STREQ("more", read_text(self->nonblocking, 256));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 256));
}

TEST_F(full, drop_newest_discards_the_new_message)
{
	struct kmsgpipe_stats before, stats;

	set_policy(self->id, "drop-newest");
	before = stats_of(self->fd);
	EXPECT_EQ(3, write_text(self->fd, "new"));
	EXPECT_EQ(4, write_text(self->nonblocking, "more"));
	stats = stats_of(self->fd);
	EXPECT_EQ(3, stats.depth_msgs);
	EXPECT_EQ(1 + 2 + 3, stats.depth_bytes);
	EXPECT_EQ(5, stats.enqueued_msgs);
	EXPECT_EQ(1 + 2 + 3 + 3 + 4, stats.enqueued_bytes);
	EXPECT_EQ(2, stats.dropped_msgs);
	EXPECT_EQ(3 + 4, stats.dropped_bytes);
	EXPECT_EQ(0, stats.dequeued_msgs);
	EXPECT_EQ(0, stats.refused_full);
	EXPECT_EQ(before.peak_msgs, stats.peak_msgs);
	EXPECT_EQ(before.peak_bytes, stats.peak_bytes);
	EXPECT_EQ(1, stats.head_seq);
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	/* There is room now. What was discarded got no sequence number: this message has 4. */
	EXPECT_EQ(4, write_text(self->nonblocking, "next"));
	EXPECT_STREQ("22", read_text(self->nonblocking, 256));
	EXPECT_STREQ("333", read_text(self->nonblocking, 256));
	EXPECT_EQ(4, stats_of(self->fd).head_seq);
	EXPECT_STREQ("next", read_text(self->nonblocking, 256));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 256));
}

TEST_F(full, a_pipe_for_one_message_holds_the_last_or_the_first)
{
	static const struct { const char *policy, *left; } cases[] = { { "drop-oldest", "4444" }, { "drop-newest", "1" } };
	static const char *const texts[] = { "1", "22", "333", "4444" };
	struct kmsgpipe_stats stats;
	size_t i, k;
	long id;
	int fd;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		id = limited_pipe(256, 1);
		fd = open_id(id, O_RDWR | O_NONBLOCK);
		set_policy(id, cases[i].policy);
		for (k = 0; k < ARRAY_SIZE(texts); k++)
			EXPECT_EQ((long)strlen(texts[k]), write_text(fd, texts[k]));
		stats = stats_of(fd);
		EXPECT_EQ(1, stats.depth_msgs);
		EXPECT_EQ(3, stats.dropped_msgs);
		EXPECT_EQ(strlen(cases[i].left), stats.depth_bytes);
		EXPECT_EQ(1, stats.peak_msgs);
		EXPECT_STREQ(cases[i].left, read_text(fd, 256));
		expect_destroyed(_metadata, fd);
		close(fd);
	}
}

TEST_F(full, no_way_to_write_waits_or_fails)
{
	struct iovec iov[] = { { "a", 1 }, { "bc", 2 } };
	struct io_uring_sqe request = {
		.opcode = IORING_OP_WRITE, .addr = (uintptr_t)"uring", .len = 5, .off = -1,
	};
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	unsigned long long dropped = 0;
	struct ring ring;
	int ends[2], fd;
	size_t i;

	ring_open(&ring);
	ASSERT_EQ(0, pipe(ends));
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		for (fd = self->fd; ; fd = self->nonblocking) {
			EXPECT_EQ(3, TRY(writev(fd, iov, 2)));
			EXPECT_EQ(3, TRY(pwritev2(fd, iov, 2, -1, 0)));
			EXPECT_EQ(3, TRY(pwritev2(fd, iov, 2, -1, RWF_NOWAIT)));
			request.fd = fd;
			EXPECT_EQ(1, ring_submit(&ring, &request));
			EXPECT_EQ(5, ring_complete(&ring));
			ASSERT_EQ(6, write(ends[1], "splice", 6));
			EXPECT_EQ(6, TRY(splice(ends[0], NULL, fd, NULL, 6, 0)));
			ASSERT_EQ(6, write(ends[1], "splice", 6));
			EXPECT_EQ(6, TRY(splice(ends[0], NULL, fd, NULL, 6, SPLICE_F_NONBLOCK)));
			dropped += 6;
			EXPECT_EQ(dropped, stats_of(self->fd).dropped_msgs) TH_LOG("%s", policies[i]);
			if (fd == self->nonblocking)
				break;
		}
	}
	EXPECT_EQ(0, stats_of(self->fd).refused_full);
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
	close(ends[0]);
	close(ends[1]);
	ring_close(&ring);
}

TEST_F(full, a_message_that_is_too_long_drops_nothing)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	static char text[257];
	struct kmsgpipe_stats before;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		before = state_of(self->fd);
		EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, text, 257)));
		before.refused_size++;
		EXPECT_TRUE(unchanged(&before, self->fd)) TH_LOG("%s", policies[i]);
		EXPECT_EQ(256, TRY(write(self->fd, text, 256)));
	}
}

TEST_F(full, a_write_from_bad_memory_drops_nothing)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	char *end = page_end();
	struct iovec iov[] = { { end - 8, 8 }, { bad_address, 8 } };
	struct kmsgpipe_stats before;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		before = state_of(self->fd);
		EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 8)));
		EXPECT_EQ(-EFAULT, TRY(write(self->nonblocking, end - 4, 8)));
		EXPECT_EQ(-EFAULT, TRY(writev(self->fd, iov, 2)));
		EXPECT_TRUE(unchanged(&before, self->fd)) TH_LOG("%s", policies[i]);
	}
	EXPECT_EQ(0, poll_now(self->fd) & POLLPRI);
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
}

TEST_F(full, memory_that_is_not_present_is_brought_in)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	struct kmsgpipe_stats stats;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		EXPECT_EQ(100, TRY(write(self->nonblocking, map_pages(PAGE_SIZE), 100)));
		stats = stats_of(self->fd);
		EXPECT_EQ(3, stats.depth_msgs);
		EXPECT_EQ(i + 1, stats.dropped_msgs);
	}
}

TEST_F(full, expired_messages_go_first)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	struct kmsgpipe_stats stats;
	size_t i;
	long id;
	int fd;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		id = limited_pipe(256, 2);
		fd = open_id(id, O_RDWR | O_NONBLOCK);
		set_policy(id, policies[i]);
		queue_expired(fd);
		ASSERT_EQ(0, flush_periodic(fd, 1, 1000000, 50));
		EXPECT_EQ(3, write_text(fd, "new"));
		stats = stats_of(fd);
		EXPECT_EQ(2, stats.expired_msgs);
		EXPECT_EQ(8, stats.expired_bytes);
		EXPECT_EQ(0, stats.dropped_msgs);
		EXPECT_TRUE(accounted(&stats));
		expect_destroyed(_metadata, fd);
		close(fd);
	}
}

TEST_F(full, a_message_that_is_being_read_is_not_dropped)
{
	struct kmsgpipe_stats stats;

	set_policy(self->id, "drop-oldest");
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	/* "22" is read in part: its rest holds a slot, and has left the queue. */
	EXPECT_STREQ("2", read_text(self->nonblocking, 1));
	EXPECT_EQ(4, write_text(self->fd, "4444"));
	stats = stats_of(self->fd);
	EXPECT_EQ(2, stats.depth_msgs);
	EXPECT_EQ(0, stats.dropped_msgs);
	EXPECT_EQ(5, write_text(self->fd, "55555"));
	stats = stats_of(self->fd);
	EXPECT_EQ(2, stats.depth_msgs);
	EXPECT_EQ(1, stats.dropped_msgs);
	EXPECT_EQ(3, stats.dropped_bytes);
	EXPECT_STREQ("2", read_text(self->nonblocking, 256));
	EXPECT_STREQ("4444", read_text(self->nonblocking, 256));
	EXPECT_STREQ("55555", read_text(self->nonblocking, 256));
}

TEST_F(full, a_message_is_discarded_when_rests_hold_all_slots)
{
	struct kmsgpipe_stats stats;
	long id = limited_pipe(256, 1);
	int fd = open_id(id, O_RDWR | O_NONBLOCK);

	set_policy(id, "drop-oldest");
	ASSERT_EQ(2, write_text(fd, "12"));
	EXPECT_STREQ("1", read_text(fd, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(fd));
	EXPECT_EQ(3, write_text(fd, "new"));
	stats = stats_of(fd);
	EXPECT_EQ(0, stats.depth_msgs);
	EXPECT_EQ(2, stats.enqueued_msgs);
	EXPECT_EQ(1, stats.dequeued_msgs);
	EXPECT_EQ(1, stats.dropped_msgs);
	EXPECT_EQ(3, stats.dropped_bytes);
	EXPECT_STREQ("2", read_text(fd, 256));
	EXPECT_EQ(-EAGAIN, try_read(fd, 256));
	EXPECT_EQ(3, write_text(fd, "ok?"));
	EXPECT_STREQ("ok?", read_text(fd, 256));
	expect_destroyed(_metadata, fd);
	close(fd);
}

/* ---- Several messages a write ---- */

TEST_F(full, each_line_goes_by_the_policy)
{
	int lines = open_for_lines(self->id, O_WRONLY | O_NONBLOCK);

	set_policy(self->id, "drop-oldest");
	EXPECT_EQ(10, write_text(lines, "a\nb\nc\nd\nef"));
	EXPECT_EQ(4, stats_of(self->fd).dropped_msgs);
	EXPECT_STREQ("b\n", read_text(self->nonblocking, 256));
	EXPECT_STREQ("c\n", read_text(self->nonblocking, 256));
	EXPECT_EQ(2, write_text(lines, "g\n"));
	EXPECT_EQ(4, stats_of(self->fd).dropped_msgs);
	set_policy(self->id, "drop-newest");
	EXPECT_EQ(6, write_text(lines, "h\ni\nj\n"));
	EXPECT_EQ(6, stats_of(self->fd).dropped_msgs);
	EXPECT_STREQ("d\n", read_text(self->nonblocking, 256));
	EXPECT_STREQ("efg\n", read_text(self->nonblocking, 256));
	EXPECT_STREQ("h\n", read_text(self->nonblocking, 256));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 256));
	close(lines);
}

TEST_F(full, a_line_at_close_is_never_refused)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	struct kmsgpipe_stats stats;
	size_t i;
	int lines;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		lines = open_for_lines(self->id, O_WRONLY);
		set_policy(self->id, policies[i]);
		ASSERT_EQ(4, write_text(lines, "last"));
		close(lines);
		stats = stats_of(self->fd);
		EXPECT_EQ(i + 1, stats.dropped_msgs);
		EXPECT_EQ(0, stats.refused_full);
		EXPECT_EQ(4 + i, stats.enqueued_msgs);
	}
	EXPECT_STREQ("22", read_text(self->nonblocking, 256));
	EXPECT_STREQ("333", read_text(self->nonblocking, 256));
	EXPECT_STREQ("last", read_text(self->nonblocking, 256));
}

TEST_F(full, each_record_goes_by_the_policy)
{
	static char buffer[2 * PAGE_SIZE] __attribute__((aligned(8)));
	char *end;
	int i;

	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	set_policy(self->id, "drop-oldest");
	end = put_words(put_words(put_words(put_words(buffer, "a"), "b"), "c"), "d");
	EXPECT_EQ(end - buffer, TRY(write(self->nonblocking, buffer, end - buffer)));
	EXPECT_EQ(4, stats_of(self->fd).dropped_msgs);
	EXPECT_STREQ("b", read_text(self->fd, 256));
	set_policy(self->id, "drop-newest");
	EXPECT_EQ(end - buffer, TRY(write(self->nonblocking, buffer, end - buffer)));
	EXPECT_EQ(7, stats_of(self->fd).dropped_msgs);
	EXPECT_STREQ("c", read_text(self->fd, 256));
	EXPECT_STREQ("d", read_text(self->fd, 256));
	EXPECT_STREQ("a", read_text(self->fd, 256));
	/* More than a page. */
	for (i = 0, end = buffer; i < 200; i++)
		end = put_words(end, "long");
	EXPECT_EQ(end - buffer, TRY(write(self->nonblocking, buffer, end - buffer)));
	EXPECT_EQ(7 + 197, stats_of(self->fd).dropped_msgs);
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
}

TEST_F(full, fdinfo_counts_what_was_discarded_as_sent)
{
	char text[1000];

	set_policy(self->id, "drop-newest");
	ASSERT_EQ(3, write_text(self->nonblocking, "new"));
	fdinfo(self->nonblocking, text, sizeof(text));
	EXPECT_EQ(1, value_of(text, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(3, value_of(text, "kmsgpipe-sent-bytes"));
}

/* ---- Setting a policy ---- */

TEST_F(full, create_takes_a_policy)
{
	static const struct { unsigned int overflow; const char *word; } cases[] = {
		{ 0, "block\n" }, { KMSGPIPE_OVERFLOW_BLOCK, "block\n" }, { KMSGPIPE_OVERFLOW_DROP_OLDEST, "drop-oldest\n" },
		{ KMSGPIPE_OVERFLOW_DROP_NEWEST, "drop-newest\n" },
	};
	static const unsigned int bad[] = { 3, 4, 1U << 31, 0xffffffff };
	struct kmsgpipe_create create = default_pipe();
	size_t i;
	long id;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		create.overflow = cases[i].overflow;
		ASSERT_LE(1, id = create_pipe(&create));
		EXPECT_STREQ(cases[i].word, policy_of(id));
		EXPECT_EQ(0, destroy_id(id));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		create.overflow = bad[i];
		EXPECT_EQ(-EINVAL, create_pipe(&create)) TH_LOG("%#x", bad[i]);
	}
}

TEST_F(full, sysfs_creates_a_pipe_with_a_policy)
{
	static const char *const good[] = { "block", "drop-oldest", "drop-newest" };
	static const char *const bad[] = { "", "drop", "drop_oldest", "DROP-OLDEST", "1", "drop-oldest,drop-newest" };
	char line[100];
	struct stat node;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "spill overflow=%s max_msgs=1", good[i]);
		EXPECT_EQ((long)strlen(line), spill(SYSFS "/create", line));
		ASSERT_EQ(0, stat("/dev/kmsgpipe/spill", &node));
		EXPECT_EQ(0, strncmp(good[i], policy_of(minor(node.st_rdev)), strlen(good[i])));
		EXPECT_EQ(0, destroy_word("spill"));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "spill overflow=%s", bad[i]);
		EXPECT_EQ(-EINVAL, spill(SYSFS "/create", line)) TH_LOG("%s", line);
	}
	EXPECT_EQ(-EINVAL, spill(SYSFS "/create", "spill overflow=block overflow=block"));
	EXPECT_FALSE(is_there("/dev/kmsgpipe/spill"));
}

TEST_F(full, sysfs_shows_and_sets_the_policy)
{
	static const char *const bad[] = { "\n", "drop", "drop-oldest ", " block", "BLOCK", "0", "block\n\n", "none" };
	size_t i;

	EXPECT_STREQ("block\n", policy_of(self->id));
	EXPECT_EQ(12, spill(sysfs_file(self->id, "overflow"), "drop-oldest\n"));
	EXPECT_STREQ("drop-oldest\n", policy_of(self->id));
	EXPECT_EQ(11, spill(sysfs_file(self->id, "overflow"), "drop-newest"));
	EXPECT_STREQ("drop-newest\n", policy_of(self->id));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, spill(sysfs_file(self->id, "overflow"), bad[i])) TH_LOG("'%s'", bad[i]);
		EXPECT_STREQ("drop-newest\n", policy_of(self->id));
	}
	EXPECT_EQ(6, spill(sysfs_file(self->id, "overflow"), "block\n"));
	EXPECT_STREQ("block\n", policy_of(self->id));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "new"));
}

TEST_F(full, a_change_lets_all_sleeping_writers_through)
{
	static const struct { const char *policy, *left[3]; } cases[] = {
		{ "drop-oldest", { "late", "late", "late" } }, { "drop-newest", { "1", "22", "333" } },
	};
	struct call calls[5];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kmsgpipe_stats before;

		/* Empty, and full again. */
		ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
		fill_full(self->fd);
		before = stats_of(self->fd);
		start_writers(calls, 5, self->fd, "late", 4);
		set_policy(self->id, cases[i].policy);
		for (k = 0; k < 5; k++)
			EXPECT_EQ(4, finish_call(&calls[k]));
		EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
		EXPECT_EQ(before.dropped_msgs + 5, stats_of(self->fd).dropped_msgs);
		EXPECT_EQ(before.enqueued_msgs + 5, stats_of(self->fd).enqueued_msgs);
		for (k = 0; k < 3; k++)
			EXPECT_STREQ(cases[i].left[k], read_text(self->nonblocking, 256));
		set_policy(self->id, "block");
	}
}

TEST_F(full, a_change_to_the_same_policy_wakes_no_writer)
{
	struct call call = write_call(self->fd, "late", 4);

	start_call(&call);
	await_writers(self->fd, 1);
	set_policy(self->id, "block");
	EXPECT_EQ(1, stats_of(self->fd).waiting_writers);
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	EXPECT_EQ(4, finish_call(&call));
}

TEST_F(full, a_change_tells_pollers)
{
	struct poller poller = { .fd = self->fd, .events = POLLOUT };
	int epoll = new_epoll(self->fd, EPOLLOUT | EPOLLET);
	struct epoll_event event;

	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	start_poll(&poller);
	set_policy(self->id, "drop-newest");
	EXPECT_EQ(POLLOUT, finish_poll(&poller));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(EPOLLOUT, event.events);
	/* A pipe that drops is always writable, and nothing changes when a message leaves. */
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(3, write_text(self->fd, "new"));
	/* Full again: with the policy block it is not writable until a message leaves. */
	set_policy(self->id, "block");
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_STREQ("22", read_text(self->nonblocking, 256));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	close(epoll);
}

TEST_F(full, a_destroyed_pipe_drops_nothing)
{
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, write_text(self->fd, "new"));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP | POLLERR, poll_now(self->fd));
}

TEST_HARNESS_MAIN
