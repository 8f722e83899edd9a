/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registry with pipe 0 alone. This is a header, because the harness defines a fixture as static objects and
 * functions of each file that uses it.
 */
#ifndef SELFTESTS_LIB_REGISTRY_FIXTURE_H
#define SELFTESTS_LIB_REGISTRY_FIXTURE_H

#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/views.h"

/* Pipe 0 is the only pipe before and after each test. */
FIXTURE(registry)
{
	int fd;
};

FIXTURE_SETUP(registry)
{
	destroy_all_pipes();
	ASSERT_EQ(1, count_pipes());
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

FIXTURE_TEARDOWN(registry)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_EQ(0, stats.id);
	EXPECT_TRUE(accounted(&stats));
	close(self->fd);
	destroy_all_pipes();
	EXPECT_EQ(1, count_pipes());
}

#endif
