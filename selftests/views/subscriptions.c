// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/kmsgpipe_subscriptions: one line a subscription, whose counters add up at every snapshot.
 */
#include "lib/broadcast.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/registry.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SUBSCRIPTIONS "/proc/kmsgpipe_subscriptions"

#define COUNTS "published=%llu, received=%llu, lost=%llu, expired=%llu, lag=%llu"

/* A line of the file. */
struct subscription {
	long pipe;
	char name[32], kind[16], group[40];
	unsigned long long number, files, next_seq, published, received, lost, expired, lag;
};

static int parse(const char *line, struct subscription *found)
{
	char name[40], group[48];
	int end = 0;

	memset(found, 0, sizeof(*found));
	if (sscanf(line,
		   "pipe%ld: name=%39[^ ] subscription=%llu, kind=%15[a-z], group=%47[^ ] files=%llu, next_seq=%llu, " COUNTS "%n",
		   &found->pipe, name, &found->number, found->kind, group, &found->files, &found->next_seq,
		   &found->published, &found->received, &found->lost, &found->expired, &found->lag, &end) != 12 ||
	    line[end] != '\n')
		return 0;
	/* Each ends with the comma. */
	snprintf(found->name, sizeof(found->name), "%.*s", (int)strlen(name) - 1, name);
	snprintf(found->group, sizeof(found->group), "%.*s", (int)strlen(group) - 1, group);
	return 1;
}

/* Reads the file in pieces of this size, and parses all lines. Returns their number, or -1 if one cannot be parsed. */
static int list(struct subscription *all, int most, size_t piece)
{
	size_t size = 512 * 1024;
	char *text = malloc(size), *line;
	int count = 0;

	if (!text || slurp_pieces(SUBSCRIPTIONS, text, size, piece) < 0)
		abort();
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		if (count == most || !parse(line, &all[count])) {
			count = -1;
			break;
		}
		count++;
	}
	free(text);
	return count;
}

/* The line of the subscription of an open file; aborts if there is none. */
static struct subscription line_of(int fd)
{
	static struct subscription all[1024];
	int count = list(all, 1024, 4096), i;
	long long id = fdinfo_number(fd, "kmsgpipe-id"), number = fdinfo_number(fd, "kmsgpipe-subscription");

	for (i = 0; i < count; i++)
		if (all[i].pipe == id && (long long)all[i].number == number)
			return all[i];
	abort();
}

/* "published received lost expired lag". It stays valid until the next call. */
static const char *account_of(int fd)
{
	struct subscription line = line_of(fd);
	static char text[128];

	snprintf(text, sizeof(text), "%llu %llu %llu %llu %llu", line.published, line.received, line.lost, line.expired,
		 line.lag);
	return text;
}

static void publish(int fd, int count)
{
	while (count--)
		if (write(fd, "message", 7) != 7)
			abort();
}

static void receive(int fd, int count)
{
	char buffer[256];

	while (count--)
		if (read(fd, buffer, sizeof(buffer)) != 7)
			abort();
}

#define NEWS "pipe%ld: name=, "
#define LOGS "pipe%ld: name=logs, "

TEST(each_subscription_has_a_line)
{
	struct kmsgpipe_create queue = { .msg_size = 16, .max_msgs = 4, .name = "logs" };
	long news = broadcast_pipe(4, 0), logs = create_pipe(&queue);
	int writer = open_id(news, O_WRONLY), a, b, plain, look;
	char text[2048], expected[2048];

	ASSERT_LT(news, logs);
	ASSERT_EQ(0, slurp(SUBSCRIPTIONS, text, sizeof(text)));
	a = subscribe(news);
	publish(writer, 3);
	b = subscribe(news);
	receive(a, 2);
	plain = open("/dev/kmsgpipe/logs", O_RDWR);
	publish(plain, 2);
	look = open("/dev/kmsgpipe/logs", O_RDONLY);
	ASSERT_EQ(0, browse(look, KMSGPIPE_START_OLDEST, 0));
	receive(look, 1);
	snprintf(expected, sizeof(expected),
		 NEWS "subscription=1, kind=own, group=, files=1, next_seq=3, " COUNTS "\n" /* that has read two */
		 NEWS "subscription=2, kind=own, group=, files=1, next_seq=4, " COUNTS "\n" /* that came later */
		 LOGS "subscription=1, kind=browse, group=, files=1, next_seq=2, " COUNTS "\n", /* that browses */
		 news, 3ULL, 2ULL, 0ULL, 0ULL, 1ULL, news, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, logs, 2ULL, 1ULL, 0ULL, 0ULL, 1ULL);
	ASSERT_LT(0, slurp(SUBSCRIPTIONS, text, sizeof(text)));
	EXPECT_STREQ(expected, text);
	/* Files that share the messages of a queue, and files that only write, have none. */
	EXPECT_EQ(-1, fdinfo_number(plain, "kmsgpipe-subscription"));
	EXPECT_EQ(-1, fdinfo_number(writer, "kmsgpipe-subscription"));
	EXPECT_EQ(1, fdinfo_number(look, "kmsgpipe-subscription"));
	EXPECT_EQ(2, fdinfo_number(b, "kmsgpipe-subscription"));
	close(look);
	close(plain);
	close(b);
	close(a);
	ASSERT_EQ(0, slurp(SUBSCRIPTIONS, text, sizeof(text)));
	close(writer);
	ASSERT_EQ(0, destroy_id(news));
	ASSERT_EQ(0, destroy_id(logs));
}

TEST(attaching_again_begins_another_subscription)
{
	long id = broadcast_pipe(4, 0);
	int fd = subscribe(id), copy = dup(fd), keeper = subscribe(id), writer = open_id(id, O_WRONLY);
	struct kmsgpipe_attach queue = { .kind = KMSGPIPE_ATTACH_GROUP };
	struct subscription all[4];
	char text[64];
	int pipe0;

	publish(writer, 3);
	receive(fd, 1);
	close(copy);
	EXPECT_STREQ("3 1 0 0 2", account_of(fd));
	ASSERT_EQ(0, attach(fd, KMSGPIPE_ATTACH_OWN, KMSGPIPE_START_OLDEST, 0));
	EXPECT_EQ(3, fdinfo_number(fd, "kmsgpipe-subscription"));
	EXPECT_STREQ("3 0 0 0 3", account_of(fd));
	receive(fd, 3);
	ASSERT_EQ(0, browse(fd, KMSGPIPE_START_SEQ, 2));
	EXPECT_STREQ("2 0 0 0 2", account_of(fd));
	EXPECT_STREQ("browse", line_of(fd).kind);
	/* A failed attach changes nothing. */
	EXPECT_EQ(-EINVAL, attach(fd, KMSGPIPE_ATTACH_BROWSE, 77, 0));
	EXPECT_EQ(4, fdinfo_number(fd, "kmsgpipe-subscription"));
	EXPECT_EQ(2, list(all, 4, 4096));
	/* A file that reads the queue again has none. */
	pipe0 = open_pipe(O_RDONLY);
	ASSERT_EQ(0, browse(pipe0, KMSGPIPE_START_NOW, 0));
	EXPECT_EQ(3, list(all, 4, 4096));
	EXPECT_EQ(0, all[0].pipe);
	ASSERT_EQ(0, TRY(ioctl(pipe0, KMSGPIPE_ATTACH, &queue)));
	EXPECT_EQ(2, list(all, 4, 4096));
	EXPECT_EQ(-1, fdinfo_number(pipe0, "kmsgpipe-subscription"));
	close(pipe0);
	/* A destroyed pipe is not listed, whoever has it open. */
	ASSERT_EQ(0, destroy_id(id));
	EXPECT_EQ(0, slurp(SUBSCRIPTIONS, text, sizeof(text)));
	close(fd);
	close(keeper);
	close(writer);
}

TEST(lost_messages_are_counted)
{
	long id = broadcast_pipe(4, 0);
	int slow = subscribe(id), fast = subscribe(id), look = open_id(id, O_RDONLY), writer = open_id(id, O_WRONLY);

	ASSERT_EQ(0, browse(look, KMSGPIPE_START_NOW, 0));
	set_policy(id, "drop-oldest");
	publish(writer, 3);
	receive(fast, 3);
	publish(writer, 3);
	receive(fast, 3);
	EXPECT_STREQ("6 6 0 0 0", account_of(fast));
	EXPECT_STREQ("6 0 2 0 4", account_of(slow));
	EXPECT_STREQ("6 0 2 0 4", account_of(look));
	receive(slow, 1);
	EXPECT_STREQ("6 1 2 0 3", account_of(slow));
	/* Messages that are discarded count for a subscription when it has read those before. */
	publish(writer, 1);
	set_policy(id, "drop-newest");
	publish(writer, 5);
	EXPECT_STREQ("7 1 2 0 4", account_of(slow));
	receive(slow, 4);
	EXPECT_STREQ("12 5 7 0 0", account_of(slow));
	receive(fast, 1);
	EXPECT_STREQ("12 7 5 0 0", account_of(fast));
	publish(writer, 2);
	receive(slow, 2);
	EXPECT_STREQ("14 7 7 0 0", account_of(slow));
	publish(writer, 1);
	ASSERT_EQ(0, ioctl(writer, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("15 7 8 0 0", account_of(slow));
	EXPECT_STREQ("15 7 8 0 0", account_of(fast));
	close(look);
	close(slow);
	close(fast);
	close(writer);
	ASSERT_EQ(0, destroy_id(id));
}

TEST(expired_messages_are_counted)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3600000, .expiry_ms = 1 };
	long id = broadcast_pipe(4, 0);
	int a = subscribe(id), b = subscribe(id), writer = open_id(id, O_WRONLY);

	publish(writer, 3);
	receive(a, 2);
	ASSERT_EQ(0, ioctl(writer, KMSGPIPE_FLUSH_PERIODIC, &flush));
	while (stats_of(writer).expired_msgs + stats_of(writer).dequeued_msgs < 3)
		poll_now(b);
	EXPECT_STREQ("3 2 0 1 0", account_of(a));
	EXPECT_STREQ("3 0 0 3 0", account_of(b));
	close(a);
	close(b);
	close(writer);
	ASSERT_EQ(0, destroy_id(id));
}

/* A short read counts its message, and reads of the rest do not. */
TEST(a_short_read_is_one_message)
{
	long id = broadcast_pipe(4, 0);
	int fd = subscribe(id), writer = open_id(id, O_WRONLY);
	char byte;

	publish(writer, 2);
	ASSERT_EQ(1, read(fd, &byte, 1));
	ASSERT_EQ(1, read(fd, &byte, 1));
	EXPECT_STREQ("2 1 0 0 1", account_of(fd));
	close(fd);
	close(writer);
	ASSERT_EQ(0, destroy_id(id));
}

/* While others publish and read, each snapshot adds up, and no counter decreases. */
TEST(each_snapshot_adds_up)
{
	unsigned long messages = scaled(20000), i;
	long id = broadcast_pipe(8, 2);
	struct subscription before[3] = { 0 }, now[3];
	int fds[3], writer = open_id(id, O_WRONLY), k, looks = 0;
	pid_t children[3];
	char byte;

	for (k = 0; k < 3; k++)
		fds[k] = open_id(id, O_RDONLY);
	ASSERT_EQ(0, browse(fds[2], KMSGPIPE_START_NOW, 0));
	set_policy(id, "drop-oldest");
	for (k = 0; k < 3; k++) {
		children[k] = fork();
		if (children[k])
			continue;
		for (i = 0; k == 0 && i < messages; i++)
			publish(writer, 1);
		while (k > 0)
			if (read(fds[k], &byte, 1) < 0)
				_exit(1);
		_exit(0);
	}
	while (!waitpid(children[0], NULL, WNOHANG)) {
		ASSERT_EQ(3, list(now, 3, 100));
		for (k = 0; k < 3; k++) {
			ASSERT_EQ(now[k].published, now[k].received + now[k].lost + now[k].expired + now[k].lag)
				TH_LOG("%d", k);
			ASSERT_LE(before[k].published, now[k].published);
			ASSERT_LE(before[k].received, now[k].received);
			ASSERT_LE(before[k].lost, now[k].lost);
			ASSERT_LE(before[k].next_seq, now[k].next_seq);
			ASSERT_GE(10, now[k].lag);
			before[k] = now[k];
		}
		looks++;
	}
	EXPECT_LT(0, looks);
	for (k = 1; k < 3; k++) {
		kill(children[k], SIGKILL);
		waitpid(children[k], NULL, 0);
	}
	for (k = 0; k < 3; k++) {
		now[0] = line_of(fds[k]);
		EXPECT_EQ(messages, now[0].published);
		EXPECT_EQ(fdinfo_number(fds[k], "kmsgpipe-received-msgs"), now[0].received);
		EXPECT_EQ(fdinfo_number(fds[k], "kmsgpipe-lost-msgs"), now[0].lost);
		close(fds[k]);
	}
	close(writer);
	ASSERT_EQ(0, destroy_id(id));
}

/* Subscriptions that exist from the start to the end of a reading are listed once, in order, whatever its pieces. */
TEST(those_that_stay_are_listed_once)
{
	enum { STAYING = 400 };
	static struct subscription all[1024];
	struct rlimit limit = { 4096, 4096 };
	int fds[STAYING], i, k, count, next, turn;
	long pipes[2] = { broadcast_pipe(2, 0), broadcast_pipe(2, 0) };
	pid_t child;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < STAYING; i++)
		fds[i] = subscribe(pipes[i % 2]);
	child = fork();
	if (!child)
		for (;;) {
			int more[16];

			for (k = 0; k < 16; k++)
				more[k] = subscribe(pipes[k % 2]);
			for (k = 0; k < 16; k++)
				close(more[k]);
		}
	for (turn = 0; turn < 20; turn++) {
		count = list(all, 1024, turn % 2 ? 4096 : 999);
		ASSERT_LE(STAYING, count);
		for (i = 0, next = 0; i < count; i++) {
			ASSERT_TRUE(!i || all[i - 1].pipe < all[i].pipe ||
				    (all[i - 1].pipe == all[i].pipe && all[i - 1].number < all[i].number));
			next += all[i].number <= STAYING / 2;
		}
		ASSERT_EQ(STAYING, next);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (i = 0; i < STAYING; i++)
		close(fds[i]);
	ASSERT_EQ(0, slurp(SUBSCRIPTIONS, (char *)all, sizeof(all)));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, destroy_id(pipes[i]));
}

/* The file shows no user, process or content. */
TEST(all_users_may_read_it)
{
	struct stat file;

	ASSERT_EQ(0, stat(SUBSCRIPTIONS, &file));
	EXPECT_EQ(S_IFREG | 0444, file.st_mode);
}

TEST_HARNESS_MAIN
