// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that another thread takes away and gives back while messages are written from it and read into it: each call
 * moves one whole message or none, and the statistics agree.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/tasks.h"

#define LEN 3000 /* of each message, of which the first STAYS bytes are in memory that stays */
#define STAYS 1000
#define WRITERS 2
#define READERS 2

/* A page that stays and one that is taken away; a message lies across both. */
struct memory {
	char *pages;
	int file; /* the file that the second page is mapped from, or -1 */
};

FIXTURE(storm)
{
	int fd;
};

FIXTURE_VARIANT(storm)
{
	int in_a_file;
	/* Takes the second page away or gives it back. */
	int (*change)(struct memory *memory, int there);
	/* The page is populated again as soon as it is touched. */
	int returns;
};

static int protect(struct memory *memory, int there)
{
	return mprotect(memory->pages + PAGE_SIZE, PAGE_SIZE, there ? PROT_READ | PROT_WRITE : PROT_NONE);
}

static int unmap(struct memory *memory, int there)
{
	void *map;

	if (!there)
		return munmap(memory->pages + PAGE_SIZE, PAGE_SIZE);
	map = mmap(memory->pages + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	return map == MAP_FAILED;
}

static int for_reading_only(struct memory *memory, int there)
{
	return mprotect(memory->pages + PAGE_SIZE, PAGE_SIZE, there ? PROT_READ | PROT_WRITE : PROT_READ);
}

static int truncate_file(struct memory *memory, int there)
{
	return ftruncate(memory->file, there ? PAGE_SIZE : 0);
}

static int forget(struct memory *memory, int there)
{
	return madvise(memory->pages + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED);
}

FIXTURE_VARIANT_ADD(storm, while_memory_is_protected) { .change = protect };
FIXTURE_VARIANT_ADD(storm, while_memory_is_unmapped) { .change = unmap };
FIXTURE_VARIANT_ADD(storm, while_memory_is_write_protected) { .change = for_reading_only };
FIXTURE_VARIANT_ADD(storm, while_a_mapped_file_is_truncated) { .change = truncate_file, .in_a_file = 1 };
FIXTURE_VARIANT_ADD(storm, while_pages_are_discarded) { .change = forget, .returns = 1 };

FIXTURE_SETUP(storm)
{
	struct kmsgpipe_create create = { .msg_size = PAGE_SIZE, .max_msgs = 8 };
	long id = create_pipe(&create);

	ASSERT_LE(1, id);
	self->fd = open_id(id, O_RDWR | O_NONBLOCK);
}

FIXTURE_TEARDOWN(storm)
{
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	close(self->fd);
}

/* The header of a message. */
struct head {
	unsigned int writer;
	unsigned int seq;
};

/* A thread, its task, and its counts. */
struct worker {
	pthread_t thread;
	int fd, number, write;
	unsigned long calls; /* the number of writes to make, besides those that find the pipe full */
	int *writing; /* the number of writers that are not done */
	struct memory memory;
	unsigned long done, faults, full, wrong;
	struct head *got; /* received messages */
};

static struct memory new_memory(int in_a_file)
{
	struct memory memory = { .file = -1 };

	memory.pages = map_pages(2 * PAGE_SIZE);
	if (in_a_file) {
		memory.file = memfd_create("page", MFD_CLOEXEC);
		if (ftruncate(memory.file, PAGE_SIZE) ||
		    mmap(memory.pages + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, memory.file, 0) ==
			    MAP_FAILED)
			abort();
	}
	return memory;
}

/* Makes `calls` writes, and more until one has succeeded. */
static void write_on(struct worker *worker, struct head *head)
{
	unsigned long i = 0;

	while (i < worker->calls || !worker->done) {
		long ret;

		*head = (struct head){ worker->number, worker->done };
		ret = TRY(write(worker->fd, head, LEN));
		if (ret == -EAGAIN) {
			worker->full++;
			sched_yield();
			continue;
		}
		i++;
		worker->done += ret == LEN;
		worker->faults += ret == -EFAULT;
		worker->wrong += ret != LEN && ret != -EFAULT;
	}
	__atomic_sub_fetch(worker->writing, 1, __ATOMIC_RELEASE);
}

/* Reads messages until all writers are done and the pipe is empty. */
static void read_on(struct worker *worker, struct head *head)
{
	for (;;) {
		int last = !__atomic_load_n(worker->writing, __ATOMIC_ACQUIRE);
		long ret = TRY(read(worker->fd, head, LEN));

		if (ret == -EAGAIN && last)
			break;
		if (ret == -EAGAIN)
			sched_yield();
		else if (ret == LEN)
			worker->got[worker->done++] = *head;
		else if (ret == -EFAULT)
			worker->faults++;
		else
			worker->wrong++;
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct head *head = (void *)(worker->memory.pages + PAGE_SIZE - STAYS);

	if (worker->write)
		write_on(worker, head);
	else
		read_on(worker, head);
	return NULL;
}

/* A thread that takes the memory of all threads away and gives it back, until it is told to stop. */
struct weather {
	pthread_t thread;
	struct worker *workers;
	int (*change)(struct memory *memory, int there);
	int over;
	unsigned long changes, failed;
};

static void *blow(void *arg)
{
	struct weather *weather = arg;
	int i, there = 0;

	while (!__atomic_load_n(&weather->over, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < WRITERS + READERS; i++)
			weather->failed += !!weather->change(&weather->workers[i].memory, there);
		weather->changes++;
		there = !there;
		sched_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(storm, no_message_is_lost, 120)
{
	unsigned long calls = scaled(20000), sent = 0, received = 0, full = 0, faults = 0, i;
	struct kmsgpipe_stats before = stats_of(self->fd), after;
	struct worker workers[WRITERS + READERS] = { 0 };
	struct weather weather = { .workers = workers, .change = variant->change };
	unsigned char *seen[WRITERS];
	int writing = WRITERS, w;

	for (w = 0; w < WRITERS + READERS; w++) {
		workers[w] = (struct worker){ .fd = self->fd, .number = w, .write = w < WRITERS, .calls = calls };
		workers[w].writing = &writing;
		workers[w].memory = new_memory(variant->in_a_file);
		workers[w].got = calloc(WRITERS * calls, sizeof(struct head));
		ASSERT_NE(NULL, workers[w].got);
	}
	ASSERT_EQ(0, pthread_create(&weather.thread, NULL, blow, &weather));
	for (w = 0; w < WRITERS + READERS; w++)
		ASSERT_EQ(0, pthread_create(&workers[w].thread, NULL, work, &workers[w]));
	for (w = 0; w < WRITERS + READERS; w++)
		ASSERT_EQ(0, pthread_join(workers[w].thread, NULL));
	__atomic_store_n(&weather.over, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(weather.thread, NULL));
	EXPECT_EQ(0, weather.failed);

	for (w = 0; w < WRITERS + READERS; w++) {
		EXPECT_EQ(0, workers[w].wrong);
		*(workers[w].write ? &sent : &received) += workers[w].done;
		full += workers[w].full;
		faults += workers[w].faults;
	}
	after = stats_of(self->fd);
	EXPECT_TRUE(accounted(&after));
	EXPECT_EQ(before.enqueued_msgs + sent, after.enqueued_msgs);
	EXPECT_EQ(before.enqueued_bytes + sent * LEN, after.enqueued_bytes);
	EXPECT_EQ(before.dequeued_msgs + received, after.dequeued_msgs);
	EXPECT_EQ(sent, received);
	EXPECT_EQ(0, after.depth_msgs);
	EXPECT_EQ(before.refused_full + full, after.refused_full);
	EXPECT_EQ(before.refused_size, after.refused_size);

	/* Each message that was sent was received exactly once. */
	for (w = 0; w < WRITERS; w++)
		seen[w] = calloc(workers[w].done + 1, 1);
	for (w = WRITERS; w < WRITERS + READERS; w++) {
		unsigned long last[WRITERS] = { 0 };

		for (i = 0; i < workers[w].done; i++) {
			struct head *head = &workers[w].got[i];

			ASSERT_GT(WRITERS, head->writer);
			ASSERT_GT(workers[head->writer].done, head->seq);
			ASSERT_EQ(0, seen[head->writer][head->seq]++);
			/* The messages of each writer are in order. */
			ASSERT_LE(last[head->writer], head->seq);
			last[head->writer] = head->seq;
		}
	}
	for (w = 0; w < WRITERS; w++)
		for (i = 0; i < workers[w].done; i++)
			ASSERT_EQ(1, seen[w][i]) TH_LOG("message %lu of writer %d", i, w);
	/* Memory that is populated on demand never causes EFAULT. */
	if (variant->returns)
		EXPECT_EQ(0, faults);
	printf("# edge_storms: %lu messages through memory that went away %lu times; %lu calls failed by it\n", sent,
	       weather.changes / 2, faults);
}

TEST_HARNESS_MAIN
