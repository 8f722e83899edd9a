/* SPDX-License-Identifier: GPL-2.0 */
/* What fdinfo, sysfs, procfs and debugfs show of a pipe, and destroying pipes through sysfs. */
#ifndef SELFTESTS_LIB_VIEWS_H
#define SELFTESTS_LIB_VIEWS_H

#include "lib/harness.h"

/* The debugfs file: one line per pipe. */
#define DEBUG_FILE "/sys/kernel/debug/kmsgpipe/pipes"

/*
 * Copies the pipe's line of the debugfs file without the pipe's name, as lines KEY:VALUE. Returns 0 if there is none.
 */
int debug_line(long id, char *text, size_t size);

/* The value of a key in lines KEY:VALUE; -1 if it is not there. */
long long value_of(const char *text, const char *key);

/* A value of the pipe's line in debugfs. */
long long debug_value(long id, const char *key);

#define PROC "/proc/kmsgpipe_stats"
#define SYSFS "/sys/class/kmsgpipe"

/* Reads the fdinfo of a descriptor. */
void fdinfo(int fd, char *text, size_t size);

/* Destroys a pipe by a write to the attribute `destroy`: 0, or minus the errno. */
long destroy_word(const char *word);

long destroy_id(long id);

/* The path of an attribute of a pipe. It stays valid for three further calls. */
const char *sysfs_file(long id, const char *file);

/* Sets the overflow policy of a pipe; aborts if that fails. */
void set_policy(long id, const char *policy);

/* The overflow policy of a pipe as sysfs shows it. It stays valid until the next call. */
const char *policy_of(long id);

/* The number of pipes in sysfs. */
unsigned int count_pipes(void);

/* Destroys all pipes but pipe 0. */
void destroy_all_pipes(void);

/* A value in the fdinfo of a descriptor; -1 if it is not there. */
long long fdinfo_number(int fd, const char *key);

/* The length of the rest of a message that the open file keeps. */
long long rest_bytes(int fd);

/* The length of the partial line that the open file keeps. */
long long line_bytes(int fd);

#endif
