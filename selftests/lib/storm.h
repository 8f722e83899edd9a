/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many tasks on one pipe, and a watchdog. If no task finishes a call for ten seconds, or one fails, the watchdog
 * reports what each task was doing and kills all of them.
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
	/* A parameter of the task's function. */
	int kind;
	/* The number of calls that it has finished. */
	unsigned long steps;
	/* The number of messages that this task, and earlier tasks in its place, have begun to send. */
	unsigned long numbers;
	int ended;
	/* For tests that measure: the number of calls, and the longest one in nanoseconds. */
	unsigned long counted;
	unsigned long long longest;
};

/* The state that all tasks share. */
struct storm {
	long id;
	int fd;
	unsigned long long seed;
	/* Tells tasks that look at it to end. */
	unsigned long stop;
	/* Counts failures. */
	unsigned long failed;
	unsigned int tasks;
	struct task task[MAX_TASKS];
	struct ledger ledger;
	/* Counters for the test's own use. */
	unsigned long counts[16];
};

/* Ends a task that got a result that must not occur. */
void __attribute__((noreturn)) give_up(struct task *self, const char *what, long result);

/* Starts a task, which is killed when this process ends. */
struct task *spawn(struct storm *storm, const char *name, void (*run)(struct task *), int kind);

/* The number that a task's messages carry as their writer. */
uint32_t task_index(const struct task *task);

unsigned long long task_seed(const struct task *task);

unsigned long storm_steps(const struct storm *storm);

/* Prints what explains a hang: the state of each task and of the pipe. */
void report(const struct storm *storm);

/* Notes how a task has ended. */
void note_ended(struct task *task, int status);

/* Reaps the tasks that have ended, and returns how many of these are still running. */
unsigned int count_running(struct storm *storm, unsigned int first, unsigned int count);

/* Kills all tasks that are left. All get the signal before the first is reaped, as one may block another. */
void kill_all(struct storm *storm);

/* Sleeps for a millisecond, to leave the processor to the tasks that are watched. */
void pause_briefly(void);

/* When the steps of the watched tasks changed last. */
struct watch {
	unsigned long steps;
	unsigned long long since;
};

/* Whether waiting is pointless: a task has failed, or the steps have not changed for ten seconds. Reports why. */
int is_stuck(struct storm *storm, struct watch *watch, unsigned long steps);

/*
 * Waits for the condition as long as `steps` changes. Returns 1 if the condition is true; 0 if the watchdog has
 * killed all tasks.
 */
#define UNTIL_OF(storm, steps, condition)                            \
({                                                                   \
	struct watch watch_ = { 0 };                                 \
	int true_ = !!(condition);                                   \
	while (!true_ && !is_stuck(storm, &watch_, steps)) {         \
		pause_briefly();                                     \
		true_ = !!(condition);                               \
	}                                                            \
	true_ && !counter_get(&(storm)->failed);                           \
})

/* Waits for the condition as long as any task makes progress. */
#define UNTIL(storm, condition) UNTIL_OF(storm, storm_steps(storm), condition)

/* Waits until these tasks have ended. */
int finished_all(struct storm *storm, unsigned int first, unsigned int count);

/* Tells the `count` readers that are left to stop. `nonblocking` is a descriptor with O_NONBLOCK. */
int stop_readers(struct storm *storm, int nonblocking, unsigned int count);

/* Checks the result of a read. Returns whether the reader is to continue. */
int check_received(struct task *self, struct reading *reading, struct message *message, long len);

/* A reader that reads until a message tells it to stop. */
void reader_task(struct task *self);

/*
 * A writer that writes until `stop` is set. Its message numbers continue those of the task that had its place before,
 * whether or not that task's last message was sent.
 */
void writer_task(struct task *self);

/* Whether each of these tasks finishes this many more calls. */
int all_progress(struct storm *storm, unsigned int first, unsigned int count, unsigned long calls);

/* Spins for a random time, and yields the processor now and then. */
void random_delay(unsigned long long *chance);

#endif
