// SPDX-License-Identifier: GPL-2.0
#include "lib/signals.h"

volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

void on_sigusr1(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	signals = 0;
	if (sigaction(SIGUSR1, &action, NULL))
		abort();
}
