// SPDX-License-Identifier: GPL-2.0
/*
 * The attributes of pipes in sysfs: what they show, what is set by them, and pipes that are created and destroyed
 * there.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/registry.h"
#include "lib/registry_fixture.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <dirent.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The number in an attribute; it must be followed by a newline only. */
static unsigned long long number_in(long id, const char *file)
{
	const char *path = sysfs_file(id, file);
	unsigned long long number;
	char text[64], again[64];

	if (slurp(path, text, sizeof(text)) <= 0 || sscanf(text, "%llu", &number) != 1) {
		fprintf(stderr, "# %s does not hold a number\n", path);
		abort();
	}
	snprintf(again, sizeof(again), "%llu\n", number);
	if (strcmp(text, again)) {
		fprintf(stderr, "# %s: '%s'\n", path, text);
		abort();
	}
	return number;
}

static const struct {
	const char *file;
	unsigned int size;
	size_t offset;
} fields[] = {
#define FIELD(name) { #name, sizeof(((struct kmsgpipe_stats *)0)->name), offsetof(struct kmsgpipe_stats, name) }
	FIELD(msg_size), FIELD(max_msgs), FIELD(readers), FIELD(writers), FIELD(waiting_readers), FIELD(waiting_writers),
	FIELD(depth_msgs), FIELD(depth_bytes), FIELD(peak_msgs), FIELD(peak_bytes), FIELD(enqueued_msgs),
	FIELD(enqueued_bytes), FIELD(dequeued_msgs), FIELD(dequeued_bytes), FIELD(expired_msgs), FIELD(expired_bytes),
	FIELD(dropped_msgs), FIELD(dropped_bytes), FIELD(refused_full), FIELD(refused_size),
};

#define FIELDS ARRAY_SIZE(fields)

static unsigned long long field_of(const struct kmsgpipe_stats *stats, size_t i)
{
	const void *at = (const char *)stats + fields[i].offset;

	return fields[i].size == 4 ? *(const unsigned int *)at : *(const unsigned long long *)at;
}

/* spec: 8-sysfs */
TEST_F(registry, sysfs_has_the_documented_files_and_modes)
{
	static const struct { const char *file; unsigned int mode; } others[] = {
		{ "node", 0444 }, { "flush_enable", 0644 }, { "flush_interval_ms", 0644 }, { "flush_expiry_ms", 0644 },
		{ "default_mode", 0644 }, { "overflow", 0644 }, { "kind", 0444 },
		/* Attributes of every device. */
		{ "dev", 0444 }, { "uevent", 0644 },
	};
	struct dirent *entry;
	unsigned int found = 0;
	struct stat file;
	char path[400];
	size_t i;
	DIR *dir;

	dir = opendir(SYSFS "/pipe0/");
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		unsigned int mode = 0;

		snprintf(path, sizeof(path), SYSFS "/pipe0/%s", entry->d_name);
		ASSERT_EQ(0, lstat(path, &file));
		if (!S_ISREG(file.st_mode))
			continue;
		for (i = 0; i < FIELDS; i++)
			if (!strcmp(entry->d_name, fields[i].file))
				mode = 0444;
		for (i = 0; i < ARRAY_SIZE(others); i++)
			if (!strcmp(entry->d_name, others[i].file))
				mode = others[i].mode;
		EXPECT_EQ(S_IFREG | mode, file.st_mode) TH_LOG("%s", path);
		EXPECT_EQ(0, file.st_uid);
		EXPECT_EQ(0, file.st_gid);
		found++;
	}
	closedir(dir);
	EXPECT_EQ(FIELDS + ARRAY_SIZE(others), found);
	ASSERT_EQ(0, stat(SYSFS "/create", &file));
	EXPECT_EQ(S_IFREG | 0200, file.st_mode);
	ASSERT_EQ(0, stat(SYSFS "/destroy", &file));
	EXPECT_EQ(S_IFREG | 0200, file.st_mode);
	/* Write-only files cannot be read even by root, and read-only ones cannot be written. */
	EXPECT_EQ(-EACCES, slurp(SYSFS "/create", path, sizeof(path)));
	EXPECT_EQ(-EACCES, slurp(SYSFS "/destroy", path, sizeof(path)));
	for (i = 0; i < FIELDS; i++) {
		snprintf(path, sizeof(path), SYSFS "/pipe0/%s", fields[i].file);
		EXPECT_EQ(-EACCES, spill(path, "1"));
	}
	EXPECT_EQ(-EACCES, spill(SYSFS "/pipe0/node", "x"));
	EXPECT_EQ(-EACCES, spill(SYSFS "/pipe0/kind", "queue"));
	/* Only a broadcast pipe has it. */
	EXPECT_EQ(-ENOENT, slurp(SYSFS "/pipe0/history", path, sizeof(path)));
}

/* Expects that every attribute has the value of GET_STATS. */
static void expect_same(struct __test_metadata *_metadata, int fd, const char *state)
{
	struct kmsgpipe_stats stats = stats_of(fd);
	size_t i;

	for (i = 0; i < FIELDS; i++)
		EXPECT_EQ(field_of(&stats, i), number_in(stats.id, fields[i].file))
			TH_LOG("%s, %s", fields[i].file, state);
}

/* spec: 1-introspectable 8-sysfs */
TEST_F(registry, sysfs_values_match_get_stats)
{
	struct kmsgpipe_create create = { .msg_size = 100, .max_msgs = 3 };
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1, .expiry_ms = 1 };
	struct call readers[2], writers[3];
	char buffer[101] = { 0 };
	int fd, writing, i;
	long id;

	ASSERT_LE(1, id = create_pipe(&create));
	fd = open_id(id, O_RDWR);
	writing = open_id(id, O_WRONLY | O_NONBLOCK);
	expect_same(_metadata, fd, "new");
	for (i = 0; i < 2; i++) {
		readers[i] = read_call(fd, buffer, sizeof(buffer));
		start_call(&readers[i]);
	}
	await_readers(fd, 2);
	expect_same(_metadata, fd, "readers sleep");
	EXPECT_EQ(2, number_in(id, "waiting_readers"));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(7, write(writing, "for you", 7));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(7, finish_call(&readers[i]));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(11, write(writing, "eleven byte", 11));
	EXPECT_EQ(-EAGAIN, TRY(write(writing, "x", 1)));
	EXPECT_EQ(-EMSGSIZE, TRY(write(writing, buffer, 101)));
	for (i = 0; i < 3; i++) {
		writers[i] = write_call(fd, "late", 4);
		start_call(&writers[i]);
	}
	await_writers(fd, 3);
	expect_same(_metadata, fd, "writers sleep");
	EXPECT_EQ(3, number_in(id, "waiting_writers"));
	EXPECT_EQ(33, number_in(id, "depth_bytes"));
	EXPECT_EQ(1, number_in(id, "refused_full"));
	EXPECT_EQ(1, number_in(id, "refused_size"));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(4, finish_call(&writers[i]));
	expect_same(_metadata, fd, "cleared");
	EXPECT_EQ(3, number_in(id, "dropped_msgs"));
	EXPECT_EQ(33, number_in(id, "dropped_bytes"));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	await_depth(fd, 0);
	expect_same(_metadata, fd, "expired");
	EXPECT_EQ(3, number_in(id, "expired_msgs"));
	EXPECT_EQ(12, number_in(id, "expired_bytes"));
	expect_same(_metadata, self->fd, "pipe 0");
	close(writing);
	close(fd);
}

/* Expects these settings in the three attributes. */
#define EXPECT_SETTINGS(enable, interval, expiry)                                         \
	do {                                                                              \
		EXPECT_EQ(enable, number_in(id, "flush_enable"));             \
		EXPECT_EQ(interval, number_in(id, "flush_interval_ms"));      \
		EXPECT_EQ(expiry, number_in(id, "flush_expiry_ms"));          \
	} while (0)

TEST_F(registry, sysfs_sets_the_expiry)
{
	struct kmsgpipe_create create = default_pipe();
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 70, .expiry_ms = 80000 };
	struct kmsgpipe_stats stats;
	long id;
	int fd;

	ASSERT_LE(1, id = create_pipe(&create));
	fd = open_id(id, O_RDWR);
	EXPECT_SETTINGS(0, 1000, 10000);
	EXPECT_EQ(0, stats_of(fd).flags);

	/* The settings are kept while expiry is disabled. */
	EXPECT_EQ(5, spill(sysfs_file(id, "flush_interval_ms"), "2500\n"));
	EXPECT_EQ(10, spill(sysfs_file(id, "flush_expiry_ms"), "4294967295"));
	EXPECT_SETTINGS(0, 2500, 4294967295);
	EXPECT_EQ(0, stats_of(fd).flags);
	EXPECT_EQ(2, spill(sysfs_file(id, "flush_enable"), "1\n"));
	EXPECT_SETTINGS(1, 2500, 4294967295);
	stats = stats_of(fd);
	EXPECT_EQ(KMSGPIPE_STATS_FLUSH, stats.flags);
	EXPECT_EQ(2500, stats.flush_interval_ms);
	EXPECT_EQ(4294967295, stats.flush_expiry_ms);

	/* They can be changed while expiry is enabled; 0 means the default. */
	EXPECT_EQ(1, spill(sysfs_file(id, "flush_interval_ms"), "0"));
	EXPECT_EQ(1, spill(sysfs_file(id, "flush_expiry_ms"), "0"));
	EXPECT_SETTINGS(1, 1000, 10000);
	EXPECT_EQ(1000, stats_of(fd).flush_interval_ms);
	EXPECT_EQ(10000, stats_of(fd).flush_expiry_ms);
	EXPECT_EQ(1, spill(sysfs_file(id, "flush_enable"), "0"));
	EXPECT_SETTINGS(0, 1000, 10000);
	EXPECT_EQ(0, stats_of(fd).flags);

	/* The request and the attributes set the same values. */
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	EXPECT_SETTINGS(1, 70, 80000);
	flush = (struct kmsgpipe_flush){ 0 };
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	EXPECT_EQ(0, number_in(id, "flush_enable"));
	close(fd);
}

TEST_F(registry, an_expiry_set_through_sysfs_applies)
{
	struct kmsgpipe_create create = default_pipe();
	long id;
	int fd;

	ASSERT_LE(1, id = create_pipe(&create));
	fd = open_id(id, O_RDWR);
	ASSERT_EQ(4, write(fd, "soon", 4));
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_interval_ms"), "1"));
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_expiry_ms"), "1"));
	EXPECT_EQ(1, stats_of(fd).depth_msgs);
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_enable"), "1"));
	await_depth(fd, 0);
	EXPECT_EQ(1, stats_of(fd).expired_msgs);
	/* Again with an empty queue, and another message. */
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_enable"), "0"));
	ASSERT_EQ(4, write(fd, "stay", 4));
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_expiry_ms"), "0"));
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_enable"), "1"));
	EXPECT_EQ(1, stats_of(fd).depth_msgs);
	/* A shorter expiry applies to queued messages, too. */
	ASSERT_EQ(1, spill(sysfs_file(id, "flush_expiry_ms"), "1"));
	await_depth(fd, 0);
	EXPECT_EQ(2, stats_of(fd).expired_msgs);
	close(fd);
}

TEST_F(registry, sysfs_refuses_bad_settings)
{
	static const char *const bad[] = {
		"-1", "4294967296", "18446744073709551616", "99999999999999999999999", "x", "1x", "1 2", "1.5", "0x10",
		"\n", " ", "-", "", "1\n1",
	};
	struct kmsgpipe_create create = default_pipe();
	size_t i;
	long id;

	ASSERT_LE(1, id = create_pipe(&create));
	ASSERT_EQ(2, spill(sysfs_file(id, "flush_interval_ms"), "77"));
	ASSERT_EQ(2, spill(sysfs_file(id, "flush_expiry_ms"), "88"));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* A write of no bytes sets nothing. */
		long expected = bad[i][0] ? -EINVAL : 0;

		EXPECT_EQ(expected, spill(sysfs_file(id, "flush_enable"), bad[i])) TH_LOG("'%s'", bad[i]);
		EXPECT_EQ(expected, spill(sysfs_file(id, "flush_interval_ms"), bad[i])) TH_LOG("'%s'", bad[i]);
		EXPECT_EQ(expected, spill(sysfs_file(id, "flush_expiry_ms"), bad[i])) TH_LOG("'%s'", bad[i]);
	}
	EXPECT_EQ(-EINVAL, spill(sysfs_file(id, "flush_enable"), "2"));
	EXPECT_EQ(-EINVAL, spill(sysfs_file(id, "flush_enable"), "4294967295"));
	EXPECT_SETTINGS(0, 77, 88);
}

/* spec: 1-char-devices */
TEST_F(registry, sysfs_links_the_node_and_the_device)
{
	struct kmsgpipe_create create = named_pipe("weather");
	struct stat node;
	char text[512], expected[64];
	long id;

	create.mode = 0640;
	create.uid = 1234;
	create.gid = 5678;
	ASSERT_LE(1, id = create_pipe(&create));
	ASSERT_EQ(0, stat("/dev/kmsgpipe/weather", &node));
	snprintf(expected, sizeof(expected), "%u:%u\n", major(node.st_rdev), minor(node.st_rdev));
	ASSERT_LT(0, slurp(sysfs_file(id, "dev"), text, sizeof(text)));
	EXPECT_STREQ(expected, text);
	ASSERT_LT(0, slurp(sysfs_file(id, "node"), text, sizeof(text)));
	EXPECT_STREQ("/dev/kmsgpipe/weather\n", text);
	snprintf(expected, sizeof(expected), "MAJOR=%u\nMINOR=%ld\nDEVNAME=kmsgpipe/weather\n", major(node.st_rdev), id);
	ASSERT_LT(0, slurp(sysfs_file(id, "uevent"), text, sizeof(text)));
	EXPECT_EQ(0, strncmp(text, expected, strlen(expected))) TH_LOG("%s", text);
	EXPECT_TRUE(strstr(text, "\nDEVMODE=0640\n") != NULL);
	EXPECT_TRUE(strstr(text, "\nDEVUID=1234\n") != NULL);
	EXPECT_TRUE(strstr(text, "\nDEVGID=5678\n") != NULL);

	ASSERT_EQ(0, stat(NODE, &node));
	snprintf(expected, sizeof(expected), "%u:0\n", major(node.st_rdev));
	ASSERT_LT(0, slurp(SYSFS "/pipe0/dev", text, sizeof(text)));
	EXPECT_STREQ(expected, text);
	ASSERT_LT(0, slurp(SYSFS "/pipe0/node", text, sizeof(text)));
	EXPECT_STREQ(NODE "\n", text);
	/* The class of the node, where udev looks for it. */
	ASSERT_LT(0, readlink(SYSFS "/pipe0/subsystem", text, sizeof(text)));
	EXPECT_TRUE(is_there("/sys/devices/virtual/kmsgpipe/pipe0"));
	snprintf(expected, sizeof(expected), "/sys/dev/char/%u:%ld", major(node.st_rdev), id);
	EXPECT_TRUE(is_there(expected));
}

/* What the files of the pipe with the node "/dev/kmsgpipe/logs" say, and its node: limits, modes, mode, owner, group. */
static const char *made(void)
{
	static const char *const files[] = { "msg_size", "max_msgs", "default_mode" };
	static char all[200];
	char text[64];
	struct stat node;
	size_t i;
	int at = 0;

	if (stat("/dev/kmsgpipe/logs", &node))
		return "no node";
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (slurp(sysfs_file(minor(node.st_rdev), files[i]), text, sizeof(text)) < 0)
			return "no file";
		at += snprintf(all + at, sizeof(all) - at, "%.*s ", (int)strcspn(text, "\n"), text);
	}
	snprintf(all + at, sizeof(all) - at, "%04o %u %u", node.st_mode & 07777, node.st_uid, node.st_gid);
	return all;
}

TEST_F(registry, sysfs_creates_a_pipe_with_settings)
{
	static const struct { const char *words, *made; } cases[] = {
		{ "logs", "256 128 none 0600 0 0" },
		{ "logs msg_size=4096", "4096 128 none 0600 0 0" },
		{ "logs max_msgs=64", "256 64 none 0600 0 0" },
		{ "logs mode=0666", "256 128 none 0666 0 0" },
		{ "logs mode=640", "256 128 none 0640 0 0" },
		{ "logs mode=0", "256 128 none 0600 0 0" },
		{ "logs uid=1234", "256 128 none 0600 1234 0" },
		{ "logs gid=4294967294", "256 128 none 0600 0 4294967294" },
		{ "logs default_mode=lines,eof", "256 128 eof,lines 0600 0 0" },
		{ "logs default_mode=hup", "256 128 hup 0600 0 0" },
		{ "logs default_mode=none", "256 128 none 0600 0 0" },
		{ "logs msg_size=1 max_msgs=65536 default_mode=records mode=0001 uid=5 gid=6", "1 65536 records 0001 5 6" },
		{ "logs gid=6 uid=5 mode=0001 default_mode=records max_msgs=1 msg_size=1048576", "1048576 1 records 0001 5 6" },
	};
	char line[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(line, sizeof(line), "%s\n", cases[i].words);
		EXPECT_EQ((long)strlen(line), spill(SYSFS "/create", line)) TH_LOG("'%s'", cases[i].words);
		EXPECT_STREQ(cases[i].made, made()) TH_LOG("'%s'", cases[i].words);
		EXPECT_EQ(-EEXIST, spill(SYSFS "/create", line)) TH_LOG("'%s'", cases[i].words);
		EXPECT_EQ(4, spill(SYSFS "/destroy", "logs")) TH_LOG("'%s'", cases[i].words);
	}
	EXPECT_EQ(1, count_pipes());
}

TEST_F(registry, sysfs_creates_no_pipe_with_bad_settings)
{
	static const char *const words[] = {
		"msg_size=1", "msg_size=1 a", "a b=1", "a msg_size", "a msg_size=", "a =1", "a msg_size=1=2", "a msg_size =1",
		"a  msg_size=1", "a msg_size=1 ", "a\tmsg_size=1", "a msg_size=1\tmax_msgs=1", "a MSG_SIZE=1", "a msg_siz=1",
		"a msg_sizes=1", "a name=b", "a flush=1",
		/* Each key twice. */
		"a msg_size=1 msg_size=1", "a max_msgs=1 max_msgs=2", "a mode=1 uid=1 mode=1", "a uid=1 uid=1", "a gid=1 gid=1",
		"a default_mode=eof default_mode=eof",
		/* Values out of bounds. */
		"a msg_size=0", "a msg_size=1048577", "a msg_size=4294967297", "a msg_size=-1", "a msg_size=+1", "a msg_size=1k",
		"a max_msgs=0", "a max_msgs=65537", "a msg_size=1048576 max_msgs=65", "a mode=01000", "a mode=8", "a mode=rw",
		"a mode=-1", "a uid=4294967295", "a uid=-1", "a uid=root", "a gid=4294967295", "a gid=4294967296",
		"a default_mode=", "a default_mode=hangup", "a default_mode=eof,", "a default_mode=records,lines",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		EXPECT_EQ(-EINVAL, spill(SYSFS "/create", words[i])) TH_LOG("'%s'", words[i]);
		EXPECT_FALSE(is_there("/dev/kmsgpipe/a")) TH_LOG("'%s'", words[i]);
	}
	EXPECT_EQ(1, count_pipes());
}

/* spec: 2-more-pipes */
TEST_F(registry, sysfs_creates_pipes)
{
	static const char longest[] = "0123456789abcdefghijABCDEFGHIJ_";
	static const struct { const char *word; long ret; } cases[] = {
		{ "", 0 }, { "\n", -EINVAL }, { " ", -EINVAL }, { "a b", -EINVAL }, { " a", -EINVAL }, { "a ", -EINVAL },
		{ "a/b", -EINVAL }, { "../a", -EINVAL }, { "a\nb", -EINVAL }, { "a\n\n", -EINVAL }, { "\303\244", -EINVAL },
		{ "a\t", -EINVAL }, { "0123456789abcdefghijABCDEFGHIJ_x", -EINVAL }, { "a!", -EINVAL }, { "a,b", -EINVAL },
		{ ".", -EINVAL }, { "..", -EINVAL }, { "a.peer", -EINVAL }, { ".peer\n", -EINVAL },
	};
	struct kmsgpipe_stats stats;
	struct stat node;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_EQ(cases[i].ret, spill(SYSFS "/create", cases[i].word)) TH_LOG("'%s'", cases[i].word);
	EXPECT_EQ(1, count_pipes());

	EXPECT_EQ(5, spill(SYSFS "/create", "logs\n"));
	ASSERT_EQ(0, stat("/dev/kmsgpipe/logs", &node));
	EXPECT_EQ(S_IFCHR | 0600, node.st_mode);
	EXPECT_EQ(0, node.st_uid);
	EXPECT_EQ(0, node.st_gid);
	fd = open("/dev/kmsgpipe/logs", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	stats = stats_of(fd);
	EXPECT_TRUE(is_there(sysfs_file(stats.id, "node")));
	EXPECT_EQ(KMSGPIPE_MSG_SIZE_DEFAULT, stats.msg_size);
	EXPECT_EQ(KMSGPIPE_MAX_MSGS_DEFAULT, stats.max_msgs);
	close(fd);
	EXPECT_EQ(-EEXIST, spill(SYSFS "/create", "logs"));
	EXPECT_EQ(-EEXIST, spill(SYSFS "/create", "logs\n"));
	EXPECT_EQ(31, spill(SYSFS "/create", longest));
	EXPECT_TRUE(is_there("/dev/kmsgpipe/0123456789abcdefghijABCDEFGHIJ_"));
	EXPECT_EQ(3, spill(SYSFS "/create", "a-b"));
	EXPECT_EQ(4, count_pipes());
}

TEST_F(registry, sysfs_destroys_pipes)
{
	/* `%ld` is the id of a pipe, and of one that does not exist. */
	static const char *const words[] = {
		"logs", "logs\n", "kmsgpipe/logs\n", "%ld", "%ld\n", "pipe%ld", "pipe%ld\n", "kmsgpipe%ld", "kmsgpipe%ld\n",
	};
	static const char *const none[] = {
		"%ld", "pipe%ld", "kmsgpipe%ld", "nosuch", "kmsgpipe/nosuch", "65536", "4294967296", "4294967297",
		"18446744073709551617", "pipe4294967297", "-1", "pipe-1", "logs2", "log", "pipe", "kmsgpipe", "kmsgpipe/",
		"kmsgpipe-logs", "kmsgpipe/%ld", "00", "1x", "pipe1x", "/dev/kmsgpipe/logs", "\n", " ", "1 ", " 1", "1\n1", "01234567890123456789012345678901234567890123456789",
	};
	static const char *const numbers[] = { "0", "%ld", "pipe%ld", "kmsgpipe%ld" };
	struct kmsgpipe_create create = named_pipe("logs"), number;
	char word[64];
	long ret, id, other;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		ASSERT_LE(1, id = create_pipe(&create));
		snprintf(word, sizeof(word), words[i], id);
		EXPECT_EQ((long)strlen(word), spill(SYSFS "/destroy", word)) TH_LOG("'%s'", word);
		ASSERT_EQ(1, count_pipes()) TH_LOG("'%s'", word);
		EXPECT_FALSE(is_there("/dev/kmsgpipe/logs"));
		EXPECT_EQ(-ENODEV, spill(SYSFS "/destroy", word)) TH_LOG("'%s' again", word);
	}
	ASSERT_LE(1, id = create_pipe(&create));
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		snprintf(word, sizeof(word), none[i], next_id(id));
		ret = spill(SYSFS "/destroy", word);
		/* A word that cannot be a name or an id is the same as one that does not exist. */
		EXPECT_TRUE(ret == -ENODEV || ret == -EINVAL) TH_LOG("'%s': %ld", word, ret);
	}
	snprintf(word, sizeof(word), "%ld", next_id(id));
	EXPECT_EQ(-ENODEV, spill(SYSFS "/destroy", word));
	EXPECT_EQ(-ENODEV, spill(SYSFS "/destroy", "nosuch"));
	EXPECT_EQ(-ENODEV, spill(SYSFS "/destroy", "kmsgpipe/nosuch"));
	EXPECT_EQ(2, count_pipes());
	EXPECT_EQ(-EBUSY, spill(SYSFS "/destroy", "0"));
	EXPECT_EQ(-EBUSY, spill(SYSFS "/destroy", "pipe0\n"));
	EXPECT_EQ(-EBUSY, spill(SYSFS "/destroy", "kmsgpipe0"));

	/* A word that may be an id is one; a pipe with such a name is reached by the path of its node. */
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(word, sizeof(word), numbers[i], next_id(id));
		number = named_pipe(word);
		ASSERT_LE(1, other = create_pipe(&number));
		EXPECT_EQ(-EBUSY, spill(SYSFS "/destroy", "0"));
		snprintf(word, sizeof(word), "kmsgpipe/%s", number.name);
		EXPECT_EQ((long)strlen(word), spill(SYSFS "/destroy", word)) TH_LOG("'%s'", word);
		EXPECT_FALSE(is_there(sysfs_file(other, "")));
		EXPECT_EQ(2, count_pipes());
	}
	number = named_pipe("0");
	ASSERT_LE(1, other = create_pipe(&number));
	EXPECT_EQ(-EBUSY, spill(SYSFS "/destroy", "0"));
	snprintf(word, sizeof(word), "%ld", id);
	number = named_pipe(word);
	ASSERT_LE(1, create_pipe(&number));
	EXPECT_EQ((long)strlen(word), spill(SYSFS "/destroy", word));
	EXPECT_FALSE(is_there(sysfs_file(id, "")));
	EXPECT_EQ(3, count_pipes());
	ASSERT_LE(1, create_pipe(&create));

	/* Waiting calls fail as with the DESTROY request. */
	fd = open("/dev/kmsgpipe/logs", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(4, spill(SYSFS "/destroy", "logs"));
	EXPECT_EQ(-ENODEV, TRY(write(fd, "x", 1)));
	close(fd);
}

TEST_HARNESS_MAIN
