/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault injection, on a kernel with CONFIG_FAULT_INJECTION: the n-th fault point of one system call of this
 * task fails. A fault point is a slab allocation, a page allocation, or a copy from or to user space.
 */
#ifndef SELFTESTS_LIB_INJECT_H
#define SELFTESTS_LIB_INJECT_H

#include "lib/harness.h"

/* What can be made to fail. */
enum kind { SLAB, PAGE, COPY, KINDS };

extern const char *const kind_names[KINDS + 1];

void inject_set(const char *name, const char *value);

/*
 * Lets this kind alone fail, and copies, which nothing excludes: where memory comes from differs from
 * call to call, so that counting all kinds at once would pass over some.
 */
void inject_only(enum kind kind);

/*
 * All three kinds fail when they are told to: also what may wait, and pages one by one. They count
 * down how many faults there may be, and say nothing of them in the kernel's log, where a call trace
 * for each takes longer than all the rest.
 */
void inject_setup(void);

/* What is left of the faults that a kind may have. */
long inject_left(enum kind kind);

/*
 * Prepares that the next `count` allocations or copies of this task fail, once that is started with
 * the file that this returns. Nothing but calls that are to fail may come from there to end_failing.
 */
int prepare_failing(enum kind kind, int count);

void start_failing(int file);

int fail_next(enum kind kind, int count);

/* Ends that: how many copies were left to fail. */
int end_failing(int file);

/*
 * Lets the n-th fault point of the next system call fail. The file stays open until it
 * was asked what came of it: opening it has fault points of its own, and it can be read
 * once.
 */
int fail_nth(int n);

/* Whether the fault was injected; none is pending afterwards. */
int was_injected(int file);

/* An armed fault: the file, and what was left of each kind before. */
struct fault {
	int file;
	long left[KINDS];
};

struct fault arm_fault(int n);

/* Which kind it was that failed since the fault was armed; KINDS if there was none. */
enum kind fired_fault(struct fault *fault);

#endif
