/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pipe 0. This is a header, because the harness defines a fixture as static objects and functions of each file that
 * uses it.
 */
#ifndef SELFTESTS_LIB_PIPE_FIXTURE_H
#define SELFTESTS_LIB_PIPE_FIXTURE_H

#include "lib/harness.h"
#include "lib/pipe.h"

/* Pipe 0, open and empty. The teardown expects no task asleep in it and consistent statistics. */
FIXTURE(pipe)
{
	int fd;
	int nonblocking;
};

FIXTURE_SETUP(pipe)
{
	self->fd = open_pipe(O_RDWR);
	self->nonblocking = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
}

FIXTURE_TEARDOWN(pipe)
{
	expect_at_rest(_metadata, self->fd);
	close(self->nonblocking);
	close(self->fd);
}

#endif
