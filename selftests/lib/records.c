// SPDX-License-Identifier: GPL-2.0
#include "lib/records.h"
#include "lib/memory.h"
#include "lib/pipe.h"

long dump_to(int fd, void *buffer, unsigned long long size, struct kmsgpipe_dump *dump)
{
	*dump = (struct kmsgpipe_dump){
		.buffer = (uintptr_t)buffer, .size = size, .used = ~0ULL, .records = ~0U, .missing = ~0U,
	};
	return TRY(ioctl(fd, KMSGPIPE_DUMP, dump));
}

size_t record_size(size_t len)
{
	return sizeof(struct kmsgpipe_record) + (len + 7) / 8 * 8;
}

struct kmsgpipe_record *next_record(struct kmsgpipe_record *record)
{
	char *payload = (char *)(record + 1), *end = (char *)record + record_size(record->len), *byte;

	for (byte = payload + record->len; byte < end; byte++)
		if (*byte)
			abort();
	return (struct kmsgpipe_record *)end;
}

size_t numbered(char *buffer, unsigned int number, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buffer[i] = (char)(number * 7 + i * 3 + len);
	return len;
}

int is_numbered(const char *payload, unsigned int number, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (payload[i] != (char)(number * 7 + i * 3 + len))
			return 0;
	return 1;
}

size_t send_size(size_t len)
{
	return sizeof(struct kmsgpipe_send) + (len + 7) / 8 * 8;
}

char *put_message(char *at, const void *payload, size_t len)
{
	struct kmsgpipe_send send = { .len = len };

	memset(at, 0, send_size(len));
	memcpy(at, &send, sizeof(send));
	memcpy(at + sizeof(send), payload, len);
	return at + send_size(len);
}

char *put_words(char *at, const char *text)
{
	return put_message(at, text, strlen(text));
}

const char *records_of(int fd, unsigned int count)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8))), text[400];
	struct kmsgpipe_record *record = (void *)buffer;
	long len;
	int at = 0;

	if (set_mode(fd, KMSGPIPE_MODE_RECORDS))
		return "no mode";
	len = TRY(read(fd, buffer, count * record_size(8)));
	if (set_mode(fd, 0))
		return "no mode";
	if (len < 0)
		return strerror(-len);
	for (text[0] = 0; (char *)record < buffer + len; record = next_record(record))
		at += snprintf(text + at, sizeof(text) - at, "%s%llu:%llu:%.*s", at ? " " : "", record->seq, record->lost,
			       (int)record->len, (char *)(record + 1));
	return text;
}

int is_record(const struct kmsgpipe_record *record, unsigned long long seq, const char *text)
{
	return record->seq == seq && record->len == strlen(text) && !memcmp(record + 1, text, record->len) &&
	       record->deliveries == 1 && !(record->lost | record->priority | record->reserved);
}

int reads_records(int fd, unsigned long long seq, const char *const *texts)
{
	static char buffer[65536] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	size_t total = 0, i;
	ssize_t got;

	memset(buffer, 0x55, sizeof(buffer));
	got = read(fd, buffer, sizeof(buffer));
	for (i = 0; texts[i]; i++, record = next_record(record)) {
		total += record_size(strlen(texts[i]));
		if (got < (ssize_t)total || !is_record(record, seq + i, texts[i]))
			return 0;
	}
	return got == (ssize_t)total && buffer[total] == 0x55;
}
