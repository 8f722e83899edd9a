/* SPDX-License-Identifier: GPL-2.0 */
/* Opening, creating and destroying pipes in large numbers. */
#ifndef SELFTESTS_LIB_REGISTRY_H
#define SELFTESTS_LIB_REGISTRY_H

#include "lib/harness.h"

/* How many pipes there can be at once, pipe 0 among them: as many as there are numbers. */
#define MAX_PIPES 65536

/* The number that comes after this one. */
long next_id(long id);

/* Opens whatever there is: the descriptor, or minus the errno. */
long try_open(const char *path, int flags);

long try_open_id(long id, int flags);

/* Makes a pipe with a few small messages' room and opens it. */
int own_pipe(long *id, unsigned int max_msgs, int flags);

long destroy_pipe(int fd);

#endif
