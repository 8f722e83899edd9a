// SPDX-License-Identifier: GPL-2.0
/*
 * Unloading while somebody uses the module: each kind of user keeps it, and it goes once he has left,
 * or was killed.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/missing.h"
#include "lib/module.h"
#include "lib/pipe.h"
#include "lib/ring.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Whoever needs no right to use the module is this user. */
#define SOMEBODY 1000

/* One who uses the module: a process of its own. */
struct user {
	int fd;
	int other;
	int ends[2];
	int uffd;
	char *missing;
	char buffer[64];
	pid_t child;
	pthread_t thread;
	pid_t tid;
	long (*wait)(struct user *user);
	long result;
	struct call call;
	struct ring ring;
};

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
		fprintf(stderr, "# it returned %ld instead of %ld\n", user->result, result);
		abort();
	}
}

static void require(int holds)
{
	if (!holds)
		abort();
}

static void close_it(struct user *user)
{
	close(user->fd);
}

static void send_one(struct user *user)
{
	require(write(user->fd, "late", 4) == 4);
}

/* ---- Descriptors, wherever they are ---- */

/* Of an empty pipe. */
static void use_descriptor(struct user *user)
{
	user->fd = open_pipe(O_RDONLY | O_NONBLOCK);
	while (read(user->fd, user->buffer, sizeof(user->buffer)) > 0)
		;
	close_it(user);
	user->fd = open_pipe(O_RDWR);
}

static void use_for_ioctls(struct user *user)
{
	user->fd = open_pipe(O_ACCMODE);
}

static void use_in_a_child(struct user *user)
{
	use_descriptor(user);
	user->child = fork();
	if (!user->child)
		for (;;)
			pause();
	close_it(user);
}

static void end_child(struct user *user)
{
	require(!kill(user->child, SIGKILL) && waitpid(user->child, NULL, 0) == user->child);
}

/* Sends a descriptor along a socket. */
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

static void use_in_flight(struct user *user)
{
	use_descriptor(user);
	require(!socketpair(AF_UNIX, SOCK_DGRAM, 0, user->ends));
	pass(user->ends[0], user->fd);
	close_it(user);
}

static void close_ends(struct user *user)
{
	close(user->ends[0]);
	close(user->ends[1]);
}

/* The socket's own descriptor is in flight in itself, and the pipe's with it. */
static void use_in_a_cycle(struct user *user)
{
	use_in_flight(user);
	pass(user->ends[0], user->ends[1]);
	pass(user->ends[1], user->ends[0]);
}

/* Only the kernel's collector of garbage finds a cycle; the end of anybody's socket calls that. */
static void collect_garbage(void)
{
	int ends[2];

	require(!socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	close(ends[0]);
	close(ends[1]);
}

static void use_destroyed(struct user *user)
{
	struct kmsgpipe_create create = default_pipe();
	long id = create_pipe(&create);

	require(id > 0);
	user->fd = open_id(id, O_RDWR);
	require(!ioctl(user->fd, KMSGPIPE_DESTROY));
}

/* ---- Tasks that sleep ---- */

static void use_reading(struct user *user)
{
	use_descriptor(user);
	user->call = reader(user->fd, user->buffer, sizeof(user->buffer));
	start(&user->call);
	await_readers(user->fd, 1);
}

static void end_reading(struct user *user)
{
	send_one(user);
	require(finish(&user->call) == 4);
	close_it(user);
}

static void use_writing(struct user *user)
{
	use_descriptor(user);
	fill(user->fd);
	user->call = writer(user->fd, "late", 4);
	start(&user->call);
	await_writers(user->fd, 1);
}

static void end_writing(struct user *user)
{
	require(read(user->fd, user->buffer, sizeof(user->buffer)) == 1);
	require(finish(&user->call) == 4);
	close_it(user);
}

static long in_poll(struct user *user)
{
	struct pollfd poll_fd = { .fd = user->fd, .events = POLLIN };

	return TRY(poll(&poll_fd, 1, -1));
}

static void use_polling(struct user *user)
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

static void use_selecting(struct user *user)
{
	use_descriptor(user);
	start_waiting(user, in_select);
}

static void end_polling(struct user *user)
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

static void use_epoll(struct user *user)
{
	struct epoll_event event = { .events = EPOLLIN };

	use_descriptor(user);
	user->other = epoll_create1(EPOLL_CLOEXEC);
	require(!epoll_ctl(user->other, EPOLL_CTL_ADD, user->fd, &event));
	start_waiting(user, in_epoll);
}

/* Who waits in the set sleeps on: neither he nor the set keeps the file open. */
static void leave_epoll(struct user *user)
{
	close_it(user);
	await_asleep(user->tid);
}

static long splice_out(struct user *user)
{
	return TRY(splice(user->fd, NULL, user->ends[1], NULL, 64, 0));
}

static void use_splice_out(struct user *user)
{
	use_descriptor(user);
	require(!pipe(user->ends));
	start_waiting(user, splice_out);
	await_readers(user->fd, 1);
}

static void end_splice_out(struct user *user)
{
	send_one(user);
	end_waiting(user, 4);
	close_it(user);
}

static long splice_in(struct user *user)
{
	return TRY(splice(user->ends[0], NULL, user->fd, NULL, 64, 0));
}

static void use_splice_in(struct user *user)
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

static void use_sendfile(struct user *user)
{
	use_descriptor(user);
	user->other = memfd_create("content", MFD_CLOEXEC);
	require(write(user->other, "late", 4) == 4 && !lseek(user->other, 0, SEEK_SET));
	fill(user->fd);
	start_waiting(user, sendfile_in);
	await_writers(user->fd, 1);
}

static void end_splice_in(struct user *user)
{
	require(read(user->fd, user->buffer, sizeof(user->buffer)) == 1);
	end_waiting(user, 4);
	close_it(user);
}

/* ---- Tasks that hang in a page fault ---- */

static void hang(struct user *user, int write)
{
	user->uffd = missing_page(&user->missing);
	use_descriptor(user);
	send_one(user);
	user->call = (struct call){ .fd = user->fd, .write = write, .buffer = user->missing, .len = 16 };
	start(&user->call);
	await_fault(user->uffd);
}

static void use_hanging_in_read(struct user *user)
{
	hang(user, 0);
}

static void use_hanging_in_write(struct user *user)
{
	hang(user, 1);
}

static void end_hanging(struct user *user)
{
	serve(user->uffd, user->missing);
	require(finish(&user->call) == (user->call.write ? 16 : 4));
	close_it(user);
}

static long in_dump(struct user *user)
{
	struct kmsgpipe_dump dump = { .buffer = (uintptr_t)user->missing, .size = PAGE };

	return TRY(ioctl(user->fd, KMSGPIPE_DUMP, &dump));
}

static void use_hanging_in_dump(struct user *user)
{
	user->uffd = missing_page(&user->missing);
	use_descriptor(user);
	send_one(user);
	start_waiting(user, in_dump);
	await_fault(user->uffd);
}

static void end_dump(struct user *user)
{
	serve(user->uffd, user->missing);
	end_waiting(user, 0);
	close_it(user);
}

/* ---- Requests that nobody sleeps in ---- */

/* Leaves a request in a ring, and closes the descriptor. */
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

static void use_ring_read(struct user *user)
{
	use_ring(user, (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .addr = (uintptr_t)user->buffer, .len = sizeof(user->buffer), .off = -1,
	});
}

static void use_ring_write(struct user *user)
{
	use_descriptor(user);
	fill(user->fd);
	leave_in_ring(user, (struct io_uring_sqe){
		.opcode = IORING_OP_WRITE, .addr = (uintptr_t)user->buffer, .len = 4, .off = -1,
	});
}

static void use_ring_poll(struct user *user)
{
	use_ring(user, (struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .poll32_events = POLLIN });
}

static void use_ring_multishot(struct user *user)
{
	use_ring(user, (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .poll32_events = POLLIN, .len = IORING_POLL_ADD_MULTI,
	});
}

/* The ring holds the file, whether or not there is a request. */
static void use_registered(struct user *user)
{
	use_descriptor(user);
	ring_open(&user->ring);
	require(!syscall(SYS_io_uring_register, user->ring.fd, IORING_REGISTER_FILES, &user->fd, 1));
	close_it(user);
}

static void close_ring(struct user *user)
{
	ring_close(&user->ring);
}

static void use_aio_poll(struct user *user)
{
	struct iocb request = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN }, *requests = &request;
	aio_context_t *context = (aio_context_t *)user->buffer;

	use_descriptor(user);
	request.aio_fildes = user->fd;
	*context = 0;
	require(!syscall(SYS_io_setup, 1, context) && syscall(SYS_io_submit, *context, 1, &requests) == 1);
	close_it(user);
}

static void end_aio(struct user *user)
{
	require(!syscall(SYS_io_destroy, *(aio_context_t *)user->buffer));
}

static void use_signals(struct user *user)
{
	use_descriptor(user);
	signal(SIGIO, SIG_IGN);
	require(!fcntl(user->fd, F_SETOWN, getpid()) && !fcntl(user->fd, F_SETFL, O_RDWR | O_ASYNC));
	send_one(user);
}

/* ---- Views that keep it ---- */

static void use_debugfs(struct user *user)
{
	user->fd = open(DEBUG_FILE, O_RDONLY | O_CLOEXEC);
	require(user->fd >= 0 && read(user->fd, user->buffer, 1) == 1);
}

static void use_hanging_in_debugfs(struct user *user)
{
	user->uffd = missing_page(&user->missing);
	user->fd = open(DEBUG_FILE, O_RDONLY | O_CLOEXEC);
	require(user->fd >= 0);
	user->call = reader(user->fd, user->missing, PAGE);
	start(&user->call);
	await_fault(user->uffd);
}

static void end_hanging_in_debugfs(struct user *user)
{
	serve(user->uffd, user->missing);
	require(finish(&user->call) > 0);
	close_it(user);
}

/* ---- Each of them ---- */

FIXTURE(used) {};

FIXTURE_VARIANT(used)
{
	void (*use)(struct user *user);
	void (*leave)(struct user *user);
	/* He needs a right that only root has. */
	int root;
};

/* spec: 11-char-device */
FIXTURE_VARIANT_ADD(used, by_a_descriptor) { use_descriptor, close_it };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_for_ioctls) { use_for_ioctls, close_it };
FIXTURE_VARIANT_ADD(used, by_a_child_that_inherited_it) { use_in_a_child, end_child };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_in_flight) { use_in_flight, close_ends };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_in_a_cycle_of_sockets) { use_in_a_cycle, close_ends };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_of_a_destroyed_pipe) { use_destroyed, close_it, 1 };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_reader) { use_reading, end_reading };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_writer) { use_writing, end_writing };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_poll) { use_polling, end_polling };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_select) { use_selecting, end_polling };
FIXTURE_VARIANT_ADD(used, by_a_member_of_an_epoll_set) { use_epoll, leave_epoll };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_splice_out_of_it) { use_splice_out, end_splice_out };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_splice_into_it) { use_splice_in, end_splice_in };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_sendfile) { use_sendfile, end_splice_in };
FIXTURE_VARIANT_ADD(used, by_a_reader_in_a_page_fault) { use_hanging_in_read, end_hanging };
FIXTURE_VARIANT_ADD(used, by_a_writer_in_a_page_fault) { use_hanging_in_write, end_hanging };
FIXTURE_VARIANT_ADD(used, by_a_dump_in_a_page_fault) { use_hanging_in_dump, end_dump, 1 };
FIXTURE_VARIANT_ADD(used, by_a_read_of_io_uring) { use_ring_read, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_write_of_io_uring) { use_ring_write, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_poll_of_io_uring) { use_ring_poll, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_multishot_poll_of_io_uring) { use_ring_multishot, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_registered_file_of_io_uring) { use_registered, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_poll_of_aio) { use_aio_poll, end_aio };
FIXTURE_VARIANT_ADD(used, by_an_owner_of_signals) { use_signals, close_it };
FIXTURE_VARIANT_ADD(used, by_a_file_in_debugfs) { use_debugfs, close_it, 1 };
FIXTURE_VARIANT_ADD(used, by_a_reader_of_debugfs_in_a_page_fault) {
	use_hanging_in_debugfs, end_hanging_in_debugfs, 1
};

FIXTURE_SETUP(used)
{
	ASSERT_NE(NULL, getenv("LAB_MODULE"));
	if (!loaded())
		ASSERT_EQ(0, load(""));
	/* So that everybody can hang in a page fault, as on FUSE everybody can. */
	ASSERT_EQ(1, spill("/proc/sys/vm/unprivileged_userfaultfd", "1"));
	/* What is killed below ends here, and not with init. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(used)
{
	if (!loaded())
		load("");
	spill("/proc/sys/vm/unprivileged_userfaultfd", "0");
}

enum { STARTING, USING, LEAVING, LEFT };

static void live(const FIXTURE_VARIANT(used) *variant, int *step)
{
	static struct user user;

	if (setpgid(0, 0) || (!variant->root && (setgid(SOMEBODY) || setuid(SOMEBODY))))
		abort();
	/* It reads of itself in /proc; and it ends with the test, which a new user is not told. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	variant->use(&user);
	__atomic_store_n(step, USING, __ATOMIC_RELEASE);
	while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != LEAVING)
		sched_yield();
	variant->leave(&user);
	__atomic_store_n(step, LEFT, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* Starts one and returns when he uses the module; 0 if he failed. */
static pid_t start_user(const FIXTURE_VARIANT(used) *variant, int *step)
{
	pid_t child;

	*step = STARTING;
	child = fork();
	if (!child)
		live(variant, step);
	while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != USING) {
		if (waitpid(child, NULL, WNOHANG))
			return 0;
		sched_yield();
	}
	return child;
}

/* Ends everything that he started. */
static void kill_user(pid_t child)
{
	kill(-child, SIGKILL);
	while (waitpid(-child, NULL, 0) > 0)
		;
}

TEST_F_TIMEOUT(used, refuses_unload_until_the_user_leaves_or_is_killed, SECONDS)
{
	unsigned long rounds = scaled(1), round, attempts, most = 0;
	int *step = shared_memory(sizeof(*step));
	pid_t child;
	long ret;

	for (round = 0; round < rounds; round++) {
		child = start_user(variant, step);
		ASSERT_LT(0, child);
		ASSERT_LE(1, users());
		ASSERT_EQ(-EWOULDBLOCK, unload());
		/* He lives on, and has left. What he left may be cleaned up by others. */
		__atomic_store_n(step, LEAVING, __ATOMIC_RELEASE);
		while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != LEFT || users()) {
			ASSERT_EQ(0, waitpid(child, NULL, WNOHANG));
			collect_garbage();
			sched_yield();
		}
		kill_user(child);

		child = start_user(variant, step);
		ASSERT_LT(0, child);
		ASSERT_EQ(-EWOULDBLOCK, unload());
		kill_user(child);
		for (attempts = 1; (ret = unload()); attempts++) {
			ASSERT_EQ(-EWOULDBLOCK, ret);
			collect_garbage();
			sched_yield();
		}
		most = attempts > most ? attempts : most;
		ASSERT_EQ(NULL, left_behind()) TH_LOG("left: %s", left_behind());
		ASSERT_EQ(0, load(""));
	}
	if (rounds > 1)
		TH_LOG("%lu rounds; it went at attempt %lu at the latest", rounds, most);
}

TEST_HARNESS_MAIN
