// SPDX-License-Identifier: GPL-2.0
/*
 * Many messages between processes, each with its writer, number, length and a
 * payload that follows from them: none may be lost, doubled, torn or, from one
 * writer to one reader, out of order.
 *
 *	stress WRITERS READERS MESSAGES [SEED]
 *
 * Prints KTAP. The seed, printed too, repeats the lengths.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../include/uapi/kmsgpipe.h"

#define NODE "/dev/kmsgpipe0"
#define MAX_TASKS 64
#define LONGEST 256
/* Number of a message that tells a reader to stop. */
#define STOP UINT32_MAX

struct header {
	uint32_t writer;
	uint32_t number;
	uint32_t len;
	uint32_t seed;
};

/* What the readers have found, shared by all. */
struct shared {
	unsigned long lost, doubled, torn, disordered, received;
	uint8_t seen[];
};

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void add(unsigned long *counter, unsigned long by)
{
	__atomic_add_fetch(counter, by, __ATOMIC_RELAXED);
}

static void payload(const struct header *header, uint8_t *bytes)
{
	uint32_t state = header->seed | 1;
	uint32_t i;

	for (i = sizeof(*header); i < header->len; i++)
		bytes[i] = (uint8_t)next(&state);
}

static void run_writer(uint32_t id, uint32_t messages, uint32_t seed)
{
	uint32_t state = (seed + id * 2654435761u) | 1, number;
	uint8_t bytes[LONGEST];
	struct header header = { .writer = id };
	int fd = open(NODE, O_WRONLY);

	if (fd < 0)
		die(NODE);
	for (number = 0; number < messages; number++) {
		header.number = number;
		header.seed = next(&state);
		header.len = sizeof(header) + header.seed % (LONGEST - sizeof(header) + 1);
		memcpy(bytes, &header, sizeof(header));
		payload(&header, bytes);
		if (write(fd, bytes, header.len) != (ssize_t)header.len)
			die("write");
	}
	exit(0);
}

static void run_reader(struct shared *shared, uint32_t writers, uint32_t messages)
{
	uint8_t bytes[LONGEST], expected[LONGEST];
	int64_t last[MAX_TASKS];
	struct header header;
	uint32_t i;
	ssize_t len;
	int fd = open(NODE, O_RDONLY);

	if (fd < 0)
		die(NODE);
	for (i = 0; i < MAX_TASKS; i++)
		last[i] = -1;
	for (;;) {
		len = read(fd, bytes, sizeof(bytes));
		if (len < 0)
			die("read");
		memcpy(&header, bytes, sizeof(header));
		if (len == sizeof(header) && header.number == STOP)
			exit(0);
		if (len < (ssize_t)sizeof(header) || len != (ssize_t)header.len || header.writer >= writers ||
		    header.number >= messages) {
			add(&shared->torn, 1);
			continue;
		}
		payload(&header, expected);
		if (memcmp(bytes + sizeof(header), expected + sizeof(header), len - sizeof(header)))
			add(&shared->torn, 1);
		if (header.number <= last[header.writer])
			add(&shared->disordered, 1);
		last[header.writer] = header.number;
		if (__atomic_exchange_n(&shared->seen[(size_t)header.writer * messages + header.number], 1,
					__ATOMIC_RELAXED))
			add(&shared->doubled, 1);
		add(&shared->received, 1);
	}
}

/* Whether a snapshot, taken while everybody is at work, is true to itself. */
static int consistent(const struct kmsgpipe_stats *s)
{
	return s->depth_msgs <= s->max_msgs && s->depth_bytes >= s->depth_msgs * sizeof(struct header) &&
	       s->enqueued_msgs == s->dequeued_msgs + s->expired_msgs + s->dropped_msgs + s->depth_msgs &&
	       s->enqueued_bytes == s->dequeued_bytes + s->expired_bytes + s->dropped_bytes + s->depth_bytes;
}

static unsigned int number_of(const char *text, unsigned int most)
{
	unsigned long number = strtoul(text, NULL, 0);

	if (!number || number > most) {
		fprintf(stderr, "stress: %s is not a number from 1 to %u\n", text, most);
		exit(2);
	}
	return number;
}

/* Starts a task that dies with this process. */
static pid_t start(void)
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static void reap(unsigned int count)
{
	int status;

	while (count--)
		if (wait(&status) < 0 || status)
			die("a task failed");
}

/* Waits for the tasks, looking at snapshots meanwhile; returns the number of false ones. */
static unsigned long reap_and_watch(unsigned int count, int fd, unsigned long *snapshots)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct kmsgpipe_stats stats;
	unsigned long bad = 0;
	int status;
	pid_t task;

	while (count) {
		task = waitpid(-1, &status, WNOHANG);
		if (task < 0 || (task && status))
			die("a task failed");
		count -= task != 0;
		if (ioctl(fd, KMSGPIPE_GET_STATS, &stats))
			die("ioctl");
		bad += !consistent(&stats);
		++*snapshots;
		nanosleep(&pause, NULL);
	}
	return bad;
}

int main(int argc, char **argv)
{
	struct header stop = { .number = STOP, .len = sizeof(stop) };
	unsigned int writers, readers, messages, i;
	struct kmsgpipe_stats before, after;
	unsigned long total, k, snapshots = 0, inconsistent;
	struct shared *shared;
	uint32_t seed;
	int fd, failed;

	setlinebuf(stdout);
	if (argc < 4) {
		fprintf(stderr, "usage: stress WRITERS READERS MESSAGES [SEED]\n");
		return 2;
	}
	writers = number_of(argv[1], MAX_TASKS);
	readers = number_of(argv[2], MAX_TASKS);
	messages = number_of(argv[3], 100000000) / writers;
	seed = argc > 4 ? strtoul(argv[4], NULL, 0) : (uint32_t)time(NULL) ^ getpid();
	total = (unsigned long)writers * messages;

	printf("TAP version 13\n1..1\n");
	printf("# %u writers, %u readers, %lu messages, seed %u\n", writers, readers, total, seed);
	shared = mmap(NULL, sizeof(*shared) + total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = open(NODE, O_RDWR);
	if (shared == MAP_FAILED || fd < 0)
		die(NODE);
	if (ioctl(fd, KMSGPIPE_CLEAR_QUEUE) || ioctl(fd, KMSGPIPE_GET_STATS, &before))
		die("ioctl");
	for (i = 0; i < readers; i++)
		if (!start())
			run_reader(shared, writers, messages);
	for (i = 0; i < writers; i++)
		if (!start())
			run_writer(i, messages, seed);
	/* The readers end no earlier than they are told to. */
	inconsistent = reap_and_watch(writers, fd, &snapshots);
	for (i = 0; i < readers; i++)
		if (write(fd, &stop, sizeof(stop)) != sizeof(stop))
			die("write");
	reap(readers);

	for (k = 0; k < total; k++)
		shared->lost += !shared->seen[k];
	if (ioctl(fd, KMSGPIPE_GET_STATS, &after))
		die("ioctl");
	failed = inconsistent || shared->lost || shared->doubled || shared->torn || shared->disordered ||
		 shared->received != total || after.depth_msgs ||
		 after.enqueued_msgs - before.enqueued_msgs != total + readers ||
		 after.dequeued_msgs - before.dequeued_msgs != total + readers;
	printf("# received %lu, lost %lu, doubled %lu, torn %lu, disordered %lu\n", shared->received,
	       shared->lost, shared->doubled, shared->torn, shared->disordered);
	printf("# %lu snapshots, %lu of them false\n", snapshots, inconsistent);
	printf("%s 1 stress.%uw%ur.%lu\n", failed ? "not ok" : "ok", writers, readers, total);
	return failed;
}
