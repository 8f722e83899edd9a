/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records, as DUMP and reads with KMSGPIPE_MODE_RECORDS return them, and messages as writes in that mode take them.
 */
#ifndef SELFTESTS_LIB_RECORDS_H
#define SELFTESTS_LIB_RECORDS_H

#include "lib/harness.h"

/* Calls DUMP with a buffer. The output fields are filled with garbage first. */
long dump_to(int fd, void *buffer, unsigned long long size, struct kmsgpipe_dump *dump);

/* The size of the record of a message of this length. */
size_t record_size(size_t len);

/* The record after this one. Aborts if the padding between them is not zero. */
struct kmsgpipe_record *next_record(struct kmsgpipe_record *record);

/* Makes the payload of a message, which depends on its number and length. */
size_t numbered(char *buffer, unsigned int number, size_t len);

int is_numbered(const char *payload, unsigned int number, size_t len);

/* The size of a message of this length in a write. */
size_t send_size(size_t len);

/* Appends a message for a write at `at` and returns the address of the next one. */
char *put_message(char *at, const void *payload, size_t len);

/* Appends a text as a message for a write at `at` and returns the address of the next one. */
char *put_words(char *at, const char *text);

/*
 * Reads at most `count` records of short messages in the mode RECORDS, and sets no mode then. Returns the text
 * "SEQ:LOST:PAYLOAD SEQ:LOST:PAYLOAD ...", or that of the error. It stays valid until the next call.
 */
const char *records_of(int fd, unsigned int count);

/* Whether this is the record of this text, delivered once. */
int is_record(const struct kmsgpipe_record *record, unsigned long long seq, const char *text);

/* Whether a read returns exactly the records of these texts, which end with NULL. The first has the number `seq`. */
int reads_records(int fd, unsigned long long seq, const char *const *texts);

#define READS(fd, seq, ...) reads_records(fd, seq, (const char *const[]){ __VA_ARGS__, NULL })

#endif
