/* SPDX-License-Identifier: GPL-2.0 */
/* Reading with a lease: KMSGPIPE_ATTACH_GROUP with lease_ms, KMSGPIPE_ACK and KMSGPIPE_NACK. */
#ifndef SELFTESTS_LIB_LEASES_H
#define SELFTESTS_LIB_LEASES_H

#include "lib/harness.h"

/* A lease, in milliseconds, that does not end during a test. */
#define LONG 3600000

/* Makes the open file receive with a lease of `ms` milliseconds: 0, or minus the errno. */
long lease(int fd, unsigned int ms, unsigned int max_deliveries);

/* Opens a pipe with O_RDONLY and `flags` for reading with a lease; aborts if that fails. */
int lessee(long id, int flags, unsigned int ms);

/* Acknowledges the messages from `first` to `last`: 0, or minus the errno. */
long ack(int fd, unsigned long long first, unsigned long long last);

/* Gives back the messages from `first` to `last`: 0, or minus the errno. */
long nack(int fd, unsigned long long first, unsigned long long last, unsigned int delay_ms);

/*
 * Reads records in the mode RECORDS, and sets no mode then. Returns the text "SEQ:DELIVERIES:PAYLOAD ...", or that of
 * the error. It stays valid until the next call. Aborts if the flag REDELIVERED does not fit the number of deliveries.
 */
const char *deliveries_of(int fd);

/* What fdinfo says of leases, "LEASE_MS ms, COUNT leased"; "none" if it says nothing. */
const char *leases_of(int fd);

#endif
