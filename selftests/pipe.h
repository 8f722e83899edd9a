/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share: opening pipe 0, its statistics, and waiting until a
 * task really sleeps, which is what stands in for sleeping here.
 */
#ifndef SELFTESTS_PIPE_H
#define SELFTESTS_PIPE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../include/uapi/kmsgpipe.h"
#include "kselftest_harness.h"

#define NODE "/dev/kmsgpipe0"

/* Memory that no program has; volatile, so that the compiler does not see it coming. */
static void *volatile nowhere __attribute__((unused)) = (void *)8;

/* One attempt of a system call: its result, or minus its errno. */
#define TRY(call) ({ long ret_ = (call); ret_ < 0 ? -(long)errno : ret_; })

static inline struct kmsgpipe_stats stats_of(int fd)
{
	struct kmsgpipe_stats stats;

	if (ioctl(fd, KMSGPIPE_GET_STATS, &stats) < 0) {
		perror("KMSGPIPE_GET_STATS");
		abort();
	}
	return stats;
}

/* Opens pipe 0; gives up the whole test where that fails. */
static inline int open_pipe(int flags)
{
	int fd = open(NODE, flags | O_CLOEXEC);

	if (fd < 0) {
		perror(NODE);
		abort();
	}
	return fd;
}

/* The harness ends a test in which these never come true. */
static inline void await_readers(int fd, unsigned int sleeping)
{
	while (stats_of(fd).waiting_readers != sleeping)
		sched_yield();
}

static inline void await_writers(int fd, unsigned int sleeping)
{
	while (stats_of(fd).waiting_writers != sleeping)
		sched_yield();
}

static inline void await_depth(int fd, unsigned long long depth)
{
	while (stats_of(fd).depth_msgs != depth)
		sched_yield();
}

/* Until the thread sleeps in the kernel, wherever that is. */
static inline void await_asleep(pid_t tid)
{
	char path[64], text[512], *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (;;) {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(text, sizeof(text), file))
			abort();
		fclose(file);
		state = strrchr(text, ')');
		if (state && (state[2] == 'S' || state[2] == 'D'))
			return;
		sched_yield();
	}
}

/* One read or write in a thread of its own. */
struct call {
	pthread_t thread;
	int fd;
	int write;
	void *buffer;
	size_t len;
	pid_t tid;
	long result;
};

static inline void *call_thread(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	if (call->write)
		call->result = TRY(write(call->fd, call->buffer, call->len));
	else
		call->result = TRY(read(call->fd, call->buffer, call->len));
	return NULL;
}

static inline void start(struct call *call)
{
	call->result = -ECANCELED;
	call->tid = 0;
	if (pthread_create(&call->thread, NULL, call_thread, call))
		abort();
	while (!__atomic_load_n(&call->tid, __ATOMIC_ACQUIRE))
		sched_yield();
}

static inline long finish(struct call *call)
{
	if (pthread_join(call->thread, NULL))
		abort();
	return call->result;
}

static inline struct call reader(int fd, void *buffer, size_t len)
{
	return (struct call){ .fd = fd, .buffer = buffer, .len = len };
}

static inline struct call writer(int fd, void *buffer, size_t len)
{
	return (struct call){ .fd = fd, .write = 1, .buffer = buffer, .len = len };
}

/* Fills the pipe with messages of one byte, 0, 1, 2, ... */
static inline void fill(int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);
	unsigned char byte;

	for (byte = 0; stats.depth_msgs + byte < stats.max_msgs; byte++)
		if (write(fd, &byte, 1) != 1)
			abort();
}

/* Whether all that was accepted is accounted for. */
static inline int accounted(const struct kmsgpipe_stats *s)
{
	return s->enqueued_msgs == s->dequeued_msgs + s->expired_msgs + s->dropped_msgs + s->depth_msgs &&
	       s->enqueued_bytes == s->dequeued_bytes + s->expired_bytes + s->dropped_bytes + s->depth_bytes;
}

#endif
