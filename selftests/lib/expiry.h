/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages that expire.
 *
 * What is tested here is the passing of time: sleep_ms() waits for a point in time of the clock that messages age by,
 * never for another task.
 */
#ifndef SELFTESTS_LIB_EXPIRY_H
#define SELFTESTS_LIB_EXPIRY_H

#include "lib/harness.h"

long flush_periodic(int fd, unsigned int enable, unsigned int interval_ms, unsigned int expiry_ms);

/* Whether the pipe's expiry settings are these; both are zero for a pipe without expiry. */
int expires(int fd, unsigned int interval_ms, unsigned int expiry_ms);

/* Queues two messages and waits until they have expired. */
void queue_expired(int fd);

long long sweeper_armed(long id);

void await_expired(int fd, unsigned long long msgs);

/*
 * Expects that these messages have expired and were removed, that they are counted as expired and nothing else, and
 * that the pipe is empty.
 */
void expect_expired(struct __test_metadata *_metadata, int fd, unsigned long long msgs, unsigned long long bytes);

#endif
