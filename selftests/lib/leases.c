// SPDX-License-Identifier: GPL-2.0
#include "lib/leases.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/views.h"

long lease(int fd, unsigned int ms, unsigned int max_deliveries)
{
	struct kmsgpipe_attach attach = {
		.kind = KMSGPIPE_ATTACH_GROUP, .lease_ms = ms, .max_deliveries = max_deliveries,
	};

	return TRY(ioctl(fd, KMSGPIPE_ATTACH, &attach));
}

int lessee(long id, int flags, unsigned int ms)
{
	int fd = open_id(id, O_RDONLY | flags);

	if (lease(fd, ms, 0))
		abort();
	return fd;
}

long ack(int fd, unsigned long long first, unsigned long long last)
{
	struct kmsgpipe_ack ack = { .first = first, .last = last };

	return TRY(ioctl(fd, KMSGPIPE_ACK, &ack));
}

long nack(int fd, unsigned long long first, unsigned long long last, unsigned int delay_ms)
{
	struct kmsgpipe_ack ack = { .first = first, .last = last, .delay_ms = delay_ms };

	return TRY(ioctl(fd, KMSGPIPE_NACK, &ack));
}

const char *deliveries_of(int fd)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8))), text[400];
	struct kmsgpipe_record *record = (void *)buffer;
	long len;
	int at = 0;

	if (set_mode(fd, KMSGPIPE_MODE_RECORDS))
		return "no mode";
	len = TRY(read(fd, buffer, sizeof(buffer)));
	if (set_mode(fd, 0))
		return "no mode";
	if (len < 0)
		return strerror(-len);
	for (text[0] = 0; (char *)record < buffer + len; record = next_record(record)) {
		if (!!(record->flags & KMSGPIPE_RECORD_REDELIVERED) != (record->deliveries > 1))
			abort();
		at += snprintf(text + at, sizeof(text) - at, "%s%llu:%u:%.*s", at ? " " : "", record->seq,
			       record->deliveries, (int)record->len, (char *)(record + 1));
	}
	return text;
}

const char *leases_of(int fd)
{
	static char text[60];
	char all[1024];

	fdinfo(fd, all, sizeof(all));
	if (value_of(all, "kmsgpipe-lease-ms") < 0)
		return "none";
	snprintf(text, sizeof(text), "%lld ms, %lld leased", value_of(all, "kmsgpipe-lease-ms"),
		 value_of(all, "kmsgpipe-leased-msgs"));
	return text;
}
