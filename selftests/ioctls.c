// SPDX-License-Identifier: GPL-2.0
/*
 * The requests: what they return, to whom, and what they refuse.
 */
#include "pipe_fixture.h"

#include <sys/wait.h>

TEST_F(pipe, get_stats_counts_messages_and_bytes)
{
	struct kmsgpipe_stats before = stats_of(self->fd), after;
	char buffer[16];

	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	ASSERT_EQ(4, write(self->fd, "beta", 4));
	ASSERT_EQ(5, write(self->fd, "gamma", 5));
	ASSERT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	after = stats_of(self->fd);
	EXPECT_EQ(before.enqueued_msgs + 3, after.enqueued_msgs);
	EXPECT_EQ(before.enqueued_bytes + 14, after.enqueued_bytes);
	EXPECT_EQ(before.dequeued_msgs + 1, after.dequeued_msgs);
	EXPECT_EQ(before.dequeued_bytes + 5, after.dequeued_bytes);
	EXPECT_EQ(2, after.depth_msgs);
	EXPECT_EQ(9, after.depth_bytes);
	EXPECT_LE(3, after.peak_msgs);
	EXPECT_LE(14, after.peak_bytes);
	EXPECT_EQ(before.head_seq, 0);
	EXPECT_TRUE(accounted(&after));
}

TEST_F(pipe, clear_drops_what_is_queued)
{
	struct kmsgpipe_stats before = stats_of(self->fd), after;

	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	ASSERT_EQ(4, write(self->fd, "beta", 4));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	after = stats_of(self->fd);
	EXPECT_EQ(0, after.depth_msgs);
	EXPECT_EQ(0, after.depth_bytes);
	EXPECT_EQ(before.dropped_msgs + 2, after.dropped_msgs);
	EXPECT_EQ(before.dropped_bytes + 9, after.dropped_bytes);
	EXPECT_EQ(before.dequeued_msgs, after.dequeued_msgs);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(after.dropped_msgs, stats_of(self->fd).dropped_msgs);
}

TEST_F(pipe, every_byte_of_the_statistics_is_written)
{
	struct kmsgpipe_stats a, b;
	size_t i;

	memset(&a, 0x00, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_GET_STATS, &a));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_GET_STATS, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	for (i = 0; i < sizeof(a.reserved) / sizeof(a.reserved[0]); i++)
		EXPECT_EQ(0, b.reserved[i]);
}

TEST_F(pipe, works_on_every_descriptor)
{
	/* Beside the two descriptors of the fixture, which may do both. */
	static const struct {
		int flags;
		unsigned int readers, writers;
	} cases[] = { { O_RDONLY, 3, 2 }, { O_WRONLY, 2, 3 }, { O_RDWR, 3, 3 }, { O_ACCMODE, 2, 2 } };
	struct kmsgpipe_stats stats;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fd = open_pipe(cases[i].flags);
		stats = stats_of(fd);
		EXPECT_EQ(cases[i].readers, stats.readers);
		EXPECT_EQ(cases[i].writers, stats.writers);
		EXPECT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
		close(fd);
	}
}

TEST_F(pipe, bad_memory)
{
	struct kmsgpipe_stats *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, (void *)-1)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, readonly)));
}

TEST_F(pipe, unknown_requests)
{
	struct kmsgpipe_stats stats;
	unsigned int nr;

	for (nr = 2; nr < 256; nr++)
		ASSERT_EQ(-ENOTTY, TRY(ioctl(self->fd, _IO(KMSGPIPE_IOC_MAGIC, nr))));
	/* The right number with another size, direction or letter. */
	EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, _IOR(KMSGPIPE_IOC_MAGIC, 0, char), &stats)));
	EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, _IOW(KMSGPIPE_IOC_MAGIC, 0, struct kmsgpipe_stats), &stats)));
	EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, _IOW(KMSGPIPE_IOC_MAGIC, 1, int), &stats)));
	EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, _IO('y', 1))));
	EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, 0)));
	EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, 0xffffffff)));
}

/* Runs in a child without privilege; returns its exit status. */
static int unprivileged(int fd)
{
	struct kmsgpipe_stats stats;
	int status;
	pid_t child = fork();

	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		if (TRY(ioctl(fd, KMSGPIPE_CLEAR_QUEUE)) != -EPERM)
			_exit(2);
		if (ioctl(fd, KMSGPIPE_GET_STATS, &stats) || stats.depth_msgs != 1)
			_exit(3);
		if (write(fd, "more", 4) != 4)
			_exit(4);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(pipe, clear_needs_the_administrator)
{
	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	EXPECT_EQ(0, unprivileged(self->fd));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
}

TEST_HARNESS_MAIN
