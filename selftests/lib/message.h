/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Self-verifying messages: each holds its writer, its number, its length and a checksum. And a ledger, in memory
 * that all tasks share, of what was sent and what was received.
 */
#ifndef SELFTESTS_LIB_MESSAGE_H
#define SELFTESTS_LIB_MESSAGE_H

#include "lib/harness.h"
#include "lib/tasks.h"

#define MAX_TASKS 64
/* Number of a message that tells its reader to stop. */
#define STOP UINT32_MAX

struct message {
	uint32_t writer;
	uint32_t number;
	uint32_t len;
	uint32_t zero;
	uint64_t sum;
	uint64_t payload[];
};

#define SHORTEST sizeof(struct message)

/* Memory for one of at most `size` bytes, and a word more than that. */
struct message *new_message(size_t size);

/* The sum of a message of which at least the header is there, and zeroes up to a whole word. */
uint64_t sum_of(const struct message *message, size_t len);

/* Makes a message of this length, with a payload by chance. */
void make_message(struct message *message, uint32_t writer, uint32_t number, size_t len, unsigned long long *chance);

/*
 * Messages that are too short to say anything: of `len` bytes that tell the length. They are counted by
 * length.
 */
void make_short(struct message *message, size_t len);

/*
 * What each writer has sent and what has come of it: how many, and the sum of a hash of their numbers,
 * which differs if one has come twice and another not at all.
 */
struct ledger {
	unsigned long torn;
	unsigned long disordered;
	struct side {
		unsigned long of[MAX_TASKS];
		unsigned long sum_of[MAX_TASKS];
		unsigned long short_of[SHORTEST];
	} sent, received;
};

unsigned long counter_add(unsigned long *counter, unsigned long by);

unsigned long counter_get(const unsigned long *counter);

void note_sent(struct ledger *ledger, uint32_t writer, uint32_t number);

/* What a reader knows: the number, and one more, of the last message that it had from each writer. */
struct reading {
	unsigned long next[MAX_TASKS];
};

/* Takes a message in. Whether its reader is to go on. */
int note_received(struct ledger *ledger, struct reading *reading, struct message *message, size_t len);

unsigned long all_sent(const struct ledger *ledger);

unsigned long all_received(const struct ledger *ledger);

/* Whether nothing was torn or out of order. */
int sound(const struct ledger *ledger);

/* Whether all that was sent has come, each once. Says what has not. */
int balanced(const struct ledger *ledger);

#endif
