/* SPDX-License-Identifier: GPL-2.0 */
/* Threads and child processes that call the pipe, and waiting until one of them sleeps. */
#ifndef SELFTESTS_LIB_TASKS_H
#define SELFTESTS_LIB_TASKS_H

#include "lib/harness.h"

/* These poll the statistics. The time limit of the harness ends a test in which the condition never becomes true. */
void await_readers(int fd, unsigned int sleeping);

void await_writers(int fd, unsigned int sleeping);

void await_depth(int fd, unsigned long long depth);

/*
 * Waits until the thread sleeps in the kernel and has left its processor. The state in /proc/PID/stat alone changes a
 * little too early.
 */
void await_asleep(pid_t tid);

/* Whether the thread is runnable: on a processor or waiting for one. */
int is_runnable(pid_t tid);

/* Binds this process, and the threads that it starts from now on, to one processor. */
void share_one_processor(void);

/* Gives this thread a realtime priority on the shared processor, so that no other thread runs, or takes it back. */
void run_alone(int alone);

/* Starts a thread and waits until it has stored its thread id in `tid`. */
void start_thread(pthread_t *thread, pid_t *tid, void *(*run)(void *), void *arg);

/* One read or write in a separate thread. */
struct call {
	pthread_t thread;
	int fd;
	int write;
	void *buffer;
	size_t len;
	pid_t tid;
	long result;
};

void start_call(struct call *call);

long finish_call(struct call *call);

struct call read_call(int fd, void *buffer, size_t len);

struct call write_call(int fd, void *buffer, size_t len);

/* Starts `count` writers that fall asleep one after the other. */
void start_writers(struct call *calls, unsigned int count, int fd, void *buffer, size_t len);

/* The exit status of a child, or -1 if a signal ended it. */
int exit_of(pid_t child);

#endif
