// SPDX-License-Identifier: GPL-2.0
/* The operations that each user tries, by their names in the table of docs/security.md. */
#include "security/permissions.h"
#include "lib/broadcast.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/leases.h"
#include "lib/pipe.h"
#include "lib/views.h"

#include <sys/stat.h>

static long opened(const char *path, int flags)
{
	return TRY(open(path, flags | O_NONBLOCK | O_CLOEXEC)) < 0 ? -errno : 0;
}

static long open_0_r(struct scene *scene) { return opened(NODE, O_RDONLY); }
static long open_0_w(struct scene *scene) { return opened(NODE, O_WRONLY); }
static long open_0_rw(struct scene *scene) { return opened(NODE, O_RDWR); }
static long open_0_none(struct scene *scene) { return opened(NODE, O_ACCMODE); }
static long open_r(struct scene *scene) { return opened(scene->node, O_RDONLY); }
static long open_w(struct scene *scene) { return opened(scene->node, O_WRONLY); }
static long open_rw(struct scene *scene) { return opened(scene->node, O_RDWR); }
static long open_none(struct scene *scene) { return opened(scene->node, O_ACCMODE); }

static long read_a_message(struct scene *scene)
{
	char buffer[KMSGPIPE_MSG_SIZE_DEFAULT];

	return TRY(read(scene->fd, buffer, sizeof(buffer)));
}

static long write_a_message(struct scene *scene)
{
	return TRY(write(scene->fd, "more", 4));
}

static long get_stats(struct scene *scene)
{
	struct kmsgpipe_stats stats;

	return TRY(ioctl(scene->fd, KMSGPIPE_GET_STATS, &stats));
}

static long get_params(struct scene *scene)
{
	struct kmsgpipe_params params;

	return TRY(ioctl(scene->fd, KMSGPIPE_GET_PARAMS, &params));
}

static long toggle_block(struct scene *scene)
{
	long ret = TRY(ioctl(scene->fd, KMSGPIPE_TOGGLE_BLOCK));

	return ret ? ret : TRY(ioctl(scene->fd, KMSGPIPE_TOGGLE_BLOCK));
}

static long set_mode_and_back(struct scene *scene)
{
	long ret = set_mode(scene->fd, KMSGPIPE_MODE_WHOLE);

	return ret ? ret : set_mode(scene->fd, 0);
}

static long get_mode(struct scene *scene)
{
	unsigned int mode;

	return TRY(ioctl(scene->fd, KMSGPIPE_GET_MODE, &mode));
}

static long attach_and_back(struct scene *scene)
{
	long ret = browse(scene->fd, KMSGPIPE_START_OLDEST, 0);

	return ret ? ret : attach(scene->fd, KMSGPIPE_ATTACH_GROUP, KMSGPIPE_START_NOW, 0);
}

/* Reads a message with a lease, makes the request for it, and reads without a lease from then on. */
static long lease_and_settle(struct scene *scene, unsigned int request)
{
	struct kmsgpipe_ack all = { .last = ~0ULL };
	long ret = lease(scene->fd, LONG, 0), back;

	if (ret)
		return ret;
	ret = read_a_message(scene);
	if (ret > 0)
		ret = TRY(ioctl(scene->fd, request, &all));
	back = attach(scene->fd, KMSGPIPE_ATTACH_GROUP, KMSGPIPE_START_NOW, 0);
	return ret ? ret : back;
}

static long ack_a_message(struct scene *scene)
{
	return lease_and_settle(scene, KMSGPIPE_ACK);
}

static long nack_a_message(struct scene *scene)
{
	return lease_and_settle(scene, KMSGPIPE_NACK);
}

static long ask_fionread(struct scene *scene)
{
	int next;

	return TRY(ioctl(scene->fd, FIONREAD, &next));
}

static long clear_queue(struct scene *scene)
{
	return TRY(ioctl(scene->fd, KMSGPIPE_CLEAR_QUEUE));
}

static long set_params(struct scene *scene)
{
	struct kmsgpipe_params params = { .msg_size = 10, .max_msgs = 20 };
	char buffer[KMSGPIPE_MSG_SIZE_DEFAULT];
	long ret;

	/* Only an empty pipe accepts new limits; if they are refused, the message is put back. */
	if (read(scene->fd, buffer, sizeof(buffer)) < 0)
		return -errno;
	ret = TRY(ioctl(scene->fd, KMSGPIPE_SET_PARAMS, &params));
	if (ret && write(scene->fd, "queued", 6) != 6)
		return -errno;
	return ret;
}

static long flush_periodic(struct scene *scene)
{
	struct kmsgpipe_flush flush = { .enable = 1 };

	return TRY(ioctl(scene->fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
}

static long create_new(struct scene *scene)
{
	return TRY(ioctl(scene->fd, KMSGPIPE_CREATE_NEW, &scene->create));
}

static long dump(struct scene *scene)
{
	return TRY(ioctl(scene->fd, KMSGPIPE_DUMP, &scene->dump));
}

static long destroy_0(struct scene *scene)
{
	return TRY(ioctl(scene->fds[0], KMSGPIPE_DESTROY));
}

static long destroy(struct scene *scene)
{
	return TRY(ioctl(scene->fds[1], KMSGPIPE_DESTROY));
}

static long change_mode(struct scene *scene)
{
	return TRY(chmod(scene->node, 0600));
}

static long sysfs_create(struct scene *scene)
{
	return spill(SYSFS "/create", "by-echo\n");
}

static long sysfs_destroy(struct scene *scene)
{
	return spill(SYSFS "/destroy", scene->name);
}

static long sysfs_destroy_0(struct scene *scene)
{
	return spill(SYSFS "/destroy", "0\n");
}

static long sysfs_write(struct scene *scene, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", scene->directory, file);
	return spill(path, text);
}

static long sysfs_flush(struct scene *scene, const char *file)
{
	return sysfs_write(scene, file, "1\n");
}

static long sysfs_enable(struct scene *scene) { return sysfs_flush(scene, "flush_enable"); }
static long sysfs_interval(struct scene *scene) { return sysfs_flush(scene, "flush_interval_ms"); }
static long sysfs_expiry(struct scene *scene) { return sysfs_flush(scene, "flush_expiry_ms"); }
static long sysfs_default_mode(struct scene *scene) { return sysfs_write(scene, "default_mode", "whole\n"); }
static long sysfs_overflow(struct scene *scene) { return sysfs_write(scene, "overflow", "drop-oldest\n"); }
static long sysfs_kind(struct scene *scene) { return sysfs_write(scene, "kind", "queue\n"); }
static long sysfs_counter(struct scene *scene) { return sysfs_flush(scene, "dropped_msgs"); }

static long read_file(const char *path)
{
	char text[65536];

	return slurp(path, text, sizeof(text));
}

static long read_sysfs(struct scene *scene)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/depth_msgs", scene->directory);
	return read_file(path);
}

static long read_proc(struct scene *scene) { return read_file(PROC); }
static long read_subscriptions(struct scene *scene) { return read_file("/proc/kmsgpipe_subscriptions"); }
static long read_debugfs(struct scene *scene) { return read_file(DEBUG_FILE); }
static long read_create(struct scene *scene) { return read_file(SYSFS "/create"); }

const struct attempt attempts[] = {
	{ "open pipe 0 O_RDONLY", open_0_r },
	{ "open pipe 0 O_WRONLY", open_0_w },
	{ "open pipe 0 O_RDWR", open_0_rw },
	{ "open pipe 0 for ioctls only", open_0_none },
	{ "open the other O_RDONLY", open_r },
	{ "open the other O_WRONLY", open_w },
	{ "open the other O_RDWR", open_rw },
	{ "open the other for ioctls only", open_none },
	{ "change the other's mode", change_mode },
	{ "read", read_a_message, 1 },
	{ "write", write_a_message, 1 },
	{ "FIONREAD", ask_fionread, 1 },
	{ "GET_STATS", get_stats, 1 },
	{ "GET_PARAMS", get_params, 1 },
	{ "TOGGLE_BLOCK", toggle_block, 1 },
	{ "SET_MODE", set_mode_and_back, 1 },
	{ "GET_MODE", get_mode, 1 },
	{ "ATTACH", attach_and_back, 1 },
	{ "ACK", ack_a_message, 1 },
	{ "NACK", nack_a_message, 1 },
	{ "CLEAR_QUEUE", clear_queue, 1 },
	{ "SET_PARAMS", set_params, 1 },
	{ "FLUSH_PERIODIC", flush_periodic, 1 },
	{ "CREATE_NEW", create_new, 1 },
	{ "DUMP", dump, 1 },
	{ "DESTROY pipe 0", destroy_0 },
	{ "DESTROY the other", destroy },
	{ "write create", sysfs_create },
	{ "write destroy, pipe 0", sysfs_destroy_0 },
	{ "write destroy, the other", sysfs_destroy },
	{ "write flush_enable", sysfs_enable },
	{ "write flush_interval_ms", sysfs_interval },
	{ "write flush_expiry_ms", sysfs_expiry },
	{ "write default_mode", sysfs_default_mode },
	{ "write overflow", sysfs_overflow },
	{ "write kind", sysfs_kind },
	{ "write a counter", sysfs_counter },
	{ "read sysfs files of a pipe", read_sysfs },
	{ "read create", read_create },
	{ "read /proc/kmsgpipe_stats", read_proc },
	{ "read /proc/kmsgpipe_subscriptions", read_subscriptions },
	{ "read debugfs", read_debugfs },
};
