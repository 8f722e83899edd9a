// SPDX-License-Identifier: GPL-2.0
/* O_NONBLOCK (TOGGLE_BLOCK, FIONBIO), and the length of the next message (FIONREAD). */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/tasks.h"

#include <sys/wait.h>

/* spec: 6-toggle-block */
TEST_F(own, toggle_block_toggles_o_nonblock)
{
	int flags = fcntl(self->fd, F_GETFL);
	struct call call;
	char byte = 0;

	ASSERT_EQ(0, flags & O_NONBLOCK);
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_TOGGLE_BLOCK));
	EXPECT_EQ(flags | O_NONBLOCK, fcntl(self->fd, F_GETFL));
	EXPECT_EQ(-EAGAIN, TRY(read(self->fd, &byte, 1)));
	fill(self->fd);
	EXPECT_EQ(-EAGAIN, TRY(write(self->fd, &byte, 1)));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));

	/* The argument is ignored. */
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_TOGGLE_BLOCK, bad_address));
	EXPECT_EQ(flags, fcntl(self->fd, F_GETFL));
	call = read_call(self->fd, &byte, 1);
	start_call(&call);
	await_readers(self->fd, 1);
	/* A call that already sleeps continues to sleep. */
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_TOGGLE_BLOCK));
	EXPECT_EQ(1, stats_of(self->fd).waiting_readers);
	EXPECT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(1, finish_call(&call));
}

/* spec: 6-toggle-block */
TEST_F(own, toggle_block_applies_to_the_open_file)
{
	int copy = fcntl(self->fd, F_DUPFD_CLOEXEC, 0), status;
	char byte;
	pid_t child;

	ASSERT_LE(0, copy);
	/* Another open file of the same pipe. */
	EXPECT_EQ(O_NONBLOCK, fcntl(self->nonblocking, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, ioctl(self->nonblocking, KMSGPIPE_TOGGLE_BLOCK));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fcntl(self->nonblocking, F_GETFL) & O_NONBLOCK);

	/* A duplicate of the descriptor, in this process and in another one. */
	EXPECT_EQ(0, ioctl(copy, KMSGPIPE_TOGGLE_BLOCK));
	EXPECT_EQ(O_NONBLOCK, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(-EAGAIN, TRY(read(self->fd, &byte, 1)));
	child = fork();
	if (!child)
		_exit(ioctl(copy, KMSGPIPE_TOGGLE_BLOCK) != 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fcntl(self->nonblocking, F_GETFL) & O_NONBLOCK);
	close(copy);
}

static void *toggle(void *arg)
{
	int i;

	for (i = 0; i < 1001; i++)
		if (ioctl(*(int *)arg, KMSGPIPE_TOGGLE_BLOCK))
			return arg;
	return NULL;
}

TEST_F_TIMEOUT(own, concurrent_toggles_are_not_lost, 120)
{
	pthread_t threads[3];
	void *failed;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, toggle, &self->fd));
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &failed);
		EXPECT_EQ(NULL, failed);
	}
	EXPECT_EQ(O_NONBLOCK, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
}

/* spec: 11-nonblocking */
TEST_F(own, fionbio_sets_o_nonblock)
{
	int on = 1, off = 0, twice;
	char byte;

	for (twice = 0; twice < 2; twice++) {
		EXPECT_EQ(0, ioctl(self->fd, FIONBIO, &on));
		EXPECT_EQ(O_NONBLOCK, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	}
	EXPECT_EQ(-EAGAIN, TRY(read(self->fd, &byte, 1)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, FIONBIO, bad_address)));
	EXPECT_EQ(O_NONBLOCK, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, ioctl(self->fd, FIONBIO, &off));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	/* Both requests change the same flag. */
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_TOGGLE_BLOCK));
	EXPECT_EQ(0, ioctl(self->fd, FIONBIO, &off));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
}

TEST_F(own, fionread_is_the_length_of_the_next_message)
{
	int lengths[2] = { -1, -1 };
	char buffer[16];

	EXPECT_EQ(0, ioctl(self->fd, FIONREAD, lengths));
	EXPECT_EQ(0, lengths[0]);
	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	ASSERT_EQ(4, write(self->fd, "beta", 4));
	EXPECT_EQ(0, ioctl(self->fd, FIONREAD, lengths));
	EXPECT_EQ(5, lengths[0]);
	ASSERT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, ioctl(self->nonblocking, FIONREAD, lengths));
	EXPECT_EQ(4, lengths[0]);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, ioctl(self->fd, FIONREAD, lengths));
	EXPECT_EQ(0, lengths[0]);
	EXPECT_EQ(-1, lengths[1]);
	ASSERT_EQ(0, set_limits(self->fd, KMSGPIPE_MSG_SIZE_MAX, 1));
	ASSERT_EQ(KMSGPIPE_MSG_SIZE_MAX, write(self->fd, calloc(1, KMSGPIPE_MSG_SIZE_MAX), KMSGPIPE_MSG_SIZE_MAX));
	EXPECT_EQ(0, ioctl(self->fd, FIONREAD, lengths));
	EXPECT_EQ(KMSGPIPE_MSG_SIZE_MAX, lengths[0]);
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
}

TEST_F(own, fionread_needs_read_access)
{
	int writing = open_id(self->id, O_WRONLY), neither = open_id(self->id, O_ACCMODE);
	int reading = open_id(self->id, O_RDONLY), length = -1;
	char *readonly = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(5, write(self->fd, "alpha", 5));
	EXPECT_EQ(-EBADF, TRY(ioctl(writing, FIONREAD, &length)));
	EXPECT_EQ(-EBADF, TRY(ioctl(neither, FIONREAD, &length)));
	EXPECT_EQ(-1, length);
	EXPECT_EQ(-EFAULT, TRY(ioctl(reading, FIONREAD, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(reading, FIONREAD, readonly)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(reading, FIONREAD, page_end() - 3)));
	EXPECT_EQ(0, ioctl(reading, FIONREAD, &length));
	EXPECT_EQ(5, length);
	close(reading);
	close(writing);
	close(neither);
}
