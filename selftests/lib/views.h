/* SPDX-License-Identifier: GPL-2.0 */
/* What fdinfo, sysfs, procfs and debugfs show of a pipe, and destroying pipes through sysfs. */
#ifndef SELFTESTS_LIB_VIEWS_H
#define SELFTESTS_LIB_VIEWS_H

#include "lib/harness.h"

/* What developers see of all pipes, a line a pipe. */
#define DEBUG_FILE "/sys/kernel/debug/kmsgpipe/pipes"

/* Copies the line of a pipe, without its beginning, each pair of key and value on a line of its own. */
int debug_line(long id, char *text, size_t size);

/* A value of a text of lines that are KEY:VALUE. */
long long value_of(const char *text, const char *key);

/* A value that developers see of a pipe. */
long long debug_value(long id, const char *key);

#define PROC "/proc/kmsgpipe_stats"
#define SYSFS "/sys/class/kmsgpipe"

/* What the kernel tells of a descriptor. */
void fdinfo(int fd, char *text, size_t size);

/* Destroys a pipe as `echo WORD > destroy` does: 0, or minus the errno. */
long destroy_word(const char *word);

long destroy_id(long id);

/* The path of a pipe's file in sysfs, until the fourth call after this one. */
const char *sysfs_file(long id, const char *file);

/* The number of pipes in sysfs. */
unsigned int count_pipes(void);

/* Destroys all pipes but pipe 0. */
void destroy_all_pipes(void);

/* A number that the kernel tells of a descriptor; -1 if it does not. */
long long fdinfo_number(int fd, const char *key);

/* What an open file has of a message that it has begun to read, in bytes. */
long long rest_bytes(int fd);

/* What an open file has of a line that it has begun to write, in bytes. */
long long line_bytes(int fd);

#endif
