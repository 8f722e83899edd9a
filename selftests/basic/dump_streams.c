// SPDX-License-Identifier: GPL-2.0
/* Dumps while messages pass through the pipe: each is a consistent snapshot, and none delays other tasks for long. */
#include "lib/clock.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/tasks.h"

/* A thread that writes, or reads, increasing numbers until it is told to stop. */
struct stream {
	int fd;
	int stop;
	unsigned long failed;
	unsigned long passed;
	unsigned long long longest;
};

static void *send_numbers(void *arg)
{
	struct stream *stream = arg;
	unsigned long long message[20], number;
	size_t i, count;

	for (number = 0; !__atomic_load_n(&stream->stop, __ATOMIC_ACQUIRE); number++) {
		count = 1 + number % 20;
		for (i = 0; i < count; i++)
			message[i] = number;
		if (write(stream->fd, message, count * 8) != (ssize_t)(count * 8))
			stream->failed++;
	}
	return NULL;
}

static void *receive_numbers(void *arg)
{
	struct stream *stream = arg;
	unsigned long long message[20], number;

	for (number = 0;; number++) {
		if (read(stream->fd, message, sizeof(message)) != (ssize_t)(1 + number % 20) * 8)
			break;
		if (message[0] != number)
			stream->failed++;
	}
	return NULL;
}

TEST_F_TIMEOUT(own, each_dump_is_a_consistent_snapshot_of_a_stream, 300)
{
	int rounds = scaled(500), round;
	struct stream stream = { .fd = self->fd };
	char *buffer = map_pages(128 * record_size(160));
	unsigned long long first = 0, number, *payload, records = 0;
	pthread_t sender, receiver;
	struct kmsgpipe_dump dump;
	unsigned int i, j;

	ASSERT_EQ(0, pthread_create(&sender, NULL, send_numbers, &stream));
	await_depth(self->fd, 128);
	first = stats_of(self->fd).head_seq;
	ASSERT_EQ(0, pthread_create(&receiver, NULL, receive_numbers, &stream));
	for (round = 0; round < rounds; round++) {
		struct kmsgpipe_record *record = (void *)buffer;
		unsigned long long seq = record->seq;

		ASSERT_EQ(0, dump_to(self->fd, buffer, 128 * record_size(160), &dump));
		ASSERT_GE(128, dump.records);
		ASSERT_EQ(0, dump.missing);
		records += dump.records;
		/* No gaps, intact messages, and sequence numbers that do not go back. */
		for (i = 0; i < dump.records; i++, record = next_record(record)) {
			if (!i) {
				ASSERT_LE(seq, record->seq);
				seq = record->seq;
			}
			number = record->seq - first;
			payload = (void *)(record + 1);
			ASSERT_EQ(seq + i, record->seq);
			ASSERT_EQ((1 + number % 20) * 8, record->len);
			for (j = 0; j < record->len / 8; j++)
				ASSERT_EQ(number, payload[j]);
		}
	}
	__atomic_store_n(&stream.stop, 1, __ATOMIC_RELEASE);
	pthread_join(sender, NULL);
	/* The receiver ends when it gets a message of an unexpected length. */
	ASSERT_EQ(3, write(self->fd, "end", 3));
	pthread_join(receiver, NULL);
	EXPECT_EQ(0, stream.failed);
	TH_LOG("%d dumps of %llu messages", rounds, records);
}

/* Repeatedly receives a message and writes another, and keeps the longest time that this took. */
static void *pass_through(void *arg)
{
	struct stream *stream = arg;
	unsigned long long last = now_ns(), now;
	char byte;

	while (!__atomic_load_n(&stream->stop, __ATOMIC_ACQUIRE)) {
		if (read(stream->fd, &byte, 1) != 1 || write(stream->fd, "x", 1) != 1)
			stream->failed++;
		now = now_ns();
		if (now - last > __atomic_load_n(&stream->longest, __ATOMIC_ACQUIRE))
			__atomic_store_n(&stream->longest, now - last, __ATOMIC_RELEASE);
		last = now;
		__atomic_add_fetch(&stream->passed, 1, __ATOMIC_ACQ_REL);
	}
	return NULL;
}

/*
 * A long dump releases the lock again and again: no call waits for a quarter of the dump's time. The scheduler may
 * delay a call as well, so the test repeats the dump until it did not.
 */
TEST_F_TIMEOUT(own, readers_and_writers_continue_during_a_long_dump, 300)
{
	const unsigned int count = KMSGPIPE_MAX_MSGS_MAX;
	struct stream stream = { .fd = self->nonblocking };
	unsigned long long begin, took = 0, longest = ~0ULL / 8;
	char *buffer = map_pages((size_t)count * 72);
	struct kmsgpipe_dump dump;
	unsigned long passed;
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, set_limits(self->fd, 1, count));
	for (i = 0; i < count; i++)
		ASSERT_EQ(1, write(self->nonblocking, "x", 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, pass_through, &stream));
	while (longest * 4 > took) {
		struct kmsgpipe_record *record = (void *)buffer;
		unsigned long long first;

		passed = __atomic_load_n(&stream.passed, __ATOMIC_ACQUIRE);
		while (__atomic_load_n(&stream.passed, __ATOMIC_ACQUIRE) == passed)
			sched_yield();
		__atomic_store_n(&stream.longest, 0, __ATOMIC_RELEASE);
		begin = now_ns();
		ASSERT_EQ(0, dump_to(self->fd, buffer, (size_t)count * 72, &dump));
		took = now_ns() - begin;
		/* Wait for a call that began during the dump. */
		passed = __atomic_load_n(&stream.passed, __ATOMIC_ACQUIRE);
		while (__atomic_load_n(&stream.passed, __ATOMIC_ACQUIRE) == passed)
			sched_yield();
		longest = __atomic_load_n(&stream.longest, __ATOMIC_ACQUIRE);
		/* The other thread may be between its read and its write. */
		ASSERT_TRUE(dump.records == count || dump.records == count - 1);
		first = record->seq;
		for (i = 0; i < dump.records; i++, record = next_record(record))
			ASSERT_EQ(first + i, record->seq);
	}
	__atomic_store_n(&stream.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, stream.failed);
	TH_LOG("a dump took %llu us, a message during it %llu us at most", took / 1000, longest / 1000);
}

TEST_HARNESS_MAIN
