// SPDX-License-Identifier: GPL-2.0
/*
 * A task whose buffer lies on memory that nobody brings in hangs in its page fault
 * for as long as it likes; nobody else may notice.
 */
#include "pipe.h"

#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096

FIXTURE(userfault)
{
	int fd;
	int uffd;
	char *missing;
};

FIXTURE_SETUP(userfault)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	self->fd = open_pipe(O_RDWR);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->missing = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->missing);
	range.range.start = (uintptr_t)self->missing;
	range.range.len = PAGE;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &range));
}

FIXTURE_TEARDOWN(userfault)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_TRUE(accounted(&stats));
	EXPECT_EQ(0, stats.waiting_readers);
	EXPECT_EQ(0, stats.waiting_writers);
	close(self->uffd);
	close(self->fd);
}

/* Returns when a task hangs in a fault on the missing page. */
static void await_fault(int uffd)
{
	struct uffd_msg event;

	if (read(uffd, &event, sizeof(event)) != sizeof(event) || event.event != UFFD_EVENT_PAGEFAULT)
		abort();
}

/* Brings the page in, full of zeroes. */
static void serve(int uffd, char *page)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)page, PAGE } };

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero))
		abort();
}

static int roundtrips(int fd, int count)
{
	char buffer[16];
	int i;

	for (i = 0; i < count; i++)
		if (write(fd, "others", 6) != 6 || read(fd, buffer, sizeof(buffer)) != 6)
			return 0;
	return 1;
}

TEST_F(userfault, a_hanging_writer_stalls_nobody)
{
	struct call hanging = writer(self->fd, self->missing, 16);
	char buffer[16];

	/* With a spare buffer the copy is tried with the lock held first. */
	EXPECT_TRUE(roundtrips(self->fd, 1));
	start(&hanging);
	await_fault(self->uffd);
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_TRUE(roundtrips(self->fd, 1000));
	fill(self->fd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	serve(self->uffd, self->missing);
	EXPECT_EQ(16, finish(&hanging));
	EXPECT_EQ(16, read(self->fd, buffer, sizeof(buffer)));
}

TEST_F(userfault, a_hanging_reader_stalls_nobody)
{
	struct call hanging = reader(self->fd, self->missing, 16);
	char buffer[16];

	ASSERT_EQ(5, write(self->fd, "first", 5));
	start(&hanging);
	await_fault(self->uffd);
	/* The message is still where it was, for whoever can take it. */
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "first", 5));
	EXPECT_TRUE(roundtrips(self->fd, 1000));
	serve(self->uffd, self->missing);
	await_readers(self->fd, 1);
	EXPECT_EQ(6, write(self->fd, "second", 6));
	EXPECT_EQ(6, finish(&hanging));
	EXPECT_EQ(0, memcmp(self->missing, "second", 6));
}

TEST_F(userfault, a_reader_that_wakes_and_hangs_wakes_the_next)
{
	char buffer[16];
	struct call hanging = reader(self->fd, self->missing, 16);
	struct call next = reader(self->fd, buffer, sizeof(buffer));

	start(&hanging);
	await_readers(self->fd, 1);
	start(&next);
	await_readers(self->fd, 2);
	ASSERT_EQ(5, write(self->fd, "first", 5));
	await_fault(self->uffd);
	EXPECT_EQ(5, finish(&next));
	EXPECT_EQ(0, memcmp(buffer, "first", 5));
	serve(self->uffd, self->missing);
	ASSERT_EQ(6, write(self->fd, "second", 6));
	EXPECT_EQ(6, finish(&hanging));
}

TEST_F(userfault, a_hanging_writer_is_not_in_line)
{
	struct call hanging = writer(self->fd, self->missing, 16);
	struct call next = writer(self->fd, "next", 4);
	char byte;

	fill(self->fd);
	start(&hanging);
	await_fault(self->uffd);
	EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	start(&next);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(4, finish(&next));
	serve(self->uffd, self->missing);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(16, finish(&hanging));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

TEST_F(userfault, killing_a_hanging_task_loses_no_message)
{
	struct kmsgpipe_stats before;
	char buffer[16];
	int status;
	pid_t child;

	ASSERT_EQ(4, write(self->fd, "safe", 4));
	before = stats_of(self->fd);
	child = fork();
	if (!child) {
		/* A fork does not inherit the registration: register anew. */
		struct uffdio_api api = { .api = UFFD_API };
		struct uffdio_register range = {
			.range = { (uintptr_t)self->missing, PAGE },
			.mode = UFFDIO_REGISTER_MODE_MISSING,
		};
		int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
		struct call hanging = reader(self->fd, self->missing, 16);

		if (ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &range))
			_exit(1);
		start(&hanging);
		await_fault(uffd);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(before.dequeued_msgs, stats_of(self->fd).dequeued_msgs);
	EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "safe", 4));
}

TEST_HARNESS_MAIN
