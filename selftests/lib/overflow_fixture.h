/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A full pipe, and its overflow policy. This is a header, because the harness defines a fixture as static objects and
 * functions of each file that uses it.
 */
#ifndef SELFTESTS_LIB_OVERFLOW_FIXTURE_H
#define SELFTESTS_LIB_OVERFLOW_FIXTURE_H

#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <sys/epoll.h>

/*
 * A pipe that only the test uses, with the policy "block" and full of three messages. The teardown expects no task
 * asleep in it and consistent statistics, and destroys it.
 */
FIXTURE(full)
{
	long id;
	int fd;
	int nonblocking;
};

FIXTURE_SETUP(full)
{
	self->id = limited_pipe(256, 3);
	self->fd = open_id(self->id, O_RDWR);
	self->nonblocking = open_id(self->id, O_RDWR | O_NONBLOCK);
	fill_full(self->fd);
}

FIXTURE_TEARDOWN(full)
{
	expect_gone(_metadata, self->fd);
	close(self->nonblocking);
	close(self->fd);
}

#endif
