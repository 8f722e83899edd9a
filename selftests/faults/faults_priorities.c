// SPDX-License-Identifier: GPL-2.0
/*
 * Injected faults in writes of messages with a priority or a time to live: the first one of a priority needs a lane,
 * and the first one with a time to live needs lanes.
 */
#include "lib/fault_fixture.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/priorities.h"
#include "lib/records.h"
#include "lib/stage.h"
#include "lib/views.h"

/* It does not matter which allocator the memory comes from. */
#define MAY_LACK { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }

/* Makes the pipe of the stage anew, without any lane, and prepares a message for it. */
static void without_lanes(struct stage *stage, unsigned int priorities, unsigned long long ttl_ns)
{
	struct kmsgpipe_create create = { .msg_size = MSG_SIZE, .max_msgs = MAX_MSGS, .priorities = priorities };
	char *end;

	if (destroy_id(stage->id))
		abort();
	close(stage->fd);
	stage->id = create_pipe(&create);
	if (stage->id < 1)
		abort();
	stage->fd = open_id(stage->id, O_RDWR | O_NONBLOCK);
	if (set_mode(stage->fd, KMSGPIPE_MODE_RECORDS))
		abort();
	end = put_timed(stage->out, priorities - 1, ttl_ns, "message");
	stage->len = end - stage->out;
	stage->queued = 0;
}

static void without_a_lane(struct stage *stage)
{
	without_lanes(stage, 2, 0);
}

static void without_any_lanes(struct stage *stage)
{
	without_lanes(stage, 1, ~0ULL);
}

static long write_record(struct stage *stage)
{
	return transferred(TRY(write(stage->fd, stage->out, stage->len)), stage->len);
}

/* Whether the pipe has just the message of the call. */
static int wrote_record(struct stage *stage)
{
	return stats_of(stage->fd).depth_msgs == 1 && read(stage->fd, stage->in, sizeof(stage->in)) > 0 &&
	       !memcmp(stage->in + sizeof(struct kmsgpipe_record), "message", 7);
}

static int is_empty(struct stage *stage)
{
	return !stats_of(stage->fd).enqueued_msgs;
}

#define WRITING .run = write_record, .finished = wrote_record, .failed = is_empty, .error = MAY_LACK

FIXTURE_VARIANT_ADD(call, first_of_a_priority) {
	.prepare = without_a_lane, WRITING, .points = { [COPY] = 1 }, .shortages = 2,
};

FIXTURE_VARIANT_ADD(call, first_with_a_time_to_live) {
	.prepare = without_any_lanes, WRITING, .points = { [COPY] = 1 }, .shortages = 3,
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
