// SPDX-License-Identifier: GPL-2.0
/* Injected faults in opening, reading and writing the files that show pipes: in /proc, sysfs, debugfs, and fdinfo. */
#include "lib/fault_fixture.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <dirent.h>

#define FAULTY "/dev/kmsgpipe/faulty"

static void empty_pipes(struct stage *stage)
{
	int fd = open_pipe(O_RDWR);

	if (ioctl(fd, KMSGPIPE_CLEAR_QUEUE))
		abort();
	close(fd);
	empty_stage(stage);
}

static long open_view(struct stage *stage)
{
	stage->made = open(stage->path, O_RDONLY | O_CLOEXEC);
	return stage->made < 0 ? -errno : 0;
}

/* Notes the content of the file and its length. */
static void view_to_read(struct stage *stage)
{
	empty_pipes(stage);
	if (open_view(stage))
		abort();
	stage->len = pread(stage->made, stage->out, sizeof(stage->out), 0);
	close(stage->made);
	if (open_view(stage))
		abort();
}

static long read_view(struct stage *stage)
{
	return transferred(TRY(read(stage->made, stage->in, sizeof(stage->in))), stage->len);
}

static int got_view(struct stage *stage)
{
	return stage->len && !memcmp(stage->in, stage->out, stage->len) && stage->in[stage->len] == 0x55 &&
	       !read(stage->made, stage->in, sizeof(stage->in)) && holds_messages(stage, 0, 0);
}

static int can_be_read(struct stage *stage)
{
	return read(stage->made, stage->in, sizeof(stage->in)) > 0 && holds_messages(stage, 0, 0);
}

FIXTURE_VARIANT_ADD(call, open_of_a_view) {
	.prepare = empty_pipes, .run = open_view, .finished = can_be_read,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 3, [COPY] = 1 },
	.failures = { [SLAB] = 3, [COPY] = 1 },
};

FIXTURE_VARIANT_ADD(call, read_of_a_view) {
	.prepare = view_to_read, .run = read_view, .finished = got_view,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 1, [COPY] = 1 },
	.failures = { [SLAB] = 1, [COPY] = 1 },
};

/* ---- Writing ---- */

/* Writes to an attribute of the pipe. */
static long write_setting(struct stage *stage, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), SYSFS "/pipe%ld/%s", stage->id, name);
	return transferred(spill(path, text), strlen(text));
}

/* Disables expiry, with settings of 100 s and 1000 s. */
static void settings(struct stage *stage)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 100000, .expiry_ms = 1000000 }, off = { 0 };

	empty_stage(stage);
	queue_message(stage, 7);
	if (ioctl(stage->fd, KMSGPIPE_FLUSH_PERIODIC, &flush) || ioctl(stage->fd, KMSGPIPE_FLUSH_PERIODIC, &off))
		abort();
}

static long enable(struct stage *stage)
{
	return write_setting(stage, "flush_enable", "1\n");
}

static long set_interval(struct stage *stage)
{
	return write_setting(stage, "flush_interval_ms", "200000\n");
}

static long set_expiry(struct stage *stage)
{
	return write_setting(stage, "flush_expiry_ms", "2000000\n");
}

/* Whether the settings are these once expiry is enabled. */
static int settings_are(struct stage *stage, unsigned int interval, unsigned int expiry)
{
	struct kmsgpipe_stats stats;

	if (enable(stage))
		abort();
	stats = stats_of(stage->fd);
	return stats.flags & KMSGPIPE_STATS_FLUSH && stats.flush_interval_ms == interval &&
	       stats.flush_expiry_ms == expiry && kept_messages(stage);
}

static int enabled(struct stage *stage)
{
	return stats_of(stage->fd).flags & KMSGPIPE_STATS_FLUSH && settings_are(stage, 100000, 1000000);
}

static int interval_set(struct stage *stage)
{
	return settings_are(stage, 200000, 1000000);
}

static int expiry_set(struct stage *stage)
{
	return settings_are(stage, 100000, 2000000);
}

/* Opens the file and writes to it. */
#define WRITTEN \
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }, .points = { [SLAB] = 4, [COPY] = 2 }, \
	.failures = { [SLAB] = 4, [COPY] = 2 }

FIXTURE_VARIANT_ADD(call, write_to_flush_enable) {
	.prepare = settings, .run = enable, .finished = enabled, WRITTEN,
};

FIXTURE_VARIANT_ADD(call, write_to_flush_interval_ms) {
	.prepare = settings, .run = set_interval, .finished = interval_set, WRITTEN,
};

FIXTURE_VARIANT_ADD(call, write_to_flush_expiry_ms) {
	.prepare = settings, .run = set_expiry, .finished = expiry_set, WRITTEN,
};

static void usual_default_mode(struct stage *stage)
{
	/* This comes first, as the file of the stage is opened anew. */
	if (write_setting(stage, "default_mode", "none\n"))
		abort();
	settings(stage);
}

static long set_default_mode(struct stage *stage)
{
	return write_setting(stage, "default_mode", "eof,lines\n");
}

static int default_mode_set(struct stage *stage)
{
	int fd = open_id(stage->id, O_RDWR | O_NONBLOCK), good;

	good = mode_of(fd) == (KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_LINES) && !mode_of(stage->fd) && kept_messages(stage);
	close(fd);
	return good;
}

FIXTURE_VARIANT_ADD(call, write_to_default_mode) {
	.prepare = usual_default_mode, .run = set_default_mode, .finished = default_mode_set, WRITTEN,
};

static void usual_overflow(struct stage *stage)
{
	if (write_setting(stage, "overflow", "block\n"))
		abort();
	settings(stage);
}

static long set_overflow(struct stage *stage)
{
	return write_setting(stage, "overflow", "drop-oldest\n");
}

static int overflow_set(struct stage *stage)
{
	char text[64];

	return slurp(sysfs_file(stage->id, "overflow"), text, sizeof(text)) > 0 && !strcmp(text, "drop-oldest\n") &&
	       kept_messages(stage);
}

FIXTURE_VARIANT_ADD(call, write_to_overflow) {
	.prepare = usual_overflow, .run = set_overflow, .finished = overflow_set, WRITTEN,
};

static void no_other_pipe(struct stage *stage)
{
	empty_stage(stage);
	if (!access(FAULTY, F_OK))
		abort();
}

static long create(struct stage *stage)
{
	return transferred(spill(SYSFS "/create", "faulty\n"), strlen("faulty\n"));
}

static long destroy(struct stage *stage)
{
	return transferred(spill(SYSFS "/destroy", "faulty\n"), strlen("faulty\n"));
}

/* Whether the pipe was created and works; destroys it. */
static int created(struct stage *stage)
{
	int fd = open(FAULTY, O_RDWR | O_NONBLOCK | O_CLOEXEC), works;
	char text[8];

	works = fd >= 0 && write(fd, "message", 7) == 7 && read(fd, text, 8) == 7 && !ioctl(fd, KMSGPIPE_DESTROY);
	close(fd);
	return works && access(FAULTY, F_OK);
}

static void another_pipe(struct stage *stage)
{
	no_other_pipe(stage);
	if (create(stage))
		abort();
	stage->made = open(FAULTY, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (stage->made < 0 || write(stage->made, "message", 7) != 7)
		abort();
}

static int destroyed(struct stage *stage)
{
	char text[8];

	return TRY(read(stage->made, text, 8)) == -ENODEV && access(FAULTY, F_OK);
}

FIXTURE_VARIANT_ADD(call, write_to_create) {
	.prepare = no_other_pipe, .run = create, .finished = created, WRITTEN,
};

FIXTURE_VARIANT_ADD(call, write_to_destroy) {
	.prepare = another_pipe, .run = destroy, .finished = destroyed, WRITTEN,
};

/* Tries each file of the pipe in turn. */
TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	static const char *const others[] = {
		"/proc/kmsgpipe_stats", "/sys/kernel/debug/kmsgpipe/pipes",
	};
	struct stage *stage = self->stage;
	struct dirent *entry;
	char path[320];
	size_t i;
	DIR *dir;

	if (variant->run != open_view && variant->run != read_view) {
		fail_each_point(_metadata, variant, stage);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		stage->path = others[i];
		fail_each_point(_metadata, variant, stage);
	}
	stage->path = path;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", stage->fd);
	fail_each_point(_metadata, variant, stage);
	snprintf(path, sizeof(path), SYSFS "/pipe%ld", stage->id);
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	for (i = 0; (entry = readdir(dir));) {
		if (entry->d_type != DT_REG)
			continue;
		snprintf(path, sizeof(path), SYSFS "/pipe%ld/%s", stage->id, entry->d_name);
		fail_each_point(_metadata, variant, stage);
		i++;
	}
	closedir(dir);
	/* The attributes of this module, `dev` and `uevent`. */
	EXPECT_EQ(29, i);
}

TEST_HARNESS_MAIN
