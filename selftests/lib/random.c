// SPDX-License-Identifier: GPL-2.0
#include "lib/random.h"
#include "lib/clock.h"

unsigned int pick(unsigned long long *state, unsigned int below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 32) % below;
}

unsigned long long new_seed(void)
{
	const char *given = getenv("KMSGPIPE_SEED");
	unsigned long long seed = given ? strtoull(given, NULL, 0) : now_ns();

	return seed ? seed : 1;
}
