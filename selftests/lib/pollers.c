// SPDX-License-Identifier: GPL-2.0
#include "lib/pollers.h"
#include "lib/tasks.h"

#include <sys/epoll.h>

int new_epoll(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		abort();
	return epoll;
}

static void *poll_thread(void *arg)
{
	struct poller *poller = arg;
	struct pollfd entry = { .fd = poller->fd, .events = poller->events };
	struct epoll_event event = { 0 };

	__atomic_store_n(&poller->tid, gettid(), __ATOMIC_RELEASE);
	if (poller->epoll)
		poller->result = epoll_wait(poller->epoll, &event, 1, -1) == 1 ? (int)event.events : -errno;
	else
		poller->result = poll(&entry, 1, -1) == 1 ? entry.revents : -errno;
	return NULL;
}

void start_poll(struct poller *poller)
{
	start_thread(&poller->thread, &poller->tid, poll_thread, poller);
	await_asleep(poller->tid);
}

int finish_poll(struct poller *poller)
{
	if (pthread_join(poller->thread, NULL))
		abort();
	return poller->result;
}

void expect_two_woken(struct __test_metadata *_metadata, int fd, uint32_t events, int times, int (*happen)(int fd))
{
	struct poller pollers[2];
	int i;

	share_one_processor();
	for (i = 0; i < 2; i++) {
		pollers[i] = (struct poller){ .epoll = new_epoll(fd, events | EPOLLEXCLUSIVE) };
		start_poll(&pollers[i]);
	}
	run_alone(1);
	for (i = 0; i < times; i++)
		EXPECT_EQ(1, happen(fd));
	run_alone(0);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(events, finish_poll(&pollers[i]));
		close(pollers[i].epoll);
	}
}
