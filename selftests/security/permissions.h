/* SPDX-License-Identifier: GPL-2.0 */
/* The operations that each user tries. */
#ifndef SELFTESTS_SECURITY_PERMISSIONS_H
#define SELFTESTS_SECURITY_PERMISSIONS_H

#include "lib/harness.h"

#define ATTEMPTS 42

/* The state of an attempt: descriptors of pipe 0 and of a created pipe, which root has opened, and names. */
struct scene {
	int fds[2];
	int fd;
	long id;
	char node[32];
	char name[32];
	char directory[64];
	struct kmsgpipe_create create;
	struct kmsgpipe_dump dump;
};

struct attempt {
	const char *what;
	long (*try)(struct scene *scene);
	/* The attempt uses a descriptor: it is made with pipe 0 and with the created pipe. */
	int both;
};

extern const struct attempt attempts[ATTEMPTS];

#endif
