/* SPDX-License-Identifier: GPL-2.0 */
/* The kinds of use that keep the module loaded. */
#ifndef SELFTESTS_MODULE_UNLOAD_USERS_H
#define SELFTESTS_MODULE_UNLOAD_USERS_H

#include "lib/harness.h"
#include "lib/ring.h"
#include "lib/tasks.h"

/* The state of one use of the module. */
struct user {
	int fd;
	int other;
	int ends[2];
	int uffd;
	char *missing;
	char buffer[64];
	pid_t child;
	pthread_t thread;
	pid_t tid;
	long (*wait)(struct user *user);
	long result;
	struct call call;
	struct ring ring;
};

/* Each of these begins or ends one kind of use. */
void close_it(struct user *user);
void use_descriptor(struct user *user);
void use_for_ioctls(struct user *user);
void use_in_a_child(struct user *user);
void end_child(struct user *user);
void use_in_flight(struct user *user);
void close_ends(struct user *user);
void use_in_a_cycle(struct user *user);
void use_destroyed(struct user *user);
void use_reading(struct user *user);
void end_reading(struct user *user);
void use_writing(struct user *user);
void end_writing(struct user *user);
void use_polling(struct user *user);
void use_selecting(struct user *user);
void end_polling(struct user *user);
void use_epoll(struct user *user);
void leave_epoll(struct user *user);
void use_splice_out(struct user *user);
void end_splice_out(struct user *user);
void use_splice_in(struct user *user);
void use_sendfile(struct user *user);
void end_splice_in(struct user *user);
void use_hanging_in_read(struct user *user);
void use_hanging_in_write(struct user *user);
void end_hanging(struct user *user);
void use_hanging_in_dump(struct user *user);
void end_dump(struct user *user);
void use_ring_read(struct user *user);
void use_ring_write(struct user *user);
void use_ring_poll(struct user *user);
void use_ring_multishot(struct user *user);
void use_registered(struct user *user);
void close_ring(struct user *user);
void use_aio_poll(struct user *user);
void end_aio(struct user *user);
void use_signals(struct user *user);
void use_debugfs(struct user *user);
void use_hanging_in_debugfs(struct user *user);
void end_hanging_in_debugfs(struct user *user);

/*
 * Closes a socket: the kernel's garbage collector, which alone finds descriptors in flight in a cycle of sockets,
 * runs then.
 */
void collect_garbage(void);

#endif
