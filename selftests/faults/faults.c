// SPDX-License-Identifier: GPL-2.0
/* Injected faults in open, read, write and close. */
#include "lib/fault_fixture.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"
#include "lib/views.h"

/* ---- Writing ---- */

static void nothing_there(struct stage *stage)
{
	empty_stage(stage);
	message_of(stage, 7);
}

static void room_beside_another(struct stage *stage)
{
	empty_stage(stage);
	queue_message(stage, 9);
	message_of(stage, 7);
}

static void a_page_short(struct stage *stage)
{
	empty_stage(stage);
	queue_message(stage, PAGE_SIZE - 8);
	message_of(stage, 100);
}

static void long_message(struct stage *stage)
{
	empty_stage(stage);
	message_of(stage, MSG_SIZE);
}

static void long_message_with_spare(struct stage *stage)
{
	stage_with_spare(stage);
	message_of(stage, MSG_SIZE);
}

static void full(struct stage *stage)
{
	empty_stage(stage);
	while (stage->queued < MAX_MSGS)
		queue_message(stage, 5 + stage->queued);
	message_of(stage, 7);
}

static long write_it(struct stage *stage)
{
	return transferred(TRY(write(stage->fd, stage->out, stage->len)), stage->len);
}

/* Splits a buffer into `count` segments of 7 bytes and one with the rest. */
static void pieces(char *buffer, size_t len, struct iovec *iov, int count)
{
	int i;

	for (i = 0; i < count; i++)
		iov[i] = (struct iovec){ buffer + 7 * i, 7 };
	iov[i] = (struct iovec){ buffer + 7 * i, len - 7 * i };
}

static long writev_it(struct stage *stage)
{
	struct iovec iov[4];

	pieces(stage->out, stage->len, iov, 3);
	return transferred(TRY(writev(stage->fd, iov, 4)), stage->len);
}

/* The kernel allocates an array for this number of segments. */
static long writev_many(struct stage *stage)
{
	struct iovec iov[30];

	pieces(stage->out, stage->len, iov, 29);
	return transferred(TRY(writev(stage->fd, iov, 30)), stage->len);
}

static long pwritev2_it(struct stage *stage)
{
	struct iovec iov[4];

	pieces(stage->out, stage->len, iov, 3);
	return transferred(TRY(pwritev2(stage->fd, iov, 4, -1, RWF_NOWAIT)), stage->len);
}

static long write_too_much(struct stage *stage)
{
	return TRY(write(stage->fd, stage->out, MSG_SIZE + 1));
}

/* A page for the record and one for the payload. */
FIXTURE_VARIANT_ADD(call, write_without_memory) {
	.prepare = nothing_there, .run = write_it, .finished = wrote_message,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 2, [COPY] = 1 }, .failures = { [PAGE] = 2 },
};

FIXTURE_VARIANT_ADD(call, write_beside_another_message) {
	.prepare = room_beside_another, .run = write_it, .finished = wrote_message, .points = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, write_that_allocates_one_page) {
	.prepare = a_page_short, .run = write_it, .finished = wrote_message,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 1, [COPY] = 1 }, .failures = { [PAGE] = 1 },
};

FIXTURE_VARIANT_ADD(call, write_that_allocates_five_pages) {
	.prepare = long_message, .run = write_it, .finished = wrote_message,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 5, [COPY] = 4 }, .failures = { [PAGE] = 5 },
};

FIXTURE_VARIANT_ADD(call, write_with_spare_memory) {
	.prepare = long_message_with_spare, .run = write_it, .finished = wrote_message, .points = { [COPY] = 4 },
};

FIXTURE_VARIANT_ADD(call, writev_that_allocates_five_pages) {
	.prepare = long_message, .run = writev_it, .finished = wrote_message,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 5, [COPY] = 7 },
	.failures = { [PAGE] = 5 },
};

FIXTURE_VARIANT_ADD(call, writev_of_many_segments) {
	.prepare = long_message_with_spare, .run = writev_many, .finished = wrote_message,
	.error = { [SLAB] = ENOMEM }, .points = { [SLAB] = 1, [COPY] = 30 }, .failures = { [SLAB] = 1 },
};

FIXTURE_VARIANT_ADD(call, pwritev2_with_rwf_nowait) {
	.prepare = long_message, .run = pwritev2_it, .finished = wrote_message,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 5, [COPY] = 7 },
	.failures = { [PAGE] = 5 },
};

/* EAGAIN needs no memory, and the message is not copied. */
FIXTURE_VARIANT_ADD(call, write_to_a_full_pipe) {
	.prepare = full, .run = write_it, .result = -EAGAIN, .finished = kept_messages,
};

FIXTURE_VARIANT_ADD(call, oversized_write) {
	.prepare = room_beside_another, .run = write_too_much, .result = -EMSGSIZE, .finished = kept_messages,
};

/* ---- Writing to a full pipe that drops ---- */

/* Fills the pipe and prepares a message that needs new memory. */
static void overflow(struct stage *stage, const char *policy)
{
	if (spill(sysfs_file(stage->id, "overflow"), policy) != (long)strlen(policy))
		abort();
	full(stage);
	message_of(stage, MSG_SIZE);
}

static void full_that_drops_oldest(struct stage *stage)
{
	overflow(stage, "drop-oldest");
}

static void full_that_drops_newest(struct stage *stage)
{
	overflow(stage, "drop-newest");
}

/* Whether the message took the place of the oldest one, which is counted. */
static int replaced_oldest(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd);

	stage->lens[stage->queued] = stage->len;
	return accounted(&stats) && stats.depth_msgs == MAX_MSGS && holds_messages(stage, 1, stage->queued + 1);
}

/* Whether the message was discarded and counted. */
static int discarded(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd);

	return accounted(&stats) && stats.dropped_msgs > 0 && kept_messages(stage);
}

/* Memory for the whole message comes first: a failed write has dropped nothing. */
FIXTURE_VARIANT_ADD(call, write_that_drops_the_oldest) {
	.prepare = full_that_drops_oldest, .run = write_it, .finished = replaced_oldest,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 4, [COPY] = 4 }, .failures = { [PAGE] = 4 },
};

FIXTURE_VARIANT_ADD(call, writev_that_drops_the_oldest) {
	.prepare = full_that_drops_oldest, .run = writev_many, .finished = replaced_oldest,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1, [PAGE] = 4, [COPY] = 30 },
	.failures = { [SLAB] = 1, [PAGE] = 4 },
};

/* A message that is discarded needs no memory, and is not copied. */
FIXTURE_VARIANT_ADD(call, write_that_is_discarded) {
	.prepare = full_that_drops_newest, .run = write_it, .finished = discarded,
};

/* ---- Reading ---- */

static long read_to_it(struct stage *stage)
{
	return transferred(TRY(read(stage->fd, stage->in, sizeof(stage->in))), stage->lens[0]);
}

static long readv_to_it(struct stage *stage)
{
	struct iovec iov[4];

	pieces(stage->in, sizeof(stage->in), iov, 3);
	return transferred(TRY(readv(stage->fd, iov, 4)), stage->lens[0]);
}

static long readv_many(struct stage *stage)
{
	struct iovec iov[30];

	pieces(stage->in, sizeof(stage->in), iov, 29);
	return transferred(TRY(readv(stage->fd, iov, 30)), stage->lens[0]);
}

static long preadv2_to_it(struct stage *stage)
{
	struct iovec iov[4];

	pieces(stage->in, sizeof(stage->in), iov, 3);
	return transferred(TRY(preadv2(stage->fd, iov, 4, -1, RWF_NOWAIT)), stage->lens[0]);
}

static void two_messages_to_read_whole(struct stage *stage)
{
	two_messages(stage);
	if (set_mode(stage->fd, KMSGPIPE_MODE_WHOLE))
		abort();
}

static long read_too_little(struct stage *stage)
{
	return TRY(read(stage->fd, stage->in, 6));
}

FIXTURE_VARIANT_ADD(call, read_of_a_short_message) {
	.prepare = two_messages, .run = read_to_it, .finished = read_oldest, .points = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, read_of_a_long_message) {
	.prepare = long_and_short, .run = read_to_it, .finished = read_oldest, .points = { [COPY] = 4 },
};

FIXTURE_VARIANT_ADD(call, readv_of_a_long_message) {
	.prepare = long_and_short, .run = readv_to_it, .finished = read_oldest,
	.points = { [COPY] = 7 },
};

FIXTURE_VARIANT_ADD(call, readv_to_many_segments) {
	.prepare = long_and_short, .run = readv_many, .finished = read_oldest,
	.error = { [SLAB] = ENOMEM }, .points = { [SLAB] = 1, [COPY] = 30 }, .failures = { [SLAB] = 1 },
};

FIXTURE_VARIANT_ADD(call, preadv2_with_rwf_nowait) {
	.prepare = two_messages, .run = preadv2_to_it, .finished = read_oldest,
	.points = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, read_of_an_empty_pipe) {
	.prepare = empty_stage, .run = preadv2_to_it, .result = -EAGAIN, .finished = kept_messages,
};

FIXTURE_VARIANT_ADD(call, read_into_a_short_buffer) {
	.prepare = two_messages_to_read_whole, .run = read_too_little, .result = -EMSGSIZE, .finished = kept_messages,
};

/* ---- Opening and closing ---- */

static long open_it(struct stage *stage, int flags)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", stage->id);
	stage->made = open(node, flags | O_CLOEXEC);
	return TRY(stage->made) < 0 ? -errno : 0;
}

static long open_to_read(struct stage *stage)
{
	return open_it(stage, O_RDONLY);
}

static long open_to_write(struct stage *stage)
{
	return open_it(stage, O_WRONLY);
}

static long open_for_both(struct stage *stage)
{
	return open_it(stage, O_RDWR);
}

static long open_for_requests(struct stage *stage)
{
	return open_it(stage, O_ACCMODE);
}

static int opened(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd);
	int mode = fcntl(stage->made, F_GETFL) & O_ACCMODE;

	return stats.readers == 1U + (mode == O_RDONLY || mode == O_RDWR) &&
	       stats.writers == 1U + (mode == O_WRONLY || mode == O_RDWR) && kept_messages(stage);
}

#define OPENING \
	.prepare = two_messages, .finished = opened, .error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, \
	.points = { [SLAB] = 3, [COPY] = 1 }, .failures = { [SLAB] = 3, [COPY] = 1 }

FIXTURE_VARIANT_ADD(call, open_to_read) { .run = open_to_read, OPENING };
FIXTURE_VARIANT_ADD(call, open_to_write) { .run = open_to_write, OPENING };
FIXTURE_VARIANT_ADD(call, open_to_read_and_write) { .run = open_for_both, OPENING };
FIXTURE_VARIANT_ADD(call, open_for_ioctls) { .run = open_for_requests, OPENING };

static void another_descriptor(struct stage *stage)
{
	two_messages(stage);
	if (open_for_both(stage))
		abort();
}

static long close_it(struct stage *stage)
{
	int fd = stage->made;

	stage->made = -1;
	return TRY(close(fd));
}

static int closed(struct stage *stage)
{
	return stats_of(stage->fd).readers == 1 && stats_of(stage->fd).writers == 1 && kept_messages(stage);
}

FIXTURE_VARIANT_ADD(call, close) { .prepare = another_descriptor, .run = close_it, .finished = closed };

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
