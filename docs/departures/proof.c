// SPDX-License-Identifier: GPL-2.0
/*
 * What the departures from the original plan bring, as counts and as behaviour: docs/departures/run.
 *
 * Counts are of instructions, as lab/run --icount makes CLOCK_MONOTONIC count them. PATH is a device that is read and
 * written, or "pipe" for a pipe(2) with O_DIRECT.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64
#define BATCHES 12

struct ends {
	int in, out;
};

static char message[SIZE];

static struct ends open_ends(const char *path)
{
	int fds[2];

	if (!strcmp(path, "pipe")) {
		if (pipe2(fds, O_DIRECT))
			err(1, "pipe2");
		return (struct ends){ .in = fds[0], .out = fds[1] };
	}
	fds[0] = open(path, O_RDWR);
	if (fds[0] < 0)
		err(1, "%s", path);
	return (struct ends){ .in = fds[0], .out = fds[0] };
}

static void send_to(struct ends ends)
{
	if (write(ends.out, message, SIZE) != SIZE)
		err(1, "write");
}

static void receive_from(struct ends ends)
{
	if (read(ends.in, message, SIZE) != SIZE)
		err(1, "read");
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void pair_of(void **argument)
{
	send_to(*(struct ends *)argument[0]);
	receive_from(*(struct ends *)argument[0]);
}

static void round_trip(void **argument)
{
	send_to(*(struct ends *)argument[0]);
	receive_from(*(struct ends *)argument[1]);
}

static void open_and_close(void **argument)
{
	int fd = open(argument[0], O_RDWR);

	if (fd < 0)
		err(1, "%s", (char *)argument[0]);
	close(fd);
}

/* The smallest of the batches: that which no interrupt came into. */
static long count(int batch, void (*once)(void **), void **argument)
{
	long least = 0;

	for (int i = 0; i <= BATCHES; i++) {
		long start = now();

		for (int k = 0; k < batch; k++)
			once(argument);
		start = (now() - start) / batch;
		/* The first batch only warms up. */
		if (i == 1 || (i > 1 && start < least))
			least = start;
	}
	return least;
}

static void pair(const char *path)
{
	struct ends ends = open_ends(path);

	printf("%-18s %6ld instructions to send and receive %d bytes\n", path,
	       count(512, pair_of, (void *[]){ &ends }), SIZE);
}

static void turns(const char *path, const char *back_path)
{
	struct ends there = open_ends(path), back = open_ends(back_path);
	pid_t child = fork();

	if (!child) {
		for (;;) {
			receive_from(there);
			send_to(back);
		}
	}
	printf("%-18s %6ld instructions for a round trip of two processes\n", path,
	       count(128, round_trip, (void *[]){ &there, &back }));
	fflush(stdout);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Four writers that are faster than their reader: how often a task sleeps, for a message. */
static void fan(const char *path)
{
	const int each = 8192, writers = 4;
	struct ends ends = open_ends(path);
	long start = now();
	struct rusage usage;

	for (int i = 0; i <= writers; i++) {
		if (fork())
			continue;
		for (int k = 0; k < (i ? each : each * writers); k++) {
			if (i)
				send_to(ends);
			else
				receive_from(ends);
		}
		exit(0);
	}
	while (wait(NULL) > 0)
		;
	start = now() - start;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%-18s %6.3f sleeps, %ld instructions a message of four writers and one reader\n", path,
	       (double)usage.ru_nvcsw / (each * writers), start / (each * writers));
}

static void ignore(int signal)
{
	(void)signal;
}

/*
 * Two readers sleep. A message wakes the first, and a signal comes before it runs, as both are sent by a task of higher
 * priority on the only processor.
 */
static void signalled(const char *path)
{
	struct sched_param high = { .sched_priority = 1 };
	struct sigaction action = { .sa_handler = ignore };
	struct ends ends = open_ends(path);
	int first = 0, second = 0;
	pid_t readers[2];

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 2; i++) {
		readers[i] = fork();
		if (!readers[i])
			exit(read(ends.in, message, SIZE) == SIZE ? 0 : errno);
		usleep(100000);
	}
	if (sched_setscheduler(0, SCHED_FIFO, &high))
		err(1, "sched_setscheduler");
	send_to(ends);
	kill(readers[0], SIGUSR1);
	usleep(1000000);
	waitpid(readers[0], &first, WNOHANG);
	printf("%-18s first reader: %s; second: %s\n", path,
	       WEXITSTATUS(first) ? strerror(WEXITSTATUS(first)) : "took the message",
	       waitpid(readers[1], &second, WNOHANG) ? "took the message" :
	       WEXITSTATUS(first) ? "sleeps, with the message in the queue" : "sleeps, as the queue is empty");
	kill(readers[1], SIGKILL);
}

/* What an empty queue tells a program that does not want to wait. */
static void not_waiting(const char *path)
{
	struct iovec vector = { .iov_base = message, .iov_len = SIZE };
	int fd = open(path, O_RDWR | O_NONBLOCK), epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd state = { .fd = fd, .events = POLLIN };
	char epolled[64], nowait[64], nonblock[64];
	struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGALRM, &action, NULL);
	if (fd < 0)
		err(1, "%s", path);
	snprintf(epolled, sizeof(epolled), "%s",
		 epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? strerror(errno) : "works");
	snprintf(nowait, sizeof(nowait), "%s",
		 preadv2(fd, &vector, 1, -1, RWF_NOWAIT) < 0 ? strerror(errno) : "reads");
	alarm(1);
	snprintf(nonblock, sizeof(nonblock), "%s",
		 read(fd, message, SIZE) < 0 && errno != EINTR ? strerror(errno) : "sleeps");
	alarm(0);
	printf("%-18s empty: poll says %s; epoll: %s; RWF_NOWAIT: %s; O_NONBLOCK: %s\n", path,
	       poll(&state, 1, 0) ? "readable" : "not readable", epolled, nowait, nonblock);
}

/* A message whose reader gives memory that cannot be written to. */
static void bad_memory(const char *path)
{
	struct ends ends = open_ends(path);
	struct sigaction action = { .sa_handler = ignore };
	void *forbidden = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sigaction(SIGALRM, &action, NULL);
	send_to(ends);
	if (read(ends.in, forbidden, SIZE) >= 0 || errno != EFAULT)
		err(1, "read into memory that is not accessible");
	alarm(1);
	printf("%-18s after a read with EFAULT the message is %s\n", path,
	       read(ends.in, message, SIZE) == SIZE ? "still there" : "lost");
	alarm(0);
}

static void opening(const char *path)
{
	printf("%-18s %6ld instructions to open and close\n", path, count(64, open_and_close, (void *[]){ (void *)path }));
}

/* A file that is open while its module goes. */
static void unloading(const char *path, const char *module)
{
	struct ends ends = open_ends(path);
	char command[64];

	snprintf(command, sizeof(command), "rmmod %s", module);
	printf("%-18s rmmod with an open file exits with %d\n", path, WEXITSTATUS(system(command)));
	fflush(stdout);
	send_to(ends);
	receive_from(ends);
	printf("%-18s the file still works\n", path);
}

int main(int argc, char **argv)
{
	setbuf(stdout, NULL);
	if (argc == 3 && !strcmp(argv[1], "pair"))
		pair(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "turns"))
		turns(argv[2], argv[3]);
	else if (argc == 3 && !strcmp(argv[1], "fan"))
		fan(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "signal"))
		signalled(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "nowait"))
		not_waiting(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "fault"))
		bad_memory(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "open"))
		opening(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "unload"))
		unloading(argv[2], argv[3]);
	else
		errx(2, "usage: proof pair|fan|signal|nowait|fault|open PATH, proof turns PATH PATH, or proof unload PATH MODULE");
	return 0;
}
