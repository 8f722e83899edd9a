/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pipe that only the test uses. This is a header, because the harness defines a fixture as static objects and
 * functions of each file that uses it.
 */
#ifndef SELFTESTS_LIB_OWN_FIXTURE_H
#define SELFTESTS_LIB_OWN_FIXTURE_H

#include "lib/harness.h"
#include "lib/pipe.h"

/*
 * A pipe that only the test uses, with the default limits. The teardown expects no task asleep in it and consistent
 * statistics, and destroys it.
 */
FIXTURE(own)
{
	long id;
	int fd;
	int nonblocking;
};

FIXTURE_SETUP(own)
{
	struct kmsgpipe_create create = default_pipe();

	self->id = create_pipe(&create);
	ASSERT_LE(1, self->id);
	self->fd = open_id(self->id, O_RDWR);
	self->nonblocking = open_id(self->id, O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
}

FIXTURE_TEARDOWN(own)
{
	expect_gone(_metadata, self->fd);
	close(self->nonblocking);
	close(self->fd);
}

#endif
