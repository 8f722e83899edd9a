/* SPDX-License-Identifier: GPL-2.0 */
/* The uevents of pipes, and a listener that opens each pipe as soon as it is announced, as udev rules may. */
#ifndef SELFTESTS_LIB_UEVENT_H
#define SELFTESTS_LIB_UEVENT_H

#include "lib/harness.h"

/* Hears what the kernel tells udev. */
int open_uevents(void);

/* The next message about a device of ours, with newlines for its zeroes. They are there already. */
long next_uevent(int fd, char *text, size_t size);

int has_line(const char *text, const char *line);

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

void start_openers(struct openers *openers, const char *path);

/* Before the pipe of the path is made, and before it goes: from then on it can be found in part. */
void next_phase(struct openers *openers);

/* Waits until so many pipes more were tried. */
void await_tried(struct openers *openers, unsigned int count);

/* Waits until the node at the path was opened once more. */
void await_found(struct openers *openers, unsigned int before);

void stop_openers(struct openers *openers);

#endif
