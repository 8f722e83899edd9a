// SPDX-License-Identifier: GPL-2.0
/* Module parameters that are refused, and that are accepted. */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/log.h"
#include "lib/module.h"
#include "lib/module_fixture.h"
#include "lib/pipe.h"
#include "lib/trace.h"
#include "lib/uevent.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

/* Expects that the module does not load with these parameters, and that nothing is left of it. */
static void expect_refused(struct __test_metadata *_metadata, const char *const *refused, size_t count)
{
	char text[64];
	size_t i;

	ASSERT_EQ(0, unload_module());
	for (i = 0; i < count; i++) {
		EXPECT_EQ(-EINVAL, load_module(refused[i])) TH_LOG("%s", refused[i]);
		EXPECT_FALSE(module_loaded());
		EXPECT_EQ(-ENOENT, TRY(access(NODE, F_OK)));
		EXPECT_EQ(-ENOENT, slurp(PROC, text, sizeof(text)));
		EXPECT_FALSE(is_there(SYSFS));
		if (module_loaded())
			unload_module();
	}
}

TEST_F_TIMEOUT(module, bad_parameters_are_refused, SECONDS)
{
	static const char *const bad[] = {
		"msg_size=0", "msg_size=1048577", "msg_size=4294967295", "msg_size=-1", "msg_size=4294967296",
		"msg_size=x", "max_msgs=0", "max_msgs=65537", "max_msgs=2147483648",
		"msg_size=1024 max_msgs=65536 max_bytes=67108863", "max_bytes=0",
		"msg_size=1048576 max_msgs=65", "mode=01000", "mode=0888",
		"mode=", "mode", "mode=1000", "mode=444x", "mode=0x1ff", "mode=0o644", "mode=+644", "mode=-1", "mode=u=rw",
	};

	expect_refused(_metadata, bad, ARRAY_SIZE(bad));
}

TEST_F_TIMEOUT(module, a_mode_is_octal_in_the_log_and_in_sysfs, SECONDS)
{
	static const char *const file = "/sys/module/kmsgpipe/parameters/mode";
	static const struct {
		const char *parameters, *shown;
	} good[] = { { "", "0666\n" }, { "mode=444", "0444\n" }, { "mode=0", "0000\n" } };
	struct stat node;
	char text[64];
	size_t i;
	int log;

	ASSERT_EQ(0, unload_module());
	log = open_log();
	EXPECT_EQ(-EINVAL, load_module("mode=888"));
	EXPECT_EQ(1, log_lines(log, "kmsgpipe: mode=888: must be octal, 0 to 0777", "no other"));
	close(log);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ASSERT_EQ(0, load_module(good[i].parameters));
		EXPECT_LT(0, slurp(file, text, sizeof(text)));
		EXPECT_EQ(0, strcmp(good[i].shown, text)) TH_LOG("%s shows %s", good[i].parameters, text);
		ASSERT_EQ(0, stat(file, &node));
		EXPECT_EQ(0444, node.st_mode & 07777);
		ASSERT_EQ(0, unload_module());
	}
	ASSERT_EQ(0, load_module(""));
}

TEST_F_TIMEOUT(module, good_parameters_are_kept, SECONDS)
{
	static const struct {
		const char *parameters;
		unsigned int msg_size, max_msgs, mode;
	} good[] = {
		{ "", 256, 128, 0666 },
		/* Mode 0 stands for the default of the driver core, 0600. */
		{ "msg_size=1 max_msgs=1 mode=0", 1, 1, 0600 },
		{ "msg_size=1048576 max_msgs=64 mode=0600", 1048576, 64, 0600 },
		/* Octal even without a leading zero. */
		{ "mode=444", 256, 128, 0444 },
		{ "mode=7", 256, 128, 0007 },
		{ "mode=000640", 256, 128, 0640 },
		{ "msg_size=1024 max_msgs=65536 mode=0777", 1024, 65536, 0777 },
		{ "msg_size=1048576 max_msgs=65536 max_bytes=68719476736", 1048576, 65536, 0666 },
	};
	struct kmsgpipe_stats stats;
	struct stat node;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ASSERT_EQ(0, unload_module());
		ASSERT_EQ(0, load_module(good[i].parameters));
		ASSERT_EQ(0, stat(NODE, &node));
		EXPECT_EQ(S_IFCHR | good[i].mode, node.st_mode);
		fd = open_pipe(O_RDWR);
		stats = stats_of(fd);
		EXPECT_EQ(good[i].msg_size, stats.msg_size);
		EXPECT_EQ(good[i].max_msgs, stats.max_msgs);
		close(fd);
	}
}

/* spec: 2-more-pipes */
TEST_F_TIMEOUT(module, pipes_parameter_creates_pipes, 300)
{
	static const struct {
		const char *parameters;
		unsigned int pipes, msg_size, max_msgs, mode;
	} good[] = {
		{ "pipes=1", 1, 256, 128, 0666 },
		{ "pipes=3 msg_size=100 max_msgs=5 mode=0640", 3, 100, 5, 0640 },
		{ "pipes=4096", 4096, 256, 128, 0666 },
		/* A pipe takes a hundred times as long on the debug kernel. */
		{ "pipes=32", 32, 256, 128, 0666 },
	};
	static const char *const bad[] = {
		"pipes=0", "pipes=4097", "pipes=65536", "pipes=2147483648", "pipes=4294967295", "pipes=4294967296",
		"pipes=-1", "pipes=x", "pipes=2 msg_size=0",
	};
	struct kmsgpipe_create create = default_pipe();
	struct kmsgpipe_stats stats;
	struct stat node;
	char path[64];
	size_t i, id;
	int fd;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		if (scale() < 1 && good[i].pipes > 32)
			continue;
		ASSERT_EQ(0, unload_module());
		ASSERT_EQ(0, load_module(good[i].parameters));
		EXPECT_EQ(good[i].pipes, count_pipes());
		for (id = 0; id < good[i].pipes; id++) {
			snprintf(path, sizeof(path), "/dev/kmsgpipe%zu", id);
			ASSERT_EQ(0, stat(path, &node));
			ASSERT_EQ(S_IFCHR | good[i].mode, node.st_mode);
			ASSERT_EQ(id, minor(node.st_rdev));
			fd = open_id(id, O_RDWR);
			stats = stats_of(fd);
			ASSERT_EQ(id, stats.id);
			ASSERT_EQ(good[i].msg_size, stats.msg_size);
			ASSERT_EQ(good[i].max_msgs, stats.max_msgs);
			close(fd);
		}
		/* These pipes count like others. */
		EXPECT_EQ(good[i].pipes, create_pipe(&create));
		if (good[i].pipes > 1) {
			EXPECT_EQ(0, destroy_id(1));
			EXPECT_EQ(good[i].pipes + 1, create_pipe(&create));
		}
		EXPECT_EQ(-EBUSY, destroy_id(0));
	}
	expect_refused(_metadata, bad, ARRAY_SIZE(bad));
}

TEST_F_TIMEOUT(module, max_bytes_limits_later_pipes, SECONDS)
{
	struct kmsgpipe_create create = { .msg_size = 10, .max_msgs = 100 };
	struct kmsgpipe_params params = { .msg_size = 1001, .max_msgs = 1 };
	int fd;

	ASSERT_EQ(0, unload_module());
	ASSERT_EQ(0, load_module("msg_size=10 max_msgs=10 max_bytes=1000"));
	EXPECT_EQ(1, create_pipe(&create));
	create.max_msgs = 101;
	EXPECT_EQ(-EINVAL, create_pipe(&create));
	/* The default limits, which are not those of pipe 0, exceed max_bytes. */
	EXPECT_EQ(-EINVAL, spill(SYSFS "/create", "logs"));
	fd = open_id(1, O_RDWR);
	EXPECT_EQ(-EINVAL, TRY(ioctl(fd, KMSGPIPE_SET_PARAMS, &params)));
	params.msg_size = 1000;
	EXPECT_EQ(0, ioctl(fd, KMSGPIPE_SET_PARAMS, &params));
	close(fd);
}

TEST_F_TIMEOUT(module, mode_parameter_denies_other_users, SECONDS)
{
	int status;
	pid_t child;

	ASSERT_EQ(0, unload_module());
	ASSERT_EQ(0, load_module("mode=0640"));
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

TEST_F_TIMEOUT(module, a_pipe_can_be_opened_when_its_uevent_arrives, 300)
{
	const unsigned int cycles = scaled(20);
	struct openers openers;
	unsigned int i, before;

	for (i = 0; i < cycles; i++) {
		/* An open pipe keeps the module loaded. */
		ASSERT_EQ(0, unload_module());
		start_openers(&openers, NODE);
		before = __atomic_load_n(&openers.found, __ATOMIC_ACQUIRE);
		next_phase(&openers);
		ASSERT_EQ(0, load_module("pipes=3"));
		await_tried(&openers, 3);
		await_found(&openers, before);
		stop_openers(&openers);
		ASSERT_EQ(3, openers.opened);
		ASSERT_EQ(0, openers.failed) TH_LOG("cycle %u", i);
		ASSERT_EQ(0, openers.refused) TH_LOG("cycle %u", i);
	}
}

/*
 * To open a device number that no driver has makes the kernel request a module for it, which takes a third of a
 * second. With many pipes this would happen between the uevent of the first pipe and that of the last.
 */
TEST_F_TIMEOUT(module, no_open_makes_the_kernel_request_a_module, 300)
{
	struct openers openers;
	unsigned int before;
	const char *seen;

	ASSERT_TRUE(start_trace("module/module_request", "0"));
	/* Shows that the test notices such a request. */
	ASSERT_EQ(0, mknod("/dev/nobodys", S_IFCHR | 0600, makedev(511, 7)));
	EXPECT_EQ(-ENXIO, TRY(open("/dev/nobodys", O_RDONLY)));
	EXPECT_TRUE(strstr(take_trace(), " char-major-511-7 ") != NULL);
	EXPECT_EQ(0, unlink("/dev/nobodys"));

	ASSERT_EQ(0, unload_module());
	start_openers(&openers, NODE);
	before = __atomic_load_n(&openers.found, __ATOMIC_ACQUIRE);
	ASSERT_EQ(0, load_module("pipes=64"));
	await_tried(&openers, 64);
	await_found(&openers, before);
	stop_openers(&openers);
	EXPECT_EQ(64, openers.opened);
	seen = take_trace();
	EXPECT_TRUE(strstr(seen, "char-major-") == NULL) TH_LOG("%s", seen);
	EXPECT_TRUE(set_tracing("module/module_request", 0));
}

/* Puts something at the path of a node: a file, a symbolic link, a directory, or another device. */
static int put_stray(const char *path, int kind)
{
	switch (kind) {
	case 0:
		return mknod(path, S_IFREG | 0644, 0);
	case 1:
		return symlink("/dev/null", path);
	case 2:
		return mkdir(path, 0755);
	default:
		return mknod(path, S_IFCHR | 0600, makedev(1, 3));
	}
}

TEST_F_TIMEOUT(module, a_file_in_the_place_of_a_node_is_warned_of, SECONDS)
{
	static const char first[] = "kmsgpipe0 is not pipe 0", third[] = "kmsgpipe2 is not pipe 2";
	struct stat before, after;
	int kind, log;

	ASSERT_EQ(0, unload_module());
	for (kind = 0; kind < 4; kind++) {
		ASSERT_EQ(0, put_stray(NODE, kind));
		ASSERT_EQ(0, put_stray("/dev/kmsgpipe2", kind));
		ASSERT_EQ(0, lstat(NODE, &before));
		log = open_log();
		EXPECT_EQ(0, load_module("pipes=3"));
		EXPECT_EQ(2, log_lines(log, first, third)) TH_LOG("kind %d", kind);
		close(log);
		EXPECT_EQ(3, count_pipes());
		/* The module leaves it alone. */
		EXPECT_EQ(0, unload_module());
		EXPECT_EQ(0, lstat(NODE, &after));
		EXPECT_EQ(before.st_ino, after.st_ino);
		EXPECT_EQ(0, remove(NODE) | remove("/dev/kmsgpipe2"));
	}
	log = open_log();
	ASSERT_EQ(0, load_module("pipes=3"));
	EXPECT_EQ(0, log_lines(log, "is not pipe", "is not pipe"));
	close(log);
}

TEST_HARNESS_MAIN
