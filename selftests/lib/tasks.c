// SPDX-License-Identifier: GPL-2.0
#include "lib/tasks.h"
#include "lib/pipe.h"

#include <sys/wait.h>

void await_readers(int fd, unsigned int sleeping)
{
	while (stats_of(fd).waiting_readers != sleeping)
		sched_yield();
}

void await_writers(int fd, unsigned int sleeping)
{
	while (stats_of(fd).waiting_writers != sleeping)
		sched_yield();
}

void await_depth(int fd, unsigned long long depth)
{
	while (stats_of(fd).depth_msgs != depth)
		sched_yield();
}

void await_asleep(pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	for (;;) {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(text, sizeof(text), file))
			abort();
		fclose(file);
		if (strcmp(text, "running\n"))
			return;
		sched_yield();
	}
}

int is_runnable(pid_t tid)
{
	char path[64], text[512], *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file || !fgets(text, sizeof(text), file))
		abort();
	fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'R';
}

void share_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		abort();
}

void run_alone(int alone)
{
	struct sched_param priority = { .sched_priority = alone ? 10 : 0 };

	if (sched_setscheduler(0, alone ? SCHED_FIFO : SCHED_OTHER, &priority))
		abort();
}

void start_thread(pthread_t *thread, pid_t *tid, void *(*run)(void *), void *arg)
{
	*tid = 0;
	if (pthread_create(thread, NULL, run, arg))
		abort();
	while (!__atomic_load_n(tid, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void *call_thread(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	if (call->write)
		call->result = TRY(write(call->fd, call->buffer, call->len));
	else
		call->result = TRY(read(call->fd, call->buffer, call->len));
	return NULL;
}

void start_call(struct call *call)
{
	call->result = -ECANCELED;
	start_thread(&call->thread, &call->tid, call_thread, call);
}

long finish_call(struct call *call)
{
	if (pthread_join(call->thread, NULL))
		abort();
	return call->result;
}

struct call read_call(int fd, void *buffer, size_t len)
{
	return (struct call){ .fd = fd, .buffer = buffer, .len = len };
}

struct call write_call(int fd, void *buffer, size_t len)
{
	return (struct call){ .fd = fd, .write = 1, .buffer = buffer, .len = len };
}

void start_writers(struct call *calls, unsigned int count, int fd, void *buffer, size_t len)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		calls[i] = write_call(fd, buffer, len);
		start_call(&calls[i]);
		await_writers(fd, i + 1);
	}
}

int exit_of(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
