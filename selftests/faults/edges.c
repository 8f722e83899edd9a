// SPDX-License-Identifier: GPL-2.0
/* Memory that ends, or is bad, at every offset of a message: the call fails with EFAULT and changes nothing. */
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <limits.h>

#define MSG_SIZE (4 * PAGE_SIZE)
#define MAX_MSGS 4
/* The length of the accessible memory: more than the longest message. */
#define ROOM (5 * PAGE_SIZE)

/* A pipe for messages of several pages, and two descriptors of it. */
FIXTURE(edge)
{
	int fd;
	char *end; /* the end of ROOM accessible bytes; the page after it is inaccessible */
	struct kmsgpipe_stats before;
};

FIXTURE_SETUP(edge)
{
	struct kmsgpipe_create create = { .msg_size = MSG_SIZE, .max_msgs = MAX_MSGS };
	long id = create_pipe(&create);
	char *map;

	ASSERT_LE(1, id);
	self->fd = open_id(id, O_RDWR | O_NONBLOCK);
	map = map_pages(ROOM + PAGE_SIZE);
	ASSERT_EQ(0, mprotect(map + ROOM, PAGE_SIZE, PROT_NONE));
	self->end = map + ROOM;
}

FIXTURE_TEARDOWN(edge)
{
	expect_destroyed(_metadata, self->fd);
	close(self->fd);
}

static void pattern(char *to, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		to[i] = (char)(i * 7 + i / 251 + 1);
}

static int is_pattern(const char *text, size_t len)
{
	static char expected[MSG_SIZE];

	pattern(expected, len);
	return !memcmp(text, expected, len);
}

static const size_t lengths[] = {
	1, 2, 64, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE - 1, 2 * PAGE_SIZE, 2 * PAGE_SIZE + 1, 3 * PAGE_SIZE + 1, MSG_SIZE - 1, MSG_SIZE,
};

/*
 * Whether to try memory that ends after `there` bytes of a message of `len` bytes. With SCALE below 1, as on the
 * debug kernel: only near the message's beginning and end, and where a page of the queue or of the memory begins.
 */
static int worth_trying(size_t there, size_t len)
{
	return scale() >= 1 || there <= 64 || len - there <= 64 || (there + 2) % PAGE_SIZE <= 4 || (len - there + 2) % PAGE_SIZE <= 4;
}

TEST_F_TIMEOUT(edge, write_is_efault_where_memory_ends_at_every_offset, 300)
{
	unsigned long tried = 0;
	size_t i, there;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct kmsgpipe_stats before = state_of(self->fd);
		size_t len = lengths[i];
		char got[MSG_SIZE];

		for (there = 0; there < len; there++) {
			if (!worth_trying(there, len))
				continue;
			ASSERT_EQ(-EFAULT, TRY(write(self->fd, self->end - there, len))) TH_LOG("%zu of %zu", there, len);
			ASSERT_TRUE(unchanged(&before, self->fd)) TH_LOG("%zu of %zu", there, len);
			tried++;
		}
		pattern(self->end - len, len);
		ASSERT_EQ(len, write(self->fd, self->end - len, len));
		ASSERT_EQ(len, read(self->fd, got, sizeof(got)));
		ASSERT_TRUE(is_pattern(got, len));
	}
	printf("# edges: %lu writes from memory that ends\n", tried);
}

TEST_F_TIMEOUT(edge, read_is_efault_where_memory_ends_at_every_offset, 300)
{
	static char message[MSG_SIZE];
	unsigned long tried = 0;
	size_t i, there;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct kmsgpipe_stats before;
		size_t len = lengths[i];

		pattern(message, len);
		ASSERT_EQ(len, write(self->fd, message, len));
		before = state_of(self->fd);
		for (there = 0; there < len; there++) {
			if (!worth_trying(there, len))
				continue;
			ASSERT_EQ(-EFAULT, TRY(read(self->fd, self->end - there, MSG_SIZE))) TH_LOG("%zu of %zu", there, len);
			ASSERT_TRUE(unchanged(&before, self->fd)) TH_LOG("%zu of %zu", there, len);
			tried++;
		}
		/* Only memory for the message must be accessible, whatever the length of the read is. */
		memset(self->end - len, 0, len);
		ASSERT_EQ(len, read(self->fd, self->end - len, MSG_SIZE));
		ASSERT_TRUE(is_pattern(self->end - len, len));
	}
	printf("# edges: %lu reads into memory that ends\n", tried);
}

/* ---- Segments ---- */

/* Segments of one byte that make up the message; an empty segment follows every third one. */
struct segments {
	struct iovec iov[IOV_MAX];
	int count;
	size_t len;
};

static void lay_out(struct segments *segments, char *memory, int count)
{
	int i;

	segments->count = count;
	segments->len = 0;
	for (i = 0; i < count; i++) {
		if (i % 3 == 2) {
			segments->iov[i] = (struct iovec){ bad_address, 0 };
			continue;
		}
		segments->iov[i] = (struct iovec){ memory + segments->len, 1 };
		segments->len++;
	}
}

/*
 * Makes the call with each segment in turn being bad, or with as many as the scale asks for. Returns the number of
 * calls.
 */
static unsigned long fails_at_each(struct __test_metadata *_metadata, FIXTURE_DATA(edge) *self,
				   struct segments *segments, ssize_t (*call)(int, const struct iovec *, int))
{
	struct kmsgpipe_stats before = state_of(self->fd);
	int step = segments->count / scaled(segments->count) ?: 1, bad;
	unsigned long tried = 0;

	for (bad = segments->count - 1; bad >= 0; bad -= step) {
		struct iovec good = segments->iov[bad];

		if (!good.iov_len)
			continue;
		segments->iov[bad].iov_base = self->end;
		ASSERT_EQ(-EFAULT, TRY(call(self->fd, segments->iov, segments->count))) TH_LOG("%d", bad);
		ASSERT_TRUE(unchanged(&before, self->fd)) TH_LOG("%d of %d", bad, segments->count);
		segments->iov[bad] = good;
		tried++;
	}
	return tried;
}

static const int counts[] = { 1, 2, 8, 9, 100, IOV_MAX };

TEST_F_TIMEOUT(edge, writev_is_efault_with_a_bad_segment_at_every_index, 120)
{
	static struct segments segments;
	static char message[IOV_MAX], got[IOV_MAX];
	unsigned long tried = 0;
	size_t i;

	pattern(message, IOV_MAX);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		lay_out(&segments, message, counts[i]);
		tried += fails_at_each(_metadata, self, &segments, writev);
		ASSERT_EQ(segments.len, writev(self->fd, segments.iov, counts[i]));
		ASSERT_EQ(segments.len, read(self->fd, got, sizeof(got)));
		ASSERT_EQ(0, memcmp(got, message, segments.len));
	}
	printf("# edges: %lu writes with a bad segment\n", tried);
}

TEST_F_TIMEOUT(edge, readv_is_efault_with_a_bad_segment_at_every_index, 120)
{
	static struct segments segments;
	static char message[IOV_MAX], got[IOV_MAX];
	unsigned long tried = 0;
	size_t i;

	pattern(message, IOV_MAX);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		lay_out(&segments, got, counts[i]);
		ASSERT_EQ(segments.len, write(self->fd, message, segments.len));
		tried += fails_at_each(_metadata, self, &segments, readv);
		memset(got, 0, sizeof(got));
		ASSERT_EQ(segments.len, readv(self->fd, segments.iov, counts[i]));
		ASSERT_EQ(0, memcmp(got, message, segments.len));
	}
	printf("# edges: %lu reads with a bad segment\n", tried);
}

TEST_F(edge, up_to_iov_max_segments_are_accepted)
{
	static struct iovec iov[IOV_MAX + 1];
	struct kmsgpipe_stats before;
	volatile int less_than_none = -1;
	char bytes[2] = { 'a', 'b' };
	int i;

	for (i = 0; i <= IOV_MAX; i++)
		iov[i] = (struct iovec){ bad_address, 0 };
	iov[IOV_MAX - 1] = (struct iovec){ bytes, 1 };
	before = state_of(self->fd);
	EXPECT_EQ(-EINVAL, TRY(writev(self->fd, iov, IOV_MAX + 1)));
	EXPECT_EQ(-EINVAL, TRY(writev(self->fd, iov, less_than_none)));
	EXPECT_EQ(0, TRY(writev(self->fd, iov, 0)));
	EXPECT_EQ(0, TRY(writev(self->fd, iov, IOV_MAX - 1)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(1, TRY(writev(self->fd, iov, IOV_MAX)));
	before = state_of(self->fd);
	iov[IOV_MAX - 1].iov_base = bytes + 1;
	EXPECT_EQ(-EINVAL, TRY(readv(self->fd, iov, IOV_MAX + 1)));
	EXPECT_EQ(-EINVAL, TRY(readv(self->fd, iov, less_than_none)));
	/* A readv of no bytes does not reach the module. */
	EXPECT_EQ(0, TRY(readv(self->fd, iov, IOV_MAX - 1)));
	EXPECT_TRUE(unchanged(&before, self->fd));
	EXPECT_EQ(1, TRY(readv(self->fd, iov, IOV_MAX)));
	EXPECT_EQ('a', bytes[1]);
	/* A bad array of segments. */
	EXPECT_EQ(-EFAULT, TRY(writev(self->fd, bad_address, 2)));
	EXPECT_EQ(-EFAULT, TRY(readv(self->fd, bad_address, 2)));
}

/* The argument of a request ends at every offset: the request changes nothing and creates no pipe. */
TEST_F(edge, ioctls_are_efault_where_memory_ends_at_every_offset)
{
	static const struct {
		unsigned long request;
		size_t len;
	} requests[] = {
		{ KMSGPIPE_GET_STATS, sizeof(struct kmsgpipe_stats) },
		{ KMSGPIPE_GET_PARAMS, sizeof(struct kmsgpipe_params) },
		{ KMSGPIPE_SET_PARAMS, sizeof(struct kmsgpipe_params) },
		{ KMSGPIPE_FLUSH_PERIODIC, sizeof(struct kmsgpipe_flush) },
		{ KMSGPIPE_CREATE_NEW, sizeof(struct kmsgpipe_create) },
		{ KMSGPIPE_DUMP, sizeof(struct kmsgpipe_dump) },
		{ KMSGPIPE_SET_MODE, sizeof(__u32) },
		{ KMSGPIPE_GET_MODE, sizeof(__u32) },
		{ FIONREAD, sizeof(int) },
		{ FIONBIO, sizeof(int) },
		{ FIOASYNC, sizeof(int) },
	};
	struct kmsgpipe_stats before;
	int flags, pipes;
	size_t i, there;

	ASSERT_EQ(1, write(self->fd, "x", 1));
	before = state_of(self->fd);
	flags = fcntl(self->fd, F_GETFL);
	pipes = count_pipes();
	memset(self->end - ROOM, 0, ROOM);
	for (i = 0; i < ARRAY_SIZE(requests); i++)
		for (there = 0; there < requests[i].len; there++) {
			ASSERT_EQ(-EFAULT, TRY(ioctl(self->fd, requests[i].request, self->end - there)))
				TH_LOG("request %zu, %zu bytes", i, there);
			ASSERT_TRUE(unchanged(&before, self->fd)) TH_LOG("request %zu, %zu bytes", i, there);
		}
	EXPECT_EQ(flags, fcntl(self->fd, F_GETFL));
	EXPECT_EQ(pipes, count_pipes());
}

/* ---- Kinds of memory ---- */

static void *none_accessible(char *page)
{
	return mmap(page, PAGE_SIZE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *readable_only(char *page)
{
	return mmap(page, PAGE_SIZE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Maps a file of this length. */
static void *file_of(char *page, off_t len, int protection, int flags)
{
	int file = memfd_create("content", MFD_CLOEXEC);
	void *map;

	if (file < 0 || ftruncate(file, len))
		abort();
	map = mmap(page, PAGE_SIZE, protection, MAP_FIXED | flags, file, 0);
	close(file);
	return map;
}

/* The page is beyond the end of the file: a program that touches it gets SIGBUS. */
static void *behind_the_end_of_a_file(char *page)
{
	return file_of(page, 0, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void *private_behind_the_end_of_a_file(char *page)
{
	return file_of(page, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static void *in_a_file(char *page)
{
	return file_of(page, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void *in_a_file_to_read(char *page)
{
	return file_of(page, PAGE_SIZE, PROT_READ, MAP_SHARED);
}

static void *private_in_a_file(char *page)
{
	return file_of(page, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static void *never_touched(char *page)
{
	return mmap(page, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *gone(char *page)
{
	return munmap(page, PAGE_SIZE) ? MAP_FAILED : page;
}

FIXTURE(memory)
{
	int fd;
	char *pages;
};

FIXTURE_VARIANT(memory)
{
	void *(*make)(char *page);
	int readable, writable;
};

FIXTURE_VARIANT_ADD(memory, not_accessible) { .make = none_accessible };
FIXTURE_VARIANT_ADD(memory, not_mapped) { .make = gone };
FIXTURE_VARIANT_ADD(memory, read_only) { .make = readable_only, .readable = 1 };
FIXTURE_VARIANT_ADD(memory, beyond_the_end_of_a_file) { .make = behind_the_end_of_a_file };
FIXTURE_VARIANT_ADD(memory, private_beyond_the_end_of_a_file) { .make = private_behind_the_end_of_a_file };
FIXTURE_VARIANT_ADD(memory, mapped_from_a_file) { .make = in_a_file, .readable = 1, .writable = 1 };
FIXTURE_VARIANT_ADD(memory, read_only_from_a_file) { .make = in_a_file_to_read, .readable = 1 };
FIXTURE_VARIANT_ADD(memory, private_from_a_file) { .make = private_in_a_file, .readable = 1, .writable = 1 };
FIXTURE_VARIANT_ADD(memory, never_touched) { .make = never_touched, .readable = 1, .writable = 1 };

FIXTURE_SETUP(memory)
{
	self->fd = open_pipe(O_RDWR | O_NONBLOCK);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	/* A page of the variant's kind after an ordinary page. */
	self->pages = map_pages(2 * PAGE_SIZE);
	memset(self->pages, 'u', PAGE_SIZE);
	ASSERT_NE(MAP_FAILED, variant->make(self->pages + PAGE_SIZE));
}

FIXTURE_TEARDOWN(memory)
{
	struct kmsgpipe_stats stats = stats_of(self->fd);

	EXPECT_TRUE(accounted(&stats));
	EXPECT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	close(self->fd);
}

TEST_F(memory, write_is_efault_if_it_is_not_readable)
{
	struct kmsgpipe_stats before = state_of(self->fd);
	char got[256], zeroes[256] = { 0 };
	size_t inside;

	/* A message in this page alone, or one that begins in the page before. */
	for (inside = 1; inside <= 256; inside *= 2) {
		long ret = TRY(write(self->fd, self->pages + PAGE_SIZE + inside - 256, 256));

		if (!variant->readable) {
			ASSERT_EQ(-EFAULT, ret);
			ASSERT_TRUE(unchanged(&before, self->fd));
			continue;
		}
		ASSERT_EQ(256, ret);
		ASSERT_EQ(256, read(self->fd, got, 256));
		ASSERT_EQ(0, memcmp(got + 256 - inside, zeroes, inside));
	}
}

TEST_F(memory, read_is_efault_if_it_is_not_writable)
{
	struct kmsgpipe_stats before;
	char message[256], got[256];
	size_t inside;

	pattern(message, 256);
	ASSERT_EQ(256, write(self->fd, message, 256));
	before = state_of(self->fd);
	for (inside = 1; inside <= 256; inside *= 2) {
		char *place = self->pages + PAGE_SIZE + inside - 256;
		long ret = TRY(read(self->fd, place, 256));

		if (!variant->writable) {
			ASSERT_EQ(-EFAULT, ret);
			ASSERT_TRUE(unchanged(&before, self->fd));
			continue;
		}
		ASSERT_EQ(256, ret);
		ASSERT_TRUE(is_pattern(place, 256));
		ASSERT_EQ(256, write(self->fd, message, 256));
	}
	ASSERT_EQ(256, read(self->fd, got, 256));
	ASSERT_TRUE(is_pattern(got, 256));
}

TEST_HARNESS_MAIN
