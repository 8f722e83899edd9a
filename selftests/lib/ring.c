// SPDX-License-Identifier: GPL-2.0
#include "lib/ring.h"

#include <dirent.h>
#include <sys/syscall.h>

#define ENTRIES 8

void ring_setup(struct ring *ring, unsigned int flags)
{
	memset(ring, 0, sizeof(*ring));
	ring->params.flags = flags;
	ring->params.sq_thread_idle = 1;
	ring->fd = syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0 || !(ring->params.features & IORING_FEAT_SINGLE_MMAP))
		abort();
	ring->size = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ENTRIES * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED)
		abort();
}

void ring_open(struct ring *ring)
{
	ring_setup(ring, 0);
}

void ring_close(struct ring *ring)
{
	munmap(ring->rings, ring->size);
	munmap(ring->sqes, ENTRIES * sizeof(struct io_uring_sqe));
	close(ring->fd);
}

static unsigned int *ring_word(struct ring *ring, unsigned int offset)
{
	return (unsigned int *)(ring->rings + offset);
}

static void place(struct ring *ring, unsigned int at, const struct io_uring_sqe *request)
{
	unsigned int index = at & *ring_word(ring, ring->params.sq_off.ring_mask);

	ring->sqes[index] = *request;
	ring_word(ring, ring->params.sq_off.array)[index] = index;
}

void ring_push(struct ring *ring, const struct io_uring_sqe *request)
{
	unsigned int *tail = ring_word(ring, ring->params.sq_off.tail);

	place(ring, *tail, request);
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

void ring_push_linked(struct ring *ring, const struct io_uring_sqe *first, const struct io_uring_sqe *second)
{
	unsigned int *tail = ring_word(ring, ring->params.sq_off.tail);
	struct io_uring_sqe linked = *first;

	linked.flags |= IOSQE_IO_LINK;
	place(ring, *tail, &linked);
	place(ring, *tail + 1, second);
	__atomic_store_n(tail, *tail + 2, __ATOMIC_RELEASE);
}

long ring_enter(struct ring *ring, unsigned int requests)
{
	return TRY(syscall(SYS_io_uring_enter, ring->fd, requests, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0));
}

long ring_submit(struct ring *ring, const struct io_uring_sqe *request)
{
	ring_push(ring, request);
	return ring_enter(ring, 1);
}

unsigned int ring_completions(struct ring *ring)
{
	return __atomic_load_n(ring_word(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE) -
	       *ring_word(ring, ring->params.cq_off.head);
}

int ring_take(struct ring *ring, unsigned int *flags)
{
	unsigned int *head = ring_word(ring, ring->params.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(ring->rings + ring->params.cq_off.cqes), *cqe;
	int result;

	if (syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		abort();
	cqe = &cqes[*head & *ring_word(ring, ring->params.cq_off.ring_mask)];
	result = cqe->res;
	*flags = cqe->flags;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

int ring_complete(struct ring *ring)
{
	unsigned int flags;

	return ring_take(ring, &flags);
}

int ring_workers(void)
{
	DIR *tasks = opendir("/proc/self/task");
	char path[300], name[32];
	struct dirent *task;
	int count = 0;
	FILE *file;

	while (tasks && (task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strncmp(name, "iou-wrk", 7))
			count++;
		fclose(file);
	}
	closedir(tasks);
	return count;
}
