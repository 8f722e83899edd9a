// SPDX-License-Identifier: GPL-2.0
/* History of broadcast pipes: the newest messages stay for subscriptions that are still to come. */
#include "lib/broadcast.h"
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A broadcast pipe for three messages with a history of two, as the fixture `broadcast` has it otherwise. */
FIXTURE(history)
{
	long id;
	int fd;
};

FIXTURE_SETUP(history)
{
	self->id = broadcast_pipe(3, 2);
	self->fd = open_id(self->id, O_WRONLY | O_NONBLOCK);
}

FIXTURE_TEARDOWN(history)
{
	expect_gone(_metadata, self->fd);
	close(self->fd);
}

TEST_F(history, a_subscription_begins_with_the_newest_messages)
{
	int a, b;

	fill_full(self->fd);
	a = subscribe(self->id);
	EXPECT_STREQ("own next 2 lag 2 lost 0 expired 0", position_of(a));
	EXPECT_EQ(POLLIN, poll_now(a));
	EXPECT_EQ(2, fionread(a));
	EXPECT_STREQ("2:0:22 3:0:333", records_of(a, 9));
	EXPECT_STREQ("own next 4 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_READS(a);
	/* They stay for the next one. */
	b = subscribe(self->id);
	EXPECT_READS(b, "22", "333");
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	close(b);
	b = subscribe(self->id);
	EXPECT_READS(b, "333", "4444");
	EXPECT_READS(a, "4444");
	close(a);
	close(b);
}

TEST_F(history, a_subscription_begins_with_fewer_if_there_are_fewer)
{
	int a = subscribe(self->id), b;

	EXPECT_STREQ("own next 1 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_READS(a);
	ASSERT_EQ(1, write_text(self->fd, "1"));
	b = subscribe(self->id);
	EXPECT_STREQ("own next 1 lag 1 lost 0 expired 0", position_of(b));
	EXPECT_READS(b, "1");
	EXPECT_READS(a, "1");
	close(a);
	close(b);
}

TEST_F(history, a_subscription_begins_with_all_if_not_as_many_were_ever_sent)
{
	long id = broadcast_pipe(128, 100);
	int writer = open_id(id, O_WRONLY | O_NONBLOCK), a;

	fill_full(writer);
	a = subscribe(id);
	EXPECT_STREQ("own next 1 lag 3 lost 0 expired 0", position_of(a));
	EXPECT_READS(a, "1", "22", "333");
	close(a);
	expect_destroyed(_metadata, writer);
	close(writer);
}

TEST_F(history, what_follows_is_read_once_and_in_order)
{
	int a;

	fill_full(self->fd);
	a = subscribe(self->id);
	EXPECT_STREQ("22", read_text(a, 256));
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_READS(a, "333", "4444");
	ASSERT_EQ(5, write_text(self->fd, "55555"));
	EXPECT_READS(a, "55555");
	EXPECT_STREQ("own next 6 lag 0 lost 0 expired 0", position_of(a));
	close(a);
}

TEST_F(history, a_subscription_loses_nothing_of_that_with_which_it_began)
{
	int a, b;

	fill_full(self->fd);
	a = subscribe(self->id);
	/* The history does not count: there is room for as many messages as without it. */
	fill_full(self->fd);
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "x"));
	EXPECT_STREQ("6/12 = 0/0 + 0/0 + 3/6 + 3/6", counts_of(self->fd));
	EXPECT_STREQ("own next 2 lag 5 lost 0 expired 0", position_of(a));
	/* One that begins now begins with the newest messages. */
	b = subscribe(self->id);
	EXPECT_READS(b, "22", "333");
	EXPECT_READS(a, "22", "333", "1", "22", "333");
	EXPECT_STREQ("6/12 = 3/6 + 0/0 + 3/6 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

TEST_F(history, is_no_backlog_and_never_full)
{
	int i, a;

	for (i = 0; i < 10; i++)
		EXPECT_EQ(3, write_text(self->fd, "one"));
	EXPECT_STREQ("10/30 = 0/0 + 0/0 + 10/30 + 0/0", counts_of(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).refused_full);
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	/* A message is counted once, also if a later subscription reads it. */
	a = subscribe(self->id);
	EXPECT_READS(a, "one", "one");
	EXPECT_STREQ("10/30 = 0/0 + 0/0 + 10/30 + 0/0", counts_of(self->fd));
	close(a);
	EXPECT_STREQ("10/30 = 0/0 + 0/0 + 10/30 + 0/0", counts_of(self->fd));
}

TEST_F(history, messages_that_were_read_stay_and_are_counted_once)
{
	int a = subscribe(self->id), b;

	fill_full(self->fd);
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	b = subscribe(self->id);
	EXPECT_READS(b, "22", "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	/* The pipe has room for three more. */
	fill_full(self->fd);
	EXPECT_STREQ("6/12 = 3/6 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_EQ(-EAGAIN, write_text(self->fd, "x"));
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_READS(b, "1", "22", "333");
	EXPECT_STREQ("6/12 = 6/12 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

TEST_F(history, only_the_newest_of_the_backlog_are_history)
{
	int a = subscribe(self->id), b;

	fill_full(self->fd);
	b = subscribe(self->id);
	EXPECT_READS(b, "22", "333");
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 0/0 + 3/6", counts_of(self->fd));
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_STREQ("3/6 = 3/6 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(a);
	close(b);
}

TEST_F(history, stays_when_all_subscriptions_end)
{
	int a = subscribe(self->id);

	fill_full(self->fd);
	EXPECT_STREQ("1", read_text(a, 256));
	close(a);
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 2/5 + 0/0", counts_of(self->fd));
	a = subscribe(self->id);
	EXPECT_READS(a, "22", "333");
	EXPECT_STREQ("3/6 = 1/1 + 0/0 + 2/5 + 0/0", counts_of(self->fd));
	close(a);
}

TEST_F(history, may_be_as_large_as_the_pipe)
{
	long id = broadcast_pipe(3, 3);
	int writer = open_id(id, O_WRONLY | O_NONBLOCK), a, b;

	fill_full(writer);
	fill_full(writer);
	a = subscribe(id);
	EXPECT_READS(a, "1", "22", "333");
	fill_full(writer);
	EXPECT_EQ(-EAGAIN, write_text(writer, "x"));
	b = subscribe(id);
	EXPECT_READS(b, "1", "22", "333");
	EXPECT_READS(a, "1", "22", "333");
	EXPECT_STREQ("9/18 = 3/6 + 0/0 + 6/12 + 0/0", counts_of(writer));
	close(a);
	close(b);
	expect_destroyed(_metadata, writer);
	close(writer);
}

TEST_F(history, of_a_pipe_that_drops_is_the_newest_too)
{
	static const struct { const char *policy; const char *left[2]; } cases[] = {
		{ "drop-oldest", { "333", "new" } }, { "drop-newest", { "22", "333" } },
	};
	size_t i;
	int a, b;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		a = subscribe(self->id);
		ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
		fill_full(self->fd);
		set_policy(self->id, cases[i].policy);
		ASSERT_EQ(3, write_text(self->fd, "new"));
		b = subscribe(self->id);
		EXPECT_READS(b, cases[i].left[0], cases[i].left[1]);
		close(a);
		close(b);
		set_policy(self->id, "block");
	}
}

TEST_F(history, makes_room_in_a_pipe_that_drops)
{
	int a;

	set_policy(self->id, "drop-oldest");
	fill_full(self->fd);
	a = subscribe(self->id);
	EXPECT_STREQ("own next 2 lag 2 lost 0 expired 0", position_of(a));
	/* The pipe stores three messages, history included. */
	ASSERT_EQ(4, write_text(self->fd, "4444"));
	EXPECT_STREQ("own next 2 lag 3 lost 0 expired 0", position_of(a));
	ASSERT_EQ(5, write_text(self->fd, "55555"));
	EXPECT_STREQ("own next 3 lag 3 lost 1 expired 0", position_of(a));
	ASSERT_EQ(6, write_text(self->fd, "666666"));
	ASSERT_EQ(1, write_text(self->fd, "7"));
	EXPECT_STREQ("7/22 = 0/0 + 0/0 + 4/10 + 3/12", counts_of(self->fd));
	EXPECT_STREQ("5:3:55555 6:0:666666 7:0:7", records_of(a, 9));
	EXPECT_STREQ("7/22 = 3/12 + 0/0 + 4/10 + 0/0", counts_of(self->fd));
	close(a);
}

TEST_F(history, clear_takes_it_too)
{
	int a;

	fill_full(self->fd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	/* It is counted already. */
	EXPECT_STREQ("3/6 = 0/0 + 0/0 + 3/6 + 0/0", counts_of(self->fd));
	a = subscribe(self->id);
	EXPECT_STREQ("own next 4 lag 0 lost 0 expired 0", position_of(a));
	EXPECT_READS(a);
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_STREQ("4:0:next", records_of(a, 9));
	close(a);
}

TEST_F(history, a_subscription_loses_history_that_is_cleared)
{
	int a;

	fill_full(self->fd);
	a = subscribe(self->id);
	EXPECT_STREQ("22", read_text(a, 256));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("own next 4 lag 0 lost 1 expired 0", position_of(a));
	EXPECT_READS(a);
	ASSERT_EQ(4, write_text(self->fd, "next"));
	EXPECT_STREQ("4:1:next", records_of(a, 9));
	close(a);
}

TEST_F(history, does_not_keep_expired_messages)
{
	int a;

	queue_expired(self->fd);
	ASSERT_EQ(3, write_text(self->fd, "new"));
	a = subscribe(self->id);
	EXPECT_STREQ("3:0:new", records_of(a, 9));
	EXPECT_READS(a);
	close(a);
	EXPECT_STREQ("3/11 = 0/0 + 0/0 + 3/11 + 0/0", counts_of(self->fd));
}

/* ---- Limits ---- */

/* Whether a pipe of this kind with these numbers can be made: 0, or minus the errno. */
static long can_make(unsigned int kind, unsigned int max_msgs, unsigned int history)
{
	struct kmsgpipe_create create = broadcast_request(max_msgs, history);
	long id;

	create.kind = kind;
	id = create_pipe(&create);
	return id < 0 ? id : destroy_id(id);
}

TEST_F(history, is_at_most_max_msgs)
{
	static const unsigned int sizes[] = { 1, 2, 128, 65536 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(0, can_make(KMSGPIPE_KIND_BROADCAST, sizes[i], sizes[i])) TH_LOG("%u", sizes[i]);
		EXPECT_EQ(-EINVAL, can_make(KMSGPIPE_KIND_BROADCAST, sizes[i], sizes[i] + 1)) TH_LOG("%u", sizes[i]);
		EXPECT_EQ(-EINVAL, can_make(KMSGPIPE_KIND_BROADCAST, sizes[i], 0xffffffff)) TH_LOG("%u", sizes[i]);
	}
}

TEST_F(history, is_not_for_queues)
{
	EXPECT_EQ(0, can_make(KMSGPIPE_KIND_QUEUE, 128, 0));
	EXPECT_EQ(-EINVAL, can_make(KMSGPIPE_KIND_QUEUE, 128, 1));
	EXPECT_EQ(-EINVAL, can_make(KMSGPIPE_KIND_QUEUE, 128, 128));
}

TEST_F(history, sysfs_sets_and_shows_it)
{
	static const struct { const char *words; const char *history; } good[] = {
		{ "kind=broadcast history=0", "0\n" }, { "kind=broadcast history=16", "16\n" },
		{ "history=128 kind=broadcast", "128\n" }, { "history=7 max_msgs=7 kind=broadcast", "7\n" },
		{ "kind=queue history=0", NULL }, { "history=0", NULL },
	};
	static const char *const bad[] = {
		"history=1", "kind=queue history=1", "kind=broadcast history=129", "kind=broadcast max_msgs=2 history=3",
		"kind=broadcast history=", "kind=broadcast history=-1", "kind=broadcast history=x",
		"kind=broadcast history=4294967296", "kind=broadcast history=1 history=1",
	};
	char line[100], text[64];
	struct stat node;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "old %s\n", good[i].words);
		EXPECT_EQ((long)strlen(line), spill(SYSFS "/create", line)) TH_LOG("%s", line);
		ASSERT_EQ(0, stat("/dev/kmsgpipe/old", &node));
		/* A queue does not have the file. */
		EXPECT_EQ(good[i].history ? (long)strlen(good[i].history) : -ENOENT,
			  slurp(sysfs_file(minor(node.st_rdev), "history"), text, sizeof(text)));
		if (good[i].history)
			EXPECT_STREQ(good[i].history, text);
		EXPECT_EQ(0, destroy_word("old"));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "old %s", bad[i]);
		EXPECT_EQ(-EINVAL, spill(SYSFS "/create", line)) TH_LOG("%s", line);
		EXPECT_FALSE(is_there("/dev/kmsgpipe/old")) TH_LOG("%s", line);
	}
}

TEST_HARNESS_MAIN
