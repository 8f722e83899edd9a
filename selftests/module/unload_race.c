// SPDX-License-Identifier: GPL-2.0
/* Repeated loading and unloading, also while other tasks open pipes and read views, and while messages expire. */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/kernel_memory.h"
#include "lib/module.h"
#include "lib/module_fixture.h"
#include "lib/pipe.h"
#include "lib/views.h"

#define OPENERS 4

/* The number of open files of the whole system. */
static long open_files(void)
{
	char text[64];

	if (slurp("/proc/sys/fs/file-nr", text, sizeof(text)) <= 0)
		abort();
	return strtol(text, NULL, 10);
}

/* The number of objects in each slab cache. */
struct slabs {
	unsigned int count;
	struct {
		char name[64];
		long objects;
	} slab[512];
};

static void count_slabs(struct slabs *counted)
{
	FILE *slabs = open_slabs();
	long size;

	for (counted->count = 0; next_slab(slabs, counted->slab[counted->count].name,
					   &counted->slab[counted->count].objects, &size); counted->count++)
		if (counted->count + 1 == ARRAY_SIZE(counted->slab))
			abort();
	fclose(slabs);
}

/* The largest growth of a slab cache, in objects. */
static long most_grown(const struct slabs *before)
{
	static struct slabs now;
	unsigned int i, k;
	long most = 0;

	count_slabs(&now);
	for (i = 0; i < now.count; i++)
		for (k = 0; k < before->count; k++)
			if (!strcmp(now.slab[i].name, before->slab[k].name) &&
			    now.slab[i].objects - before->slab[k].objects > most)
				most = now.slab[i].objects - before->slab[k].objects;
	return most;
}

TEST_F_TIMEOUT(module, loads_and_unloads_many_times_without_leaks, SECONDS)
{
	unsigned long rounds = scaled(50), i;
	static struct slabs slabs;
	long long memory = 0;
	char buffer[8];
	long files = open_files();
	int fd;

	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, unload_module());
		ASSERT_EQ(NULL, left_behind()) TH_LOG("left: %s", left_behind());
		/* After a few rounds, as some allocations happen once. */
		if (i == rounds / 10) {
			memory = kernel_memory();
			count_slabs(&slabs);
		}
		ASSERT_EQ(0, load_module(""));
		fd = open_pipe(O_RDWR | O_NONBLOCK);
		ASSERT_EQ(-EAGAIN, TRY(read(fd, buffer, sizeof(buffer))));
		/* The module frees this message when it is unloaded. */
		ASSERT_EQ(4, write(fd, "left", 4));
		close(fd);
	}
	ASSERT_EQ(0, unload_module());
	/*
	 * A leak would be a page or an object in each round. Other parts of the kernel vary by some hundred objects
	 * in partly filled slabs, and free some later.
	 */
	while (!inflated() && (kernel_memory() - memory >= 131072 + 256 * (long long)rounds ||
			       most_grown(&slabs) >= 200 + (long)rounds / 2))
		sched_yield();
	TH_LOG("%lu cycles; the kernel's memory grew by %lld bytes, and no kind of object by more than %ld", rounds,
	       kernel_memory() - memory, inflated() ? 0 : most_grown(&slabs));
	/*
	 * A leak would be a file in each round. Other processes open a few, such as the one that watches this test.
	 */
	while (open_files() - files >= (long)rounds)
		sched_yield();
}

/* A thread that opens, uses and closes the pipe whenever it exists. */
struct opener {
	pthread_t thread;
	int stop;
	unsigned long opened;
};

static void *open_and_close(void *arg)
{
	/* Pauses, so that the pipe is not always open. */
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct opener *opener = arg;
	int fd;

	while (!__atomic_load_n(&opener->stop, __ATOMIC_ACQUIRE)) {
		fd = open(NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			__atomic_add_fetch(&opener->opened, 1, __ATOMIC_ACQ_REL);
			/* Yields, so that unloading is also tried while the pipe is open. */
			sched_yield();
			if (write(fd, "x", 1) < 0 && errno != EAGAIN)
				abort();
			close(fd);
		} else if (errno != ENOENT && errno != ENXIO && errno != ENODEV) {
			abort();
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* With four threads on the debug kernel the pipe would almost always be open. */
static int openers_wanted(void)
{
	return inflated() ? OPENERS / 2 : OPENERS;
}

static unsigned long least_opened(struct opener *openers)
{
	unsigned long least = ~0UL, opened;
	int i;

	for (i = 0; i < openers_wanted(); i++) {
		opened = __atomic_load_n(&openers[i].opened, __ATOMIC_ACQUIRE);
		least = opened < least ? opened : least;
	}
	return least;
}

TEST_F_TIMEOUT(module, unload_is_refused_or_complete_while_pipes_are_opened, SECONDS)
{
	unsigned long rounds = scaled(50), refused = 0, gone = 0;
	struct opener openers[OPENERS] = { 0 };
	long ret;
	int i;

	for (i = 0; i < openers_wanted(); i++)
		ASSERT_EQ(0, pthread_create(&openers[i].thread, NULL, open_and_close, &openers[i]));
	/*
	 * Before each attempt to unload, each thread has opened the pipe once more. Threads rarely get to open it
	 * while the module is loaded and unloaded; without this condition the loop would last until all of them have.
	 */
	while (gone < rounds || refused < rounds) {
		while (least_opened(openers) <= gone)
			sched_yield();
		ret = unload_module();
		ASSERT_TRUE(ret == 0 || ret == -EWOULDBLOCK) TH_LOG("unload: %ld", ret);
		refused += ret != 0;
		if (!ret) {
			gone++;
			ASSERT_EQ(NULL, left_behind()) TH_LOG("left: %s", left_behind());
			ASSERT_EQ(0, load_module(""));
		}
		sched_yield();
	}
	for (i = 0; i < openers_wanted(); i++) {
		__atomic_store_n(&openers[i].stop, 1, __ATOMIC_RELEASE);
		pthread_join(openers[i].thread, NULL);
	}
	TH_LOG("%lu cycles, %lu refusals, at least %lu openings by each of %d", gone, refused, least_opened(openers),
	       openers_wanted());
	EXPECT_EQ(0, unload_module());
}

TEST_F_TIMEOUT(module, unloads_while_messages_expire, SECONDS)
{
	int rounds = scaled(50), round, id, fd;

	ASSERT_EQ(0, unload_module());
	ASSERT_EQ(0, load_module("pipes=3"));
	for (round = 0; round < rounds; round++) {
		for (id = 0; id < 3; id++) {
			struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1 + (round + id) % 4, .expiry_ms = 1 };

			fd = open_id(id, O_RDWR);
			fill(fd);
			ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
			close(fd);
		}
		ASSERT_EQ(0, unload_module());
		ASSERT_EQ(0, load_module("pipes=3"));
		fd = open_id(2, O_RDWR);
		ASSERT_EQ(0, stats_of(fd).expired_msgs);
		ASSERT_EQ(0, stats_of(fd).depth_msgs);
		close(fd);
	}
}

/*
 * debugfs is left out: if the module's reference count is zero and its state does not say so yet, opening one of its
 * debugfs files makes the kernel warn that the module did not clean up (full_proxy_open in fs/debugfs/file.c and
 * try_stop_module in kernel/module/main.c, 7.2 and 7.3).
 */
static void *read_views(void *arg)
{
	static const char *const views[] = { PROC, SYSFS "/pipe0/depth_msgs", SYSFS "/pipe1/node" };
	struct opener *opener = arg;
	char text[4096];
	size_t i = 0;

	while (!__atomic_load_n(&opener->stop, __ATOMIC_ACQUIRE))
		if (slurp(views[i++ % ARRAY_SIZE(views)], text, sizeof(text)) > 0)
			__atomic_add_fetch(&opener->opened, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

TEST_F_TIMEOUT(module, unload_succeeds_while_views_are_read, SECONDS)
{
	unsigned long rounds = scaled(50), gone = 0;
	struct opener openers[2] = { 0 };
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&openers[i].thread, NULL, read_views, &openers[i]));
	while (gone < rounds || __atomic_load_n(&openers[0].opened, __ATOMIC_ACQUIRE) < rounds ||
	       __atomic_load_n(&openers[1].opened, __ATOMIC_ACQUIRE) < rounds) {
		/* Views do not keep the module loaded: unloading waits for calls in progress. */
		ASSERT_EQ(0, unload_module());
		gone++;
		ASSERT_EQ(0, load_module("pipes=2"));
		sched_yield();
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&openers[i].stop, 1, __ATOMIC_RELEASE);
		pthread_join(openers[i].thread, NULL);
	}
	EXPECT_EQ(0, unload_module());
}

TEST_HARNESS_MAIN
