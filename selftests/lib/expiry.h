/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages that expire.
 *
 * The passing of time is what is tested here: pass() waits for a point in time of the clock that messages
 * age by, never for another task.
 */
#ifndef SELFTESTS_LIB_EXPIRY_H
#define SELFTESTS_LIB_EXPIRY_H

#include "lib/harness.h"

long flush_periodic(int fd, unsigned int enable, unsigned int interval_ms, unsigned int expiry_ms);

/* Whether messages expire as these say; both are zero where they do not. */
int expires(int fd, unsigned int interval_ms, unsigned int expiry_ms);

/* Two messages that have expired. */
void queue_expired(int fd);

long long sweeper_armed(long id);

void await_expired(int fd, unsigned long long msgs);

/* What has expired, and been noticed, is gone, and counted as that and nothing else. */
void expect_expired(struct __test_metadata *_metadata, int fd, unsigned long long msgs, unsigned long long bytes);

#endif
