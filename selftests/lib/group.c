// SPDX-License-Identifier: GPL-2.0
#include "lib/group.h"
#include "lib/files.h"

long group_write(const char *group, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return spill(path, text);
}

long long group_number(const char *group, const char *file)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	if (slurp(path, text, sizeof(text)) <= 0)
		abort();
	return strtoll(text, NULL, 10);
}

long long group_events(const char *group, const char *event)
{
	char path[128], text[512], *line;

	snprintf(path, sizeof(path), "%s/memory.events", group);
	if (slurp(path, text, sizeof(text)) <= 0)
		abort();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, event, strlen(event)) && line[strlen(event)] == ' ')
			return strtoll(line + strlen(event), NULL, 10);
	abort();
}

long long charged(const char *group)
{
	if (group_write(group, "memory.high", "0") < 0 || group_write(group, "memory.high", "max") < 0)
		abort();
	return group_number(group, "memory.current");
}
