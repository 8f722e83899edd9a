/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks a pipe while other tasks use it: each snapshot is consistent, no counter goes back, and what the other
 * views show lies between two snapshots.
 */
#ifndef SELFTESTS_LIB_MONITOR_H
#define SELFTESTS_LIB_MONITOR_H

#include "lib/harness.h"

struct monitor {
	/* Open for reading. */
	int fd;
	struct kmsgpipe_stats last;
	unsigned long snapshots;
	unsigned long views;
	unsigned long false_ones;
};

/* Takes a snapshot and looks at it. */
void check_snapshot(struct monitor *monitor);

/* A snapshot, and now and then the other views. */
void check_all_views(struct monitor *monitor);

#endif
