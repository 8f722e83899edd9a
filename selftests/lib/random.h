/* SPDX-License-Identifier: GPL-2.0 */
/* Pseudo-random numbers; a seed repeats them. */
#ifndef SELFTESTS_LIB_RANDOM_H
#define SELFTESTS_LIB_RANDOM_H

#include "lib/harness.h"

/* Returns a number below `below` and advances the generator (xorshift). */
unsigned int pick(unsigned long long *state, unsigned int below);

/* A new seed, or that of KMSGPIPE_SEED, which repeats a run. */
unsigned long long new_seed(void);

#endif
