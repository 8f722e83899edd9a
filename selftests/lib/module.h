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
 * For each test: the debug kernel holds on to each device and to the module itself for up to four
 * seconds, and loading and unloading wait for that.
 */
#define SECONDS 120

long load_module(const char *parameters);

long unload_module(void);

int module_loaded(void);

/* How many hold the module. */
long module_users(void);

/* What of the module can still be seen after it went: NULL, or its name. */
const char *left_behind(void);

#endif
