// SPDX-License-Identifier: GPL-2.0
#include "lib/module.h"
#include "lib/files.h"
#include "lib/pipe.h"
#include "lib/views.h"

#include <sys/syscall.h>

long load_module(const char *parameters)
{
	int file = open(getenv("LAB_MODULE"), O_RDONLY | O_CLOEXEC);
	long ret = TRY(syscall(SYS_finit_module, file, parameters, 0));

	close(file);
	return ret;
}

long unload_module(void)
{
	return TRY(syscall(SYS_delete_module, "kmsgpipe", O_NONBLOCK));
}

int module_loaded(void)
{
	return !access("/sys/module/kmsgpipe", F_OK);
}

long module_users(void)
{
	char text[32];

	if (slurp("/sys/module/kmsgpipe/refcnt", text, sizeof(text)) <= 0)
		abort();
	return strtol(text, NULL, 10);
}

const char *left_behind(void)
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
