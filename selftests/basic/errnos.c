// SPDX-License-Identifier: GPL-2.0
/*
 * The error of read and write if several apply: the test reads the table in man/kmsgpipe.4 and tries each combination
 * of its rows. It must run in the directory of the checkout.
 */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/records.h"

#define TABLE "man/kmsgpipe.4"
#define LENGTH 4

/* The situations of the table. */
enum situation {
	CLOSED_TO_IT, NOTHING_IN_A_VECTOR, DESTROYED, NOTHING, TOO_LONG, AT_THE_END, WOULD_WAIT, BAD_MEMORY, SITUATIONS
};

/* A situation without a name here does not occur for this call. */
static const char *const names[2][SITUATIONS] = {
	{
		[CLOSED_TO_IT] = "the file is not open for reading",
		[NOTHING_IN_A_VECTOR] = "a vector has room for no bytes",
		[DESTROYED] = "the pipe is destroyed",
		[NOTHING] = "there is room for no bytes",
		[TOO_LONG] = "the message does not fit, in a mode that keeps it whole",
		[AT_THE_END] = "the pipe is empty, and the file is at its end",
		[WOULD_WAIT] = "the pipe is empty, and the call must not wait",
		[BAD_MEMORY] = "the memory cannot be written to",
	}, {
		[CLOSED_TO_IT] = "the file is not open for writing",
		[NOTHING_IN_A_VECTOR] = "a vector has no bytes",
		[DESTROYED] = "the pipe is destroyed",
		[NOTHING] = "there are no bytes",
		[TOO_LONG] = "they are more than msg_size",
		[WOULD_WAIT] = "the pipe is full, and the call must not wait",
		[BAD_MEMORY] = "the memory cannot be read",
	},
};

static const struct {
	const char *text;
	long value;
} answers[] = {
	{ "0", 0 }, { "EBADF", -EBADF }, { "ENODEV", -ENODEV }, { "EMSGSIZE", -EMSGSIZE },
	{ "EAGAIN", -EAGAIN }, { "EFAULT", -EFAULT },
};

/* The rows of the table for reading and for writing, in its order. */
static struct row {
	enum situation situation;
	long answer;
} rows[2][SITUATIONS];
static size_t counts[2];

/* The first error found in the table; empty if there is none. */
static char wrong[512];

static void read_row(char *line)
{
	int writes = *line == 'w';
	char *situation = strstr(line, "  ") + 2, *answer;
	size_t i, k;

	line[strcspn(line, "\n")] = 0;
	snprintf(wrong, sizeof(wrong), "%s", line);
	situation += strspn(situation, " ");
	answer = strstr(situation, "  ");
	if (!answer || counts[writes] == SITUATIONS)
		return;
	*answer = 0;
	answer += 1;
	answer += strspn(answer, " ");
	for (i = 0; i < SITUATIONS; i++)
		for (k = 0; k < ARRAY_SIZE(answers); k++)
			if (names[writes][i] && !strcmp(names[writes][i], situation) && !strcmp(answers[k].text, answer)) {
				rows[writes][counts[writes]++] = (struct row){ i, answers[k].value };
				wrong[0] = 0;
				return;
			}
}

/* The number of rows that the table must have. */
static size_t rows_of(int writes)
{
	size_t count = 0, i;

	for (i = 0; i < SITUATIONS; i++)
		count += names[writes][i] != NULL;
	return count;
}

static void read_table(void)
{
	FILE *file = fopen(TABLE, "r");
	char line[512];
	int writes;

	counts[0] = counts[1] = 0;
	while (file && !wrong[0] && fgets(line, sizeof(line), file))
		if (!strncmp(line, "read   ", 7) || !strncmp(line, "write  ", 7))
			read_row(line);
	for (writes = 0; writes < 2; writes++)
		if (!wrong[0] && counts[writes] != rows_of(writes))
			snprintf(wrong, sizeof(wrong), "%zu rows for %s", counts[writes], writes ? "write" : "read");
	if (file)
		fclose(file);
}

/* Whether all of these situations can occur at once. */
static int possible(int writes, unsigned int set)
{
	/* A call with no bytes, or with a vector of no bytes, is not too long. */
	if (set & (1 << TOO_LONG) && set & (1 << NOTHING | 1 << NOTHING_IN_A_VECTOR))
		return 0;
	if (set & (1 << NOTHING_IN_A_VECTOR) && !(set & (1 << NOTHING)))
		return 0;
	if (writes)
		return !(set & (1 << AT_THE_END));
	/* An empty or destroyed pipe has no message that is too long. */
	return !(set & (1 << TOO_LONG)) || !(set & (1 << WOULD_WAIT | 1 << AT_THE_END | 1 << DESTROYED));
}

/* Makes a call in these situations on a new pipe; a read also in this mode. */
static long try(int writes, unsigned int set, unsigned int mode)
{
	struct kmsgpipe_create create = { .msg_size = LENGTH, .max_msgs = 1 };
	size_t enough = mode & KMSGPIPE_MODE_RECORDS ? record_size(LENGTH) : LENGTH;
	size_t len = set & (1 << NOTHING) ? 0 : set & (1 << TOO_LONG) ? (writes ? enough + 1 : enough - 1) : enough;
	char buffer[sizeof(struct kmsgpipe_record) + 2 * LENGTH] = "message";
	struct iovec vector = { set & (1 << BAD_MEMORY) ? bad_address : buffer, len };
	int may = writes ? O_WRONLY : O_RDONLY, may_not = writes ? O_RDONLY : O_WRONLY, root, fd;
	long id = create_pipe(&create), ret;

	root = open_id(id, O_RDWR | O_NONBLOCK);
	fd = open_id(id, (set & (1 << CLOSED_TO_IT) ? may_not : may) | (set & (1 << WOULD_WAIT) ? O_NONBLOCK : 0));
	if (set_mode(fd, mode | (set & (1 << AT_THE_END) ? KMSGPIPE_MODE_EOF : 0)))
		abort();
	/* A message for a read to get, or one that fills the pipe. */
	if (!writes != !!(set & (1 << WOULD_WAIT | 1 << AT_THE_END)) && write(root, "full", LENGTH) != LENGTH)
		abort();
	if (set & (1 << DESTROYED) && ioctl(root, KMSGPIPE_DESTROY))
		abort();
	if (set & (1 << NOTHING_IN_A_VECTOR))
		ret = TRY(writes ? writev(fd, &vector, 1) : readv(fd, &vector, 1));
	else
		ret = TRY(writes ? write(fd, vector.iov_base, len) : read(fd, vector.iov_base, len));
	close(fd);
	if (!(set & (1 << DESTROYED)))
		ioctl(root, KMSGPIPE_DESTROY);
	close(root);
	return ret;
}

static void expect_as_the_table_says(struct __test_metadata *_metadata, int writes, unsigned int mode)
{
	long done = mode & KMSGPIPE_MODE_RECORDS ? record_size(LENGTH) : LENGTH;
	unsigned int set, tried = 0;
	long expected, ret;
	size_t i;

	read_table();
	ASSERT_STREQ("", wrong);
	for (set = 0; set < 1U << SITUATIONS; set++) {
		if (!possible(writes, set))
			continue;
		/* The first row that applies. */
		for (i = 0; i < counts[writes] && !(set & (1U << rows[writes][i].situation)); i++)
			;
		expected = i < counts[writes] ? rows[writes][i].answer : done;
		ret = try(writes, set, mode);
		EXPECT_EQ(expected, ret) TH_LOG("%s, mode %x, situations %x", writes ? "write" : "read", mode, set);
		tried++;
	}
	EXPECT_LE(40, tried);
}

TEST(read_errors_match_the_manual)
{
	expect_as_the_table_says(_metadata, 0, KMSGPIPE_MODE_WHOLE);
}

TEST(read_errors_with_records_match_the_manual)
{
	expect_as_the_table_says(_metadata, 0, KMSGPIPE_MODE_RECORDS);
}

TEST(write_errors_match_the_manual)
{
	expect_as_the_table_says(_metadata, 1, 0);
}

TEST_HARNESS_MAIN
