// SPDX-License-Identifier: GPL-2.0
/* Asynchronous notification of several processes, and O_ASYNC set and cleared while others write. */
#include "waiting/sigio.h"
#include "lib/harness.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/tasks.h"

#include <sys/wait.h>

/* The seed of the order in which the threads set and clear O_ASYNC. */
#define SWITCH_SEED 1

/* A thread that sets and clears O_ASYNC of a descriptor. */
struct switcher {
	int fd;
	unsigned int seed;
};

/* A process that asks for signals from a pipe and reports them on request. */
struct peer {
	pid_t pid;
	int orders, answers;
};

/* The number of signals that a peer got, and the last one. */
struct answer {
	int count;
	int code;
	long band;
	int fd;
};

static void peer_main(long id, int flags, int orders, int answers)
{
	int fd = open_id(id, flags);
	siginfo_t info;
	char order;

	block_signals();
	notify(fd, SIGRTMIN);
	do {
		struct answer answer = { .fd = fd };

		while (take_signal(&info, 0)) {
			answer.count++;
			answer.code = info.si_code;
			answer.band = info.si_band;
			if (info.si_fd != fd)
				answer.fd = -1;
		}
		if (write(answers, &answer, sizeof(answer)) != sizeof(answer))
			_exit(1);
		if (read(orders, &order, 1) != 1)
			_exit(2);
	} while (order != 'q');
	_exit(0);
}

static struct answer ask(struct peer *peer, char order)
{
	struct answer answer = { .count = -1 };

	if (order && write(peer->orders, &order, 1) != 1)
		abort();
	if (order != 'q' && read(peer->answers, &answer, sizeof(answer)) != sizeof(answer))
		abort();
	return answer;
}

static struct peer new_peer(long id, int flags)
{
	int orders[2], answers[2];
	struct peer peer;

	if (pipe(orders) || pipe(answers))
		abort();
	peer.pid = fork();
	if (!peer.pid)
		peer_main(id, flags, orders[0], answers[1]);
	close(orders[0]);
	close(answers[1]);
	peer.orders = orders[1];
	peer.answers = answers[0];
	ask(&peer, 0);
	return peer;
}

static int end_of(struct peer *peer)
{
	int status = -1;

	ask(peer, 'q');
	waitpid(peer->pid, &status, 0);
	close(peer->orders);
	close(peer->answers);
	return status;
}

/* spec: 11-async */
TEST_F(own, several_processes_are_signalled)
{
	static const int flags[] = { O_RDONLY, O_RDONLY, O_WRONLY, O_WRONLY };
	struct peer peers[4];
	char byte;
	int i, j;

	for (i = 0; i < 4; i++)
		peers[i] = new_peer(self->id, flags[i]);
	/* Three messages are sent, two are read, and then one reader and one writer close the pipe. */
	for (j = 0; j < 3; j++)
		ASSERT_EQ(1, write(self->fd, "x", 1));
	for (i = 0; i < 4; i++) {
		struct answer answer = ask(&peers[i], 'a');

		EXPECT_EQ(i < 2 ? 3 : 0, answer.count);
		if (i < 2) {
			EXPECT_EQ(POLL_IN, answer.code);
			EXPECT_EQ(BAND_IN, answer.band);
			EXPECT_NE(-1, answer.fd);
		}
	}
	for (j = 0; j < 2; j++)
		ASSERT_EQ(1, read(self->fd, &byte, 1));
	for (i = 0; i < 4; i++) {
		struct answer answer = ask(&peers[i], 'a');

		EXPECT_EQ(i < 2 ? 0 : 2, answer.count);
		if (i >= 2) {
			EXPECT_EQ(POLL_OUT, answer.code);
			EXPECT_EQ(BAND_OUT, answer.band);
			EXPECT_NE(-1, answer.fd);
		}
	}
	EXPECT_EQ(0, end_of(&peers[0]));
	EXPECT_EQ(0, end_of(&peers[2]));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(1, ask(&peers[1], 'a').count);
	EXPECT_EQ(1, ask(&peers[3], 'a').count);
	/* Destroying the pipe signals both. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	for (i = 1; i < 4; i += 2) {
		struct answer answer = ask(&peers[i], 'a');

		EXPECT_EQ(1, answer.count);
		EXPECT_EQ(POLL_HUP, answer.code);
		EXPECT_EQ(BAND_HUP, answer.band);
		EXPECT_EQ(0, end_of(&peers[i]));
	}
}

TEST_F(own, f_setown_signals_another_process)
{
	struct peer peer = new_peer(self->id, O_ACCMODE);
	int fd = open_id(self->id, O_RDONLY);

	/* The peer's own descriptor is for ioctls only and gets no signal. */
	block_signals();
	ASSERT_EQ(0, fcntl(fd, F_SETOWN, peer.pid));
	ASSERT_EQ(0, fcntl(fd, F_SETSIG, SIGRTMIN));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_ASYNC));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(nothing());
	EXPECT_EQ(1, ask(&peer, 'a').count);
	/* Make this process the owner again. */
	ASSERT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	ASSERT_EQ(1, write(self->fd, "x", 1));
	EXPECT_TRUE(told(fd, POLL_IN, BAND_IN));
	EXPECT_EQ(0, ask(&peer, 'a').count);
	EXPECT_EQ(0, end_of(&peer));
	close(fd);
}

/* One thread sets and clears O_ASYNC while another one writes and reads: only the right signals are sent. */
static void *send_until_stopped(void *arg)
{
	struct call *call = arg;
	char byte;

	while (!__atomic_load_n(&call->tid, __ATOMIC_ACQUIRE))
		if (write(call->fd, "x", 1) != 1 || read(call->fd, &byte, 1) != 1)
			call->result++;
	return NULL;
}

TEST_F_TIMEOUT(own, signals_beside_writers_end_when_the_file_is_closed, 120)
{
	int rounds = scaled(2000), i, fd;
	struct call call = { .fd = self->fd };
	unsigned long signals = 0;
	pthread_t thread;
	siginfo_t info;

	block_signals();
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_until_stopped, &call));
	/* Continue until the other thread has caused some signals. */
	for (i = 0; i < rounds || !signals; i++) {
		fd = open_id(self->id, O_RDWR);
		notify(fd, SIGRTMIN);
		if (i % 2)
			no_longer(fd);
		close(fd);
		for (; take_signal(&info, 0); signals++)
			if (info.si_signo == SIGRTMIN)
				ASSERT_TRUE(info.si_fd == fd && (info.si_code == POLL_IN || info.si_code == POLL_OUT));
	}
	__atomic_store_n(&call.tid, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, call.result);
	EXPECT_TRUE(nothing());
	TH_LOG("%lu signals", signals);
}

/* Sets and clears O_ASYNC in random order. */
static void *switch_it(void *arg)
{
	struct switcher *switcher = arg;
	unsigned int seed = switcher->seed;
	int i, on;

	for (i = 0; i < 200; i++) {
		on = rand_r(&seed) & 1;
		if (ioctl(switcher->fd, FIOASYNC, &on))
			abort();
	}
	return NULL;
}

/*
 * Concurrent changes by threads of one process: a file with O_ASYNC off gets no signal, and a closed file is
 * forgotten. KASAN notices a signal for a closed file.
 */
TEST_F_TIMEOUT(own, no_signal_arrives_after_concurrent_o_async_changes, 300)
{
	int round, rounds = scaled(1000);
	struct switcher switchers[3];
	pthread_t threads[3];
	char byte;
	int i, fd;

	TH_LOG("seed %d", SWITCH_SEED);
	block_signals();
	for (round = 0; round < rounds; round++) {
		fd = open_id(self->id, O_RDWR);
		ASSERT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
		for (i = 0; i < 3; i++) {
			switchers[i] = (struct switcher){ .fd = fd, .seed = SWITCH_SEED + 3 * round + i };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, switch_it, &switchers[i]));
		}
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
		if (!(fcntl(fd, F_GETFL) & O_ASYNC)) {
			ASSERT_EQ(1, write(self->fd, "x", 1));
			ASSERT_EQ(1, read(self->fd, &byte, 1));
			ASSERT_TRUE(nothing()) TH_LOG("round %d", round);
		}
		close(fd);
		ASSERT_EQ(1, write(self->fd, "x", 1));
		ASSERT_EQ(1, read(self->fd, &byte, 1));
		ASSERT_TRUE(nothing()) TH_LOG("round %d", round);
	}
}
