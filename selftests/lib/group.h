/* SPDX-License-Identifier: GPL-2.0 */
/* A memory control group. */
#ifndef SELFTESTS_LIB_GROUP_H
#define SELFTESTS_LIB_GROUP_H

#include "lib/harness.h"

#define ROOT "/sys/fs/cgroup"
#define MIB 1048576LL

long group_write(const char *group, const char *file, const char *text);

long long group_number(const char *group, const char *file);

/* How often something has happened to the group: a line of memory.events. */
long long group_events(const char *group, const char *event);

/*
 * What is charged to the group now. The kernel charges in advance, 64 pages at a time on each
 * processor, and gives that back when a group comes to its limit.
 */
long long charged(const char *group);

#endif
