/* SPDX-License-Identifier: GPL-2.0 */
/* Pseudo-random numbers that a seed repeats. */
#ifndef SELFTESTS_LIB_RANDOM_H
#define SELFTESTS_LIB_RANDOM_H

#include "lib/harness.h"

/* A generator of numbers that a seed repeats. */
unsigned int pick(unsigned long long *state, unsigned int below);

/* KMSGPIPE_SEED repeats a run. */
unsigned long long new_seed(void);

#endif
