/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many tasks on one pipe, and a watchdog: if no task finishes a call for ten seconds, or one fails, it reports
 * what each task was doing and kills all of them.
 */
#ifndef SELFTESTS_LIB_STORM_H
#define SELFTESTS_LIB_STORM_H

#include "lib/harness.h"
#include "lib/message.h"

struct storm;

struct task {
	struct storm *storm;
	char name[24];
	pid_t pid;
	/* What it was started for. */
	int kind;
	/* How many calls it has finished. */
	unsigned long steps;
	/* How many messages it, and whoever was in its place before, has begun to send. */
	unsigned long numbers;
	int ended;
	/* Where a test measures: how many calls it has, and the longest, in nanoseconds. */
	unsigned long counted;
	unsigned long long longest;
};

/* Shared by all tasks. */
struct storm {
	long id;
	int fd;
	unsigned long long seed;
	/* Tasks that look at it are to end. */
	unsigned long stop;
	/* Somebody has failed. */
	unsigned long failed;
	unsigned int tasks;
	struct task task[MAX_TASKS];
	struct ledger ledger;
	/* What a test counts for itself. */
	unsigned long counts[16];
};

/* A task that goes on would find a result that may not be. */
void __attribute__((noreturn)) give_up(struct task *self, const char *what, long result);

/* Starts a task, which dies with this process. */
struct task *spawn(struct storm *storm, const char *name, void (*run)(struct task *), int kind);

/* The number by which a task's messages are known, and chance of its own. */
uint32_t task_index(const struct task *task);

unsigned long long task_seed(const struct task *task);

unsigned long storm_steps(const struct storm *storm);

/* What a hang can be understood from. */
void report(const struct storm *storm);

/* Notes that a task has ended, and how. */
void note_ended(struct task *task, int status);

/* Reaps who has ended; says how many of these tasks have not. */
unsigned int count_running(struct storm *storm, unsigned int first, unsigned int count);

/* Kills who is left: all before the first is waited for, as one may hold up another. */
void kill_all(struct storm *storm);

/* Leaves the processor to those that are watched. */
void pause_briefly(void);

/* When those that are waited for got somewhere last. */
struct watch {
	unsigned long steps;
	unsigned long long since;
};

/* Whether it makes no sense to wait any longer for those who have come so far; says why. */
int is_stuck(struct storm *storm, struct watch *watch, unsigned long steps);

/*
 * Waits until it is so, as long as those move whose steps are given: 1. If it is not going to be: 0, and all
 * tasks are gone.
 */
#define UNTIL_OF(storm, steps, condition)                            \
({                                                                   \
	struct watch watch_ = { 0 };                                 \
	int true_ = !!(condition);                                   \
	while (!true_ && !is_stuck(storm, &watch_, steps)) {         \
		pause_briefly();                                              \
		true_ = !!(condition);                               \
	}                                                            \
	true_ && !counter_get(&(storm)->failed);                           \
})

/* As long as anybody moves. */
#define UNTIL(storm, condition) UNTIL_OF(storm, storm_steps(storm), condition)

/* Waits until these tasks have ended. */
int finished_all(struct storm *storm, unsigned int first, unsigned int count);

/* Tells so many readers, who are all that is left, to stop. `nonblocking` is a descriptor that does not wait. */
int stop_readers(struct storm *storm, int nonblocking, unsigned int count);

/* Takes in what a read has returned. Whether the reader is to go on. */
int check_received(struct task *self, struct reading *reading, struct message *message, long len);

/* What a reader does that just reads, until a message tells it to stop. */
void reader_task(struct task *self);

/*
 * What a writer does that just writes, until the storm is told to stop. Its numbers go on where those of the
 * one before in its place ended, whatever that one sent.
 */
void writer_task(struct task *self);

/* Whether each of these tasks gets so many calls further. */
int all_progress(struct storm *storm, unsigned int first, unsigned int count, unsigned long calls);

/* Lets a time by chance pass, with the processor for others now and then. */
void random_delay(unsigned long long *chance);

#endif
