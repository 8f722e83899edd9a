// SPDX-License-Identifier: GPL-2.0
#include "lib/views.h"
#include "lib/files.h"

#include <dirent.h>

int debug_line(long id, char *text, size_t size)
{
	char line[1024], name[32], *place;
	FILE *file = fopen(DEBUG_FILE, "r");
	int found = 0;

	if (!file)
		abort();
	snprintf(name, sizeof(name), "pipe%ld: ", id);
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, strlen(name));
	fclose(file);
	if (!found)
		return 0;
	for (place = line; *place; place++)
		if (*place == ' ')
			*place = '\n';
		else if (*place == '=')
			*place = ':';
	snprintf(text, size, "%s", line + strlen(name));
	return 1;
}

long long value_of(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *line;

	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10);
	return -1;
}

long long debug_value(long id, const char *key)
{
	char text[1024];

	if (!debug_line(id, text, sizeof(text)))
		abort();
	return value_of(text, key);
}

void fdinfo(int fd, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (slurp(path, text, size) <= 0)
		abort();
}

long destroy_word(const char *word)
{
	long ret = spill(SYSFS "/destroy", word);

	return ret < 0 ? ret : 0;
}

long destroy_id(long id)
{
	char word[16];

	snprintf(word, sizeof(word), "%ld", id);
	return destroy_word(word);
}

const char *sysfs_file(long id, const char *file)
{
	static char paths[4][96];
	static unsigned int calls;
	char *path = paths[calls++ % 4];

	snprintf(path, sizeof(paths[0]), SYSFS "/pipe%ld/%s", id, file);
	return path;
}

void set_policy(long id, const char *policy)
{
	if (spill(sysfs_file(id, "overflow"), policy) != (long)strlen(policy))
		abort();
}

const char *policy_of(long id)
{
	static char text[64];

	if (slurp(sysfs_file(id, "overflow"), text, sizeof(text)) < 0)
		abort();
	return text;
}

/* Counts the pipes in sysfs; destroys all but pipe 0 if `destroy`. */
static unsigned int each_pipe(int destroy)
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

unsigned int count_pipes(void)
{
	return each_pipe(0);
}

void destroy_all_pipes(void)
{
	each_pipe(1);
}

long long fdinfo_number(int fd, const char *key)
{
	char text[1024];

	fdinfo(fd, text, sizeof(text));
	return value_of(text, key);
}

long long rest_bytes(int fd)
{
	return fdinfo_number(fd, "kmsgpipe-rest-bytes");
}

long long line_bytes(int fd)
{
	return fdinfo_number(fd, "kmsgpipe-line-bytes");
}
