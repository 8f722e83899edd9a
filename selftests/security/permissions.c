// SPDX-License-Identifier: GPL-2.0
/*
 * Permissions: each cell of the table in docs/security.md is tried. The test reads the table from there, so that it
 * tests what the table says. It must run in the directory of the checkout.
 */
#include "security/permissions.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TABLE "docs/security.md"

/* Owner and group of the created pipe, and a user that is neither. */
#define OWNER 1001
#define GROUP 2001
#define OTHER 1003

/* ---- Users ---- */

static const struct user {
	const char *name;
	uid_t uid;
	gid_t gid;
	/* Root of a user namespace; uid and gid are those outside of it. */
	int namespace;
	/* Root with all capabilities except CAP_SYS_ADMIN. */
	int limited;
} users[] = {
	{ "root", 0, 0 },
	{ "owner", OWNER, OWNER },
	{ "group", OTHER, GROUP },
	{ "other", OTHER, OTHER },
	{ "namespace root", OTHER, OTHER, .namespace = 1 },
	{ "namespace root, 0 outside", 0, 0, .namespace = 1 },
	{ "root without CAP_SYS_ADMIN", 0, 0, .limited = 1 },
};

#define USERS ARRAY_SIZE(users)

/* Makes the calling process this user; the parent maps the ids of its namespace. */
static void become(const struct user *user, int ready, int mapped)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	char byte;

	if (setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		_exit(1);
	if (user->namespace && unshare(CLONE_NEWUSER))
		_exit(2);
	if (write(ready, "r", 1) != 1 || read(mapped, &byte, 1) != 1)
		_exit(3);
	/* The process is root in its namespace from the beginning, with all capabilities there. */
	if (user->namespace && (getuid() || getgid()))
		_exit(4);
	if (user->limited) {
		if (syscall(SYS_capget, &header, data))
			_exit(5);
		data[0].effective &= ~(1U << CAP_SYS_ADMIN);
		data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
		data[0].inheritable &= ~(1U << CAP_SYS_ADMIN);
		if (syscall(SYS_capset, &header, data))
			_exit(6);
	}
}

static void map_root(pid_t pid, const char *which, unsigned int outside)
{
	char path[64], map[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	snprintf(map, sizeof(map), "0 %u 1", outside);
	if (spill(path, map) != (long)strlen(map))
		abort();
}

/* The result of an attempt by a user. */
static long attempted(const struct user *user, const struct attempt *attempt, struct scene *scene)
{
	long *result = shared_memory(sizeof(*result)), ret;
	int ready[2], mapped[2];
	pid_t child;
	char byte;

	if (pipe(ready) || pipe(mapped))
		abort();
	*result = -ECANCELED;
	child = fork();
	if (!child) {
		become(user, ready[1], mapped[0]);
		*result = attempt->try(scene);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		if (user->namespace) {
			map_root(child, "uid_map", user->uid);
			map_root(child, "gid_map", user->gid);
		}
		if (write(mapped[1], "m", 1) != 1)
			abort();
	}
	ret = exit_of(child);
	if (ret)
		fprintf(stderr, "# %s: the child ended with %ld\n", user->name, ret);
	ret = *result;
	munmap(result, sizeof(*result));
	close(ready[0]);
	close(mapped[0]);
	close(mapped[1]);
	return ret;
}

/* ---- The table ---- */

/* The table: for each attempt and user, 1 if it succeeds or minus an errno; 0 if the table has no such cell. */
static int expected[ATTEMPTS][USERS];

/* The last error found in the table; empty if there is none. */
static char wrong[1024];

/* Returns the next cell of a row without blanks around it and without backquotes; NULL at the end. */
static char *next_cell(char **row)
{
	char *bar, *cell = *row, *to, *from;

	if (!cell)
		return NULL;
	bar = strchr(cell, '|');
	if (!bar)
		return NULL;
	*bar = 0;
	*row = bar + 1;
	for (to = from = cell; *from; from++)
		if (*from != '`')
			*to++ = *from;
	*to = 0;
	while (*cell == ' ')
		cell++;
	while (to > cell && to[-1] == ' ')
		*--to = 0;
	return cell;
}

static int meaning(const char *cell)
{
	static const struct { const char *word; int value; } words[] = {
		{ "yes", 1 }, { "EACCES", -EACCES }, { "EPERM", -EPERM }, { "EBUSY", -EBUSY },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(cell, words[i].word))
			return words[i].value;
	return 0;
}

/* Reads the one table in the document whose first column is headed "what". */
static void read_table(void)
{
	static char text[65536];
	int column[32], columns = 0, in_table = 0, i;
	char *line, *end, *row, *cell;
	size_t what, user;

	memset(expected, 0, sizeof(expected));
	wrong[0] = 0;
	if (slurp(TABLE, text, sizeof(text)) < 0) {
		snprintf(wrong, sizeof(wrong), TABLE ": %s", strerror(errno));
		return;
	}
	for (line = text; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (end)
			*end = 0;
		if (line[0] != '|') {
			in_table = 0;
			continue;
		}
		row = line + 1;
		cell = next_cell(&row);
		if (!cell || !strncmp(cell, "---", 3))
			continue;
		if (!in_table && strcmp(cell, "what"))
			continue;
		if (!in_table) {
			in_table = 1;
			for (columns = 0; (cell = next_cell(&row)) && columns < 32; columns++) {
				for (user = 0; user < USERS && strcmp(cell, users[user].name); user++)
					;
				if (user == USERS)
					snprintf(wrong, sizeof(wrong), "users[] has no user '%s', which heads a column of the table", cell);
				column[columns] = user;
			}
			continue;
		}
		for (what = 0; what < ATTEMPTS && strcmp(cell, attempts[what].what); what++)
			;
		if (what == ATTEMPTS) {
			snprintf(wrong, sizeof(wrong), "attempts[] has no operation '%s', which the table lists", cell);
			continue;
		}
		for (i = 0; i < columns && (cell = next_cell(&row)); i++) {
			if (!meaning(cell))
				snprintf(wrong, sizeof(wrong), "%s: the cell '%s' is neither yes nor an error", attempts[what].what, cell);
			if (column[i] < (int)USERS)
				expected[what][column[i]] = meaning(cell);
		}
	}
	for (what = 0; what < ATTEMPTS; what++)
		for (user = 0; user < USERS; user++)
			if (!expected[what][user])
				snprintf(wrong, sizeof(wrong), "the table does not say whether %s may '%s'",
					 users[user].name, attempts[what].what);
}

/* ---- The tests ---- */

/* The state that a refused attempt must not change. */
struct state {
	unsigned int pipes;
	struct kmsgpipe_stats stats[2];
	struct stat node;
};

static struct state state_of_all(struct scene *scene)
{
	struct state state;
	int i;

	memset(&state, 0, sizeof(state));
	state.pipes = count_pipes();
	for (i = 0; i < 2; i++)
		state.stats[i] = state_of(scene->fds[i]);
	if (stat(scene->node, &state.node))
		abort();
	return state;
}

static int same(const struct state *a, const struct state *b)
{
	/* The message may have been put back by another user than the one that wrote it. */
	const unsigned int sender = KMSGPIPE_STATS_HEAD_PRIVILEGED;
	int i;

	for (i = 0; i < 2; i++)
		if (a->stats[i].msg_size != b->stats[i].msg_size || a->stats[i].max_msgs != b->stats[i].max_msgs ||
		    (a->stats[i].flags ^ b->stats[i].flags) & ~sender || a->stats[i].depth_msgs != b->stats[i].depth_msgs ||
		    a->stats[i].dropped_msgs != b->stats[i].dropped_msgs)
			return 0;
	return a->pipes == b->pipes && a->node.st_mode == b->node.st_mode;
}

/* Creates a pipe with mode 0640, and puts a message into it and into pipe 0. */
static void set_up(struct scene *scene, int pipe0)
{
	struct kmsgpipe_create create = default_pipe();
	struct kmsgpipe_params params = { .msg_size = create.msg_size, .max_msgs = create.max_msgs };
	struct kmsgpipe_flush flush = { 0 };

	memset(scene, 0, sizeof(*scene));
	create.mode = 0640;
	create.uid = OWNER;
	create.gid = GROUP;
	scene->id = create_pipe(&create);
	if (scene->id < 1)
		abort();
	scene->fds[0] = pipe0;
	scene->fds[1] = open_id(scene->id, O_RDWR | O_NONBLOCK);
	snprintf(scene->node, sizeof(scene->node), "/dev/kmsgpipe%ld", scene->id);
	snprintf(scene->name, sizeof(scene->name), "pipe%ld\n", scene->id);
	snprintf(scene->directory, sizeof(scene->directory), SYSFS "/pipe%ld", scene->id);
	scene->create = default_pipe();
	if (ioctl(pipe0, KMSGPIPE_CLEAR_QUEUE) || ioctl(pipe0, KMSGPIPE_FLUSH_PERIODIC, &flush) ||
	    ioctl(pipe0, KMSGPIPE_SET_PARAMS, &params) || write(pipe0, "queued", 6) != 6 ||
	    write(scene->fds[1], "queued", 6) != 6)
		abort();
}

FIXTURE(matrix)
{
	int fd;
};

FIXTURE_VARIANT(matrix)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(matrix, root) { .name = "root" };
FIXTURE_VARIANT_ADD(matrix, owner) { .name = "owner" };
FIXTURE_VARIANT_ADD(matrix, group) { .name = "group" };
FIXTURE_VARIANT_ADD(matrix, other) { .name = "other" };
FIXTURE_VARIANT_ADD(matrix, namespace_root) { .name = "namespace root" };
FIXTURE_VARIANT_ADD(matrix, namespace_root_with_uid_0_outside) { .name = "namespace root, 0 outside" };
FIXTURE_VARIANT_ADD(matrix, root_without_the_capability) { .name = "root without CAP_SYS_ADMIN" };

FIXTURE_SETUP(matrix)
{
	destroy_all_pipes();
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
}

FIXTURE_TEARDOWN(matrix)
{
	struct kmsgpipe_flush flush = { 0 };

	ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE);
	ioctl(self->fd, KMSGPIPE_FLUSH_PERIODIC, &flush);
	close(self->fd);
	destroy_all_pipes();
}

/* spec: 1-privileged-ioctl 6-privilege 9-eperm 11-privilege */
TEST_F_TIMEOUT(matrix, is_granted_what_the_table_says, 120)
{
	const struct user *user = NULL;
	struct state before, after;
	struct scene scene;
	size_t what, i;
	int turn;
	long ret;

	read_table();
	ASSERT_STREQ("", wrong);
	for (i = 0; i < USERS; i++)
		if (!strcmp(users[i].name, variant->name))
			user = &users[i];
	ASSERT_NE(NULL, user);
	for (what = 0; what < ATTEMPTS; what++)
		for (turn = 0; turn <= attempts[what].both; turn++) {
			int say = expected[what][user - users];

			set_up(&scene, self->fd);
			scene.fd = scene.fds[turn];
			before = state_of_all(&scene);
			ret = attempted(user, &attempts[what], &scene);
			EXPECT_EQ(say < 0 ? say : 1, ret < 0 ? ret : 1)
				TH_LOG("%s: %s (%d): %ld", user->name, attempts[what].what, turn, ret);
			if (ret < 0) {
				after = state_of_all(&scene);
				EXPECT_TRUE(same(&before, &after))
					TH_LOG("%s: %s has changed something", user->name, attempts[what].what);
			}
			close(scene.fds[1]);
			destroy_all_pipes();
		}
}

/* spec: 11-testing */
TEST(table_and_tests_name_the_same_operations)
{
	read_table();
	EXPECT_STREQ("", wrong);
}

TEST_HARNESS_MAIN
