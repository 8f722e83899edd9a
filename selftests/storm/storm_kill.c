// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks that are killed while they sleep and while they work: the pipe works at once for the tasks that are left and
 * for new ones. At most one message per killed task is missing from the ledger: one that it had just read, or had
 * just written.
 */
#include "lib/harness.h"
#include "lib/message.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* Starts a task in the place of another one. */
static struct task *respawn(struct storm *storm, unsigned int place, const char *name, void (*run)(struct task *))
{
	unsigned int tasks = storm->tasks;
	struct task *task;

	storm->tasks = place;
	task = spawn(storm, name, run, 0);
	if (tasks > storm->tasks)
		storm->tasks = tasks;
	return task;
}

/* Kills a task and reaps it; returns whether the signal is what ended it. */
static int killed(struct task *victim)
{
	int status;

	if (kill(victim->pid, SIGKILL) || waitpid(victim->pid, &status, 0) != victim->pid)
		return 0;
	victim->ended = 1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST_F_TIMEOUT(storm, killed_sleepers_lose_no_message, 600)
{
	unsigned long rounds = scaled(500), i;
	struct storm *storm = self->storm;
	struct kmsgpipe_stats before, after;
	unsigned long long chance = storm->seed;
	int room = 1 + pick(&chance, 3), j;
	char bytes[64];

	ASSERT_EQ(0, set_limits(self->fd, 64, room));
	for (i = 0; i < rounds; i++) {
		int write_it = i & 1;
		struct task *victim;

		for (j = 0; write_it && j < room; j++)
			ASSERT_EQ(1, write(self->nonblocking, "x", 1));
		before = stats_of(self->fd);
		victim = respawn(storm, 0, write_it ? "writer" : "reader", write_it ? writer_task : reader_task);
		ASSERT_TRUE(UNTIL(storm, (after = stats_of(self->fd), after.waiting_readers + after.waiting_writers)));
		random_delay(&chance);
		ASSERT_TRUE(killed(victim));

		/* The state is the same as if the task had never existed. */
		after = stats_of(self->fd);
		ASSERT_EQ(0, after.waiting_readers);
		ASSERT_EQ(0, after.waiting_writers);
		ASSERT_EQ(before.readers, after.readers);
		ASSERT_EQ(before.writers, after.writers);
		ASSERT_EQ(before.enqueued_msgs, after.enqueued_msgs);
		ASSERT_EQ(before.dequeued_msgs, after.dequeued_msgs);
		ASSERT_TRUE(accounted(&after));
		for (j = 0; write_it && j < room; j++)
			ASSERT_EQ(1, read(self->nonblocking, bytes, sizeof(bytes)));
		ASSERT_EQ(2, write(self->nonblocking, "ok", 2));
		ASSERT_EQ(2, read(self->nonblocking, bytes, sizeof(bytes)));
	}
	printf("# storm_kill: %lu kills of sleepers\n", rounds);
	storm->tasks = 0;
}

/* Two tasks of each side stay; a reader and a writer in places 4 and 5 are killed. */
enum { STAY = 4, VICTIM_READER = STAY, VICTIM_WRITER };

/* Whether the ledger matches the statistics, except for messages that killed tasks did not note. */
static int accounted_for(struct storm *storm, unsigned long long enqueued, unsigned long long dequeued,
			 unsigned long readers, unsigned long writers)
{
	unsigned long long unsaid = enqueued - all_sent(&storm->ledger);
	unsigned long long unread = dequeued - all_received(&storm->ledger);
	unsigned long i, missing = 0;

	for (i = 0; i < STAY; i++)
		missing += storm->ledger.sent.of[i] - storm->ledger.received.of[i];
	printf("# storm_kill: %lu kills of readers and %lu of writers at work, %llu messages; ", readers, writers,
	       enqueued);
	printf("%llu sent and %llu received without being noted, %lu messages missing\n", unsaid, unread, missing);
	return enqueued == dequeued && unsaid <= writers && unread <= readers && missing <= readers;
}

TEST_F_TIMEOUT(storm, killed_busy_tasks_lose_at_most_their_message, 600)
{
	unsigned long rounds = scaled(300), i, steps, victims[2] = { 0 };
	struct kmsgpipe_stats before, stats;
	struct storm *storm = self->storm;
	unsigned long long chance = storm->seed;
	int j;

	ASSERT_EQ(0, set_limits(self->fd, 64, 2));
	before = stats_of(self->fd);
	for (j = 0; j < STAY; j++)
		spawn(storm, j < 2 ? "reader" : "writer", j < 2 ? reader_task : writer_task, 0);
	spawn(storm, "victim, reader", reader_task, 0);
	spawn(storm, "victim, writer", writer_task, 0);
	for (i = 0; i < rounds; i++) {
		int write_it = pick(&chance, 2);
		struct task *victim = &storm->task[VICTIM_READER + write_it];

		/* During its first call or a later one. */
		steps = pick(&chance, 4);
		ASSERT_TRUE(UNTIL_OF(storm, counter_get(&victim->steps), counter_get(&victim->steps) >= steps));
		random_delay(&chance);
		ASSERT_TRUE(killed(victim));
		victims[write_it]++;
		/* The other tasks make progress. */
		ASSERT_TRUE(all_progress(storm, 0, STAY, 1));
		respawn(storm, VICTIM_READER + write_it, write_it ? "victim, writer" : "victim, reader",
			write_it ? writer_task : reader_task);
	}
	storm->stop = 1;
	ASSERT_TRUE(finished_all(storm, 2, 2) && finished_all(storm, VICTIM_WRITER, 1));
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, 3));

	stats = stats_of(self->fd);
	EXPECT_EQ(0, stats.depth_msgs);
	EXPECT_TRUE(sound(&storm->ledger));
	EXPECT_TRUE(accounted_for(storm, stats.enqueued_msgs - before.enqueued_msgs - 3,
				  stats.dequeued_msgs - before.dequeued_msgs - 3, victims[0], victims[1]));
}

TEST_HARNESS_MAIN
