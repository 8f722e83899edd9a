// SPDX-License-Identifier: GPL-2.0
/*
 * A task sleeps in a page fault on its buffer until the test resolves it. Other tasks must not be delayed, and their
 * calls must take effect meanwhile.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/missing.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <signal.h>
#include <sys/wait.h>

FIXTURE(userfault)
{
	int fd;
	int uffd;
	char *missing;
};

FIXTURE_SETUP(userfault)
{
	self->fd = open_pipe(O_RDWR);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	self->uffd = missing_page(&self->missing);
}

FIXTURE_TEARDOWN(userfault)
{
	expect_at_rest(_metadata, self->fd);
	close(self->uffd);
	close(self->fd);
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

TEST_F(userfault, a_writer_in_a_page_fault_stalls_no_other_task)
{
	struct call hanging = write_call(self->fd, self->missing, 16);
	char buffer[16];

	/* With a spare buffer the first copy is tried with the lock held. */
	EXPECT_TRUE(roundtrips(self->fd, 1));
	start_call(&hanging);
	await_fault(self->uffd);
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
	EXPECT_TRUE(roundtrips(self->fd, 1000));
	fill(self->fd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	resolve_fault(self->uffd, self->missing);
	EXPECT_EQ(16, finish_call(&hanging));
	EXPECT_EQ(16, read(self->fd, buffer, sizeof(buffer)));
}

TEST_F(userfault, a_reader_in_a_page_fault_stalls_no_other_task)
{
	struct call hanging = read_call(self->fd, self->missing, 16);
	char buffer[16];

	ASSERT_EQ(5, write(self->fd, "first", 5));
	start_call(&hanging);
	await_fault(self->uffd);
	/* The message is still in its place for any reader. */
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "first", 5));
	EXPECT_TRUE(roundtrips(self->fd, 1000));
	resolve_fault(self->uffd, self->missing);
	await_readers(self->fd, 1);
	EXPECT_EQ(6, write(self->fd, "second", 6));
	EXPECT_EQ(6, finish_call(&hanging));
	EXPECT_EQ(0, memcmp(self->missing, "second", 6));
}

TEST_F(userfault, a_woken_reader_in_a_page_fault_passes_its_wakeup_on)
{
	char buffer[16];
	struct call hanging = read_call(self->fd, self->missing, 16);
	struct call next = read_call(self->fd, buffer, sizeof(buffer));

	start_call(&hanging);
	await_readers(self->fd, 1);
	start_call(&next);
	await_readers(self->fd, 2);
	ASSERT_EQ(5, write(self->fd, "first", 5));
	await_fault(self->uffd);
	EXPECT_EQ(5, finish_call(&next));
	EXPECT_EQ(0, memcmp(buffer, "first", 5));
	resolve_fault(self->uffd, self->missing);
	ASSERT_EQ(6, write(self->fd, "second", 6));
	EXPECT_EQ(6, finish_call(&hanging));
}

TEST_F(userfault, a_writer_in_a_page_fault_is_not_on_the_wait_list)
{
	struct call hanging = write_call(self->fd, self->missing, 16);
	struct call next = write_call(self->fd, "next", 4);
	char byte;

	fill(self->fd);
	start_call(&hanging);
	await_fault(self->uffd);
	EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	start_call(&next);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(4, finish_call(&next));
	resolve_fault(self->uffd, self->missing);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(16, finish_call(&hanging));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

TEST_F(userfault, killing_a_task_in_a_page_fault_loses_no_message)
{
	struct kmsgpipe_stats before;
	char buffer[16];
	int status;
	pid_t child;

	ASSERT_EQ(4, write(self->fd, "safe", 4));
	before = stats_of(self->fd);
	child = fork();
	if (!child) {
		char *missing;
		int uffd = missing_page(&missing);
		struct call hanging = read_call(self->fd, missing, 16);

		start_call(&hanging);
		await_fault(uffd);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(before.dequeued_msgs, stats_of(self->fd).dequeued_msgs);
	EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "safe", 4));
}

/*
 * A task sleeps in a page fault of a call on a pipe that only the test uses. Other tasks change the pipe and finish
 * before the fault is resolved.
 */
FIXTURE(held)
{
	long id;
	int fd;
	int uffd;
	char *missing;
};

FIXTURE_SETUP(held)
{
	struct kmsgpipe_create create = default_pipe();

	self->id = create_pipe(&create);
	ASSERT_LE(1, self->id);
	self->fd = open_id(self->id, O_RDWR);
	self->uffd = missing_page(&self->missing);
}

FIXTURE_TEARDOWN(held)
{
	expect_gone(_metadata, self->fd);
	close(self->uffd);
	close(self->fd);
}

/* Whether the pipe is gone and another can be created: neither waits for the task. */
static int is_gone(long id)
{
	struct kmsgpipe_create create = default_pipe();
	long other = create_pipe(&create);
	int fd;

	if (other < 1 || other == id || is_there(sysfs_file(id, "max_msgs")))
		return 0;
	fd = open_id(other, O_RDWR);
	return roundtrips(fd, 10) && !ioctl(fd, KMSGPIPE_DESTROY) && !close(fd);
}

static void destroyed_meanwhile(struct __test_metadata *_metadata, FIXTURE_DATA(held) *self, struct call hanging)
{
	start_call(&hanging);
	await_fault(self->uffd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_TRUE(is_gone(self->id));
	resolve_fault(self->uffd, self->missing);
	EXPECT_EQ(-ENODEV, finish_call(&hanging));
}

TEST_F(held, a_writer_is_enodev_if_the_pipe_is_destroyed)
{
	destroyed_meanwhile(_metadata, self, write_call(self->fd, self->missing, 16));
}

TEST_F(held, a_reader_is_enodev_if_the_pipe_is_destroyed)
{
	ASSERT_EQ(5, write(self->fd, "first", 5));
	destroyed_meanwhile(_metadata, self, read_call(self->fd, self->missing, 16));
}

TEST_F(held, a_reader_gets_no_message_that_was_cleared)
{
	struct call hanging = read_call(self->fd, self->missing, 16);

	ASSERT_EQ(5, write(self->fd, "first", 5));
	start_call(&hanging);
	await_fault(self->uffd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(1, stats_of(self->fd).dropped_msgs);
	resolve_fault(self->uffd, self->missing);
	/* The reader waits for another message. */
	await_readers(self->fd, 1);
	ASSERT_EQ(6, write(self->fd, "second", 6));
	EXPECT_EQ(6, finish_call(&hanging));
	EXPECT_EQ(0, memcmp(self->missing, "second", 6));
}

TEST_F(held, a_writer_is_emsgsize_if_msg_size_shrank)
{
	struct call hanging = write_call(self->fd, self->missing, 16);

	start_call(&hanging);
	await_fault(self->uffd);
	ASSERT_EQ(0, set_limits(self->fd, 15, 1));
	resolve_fault(self->uffd, self->missing);
	EXPECT_EQ(-EMSGSIZE, finish_call(&hanging));
	EXPECT_EQ(0, stats_of(self->fd).enqueued_msgs);
	EXPECT_EQ(1, stats_of(self->fd).refused_size);
}

TEST_F(held, a_writer_waits_if_the_pipe_filled_up)
{
	struct call hanging = write_call(self->fd, self->missing, 16);
	char buffer[16];

	start_call(&hanging);
	await_fault(self->uffd);
	ASSERT_EQ(0, set_limits(self->fd, 16, 1));
	ASSERT_EQ(5, write(self->fd, "other", 5));
	resolve_fault(self->uffd, self->missing);
	/* The writer waits as if it had just started. */
	await_writers(self->fd, 1);
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(16, finish_call(&hanging));
	EXPECT_EQ(16, read(self->fd, buffer, sizeof(buffer)));
}

TEST_F(held, calls_finish_after_their_descriptor_is_closed)
{
	int doomed = open_id(self->id, O_RDWR);
	struct call hanging = write_call(doomed, self->missing, 16);
	char buffer[16];

	start_call(&hanging);
	await_fault(self->uffd);
	/* Closing the descriptor leaves the file open for the call. */
	ASSERT_EQ(0, close(doomed));
	EXPECT_EQ(2, stats_of(self->fd).writers);
	EXPECT_TRUE(roundtrips(self->fd, 10));
	resolve_fault(self->uffd, self->missing);
	EXPECT_EQ(16, finish_call(&hanging));
	EXPECT_EQ(16, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(1, stats_of(self->fd).writers);

	ASSERT_EQ(0, madvise(self->missing, PAGE_SIZE, MADV_DONTNEED));
	doomed = open_id(self->id, O_RDWR);
	hanging = read_call(doomed, self->missing, 16);
	ASSERT_EQ(5, write(self->fd, "first", 5));
	start_call(&hanging);
	await_fault(self->uffd);
	ASSERT_EQ(0, close(doomed));
	EXPECT_EQ(2, stats_of(self->fd).readers);
	resolve_fault(self->uffd, self->missing);
	EXPECT_EQ(5, finish_call(&hanging));
	EXPECT_EQ(0, memcmp(self->missing, "first", 5));
	EXPECT_EQ(1, stats_of(self->fd).readers);
}

/* A request in a separate thread. */
struct request {
	pthread_t thread;
	int fd;
	unsigned int number;
	void *argument;
	long result;
};

static void *request_thread(void *arg)
{
	struct request *request = arg;

	request->result = TRY(ioctl(request->fd, request->number, request->argument));
	return NULL;
}

TEST_F(held, ioctls_that_read_their_argument_are_enodev_if_the_pipe_is_destroyed)
{
	/*
	 * Requests that read their argument fail with ENODEV. Those that write it return the state before the pipe
	 * was destroyed.
	 */
	static const struct kmsgpipe_params params = { .msg_size = 100, .max_msgs = 10 };
	static const struct kmsgpipe_flush flush = { .enable = 1 };
	static const struct kmsgpipe_dump dump = { 0 };
	static const __u32 mode = KMSGPIPE_MODE_WHOLE;
	static const struct {
		unsigned int number;
		const void *argument;
		size_t len;
		long result;
	} requests[] = {
		{ KMSGPIPE_SET_PARAMS, &params, sizeof(params), -ENODEV },
		{ KMSGPIPE_FLUSH_PERIODIC, &flush, sizeof(flush), -ENODEV },
		{ KMSGPIPE_DUMP, &dump, sizeof(dump), -ENODEV },
		{ KMSGPIPE_SET_MODE, &mode, sizeof(mode), -ENODEV },
		{ KMSGPIPE_GET_STATS, "", 0, 0 },
		{ KMSGPIPE_GET_PARAMS, "", 0, 0 },
		{ KMSGPIPE_GET_MODE, "", 0, 0 },
		{ FIONREAD, "", 0, 0 },
	};
	struct kmsgpipe_create create = default_pipe();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		struct request request = { .fd = self->fd, .number = requests[i].number, .argument = self->missing };

		ASSERT_EQ(0, pthread_create(&request.thread, NULL, request_thread, &request));
		await_fault(self->uffd);
		EXPECT_TRUE(roundtrips(self->fd, 10));
		ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
		resolve_fault_with(self->uffd, self->missing, requests[i].argument, requests[i].len);
		ASSERT_EQ(0, pthread_join(request.thread, NULL));
		EXPECT_EQ(requests[i].result, request.result) TH_LOG("request %x", requests[i].number);
		close(self->fd);
		self->id = create_pipe(&create);
		ASSERT_LE(1, self->id);
		self->fd = open_id(self->id, O_RDWR);
		ASSERT_EQ(0, madvise(self->missing, PAGE_SIZE, MADV_DONTNEED));
	}
}

TEST_F(held, a_create_in_a_page_fault_holds_no_lock)
{
	struct request request = { .fd = self->fd, .number = KMSGPIPE_CREATE_NEW, .argument = self->missing };
	struct kmsgpipe_create create = default_pipe();

	/* The argument is read before any lock is taken. */
	ASSERT_EQ(0, pthread_create(&request.thread, NULL, request_thread, &request));
	await_fault(self->uffd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_TRUE(is_gone(self->id));
	resolve_fault_with(self->uffd, self->missing, &create, sizeof(create));
	ASSERT_EQ(0, pthread_join(request.thread, NULL));
	/* The request succeeds although the pipe of its descriptor is destroyed. */
	ASSERT_LE(1, request.result);
	self->id = request.result;
	close(self->fd);
	self->fd = open_id(self->id, O_RDWR);
}

TEST_HARNESS_MAIN
