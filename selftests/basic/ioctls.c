// SPDX-License-Identifier: GPL-2.0
/* Ioctl requests: their results, the privileges they need, and requests that are refused. */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"

#include <sys/syscall.h>
#include <sys/wait.h>

/* spec: 6-get-stats */
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

/* spec: 6-clear-queue */
TEST_F(pipe, clear_queue_drops_all_messages)
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

/* spec: 6-get-stats */
TEST_F(pipe, every_byte_of_the_statistics_is_written)
{
	struct kmsgpipe_stats a, b;
	size_t i;

	memset(&a, 0x00, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_GET_STATS, &a));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_GET_STATS, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	for (i = 0; i < ARRAY_SIZE(a.reserved); i++)
		EXPECT_EQ(0, b.reserved[i]);
}

/* spec: 6-get-stats */
TEST_F(pipe, work_on_every_descriptor)
{
	/* Further descriptors; the two of the fixture are open for reading and writing. */
	static const struct {
		int flags;
		unsigned int readers, writers;
	} cases[] = { { O_RDONLY, 3, 2 }, { O_WRONLY, 2, 3 }, { O_RDWR, 3, 3 }, { O_ACCMODE, 2, 2 } };
	struct kmsgpipe_stats stats;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fd = open_pipe(cases[i].flags);
		stats = stats_of(fd);
		EXPECT_EQ(cases[i].readers, stats.readers);
		EXPECT_EQ(cases[i].writers, stats.writers);
		EXPECT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
		close(fd);
	}
}

TEST_F(pipe, bad_memory_is_efault)
{
	struct kmsgpipe_stats *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, (void *)-1)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, readonly)));
}

/* All requests that exist. */
static const struct {
	unsigned int request;
	int privileged;
} known[] = {
	{ KMSGPIPE_GET_STATS, 0 }, { KMSGPIPE_CLEAR_QUEUE, 1 }, { KMSGPIPE_SET_PARAMS, 1 },
	{ KMSGPIPE_GET_PARAMS, 0 }, { KMSGPIPE_TOGGLE_BLOCK, 0 }, { KMSGPIPE_FLUSH_PERIODIC, 1 },
	{ KMSGPIPE_CREATE_NEW, 1 }, { KMSGPIPE_DESTROY, 1 }, { KMSGPIPE_DUMP, 1 },
	{ KMSGPIPE_SET_MODE, 0 }, { KMSGPIPE_GET_MODE, 0 }, { KMSGPIPE_ATTACH, 0 },
	{ KMSGPIPE_ACK, 0 }, { KMSGPIPE_NACK, 0 },
};

#define KNOWN ARRAY_SIZE(known)

static int is_known(unsigned int request)
{
	size_t i;

	for (i = 0; i < KNOWN; i++)
		if (known[i].request == request)
			return 1;
	return 0;
}

/*
 * Tries every number with every direction and many sizes, those of all structures included. Returns the first request
 * that is not ENOTTY and should be.
 */
static unsigned int unknown_but_answered(int fd)
{
	static const unsigned int sizes[] = { 0, 1, 4, 8, 15, 16, 17, 24, 32, 40, 48, 64, 72, 80, 255, 256, 257, 4096, 16383 };
	unsigned int nr, direction, i, request;

	for (nr = 0; nr < 256; nr++)
		for (direction = 0; direction < 4; direction++)
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				request = _IOC(direction, KMSGPIPE_IOC_MAGIC, nr, sizes[i]);
				if (!is_known(request) && TRY(ioctl(fd, request, NULL)) != -ENOTTY)
					return request;
			}
	return 0;
}

/* spec: 9-enotty */
TEST_F_TIMEOUT(pipe, unknown_requests_are_enotty, 120)
{
	static const unsigned int others[] = { 0, 1, 0xffffffff, 0x5401, 0x80000000 };
	size_t i;

	EXPECT_EQ(0, unknown_but_answered(self->fd));
	for (i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_EQ(-ENOTTY, TRY(ioctl(self->fd, others[i], NULL)));
}

/* Each request with another direction, another size or another type. */
/* spec: 9-enotty */
TEST_F(pipe, requests_with_another_direction_size_or_type_are_enotty)
{
	unsigned int i, direction, bit, request;

	for (i = 0; i < KNOWN; i++) {
		for (direction = 0; direction < 4; direction++) {
			request = (known[i].request & ~(_IOC_DIRMASK << _IOC_DIRSHIFT)) | direction << _IOC_DIRSHIFT;
			if (request != known[i].request)
				ASSERT_EQ(-ENOTTY, TRY(ioctl(self->fd, request, NULL))) TH_LOG("%x", request);
		}
		for (bit = _IOC_TYPESHIFT; bit < _IOC_DIRSHIFT; bit++) {
			request = known[i].request ^ 1U << bit;
			ASSERT_EQ(-ENOTTY, TRY(ioctl(self->fd, request, NULL))) TH_LOG("%x", request);
		}
		request = known[i].request + (1U << _IOC_SIZESHIFT);
		ASSERT_EQ(-ENOTTY, TRY(ioctl(self->fd, request, NULL))) TH_LOG("%x", request);
		if (_IOC_SIZE(known[i].request)) {
			request = known[i].request - (1U << _IOC_SIZESHIFT);
			ASSERT_EQ(-ENOTTY, TRY(ioctl(self->fd, request, NULL))) TH_LOG("%x", request);
		}
	}
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

/* The kernel ignores the upper 32 bits of a request. */
/* spec: 11-ioctl */
TEST_F(pipe, upper_bits_of_a_request_are_ignored)
{
	struct kmsgpipe_stats stats;

	EXPECT_EQ(0, syscall(SYS_ioctl, self->fd, 0xdead00000000 | KMSGPIPE_GET_STATS, &stats));
	EXPECT_EQ(128, stats.max_msgs);
}

/* The privilege is checked before the argument is read. */
static int without_privilege(int fd)
{
	void *const arguments[] = { NULL, bad_address, (void *)-1, (void *)(1UL << 63) };
	unsigned int i, j;

	if (setgid(12) || setuid(34))
		return 1;
	for (i = 0; i < KNOWN; i++) {
		if (!known[i].privileged)
			continue;
		for (j = 0; j < 4; j++)
			if (TRY(ioctl(fd, known[i].request, arguments[j])) != -EPERM)
				return 10 + i;
	}
	return unknown_but_answered(fd) ? 2 : 0;
}

/* spec: 6-privilege 9-eperm */
TEST_F_TIMEOUT(pipe, without_privilege_no_argument_is_read, 120)
{
	struct kmsgpipe_stats before;
	int status;
	pid_t child;

	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	before = state_of(self->fd);
	child = fork();
	if (!child)
		_exit(without_privilege(self->fd));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(unchanged(&before, self->fd));
}

/*
 * A destroyed pipe fails all requests with ENODEV; a request without the privilege that it needs still fails with
 * EPERM.
 */
static int on_destroyed(int fd, int privileged)
{
	int length;
	size_t i;

	if (!privileged && (setgid(12) || setuid(34)))
		return 1;
	for (i = 0; i < KNOWN; i++)
		if (TRY(ioctl(fd, known[i].request, bad_address)) !=
		    (known[i].privileged && !privileged ? -EPERM : -ENODEV))
			return 10 + i;
	if (TRY(ioctl(fd, FIONREAD, &length)) != -ENODEV)
		return 2;
	if (fcntl(fd, F_GETFL) & O_NONBLOCK)
		return 3;
	return unknown_but_answered(fd) ? 4 : 0;
}

TEST_F_TIMEOUT(pipe, requests_to_a_destroyed_pipe_are_enodev, 120)
{
	struct kmsgpipe_create create = default_pipe();
	int fd = open_id(create_pipe(&create), O_RDWR), status, privileged;
	pid_t child;

	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
	for (privileged = 0; privileged < 2; privileged++) {
		child = fork();
		if (!child)
			_exit(on_destroyed(fd, privileged));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
	}
	close(fd);
}

/* Runs the checks in a child without privilege and returns its exit status. */
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

/* spec: 6-clear-queue */
TEST_F(pipe, clear_queue_needs_cap_sys_admin)
{
	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	EXPECT_EQ(0, unprivileged(self->fd));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
}

TEST_HARNESS_MAIN
