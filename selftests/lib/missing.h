/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages that are not present until the test brings them in, by userfaultfd: a task that touches one sleeps in
 * its page fault.
 */
#ifndef SELFTESTS_LIB_MISSING_H
#define SELFTESTS_LIB_MISSING_H

#include "lib/harness.h"
#include "lib/memory.h"

/*
 * Registers a page that is not yet populated with a new userfaultfd and returns that: a task that touches the page
 * sleeps in its page fault. A child process does not inherit this.
 */
int make_missing(char *page);

/* Maps a missing page and returns its userfaultfd. */
int missing_page(char **page);

/* Returns when a task sleeps in a page fault on the missing page. */
void await_fault(int uffd);

/* Populates the page with zeroes, which wakes the task. */
void resolve_fault(int uffd, char *page);

/* Populates the page with this content, followed by zeroes, which wakes the task. */
void resolve_fault_with(int uffd, char *page, const void *content, size_t len);

#endif
