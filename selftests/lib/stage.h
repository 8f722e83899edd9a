/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One call, repeated with its first, second, third ... fault point failing, until none is left to fail.
 *
 * A call that fails returns the error of the fault and has changed nothing; the same call then succeeds.
 */
#ifndef SELFTESTS_LIB_STAGE_H
#define SELFTESTS_LIB_STAGE_H

#include "lib/harness.h"
#include "lib/inject.h"

#define PAGE_SIZE 4096
#define MSG_SIZE 16384
#define MAX_MSGS 4

/* Where a call is tried: a pipe of its own, and what the call may use. */
struct stage {
	long id;
	int fd; /* the pipe, O_RDWR and O_NONBLOCK unless the call changes that */
	int made; /* what an opening call made, or -1 */
	int ends[2]; /* a pipe of the kernel's */
	int with; /* an epoll or io_uring instance, a file to send */
	size_t len; /* of the message that the call is to write */
	size_t lens[MAX_MSGS + 1]; /* of the messages that are queued, oldest first */
	unsigned int queued;
	const char *path;
	pthread_t helper;
	pid_t tid; /* of the task that makes the call, once it may sleep in it */
	int over; /* the call has ended */
	char out[2 * MSG_SIZE], in[2 * MSG_SIZE];
};

/* The content of the i-th message of a stage. */
void content(char *to, unsigned int i, size_t len);

int is_content(const char *text, unsigned int i, size_t len);

/* The message that the call is to write, behind the others. */
void message_of(struct stage *stage, size_t len);

/* Queues a message of this length. */
void queue_message(struct stage *stage, size_t len);

/* An empty pipe, opened anew, that has no memory: what a message takes must be allocated. */
void empty_stage(struct stage *stage);

/* An empty pipe that has memory for a message of any length. */
void stage_with_spare(struct stage *stage);

void two_messages(struct stage *stage);

void long_and_short(struct stage *stage);

/* 0 for a read or write that returned `len`; its errno, or a positive number, for any other. */
long transferred(long ret, size_t len);

/* Whether exactly the messages of the stage are queued; takes them out. */
int holds_messages(struct stage *stage, unsigned int first, unsigned int queued);

/* The messages of before are queued, and behind them the one that the call wrote. */
int wrote_message(struct stage *stage);

/* The call got the oldest message, and the others are queued. */
int read_oldest(struct stage *stage);

/* The messages are those of before. */
int kept_messages(struct stage *stage);

/* A call. What is not named is not used. */
FIXTURE_VARIANT(call)
{
	/* Sets the stage, the same way each time. */
	void (*prepare)(struct stage *stage);
	/* What goes on beside the call: begins before it and ends after it. */
	void *(*beside)(void *stage);
	/* Makes the call: its result, or minus its errno. */
	long (*run)(struct stage *stage);
	/* What it returns unless something fails. */
	long result;
	/* Whether all is then as it should be. */
	int (*finished)(struct stage *stage);
	/* Whether what only this call knows of is as it was, when it has failed. */
	int (*failed)(struct stage *stage);
	/* The error, if each kind may fail the call, and another one that it may have. */
	int error[KINDS], other[KINDS];
	/* The call has at least so many points of each kind, and so many times fails by it. */
	int points[KINDS], failures[KINDS];
	/* It fails so many times at least for want of memory, of slabs or of pages. */
	int shortages;
};

/* Tries a call with each of its fault points failing. */
void fail_each_point(struct __test_metadata *_metadata, const FIXTURE_VARIANT(call) *call, struct stage *stage);

#endif
