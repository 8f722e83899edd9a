// SPDX-License-Identifier: GPL-2.0
/*
 * The sender record of the oldest message: it is taken from the task that writes, and shown in the namespaces of the
 * reader.
 */
#include "lib/clock.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/pipe_fixture.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * Writes a message as another user with different effective ids, and returns the process id of the child after it has
 * ended.
 */
static pid_t send_as(int fd, uid_t uid, gid_t gid)
{
	/* Memory that is populated in the child, too. */
	char message[] = { 'm', 'i', 'n', 'e' };
	int status;
	pid_t child = fork();

	if (!child) {
		if (setresgid(gid, 7, 7) || setresuid(uid, 8, 8))
			_exit(1);
		_exit(write(fd, message, 4) != 4);
	}
	if (waitpid(child, &status, 0) != child || status)
		abort();
	return child;
}

TEST_F(pipe, an_empty_pipe_has_no_head_record)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_EQ(0, stats.flags);
	EXPECT_EQ(0, stats.head_seq);
	EXPECT_EQ(0, stats.head_age_ns);
	EXPECT_EQ(0, stats.head_len);
	EXPECT_EQ(0, stats.head_uid);
	EXPECT_EQ(0, stats.head_gid);
	EXPECT_EQ(0, stats.head_pid);
}

/* spec: 3-ownership */
TEST_F(pipe, the_record_holds_the_real_ids_of_the_writer)
{
	struct kmsgpipe_stats stats;
	char buffer[4];
	pid_t child;
	int i;

	/* The first message needs an allocation, the second one uses spare memory. */
	for (i = 0; i < 2; i++) {
		/* Root has opened the descriptor, but the sender is the task that writes. */
		child = send_as(self->fd, 1234, 5678);
		stats = stats_of(self->fd);
		EXPECT_EQ(KMSGPIPE_STATS_HEAD | KMSGPIPE_STATS_HEAD_PRIVILEGED, stats.flags);
		EXPECT_EQ(4, stats.head_len);
		EXPECT_EQ(1234, stats.head_uid);
		EXPECT_EQ(5678, stats.head_gid);
		EXPECT_EQ(child, stats.head_pid);
		EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	}
}

/* The ids of a task: real and effective user id, real and effective group id. */
struct ids {
	uid_t real, effective;
	gid_t real_group, effective_group;
};

/* Sets these ids; others can be set later. */
static int take_ids(const struct ids *ids)
{
	return setresuid(-1, 0, -1) || setresgid(ids->real_group, ids->effective_group, 0) ||
	       setresuid(ids->real, ids->effective, 0);
}

TEST_F(pipe, effective_ids_that_differ_are_flagged)
{
	static const struct {
		struct ids opens, writes;
		int privileged;
	} cases[] = {
		{ { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, 0 },
		{ { 5, 5, 6, 6 }, { 5, 5, 6, 6 }, 0 },
		/* A set-user-id or set-group-id program that writes to a file its caller has opened. */
		{ { 5, 5, 6, 6 }, { 5, 0, 6, 6 }, 1 },
		{ { 5, 5, 6, 6 }, { 5, 5, 6, 0 }, 1 },
		/* Such a program may make its effective ids its real ones. */
		{ { 5, 5, 6, 6 }, { 0, 0, 6, 6 }, 1 },
		{ { 5, 5, 6, 6 }, { 5, 5, 0, 0 }, 1 },
		/* Such a program may open the pipe itself. */
		{ { 5, 0, 6, 6 }, { 0, 0, 6, 6 }, 1 },
		{ { 5, 0, 6, 6 }, { 5, 5, 6, 6 }, 1 },
		{ { 5, 5, 6, 0 }, { 5, 5, 0, 0 }, 1 },
		/* A process that has given up its privileges. */
		{ { 0, 0, 0, 0 }, { 5, 5, 6, 6 }, 1 },
		/* A descriptor that was passed on. */
		{ { 7, 7, 6, 6 }, { 5, 5, 6, 6 }, 1 },
	};
	struct kmsgpipe_stats stats;
	int status, fd;
	char buffer[4];
	pid_t child;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		child = fork();
		if (!child) {
			if (take_ids(&cases[i].opens))
				_exit(1);
			fd = open(NODE, O_WRONLY);
			if (take_ids(&cases[i].writes))
				_exit(2);
			_exit(write(fd, "mine", 4) != 4);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status) TH_LOG("case %zu", i);
		stats = stats_of(self->fd);
		EXPECT_EQ(cases[i].writes.real, stats.head_uid) TH_LOG("case %zu", i);
		EXPECT_EQ(cases[i].writes.real_group, stats.head_gid) TH_LOG("case %zu", i);
		EXPECT_EQ(cases[i].privileged, !!(stats.flags & KMSGPIPE_STATS_HEAD_PRIVILEGED)) TH_LOG("case %zu", i);
		EXPECT_EQ(4, read(self->fd, buffer, sizeof(buffer)));
	}
	/* An empty pipe has no such flag. */
	EXPECT_EQ(0, stats_of(self->fd).flags);
}

/* Copies a program. */
static int copy_program(const char *from, const char *to)
{
	int source = open(from, O_RDONLY), target = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
	char buffer[65536];
	ssize_t len;

	while ((len = read(source, buffer, sizeof(buffer))) > 0)
		if (write(target, buffer, len) != len)
			return -1;
	close(source);
	return len || fchmod(target, 04755) || close(target);
}

/* Lets an ordinary user write the output of a program to the pipe. Returns the process id after it has ended. */
static pid_t echo_as_user(const char *program, const char *text)
{
	int status, fd;
	pid_t child = fork();

	if (!child) {
		if (setresgid(5678, 5678, 5678) || setresuid(1234, 1234, 1234))
			_exit(1);
		fd = open(NODE, O_WRONLY);
		if (dup2(fd, 1) != 1)
			_exit(2);
		execl(program, "echo", text, NULL);
		_exit(3);
	}
	if (waitpid(child, &status, 0) != child || status)
		abort();
	return child;
}

/* spec: 3-ownership */
TEST_F(pipe, a_set_user_id_program_is_recorded_as_its_caller)
{
	static const char text[] = "shutdown now";
	struct kmsgpipe_stats stats;
	char dir[] = "/tmp/sender-XXXXXX", program[64], buffer[64];
	pid_t child;

	/* A separate file system, as others may be mounted with nosuid. */
	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, mount("none", dir, "tmpfs", 0, "mode=755"));
	snprintf(program, sizeof(program), "%s/echo", dir);
	ASSERT_EQ(0, copy_program("/bin/echo", program));
	child = echo_as_user(program, text);
	stats = stats_of(self->fd);
	EXPECT_EQ(1234, stats.head_uid);
	EXPECT_EQ(5678, stats.head_gid);
	EXPECT_EQ(child, stats.head_pid);
	EXPECT_EQ(KMSGPIPE_STATS_HEAD | KMSGPIPE_STATS_HEAD_PRIVILEGED, stats.flags);
	EXPECT_EQ(sizeof(text), read(self->nonblocking, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, text, sizeof(text) - 1));
	/* Without the set-user-id bit, a message of that program is not marked. */
	ASSERT_EQ(0, chmod(program, 0755));
	echo_as_user(program, text);
	EXPECT_EQ(1234, stats_of(self->fd).head_uid);
	EXPECT_EQ(KMSGPIPE_STATS_HEAD, stats_of(self->fd).flags);
	EXPECT_EQ(0, umount(dir) | rmdir(dir));
}

static void *send_one(void *arg)
{
	return write(*(int *)arg, "mine", 4) == 4 ? NULL : arg;
}

TEST_F(pipe, the_process_id_of_a_thread_is_its_thread_group)
{
	pthread_t thread;
	void *failed;

	ASSERT_EQ(0, pthread_create(&thread, NULL, send_one, &self->fd));
	pthread_join(thread, &failed);
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(getpid(), stats_of(self->fd).head_pid);
}

/* spec: 3-fifo 4-read-oldest */
TEST_F(pipe, sequence_numbers_follow_the_queue_order)
{
	unsigned long long first;
	char byte;
	int i;

	ASSERT_EQ(1, write(self->fd, "0", 1));
	first = stats_of(self->fd).head_seq;
	EXPECT_LT(0, first);
	for (i = 1; i < 4; i++) {
		ASSERT_EQ(1, write(self->fd, "n", 1));
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		ASSERT_EQ(first + i, stats_of(self->fd).head_seq);
	}
	/* A write that fails uses up no sequence number. */
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 4)));
	ASSERT_EQ(1, write(self->fd, "n", 1));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(first + 4, stats_of(self->fd).head_seq);
}

TEST_F(pipe, head_age_is_the_time_since_the_write)
{
	unsigned long long before = now_ns(), sent, asked, age;

	ASSERT_EQ(1, write(self->fd, "0", 1));
	sent = now_ns();
	asked = now_ns();
	age = stats_of(self->fd).head_age_ns;
	EXPECT_LE(asked - sent, age);
	EXPECT_GE(now_ns() - before, age);
}

TEST_F(pipe, no_sender_without_read_access)
{
	int writing = open_pipe(O_WRONLY), neither = open_pipe(O_ACCMODE);

	ASSERT_EQ(1, write(self->fd, "0", 1));
	EXPECT_EQ(KMSGPIPE_STATS_HEAD, stats_of(self->fd).flags);
	EXPECT_EQ(0, stats_of(writing).flags);
	EXPECT_EQ(0, stats_of(writing).head_seq);
	EXPECT_EQ(0, stats_of(writing).head_pid);
	EXPECT_EQ(1, stats_of(writing).depth_msgs);
	EXPECT_EQ(0, stats_of(neither).flags);
	close(writing);
	close(neither);
}

/* Writes the map of user or group ids of a process. */
static int map_ids(pid_t pid, const char *which, const char *map)
{
	char path[64];
	int file, ret;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	file = open(path, O_WRONLY | O_CLOEXEC);
	ret = file < 0 || write(file, map, strlen(map)) != (ssize_t)strlen(map);
	close(file);
	return ret;
}

/* Checks the statistics in a user namespace, and returns the number of the check that fails. */
static int seen_from_namespace(int fd, unsigned int uid, unsigned int gid)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	if (stats.head_uid != uid || stats.head_gid != gid)
		return 3;
	/* Root of the namespace has no CAP_SYS_ADMIN outside of it. */
	if (TRY(ioctl(fd, KMSGPIPE_CLEAR_QUEUE)) != -EPERM)
		return 4;
	return 0;
}

TEST_F(pipe, a_user_namespace_sees_its_own_ids)
{
	static const struct {
		const char *uid_map, *gid_map;
		unsigned int uid, gid;
	} cases[] = {
		{ "0 0 1\n5 1234 1", "0 0 1\n6 5678 1", 5, 6 },
		{ "0 0 1", "0 0 1", 65534, 65534 },
	};
	int status, ready[2], mapped[2];
	size_t i;
	pid_t child;
	char byte;

	send_as(self->fd, 1234, 5678);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pipe(ready) | pipe(mapped));
		child = fork();
		if (!child) {
			close(mapped[1]);
			if (unshare(CLONE_NEWUSER) || write(ready[1], "r", 1) != 1)
				_exit(1);
			if (read(mapped[0], &byte, 1) != 1)
				_exit(2);
			_exit(seen_from_namespace(self->fd, cases[i].uid, cases[i].gid));
		}
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		ASSERT_EQ(0, map_ids(child, "uid_map", cases[i].uid_map));
		ASSERT_EQ(0, map_ids(child, "gid_map", cases[i].gid_map));
		ASSERT_EQ(1, write(mapped[1], "m", 1));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_F(pipe, another_pid_namespace_sees_pid_zero)
{
	int status;
	pid_t child;

	ASSERT_EQ(1, write(self->fd, "0", 1));
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWPID))
			_exit(1);
		child = fork();
		if (!child)
			_exit(stats_of(self->fd).head_pid != 0);
		if (waitpid(child, &status, 0) != child || status)
			_exit(2);
		/* The parent itself is still in the initial pid namespace. */
		_exit(stats_of(self->fd).head_pid == 0 ? 3 : 0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
