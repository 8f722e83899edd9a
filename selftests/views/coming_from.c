// SPDX-License-Identifier: GPL-2.0
/* The commands and calls in docs/coming-from.md do what the document says. */
#include "lib/document.h"

#include "coming_from.rows.h"

int main(void)
{
	return document();
}
