// SPDX-License-Identifier: GPL-2.0
/*
 * The mode of an open file: setting it, the default mode, where it is shown, and reads with KMSGPIPE_MODE_WHOLE and
 * KMSGPIPE_MODE_EOF. KMSGPIPE_MODE_LINES is tested in lines.c.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/io_uring.h>
#include <sys/sendfile.h>

/* All modes, and their names. */
static const struct {
	unsigned int mode;
	const char *words;
} modes[] = {
	{ 0, "none" },
	{ KMSGPIPE_MODE_WHOLE, "whole" },
	{ KMSGPIPE_MODE_EOF, "eof" },
	{ KMSGPIPE_MODE_HUP, "hup" },
	{ KMSGPIPE_MODE_LINES, "lines" },
	{ KMSGPIPE_MODE_RECORDS, "records" },
	{ KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_RECORDS, "eof,records" },
	{ KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_HUP | KMSGPIPE_MODE_RECORDS, "eof,hup,records" },
	{ KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_EOF, "whole,eof" },
	{ KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_LINES, "whole,lines" },
	{ KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_LINES, "eof,lines" },
	{ KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_LINES, "whole,eof,lines" },
};

#define MODES ARRAY_SIZE(modes)
/* All modes that can be combined, and all modes. */
#define TOGETHER (KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_HUP | KMSGPIPE_MODE_LINES)
#define KNOWN (TOGETHER | KMSGPIPE_MODE_RECORDS)

/* Modes that cannot be combined with RECORDS. */
static const unsigned int clashes[] = {
	KMSGPIPE_MODE_RECORDS | KMSGPIPE_MODE_WHOLE,
	KMSGPIPE_MODE_RECORDS | KMSGPIPE_MODE_LINES,
	KMSGPIPE_MODE_RECORDS | KMSGPIPE_MODE_WHOLE | KMSGPIPE_MODE_EOF,
	KNOWN,
};

/* ---- SET_MODE and GET_MODE ---- */

TEST_F(own, every_mode_can_be_set_on_every_descriptor)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	size_t i, k;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = open_id(self->id, flags[i]);
		EXPECT_EQ(0, mode_of(fd));
		for (k = 0; k < MODES; k++) {
			EXPECT_EQ(0, set_mode(fd, modes[k].mode));
			EXPECT_EQ(modes[k].mode, mode_of(fd));
			EXPECT_EQ(0, set_mode(fd, modes[k].mode));
		}
		close(fd);
	}
}

TEST_F(own, unknown_bits_are_einval)
{
	unsigned int bit;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	for (bit = 0; bit < 32; bit++) {
		if (1U << bit & KNOWN)
			continue;
		EXPECT_EQ(-EINVAL, set_mode(self->fd, 1U << bit)) TH_LOG("bit %u", bit);
		EXPECT_EQ(-EINVAL, set_mode(self->fd, TOGETHER | 1U << bit)) TH_LOG("bit %u", bit);
	}
	for (bit = 0; bit < ARRAY_SIZE(clashes); bit++)
		EXPECT_EQ(-EINVAL, set_mode(self->fd, clashes[bit])) TH_LOG("0x%x", clashes[bit]);
	EXPECT_EQ(-EINVAL, set_mode(self->fd, ~0U));
	EXPECT_EQ(-EINVAL, set_mode(self->fd, ~KNOWN));
	EXPECT_EQ(KMSGPIPE_MODE_WHOLE, mode_of(self->fd));
}

TEST_F(own, bad_memory_is_efault)
{
	void *bad[] = { NULL, bad_address, (void *)-1, page_end() - 3 };
	void *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_SET_MODE, bad[i]))) TH_LOG("%zu", i);
		EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_MODE, bad[i]))) TH_LOG("%zu", i);
	}
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_MODE, readonly)));
	EXPECT_EQ(KMSGPIPE_MODE_EOF, mode_of(self->fd));
	/* Read-only memory is enough for the argument. */
	EXPECT_EQ(0, TRY(ioctl(self->fd, KMSGPIPE_SET_MODE, readonly)));
	EXPECT_EQ(0, mode_of(self->fd));
}

TEST_F(own, set_mode_is_ebusy_with_a_rest)
{
	size_t i;

	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_STREQ("mess", read_text(self->fd, 4));
	for (i = 0; i < MODES; i++)
		EXPECT_EQ(-EBUSY, set_mode(self->fd, modes[i].mode));
	EXPECT_EQ(0, mode_of(self->fd));
	/* The mode of another open file can still be set. */
	EXPECT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	EXPECT_STREQ("age", read_text(self->fd, 100));
	EXPECT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
}

TEST_F(own, set_mode_is_ebusy_with_a_partial_line)
{
	size_t i;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_LINES));
	ASSERT_EQ(7, write_text(self->fd, "one\ntwo"));
	for (i = 0; i < MODES; i++)
		EXPECT_EQ(-EBUSY, set_mode(self->fd, modes[i].mode));
	EXPECT_EQ(KMSGPIPE_MODE_LINES, mode_of(self->fd));
	EXPECT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(1, write_text(self->fd, "\n"));
	EXPECT_EQ(0, set_mode(self->fd, 0));
}

TEST_F(own, a_destroyed_pipe_is_enodev)
{
	unsigned int mode = 0;

	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, set_mode(self->fd, 0));
	EXPECT_EQ(-ENODEV, set_mode(self->fd, ~0U));
	EXPECT_EQ(-ENODEV, TRY(ioctl(self->fd, KMSGPIPE_GET_MODE, &mode)));
}

TEST_F(own, a_mode_belongs_to_the_open_file)
{
	int copy = dup(self->fd);
	pid_t child;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(KMSGPIPE_MODE_WHOLE, mode_of(copy));
	EXPECT_EQ(0, mode_of(self->nonblocking));
	ASSERT_EQ(0, set_mode(copy, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(KMSGPIPE_MODE_EOF, mode_of(self->fd));
	close(copy);
	child = fork();
	if (!child)
		_exit(mode_of(self->fd) != KMSGPIPE_MODE_EOF || set_mode(self->fd, KMSGPIPE_MODE_LINES));
	EXPECT_EQ(0, exit_of(child));
	EXPECT_EQ(KMSGPIPE_MODE_LINES, mode_of(self->fd));
	EXPECT_EQ(0, mode_of(self->nonblocking));
}

TEST_F(own, set_mode_needs_no_privilege)
{
	pid_t child = fork();

	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		if (set_mode(self->fd, KMSGPIPE_MODE_WHOLE) || mode_of(self->fd) != KMSGPIPE_MODE_WHOLE)
			_exit(2);
		_exit(set_mode(self->fd, ~0U) != -EINVAL);
	}
	EXPECT_EQ(0, exit_of(child));
	EXPECT_EQ(KMSGPIPE_MODE_WHOLE, mode_of(self->fd));
}

/* ---- The default mode ---- */

static const char *default_mode(long id)
{
	static char text[64];

	if (slurp(sysfs_file(id, "default_mode"), text, sizeof(text)) < 0)
		abort();
	return text;
}

/* Whether this is the default mode of the pipe: in sysfs, and for files that are opened. */
static int begins_with(long id, size_t which)
{
	char text[64];
	int fd = open_id(id, O_RDWR), good;

	snprintf(text, sizeof(text), "%s\n", modes[which].words);
	good = !strcmp(text, default_mode(id)) && mode_of(fd) == modes[which].mode;
	close(fd);
	return good;
}

TEST_F(own, create_takes_a_default_mode)
{
	struct kmsgpipe_create create = default_pipe();
	size_t i;
	long id;

	EXPECT_TRUE(begins_with(self->id, 0));
	for (i = 0; i < MODES; i++) {
		create.default_mode = modes[i].mode;
		ASSERT_LE(1, id = create_pipe(&create));
		EXPECT_TRUE(begins_with(id, i)) TH_LOG("%s: '%s'", modes[i].words, default_mode(id));
		ASSERT_EQ(0, destroy_id(id));
	}
}

TEST_F(own, create_with_unknown_bits_is_einval)
{
	struct kmsgpipe_create create = default_pipe();
	unsigned int before = count_pipes(), bit;

	for (bit = 0; bit < 32; bit++) {
		if (1U << bit & KNOWN)
			continue;
		create.default_mode = 1U << bit;
		EXPECT_EQ(-EINVAL, create_pipe(&create)) TH_LOG("bit %u", bit);
		create.default_mode = TOGETHER | 1U << bit;
		EXPECT_EQ(-EINVAL, create_pipe(&create)) TH_LOG("bit %u", bit);
	}
	for (bit = 0; bit < ARRAY_SIZE(clashes); bit++) {
		create.default_mode = clashes[bit];
		EXPECT_EQ(-EINVAL, create_pipe(&create)) TH_LOG("0x%x", clashes[bit]);
	}
	EXPECT_EQ(before, count_pipes());
}

TEST_F(own, sysfs_sets_the_default_mode)
{
	char text[64];
	size_t i;

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	for (i = 0; i < 2 * MODES; i++) {
		const char *words = modes[i / 2].words;

		/* With a newline at the end and without. */
		snprintf(text, sizeof(text), "%s%s", words, i % 2 ? "\n" : "");
		EXPECT_EQ((long)strlen(text), spill(sysfs_file(self->id, "default_mode"), text)) TH_LOG("%s", words);
		EXPECT_TRUE(begins_with(self->id, i / 2)) TH_LOG("%s: '%s'", words, default_mode(self->id));
		/* Open files keep their mode. */
		EXPECT_EQ(KMSGPIPE_MODE_EOF, mode_of(self->fd));
		EXPECT_EQ(0, mode_of(self->nonblocking));
	}
	/* The names may be in any order. */
	EXPECT_EQ(15, spill(sysfs_file(self->id, "default_mode"), "lines,whole,eof"));
	EXPECT_TRUE(begins_with(self->id, MODES - 1)) TH_LOG("'%s'", default_mode(self->id));
}

TEST_F(own, sysfs_refuses_an_invalid_mode)
{
	static const char *const bad[] = {
		"\n", " ", ",", "x", "hangup", "records,lines", "whole,records", "EOF", "eo", "eoff", "eof,", ",eof", "eof,,lines", "eof lines",
		"eof,lines,x", "eof;lines", " eof", "eof ", "eof\n\n", "eof\nlines", "none,eof", "eof,none", "0", "1", "2",
	};
	size_t i;

	ASSERT_EQ(9, spill(sysfs_file(self->id, "default_mode"), "eof,lines"));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, spill(sysfs_file(self->id, "default_mode"), bad[i])) TH_LOG("'%s'", bad[i]);
		EXPECT_STREQ("eof,lines\n", default_mode(self->id)) TH_LOG("'%s'", bad[i]);
	}
	/* A write of no bytes sets nothing. */
	EXPECT_EQ(0, spill(sysfs_file(self->id, "default_mode"), ""));
	EXPECT_STREQ("eof,lines\n", default_mode(self->id));
}

/* ---- fdinfo ---- */

TEST_F(own, fdinfo_shows_the_mode)
{
	char text[1024], line[64];
	size_t i;

	for (i = 0; i < MODES; i++) {
		ASSERT_EQ(0, set_mode(self->fd, modes[i].mode));
		fdinfo(self->fd, text, sizeof(text));
		snprintf(line, sizeof(line), "\nkmsgpipe-modes:\t%s\n", modes[i].words);
		EXPECT_TRUE(strstr(text, line) != NULL) TH_LOG("%s", text);
		/* The other lines of fdinfo are still there. */
		EXPECT_TRUE(strstr(text, "\nkmsgpipe-mode:\trw\n") != NULL) TH_LOG("%s", text);
		EXPECT_EQ(self->id, value_of(text, "kmsgpipe-id"));
		EXPECT_EQ(0, value_of(text, "kmsgpipe-sent-msgs"));
		EXPECT_EQ(0, value_of(text, "kmsgpipe-received-bytes"));
	}
}

TEST_F(own, fdinfo_shows_rest_and_partial_line)
{
	char text[1024];

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_LINES));
	fdinfo(self->fd, text, sizeof(text));
	EXPECT_TRUE(strstr(text, "\nkmsgpipe-rest-bytes:\t0\n") != NULL) TH_LOG("%s", text);
	EXPECT_TRUE(strstr(text, "\nkmsgpipe-line-bytes:\t0\n") != NULL) TH_LOG("%s", text);
	ASSERT_EQ(11, write_text(self->fd, "one two\nabc"));
	EXPECT_STREQ("on", read_text(self->fd, 2));
	EXPECT_EQ(6, rest_bytes(self->fd));
	EXPECT_EQ(3, line_bytes(self->fd));
	EXPECT_EQ(0, rest_bytes(self->nonblocking));
	EXPECT_EQ(0, line_bytes(self->nonblocking));
	EXPECT_STREQ("e two\n", read_text(self->fd, 100));
	ASSERT_EQ(1, write_text(self->fd, "\n"));
	EXPECT_EQ(0, rest_bytes(self->fd));
	EXPECT_EQ(0, line_bytes(self->fd));
}

/* ---- WHOLE ---- */

TEST_F(own, whole_read_of_a_longer_message_is_emsgsize)
{
	struct kmsgpipe_stats before;
	char bytes[6];
	struct iovec iov[] = { { bytes, 3 }, { bytes + 3, 3 } };

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	before = state_of(self->fd);
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, bytes, 6)));
	EXPECT_EQ(-EMSGSIZE, TRY(readv(self->fd, iov, 2)));
	EXPECT_EQ(-EMSGSIZE, TRY(preadv2(self->fd, iov, 2, -1, RWF_NOWAIT)));
	EXPECT_EQ(-EMSGSIZE, TRY(read(self->fd, bad_address, 6)));
	EXPECT_EQ(0, TRY(read(self->fd, bytes, 0)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(0, rest_bytes(self->fd));
	EXPECT_EQ(7, fionread(self->fd));
	/* Another open file reads it in pieces. */
	EXPECT_STREQ("mes", read_text(self->nonblocking, 3));
	ASSERT_EQ(3, write_text(self->fd, "fit"));
	EXPECT_STREQ("fit", read_text(self->fd, 3));
	EXPECT_STREQ("sage", read_text(self->nonblocking, 100));
}

/*
 * Returns a descriptor for whole reads of a pipe with one message of this length. `ends` is a pipe(2) of two pages
 * with one byte in it.
 */
static int to_be_spliced(int ends[2], size_t len)
{
	static char message[65536];
	int fd = open_id(limited_pipe(sizeof(message), 2), O_RDWR | O_NONBLOCK);

	if (pipe2(ends, O_NONBLOCK) || fcntl(ends[1], F_SETPIPE_SZ, 8192) != 8192 || write(ends[1], "x", 1) != 1)
		abort();
	if (set_mode(fd, KMSGPIPE_MODE_WHOLE) || write(fd, message, len) != (ssize_t)len)
		abort();
	return fd;
}

TEST_F(own, whole_splices_again_when_the_other_pipe_is_empty)
{
	static const size_t lengths[] = { 4097, 5000, 8192 };
	static char got[8192];
	int ends[2], fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = to_be_spliced(ends, lengths[i]);
		EXPECT_EQ(-EAGAIN, TRY(splice(fd, NULL, ends[1], NULL, 65536, SPLICE_F_NONBLOCK)));
		EXPECT_EQ(-EAGAIN, TRY(sendfile(ends[1], fd, NULL, 65536)));
		EXPECT_EQ(1, stats_of(fd).depth_msgs);
		EXPECT_EQ(0, rest_bytes(fd));
		EXPECT_EQ(1, read(ends[0], got, sizeof(got)));
		EXPECT_EQ(lengths[i], splice(fd, NULL, ends[1], NULL, 65536, 0));
		EXPECT_EQ(lengths[i], read(ends[0], got, sizeof(got)));
		expect_destroyed(_metadata, fd);
		close(fd);
		close(ends[0]);
		close(ends[1]);
	}
}

TEST_F(own, whole_splice_of_more_than_a_pipe_holds_is_emsgsize)
{
	char byte;
	int ends[2], fd = to_be_spliced(ends, 8193), turn;

	for (turn = 0; turn < 2; turn++) {
		EXPECT_EQ(-EMSGSIZE, TRY(splice(fd, NULL, ends[1], NULL, 65536, SPLICE_F_NONBLOCK)));
		EXPECT_EQ(-EMSGSIZE, TRY(sendfile(ends[1], fd, NULL, 65536)));
		EXPECT_EQ(1, stats_of(fd).depth_msgs);
		/* The second turn tries it with an empty pipe(2). */
		EXPECT_EQ(turn ? -EAGAIN : 1, TRY(read(ends[0], &byte, 1)));
	}
	expect_destroyed(_metadata, fd);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(own, whole_splice_of_more_than_asked_for_is_emsgsize)
{
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_EQ(-EMSGSIZE, TRY(splice(self->fd, NULL, ends[1], NULL, 6, 0)));
	EXPECT_EQ(-EMSGSIZE, TRY(sendfile(ends[1], self->fd, NULL, 6)));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	/* The message fits beside another byte in the pipe(2). */
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(7, splice(self->fd, NULL, ends[1], NULL, 7, 0));
	close(ends[0]);
	close(ends[1]);
}

/* ---- EOF ---- */

TEST_F(own, eof_read_of_an_empty_pipe_returns_zero)
{
	int fds[] = { self->fd, self->nonblocking }, ends[2];
	char bytes[8];
	struct iovec iov[] = { { bytes, 4 }, { bytes + 4, 4 } };
	size_t i;

	ASSERT_EQ(0, pipe(ends));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, set_mode(fds[i], KMSGPIPE_MODE_EOF));
		EXPECT_EQ(0, TRY(read(fds[i], bytes, 8)));
		EXPECT_EQ(0, TRY(readv(fds[i], iov, 2)));
		EXPECT_EQ(0, TRY(preadv2(fds[i], iov, 2, -1, RWF_NOWAIT)));
		EXPECT_EQ(0, TRY(splice(fds[i], NULL, ends[1], NULL, 100, 0)));
		EXPECT_EQ(0, TRY(sendfile(ends[1], fds[i], NULL, 100)));
		ASSERT_EQ(7, write_text(fds[i], "message"));
		EXPECT_STREQ("message", read_text(fds[i], 100));
		EXPECT_EQ(0, try_read(fds[i], 100));
		EXPECT_EQ(0, fionread(fds[i]));
	}
	/* Neither a rest nor a message that does not fit is the end. */
	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_STREQ("mess", read_text(self->fd, 4));
	EXPECT_EQ(0, try_read(self->nonblocking, 100));
	EXPECT_STREQ("age", read_text(self->fd, 4));
	EXPECT_EQ(0, try_read(self->fd, 100));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_EQ(-EMSGSIZE, try_read(self->fd, 6));
	EXPECT_STREQ("message", read_text(self->fd, 7));
	EXPECT_EQ(0, try_read(self->fd, 7));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, try_read(self->fd, 7));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(own, eof_read_after_all_expired_returns_zero)
{
	/* Expired messages are removed by the read itself. */
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3600000, .expiry_ms = 1 };

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	while (stats_of(self->fd).head_age_ns <= 1000000)
		sched_yield();
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	EXPECT_EQ(0, try_read(self->fd, 100));
	EXPECT_EQ(1, stats_of(self->fd).expired_msgs);
}

TEST_F(own, eof_file_polls_as_readable)
{
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(POLLOUT, poll_now(self->nonblocking));
	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_STREQ("message", read_text(self->fd, 100));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
}

TEST_F(own, eof_works_with_io_uring)
{
	char bytes[16];
	struct io_uring_sqe read = {
		.opcode = IORING_OP_READ, .fd = self->fd, .addr = (uintptr_t)bytes, .len = sizeof(bytes), .off = -1,
	};
	struct ring ring;

	ring_open(&ring);
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(0, ring_complete(&ring));
	ASSERT_EQ(7, write_text(self->fd, "message"));
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(7, ring_complete(&ring));
	ASSERT_EQ(1, ring_submit(&ring, &read));
	EXPECT_EQ(0, ring_complete(&ring));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
