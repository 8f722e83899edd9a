/* SPDX-License-Identifier: GPL-2.0 */
/* Signals that end system calls: they are counted. */
#ifndef SELFTESTS_SIGNALS_H
#define SELFTESTS_SIGNALS_H

#include <signal.h>
#include <stdlib.h>

static volatile sig_atomic_t signals;

static inline void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static inline void on_sigusr1(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	signals = 0;
	if (sigaction(SIGUSR1, &action, NULL))
		abort();
}

#endif
