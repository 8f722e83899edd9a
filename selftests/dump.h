/* SPDX-License-Identifier: GPL-2.0 */
/* DUMP. */
#ifndef SELFTESTS_DUMP_H
#define SELFTESTS_DUMP_H

#include "own_fixture.h"
#include "records.h"

/* Dumps to a buffer; the answer's outputs start as garbage. */
static inline long dump_to(int fd, void *buffer, unsigned long long size, struct kmsgpipe_dump *dump)
{
	*dump = (struct kmsgpipe_dump){
		.buffer = (uintptr_t)buffer, .size = size, .used = ~0ULL, .records = ~0U, .missing = ~0U,
	};
	return TRY(ioctl(fd, KMSGPIPE_DUMP, dump));
}

#endif
