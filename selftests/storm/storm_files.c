// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors that are inherited, duplicated, sent through sockets, and closed while a task uses them: the open
 * counts are right at once, and no call ends because of it.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/message.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/storm.h"
#include "lib/storm_fixture.h"
#include "lib/tasks.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ROUNDS scaled(200)

/* Whether the pipe has these open counts, beside the two files of the fixture. */
static int population(int fd, unsigned int readers, unsigned int writers)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	if (stats.readers == 2 + readers && stats.writers == 2 + writers)
		return 1;
	printf("# %u readers and %u writers instead of %u and %u\n", stats.readers - 2, stats.writers - 2, readers,
	       writers);
	return 0;
}

static void told(const char *what)
{
	printf("# storm_files: %lu %s\n", ROUNDS, what);
	fflush(stdout);
}

TEST_F_TIMEOUT(storm, fork_shares_the_open_file, 600)
{
	unsigned long i;
	char byte;

	for (i = 0; i < ROUNDS; i++) {
		int fd = open_id(self->storm->id, O_RDONLY), go[2];
		pid_t child;

		ASSERT_EQ(0, pipe(go));
		ASSERT_TRUE(population(self->fd, 1, 0));
		child = fork();
		if (!child) {
			close(go[1]);
			if (read(go[0], &byte, 1) || read(fd, &byte, 1) != 1 || byte != 'f')
				_exit(1);
			_exit(0);
		}
		/* One reader, and still one when this process has closed its descriptor. */
		ASSERT_TRUE(population(self->fd, 1, 0));
		close(fd);
		ASSERT_TRUE(population(self->fd, 1, 0));
		close(go[0]);
		close(go[1]);
		ASSERT_EQ(1, write(self->fd, "f", 1));
		ASSERT_EQ(0, exit_of(child));
		ASSERT_TRUE(population(self->fd, 0, 0));
	}
	told("forks");
}

TEST_F_TIMEOUT(storm, dup_shares_the_open_file, 600)
{
	unsigned long i;

	for (i = 0; i < ROUNDS; i++) {
		int fd = open_id(self->storm->id, i % 2 ? O_RDONLY : O_WRONLY), again = dup(fd);
		int third = fcntl(fd, F_DUPFD_CLOEXEC, 500), null = open("/dev/null", O_RDWR | O_CLOEXEC);

		ASSERT_TRUE(population(self->fd, i % 2, !(i % 2)));
		close(fd);
		ASSERT_TRUE(population(self->fd, i % 2, !(i % 2)));
		/* dup2 closes the descriptor by replacing it. */
		ASSERT_EQ(again, dup2(null, again));
		ASSERT_TRUE(population(self->fd, i % 2, !(i % 2)));
		close(third);
		ASSERT_TRUE(population(self->fd, 0, 0));
		close(again);
		close(null);
	}
	told("duplicates");
}

static void send_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { "", 1 };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		abort();
}

static int receive_descriptor(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))), byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
		abort();
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

TEST_F_TIMEOUT(storm, a_descriptor_in_flight_keeps_the_file_open, 600)
{
	unsigned long i;
	char byte;

	for (i = 0; i < ROUNDS; i++) {
		int fd = open_id(self->storm->id, O_RDWR), sockets[2];

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
		send_descriptor(sockets[0], fd);
		close(fd);
		ASSERT_TRUE(population(self->fd, 1, 1));
		if (i % 2) {
			fd = receive_descriptor(sockets[1]);
			ASSERT_EQ(1, write(fd, "s", 1));
			ASSERT_EQ(1, read(fd, &byte, 1));
			ASSERT_TRUE(population(self->fd, 1, 1));
			close(fd);
			ASSERT_TRUE(population(self->fd, 0, 0));
			close(sockets[1]);
		} else {
			/* The message is never received: the descriptor is closed with the socket. */
			close(sockets[1]);
			ASSERT_TRUE(population(self->fd, 0, 0));
		}
		close(sockets[0]);
	}
	told("descriptors in flight");
}

TEST_F_TIMEOUT(storm, exec_closes_a_cloexec_descriptor, 600)
{
	unsigned long i;

	for (i = 0; i < ROUNDS; i++) {
		int stays = i % 2, in[2], out[2];
		int fd = open_id(self->storm->id, O_RDONLY);
		pid_t child;
		char byte;

		ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
		child = fork();
		if (!child) {
			if (stays)
				fcntl(fd, F_SETFD, 0);
			dup2(in[0], STDIN_FILENO);
			dup2(out[1], STDOUT_FILENO);
			execlp("cat", "cat", NULL);
			_exit(1);
		}
		close(fd);
		/* The process answers once it has executed the other program. */
		ASSERT_EQ(1, write(in[1], "x", 1));
		ASSERT_EQ(1, read(out[0], &byte, 1));
		ASSERT_TRUE(population(self->fd, stays, 0));
		close(in[0]);
		close(in[1]);
		ASSERT_EQ(0, exit_of(child));
		ASSERT_TRUE(population(self->fd, 0, 0));
		close(out[0]);
		close(out[1]);
	}
	told("programs started");
}

/* A call holds its file even if the descriptor is closed, as with pipe(2). */
TEST_F_TIMEOUT(storm, close_does_not_wake_a_sleeper_of_the_file, 600)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned long i;
	char bytes[8];

	ASSERT_EQ(0, set_limits(self->fd, 64, 1));
	for (i = 0; i < ROUNDS; i++) {
		int writes = i % 2, fd = open_id(self->storm->id, writes ? O_WRONLY : O_RDONLY);
		struct call call = writes ? write_call(fd, "late", 4) : read_call(fd, bytes, sizeof(bytes));
		ssize_t ret;

		if (writes)
			ASSERT_EQ(1, write(self->nonblocking, "x", 1));
		start_call(&call);
		if (writes)
			await_writers(self->fd, 1);
		else
			await_readers(self->fd, 1);
		if (i % 4 < 2) {
			ASSERT_EQ(0, close(fd));
			ASSERT_EQ(-EBADF, TRY(fcntl(fd, F_GETFD)));
		} else {
			/* The descriptor is reused for another file at once. */
			ASSERT_EQ(fd, dup2(null, fd));
		}
		await_asleep(call.tid);
		ASSERT_TRUE(population(self->fd, !writes, writes));
		ASSERT_EQ(1, stats_of(self->fd).waiting_readers + stats_of(self->fd).waiting_writers);
		ret = writes ? read(self->nonblocking, bytes, sizeof(bytes)) : write(self->nonblocking, "late", 4);
		ASSERT_EQ(writes ? 1 : 4, ret);
		ASSERT_EQ(4, finish_call(&call));
		ASSERT_TRUE(population(self->fd, 0, 0));
		if (writes)
			ASSERT_EQ(4, read(self->nonblocking, bytes, sizeof(bytes)));
		ASSERT_EQ(0, memcmp(bytes, "late", 4));
		if (i % 4 >= 2)
			close(fd);
	}
	close(null);
	told("descriptors closed under a sleeper");
}

/* Waits until the thread sleeps in this system call. */
static void await_asleep_in(pid_t tid, long call)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	do {
		await_asleep(tid);
		if (slurp(path, text, sizeof(text)) < 0)
			abort();
	} while (strtol(text, NULL, 10) != call);
}

/* poll holds the file as well; but after a wakeup it looks up the descriptor again, which is closed by then. */
TEST_F_TIMEOUT(storm, close_does_not_wake_a_poller_of_the_file, 600)
{
	unsigned long i;
	char byte;

	for (i = 0; i < ROUNDS; i++) {
		struct poller poller = { .fd = open_id(self->storm->id, O_RDONLY), .events = POLLIN };

		start_poll(&poller);
		await_asleep_in(poller.tid, SYS_poll);
		ASSERT_EQ(0, close(poller.fd));
		await_asleep_in(poller.tid, SYS_poll);
		ASSERT_TRUE(population(self->fd, 1, 0));
		ASSERT_EQ(1, write(self->fd, "x", 1));
		ASSERT_EQ(POLLNVAL, finish_poll(&poller));
		ASSERT_TRUE(population(self->fd, 0, 0));
		ASSERT_EQ(1, read(self->fd, &byte, 1));
	}
	told("descriptors closed under a poller");
}

TEST_HARNESS_MAIN
