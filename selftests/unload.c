// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading: refused while anybody uses a descriptor, clean afterwards,
 * and refused with bad parameters. LAB_MODULE names the module's file.
 *
 * A module in use is EWOULDBLOCK in the kernel's words, not EBUSY: what rmmod(8) gets
 * from delete_module(2) with O_NONBLOCK.
 */
#include "pipe.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long load(const char *parameters)
{
	int file = open(getenv("LAB_MODULE"), O_RDONLY | O_CLOEXEC);
	long ret = TRY(syscall(SYS_finit_module, file, parameters, 0));

	close(file);
	return ret;
}

static long unload(void)
{
	return TRY(syscall(SYS_delete_module, "kmsgpipe", O_NONBLOCK));
}

static int loaded(void)
{
	return !access("/sys/module/kmsgpipe", F_OK);
}

/* The module with default parameters before each test and after it. */
FIXTURE(module) {};

FIXTURE_SETUP(module)
{
	ASSERT_NE(NULL, getenv("LAB_MODULE"));
	if (loaded())
		ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load(""));
}

FIXTURE_TEARDOWN(module)
{
	if (!loaded())
		load("");
}

TEST_F(module, goes_when_nobody_uses_it)
{
	EXPECT_EQ(0, access(NODE, F_OK));
	EXPECT_EQ(0, unload());
	EXPECT_FALSE(loaded());
	EXPECT_EQ(-ENOENT, TRY(access(NODE, F_OK)));
	EXPECT_EQ(-ENOENT, unload());
}

TEST_F(module, stays_with_a_descriptor_open)
{
	int fd = open_pipe(O_RDWR);

	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_TRUE(loaded());
	EXPECT_EQ(1, write(fd, "x", 1));
	close(fd);
	EXPECT_EQ(0, unload());
}

TEST_F(module, stays_with_a_copy_of_a_descriptor_in_flight)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int sockets[2], fd = open_pipe(O_RDWR);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	ASSERT_EQ(1, sendmsg(sockets[0], &message, 0));
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_EQ(0, unload());
}

TEST_F(module, stays_with_a_member_of_an_epoll_set)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0), fd = open_pipe(O_RDWR);

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	/* The set does not keep the file open. */
	close(fd);
	EXPECT_EQ(0, unload());
	close(epoll);
}

TEST_F_TIMEOUT(module, fifty_times, 120)
{
	char buffer[8];
	int i, fd;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load(""));
		fd = open_pipe(O_RDWR | O_NONBLOCK);
		ASSERT_EQ(-EAGAIN, TRY(read(fd, buffer, sizeof(buffer))));
		/* Left behind: it must go with the module. */
		ASSERT_EQ(4, write(fd, "left", 4));
		close(fd);
	}
}

/* A thread that opens, uses and closes the pipe whenever there is one. */
struct opener {
	pthread_t thread;
	int stop;
	unsigned long opened;
};

static void *open_and_close(void *arg)
{
	struct opener *opener = arg;
	int fd;

	while (!__atomic_load_n(&opener->stop, __ATOMIC_ACQUIRE)) {
		fd = open(NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			if (write(fd, "x", 1) < 0 && errno != EAGAIN)
				abort();
			close(fd);
			__atomic_add_fetch(&opener->opened, 1, __ATOMIC_ACQ_REL);
		}
		sched_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(module, opening_races_with_unloading, 120)
{
	unsigned long rounds = getenv("LAB_SCALE") ? 5 : 50, refused = 0, gone = 0;
	struct opener openers[2] = { 0 };
	long ret;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&openers[i].thread, NULL, open_and_close, &openers[i]));
	/* Until each has had its way often enough. */
	while (gone < rounds || !refused || __atomic_load_n(&openers[0].opened, __ATOMIC_ACQUIRE) < rounds ||
	       __atomic_load_n(&openers[1].opened, __ATOMIC_ACQUIRE) < rounds) {
		ret = unload();
		ASSERT_TRUE(ret == 0 || ret == -EWOULDBLOCK) TH_LOG("unload: %ld", ret);
		refused += ret != 0;
		if (!ret) {
			gone++;
			ASSERT_EQ(0, load(""));
		}
		sched_yield();
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&openers[i].stop, 1, __ATOMIC_RELEASE);
		pthread_join(openers[i].thread, NULL);
	}
	EXPECT_EQ(0, unload());
}

TEST_F(module, bad_parameters_are_refused)
{
	static const char *const bad[] = {
		"msg_size=0", "msg_size=1048577", "msg_size=4294967295", "msg_size=-1", "msg_size=4294967296",
		"msg_size=x", "max_msgs=0", "max_msgs=65537", "max_msgs=2147483648",
		"msg_size=1024 max_msgs=65536 max_bytes=67108863", "max_bytes=0",
		"msg_size=1048576 max_msgs=65", "mode=01000", "mode=0888",
	};
	size_t i;
	long ret;

	ASSERT_EQ(0, unload());
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ret = load(bad[i]);
		EXPECT_TRUE(ret == -EINVAL || ret == -ERANGE)
			TH_LOG("%s: %ld", bad[i], ret);
		EXPECT_FALSE(loaded());
		EXPECT_EQ(-ENOENT, TRY(access(NODE, F_OK)));
		if (loaded())
			unload();
	}
}

TEST_F(module, good_parameters_are_kept)
{
	static const struct {
		const char *parameters;
		unsigned int msg_size, max_msgs, mode;
	} good[] = {
		{ "", 256, 128, 0666 },
		/* The kernel's core takes no mode for its default, 0600. */
		{ "msg_size=1 max_msgs=1 mode=0", 1, 1, 0600 },
		{ "msg_size=1048576 max_msgs=64 mode=0600", 1048576, 64, 0600 },
		{ "msg_size=1024 max_msgs=65536 mode=0777", 1024, 65536, 0777 },
		{ "msg_size=1048576 max_msgs=65536 max_bytes=68719476736", 1048576, 65536, 0666 },
	};
	struct kmsgpipe_stats stats;
	struct stat node;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load(good[i].parameters));
		ASSERT_EQ(0, stat(NODE, &node));
		EXPECT_EQ(S_IFCHR | good[i].mode, node.st_mode);
		fd = open_pipe(O_RDWR);
		stats = stats_of(fd);
		EXPECT_EQ(good[i].msg_size, stats.msg_size);
		EXPECT_EQ(good[i].max_msgs, stats.max_msgs);
		close(fd);
	}
}

TEST_F(module, mode_keeps_others_out)
{
	int status;
	pid_t child;

	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("mode=0640"));
	child = fork();
	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		if (TRY(open(NODE, O_RDONLY)) != -EACCES || TRY(open(NODE, O_WRONLY)) != -EACCES)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	child = fork();
	if (!child) {
		if (setgid(0) || setuid(34))
			_exit(1);
		if (TRY(open(NODE, O_RDONLY)) < 0 || TRY(open(NODE, O_WRONLY)) != -EACCES)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
