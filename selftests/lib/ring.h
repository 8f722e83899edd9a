/* SPDX-License-Identifier: GPL-2.0 */
/* io_uring without liburing. */
#ifndef SELFTESTS_LIB_RING_H
#define SELFTESTS_LIB_RING_H

#include "lib/harness.h"

#include <linux/io_uring.h>

struct ring {
	int fd;
	char *rings;
	size_t size;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

/* One with these flags of io_uring_setup(2). A thread that polls for requests soon goes to sleep, and is woken. */
void ring_setup(struct ring *ring, unsigned int flags);

void ring_open(struct ring *ring);

/* Its mappings hold it, too. Requests that wait are called off by the kernel, soon. */
void ring_close(struct ring *ring);

/* Prepares a request. */
void ring_push(struct ring *ring, const struct io_uring_sqe *request);

/* Submits what was prepared; must come back whatever the pipe's state is. */
long ring_enter(struct ring *ring, unsigned int requests);

long ring_submit(struct ring *ring, const struct io_uring_sqe *request);

unsigned int ring_completions(struct ring *ring);

/* Waits for one completion: its result, and its flags. */
int ring_take(struct ring *ring, unsigned int *flags);

int ring_complete(struct ring *ring);

/* The number of io_uring's worker threads in this process. */
int ring_workers(void);

#endif
