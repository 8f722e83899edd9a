/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share: opening pipe 0, its statistics, and waiting until a
 * task really sleeps, which is what stands in for sleeping here.
 */
#ifndef SELFTESTS_PIPE_H
#define SELFTESTS_PIPE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../include/uapi/kmsgpipe.h"
#include "kselftest_harness.h"

#define NODE "/dev/kmsgpipe0"

/* Memory that no program has; volatile, so that the compiler does not see it coming. */
static void *volatile nowhere __attribute__((unused)) = (void *)8;

/* Memory that nobody has touched yet. */
static inline void *pages(size_t len)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		abort();
	return map;
}

/* By how much what stress tests do is multiplied: SCALE of the environment, a number above zero. */
static inline double scale(void)
{
	const char *text = getenv("SCALE");
	double scale = text ? strtod(text, NULL) : 1;

	if (!(scale > 0)) {
		fprintf(stderr, "SCALE=%s is not a number above zero\n", text);
		abort();
	}
	return scale;
}

/* So often instead of `count` times; at least once. */
static inline unsigned long scaled(unsigned long count)
{
	double product = count * scale();

	return product < 1 ? 1 : (unsigned long)product;
}

/*
 * A test may take longer the more it does, and on the debug kernel, which may share its processors with other
 * machines. The limits are there for tests that hang.
 */
static inline void stretch_timeouts(void)
{
	const char *kernel = getenv("LAB_KERNEL");
	double factor = scale() > 1 ? scale() : 1;
	struct __fixture_metadata *fixture;
	struct __test_metadata *test;

	if (kernel && !strcmp(kernel, "debug"))
		factor *= 5;
	for (fixture = __fixture_list; fixture; fixture = fixture->next)
		for (test = fixture->tests; test; test = test->next)
			test->timeout = (int)(test->timeout * factor);
}

#undef TEST_HARNESS_MAIN
#define TEST_HARNESS_MAIN                         \
	int main(int argc, char **argv)               \
	{                                             \
		stretch_timeouts();                       \
		exit(test_harness_run(argc, argv));       \
	}

static inline unsigned long long clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* By the clock that messages age by. */
static inline unsigned long long now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* One attempt of a system call: its result, or minus its errno. */
#define TRY(call) ({ long ret_ = (call); ret_ < 0 ? -(long)errno : ret_; })

static inline struct kmsgpipe_stats stats_of(int fd)
{
	struct kmsgpipe_stats stats;

	if (ioctl(fd, KMSGPIPE_GET_STATS, &stats) < 0) {
		perror("KMSGPIPE_GET_STATS");
		abort();
	}
	return stats;
}

/* All of them but what time changes. */
static inline struct kmsgpipe_stats state_of(int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	stats.head_age_ns = 0;
	return stats;
}

/* Whether a call that must not change anything has not: `before` is the state before it. */
static inline int unchanged(const struct kmsgpipe_stats *before, int fd)
{
	struct kmsgpipe_stats after = state_of(fd);

	return !memcmp(before, &after, sizeof(after));
}

/* Opens pipe 0; gives up the whole test where that fails. */
static inline int open_pipe(int flags)
{
	int fd = open(NODE, flags | O_CLOEXEC);

	if (fd < 0) {
		perror(NODE);
		abort();
	}
	return fd;
}

/* The limits that a pipe has unless somebody says otherwise. */
static inline struct kmsgpipe_create default_pipe(void)
{
	return (struct kmsgpipe_create){
		.msg_size = KMSGPIPE_MSG_SIZE_DEFAULT, .max_msgs = KMSGPIPE_MAX_MSGS_DEFAULT,
	};
}

/* Makes a pipe: its id, or minus the errno. */
static inline long create_pipe(const struct kmsgpipe_create *create)
{
	int fd = open_pipe(O_ACCMODE);
	long ret = TRY(ioctl(fd, KMSGPIPE_CREATE_NEW, create));

	close(fd);
	return ret;
}

/* Sets what a pipe may hold: 0, or minus the errno. */
static inline long set_limits(int fd, unsigned int msg_size, unsigned int max_msgs)
{
	struct kmsgpipe_params params = { .msg_size = msg_size, .max_msgs = max_msgs };

	return TRY(ioctl(fd, KMSGPIPE_SET_PARAMS, &params));
}

/* Changes the mode of an open file: 0, or minus the errno. */
static inline long set_mode(int fd, unsigned int mode)
{
	return TRY(ioctl(fd, KMSGPIPE_SET_MODE, &mode));
}

static inline unsigned int mode_of(int fd)
{
	unsigned int mode;

	if (ioctl(fd, KMSGPIPE_GET_MODE, &mode) < 0) {
		perror("KMSGPIPE_GET_MODE");
		abort();
	}
	return mode;
}

/* Opens a pipe without a name by its id. */
static inline int open_id(long id, int flags)
{
	char node[32];
	int fd;

	snprintf(node, sizeof(node), "/dev/kmsgpipe%ld", id);
	fd = open(node, flags | O_CLOEXEC);
	if (fd < 0) {
		perror(node);
		abort();
	}
	return fd;
}

/* What poll sees at once. */
static inline int polled(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	if (poll(&entry, 1, 0) < 0)
		abort();
	return entry.revents;
}

/* The harness ends a test in which these never come true. */
static inline void await_readers(int fd, unsigned int sleeping)
{
	while (stats_of(fd).waiting_readers != sleeping)
		sched_yield();
}

static inline void await_writers(int fd, unsigned int sleeping)
{
	while (stats_of(fd).waiting_writers != sleeping)
		sched_yield();
}

static inline void await_depth(int fd, unsigned long long depth)
{
	while (stats_of(fd).depth_msgs != depth)
		sched_yield();
}

/*
 * Until the thread sleeps in the kernel, wherever that is, and has left its processor: its state alone
 * says so a little too early.
 */
static inline void await_asleep(pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	for (;;) {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(text, sizeof(text), file))
			abort();
		fclose(file);
		if (strcmp(text, "running\n"))
			return;
		sched_yield();
	}
}

/* Whether a thread has something to do, on a processor or waiting for one. */
static inline int is_runnable(pid_t tid)
{
	char path[64], text[512], *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file || !fgets(text, sizeof(text), file))
		abort();
	fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'R';
}

/* Holds this process, and the threads it starts from now on, to one processor. */
static inline void share_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		abort();
}

/* Lets this thread alone run, on the one processor that all share, or no longer. */
static inline void run_alone(int alone)
{
	struct sched_param priority = { .sched_priority = alone ? 10 : 0 };

	if (sched_setscheduler(0, alone ? SCHED_FIFO : SCHED_OTHER, &priority))
		abort();
}

/* Starts a thread that stores who it is in `tid` first, and waits for that. */
static inline void start_thread(pthread_t *thread, pid_t *tid, void *(*run)(void *), void *arg)
{
	*tid = 0;
	if (pthread_create(thread, NULL, run, arg))
		abort();
	while (!__atomic_load_n(tid, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* One read or write in a thread of its own. */
struct call {
	pthread_t thread;
	int fd;
	int write;
	void *buffer;
	size_t len;
	pid_t tid;
	long result;
};

static inline void *call_thread(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	if (call->write)
		call->result = TRY(write(call->fd, call->buffer, call->len));
	else
		call->result = TRY(read(call->fd, call->buffer, call->len));
	return NULL;
}

static inline void start(struct call *call)
{
	call->result = -ECANCELED;
	start_thread(&call->thread, &call->tid, call_thread, call);
}

static inline long finish(struct call *call)
{
	if (pthread_join(call->thread, NULL))
		abort();
	return call->result;
}

static inline struct call reader(int fd, void *buffer, size_t len)
{
	return (struct call){ .fd = fd, .buffer = buffer, .len = len };
}

static inline struct call writer(int fd, void *buffer, size_t len)
{
	return (struct call){ .fd = fd, .write = 1, .buffer = buffer, .len = len };
}

/* One poll in a thread of its own. */
struct poller {
	pthread_t thread;
	pid_t tid;
	int fd;
	short events;
	int result;
};

static inline void *poll_thread(void *arg)
{
	struct poller *poller = arg;
	struct pollfd entry = { .fd = poller->fd, .events = poller->events };

	__atomic_store_n(&poller->tid, gettid(), __ATOMIC_RELEASE);
	poller->result = poll(&entry, 1, -1) == 1 ? entry.revents : -errno;
	return NULL;
}

static inline void start_poll(struct poller *poller)
{
	start_thread(&poller->thread, &poller->tid, poll_thread, poller);
}

/* The events that it saw, or minus the errno. */
static inline int finish_poll(struct poller *poller)
{
	if (pthread_join(poller->thread, NULL))
		abort();
	return poller->result;
}

/* So many writers that fall asleep one after the other. */
static inline void start_writers(struct call *calls, unsigned int count, int fd, void *buffer, size_t len)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		calls[i] = writer(fd, buffer, len);
		start(&calls[i]);
		await_writers(fd, i + 1);
	}
}

/* Fills the pipe with messages of one byte, 0, 1, 2, ... */
static inline void fill(int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);
	unsigned char byte;

	for (byte = 0; stats.depth_msgs + byte < stats.max_msgs; byte++)
		if (write(fd, &byte, 1) != 1)
			abort();
}

/* Whether all that was accepted is accounted for. */
static inline int accounted(const struct kmsgpipe_stats *s)
{
	return s->enqueued_msgs == s->dequeued_msgs + s->expired_msgs + s->dropped_msgs + s->depth_msgs &&
	       s->enqueued_bytes == s->dequeued_bytes + s->expired_bytes + s->dropped_bytes + s->depth_bytes;
}

/* At the end of a test nobody may be left asleep in its pipe, and its account must be right. */
static inline void expect_at_rest(struct __test_metadata *_metadata, int fd)
{
	struct kmsgpipe_stats stats = stats_of(fd);

	EXPECT_EQ(0, stats.waiting_readers);
	EXPECT_EQ(0, stats.waiting_writers);
	EXPECT_TRUE(accounted(&stats));
}

/* The end of a pipe of the test's own. */
static inline void expect_destroyed(struct __test_metadata *_metadata, int fd)
{
	expect_at_rest(_metadata, fd);
	EXPECT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
}

/* Likewise, where the test may have destroyed it. */
static inline void expect_gone(struct __test_metadata *_metadata, int fd)
{
	struct kmsgpipe_stats stats;

	if (!ioctl(fd, KMSGPIPE_GET_STATS, &stats))
		expect_destroyed(_metadata, fd);
}

/* What developers see of all pipes, a line a pipe. */
#define DEBUG_FILE "/sys/kernel/debug/kmsgpipe/pipes"

/* Copies the line of a pipe, without its beginning, each pair of key and value on a line of its own. */
static inline int debug_line(long id, char *text, size_t size)
{
	char line[1024], name[32], *place;
	FILE *file = fopen(DEBUG_FILE, "r");
	int found = 0;

	if (!file)
		abort();
	snprintf(name, sizeof(name), "pipe%ld: ", id);
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, strlen(name));
	fclose(file);
	if (!found)
		return 0;
	for (place = line; *place; place++)
		if (*place == ' ')
			*place = '\n';
		else if (*place == '=')
			*place = ':';
	snprintf(text, size, "%s", line + strlen(name));
	return 1;
}

/* A value of a text of lines that are KEY:VALUE. */
static inline long long value_of(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *line;

	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10);
	return -1;
}

/* A value that developers see of a pipe. */
static inline long long debug_value(long id, const char *key)
{
	char text[1024];

	if (!debug_line(id, text, sizeof(text)))
		abort();
	return value_of(text, key);
}

#endif
