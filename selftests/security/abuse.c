// SPDX-License-Identifier: GPL-2.0
/*
 * What a user without privilege can do with pipe 0, which all users may open. Such a user cannot make the kernel
 * allocate more than docs/security.md says, cannot keep others from using the pipe other than by using it, and cannot
 * write to the kernel log. That the module can be kept loaded only by using it is tested in unload_users.c.
 */
#include "security/abuse.h"
#include "lib/clock.h"
#include "lib/files.h"
#include "lib/group_fixture.h"
#include "lib/harness.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

void become(unsigned int id)
{
	if (setgid(id) || setuid(id))
		abort();
	/* Kills the process when its test ends. The setting is lost when it changes its user, so it comes here. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* ---- Other users ---- */

/* Calls that fail or change nothing. */

static int abuse_stats(int fd, int spare)
{
	struct kmsgpipe_stats stats;
	struct kmsgpipe_params params;
	int number;

	return !ioctl(fd, KMSGPIPE_GET_STATS, &stats) && !ioctl(fd, KMSGPIPE_GET_PARAMS, &params) &&
	       !ioctl(fd, FIONREAD, &number);
}

static int abuse_poll(int fd, int spare)
{
	struct pollfd poll_fd[2] = { { fd, POLLIN | POLLOUT }, { spare, POLLIN } };

	return poll(poll_fd, 2, 0) >= 0;
}

static int abuse_writes(int fd, int spare)
{
	char large[KMSGPIPE_MSG_SIZE_DEFAULT + 1] = { 0 };

	return TRY(write(fd, large, sizeof(large))) == -EMSGSIZE && TRY(write(spare, large, 0)) == 0;
}

/* These may also fail because the pipe is full or empty. */
static int abuse_memory(int fd, int spare)
{
	long sent = TRY(write(fd, bad_address, 16)), received = TRY(read(fd, bad_address, 256));

	return (sent == -EFAULT || sent == -EAGAIN) && (received == -EFAULT || received == -EAGAIN);
}

/* No message is this short; the messages are for other tasks. */
static int abuse_short_reads(int fd, int spare)
{
	char byte;
	long set = set_mode(fd, KMSGPIPE_MODE_WHOLE), received = TRY(read(fd, &byte, 1));

	return !set && (received == -EMSGSIZE || received == -EAGAIN);
}

/* A valid mode and an invalid one. */
static int abuse_modes(int fd, int spare)
{
	unsigned int mode;

	return !set_mode(spare, KMSGPIPE_MODE_LINES) && set_mode(spare, 1U << 31) == -EINVAL &&
	       TRY(ioctl(spare, KMSGPIPE_SET_MODE, bad_address)) == -EFAULT && !ioctl(spare, KMSGPIPE_GET_MODE, &mode) &&
	       mode == KMSGPIPE_MODE_LINES;
}

static int abuse_flags(int fd, int spare)
{
	return !ioctl(spare, KMSGPIPE_TOGGLE_BLOCK) && !fcntl(spare, F_SETFL, O_RDWR | O_ASYNC) &&
	       !fcntl(spare, F_SETFL, O_RDWR);
}

static int abuse_opening(int fd, int spare)
{
	int another = open(NODE, O_RDWR | O_CLOEXEC);

	return another >= 0 && !close(another);
}

static int abuse_privileged(int fd, int spare)
{
	static const unsigned int privileged[] = {
		KMSGPIPE_CLEAR_QUEUE, KMSGPIPE_SET_PARAMS, KMSGPIPE_FLUSH_PERIODIC, KMSGPIPE_CREATE_NEW,
		KMSGPIPE_DESTROY, KMSGPIPE_DUMP,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(privileged); i++)
		if (TRY(ioctl(fd, privileged[i], bad_address)) != -EPERM)
			return 0;
	return 1;
}

static int (*const abuses[])(int fd, int spare) = {
	abuse_stats, abuse_poll, abuse_writes, abuse_memory, abuse_short_reads, abuse_modes, abuse_flags,
	abuse_opening, abuse_privileged,
};

enum { ABUSES = ARRAY_SIZE(abuses) };

struct abuse {
	unsigned long turns[ABUSES];
	unsigned long sent, received;
};

struct abuser {
	struct abuse *shared;
	unsigned int which;
};

static void *abuse_thread(void *arg)
{
	struct abuser *abuser = arg;
	int fd = open_pipe(O_RDWR | O_NONBLOCK), spare = open_pipe(O_RDWR);

	for (;;) {
		if (!abuses[abuser->which](fd, spare)) {
			fprintf(stderr, "# abuse %u: errno %d\n", abuser->which, errno);
			abort();
		}
		__atomic_add_fetch(&abuser->shared->turns[abuser->which], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Runs all kinds of abuse at once, each in a thread. */
static void abuse_all(struct abuse *shared)
{
	static struct abuser abusers[ABUSES];
	pthread_t thread;
	unsigned int i;

	become(ABUSER);
	signal(SIGIO, SIG_IGN);
	for (i = 0; i < ABUSES; i++) {
		abusers[i] = (struct abuser){ shared, i };
		if (pthread_create(&thread, NULL, abuse_thread, &abusers[i]))
			abort();
	}
	for (;;)
		pause();
}

static unsigned long least_turns(struct abuse *shared)
{
	unsigned long least = ~0UL, turns;
	unsigned int i;

	for (i = 0; i < ABUSES; i++) {
		turns = __atomic_load_n(&shared->turns[i], __ATOMIC_RELAXED);
		least = turns < least ? turns : least;
	}
	return least;
}

/* Writes or reads increasing numbers. */
static int neighbour(struct abuse *shared, unsigned long count, int sends)
{
	int fd = open_pipe(sends ? O_WRONLY : O_RDONLY);
	unsigned long i, number;

	become(NEIGHBOUR);
	for (i = 0; i < count; i++) {
		number = i;
		if (sends ? write(fd, &number, sizeof(number)) != sizeof(number) :
			    read(fd, &number, sizeof(number)) != sizeof(number) || number != i)
			return 1;
		__atomic_store_n(sends ? &shared->sent : &shared->received, i + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* The test checks progress, not speed. The time limit of the harness ends it otherwise. */
TEST_F_TIMEOUT(group, failing_calls_do_not_stall_other_users, 120)
{
	unsigned long count = scaled(20000), before[ABUSES], i;
	struct abuse *shared = shared_memory(sizeof(*shared));
	pid_t abuser, sender, receiver;

	abuser = fork();
	if (!abuser)
		abuse_all(shared);
	/* Wait until each kind of abuse has begun. */
	while (!least_turns(shared)) {
		ASSERT_EQ(0, waitpid(abuser, NULL, WNOHANG));
		sched_yield();
	}
	for (i = 0; i < ABUSES; i++)
		before[i] = __atomic_load_n(&shared->turns[i], __ATOMIC_RELAXED);
	receiver = fork();
	if (!receiver)
		_exit(neighbour(shared, count, 0));
	sender = fork();
	if (!sender)
		_exit(neighbour(shared, count, 1));
	EXPECT_EQ(0, exit_of(sender));
	EXPECT_EQ(0, exit_of(receiver));
	ASSERT_EQ(0, waitpid(abuser, NULL, WNOHANG));
	kill(abuser, SIGKILL);
	EXPECT_EQ(-1, exit_of(abuser));
	EXPECT_EQ(count, shared->received);
	/* Each kind of abuse has continued during the test. */
	for (i = 0; i < ABUSES; i++)
		EXPECT_LT(before[i], shared->turns[i]) TH_LOG("abuse %lu", i);
	TH_LOG("%lu messages, at least %lu turns of each of %d kinds of abuse", count, least_turns(shared), ABUSES);
}

/* A stopped writer leaves the wait list, and joins it again when it continues. */
TEST_F_TIMEOUT(group, stopped_writers_leave_the_wait_list, 60)
{
	enum { STOPPED = 4 };
	pid_t children[STOPPED], other;
	char byte;
	int i;

	fill(self->fd);
	for (i = 0; i < STOPPED; i++) {
		children[i] = fork();
		if (!children[i]) {
			int fd = open_pipe(O_WRONLY);

			become(ABUSER);
			_exit(write(fd, "mine", 4) == 4 ? 0 : 1);
		}
	}
	await_writers(self->fd, STOPPED);
	for (i = 0; i < STOPPED; i++) {
		kill(children[i], SIGSTOP);
		ASSERT_EQ(children[i], waitpid(children[i], NULL, WUNTRACED));
	}
	EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	other = fork();
	if (!other) {
		int fd = open_pipe(O_WRONLY);

		become(NEIGHBOUR);
		_exit(write(fd, "other", 5) == 5 ? 0 : 1);
	}
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(0, exit_of(other));
	for (i = 0; i < STOPPED; i++)
		kill(children[i], SIGCONT);
	await_writers(self->fd, STOPPED);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	for (i = 0; i < STOPPED; i++)
		EXPECT_EQ(0, exit_of(children[i]));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

/* ---- The kernel log ---- */

/* Makes calls with hostile arguments that need no privilege. */
static int storm(unsigned long count, unsigned long long seed)
{
	static const unsigned long long arguments[] = {
		0, 1, 8, 4095, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffff, 1ULL << 63, ~0ULL,
	};
	int fd = open_pipe(O_RDWR | O_NONBLOCK), none = open_pipe(O_ACCMODE);
	char text[4096] = { 0 };
	unsigned long i;

	become(ABUSER);
	signal(SIGIO, SIG_IGN);
	for (i = 0; i < count; i++) {
		unsigned int request = pick(&seed, 2) ? _IOC(pick(&seed, 4), KMSGPIPE_IOC_MAGIC, pick(&seed, 16),
							     pick(&seed, 2) ? pick(&seed, 1 << 14) : 64) :
					       pick(&seed, ~0U);
		int which = pick(&seed, 2) ? fd : none;
		void *argument = (void *)(uintptr_t)(pick(&seed, 2) ? (uintptr_t)text :
						     arguments[pick(&seed, ARRAY_SIZE(arguments))]);

		/*
		 * Requests that the kernel handles for every file, such as FIOCLEX, are left out, but for FIOASYNC
		 * and FIONBIO.
		 */
		ioctl(which, request, argument);
		write(which, argument, pick(&seed, 8192));
		read(which, argument, pick(&seed, 512));
		lseek(which, 1, SEEK_SET);
		mmap(NULL, 4096, PROT_READ, MAP_SHARED, which, 0);
		ftruncate(which, 1);
		fallocate(which, 0, 0, 1);
		fsync(which);
		open(NODE, O_RDWR | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
		spill(SYSFS "/create", "x");
		spill(SYSFS "/destroy", "0");
		spill(SYSFS "/pipe0/flush_enable", "1");
		slurp(DEBUG_FILE, text, sizeof(text));
		if (!abuse_privileged(fd, none))
			return 1;
	}
	return 0;
}

TEST_F_TIMEOUT(group, no_unprivileged_call_writes_to_the_kernel_log, 120)
{
	unsigned long count = scaled(5000);
	unsigned long long seed = new_seed();
	int log = open_log();
	pid_t child;

	TH_LOG("seed %llu, %lu turns", seed, count);
	child = fork();
	if (!child)
		_exit(storm(count, seed));
	ASSERT_EQ(0, exit_of(child));
	EXPECT_EQ(0, log_lines(log, "kmsgpipe", "abuse"));
	close(log);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

/* A sweep logs one line at most, however many messages expired. The administrator sets its interval. */
TEST_F_TIMEOUT(group, a_sweep_logs_at_most_one_line_per_interval, 60)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 50, .expiry_ms = 1 };
	unsigned long long began;
	unsigned int lines;
	int log = open_log();
	pid_t child;

	began = now_ns();
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	child = fork();
	if (!child) {
		int fd = open_pipe(O_WRONLY | O_NONBLOCK);

		become(ABUSER);
		for (;;)
			if (write(fd, "x", 1) < 0 && errno != EAGAIN)
				_exit(1);
	}
	for (lines = 0; lines < 10; lines += log_lines(log, "kmsgpipe", "abuse"))
		sched_yield();
	flush = (struct kmsgpipe_flush){ 0 };
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	lines += log_lines(log, "kmsgpipe", "abuse");
	/* A timer may expire a tick early. */
	EXPECT_GE((now_ns() - began) / 40000000 + 1, lines);
	kill(child, SIGKILL);
	EXPECT_EQ(-1, exit_of(child));
	close(log);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

TEST_HARNESS_MAIN
