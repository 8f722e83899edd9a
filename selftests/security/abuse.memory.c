// SPDX-License-Identifier: GPL-2.0
/* How much kernel memory a user without privilege can make pipe 0 take. */
#include "security/abuse.h"
#include "lib/files.h"
#include "lib/group.h"
#include "lib/group_fixture.h"
#include "lib/harness.h"
#include "lib/kernel_memory.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

/*
 * The limit that docs/security.md states for an open file with all that can be attached to it: a member of an epoll
 * set, and an owner of signals.
 */
#define FILE_BYTES 1024
#define FILES 1024
#define WRITERS 32

/* Opens files, attaches all that can be attached to each, and returns their number. */
static unsigned int open_many(void)
{
	struct rlimit limit = { FILES + 16, FILES + 16 };
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd;
	unsigned int count = 0;

	signal(SIGIO, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &limit))
		abort();
	while (count < FILES) {
		fd = open(NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			abort();
		if (fcntl(fd, F_SETOWN, getpid()) || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC) ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
			abort();
		count++;
	}
	return count;
}

/* The memory that the kernel has allocated, for itself and for messages. */
static long long allocated(void)
{
	return kernel_memory() + 4096 * (debug_value(0, "segments") + debug_value(0, "spare_segments"));
}

/* The slab memory that is charged to the group. */
static long long group_slab(FIXTURE_DATA(group) *self)
{
	char path[128], text[4096], *line;

	snprintf(path, sizeof(path), "%s/memory.stat", self->path);
	if (slurp(path, text, sizeof(text)) <= 0)
		abort();
	line = strstr(text, "\nslab ");
	return line ? strtoll(line + 6, NULL, 10) : 0;
}

TEST_F_TIMEOUT(group, open_files_use_bounded_memory, 120)
{
	int *step = shared_memory(sizeof(*step));
	long long before = kernel_memory(), after, charge;
	pid_t child;

	child = fork();
	if (!child) {
		if (group_write(self->path, "cgroup.procs", "0") < 0)
			_exit(2);
		become(ABUSER);
		if (open_many() != FILES)
			_exit(1);
		__atomic_store_n(step, 1, __ATOMIC_RELEASE);
		for (;;)
			pause();
	}
	while (!__atomic_load_n(step, __ATOMIC_ACQUIRE)) {
		ASSERT_EQ(0, waitpid(child, NULL, WNOHANG));
		sched_yield();
	}
	EXPECT_EQ(FILES + 1, stats_of(self->fd).readers);
	after = kernel_memory();
	charge = group_slab(self);
	TH_LOG("an open file takes %lld bytes, %lld of them charged", (after - before) / FILES, charge / FILES);
	/* The memory is charged: a file and its attachments take at least 300 bytes. */
	EXPECT_LE(300 * FILES, charge);
	if (!inflated())
		EXPECT_GE(FILE_BYTES * FILES, after - before);
	kill(child, SIGKILL);
	EXPECT_EQ(-1, exit_of(child));
	EXPECT_EQ(1, stats_of(self->fd).readers);
}

/* Fills the pipe, and then waits in a write. */
static void *fill_and_wait(void *arg)
{
	int fd = open_pipe(O_WRONLY);
	char message[KMSGPIPE_MSG_SIZE_DEFAULT] = { 0 };

	for (;;)
		if (write(fd, message, sizeof(message)) != sizeof(message))
			abort();
	return NULL;
}

TEST_F_TIMEOUT(group, queued_messages_use_bounded_memory_with_many_senders, 120)
{
	long long before, most, tasks;
	struct kmsgpipe_stats stats = stats_of(self->fd);
	char buffer[KMSGPIPE_MSG_SIZE_DEFAULT];
	pthread_t threads[WRITERS];
	int reading = open_pipe(O_RDONLY);
	unsigned int turns, i;
	pid_t child;

	most = (long long)stats.max_msgs * (stats.msg_size + 128);
	while (debug_value(0, "segments") + debug_value(0, "spare_segments"))
		sched_yield();
	child = fork();
	if (!child) {
		become(ABUSER);
		for (i = 0; i < WRITERS; i++)
			if (pthread_create(&threads[i], NULL, fill_and_wait, NULL))
				abort();
		for (;;)
			pause();
	}
	await_depth(self->fd, stats.max_msgs);
	await_writers(self->fd, WRITERS);
	/* Waiting writers hold the memory of their own messages; the pipe holds that of queued ones. */
	before = allocated();
	EXPECT_GE(most, 4096 * debug_value(0, "segments"));
	/* The pipe reuses the memory of messages that were read. */
	for (turns = 0; turns < scaled(2000); turns++)
		ASSERT_LT(0, read(reading, buffer, sizeof(buffer)));
	await_depth(self->fd, stats.max_msgs);
	await_writers(self->fd, WRITERS);
	EXPECT_GE(most, 4096 * debug_value(0, "segments"));
	/* A waiting message takes at most one page for its payload and one for its record. */
	tasks = 2 * 4096 * WRITERS;
	TH_LOG("%u messages: %lld pages, %lld spare; %lld bytes more after %u messages", stats.max_msgs,
	       debug_value(0, "segments"), debug_value(0, "spare_segments"), allocated() - before, turns);
	EXPECT_GE(most + tasks, 4096 * (debug_value(0, "segments") + debug_value(0, "spare_segments")));
	if (!inflated())
		EXPECT_GE(262144, allocated() - before);
	kill(child, SIGKILL);
	EXPECT_EQ(-1, exit_of(child));
	EXPECT_EQ(0, stats_of(self->fd).waiting_writers);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	close(reading);
}

/* Fills a pipe until the group is full, and returns whether the writes ended as they should. */
static int fill_the_group(FIXTURE_DATA(group) *self, int fd, size_t len)
{
	char *message;

	if (group_write(self->path, "cgroup.procs", "0") < 0)
		return 1;
	become(ABUSER);
	message = calloc(1, len);
	while (write(fd, message, len) == (ssize_t)len)
		;
	return errno == ENOMEM ? 0 : 2;
}

/* The number of tasks that the OOM killer has killed. */
static long long oom_kills(void)
{
	static char text[1 << 16];
	const char *found;

	if (slurp("/proc/vmstat", text, sizeof(text)) <= 0)
		abort();
	found = strstr(text, "\noom_kill ");
	if (!found)
		abort();
	return strtoll(found + strlen("\noom_kill "), NULL, 10);
}

TEST_F_TIMEOUT(group, a_full_group_of_64_mib_gets_enomem_and_no_task_is_killed, 120)
{
	static const size_t lens[] = { 65536, 1048576, 4096 };
	unsigned long rounds = scaled(3), round, meanwhile = 0;
	struct kmsgpipe_create create = { .mode = 0666 };
	char *buffer = shared_memory(1048576);
	long long killed = oom_kills();
	pid_t child, ended;
	int status;
	long id;
	int fd;

	ASSERT_LT(0, group_write(self->path, "memory.max", "67108864"));
	for (round = 0; round < rounds; round++) {
		create.msg_size = lens[round % ARRAY_SIZE(lens)];
		create.max_msgs = 67108864 / create.msg_size;
		id = create_pipe(&create);
		ASSERT_LT(0, id);
		fd = open_id(id, O_RDWR | O_NONBLOCK);
		child = fork();
		if (!child)
			_exit(fill_the_group(self, fd, create.msg_size));
		/* A user of another pipe is not delayed. */
		while (!(ended = waitpid(child, &status, WNOHANG))) {
			ASSERT_EQ(8, write(self->fd, "parallel", 8));
			ASSERT_EQ(8, read(self->fd, buffer, 4096));
			meanwhile += stats_of(fd).depth_msgs > 0;
		}
		ASSERT_EQ(child, ended);
		ASSERT_EQ(0, status);
		EXPECT_EQ(0, group_events(self->path, "oom_kill"));
		EXPECT_LT(0, group_events(self->path, "max"));
		EXPECT_GE(67108864, group_number(self->path, "memory.current"));
		/* A user of this pipe is not delayed. */
		ASSERT_EQ(create.msg_size, read(fd, buffer, 1048576));
		ASSERT_EQ(create.msg_size, write(fd, buffer, create.msg_size));
		EXPECT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
		close(fd);
		while (charged(self->path) > MIB / 4)
			sched_yield();
	}
	/* No task outside the group was killed either. */
	EXPECT_EQ(killed, oom_kills());
	EXPECT_LT(0, meanwhile);
	TH_LOG("%lu times full, %lu messages of another user meanwhile", rounds, meanwhile);
}
