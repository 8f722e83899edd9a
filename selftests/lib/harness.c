// SPDX-License-Identifier: GPL-2.0
#include "lib/harness.h"

double scale(void)
{
	const char *text = getenv("SCALE");
	double scale = text ? strtod(text, NULL) : 1;

	if (!(scale > 0)) {
		fprintf(stderr, "SCALE=%s is not a number above zero\n", text);
		abort();
	}
	return scale;
}

unsigned long scaled(unsigned long count)
{
	double product = count * scale();

	return product < 1 ? 1 : (unsigned long)product;
}

/*
 * The time limits end tests that hang. They must not end one that does more work at a larger SCALE, or one on the
 * debug kernel, which may share its processors with other virtual machines.
 */
void stretch_timeouts(void)
{
	const char *kernel = getenv("LAB_KERNEL");
	double factor = scale() > 1 ? scale() : 1;
	struct __fixture_metadata *fixture;
	struct __test_metadata *test;

	if (kernel && !strcmp(kernel, "debug"))
		factor *= 5;
	for (fixture = __fixture_list; fixture; fixture = fixture->next)
		for (test = fixture->tests; test; test = test->next)
			test->timeout = (int)(test->timeout * factor);
}
