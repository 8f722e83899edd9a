/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Self-verifying messages: each holds its writer, its number, its length and a checksum. And a ledger, in memory that
 * all tasks share, of the messages that were sent and received.
 */
#ifndef SELFTESTS_LIB_MESSAGE_H
#define SELFTESTS_LIB_MESSAGE_H

#include "lib/harness.h"
#include "lib/tasks.h"

#define MAX_TASKS 64
/* The number of a message that tells its reader to stop. */
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

/* Allocates memory for a message of up to `size` bytes and a word more. */
struct message *new_message(size_t size);

/* The checksum of a message. The header must be complete, and the last word padded with zeroes. */
uint64_t sum_of(const struct message *message, size_t len);

/* Makes a message of this length with a pseudo-random payload. */
void make_message(struct message *message, uint32_t writer, uint32_t number, size_t len, unsigned long long *chance);

/*
 * Makes a message that is too short for a header: `len` bytes, each of which tells the length. The ledger counts such
 * messages by length.
 */
void make_short(struct message *message, size_t len);

/*
 * Counts the messages of each writer, and sums a hash of their numbers: the sums differ if one message was received
 * twice and another never.
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

/* What a reader knows: the lowest number that the next message of each writer may have. */
struct reading {
	unsigned long next[MAX_TASKS];
};

/* Checks a received message and adds it to the ledger. Returns 0 if it tells the reader to stop. */
int note_received(struct ledger *ledger, struct reading *reading, struct message *message, size_t len);

unsigned long all_sent(const struct ledger *ledger);

unsigned long all_received(const struct ledger *ledger);

/* Whether no message was torn or out of order. */
int sound(const struct ledger *ledger);

/* Whether each message that was sent was received exactly once. Prints the differences. */
int balanced(const struct ledger *ledger);

#endif
