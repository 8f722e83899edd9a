// SPDX-License-Identifier: GPL-2.0
/*
 * Repeated faults: copies that fail in a row, as with memory that keeps being unmapped, and a lasting lack of memory.
 */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/memory.h"
#include "lib/pipe.h"

#include <sys/mount.h>
#include <sys/stat.h>

/* The maximum number of fault-in attempts of a call before it takes another path: src/pipe/mod.rs. */
#define ON_TRUST 4
/* The number of copies before the first fault-in: one on the fast path, one on the slow path. */
#define AT_FIRST 2

FIXTURE(repeated)
{
	int fd;
	char buffer[256];
	struct kmsgpipe_stats before;
};

FIXTURE_SETUP(repeated)
{
	inject_setup();
	inject_only(PAGE);
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	/* Leaves spare memory for a message. */
	ASSERT_EQ(7, write(self->fd, "message", 7));
	ASSERT_EQ(7, read(self->fd, self->buffer, sizeof(self->buffer)));
	self->before = state_of(self->fd);
}

FIXTURE_TEARDOWN(repeated)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_TRUE(accounted(&stats));
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	close(self->fd);
}

TEST_F(repeated, a_write_is_efault_only_after_many_copy_faults)
{
	int count, file, left;
	long ret;

	/* The first copies, the copies after a fault-in, and the copy that may sleep in page faults. */
	for (count = 1; count <= AT_FIRST + ON_TRUST + 4; count++) {
		file = fail_next(COPY, count);
		ret = TRY(write(self->fd, "message", 7));
		left = end_failing(file);
		if (count <= AT_FIRST + ON_TRUST) {
			ASSERT_EQ(7, ret) TH_LOG("%d", count);
			ASSERT_EQ(0, left);
			ASSERT_EQ(7, read(self->fd, self->buffer, sizeof(self->buffer)));
			ASSERT_EQ(0, memcmp(self->buffer, "message", 7));
			self->before = state_of(self->fd);
		} else {
			ASSERT_EQ(-EFAULT, ret) TH_LOG("%d", count);
			ASSERT_EQ(count - 1 - AT_FIRST - ON_TRUST, left);
			ASSERT_TRUE(unchanged(&self->before, self->fd));
		}
	}
	ASSERT_EQ(7, write(self->fd, "message", 7));
}

TEST_F(repeated, a_read_is_efault_only_after_many_copy_faults)
{
	int count, file, left;
	long ret;

	/*
	 * The first copies, the copies after a fault-in, and the copy that only tests whether the memory is writable.
	 */
	for (count = 1; count <= AT_FIRST + ON_TRUST + 4; count++) {
		ASSERT_EQ(7, write(self->fd, "message", 7));
		self->before = state_of(self->fd);
		memset(self->buffer, 0, sizeof(self->buffer));
		file = fail_next(COPY, count);
		ret = TRY(read(self->fd, self->buffer, sizeof(self->buffer)));
		left = end_failing(file);
		if (count <= AT_FIRST + ON_TRUST) {
			ASSERT_EQ(7, ret) TH_LOG("%d", count);
			ASSERT_EQ(0, left);
		} else {
			ASSERT_EQ(-EFAULT, ret) TH_LOG("%d", count);
			ASSERT_EQ(count - 1 - AT_FIRST - ON_TRUST, left);
			ASSERT_TRUE(unchanged(&self->before, self->fd));
			ASSERT_EQ(7, read(self->fd, self->buffer, sizeof(self->buffer)));
		}
		ASSERT_EQ(0, memcmp(self->buffer, "message", 7));
		ASSERT_EQ(0, stats_of(self->fd).depth_msgs);
	}
}

TEST_F(repeated, a_write_without_a_bounce_buffer_is_enomem)
{
	int copies, pages;
	long ret;

	pages = prepare_failing(PAGE, 1);
	copies = prepare_failing(COPY, AT_FIRST + ON_TRUST);
	start_failing(pages);
	start_failing(copies);
	ret = TRY(write(self->fd, "message", 7));
	EXPECT_EQ(0, end_failing(copies));
	end_failing(pages);
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_EQ(0, inject_left(PAGE));
	EXPECT_TRUE(unchanged(&self->before, self->fd));
	EXPECT_EQ(7, write(self->fd, "message", 7));
}

/* ---- Pages, which kmemleak does not track ---- */

#define GROUP "/sys/fs/cgroup"

/* The number of kernel pages that are charged to this task's control group. */
static long kernel_pages(void)
{
	static char text[8192];
	char *line;

	if (slurp(GROUP "/faults/memory.stat", text, sizeof(text)) <= 0)
		abort();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, "kernel ", 7))
			return atol(line + 7) / 4096;
	abort();
}

TEST_F_TIMEOUT(repeated, failing_page_allocations_leak_no_page, 300)
{
	static char message[KMSGPIPE_MSG_SIZE_DEFAULT * 64];
	struct kmsgpipe_create create = { .msg_size = sizeof(message), .max_msgs = 1 };
	/*
	 * Each failing call would leak at least one page. The kernel charges up to 64 pages in advance on each
	 * processor.
	 */
	const long lots = 256;
	long id, pages;
	int fd, n, i, file;

	if (access(GROUP "/cgroup.procs", F_OK))
		ASSERT_EQ(0, mount("cgroup2", GROUP, "cgroup2", 0, NULL));
	ASSERT_LT(0, spill(GROUP "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP "/faults", 0755));
	ASSERT_LT(0, spill(GROUP "/faults/cgroup.procs", "0"));
	id = create_pipe(&create);
	ASSERT_LE(1, id);
	fd = open_id(id, O_RDWR | O_NONBLOCK);
	pages = kernel_pages();
	for (i = 0; i < lots; i++)
		/* A page for the record and four for the message: the failing page leaves one page less each time. */
		for (n = 1; n <= 5; n++) {
			/* The last close frees the spare memory. */
			close(fd);
			fd = open_id(id, O_RDWR | O_NONBLOCK);
			file = fail_nth(n);
			ASSERT_EQ(-ENOMEM, TRY(write(fd, message, sizeof(message)))) TH_LOG("page %d", n);
			ASSERT_TRUE(was_injected(file));
		}
	EXPECT_GT(pages + lots, kernel_pages());
	printf("# faults_repeated: %ld writes without memory, %ld pages more in use\n", 5 * lots, kernel_pages() - pages);
	EXPECT_EQ(0, ioctl(fd, KMSGPIPE_DESTROY));
	close(fd);
	ASSERT_LT(0, spill(GROUP "/cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(GROUP "/faults"));
}

TEST_HARNESS_MAIN
