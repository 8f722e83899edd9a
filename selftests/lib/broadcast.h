/* SPDX-License-Identifier: GPL-2.0 */
/* Broadcast pipes, their subscriptions, and KMSGPIPE_ATTACH. */
#ifndef SELFTESTS_LIB_BROADCAST_H
#define SELFTESTS_LIB_BROADCAST_H

#include "lib/harness.h"

/* A request for a broadcast pipe for messages of up to 256 bytes. */
struct kmsgpipe_create broadcast_request(unsigned int max_msgs, unsigned int history);

/* Creates a broadcast pipe for messages of up to 256 bytes and returns its id; aborts if that fails. */
long broadcast_pipe(unsigned int max_msgs, unsigned int history);

/* Opens a pipe with O_RDONLY and O_NONBLOCK: in a broadcast pipe this makes a subscription. */
int subscribe(long id);

/* Sets what the open file reads: 0, or minus the errno. */
long attach(int fd, unsigned int kind, unsigned int start, unsigned long long at);

/* Reads copies of the stored messages from `start` on: 0, or minus the errno. */
long browse(int fd, unsigned int start, unsigned long long at);

/*
 * What fdinfo says of the file's reading: "READS next NEXT lag LAG lost LOST expired EXPIRED", or READS alone if the
 * other lines are not there. It stays valid until the next call.
 */
const char *position_of(int fd);

#endif
