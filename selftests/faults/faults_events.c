// SPDX-License-Identifier: GPL-2.0
/* Injected faults while a task waits for a pipe: in read and write, in poll, select and epoll, and with signals. */
#include "lib/fault_fixture.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

/* ---- Sleeping calls ---- */

static int is_over(struct stage *stage)
{
	return __atomic_load_n(&stage->over, __ATOMIC_ACQUIRE);
}

/* Opens a blocking descriptor for the call; that of the stage is nonblocking. */
static void open_waiting(struct stage *stage)
{
	stage->made = open_id(stage->id, O_RDWR);
}

static void nothing_to_read(struct stage *stage)
{
	empty_stage(stage);
	open_waiting(stage);
	message_of(stage, 7);
	stage->lens[0] = 7;
}

static void no_room(struct stage *stage)
{
	empty_stage(stage);
	open_waiting(stage);
	while (stage->queued < MAX_MSGS)
		queue_message(stage, 5 + stage->queued);
	message_of(stage, MSG_SIZE);
	stage->lens[MAX_MSGS] = MSG_SIZE;
}

/* Sends a message as soon as the call sleeps; ends without it if the call does not sleep. */
static void *send_to_sleeper(void *arg)
{
	struct stage *stage = arg;

	while (!is_over(stage)) {
		if (stats_of(stage->fd).waiting_readers) {
			if (write(stage->fd, stage->out, stage->len) != (long)stage->len)
				abort();
			break;
		}
		sched_yield();
	}
	return NULL;
}

/* Frees a slot as soon as the call sleeps. */
static void *make_room_for_sleeper(void *arg)
{
	struct stage *stage = arg;
	char text[16];

	while (!is_over(stage)) {
		if (stats_of(stage->fd).waiting_writers) {
			if (read(stage->fd, text, sizeof(text)) != (long)stage->lens[0])
				abort();
			break;
		}
		sched_yield();
	}
	return NULL;
}

static long read_asleep(struct stage *stage)
{
	return transferred(TRY(read(stage->made, stage->in, sizeof(stage->in))), 7);
}

static int got_it(struct stage *stage)
{
	return is_content(stage->in, 0, 7) && holds_messages(stage, 0, 0);
}

static long write_asleep(struct stage *stage)
{
	return transferred(TRY(write(stage->made, stage->out, stage->len)), stage->len);
}

static int wrote_behind_others(struct stage *stage)
{
	return holds_messages(stage, 1, MAX_MSGS + 1);
}

FIXTURE_VARIANT_ADD(call, read_that_sleeps) {
	.prepare = nothing_to_read, .beside = send_to_sleeper, .run = read_asleep, .finished = got_it,
	.points = { [COPY] = 1 },
};

/* All memory is allocated before the call sleeps: nothing can fail after the wakeup. */
FIXTURE_VARIANT_ADD(call, write_that_sleeps) {
	.prepare = no_room, .beside = make_room_for_sleeper, .run = write_asleep, .finished = wrote_behind_others,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 5, [COPY] = 4 }, .failures = { [PAGE] = 5 },
};

/* ---- poll and select ---- */

static long poll_ready(struct stage *stage)
{
	struct pollfd entry = { stage->fd, POLLIN | POLLOUT, 0 };
	long ret = TRY(poll(&entry, 1, -1));

	return ret < 0 ? ret : ret == 1 && entry.revents == (POLLIN | POLLOUT) ? 0 : 1;
}

static long ppoll_that_waits(struct stage *stage)
{
	struct pollfd entry = { stage->fd, POLLIN, 0 };
	struct timespec moment = { 0, 100000 };
	sigset_t none;

	sigemptyset(&none);
	return TRY(ppoll(&entry, 1, &moment, &none));
}

/* The kernel allocates memory for this number of descriptors, and for their wait entries. */
#define MANY 500

static long poll_of_many(struct stage *stage)
{
	static struct pollfd entries[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		entries[i] = (struct pollfd){ stage->fd, POLLIN, 0 };
	return TRY(poll(entries, MANY, 1));
}

static long select_ready(struct stage *stage)
{
	struct timeval moment = { 100, 0 };
	fd_set in, out;
	long ret;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(stage->fd, &in);
	FD_SET(stage->fd, &out);
	ret = TRY(select(stage->fd + 1, &in, &out, NULL, &moment));
	return ret < 0 ? ret : ret == 2 && FD_ISSET(stage->fd, &in) && FD_ISSET(stage->fd, &out) ? 0 : 1;
}

static long select_that_waits(struct stage *stage)
{
	struct timeval moment = { 0, 100 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(stage->fd, &in);
	return TRY(select(stage->fd + 1, &in, NULL, NULL, &moment));
}

FIXTURE_VARIANT_ADD(call, poll) {
	.prepare = two_messages, .run = poll_ready, .finished = kept_messages,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 1 }, .failures = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, ppoll_that_waits) {
	.prepare = empty_stage, .run = ppoll_that_waits, .finished = kept_messages,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 3 }, .failures = { [COPY] = 3 },
};

FIXTURE_VARIANT_ADD(call, poll_of_many_files) {
	.prepare = empty_stage, .run = poll_of_many, .finished = kept_messages,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT },
	.points = { [SLAB] = 8, [COPY] = 2 }, .failures = { [SLAB] = 8, [COPY] = 2 },
};

FIXTURE_VARIANT_ADD(call, select) {
	.prepare = two_messages, .run = select_ready, .finished = kept_messages,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 3 }, .failures = { [COPY] = 3 },
};

FIXTURE_VARIANT_ADD(call, select_that_waits) {
	.prepare = empty_stage, .run = select_that_waits, .finished = kept_messages,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 3 }, .failures = { [COPY] = 3 },
};

/* ---- epoll ---- */

static void epoll_without_it(struct stage *stage)
{
	two_messages(stage);
	stage->with = epoll_create1(EPOLL_CLOEXEC);
	if (stage->with < 0)
		abort();
}

static long epoll_control(struct stage *stage, int op, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.u64 = 0x1234 };

	return TRY(epoll_ctl(stage->with, op, stage->fd, &event));
}

static long epoll_add(struct stage *stage)
{
	return epoll_control(stage, EPOLL_CTL_ADD, EPOLLIN);
}

static void epoll_with_it(struct stage *stage)
{
	epoll_without_it(stage);
	if (epoll_add(stage))
		abort();
}

static long epoll_change(struct stage *stage)
{
	return epoll_control(stage, EPOLL_CTL_MOD, EPOLLOUT);
}

static long epoll_remove(struct stage *stage)
{
	return epoll_control(stage, EPOLL_CTL_DEL, 0);
}

/* The events that epoll reports for the pipe; 0 if there are none. */
static unsigned int told(struct stage *stage)
{
	struct epoll_event event = { 0 };

	return epoll_wait(stage->with, &event, 1, 0) == 1 && event.data.u64 == 0x1234 ? event.events : 0;
}

static int tells_in(struct stage *stage)
{
	return told(stage) == EPOLLIN && kept_messages(stage);
}

static int tells_out(struct stage *stage)
{
	return told(stage) == EPOLLOUT && kept_messages(stage);
}

static int tells_nothing(struct stage *stage)
{
	return told(stage) == 0 && kept_messages(stage);
}

static int still_tells_nothing(struct stage *stage)
{
	return told(stage) == 0;
}

static int still_tells_in(struct stage *stage)
{
	return told(stage) == EPOLLIN;
}

static long epoll_take(struct stage *stage)
{
	struct epoll_event event = { 0 };
	struct timespec moment = { 1000, 0 };
	long ret = TRY(syscall(SYS_epoll_pwait2, stage->with, &event, 1, &moment, NULL, 0));

	return ret < 0 ? ret : ret == 1 && event.events == EPOLLIN && event.data.u64 == 0x1234 ? 0 : 1;
}

FIXTURE_VARIANT_ADD(call, epoll_ctl_that_adds) {
	.prepare = epoll_without_it, .run = epoll_add, .finished = tells_in, .failed = still_tells_nothing,
	.error = { [SLAB] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 3, [COPY] = 1 },
	.failures = { [SLAB] = 3, [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, epoll_ctl_that_changes) {
	.prepare = epoll_with_it, .run = epoll_change, .finished = tells_out, .failed = still_tells_in,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 1 }, .failures = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, epoll_ctl_that_removes) {
	.prepare = epoll_with_it, .run = epoll_remove, .finished = tells_nothing,
};

FIXTURE_VARIANT_ADD(call, epoll_wait) {
	.prepare = epoll_with_it, .run = epoll_take, .finished = tells_in, .failed = still_tells_in,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 1 }, .failures = { [COPY] = 1 },
};

/* ---- Signals ---- */

static sigset_t sigio(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	return set;
}

/* The band of the pending SIGIO; 0 if there is none. */
static int signalled(void)
{
	struct timespec now = { 0 };
	sigset_t set = sigio();
	siginfo_t info;

	return sigtimedwait(&set, &info, &now) == SIGIO ? info.si_band ?: -1 : 0;
}

static void without_signals(struct stage *stage)
{
	sigset_t set = sigio();

	empty_stage(stage);
	if (sigprocmask(SIG_BLOCK, &set, NULL) || fcntl(stage->fd, F_SETOWN, getpid()))
		abort();
	while (signalled())
		;
}

static long ask_for_signals(struct stage *stage)
{
	return TRY(fcntl(stage->fd, F_SETFL, O_NONBLOCK | O_ASYNC));
}

/* Writes and reads a message, and returns the band of the last signal that was sent for it, or 0. */
static int signal_of_a_message(struct stage *stage)
{
	char byte;

	if (write(stage->fd, "x", 1) != 1 || read(stage->fd, &byte, 1) != 1)
		abort();
	return signalled();
}

static int signals(struct stage *stage)
{
	int told = signal_of_a_message(stage);

	return told && !fcntl(stage->fd, F_SETFL, O_NONBLOCK) && !signal_of_a_message(stage) && kept_messages(stage);
}

/* Whether neither a message nor a free slot sends a signal. */
static int does_not_signal(struct stage *stage)
{
	return !signal_of_a_message(stage);
}

static long no_more_signals(struct stage *stage)
{
	return TRY(fcntl(stage->fd, F_SETFL, O_NONBLOCK));
}

static void with_signals(struct stage *stage)
{
	without_signals(stage);
	if (ask_for_signals(stage))
		abort();
}

static int signals_no_more(struct stage *stage)
{
	return !signal_of_a_message(stage) && kept_messages(stage);
}

static long set_signal(struct stage *stage)
{
	return TRY(fcntl(stage->fd, F_SETSIG, SIGUSR1));
}

static int signal_set(struct stage *stage)
{
	return fcntl(stage->fd, F_GETSIG) == SIGUSR1 && kept_messages(stage);
}

static long set_owner(struct stage *stage)
{
	struct f_owner_ex owner = { F_OWNER_PID, getpid() };

	return TRY(fcntl(stage->fd, F_SETOWN_EX, &owner));
}

static int owner_set(struct stage *stage)
{
	return fcntl(stage->fd, F_GETOWN) == getpid() && kept_messages(stage);
}

static int no_owner_set(struct stage *stage)
{
	return fcntl(stage->fd, F_GETOWN) == 0;
}

FIXTURE_VARIANT_ADD(call, fcntl_that_sets_o_async) {
	.prepare = without_signals, .run = ask_for_signals, .finished = signals, .failed = does_not_signal,
	.error = { [SLAB] = ENOMEM }, .points = { [SLAB] = 1 }, .failures = { [SLAB] = 1 },
};

FIXTURE_VARIANT_ADD(call, fcntl_that_clears_o_async) {
	.prepare = with_signals, .run = no_more_signals, .finished = signals_no_more,
};

FIXTURE_VARIANT_ADD(call, fcntl_that_sets_the_signal) {
	.prepare = empty_stage, .run = set_signal, .finished = signal_set,
	.error = { [SLAB] = ENOMEM }, .points = { [SLAB] = 1 }, .failures = { [SLAB] = 1 },
};

FIXTURE_VARIANT_ADD(call, fcntl_that_sets_the_owner) {
	.prepare = empty_stage, .run = set_owner, .finished = owner_set, .failed = no_owner_set,
	.error = { [SLAB] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 1, [COPY] = 1 },
	.failures = { [SLAB] = 1, [COPY] = 1 },
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
