// SPDX-License-Identifier: GPL-2.0
#include "lib/order.h"

uint32_t take_ticket(uint32_t *counter)
{
	return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

void check_order(const struct tickets *traces, unsigned long messages, uint32_t last, struct verdict *verdict)
{
	uint32_t *event = calloc(last + 1UL, sizeof(*event)), latest = 0, *bound = calloc(messages, sizeof(*bound));
	unsigned long i, depth = 0;
	uint32_t now;
	int which;

	if (!event || !bound)
		abort();
	for (i = 0; i < messages; i++) {
		if (!traces[i].ticket[TAKEN])
			verdict->lost++;
		for (which = 0; which < TICKETS; which++)
			if (traces[i].ticket[which])
				event[traces[i].ticket[which]] = 1 + i * TICKETS + which;
	}
	for (now = 1; now <= last; now++) {
		const struct tickets *trace;

		if (!event[now])
			continue;
		i = (event[now] - 1) / TICKETS;
		trace = &traces[i];
		switch ((event[now] - 1) % TICKETS) {
		case SENDING:
			/* The latest start of a read whose message was written before this write began. */
			bound[i] = latest;
			break;
		case SENT:
			if (trace->ticket[TAKING] > latest)
				latest = trace->ticket[TAKING];
			/* A message whose reader has not started yet is certainly in the queue. */
			if (trace->ticket[TAKING] > now && ++depth > verdict->most)
				verdict->most = depth;
			break;
		case TAKING:
			if (trace->ticket[SENT] && trace->ticket[SENT] < now)
				depth--;
			break;
		default:
			if (bound[i] > now || trace->ticket[SENDING] > now || !trace->ticket[SENDING])
				verdict->disordered++;
			break;
		}
	}
	free(event);
	free(bound);
}
