/* SPDX-License-Identifier: GPL-2.0 */
/* What each user tries. */
#ifndef SELFTESTS_SECURITY_PERMISSIONS_H
#define SELFTESTS_SECURITY_PERMISSIONS_H

#include "lib/harness.h"

#define ATTEMPTS 36

/* What an attempt has at hand: descriptors that root has opened, of pipe 0 and of a created pipe. */
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
	/* Made with a descriptor: once with one of pipe 0, and once with one of the created pipe. */
	int both;
};

extern const struct attempt attempts[ATTEMPTS];

#endif
