// SPDX-License-Identifier: GPL-2.0
/*
 * Unloading a module in use: each kind of use keeps it loaded, and it can be unloaded once the user has released it
 * or was killed.
 */
#include "module/unload_users.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/module.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* The user id of uses that need no privilege. */
#define SOMEBODY 1000

FIXTURE(used) {};

FIXTURE_VARIANT(used)
{
	void (*use)(struct user *user);
	void (*leave)(struct user *user);
	/* The use needs a privilege that only root has. */
	int root;
};

/* spec: 11-char-device */
FIXTURE_VARIANT_ADD(used, by_a_descriptor) { use_descriptor, close_it };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_for_ioctls) { use_for_ioctls, close_it };
FIXTURE_VARIANT_ADD(used, by_a_child_that_inherited_it) { use_in_a_child, end_child };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_in_flight) { use_in_flight, close_ends };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_in_a_cycle_of_sockets) { use_in_a_cycle, close_ends };
FIXTURE_VARIANT_ADD(used, by_a_descriptor_of_a_destroyed_pipe) { use_destroyed, close_it, 1 };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_reader) { use_reading, end_reading };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_writer) { use_writing, end_writing };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_poll) { use_polling, end_polling };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_select) { use_selecting, end_polling };
FIXTURE_VARIANT_ADD(used, by_a_member_of_an_epoll_set) { use_epoll, leave_epoll };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_splice_out_of_it) { use_splice_out, end_splice_out };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_splice_into_it) { use_splice_in, end_splice_in };
FIXTURE_VARIANT_ADD(used, by_a_sleeping_sendfile) { use_sendfile, end_splice_in };
FIXTURE_VARIANT_ADD(used, by_a_reader_in_a_page_fault) { use_hanging_in_read, end_hanging };
FIXTURE_VARIANT_ADD(used, by_a_writer_in_a_page_fault) { use_hanging_in_write, end_hanging };
FIXTURE_VARIANT_ADD(used, by_a_dump_in_a_page_fault) { use_hanging_in_dump, end_dump, 1 };
FIXTURE_VARIANT_ADD(used, by_a_read_of_io_uring) { use_ring_read, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_write_of_io_uring) { use_ring_write, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_poll_of_io_uring) { use_ring_poll, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_multishot_poll_of_io_uring) { use_ring_multishot, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_registered_file_of_io_uring) { use_registered, close_ring };
FIXTURE_VARIANT_ADD(used, by_a_poll_of_aio) { use_aio_poll, end_aio };
FIXTURE_VARIANT_ADD(used, by_an_owner_of_signals) { use_signals, close_it };
FIXTURE_VARIANT_ADD(used, by_a_file_in_debugfs) { use_debugfs, close_it, 1 };
FIXTURE_VARIANT_ADD(used, by_a_reader_of_debugfs_in_a_page_fault) {
	use_hanging_in_debugfs, end_hanging_in_debugfs, 1
};

FIXTURE_SETUP(used)
{
	ASSERT_NE(NULL, getenv("LAB_MODULE"));
	if (!module_loaded())
		ASSERT_EQ(0, load_module(""));
	/* Lets any user sleep in a page fault, as FUSE does. */
	ASSERT_EQ(1, spill("/proc/sys/vm/unprivileged_userfaultfd", "1"));
	/* Processes that are orphaned below become children of this test. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(used)
{
	if (!module_loaded())
		load_module("");
	spill("/proc/sys/vm/unprivileged_userfaultfd", "0");
}

enum { STARTING, USING, LEAVING, LEFT };

static void live(const FIXTURE_VARIANT(used) *variant, int *step)
{
	static struct user user;

	if (setpgid(0, 0) || (!variant->root && (setgid(SOMEBODY) || setuid(SOMEBODY))))
		abort();
	/*
	 * The process reads its own files in /proc, and is killed when the test ends. Both settings are lost when it
	 * changes its user.
	 */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	variant->use(&user);
	__atomic_store_n(step, USING, __ATOMIC_RELEASE);
	while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != LEAVING)
		sched_yield();
	variant->leave(&user);
	__atomic_store_n(step, LEFT, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* Starts a user in a new process, and returns when it uses the module; 0 if that failed. */
static pid_t start_user(const FIXTURE_VARIANT(used) *variant, int *step)
{
	pid_t child;

	*step = STARTING;
	child = fork();
	if (!child)
		live(variant, step);
	while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != USING) {
		if (waitpid(child, NULL, WNOHANG))
			return 0;
		sched_yield();
	}
	return child;
}

/* Kills the process and all that it has started. */
static void kill_user(pid_t child)
{
	kill(-child, SIGKILL);
	while (waitpid(-child, NULL, 0) > 0)
		;
}

TEST_F_TIMEOUT(used, refuses_unload_until_the_user_leaves_or_is_killed, SECONDS)
{
	unsigned long rounds = scaled(1), round, attempts, most = 0;
	int *step = shared_memory(sizeof(*step));
	pid_t child;
	long ret;

	for (round = 0; round < rounds; round++) {
		child = start_user(variant, step);
		ASSERT_LT(0, child);
		ASSERT_LE(1, module_users());
		ASSERT_EQ(-EWOULDBLOCK, unload_module());
		/*
		 * The user is alive and has released the module. The kernel may finish the release in another task.
		 */
		__atomic_store_n(step, LEAVING, __ATOMIC_RELEASE);
		while (__atomic_load_n(step, __ATOMIC_ACQUIRE) != LEFT || module_users()) {
			ASSERT_EQ(0, waitpid(child, NULL, WNOHANG));
			collect_garbage();
			sched_yield();
		}
		kill_user(child);

		child = start_user(variant, step);
		ASSERT_LT(0, child);
		ASSERT_EQ(-EWOULDBLOCK, unload_module());
		kill_user(child);
		for (attempts = 1; (ret = unload_module()); attempts++) {
			ASSERT_EQ(-EWOULDBLOCK, ret);
			collect_garbage();
			sched_yield();
		}
		most = attempts > most ? attempts : most;
		ASSERT_EQ(NULL, left_behind()) TH_LOG("left: %s", left_behind());
		ASSERT_EQ(0, load_module(""));
	}
	if (rounds > 1)
		TH_LOG("%lu rounds; unloaded at attempt %lu at the latest", rounds, most);
}

TEST_HARNESS_MAIN
