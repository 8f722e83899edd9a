/* SPDX-License-Identifier: GPL-2.0 */
/* Records: as DUMP and reads with KMSGPIPE_MODE_RECORDS return them, and messages as writes in that mode take them. */
#ifndef SELFTESTS_LIB_RECORDS_H
#define SELFTESTS_LIB_RECORDS_H

#include "lib/harness.h"

/* Dumps to a buffer; the answer's outputs start as garbage. */
long dump_to(int fd, void *buffer, unsigned long long size, struct kmsgpipe_dump *dump);

/* What the record of a message of this length takes. */
size_t record_size(size_t len);

/* The record behind this one; the padding between them must be zero. */
struct kmsgpipe_record *next_record(struct kmsgpipe_record *record);

/* A message that shows its number and its length. */
size_t numbered(char *buffer, unsigned int number, size_t len);

int is_numbered(const char *payload, unsigned int number, size_t len);

/* What a message of this length takes when it is sent. */
size_t send_size(size_t len);

/* Puts a message behind others that are to be sent: where the next one goes. */
char *put_message(char *at, const void *payload, size_t len);

/* Puts a text as a message behind others that are to be sent: where the next one goes. */
char *put_words(char *at, const char *text);

/* Whether this record is that of a text, delivered once. */
int is_record(const struct kmsgpipe_record *record, unsigned long long seq, const char *text);

/* Whether a read gets exactly the records of these texts, up to NULL, the first of which has this number. */
int reads_records(int fd, unsigned long long seq, const char *const *texts);

#define READS(fd, seq, ...) reads_records(fd, seq, (const char *const[]){ __VA_ARGS__, NULL })

#endif
