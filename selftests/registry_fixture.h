/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_REGISTRY_FIXTURE_H
#define SELFTESTS_REGISTRY_FIXTURE_H

#include "instances.h"

/* How many pipes there can be at once, pipe 0 among them: as many as there are numbers. */
#define MOST 65536

/* The number that comes after this one. */
static inline long after(long id)
{
	return id == MOST - 1 ? 1 : id + 1;
}

/* Opens whatever there is: the descriptor, or minus the errno. */
static inline long try_open(const char *path, int flags)
{
	return TRY(open(path, flags | O_CLOEXEC));
}

static inline long try_open_id(long id, int flags)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", id);
	return try_open(node, flags);
}

/* Makes a pipe with a few small messages' room and opens it. */
static inline int own_pipe(long *id, unsigned int max_msgs, int flags)
{
	struct kmsgpipe_create create = { .msg_size = 64, .max_msgs = max_msgs };

	*id = create_pipe(&create);
	if (*id < 1)
		abort();
	return open_id(*id, flags);
}

static inline long destroy(int fd)
{
	return TRY(ioctl(fd, KMSGPIPE_DESTROY));
}

/* Pipe 0 and no other, before and after. */
FIXTURE(registry)
{
	int fd;
};

FIXTURE_SETUP(registry)
{
	pipes_in_sysfs(1);
	ASSERT_EQ(1, pipes_in_sysfs(0));
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

FIXTURE_TEARDOWN(registry)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_EQ(0, stats.id);
	EXPECT_TRUE(accounted(&stats));
	close(self->fd);
	pipes_in_sysfs(1);
	EXPECT_EQ(1, pipes_in_sysfs(0));
}

#endif
