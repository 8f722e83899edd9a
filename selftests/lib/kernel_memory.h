/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory the kernel has allocated for itself. */
#ifndef SELFTESTS_LIB_KERNEL_MEMORY_H
#define SELFTESTS_LIB_KERNEL_MEMORY_H

#include "lib/harness.h"

/* KASAN and the like make objects of the allocator larger. */
int inflated(void);

/* Goes through the kernel's slabs: the name of the next one, how many objects are in use, and of which size. */
int next_slab(FILE *slabs, char name[64], long *objects, long *size);

FILE *open_slabs(void);

/*
 * What the kernel has allocated for itself, in bytes. Of slabs the objects count, not the pages that they
 * are in: how many of these are half empty depends on what was before.
 */
long long kernel_memory(void);

#endif
