/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that sleep in poll and epoll. */
#ifndef SELFTESTS_LIB_POLLERS_H
#define SELFTESTS_LIB_POLLERS_H

#include "lib/harness.h"

/* An epoll instance that watches one file for these events. */
int new_epoll(int fd, uint32_t events);

/* A thread that sleeps in poll for these events of a file, or in epoll_wait if `epoll` is an epoll instance. */
struct poller {
	pthread_t thread;
	int fd;
	short events;
	int epoll;
	pid_t tid;
	int result;
};

/* Starts the thread, and returns when it sleeps. */
void start_poll(struct poller *poller);

/* The events that the poller was woken for, or minus the errno. */
int finish_poll(struct poller *poller);

/*
 * Starts two pollers that wait exclusively for `events`, and expects both to be woken by `times` calls of `happen`
 * that are made before either of them can run.
 */
void expect_two_woken(struct __test_metadata *_metadata, int fd, uint32_t events, int times, int (*happen)(int fd));

#endif
