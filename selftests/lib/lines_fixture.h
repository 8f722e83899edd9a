/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pipe for lines. This is a header, because the harness defines a fixture as static objects and functions of each
 * file that uses it.
 */
#ifndef SELFTESTS_LIB_LINES_FIXTURE_H
#define SELFTESTS_LIB_LINES_FIXTURE_H

#include "lib/harness.h"
#include "lib/pipe.h"

/*
 * A pipe with four slots for messages of up to 16 bytes. `fd` and `nonblocking` are in the mode LINES, `reading` and
 * `plain` are not.
 */
#define LONGEST 16
#define SLOTS 4

FIXTURE(lines)
{
	long id;
	int fd;
	int nonblocking;
	int reading; /* O_RDONLY and O_NONBLOCK */
	int plain; /* O_WRONLY and O_NONBLOCK */
};

FIXTURE_SETUP(lines)
{
	self->id = limited_pipe(LONGEST, SLOTS);
	self->fd = open_for_lines(self->id, O_RDWR);
	self->nonblocking = open_for_lines(self->id, O_RDWR | O_NONBLOCK);
	self->reading = open_id(self->id, O_RDONLY | O_NONBLOCK);
	self->plain = open_id(self->id, O_WRONLY | O_NONBLOCK);
}

FIXTURE_TEARDOWN(lines)
{
	expect_gone(_metadata, self->fd);
	close(self->plain);
	close(self->reading);
	close(self->nonblocking);
	close(self->fd);
}

/* Expects exactly these messages in the pipe. */
#define EXPECT_MESSAGES(self, ...) EXPECT_READS((self)->reading, __VA_ARGS__)

#endif
