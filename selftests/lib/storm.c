// SPDX-License-Identifier: GPL-2.0
#include "lib/storm.h"
#include "lib/clock.h"
#include "lib/files.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/views.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PATIENCE_NS 10000000000ULL

void __attribute__((noreturn)) give_up(struct task *self, const char *what, long result)
{
	char line[128];

	/* One write, so that lines of several tasks do not mix. */
	snprintf(line, sizeof(line), "# %s: %s: %ld (%s)\n", self->name, what, result,
		 result < 0 ? strerror(-result) : "");
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		abort();
	counter_add(&self->storm->failed, 1);
	_exit(1);
}

struct task *spawn(struct storm *storm, const char *name, void (*run)(struct task *), int kind)
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

uint32_t task_index(const struct task *task)
{
	return task - task->storm->task;
}

unsigned long long task_seed(const struct task *task)
{
	unsigned long long chance = task->storm->seed + (task_index(task) + 1) * 0x9e3779b97f4a7c15ULL;

	return chance ? chance : 1;
}

unsigned long storm_steps(const struct storm *storm)
{
	unsigned long steps = 0;
	unsigned int i;

	for (i = 0; i < storm->tasks; i++)
		steps += counter_get(&storm->task[i].steps);
	return steps;
}

/* Prints the first line of a file in /proc/PID. */
static void report_file(const struct task *task, const char *file)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/%s", task->pid, file);
	if (slurp(path, text, sizeof(text)) < 0)
		return;
	text[strcspn(text, "\n")] = 0;
	printf("#   %s: %s\n", file, text);
}

static void report_pipe(const struct storm *storm)
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

void report(const struct storm *storm)
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
	/* A child asks the pipe: it would hang if the pipe's lock is never released. */
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

void note_ended(struct task *task, int status)
{
	task->ended = 1;
	if (status) {
		printf("# %s ended with status %#x\n", task->name, status);
		counter_add(&task->storm->failed, 1);
	}
}

unsigned int count_running(struct storm *storm, unsigned int first, unsigned int count)
{
	unsigned int i, left = 0;
	int status;

	for (i = 0; i < storm->tasks; i++) {
		struct task *task = &storm->task[i];

		if (!task->ended && waitpid(task->pid, &status, WNOHANG) == task->pid)
			note_ended(task, status);
		left += i >= first && i < first + count && !task->ended;
	}
	return left;
}

void kill_all(struct storm *storm)
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

void pause_briefly(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	nanosleep(&pause, NULL);
}

int is_stuck(struct storm *storm, struct watch *watch, unsigned long steps)
{
	count_running(storm, 0, storm->tasks);
	if (!watch->since || steps != watch->steps) {
		watch->steps = steps;
		watch->since = now_ns();
	}
	/* A reader that gets torn messages may never end. */
	if (!sound(&storm->ledger))
		counter_add(&storm->failed, 1);
	if (!counter_get(&storm->failed) && now_ns() - watch->since < PATIENCE_NS)
		return 0;
	printf("# %s\n", counter_get(&storm->failed) ? "a task has failed" : "nothing has moved for 10 s");
	report(storm);
	counter_add(&storm->failed, 1);
	kill_all(storm);
	return 1;
}

int finished_all(struct storm *storm, unsigned int first, unsigned int count)
{
	return UNTIL(storm, !count_running(storm, first, count));
}

int stop_readers(struct storm *storm, int nonblocking, unsigned int count)
{
	struct message message;
	unsigned long long chance = 1;

	make_message(&message, 0, STOP, SHORTEST, &chance);
	while (count--)
		if (!UNTIL(storm, write(nonblocking, &message, SHORTEST) == (ssize_t)SHORTEST))
			return 0;
	return finished_all(storm, 0, storm->tasks);
}

int check_received(struct task *self, struct reading *reading, struct message *message, long len)
{
	if (len <= 0)
		give_up(self, "read", len);
	if (!note_received(&self->storm->ledger, reading, message, len))
		return 0;
	counter_add(&self->steps, 1);
	return 1;
}

void reader_task(struct task *self)
{
	struct message *message = new_message(64);
	int fd = open_id(self->storm->id, O_RDONLY);
	struct reading reading = { 0 };
	long len;

	do {
		len = TRY(read(fd, message, 64));
		if (len <= 0)
			give_up(self, "read", len);
		counter_add(&self->steps, 1);
	} while (note_received(&self->storm->ledger, &reading, message, len));
}

void writer_task(struct task *self)
{
	struct message *message = new_message(64);
	unsigned long long chance = task_seed(self);
	int fd = open_id(self->storm->id, O_WRONLY);
	uint32_t number;
	size_t len;
	long ret;

	while (!counter_get(&self->storm->stop)) {
		len = SHORTEST + pick(&chance, 64 - SHORTEST + 1);
		number = counter_add(&self->numbers, 1);
		make_message(message, task_index(self), number, len, &chance);
		ret = TRY(write(fd, message, len));
		if (ret != (long)len)
			give_up(self, "write", ret);
		note_sent(&self->storm->ledger, task_index(self), number);
		counter_add(&self->steps, 1);
	}
}

int all_progress(struct storm *storm, unsigned int first, unsigned int count, unsigned long calls)
{
	unsigned long steps[MAX_TASKS];
	unsigned int i;

	for (i = first; i < first + count; i++)
		steps[i] = counter_get(&storm->task[i].steps) + calls;
	for (i = first; i < first + count; i++)
		if (!UNTIL_OF(storm, counter_get(&storm->task[i].steps), counter_get(&storm->task[i].steps) >= steps[i]))
			return 0;
	return 1;
}

void random_delay(unsigned long long *chance)
{
	volatile unsigned int turns = pick(chance, 1 << pick(chance, 16));

	while (turns)
		if (!(--turns & 1023))
			sched_yield();
}
