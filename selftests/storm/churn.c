// SPDX-License-Identifier: GPL-2.0
/* Thousands of pipes at once, and pipes that are created and destroyed while other tasks open, use and list them. */
#include "lib/clock.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/registry.h"
#include "lib/registry_fixture.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <sys/wait.h>

/* A number of pipes that are created quickly. */
#define MANY 4096
/* The least number of creations, also on the debug kernel. */
#define CYCLES 1000

/* ---- Many pipes ---- */

/* A pipe takes a hundred times as long on the debug kernel. */
static unsigned int many(void)
{
	return scale() < 1 ? MANY / 32 : MANY;
}

/* The maximum number of pipes if SCALE allows for it. */
static unsigned int most(void)
{
	unsigned long pipes = scale() < 1 ? many() : scaled(MANY);

	return pipes < MAX_PIPES ? pipes : MAX_PIPES - 1;
}

/* Reads the ids of all pipes in /proc/kmsgpipe_stats to `ids`, in order, and returns their number. */
static unsigned int proc_ids(unsigned int *ids, unsigned int room, size_t piece)
{
	static char text[8 << 20];
	unsigned int count = 0, readers, end;
	unsigned long long msgs, drops, expired;
	unsigned int writers;
	char *line = text, *next;

	if (slurp_pieces(PROC, text, sizeof(text), piece) < 0)
		abort();
	for (; *line; line = next, count++) {
		next = strchr(line, '\n');
		if (!next)
			abort();
		/* sscanf would look for the end of the whole text first. */
		*next++ = 0;
		end = 0;
		if (count == room ||
		    sscanf(line, "pipe%u: msgs=%llu, drops=%llu, expired=%llu, writers=%u, readers=%u%n", &ids[count],
			   &msgs, &drops, &expired, &writers, &readers, &end) != 6 ||
		    !end || line[end])
			abort();
	}
	return count;
}

/* The shortest time that 64 consecutive calls took, among the first or the last eighth of all. */
static unsigned long long least(const unsigned long long *times, unsigned int count, int last)
{
	unsigned int batches = count / 64, part = batches / 8 ? batches / 8 : 1, i;
	unsigned long long least = ~0ULL;

	for (i = 0; i < part; i++) {
		unsigned int batch = last ? batches - 1 - i : i;
		unsigned long long took = times[(batch + 1) * 64] - times[batch * 64];

		if (took < least)
			least = took;
	}
	return least;
}

TEST_F_TIMEOUT(registry, thousands_of_pipes_cost_the_same_each, 400)
{
	static unsigned long long created[MAX_PIPES], opened[MAX_PIPES], destroyed[MAX_PIPES];
	static unsigned int made[MAX_PIPES], ids[MAX_PIPES + 1];
	static unsigned char there[MAX_PIPES];
	struct kmsgpipe_create create = default_pipe();
	long pipes = most(), i, id;
	int fd;

	there[0] = 1;
	created[0] = now_ns();
	for (i = 1; i <= pipes; i++) {
		id = ioctl(self->fd, KMSGPIPE_CREATE_NEW, &create);
		created[i] = now_ns();
		ASSERT_LE(1, id);
		ASSERT_TRUE(i == 1 || id == next_id(made[i - 1])) TH_LOG("%ld after %u", id, made[i - 1]);
		made[i] = id;
		there[id] = 1;
	}
	if (pipes == MAX_PIPES - 1) {
		EXPECT_EQ(-ENOSPC, create_pipe(&create));
		EXPECT_EQ(-ENOSPC, spill(SYSFS "/create", "one-more"));
		/* Ids in use are skipped, at the end and from the start on. */
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, destroy_id(made[MAX_PIPES / 2]));
			EXPECT_EQ(0, destroy_id(made[2]));
			EXPECT_EQ(made[2], create_pipe(&create));
			EXPECT_EQ(made[MAX_PIPES / 2], create_pipe(&create));
		}
	}
	EXPECT_EQ(pipes + 1, count_pipes());
	ASSERT_EQ(pipes + 1, proc_ids(ids, pipes + 2, 8 << 20));
	for (i = 0; i <= pipes; i++) {
		ASSERT_TRUE(!i || ids[i] > ids[i - 1]);
		ASSERT_TRUE(there[ids[i]]) TH_LOG("%u", ids[i]);
	}

	opened[0] = now_ns();
	for (i = 1; i <= pipes; i++) {
		fd = open_id(made[i], O_RDWR | O_NONBLOCK);
		ASSERT_EQ(made[i], stats_of(fd).id);
		ASSERT_EQ(1, write(fd, "x", 1));
		close(fd);
		opened[i] = now_ns();
	}

	destroyed[0] = now_ns();
	for (i = 1; i <= pipes; i++) {
		ASSERT_EQ(0, destroy_id(made[i]));
		destroyed[i] = now_ns();
	}
	EXPECT_EQ(1, count_pipes());
	EXPECT_EQ(1, proc_ids(ids, pipes + 2, 8 << 20));
	EXPECT_EQ(-ENOENT, try_open_id(made[pipes], O_RDWR));

	TH_LOG("%ld pipes; 64 creations: %llu, later %llu; openings: %llu, later %llu; destructions: %llu, later %llu %s",
	       pipes, least(created, pipes, 0) / 1000, least(created, pipes, 1) / 1000, least(opened, pipes, 0) / 1000,
	       least(opened, pipes, 1) / 1000, least(destroyed, pipes, 0) / 1000, least(destroyed, pipes, 1) / 1000,
	       getenv("LAB_ICOUNT") ? "thousand instructions" : "us");
	/* Only a clock that counts instructions gives reliable times. */
	if (!getenv("LAB_ICOUNT"))
		return;
	/*
	 * No operation slows down with the number of pipes; a search through all of them would take thousands of
	 * steps.
	 */
	EXPECT_GT(3 * least(created, pipes, 0), 2 * least(created, pipes, 1));
	EXPECT_GT(3 * least(opened, pipes, 0), 2 * least(opened, pipes, 1));
	EXPECT_GT(3 * least(destroyed, pipes, 1), 2 * least(destroyed, pipes, 0));
}

/* Repeatedly destroys `count` pipes and creates others in their place. */
static int churn(int fd, int *stop, unsigned int *ids, unsigned int count, unsigned long long seed, unsigned long *turns)
{
	struct kmsgpipe_create create = default_pipe();
	unsigned int i;
	long ret;

	while (!__atomic_load_n(stop, __ATOMIC_ACQUIRE)) {
		i = pick(&seed, count);
		if (destroy_id(ids[i]))
			return 1;
		ret = TRY(ioctl(fd, KMSGPIPE_CREATE_NEW, &create));
		if (ret < 1)
			return 2;
		ids[i] = ret;
		__atomic_add_fetch(turns, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* spec: 8-seq-file */
TEST_F_TIMEOUT(registry, proc_lists_each_remaining_pipe_once_while_others_come_and_go, 400)
{
	static const size_t pieces[] = { 1 << 20, 65536, 4096, 100 };
	static unsigned int ids[MAX_PIPES + 1], going[2][MANY / 4];
	static unsigned char stays[MAX_PIPES];
	struct { int stop; unsigned long turns[2]; } *shared = shared_memory(sizeof(*shared));
	struct kmsgpipe_create create = default_pipe();
	unsigned long long seed = new_seed();
	unsigned int pipes = many(), round, count, i, staying;
	pid_t children[2];
	long id;

	TH_LOG("seed %llu", seed);
	stays[0] = 1;
	for (i = 0; i < pipes; i++) {
		ASSERT_LE(1, id = ioctl(self->fd, KMSGPIPE_CREATE_NEW, &create));
		/* Every other pipe stays; each child has half of the rest. */
		if (i % 2)
			going[i / 2 % 2][i / 4] = id;
		else
			stays[id] = 1;
	}
	for (i = 0; i < 2; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(churn(self->fd, &shared->stop, going[i], pipes / 4, seed + i, &shared->turns[i]));
	}
	for (round = 0; round < 12 || !__atomic_load_n(&shared->turns[0], __ATOMIC_RELAXED) ||
			!__atomic_load_n(&shared->turns[1], __ATOMIC_RELAXED); round++) {
		count = proc_ids(ids, MAX_PIPES + 1, pieces[round % 4]);
		for (i = 0, staying = 0; i < count; i++) {
			ASSERT_TRUE(!i || ids[i] > ids[i - 1]) TH_LOG("%u after %u", ids[i], ids[i - 1]);
			ASSERT_GT(MAX_PIPES, ids[i]);
			staying += stays[ids[i]];
		}
		/* Each pipe that stays is listed exactly once, as ids ascend; pipe 0 is one of them. */
		ASSERT_EQ(pipes / 2 + 1, staying) TH_LOG("round %u", round);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, exit_of(children[0]));
	EXPECT_EQ(0, exit_of(children[1]));
	TH_LOG("%u pipes, %u readings during %lu turns", pipes, round, shared->turns[0] + shared->turns[1]);
}

TEST_F_TIMEOUT(registry, concurrent_creators_get_distinct_numbers_and_names, 120)
{
	enum { CREATORS = 4, EACH = 50 };
	struct { unsigned int by_id[MAX_PIPES], by_name[EACH]; } *shared = shared_memory(sizeof(*shared));
	struct kmsgpipe_create create;
	pid_t children[CREATORS];
	unsigned int i, k;
	char name[32];
	long ret;

	for (i = 0; i < CREATORS; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		for (k = 0; k < EACH; k++) {
			create = default_pipe();
			ret = TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, &create));
			if (ret < 1 || ret >= MAX_PIPES)
				_exit(1);
			__atomic_add_fetch(&shared->by_id[ret], 1, __ATOMIC_RELAXED);
			/* All children ask for the same names. */
			snprintf(name, sizeof(name), "wanted%u", k);
			create = named_pipe(name);
			ret = TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, &create));
			if (ret > 0)
				__atomic_add_fetch(&shared->by_name[k], 1, __ATOMIC_RELAXED);
			else if (ret != -EEXIST)
				_exit(2);
		}
		_exit(0);
	}
	for (i = 0; i < CREATORS; i++)
		ASSERT_EQ(0, exit_of(children[i]));
	for (i = 0, k = 0; i < MAX_PIPES; i++) {
		EXPECT_GE(1, shared->by_id[i]);
		k += shared->by_id[i];
	}
	EXPECT_EQ(CREATORS * EACH, k);
	for (i = 0; i < EACH; i++)
		EXPECT_EQ(1, shared->by_name[i]) TH_LOG("name %u", i);
	EXPECT_EQ(1 + CREATORS * EACH + EACH, count_pipes());
}

/* ---- Races ---- */

/* The number of pipes that are created and destroyed during the race. */
#define ALIVE 4

/* What the racing processes share. */
struct race {
	int stop;
	/* The ids of the current pipes, or of their predecessors. */
	unsigned int ids[ALIVE];
	unsigned long long seed;
	unsigned long opened, missed, waited, proc, sysfs, by_name;
};

static int over(struct race *race)
{
	return __atomic_load_n(&race->stop, __ATOMIC_ACQUIRE);
}

static void done(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* The id of a random pipe. */
static unsigned int race_number(struct race *race, unsigned long long *seed)
{
	return __atomic_load_n(&race->ids[pick(seed, ALIVE)], __ATOMIC_RELAXED);
}

/* Opens a random pipe: a descriptor, or -1 if it does not exist at the moment. Any other error ends the process. */
static int race_open(struct race *race, unsigned long long *seed, int flags)
{
	char node[48];
	long fd;

	if (pick(seed, 2))
		snprintf(node, sizeof(node), "/dev/kmsgpipe%u", race_number(race, seed));
	else
		snprintf(node, sizeof(node), "/dev/kmsgpipe/race%u", pick(seed, 12));
	fd = try_open(node, flags);
	if (fd >= 0) {
		done(&race->opened);
		return fd;
	}
	if (fd != -ENOENT && fd != -ENXIO && fd != -ENODEV) {
		fprintf(stderr, "# %s: %ld\n", node, fd);
		_exit(10);
	}
	done(&race->missed);
	return -1;
}

static int race_use(struct race *race, unsigned long long seed)
{
	struct kmsgpipe_stats stats;
	char byte;
	long ret;
	int fd;

	while (!over(race)) {
		fd = race_open(race, &seed, O_RDWR | O_NONBLOCK);
		if (fd < 0)
			continue;
		ret = TRY(write(fd, "x", 1));
		if (ret != 1 && ret != -EAGAIN && ret != -ENODEV)
			return 1;
		ret = TRY(ioctl(fd, KMSGPIPE_GET_STATS, &stats));
		if (ret != -ENODEV && (ret || !accounted(&stats)))
			return 2;
		ret = TRY(read(fd, &byte, 1));
		if (ret != 1 && ret != -EAGAIN && ret != -ENODEV)
			return 3;
		close(fd);
	}
	return 0;
}

/* Reads until the pipe is destroyed, as each of them is. */
static int race_wait(struct race *race, unsigned long long seed)
{
	char byte;
	long ret;
	int fd;

	while (!over(race)) {
		fd = race_open(race, &seed, O_RDONLY);
		if (fd < 0)
			continue;
		do {
			ret = TRY(read(fd, &byte, 1));
		} while (ret == 1);
		if (ret != -ENODEV)
			return 1;
		done(&race->waited);
		close(fd);
	}
	return 0;
}

static int race_proc(struct race *race, unsigned long long seed)
{
	static unsigned int ids[MAX_PIPES + 1];
	unsigned int count, i;

	while (!over(race)) {
		/* While this reads, pipes with higher ids are created. */
		count = proc_ids(ids, MAX_PIPES + 1, 1 + pick(&seed, 300));
		if (!count || ids[0])
			return 1;
		for (i = 1; i < count; i++)
			if (ids[i] <= ids[i - 1])
				return 2;
		done(&race->proc);
	}
	return 0;
}

static int race_sysfs(struct race *race, unsigned long long seed)
{
	static const char *const files[] = {
		"node", "depth_msgs", "readers", "enqueued_bytes", "flush_enable", "default_mode", "uevent", "dev",
	};
	char text[256];
	long ret;

	while (!over(race)) {
		ret = slurp(sysfs_file(race_number(race, &seed), files[pick(&seed, ARRAY_SIZE(files))]), text, sizeof(text));
		if (ret > 0)
			done(&race->sysfs);
		else if (ret != -ENOENT && ret != -ENODEV)
			return 1;
	}
	return 0;
}

/* Creates and destroys named pipes through sysfs. */
static int race_by_name(struct race *race, unsigned long long seed)
{
	char name[32];

	while (!over(race)) {
		snprintf(name, sizeof(name), "race%u", 6 + pick(&seed, 6));
		if (spill(SYSFS "/create", name) != (long)strlen(name))
			return 1;
		if (spill(SYSFS "/create", name) != -EEXIST)
			return 2;
		if (destroy_word(name))
			return 3;
		if (destroy_word(name) != -ENODEV)
			return 4;
		done(&race->by_name);
	}
	return 0;
}

TEST_F_TIMEOUT(registry, opens_and_views_stay_correct_while_pipes_come_and_go, 400)
{
	static int (*const racers[])(struct race *, unsigned long long) = {
		race_use, race_wait, race_proc, race_sysfs, race_by_name,
	};
	enum { RACERS = ARRAY_SIZE(racers) };
	struct race *race = shared_memory(sizeof(*race));
	struct kmsgpipe_create create;
	unsigned long long seed;
	pid_t children[RACERS];
	int fds[ALIVE], i, slot;
	unsigned long cycles, least = scaled(CYCLES) > CYCLES ? scaled(CYCLES) : CYCLES;
	char text[48];
	long id;

	race->seed = seed = new_seed();
	for (slot = 0; slot < ALIVE; slot++)
		race->ids[slot] = MAX_PIPES - 1;
	TH_LOG("seed %llu", race->seed);
	for (i = 0; i < RACERS; i++) {
		children[i] = fork();
		if (!children[i]) {
			/* Creations must make progress beside the other processes on a slow machine, too. */
			if (nice(10) != 10)
				_exit(20);
			_exit(racers[i](race, race->seed + 1 + i));
		}
	}
	memset(fds, -1, sizeof(fds));
	/* Continue until each process has done its part. */
	for (cycles = 0; cycles < least || !race->opened || !race->missed || !race->waited || !race->proc ||
			 !race->sysfs || !race->by_name; cycles++) {
		slot = pick(&seed, ALIVE);
		if (fds[slot] >= 0) {
			ASSERT_EQ(0, destroy_pipe(fds[slot]));
			close(fds[slot]);
		}
		create = default_pipe();
		create.max_msgs = 2;
		if (slot % 2)
			snprintf(create.name, sizeof(create.name), "race%d", slot);
		id = TRY(ioctl(self->fd, KMSGPIPE_CREATE_NEW, &create));
		ASSERT_LT(0, id);
		__atomic_store_n(&race->ids[slot], id, __ATOMIC_RELAXED);
		if (slot % 2)
			snprintf(text, sizeof(text), "/dev/kmsgpipe/race%d", slot);
		else
			snprintf(text, sizeof(text), "/dev/kmsgpipe%ld", id);
		fds[slot] = try_open(text, O_RDWR | O_NONBLOCK);
		ASSERT_LE(0, fds[slot]);
		ASSERT_EQ(id, stats_of(fds[slot]).id);
		/* A child process that failed would leave others waiting. */
		for (i = 0; i < RACERS; i++)
			ASSERT_EQ(0, waitpid(children[i], NULL, WNOHANG)) TH_LOG("racer %d has ended", i);
	}
	__atomic_store_n(&race->stop, 1, __ATOMIC_RELEASE);
	for (slot = 0; slot < ALIVE; slot++)
		if (fds[slot] >= 0) {
			EXPECT_EQ(0, destroy_pipe(fds[slot]));
			close(fds[slot]);
		}
	for (i = 0; i < RACERS; i++)
		EXPECT_EQ(0, exit_of(children[i])) TH_LOG("racer %d", i);
	EXPECT_EQ(1, count_pipes());
	TH_LOG("%lu cycles; opened %lu, missed %lu, waited %lu, proc %lu, sysfs %lu, by name %lu", cycles,
	       race->opened, race->missed, race->waited, race->proc, race->sysfs, race->by_name);
}

TEST_F_TIMEOUT(registry, only_one_of_many_concurrent_destroys_succeeds, 60)
{
	enum { DESTROYERS = 4 };
	unsigned int rounds = scaled(50) > 50 ? scaled(50) : 50, round;
	struct { int go; unsigned int destroyed; } *shared = shared_memory(sizeof(*shared));
	pid_t children[DESTROYERS];
	int i, fd;
	long id, ret;

	for (round = 0; round < rounds; round++) {
		shared->go = 0;
		shared->destroyed = 0;
		fd = own_pipe(&id, 4, O_RDWR);
		fill(fd);
		for (i = 0; i < DESTROYERS; i++) {
			children[i] = fork();
			if (children[i])
				continue;
			while (!__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE))
				sched_yield();
			ret = i % 2 ? destroy_id(id) : destroy_pipe(fd);
			if (ret && ret != -ENODEV)
				_exit(1);
			__atomic_add_fetch(&shared->destroyed, !ret, __ATOMIC_RELAXED);
			_exit(0);
		}
		__atomic_store_n(&shared->go, 1, __ATOMIC_RELEASE);
		for (i = 0; i < DESTROYERS; i++)
			ASSERT_EQ(0, exit_of(children[i]));
		ASSERT_EQ(1, shared->destroyed);
		ASSERT_EQ(-ENOENT, try_open_id(id, O_RDWR));
		close(fd);
	}
}

TEST_HARNESS_MAIN
