// SPDX-License-Identifier: GPL-2.0
/*
 * Nonblocking calls fail with EAGAIN if the pipe is full or empty, and at no other time. For one task this is counted
 * exactly; for several, within the bounds that the calls begun and finished by other tasks set. Other tasks toggle
 * O_NONBLOCK of the same open files meanwhile.
 */
#include "lib/harness.h"
#include "lib/message.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"

#define ROOM 4

/* Calls that the tasks have begun and finished; a failed call is taken back. */
enum { W_BEGUN, W_DONE, R_BEGUN, R_DONE, REFUSED, EMPTY, TOGGLED, MESSAGES };

static void writing(struct task *self)
{
	int fd = self->kind ? self->kind : open_id(self->storm->id, O_WRONLY | O_NONBLOCK);
	unsigned long *counts = self->storm->counts, out, in, number;
	struct message *message = new_message(64);
	unsigned long long chance = task_seed(self);
	long depth, ret;

	for (number = 0; number < counts[MESSAGES];) {
		make_message(message, task_index(self), number, SHORTEST + pick(&chance, 41), &chance);
		in = counter_get(&counts[W_DONE]);
		out = counter_get(&counts[R_DONE]);
		counter_add(&counts[W_BEGUN], 1);
		ret = TRY(write(fd, message, message->len));
		if (ret == -EAGAIN) {
			/* An upper bound of the depth at all times during this call. */
			depth = counter_get(&counts[W_BEGUN]) - 1 - out;
			counter_add(&counts[W_BEGUN], -1);
			if (depth < ROOM)
				give_up(self, "EAGAIN with room left, depth at most", depth);
			counter_add(&counts[REFUSED], 1);
			sched_yield();
			continue;
		}
		if (ret != (long)message->len)
			give_up(self, "write", ret);
		/* A lower bound of the depth when this message was queued. */
		depth = in + 1 - counter_get(&counts[R_BEGUN]);
		if (depth > ROOM)
			give_up(self, "accepted beyond the room, depth at least", depth);
		counter_add(&counts[W_DONE], 1);
		note_sent(&self->storm->ledger, task_index(self), number++);
		counter_add(&self->steps, 1);
	}
}

static void reading(struct task *self)
{
	int fd = self->kind ? self->kind : open_id(self->storm->id, O_RDONLY | O_NONBLOCK);
	unsigned long *counts = self->storm->counts, in;
	struct message *message = new_message(64);
	struct reading reading = { 0 };
	long depth, len;

	for (;;) {
		in = counter_get(&counts[W_DONE]);
		counter_add(&counts[R_BEGUN], 1);
		len = TRY(read(fd, message, 64));
		if (len == -EAGAIN) {
			/* A lower bound of the depth at all times during this call. */
			depth = in - (counter_get(&counts[R_BEGUN]) - 1);
			counter_add(&counts[R_BEGUN], -1);
			if (depth > 0)
				give_up(self, "EAGAIN beside messages, depth at least", depth);
			counter_add(&counts[EMPTY], 1);
			sched_yield();
			continue;
		}
		if (!check_received(self, &reading, message, len))
			return;
		counter_add(&counts[R_DONE], 1);
	}
}

/* Toggles O_NONBLOCK of its open file by all three means until it is told to stop. */
static void toggling(struct task *self)
{
	unsigned long long chance = task_seed(self);
	int fd = self->kind, on;
	long ret;

	while (!counter_get(&self->storm->stop)) {
		on = pick(&chance, 2);
		switch (pick(&chance, 3)) {
		case 0:
			ret = TRY(fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0));
			break;
		case 1:
			ret = TRY(ioctl(fd, FIONBIO, &on));
			break;
		default:
			ret = TRY(ioctl(fd, KMSGPIPE_TOGGLE_BLOCK));
			break;
		}
		if (ret)
			give_up(self, "turning O_NONBLOCK", ret);
		counter_add(&self->storm->counts[TOGGLED], 1);
		sched_yield();
	}
	/* Leaves the file blocking. */
	on = 0;
	ioctl(fd, FIONBIO, &on);
}

TEST_F_TIMEOUT(storm, eagain_only_when_full_or_empty, 600)
{
	unsigned long calls = scaled(200000), i, full = 0, empty = 0, first = 0, next = 0, refused;
	unsigned long long chance = self->storm->seed;
	unsigned int room = ROOM, got, on;
	struct iovec vector = { 0 };
	int nonblocking = 0, rwf;
	long ret;

	ASSERT_EQ(0, set_limits(self->fd, 64, room));
	refused = stats_of(self->fd).refused_full;
	for (i = 0; i < calls; i++) {
		/* The probability makes the depth wander between full and empty. */
		int sending = pick(&chance, 64) < (i >> 5 & 1 ? 40 : 24);
		int stuck = sending ? next - first == room : next == first;

		if (!pick(&chance, 8)) {
			on = nonblocking = pick(&chance, 2);
			ret = pick(&chance, 2) ? ioctl(self->fd, FIONBIO, &on) :
						 fcntl(self->fd, F_SETFL, on ? O_NONBLOCK : 0);
			ASSERT_EQ(0, ret);
		} else if (!pick(&chance, 8)) {
			ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_TOGGLE_BLOCK));
			nonblocking = !nonblocking;
			ASSERT_EQ(nonblocking, !!(fcntl(self->fd, F_GETFL) & O_NONBLOCK));
		}
		rwf = (stuck && !nonblocking) || !pick(&chance, 4) ? RWF_NOWAIT : 0;
		got = next;
		vector = (struct iovec){ &got, sizeof(got) };
		if (sending)
			ret = TRY(pwritev2(self->fd, &vector, 1, -1, rwf));
		else
			ret = TRY(preadv2(self->fd, &vector, 1, -1, rwf));
		ASSERT_EQ(stuck ? -EAGAIN : (long)sizeof(got), ret)
			TH_LOG("call %lu, %s at depth %lu", i, sending ? "write" : "read", next - first);
		if (stuck) {
			full += sending;
			empty += !sending;
		} else if (sending) {
			next++;
		} else {
			ASSERT_EQ((unsigned int)first, got);
			first++;
		}
	}
	EXPECT_EQ(refused + full, stats_of(self->fd).refused_full);
	EXPECT_EQ(next - first, stats_of(self->fd).depth_msgs);
	printf("# storm_nonblock: %lu calls, of which %lu found it full and %lu empty\n", calls, full, empty);
	ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE);
}

/* The checks at the end of each test with several tasks. */
static int counted(struct storm *storm, const char *what, unsigned long long refused)
{
	struct kmsgpipe_stats stats = stats_of(storm->fd);
	unsigned long *counts = storm->counts;

	printf("# storm_nonblock: %lu messages %s, EAGAIN %lu times when full and %lu when empty, %lu turns\n",
	       all_received(&storm->ledger), what, counts[REFUSED], counts[EMPTY], counts[TOGGLED]);
	if (stats.refused_full - refused == counts[REFUSED])
		return 1;
	printf("# refused_full grew by %llu\n", stats.refused_full - refused);
	return 0;
}

TEST_F_TIMEOUT(storm, eagain_only_when_full_or_empty_beside_other_tasks, 600)
{
	unsigned long messages = scaled(20000) / 2;
	struct storm *storm = self->storm;
	unsigned long long refused;
	int i;

	ASSERT_EQ(0, set_limits(self->fd, 64, ROOM));
	refused = stats_of(self->fd).refused_full;
	storm->counts[MESSAGES] = messages;
	for (i = 0; i < 2; i++)
		spawn(storm, "reader", reading, 0);
	for (i = 0; i < 2; i++)
		spawn(storm, "writer", writing, 0);
	ASSERT_TRUE(finished_all(storm, 2, 2));
	/* EAGAIN for the messages that stop the readers is not counted by the tasks. */
	ASSERT_TRUE(UNTIL(storm, all_received(&storm->ledger) == 2 * messages));
	EXPECT_TRUE(counted(storm, "without waiting", refused));
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, 2));
	EXPECT_TRUE(balanced(&storm->ledger));
}

TEST_F_TIMEOUT(storm, eagain_only_when_full_or_empty_while_o_nonblock_toggles, 600)
{
	unsigned long messages = scaled(20000) / 2;
	struct storm *storm = self->storm;
	unsigned long long refused;
	int shared[2], i;

	ASSERT_EQ(0, set_limits(self->fd, 64, ROOM));
	refused = stats_of(self->fd).refused_full;
	storm->counts[MESSAGES] = messages;
	/* Child processes that inherit the descriptor share the open file. */
	shared[0] = open_id(storm->id, O_RDWR);
	shared[1] = open_id(storm->id, O_RDWR);
	for (i = 0; i < 2; i++)
		spawn(storm, "reader", reading, shared[i]);
	for (i = 0; i < 2; i++)
		spawn(storm, "writer", writing, shared[i]);
	for (i = 0; i < 2; i++)
		spawn(storm, "toggler", toggling, shared[i]);
	ASSERT_TRUE(finished_all(storm, 2, 2));
	ASSERT_TRUE(UNTIL(storm, all_received(&storm->ledger) == 2 * messages));
	EXPECT_TRUE(counted(storm, "while O_NONBLOCK is turned", refused));
	storm->stop = 1;
	ASSERT_TRUE(finished_all(storm, 4, 2));
	ASSERT_TRUE(stop_readers(storm, self->nonblocking, 2));
	EXPECT_TRUE(balanced(&storm->ledger));
	close(shared[0]);
	close(shared[1]);
}

TEST_HARNESS_MAIN
