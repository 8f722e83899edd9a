/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages that prove themselves: each says who wrote it, which one it is and how long it is, with a
 * sum over all of it. And a ledger, in memory that all tasks share, of what was sent and what came.
 */
#ifndef SELFTESTS_MESSAGE_H
#define SELFTESTS_MESSAGE_H

#include "instances.h"

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
static inline struct message *new_message(size_t size)
{
	struct message *message = calloc(1, size + SHORTEST + sizeof(uint64_t));

	if (!message)
		abort();
	return message;
}

/* The sum of a message of which at least the header is there, and zeroes up to a whole word. */
static inline uint64_t sum_of(const struct message *message, size_t len)
{
	uint64_t sum = message->writer + ((uint64_t)message->number << 32);
	size_t i;

	sum = (sum ^ message->len) * 0x9e3779b97f4a7c15ULL;
	for (i = 0; i < (len - SHORTEST + 7) / 8; i++) {
		sum = (sum ^ message->payload[i]) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 29;
	}
	return sum;
}

/* Sets the end of its last word, behind its length, to zero. */
static inline void pad(struct message *message, size_t len)
{
	memset((char *)message + len, 0, -len & 7);
}

/* Makes a message of this length, with a payload by chance. */
static inline void make_message(struct message *message, uint32_t writer, uint32_t number, size_t len,
				unsigned long long *chance)
{
	size_t i;

	*message = (struct message){ .writer = writer, .number = number, .len = len };
	for (i = 0; i < (len - SHORTEST + 7) / 8; i++) {
		pick(chance, 1);
		message->payload[i] = *chance;
	}
	pad(message, len);
	message->sum = sum_of(message, len);
}

/* Whether it is whole. */
static inline int whole(struct message *message, size_t len)
{
	if (len < SHORTEST || message->len != len || message->zero)
		return 0;
	pad(message, len);
	return message->sum == sum_of(message, len);
}

/*
 * Messages that are too short to say anything: of `len` bytes that tell the length. They are counted by
 * length.
 */
static inline void make_short(struct message *message, size_t len)
{
	memset(message, 0xa0 + len, len);
}

static inline int whole_short(const struct message *message, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)message;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != 0xa0 + len)
			return 0;
	return len > 0;
}

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

static inline unsigned long plus(unsigned long *counter, unsigned long by)
{
	return __atomic_add_fetch(counter, by, __ATOMIC_SEQ_CST);
}

static inline unsigned long value(const unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static inline unsigned long hash(uint32_t number)
{
	unsigned long hash = (number + 1) * 0x9e3779b97f4a7c15ULL;

	hash ^= hash >> 31;
	return hash * 0xbf58476d1ce4e5b9ULL;
}

static inline void note(struct side *side, uint32_t writer, uint32_t number)
{
	plus(&side->of[writer], 1);
	plus(&side->sum_of[writer], hash(number));
}

static inline void note_sent(struct ledger *ledger, uint32_t writer, uint32_t number)
{
	note(&ledger->sent, writer, number);
}

/* What a reader knows: the number, and one more, of the last message that it had from each writer. */
struct reading {
	unsigned long next[MAX_TASKS];
};

/* Takes a message in. Whether its reader is to go on. */
static inline int note_received(struct ledger *ledger, struct reading *reading, struct message *message,
				size_t len)
{
	if (len < SHORTEST) {
		if (whole_short(message, len))
			plus(&ledger->received.short_of[len], 1);
		else
			plus(&ledger->torn, 1);
		return 1;
	}
	if (!whole(message, len) || message->writer >= MAX_TASKS) {
		plus(&ledger->torn, 1);
		return 1;
	}
	if (message->number == STOP)
		return 0;
	if (message->number < reading->next[message->writer])
		plus(&ledger->disordered, 1);
	reading->next[message->writer] = message->number + 1UL;
	note(&ledger->received, message->writer, message->number);
	return 1;
}

static inline unsigned long all_of(const struct side *side)
{
	unsigned long all = 0, i;

	for (i = 0; i < MAX_TASKS; i++)
		all += value(&side->of[i]);
	for (i = 0; i < SHORTEST; i++)
		all += value(&side->short_of[i]);
	return all;
}

static inline unsigned long all_sent(const struct ledger *ledger)
{
	return all_of(&ledger->sent);
}

static inline unsigned long all_received(const struct ledger *ledger)
{
	return all_of(&ledger->received);
}

/* Whether nothing was torn or out of order. */
static inline int sound(const struct ledger *ledger)
{
	if (!ledger->torn && !ledger->disordered)
		return 1;
	printf("# %lu torn, %lu out of order\n", ledger->torn, ledger->disordered);
	return 0;
}

/* Whether all that was sent has come, each once. Says what has not. */
static inline int balanced(const struct ledger *ledger)
{
	const struct side *sent = &ledger->sent, *received = &ledger->received;
	int good = sound(ledger);
	unsigned long i;

	for (i = 0; i < MAX_TASKS; i++) {
		if (sent->of[i] == received->of[i] && sent->sum_of[i] == received->sum_of[i])
			continue;
		printf("# of %lu messages of writer %lu %lu have come, %s ones\n", sent->of[i], i, received->of[i],
		       sent->sum_of[i] == received->sum_of[i] ? "the right" : "other");
		good = 0;
	}
	for (i = 0; i < SHORTEST; i++) {
		if (sent->short_of[i] == received->short_of[i])
			continue;
		printf("# of %lu messages of %lu bytes %lu have come\n", sent->short_of[i], i,
		       received->short_of[i]);
		good = 0;
	}
	return good;
}

#endif
