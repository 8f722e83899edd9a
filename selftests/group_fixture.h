/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_GROUP_FIXTURE_H
#define SELFTESTS_GROUP_FIXTURE_H

#include "instances.h"

#include <sys/mount.h>

#define ROOT "/sys/fs/cgroup"
#define MIB 1048576LL

/* A memory control group, empty and without a limit; the test itself stays outside. */
FIXTURE(group)
{
	char path[64];
	int fd;
};

static inline long group_write(FIXTURE_DATA(group) *self, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", self->path, file);
	return spill(path, text);
}

static inline long long group_number(FIXTURE_DATA(group) *self, const char *file)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "%s/%s", self->path, file);
	if (slurp(path, text, sizeof(text)) <= 0)
		abort();
	return strtoll(text, NULL, 10);
}

/* How often something has happened to the group: a line of memory.events. */
static inline long long group_events(FIXTURE_DATA(group) *self, const char *event)
{
	char path[128], text[512], *line;

	snprintf(path, sizeof(path), "%s/memory.events", self->path);
	if (slurp(path, text, sizeof(text)) <= 0)
		abort();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, event, strlen(event)) && line[strlen(event)] == ' ')
			return strtoll(line + strlen(event), NULL, 10);
	abort();
}

/*
 * What is charged to the group now. The kernel charges in advance, 64 pages at a time on each
 * processor, and gives that back when a group comes to its limit.
 */
static inline long long charged(FIXTURE_DATA(group) *self)
{
	if (group_write(self, "memory.high", "0") < 0 || group_write(self, "memory.high", "max") < 0)
		abort();
	return group_number(self, "memory.current");
}

FIXTURE_SETUP(group)
{
	cpu_set_t first;

	pipes_in_sysfs(1);
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	if (access(ROOT "/cgroup.procs", F_OK))
		ASSERT_EQ(0, mount("cgroup2", ROOT, "cgroup2", 0, NULL));
	ASSERT_LT(0, spill(ROOT "/cgroup.subtree_control", "+memory"));
	snprintf(self->path, sizeof(self->path), ROOT "/kmsgpipe-%d", getpid());
	ASSERT_EQ(0, mkdir(self->path, 0755));
	/* What other processors have charged in advance is given back later only. */
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(first), &first));
}

FIXTURE_TEARDOWN(group)
{
	close(self->fd);
	pipes_in_sysfs(1);
	EXPECT_EQ(0, rmdir(self->path));
}

#endif
