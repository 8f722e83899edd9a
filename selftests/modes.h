/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of modes share: what an open file keeps, and pieces of messages as texts. */
#ifndef SELFTESTS_MODES_H
#define SELFTESTS_MODES_H

#include "instances.h"

/* A number that the kernel tells of a descriptor; -1 if it does not. */
static inline long long fdinfo_number(int fd, const char *key)
{
	char text[1024];

	fdinfo(fd, text, sizeof(text));
	return value_of(text, key);
}

/* What an open file has of a message that it has begun to read, in bytes. */
static inline long long rest_bytes(int fd)
{
	return fdinfo_number(fd, "kmsgpipe-rest-bytes");
}

/* What an open file has of a line that it has begun to write, in bytes. */
static inline long long line_bytes(int fd)
{
	return fdinfo_number(fd, "kmsgpipe-line-bytes");
}

/* What a write of a text returns, or minus the errno. */
static inline long put_text(int fd, const char *text)
{
	return TRY(write(fd, text, strlen(text)));
}

/* What a read of at most `len` bytes returns, or minus the errno. */
static inline long try_read(int fd, size_t len)
{
	char bytes[4096];

	if (len > sizeof(bytes))
		abort();
	return TRY(read(fd, bytes, len));
}

/* What a read of at most `len` bytes gets, as a text, which is good until the next call; "-" if it fails. */
static inline const char *piece(int fd, size_t len)
{
	static char text[4096];

	if (len >= sizeof(text))
		abort();
	memset(text, 0, sizeof(text));
	return read(fd, text, len) < 0 ? "-" : text;
}

/* What the next read would get, as FIONREAD says. */
static inline int fionread(int fd)
{
	int number;

	if (ioctl(fd, FIONREAD, &number))
		abort();
	return number;
}

/* Makes a pipe with these limits: its id. */
static inline long limited_pipe(unsigned int msg_size, unsigned int max_msgs)
{
	struct kmsgpipe_create create = { .msg_size = msg_size, .max_msgs = max_msgs };
	long id = create_pipe(&create);

	if (id < 1)
		abort();
	return id;
}

/* The end of a page; what follows is not accessible. */
static inline char *end_of_memory(void)
{
	char *map = pages(8192);

	if (mprotect(map + 4096, 4096, PROT_NONE))
		abort();
	return map + 4096;
}

#endif
