/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory the kernel has allocated for itself. */
#ifndef SELFTESTS_LIB_KERNEL_MEMORY_H
#define SELFTESTS_LIB_KERNEL_MEMORY_H

#include "lib/harness.h"

/* Whether a debug option such as KASAN makes slab objects larger. */
int inflated(void);

/* Reads the next line of /proc/slabinfo: the name of a slab cache, the number of its objects, and their size. */
int next_slab(FILE *slabs, char name[64], long *objects, long *size);

FILE *open_slabs(void);

/*
 * The number of bytes that the kernel has allocated for itself. It counts the objects of slabs, not their pages, as
 * the number of pages that are half empty depends on the past.
 */
long long kernel_memory(void);

#endif
