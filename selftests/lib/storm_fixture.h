/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many tasks on one pipe. This is a header, because the harness defines a fixture as static objects and functions of
 * each file that uses it.
 */
#ifndef SELFTESTS_LIB_STORM_FIXTURE_H
#define SELFTESTS_LIB_STORM_FIXTURE_H

#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/storm.h"

/*
 * A pipe that only the test uses, and tasks on it. The teardown expects no task asleep in it, no open file except
 * those of the test, no message, and consistent statistics.
 */
FIXTURE(storm)
{
	struct storm *storm;
	int fd;
	int nonblocking;
};

FIXTURE_SETUP(storm)
{
	struct kmsgpipe_create create = default_pipe();

	self->storm = shared_memory(sizeof(*self->storm));
	self->storm->id = create_pipe(&create);
	ASSERT_LE(1, self->storm->id);
	self->storm->seed = new_seed();
	self->fd = open_id(self->storm->id, O_RDWR);
	self->nonblocking = open_id(self->storm->id, O_RDWR | O_NONBLOCK);
	self->storm->fd = self->fd;
	printf("# seed %llu (KMSGPIPE_SEED repeats it)\n", self->storm->seed);
}

FIXTURE_TEARDOWN(storm)
{
	struct kmsgpipe_stats stats;

	/* Tasks are left only if the test failed. */
	kill_all(self->storm);
	stats = stats_of(self->fd);
	EXPECT_EQ(0, self->storm->failed);
	EXPECT_EQ(2, stats.readers);
	EXPECT_EQ(2, stats.writers);
	EXPECT_EQ(0, stats.depth_msgs);
	expect_destroyed(_metadata, self->fd);
	close(self->nonblocking);
	close(self->fd);
	fflush(stdout);
}

#endif
