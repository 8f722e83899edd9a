/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether several readers of one queue received its messages in order, and whether the queue ever held more
 * than its limit.
 *
 * Each task takes a ticket from one counter before and after its call. If the write of one message ended before
 * the write of another began, a read of the first must not begin after a read of the second has ended. No read of
 * a message ends before its write began. Calls that overlap may take effect in either order, so these two rules
 * are all that can be checked.
 */
#ifndef SELFTESTS_LIB_ORDER_H
#define SELFTESTS_LIB_ORDER_H

#include "lib/harness.h"

enum { SENDING, SENT, TAKING, TAKEN, TICKETS };

/* The tickets of a message; zero if it has none. */
struct tickets {
	uint32_t ticket[TICKETS];
};

struct verdict {
	unsigned long lost;
	unsigned long doubled;
	unsigned long disordered;
	/* The largest number of messages that were certainly in the queue at once. */
	unsigned long most;
};

uint32_t take_ticket(uint32_t *counter);

/* Checks all messages in the order of their tickets up to `last`. */
void check_order(const struct tickets *traces, unsigned long messages, uint32_t last, struct verdict *verdict);

#endif
