/* SPDX-License-Identifier: GPL-2.0 */
/* User memory for calls on a pipe. */
#ifndef SELFTESTS_LIB_MEMORY_H
#define SELFTESTS_LIB_MEMORY_H

#include "lib/harness.h"

#define PAGE_SIZE 4096

/* An address at which nothing is mapped; volatile, as the compiler would warn of a constant. */
extern void *volatile bad_address;

/* Maps anonymous memory that is not yet populated. */
void *map_pages(size_t len);

/* Maps memory that is shared with child processes. */
void *shared_memory(size_t size);

/* Maps a page before one that is not accessible, and returns the address between them. */
char *page_end(void);

#endif
