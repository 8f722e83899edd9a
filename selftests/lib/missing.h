/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages that are not present until the test brings them in, by userfaultfd: a task that touches one sleeps in
 * its page fault.
 */
#ifndef SELFTESTS_LIB_MISSING_H
#define SELFTESTS_LIB_MISSING_H

#include "lib/harness.h"

#define PAGE 4096

/*
 * Lets whoever touches this page, which nobody has touched yet, hang; a fork does not inherit that. Returns
 * the descriptor that tells who hangs.
 */
int make_missing(char *page);

/* Makes a page that is held. */
int missing_page(char **page);

/* Returns when a task hangs in a fault on the missing page. */
void await_fault(int uffd);

/* Brings the page in, full of zeroes. */
void resolve_fault(int uffd, char *page);

/* Brings the page in, with this at its beginning. */
void resolve_fault_with(int uffd, char *page, const void *content, size_t len);

#endif
