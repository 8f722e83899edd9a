/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A full pipe, and its overflow policy. This is a header, because the harness defines a fixture as static objects and
 * functions of each file that uses it.
 */
#ifndef SELFTESTS_LIB_OVERFLOW_FIXTURE_H
#define SELFTESTS_LIB_OVERFLOW_FIXTURE_H

#include "lib/files.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <sys/epoll.h>

/* Fills a pipe for three messages. */
static inline void fill_full(int fd)
{
	if (write_text(fd, "1") != 1 || write_text(fd, "22") != 2 || write_text(fd, "333") != 3)
		abort();
}

/* Sets the policy of a pipe; aborts if that fails. */
static inline void set_policy(long id, const char *policy)
{
	if (spill(sysfs_file(id, "overflow"), policy) != (long)strlen(policy))
		abort();
}

/* The policy of a pipe as sysfs shows it. It stays valid until the next call. */
static inline const char *policy_of(long id)
{
	static char text[64];

	if (slurp(sysfs_file(id, "overflow"), text, sizeof(text)) < 0)
		abort();
	return text;
}

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
