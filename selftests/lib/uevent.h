/* SPDX-License-Identifier: GPL-2.0 */
/* The uevents of pipes, and a listener that opens each pipe as soon as its uevent arrives, as udev rules may. */
#ifndef SELFTESTS_LIB_UEVENT_H
#define SELFTESTS_LIB_UEVENT_H

#include "lib/harness.h"

/* Opens a socket that receives the kernel's uevents. */
int open_uevents(void);

/* Reads the next uevent of a pipe without waiting, with newlines in place of its zeroes. */
long next_uevent(int fd, char *text, size_t size);

int has_line(const char *text, const char *line);

/*
 * Two threads: one opens the node of each pipe as soon as its uevent arrives, the other tries to open the node at
 * `path` all the time, also before it exists.
 */
struct openers {
	const char *path;
	int netlink;
	/* Eventfds: one counts the announced pipes that were tried, the other ends the thread. */
	int tried, over;
	int stop;
	/* Odd while an open of an existing node at `path` must succeed. */
	unsigned int phase;
	/* The number of announced pipes that were opened, and the last error of an open. */
	unsigned int opened;
	long failed;
	/* How often the node at `path` was opened, and the last error other than ENOENT in an odd phase. */
	unsigned int found;
	long refused;
	pthread_t threads[2];
};

void start_openers(struct openers *openers, const char *path);

/*
 * Called before the pipe at `path` is created and before it is destroyed. While it is set up or removed, an open may
 * fail.
 */
void next_phase(struct openers *openers);

/* Waits until this many more pipes were tried. */
void await_tried(struct openers *openers, unsigned int count);

/* Waits until the node at `path` was opened once more. */
void await_found(struct openers *openers, unsigned int before);

void stop_openers(struct openers *openers);

#endif
