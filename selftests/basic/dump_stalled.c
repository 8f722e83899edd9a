// SPDX-License-Identifier: GPL-2.0
/*
 * Dumps that stall in a page fault. Other tasks are not delayed, and the dump is a snapshot of the queue at its
 * beginning.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/missing.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/signals.h"
#include "lib/tasks.h"

#include <signal.h>
#include <sys/wait.h>

/* A dump in a separate thread. */
struct dumper {
	pthread_t thread;
	pid_t tid;
	int fd;
	char *buffer;
	size_t size;
	struct kmsgpipe_dump dump;
	long result;
	int done;
};

static void *dump_thread(void *arg)
{
	struct dumper *dumper = arg;

	__atomic_store_n(&dumper->tid, gettid(), __ATOMIC_RELEASE);
	dumper->result = dump_to(dumper->fd, dumper->buffer, dumper->size, &dumper->dump);
	__atomic_store_n(&dumper->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start_dump(struct dumper *dumper)
{
	dumper->done = 0;
	start_thread(&dumper->thread, &dumper->tid, dump_thread, dumper);
}

static long finish_dump(struct dumper *dumper)
{
	if (pthread_join(dumper->thread, NULL))
		abort();
	return dumper->result;
}

/*
 * A dump sleeps in a page fault, as one page of its buffer is missing. The queue holds MESSAGES numbered messages,
 * which fill many pages of the buffer.
 */
#define MESSAGES 100
#define LENGTH 245
#define BUFFER (16 * PAGE_SIZE)

FIXTURE(stalled)
{
	long id;
	int fd;
	int nonblocking;
	int uffd;
	unsigned long long first;
	struct dumper dumper;
};

/* The missing page: the first one, one in the middle, or the one with the last record. */
FIXTURE_VARIANT(stalled)
{
	int page;
};

FIXTURE_VARIANT_ADD(stalled, on_the_first_page)
{
	.page = 0,
};

FIXTURE_VARIANT_ADD(stalled, in_the_middle_page)
{
	.page = 3,
};

FIXTURE_VARIANT_ADD(stalled, on_the_last_record)
{
	.page = MESSAGES * (64 + 248) / PAGE_SIZE,
};

FIXTURE_SETUP(stalled)
{
	struct kmsgpipe_create create = default_pipe();
	char message[LENGTH];
	unsigned int i;

	self->id = create_pipe(&create);
	ASSERT_LE(1, self->id);
	self->fd = open_id(self->id, O_RDWR);
	self->nonblocking = open_id(self->id, O_RDWR | O_NONBLOCK);
	for (i = 0; i < MESSAGES; i++)
		ASSERT_EQ(LENGTH, write(self->fd, message, numbered(message, i, LENGTH)));
	self->first = stats_of(self->fd).head_seq;
	self->dumper = (struct dumper){ .fd = self->fd, .buffer = map_pages(BUFFER), .size = BUFFER };
	self->uffd = make_missing(self->dumper.buffer + variant->page * PAGE_SIZE);
	start_dump(&self->dumper);
	await_fault(self->uffd);
}

FIXTURE_TEARDOWN(stalled)
{
	expect_gone(_metadata, self->fd);
	close(self->uffd);
	close(self->nonblocking);
	close(self->fd);
}

/* Whether the dump holds exactly the messages that were queued at its beginning. */
static int complete(struct dumper *dumper, unsigned long long first)
{
	struct kmsgpipe_record *record = (void *)dumper->buffer;
	unsigned int i;

	if (dumper->dump.records != MESSAGES || dumper->dump.missing ||
	    dumper->dump.used != MESSAGES * record_size(LENGTH))
		return 0;
	for (i = 0; i < MESSAGES; i++, record = next_record(record))
		if (record->seq != first + i || record->len != LENGTH ||
		    !is_numbered((char *)(record + 1), i, LENGTH))
			return 0;
	return 1;
}

TEST_F(stalled, is_complete_while_all_messages_are_read)
{
	char buffer[256];
	unsigned int i;

	EXPECT_FALSE(__atomic_load_n(&self->dumper.done, __ATOMIC_ACQUIRE));
	for (i = 0; i < MESSAGES; i++) {
		ASSERT_EQ(LENGTH, read(self->nonblocking, buffer, sizeof(buffer)));
		ASSERT_TRUE(is_numbered(buffer, i, LENGTH));
	}
	EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, buffer, sizeof(buffer))));
	/* The freed memory is reused for other messages. */
	memset(buffer, 'x', sizeof(buffer));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(256, write(self->nonblocking, buffer, 256));
		ASSERT_EQ(256, read(self->nonblocking, buffer, 256));
	}
	EXPECT_FALSE(__atomic_load_n(&self->dumper.done, __ATOMIC_ACQUIRE));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
	EXPECT_EQ(MESSAGES + 1000, stats_of(self->fd).dequeued_msgs);
}

TEST_F(stalled, is_complete_while_all_and_later_messages_are_read)
{
	char buffer[256];
	unsigned int i;

	/* This message shares a segment with the last dumped messages. */
	ASSERT_EQ(1, write(self->nonblocking, "x", 1));
	for (i = 0; i < MESSAGES; i++)
		ASSERT_EQ(LENGTH, read(self->nonblocking, buffer, sizeof(buffer)));
	ASSERT_EQ(1, read(self->nonblocking, buffer, sizeof(buffer)));
	memset(buffer, 'x', sizeof(buffer));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(256, write(self->nonblocking, buffer, 256));
		ASSERT_EQ(256, read(self->nonblocking, buffer, 256));
	}
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
}

TEST_F(stalled, is_complete_while_writers_fill_the_pipe)
{
	char byte = 'x';
	int i;

	for (i = MESSAGES; i < 128; i++)
		ASSERT_EQ(1, write(self->nonblocking, &byte, 1));
	EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, &byte, 1)));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
	EXPECT_EQ(128, stats_of(self->fd).depth_msgs);
}

TEST_F(stalled, is_complete_while_half_is_read_and_more_is_written)
{
	char buffer[256];
	int i;

	for (i = 0; i < MESSAGES / 2; i++)
		ASSERT_EQ(LENGTH, read(self->nonblocking, buffer, sizeof(buffer)));
	for (i = 0; i < MESSAGES / 2; i++)
		ASSERT_EQ(256, write(self->nonblocking, buffer, 256));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
	EXPECT_EQ(self->first + MESSAGES / 2, stats_of(self->fd).head_seq);
}

TEST_F(stalled, is_complete_while_the_queue_is_cleared)
{
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(MESSAGES, stats_of(self->fd).dropped_msgs);
	/* An empty pipe accepts new limits; the dump keeps the old messages. */
	EXPECT_EQ(0, set_limits(self->fd, 16, 4));
	EXPECT_EQ(5, write(self->nonblocking, "fresh", 5));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_F(stalled, is_complete_while_all_messages_expire)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1, .expiry_ms = 1 };

	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	await_depth(self->fd, 0);
	EXPECT_EQ(MESSAGES, stats_of(self->fd).expired_msgs);
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
}

TEST_F(stalled, is_complete_while_the_pipe_is_destroyed)
{
	char byte;

	/* Destroying the pipe does not wait for the dump. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, TRY(read(self->fd, &byte, 1)));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
	EXPECT_EQ(-ENODEV, dump_to(self->fd, self->dumper.buffer, BUFFER, &self->dumper.dump));
}

TEST_F(stalled, readers_and_writers_sleep_and_wake_meanwhile)
{
	char buffer[256];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(4, write(self->fd, "wake", 4));
	EXPECT_EQ(4, finish_call(&call));
	fill(self->fd);
	call = write_call(self->fd, "late", 4);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(4, finish_call(&call));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
}

TEST_F(stalled, a_second_dump_waits_for_the_first)
{
	struct dumper second = { .fd = self->fd, .buffer = map_pages(BUFFER), .size = BUFFER };
	struct dumper third = { .fd = self->nonblocking, .buffer = map_pages(BUFFER), .size = BUFFER };

	on_sigusr1(0);
	start_dump(&second);
	await_asleep(second.tid);
	EXPECT_FALSE(__atomic_load_n(&second.done, __ATOMIC_ACQUIRE));
	/* A signal interrupts the wait. */
	ASSERT_EQ(0, pthread_kill(second.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, finish_dump(&second));
	EXPECT_EQ(~0U, second.dump.records);
	EXPECT_EQ(1, signals);
	/* With SA_RESTART the wait continues after the signal. */
	on_sigusr1(SA_RESTART);
	start_dump(&third);
	await_asleep(third.tid);
	ASSERT_EQ(0, pthread_kill(third.thread, SIGUSR1));
	while (signals != 1)
		sched_yield();
	await_asleep(third.tid);
	EXPECT_FALSE(__atomic_load_n(&third.done, __ATOMIC_ACQUIRE));
	/* The third dump is a snapshot of the queue at the moment when the first one has ended. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(5, write(self->fd, "fresh", 5));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
	EXPECT_EQ(0, finish_dump(&third));
	EXPECT_EQ(1, third.dump.records);
	EXPECT_EQ(0, memcmp(third.buffer + sizeof(struct kmsgpipe_record), "fresh", 5));
}

TEST_F(stalled, another_pipe_can_be_dumped_meanwhile)
{
	struct kmsgpipe_create create = default_pipe();
	int fd = open_id(create_pipe(&create), O_RDWR);
	struct kmsgpipe_dump dump;
	char buffer[80];

	ASSERT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(0, dump_to(fd, buffer, sizeof(buffer), &dump));
	EXPECT_EQ(1, dump.records);
	EXPECT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
	close(fd);
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
}

/* A dump that waits for another one fails as soon as the pipe is destroyed. */
TEST_F(stalled, destroy_ends_the_wait_of_a_second_dump)
{
	struct dumper second = { .fd = self->nonblocking, .buffer = map_pages(BUFFER), .size = BUFFER };

	start_dump(&second);
	await_asleep(second.tid);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	/* It does not wait for the end of the first dump. */
	EXPECT_EQ(-ENODEV, finish_dump(&second));
	resolve_fault(self->uffd, self->dumper.buffer + variant->page * PAGE_SIZE);
	EXPECT_EQ(0, finish_dump(&self->dumper));
	EXPECT_TRUE(complete(&self->dumper, self->first));
}

TEST_F(own, a_killed_dump_allows_the_next_one)
{
	char *buffer = map_pages(PAGE_SIZE);
	struct kmsgpipe_dump dump;
	int status;
	pid_t child;

	ASSERT_EQ(4, write(self->fd, "four", 4));
	child = fork();
	if (!child) {
		struct dumper dumper = { .fd = self->fd, .buffer = buffer, .size = PAGE_SIZE };
		int uffd = make_missing(buffer);

		start_dump(&dumper);
		await_fault(uffd);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, dump_to(self->fd, buffer, PAGE_SIZE, &dump));
	EXPECT_EQ(1, dump.records);
	EXPECT_EQ(4, read(self->nonblocking, buffer, PAGE_SIZE));
}

TEST_HARNESS_MAIN
