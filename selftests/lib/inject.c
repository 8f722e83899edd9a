// SPDX-License-Identifier: GPL-2.0
#include "lib/inject.h"

const char *const kind_names[KINDS + 1] = { "slab", "page", "copy", "no" };
static const char *const kind_files[KINDS] = { "failslab", "fail_page_alloc", "fail_usercopy" };

void inject_set(const char *name, const char *value)
{
	char path[128];
	int file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0 || write(file, value, strlen(value)) < 0) {
		perror(path);
		abort();
	}
	close(file);
}

void inject_only(enum kind kind)
{
	inject_set("failslab/cache-filter", kind == SLAB ? "N" : "Y");
	inject_set("fail_page_alloc/min-order", kind == PAGE ? "0" : "30");
}

void inject_setup(void)
{
	char name[64];
	int kind;

	inject_set("failslab/ignore-gfp-wait", "N");
	inject_set("fail_page_alloc/ignore-gfp-wait", "N");
	inject_set("fail_page_alloc/ignore-gfp-highmem", "N");
	inject_only(SLAB);
	for (kind = 0; kind < KINDS; kind++) {
		snprintf(name, sizeof(name), "%s/probability", kind_files[kind]);
		inject_set(name, "0");
		snprintf(name, sizeof(name), "%s/times", kind_files[kind]);
		inject_set(name, "1000000000");
		snprintf(name, sizeof(name), "%s/verbose", kind_files[kind]);
		inject_set(name, "0");
	}
}

long inject_left(enum kind kind)
{
	char path[128], text[32] = "";
	int file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/times", kind_files[kind]);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
		abort();
	close(file);
	return atol(text);
}

int prepare_failing(enum kind kind, int count)
{
	char name[64], value[16];
	int file;

	snprintf(name, sizeof(name), "%s/task-filter", kind_files[kind]);
	inject_set(name, "Y");
	snprintf(name, sizeof(name), "%s/times", kind_files[kind]);
	snprintf(value, sizeof(value), "%d", count);
	inject_set(name, value);
	file = open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC);
	if (file < 0 || write(file, "1", 1) != 1)
		abort();
	close(file);
	snprintf(name, sizeof(name), "/sys/kernel/debug/%s/probability", kind_files[kind]);
	file = open(name, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		abort();
	return file;
}

void start_failing(int file)
{
	if (write(file, "100", 3) != 3)
		abort();
}

int fail_next(enum kind kind, int count)
{
	int file = prepare_failing(kind, count);

	start_failing(file);
	return file;
}

int end_failing(int file)
{
	int left = 0;

	/* Reading this "0" from user space is a copy that can fail, too. */
	while (write(file, "0", 1) < 0)
		left++;
	close(file);
	return left;
}

int fail_nth(int n)
{
	int file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (file < 0 || write(file, text, len) != len)
		abort();
	return file;
}

int was_injected(int file)
{
	char text[16] = "";
	int left;

	/* Reading the result is a copy itself: the next fault point after the call. */
	if (read(file, text, sizeof(text) - 1) > 0)
		left = atoi(text);
	else if (errno == EFAULT)
		left = 1;
	else
		abort();
	/* This write fails if the fault is still pending, and uses it up. */
	if (left)
		left = 1 + (write(file, "0", 1) < 0);
	close(file);
	return !left;
}

struct fault arm_fault(int n)
{
	struct fault fault;
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		fault.left[kind] = inject_left(kind);
	fault.file = fail_nth(n);
	return fault;
}

enum kind fired_fault(struct fault *fault)
{
	int kind;

	if (!was_injected(fault->file))
		return KINDS;
	for (kind = 0; kind < KINDS; kind++)
		if (inject_left(kind) != fault->left[kind])
			return kind;
	fprintf(stderr, "a fault of an unknown kind was injected\n");
	abort();
}
