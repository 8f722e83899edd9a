// SPDX-License-Identifier: GPL-2.0
#include "lib/monitor.h"
#include "lib/files.h"
#include "lib/pipe.h"
#include "lib/views.h"

#include <stddef.h>

static void report_error(struct monitor *monitor, const char *what, unsigned long long value)
{
	if (!monitor->errors++)
		printf("# a snapshot is wrong: %s is %llu\n", what, value);
}

#define CHECK(monitor, condition, field)                         \
do {                                                            \
	if (!(condition))                                       \
		report_error(monitor, #field, (monitor)->last.field); \
} while (0)

/* The counters, by offset in struct kmsgpipe_stats and by name in sysfs. */
static const struct {
	size_t offset;
	const char *name;
} counters[] __attribute__((unused)) = {
#define COUNTER(name) { offsetof(struct kmsgpipe_stats, name), #name }
	COUNTER(peak_msgs), COUNTER(peak_bytes), COUNTER(enqueued_msgs), COUNTER(enqueued_bytes),
	COUNTER(dequeued_msgs), COUNTER(dequeued_bytes), COUNTER(expired_msgs), COUNTER(expired_bytes),
	COUNTER(dropped_msgs), COUNTER(dropped_bytes), COUNTER(refused_full), COUNTER(refused_size),
#undef COUNTER
};

static unsigned long long counter_of(const struct kmsgpipe_stats *s, unsigned int i)
{
	unsigned long long value;

	memcpy(&value, (const char *)s + counters[i].offset, sizeof(value));
	return value;
}

void check_snapshot(struct monitor *monitor)
{
	struct kmsgpipe_stats before = monitor->last, *s = &monitor->last;
	unsigned long long left;
	unsigned int i;

	*s = stats_of(monitor->fd);
	left = s->dequeued_msgs + s->expired_msgs + s->dropped_msgs;
	CHECK(monitor, s->depth_msgs <= s->max_msgs, depth_msgs);
	CHECK(monitor, s->depth_msgs <= s->peak_msgs, peak_msgs);
	CHECK(monitor, s->depth_bytes <= s->peak_bytes, peak_bytes);
	CHECK(monitor, s->depth_bytes >= s->depth_msgs, depth_bytes);
	CHECK(monitor, s->depth_bytes <= s->depth_msgs * s->msg_size, depth_bytes);
	CHECK(monitor, s->enqueued_msgs == left + s->depth_msgs, enqueued_msgs);
	CHECK(monitor, accounted(s), enqueued_bytes);
	CHECK(monitor, !(s->flags & KMSGPIPE_STATS_HEAD) == !s->depth_msgs, flags);
	if (s->flags & KMSGPIPE_STATS_HEAD) {
		CHECK(monitor, s->head_seq == left + 1, head_seq);
		CHECK(monitor, s->head_len && s->head_len <= s->depth_bytes, head_len);
	}
	for (i = 0; monitor->snapshots && i < ARRAY_SIZE(counters); i++)
		if (counter_of(s, i) < counter_of(&before, i))
			report_error(monitor, counters[i].name, counter_of(s, i));
	monitor->snapshots++;
}

/* Checks the pipe's line in /proc/kmsgpipe_stats. */
static void check_proc(struct monitor *monitor)
{
	struct kmsgpipe_stats before = monitor->last;
	unsigned long long msgs, drops, expired;
	unsigned int writers, readers, id;
	char text[65536], *line;

	if (slurp(PROC, text, sizeof(text)) <= 0) {
		report_error(monitor, "the file under /proc", 0);
		return;
	}
	check_snapshot(monitor);
	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (sscanf(line, "pipe%u: msgs=%llu, drops=%llu, expired=%llu, writers=%u, readers=%u\n", &id, &msgs,
			   &drops, &expired, &writers, &readers) != 6)
			break;
		if (id != before.id)
			continue;
		if (msgs > before.max_msgs)
			report_error(monitor, "msgs in /proc", msgs);
		if (drops < before.dropped_msgs || drops > monitor->last.dropped_msgs)
			report_error(monitor, "drops in /proc", drops);
		if (expired < before.expired_msgs || expired > monitor->last.expired_msgs)
			report_error(monitor, "expired in /proc", expired);
		return;
	}
	report_error(monitor, "the line in /proc", before.id);
}

/* Checks the pipe's counters in sysfs. */
static void check_sysfs(struct monitor *monitor)
{
	struct kmsgpipe_stats before = monitor->last;
	unsigned long long values[ARRAY_SIZE(counters)];
	char path[96], text[64], *end;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		snprintf(path, sizeof(path), SYSFS "/pipe%u/%s", before.id, counters[i].name);
		if (slurp(path, text, sizeof(text)) <= 0) {
			report_error(monitor, path, 0);
			return;
		}
		values[i] = strtoull(text, &end, 10);
		if (end == text || strcmp(end, "\n"))
			report_error(monitor, path, values[i]);
	}
	check_snapshot(monitor);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		if (values[i] < counter_of(&before, i) || values[i] > counter_of(&monitor->last, i))
			report_error(monitor, counters[i].name, values[i]);
}

/* Checks the pipe's line in debugfs, which has the numbers of the oldest and the newest message. */
static void check_debugfs(struct monitor *monitor)
{
	struct kmsgpipe_stats before = monitor->last;
	unsigned long long head, tail, depth;
	char text[1024];

	if (!debug_line(before.id, text, sizeof(text))) {
		report_error(monitor, "the line in debugfs", before.id);
		return;
	}
	check_snapshot(monitor);
	head = value_of(text, "head_seq");
	tail = value_of(text, "tail_seq");
	depth = value_of(text, "depth_msgs");
	if (depth ? tail - head + 1 != depth : tail || head)
		report_error(monitor, "depth in debugfs", depth);
	if (depth && (tail < before.enqueued_msgs || tail > monitor->last.enqueued_msgs))
		report_error(monitor, "tail_seq in debugfs", tail);
}

void check_all_views(struct monitor *monitor)
{
	check_snapshot(monitor);
	if (monitor->snapshots % 8)
		return;
	check_proc(monitor);
	check_sysfs(monitor);
	check_debugfs(monitor);
	monitor->views++;
}
