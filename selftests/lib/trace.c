// SPDX-License-Identifier: GPL-2.0
#include "lib/trace.h"
#include "lib/files.h"

#include <sys/mount.h>

#define TRACING "/sys/kernel/tracing"

int set_tracing(const char *event, int on)
{
	char path[128];

	snprintf(path, sizeof(path), TRACING "/events/%s/enable", event);
	return spill(path, on ? "1" : "0") == 1;
}

const char *take_trace(void)
{
	static char text[1 << 16];
	int fd;

	if (slurp(TRACING "/trace", text, sizeof(text)) < 0)
		abort();
	/* O_TRUNC clears the trace. */
	fd = open(TRACING "/trace", O_WRONLY | O_TRUNC);
	if (fd < 0)
		abort();
	close(fd);
	return text;
}

int start_trace(const char *event, const char *filter)
{
	char path[128];

	if (access(TRACING "/trace", F_OK) && mount("tracefs", TRACING, "tracefs", 0, NULL))
		return 0;
	snprintf(path, sizeof(path), TRACING "/events/%s/filter", event);
	if (spill(path, filter) != (long)strlen(filter) || !set_tracing(event, 1) ||
	    spill(TRACING "/tracing_on", "1") != 1)
		return 0;
	take_trace();
	return 1;
}
