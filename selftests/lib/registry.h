/* SPDX-License-Identifier: GPL-2.0 */
/* Pipes in large numbers: opening, creating and destroying them. */
#ifndef SELFTESTS_LIB_REGISTRY_H
#define SELFTESTS_LIB_REGISTRY_H

#include "lib/harness.h"

/* The largest number of pipes, pipe 0 included: the number of minors. */
#define MAX_PIPES 65536

/* The id that is given out after this one. */
long next_id(long id);

/* Opens a file: the descriptor, or minus the errno. */
long try_open(const char *path, int flags);

long try_open_id(long id, int flags);

/* Creates a pipe for short messages and opens it; aborts if that fails. */
int own_pipe(long *id, unsigned int max_msgs, int flags);

long destroy_pipe(int fd);

#endif
