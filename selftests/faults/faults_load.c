// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the module while its first, second, third ... allocation fails, until the load does not reach the fault. The
 * load returns an error, nothing of the module is left, and the next load succeeds.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/module.h"
#include "lib/module_fixture.h"
#include "lib/random.h"
#include "lib/views.h"

#include <glob.h>
#include <sys/syscall.h>

#define WANTED "pipes=2"
/* A parameter that the module refuses before it creates anything. */
#define REFUSED "msg_size=0"

/*
 * Restricts faults to the allocations of the chosen slabs, or of none: kmemleak and others also allocate, and cope
 * with failures.
 */
static void choose_slabs(int chosen)
{
	static const char *const names[] = { "kmalloc-*", "kernfs_node_cache", "proc_dir_entry", "radix_tree_node" };
	char pattern[64];
	glob_t found;
	size_t i, k;

	inject_set("failslab/cache-filter", "Y");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(pattern, sizeof(pattern), "/sys/kernel/slab/%s/failslab", names[i]);
		if (glob(pattern, 0, NULL, &found))
			abort();
		for (k = 0; k < found.gl_pathc; k++)
			if (spill(found.gl_pathv[k], chosen ? "1" : "0") != 1)
				abort();
		globfree(&found);
	}
}

/* Loads the module from an open file. With n, the n-th fault point fails, if there are that many. */
static long load_with(int file, const char *parameters, int n, enum kind *kind)
{
	struct fault fault;
	long ret;

	if (n)
		fault = arm_fault(n);
	ret = TRY(syscall(SYS_finit_module, file, parameters, 0));
	if (n)
		*kind = fired_fault(&fault);
	return ret;
}

/* The number of fault points that the kernel passes before the module creates anything. */
static int points_before(int file)
{
	int none = 0, all = 64, middle;
	enum kind kind;

	while (load_with(file, REFUSED, all, &kind), kind != KINDS) {
		none = all;
		all *= 2;
	}
	while (all - none > 1) {
		middle = (none + all) / 2;
		load_with(file, REFUSED, middle, &kind);
		*(kind == KINDS ? &all : &none) = middle;
	}
	return none;
}

/* Loads the module repeatedly, with each of its fault points failing once, or some of them. */
static void sweep_loading(struct __test_metadata *_metadata, int file, enum kind kind, unsigned long long *seed)
{
	/* One load takes seconds on the debug kernel, which delays the release of devices. */
	const int step = scale() >= 1 ? 1 : kind == SLAB ? 48 : 12, first = points_before(file);
	int n = first + pick(seed, step), points = 0, failures = 0;
	enum kind failed;
	long ret;

	for (;; n += step) {
		ret = load_with(file, WANTED, n, &failed);
		if (!ret) {
			ASSERT_EQ(2, count_pipes());
			ASSERT_EQ(0, unload_module());
		} else {
			ASSERT_EQ(-ENOMEM, ret) TH_LOG("%s fault %d", kind_names[failed], n);
			failures++;
		}
		ASSERT_EQ(NULL, left_behind()) TH_LOG("%s fault %d: %s", kind_names[failed], n, left_behind());
		if (failed == KINDS)
			break;
		points++;
	}
	/* No fault was injected, so the load succeeded. */
	ASSERT_EQ(0, ret);
	if (kind == SLAB)
		EXPECT_LT(0, failures);
	TH_LOG("%d fault points of %s tried from the %dth on, every %dth: %d noticed", points, kind_names[kind],
	       first, step, failures);
}

TEST_F_TIMEOUT(module, a_failed_load_leaves_nothing_and_a_retry_succeeds, 3600)
{
	int file = open(getenv("LAB_MODULE"), O_RDONLY | O_CLOEXEC);
	unsigned long long seed = new_seed();
	enum kind kind;

	TH_LOG("seed %llu", seed);
	inject_setup();
	ASSERT_EQ(0, unload_module());
	for (kind = SLAB; kind <= PAGE; kind++) {
		inject_only(kind);
		choose_slabs(kind == SLAB);
		sweep_loading(_metadata, file, kind, &seed);
	}
	close(file);
}

TEST_HARNESS_MAIN
