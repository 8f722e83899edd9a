// SPDX-License-Identifier: GPL-2.0
#include "lib/memory.h"

void *volatile nowhere = (void *)8;

void *pages(size_t len)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		abort();
	return map;
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

char *end_of_memory(void)
{
	char *map = pages(8192);

	if (mprotect(map + 4096, 4096, PROT_NONE))
		abort();
	return map + 4096;
}
