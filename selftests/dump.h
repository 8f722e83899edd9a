/* SPDX-License-Identifier: GPL-2.0 */
/* DUMP, and messages that are known by their content. */
#ifndef SELFTESTS_DUMP_H
#define SELFTESTS_DUMP_H

#include "own_fixture.h"

/* Dumps to a buffer; the answer's outputs start as garbage. */
static inline long dump_to(int fd, void *buffer, unsigned long long size, struct kmsgpipe_dump *dump)
{
	*dump = (struct kmsgpipe_dump){
		.buffer = (uintptr_t)buffer, .size = size, .used = ~0ULL, .records = ~0U, .missing = ~0U,
	};
	return TRY(ioctl(fd, KMSGPIPE_DUMP, dump));
}

/* What the record of a message of this length takes. */
static inline size_t record_size(size_t len)
{
	return sizeof(struct kmsgpipe_record) + (len + 7) / 8 * 8;
}

/* The record behind this one; the padding between them must be zero. */
static inline struct kmsgpipe_record *next_record(struct kmsgpipe_record *record)
{
	char *payload = (char *)(record + 1), *end = (char *)record + record_size(record->len), *byte;

	for (byte = payload + record->len; byte < end; byte++)
		if (*byte)
			abort();
	return (struct kmsgpipe_record *)end;
}

/* A message that shows its number and its length. */
static inline size_t numbered(char *buffer, unsigned int number, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buffer[i] = (char)(number * 7 + i * 3 + len);
	return len;
}

static inline int is_numbered(const char *payload, unsigned int number, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (payload[i] != (char)(number * 7 + i * 3 + len))
			return 0;
	return 1;
}

#endif
