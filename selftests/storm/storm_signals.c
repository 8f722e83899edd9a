// SPDX-License-Identifier: GPL-2.0
/*
 * Timers that expire at random short intervals while tasks sleep in read, write, poll and epoll_wait: which calls end
 * with EINTR, depending on SA_RESTART, and that no message is lost or duplicated.
 */
#include "lib/harness.h"
#include "lib/message.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

/* RESTART and POLL have a handler with SA_RESTART; poll is never restarted even so. */
enum { PLAIN, RESTART, POLL, EPOLL, KINDS };

static const char *const names[KINDS] = { "handler", "restart", "poll", "epoll" };

/* Counters of each reader and writer: interrupted calls, followed by signals. */
#define INTERRUPTED(writing, kind) ((writing) * KINDS + (kind))
#define TARGET 8
#define SIGNALS 9
#define EVERY_KIND 10

static volatile sig_atomic_t arrived;
static unsigned long *all_signals;
static unsigned long long when;

/* In microseconds; the longest interval is longer than any call. */
static void set_timer(void)
{
	struct itimerval timer = { .it_value.tv_usec = 200 + pick(&when, 64 << pick(&when, 8)) };

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_alarm(int signal)
{
	arrived++;
	counter_add(all_signals, 1);
	set_timer();
}

static void be_interrupted(struct task *self)
{
	struct sigaction action = {
		.sa_handler = on_alarm, .sa_flags = self->kind == PLAIN || self->kind == EPOLL ? 0 : SA_RESTART,
	};

	all_signals = &self->storm->counts[SIGNALS];
	when = task_seed(self) ^ 0x5555;
	if (sigaction(SIGALRM, &action, NULL))
		abort();
	set_timer();
}

static int is_polled(const struct task *self)
{
	return self->kind >= POLL;
}

/* Waits as its kind does; returns whether a signal interrupted that. */
static int interrupted_waiting(struct task *self, int fd, int epoll, int writing)
{
	struct pollfd entry = { .fd = fd, .events = writing ? POLLOUT : POLLIN };
	sig_atomic_t before = arrived;
	struct epoll_event event;
	long ret;

	if (!is_polled(self))
		return 0;
	ret = TRY(self->kind == POLL ? poll(&entry, 1, -1) : epoll_wait(epoll, &event, 1, -1));
	if (ret == 1)
		return 0;
	/* poll and epoll_wait are never restarted, and fail with no other error. */
	if (ret != -EINTR || arrived == before)
		give_up(self, "waiting", ret);
	counter_add(&self->storm->counts[INTERRUPTED(writing, self->kind)], 1);
	return 1;
}

static int open_it(struct task *self, int writing, int *epoll)
{
	struct epoll_event event = { .events = writing ? EPOLLOUT : EPOLLIN };
	int fd = open_id(self->storm->id, (writing ? O_WRONLY : O_RDONLY) | (is_polled(self) ? O_NONBLOCK : 0));

	*epoll = epoll_create1(EPOLL_CLOEXEC);
	if (*epoll < 0 || epoll_ctl(*epoll, EPOLL_CTL_ADD, fd, &event))
		abort();
	return fd;
}

/* Whether the call may have failed with this error and must be retried. */
static int may_fail(struct task *self, long ret, sig_atomic_t before, int writing)
{
	if (is_polled(self))
		return ret == -EAGAIN;
	/* With SA_RESTART the call never fails with EINTR; without it only if a handler has run. */
	if (ret != -EINTR || self->kind == RESTART || arrived == before)
		return 0;
	counter_add(&self->storm->counts[INTERRUPTED(writing, PLAIN)], 1);
	return 1;
}

static void reading(struct task *self)
{
	struct message *message = new_message(64);
	struct reading reading = { 0 };
	int epoll, fd = open_it(self, 0, &epoll);
	sig_atomic_t before;
	long len;

	be_interrupted(self);
	for (;;) {
		if (interrupted_waiting(self, fd, epoll, 0))
			continue;
		before = arrived;
		len = TRY(read(fd, message, 64));
		if (len < 0 && may_fail(self, len, before, 0))
			continue;
		if (!check_received(self, &reading, message, len))
			return;
	}
}

/* Whether there were enough signals, and enough interrupted calls of each kind. */
static int enough(const struct storm *storm)
{
	const unsigned long *counts = storm->counts;
	int i;

	if (counter_get(&counts[SIGNALS]) < counts[TARGET])
		return 0;
	for (i = 0; counts[EVERY_KIND] && i < KINDS; i++)
		if (i != RESTART && !(counter_get(&counts[INTERRUPTED(0, i)]) && counter_get(&counts[INTERRUPTED(1, i)])))
			return 0;
	return 1;
}

static void writing(struct task *self)
{
	struct message *message = new_message(64);
	unsigned long long chance = task_seed(self);
	int epoll, fd = open_it(self, 1, &epoll);
	sig_atomic_t before;
	uint32_t number = 0;
	long ret;

	be_interrupted(self);
	make_message(message, task_index(self), number, SHORTEST + pick(&chance, 41), &chance);
	while (!enough(self->storm)) {
		if (interrupted_waiting(self, fd, epoll, 1))
			continue;
		before = arrived;
		ret = TRY(write(fd, message, message->len));
		if (ret < 0 && may_fail(self, ret, before, 1))
			continue;
		if (ret != (long)message->len)
			give_up(self, "write", ret);
		note_sent(&self->storm->ledger, task_index(self), number++);
		counter_add(&self->steps, 1);
		make_message(message, task_index(self), number, SHORTEST + pick(&chance, 41), &chance);
	}
}

/* Prints how often calls of each kind were interrupted. */
static void tell(const struct storm *storm, const char *what)
{
	int i;

	printf("# storm_signals: %lu signals, %lu messages, %s; interrupted:", storm->counts[SIGNALS],
	       all_received(&storm->ledger), what);
	for (i = 0; i < KINDS; i++)
		printf(" %s %lu+%lu", names[i], storm->counts[INTERRUPTED(0, i)], storm->counts[INTERRUPTED(1, i)]);
	printf(" (readers and writers)\n");
}

TEST_F_TIMEOUT(storm, eintr_only_without_sa_restart, 600)
{
	struct storm *storm = self->storm;
	int i;

	ASSERT_EQ(0, set_limits(self->fd, 64, 1));
	storm->counts[TARGET] = scaled(5000);
	storm->counts[EVERY_KIND] = 1;
	for (i = 0; i < KINDS; i++)
		spawn(storm, names[i], reading, i);
	for (i = 0; i < KINDS; i++)
		spawn(storm, names[i], writing, i);
	ASSERT_TRUE(finished_all(storm, KINDS, KINDS));
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, KINDS));
	tell(storm, "all beside each other");
	EXPECT_TRUE(balanced(&storm->ledger));
	EXPECT_LE(storm->counts[TARGET], storm->counts[SIGNALS]);
}

/* One task on each side: a wakeup that a signal makes one of them lose goes to no other task. */
TEST_F_TIMEOUT(storm, restarted_calls_lose_no_message, 600)
{
	struct storm *storm = self->storm;

	ASSERT_EQ(0, set_limits(self->fd, 64, 1));
	storm->counts[TARGET] = scaled(2000);
	spawn(storm, "restart", reading, RESTART);
	spawn(storm, "restart", writing, RESTART);
	ASSERT_TRUE(finished_all(storm, 1, 1));
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, 1));
	tell(storm, "one of each side");
	EXPECT_TRUE(balanced(&storm->ledger));
}

TEST_HARNESS_MAIN
