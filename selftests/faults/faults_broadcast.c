// SPDX-License-Identifier: GPL-2.0
/*
 * Injected faults in calls on broadcast pipes, and in KMSGPIPE_ATTACH. The stage reads by a subscription, so its
 * checks are those of a queue.
 */
#include "lib/broadcast.h"
#include "lib/fault_fixture.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"
#include "lib/views.h"

/* It does not matter which allocator the memory comes from. */
#define MAY_LACK { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }

/* The kind of the pipe of the stage. */
static int is_broadcast(struct stage *stage)
{
	char text[64];

	return slurp(sysfs_file(stage->id, "kind"), text, sizeof(text)) > 0 && !strcmp(text, "broadcast\n");
}

/* Empties the stage; its pipe is a broadcast pipe from the first call on. */
static void empty_broadcast(struct stage *stage)
{
	struct kmsgpipe_create create = broadcast_request(MAX_MSGS, 0);

	create.msg_size = MSG_SIZE;
	if (!is_broadcast(stage)) {
		if (destroy_id(stage->id))
			abort();
		close(stage->fd);
		stage->id = create_pipe(&create);
		if (stage->id < 1)
			abort();
		stage->fd = open_id(stage->id, O_RDWR | O_NONBLOCK);
	}
	empty_stage(stage);
}

static void broadcast_two(struct stage *stage)
{
	empty_broadcast(stage);
	queue_message(stage, 7);
	queue_message(stage, 9);
}

static void broadcast_long_and_short(struct stage *stage)
{
	empty_broadcast(stage);
	queue_message(stage, MSG_SIZE);
	queue_message(stage, 9);
}

/* Two messages that another subscription holds back; the stage has read the first one. */
static void held_two(struct stage *stage)
{
	empty_broadcast(stage);
	stage->made = subscribe(stage->id);
	queue_message(stage, 7);
	queue_message(stage, 9);
	if (read(stage->fd, stage->in, sizeof(stage->in)) != 7)
		abort();
}

/* ---- KMSGPIPE_ATTACH ---- */

static long begin_again(struct stage *stage)
{
	return attach(stage->fd, KMSGPIPE_ATTACH_OWN, KMSGPIPE_START_OLDEST, 0);
}

static long look(struct stage *stage)
{
	return browse(stage->fd, KMSGPIPE_START_OLDEST, 0);
}

static long read_the_queue(struct stage *stage)
{
	return attach(stage->fd, KMSGPIPE_ATTACH_GROUP, KMSGPIPE_START_NOW, 0);
}

static int is_at_the_second(struct stage *stage)
{
	return fdinfo_number(stage->fd, "kmsgpipe-lag-msgs") == 1 && !strncmp(position_of(stage->fd), "own", 3);
}

static int reads_the_queue(struct stage *stage)
{
	return !strcmp("queue", position_of(stage->fd));
}

static int looks(struct stage *stage)
{
	return !strncmp("browse", position_of(stage->fd), 6);
}

static int looked(struct stage *stage)
{
	return looks(stage) && kept_messages(stage);
}

/* Whether a file that browses a queue saw all messages, which are in the queue still. */
static int looked_at_a_queue(struct stage *stage)
{
	return looked(stage) && !read_the_queue(stage) && kept_messages(stage);
}

static int has_the_queue(struct stage *stage)
{
	return reads_the_queue(stage) && kept_messages(stage);
}

static void looking(struct stage *stage)
{
	two_messages(stage);
	if (look(stage))
		abort();
}

#define ATTACHING .error = MAY_LACK, .points = { [COPY] = 1 }, .failures = { [COPY] = 1 }

FIXTURE_VARIANT_ADD(call, attach_own) {
	.prepare = held_two, .run = begin_again, .finished = kept_messages, .failed = is_at_the_second, ATTACHING, .shortages = 1,
};

FIXTURE_VARIANT_ADD(call, attach_browse) {
	.prepare = held_two, .run = look, .finished = looked, .failed = is_at_the_second, ATTACHING, .shortages = 1,
};

FIXTURE_VARIANT_ADD(call, attach_browse_of_a_queue) {
	.prepare = two_messages, .run = look, .finished = looked_at_a_queue, .failed = reads_the_queue, ATTACHING,
	.shortages = 2,
};

FIXTURE_VARIANT_ADD(call, attach_group) {
	.prepare = looking, .run = read_the_queue, .finished = has_the_queue, .failed = looks, ATTACHING,
};

/* ---- Opening and creating ---- */

static long open_to_subscribe(struct stage *stage)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", stage->id);
	stage->made = open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return stage->made < 0 ? -errno : 0;
}

/* Whether there is another subscription, from now on. */
static int subscribed(struct stage *stage)
{
	return stats_of(stage->fd).readers == 2 && kept_messages(stage) && write(stage->fd, "new", 3) == 3 &&
	       read(stage->made, stage->in, sizeof(stage->in)) == 3 && read(stage->fd, stage->in, sizeof(stage->in)) == 3 &&
	       !stats_of(stage->fd).depth_msgs;
}

FIXTURE_VARIANT_ADD(call, open_to_subscribe) {
	.prepare = broadcast_two, .run = open_to_subscribe, .finished = subscribed,
	.error = MAY_LACK, .points = { [SLAB] = 4, [COPY] = 1 }, .failures = { [SLAB] = 4, [COPY] = 1 },
};

static long end_a_subscription(struct stage *stage)
{
	int fd = stage->made;

	stage->made = -1;
	return TRY(close(fd));
}

/* Whether what only the closed file had to read has left the pipe. */
static int ended(struct stage *stage)
{
	return stats_of(stage->fd).readers == 1 && stats_of(stage->fd).depth_msgs == 1 && holds_messages(stage, 1, 2);
}

/* This needs no memory. */
FIXTURE_VARIANT_ADD(call, close_of_a_subscription) { .prepare = held_two, .run = end_a_subscription, .finished = ended };

#define FAULTY "/dev/kmsgpipe/faulty"
#define FAULTY_LINE "faulty kind=broadcast max_msgs=64 history=8\n"

static void no_other_pipe(struct stage *stage)
{
	two_messages(stage);
	if (!access(FAULTY, F_OK))
		abort();
}

static long create_by_ioctl(struct stage *stage)
{
	struct kmsgpipe_create create = broadcast_request(64, 8);
	long ret;

	strcpy(create.name, "faulty");
	ret = TRY(ioctl(stage->fd, KMSGPIPE_CREATE_NEW, &create));
	return ret < 0 ? ret : ret == stage->id;
}

static long create_by_sysfs(struct stage *stage)
{
	return transferred(spill(SYSFS "/create", FAULTY_LINE), strlen(FAULTY_LINE));
}

/* Whether the pipe was created and keeps messages for a subscription that comes later; destroys it. */
static int created(struct stage *stage)
{
	int writer = open(FAULTY, O_WRONLY | O_CLOEXEC), reader, works;
	char text[8];

	works = writer >= 0 && write(writer, "message", 7) == 7;
	reader = open(FAULTY, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	works = works && reader >= 0 && read(reader, text, 8) == 7 && !ioctl(reader, KMSGPIPE_DESTROY);
	close(reader);
	close(writer);
	return works && access(FAULTY, F_OK) && kept_messages(stage);
}

/* Two allocations more than for a queue: what the subscriptions have yet to read, and its entries. */
FIXTURE_VARIANT_ADD(call, create_new_broadcast) {
	.prepare = no_other_pipe, .run = create_by_ioctl, .finished = created,
	.error = MAY_LACK, .points = { [SLAB] = 12, [COPY] = 1 }, .failures = { [SLAB] = 12, [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, write_to_create_of_a_broadcast_pipe) {
	.prepare = no_other_pipe, .run = create_by_sysfs, .finished = created,
	.error = MAY_LACK, .points = { [SLAB] = 12, [COPY] = 2 }, .failures = { [SLAB] = 12, [COPY] = 2 },
};

static void usual_params(struct stage *stage)
{
	empty_broadcast(stage);
	if (set_limits(stage->fd, MSG_SIZE, MAX_MSGS))
		abort();
}

static long set_params(struct stage *stage)
{
	return set_limits(stage->fd, 100, 64);
}

static int params_set(struct stage *stage)
{
	struct kmsgpipe_stats stats = stats_of(stage->fd);
	char byte;

	return stats.msg_size == 100 && stats.max_msgs == 64 && write(stage->fd, "x", 1) == 1 &&
	       read(stage->fd, &byte, 1) == 1;
}

FIXTURE_VARIANT_ADD(call, set_params_of_a_broadcast_pipe) {
	.prepare = usual_params, .run = set_params, .finished = params_set,
	.error = MAY_LACK, .points = { [COPY] = 1 }, .failures = { [COPY] = 1 }, .shortages = 1,
};

/* ---- Writing and reading ---- */

static void another_subscription(struct stage *stage)
{
	empty_broadcast(stage);
	stage->made = subscribe(stage->id);
	message_of(stage, 7);
}

static long publish(struct stage *stage)
{
	return transferred(TRY(write(stage->fd, stage->out, stage->len)), stage->len);
}

/* Whether both subscriptions got the message. */
static int published(struct stage *stage)
{
	return read(stage->made, stage->in, sizeof(stage->in)) == 7 && is_content(stage->in, 0, 7) &&
	       stats_of(stage->fd).depth_msgs == 1 && wrote_message(stage) && !stats_of(stage->fd).depth_msgs;
}

/* A page for the record and one for the payload, however many subscriptions there are. */
FIXTURE_VARIANT_ADD(call, write_to_two_subscriptions) {
	.prepare = another_subscription, .run = publish, .finished = published,
	.error = { [PAGE] = ENOMEM }, .points = { [PAGE] = 2, [COPY] = 1 }, .failures = { [PAGE] = 2 },
};

static long read_it(struct stage *stage)
{
	return transferred(TRY(read(stage->fd, stage->in, sizeof(stage->in))), stage->lens[0]);
}

static long read_3(struct stage *stage)
{
	return transferred(TRY(read(stage->fd, stage->in, 3)), 3);
}

/* Whether the call got three bytes, and the next read gets the rest. */
static int has_read_3(struct stage *stage)
{
	return stage->in[3] == 0x55 && rest_bytes(stage->fd) == (long long)stage->lens[0] - 3 &&
	       read(stage->fd, stage->in + 3, sizeof(stage->in) - 3) == (ssize_t)stage->lens[0] - 3 && read_oldest(stage);
}

static int keeps_no_rest(struct stage *stage)
{
	return rest_bytes(stage->fd) == 0;
}

static void looking_at_long_and_short(struct stage *stage)
{
	long_and_short(stage);
	if (look(stage))
		abort();
}

FIXTURE_VARIANT_ADD(call, read_of_a_subscription) {
	.prepare = broadcast_two, .run = read_it, .finished = read_oldest, .points = { [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, read_of_a_long_message_of_a_subscription) {
	.prepare = broadcast_long_and_short, .run = read_it, .finished = read_oldest, .points = { [COPY] = 4 },
};

FIXTURE_VARIANT_ADD(call, short_read_of_a_subscription) {
	.prepare = broadcast_two, .run = read_3, .finished = has_read_3, .failed = keeps_no_rest,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [COPY] = 1 }, .shortages = 1,
};

FIXTURE_VARIANT_ADD(call, read_of_a_file_that_browses) {
	.prepare = looking_at_long_and_short, .run = read_it, .finished = read_oldest, .points = { [COPY] = 4 },
};

FIXTURE_VARIANT_ADD(call, short_read_of_a_file_that_browses) {
	.prepare = looking_at_long_and_short, .run = read_3, .finished = has_read_3, .failed = keeps_no_rest,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [COPY] = 1 }, .shortages = 1,
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
