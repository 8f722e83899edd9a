/* SPDX-License-Identifier: GPL-2.0 */
/* Small files, read and written whole. */
#ifndef SELFTESTS_LIB_FILES_H
#define SELFTESTS_LIB_FILES_H

#include "lib/harness.h"

/*
 * Reads a file to its end with reads of `piece` bytes and terminates the text with a zero. Returns the length, or
 * minus the errno.
 */
long slurp_pieces(const char *path, char *text, size_t size, size_t piece);

long slurp(const char *path, char *text, size_t size);

/* Writes a text to a file with one write. Returns the result of the write, or minus the errno. */
long spill(const char *path, const char *text);

/* Whether the file exists; symbolic links are not followed. */
int is_there(const char *path);

#endif
