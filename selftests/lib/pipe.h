/* SPDX-License-Identifier: GPL-2.0 */
/* Calls on a pipe, its statistics, and what must hold for them at the end of a test. */
#ifndef SELFTESTS_LIB_PIPE_H
#define SELFTESTS_LIB_PIPE_H

#include "lib/harness.h"

#define NODE "/dev/kmsgpipe0"

struct kmsgpipe_stats stats_of(int fd);

/* The statistics without the age, which changes with time. */
struct kmsgpipe_stats state_of(int fd);

/* Whether the statistics are still those of `before`. */
int unchanged(const struct kmsgpipe_stats *before, int fd);

/* Opens pipe 0 and aborts the test program if that fails. */
int open_pipe(int flags);

/* A request for a pipe with the default limits. */
struct kmsgpipe_create default_pipe(void);

/* Creates a pipe: its id, or minus the errno. */
long create_pipe(const struct kmsgpipe_create *create);

/* Sets the limits of a pipe: 0, or minus the errno. */
long set_limits(int fd, unsigned int msg_size, unsigned int max_msgs);

/* Sets the mode of an open file: 0, or minus the errno. */
long set_mode(int fd, unsigned int mode);

unsigned int mode_of(int fd);

/* Opens a pipe that has no name. */
int open_id(long id, int flags);

/* The events that poll reports without waiting. */
int poll_now(int fd);

/* Fills the pipe with messages of one byte: 0, 1, 2, ... */
void fill(int fd);

/* Fills a pipe for three messages: "1", "22" and "333". */
void fill_full(int fd);

/* Whether each accepted message is counted as received, expired, dropped or queued. */
int accounted(const struct kmsgpipe_stats *s);

/*
 * The counters of messages and bytes as an equation, "ENQUEUED = DEQUEUED + EXPIRED + DROPPED + DEPTH", each as
 * MSGS/BYTES. The text stays valid until the next call.
 */
const char *counts_of(int fd);

/* Expects that no task sleeps in the pipe and that its statistics are consistent. */
void expect_at_rest(struct __test_metadata *_metadata, int fd);

/* Expects the same as expect_at_rest() and destroys the pipe. */
void expect_destroyed(struct __test_metadata *_metadata, int fd);

/* Calls expect_destroyed() unless the test has destroyed the pipe already. */
void expect_gone(struct __test_metadata *_metadata, int fd);

/* A request for a pipe with this name and the default limits. */
struct kmsgpipe_create named_pipe(const char *name);

/* Opens a pipe in the mode LINES. */
int open_for_lines(long id, int flags);

/* Writes a text: the result, or minus the errno. */
long write_text(int fd, const char *text);

/* Reads up to `len` bytes: the result, or minus the errno. */
long try_read(int fd, size_t len);

/* Reads up to `len` bytes as a text, which stays valid until the next call; "-" if the read fails. */
const char *read_text(int fd, size_t len);

/* Expects that the file, which has O_NONBLOCK, reads exactly these messages and no more. */
#define EXPECT_READS(fd, ...)								\
	do {										\
		const char *const messages_[] = { __VA_ARGS__ __VA_OPT__(,) NULL };	\
		const char *const *message_;						\
		int fd_ = (fd);								\
											\
		for (message_ = messages_; *message_; message_++)			\
			EXPECT_STREQ(*message_, read_text(fd_, 256));			\
		EXPECT_EQ(-EAGAIN, try_read(fd_, 256));					\
	} while (0)

/* The result of FIONREAD: the length that the next read can get. */
int fionread(int fd);

/* Creates a pipe with these limits and returns its id; aborts if that fails. */
long limited_pipe(unsigned int msg_size, unsigned int max_msgs);

#endif
