// SPDX-License-Identifier: GPL-2.0
/*
 * Long messages, in a pipe with msg_size=1048576 and max_msgs=8: they are copied in before the lock is taken, and out
 * page by page.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"

#define MSG_SIZE (1 << 20)

static void pattern(char *buffer, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		buffer[i] = (char)(seed + i * 31 + (i >> 12));
}

TEST_F(pipe, limits_are_those_of_the_module_parameters)
{
	EXPECT_EQ(MSG_SIZE, stats_of(self->fd).msg_size);
	EXPECT_EQ(8, stats_of(self->fd).max_msgs);
}

TEST_F_TIMEOUT(pipe, messages_around_page_boundaries_are_read_back, 120)
{
	static const size_t lengths[] = { 16383, 16384, 16385, 65535, 65536, 65537, MSG_SIZE - 1, MSG_SIZE };
	char *sent = map_pages(MSG_SIZE), *got = map_pages(MSG_SIZE);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		pattern(sent, lengths[i], i);
		ASSERT_EQ(lengths[i], write(self->fd, sent, lengths[i]));
		ASSERT_EQ(lengths[i], stats_of(self->fd).depth_bytes);
		/* Pages that are not present. */
		ASSERT_EQ(0, madvise(got, MSG_SIZE, MADV_DONTNEED));
		ASSERT_EQ(lengths[i], read(self->fd, got, MSG_SIZE));
		ASSERT_EQ(0, memcmp(sent, got, lengths[i]));
	}
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, sent, MSG_SIZE + 1)));
}

TEST_F(pipe, a_failing_read_leaves_the_message_at_the_head)
{
	char *buffer = map_pages(2 * MSG_SIZE);
	size_t hole = 65536;

	pattern(buffer, 100000, 1);
	ASSERT_EQ(100000, write(self->fd, buffer, 100000));
	pattern(buffer, 50000, 2);
	ASSERT_EQ(50000, write(self->fd, buffer, 50000));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, buffer, 99999)));
	ASSERT_EQ(0, mprotect(buffer + hole, PAGE_SIZE, PROT_NONE));
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, buffer, MSG_SIZE)));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, buffer, 100000)));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(0, mprotect(buffer + hole, PAGE_SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(100000, read(self->fd, buffer, MSG_SIZE));
	pattern(buffer + MSG_SIZE, 100000, 1);
	EXPECT_EQ(0, memcmp(buffer, buffer + MSG_SIZE, 100000));
	EXPECT_EQ(50000, read(self->fd, buffer, MSG_SIZE));
}

/* A thread that keeps discarding the pages of a reader's memory. */
struct thief {
	char *memory;
	int stop;
};

static void *take_away(void *arg)
{
	struct thief *thief = arg;

	while (!__atomic_load_n(&thief->stop, __ATOMIC_ACQUIRE)) {
		madvise(thief->memory, 65536, MADV_DONTNEED);
		sched_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(pipe, reads_succeed_while_pages_keep_going_away, 120)
{
	int rounds = scaled(200), i;
	struct thief thief = { .memory = map_pages(65536) };
	char *sent = map_pages(65536);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, take_away, &thief));
	pattern(sent, 65536, 0);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(40000 + i, write(self->fd, sent, 40000 + i));
		ASSERT_EQ(30000 + i, write(self->fd, sent, 30000 + i));
		ASSERT_EQ(40000 + i, read(self->fd, thief.memory, 65536));
		ASSERT_EQ(30000 + i, read(self->fd, thief.memory, 65536));
	}
	__atomic_store_n(&thief.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

/* A thread whose reads all fail, some after they have copied most of a message. */
struct failing {
	int fd;
	char *buffer;
	int stop;
	unsigned long faults;
	long unexpected;
};

static void *fail_to_read(void *arg)
{
	struct failing *failing = arg;
	long ret;

	while (!__atomic_load_n(&failing->stop, __ATOMIC_ACQUIRE)) {
		ret = TRY(read(failing->fd, failing->buffer, MSG_SIZE));
		if (ret == -EFAULT)
			failing->faults++;
		else if (ret != -EAGAIN)
			failing->unexpected = ret;
	}
	return NULL;
}

TEST_F_TIMEOUT(pipe, a_failing_reader_does_not_reorder_messages, 120)
{
	int rounds = scaled(1000), i;
	struct failing failing = { .fd = self->nonblocking, .buffer = map_pages(MSG_SIZE) };
	char *sent = map_pages(MSG_SIZE), *got = map_pages(MSG_SIZE);
	uint32_t number;
	pthread_t thread;

	/* The length is enough for the message, but an inaccessible page is before its end. */
	ASSERT_EQ(0, mprotect(failing.buffer + 96 * 1024, PAGE_SIZE, PROT_NONE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_to_read, &failing));
	for (i = 0; i < rounds; i++) {
		memcpy(sent, &i, sizeof(i));
		ASSERT_EQ(100000, write(self->fd, sent, 100000));
		if (i % 4 != 3)
			continue;
		for (number = i - 3; number <= (uint32_t)i; number++) {
			ASSERT_EQ(100000, read(self->nonblocking, got, MSG_SIZE));
			ASSERT_EQ(0, memcmp(got, &number, sizeof(number)));
		}
	}
	ASSERT_EQ(100000, write(self->fd, sent, 100000));
	while (!__atomic_load_n(&failing.faults, __ATOMIC_ACQUIRE))
		sched_yield();
	__atomic_store_n(&failing.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, failing.unexpected);
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_F(pipe, a_full_pipe_of_the_longest_messages_is_read_back)
{
	char *buffer = map_pages(MSG_SIZE), first;
	int i;

	for (i = 0; i < 8; i++) {
		memset(buffer, 'a' + i, MSG_SIZE);
		ASSERT_EQ(MSG_SIZE, write(self->nonblocking, buffer, MSG_SIZE));
	}
	EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, buffer, MSG_SIZE)));
	EXPECT_EQ(8ULL * MSG_SIZE, stats_of(self->fd).depth_bytes);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(MSG_SIZE, read(self->nonblocking, buffer, MSG_SIZE));
		first = 'a' + i;
		ASSERT_EQ(first, buffer[0]);
		ASSERT_EQ(first, buffer[MSG_SIZE - 1]);
	}
}

TEST_HARNESS_MAIN
