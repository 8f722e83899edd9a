/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many tasks on one pipe, and who watches them: when nobody has got anywhere for ten seconds, or one has
 * failed, all are stopped, and what they were doing is told.
 */
#ifndef SELFTESTS_STORM_H
#define SELFTESTS_STORM_H

#include "message.h"

#include <signal.h>
#include <sys/prctl.h>

#define PATIENCE_NS 10000000000ULL

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
static inline void __attribute__((noreturn)) give_up(struct task *self, const char *what, long result)
{
	char line[128];

	/* One call, so that lines of several tasks stay whole. */
	snprintf(line, sizeof(line), "# %s: %s: %ld (%s)\n", self->name, what, result,
		 result < 0 ? strerror(-result) : "");
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		abort();
	plus(&self->storm->failed, 1);
	_exit(1);
}

/* Starts a task, which dies with this process. */
static inline struct task *spawn(struct storm *storm, const char *name, void (*run)(struct task *), int kind)
{
	struct task *task = &storm->task[storm->tasks];
	pid_t parent = getpid(), child;

	if (storm->tasks == MAX_TASKS)
		abort();
	*task = (struct task){ .storm = storm, .kind = kind, .numbers = task->numbers };
	snprintf(task->name, sizeof(task->name), "%s %u", name, storm->tasks);
	storm->tasks++;
	fflush(stdout);
	child = fork();
	if (child < 0)
		abort();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		run(task);
		_exit(0);
	}
	task->pid = child;
	return task;
}

/* The number by which a task's messages are known, and chance of its own. */
static inline uint32_t index_of(const struct task *task)
{
	return task - task->storm->task;
}

static inline unsigned long long chance_of(const struct task *task)
{
	unsigned long long chance = task->storm->seed + (index_of(task) + 1) * 0x9e3779b97f4a7c15ULL;

	return chance ? chance : 1;
}

static inline unsigned long storm_steps(const struct storm *storm)
{
	unsigned long steps = 0;
	unsigned int i;

	for (i = 0; i < storm->tasks; i++)
		steps += value(&storm->task[i].steps);
	return steps;
}

/* Prints a file of a task in one line. */
static inline void report_file(const struct task *task, const char *file)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/%s", task->pid, file);
	if (slurp(path, text, sizeof(text)) < 0)
		return;
	text[strcspn(text, "\n")] = 0;
	printf("#   %s: %s\n", file, text);
}

static inline void report_pipe(const struct storm *storm)
{
	struct kmsgpipe_stats s = stats_of(storm->fd);
	char text[1024], *place;

	printf("# depth %llu of %u, enqueued %llu, dequeued %llu, expired %llu, dropped %llu, refused %llu\n",
	       s.depth_msgs, s.max_msgs, s.enqueued_msgs, s.dequeued_msgs, s.expired_msgs, s.dropped_msgs,
	       s.refused_full);
	printf("# files: %u readers, %u writers; asleep: %u readers, %u writers; sent %lu, received %lu\n",
	       s.readers, s.writers, s.waiting_readers, s.waiting_writers, all_sent(&storm->ledger),
	       all_received(&storm->ledger));
	fflush(stdout);
	if (!debug_line(storm->id, text, sizeof(text)))
		return;
	while ((place = strchr(text, '\n')))
		*place = ' ';
	printf("# debugfs: %s\n", text);
}

/* What a hang can be understood from. */
static inline void report(const struct storm *storm)
{
	unsigned long long since = now_ns();
	unsigned int i;
	pid_t child;

	for (i = 0; i < storm->tasks; i++) {
		printf("# %s, task %d: %lu steps%s\n", storm->task[i].name, storm->task[i].pid,
		       storm->task[i].steps, storm->task[i].ended ? ", has ended" : "");
		if (!storm->task[i].ended) {
			report_file(&storm->task[i], "stat");
			report_file(&storm->task[i], "syscall");
			report_file(&storm->task[i], "wchan");
		}
	}
	fflush(stdout);
	/* Whoever asks a pipe whose lock is never released does not come back. */
	child = fork();
	if (!child) {
		report_pipe(storm);
		fflush(stdout);
		_exit(0);
	}
	while (child > 0 && !waitpid(child, NULL, WNOHANG)) {
		if (now_ns() - since > PATIENCE_NS) {
			printf("# the pipe does not answer\n");
			kill(child, SIGKILL);
			break;
		}
		sched_yield();
	}
	fflush(stdout);
}

/* Notes that a task has ended, and how. */
static inline void ended(struct task *task, int status)
{
	task->ended = 1;
	if (status) {
		printf("# %s ended with status %#x\n", task->name, status);
		plus(&task->storm->failed, 1);
	}
}

/* Reaps who has ended; says how many of these tasks have not. */
static inline unsigned int running(struct storm *storm, unsigned int first, unsigned int count)
{
	unsigned int i, left = 0;
	int status;

	for (i = 0; i < storm->tasks; i++) {
		struct task *task = &storm->task[i];

		if (!task->ended && waitpid(task->pid, &status, WNOHANG) == task->pid)
			ended(task, status);
		left += i >= first && i < first + count && !task->ended;
	}
	return left;
}

/* Kills who is left: all before the first is waited for, as one may hold up another. */
static inline void kill_all(struct storm *storm)
{
	unsigned int i;

	for (i = 0; i < storm->tasks; i++)
		if (!storm->task[i].ended)
			kill(storm->task[i].pid, SIGKILL);
	for (i = 0; i < storm->tasks; i++)
		if (!storm->task[i].ended) {
			waitpid(storm->task[i].pid, NULL, 0);
			storm->task[i].ended = 1;
		}
}

/* Leaves the processor to those that are watched. */
static inline void rest(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	nanosleep(&pause, NULL);
}

/* When those that are waited for got somewhere last. */
struct watch {
	unsigned long steps;
	unsigned long long since;
};

/* Whether it makes no sense to wait any longer for those who have come so far; says why. */
static inline int hopeless(struct storm *storm, struct watch *watch, unsigned long steps)
{
	running(storm, 0, storm->tasks);
	if (!watch->since || steps != watch->steps) {
		watch->steps = steps;
		watch->since = now_ns();
	}
	/* Torn messages may come without end. */
	if (!sound(&storm->ledger))
		plus(&storm->failed, 1);
	if (!value(&storm->failed) && now_ns() - watch->since < PATIENCE_NS)
		return 0;
	printf("# %s\n", value(&storm->failed) ? "a task has failed" : "nothing has moved for 10 s");
	report(storm);
	plus(&storm->failed, 1);
	kill_all(storm);
	return 1;
}

/*
 * Waits until it is so, as long as those move whose steps are given: 1. If it is not going to be: 0, and all
 * tasks are gone.
 */
#define UNTIL_OF(storm, steps, condition)                            \
({                                                                   \
	struct watch watch_ = { 0 };                                 \
	int true_ = !!(condition);                                   \
	while (!true_ && !hopeless(storm, &watch_, steps)) {         \
		rest();                                              \
		true_ = !!(condition);                               \
	}                                                            \
	true_ && !value(&(storm)->failed);                           \
})

/* As long as anybody moves. */
#define UNTIL(storm, condition) UNTIL_OF(storm, storm_steps(storm), condition)

/* Waits until these tasks have ended. */
static inline int finished_all(struct storm *storm, unsigned int first, unsigned int count)
{
	return UNTIL(storm, !running(storm, first, count));
}

/* Tells so many readers, who are all that is left, to stop. `nonblocking` is a descriptor that does not wait. */
static inline int stop_readers(struct storm *storm, int nonblocking, unsigned int count)
{
	struct message message;
	unsigned long long chance = 1;

	make_message(&message, 0, STOP, SHORTEST, &chance);
	while (count--)
		if (!UNTIL(storm, write(nonblocking, &message, SHORTEST) == (ssize_t)SHORTEST))
			return 0;
	return finished_all(storm, 0, storm->tasks);
}

/* Takes in what a read has returned. Whether the reader is to go on. */
static inline int take_in(struct task *self, struct reading *reading, struct message *message, long len)
{
	if (len <= 0)
		give_up(self, "read", len);
	if (!note_received(&self->storm->ledger, reading, message, len))
		return 0;
	plus(&self->steps, 1);
	return 1;
}

/* What a reader does that just reads, until a message tells it to stop. */
static inline void read_on(struct task *self)
{
	struct message *message = new_message(64);
	int fd = open_id(self->storm->id, O_RDONLY);
	struct reading reading = { 0 };
	long len;

	do {
		len = TRY(read(fd, message, 64));
		if (len <= 0)
			give_up(self, "read", len);
		plus(&self->steps, 1);
	} while (note_received(&self->storm->ledger, &reading, message, len));
}

/*
 * What a writer does that just writes, until the storm is told to stop. Its numbers go on where those of the
 * one before in its place ended, whatever that one sent.
 */
static inline void write_on(struct task *self)
{
	struct message *message = new_message(64);
	unsigned long long chance = chance_of(self);
	int fd = open_id(self->storm->id, O_WRONLY);
	uint32_t number;
	size_t len;
	long ret;

	while (!value(&self->storm->stop)) {
		len = SHORTEST + pick(&chance, 64 - SHORTEST + 1);
		number = plus(&self->numbers, 1);
		make_message(message, index_of(self), number, len, &chance);
		ret = TRY(write(fd, message, len));
		if (ret != (long)len)
			give_up(self, "write", ret);
		note_sent(&self->storm->ledger, index_of(self), number);
		plus(&self->steps, 1);
	}
}

/* Whether each of these tasks gets so many calls further. */
static inline int go_on(struct storm *storm, unsigned int first, unsigned int count, unsigned long calls)
{
	unsigned long steps[MAX_TASKS];
	unsigned int i;

	for (i = first; i < first + count; i++)
		steps[i] = value(&storm->task[i].steps) + calls;
	for (i = first; i < first + count; i++)
		if (!UNTIL_OF(storm, value(&storm->task[i].steps), value(&storm->task[i].steps) >= steps[i]))
			return 0;
	return 1;
}

/* Lets a time by chance pass, with the processor for others now and then. */
static inline void some_time(unsigned long long *chance)
{
	volatile unsigned int turns = pick(chance, 1 << pick(chance, 16));

	while (turns)
		if (!(--turns & 1023))
			sched_yield();
}

#endif
