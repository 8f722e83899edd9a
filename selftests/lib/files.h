/* SPDX-License-Identifier: GPL-2.0 */
/* Small files, read and written whole. */
#ifndef SELFTESTS_LIB_FILES_H
#define SELFTESTS_LIB_FILES_H

#include "lib/harness.h"

/* Reads a file to its end in pieces: its length, or minus the errno. Ends it with a zero. */
long slurp_pieces(const char *path, char *text, size_t size, size_t piece);

long slurp(const char *path, char *text, size_t size);

/* Writes a text to a file in one call: what write returned, or minus the errno. */
long spill(const char *path, const char *text);

/* Whether there is such a file; links are not followed. */
int is_there(const char *path);

#endif
