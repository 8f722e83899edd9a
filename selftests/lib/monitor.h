/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks a pipe while other tasks use it: each snapshot is consistent, no counter goes back, and what the other
 * views show lies between two snapshots.
 */
#ifndef SELFTESTS_LIB_MONITOR_H
#define SELFTESTS_LIB_MONITOR_H

#include "lib/harness.h"

struct monitor {
	/* A descriptor of the pipe that is open for reading. */
	int fd;
	struct kmsgpipe_stats last;
	unsigned long snapshots;
	unsigned long views;
	unsigned long errors;
};

/* Takes a snapshot and checks it against itself and the last one. */
void check_snapshot(struct monitor *monitor);

/* Takes a snapshot, and with every eighth one checks the other views. */
void check_all_views(struct monitor *monitor);

#endif
