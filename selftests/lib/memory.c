// SPDX-License-Identifier: GPL-2.0
#include "lib/memory.h"

void *volatile bad_address = (void *)8;

void *map_pages(size_t len)
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

char *page_end(void)
{
	char *map = map_pages(8192);

	if (mprotect(map + 4096, 4096, PROT_NONE))
		abort();
	return map + 4096;
}
