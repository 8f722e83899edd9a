/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault injection, on a kernel with CONFIG_FAULT_INJECTION: the n-th fault point of one system call of this
 * task fails. A fault point is a slab allocation, a page allocation, or a copy from or to user space.
 */
#ifndef SELFTESTS_LIB_INJECT_H
#define SELFTESTS_LIB_INJECT_H

#include "lib/harness.h"

/* The kinds of fault points. */
enum kind { SLAB, PAGE, COPY, KINDS };

extern const char *const kind_names[KINDS + 1];

void inject_set(const char *name, const char *value);

/*
 * Lets only this kind and copies fail. Memory may come from different allocators in each call, so a count of all
 * kinds at once would miss some. No filter excludes copies.
 */
void inject_only(enum kind kind);

/*
 * Prepares all three kinds: allocations that may wait and single pages can fail, too. The kernel does not log each
 * fault, because the call traces would take longer than all the rest.
 */
void inject_setup(void);

/* The number of faults of this kind that may still be injected. */
long inject_left(enum kind kind);

/*
 * Prepares that the next `count` fault points of this kind fail in this task, and returns the file that
 * start_failing() starts this with. Up to end_failing() the task may only make the calls that are to fail.
 */
int prepare_failing(enum kind kind, int count);

void start_failing(int file);

int fail_next(enum kind kind, int count);

/* Ends the injection and returns the number of copies that were left to fail. */
int end_failing(int file);

/*
 * Makes the n-th fault point of the next system call of this task fail. Returns a file for was_injected(). The file
 * stays open until then, as opening it passes fault points itself, and its content can be read once.
 */
int fail_nth(int n);

/* Whether the fault was injected. No fault is pending after this call. */
int was_injected(int file);

/* An armed fault: its file, and inject_left() of each kind when it was armed. */
struct fault {
	int file;
	long left[KINDS];
};

struct fault arm_fault(int n);

/* The kind of the fault that was injected since the fault was armed; KINDS if there was none. */
enum kind fired_fault(struct fault *fault);

#endif
