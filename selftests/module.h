/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share that load and unload the module: LAB_MODULE names its file.
 *
 * A module in use is EWOULDBLOCK in the kernel's words, not EBUSY: what rmmod(8) gets
 * from delete_module(2) with O_NONBLOCK.
 */
#ifndef SELFTESTS_MODULE_H
#define SELFTESTS_MODULE_H

#include "instances.h"

#include <sys/syscall.h>

/*
 * For each test: the debug kernel holds on to each device and to the module itself for up to four
 * seconds, and loading and unloading wait for that.
 */
#define SECONDS 120

static inline long load(const char *parameters)
{
	int file = open(getenv("LAB_MODULE"), O_RDONLY | O_CLOEXEC);
	long ret = TRY(syscall(SYS_finit_module, file, parameters, 0));

	close(file);
	return ret;
}

static inline long unload(void)
{
	return TRY(syscall(SYS_delete_module, "kmsgpipe", O_NONBLOCK));
}

static inline int loaded(void)
{
	return !access("/sys/module/kmsgpipe", F_OK);
}

/* How many hold the module. */
static inline long users(void)
{
	char text[32];

	if (slurp("/sys/module/kmsgpipe/refcnt", text, sizeof(text)) <= 0)
		abort();
	return strtol(text, NULL, 10);
}

/* What of the module can still be seen after it went: NULL, or its name. */
static inline const char *left_behind(void)
{
	static const char *const paths[] = {
		NODE, "/dev/kmsgpipe", PROC, SYSFS, "/sys/devices/virtual/kmsgpipe", "/sys/kernel/debug/kmsgpipe", "/sys/module/kmsgpipe",
	};
	static const char *const lists[] = { "/proc/devices", "/proc/modules" };
	static char text[65536];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++)
		if (is_there(paths[i]))
			return paths[i];
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		if (slurp(lists[i], text, sizeof(text)) < 0 || strstr(text, "kmsgpipe"))
			return lists[i];
	return NULL;
}

#endif
