/* SPDX-License-Identifier: GPL-2.0 */
/* Pipes with priorities, and messages that have one, or a time to live. */
#ifndef SELFTESTS_LIB_PRIORITIES_H
#define SELFTESTS_LIB_PRIORITIES_H

#include "lib/harness.h"

/* A request for a pipe with priorities for messages of up to 256 bytes. */
struct kmsgpipe_create priorities_request(unsigned int max_msgs, unsigned int priorities);

/* Creates a pipe with priorities for messages of up to 256 bytes and returns its id; aborts if that fails. */
long prioritized_pipe(unsigned int max_msgs, unsigned int priorities);

/* Appends a text of this priority for a write in the mode RECORDS and returns the address of the next one. */
char *put_prioritized(char *at, unsigned int priority, const char *text);

/* Sends a text of this priority in the mode RECORDS, and sets no mode then: 0, or minus the errno. */
long send_prioritized(int fd, unsigned int priority, const char *text);

/* Appends a text of this priority and time to live for a write in the mode RECORDS: the address of the next one. */
char *put_timed(char *at, unsigned int priority, unsigned long long ttl_ns, const char *text);

/* Sends a text of this priority and time to live in the mode RECORDS, and sets no mode then: 0, or minus the errno. */
long send_timed(int fd, unsigned int priority, unsigned long long ttl_ns, const char *text);

/*
 * Reads at most `count` records of short messages in the mode RECORDS, and sets no mode then. Returns the text
 * "PRIORITY:SEQ:LOST:PAYLOAD ...", or that of the error. It stays valid until the next call.
 */
const char *prioritized_of(int fd, unsigned int count);

#endif
