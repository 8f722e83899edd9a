// SPDX-License-Identifier: GPL-2.0
#include "lib/kernel_memory.h"
#include "lib/files.h"

int inflated(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

int next_slab(FILE *slabs, char name[64], long *objects, long *size)
{
	char line[512];

	while (fgets(line, sizeof(line), slabs))
		if (sscanf(line, "%63s %ld %*d %ld", name, objects, size) == 3)
			return 1;
	return 0;
}

FILE *open_slabs(void)
{
	FILE *slabs = fopen("/proc/slabinfo", "re");

	if (!slabs)
		abort();
	return slabs;
}

long long kernel_memory(void)
{
	static const char *const fields[] = { "VmallocUsed:", "Percpu:", "KernelStack:" };
	char text[8192], name[64], *line;
	FILE *slabs = open_slabs();
	long long sum = 0;
	long objects, size;
	size_t i;

	while (next_slab(slabs, name, &objects, &size))
		sum += (long long)objects * size;
	fclose(slabs);
	if (slurp("/proc/meminfo", text, sizeof(text)) <= 0)
		abort();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		for (i = 0; i < ARRAY_SIZE(fields); i++)
			if (!strncmp(line, fields[i], strlen(fields[i])))
				sum += 1024 * strtoll(line + strlen(fields[i]), NULL, 10);
	return sum;
}
