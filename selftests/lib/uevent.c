// SPDX-License-Identifier: GPL-2.0
#include "lib/uevent.h"

#include <linux/netlink.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

int open_uevents(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 1 << 20, fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	return fd;
}

long next_uevent(int fd, char *text, size_t size)
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

int has_line(const char *text, const char *line)
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

static void *open_announced(void *arg)
{
	struct openers *openers = arg;
	struct pollfd files[] = {
		{ .fd = openers->netlink, .events = POLLIN },
		{ .fd = openers->over, .events = POLLIN },
	};
	char text[4096], path[256], *name;
	long fd;

	while (poll(files, 2, -1) > 0 && !files[1].revents) {
		if (next_uevent(openers->netlink, text, sizeof(text)) < 0 || !has_line(text, "ACTION=add"))
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

static void *open_always(void *arg)
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

void start_openers(struct openers *openers, const char *path)
{
	*openers = (struct openers){ .path = path, .netlink = open_uevents() };
	openers->tried = eventfd(0, EFD_SEMAPHORE);
	openers->over = eventfd(0, 0);
	if (openers->tried < 0 || openers->over < 0 || pthread_create(&openers->threads[0], NULL, open_announced, openers) ||
	    pthread_create(&openers->threads[1], NULL, open_always, openers))
		abort();
}

void next_phase(struct openers *openers)
{
	__atomic_add_fetch(&openers->phase, 1, __ATOMIC_SEQ_CST);
}

void await_tried(struct openers *openers, unsigned int count)
{
	eventfd_t value;

	while (count--)
		if (eventfd_read(openers->tried, &value))
			abort();
}

void await_found(struct openers *openers, unsigned int before)
{
	while (__atomic_load_n(&openers->found, __ATOMIC_ACQUIRE) == before)
		sched_yield();
}

void stop_openers(struct openers *openers)
{
	__atomic_store_n(&openers->stop, 1, __ATOMIC_RELEASE);
	eventfd_write(openers->over, 1);
	pthread_join(openers->threads[0], NULL);
	pthread_join(openers->threads[1], NULL);
	close(openers->netlink);
	close(openers->tried);
	close(openers->over);
}
