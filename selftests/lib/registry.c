// SPDX-License-Identifier: GPL-2.0
#include "lib/registry.h"
#include "lib/pipe.h"

long next_id(long id)
{
	return id == MAX_PIPES - 1 ? 1 : id + 1;
}

long try_open(const char *path, int flags)
{
	return TRY(open(path, flags | O_CLOEXEC));
}

long try_open_id(long id, int flags)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", id);
	return try_open(node, flags);
}

int own_pipe(long *id, unsigned int max_msgs, int flags)
{
	struct kmsgpipe_create create = { .msg_size = 64, .max_msgs = max_msgs };

	*id = create_pipe(&create);
	if (*id < 1)
		abort();
	return open_id(*id, flags);
}

long destroy_pipe(int fd)
{
	return TRY(ioctl(fd, KMSGPIPE_DESTROY));
}
