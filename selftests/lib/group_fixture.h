/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A memory control group. This is a header, because the harness defines a fixture as static objects and functions of
 * each file that uses it.
 */
#ifndef SELFTESTS_LIB_GROUP_FIXTURE_H
#define SELFTESTS_LIB_GROUP_FIXTURE_H

#include "lib/harness.h"
#include "lib/files.h"
#include "lib/group.h"
#include "lib/pipe.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/mount.h>

/* An empty memory control group without a limit; the test itself is not a member. */
FIXTURE(group)
{
	char path[64];
	int fd;
};

FIXTURE_SETUP(group)
{
	cpu_set_t first;

	destroy_all_pipes();
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	if (access(ROOT "/cgroup.procs", F_OK))
		ASSERT_EQ(0, mount("cgroup2", ROOT, "cgroup2", 0, NULL));
	ASSERT_LT(0, spill(ROOT "/cgroup.subtree_control", "+memory"));
	snprintf(self->path, sizeof(self->path), ROOT "/kmsgpipe-%d", getpid());
	ASSERT_EQ(0, mkdir(self->path, 0755));
	/* Other processors uncharge what they charged in advance only later. */
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(first), &first));
}

FIXTURE_TEARDOWN(group)
{
	close(self->fd);
	destroy_all_pipes();
	EXPECT_EQ(0, rmdir(self->path));
}

#endif
