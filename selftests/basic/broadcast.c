// SPDX-License-Identifier: GPL-2.0
/*
 * Broadcast pipes: each subscription gets each message once, and a message stays until the last one has read it.
 * history.c tests what later subscriptions get, broadcast_full.c full pipes and losses, broadcast_modes.c the ways of
 * reading, broadcast_wait.c waiting, and broadcast_random.c random calls against a model.
 */
#include "lib/broadcast_fixture.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/records.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

/* ---- Subscriptions ---- */

TEST_F(broadcast, each_subscription_gets_each_message_once_and_in_order)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_READS(b, "1", "22", "333");
	EXPECT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_READS(b, "4444");
	EXPECT_READS(a, "4444");
	close(a);
	close(b);
}

TEST_F(broadcast, many_subscriptions_get_many_messages)
{
	long id = broadcast_pipe(100, 0);
	int writer = open_id(id, O_WRONLY | O_NONBLOCK), fds[64];
	char out[256], in[256];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = subscribe(id);
	EXPECT_EQ(64, stats_of(writer).readers);
	for (k = 0; k < 100; k++) {
		size_t len = numbered(out, k, 1 + k);

		ASSERT_EQ((long)len, TRY(write(writer, out, len)));
	}
	EXPECT_STREQ("100/5050 = 0/0 + 0/0 + 0/0 + 100/5050", counts_of(writer));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		for (k = 0; k < 100; k++) {
			ASSERT_EQ(1 + (long)k, TRY(read(fds[i], in, sizeof(in))));
			ASSERT_TRUE(is_numbered(in, k, 1 + k)) TH_LOG("message %u of subscription %u", k, i);
		}
		ASSERT_EQ(-EAGAIN, try_read(fds[i], 256));
		EXPECT_EQ(i == 63 ? 0 : 100, stats_of(writer).depth_msgs);
	}
	EXPECT_STREQ("100/5050 = 100/5050 + 0/0 + 0/0 + 0/0", counts_of(writer));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	expect_destroyed(_metadata, writer);
	close(writer);
}

TEST_F(broadcast, a_subscription_begins_with_what_is_sent_after_the_open)
{
	int a = subscribe(self->id), b, c;

	ASSERT_EQ(1, write_text(self->fd, "1"));
	b = subscribe(self->id);
	EXPECT_EQ(-EAGAIN, try_read(b, 256));
	ASSERT_EQ(2, write_text(self->fd, "22"));
	c = subscribe(self->id);
	EXPECT_READS(c);
	EXPECT_READS(b, "22");
	EXPECT_READS(a, "1", "22");
	close(a);
	close(b);
	close(c);
}

TEST_F(broadcast, a_file_for_reading_and_writing_gets_its_own_messages)
{
	int a = open_id(self->id, O_RDWR | O_NONBLOCK), b = open_id(self->id, O_RDWR | O_NONBLOCK);

	ASSERT_EQ(6, write_text(a, "from a"));
	ASSERT_EQ(6, write_text(b, "from b"));
	EXPECT_READS(a, "from a", "from b");
	EXPECT_READS(b, "from a", "from b");
	close(a);
	close(b);
}

TEST_F(broadcast, without_a_subscription_messages_are_dropped)
{
	int none = open_id(self->id, O_ACCMODE), late, i;

	/* Files that cannot read have none. */
	EXPECT_EQ(0, stats_of(self->fd).readers);
	for (i = 1; i <= 10; i++) {
		EXPECT_EQ(3, write_text(self->fd, "one"));
		EXPECT_EQ(5, write_text(self->nonblocking, "other"));
	}
	EXPECT_STREQ("20/80 = 0/0 + 0/0 + 20/80 + 0/0", counts_of(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).refused_full);
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	late = subscribe(self->id);
	EXPECT_EQ(-EAGAIN, try_read(late, 256));
	EXPECT_STREQ("own next 21 lag 0 lost 0 expired 0", position_of(late));
	EXPECT_EQ(0, poll_now(late));
	/* They were accepted, so they have sequence numbers. */
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_STREQ("21:0:next", records_of(late, 9));
	close(none);
	close(late);
}

TEST_F(broadcast, each_file_has_a_subscription)
{
	int fds[3], i;

	for (i = 0; i < 3; i++) {
		fds[i] = subscribe(self->id);
		EXPECT_EQ(i + 1, stats_of(self->fd).readers);
		ASSERT_EQ(1, write_text(self->fd, "x"));
	}
	EXPECT_READS(fds[2], "x");
	EXPECT_READS(fds[1], "x", "x");
	EXPECT_READS(fds[0], "x", "x", "x");
	for (i = 0; i < 3; i++)
		close(fds[i]);
	EXPECT_EQ(0, stats_of(self->fd).readers);
}

/* ---- The backlog ---- */

TEST_F(broadcast, the_backlog_is_that_of_the_slowest)
{
	int a = subscribe(self->id), b = subscribe(self->id), c = subscribe(self->id);

	EXPECT_STREQ("0/0 = 0/0 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	fill_full(self->fd);
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_STREQ("1", read_text(c, 256));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(self->fd));
	EXPECT_STREQ("22", read_text(c, 256));
	EXPECT_STREQ("333", read_text(c, 256));
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 0/0 + 2/5", counts_of(self->fd));
	EXPECT_STREQ("22", read_text(b, 256));
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_STREQ("333", read_text(a, 256));
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_STREQ("333", read_text(b, 256));
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	EXPECT_EQ(3, stats_of(self->fd).peak_msgs);
	EXPECT_EQ(6, stats_of(self->fd).peak_bytes);
	close(a);
	close(b);
	close(c);
}

TEST_F(broadcast, closing_frees_what_only_that_subscription_waited_for)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	close(b);
	/* What the other one has read counts as delivered. */
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_EQ(1, stats_of(self->fd).readers);
	EXPECT_READS(a, "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(broadcast, what_no_subscription_has_read_counts_as_dropped_when_the_last_one_ends)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	close(a);
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	close(b);
	/* The first message was read by a subscription that has ended since. */
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 2/5 + 0/0", counts_of(self->fd));
	ASSERT_EQ(4, write_text(self->fd, "gone"));
	EXPECT_STREQ("4/10 = 1/1 + 0/0 + 3/9 + 0/0", counts_of(self->fd));
}

TEST_F(broadcast, a_new_subscription_holds_nothing_back_that_was_there_before)
{
	int a = subscribe(self->id), b;

	fill_full(self->fd);
	b = subscribe(self->id);
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_READS(b);
	fill_full(self->nonblocking);
	close(a);
	EXPECT_STREQ("6/12 = 3/6 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_READS(b, "1", "22", "333");
	EXPECT_STREQ("6/12 = 6/12 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(b);
}

TEST_F(broadcast, subscriptions_come_and_go_between_messages)
{
	unsigned long long dequeued = 0, dropped = 0;
	int i, a, b;

	for (i = 0; i < 200; i++) {
		a = subscribe(self->id);
		b = subscribe(self->id);
		fill_full(self->nonblocking);
		ASSERT_STREQ("1", read_text(i % 2 ? a : b, 256));
		close(i % 3 ? a : b);
		close(i % 3 ? b : a);
		dequeued++;
		dropped += 2;
		ASSERT_EQ(dequeued, stats_of(self->fd).dequeued_msgs);
		ASSERT_EQ(dropped, stats_of(self->fd).dropped_msgs);
		ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
	}
	EXPECT_STREQ("600/1200 = 200/200 + 0/0 + 400/1000 + 0/0", counts_of(self->fd));
}

TEST_F(broadcast, long_messages_reach_each_subscription_whole)
{
	struct kmsgpipe_create create = broadcast_request(4, 0);
	static char out[70000], in[70001];
	static const size_t lens[] = { 70000, 1, 4096, 4097 };
	int writer, fds[3];
	size_t i, k;
	long id;

	create.msg_size = sizeof(out);
	ASSERT_LE(1, id = create_pipe(&create));
	writer = open_id(id, O_WRONLY | O_NONBLOCK);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = subscribe(id);
	for (k = 0; k < ARRAY_SIZE(lens); k++)
		ASSERT_EQ((long)numbered(out, k, lens[k]), TRY(write(writer, out, lens[k])));
	EXPECT_STREQ("4/78194 = 0/0 + 0/0 + 0/0 + 4/78194", counts_of(writer));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		for (k = 0; k < ARRAY_SIZE(lens); k++) {
			ASSERT_EQ((long)lens[k], TRY(read(fds[i], in, sizeof(in))));
			EXPECT_TRUE(is_numbered(in, k, lens[k])) TH_LOG("message %zu of subscription %zu", k, i);
		}
		EXPECT_EQ(-EAGAIN, TRY(read(fds[i], in, sizeof(in))));
		close(fds[i]);
	}
	EXPECT_STREQ("4/78194 = 4/78194 + 0/0 + 0/0 + 0/0", counts_of(writer));
	expect_destroyed(_metadata, writer);
	close(writer);
}

/* ---- Requests ---- */

TEST_F(broadcast, get_stats_shows_the_head_of_the_backlog)
{
	int a = subscribe(self->id), b = subscribe(self->id);
	struct kmsgpipe_stats stats;

	EXPECT_EQ(0, stats_of(a).flags & KMSGPIPE_STATS_HEAD);
	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	stats = stats_of(a);
	EXPECT_EQ(KMSGPIPE_STATS_HEAD, stats.flags & KMSGPIPE_STATS_HEAD);
	EXPECT_EQ(1, stats.head_seq);
	EXPECT_EQ(1, stats.head_len);
	EXPECT_EQ((unsigned int)getpid(), stats.head_pid);
	EXPECT_STREQ("1", read_text(b, 256));
	EXPECT_EQ(2, stats_of(a).head_seq);
	EXPECT_EQ(2, stats_of(b).head_len);
	/* A file that cannot read learns nothing of messages. */
	EXPECT_EQ(0, stats_of(self->fd).head_seq);
	EXPECT_READS(a, "22", "333");
	EXPECT_READS(b, "22", "333");
	EXPECT_EQ(0, stats_of(b).flags & KMSGPIPE_STATS_HEAD);
	EXPECT_EQ(0, stats_of(b).head_seq);
	close(a);
	close(b);
}

TEST_F(broadcast, dump_copies_the_backlog)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	int a = subscribe(self->id), b = subscribe(self->id);
	struct kmsgpipe_stats before;
	struct kmsgpipe_dump dump;

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	EXPECT_STREQ("1", read_text(b, 256));
	before = state_of(self->fd);
	ASSERT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	ASSERT_EQ(2, dump.records);
	EXPECT_EQ(0, dump.missing);
	EXPECT_EQ(2, record->seq);
	EXPECT_EQ(0, record->deliveries);
	record = next_record(record);
	EXPECT_EQ(3, record->seq);
	EXPECT_EQ(3, record->len);
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_READS(a, "333");
	EXPECT_READS(b, "22", "333");
	close(a);
	close(b);
}

TEST_F(broadcast, clear_takes_all_from_all)
{
	int a = subscribe(self->id), b = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	EXPECT_STREQ("22", read_text(a, 256));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	/* What was read by one subscription counts as delivered. */
	EXPECT_STREQ("3/6 = 2/3 + 0/0 + 1/3 + 0/0", counts_of(self->fd));
	EXPECT_STREQ("own next 4 lag 0 lost 1 expired 0", position_of(a));
	EXPECT_STREQ("own next 4 lag 0 lost 3 expired 0", position_of(b));
	EXPECT_READS(a);
	EXPECT_READS(b);
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_STREQ("4:1:next", records_of(a, 9));
	EXPECT_STREQ("4:3:next", records_of(b, 9));
	EXPECT_STREQ("4/10 = 3/7 + 0/0 + 1/3 + 0/0", counts_of(self->fd));
	/* Nothing is left to clear, and nothing is lost. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("own next 5 lag 0 lost 1 expired 0", position_of(a));
	close(a);
	close(b);
}

TEST_F(broadcast, set_params_needs_an_empty_backlog)
{
	int a = subscribe(self->id), b = subscribe(self->id), i;

	ASSERT_EQ(1, write_text(self->fd, "1"));
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 16, 2));
	EXPECT_READS(a, "1");
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 16, 2));
	EXPECT_READS(b, "1");
	EXPECT_EQ(0, set_limits(self->fd, 16, 2));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(16, write_text(self->nonblocking, "0123456789abcdef"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_EQ(-EMSGSIZE, write_text(self->nonblocking, "0123456789abcdefg"));
	EXPECT_READS(a, "0123456789abcdef", "0123456789abcdef");
	EXPECT_READS(b, "0123456789abcdef", "0123456789abcdef");
	EXPECT_EQ(0, set_limits(self->fd, 256, 5));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(1, write_text(self->nonblocking, "x"));
	EXPECT_EQ(-EAGAIN, write_text(self->nonblocking, "x"));
	EXPECT_READS(b, "x", "x", "x", "x", "x");
	EXPECT_READS(a, "x", "x", "x", "x", "x");
	close(a);
	close(b);
}

TEST_F(broadcast, sequence_numbers_are_those_of_the_pipe)
{
	int a = subscribe(self->id), b;

	ASSERT_EQ(1, write_text(self->fd, "a"));
	EXPECT_STREQ("1:0:a", records_of(a, 9));
	b = subscribe(self->id);
	ASSERT_EQ(1, write_text(self->fd, "b"));
	ASSERT_EQ(1, write_text(self->fd, "c"));
	EXPECT_STREQ("2:0:b 3:0:c", records_of(a, 9));
	EXPECT_STREQ("2:0:b", records_of(b, 1));
	EXPECT_STREQ("3:0:c", records_of(b, 1));
	EXPECT_STREQ("Resource temporarily unavailable", records_of(b, 1));
	close(a);
	close(b);
}

/* ---- Making one ---- */

TEST_F(broadcast, create_takes_a_kind)
{
	static const unsigned int bad[] = { 2, 3, 1U << 31, 0xffffffff };
	static const char *const kinds[] = { "queue\n", "broadcast\n" };
	struct kmsgpipe_create create = default_pipe();
	char text[64];
	size_t i;
	long id;

	for (i = 0; i < 2; i++) {
		create.kind = i;
		ASSERT_LE(1, id = create_pipe(&create));
		EXPECT_LT(0, slurp(sysfs_file(id, "kind"), text, sizeof(text)));
		EXPECT_STREQ(kinds[i], text);
		/* A queue does not have this file. */
		EXPECT_EQ(i ? 2 : -ENOENT, slurp(sysfs_file(id, "history"), text, sizeof(text)));
		if (i)
			EXPECT_STREQ("0\n", text);
		EXPECT_EQ(0, destroy_id(id));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		create.kind = bad[i];
		EXPECT_EQ(-EINVAL, create_pipe(&create)) TH_LOG("%#x", bad[i]);
	}
	EXPECT_LT(0, slurp(sysfs_file(0, "kind"), text, sizeof(text)));
	EXPECT_STREQ("queue\n", text);
}

TEST_F(broadcast, sysfs_creates_a_pipe_of_a_kind)
{
	static const char *const good[] = { "queue", "broadcast" };
	static const char *const bad[] = { "", "Broadcast", "broad", "broadcasts", "1", "queue,broadcast" };
	char line[100], text[64];
	struct stat node;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "cast kind=%s max_msgs=1", good[i]);
		EXPECT_EQ((long)strlen(line), spill(SYSFS "/create", line));
		ASSERT_EQ(0, stat("/dev/kmsgpipe/cast", &node));
		EXPECT_LT(0, slurp(sysfs_file(minor(node.st_rdev), "kind"), text, sizeof(text)));
		EXPECT_EQ(0, strncmp(good[i], text, strlen(good[i])));
		EXPECT_EQ(0, destroy_word("cast"));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "cast kind=%s", bad[i]);
		EXPECT_EQ(-EINVAL, spill(SYSFS "/create", line)) TH_LOG("%s", line);
	}
	EXPECT_EQ(-EINVAL, spill(SYSFS "/create", "cast kind=queue kind=queue"));
	EXPECT_FALSE(is_there("/dev/kmsgpipe/cast"));
}

TEST_F(broadcast, a_pipe_with_default_mode_and_policy_can_broadcast)
{
	struct kmsgpipe_create create = broadcast_request(2, 0);
	int writer, fd;
	long id;

	create.default_mode = KMSGPIPE_MODE_EOF;
	create.overflow = KMSGPIPE_OVERFLOW_DROP_OLDEST;
	ASSERT_LE(1, id = create_pipe(&create));
	EXPECT_STREQ("drop-oldest\n", policy_of(id));
	writer = open_id(id, O_WRONLY);
	fd = open_id(id, O_RDONLY);
	EXPECT_EQ(0, try_read(fd, 256));
	fill_full(writer);
	EXPECT_STREQ("22", read_text(fd, 256));
	EXPECT_STREQ("333", read_text(fd, 256));
	EXPECT_EQ(0, try_read(fd, 256));
	close(fd);
	expect_destroyed(_metadata, writer);
	close(writer);
}

TEST_HARNESS_MAIN
