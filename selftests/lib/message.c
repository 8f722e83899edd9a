// SPDX-License-Identifier: GPL-2.0
#include "lib/message.h"
#include "lib/random.h"

struct message *new_message(size_t size)
{
	struct message *message = calloc(1, size + SHORTEST + sizeof(uint64_t));

	if (!message)
		abort();
	return message;
}

uint64_t sum_of(const struct message *message, size_t len)
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

/* Sets the bytes between the message's end and the next whole word to zero. */
static void pad(struct message *message, size_t len)
{
	memset((char *)message + len, 0, -len & 7);
}

void make_message(struct message *message, uint32_t writer, uint32_t number, size_t len, unsigned long long *chance)
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

/* Whether a message is intact. */
static int whole(struct message *message, size_t len)
{
	if (len < SHORTEST || message->len != len || message->zero)
		return 0;
	pad(message, len);
	return message->sum == sum_of(message, len);
}

void make_short(struct message *message, size_t len)
{
	memset(message, 0xa0 + len, len);
}

static int whole_short(const struct message *message, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)message;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != 0xa0 + len)
			return 0;
	return len > 0;
}

unsigned long counter_add(unsigned long *counter, unsigned long by)
{
	return __atomic_add_fetch(counter, by, __ATOMIC_SEQ_CST);
}

unsigned long counter_get(const unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static unsigned long hash(uint32_t number)
{
	unsigned long hash = (number + 1) * 0x9e3779b97f4a7c15ULL;

	hash ^= hash >> 31;
	return hash * 0xbf58476d1ce4e5b9ULL;
}

static void note(struct side *side, uint32_t writer, uint32_t number)
{
	counter_add(&side->of[writer], 1);
	counter_add(&side->sum_of[writer], hash(number));
}

void note_sent(struct ledger *ledger, uint32_t writer, uint32_t number)
{
	note(&ledger->sent, writer, number);
}

int note_received(struct ledger *ledger, struct reading *reading, struct message *message, size_t len)
{
	if (len < SHORTEST) {
		if (whole_short(message, len))
			counter_add(&ledger->received.short_of[len], 1);
		else
			counter_add(&ledger->torn, 1);
		return 1;
	}
	if (!whole(message, len) || message->writer >= MAX_TASKS) {
		counter_add(&ledger->torn, 1);
		return 1;
	}
	if (message->number == STOP)
		return 0;
	if (message->number < reading->next[message->writer])
		counter_add(&ledger->disordered, 1);
	reading->next[message->writer] = message->number + 1UL;
	note(&ledger->received, message->writer, message->number);
	return 1;
}

static unsigned long all_of(const struct side *side)
{
	unsigned long all = 0, i;

	for (i = 0; i < MAX_TASKS; i++)
		all += counter_get(&side->of[i]);
	for (i = 0; i < SHORTEST; i++)
		all += counter_get(&side->short_of[i]);
	return all;
}

unsigned long all_sent(const struct ledger *ledger)
{
	return all_of(&ledger->sent);
}

unsigned long all_received(const struct ledger *ledger)
{
	return all_of(&ledger->received);
}

int sound(const struct ledger *ledger)
{
	if (!ledger->torn && !ledger->disordered)
		return 1;
	printf("# %lu torn, %lu out of order\n", ledger->torn, ledger->disordered);
	return 0;
}

int balanced(const struct ledger *ledger)
{
	const struct side *sent = &ledger->sent, *received = &ledger->received;
	int good = sound(ledger);
	unsigned long i;

	for (i = 0; i < MAX_TASKS; i++) {
		if (sent->of[i] == received->of[i] && sent->sum_of[i] == received->sum_of[i])
			continue;
		printf("# writer %lu: %lu messages sent, %lu received, %s numbers\n", i, sent->of[i], received->of[i],
		       sent->sum_of[i] == received->sum_of[i] ? "the same" : "other");
		good = 0;
	}
	for (i = 0; i < SHORTEST; i++) {
		if (sent->short_of[i] == received->short_of[i])
			continue;
		printf("# %lu messages of %lu bytes sent, %lu received\n", sent->short_of[i], i, received->short_of[i]);
		good = 0;
	}
	return good;
}
