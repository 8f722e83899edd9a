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

/*
 * Sets up a ring with these flags of io_uring_setup(2). A kernel thread that polls for requests goes to sleep after 1
 * ms; ring_enter() wakes it.
 */
void ring_setup(struct ring *ring, unsigned int flags);

void ring_open(struct ring *ring);

/*
 * Unmaps the ring, as its mappings hold a reference, too, and closes it. The kernel soon cancels requests that wait.
 */
void ring_close(struct ring *ring);

/* Queues a request without submitting it. */
void ring_push(struct ring *ring, const struct io_uring_sqe *request);

/*
 * Queues a request that is linked to the one behind it. Both appear at once: a kernel thread that polls for requests
 * would take a first one that it sees alone for a chain of one.
 */
void ring_push_linked(struct ring *ring, const struct io_uring_sqe *first, const struct io_uring_sqe *second);

/* Submits queued requests. This must return whatever the state of the pipe is. */
long ring_enter(struct ring *ring, unsigned int requests);

long ring_submit(struct ring *ring, const struct io_uring_sqe *request);

unsigned int ring_completions(struct ring *ring);

/* Waits for one completion: its result and its flags. */
int ring_take(struct ring *ring, unsigned int *flags);

int ring_complete(struct ring *ring);

/* The number of io_uring worker threads in this process. */
int ring_workers(void);

#endif
