// SPDX-License-Identifier: GPL-2.0
/*
 * Many messages through each way of waiting: poll, select and epoll (level-triggered, edge-triggered, one-shot,
 * exclusive), alone, and together with tasks that sleep in read and write. With room for one message almost all tasks
 * sleep most of the time: one lost wakeup ends all progress.
 */
#include "lib/harness.h"
#include "lib/message.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

enum { SLEEP, POLL, SELECT, LEVEL, EDGE, ONESHOT, EXCLUSIVE, KINDS };

static const char *const names[KINDS] = {
	"sleep", "poll", "select", "level", "edge", "one-shot", "exclusive",
};

/* How a task waits. */
struct gate {
	int kind;
	int fd;
	int writing;
	int epoll;
	struct epoll_event event;
};

static void open_gate(struct gate *gate, struct task *self, int writing)
{
	static const unsigned int flags[KINDS] = {
		[EDGE] = EPOLLET, [ONESHOT] = EPOLLONESHOT, [EXCLUSIVE] = EPOLLEXCLUSIVE,
	};

	gate->kind = self->kind;
	gate->writing = writing;
	gate->fd = open_id(self->storm->id, (writing ? O_WRONLY : O_RDONLY) | (gate->kind ? O_NONBLOCK : 0));
	gate->event.events = (writing ? EPOLLOUT : EPOLLIN) | flags[gate->kind];
	if (gate->kind < LEVEL)
		return;
	gate->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (gate->epoll < 0 || epoll_ctl(gate->epoll, EPOLL_CTL_ADD, gate->fd, &gate->event))
		give_up(self, "epoll_ctl", -errno);
}

/* Sleeps until the pipe reports that a call is worth trying. */
static void wait_at(struct gate *gate, struct task *self)
{
	struct pollfd entry = { .fd = gate->fd, .events = gate->writing ? POLLOUT : POLLIN };
	unsigned int awaited = gate->writing ? EPOLLOUT : EPOLLIN, events = 0;
	struct epoll_event event = { 0 };
	long ret = 1;
	fd_set set;

	switch (gate->kind) {
	case SLEEP:
		return;
	case POLL:
		ret = TRY(poll(&entry, 1, -1));
		events = entry.revents & POLLOUT ? EPOLLOUT : entry.revents & POLLIN ? EPOLLIN : 0;
		break;
	case SELECT:
		FD_ZERO(&set);
		FD_SET(gate->fd, &set);
		ret = TRY(select(gate->fd + 1, gate->writing ? NULL : &set, gate->writing ? &set : NULL, NULL, NULL));
		events = FD_ISSET(gate->fd, &set) ? awaited : 0;
		break;
	default:
		ret = TRY(epoll_wait(gate->epoll, &event, 1, -1));
		events = event.events;
		break;
	}
	if (ret != 1 || events != awaited)
		give_up(self, "what it waited for", ret == 1 ? (long)events : ret);
	if (gate->kind == ONESHOT && epoll_ctl(gate->epoll, EPOLL_CTL_MOD, gate->fd, &gate->event))
		give_up(self, "epoll_ctl", -errno);
}

/*
 * An edge-triggered task calls until EAGAIN and only then waits; a one-shot task arms its entry before it calls. All
 * others wait before each call. A task that finds no message or slot any more waits again.
 */
static void read_all(struct task *self)
{
	struct reading reading = { 0 };
	struct message *message = new_message(64);
	struct gate gate = { 0 };
	long len;

	open_gate(&gate, self, 0);
	for (;;) {
		if (gate.kind != EDGE)
			wait_at(&gate, self);
		len = TRY(read(gate.fd, message, 64));
		if (len == -EAGAIN && gate.kind) {
			counter_add(&self->storm->counts[0], 1);
			if (gate.kind == EDGE)
				wait_at(&gate, self);
			continue;
		}
		if (!check_received(self, &reading, message, len))
			return;
	}
}

static void write_all(struct task *self)
{
	unsigned long messages = self->storm->counts[1];
	struct message *message = new_message(64);
	unsigned long long chance = task_seed(self);
	struct gate gate = { 0 };
	unsigned long i = 0;
	long ret;

	open_gate(&gate, self, 1);
	make_message(message, task_index(self), i, SHORTEST + pick(&chance, 41), &chance);
	while (i < messages) {
		if (gate.kind != EDGE)
			wait_at(&gate, self);
		ret = TRY(write(gate.fd, message, message->len));
		if (ret == -EAGAIN && gate.kind) {
			counter_add(&self->storm->counts[0], 1);
			if (gate.kind == EDGE)
				wait_at(&gate, self);
			continue;
		}
		if (ret != (long)message->len)
			give_up(self, "write", ret);
		note_sent(&self->storm->ledger, task_index(self), i++);
		counter_add(&self->steps, 1);
		make_message(message, task_index(self), i, SHORTEST + pick(&chance, 41), &chance);
	}
}

/* Sends about `messages` messages from these writers to these readers, and returns whether all arrived. */
static int carries(struct storm *storm, int nonblocking, const char *name, const int *kinds, unsigned int tasks,
		   unsigned long messages)
{
	unsigned int i;

	storm->counts[1] = messages / tasks + 1;
	for (i = 0; i < tasks; i++)
		spawn(storm, names[kinds[i]], read_all, kinds[i]);
	for (i = 0; i < tasks; i++)
		spawn(storm, names[kinds[i]], write_all, kinds[i]);
	if (!finished_all(storm, tasks, tasks) || !stop_readers(storm, nonblocking, tasks))
		return 0;
	printf("# storm_poll: %lu messages by %s, with %lu calls that were EAGAIN\n", all_received(&storm->ledger), name,
	       storm->counts[0]);
	return balanced(&storm->ledger) && all_received(&storm->ledger) == storm->counts[1] * tasks;
}

static int carries_alike(struct storm *storm, int nonblocking, int kind)
{
	const int kinds[] = { kind, kind, kind };

	return !set_limits(storm->fd, 64, 1) &&
	       carries(storm, nonblocking, names[kind], kinds, 3, scaled(10000));
}

TEST_F_TIMEOUT(storm, poll_misses_no_event, 600)
{
	EXPECT_TRUE(carries_alike(self->storm, self->nonblocking, POLL));
}

TEST_F_TIMEOUT(storm, select_misses_no_event, 600)
{
	EXPECT_TRUE(carries_alike(self->storm, self->nonblocking, SELECT));
}

TEST_F_TIMEOUT(storm, level_triggered_epoll_misses_no_event, 600)
{
	EXPECT_TRUE(carries_alike(self->storm, self->nonblocking, LEVEL));
}

TEST_F_TIMEOUT(storm, edge_triggered_epoll_misses_no_event, 600)
{
	EXPECT_TRUE(carries_alike(self->storm, self->nonblocking, EDGE));
}

TEST_F_TIMEOUT(storm, one_shot_epoll_misses_no_event, 600)
{
	EXPECT_TRUE(carries_alike(self->storm, self->nonblocking, ONESHOT));
}

TEST_F_TIMEOUT(storm, exclusive_epoll_misses_no_event, 600)
{
	EXPECT_TRUE(carries_alike(self->storm, self->nonblocking, EXCLUSIVE));
}

TEST_F_TIMEOUT(storm, all_kinds_together_miss_no_event_with_one_slot, 600)
{
	static const int kinds[KINDS] = { SLEEP, POLL, SELECT, LEVEL, EDGE, ONESHOT, EXCLUSIVE };

	ASSERT_EQ(0, set_limits(self->fd, 64, 1));
	EXPECT_TRUE(carries(self->storm, self->nonblocking, "all ways, room for one", kinds, KINDS, scaled(10000)));
}

TEST_F_TIMEOUT(storm, all_kinds_together_miss_no_event_with_five_slots, 600)
{
	static const int kinds[KINDS] = { SLEEP, POLL, SELECT, LEVEL, EDGE, ONESHOT, EXCLUSIVE };

	ASSERT_EQ(0, set_limits(self->fd, 64, 5));
	EXPECT_TRUE(carries(self->storm, self->nonblocking, "all ways, room for five", kinds, KINDS, scaled(10000)));
}

TEST_HARNESS_MAIN
