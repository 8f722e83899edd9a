/* SPDX-License-Identifier: GPL-2.0 */
/* Calls on a pipe, its statistics, and what must hold of them at the end of a test. */
#ifndef SELFTESTS_LIB_PIPE_H
#define SELFTESTS_LIB_PIPE_H

#include "lib/harness.h"

#define NODE "/dev/kmsgpipe0"

struct kmsgpipe_stats stats_of(int fd);

/* All of them but what time changes. */
struct kmsgpipe_stats state_of(int fd);

/* Whether a call that must not change anything has not: `before` is the state before it. */
int unchanged(const struct kmsgpipe_stats *before, int fd);

/* Opens pipe 0; gives up the whole test where that fails. */
int open_pipe(int flags);

/* The limits that a pipe has unless somebody says otherwise. */
struct kmsgpipe_create default_pipe(void);

/* Makes a pipe: its id, or minus the errno. */
long create_pipe(const struct kmsgpipe_create *create);

/* Sets what a pipe may hold: 0, or minus the errno. */
long set_limits(int fd, unsigned int msg_size, unsigned int max_msgs);

/* Changes the mode of an open file: 0, or minus the errno. */
long set_mode(int fd, unsigned int mode);

unsigned int mode_of(int fd);

/* Opens a pipe without a name by its id. */
int open_id(long id, int flags);

/* What poll sees at once. */
int poll_now(int fd);

/* Fills the pipe with messages of one byte, 0, 1, 2, ... */
void fill(int fd);

/* Whether all that was accepted is accounted for. */
int accounted(const struct kmsgpipe_stats *s);

/* At the end of a test nobody may be left asleep in its pipe, and its account must be right. */
void expect_at_rest(struct __test_metadata *_metadata, int fd);

/* The end of a pipe of the test's own. */
void expect_destroyed(struct __test_metadata *_metadata, int fd);

/* Likewise, where the test may have destroyed it. */
void expect_gone(struct __test_metadata *_metadata, int fd);

/* A make of pipe with a name. */
struct kmsgpipe_create named_pipe(const char *name);

/* Opens a pipe for lines. */
int open_for_lines(long id, int flags);

/* What a write of a text returns, or minus the errno. */
long write_text(int fd, const char *text);

/* What a read of at most `len` bytes returns, or minus the errno. */
long try_read(int fd, size_t len);

/* What a read of at most `len` bytes gets, as a text, which is good until the next call; "-" if it fails. */
const char *read_text(int fd, size_t len);

/* What the next read would get, as FIONREAD says. */
int fionread(int fd);

/* Makes a pipe with these limits: its id. */
long limited_pipe(unsigned int msg_size, unsigned int max_msgs);

#endif
