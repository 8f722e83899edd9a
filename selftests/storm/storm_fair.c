// SPDX-License-Identifier: GPL-2.0
/*
 * Fairness: eight writers and eight readers on two processors, for a time. No call may take longer than a second, and
 * the share of each task must be between a tenth of the mean and ten times the mean.
 *
 * Times are those of the guest's clock, which continues while the host runs something else. A task with the highest
 * priority, the witness, notices such gaps, and the time that is lost in them does not count.
 */
#include "lib/clock.h"
#include "lib/harness.h"
#include "lib/message.h"
#include "lib/pipe.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"

#include <sys/resource.h>

#define SIDE 8
#define SECOND 1000000000ULL
/* The sleep of the witness in nanoseconds; a gap is a sleep that took at least a quarter longer. */
#define NAP 10000000

/*
 * The time that the guest has lost, the number of gaps, and when all tasks had begun and were told to stop: calls
 * before and after that do not count.
 */
enum { LOST, GAPS, BEGUN, ENDED };

static void witness(struct task *self)
{
	const struct timespec nap = { .tv_nsec = NAP };
	struct sched_param priority = { .sched_priority = 20 };
	unsigned long long before, slept;

	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		give_up(self, "sched_setscheduler", -errno);
	while (!counter_get(&self->storm->stop)) {
		before = now_ns();
		nanosleep(&nap, NULL);
		slept = now_ns() - before;
		if (slept < NAP + NAP / 4)
			continue;
		counter_add(&self->storm->counts[LOST], slept - NAP);
		counter_add(&self->storm->counts[GAPS], 1);
	}
}

/* Counts a call that began at `since`, when `lost` had been lost. */
static void timed(struct task *self, unsigned long long since, unsigned long lost)
{
	const struct timespec nap = { .tv_nsec = 2 * NAP };
	const unsigned long *counts = self->storm->counts;
	unsigned long long until = now_ns(), waited;
	unsigned long begun = counter_get(&counts[BEGUN]), ended = counter_get(&counts[ENDED]);

	counter_add(&self->steps, 1);
	if (ended && until > ended)
		until = ended;
	if (!begun || until <= begun || since >= until)
		return;
	/* A call that was in progress at the beginning counts from then on. */
	if (since < begun)
		since = begun;
	self->counted++;
	waited = until - since;
	if (waited <= self->longest)
		return;
	/* The witness may not have noted the gap yet. */
	if (waited > SECOND / 4)
		nanosleep(&nap, NULL);
	lost = counter_get(&counts[LOST]) - lost;
	waited = waited > lost ? waited - lost : 0;
	if (waited > self->longest)
		self->longest = waited;
}

static void reading(struct task *self)
{
	struct message *message = new_message(64);
	int fd = open_id(self->storm->id, O_RDONLY);
	struct reading reading = { 0 };
	unsigned long long since;
	unsigned long lost;
	long len;

	if (self->kind)
		setpriority(PRIO_PROCESS, 0, self->kind);
	for (;;) {
		lost = counter_get(&self->storm->counts[LOST]);
		since = now_ns();
		len = TRY(read(fd, message, 64));
		if (len <= 0)
			give_up(self, "read", len);
		timed(self, since, lost);
		if (!note_received(&self->storm->ledger, &reading, message, len))
			return;
	}
}

static void writing(struct task *self)
{
	struct message *message = new_message(64);
	unsigned long long chance = task_seed(self), since;
	int fd = open_id(self->storm->id, O_WRONLY);
	uint32_t number = 0;
	unsigned long lost;
	long ret;

	if (self->kind)
		setpriority(PRIO_PROCESS, 0, self->kind);
	while (!counter_get(&self->storm->stop)) {
		make_message(message, task_index(self), number, 64, &chance);
		lost = counter_get(&self->storm->counts[LOST]);
		since = now_ns();
		ret = TRY(write(fd, message, 64));
		if (ret != 64)
			give_up(self, "write", ret);
		timed(self, since, lost);
		note_sent(&self->storm->ledger, task_index(self), number++);
	}
}

/* Whether no task among these waited too long, and all got a share. */
static int fair(struct storm *storm, const char *tasks, unsigned int first, unsigned int count)
{
	unsigned long long longest = 0;
	unsigned long least = -1UL, most = 0, sum = 0;
	unsigned int i;

	for (i = first; i < first + count; i++) {
		const struct task *task = &storm->task[i];

		sum += task->counted;
		longest = task->longest > longest ? task->longest : longest;
		least = task->counted < least ? task->counted : least;
		most = task->counted > most ? task->counted : most;
	}
	printf("# storm_fair: %lu calls of %u %s, from %lu to %lu each, the longest %llu us\n", sum, count, tasks, least,
	       most, longest / 1000);
	return longest <= SECOND && least * 10 >= sum / count && most <= sum / count * 10;
}

/* Lets sixteen tasks, and `nice_ones` tasks of low priority for each side, work for a time. */
static int shared(struct storm *storm, int nonblocking, unsigned int room, unsigned int nice_ones)
{
	const unsigned long long span = scaled(3000) < 1000 ? SECOND : scaled(3000) * 1000000ULL;
	unsigned int readers = SIDE + nice_ones, i;
	unsigned long long end;
	int good;

	if (set_limits(storm->fd, 64, room))
		return 0;
	for (i = 0; i < readers; i++)
		spawn(storm, i < SIDE ? "reader" : "nice reader", reading, i < SIDE ? 0 : 19);
	for (i = 0; i < readers; i++)
		spawn(storm, i < SIDE ? "writer" : "nice writer", writing, i < SIDE ? 0 : 19);
	spawn(storm, "witness", witness, 0);
	/* From here on all tasks are at work. */
	for (i = 0; i < 2 * readers; i++)
		if (!UNTIL_OF(storm, counter_get(&storm->task[i].steps), counter_get(&storm->task[i].steps)))
			return 0;
	storm->counts[BEGUN] = now_ns();
	end = storm->counts[BEGUN] + span;
	if (!UNTIL(storm, now_ns() >= end))
		return 0;
	storm->counts[ENDED] = now_ns();
	counter_add(&storm->stop, 1);
	if (!finished_all(storm, readers, readers + 1) || !stop_readers(storm, nonblocking, readers))
		return 0;
	printf("# storm_fair: %llu ms with room for %u, of which %lu ms were lost in %lu gaps\n", span / 1000000, room,
	       storm->counts[LOST] / 1000000, storm->counts[GAPS]);
	good = fair(storm, "readers", 0, SIDE);
	good &= fair(storm, "writers", readers, SIDE);
	if (nice_ones) {
		/* Tasks of low priority get some share. */
		fair(storm, "nice readers", SIDE, nice_ones);
		fair(storm, "nice writers", readers + SIDE, nice_ones);
	}
	return good && balanced(&storm->ledger);
}

TEST_F_TIMEOUT(storm, none_of_sixteen_tasks_starves, 600)
{
	EXPECT_TRUE(shared(self->storm, self->nonblocking, 128, 0));
}

TEST_F_TIMEOUT(storm, no_task_starves_with_room_for_one, 600)
{
	EXPECT_TRUE(shared(self->storm, self->nonblocking, 1, 0));
}

TEST_F_TIMEOUT(storm, no_task_starves_beside_tasks_of_low_priority, 600)
{
	EXPECT_TRUE(shared(self->storm, self->nonblocking, 16, 2));
}

TEST_HARNESS_MAIN
