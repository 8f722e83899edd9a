// SPDX-License-Identifier: GPL-2.0
/*
 * KMSGPIPE_ATTACH while tasks wait for a message of the same open file, or call the pipe at the same time: no wakeup is
 * lost, and no task waits for what it could read.
 */
#include "lib/broadcast.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/random.h"
#include "lib/records.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>

#define OWN KMSGPIPE_ATTACH_OWN
#define GROUP KMSGPIPE_ATTACH_GROUP
#define NOW KMSGPIPE_START_NOW
#define OLDEST KMSGPIPE_START_OLDEST

/* Starts a read that sleeps. */
static void sleep_in_read(struct call *call, int fd, char *buffer, size_t len)
{
	*call = read_call(fd, buffer, len);
	start_call(call);
	await_asleep(call->tid);
}

TEST_F(own, a_reader_that_sleeps_browses_when_its_file_does)
{
	int file = open_id(self->id, O_RDONLY);
	char seen[16], got[16];
	struct call calls[2];

	/* It waits before the other one. */
	sleep_in_read(&calls[0], file, seen, sizeof(seen));
	sleep_in_read(&calls[1], self->fd, got, sizeof(got));
	ASSERT_EQ(0, browse(file, NOW, 0));
	/* It does not keep the message from the other one. */
	ASSERT_EQ(4, write_text(self->nonblocking, "wake"));
	EXPECT_EQ(4, finish_call(&calls[1]));
	ASSERT_EQ(4, write_text(self->nonblocking, "more"));
	EXPECT_EQ(4, finish_call(&calls[0]));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, stats_of(self->fd).waiting_readers);
	close(file);
}

TEST_F(own, a_read_of_records_that_sleeps_browses_when_its_file_does)
{
	int file = open_id(self->id, O_RDONLY);
	char seen[72] __attribute__((aligned(8)));
	struct call call;

	ASSERT_EQ(0, set_mode(file, KMSGPIPE_MODE_RECORDS));
	sleep_in_read(&call, file, seen, sizeof(seen));
	ASSERT_EQ(0, browse(file, NOW, 0));
	ASSERT_EQ(4, write_text(self->nonblocking, "wake"));
	EXPECT_EQ(72, finish_call(&call));
	EXPECT_STREQ("1/4 = 0/0 + 0/0 + 0/0 + 1/4", counts_of(self->fd));
	ASSERT_EQ(0, attach(file, GROUP, NOW, 0));
	EXPECT_EQ(72, TRY(read(file, seen, sizeof(seen))));
	EXPECT_STREQ("1/4 = 1/4 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(file);
}

TEST_F(own, a_browser_that_sleeps_takes_messages_when_its_file_does)
{
	int file = open_id(self->id, O_RDONLY);
	struct call call;
	char got[16];

	ASSERT_EQ(0, browse(file, OLDEST, 0));
	sleep_in_read(&call, file, got, sizeof(got));
	ASSERT_EQ(0, attach(file, GROUP, NOW, 0));
	ASSERT_EQ(4, write_text(self->nonblocking, "wake"));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_STREQ("1/4 = 1/4 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(file);
}

TEST_F(own, a_browser_that_sleeps_gets_what_is_stored_when_its_file_moves)
{
	int file = open_id(self->id, O_RDONLY);
	struct call call;
	char got[16];

	ASSERT_EQ(4, write_text(self->nonblocking, "here"));
	/* It has seen the message, and sees it again. */
	ASSERT_EQ(0, browse(file, NOW, 0));
	sleep_in_read(&call, file, got, sizeof(got));
	ASSERT_EQ(0, browse(file, OLDEST, 0));
	EXPECT_EQ(4, finish_call(&call));
	/* It takes the message from the queue. */
	sleep_in_read(&call, file, got, sizeof(got));
	ASSERT_EQ(0, attach(file, GROUP, NOW, 0));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_STREQ("1/4 = 1/4 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(file);
}

TEST_F(own, pollers_learn_of_what_is_stored_when_the_file_moves)
{
	int file = open_id(self->id, O_RDONLY | O_NONBLOCK), epoll;
	struct poller poller = { .fd = file, .events = POLLIN }, edge;

	ASSERT_EQ(4, write_text(self->nonblocking, "here"));
	ASSERT_EQ(0, browse(file, NOW, 0));
	epoll = new_epoll(file, POLLIN | EPOLLET);
	edge = (struct poller){ .epoll = epoll };
	start_poll(&poller);
	start_poll(&edge);
	ASSERT_EQ(0, browse(file, OLDEST, 0));
	EXPECT_EQ(POLLIN, finish_poll(&poller));
	EXPECT_EQ(POLLIN, finish_poll(&edge));
	close(epoll);
	close(file);
}

TEST_F(own, an_io_uring_read_goes_on_where_the_file_moves)
{
	int file = open_id(self->id, O_RDONLY);
	char got[16];
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ, .fd = file, .addr = (uintptr_t)got, .len = sizeof(got), .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	ASSERT_EQ(4, write_text(self->nonblocking, "here"));
	ASSERT_EQ(0, browse(file, NOW, 0));
	ASSERT_EQ(1, ring_submit(&ring, &request));
	EXPECT_EQ(0, ring_completions(&ring));
	ASSERT_EQ(0, browse(file, OLDEST, 0));
	EXPECT_EQ(4, ring_complete(&ring));
	ring_close(&ring);
	close(file);
}

TEST_F(own, destroying_wakes_readers_whose_file_has_changed)
{
	int files[2] = { open_id(self->id, O_RDONLY), open_id(self->id, O_RDONLY) }, i;
	struct call calls[2];
	char got[2][16];

	ASSERT_EQ(0, browse(files[1], NOW, 0));
	for (i = 0; i < 2; i++)
		sleep_in_read(&calls[i], files[i], got[i], 16);
	ASSERT_EQ(0, browse(files[0], NOW, 0));
	ASSERT_EQ(0, attach(files[1], GROUP, NOW, 0));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENODEV, finish_call(&calls[i]));
		close(files[i]);
	}
}

/* ---- At the same time ---- */

#define TASKS 3
#define CALLS 3000

/* A thread that calls one of the files at random. */
struct caller {
	pthread_t thread;
	pid_t tid;
	unsigned long long chance;
	const int *files;
	long id;
	int broadcast;
	unsigned int calls;
	unsigned int failed;
};

static long call_at_random(struct caller *caller)
{
	unsigned int chance = pick(&caller->chance, 10);
	int fd = caller->files[pick(&caller->chance, TASKS)], own;
	char bytes[300] = "";

	switch (chance) {
	case 0: case 1:
		return browse(fd, pick(&caller->chance, 4), 0);
	case 2:
		return attach(fd, caller->broadcast ? OWN : GROUP, NOW, 0);
	case 3:
		return caller->broadcast ? attach(fd, OWN, pick(&caller->chance, 4), 0) : 0;
	case 4: case 5: case 6:
		return TRY(write(fd, bytes, 1 + pick(&caller->chance, 256)));
	case 7:
		own = subscribe(caller->id);
		TRY(read(own, bytes, sizeof(bytes)));
		return TRY(close(own));
	default:
		/* Some reads leave a rest. */
		return TRY(read(fd, bytes, 1 + pick(&caller->chance, 256)));
	}
}

static void *call_all_the_time(void *arg)
{
	struct caller *caller = arg;
	unsigned int i;
	long ret;

	__atomic_store_n(&caller->tid, gettid(), __ATOMIC_RELEASE);
	for (i = 0; i < caller->calls; i++) {
		ret = call_at_random(caller);
		if (ret < 0 && ret != -EAGAIN && ret != -EBUSY)
			caller->failed++;
	}
	return NULL;
}

/* Lets several tasks call the same files at random, and checks the counters at the end. */
static void call_together(struct __test_metadata *_metadata, long id, int broadcast)
{
	struct caller callers[TASKS];
	int files[TASKS], i, probe;
	unsigned long long seed = new_seed();

	printf("# seed %llu (KMSGPIPE_SEED repeats the calls, not the interleaving)\n", seed);
	for (i = 0; i < TASKS; i++)
		files[i] = open_id(id, O_RDWR | O_NONBLOCK);
	for (i = 0; i < TASKS; i++) {
		callers[i] = (struct caller){
			.chance = seed + i, .files = files, .id = id, .broadcast = broadcast, .calls = scaled(CALLS),
		};
		start_thread(&callers[i].thread, &callers[i].tid, call_all_the_time, &callers[i]);
	}
	for (i = 0; i < TASKS; i++) {
		ASSERT_EQ(0, pthread_join(callers[i].thread, NULL));
		EXPECT_EQ(0, callers[i].failed);
	}
	probe = subscribe(id);
	for (i = 0; i < TASKS; i++)
		close(files[i]);
	/* What is left can be read, and the pipe works. */
	while (try_read(probe, 256) > 0)
		;
	EXPECT_EQ(0, stats_of(probe).depth_msgs);
	EXPECT_EQ(1, stats_of(probe).readers);
	EXPECT_EQ(0, stats_of(probe).waiting_readers);
	ASSERT_EQ(0, ioctl(probe, KMSGPIPE_CLEAR_QUEUE));
	files[0] = open_id(id, O_RDWR | O_NONBLOCK);
	fill_full(files[0]);
	EXPECT_READS(probe, "1", "22", "333");
	close(files[0]);
	expect_destroyed(_metadata, probe);
	close(probe);
}

TEST_F_TIMEOUT(own, several_tasks_attach_read_and_write_a_queue, 120)
{
	call_together(_metadata, limited_pipe(256, 4), 0);
}

TEST_F_TIMEOUT(own, several_tasks_attach_read_and_write_a_broadcast_pipe, 120)
{
	call_together(_metadata, broadcast_pipe(4, 3), 1);
}

TEST_F_TIMEOUT(own, several_tasks_call_a_broadcast_pipe_that_drops, 120)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	size_t i;
	long id;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		id = broadcast_pipe(4, 0);
		set_policy(id, policies[i]);
		call_together(_metadata, id, 1);
	}
}

/* ---- Many messages ---- */

#define MANY 65536

TEST_F_TIMEOUT(own, positions_are_found_among_many_messages, 120)
{
	static char buffer[72] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	long queue = limited_pipe(16, MANY), cast = broadcast_pipe(MANY, 0);
	int writers[2] = { open_id(queue, O_WRONLY | O_NONBLOCK), open_id(cast, O_WRONLY | O_NONBLOCK) };
	int holder = subscribe(cast), readers[2] = { subscribe(queue), subscribe(cast) }, i, k;
	static const unsigned long long places[] = { 1, 2, 255, 256, 257, 4096, 40000, MANY - 1, MANY };
	unsigned long long time;

	for (k = 0; k < 2; k++)
		for (i = 1; i <= MANY; i++)
			ASSERT_EQ(sizeof(i), write(writers[k], &i, sizeof(i)));
	for (k = 0; k < 2; k++) {
		ASSERT_EQ(0, set_mode(readers[k], KMSGPIPE_MODE_RECORDS));
		for (i = 0; i < (int)ARRAY_SIZE(places); i++) {
			ASSERT_EQ(0, browse(readers[k], KMSGPIPE_START_SEQ, places[i]));
			ASSERT_EQ(72, read(readers[k], buffer, 72));
			EXPECT_EQ(places[i], record->seq);
			EXPECT_EQ(places[i], *(unsigned int *)(record + 1));
			time = record->realtime_ns;
			ASSERT_EQ(0, browse(readers[k], KMSGPIPE_START_TIME, time));
			ASSERT_EQ(72, read(readers[k], buffer, 72));
			EXPECT_EQ(time, record->realtime_ns);
			EXPECT_GE(places[i], record->seq);
		}
	}
	/* A position among them holds back only what comes after it. */
	ASSERT_EQ(0, attach(readers[1], OWN, OLDEST, 0));
	EXPECT_EQ(MANY, stats_of(writers[1]).depth_msgs);
	close(holder);
	EXPECT_EQ(MANY, stats_of(writers[1]).depth_msgs);
	ASSERT_EQ(0, attach(readers[1], OWN, KMSGPIPE_START_SEQ, MANY));
	EXPECT_EQ(1, stats_of(writers[1]).depth_msgs);
	EXPECT_EQ(MANY - 1, stats_of(writers[1]).dropped_msgs);
	ASSERT_EQ(72, read(readers[1], buffer, sizeof(buffer)));
	EXPECT_EQ(MANY, record->seq);
	for (k = 0; k < 2; k++) {
		close(readers[k]);
		expect_destroyed(_metadata, writers[k]);
		close(writers[k]);
	}
}

TEST_HARNESS_MAIN
