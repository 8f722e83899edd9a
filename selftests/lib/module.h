/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and unloading the module; LAB_MODULE names its file.
 *
 * For a module in use delete_module(2) with O_NONBLOCK returns EWOULDBLOCK, not EBUSY.
 */
#ifndef SELFTESTS_LIB_MODULE_H
#define SELFTESTS_LIB_MODULE_H

#include "lib/harness.h"

/*
 * The time limit of a test, in seconds. The debug kernel delays the release of each device and of the module by up to
 * four seconds, and loading and unloading wait for that.
 */
#define SECONDS 120

long load_module(const char *parameters);

long unload_module(void);

int module_loaded(void);

/* The reference count of the module. */
long module_users(void);

/* The name of a trace of the module that is still visible after it was unloaded; NULL if there is none. */
const char *left_behind(void);

#endif
