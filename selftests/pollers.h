/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that sleep in poll and epoll. */
#ifndef SELFTESTS_POLLERS_H
#define SELFTESTS_POLLERS_H

#include "pipe.h"

#include <sys/epoll.h>

static inline int new_epoll(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		abort();
	return epoll;
}

/* A thread that waits for one of these events of a file, or in an epoll instance. */
struct waiter {
	pthread_t thread;
	int fd;
	short events;
	int epoll;
	pid_t tid;
	int result;
};

static inline void *wait_in_poll(void *arg)
{
	struct waiter *waiter = arg;
	struct pollfd entry = { .fd = waiter->fd, .events = waiter->events };
	struct epoll_event event = { 0 };
	int result;

	__atomic_store_n(&waiter->tid, gettid(), __ATOMIC_RELEASE);
	if (waiter->epoll)
		result = epoll_wait(waiter->epoll, &event, 1, -1) == 1 ? (int)event.events : -errno;
	else
		result = poll(&entry, 1, -1) == 1 ? entry.revents : -errno;
	__atomic_store_n(&waiter->result, result, __ATOMIC_RELEASE);
	return NULL;
}

static inline void start_waiting(struct waiter *waiter)
{
	waiter->result = 0;
	start_thread(&waiter->thread, &waiter->tid, wait_in_poll, waiter);
	await_asleep(waiter->tid);
}

/* Two are woken by what happens so often before either of them can react. */
static inline void expect_two_woken(struct __test_metadata *_metadata, int fd, uint32_t events, int times,
				    int (*happen)(int fd))
{
	struct waiter waiters[2];
	int i;

	share_one_processor();
	for (i = 0; i < 2; i++) {
		waiters[i] = (struct waiter){ .epoll = new_epoll(fd, events | EPOLLEXCLUSIVE) };
		start_waiting(&waiters[i]);
	}
	run_alone(1);
	for (i = 0; i < times; i++)
		EXPECT_EQ(1, happen(fd));
	run_alone(0);
	for (i = 0; i < 2; i++) {
		pthread_join(waiters[i].thread, NULL);
		EXPECT_EQ(events, waiters[i].result);
		close(waiters[i].epoll);
	}
}

#endif
