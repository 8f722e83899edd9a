// SPDX-License-Identifier: GPL-2.0
/*
 * Memory accounting: what a message and a pipe cost and which control group is charged; that a sender in a full group
 * gets ENOMEM and no other task is affected; and that all memory is uncharged in the end.
 */
#include "lib/clock.h"
#include "lib/group.h"
#include "lib/group_fixture.h"
#include "lib/harness.h"
#include "lib/kernel_memory.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <signal.h>

/* Creates a pipe with these limits and opens it. */
static int pipe_with(unsigned int msg_size, unsigned int max_msgs, int flags)
{
	struct kmsgpipe_create create = { .msg_size = msg_size, .max_msgs = max_msgs };
	long id = create_pipe(&create);

	if (id < 1)
		abort();
	return open_id(id, flags);
}

/* Sends `count` messages in a child process inside the group, and returns when it has ended. */
static int send_inside(FIXTURE_DATA(group) *self, int fd, size_t len, unsigned int count)
{
	char *message = shared_memory(len);
	unsigned int i;
	pid_t child = fork();
	int ret;

	if (!child) {
		if (group_write(self->path, "cgroup.procs", "0") < 0)
			_exit(1);
		for (i = 0; i < count; i++)
			if (write(fd, message, len) != (ssize_t)len)
				_exit(errno == ENOMEM ? 2 : 3);
		_exit(0);
	}
	ret = exit_of(child);
	munmap(message, len);
	return ret;
}

/* Reads all messages and returns their number. */
static unsigned int receive_all(int fd, void *buffer, size_t size)
{
	unsigned int count = 0;

	while (read(fd, buffer, size) > 0)
		count++;
	if (errno != EAGAIN)
		abort();
	return count;
}

/* ---- Cost of a message ---- */

FIXTURE(cost)
{
	FIXTURE_DATA(group) group;
};

FIXTURE_VARIANT(cost)
{
	unsigned int len, count;
};

FIXTURE_SETUP(cost)
{
	group_setup(_metadata, &self->group, NULL);
}

FIXTURE_TEARDOWN(cost)
{
	group_teardown(_metadata, &self->group, NULL);
}

FIXTURE_VARIANT_ADD(cost, of_1_byte) { 1, 65536 };
FIXTURE_VARIANT_ADD(cost, of_64_bytes) { 64, 65536 };
FIXTURE_VARIANT_ADD(cost, of_100_bytes) { 100, 65536 };
FIXTURE_VARIANT_ADD(cost, of_257_bytes) { 257, 65536 };
FIXTURE_VARIANT_ADD(cost, of_1000_bytes) { 1000, 65536 };
FIXTURE_VARIANT_ADD(cost, of_1025_bytes) { 1025, 65472 };
FIXTURE_VARIANT_ADD(cost, of_4097_bytes) { 4097, 16379 };
FIXTURE_VARIANT_ADD(cost, of_65536_bytes) { 65536, 1024 };
FIXTURE_VARIANT_ADD(cost, of_65537_bytes) { 65537, 1023 };
FIXTURE_VARIANT_ADD(cost, of_1_mib) { 1048576, 64 };

/* spec: 11-memory */
TEST_F_TIMEOUT(cost, is_at_most_128_bytes_above_the_payload, 120)
{
	unsigned int count = variant->count / (variant->len < 65536 && scale() < 1 ? 4 : 1);
	long long payload = (long long)count * variant->len, most = payload + 128LL * count, now;
	unsigned long long deadline;
	int fd;

	fd = pipe_with(variant->len, variant->count, O_RDWR | O_NONBLOCK);
	now = charged(self->group.path);
	EXPECT_EQ(0, now);
	ASSERT_EQ(0, send_inside(&self->group, fd, variant->len, count));
	/* The memory of the child process itself is freed a little later. */
	deadline = now_ns() + 10000000000ULL;
	do {
		now = charged(self->group.path);
	} while (now > most && now_ns() < deadline);
	TH_LOG("%u messages: %lld bytes each above the payload", count, (now - payload) / count);
	EXPECT_GE(most, now);
	EXPECT_LE(payload, now);
	close(fd);
}

/* ---- Charged groups ---- */

TEST_F(group, queued_messages_are_charged_to_their_sender)
{
	char *buffer = shared_memory(65536);
	int fd = pipe_with(65536, 1024, O_RDWR | O_NONBLOCK), other = pipe_with(65536, 1024, O_RDWR | O_NONBLOCK), i;

	ASSERT_EQ(0, send_inside(self, fd, 65536, 256));
	EXPECT_LE(16 * MIB, charged(self->path));
	EXPECT_GE(17 * MIB, charged(self->path));
	/* Messages of other tasks are not charged to the group, on the same pipe or on another. */
	for (i = 0; i < 128; i++) {
		ASSERT_EQ(65536, write(fd, buffer, 65536));
		ASSERT_EQ(65536, write(other, buffer, 65536));
	}
	EXPECT_GE(17 * MIB, charged(self->path));
	/* It does not matter which task reads them. */
	EXPECT_EQ(384, receive_all(fd, buffer, 65536));
	while (charged(self->path) > MIB)
		sched_yield();
	EXPECT_EQ(128, receive_all(other, buffer, 65536));
	close(other);
	close(fd);
}

/* A waiting writer holds the pages of its message already, and they are charged to its own group while it waits. */
TEST_F_TIMEOUT(group, a_waiting_writer_is_charged_for_its_message, 120)
{
	enum { WRITERS = 4 };
	int fd = pipe_with(MIB, 1, O_RDWR | O_NONBLOCK), i;
	char *message = shared_memory(MIB);
	pid_t children[WRITERS];
	long long now;

	/* This buffer is charged to the test's own group. */
	memset(message, 1, MIB);
	ASSERT_EQ(MIB, write(fd, message, MIB));
	for (i = 0; i < WRITERS; i++) {
		children[i] = fork();
		if (!children[i]) {
			int blocking = open_id(stats_of(fd).id, O_WRONLY);

			if (group_write(self->path, "cgroup.procs", "0") < 0)
				_exit(1);
			_exit(write(blocking, message, MIB) == MIB ? 0 : 2);
		}
	}
	await_writers(fd, WRITERS);
	now = charged(self->path);
	TH_LOG("%lld bytes for %d messages of 1 MiB", now, WRITERS);
	EXPECT_LE(WRITERS * MIB, now);
	/* At most twice the messages, and the memory of the process itself. */
	EXPECT_GE(2 * WRITERS * MIB + WRITERS * MIB / 2, now);
	for (i = 0; i < WRITERS; i++) {
		kill(children[i], SIGKILL);
		EXPECT_EQ(-1, exit_of(children[i]));
	}
	while (charged(self->path) > MIB / 4)
		sched_yield();
	EXPECT_EQ(1, receive_all(fd, message, MIB));
	close(fd);
}

TEST_F(group, pipes_are_charged_to_their_creator)
{
	enum { PIPES = 64 };
	struct kmsgpipe_create create = default_pipe();
	long long each;
	pid_t child;
	int i;

	child = fork();
	if (!child) {
		if (group_write(self->path, "cgroup.procs", "0") < 0)
			_exit(1);
		for (i = 0; i < PIPES; i++)
			if (create_pipe(&create) < 1)
				_exit(2);
		_exit(0);
	}
	ASSERT_EQ(0, exit_of(child));
	each = charged(self->path) / PIPES;
	TH_LOG("%lld bytes a pipe", each);
	EXPECT_LE(512, each);
	EXPECT_EQ(PIPES + 1, count_pipes());
	destroy_all_pipes();
	/* The rest belongs to the process that has ended. */
	while (charged(self->path) > PIPES * each / 2)
		sched_yield();
}

/* Shared with the sender that fills its group. */
struct filler {
	int step;
	long refused[3];
	unsigned int sent;
	long again;
};

static void await_step(struct filler *filler, int step)
{
	while (__atomic_load_n(&filler->step, __ATOMIC_ACQUIRE) != step)
		sched_yield();
}

static void set_step(struct filler *filler, int step)
{
	__atomic_store_n(&filler->step, step, __ATOMIC_RELEASE);
}

static int fill_the_group(FIXTURE_DATA(group) *self, struct filler *filler, char *message, int nonblocking, int blocking)
{
	if (group_write(self->path, "cgroup.procs", "0") < 0)
		return 1;
	while (write(nonblocking, message, 65536) == 65536)
		message[0] = ++filler->sent;
	filler->refused[0] = -errno;
	/* A blocking write fails, too, as memory may never become available. */
	filler->refused[1] = TRY(write(blocking, message, 65536));
	filler->refused[2] = TRY(write(nonblocking, message, 65536));
	set_step(filler, 1);
	await_step(filler, 2);
	filler->again = TRY(write(nonblocking, message, 65536));
	return 0;
}

/* spec: 11-memory */
TEST_F_TIMEOUT(group, a_full_group_fails_only_its_own_senders, 120)
{
	struct filler *filler = shared_memory(sizeof(*filler));
	char *message = shared_memory(65536), *buffer = shared_memory(65536);
	struct kmsgpipe_stats stats;
	int fd, blocking;
	unsigned int i;
	pid_t child;

	ASSERT_LT(0, group_write(self->path, "memory.max", "33554432"));
	fd = pipe_with(65536, 1024, O_RDWR | O_NONBLOCK);
	blocking = open_id(stats_of(fd).id, O_RDWR);
	child = fork();
	if (!child)
		_exit(fill_the_group(self, filler, message, fd, blocking));
	await_step(filler, 1);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ENOMEM, filler->refused[i]);
	EXPECT_GT(512, filler->sent);
	EXPECT_LE(384, filler->sent);
	EXPECT_GE(32 * MIB, group_number(self->path, "memory.current"));
	EXPECT_LT(0, group_events(self->path, "max"));
	EXPECT_EQ(0, group_events(self->path, "oom_kill"));
	stats = stats_of(fd);
	EXPECT_EQ(filler->sent, stats.depth_msgs);
	EXPECT_EQ(0, stats.refused_full);
	EXPECT_TRUE(accounted(&stats));
	TH_LOG("%u messages of 64 KiB in 32 MiB", filler->sent);

	/* Other tasks are not affected, on another pipe and on this one, whose queued messages are still there. */
	ASSERT_EQ(6, write(self->fd, "others", 6));
	EXPECT_EQ(6, read(self->fd, buffer, 65536));
	ASSERT_EQ(4, write(blocking, "last", 4));
	for (i = 0; i < filler->sent; i++) {
		ASSERT_EQ(65536, read(fd, buffer, 65536));
		ASSERT_EQ((char)i, buffer[0]);
	}
	EXPECT_EQ(4, read(fd, buffer, 65536));
	/* The memory of messages that were read is available to the sender again. */
	set_step(filler, 2);
	EXPECT_EQ(0, exit_of(child));
	EXPECT_EQ(65536, filler->again);
	EXPECT_EQ(0, group_events(self->path, "oom_kill"));
	EXPECT_EQ(1, receive_all(fd, buffer, 65536));
	while (charged(self->path) > MIB / 4)
		sched_yield();
	close(blocking);
	close(fd);
}

/* ---- Uncharging ---- */

/* spec: 5-work-order */
TEST_F(group, memory_of_a_peak_is_uncharged_when_the_pipe_is_idle)
{
	char *buffer = shared_memory(65536);
	int fd = pipe_with(65536, 1024, O_RDWR | O_NONBLOCK);
	unsigned long long idle;
	long id = stats_of(fd).id;

	ASSERT_EQ(0, send_inside(self, fd, 65536, 512));
	EXPECT_LE(32 * MIB, charged(self->path));
	EXPECT_LE(32 * MIB / 4096, debug_value(id, "segments"));
	ASSERT_EQ(512, receive_all(fd, buffer, 65536));
	idle = now_ns();
	/* The descriptor stays open, and no call is made. */
	while (charged(self->path) > 65536)
		sched_yield();
	TH_LOG("given back after %llu ms", (now_ns() - idle) / 1000000);
	if (!inflated())
		EXPECT_GT(5000000000ULL, now_ns() - idle);
	EXPECT_GE(1, debug_value(id, "segments") + debug_value(id, "spare_segments"));
	/* The pipe still works. */
	ASSERT_EQ(65536, write(fd, buffer, 65536));
	ASSERT_EQ(65536, read(fd, buffer, 65536));
	close(fd);
}

/* spec: 5-refcount */
TEST_F(group, memory_is_uncharged_when_the_pipe_is_destroyed)
{
	int fd = pipe_with(65536, 1024, O_RDWR | O_NONBLOCK);

	ASSERT_EQ(0, send_inside(self, fd, 65536, 512));
	EXPECT_LE(32 * MIB, charged(self->path));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
	/* The descriptor is still open. */
	while (charged(self->path) > 65536)
		sched_yield();
	close(fd);
}

/* The messages expire in a pipe that is not open and long idle, so the sweeper frees them. */
TEST_F_TIMEOUT(group, memory_of_expired_messages_is_uncharged, 60)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1000, .expiry_ms = 5000 };
	int fd = pipe_with(65536, 64, O_RDWR | O_NONBLOCK);
	long id = stats_of(fd).id;

	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ASSERT_EQ(0, send_inside(self, fd, 65536, 64));
	close(fd);
	EXPECT_LE(4 * MIB, charged(self->path));
	while (debug_value(id, "segments") + debug_value(id, "spare_segments"))
		sched_yield();
	EXPECT_EQ(0, debug_value(id, "depth_msgs"));
	/* The messages have left the pipe and are freed a little later. */
	while (charged(self->path) > 65536)
		sched_yield();
}

TEST_F(group, memory_of_cleared_messages_is_uncharged)
{
	int fd = pipe_with(1, 65536, O_RDWR | O_NONBLOCK);

	ASSERT_EQ(0, send_inside(self, fd, 1, 65536 / (scale() < 1 ? 4 : 1)));
	EXPECT_LE(MIB / 2, charged(self->path));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	while (charged(self->path) > 65536)
		sched_yield();
	close(fd);
}

/* ---- Cost of a pipe ---- */

/* The number of bytes that each of a thousand pipes takes. */
static long long cost_of_pipe(unsigned int msg_size, unsigned int max_msgs)
{
	struct kmsgpipe_create create = { .msg_size = msg_size, .max_msgs = max_msgs };
	long long before = kernel_memory();
	int i;

	for (i = 0; i < 1000; i++)
		if (create_pipe(&create) < 1)
			abort();
	return (kernel_memory() - before) / 1000;
}

TEST_F_TIMEOUT(group, an_idle_pipe_is_small_with_any_limits, 120)
{
	long long small, large;

	if (inflated())
		SKIP(return, "objects of the allocator are larger on this kernel");
	/* A first run, as some allocations happen once. */
	cost_of_pipe(1, 1);
	/* Costs that grow with the number of pipes are the same for both. */
	small = cost_of_pipe(KMSGPIPE_MSG_SIZE_DEFAULT, KMSGPIPE_MAX_MSGS_DEFAULT);
	large = cost_of_pipe(1048576, 64) + cost_of_pipe(1048576, 64);
	small += cost_of_pipe(KMSGPIPE_MSG_SIZE_DEFAULT, KMSGPIPE_MAX_MSGS_DEFAULT);
	small /= 2;
	large /= 2;
	TH_LOG("a default pipe takes %lld bytes, one for 64 messages of 1 MiB %lld", small, large);
	EXPECT_GE(8192, small);
	EXPECT_LT(0, small);
	EXPECT_GE(256, large > small ? large - small : small - large);
}

TEST_HARNESS_MAIN
