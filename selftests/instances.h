/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share that make many pipes: files read and written whole, pipes
 * destroyed by word, children and chance.
 */
#ifndef SELFTESTS_INSTANCES_H
#define SELFTESTS_INSTANCES_H

#include "pipe.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define PROC "/proc/kmsgpipe_stats"
#define SYSFS "/sys/class/kmsgpipe"

/* Reads a file to its end in pieces: its length, or minus the errno. Ends it with a zero. */
static inline long slurp_pieces(const char *path, char *text, size_t size, size_t piece)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	long got;

	if (file < 0)
		return -errno;
	do {
		if (len + 1 >= size)
			abort();
		got = TRY(read(file, text + len, piece < size - 1 - len ? piece : size - 1 - len));
		if (got > 0)
			len += got;
	} while (got > 0);
	close(file);
	text[len] = 0;
	return got < 0 ? got : (long)len;
}

static inline long slurp(const char *path, char *text, size_t size)
{
	return slurp_pieces(path, text, size, size);
}

/* Writes a text to a file in one call: what write returned, or minus the errno. */
static inline long spill(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	long ret;

	if (file < 0)
		return -errno;
	ret = TRY(write(file, text, strlen(text)));
	close(file);
	return ret;
}

/* What the kernel tells of a descriptor. */
static inline void fdinfo(int fd, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (slurp(path, text, size) <= 0)
		abort();
}

/* Destroys a pipe as `echo WORD > destroy` does: 0, or minus the errno. */
static inline long destroy_word(const char *word)
{
	long ret = spill(SYSFS "/destroy", word);

	return ret < 0 ? ret : 0;
}

static inline long destroy_id(long id)
{
	char word[16];

	snprintf(word, sizeof(word), "%ld", id);
	return destroy_word(word);
}

/* The path of a pipe's file in sysfs, until the fourth call after this one. */
static inline const char *sysfs_file(long id, const char *file)
{
	static char paths[4][96];
	static unsigned int calls;
	char *path = paths[calls++ % 4];

	snprintf(path, sizeof(paths[0]), SYSFS "/pipe%ld/%s", id, file);
	return path;
}

/* The number of pipes that sysfs shows; with `destroy`, all but pipe 0 are destroyed. */
static inline unsigned int pipes_in_sysfs(int destroy)
{
	DIR *class = opendir(SYSFS);
	struct dirent *entry;
	unsigned int count = 0, id;

	if (!class)
		abort();
	while ((entry = readdir(class)))
		if (sscanf(entry->d_name, "pipe%u", &id) == 1) {
			count++;
			if (destroy && id)
				destroy_id(id);
		}
	closedir(class);
	return count;
}

/* A make of pipe with a name. */
static inline struct kmsgpipe_create named_pipe(const char *name)
{
	struct kmsgpipe_create create = default_pipe();

	memcpy(create.name, name, strnlen(name, sizeof(create.name)));
	return create;
}

/* A generator of numbers that a seed repeats. */
static inline unsigned int pick(unsigned long long *state, unsigned int below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 32) % below;
}

/* KMSGPIPE_SEED repeats a run. */
static inline unsigned long long new_seed(void)
{
	const char *given = getenv("KMSGPIPE_SEED");
	unsigned long long seed = given ? strtoull(given, NULL, 0) : now_ns();

	return seed ? seed : 1;
}

/* Memory that children share with their parent. */
static inline void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

/* The exit status of a child, or -1 if it did not exit. */
static inline int exit_of(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* KASAN and the like make objects of the allocator larger. */
static inline int inflated(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

/* Goes through the kernel's slabs: the name of the next one, how many objects are in use, and of which size. */
static inline int next_slab(FILE *slabs, char name[64], long *objects, long *size)
{
	char line[512];

	while (fgets(line, sizeof(line), slabs))
		if (sscanf(line, "%63s %ld %*d %ld", name, objects, size) == 3)
			return 1;
	return 0;
}

static inline FILE *open_slabs(void)
{
	FILE *slabs = fopen("/proc/slabinfo", "re");

	if (!slabs)
		abort();
	return slabs;
}

/*
 * What the kernel has allocated for itself, in bytes. Of slabs the objects count, not the pages that they
 * are in: how many of these are half empty depends on what was before.
 */
static inline long long kernel_memory(void)
{
	static const char *const fields[] = { "VmallocUsed:", "Percpu:", "KernelStack:" };
	char text[8192], name[64], *line;
	FILE *slabs = open_slabs();
	long long sum = 0;
	long objects, size;
	size_t i;

	while (next_slab(slabs, name, &objects, &size))
		sum += (long long)objects * size;
	fclose(slabs);
	if (slurp("/proc/meminfo", text, sizeof(text)) <= 0)
		abort();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		for (i = 0; i < ARRAY_SIZE(fields); i++)
			if (!strncmp(line, fields[i], strlen(fields[i])))
				sum += 1024 * strtoll(line + strlen(fields[i]), NULL, 10);
	return sum;
}

/* Whether there is such a file; links are not followed. */
static inline int is_there(const char *path)
{
	struct stat file;

	return !lstat(path, &file);
}

#endif
