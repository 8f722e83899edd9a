// SPDX-License-Identifier: GPL-2.0
/*
 * The limits of a pipe: SET_PARAMS and GET_PARAMS. O_NONBLOCK (TOGGLE_BLOCK, FIONBIO) and the length of the next
 * message (FIONREAD) are tested in params.files.c.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/tasks.h"

#include <poll.h>
#include <sys/wait.h>

/* Whether the pipe has these limits, by GET_PARAMS and by GET_STATS. */
static int holds(int fd, unsigned int msg_size, unsigned int max_msgs)
{
	struct kmsgpipe_stats stats = stats_of(fd);
	struct kmsgpipe_params params;

	memset(&params, 0xff, sizeof(params));
	return !ioctl(fd, KMSGPIPE_GET_PARAMS, &params) && params.msg_size == msg_size &&
	       params.max_msgs == max_msgs && !params.reserved[0] && !params.reserved[1] &&
	       stats.msg_size == msg_size && stats.max_msgs == max_msgs;
}

TEST_F(own, get_params_returns_the_limits_that_were_set)
{
	EXPECT_TRUE(holds(self->fd, 256, 128));
	EXPECT_EQ(0, set_limits(self->fd, 1000, 10));
	EXPECT_TRUE(holds(self->fd, 1000, 10));
}

/* spec: 9-einval */
TEST_F(own, limits_out_of_bounds_are_einval_and_change_nothing)
{
	static const unsigned int size_max = KMSGPIPE_MSG_SIZE_MAX, msgs_max = KMSGPIPE_MAX_MSGS_MAX;
	static const struct {
		unsigned int msg_size, max_msgs;
		int result;
	} cases[] = {
		{ 0, 128, -EINVAL },
		{ 1, 128, 0 },
		{ size_max, 64, 0 },
		{ size_max + 1, 1, -EINVAL },
		{ 1U << 31, 1, -EINVAL },
		{ UINT32_MAX, 1, -EINVAL },
		{ 256, 0, -EINVAL },
		{ 256, 1, 0 },
		{ 1, msgs_max, 0 },
		{ 1, msgs_max + 1, -EINVAL },
		{ 1, 1U << 31, -EINVAL },
		{ 1, UINT32_MAX, -EINVAL },
		{ 1, 1, 0 },
		{ 0, 0, -EINVAL },
		{ UINT32_MAX, UINT32_MAX, -EINVAL },
		/* The product exceeds max_bytes, 64 MiB. */
		{ size_max, 65, -EINVAL },
		{ 1024, msgs_max, 0 },
		{ 1025, msgs_max, -EINVAL },
		{ size_max, msgs_max, -EINVAL },
		/* Products that overflow 32 bits. */
		{ 65536, 65536, -EINVAL },
		{ size_max, 4097, -EINVAL },
	};
	unsigned int msg_size = 256, max_msgs = 128;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(cases[i].result, set_limits(self->fd, cases[i].msg_size, cases[i].max_msgs))
			TH_LOG("%u x %u", cases[i].msg_size, cases[i].max_msgs);
		if (!cases[i].result) {
			msg_size = cases[i].msg_size;
			max_msgs = cases[i].max_msgs;
		}
		ASSERT_TRUE(holds(self->fd, msg_size, max_msgs)) TH_LOG("case %zu", i);
	}
}

/* spec: 9-einval */
TEST_F(own, nonzero_reserved_fields_are_einval)
{
	static const unsigned int values[] = { 1, 1U << 31, UINT32_MAX };
	size_t i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < 3; j++) {
			struct kmsgpipe_params params = { .msg_size = 16, .max_msgs = 16 };

			params.reserved[i] = values[j];
			ASSERT_EQ(-EINVAL, TRY(ioctl(self->fd, KMSGPIPE_SET_PARAMS, &params)));
		}
	EXPECT_TRUE(holds(self->fd, 256, 128));
}

/* spec: 6-set-params */
TEST_F(own, a_pipe_with_messages_is_ebusy)
{
	char byte;

	ASSERT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 512, 256));
	/* Limits that do not differ are refused, too. */
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 256, 128));
	/* EINVAL comes before EBUSY. */
	EXPECT_EQ(-EINVAL, set_limits(self->fd, 0, 128));
	EXPECT_TRUE(holds(self->fd, 256, 128));
	EXPECT_EQ(1, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(0, set_limits(self->fd, 512, 256));
	EXPECT_TRUE(holds(self->fd, 512, 256));

	ASSERT_EQ(1, write(self->fd, "a", 1));
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 1, 1));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, set_limits(self->fd, 1, 1));
	EXPECT_TRUE(holds(self->fd, 1, 1));
}

/* spec: 1-introspectable */
TEST_F(own, new_msg_size_applies)
{
	char buffer[1024] = { 0 };

	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, 257)));
	ASSERT_EQ(0, set_limits(self->fd, 1000, 128));
	EXPECT_EQ(1000, write(self->fd, buffer, 1000));
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, 1001)));
	EXPECT_EQ(1000, read(self->fd, buffer, sizeof(buffer)));
	ASSERT_EQ(0, set_limits(self->fd, 1, 128));
	EXPECT_EQ(1, write(self->fd, buffer, 1));
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, 2)));
	EXPECT_EQ(1, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(3, stats_of(self->fd).refused_size);
}

TEST_F(own, largest_msg_size_applies)
{
	char *buffer = map_pages(2 << 20);

	ASSERT_EQ(0, set_limits(self->fd, KMSGPIPE_MSG_SIZE_MAX, 1));
	EXPECT_EQ(-EMSGSIZE, TRY(write(self->fd, buffer, KMSGPIPE_MSG_SIZE_MAX + 1)));
	EXPECT_EQ(KMSGPIPE_MSG_SIZE_MAX, write(self->fd, buffer, KMSGPIPE_MSG_SIZE_MAX));
	EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, buffer, 1)));
	EXPECT_EQ(KMSGPIPE_MSG_SIZE_MAX, read(self->fd, buffer, 2 << 20));
}

/* spec: 6-set-params */
TEST_F(own, new_max_msgs_applies)
{
	static const unsigned int depths[] = { 1, 3, 128, 200 };
	unsigned int i, j;
	char byte = 'x';

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, set_limits(self->fd, 256, depths[i]));
		for (j = 0; j < depths[i]; j++) {
			ASSERT_NE(0, poll_now(self->fd) & POLLOUT);
			ASSERT_EQ(1, write(self->nonblocking, &byte, 1));
		}
		EXPECT_EQ(POLLIN, poll_now(self->fd));
		EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, &byte, 1)));
		for (j = 0; j < depths[i]; j++)
			ASSERT_EQ(1, read(self->nonblocking, &byte, 1));
		EXPECT_EQ(-EAGAIN, TRY(read(self->nonblocking, &byte, 1)));
	}
	EXPECT_EQ(200, stats_of(self->fd).peak_msgs);
}

TEST_F(own, set_params_does_not_wake_a_reader)
{
	char buffer[512];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, set_limits(self->fd, 300, 1));
	EXPECT_EQ(1, stats_of(self->fd).waiting_readers);
	memset(buffer, 'x', sizeof(buffer));
	ASSERT_EQ(300, write(self->fd, buffer, 300));
	EXPECT_EQ(300, finish_call(&call));
}

/*
 * Writers sleep only while a pipe is full, and the limits of an empty pipe alone can be changed. So the writers have
 * been woken and have not run yet: this thread keeps them off the only processor.
 */
TEST_F(own, woken_writers_sleep_again_if_max_msgs_shrank)
{
	struct call calls[3];
	char byte;
	int i;

	share_one_processor();
	fill(self->fd);
	start_writers(calls, 3, self->fd, "w", 1);
	run_alone(1);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	run_alone(0);
	for (i = 2; i >= 0; i--) {
		await_depth(self->fd, 1);
		await_writers(self->fd, i);
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		ASSERT_EQ('w', byte);
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, finish_call(&calls[i]));
}

TEST_F(own, a_larger_max_msgs_wakes_the_writers_that_fit)
{
	struct call calls[4];
	char byte;
	int i;

	share_one_processor();
	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	start_writers(calls, 4, self->fd, "w", 1);
	/* One writer is woken for the slot. The pipe is empty until it runs, and the other three sleep. */
	run_alone(1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	ASSERT_EQ(0, set_limits(self->fd, 256, 3));
	run_alone(0);
	await_depth(self->fd, 3);
	await_writers(self->fd, 1);
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1, finish_call(&calls[i]));
	EXPECT_EQ(3, stats_of(self->fd).depth_msgs);
}

TEST_F(own, a_woken_writer_is_emsgsize_if_msg_size_shrank)
{
	struct call calls[] = { write_call(self->fd, "long message", 12), write_call(self->fd, "short", 5) };
	char buffer[8];
	int i;

	share_one_processor();
	fill(self->fd);
	for (i = 0; i < 2; i++) {
		start_call(&calls[i]);
		await_writers(self->fd, i + 1);
	}
	run_alone(1);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(0, set_limits(self->fd, 8, 1));
	run_alone(0);
	EXPECT_EQ(-EMSGSIZE, finish_call(&calls[0]));
	EXPECT_EQ(5, finish_call(&calls[1]));
	EXPECT_EQ(1, stats_of(self->fd).refused_size);
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
}

/*
 * The writers that were woken for the only slot, by the read and by the change, both fail: the next one must be
 * woken.
 */
TEST_F(own, a_failing_woken_writer_passes_its_slot_on)
{
	struct call calls[] = {
		write_call(self->fd, "long message", 12), write_call(self->fd, "long message", 12), write_call(self->fd, "short", 5),
	};
	char buffer[256];
	int i;

	share_one_processor();
	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	for (i = 0; i < 3; i++) {
		start_call(&calls[i]);
		await_writers(self->fd, i + 1);
	}
	run_alone(1);
	ASSERT_EQ(1, read(self->fd, buffer, sizeof(buffer)));
	ASSERT_EQ(0, set_limits(self->fd, 8, 1));
	run_alone(0);
	EXPECT_EQ(-EMSGSIZE, finish_call(&calls[0]));
	EXPECT_EQ(-EMSGSIZE, finish_call(&calls[1]));
	EXPECT_EQ(5, finish_call(&calls[2]));
	EXPECT_EQ(5, read(self->fd, buffer, sizeof(buffer)));
}

TEST_F(own, bad_memory_is_efault)
{
	struct kmsgpipe_params *readonly = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kmsgpipe_params params = { .msg_size = 512, .max_msgs = 64 };
	char *end = page_end();

	memcpy(end - 8, &params, 8);
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_SET_PARAMS, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_SET_PARAMS, (void *)-1)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_SET_PARAMS, (void *)(1UL << 63))));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_SET_PARAMS, end - 8)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_PARAMS, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_PARAMS, (void *)(1UL << 63))));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_PARAMS, end - 8)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_GET_PARAMS, readonly)));
	EXPECT_TRUE(holds(self->fd, 256, 128));
	memcpy(end - sizeof(params), &params, sizeof(params));
	EXPECT_EQ(0, TRY(ioctl(self->fd, KMSGPIPE_SET_PARAMS, end - sizeof(params))));
	EXPECT_TRUE(holds(self->fd, 512, 64));
}

TEST_F(own, works_on_every_descriptor)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	unsigned int i;
	int fd;

	for (i = 0; i < 4; i++) {
		fd = open_id(self->id, flags[i]);
		EXPECT_EQ(0, set_limits(fd, 100 + i, 10 + i));
		EXPECT_TRUE(holds(fd, 100 + i, 10 + i));
		EXPECT_EQ(0, ioctl(fd, KMSGPIPE_TOGGLE_BLOCK));
		EXPECT_EQ(O_NONBLOCK, fcntl(fd, F_GETFL) & O_NONBLOCK);
		close(fd);
	}
}

TEST(pipe_0_can_be_changed)
{
	int fd = open_pipe(O_RDWR | O_NONBLOCK);

	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, set_limits(fd, 4, 2));
	EXPECT_TRUE(holds(fd, 4, 2));
	EXPECT_EQ(4, write(fd, "1234", 4));
	EXPECT_EQ(-EMSGSIZE, TRY(write(fd, "12345", 5)));
	EXPECT_EQ(4, write(fd, "5678", 4));
	EXPECT_EQ(-EAGAIN, TRY(write(fd, "9", 1)));
	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, set_limits(fd, 256, 128));
	close(fd);
}

/* What a user without privilege may do with a descriptor that root has opened. */
static int unprivileged(int fd)
{
	int length = -1;

	if (setgid(12) || setuid(34))
		return 1;
	if (set_limits(fd, 16, 16) != -EPERM)
		return 2;
	if (!holds(fd, 256, 128))
		return 3;
	if (ioctl(fd, KMSGPIPE_TOGGLE_BLOCK) || !(fcntl(fd, F_GETFL) & O_NONBLOCK))
		return 4;
	if (ioctl(fd, FIONREAD, &length) || length != 4)
		return 5;
	return 0;
}

/* spec: 6-set-params */
TEST_F(own, set_params_needs_cap_sys_admin)
{
	int status;
	pid_t child;

	ASSERT_EQ(4, write(self->fd, "four", 4));
	child = fork();
	if (!child)
		_exit(unprivileged(self->fd));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(holds(self->fd, 256, 128));
}

/* Writes messages that are too long for one of the two settings. */
struct sender {
	int fd;
	int stop;
	unsigned long sent;
	long unexpected;
};

static void *send_both(void *arg)
{
	struct sender *sender = arg;
	char buffer[200] = { 0 };
	size_t len = 8;
	long ret;

	while (!__atomic_load_n(&sender->stop, __ATOMIC_ACQUIRE)) {
		ret = TRY(write(sender->fd, buffer, len));
		if (ret == (long)len)
			__atomic_add_fetch(&sender->sent, 1, __ATOMIC_RELEASE);
		else if (ret != -EAGAIN && !(ret == -EMSGSIZE && len == 200))
			sender->unexpected = ret;
		len = 208 - len;
		/* Leave the pipe busy for a moment. */
		sched_yield();
		read(sender->fd, buffer, sizeof(buffer));
	}
	return NULL;
}

TEST_F_TIMEOUT(own, concurrent_writers_see_the_old_or_the_new_limits, 300)
{
	struct sender sender = { .fd = self->nonblocking };
	unsigned long changes = scaled(2000), done = 0, busy = 0;
	pthread_t thread;
	long ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, send_both, &sender));
	while (done < changes || !busy || !__atomic_load_n(&sender.sent, __ATOMIC_ACQUIRE)) {
		ret = set_limits(self->fd, done % 2 ? 8 : 200, 1 + done % 2);
		ASSERT_TRUE(ret == 0 || ret == -EBUSY) TH_LOG("%ld", ret);
		done += !ret;
		busy += !!ret;
	}
	__atomic_store_n(&sender.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, sender.unexpected);
	EXPECT_TRUE(holds(self->fd, done % 2 ? 200 : 8, done % 2 ? 1 : 2));
	TH_LOG("%lu times changed, %lu times busy", done, busy);
}

TEST_HARNESS_MAIN
