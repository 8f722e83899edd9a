/* SPDX-License-Identifier: GPL-2.0 */
/* Memory control groups; `group` is the path of one. */
#ifndef SELFTESTS_LIB_GROUP_H
#define SELFTESTS_LIB_GROUP_H

#include "lib/harness.h"

#define ROOT "/sys/fs/cgroup"
#define MIB 1048576LL

long group_write(const char *group, const char *file, const char *text);

long long group_number(const char *group, const char *file);

/* The counter of an event in memory.events. */
long long group_events(const char *group, const char *event);

/*
 * The bytes that are charged to the group. The kernel charges up to 64 pages in advance on each processor and
 * uncharges them when a group reaches its limit, so the limit is lowered first.
 */
long long charged(const char *group);

#endif
