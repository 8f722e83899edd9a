// SPDX-License-Identifier: GPL-2.0
/* The kinds of use that keep the module loaded: how each begins and ends. */
#include "module/unload_users.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/missing.h"
#include "lib/pipe.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void *wait_thread(void *arg)
{
	struct user *user = arg;

	__atomic_store_n(&user->tid, gettid(), __ATOMIC_RELEASE);
	user->result = user->wait(user);
	return NULL;
}

/* Calls `wait` in another thread and returns when that sleeps. */
static void start_waiting(struct user *user, long (*wait)(struct user *user))
{
	user->wait = wait;
	start_thread(&user->thread, &user->tid, wait_thread, user);
	await_asleep(user->tid);
}

static void end_waiting(struct user *user, long result)
{
	if (pthread_join(user->thread, NULL) || user->result != result) {
		fprintf(stderr, "# the call in use returned %ld instead of %ld\n", user->result, result);
		abort();
	}
}

static void require(int holds)
{
	if (!holds)
		abort();
}

void close_it(struct user *user)
{
	close(user->fd);
}

static void send_one(struct user *user)
{
	require(write(user->fd, "late", 4) == 4);
}

/* ---- Descriptors ---- */

/* Opens pipe 0 and empties it. */
void use_descriptor(struct user *user)
{
	user->fd = open_pipe(O_RDONLY | O_NONBLOCK);
	while (read(user->fd, user->buffer, sizeof(user->buffer)) > 0)
		;
	close_it(user);
	user->fd = open_pipe(O_RDWR);
}

void use_for_ioctls(struct user *user)
{
	user->fd = open_pipe(O_ACCMODE);
}

void use_in_a_child(struct user *user)
{
	use_descriptor(user);
	user->child = fork();
	if (!user->child)
		for (;;)
			pause();
	close_it(user);
}

void end_child(struct user *user)
{
	require(!kill(user->child, SIGKILL) && waitpid(user->child, NULL, 0) == user->child);
}

/* Sends a descriptor through a socket. */
static void pass(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	require(sendmsg(socket, &message, 0) == 1);
}

void use_in_flight(struct user *user)
{
	use_descriptor(user);
	require(!socketpair(AF_UNIX, SOCK_DGRAM, 0, user->ends));
	pass(user->ends[0], user->fd);
	close_it(user);
}

void close_ends(struct user *user)
{
	close(user->ends[0]);
	close(user->ends[1]);
}

/* The socket's own descriptor is in flight in itself, and with it that of the pipe. */
void use_in_a_cycle(struct user *user)
{
	use_in_flight(user);
	pass(user->ends[0], user->ends[1]);
	pass(user->ends[1], user->ends[0]);
}

void collect_garbage(void)
{
	int ends[2];

	require(!socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	close(ends[0]);
	close(ends[1]);
}

void use_destroyed(struct user *user)
{
	struct kmsgpipe_create create = default_pipe();
	long id = create_pipe(&create);

	require(id > 0);
	user->fd = open_id(id, O_RDWR);
	require(!ioctl(user->fd, KMSGPIPE_DESTROY));
}

/* ---- Sleeping tasks ---- */

void use_reading(struct user *user)
{
	use_descriptor(user);
	user->call = read_call(user->fd, user->buffer, sizeof(user->buffer));
	start_call(&user->call);
	await_readers(user->fd, 1);
}

void end_reading(struct user *user)
{
	send_one(user);
	require(finish_call(&user->call) == 4);
	close_it(user);
}

void use_writing(struct user *user)
{
	use_descriptor(user);
	fill(user->fd);
	user->call = write_call(user->fd, "late", 4);
	start_call(&user->call);
	await_writers(user->fd, 1);
}

void end_writing(struct user *user)
{
	require(read(user->fd, user->buffer, sizeof(user->buffer)) == 1);
	require(finish_call(&user->call) == 4);
	close_it(user);
}

static long in_poll(struct user *user)
{
	struct pollfd poll_fd = { .fd = user->fd, .events = POLLIN };

	return TRY(poll(&poll_fd, 1, -1));
}

void use_polling(struct user *user)
{
	use_descriptor(user);
	start_waiting(user, in_poll);
}

static long in_select(struct user *user)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(user->fd, &in);
	return TRY(select(user->fd + 1, &in, NULL, NULL, NULL));
}

void use_selecting(struct user *user)
{
	use_descriptor(user);
	start_waiting(user, in_select);
}

void end_polling(struct user *user)
{
	send_one(user);
	end_waiting(user, 1);
	close_it(user);
}

static long in_epoll(struct user *user)
{
	struct epoll_event event;

	return TRY(epoll_wait(user->other, &event, 1, -1));
}

void use_epoll(struct user *user)
{
	struct epoll_event event = { .events = EPOLLIN };

	use_descriptor(user);
	user->other = epoll_create1(EPOLL_CLOEXEC);
	require(!epoll_ctl(user->other, EPOLL_CTL_ADD, user->fd, &event));
	start_waiting(user, in_epoll);
}

/* A task that waits in epoll sleeps on: neither the task nor the epoll set keeps the file open. */
void leave_epoll(struct user *user)
{
	close_it(user);
	await_asleep(user->tid);
}

static long splice_out(struct user *user)
{
	return TRY(splice(user->fd, NULL, user->ends[1], NULL, 64, 0));
}

void use_splice_out(struct user *user)
{
	use_descriptor(user);
	require(!pipe(user->ends));
	start_waiting(user, splice_out);
	await_readers(user->fd, 1);
}

void end_splice_out(struct user *user)
{
	send_one(user);
	end_waiting(user, 4);
	close_it(user);
}

static long splice_in(struct user *user)
{
	return TRY(splice(user->ends[0], NULL, user->fd, NULL, 64, 0));
}

void use_splice_in(struct user *user)
{
	use_descriptor(user);
	require(!pipe(user->ends) && write(user->ends[1], "late", 4) == 4);
	fill(user->fd);
	start_waiting(user, splice_in);
	await_writers(user->fd, 1);
}

static long sendfile_in(struct user *user)
{
	return TRY(sendfile(user->fd, user->other, NULL, 4));
}

void use_sendfile(struct user *user)
{
	use_descriptor(user);
	user->other = memfd_create("content", MFD_CLOEXEC);
	require(write(user->other, "late", 4) == 4 && !lseek(user->other, 0, SEEK_SET));
	fill(user->fd);
	start_waiting(user, sendfile_in);
	await_writers(user->fd, 1);
}

void end_splice_in(struct user *user)
{
	require(read(user->fd, user->buffer, sizeof(user->buffer)) == 1);
	end_waiting(user, 4);
	close_it(user);
}

/* ---- Tasks in a page fault ---- */

static void hang(struct user *user, int write)
{
	user->uffd = missing_page(&user->missing);
	use_descriptor(user);
	send_one(user);
	user->call = (struct call){ .fd = user->fd, .write = write, .buffer = user->missing, .len = 16 };
	start_call(&user->call);
	await_fault(user->uffd);
}

void use_hanging_in_read(struct user *user)
{
	hang(user, 0);
}

void use_hanging_in_write(struct user *user)
{
	hang(user, 1);
}

void end_hanging(struct user *user)
{
	resolve_fault(user->uffd, user->missing);
	require(finish_call(&user->call) == (user->call.write ? 16 : 4));
	close_it(user);
}

static long in_dump(struct user *user)
{
	struct kmsgpipe_dump dump = { .buffer = (uintptr_t)user->missing, .size = PAGE_SIZE };

	return TRY(ioctl(user->fd, KMSGPIPE_DUMP, &dump));
}

void use_hanging_in_dump(struct user *user)
{
	user->uffd = missing_page(&user->missing);
	use_descriptor(user);
	send_one(user);
	start_waiting(user, in_dump);
	await_fault(user->uffd);
}

void end_dump(struct user *user)
{
	resolve_fault(user->uffd, user->missing);
	end_waiting(user, 0);
	close_it(user);
}

/* ---- Asynchronous requests ---- */

/* Leaves a request in a ring and closes the descriptor. */
static void leave_in_ring(struct user *user, struct io_uring_sqe request)
{
	ring_open(&user->ring);
	request.fd = user->fd;
	require(ring_submit(&user->ring, &request) == 1 && !ring_completions(&user->ring));
	close_it(user);
}

static void use_ring(struct user *user, struct io_uring_sqe request)
{
	use_descriptor(user);
	leave_in_ring(user, request);
}

void use_ring_read(struct user *user)
{
	use_ring(user, (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .addr = (uintptr_t)user->buffer, .len = sizeof(user->buffer), .off = -1,
	});
}

void use_ring_write(struct user *user)
{
	use_descriptor(user);
	fill(user->fd);
	leave_in_ring(user, (struct io_uring_sqe){
		.opcode = IORING_OP_WRITE, .addr = (uintptr_t)user->buffer, .len = 4, .off = -1,
	});
}

void use_ring_poll(struct user *user)
{
	use_ring(user, (struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .poll32_events = POLLIN });
}

void use_ring_multishot(struct user *user)
{
	use_ring(user, (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .poll32_events = POLLIN, .len = IORING_POLL_ADD_MULTI,
	});
}

/* The ring holds the file even without a request. */
void use_registered(struct user *user)
{
	use_descriptor(user);
	ring_open(&user->ring);
	require(!syscall(SYS_io_uring_register, user->ring.fd, IORING_REGISTER_FILES, &user->fd, 1));
	close_it(user);
}

void close_ring(struct user *user)
{
	ring_close(&user->ring);
}

void use_aio_poll(struct user *user)
{
	struct iocb request = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN }, *requests = &request;
	aio_context_t *context = (aio_context_t *)user->buffer;

	use_descriptor(user);
	request.aio_fildes = user->fd;
	*context = 0;
	require(!syscall(SYS_io_setup, 1, context) && syscall(SYS_io_submit, *context, 1, &requests) == 1);
	close_it(user);
}

void end_aio(struct user *user)
{
	require(!syscall(SYS_io_destroy, *(aio_context_t *)user->buffer));
}

void use_signals(struct user *user)
{
	use_descriptor(user);
	signal(SIGIO, SIG_IGN);
	require(!fcntl(user->fd, F_SETOWN, getpid()) && !fcntl(user->fd, F_SETFL, O_RDWR | O_ASYNC));
	send_one(user);
}

/* ---- Files in debugfs ---- */

void use_debugfs(struct user *user)
{
	user->fd = open(DEBUG_FILE, O_RDONLY | O_CLOEXEC);
	require(user->fd >= 0 && read(user->fd, user->buffer, 1) == 1);
}

void use_hanging_in_debugfs(struct user *user)
{
	user->uffd = missing_page(&user->missing);
	user->fd = open(DEBUG_FILE, O_RDONLY | O_CLOEXEC);
	require(user->fd >= 0);
	user->call = read_call(user->fd, user->missing, PAGE_SIZE);
	start_call(&user->call);
	await_fault(user->uffd);
}

void end_hanging_in_debugfs(struct user *user)
{
	resolve_fault(user->uffd, user->missing);
	require(finish_call(&user->call) > 0);
	close_it(user);
}
