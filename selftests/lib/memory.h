/* SPDX-License-Identifier: GPL-2.0 */
/* User memory to call the pipe with. */
#ifndef SELFTESTS_LIB_MEMORY_H
#define SELFTESTS_LIB_MEMORY_H

#include "lib/harness.h"

/* An address at which nothing is mapped; volatile, so that the compiler does not warn of it. */
extern void *volatile bad_address;

/* Memory that nobody has touched yet. */
void *map_pages(size_t len);

/* Memory that children share with their parent. */
void *shared_memory(size_t size);

/* The end of a page; what follows is not accessible. */
char *page_end(void);

#endif
