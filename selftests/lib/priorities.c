// SPDX-License-Identifier: GPL-2.0
#include "lib/priorities.h"
#include "lib/pipe.h"
#include "lib/records.h"

struct kmsgpipe_create priorities_request(unsigned int max_msgs, unsigned int priorities)
{
	return (struct kmsgpipe_create){ .msg_size = 256, .max_msgs = max_msgs, .priorities = priorities };
}

long prioritized_pipe(unsigned int max_msgs, unsigned int priorities)
{
	struct kmsgpipe_create create = priorities_request(max_msgs, priorities);
	long id = create_pipe(&create);

	if (id < 1)
		abort();
	return id;
}

char *put_timed(char *at, unsigned int priority, unsigned long long ttl_ns, const char *text)
{
	struct kmsgpipe_send *send = (void *)at;
	char *end = put_words(at, text);

	send->priority = priority;
	send->ttl_ns = ttl_ns;
	return end;
}

char *put_prioritized(char *at, unsigned int priority, const char *text)
{
	return put_timed(at, priority, 0, text);
}

long send_prioritized(int fd, unsigned int priority, const char *text)
{
	return send_timed(fd, priority, 0, text);
}

long send_timed(int fd, unsigned int priority, unsigned long long ttl_ns, const char *text)
{
	char buffer[512] __attribute__((aligned(8)));
	size_t len = put_timed(buffer, priority, ttl_ns, text) - buffer;
	long result;

	if (set_mode(fd, KMSGPIPE_MODE_RECORDS))
		abort();
	result = TRY(write(fd, buffer, len));
	if (set_mode(fd, 0))
		abort();
	return result == (long)len ? 0 : result;
}

const char *prioritized_of(int fd, unsigned int count)
{
	static char buffer[65536] __attribute__((aligned(8))), text[4000];
	struct kmsgpipe_record *record = (void *)buffer;
	long len;
	int at = 0;

	if (set_mode(fd, KMSGPIPE_MODE_RECORDS))
		abort();
	len = TRY(read(fd, buffer, count * record_size(8)));
	if (set_mode(fd, 0))
		abort();
	if (len < 0)
		return strerror(-len);
	for (text[0] = 0; (char *)record < buffer + len; record = next_record(record))
		at += snprintf(text + at, sizeof(text) - at, "%s%u:%llu:%llu:%.*s", at ? " " : "", record->priority,
			       record->seq, record->lost, (int)record->len, (char *)(record + 1));
	return text;
}
