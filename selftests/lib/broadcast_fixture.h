/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A broadcast pipe. This is a header, because the harness defines a fixture as static objects and functions of each
 * file that uses it.
 */
#ifndef SELFTESTS_LIB_BROADCAST_FIXTURE_H
#define SELFTESTS_LIB_BROADCAST_FIXTURE_H

#include "lib/broadcast.h"
#include "lib/harness.h"
#include "lib/pipe.h"

/*
 * A broadcast pipe for three messages of up to 256 bytes that only the test uses, without history and with the policy
 * "block". Both files can only write, so there is no subscription. The teardown expects no task asleep in the pipe and
 * consistent statistics, and destroys it.
 */
FIXTURE(broadcast)
{
	long id;
	int fd;
	int nonblocking;
};

FIXTURE_SETUP(broadcast)
{
	self->id = broadcast_pipe(3, 0);
	self->fd = open_id(self->id, O_WRONLY);
	self->nonblocking = open_id(self->id, O_WRONLY | O_NONBLOCK);
}

FIXTURE_TEARDOWN(broadcast)
{
	expect_gone(_metadata, self->fd);
	close(self->nonblocking);
	close(self->fd);
}

#endif
