// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeping and waking: the order of wakeups, wakeups that are passed on, and signals. No test waits for time to pass:
 * the pipe's statistics tell how many tasks sleep in it.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"
#include "lib/signals.h"
#include "lib/tasks.h"

#include <signal.h>
#include <sys/wait.h>

/* spec: 3-readers-block 4-read-blocks */
TEST_F(pipe, a_reader_sleeps_until_there_is_a_message)
{
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	start_call(&call);
	await_readers(self->fd, 1);
	EXPECT_EQ(4, write(self->fd, "wake", 4));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_EQ(0, memcmp(buffer, "wake", 4));
	EXPECT_EQ(0, stats_of(self->fd).waiting_readers);
}

/* spec: 3-writers-block 4-write-blocks */
TEST_F(pipe, a_writer_sleeps_until_there_is_room)
{
	struct call call = write_call(self->fd, "late", 4);
	struct kmsgpipe_stats stats;
	char buffer[8];

	fill(self->fd);
	start_call(&call);
	await_writers(self->fd, 1);
	stats = stats_of(self->fd);
	EXPECT_EQ(stats.max_msgs, stats.depth_msgs);
	EXPECT_EQ(1, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_EQ(stats.max_msgs, stats_of(self->fd).depth_msgs);
}

TEST_F(pipe, clear_queue_wakes_all_sleeping_writers)
{
	struct call calls[3];
	int i;

	fill(self->fd);
	start_writers(calls, 3, self->fd, "late", 4);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(4, finish_call(&calls[i]));
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
}

/* The number of voluntary context switches of the thread. */
static long sleeps(pid_t tid)
{
	char path[64], line[128];
	long count = -1;
	FILE *file;

	await_asleep(tid);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %ld", &count);
	if (!file || count < 0)
		abort();
	fclose(file);
	return count;
}

/* spec: 4-write-wakes */
TEST_F(pipe, readers_wake_in_fifo_order_one_per_message)
{
	long slept[4];
	char buffers[4];
	struct call calls[4];
	char byte;
	int i, j;

	for (i = 0; i < 4; i++) {
		calls[i] = read_call(self->fd, &buffers[i], 1);
		start_call(&calls[i]);
		await_readers(self->fd, i + 1);
		slept[i] = sleeps(calls[i].tid);
	}
	for (i = 0; i < 4; i++) {
		byte = 'a' + i;
		ASSERT_EQ(1, write(self->fd, &byte, 1));
		ASSERT_EQ(1, finish_call(&calls[i]));
		ASSERT_EQ('a' + i, buffers[i]);
		ASSERT_EQ(3 - i, stats_of(self->fd).waiting_readers);
		/* The other tasks were not woken at all. */
		for (j = i + 1; j < 4; j++)
			ASSERT_EQ(slept[j], sleeps(calls[j].tid));
	}
}

/* spec: 4-write-blocks */
TEST_F(pipe, writers_wake_in_fifo_order_one_per_slot)
{
	char names[4] = { 'a', 'b', 'c', 'd' }, byte;
	unsigned int i, j, max_msgs;
	struct call calls[4];
	long slept[4];

	fill(self->fd);
	max_msgs = stats_of(self->fd).max_msgs;
	for (i = 0; i < 4; i++) {
		calls[i] = write_call(self->fd, &names[i], 1);
		start_call(&calls[i]);
		await_writers(self->fd, i + 1);
		slept[i] = sleeps(calls[i].tid);
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		ASSERT_EQ(1, finish_call(&calls[i]));
		ASSERT_EQ(3 - i, stats_of(self->fd).waiting_writers);
		for (j = i + 1; j < 4; j++)
			ASSERT_EQ(slept[j], sleeps(calls[j].tid));
	}
	for (i = 4; i < max_msgs; i++)
		ASSERT_EQ(1, read(self->fd, &byte, 1));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		ASSERT_EQ(names[i], byte);
	}
}

/* Starts calls that sleep on this thread's processor and from now on run only when it lets them. */
static void hold_asleep(struct call *calls, unsigned int count)
{
	unsigned int i;

	share_one_processor();
	for (i = 0; i < count; i++) {
		start_call(&calls[i]);
		if (calls[i].write)
			await_writers(calls[i].fd, i + 1);
		else
			await_readers(calls[i].fd, i + 1);
	}
	run_alone(1);
}

/*
 * A second message wakes no second reader while a wakeup is in flight: the woken reader must wake the next one for
 * what it leaves.
 */
TEST_F(pipe, a_woken_reader_wakes_the_next_if_messages_are_left)
{
	char bytes[2];
	struct call calls[] = { read_call(self->fd, &bytes[0], 1), read_call(self->fd, &bytes[1], 1) };
	int i;

	hold_asleep(calls, 2);
	ASSERT_EQ(1, write(self->fd, "a", 1));
	ASSERT_EQ(1, write(self->fd, "b", 1));
	ASSERT_EQ(1, stats_of(self->fd).waiting_readers);
	run_alone(0);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(1, finish_call(&calls[i]));
		EXPECT_EQ('a' + i, bytes[i]);
	}
}

/* Expects a reader to fail with this error, leave the message, and pass its wakeup on. */
static void expect_passed_on(struct __test_metadata *_metadata, struct call first, long error)
{
	char large[8];
	struct call second = read_call(first.fd, large, sizeof(large));

	start_call(&first);
	await_readers(first.fd, 1);
	start_call(&second);
	await_readers(first.fd, 2);
	EXPECT_EQ(5, write(first.fd, "large", 5));
	EXPECT_EQ(error, finish_call(&first));
	EXPECT_EQ(5, finish_call(&second));
	EXPECT_EQ(0, memcmp(large, "large", 5));
}

/* spec: 11-concurrency */
TEST_F(pipe, a_reader_with_a_short_buffer_passes_its_wakeup_on)
{
	char small[2];

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	expect_passed_on(_metadata, read_call(self->fd, small, sizeof(small)), -EMSGSIZE);
}

TEST_F(pipe, a_reader_with_bad_memory_passes_its_wakeup_on)
{
	expect_passed_on(_metadata, read_call(self->fd, bad_address, 8), -EFAULT);
}

TEST_F(pipe, a_writer_with_bad_memory_fails_before_it_queues)
{
	struct kmsgpipe_stats before;

	fill(self->fd);
	before = stats_of(self->fd);
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 8)));
	EXPECT_EQ(before.enqueued_msgs, stats_of(self->fd).enqueued_msgs);
	/* EAGAIN comes before EFAULT. */
	EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, bad_address, 8)));
}

/* spec: 4-read-blocks */
TEST_F(pipe, a_signal_interrupts_a_sleeping_reader)
{
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	on_sigusr1(0);
	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, finish_call(&call));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(4, write(self->fd, "kept", 4));
	EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
}

TEST_F(pipe, a_signal_interrupts_a_sleeping_writer)
{
	struct call call = write_call(self->fd, "lost", 4);
	struct kmsgpipe_stats before;

	on_sigusr1(0);
	fill(self->fd);
	before = stats_of(self->fd);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, finish_call(&call));
	EXPECT_EQ(before.enqueued_msgs, stats_of(self->fd).enqueued_msgs);
}

TEST_F(pipe, sa_restart_restarts_the_call)
{
	char buffer[8];
	struct call reading = read_call(self->fd, buffer, sizeof(buffer));
	struct call writing = write_call(self->fd, "late", 4);
	char byte;

	on_sigusr1(SA_RESTART);
	start_call(&reading);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, pthread_kill(reading.thread, SIGUSR1));
	while (!signals)
		sched_yield();
	await_readers(self->fd, 1);
	EXPECT_EQ(4, write(self->fd, "wake", 4));
	EXPECT_EQ(4, finish_call(&reading));

	fill(self->fd);
	signals = 0;
	start_call(&writing);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, pthread_kill(writing.thread, SIGUSR1));
	while (!signals)
		sched_yield();
	await_writers(self->fd, 1);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(4, finish_call(&writing));
}

TEST_F(pipe, a_killed_waiter_leaves_the_wait_list)
{
	int status, writing;
	char buffer[8];
	pid_t child;

	for (writing = 0; writing < 2; writing++) {
		if (writing)
			fill(self->fd);
		child = fork();
		if (!child) {
			if (writing)
				_exit(write(self->fd, "killed", 6) != 6);
			_exit(read(self->fd, buffer, sizeof(buffer)) < 0);
		}
		if (writing)
			await_writers(self->fd, 1);
		else
			await_readers(self->fd, 1);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(0, stats_of(self->fd).waiting_readers);
		EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	}
	EXPECT_EQ(1, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, buffer[0]);
}

/*
 * A signal arrives after the wakeup and before the task runs: the task must take the message or slot, or the wakeup
 * would be lost.
 */
/* spec: 11-blocking */
TEST_F(pipe, a_signal_does_not_lose_a_wakeup)
{
	char buffers[2][8], byte;
	struct call readers[] = { read_call(self->fd, buffers[0], 8), read_call(self->fd, buffers[1], 8) };
	struct call writers[] = { write_call(self->fd, "w0", 2), write_call(self->fd, "w1", 2) };

	on_sigusr1(0);
	hold_asleep(readers, 2);
	ASSERT_EQ(1, write(self->fd, "m", 1));
	ASSERT_EQ(0, pthread_kill(readers[0].thread, SIGUSR1));
	run_alone(0);
	EXPECT_EQ(1, finish_call(&readers[0]));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(1, stats_of(self->fd).waiting_readers);
	ASSERT_EQ(1, write(self->fd, "m", 1));
	EXPECT_EQ(1, finish_call(&readers[1]));

	fill(self->fd);
	hold_asleep(writers, 2);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	ASSERT_EQ(0, pthread_kill(writers[0].thread, SIGUSR1));
	run_alone(0);
	EXPECT_EQ(2, finish_call(&writers[0]));
	EXPECT_EQ(1, stats_of(self->fd).waiting_writers);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(2, finish_call(&writers[1]));
}

/* A signal arrives after the wakeup of a reader that fails to take the message: it must pass its wakeup on. */
TEST_F(pipe, a_signal_passes_the_pending_wakeup_on)
{
	char small, large[8];
	struct call readers[] = { read_call(self->fd, &small, 1), read_call(self->fd, large, 8) };

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	on_sigusr1(0);
	hold_asleep(readers, 2);
	ASSERT_EQ(5, write(self->fd, "large", 5));
	ASSERT_EQ(0, pthread_kill(readers[0].thread, SIGUSR1));
	run_alone(0);
	EXPECT_EQ(-EMSGSIZE, finish_call(&readers[0]));
	EXPECT_EQ(5, finish_call(&readers[1]));
}

/*
 * Two sleeping readers. A signal hits one of them while a message is sent, and that reader does not read again until
 * the message was taken. If the wakeup went to it and the signal discarded the wakeup, the message would stay and the
 * other reader sleep on.
 */
struct storm {
	int fd;
	int stop;
	unsigned long sent;
	unsigned long taken;
};

static void *take_all(void *arg)
{
	struct storm *storm = arg;
	char byte;

	while (!__atomic_load_n(&storm->stop, __ATOMIC_ACQUIRE)) {
		if (read(storm->fd, &byte, 1) == 1)
			__atomic_add_fetch(&storm->taken, byte == 'm', __ATOMIC_ACQ_REL);
		else
			while (__atomic_load_n(&storm->taken, __ATOMIC_ACQUIRE) <
				       __atomic_load_n(&storm->sent, __ATOMIC_ACQUIRE) &&
			       !__atomic_load_n(&storm->stop, __ATOMIC_ACQUIRE))
				sched_yield();
	}
	return NULL;
}

/* spec: 5-serialized */
TEST_F_TIMEOUT(pipe, no_wakeup_is_lost_under_many_signals, 300)
{
	unsigned long rounds = scaled(5000), i;
	struct storm storm = { .fd = self->fd };
	pthread_t calm, hit;

	on_sigusr1(0);
	ASSERT_EQ(0, pthread_create(&hit, NULL, take_all, &storm));
	ASSERT_EQ(0, pthread_create(&calm, NULL, take_all, &storm));
	for (i = 0; i < rounds; i++) {
		await_readers(self->fd, 2);
		__atomic_store_n(&storm.sent, i + 1, __ATOMIC_RELEASE);
		/* In both orders: the signal before the message, and after it. */
		if (i % 2)
			ASSERT_EQ(0, pthread_kill(hit, SIGUSR1));
		ASSERT_EQ(1, write(self->fd, "m", 1));
		if (i % 2 == 0)
			ASSERT_EQ(0, pthread_kill(hit, SIGUSR1));
		while (__atomic_load_n(&storm.taken, __ATOMIC_ACQUIRE) != i + 1)
			sched_yield();
	}
	__atomic_store_n(&storm.stop, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(1, write(self->fd, "q", 1));
	ASSERT_EQ(1, write(self->fd, "q", 1));
	pthread_join(hit, NULL);
	pthread_join(calm, NULL);
	EXPECT_EQ(rounds, storm.taken);
	ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE);
}

TEST_HARNESS_MAIN
