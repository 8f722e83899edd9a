/* SPDX-License-Identifier: GPL-2.0 */
/* A signal handler that counts. */
#ifndef SELFTESTS_LIB_SIGNALS_H
#define SELFTESTS_LIB_SIGNALS_H

#include "lib/harness.h"

#include <signal.h>

extern volatile sig_atomic_t signals;

void on_sigusr1(int flags);

#endif
