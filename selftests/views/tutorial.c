// SPDX-License-Identifier: GPL-2.0
/* The commands in docs/tutorial.md print what the document says. It begins with loading the module, where that is. */
#include "lib/document.h"

#include <libgen.h>
#include <unistd.h>

#include "tutorial.rows.h"

int main(void)
{
	char module[4096];

	snprintf(module, sizeof(module), "%s", getenv("LAB_MODULE"));
	if (system("rmmod kmsgpipe") || chdir(dirname(module)))
		ksft_exit_fail_msg("cannot unload %s: %s\n", getenv("LAB_MODULE"), strerror(errno));
	return document();
}
