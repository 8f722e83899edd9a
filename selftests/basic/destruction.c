// SPDX-License-Identifier: GPL-2.0
/* Destroyed pipes: what is gone when the call returns, and what calls on open files of the pipe return. */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/registry.h"
#include "lib/registry_fixture.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>

#define SLEEPERS 64

TEST_F(registry, pipe_0_cannot_be_destroyed)
{
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ(-EBUSY, destroy_pipe(self->fd));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_TRUE(is_there(NODE));
}

TEST_F(registry, node_and_sysfs_are_gone_when_destroy_returns)
{
	struct stat node;
	char stale[] = "/tmp/stale";
	long id;
	int fd = own_pipe(&id, 4, O_RDWR);

	ASSERT_EQ(0, fstat(fd, &node));
	ASSERT_EQ(0, destroy_pipe(fd));
	EXPECT_EQ(-ENOENT, try_open_id(id, O_RDWR));
	EXPECT_FALSE(is_there(sysfs_file(id, "")));
	/* A node made by mknod does not open a destroyed pipe. */
	unlink(stale);
	ASSERT_EQ(0, mknod(stale, S_IFCHR | 0600, node.st_rdev));
	EXPECT_EQ(-ENXIO, try_open(stale, O_RDWR));
	close(fd);
	unlink(stale);
}

/* Expects ENODEV from every call on a descriptor of a destroyed pipe. */
static void expect_no_device(struct __test_metadata *_metadata, int fd)
{
	struct kmsgpipe_params params = { .msg_size = 1, .max_msgs = 1 };
	struct kmsgpipe_flush flush = { .enable = 1 };
	struct kmsgpipe_create create = default_pipe();
	struct kmsgpipe_dump dump = { 0 };
	struct kmsgpipe_stats stats;
	char bytes[128] = { 0 };
	struct iovec iov[2] = { { bytes, 10 }, { bytes + 10, 10 } };
	int number = 0;

	EXPECT_EQ(-ENODEV, TRY(read(fd, bytes, sizeof(bytes))));
	EXPECT_EQ(-ENODEV, TRY(readv(fd, iov, 2)));
	EXPECT_EQ(-ENODEV, TRY(write(fd, bytes, 1)));
	/* This message is longer than the limit of the pipe. */
	EXPECT_EQ(-ENODEV, TRY(write(fd, bytes, sizeof(bytes))));
	EXPECT_EQ(-ENODEV, TRY(writev(fd, iov, 2)));
	EXPECT_EQ(-ENODEV, TRY(pwritev2(fd, iov, 2, -1, RWF_NOWAIT)));
	EXPECT_EQ(-ENODEV, TRY(preadv2(fd, iov, 2, -1, RWF_NOWAIT)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_GET_STATS, &stats)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_CLEAR_QUEUE)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_SET_PARAMS, &params)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_GET_PARAMS, &params)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_TOGGLE_BLOCK)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_CREATE_NEW, &create)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_DESTROY)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_DUMP, &dump)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_SET_MODE, &number)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, KMSGPIPE_GET_MODE, &number)));
	EXPECT_EQ(-ENODEV, TRY(ioctl(fd, FIONREAD, &number)));
	/* An unknown request is unknown on a destroyed pipe, too. */
	EXPECT_EQ(-ENOTTY, TRY(ioctl(fd, _IO(KMSGPIPE_IOC_MAGIC, 0x40))));
	EXPECT_EQ(-ESPIPE, TRY(lseek(fd, 0, SEEK_SET)));
	/* Calls on the open file itself still work. */
	number = 1;
	EXPECT_EQ(0, TRY(ioctl(fd, FIONBIO, &number)));
	EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

TEST_F(registry, calls_on_a_destroyed_pipe_fail_with_enodev)
{
	struct kmsgpipe_create create = { .msg_size = 64, .max_msgs = 4 };
	int full, empty, blocking;
	long id;

	empty = own_pipe(&id, 4, O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, destroy_pipe(empty));
	expect_no_device(_metadata, empty);

	/* With and without messages, and with and without O_NONBLOCK. */
	ASSERT_LE(1, id = create_pipe(&create));
	full = open_id(id, O_RDWR | O_NONBLOCK);
	blocking = open_id(id, O_RDWR);
	fill(full);
	ASSERT_EQ(0, destroy_pipe(full));
	expect_no_device(_metadata, full);
	expect_no_device(_metadata, blocking);
	EXPECT_EQ(1, count_pipes());
	close(blocking);
	close(full);
	close(empty);
}

TEST_F(registry, eperm_comes_before_enodev)
{
	static const unsigned int privileged[] = {
		KMSGPIPE_CLEAR_QUEUE, KMSGPIPE_SET_PARAMS, KMSGPIPE_FLUSH_PERIODIC, KMSGPIPE_CREATE_NEW,
		KMSGPIPE_DESTROY, KMSGPIPE_DUMP,
	};
	long id;
	int fd = own_pipe(&id, 4, O_RDWR);
	size_t i;
	pid_t child;

	ASSERT_EQ(0, destroy_pipe(fd));
	child = fork();
	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		for (i = 0; i < ARRAY_SIZE(privileged); i++)
			if (TRY(ioctl(fd, privileged[i], bad_address)) != -EPERM)
				_exit(2 + i);
		_exit(0);
	}
	EXPECT_EQ(0, exit_of(child));
	close(fd);
}

TEST_F_TIMEOUT(registry, destroy_wakes_all_waiters_with_enodev, 60)
{
	struct call readers[SLEEPERS], writers[SLEEPERS];
	char buffers[SLEEPERS][64];
	long empty_id, full_id;
	int empty = own_pipe(&empty_id, 4, O_RDWR), full = own_pipe(&full_id, 4, O_RDWR), i;

	fill(full);
	for (i = 0; i < SLEEPERS; i++) {
		readers[i] = read_call(empty, buffers[i], sizeof(buffers[i]));
		writers[i] = write_call(full, "late", 4);
		start_call(&readers[i]);
		start_call(&writers[i]);
	}
	await_readers(empty, SLEEPERS);
	await_writers(full, SLEEPERS);
	ASSERT_EQ(0, destroy_pipe(empty));
	ASSERT_EQ(0, destroy_pipe(full));
	for (i = 0; i < SLEEPERS; i++) {
		EXPECT_EQ(-ENODEV, finish_call(&readers[i]));
		EXPECT_EQ(-ENODEV, finish_call(&writers[i]));
	}
	close(empty);
	close(full);
}

TEST_F(registry, poll_reports_hangup)
{
	struct pollfd poll_fd;
	struct poller pollers[16];
	long id;
	int fd = own_pipe(&id, 4, O_RDWR), reading, writing, neither, i;
	fd_set in, out;
	struct timeval at_once = { 0 };

	reading = open_id(id, O_RDONLY);
	writing = open_id(id, O_WRONLY);
	neither = open_id(id, O_ACCMODE);
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT };
	ASSERT_EQ(1, poll(&poll_fd, 1, 0));
	ASSERT_EQ(POLLOUT, poll_fd.revents);
	for (i = 0; i < 16; i++) {
		/* Half of them ask for no events; POLLHUP and POLLERR are always reported. */
		pollers[i] = (struct poller){ .fd = i % 4 ? reading : fd, .events = i % 2 ? POLLIN : 0 };
		start_poll(&pollers[i]);
	}
	ASSERT_EQ(0, destroy_pipe(fd));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(POLLHUP | POLLERR | pollers[i].events, finish_poll(&pollers[i]));

	ASSERT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP | POLLERR, poll_fd.revents);
	poll_fd.fd = reading;
	ASSERT_EQ(1, poll(&poll_fd, 1, -1));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, poll_fd.revents & ~POLLOUT);
	poll_fd.fd = writing;
	ASSERT_EQ(1, poll(&poll_fd, 1, -1));
	EXPECT_EQ(POLLOUT | POLLHUP | POLLERR, poll_fd.revents & ~POLLIN);
	poll_fd.fd = neither;
	poll_fd.events = 0;
	ASSERT_EQ(1, poll(&poll_fd, 1, -1));
	EXPECT_EQ(POLLHUP | POLLERR, poll_fd.revents);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(reading, &in);
	FD_SET(writing, &out);
	EXPECT_EQ(2, select(writing > reading ? writing + 1 : reading + 1, &in, &out, NULL, &at_once));
	close(neither);
	close(writing);
	close(reading);
	close(fd);
}

TEST_F(registry, epoll_reports_hangup_in_every_mode)
{
	static const unsigned int modes[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLET | EPOLLONESHOT };
	struct epoll_event event;
	struct poller pollers[5];
	long id;
	int fd = own_pipe(&id, 4, O_RDWR), i;

	for (i = 0; i < 5; i++) {
		pollers[i] = (struct poller){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
		event = (struct epoll_event){ .events = EPOLLIN | modes[i] };
		ASSERT_EQ(0, epoll_ctl(pollers[i].epoll, EPOLL_CTL_ADD, fd, &event));
		start_poll(&pollers[i]);
	}
	ASSERT_EQ(0, destroy_pipe(fd));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(EPOLLIN | EPOLLHUP | EPOLLERR, finish_poll(&pollers[i]));
		close(pollers[i].epoll);
	}
	/* An epoll instance that adds the file only now. */
	i = epoll_create1(EPOLL_CLOEXEC);
	event = (struct epoll_event){ .events = EPOLLIN | EPOLLET };
	ASSERT_EQ(0, epoll_ctl(i, EPOLL_CTL_ADD, fd, &event));
	ASSERT_EQ(1, epoll_wait(i, &event, 1, -1));
	EXPECT_EQ(EPOLLIN | EPOLLHUP | EPOLLERR, event.events);
	close(i);
	close(fd);
}

struct splicing {
	pthread_t thread;
	pid_t tid;
	int in, out;
	long result;
};

static void *splice_one(void *arg)
{
	struct splicing *splicing = arg;

	__atomic_store_n(&splicing->tid, gettid(), __ATOMIC_RELEASE);
	splicing->result = TRY(splice(splicing->in, NULL, splicing->out, NULL, 64, 0));
	return NULL;
}

TEST_F(registry, waiting_splice_fails_with_enodev)
{
	struct splicing from = { 0 }, into = { 0 };
	long empty_id, full_id;
	int empty = own_pipe(&empty_id, 4, O_RDWR), full = own_pipe(&full_id, 4, O_RDWR), from_ends[2], into_ends[2];

	ASSERT_EQ(0, pipe(from_ends) | pipe(into_ends));
	ASSERT_EQ(4, write(into_ends[1], "late", 4));
	fill(full);
	from.in = empty;
	from.out = from_ends[1];
	into.in = into_ends[0];
	into.out = full;
	ASSERT_EQ(0, pthread_create(&from.thread, NULL, splice_one, &from));
	ASSERT_EQ(0, pthread_create(&into.thread, NULL, splice_one, &into));
	await_readers(empty, 1);
	await_writers(full, 1);
	ASSERT_EQ(0, destroy_pipe(empty));
	ASSERT_EQ(0, destroy_pipe(full));
	pthread_join(from.thread, NULL);
	pthread_join(into.thread, NULL);
	EXPECT_EQ(-ENODEV, from.result);
	EXPECT_EQ(-ENODEV, into.result);
	EXPECT_EQ(-ENODEV, TRY(splice(empty, NULL, from_ends[1], NULL, 64, 0)));
	close(from_ends[0]);
	close(from_ends[1]);
	close(into_ends[0]);
	close(into_ends[1]);
	close(empty);
	close(full);
}

TEST_F(registry, a_reused_name_is_a_new_pipe)
{
	struct kmsgpipe_create create = named_pipe("again");
	char buffer[64];
	long id;
	int old, fd;

	create.max_msgs = 4;
	ASSERT_LE(1, id = create_pipe(&create));
	ASSERT_LE(0, old = try_open("/dev/kmsgpipe/again", O_RDWR | O_NONBLOCK));
	ASSERT_EQ(3, write(old, "old", 3));
	ASSERT_EQ(0, destroy_pipe(old));
	ASSERT_EQ(next_id(id), create_pipe(&create));
	ASSERT_LE(0, fd = try_open("/dev/kmsgpipe/again", O_RDWR | O_NONBLOCK));
	/* The messages were freed with the pipe. */
	EXPECT_EQ(-EAGAIN, TRY(read(fd, buffer, sizeof(buffer))));
	EXPECT_EQ(0, stats_of(fd).enqueued_msgs);
	EXPECT_EQ(1, stats_of(fd).readers);
	ASSERT_EQ(3, write(fd, "new", 3));
	expect_no_device(_metadata, old);
	EXPECT_EQ(1, stats_of(fd).depth_msgs);
	/* Closing the file of the old pipe does not affect the new one. */
	close(old);
	EXPECT_EQ(1, stats_of(fd).readers);
	EXPECT_EQ(1, stats_of(fd).writers);
	EXPECT_TRUE(is_there("/dev/kmsgpipe/again"));
	EXPECT_EQ(3, read(fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "new", 3));
	close(fd);
}

TEST_F(registry, views_do_not_list_destroyed_pipes)
{
	char text[4096], line[32];
	long id;
	int fd = own_pipe(&id, 4, O_RDWR);

	snprintf(line, sizeof(line), "\npipe%ld: ", id);
	ASSERT_LT(0, slurp(PROC, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, line) != NULL);
	ASSERT_EQ(0, destroy_pipe(fd));
	ASSERT_LT(0, slurp(PROC, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, line) == NULL);
	close(fd);
}

TEST_HARNESS_MAIN
