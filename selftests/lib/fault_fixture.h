/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A call with injected faults; each program adds its calls as variants. This is a header, because the harness
 * defines a fixture as static objects and functions of each file that uses it.
 */
#ifndef SELFTESTS_LIB_FAULT_FIXTURE_H
#define SELFTESTS_LIB_FAULT_FIXTURE_H

#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"

FIXTURE(call)
{
	struct stage *stage;
};

FIXTURE_SETUP(call)
{
	struct kmsgpipe_create create = { .msg_size = MSG_SIZE, .max_msgs = MAX_MSGS, .mode = 0600 };
	struct stage *stage = calloc(1, sizeof(*stage));

	inject_setup();
	self->stage = stage;
	stage->id = create_pipe(&create);
	ASSERT_LE(1, stage->id);
	stage->fd = open_id(stage->id, O_RDWR | O_NONBLOCK);
	stage->made = -1;
	stage->with = -1;
	ASSERT_EQ(0, pipe2(stage->ends, O_CLOEXEC | O_NONBLOCK));
}

FIXTURE_TEARDOWN(call)
{
	expect_destroyed(_metadata, self->stage->fd);
	close(self->stage->fd);
}

#endif
