/* SPDX-License-Identifier: GPL-2.0 */
/* Every C file of the selftests includes this: the kselftest harness, the system headers, and TRY(). */
#ifndef SELFTESTS_LIB_HARNESS_H
#define SELFTESTS_LIB_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * kselftest_harness.h defines the head of its list of tests in each file that includes it. As weak symbols these
 * definitions are one object, so a program may have tests in several files, and the library may use EXPECT and
 * ASSERT.
 */
struct __fixture_metadata;
extern struct __fixture_metadata _fixture_global __attribute__((weak));

#include "kselftest_harness.h"

#include "../../include/uapi/kmsgpipe.h"

/* Evaluates a system call once: its result, or minus its errno. */
#define TRY(call) ({ long ret_ = (call); ret_ < 0 ? -(long)errno : ret_; })

/* The factor by which stress tests multiply what they do: SCALE of the environment, a number above zero. */
double scale(void);

/* `count` times the scale, at least 1. */
unsigned long scaled(unsigned long count);

/* Raises the time limit of each test for a scale above 1, and on the debug kernel. */
void stretch_timeouts(void);

#undef TEST_HARNESS_MAIN
#define TEST_HARNESS_MAIN                         \
	int main(int argc, char **argv)               \
	{                                             \
		stretch_timeouts();                       \
		exit(test_harness_run(argc, argv));       \
	}

#endif
