// SPDX-License-Identifier: GPL-2.0
#include "lib/pipe.h"

struct kmsgpipe_stats stats_of(int fd)
{
	struct kmsgpipe_stats stats;

	if (ioctl(fd, KMSGPIPE_GET_STATS, &stats) < 0) {
		perror("KMSGPIPE_GET_STATS");
		abort();
	}
	return stats;
}

struct kmsgpipe_stats state_of(int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	stats.head_age_ns = 0;
	return stats;
}

int unchanged(const struct kmsgpipe_stats *before, int fd)
{
	struct kmsgpipe_stats after = state_of(fd);

	return !memcmp(before, &after, sizeof(after));
}

int open_pipe(int flags)
{
	int fd = open(NODE, flags | O_CLOEXEC);

	if (fd < 0) {
		perror(NODE);
		abort();
	}
	return fd;
}

struct kmsgpipe_create default_pipe(void)
{
	return (struct kmsgpipe_create){
		.msg_size = KMSGPIPE_MSG_SIZE_DEFAULT, .max_msgs = KMSGPIPE_MAX_MSGS_DEFAULT,
	};
}

long create_pipe(const struct kmsgpipe_create *create)
{
	int fd = open_pipe(O_ACCMODE);
	long ret = TRY(ioctl(fd, KMSGPIPE_CREATE_NEW, create));

	close(fd);
	return ret;
}

long set_limits(int fd, unsigned int msg_size, unsigned int max_msgs)
{
	struct kmsgpipe_params params = { .msg_size = msg_size, .max_msgs = max_msgs };

	return TRY(ioctl(fd, KMSGPIPE_SET_PARAMS, &params));
}

long set_mode(int fd, unsigned int mode)
{
	return TRY(ioctl(fd, KMSGPIPE_SET_MODE, &mode));
}

unsigned int mode_of(int fd)
{
	unsigned int mode;

	if (ioctl(fd, KMSGPIPE_GET_MODE, &mode) < 0) {
		perror("KMSGPIPE_GET_MODE");
		abort();
	}
	return mode;
}

int open_id(long id, int flags)
{
	char node[32];
	int fd;

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", id);
	fd = open(node, flags | O_CLOEXEC);
	if (fd < 0) {
		perror(node);
		abort();
	}
	return fd;
}

int poll_now(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	if (poll(&entry, 1, 0) < 0)
		abort();
	return entry.revents;
}

void fill(int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);
	unsigned char byte;

	for (byte = 0; stats.depth_msgs + byte < stats.max_msgs; byte++)
		if (write(fd, &byte, 1) != 1)
			abort();
}

void fill_full(int fd)
{
	if (write_text(fd, "1") != 1 || write_text(fd, "22") != 2 || write_text(fd, "333") != 3)
		abort();
}

int accounted(const struct kmsgpipe_stats *s)
{
	return s->enqueued_msgs == s->dequeued_msgs + s->expired_msgs + s->dropped_msgs + s->depth_msgs &&
	       s->enqueued_bytes == s->dequeued_bytes + s->expired_bytes + s->dropped_bytes + s->depth_bytes;
}

const char *counts_of(int fd)
{
	struct kmsgpipe_stats s = stats_of(fd);
	static char text[256];

	snprintf(text, sizeof(text), "%llu/%llu = %llu/%llu + %llu/%llu + %llu/%llu + %llu/%llu", s.enqueued_msgs,
		 s.enqueued_bytes, s.dequeued_msgs, s.dequeued_bytes, s.expired_msgs, s.expired_bytes, s.dropped_msgs,
		 s.dropped_bytes, s.depth_msgs, s.depth_bytes);
	return text;
}

void expect_at_rest(struct __test_metadata *_metadata, int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	EXPECT_EQ(0, stats.waiting_readers);
	EXPECT_EQ(0, stats.waiting_writers);
	EXPECT_TRUE(accounted(&stats));
}

void expect_destroyed(struct __test_metadata *_metadata, int fd)
{
	expect_at_rest(_metadata, fd);
	EXPECT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
}

void expect_gone(struct __test_metadata *_metadata, int fd)
{
	struct kmsgpipe_stats stats;

	if (!ioctl(fd, KMSGPIPE_GET_STATS, &stats))
		expect_destroyed(_metadata, fd);
}

struct kmsgpipe_create named_pipe(const char *name)
{
	struct kmsgpipe_create create = default_pipe();

	memcpy(create.name, name, strnlen(name, sizeof(create.name)));
	return create;
}

int open_for_lines(long id, int flags)
{
	int fd = open_id(id, flags);

	if (set_mode(fd, KMSGPIPE_MODE_LINES))
		abort();
	return fd;
}

long write_text(int fd, const char *text)
{
	return TRY(write(fd, text, strlen(text)));
}

long try_read(int fd, size_t len)
{
	char bytes[4096];

	if (len > sizeof(bytes))
		abort();
	return TRY(read(fd, bytes, len));
}

const char *read_text(int fd, size_t len)
{
	static char text[4096];

	if (len >= sizeof(text))
		abort();
	memset(text, 0, sizeof(text));
	return read(fd, text, len) < 0 ? "-" : text;
}

int fionread(int fd)
{
	int number;

	if (ioctl(fd, FIONREAD, &number))
		abort();
	return number;
}

long limited_pipe(unsigned int msg_size, unsigned int max_msgs)
{
	struct kmsgpipe_create create = { .msg_size = msg_size, .max_msgs = max_msgs };
	long id = create_pipe(&create);

	if (id < 1)
		abort();
	return id;
}
