/* SPDX-License-Identifier: GPL-2.0 */
/* Threads and children that call the pipe, and waiting until one of them sleeps. */
#ifndef SELFTESTS_LIB_TASKS_H
#define SELFTESTS_LIB_TASKS_H

#include "lib/harness.h"

/* The harness ends a test in which these never come true. */
void await_readers(int fd, unsigned int sleeping);

void await_writers(int fd, unsigned int sleeping);

void await_depth(int fd, unsigned long long depth);

/*
 * Until the thread sleeps in the kernel, wherever that is, and has left its processor: its state alone
 * says so a little too early.
 */
void await_asleep(pid_t tid);

/* Whether a thread has something to do, on a processor or waiting for one. */
int is_runnable(pid_t tid);

/* Holds this process, and the threads it starts from now on, to one processor. */
void share_one_processor(void);

/* Lets this thread alone run, on the one processor that all share, or no longer. */
void run_alone(int alone);

/* Starts a thread that stores who it is in `tid` first, and waits for that. */
void start_thread(pthread_t *thread, pid_t *tid, void *(*run)(void *), void *arg);

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

void start_call(struct call *call);

long finish_call(struct call *call);

struct call read_call(int fd, void *buffer, size_t len);

struct call write_call(int fd, void *buffer, size_t len);

/* So many writers that fall asleep one after the other. */
void start_writers(struct call *calls, unsigned int count, int fd, void *buffer, size_t len);

/* The exit status of a child, or -1 if it did not exit. */
int exit_of(pid_t child);

#endif
