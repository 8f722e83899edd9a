// SPDX-License-Identifier: GPL-2.0
/* Injected faults in each ioctl. */
#include "lib/fault_fixture.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"

static void three_messages(struct stage *stage)
{
	empty_stage(stage);
	queue_message(stage, 5);
	queue_message(stage, MSG_SIZE);
	queue_message(stage, 6);
}

static long get_stats(struct stage *stage)
{
	return TRY(ioctl(stage->fd, KMSGPIPE_GET_STATS, stage->in));
}

static int got_stats(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd), *got = (void *)stage->in;

	stats.head_age_ns = got->head_age_ns;
	return stats.depth_msgs == 2 && !memcmp(&stats, got, sizeof(stats)) && kept_messages(stage);
}

static long get_params(struct stage *stage)
{
	return TRY(ioctl(stage->fd, KMSGPIPE_GET_PARAMS, stage->in));
}

static int got_params(struct stage *stage)
{
	struct kmsgpipe_params params = { .msg_size = MSG_SIZE, .max_msgs = MAX_MSGS };

	return !memcmp(&params, stage->in, sizeof(params)) && kept_messages(stage);
}

static long ask_fionread(struct stage *stage)
{
	return TRY(ioctl(stage->fd, FIONREAD, stage->in));
}

static int got_length(struct stage *stage)
{
	int length = 7;

	return !memcmp(&length, stage->in, sizeof(length)) && kept_messages(stage);
}

#define COPIES_ONCE .error = { [COPY] = EFAULT }, .points = { [COPY] = 1 }, .failures = { [COPY] = 1 }

FIXTURE_VARIANT_ADD(call, get_stats) { .prepare = two_messages, .run = get_stats, .finished = got_stats, COPIES_ONCE };
FIXTURE_VARIANT_ADD(call, get_params) { .prepare = two_messages, .run = get_params, .finished = got_params, COPIES_ONCE };
FIXTURE_VARIANT_ADD(call, fionread) { .prepare = two_messages, .run = ask_fionread, .finished = got_length, COPIES_ONCE };

/* Sets the same limits before each attempt. */
static void usual_params(struct stage *stage)
{
	struct kmsgpipe_params params = { .msg_size = MSG_SIZE, .max_msgs = MAX_MSGS };

	empty_stage(stage);
	if (ioctl(stage->fd, KMSGPIPE_SET_PARAMS, &params))
		abort();
}

static long set_params(struct stage *stage)
{
	struct kmsgpipe_params params = { .msg_size = 100, .max_msgs = 2 };

	return TRY(ioctl(stage->fd, KMSGPIPE_SET_PARAMS, &params));
}

static int params_set(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd);

	usual_params(stage);
	return stats.msg_size == 100 && stats.max_msgs == 2;
}

FIXTURE_VARIANT_ADD(call, set_params) {
	.prepare = usual_params, .run = set_params, .finished = params_set, COPIES_ONCE
};

FIXTURE_VARIANT_ADD(call, set_params_with_messages) {
	.prepare = two_messages, .run = set_params, .result = -EBUSY, .finished = kept_messages, COPIES_ONCE
};

static long change_mode(struct stage *stage)
{
	return set_mode(stage->fd, KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_EOF);
}

static int mode_changed(struct stage *stage)
{
	return mode_of(stage->fd) == (KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_EOF) && !set_mode(stage->fd, 0) &&
	       kept_messages(stage);
}

static int mode_unchanged(struct stage *stage)
{
	return mode_of(stage->fd) == 0;
}

static void another_mode(struct stage *stage)
{
	two_messages(stage);
	if (set_mode(stage->fd, KMSGPIPE_MODE_WHOLE))
		abort();
}

static long get_mode(struct stage *stage)
{
	return TRY(ioctl(stage->fd, KMSGPIPE_GET_MODE, stage->in));
}

static int got_mode(struct stage *stage)
{
	unsigned int mode = KMSGPIPE_MODE_WHOLE;

	return !memcmp(&mode, stage->in, sizeof(mode)) && kept_messages(stage);
}

FIXTURE_VARIANT_ADD(call, set_mode) {
	.prepare = two_messages, .run = change_mode, .finished = mode_changed, .failed = mode_unchanged, COPIES_ONCE
};

FIXTURE_VARIANT_ADD(call, get_mode) { .prepare = another_mode, .run = get_mode, .finished = got_mode, COPIES_ONCE };

static void unflushed(struct stage *stage)
{
	struct kmsgpipe_flush off = { 0 };

	two_messages(stage);
	if (ioctl(stage->fd, KMSGPIPE_FLUSH_PERIODIC, &off))
		abort();
}

static long flush_periodic(struct stage *stage)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3600000, .expiry_ms = 3600001 };

	return TRY(ioctl(stage->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
}

static int flushed(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd);

	return stats.flags & KMSGPIPE_STATS_FLUSH && stats.flush_interval_ms == 3600000 &&
	       stats.flush_expiry_ms == 3600001 && kept_messages(stage);
}

FIXTURE_VARIANT_ADD(call, flush_periodic) {
	.prepare = unflushed, .run = flush_periodic, .finished = flushed, COPIES_ONCE
};

static long clear_queue(struct stage *stage)
{
	return TRY(ioctl(stage->fd, KMSGPIPE_CLEAR_QUEUE));
}

static int cleared(struct stage *stage)
{
	return holds_messages(stage, 0, 0);
}

static long toggle_block(struct stage *stage)
{
	return TRY(ioctl(stage->fd, KMSGPIPE_TOGGLE_BLOCK));
}

static long fionbio(struct stage *stage)
{
	int off = 0;

	return TRY(ioctl(stage->fd, FIONBIO, &off));
}

static int blocks(struct stage *stage)
{
	int turned = !(fcntl(stage->fd, F_GETFL) & O_NONBLOCK);

	return turned && !fcntl(stage->fd, F_SETFL, O_NONBLOCK) && kept_messages(stage);
}

/* A request that needs no memory and copies nothing cannot fail. */
FIXTURE_VARIANT_ADD(call, clear_queue) { .prepare = three_messages, .run = clear_queue, .finished = cleared };
FIXTURE_VARIANT_ADD(call, toggle_block) { .prepare = two_messages, .run = toggle_block, .finished = blocks };
/* The kernel reads this argument without a fault point. */
FIXTURE_VARIANT_ADD(call, fionbio) { .prepare = two_messages, .run = fionbio, .finished = blocks };

static long dump(struct stage *stage)
{
	struct kmsgpipe_dump *dump = (void *)stage->out;

	*dump = (struct kmsgpipe_dump){ .buffer = (uintptr_t)stage->in, .size = sizeof(stage->in) };
	return TRY(ioctl(stage->fd, KMSGPIPE_DUMP, dump));
}

static int dumped(struct stage *stage)
{
	struct kmsgpipe_dump *dump = (void *)stage->out;
	const size_t head = sizeof(struct kmsgpipe_record);

	return dump->records == 3 && !dump->missing && dump->used == 3 * head + 8 + MSG_SIZE + 8 &&
	       is_content(stage->in + head, 0, 5) && is_content(stage->in + 2 * head + 8, 1, MSG_SIZE) &&
	       is_content(stage->in + 3 * head + 8 + MSG_SIZE, 2, 6) && kept_messages(stage);
}

/*
 * Copies the argument, allocates memory for a batch and for the position in each of the two streams, copies two batches,
 * and copies the result.
 */
FIXTURE_VARIANT_ADD(call, dump) {
	.prepare = three_messages, .run = dump, .finished = dumped,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT },
	.points = { [SLAB] = 2, [PAGE] = 1, [COPY] = 4 },
	.failures = { [SLAB] = 2, [PAGE] = 1, [COPY] = 4 },
};

/* ---- Creating and destroying pipes ---- */

#define FAULTY "/dev/kmsgpipe/faulty"

static struct kmsgpipe_create faulty_pipe(void)
{
	struct kmsgpipe_create create = default_pipe();

	strcpy(create.name, "faulty");
	return create;
}

static void no_other_pipe(struct stage *stage)
{
	two_messages(stage);
	if (!access(FAULTY, F_OK))
		abort();
}

static long create_new(struct stage *stage)
{
	struct kmsgpipe_create create = faulty_pipe();
	long ret = TRY(ioctl(stage->fd, KMSGPIPE_CREATE_NEW, &create));

	return ret < 0 ? ret : ret == stage->id;
}

/* Whether the pipe was created and works; destroys it. */
static int created(struct stage *stage)
{
	int fd = open(FAULTY, O_RDWR | O_NONBLOCK | O_CLOEXEC), works;
	char text[8];

	works = fd >= 0 && write(fd, "message", 7) == 7 && read(fd, text, 8) == 7 && !ioctl(fd, KMSGPIPE_DESTROY);
	close(fd);
	return works && access(FAULTY, F_OK) && kept_messages(stage);
}

/*
 * Copies the argument, allocates the pipe and its place in the registry, and creates its device with node and
 * attributes.
 */
FIXTURE_VARIANT_ADD(call, create_new) {
	.prepare = no_other_pipe, .run = create_new, .finished = created,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 10, [COPY] = 1 },
	.failures = { [SLAB] = 10, [COPY] = 1 },
};

static void another_pipe(struct stage *stage)
{
	struct kmsgpipe_create create = faulty_pipe();

	no_other_pipe(stage);
	if (create_pipe(&create) < 1)
		abort();
	stage->made = open(FAULTY, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (stage->made < 0 || write(stage->made, "message", 7) != 7)
		abort();
}

static long destroy(struct stage *stage)
{
	return TRY(ioctl(stage->made, KMSGPIPE_DESTROY));
}

static int destroyed(struct stage *stage)
{
	char text[8];

	return TRY(read(stage->made, text, 8)) == -ENODEV && access(FAULTY, F_OK) && kept_messages(stage);
}

/* This never fails. */
FIXTURE_VARIANT_ADD(call, destroy) {
	.prepare = another_pipe, .run = destroy, .finished = destroyed, .points = { [SLAB] = 1 },
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
