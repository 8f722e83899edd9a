/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The loaded module. This is a header, because the harness defines a fixture as static objects and functions of each
 * file that uses it.
 */
#ifndef SELFTESTS_LIB_MODULE_FIXTURE_H
#define SELFTESTS_LIB_MODULE_FIXTURE_H

#include "lib/harness.h"
#include "lib/module.h"

/* Loads the module with default parameters before each test and after it. */
FIXTURE(module) {};

FIXTURE_SETUP(module)
{
	long ret = 0;

	ASSERT_NE(NULL, getenv("LAB_MODULE"));
	/* A test that timed out may have been killed while it loaded or unloaded the module. */
	while (module_loaded() && (ret = unload_module()) == -EBUSY)
		sched_yield();
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, load_module(""));
}

FIXTURE_TEARDOWN(module)
{
	if (!module_loaded())
		load_module("");
}

#endif
