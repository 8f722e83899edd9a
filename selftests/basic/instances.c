// SPDX-License-Identifier: GPL-2.0
/* Pipes that are created at run time: their nodes, names, ids and limits, and requests that are refused. */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/registry.h"
#include "lib/registry_fixture.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

/* ---- A new pipe ---- */

/* spec: 1-char-devices 2-more-pipes 11-char-device */
TEST_F(registry, node_and_sysfs_exist_when_create_returns)
{
	struct kmsgpipe_create create = { .msg_size = 1000, .max_msgs = 7 };
	struct kmsgpipe_params params;
	struct kmsgpipe_stats stats;
	struct stat node, node0;
	char text[64], path[64];
	long id;
	int fd;

	ASSERT_LE(1, id = ioctl(self->fd, KMSGPIPE_CREATE_NEW, &create));
	snprintf(path, sizeof(path), "/dev/kmsgpipe%ld", id);
	ASSERT_EQ(0, stat(path, &node));
	ASSERT_EQ(0, stat(NODE, &node0));
	EXPECT_EQ(S_IFCHR | 0600, node.st_mode);
	EXPECT_EQ(0, node.st_uid);
	EXPECT_EQ(0, node.st_gid);
	EXPECT_EQ(major(node0.st_rdev), major(node.st_rdev));
	EXPECT_EQ(0, minor(node0.st_rdev));
	EXPECT_EQ(id, minor(node.st_rdev));
	ASSERT_LT(0, slurp(sysfs_file(id, "node"), text, sizeof(text)));
	EXPECT_STREQ(strcat(path, "\n"), text);

	fd = open_id(id, O_RDWR | O_NONBLOCK);
	stats = stats_of(fd);
	EXPECT_EQ(id, stats.id);
	EXPECT_EQ(1000, stats.msg_size);
	EXPECT_EQ(7, stats.max_msgs);
	EXPECT_EQ(1, stats.readers);
	EXPECT_EQ(1, stats.writers);
	EXPECT_EQ(0, stats.enqueued_msgs);
	EXPECT_EQ(0, stats.flags);
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_GET_PARAMS, &params));
	EXPECT_EQ(1000, params.msg_size);
	EXPECT_EQ(7, params.max_msgs);
	close(fd);
}

/* spec: 6-create-new */
TEST_F(registry, create_works_on_any_descriptor_of_any_pipe)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	struct kmsgpipe_create create = default_pipe();
	long id = 0, made;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = open_id(id, flags[i]);
		made = TRY(ioctl(fd, KMSGPIPE_CREATE_NEW, &create));
		EXPECT_LE(1, made);
		EXPECT_NE(id, made);
		close(fd);
		id = made;
	}
}

TEST_F(registry, node_has_the_requested_mode_and_owner)
{
	static const unsigned int modes[] = { 0, 0001, 0020, 0400, 0600, 0640, 0660, 0666, 0777 };
	static const unsigned int owners[] = { 0, 1, 1234, 65534, 0x80000000, 0xfffffffe };
	struct kmsgpipe_create create = default_pipe();
	struct stat node;
	char path[64];
	size_t i, k;
	long id;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		for (k = 0; k < ARRAY_SIZE(owners); k++) {
			create.mode = modes[i];
			create.uid = owners[k];
			create.gid = owners[(k + i) % ARRAY_SIZE(owners)];
			ASSERT_LE(1, id = create_pipe(&create));
			snprintf(path, sizeof(path), "/dev/kmsgpipe%ld", id);
			ASSERT_EQ(0, stat(path, &node));
			EXPECT_EQ(S_IFCHR | (modes[i] ? modes[i] : 0600), node.st_mode);
			EXPECT_EQ(create.uid, node.st_uid);
			EXPECT_EQ(create.gid, node.st_gid);
			ASSERT_EQ(0, destroy_id(id));
		}
}

/* spec: 1-bounded-queue */
TEST_F(registry, each_pipe_has_its_own_queue)
{
	long ids[3];
	char buffer[65] = { 0 };
	int fds[3], i;

	for (i = 0; i < 3; i++)
		fds[i] = own_pipe(&ids[i], 2 + i, O_RDWR | O_NONBLOCK);
	ASSERT_EQ(3, write(fds[0], "one", 3));
	ASSERT_EQ(3, write(fds[1], "two", 3));
	ASSERT_EQ(5, write(self->fd, "zeros", 5));
	EXPECT_EQ(-EAGAIN, TRY(read(fds[2], buffer, sizeof(buffer))));
	EXPECT_EQ(-EMSGSIZE, TRY(write(fds[2], buffer, 65)));
	EXPECT_EQ(1, stats_of(fds[2]).refused_size);
	EXPECT_EQ(0, stats_of(fds[1]).refused_size);
	fill(fds[2]);
	EXPECT_EQ(4, stats_of(fds[2]).depth_msgs);
	EXPECT_EQ(-EAGAIN, TRY(write(fds[2], "x", 1)));
	EXPECT_EQ(1, write(fds[0], "x", 1));
	/* A request to one pipe does not affect another. */
	ASSERT_EQ(0, ioctl(fds[2], KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(1, stats_of(fds[1]).depth_msgs);
	EXPECT_EQ(1, stats_of(fds[1]).head_seq);
	EXPECT_EQ(3, read(fds[1], buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "two", 3));
	EXPECT_EQ(3, read(fds[0], buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "one", 3));
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* spec: 5-refcount */
TEST_F(registry, pipe_and_messages_stay_without_an_open_descriptor)
{
	char buffer[64];
	long id;
	int fd = own_pipe(&id, 4, O_WRONLY);

	ASSERT_EQ(4, write(fd, "stay", 4));
	close(fd);
	fd = open_id(id, O_RDONLY | O_NONBLOCK);
	EXPECT_EQ(4, read(fd, buffer, sizeof(buffer)));
	close(fd);
}

/* ---- Refused requests ---- */

/* The result of CREATE_NEW; a created pipe is destroyed again. */
static long attempt(const struct kmsgpipe_create *create)
{
	long ret = create_pipe(create);

	if (ret > 0) {
		if (destroy_id(ret))
			abort();
		return 0;
	}
	return ret;
}

/* spec: 9-einval */
TEST_F(registry, limits_out_of_bounds_are_einval)
{
	static const struct {
		unsigned int msg_size, max_msgs;
		long ret;
	} cases[] = {
		{ 0, 1, -EINVAL }, { 1, 1, 0 }, { 1048576, 1, 0 }, { 1048577, 1, -EINVAL },
		{ 0x80000000, 1, -EINVAL }, { 0xffffffff, 1, -EINVAL },
		{ 1, 0, -EINVAL }, { 1, 65536, 0 }, { 1, 65537, -EINVAL },
		{ 1, 0x80000000, -EINVAL }, { 1, 0xffffffff, -EINVAL },
		{ 0, 0, -EINVAL }, { 0xffffffff, 0xffffffff, -EINVAL }, { 0x80000000, 0x80000000, -EINVAL },
		/* The product of both limits is at most 64 MiB. */
		{ 1048576, 64, 0 }, { 1048576, 65, -EINVAL }, { 1024, 65536, 0 }, { 1025, 65536, -EINVAL },
		{ 65536, 1024, 0 }, { 65537, 1024, -EINVAL }, { 1048576, 65536, -EINVAL },
	};
	struct kmsgpipe_create create = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		create.msg_size = cases[i].msg_size;
		create.max_msgs = cases[i].max_msgs;
		EXPECT_EQ(cases[i].ret, attempt(&create))
			TH_LOG("msg_size %u max_msgs %u", create.msg_size, create.max_msgs);
	}
	EXPECT_EQ(1, count_pipes());
}

/* spec: 9-einval */
TEST_F(registry, other_fields_out_of_bounds_are_einval)
{
	static const struct {
		unsigned int value;
		long mode, uid, flags, default_mode;
	} cases[] = {
		{ 0, 0, 0, 0, 0 }, { 1, 0, 0, -EINVAL, 0 }, { 2, 0, 0, -EINVAL, 0 }, { 4, 0, 0, -EINVAL, 0 },
		{ 8, 0, 0, -EINVAL, 0 }, { 11, 0, 0, -EINVAL, 0 }, { 15, 0, 0, -EINVAL, 0 }, { 16, 0, 0, -EINVAL, 0 },
		{ 17, 0, 0, -EINVAL, -EINVAL }, { 18, 0, 0, -EINVAL, 0 }, { 24, 0, 0, -EINVAL, -EINVAL }, { 32, 0, 0, -EINVAL, -EINVAL },
		{ 0777, 0, 0, -EINVAL, -EINVAL }, { 01000, -EINVAL, 0, -EINVAL, -EINVAL },
		{ 02000, -EINVAL, 0, -EINVAL, -EINVAL }, { 04000, -EINVAL, 0, -EINVAL, -EINVAL },
		{ S_IFCHR | 0600, -EINVAL, 0, -EINVAL, -EINVAL },
		{ 0x7fffffff, -EINVAL, 0, -EINVAL, -EINVAL }, { 0x80000000, -EINVAL, 0, -EINVAL, -EINVAL },
		{ 0xfffffffe, -EINVAL, 0, -EINVAL, -EINVAL }, { 0xffffffff, -EINVAL, -EINVAL, -EINVAL, -EINVAL },
	};
	static const unsigned int reserved[] = { 1, 0x8000, 0x10000, 0x80000000, 0xffffffff };
	struct kmsgpipe_create create;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		create = default_pipe();
		create.mode = cases[i].value;
		EXPECT_EQ(cases[i].mode, attempt(&create)) TH_LOG("mode %#x", create.mode);
		create = default_pipe();
		create.uid = cases[i].value;
		EXPECT_EQ(cases[i].uid, attempt(&create)) TH_LOG("uid %#x", create.uid);
		create = default_pipe();
		create.gid = cases[i].value;
		EXPECT_EQ(cases[i].uid, attempt(&create)) TH_LOG("gid %#x", create.gid);
		create = default_pipe();
		create.flags = cases[i].value;
		EXPECT_EQ(cases[i].flags, attempt(&create)) TH_LOG("flags %#x", create.flags);
		create = default_pipe();
		create.default_mode = cases[i].value;
		EXPECT_EQ(cases[i].default_mode, attempt(&create)) TH_LOG("default_mode %#x", create.default_mode);
	}
	for (i = 0; i < ARRAY_SIZE(reserved); i++)
		for (k = 0; k < ARRAY_SIZE(create.reserved); k++) {
			create = default_pipe();
			create.reserved[k] = reserved[i];
			EXPECT_EQ(-EINVAL, attempt(&create)) TH_LOG("reserved[%zu] %#x", k, reserved[i]);
		}
	EXPECT_EQ(1, count_pipes());
}

TEST_F(registry, bad_memory_creates_no_pipe)
{
	char *memory = map_pages(8192);
	struct kmsgpipe_create create = default_pipe();

	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, (void *)-1)));
	ASSERT_EQ(0, munmap(memory + 4096, 4096));
	memcpy(memory + 4097 - sizeof(create), &create, sizeof(create) - 1);
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, memory + 4097 - sizeof(create))));
	EXPECT_EQ(1, count_pipes());
	/* A structure that ends with its page is enough, and read-only memory, too. */
	memcpy(memory + 4096 - sizeof(create), &create, sizeof(create));
	ASSERT_EQ(0, mprotect(memory, 4096, PROT_READ));
	EXPECT_LE(1, TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, memory + 4096 - sizeof(create))));
}

/* ---- Names ---- */

TEST_F(registry, a_named_pipe_has_its_node_under_the_name)
{
	struct kmsgpipe_create create = named_pipe("log.d_1-x");
	struct stat node;
	char text[64];
	long id;

	ASSERT_LE(1, id = create_pipe(&create));
	ASSERT_EQ(0, stat("/dev/kmsgpipe/log.d_1-x", &node));
	EXPECT_EQ(S_IFCHR | 0600, node.st_mode);
	EXPECT_EQ(id, minor(node.st_rdev));
	EXPECT_EQ(-ENOENT, try_open_id(id, O_RDWR));
	ASSERT_LT(0, slurp(sysfs_file(id, "node"), text, sizeof(text)));
	EXPECT_STREQ("/dev/kmsgpipe/log.d_1-x\n", text);
	ASSERT_EQ(0, destroy_id(id));
	EXPECT_FALSE(is_there("/dev/kmsgpipe/log.d_1-x"));
	EXPECT_FALSE(is_there(sysfs_file(id, "")));
}

TEST_F(registry, names_up_to_the_limit_are_accepted)
{
	static const char longest[] = "0123456789abcdefghijABCDEFGHIJ_";
	struct kmsgpipe_create create;
	char node[64];
	size_t len;
	long id;

	ASSERT_EQ(31, sizeof(longest) - 1);
	for (len = 1; len < sizeof(longest); len++) {
		create = default_pipe();
		memcpy(create.name, longest, len);
		ASSERT_LE(1, id = create_pipe(&create));
		snprintf(node, sizeof(node), "/dev/kmsgpipe/%.*s", (int)len, longest);
		EXPECT_TRUE(is_there(node)) TH_LOG("%s", node);
		ASSERT_EQ(0, destroy_id(id));
	}
	/* A name without room for the terminating zero. */
	memset(create.name, 'a', sizeof(create.name));
	EXPECT_EQ(-EINVAL, attempt(&create));
	/* An empty name. */
	create = default_pipe();
	ASSERT_LE(1, id = create_pipe(&create));
	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", id);
	EXPECT_TRUE(is_there(node));
	EXPECT_FALSE(is_there("/dev/kmsgpipe"));
}

TEST_F(registry, bytes_not_allowed_in_a_name_are_einval)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	struct kmsgpipe_create create;
	int byte, place;

	for (byte = 1; byte < 256; byte++)
		for (place = 0; place < 31; place += 15) {
			create = default_pipe();
			memset(create.name, 'a', 31);
			create.name[place] = byte;
			EXPECT_EQ(strchr(allowed, byte) ? 0 : -EINVAL, attempt(&create))
				TH_LOG("byte %d at %d", byte, place);
		}
}

TEST_F(registry, reserved_names_are_refused)
{
	static const struct { const char *name; long ret; } cases[] = {
		{ ".", -EINVAL }, { "..", -EINVAL }, { "...", 0 }, { ".a", 0 }, { "a.", 0 }, { "../x", -EINVAL },
		{ ".peer", -EINVAL }, { "a.peer", -EINVAL }, { "a.peer.peer", -EINVAL }, { "peer", 0 }, { "a.peers", 0 },
		{ "a.peer.b", 0 }, { "a-peer", 0 },
	};
	struct kmsgpipe_create create;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		create = named_pipe(cases[i].name);
		EXPECT_EQ(cases[i].ret, attempt(&create)) TH_LOG("'%s'", cases[i].name);
	}
	EXPECT_EQ(1, count_pipes());
}

TEST_F(registry, named_pipes_are_in_a_directory)
{
	struct kmsgpipe_create a = named_pipe("a"), b = named_pipe("b"), unnamed = default_pipe();
	struct stat file;

	ASSERT_LE(1, create_pipe(&unnamed));
	ASSERT_FALSE(is_there("/dev/kmsgpipe"));
	/* The directory is created with the first named pipe and removed with the last one. */
	ASSERT_LE(1, create_pipe(&a));
	ASSERT_EQ(0, lstat("/dev/kmsgpipe", &file));
	EXPECT_EQ(S_IFDIR | 0755, file.st_mode);
	EXPECT_EQ(0, file.st_uid);
	EXPECT_EQ(0, file.st_gid);
	ASSERT_LE(1, create_pipe(&b));
	ASSERT_EQ(0, destroy_word("a"));
	EXPECT_TRUE(is_there("/dev/kmsgpipe/b"));
	ASSERT_EQ(0, destroy_word("b"));
	EXPECT_FALSE(is_there("/dev/kmsgpipe"));
	/* A directory that a user created is kept, as it may be a mount point. */
	ASSERT_EQ(0, mkdir("/dev/kmsgpipe", 0755));
	ASSERT_LE(1, create_pipe(&a));
	EXPECT_TRUE(is_there("/dev/kmsgpipe/a"));
	ASSERT_EQ(0, destroy_word("a"));
	EXPECT_FALSE(is_there("/dev/kmsgpipe/a"));
	EXPECT_EQ(0, rmdir("/dev/kmsgpipe"));
}

TEST_F(registry, bytes_after_the_name_must_be_zero)
{
	struct kmsgpipe_create create;
	size_t place;

	for (place = 0; place < KMSGPIPE_NAME_SIZE; place++) {
		create = named_pipe("ab");
		if (place < 2)
			create.name[place] = 0;
		else if (place > 2)
			create.name[place] = 'x';
		/* "a" and "ab" are names; all others have a byte after the first zero. */
		EXPECT_EQ(place == 1 || place == 2 ? 0 : -EINVAL, attempt(&create)) TH_LOG("place %zu", place);
	}
	EXPECT_EQ(1, count_pipes());
}

TEST_F(registry, a_name_in_use_is_eexist)
{
	struct kmsgpipe_create a = named_pipe("name"), longer = named_pipe("name1"), number = named_pipe("0");
	long i, id;
	int fd;

	ASSERT_LE(1, create_pipe(&a));
	EXPECT_EQ(-EEXIST, create_pipe(&a));
	EXPECT_LE(1, create_pipe(&longer));
	/* A pipe named "0" is not pipe 0. */
	EXPECT_LE(1, id = create_pipe(&number));
	EXPECT_EQ(-EEXIST, create_pipe(&number));
	EXPECT_TRUE(is_there("/dev/kmsgpipe/0"));
	EXPECT_EQ(4, count_pipes());
	/* A refused request uses up no id. */
	for (i = 0; i < 10; i++)
		ASSERT_EQ(-EEXIST, create_pipe(&a));
	fd = try_open("/dev/kmsgpipe/name", O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, destroy_pipe(fd));
	/* The name is free although the destroyed pipe is still open. */
	EXPECT_EQ(next_id(id), create_pipe(&a));
	EXPECT_EQ(-ENODEV, TRY(write(fd, "x", 1)));
	close(fd);
	EXPECT_EQ(-EEXIST, create_pipe(&a));
}

/* spec: 2-more-pipes 6-create-new */
TEST_F(registry, ids_increase)
{
	struct kmsgpipe_create create = default_pipe();
	long first, id, i;

	ASSERT_LE(1, first = id = create_pipe(&create));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(next_id(id), create_pipe(&create));
		id = next_id(id);
	}
	/* An id is not reused soon, whether it was the last one or not. */
	ASSERT_EQ(0, destroy_id(id));
	ASSERT_EQ(0, destroy_id(next_id(first)));
	ASSERT_EQ(next_id(id), create_pipe(&create));
	id = next_id(id);
	/* A refused request uses up no id. */
	create.msg_size = 0;
	EXPECT_EQ(-EINVAL, create_pipe(&create));
	create = default_pipe();
	EXPECT_EQ(next_id(id), create_pipe(&create));
}

/* A container may have a copy of a pipe's node that outlives the pipe. */
TEST_F_TIMEOUT(registry, a_copied_node_does_not_open_a_later_pipe, 120)
{
	static const char *const copies[2] = { "/tmp/copy-of-a-node", "/tmp/copy-of-a-named-node" };
	struct kmsgpipe_create create[2] = { default_pipe(), named_pipe("jobs") };
	unsigned int cycles = scaled(300), cycle, i;
	struct stat node;
	char path[64];
	long id;
	int fd;

	for (i = 0; i < 2; i++) {
		ASSERT_LE(1, id = create_pipe(&create[i]));
		ASSERT_LT(0, slurp(sysfs_file(id, "node"), path, sizeof(path)));
		path[strcspn(path, "\n")] = 0;
		ASSERT_EQ(0, stat(path, &node));
		unlink(copies[i]);
		ASSERT_EQ(0, mknod(copies[i], S_IFCHR | 0600, node.st_rdev));
		ASSERT_LE(0, fd = try_open(copies[i], O_RDWR));
		EXPECT_EQ(id, stats_of(fd).id);
		close(fd);
		ASSERT_EQ(0, destroy_id(id));
	}
	for (cycle = 0; cycle < cycles; cycle++)
		for (i = 0; i < 2; i++) {
			ASSERT_LE(1, id = create_pipe(&create[i]));
			ASSERT_EQ(-ENXIO, try_open(copies[0], O_RDWR)) TH_LOG("cycle %u", cycle);
			ASSERT_EQ(-ENXIO, try_open(copies[1], O_RDWR)) TH_LOG("cycle %u", cycle);
			ASSERT_EQ(0, destroy_id(id));
		}
	for (i = 0; i < 2; i++)
		unlink(copies[i]);
}

TEST_HARNESS_MAIN
