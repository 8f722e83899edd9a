// SPDX-License-Identifier: GPL-2.0
/*
 * The sweeper removes, counts and logs expired messages. Its timer runs as long as messages are queued, and no
 * longer.
 */
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/log.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/tasks.h"

#include <poll.h>
#include <sys/epoll.h>

static void await_sweeper(long id, int armed)
{
	while (sweeper_armed(id) != armed)
		sched_yield();
}

/*
 * The number of messages in the next line of the log that says what the pipe has cleaned. Waits for the line if
 * `wait`, else returns 0 if there is none; -1 if the line is malformed.
 */
static long cleaned(int log, long id, int wait)
{
	struct pollfd entry = { .fd = log, .events = POLLIN };
	char record[2048], text[64], *start;
	unsigned long level;
	long msgs;
	ssize_t len;

	snprintf(text, sizeof(text), ";kmsgpipe: kmsgpipe%ld: ", id);
	for (;;) {
		len = read(log, record, sizeof(record) - 1);
		if (len < 0 && errno == EAGAIN && !wait)
			return 0;
		if (len < 0 && errno == EAGAIN) {
			poll(&entry, 1, -1);
			continue;
		}
		if (len < 0)
			abort();
		record[len] = 0;
		start = strstr(record, text);
		if (!start)
			continue;
		level = strtoul(record, NULL, 10);
		if (sscanf(start + strlen(text), "cleaned %ld msgs\n", &msgs) != 1)
			return -1;
		/* The line has this text and no more, at level KERN_INFO. */
		snprintf(text, sizeof(text), "cleaned %ld msgs", msgs);
		start = strstr(start, "cleaned");
		start[strcspn(start, "\n")] = 0;
		return (level & 7) == 6 && msgs > 0 && !strcmp(start, text) ? msgs : -1;
	}
}

/* spec: 3-lifetime 7-cleans */
TEST_F(own, a_sweep_removes_and_counts_expired_messages)
{
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 10));
	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	ASSERT_EQ(4, write(self->fd, "beta", 4));
	ASSERT_EQ(5, write(self->fd, "gamma", 5));
	/* The statistics alone remove nothing, so this is the sweeper's doing. */
	await_expired(self->fd, 3);
	expect_expired(_metadata, self->fd, 3, 14);
}

/* spec: 7-cleans */
TEST_F(own, a_sweep_keeps_unexpired_messages)
{
	char buffer[8];

	ASSERT_EQ(3, write(self->fd, "old", 3));
	sleep_ms(2500);
	ASSERT_EQ(5, write(self->fd, "fresh", 5));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 2500));
	await_expired(self->fd, 1);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_EQ(5, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
	EXPECT_EQ(0, memcmp(buffer, "fresh", 5));
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
}

/* spec: 11-deferred-work */
TEST_F(own, sweeps_repeat_while_messages_are_queued)
{
	int round;

	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 5));
	for (round = 1; round <= 5; round++) {
		ASSERT_EQ(1, write(self->fd, "x", 1));
		await_expired(self->fd, round);
	}
	/* Without any further call: the first sweep is too early for the second message. */
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(1, write(self->fd, "1", 1));
	sleep_ms(500);
	ASSERT_EQ(1, write(self->fd, "2", 1));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 600));
	await_expired(self->fd, 7);
}

TEST_F(own, a_sweep_wakes_sleeping_writers)
{
	struct call calls[3];
	int i;

	fill(self->fd);
	start_writers(calls, 3, self->fd, "late", 4);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(4, finish_call(&calls[i]));
	await_expired(self->fd, 128 + 3);
}

/* Two messages expire: exactly two of three sleeping writers are woken. */
TEST_F(own, a_sweep_wakes_one_writer_per_slot)
{
	struct call calls[3];
	char byte;
	int i;

	ASSERT_EQ(0, set_limits(self->fd, 16, 3));
	ASSERT_EQ(1, write(self->fd, "1", 1));
	ASSERT_EQ(1, write(self->fd, "2", 1));
	sleep_ms(2500);
	ASSERT_EQ(1, write(self->fd, "3", 1));
	start_writers(calls, 3, self->fd, "w", 1);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 2500));
	await_expired(self->fd, 2);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	await_writers(self->fd, 1);
	await_depth(self->fd, 3);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ('3', byte);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, finish_call(&calls[i]));
}

TEST_F(own, a_sweep_wakes_poll)
{
	struct poller poller = { .fd = self->fd, .events = POLLOUT };

	fill(self->fd);
	start_poll(&poller);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 1));
	EXPECT_EQ(POLLOUT, finish_poll(&poller));
}

TEST_F(own, a_sweep_is_an_edge_for_epoll)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	fill(self->fd);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 1));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(EPOLLOUT, event.events);
	close(epoll);
}

/* spec: 6-flush-periodic */
TEST_F(own, disabling_stops_the_sweeper)
{
	char buffer[8];

	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	await_expired(self->fd, 1);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(4, write(self->fd, "stay", 4));
	EXPECT_EQ(0, sweeper_armed(self->id));
	sleep_ms(50);
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
	EXPECT_EQ(4, fionread(self->fd));
	EXPECT_EQ(4, TRY(read(self->nonblocking, buffer, sizeof(buffer))));

	/* Disabling expiry also cancels a sweep that is due for a queued message. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 1));
	ASSERT_EQ(4, write(self->fd, "stay", 4));
	EXPECT_EQ(1, sweeper_armed(self->id));
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_EQ(0, sweeper_armed(self->id));
	sleep_ms(5);
	EXPECT_EQ(4, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
}

/* spec: 7-demonstrates */
TEST_F(own, no_timer_runs_without_messages)
{
	char byte;

	/* Without messages. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 20, 1000));
	EXPECT_EQ(0, sweeper_armed(self->id));
	/* With a message. */
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(1, sweeper_armed(self->id));
	/* The message was read: the sweeper stops, at the latest when the message would have expired. */
	ASSERT_EQ(1, TRY(read(self->nonblocking, &byte, 1)));
	await_sweeper(self->id, 0);
	EXPECT_EQ(0, stats_of(self->fd).expired_msgs);
	/* The queue was cleared. */
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(1, sweeper_armed(self->id));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	await_sweeper(self->id, 0);
	EXPECT_EQ(1, stats_of(self->fd).dropped_msgs);
	/* The message was swept away. */
	ASSERT_EQ(1, write(self->fd, "x", 1));
	await_expired(self->fd, 1);
	await_sweeper(self->id, 0);
	/* A new message arms the sweeper again. */
	ASSERT_EQ(1, write(self->fd, "x", 1));
	await_expired(self->fd, 2);
	await_sweeper(self->id, 0);
}

TEST_F(own, enabling_arms_the_sweeper_for_queued_messages)
{
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, NEVER));
	EXPECT_EQ(1, sweeper_armed(self->id));
}

TEST_F(own, a_shorter_interval_applies_at_once)
{
	ASSERT_EQ(0, flush_periodic(self->fd, 1, NEVER, 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(1, sweeper_armed(self->id));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 1));
	await_expired(self->fd, 1);
	/* The longest interval works, too. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, UINT32_MAX, 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(30);
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 1));
	await_expired(self->fd, 2);
}

TEST_F(own, a_shorter_expiry_applies_at_once)
{
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, NEVER));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(30);
	EXPECT_EQ(0, stats_of(self->fd).expired_msgs);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 10));
	await_expired(self->fd, 1);
}

/* spec: 7-logs */
TEST_F(own, each_sweep_logs_one_line)
{
	int log = open_log();

	for (int i = 0; i < 5; i++)
		ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(1);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 1));
	EXPECT_EQ(5, cleaned(log, self->id, 1));
	/* These messages are not logged a second time before the next sweep that removes some. */
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(1);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 1));
	EXPECT_EQ(2, cleaned(log, self->id, 1));
	EXPECT_EQ(7, stats_of(self->fd).expired_msgs);
	close(log);
}

/* spec: 7-logs */
TEST_F(own, a_sweep_that_removes_nothing_logs_nothing)
{
	int log = open_log();
	char byte;

	/* The message is read before it expires; the sweeper runs a last time. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 200));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(1, TRY(read(self->nonblocking, &byte, 1)));
	EXPECT_EQ(1, sweeper_armed(self->id));
	await_sweeper(self->id, 0);
	EXPECT_EQ(0, cleaned(log, self->id, 0));

	/* The message does not expire for a long time. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, NEVER));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(20);
	ASSERT_EQ(1, TRY(read(self->nonblocking, &byte, 1)));
	EXPECT_EQ(0, cleaned(log, self->id, 0));

	/* A read removes the expired messages. */
	queue_expired(self->fd);
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
	EXPECT_EQ(2, stats_of(self->fd).expired_msgs);
	/* The next sweep, or a change of the settings, logs them; this sweep is far away. */
	EXPECT_EQ(0, cleaned(log, self->id, 0));
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 1));
	EXPECT_EQ(2, cleaned(log, self->id, 0));
	await_sweeper(self->id, 0);
	EXPECT_EQ(0, cleaned(log, self->id, 0));
	close(log);
}

TEST_F(own, messages_expired_by_a_reader_are_logged)
{
	int log = open_log();
	char byte;

	/* Logged by the sweeper, although a read removed them. */
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 300, 50));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(50);
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
	EXPECT_EQ(2, stats_of(self->fd).expired_msgs);
	EXPECT_EQ(2, cleaned(log, self->id, 1));
	/* Logged when expiry is disabled. */
	queue_expired(self->fd);
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_EQ(2, cleaned(log, self->id, 0));
	/* Logged when the pipe is destroyed. */
	queue_expired(self->fd);
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
	EXPECT_EQ(0, cleaned(log, self->id, 0));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(2, cleaned(log, self->id, 0));
	close(log);
}

TEST_F_TIMEOUT(own, a_sweep_of_very_many_messages_logs_one_line, 300)
{
	int log = open_log(), i;

	ASSERT_EQ(0, set_limits(self->fd, 1, KMSGPIPE_MAX_MSGS_MAX));
	for (i = 0; i < KMSGPIPE_MAX_MSGS_MAX; i++)
		ASSERT_EQ(1, write(self->fd, "x", 1));
	sleep_ms(1);
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 1));
	EXPECT_EQ(KMSGPIPE_MAX_MSGS_MAX, cleaned(log, self->id, 1));
	await_sweeper(self->id, 0);
	EXPECT_EQ(KMSGPIPE_MAX_MSGS_MAX, stats_of(self->fd).expired_msgs);
	EXPECT_EQ(KMSGPIPE_MAX_MSGS_MAX, stats_of(self->fd).expired_bytes);
	EXPECT_EQ(0, cleaned(log, self->id, 0));
	close(log);
}

TEST(pipe_0_is_swept)
{
	int fd = open_pipe(O_RDWR), log = open_log();
	unsigned long long before;

	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	before = stats_of(fd).expired_msgs;
	ASSERT_EQ(1, write(fd, "x", 1));
	sleep_ms(1);
	ASSERT_EQ(0, flush_periodic(fd, 1, 5, 1));
	await_expired(fd, before + 1);
	EXPECT_EQ(1, cleaned(log, 0, 1));
	ASSERT_EQ(0, flush_periodic(fd, 0, 0, 0));
	close(log);
	close(fd);
}

TEST_F(own, each_pipe_has_its_own_sweeper)
{
	struct kmsgpipe_create create = default_pipe();
	long id = create_pipe(&create);
	int fd = open_id(id, O_RDWR);

	ASSERT_EQ(0, flush_periodic(self->fd, 1, 5, 5));
	EXPECT_TRUE(expires(fd, 0, 0));
	ASSERT_EQ(1, write(fd, "x", 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	await_expired(self->fd, 1);
	EXPECT_EQ(0, sweeper_armed(id));
	EXPECT_EQ(1, stats_of(fd).depth_msgs);
	EXPECT_EQ(0, stats_of(fd).expired_msgs);
	EXPECT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
	close(fd);
}

/* The sweeper may be armed or running when its pipe is destroyed. */
TEST_F_TIMEOUT(own, destroy_ends_the_sweeper, 120)
{
	struct kmsgpipe_create create = default_pipe();
	int i, fd;
	long id;

	for (i = 0; i < 50; i++) {
		id = create_pipe(&create);
		ASSERT_LE(1, id);
		fd = open_id(id, O_RDWR);
		ASSERT_EQ(0, flush_periodic(fd, 1, i % 2 ? 1 : NEVER, 1));
		fill(fd);
		if (i % 2)
			sleep_ms(i % 5);
		ASSERT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
		close(fd);
	}
}

/* A thread that reads until it gets a message that tells it to stop. */
struct receiver {
	int fd;
	unsigned long received;
	int out_of_order;
};

static void *receive_all(void *arg)
{
	struct receiver *receiver = arg;
	unsigned int number, last = 0;

	while (read(receiver->fd, &number, sizeof(number)) == sizeof(number) && number) {
		receiver->out_of_order |= number <= last;
		last = number;
		receiver->received++;
	}
	return NULL;
}

/* spec: 5-work-order */
TEST_F_TIMEOUT(own, sweeps_beside_readers_and_writers_lose_no_message, 300)
{
	unsigned int count = scaled(20000), number;
	struct receiver receiver = { .fd = self->fd };
	struct kmsgpipe_stats stats;
	pthread_t thread;

	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, receive_all, &receiver));
	for (number = 1; number <= count; number++) {
		ASSERT_EQ(sizeof(number), write(self->fd, &number, sizeof(number)));
		if (number % 1000 == 0)
			ASSERT_EQ(0, flush_periodic(self->fd, 1, 1 + number / 1000 % 2, 1));
	}
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	number = 0;
	ASSERT_EQ(sizeof(number), write(self->fd, &number, sizeof(number)));
	pthread_join(thread, NULL);
	stats = stats_of(self->fd);
	EXPECT_EQ(0, receiver.out_of_order);
	EXPECT_EQ(receiver.received + 1, stats.dequeued_msgs);
	EXPECT_EQ(count, receiver.received + stats.expired_msgs);
	EXPECT_EQ(0, stats.depth_msgs);
	TH_LOG("%lu received, %llu expired", receiver.received, (unsigned long long)stats.expired_msgs);
}

TEST_HARNESS_MAIN
