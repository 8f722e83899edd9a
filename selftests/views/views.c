// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel shows of pipes other than nodes and sysfs: /proc/kmsgpipe_stats, fdinfo and debugfs; and all views
 * of a destroyed pipe.
 */
#include "lib/clock.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/registry.h"
#include "lib/registry_fixture.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>

/* ---- procfs ---- */

/* spec: 8-proc 8-example */
TEST_F(registry, proc_has_one_line_per_pipe)
{
	struct kmsgpipe_create create = named_pipe("named");
	char text[4096], expected[4096];
	unsigned long long drops;
	struct stat file;
	int fd, reading;
	long ids[2];

	ASSERT_EQ(0, stat(PROC, &file));
	EXPECT_EQ(S_IFREG | 0444, file.st_mode);
	EXPECT_EQ(0, file.st_uid);

	drops = stats_of(self->fd).dropped_msgs;
	snprintf(expected, sizeof(expected), "pipe0: msgs=0, drops=%llu, expired=%llu, writers=1, readers=1\n", drops,
		 (unsigned long long)stats_of(self->fd).expired_msgs);
	ASSERT_LT(0, slurp(PROC, text, sizeof(text)));
	EXPECT_STREQ(expected, text);

	ASSERT_LE(1, ids[0] = create_pipe(&create));
	create = default_pipe();
	ASSERT_LE(1, ids[1] = create_pipe(&create));
	fd = open_id(ids[1], O_WRONLY);
	reading = open_id(ids[1], O_RDONLY);
	ASSERT_EQ(1, write(fd, "a", 1));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(1, write(fd, "b", 1));
	ASSERT_EQ(1, write(fd, "c", 1));
	close(reading);
	reading = open_id(ids[1], O_RDWR);
	snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
		 "pipe%ld: msgs=0, drops=0, expired=0, writers=0, readers=0\n"
		 "pipe%ld: msgs=2, drops=1, expired=0, writers=2, readers=1\n", ids[0], ids[1]);
	ASSERT_LT(0, slurp(PROC, text, sizeof(text)));
	EXPECT_STREQ(expected, text);
	close(fd);
	close(reading);
}

/* spec: 8-proc */
TEST_F(registry, proc_counts_expired_messages)
{
	struct kmsgpipe_create create = default_pipe();
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1, .expiry_ms = 1 };
	char text[4096], line[128];
	long id;
	int fd;

	ASSERT_LE(1, id = create_pipe(&create));
	fd = open_id(id, O_RDWR);
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ASSERT_EQ(1, write(fd, "a", 1));
	await_depth(fd, 0);
	ASSERT_LT(0, slurp(PROC, text, sizeof(text)));
	snprintf(line, sizeof(line), "\npipe%ld: msgs=0, drops=0, expired=1, writers=1, readers=1\n", id);
	EXPECT_TRUE(strstr(text, line) != NULL) TH_LOG("%s", text);
	close(fd);
}

/* spec: 8-seq-file */
TEST_F(registry, proc_reads_the_same_in_pieces)
{
	static const size_t pieces[] = { 1, 7, 100, 4096 };
	struct kmsgpipe_create create = default_pipe();
	char whole[16384], text[16384];
	int file, i;

	for (i = 0; i < 100; i++)
		ASSERT_LT(0, create_pipe(&create));
	ASSERT_LT(4096, slurp(PROC, whole, sizeof(whole)));
	for (i = 0; i < 4; i++) {
		ASSERT_LT(0, slurp_pieces(PROC, text, sizeof(text), pieces[i]));
		EXPECT_STREQ(whole, text);
	}
	/* Reads from the middle, and again from the start. */
	file = open(PROC, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(100, pread(file, text, 100, 3000));
	EXPECT_EQ(0, memcmp(text, whole + 3000, 100));
	ASSERT_EQ(100, read(file, text, 100));
	EXPECT_EQ(0, memcmp(text, whole, 100));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	ASSERT_EQ(100, read(file, text, 100));
	EXPECT_EQ(0, memcmp(text, whole, 100));
	close(file);
}

/* ---- fdinfo ---- */

TEST_F(registry, fdinfo_counts_the_traffic_of_the_open_file)
{
	static const struct { int flags; const char *mode; } modes[] = {
		{ O_RDONLY, "\nkmsgpipe-mode:\tr\n" }, { O_WRONLY, "\nkmsgpipe-mode:\tw\n" },
		{ O_RDWR, "\nkmsgpipe-mode:\trw\n" }, { O_ACCMODE, "\nkmsgpipe-mode:\t-\n" },
	};
	struct kmsgpipe_create create = { .msg_size = 100, .max_msgs = 4 };
	char text[1024], buffer[101] = { 0 };
	int a, b, fd, copy;
	size_t i;
	long id;

	ASSERT_LE(1, id = create_pipe(&create));
	for (i = 0; i < 4; i++) {
		fd = open_id(id, modes[i].flags);
		fdinfo(fd, text, sizeof(text));
		EXPECT_TRUE(strstr(text, modes[i].mode) != NULL) TH_LOG("%s", text);
		EXPECT_EQ(id, value_of(text, "kmsgpipe-id"));
		close(fd);
	}
	a = open_id(id, O_RDWR | O_NONBLOCK);
	b = open_id(id, O_RDWR | O_NONBLOCK);
	ASSERT_EQ(10, write(a, buffer, 10));
	ASSERT_EQ(20, write(a, buffer, 20));
	ASSERT_EQ(3, write(b, buffer, 3));
	ASSERT_EQ(10, read(b, buffer, sizeof(buffer)));
	/* Calls that failed are not counted. */
	ASSERT_EQ(0, set_mode(a, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, TRY(write(a, buffer, 101)));
	EXPECT_EQ(-EFAULT, TRY(write(a, bad_address, 5)));
	EXPECT_EQ(-EMSGSIZE, TRY(read(a, buffer, 1)));
	EXPECT_EQ(-EFAULT, TRY(read(a, bad_address, 100)));
	EXPECT_EQ(0, write(a, buffer, 0));
	fdinfo(a, text, sizeof(text));
	EXPECT_EQ(2, value_of(text, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(30, value_of(text, "kmsgpipe-sent-bytes"));
	EXPECT_EQ(0, value_of(text, "kmsgpipe-received-msgs"));
	EXPECT_EQ(0, value_of(text, "kmsgpipe-received-bytes"));
	fdinfo(b, text, sizeof(text));
	EXPECT_EQ(1, value_of(text, "kmsgpipe-sent-msgs"));
	EXPECT_EQ(3, value_of(text, "kmsgpipe-sent-bytes"));
	EXPECT_EQ(1, value_of(text, "kmsgpipe-received-msgs"));
	EXPECT_EQ(10, value_of(text, "kmsgpipe-received-bytes"));
	/* A duplicate of a descriptor is the same open file. */
	copy = dup(b);
	ASSERT_EQ(20, read(copy, buffer, sizeof(buffer)));
	fdinfo(b, text, sizeof(text));
	EXPECT_EQ(2, value_of(text, "kmsgpipe-received-msgs"));
	EXPECT_EQ(30, value_of(text, "kmsgpipe-received-bytes"));
	/* Cleared messages are not counted as received. */
	ASSERT_EQ(0, ioctl(b, KMSGPIPE_CLEAR_QUEUE));
	fdinfo(b, text, sizeof(text));
	EXPECT_EQ(2, value_of(text, "kmsgpipe-received-msgs"));
	/* fdinfo can be read as long as the descriptor is open. */
	ASSERT_EQ(0, destroy_id(id));
	fdinfo(a, text, sizeof(text));
	EXPECT_EQ(id, value_of(text, "kmsgpipe-id"));
	EXPECT_EQ(2, value_of(text, "kmsgpipe-sent-msgs"));
	close(copy);
	close(b);
	close(a);
}

/* ---- debugfs ---- */

static const char *const debug_keys[] = {
	"waiting_readers", "waiting_writers", "depth_msgs", "head_seq", "tail_seq", "oldest_age_ns", "segments",
	"spare_segments", "polled", "dumping", "sweeper_armed", "rests",
};

/* spec: 11-debug */
TEST_F(registry, debugfs_shows_a_stuck_queue)
{
	struct kmsgpipe_create create = { .msg_size = 100, .max_msgs = 2 };
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3600000, .expiry_ms = 3600000 };
	unsigned long long before, after, sent;
	struct call readers[2], writers[3];
	struct pollfd poll_fd;
	char text[1024], buffer[100];
	struct stat file;
	size_t i, lines;
	long id;
	int fd;

	ASSERT_LE(1, id = create_pipe(&create));
	fd = open_id(id, O_RDWR);
	ASSERT_EQ(0, stat(DEBUG_FILE, &file));
	EXPECT_EQ(S_IFREG | 0400, file.st_mode);

	ASSERT_TRUE(debug_line(id, text, sizeof(text)));
	for (i = 0, lines = 0; text[i]; i++)
		lines += text[i] == '\n';
	EXPECT_EQ(ARRAY_SIZE(debug_keys), lines) TH_LOG("%s", text);
	for (i = 0; i < ARRAY_SIZE(debug_keys); i++)
		if (strcmp(debug_keys[i], "segments") && strcmp(debug_keys[i], "spare_segments"))
			EXPECT_EQ(0, value_of(text, debug_keys[i])) TH_LOG("%s", debug_keys[i]);

	for (i = 0; i < 2; i++) {
		readers[i] = read_call(fd, buffer, sizeof(buffer));
		start_call(&readers[i]);
	}
	await_readers(fd, 2);
	ASSERT_TRUE(debug_line(id, text, sizeof(text)));
	EXPECT_EQ(2, value_of(text, "waiting_readers"));
	EXPECT_EQ(0, value_of(text, "waiting_writers"));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, write(fd, "x", 1));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, finish_call(&readers[i]));
	before = now_ns();
	for (i = 0; i < 2; i++)
		ASSERT_EQ(6, write(fd, "secret", 6));
	sent = now_ns();
	for (i = 0; i < 3; i++) {
		writers[i] = write_call(fd, "late", 4);
		start_call(&writers[i]);
	}
	await_writers(fd, 3);
	after = now_ns();
	ASSERT_TRUE(debug_line(id, text, sizeof(text)));
	EXPECT_EQ(0, value_of(text, "waiting_readers"));
	EXPECT_EQ(3, value_of(text, "waiting_writers"));
	EXPECT_EQ(2, value_of(text, "depth_msgs"));
	EXPECT_EQ(3, value_of(text, "head_seq"));
	EXPECT_EQ(4, value_of(text, "tail_seq"));
	EXPECT_LE((long long)(after - sent), value_of(text, "oldest_age_ns"));
	EXPECT_GE((long long)(now_ns() - before), value_of(text, "oldest_age_ns"));
	EXPECT_LE(1, value_of(text, "segments"));
	EXPECT_EQ(0, value_of(text, "polled"));
	EXPECT_EQ(0, value_of(text, "dumping"));
	EXPECT_EQ(0, value_of(text, "sweeper_armed"));
	EXPECT_TRUE(strstr(text, "secret") == NULL);

	poll_fd = (struct pollfd){ .fd = fd, .events = POLLIN };
	ASSERT_EQ(1, poll(&poll_fd, 1, 0));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ASSERT_TRUE(debug_line(id, text, sizeof(text)));
	EXPECT_EQ(1, value_of(text, "polled"));
	EXPECT_EQ(1, value_of(text, "sweeper_armed"));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	await_writers(fd, 1);
	await_depth(fd, 2);
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(4, finish_call(&writers[i]));
	flush = (struct kmsgpipe_flush){ 0 };
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ASSERT_TRUE(debug_line(id, text, sizeof(text)));
	EXPECT_EQ(0, value_of(text, "sweeper_armed"));
	ASSERT_EQ(0, destroy_id(id));
	EXPECT_FALSE(debug_line(id, text, sizeof(text)));
	close(fd);
}

/* ---- All views ---- */

/* Whether a file contains this text; it must be readable. */
static int shows(const char *path, const char *what)
{
	static char text[1 << 16];

	if (slurp(path, text, sizeof(text)) < 0)
		abort();
	return strstr(text, what) != NULL;
}

TEST_F(registry, no_view_shows_message_content)
{
	static const char *const others[] = { PROC, DEBUG_FILE };
	const char *secret = "a-secret-of-the-sender";
	struct kmsgpipe_create create = default_pipe();
	unsigned int files = 0;
	struct dirent *entry;
	struct stat file;
	char path[512];
	size_t i;
	int fd, log;
	long id;
	DIR *dir;

	log = open_log();
	ASSERT_LE(1, id = create_pipe(&create));
	fd = open_id(id, O_RDWR);
	ASSERT_EQ(strlen(secret), write(fd, secret, strlen(secret)));
	dir = opendir(sysfs_file(id, ""));
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), SYSFS "/pipe%ld/%s", id, entry->d_name);
		if (lstat(path, &file) || !S_ISREG(file.st_mode) || !(file.st_mode & 0400))
			continue;
		files++;
		EXPECT_FALSE(shows(path, secret)) TH_LOG("%s", path);
	}
	closedir(dir);
	EXPECT_LT(20, files);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_FALSE(shows(others[i], secret)) TH_LOG("%s", others[i]);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	EXPECT_FALSE(shows(path, secret));
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, TRY(read(fd, path, 1)));
	ASSERT_EQ(0, destroy_id(id));
	close(fd);
	EXPECT_EQ(0, log_lines(log, secret, secret));
	close(log);
}

/* spec: 11-debug */
TEST_F(registry, open_views_of_a_destroyed_pipe_are_enodev)
{
	struct kmsgpipe_create create = default_pipe();
	int depth, enable, proc, debug;
	char text[4096], name[32];
	long id;

	ASSERT_LE(1, id = create_pipe(&create));
	depth = open(sysfs_file(id, "depth_msgs"), O_RDONLY | O_CLOEXEC);
	enable = open(sysfs_file(id, "flush_enable"), O_RDWR | O_CLOEXEC);
	proc = open(PROC, O_RDONLY | O_CLOEXEC);
	debug = open(DEBUG_FILE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, depth);
	ASSERT_LE(0, enable);
	ASSERT_LE(0, proc);
	ASSERT_LE(0, debug);
	ASSERT_EQ(2, pread(depth, text, sizeof(text), 0));
	ASSERT_EQ(0, destroy_id(id));
	EXPECT_EQ(-ENODEV, TRY(pread(depth, text, sizeof(text), 0)));
	EXPECT_EQ(-ENODEV, TRY(write(enable, "1", 1)));
	ASSERT_LT(0, read(debug, text, sizeof(text)));
	snprintf(name, sizeof(name), "pipe%ld:", id);
	EXPECT_TRUE(strstr(text, name) == NULL);
	ASSERT_LT(0, read(proc, text, sizeof(text)));
	EXPECT_EQ(0, strncmp(text, "pipe0: ", 7));
	EXPECT_EQ(-ENOENT, spill(sysfs_file(id, "flush_enable"), "1"));
	close(debug);
	close(proc);
	close(enable);
	close(depth);
}

TEST_HARNESS_MAIN
