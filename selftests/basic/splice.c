// SPDX-License-Identifier: GPL-2.0
/* splice and sendfile: each buffer of the pipe(2) becomes one message. */
#include "lib/harness.h"
#include "lib/pipe.h"

#include <sys/sendfile.h>

FIXTURE(spliced)
{
	int fd;
	int ends[2];
};

FIXTURE_SETUP(spliced)
{
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(0, pipe(self->ends));
}

FIXTURE_TEARDOWN(spliced)
{
	close(self->ends[0]);
	close(self->ends[1]);
	close(self->fd);
}

TEST_F(spliced, splice_from_the_pipe_moves_one_message_per_call)
{
	char buffer[64];

	ASSERT_EQ(3, write(self->fd, "one", 3));
	ASSERT_EQ(5, write(self->fd, "three", 5));
	EXPECT_EQ(3, splice(self->fd, NULL, self->ends[1], NULL, 4096, 0));
	EXPECT_EQ(3, read(self->ends[0], buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "one", 3));
	EXPECT_EQ(5, splice(self->fd, NULL, self->ends[1], NULL, 4096, 0));
	EXPECT_EQ(5, read(self->ends[0], buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "three", 5));
	EXPECT_EQ(-EAGAIN, TRY(splice(self->fd, NULL, self->ends[1], NULL, 4096, 0)));
}

TEST_F(spliced, a_whole_splice_that_is_too_short_is_emsgsize)
{
	char buffer[8];

	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	ASSERT_EQ(5, write(self->fd, "three", 5));
	EXPECT_EQ(-EMSGSIZE, TRY(splice(self->fd, NULL, self->ends[1], NULL, 4, 0)));
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
}

TEST_F(spliced, splice_into_the_pipe_makes_one_message_per_call)
{
	char buffer[64];

	ASSERT_EQ(3, write(self->ends[1], "one", 3));
	EXPECT_EQ(3, splice(self->ends[0], NULL, self->fd, NULL, 4096, 0));
	ASSERT_EQ(5, write(self->ends[1], "three", 5));
	EXPECT_EQ(5, splice(self->ends[0], NULL, self->fd, NULL, 4096, 0));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(3, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "one", 3));
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "three", 5));
}

TEST_F(spliced, an_oversized_splice_is_emsgsize)
{
	char large[257] = { 0 };

	ASSERT_EQ(257, write(self->ends[1], large, 257));
	EXPECT_EQ(-EMSGSIZE, TRY(splice(self->ends[0], NULL, self->fd, NULL, 257, 0)));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

TEST_F(spliced, splice_into_a_full_pipe_is_eagain)
{
	fill(self->fd);
	ASSERT_EQ(3, write(self->ends[1], "one", 3));
	EXPECT_EQ(-EAGAIN, TRY(splice(self->ends[0], NULL, self->fd, NULL, 4096, 0)));
}

/* spec: 1-file-operations */
TEST_F(spliced, sendfile_into_the_pipe_makes_messages)
{
	int file = memfd_create("content", MFD_CLOEXEC);
	char buffer[256];
	off_t offset = 2;

	ASSERT_EQ(10, write(file, "0123456789", 10));
	EXPECT_EQ(4, sendfile(self->fd, file, &offset, 4));
	EXPECT_EQ(6, offset);
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "2345", 4));
	close(file);
}

TEST_F(spliced, sendfile_from_the_pipe_needs_a_pipe)
{
	int file = memfd_create("content", MFD_CLOEXEC);
	char buffer[8];

	/* sendfile needs a source that can seek. Otherwise it would lose what it has read and cannot write. */
	ASSERT_EQ(4, write(self->fd, "stay", 4));
	EXPECT_EQ(-EINVAL, TRY(sendfile(file, self->fd, NULL, 4096)));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	/* sendfile to a pipe(2) is a splice. */
	EXPECT_EQ(4, sendfile(self->ends[1], self->fd, NULL, 4096));
	EXPECT_EQ(4, read(self->ends[0], buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "stay", 4));
	close(file);
}

TEST_HARNESS_MAIN
