// SPDX-License-Identifier: GPL-2.0
/* Injected faults where an open file reads records, or writes messages, with KMSGPIPE_MODE_RECORDS. */
#include "lib/fault_fixture.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/stage.h"
#include "lib/tasks.h"
#include "lib/views.h"

static void with_records(struct stage *stage)
{
	if (set_mode(stage->fd, KMSGPIPE_MODE_RECORDS))
		abort();
}

/* Leaves the mode, so that the stage can check the queue. */
static int without_records(struct stage *stage)
{
	return !set_mode(stage->fd, 0);
}

/* ---- Reading ---- */

static void two_records(struct stage *stage)
{
	two_messages(stage);
	with_records(stage);
}

static void a_long_record(struct stage *stage)
{
	long_and_short(stage);
	with_records(stage);
}

/* Reads with a buffer of the size of the oldest record: no other fits. */
static long read_a_record(struct stage *stage)
{
	size_t len = record_size(stage->lens[0]);

	return transferred(TRY(read(stage->fd, stage->in, len)), len);
}

static int has_read_a_record(struct stage *stage)
{
	struct kmsgpipe_record *record = (void *)stage->in;

	return record->len == stage->lens[0] && is_content((char *)(record + 1), 0, record->len) &&
	       (char *)next_record(record) == stage->in + record_size(record->len) &&
	       stage->in[record_size(record->len)] == 0x55 && without_records(stage) && holds_messages(stage, 1, stage->queued);
}

/* This needs no memory, and a copy that failed is retried in pieces. */
FIXTURE_VARIANT_ADD(call, read_of_a_record) {
	.prepare = two_records, .run = read_a_record, .finished = has_read_a_record, .points = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, read_of_a_long_record) {
	.prepare = a_long_record, .run = read_a_record, .finished = has_read_a_record, .points = { [COPY] = 5 },
};

/* ---- Writing ---- */

static void no_message(struct stage *stage)
{
	empty_stage(stage);
	with_records(stage);
	message_of(stage, 13);
}

static void no_long_message(struct stage *stage)
{
	empty_stage(stage);
	with_records(stage);
	message_of(stage, MSG_SIZE);
}

static void spare_memory(struct stage *stage)
{
	stage_with_spare(stage);
	with_records(stage);
	message_of(stage, 13);
}

static long write_a_message(struct stage *stage)
{
	static char sent[2 * MSG_SIZE];
	size_t len = put_message(sent, stage->out, stage->len) - sent;

	return transferred(TRY(write(stage->fd, sent, len)), len);
}

static int wrote_a_message(struct stage *stage)
{
	return without_records(stage) && wrote_message(stage);
}

/* A page for the record and one for the payload. The bounce page was allocated when the mode was set. */
FIXTURE_VARIANT_ADD(call, write_of_a_message) {
	.prepare = no_message, .run = write_a_message, .finished = wrote_a_message, .points = { [PAGE] = 2, [COPY] = 1 },
	.failures = { [PAGE] = 2 }, .error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT },
};

/* No page is needed. */
FIXTURE_VARIANT_ADD(call, write_of_a_message_to_spare_memory) {
	.prepare = spare_memory, .run = write_a_message, .finished = wrote_a_message, .points = { [COPY] = 1 },
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT },
};

/* A header is read twice. */
FIXTURE_VARIANT_ADD(call, write_of_a_long_message) {
	.prepare = no_long_message, .run = write_a_message, .finished = wrote_a_message, .points = { [PAGE] = 2, [COPY] = 6 },
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, .failures = { [COPY] = 2 }, .shortages = 1,
};

/* ---- Setting the mode, and opening ---- */

static long set_the_mode(struct stage *stage)
{
	return set_mode(stage->fd, KMSGPIPE_MODE_RECORDS);
}

static int has_the_mode(struct stage *stage)
{
	return mode_of(stage->fd) == KMSGPIPE_MODE_RECORDS && without_records(stage) && kept_messages(stage);
}

static int has_not_the_mode(struct stage *stage)
{
	return mode_of(stage->fd) == 0;
}

/* A bounce page for each direction. */
FIXTURE_VARIANT_ADD(call, set_mode_to_records) {
	.prepare = two_messages, .run = set_the_mode, .finished = has_the_mode, .failed = has_not_the_mode,
	.error = { [PAGE] = ENOMEM, [COPY] = EFAULT }, .points = { [PAGE] = 2, [COPY] = 1 },
	.failures = { [PAGE] = 2, [COPY] = 1 },
};

static void begin_with(struct stage *stage, const char *mode)
{
	if (spill(sysfs_file(stage->id, "default_mode"), mode) != (long)strlen(mode))
		abort();
}

static void two_messages_as_records(struct stage *stage)
{
	two_messages(stage);
	begin_with(stage, "records");
}

static long open_for_records(struct stage *stage)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", stage->id);
	stage->made = open(node, O_RDWR | O_CLOEXEC);
	return TRY(stage->made) < 0 ? -errno : 0;
}

static int opened_for_records(struct stage *stage)
{
	begin_with(stage, "none");
	return mode_of(stage->made) == KMSGPIPE_MODE_RECORDS && stats_of(stage->fd).readers == 2 && kept_messages(stage);
}

FIXTURE_VARIANT_ADD(call, open_of_a_pipe_with_records_as_default) {
	.prepare = two_messages_as_records, .run = open_for_records, .finished = opened_for_records,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 3, [PAGE] = 2, [COPY] = 1 },
	.failures = { [SLAB] = 3, [PAGE] = 2, [COPY] = 1 },
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 600)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
