// SPDX-License-Identifier: GPL-2.0
#include "lib/files.h"

#include <sys/stat.h>

long slurp_pieces(const char *path, char *text, size_t size, size_t piece)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	long got;

	if (file < 0)
		return -errno;
	do {
		if (len + 1 >= size)
			abort();
		got = TRY(read(file, text + len, piece < size - 1 - len ? piece : size - 1 - len));
		if (got > 0)
			len += got;
	} while (got > 0);
	close(file);
	text[len] = 0;
	return got < 0 ? got : (long)len;
}

long slurp(const char *path, char *text, size_t size)
{
	return slurp_pieces(path, text, size, size);
}

long spill(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	long ret;

	if (file < 0)
		return -errno;
	ret = TRY(write(file, text, strlen(text)));
	close(file);
	return ret;
}

int is_there(const char *path)
{
	struct stat file;

	return !lstat(path, &file);
}
