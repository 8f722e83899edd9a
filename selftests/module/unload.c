// SPDX-License-Identifier: GPL-2.0
/*
 * Unloading: uses that do not keep the module loaded, uses that unloading waits for, and that nothing is left of the
 * module.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/missing.h"
#include "lib/module.h"
#include "lib/module_fixture.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/trace.h"
#include "lib/views.h"

#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* spec: 2-pipe0 10-insmod */
TEST_F_TIMEOUT(module, unloads_when_unused, SECONDS)
{
	EXPECT_EQ(0, access(NODE, F_OK));
	EXPECT_EQ(0, module_users());
	EXPECT_EQ(0, unload_module());
	EXPECT_EQ(NULL, left_behind());
	EXPECT_EQ(-ENOENT, unload_module());
}

/* Neither an O_PATH descriptor nor an inotify watch of the node holds the device. */
TEST_F_TIMEOUT(module, unloads_with_an_o_path_descriptor_open, SECONDS)
{
	int path = open(NODE, O_PATH | O_CLOEXEC), watch = inotify_init1(IN_CLOEXEC);
	char again[32];
	struct stat node;

	ASSERT_LE(0, path);
	ASSERT_LE(0, inotify_add_watch(watch, NODE, IN_ALL_EVENTS));
	ASSERT_EQ(0, unload_module());
	EXPECT_EQ(0, fstat(path, &node));
	EXPECT_EQ(NULL, left_behind());
	/* The node is dead and does not come back. */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", path);
	EXPECT_EQ(-ENXIO, TRY(open(again, O_RDWR | O_CLOEXEC)));
	ASSERT_EQ(0, load_module(""));
	close(watch);
	close(path);
}

/* Works are queued for all messages sent and received, and for the expiry in an hour. */
TEST_F_TIMEOUT(module, unloads_with_works_queued, SECONDS)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3600000, .expiry_ms = 3600000 };
	int fd = open_pipe(O_RDWR);

	ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	fill(fd);
	EXPECT_EQ(1, debug_value(0, "sweeper_armed"));
	EXPECT_LE(1, debug_value(0, "segments"));
	close(fd);
	EXPECT_EQ(0, unload_module());
	EXPECT_EQ(NULL, left_behind());
}

TEST_F_TIMEOUT(module, unloads_with_pipes_left, SECONDS)
{
	struct kmsgpipe_create create = named_pipe("left");
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 1, .expiry_ms = 3600000 };
	long id;
	int fd;

	for (id = 1; id < 9; id++) {
		ASSERT_EQ(id, create_pipe(&create));
		create = default_pipe();
		fd = id == 1 ? open("/dev/kmsgpipe/left", O_RDWR | O_CLOEXEC) : open_id(id, O_RDWR);
		ASSERT_EQ(4, write(fd, "left", 4));
		ASSERT_EQ(0, ioctl(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
		close(fd);
	}
	ASSERT_EQ(0, destroy_id(5));
	EXPECT_EQ(0, unload_module());
	EXPECT_FALSE(is_there("/dev/kmsgpipe/left"));
	EXPECT_FALSE(is_there("/dev/kmsgpipe2"));
	EXPECT_EQ(NULL, left_behind());
}

/* spec: 11-debug */
TEST_F_TIMEOUT(module, unloads_with_views_open, SECONDS)
{
	char text[4096];
	int proc, depth, flush, create;

	proc = open(PROC, O_RDONLY | O_CLOEXEC);
	depth = open(SYSFS "/pipe0/depth_msgs", O_RDONLY | O_CLOEXEC);
	flush = open(SYSFS "/pipe0/flush_enable", O_RDWR | O_CLOEXEC);
	create = open(SYSFS "/create", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, proc);
	ASSERT_LE(0, depth);
	ASSERT_LE(0, flush);
	ASSERT_LE(0, create);
	ASSERT_EQ(1, pread(proc, text, 1, 0));
	ASSERT_EQ(2, pread(depth, text, sizeof(text), 0));
	ASSERT_EQ(0, unload_module());
	EXPECT_GT(0, read(proc, text, sizeof(text)));
	EXPECT_EQ(-ENODEV, TRY(pread(depth, text, sizeof(text), 0)));
	EXPECT_EQ(-ENODEV, TRY(write(flush, "1", 1)));
	EXPECT_EQ(-ENODEV, TRY(write(create, "x", 1)));
	/* These files do not show the new module either. */
	ASSERT_EQ(0, load_module(""));
	EXPECT_GT(0, read(proc, text, sizeof(text)));
	EXPECT_EQ(-ENODEV, TRY(pread(depth, text, sizeof(text), 0)));
	close(create);
	close(flush);
	close(depth);
	close(proc);
}

/* Unloads in another thread, as this may wait. */
static void *unload_thread(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	call->result = unload_module();
	__atomic_store_n(&call->len, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start_unloading(struct call *call)
{
	*call = (struct call){ .result = -ECANCELED };
	start_thread(&call->thread, &call->tid, unload_thread, call);
}

/* Waits until the module is being unloaded. An open of a pipe cannot tell, as it would keep the module loaded. */
static void await_going(void)
{
	char state[16];

	while (slurp("/sys/module/kmsgpipe/initstate", state, sizeof(state)) <= 0 || strcmp(state, "going\n"))
		sched_yield();
}

/*
 * Unloading waits for a reader of /proc as for any open proc file: rmmod sleeps until the reader continues or is
 * killed.
 */
TEST_F_TIMEOUT(module, unload_waits_for_a_reader_of_proc_in_a_page_fault, SECONDS)
{
	int *step = shared_memory(sizeof(*step)), uffd, round;
	struct call unloading, reading;
	char *missing;
	pid_t child;

	for (round = 0; round < 2; round++) {
		*step = 0;
		child = fork();
		if (!child) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			uffd = missing_page(&missing);
			reading = read_call(open(PROC, O_RDONLY | O_CLOEXEC), missing, PAGE_SIZE);
			start_call(&reading);
			await_fault(uffd);
			__atomic_store_n(step, 1, __ATOMIC_RELEASE);
			while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != 2)
				sched_yield();
			resolve_fault(uffd, missing);
			_exit(finish_call(&reading) > 0 ? 0 : 1);
		}
		while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != 1) {
			ASSERT_EQ(0, waitpid(child, NULL, WNOHANG));
			sched_yield();
		}
		start_unloading(&unloading);
		await_going();
		await_asleep(unloading.tid);
		/* Pipes cannot be opened any more, and yet unloading has not finished. */
		EXPECT_EQ(-ENXIO, TRY(open(NODE, O_RDWR | O_CLOEXEC)));
		EXPECT_EQ(0, __atomic_load_n(&unloading.len, __ATOMIC_ACQUIRE));
		EXPECT_TRUE(module_loaded());
		if (round) {
			kill(child, SIGKILL);
			EXPECT_EQ(-1, exit_of(child));
		} else {
			__atomic_store_n(step, 2, __ATOMIC_RELEASE);
			EXPECT_EQ(0, exit_of(child));
		}
		EXPECT_EQ(0, finish_call(&unloading));
		EXPECT_EQ(NULL, left_behind());
		ASSERT_EQ(0, load_module(""));
	}
}

/* sysfs copies to and from user space outside of the module's callbacks. */
TEST_F_TIMEOUT(module, unloads_with_users_of_sysfs_in_a_page_fault, SECONDS)
{
	struct { const char *path; int write; long result; } files[] = {
		{ SYSFS "/pipe0/depth_msgs", 0, 2 },
		{ SYSFS "/pipe0/flush_enable", 1, -ENODEV },
		{ SYSFS "/create", 1, -ENODEV },
	};
	struct call calls[ARRAY_SIZE(files)];
	char *missing[ARRAY_SIZE(files)];
	int uffds[ARRAY_SIZE(files)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		uffds[i] = missing_page(&missing[i]);
		calls[i] = read_call(open(files[i].path, files[i].write ? O_WRONLY : O_RDONLY), missing[i], 16);
		ASSERT_LE(0, calls[i].fd);
		calls[i].write = files[i].write;
		start_call(&calls[i]);
		await_fault(uffds[i]);
	}
	ASSERT_EQ(0, unload_module());
	EXPECT_EQ(NULL, left_behind());
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		resolve_fault(uffds[i], missing[i]);
		EXPECT_EQ(files[i].result, finish_call(&calls[i])) TH_LOG("%s", files[i].path);
		close(calls[i].fd);
		close(uffds[i]);
	}
}

/*
 * A task may be preempted after the release function has signalled that it is done, and before it has returned from
 * the module's code. Unloading waits for such tasks: it asks for a grace period of RCU tasks, which wakes the kernel
 * thread for these. Nothing else in the module asks for one.
 */
TEST_F_TIMEOUT(module, unload_waits_for_tasks_in_its_code, SECONDS)
{
	struct kmsgpipe_create create = default_pipe();

	/* A kernel without preemption has no such thread. */
	if (system("grep -qs ^rcu_tasks_kthre /proc/[0-9]*/comm"))
		SKIP(return, "the kernel has no grace periods of tasks");
	ASSERT_EQ(1, create_pipe(&create));
	ASSERT_TRUE(start_trace("sched/sched_waking", "comm ~ \"rcu_tasks_kthre*\""));
	ASSERT_EQ(0, destroy_id(1));
	EXPECT_EQ(NULL, strstr(take_trace(), "comm=rcu_tasks_kthre"));
	EXPECT_EQ(0, unload_module());
	EXPECT_NE(NULL, strstr(take_trace(), "comm=rcu_tasks_kthre"));
	EXPECT_TRUE(set_tracing("sched/sched_waking", 0));
}

TEST_HARNESS_MAIN
