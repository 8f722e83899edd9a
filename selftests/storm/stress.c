// SPDX-License-Identifier: GPL-2.0
/*
 * Many messages of every length between processes: none may be lost, duplicated, torn or out of order, neither from
 * one writer to one reader nor among the readers. The views are checked meanwhile, too.
 *
 * \tstress WRITERS READERS MESSAGES [SEED]
 *
 * This prints KTAP. The seed is printed; given as an argument, it repeats the lengths.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/message.h"
#include "lib/monitor.h"
#include "lib/order.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"
#include "lib/random.h"
#include "lib/storm.h"
#include "lib/tasks.h"

/* The number of messages of one round, each of which has four tickets. */
#define ROUND 400000UL

static unsigned long writers, readers, messages;
static unsigned long long seed;

/* The tickets of one round; they begin with 1. */
static struct tickets *traces;
static uint32_t *tickets;
static unsigned long *doubled;
static unsigned long per_writer;

/* A random length: often the longest, the shortest with a header, or one without. */
static size_t length(unsigned long long *chance, size_t most)
{
	switch (pick(chance, 16)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return 1 + pick(chance, SHORTEST - 1);
	case 3:
		return most;
	case 4:
		return SHORTEST;
	default:
		return SHORTEST + pick(chance, most - SHORTEST + 1);
	}
}

static void run_writer(struct task *self)
{
	struct ledger *ledger = &self->storm->ledger;
	struct kmsgpipe_stats stats;
	struct message *message;
	unsigned long long chance = task_seed(self);
	struct tickets *trace;
	uint32_t number;
	size_t len;
	long ret;
	int fd = open_pipe(O_WRONLY);

	stats = stats_of(fd);
	message = new_message(stats.msg_size);
	for (number = 0; number < per_writer;) {
		len = length(&chance, stats.msg_size);
		if (len < SHORTEST) {
			make_short(message, len);
			ret = TRY(write(fd, message, len));
			if (ret != (long)len)
				give_up(self, "write of a short message", ret);
			/* A write of no bytes makes no message. */
			if (len)
				counter_add(&ledger->sent.short_of[len], 1);
			continue;
		}
		make_message(message, task_index(self), number, len, &chance);
		trace = &traces[(task_index(self) - readers) * per_writer + number];
		trace->ticket[SENDING] = take_ticket(tickets);
		ret = TRY(write(fd, message, len));
		trace->ticket[SENT] = take_ticket(tickets);
		if (ret != (long)len)
			give_up(self, "write", ret);
		note_sent(ledger, task_index(self), number++);
		counter_add(&self->steps, 1);
	}
}

static void run_reader(struct task *self)
{
	struct reading reading = { 0 };
	struct message *message;
	struct tickets *trace;
	size_t most;
	uint32_t taking;
	long len;
	int fd = open_pipe(O_RDONLY);

	most = stats_of(fd).msg_size;
	message = new_message(most);
	for (;;) {
		taking = take_ticket(tickets);
		len = TRY(read(fd, message, most));
		if (!check_received(self, &reading, message, len))
			return;
		if (len < (long)SHORTEST || message->writer - readers >= writers || message->number >= per_writer)
			continue;
		trace = &traces[(message->writer - readers) * per_writer + message->number];
		if (__atomic_exchange_n(&trace->ticket[TAKING], taking, __ATOMIC_SEQ_CST))
			counter_add(doubled, 1);
		trace->ticket[TAKEN] = take_ticket(tickets);
	}
}

/* Passes about `messages` messages and checks the views meanwhile. Returns whether all checks passed. */
static int pass(struct storm *storm, int nonblocking, struct monitor *monitor, unsigned long count,
		unsigned long *passed)
{
	struct kmsgpipe_stats before = stats_of(storm->fd), after;
	unsigned long sent, i;
	struct verdict verdict = { 0 };

	per_writer = (count + writers - 1) / writers;
	memset(traces, 0, writers * per_writer * sizeof(*traces));
	memset(&storm->ledger, 0, sizeof(storm->ledger));
	*tickets = *doubled = storm->tasks = 0;
	for (i = 0; i < readers; i++)
		spawn(storm, "reader", run_reader, 0);
	for (i = 0; i < writers; i++)
		spawn(storm, "writer", run_writer, 0);
	if (!UNTIL(storm, (check_all_views(monitor), !count_running(storm, readers, writers))))
		return 0;
	if (!stop_readers(storm, nonblocking, readers))
		return 0;
	check_all_views(monitor);

	verdict.doubled = *doubled;
	check_order(traces, writers * per_writer, *tickets, &verdict);
	after = stats_of(storm->fd);
	sent = all_sent(&storm->ledger);
	*passed += sent;
	if (balanced(&storm->ledger) && !verdict.lost && !verdict.doubled && !verdict.disordered &&
	    verdict.most <= after.max_msgs && !after.depth_msgs &&
	    after.enqueued_msgs - before.enqueued_msgs == sent + readers &&
	    after.dequeued_msgs - before.dequeued_msgs == sent + readers)
		return 1;
	printf("# lost %lu, doubled %lu, disordered %lu, at once %lu\n", verdict.lost, verdict.doubled,
	       verdict.disordered, verdict.most);
	report(storm);
	return 0;
}

/* The watchdog ends the test when no task makes progress; its length does not matter. */
/* spec: 3-fifo 5-many 5-serialized */
TEST_F_TIMEOUT(pipe, messages_arrive_whole_once_and_in_order, 1000000)
{
	struct storm *storm = shared_memory(sizeof(*storm));
	struct monitor monitor = { .fd = self->fd };
	unsigned long passed = 0;

	storm->fd = self->fd;
	storm->seed = seed;
	traces = shared_memory(((messages < ROUND ? messages : ROUND) + writers) * sizeof(*traces));
	tickets = shared_memory(sizeof(*tickets));
	doubled = shared_memory(sizeof(*doubled));
	ASSERT_LE(SHORTEST, stats_of(self->fd).msg_size);
	check_snapshot(&monitor);
	while (passed < messages) {
		unsigned long left = messages - passed;

		ASSERT_TRUE(pass(storm, self->nonblocking, &monitor, left < ROUND ? left : ROUND, &passed));
		storm->seed++;
	}
	EXPECT_EQ(0, monitor.errors);
	printf("# stress: %lu messages, %lu snapshots, %lu checks of the other views\n", passed, monitor.snapshots,
	       monitor.views);
	fflush(stdout);
}

static unsigned long number_of(const char *text, unsigned long most)
{
	unsigned long number = strtoul(text, NULL, 0);

	if (!number || number > most) {
		fprintf(stderr, "stress: %s is not a number from 1 to %lu\n", text, most);
		exit(2);
	}
	return number;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: stress WRITERS READERS MESSAGES [SEED]\n");
		return 2;
	}
	writers = number_of(argv[1], MAX_TASKS / 2);
	readers = number_of(argv[2], MAX_TASKS / 2);
	messages = number_of(argv[3], 1000000000);
	seed = argc > 4 ? strtoull(argv[4], NULL, 0) : new_seed();
	printf("# %lu writers, %lu readers, %lu messages, seed %llu\n", writers, readers, messages, seed);
	fflush(stdout);
	return test_harness_run(1, argv);
}
