// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks that are stopped, or sleep in a page fault, in the middle of a call do not delay other tasks, which make any
 * number of calls meanwhile. CPU hotplug delays no task either.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/message.h"
#include "lib/missing.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"
#include "lib/tasks.h"

#include <signal.h>
#include <sys/wait.h>

/* Two readers and two writers. The tasks after them are stopped. */
#define OTHERS 4
/* The number of calls by which each other task shows progress. */
#define CALLS 20

static void start_others(struct storm *storm)
{
	int i;

	for (i = 0; i < OTHERS; i++)
		spawn(storm, i < 2 ? "reader" : "writer", i < 2 ? reader_task : writer_task, 0);
}

/* Stops a task and returns whether it has stopped. */
static int stopped(struct storm *storm, struct task *task)
{
	int status = 0;

	return !kill(task->pid, SIGSTOP) &&
	       UNTIL_OF(storm, 0, waitpid(task->pid, &status, WUNTRACED | WNOHANG) == task->pid) &&
	       WIFSTOPPED(status);
}

static int tells_of(struct storm *storm, unsigned long rounds, const char *what)
{
	printf("# storm_stop: %lu %s, %lu messages\n", rounds, what, all_received(&storm->ledger));
	fflush(stdout);
	return balanced(&storm->ledger);
}

/* Ends a test: waits for writers, which look at `stop`, and stops the `readers` readers. */
static int all_end(struct storm *storm, int nonblocking, unsigned int readers)
{
	counter_add(&storm->stop, 1);
	return UNTIL(storm, count_running(storm, 0, storm->tasks) == readers) && stop_readers(storm, nonblocking, readers);
}

TEST_F(storm, a_stopped_reader_takes_no_message)
{
	struct storm *storm = self->storm;
	struct task *task = spawn(storm, "reader", reader_task, 0);
	char bytes[8];
	struct call call = read_call(self->fd, bytes, sizeof(bytes));

	await_readers(self->fd, 1);
	ASSERT_TRUE(stopped(storm, task));
	EXPECT_EQ(0, stats_of(self->fd).waiting_readers);
	/* The stopped reader waited first, but it is not on the wait list while it is stopped. */
	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(5, write(self->fd, "first", 5));
	EXPECT_EQ(5, finish_call(&call));
	EXPECT_EQ(0, storm->task[0].steps);
	ASSERT_EQ(0, kill(task->pid, SIGCONT));
	await_readers(self->fd, 1);
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, 1));
	EXPECT_EQ(1, storm->task[0].steps);
}

TEST_F(storm, a_stopped_writer_takes_no_slot)
{
	struct call call = write_call(self->fd, "other", 5);
	struct storm *storm = self->storm;
	struct task *task;
	char bytes[64];

	ASSERT_EQ(0, set_limits(self->fd, 64, 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	task = spawn(storm, "writer", writer_task, 0);
	await_writers(self->fd, 1);
	ASSERT_TRUE(stopped(storm, task));
	EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, bytes, sizeof(bytes)));
	EXPECT_EQ(5, finish_call(&call));
	counter_add(&storm->stop, 1);
	ASSERT_EQ(0, kill(task->pid, SIGCONT));
	await_writers(self->fd, 1);
	ASSERT_EQ(5, read(self->fd, bytes, sizeof(bytes)));
	ASSERT_TRUE(finished_all(storm, 0, 1));
	EXPECT_LT(SHORTEST - 1, read(self->fd, bytes, sizeof(bytes)));
	EXPECT_EQ(1, storm->task[0].steps);
}

/* The reader is woken for a message and stopped before it runs: it still takes the message. */
TEST_F(storm, a_stop_does_not_lose_a_wakeup)
{
	struct storm *storm = self->storm;
	struct task *task;

	share_one_processor();
	task = spawn(storm, "reader", reader_task, 0);
	await_readers(self->fd, 1);
	spawn(storm, "reader", reader_task, 0);
	await_readers(self->fd, 2);
	run_alone(1);
	ASSERT_EQ(1, write(self->fd, "\xa1", 1));
	ASSERT_EQ(0, kill(task->pid, SIGSTOP));
	run_alone(0);
	ASSERT_TRUE(stopped(storm, task));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(1, stats_of(self->fd).waiting_readers);
	ASSERT_EQ(0, kill(task->pid, SIGCONT));
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, 2));
	EXPECT_EQ(1, all_received(&storm->ledger));
}

TEST_F_TIMEOUT(storm, others_continue_while_one_task_is_stopped, 600)
{
	unsigned long rounds = scaled(150), i;
	struct storm *storm = self->storm;
	unsigned long long chance = storm->seed;

	ASSERT_EQ(0, set_limits(self->fd, 64, 1 + pick(&chance, 4)));
	start_others(storm);
	spawn(storm, "stopped reader", reader_task, 0);
	spawn(storm, "stopped writer", writer_task, 0);
	for (i = 0; i < rounds; i++) {
		unsigned int place = OTHERS + pick(&chance, 2);
		unsigned long steps;

		random_delay(&chance);
		ASSERT_TRUE(stopped(storm, &storm->task[place]));
		steps = storm->task[place].steps;
		ASSERT_TRUE(all_progress(storm, 0, OTHERS, CALLS));
		ASSERT_EQ(steps, storm->task[place].steps);
		ASSERT_EQ(0, kill(storm->task[place].pid, SIGCONT));
		ASSERT_TRUE(all_progress(storm, place, 1, 1));
	}
	ASSERT_TRUE(all_end(storm, self->nonblocking, 3));
	EXPECT_TRUE(tells_of(storm, rounds, "times that one was stopped"));
}

TEST_F_TIMEOUT(storm, stopping_all_tasks_repeatedly_loses_nothing, 600)
{
	unsigned long rounds = scaled(3000), i;
	struct storm *storm = self->storm;
	unsigned long long chance = storm->seed;
	unsigned int place;

	ASSERT_EQ(0, set_limits(self->fd, 64, 1 + pick(&chance, 4)));
	start_others(storm);
	for (i = 0; i < rounds; i++) {
		place = pick(&chance, OTHERS);
		kill(storm->task[place].pid, SIGSTOP);
		random_delay(&chance);
		place = pick(&chance, OTHERS);
		kill(storm->task[place].pid, SIGCONT);
		/* Once in eight rounds all tasks run. */
		if (i % 8)
			continue;
		for (place = 0; place < OTHERS; place++)
			kill(storm->task[place].pid, SIGCONT);
		ASSERT_TRUE(all_progress(storm, 0, OTHERS, 1));
	}
	for (place = 0; place < OTHERS; place++)
		kill(storm->task[place].pid, SIGCONT);
	ASSERT_TRUE(all_end(storm, self->nonblocking, 2));
	EXPECT_TRUE(tells_of(storm, rounds, "signals to stop"));
}

/* A page that is missing until the other tasks have made progress. */
struct swamp {
	struct task *task;
	int uffd;
	char *page;
	/* The content of the page when it is brought in. */
	char *content;
};

/* Resolves each page fault of its task after all other tasks have made more calls. */
static void *serve_late(void *arg)
{
	struct swamp *swamp = arg;
	struct storm *storm = swamp->task->storm;
	unsigned long steps[OTHERS];
	int i;

	for (;;) {
		await_fault(swamp->uffd);
		for (i = 0; i < OTHERS; i++)
			steps[i] = counter_get(&storm->task[i].steps) + CALLS;
		for (i = 0; i < OTHERS; i++)
			while (counter_get(&storm->task[i].steps) < steps[i])
				pause_briefly();
		counter_add(&storm->counts[0], 1);
		resolve_fault_with(swamp->uffd, swamp->page, swamp->content, PAGE_SIZE);
	}
	return NULL;
}

static void enter(struct swamp *swamp, struct task *self)
{
	pthread_t server;

	swamp->task = self;
	swamp->uffd = missing_page(&swamp->page);
	swamp->content = map_pages(PAGE_SIZE);
	if (pthread_create(&server, NULL, serve_late, swamp))
		give_up(self, "pthread_create", -errno);
}

static void read_into_swamp(struct task *self)
{
	int fd = open_id(self->storm->id, O_RDONLY);
	struct reading reading = { 0 };
	struct swamp swamp;
	unsigned long i;
	long len;

	enter(&swamp, self);
	for (i = 0; i < self->storm->counts[1]; i++) {
		madvise(swamp.page, PAGE_SIZE, MADV_DONTNEED);
		len = TRY(read(fd, swamp.page, 64));
		check_received(self, &reading, (struct message *)swamp.page, len);
	}
}

static void write_from_swamp(struct task *self)
{
	int fd = open_id(self->storm->id, O_WRONLY);
	unsigned long long chance = task_seed(self);
	struct swamp swamp;
	unsigned long i;
	long ret;

	enter(&swamp, self);
	for (i = 0; i < self->storm->counts[1]; i++) {
		madvise(swamp.page, PAGE_SIZE, MADV_DONTNEED);
		make_message((struct message *)swamp.content, task_index(self), i, 64, &chance);
		ret = TRY(write(fd, swamp.page, 64));
		if (ret != 64)
			give_up(self, "write", ret);
		note_sent(&self->storm->ledger, task_index(self), i);
		counter_add(&self->steps, 1);
	}
}

TEST_F_TIMEOUT(storm, others_continue_while_one_task_is_in_a_page_fault, 600)
{
	unsigned long rounds = scaled(100);
	struct storm *storm = self->storm;

	ASSERT_EQ(0, set_limits(self->fd, 64, 2));
	storm->counts[1] = rounds;
	start_others(storm);
	spawn(storm, "hanging reader", read_into_swamp, 0);
	spawn(storm, "hanging writer", write_from_swamp, 0);
	ASSERT_TRUE(finished_all(storm, OTHERS, 2));
	ASSERT_TRUE(all_end(storm, self->nonblocking, 2));
	EXPECT_LE(2 * rounds, storm->counts[0]);
	EXPECT_TRUE(tells_of(storm, storm->counts[0], "page faults that lasted"));
}

#define PROCESSOR "/sys/devices/system/cpu/cpu1/online"

TEST_F_TIMEOUT(storm, cpu_hotplug_loses_no_message, 600)
{
	unsigned long rounds = scaled(20), i;
	struct storm *storm = self->storm;

	if (!is_there(PROCESSOR))
		SKIP(return, "the kernel, or the machine, has no processor that can be taken away");
	ASSERT_EQ(0, set_limits(self->fd, 64, 2));
	start_others(storm);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(1, spill(PROCESSOR, "0"));
		EXPECT_TRUE(all_progress(storm, 0, OTHERS, CALLS));
		ASSERT_EQ(1, spill(PROCESSOR, "1"));
		ASSERT_TRUE(all_progress(storm, 0, OTHERS, CALLS));
	}
	ASSERT_TRUE(all_end(storm, self->nonblocking, 2));
	EXPECT_TRUE(tells_of(storm, rounds, "times that a processor went and came"));
}

TEST_HARNESS_MAIN
