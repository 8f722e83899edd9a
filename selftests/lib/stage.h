/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One call, repeated with its first, second, third ... fault point failing, until no fault is injected any more.
 *
 * A call that fails must return the error of the fault and change nothing; the same call must succeed then.
 */
#ifndef SELFTESTS_LIB_STAGE_H
#define SELFTESTS_LIB_STAGE_H

#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/memory.h"

#define MSG_SIZE 16384
#define MAX_MSGS 4

/* What a call may use: a pipe that only this stage uses, its messages and its buffers. */
struct stage {
	long id;
	int fd; /* the pipe, O_RDWR and O_NONBLOCK unless the call changes that */
	int made; /* the descriptor that an opening call returned, or -1 */
	int ends[2]; /* the two ends of a pipe(2) */
	int with; /* an epoll or io_uring instance, or a file to send */
	size_t len; /* length of the message that the call writes */
	size_t lens[MAX_MSGS + 1]; /* lengths of the queued messages, oldest first */
	unsigned int queued;
	const char *path;
	pthread_t helper;
	pid_t tid; /* the task that makes the call, if the call may sleep */
	int over; /* the call has returned */
	char out[2 * MSG_SIZE], in[2 * MSG_SIZE];
};

/* Makes the content of the i-th message of a stage. */
void content(char *to, unsigned int i, size_t len);

int is_content(const char *text, unsigned int i, size_t len);

/* Prepares a message of this length for the call to write. */
void message_of(struct stage *stage, size_t len);

/* Queues a message of this length. */
void queue_message(struct stage *stage, size_t len);

/* Empties the pipe and opens it anew, so that it has no memory: a message needs an allocation then. */
void empty_stage(struct stage *stage);

/* Empties the pipe and leaves spare memory in it for a message of any length. */
void stage_with_spare(struct stage *stage);

void two_messages(struct stage *stage);

void long_and_short(struct stage *stage);

/* 0 if a read or write returned `len`; minus the errno, or a positive number, otherwise. */
long transferred(long ret, size_t len);

/* Whether exactly the messages from `first` up to `queued` are in the pipe; reads them all. */
int holds_messages(struct stage *stage, unsigned int first, unsigned int queued);

/* Whether the pipe holds the messages of before and the one that the call wrote. */
int wrote_message(struct stage *stage);

/* Whether the call got the oldest message, and the pipe holds the others. */
int read_oldest(struct stage *stage);

/* Whether the pipe holds exactly the messages of before. */
int kept_messages(struct stage *stage);

/* A call. Fields that are not set are not used. */
FIXTURE_VARIANT(call)
{
	/* Brings the stage to the same state before each attempt. */
	void (*prepare)(struct stage *stage);
	/* A helper thread that runs from before the call until after it. */
	void *(*beside)(void *stage);
	/* Makes the call: its result, or minus its errno. */
	long (*run)(struct stage *stage);
	/* The result of the call without a fault. */
	long result;
	/* Whether the call had its effect. */
	int (*finished)(struct stage *stage);
	/* Whether a failed call left unchanged what only this call knows of. */
	int (*failed)(struct stage *stage);
	/* The errno of the call for a fault of each kind, and another errno that is allowed. */
	int error[KINDS], other[KINDS];
	/* The minimum number of fault points of each kind, and of those that make the call fail. */
	int points[KINDS], failures[KINDS];
	/* The minimum number of failures for lack of memory, by slab or page allocations. */
	int shortages;
};

/* Tries a call with each of its fault points failing, and expects the minimum numbers. */
void fail_each_point(struct __test_metadata *_metadata, const FIXTURE_VARIANT(call) *call, struct stage *stage);

#endif
