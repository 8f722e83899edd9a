// SPDX-License-Identifier: GPL-2.0
/*
 * Exclusive readers: with O_EXCL one open file may read from a pipe, except that administrators are exempt. A
 * child process makes each attempt, as an ordinary user unless root is named.
 */
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/tasks.h"

#include <sys/wait.h>

/* A pipe that all users may open. */
FIXTURE(shared)
{
	long id;
	char node[40];
	int fd;
};

FIXTURE_SETUP(shared)
{
	struct kmsgpipe_create create = default_pipe();

	create.mode = 0666;
	self->id = create_pipe(&create);
	ASSERT_LE(1, self->id);
	snprintf(self->node, sizeof(self->node), "/dev/kmsgpipe%ld", self->id);
	/* This descriptor can neither read nor write, so it does not count as a reader. */
	self->fd = open(self->node, O_ACCMODE | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(shared)
{
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	close(self->fd);
}

/* A child process that has opened the pipe, and keeps it open until let_go(). */
struct holder {
	pid_t pid;
	int hold;
};

/* The result of an open in a child process: 0, or minus its errno. The file stays open until let_go(). */
static long hold(struct holder *holder, const char *node, int flags, int root)
{
	int answer[2], go[2];
	long ret;
	char byte;

	if (pipe(answer) || pipe(go))
		abort();
	holder->pid = fork();
	if (holder->pid < 0)
		abort();
	if (!holder->pid) {
		if (!root && (setgid(12) || setuid(34)))
			_exit(1);
		ret = open(node, flags | O_NONBLOCK) < 0 ? -errno : 0;
		if (write(answer[1], &ret, sizeof(ret)) != sizeof(ret))
			_exit(1);
		_exit(read(go[0], &byte, 1) != 1);
	}
	close(go[0]);
	close(answer[1]);
	holder->hold = go[1];
	if (read(answer[0], &ret, sizeof(ret)) != sizeof(ret))
		abort();
	close(answer[0]);
	return ret;
}

static int let_go(struct holder *holder)
{
	int status;

	if (write(holder->hold, "", 1) != 1 || waitpid(holder->pid, &status, 0) != holder->pid)
		abort();
	close(holder->hold);
	return status;
}

/* The result of an open in a child process that closes the file at once. */
static long opened(const char *node, int flags, int root)
{
	struct holder holder;
	long ret = hold(&holder, node, flags, root);

	if (let_go(&holder))
		abort();
	return ret;
}

TEST_F(shared, excludes_other_readers_until_closed)
{
	struct holder reader;

	ASSERT_EQ(0, hold(&reader, self->node, O_RDONLY | O_EXCL, 0));
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDONLY, 0));
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDWR, 0));
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDONLY | O_EXCL, 0));
	EXPECT_EQ(1, stats_of(self->fd).readers);
	EXPECT_EQ(0, let_go(&reader));
	EXPECT_EQ(0, opened(self->node, O_RDONLY, 0));
	EXPECT_EQ(0, opened(self->node, O_RDONLY | O_EXCL, 0));
}

TEST_F(shared, does_not_exclude_writers)
{
	struct holder reader;

	ASSERT_EQ(0, hold(&reader, self->node, O_RDWR | O_EXCL, 0));
	EXPECT_EQ(0, opened(self->node, O_WRONLY, 0));
	/* O_EXCL has no effect on a file that cannot read. */
	EXPECT_EQ(0, opened(self->node, O_WRONLY | O_EXCL, 0));
	EXPECT_EQ(0, opened(self->node, O_ACCMODE | O_EXCL, 0));
	EXPECT_EQ(0, let_go(&reader));
}

TEST_F(shared, fails_with_ebusy_beside_another_reader)
{
	struct holder reader, writer;

	ASSERT_EQ(0, hold(&writer, self->node, O_WRONLY, 0));
	ASSERT_EQ(0, hold(&reader, self->node, O_RDWR, 0));
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDONLY | O_EXCL, 0));
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDWR | O_EXCL, 0));
	EXPECT_EQ(0, opened(self->node, O_RDONLY, 0));
	EXPECT_EQ(0, let_go(&reader));
	EXPECT_EQ(0, opened(self->node, O_RDONLY | O_EXCL, 0));
	EXPECT_EQ(0, let_go(&writer));
}

TEST_F(shared, cap_sys_admin_opens_despite_exclusion)
{
	struct holder reader, root;

	ASSERT_EQ(0, hold(&reader, self->node, O_RDONLY | O_EXCL, 0));
	ASSERT_EQ(0, hold(&root, self->node, O_RDONLY | O_EXCL, 1));
	EXPECT_EQ(0, opened(self->node, O_RDONLY, 1));
	EXPECT_EQ(0, let_go(&reader));
	/* The exclusive file of root still excludes other users. */
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDONLY, 0));
	EXPECT_EQ(0, let_go(&root));
	EXPECT_EQ(0, opened(self->node, O_RDONLY, 0));
}

TEST_F(shared, exclusion_ends_with_the_last_descriptor)
{
	int fd = open(self->node, O_RDONLY | O_EXCL | O_CLOEXEC), copy;

	ASSERT_LE(0, fd);
	copy = dup(fd);
	ASSERT_LE(0, copy);
	close(fd);
	EXPECT_EQ(-EBUSY, opened(self->node, O_RDONLY, 0));
	close(copy);
	EXPECT_EQ(0, opened(self->node, O_RDONLY, 0));
}

TEST_HARNESS_MAIN
