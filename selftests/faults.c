// SPDX-License-Identifier: GPL-2.0
/*
 * Injected faults, on a kernel with CONFIG_FAULT_INJECTION: for each call, the first,
 * second, third ... allocation or copy fails, until none is left to fail. A call that
 * fails has changed nothing, and the same call then succeeds.
 */
#include "pipe.h"

#include <sys/wait.h>

static void set(const char *name, const char *value)
{
	char path[128];
	int file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, value, strlen(value)) < 0) {
		perror(path);
		abort();
	}
	close(file);
}

/*
 * Lets the n-th fault point of the next system call fail. The file stays open until it
 * was asked what came of it: opening it has fault points of its own, and it can be read
 * once.
 */
static int fail_nth(int n)
{
	int file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (file < 0 || write(file, text, len) != len)
		abort();
	return file;
}

/* Whether the fault was injected; none is pending afterwards. */
static int injected(int file)
{
	char text[16] = "";
	int left;

	/* The copy of the answer is a fault point itself: the next one after the call. */
	if (read(file, text, sizeof(text) - 1) > 0)
		left = atoi(text);
	else if (errno == EFAULT)
		left = 1;
	else
		abort();
	/* Only a fault that is still pending can fail this: then it no longer is. */
	if (left)
		left = 1 + (write(file, "0", 1) < 0);
	close(file);
	return !left;
}

FIXTURE(faults)
{
	int fd;
	char buffer[256];
};

FIXTURE_SETUP(faults)
{
	/* Otherwise what may wait never fails. */
	set("failslab/ignore-gfp-wait", "N");
	set("fail_page_alloc/ignore-gfp-wait", "N");
	set("fail_page_alloc/min-order", "0");
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

FIXTURE_TEARDOWN(faults)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_TRUE(accounted(&stats));
	close(self->fd);
}

TEST_F(faults, write)
{
	struct kmsgpipe_stats before = stats_of(self->fd);
	int n, nth, faults = 0;
	long ret;

	/* The pool is empty after the last close: the message has to be allocated. */
	for (n = 1;; n++) {
		nth = fail_nth(n);
		ret = TRY(write(self->fd, "message", 7));
		if (!injected(nth))
			break;
		/* What debugging allocates for itself may fail unnoticed. */
		if (ret == 7) {
			ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
			before = stats_of(self->fd);
			continue;
		}
		faults++;
		ASSERT_TRUE(ret == -ENOMEM || ret == -EFAULT) TH_LOG("fault %d: %ld", n, ret);
		ASSERT_EQ(before.enqueued_msgs, stats_of(self->fd).enqueued_msgs);
		ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
	}
	EXPECT_EQ(7, ret);
	/*
	 * The payload and its record at least, and what the allocator itself needs at times; a copy
	 * that fails with the lock held is made again without.
	 */
	EXPECT_LE(2, faults);
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_F(faults, read)
{
	struct kmsgpipe_stats before;
	int n, nth, faults = 0;
	long ret;

	ASSERT_EQ(7, write(self->fd, "message", 7));
	before = stats_of(self->fd);
	for (n = 1;; n++) {
		nth = fail_nth(n);
		ret = TRY(read(self->fd, self->buffer, sizeof(self->buffer)));
		if (!injected(nth))
			break;
		faults++;
		/* One copy that fails is tried again. */
		if (ret == 7) {
			ASSERT_EQ(0, memcmp(self->buffer, "message", 7));
			ASSERT_EQ(7, write(self->fd, "message", 7));
			continue;
		}
		ASSERT_EQ(-EFAULT, ret);
		ASSERT_EQ(before.head_seq, stats_of(self->fd).head_seq);
	}
	EXPECT_EQ(7, ret);
	EXPECT_LE(1, faults);
}

TEST_F(faults, reading_into_memory_that_can_never_be_written)
{
	/* It can be brought in each time, and yet each copy fails: no endless loop. */
	pid_t child;
	int file, status;

	ASSERT_EQ(7, write(self->fd, "message", 7));
	set("fail_usercopy/task-filter", "Y");
	set("fail_usercopy/verbose", "0");
	set("fail_usercopy/times", "-1");
	set("fail_usercopy/probability", "100");
	child = fork();
	if (!child) {
		file = open("/proc/self/make-it-fail", O_WRONLY);
		/* From here on nothing is copied for this task any more. */
		if (write(file, "1", 1) != 1)
			_exit(1);
		if (TRY(read(self->fd, self->buffer, sizeof(self->buffer))) != -EFAULT)
			_exit(2);
		if (TRY(write(self->fd, "message", 7)) != -EFAULT)
			_exit(3);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	set("fail_usercopy/probability", "0");
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(7, read(self->fd, self->buffer, sizeof(self->buffer)));
}

TEST_F(faults, get_stats)
{
	struct kmsgpipe_stats stats;
	int n, nth, faults = 0;
	long ret;

	for (n = 1;; n++) {
		nth = fail_nth(n);
		ret = TRY(ioctl(self->fd, KMSGPIPE_GET_STATS, &stats));
		if (!injected(nth))
			break;
		if (!ret)
			continue;
		faults++;
		ASSERT_EQ(-EFAULT, ret);
	}
	EXPECT_EQ(0, ret);
	EXPECT_EQ(1, faults);
}

TEST_F(faults, opening)
{
	struct kmsgpipe_stats before = stats_of(self->fd);
	int n, nth, faults = 0;
	long ret;

	for (n = 1;; n++) {
		nth = fail_nth(n);
		ret = TRY(open(NODE, O_RDWR));
		if (!injected(nth))
			break;
		faults++;
		if (ret >= 0)
			close(ret);
		else
			ASSERT_TRUE(ret == -ENOMEM || ret == -EFAULT || ret == -ENFILE);
		ASSERT_EQ(before.readers, stats_of(self->fd).readers);
	}
	EXPECT_LE(0, ret);
	EXPECT_LE(2, faults);
	EXPECT_EQ(before.readers + 1, stats_of(self->fd).readers);
	close(ret);
}

TEST_HARNESS_MAIN
