/* SPDX-License-Identifier: GPL-2.0 */
/* User memory to call the pipe with. */
#ifndef SELFTESTS_LIB_MEMORY_H
#define SELFTESTS_LIB_MEMORY_H

#include "lib/harness.h"

/* An address at which nothing is mapped; volatile, so that the compiler does not warn of it. */
extern void *volatile nowhere;

/* Memory that nobody has touched yet. */
void *pages(size_t len);

/* Memory that children share with their parent. */
void *shared_memory(size_t size);

/* The end of a page; what follows is not accessible. */
char *end_of_memory(void);

#endif
