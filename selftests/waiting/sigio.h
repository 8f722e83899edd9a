/* SPDX-License-Identifier: GPL-2.0 */
/* Asking for signals and taking those that are pending: what the files of this program share. */
#ifndef SELFTESTS_WAITING_SIGIO_H
#define SELFTESTS_WAITING_SIGIO_H

#include "lib/harness.h"

#include <signal.h>

#define BAND_IN (POLLIN | POLLRDNORM)
/* band_table of the kernel has POLLWRBAND for POLL_OUT, too. */
#define BAND_OUT (POLLOUT | POLLWRNORM | POLLWRBAND)
#define BAND_HUP (POLLHUP | POLLERR)

/* Blocks the signals that the tests use, so that they stay pending. */
void block_signals(void);

/* Takes a pending signal and returns its number, or 0 if none arrives within this time. */
int take_signal(siginfo_t *info, int seconds);

/* Whether the next pending signal is SIGRTMIN, as F_SETSIG asked for, with these details. */
int told(int fd, int code, long band);

/* Whether no signal is pending. */
int nothing(void);

/* Makes this process the owner of the file's signals and sets O_ASYNC; `signal` is for F_SETSIG. */
void notify(int fd, int signal);

/* Clears O_ASYNC. */
void no_longer(int fd);

#endif
