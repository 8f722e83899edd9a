/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel tells udev, and a listener that opens each new pipe at once, as udev's rules may. */
#ifndef SELFTESTS_UEVENT_H
#define SELFTESTS_UEVENT_H

#include "pipe.h"

#include <linux/netlink.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* Hears what the kernel tells udev. */
static inline int listen_to_kernel(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 1 << 20, fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	return fd;
}

/* The next message about a device of ours, with newlines for its zeroes. They are there already. */
static inline long hear(int fd, char *text, size_t size)
{
	long len, i;

	do {
		len = TRY(recv(fd, text, size - 1, 0));
		if (len < 0)
			return len;
		for (i = 0; i < len; i++)
			if (!text[i])
				text[i] = '\n';
		text[len] = 0;
	} while (!strstr(text, "/kmsgpipe/"));
	return len;
}

static inline int has_line(const char *text, const char *line)
{
	const char *at = text;
	size_t len = strlen(line);

	while ((at = strstr(at, line))) {
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return 1;
		at++;
	}
	return 0;
}

/*
 * A thread that opens the node of each pipe that is announced, at once, and one that tries to open the node at
 * `path` all the time, from before it is there.
 */
struct openers {
	const char *path;
	int netlink;
	/* Told of each pipe that was announced and tried, and that it is over. */
	int tried, over;
	int stop;
	/* Odd while the node at the path can be opened if it is there. */
	unsigned int phase;
	/* Pipes that were announced and could be opened, and what else an open said. */
	unsigned int opened;
	long failed;
	/* How often the node at the path was opened; what else an open in an odd phase said but that there is none. */
	unsigned int found;
	long refused;
	pthread_t threads[2];
};

static inline void *open_announced(void *arg)
{
	struct openers *openers = arg;
	struct pollfd files[] = {
		{ .fd = openers->netlink, .events = POLLIN },
		{ .fd = openers->over, .events = POLLIN },
	};
	char text[4096], path[256], *name;
	long fd;

	while (poll(files, 2, -1) > 0 && !files[1].revents) {
		if (hear(openers->netlink, text, sizeof(text)) < 0 || !has_line(text, "ACTION=add"))
			continue;
		name = strstr(text, "\nDEVNAME=");
		if (!name)
			continue;
		snprintf(path, sizeof(path), "/dev/%.*s", (int)strcspn(name + 9, "\n"), name + 9);
		fd = TRY(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
		if (fd < 0)
			openers->failed = fd;
		else
			openers->opened++;
		if (fd >= 0)
			close(fd);
		eventfd_write(openers->tried, 1);
	}
	return NULL;
}

static inline void *open_always(void *arg)
{
	struct openers *openers = arg;
	unsigned int phase;
	long fd;

	while (!__atomic_load_n(&openers->stop, __ATOMIC_ACQUIRE)) {
		phase = __atomic_load_n(&openers->phase, __ATOMIC_SEQ_CST);
		fd = TRY(open(openers->path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
		if (fd >= 0) {
			close(fd);
			__atomic_add_fetch(&openers->found, 1, __ATOMIC_RELEASE);
		} else if (fd != -ENOENT && phase % 2 && phase == __atomic_load_n(&openers->phase, __ATOMIC_SEQ_CST)) {
			openers->refused = fd;
		}
		sched_yield();
	}
	return NULL;
}

static inline void start_openers(struct openers *openers, const char *path)
{
	*openers = (struct openers){ .path = path, .netlink = listen_to_kernel() };
	openers->tried = eventfd(0, EFD_SEMAPHORE);
	openers->over = eventfd(0, 0);
	if (openers->tried < 0 || openers->over < 0 || pthread_create(&openers->threads[0], NULL, open_announced, openers) ||
	    pthread_create(&openers->threads[1], NULL, open_always, openers))
		abort();
}

/* Before the pipe of the path is made, and before it goes: from then on it can be found in part. */
static inline void next_phase(struct openers *openers)
{
	__atomic_add_fetch(&openers->phase, 1, __ATOMIC_SEQ_CST);
}

/* Waits until so many pipes more were tried. */
static inline void await_tried(struct openers *openers, unsigned int count)
{
	eventfd_t value;

	while (count--)
		if (eventfd_read(openers->tried, &value))
			abort();
}

/* Waits until the node at the path was opened once more. */
static inline void await_found(struct openers *openers, unsigned int before)
{
	while (__atomic_load_n(&openers->found, __ATOMIC_ACQUIRE) == before)
		sched_yield();
}

static inline void stop_openers(struct openers *openers)
{
	__atomic_store_n(&openers->stop, 1, __ATOMIC_RELEASE);
	eventfd_write(openers->over, 1);
	pthread_join(openers->threads[0], NULL);
	pthread_join(openers->threads[1], NULL);
	close(openers->netlink);
	close(openers->tried);
	close(openers->over);
}

#endif
