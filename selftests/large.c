// SPDX-License-Identifier: GPL-2.0
/*
 * Messages that are too long to be copied with the lock held, in a pipe with
 * msg_size=1048576 and max_msgs=8: other code paths with the same promises.
 */
#include "pipe_fixture.h"

#define MSG_SIZE (1 << 20)
#define PAGE 4096

static char *pages(size_t len)
{
	char *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		abort();
	return map;
}

static void pattern(char *buffer, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		buffer[i] = (char)(seed + i * 31 + (i >> 12));
}

TEST_F(pipe, limits)
{
	EXPECT_EQ(MSG_SIZE, stats_of(self->fd).msg_size);
	EXPECT_EQ(8, stats_of(self->fd).max_msgs);
}

TEST_F_TIMEOUT(pipe, lengths_around_the_boundaries, 120)
{
	static const size_t lengths[] = { 16383, 16384, 16385, 65535, 65536, 65537, MSG_SIZE - 1, MSG_SIZE };
	char *sent = pages(MSG_SIZE), *got = pages(MSG_SIZE);
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		pattern(sent, lengths[i], i);
		ASSERT_EQ(lengths[i], write(self->fd, sent, lengths[i]));
		ASSERT_EQ(lengths[i], stats_of(self->fd).depth_bytes);
		/* Memory that is not there yet. */
		ASSERT_EQ(0, madvise(got, MSG_SIZE, MADV_DONTNEED));
		ASSERT_EQ(lengths[i], read(self->fd, got, MSG_SIZE));
		ASSERT_EQ(0, memcmp(sent, got, lengths[i]));
	}
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, sent, MSG_SIZE + 1)));
}

TEST_F(pipe, errors_leave_the_message_in_its_place)
{
	char *buffer = pages(2 * MSG_SIZE);
	size_t hole = 65536;

	pattern(buffer, 100000, 1);
	ASSERT_EQ(100000, write(self->fd, buffer, 100000));
	pattern(buffer, 50000, 2);
	ASSERT_EQ(50000, write(self->fd, buffer, 50000));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, buffer, 99999)));
	ASSERT_EQ(0, mprotect(buffer + hole, PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, buffer, MSG_SIZE)));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, buffer, 100000)));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(0, mprotect(buffer + hole, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(100000, read(self->fd, buffer, MSG_SIZE));
	pattern(buffer + MSG_SIZE, 100000, 1);
	EXPECT_EQ(0, memcmp(buffer, buffer + MSG_SIZE, 100000));
	EXPECT_EQ(50000, read(self->fd, buffer, MSG_SIZE));
}

/*
 * Readers whose memory another thread keeps taking away: messages go back to their
 * places again and again, and still each arrives once, whole and in order.
 */
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

TEST_F_TIMEOUT(pipe, memory_that_keeps_going_away, 120)
{
	int rounds = getenv("LAB_SCALE") ? 20 : 200, i;
	struct thief thief = { .memory = pages(65536) };
	char *sent = pages(65536);
	pthread_t thread;
	ssize_t len;

	ASSERT_EQ(0, pthread_create(&thread, NULL, take_away, &thief));
	for (i = 0; i < rounds; i++) {
		pattern(sent, 40000 + i, i);
		ASSERT_EQ(40000 + i, write(self->fd, sent, 40000 + i));
		len = read(self->fd, thief.memory, 65536);
		ASSERT_EQ(40000 + i, len);
	}
	__atomic_store_n(&thief.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

TEST_F(pipe, a_full_pipe_of_long_messages)
{
	char *buffer = pages(MSG_SIZE), first;
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
