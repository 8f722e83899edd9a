// SPDX-License-Identifier: GPL-2.0
/* DUMP: a copy of all queued messages, as records, as many as fit into the buffer. */
#include "lib/clock.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/records.h"
#include "lib/tasks.h"

#include <sys/wait.h>

TEST_F(own, an_empty_pipe_has_no_records)
{
	struct kmsgpipe_dump dump;
	char buffer[64];

	memset(buffer, 0x55, sizeof(buffer));
	EXPECT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	EXPECT_EQ(0, dump.used);
	EXPECT_EQ(0, dump.records);
	EXPECT_EQ(0, dump.missing);
	EXPECT_EQ(0x55, buffer[0]);
	EXPECT_EQ((uintptr_t)buffer, dump.buffer);
	EXPECT_EQ(sizeof(buffer), dump.size);
	EXPECT_EQ(0, dump_to(self->fd, NULL, 0, &dump));
	EXPECT_EQ(0, dump.used | dump.records | dump.missing);
}

/* spec: 3-struct-kmsg 6-dump */
TEST_F(own, each_message_has_a_record)
{
	static const char *const texts[] = { "a", "eight by", "thirteen byte" };
	unsigned long long mono[4], real[4], first = 0;
	struct kmsgpipe_record *record;
	struct kmsgpipe_dump dump;
	char *buffer = map_pages(PAGE_SIZE);
	size_t i, used = 0;

	for (i = 0; i < 3; i++) {
		/* The realtime is derived from the monotonic time when the message is written. */
		mono[i] = clock_ns(CLOCK_MONOTONIC);
		real[i] = clock_ns(CLOCK_REALTIME);
		ASSERT_EQ(strlen(texts[i]), write(self->fd, texts[i], strlen(texts[i])));
		used += record_size(strlen(texts[i]));
	}
	mono[3] = clock_ns(CLOCK_MONOTONIC);
	real[3] = clock_ns(CLOCK_REALTIME);
	memset(buffer, 0x55, PAGE_SIZE);
	ASSERT_EQ(0, dump_to(self->fd, buffer, PAGE_SIZE, &dump));
	EXPECT_EQ(72 + 72 + 80, used);
	EXPECT_EQ(used, dump.used);
	EXPECT_EQ(3, dump.records);
	EXPECT_EQ(0, dump.missing);
	EXPECT_EQ(0, dump.reserved[0] | dump.reserved[1]);
	record = (void *)buffer;
	for (i = 0; i < 3; i++) {
		if (!i)
			first = record->seq;
		EXPECT_EQ(first + i, record->seq);
		EXPECT_EQ(strlen(texts[i]), record->len);
		EXPECT_EQ(0, memcmp(record + 1, texts[i], record->len));
		EXPECT_LE(mono[i], record->monotonic_ns);
		EXPECT_GE(mono[i + 1], record->monotonic_ns);
		EXPECT_LE(real[i], record->realtime_ns);
		EXPECT_GE(real[i + 1], record->realtime_ns);
		EXPECT_EQ(getuid(), record->uid);
		EXPECT_EQ(getgid(), record->gid);
		EXPECT_EQ(getpid(), record->pid);
		EXPECT_EQ(0, record->flags);
		/* DUMP does not count as a delivery. */
		EXPECT_EQ(0, record->deliveries);
		EXPECT_EQ(0, record->lost | record->priority | record->reserved);
		record = next_record(record);
	}
	EXPECT_EQ(stats_of(self->fd).head_seq, first);
	EXPECT_EQ(used, (char *)record - buffer);
	for (i = used; i < PAGE_SIZE; i++)
		ASSERT_EQ(0x55, buffer[i]);
}

/* spec: 3-ownership */
TEST_F(own, each_record_holds_its_sender)
{
	struct kmsgpipe_record *record;
	char *buffer = map_pages(PAGE_SIZE);
	struct kmsgpipe_dump dump;
	pid_t children[3];
	int i, status;

	for (i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			if (setresgid(2000 + i, 7, 7) || setresuid(1000 + i, 8, 8))
				_exit(1);
			_exit(write(self->fd, "mine", 4) != 4);
		}
		ASSERT_EQ(children[i], waitpid(children[i], &status, 0));
		ASSERT_EQ(0, status);
	}
	ASSERT_EQ(0, dump_to(self->fd, buffer, PAGE_SIZE, &dump));
	ASSERT_EQ(3, dump.records);
	record = (void *)buffer;
	for (i = 0; i < 3; i++, record = next_record(record)) {
		EXPECT_EQ(1000 + i, record->uid);
		EXPECT_EQ(2000 + i, record->gid);
		EXPECT_EQ(children[i], record->pid);
		EXPECT_EQ(KMSGPIPE_RECORD_PRIVILEGED, record->flags);
	}
}

TEST_F(own, another_pid_namespace_sees_pid_zero)
{
	struct kmsgpipe_record *record;
	char *buffer = map_pages(PAGE_SIZE);
	struct kmsgpipe_dump dump;
	int status;
	pid_t child;

	ASSERT_EQ(1, write(self->fd, "x", 1));
	record = (void *)buffer;
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWPID))
			_exit(1);
		child = fork();
		if (!child)
			_exit(dump_to(self->fd, buffer, PAGE_SIZE, &dump) || dump.records != 1 || record->pid);
		_exit(waitpid(child, &status, 0) != child || status);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* Gets the records of the two messages of a pipe; returns whether that worked. */
static int by_a_dump(int fd, char *buffer)
{
	struct kmsgpipe_dump dump;

	return !dump_to(fd, buffer, PAGE_SIZE, &dump) && dump.records == 2;
}

static int by_one_read(int fd, char *buffer)
{
	return !set_mode(fd, KMSGPIPE_MODE_RECORDS) &&
	       read(fd, buffer, PAGE_SIZE) == (ssize_t)(record_size(5) + record_size(6)) && !set_mode(fd, 0);
}

static int by_a_read_each(int fd, char *buffer)
{
	return !set_mode(fd, KMSGPIPE_MODE_RECORDS) && read(fd, buffer, record_size(5)) == (ssize_t)record_size(5) &&
	       read(fd, buffer + record_size(5), record_size(6)) == (ssize_t)record_size(6) && !set_mode(fd, 0);
}

/*
 * Checks, in a separate time namespace, the times of two messages, of which it writes the second. Returns the
 * number of the check that fails.
 */
static int seen_from_time_namespace(int fd, int (*get)(int fd, char *buffer), char *buffer,
				    const unsigned long long *sent, unsigned long long offset)
{
	struct kmsgpipe_record *record = (void *)buffer;
	unsigned long long before, after, age;

	before = clock_ns(CLOCK_MONOTONIC);
	if (before < offset || write(fd, "second", 6) != 6)
		return 3;
	after = clock_ns(CLOCK_MONOTONIC);
	/* Durations are the same in all namespaces. */
	age = stats_of(fd).head_age_ns;
	if (age > clock_ns(CLOCK_MONOTONIC) - offset - sent[0])
		return 8;
	if (!get(fd, buffer))
		return 4;
	if (record->monotonic_ns < sent[0] + offset || record->monotonic_ns > sent[1] + offset)
		return 5;
	/* CLOCK_REALTIME has no namespaces. */
	if (record->realtime_ns < sent[2] || record->realtime_ns > sent[3])
		return 6;
	record = next_record(record);
	if (record->monotonic_ns < before || record->monotonic_ns > after)
		return 7;
	return 0;
}

/*
 * Runs the check above in a new time namespace, beside a message that was written outside. Returns its exit status.
 */
static int times_in_a_namespace(int fd, int (*get)(int fd, char *buffer), char *buffer)
{
	/* An offset of a million seconds and five nanoseconds. */
	static const char offsets[] = "monotonic 1000000 5\n";
	const unsigned long long offset = 1000000ULL * 1000000000 + 5;
	unsigned long long sent[4];
	int status, file;
	pid_t child;

	sent[0] = clock_ns(CLOCK_MONOTONIC);
	sent[2] = clock_ns(CLOCK_REALTIME);
	if (write(fd, "first", 5) != 5)
		abort();
	sent[1] = clock_ns(CLOCK_MONOTONIC);
	sent[3] = clock_ns(CLOCK_REALTIME);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWTIME))
			_exit(1);
		file = open("/proc/self/timens_offsets", O_WRONLY);
		if (write(file, offsets, strlen(offsets)) != (ssize_t)strlen(offsets))
			_exit(2);
		/* Only children of this process are in the new namespace. */
		child = fork();
		if (!child)
			_exit(seen_from_time_namespace(fd, get, buffer, sent, offset));
		if (waitpid(child, &status, 0) != child)
			_exit(9);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 10);
	}
	return exit_of(child);
}

TEST_F(own, times_are_in_the_time_namespace_of_the_caller)
{
	char *buffer = map_pages(PAGE_SIZE);

	if (access("/proc/self/ns/time", F_OK))
		SKIP(return, "the kernel has no time namespaces");
	EXPECT_EQ(0, times_in_a_namespace(self->fd, by_a_dump, buffer));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(0, times_in_a_namespace(self->fd, by_one_read, buffer));
	EXPECT_EQ(0, times_in_a_namespace(self->fd, by_a_read_each, buffer));
	EXPECT_EQ(0, stats_of(self->fd).depth_msgs);
}

/* spec: 6-dump */
TEST_F(own, nothing_is_consumed)
{
	char *first = map_pages(PAGE_SIZE), *second = map_pages(PAGE_SIZE), buffer[16];
	struct kmsgpipe_stats before;
	struct kmsgpipe_dump dump;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(5 + i % 2, write(self->fd, "message", 5 + i % 2));
	before = state_of(self->fd);
	EXPECT_EQ(0, dump_to(self->fd, first, PAGE_SIZE, &dump));
	EXPECT_EQ(10, dump.records);
	EXPECT_EQ(0, dump_to(self->fd, second, PAGE_SIZE, &dump));
	EXPECT_EQ(10, dump.records);
	EXPECT_EQ(0, memcmp(first, second, PAGE_SIZE));
	EXPECT_TRUE(unchanged(&before, self->fd));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(5 + i % 2, read(self->nonblocking, buffer, sizeof(buffer)));
	EXPECT_EQ(0, dump_to(self->fd, first, PAGE_SIZE, &dump));
	EXPECT_EQ(0, dump.records);
}

TEST_F_TIMEOUT(own, every_buffer_size_gets_whole_records_only, 120)
{
	/* Lengths from 1 to 9 bytes: records of 72 and of 80 bytes. */
	static char buffer[1024] __attribute__((aligned(8)));
	size_t size, used, total = 0, i;
	struct kmsgpipe_record *record;
	struct kmsgpipe_dump dump;
	unsigned int records;

	for (i = 1; i <= 9; i++) {
		ASSERT_EQ(i, write(self->fd, "123456789", i));
		total += record_size(i);
	}
	for (size = 0; size <= total + 8; size++) {
		memset(buffer, 0x55, sizeof(buffer));
		ASSERT_EQ(0, dump_to(self->fd, buffer, size, &dump));
		for (used = 0, records = 0; records < 9 && used + record_size(records + 1) <= size; records++)
			used += record_size(records + 1);
		ASSERT_EQ(used, dump.used) TH_LOG("size %zu", size);
		ASSERT_EQ(records, dump.records) TH_LOG("size %zu", size);
		ASSERT_EQ(9 - records, dump.missing) TH_LOG("size %zu", size);
		record = (void *)buffer;
		for (i = 1; i <= records; i++, record = next_record(record)) {
			ASSERT_EQ(i, record->len);
			ASSERT_EQ(0, memcmp(record + 1, "123456789", i));
		}
		for (i = size; i < sizeof(buffer); i++)
			ASSERT_EQ(0x55, buffer[i]) TH_LOG("size %zu, byte %zu", size, i);
	}
	EXPECT_EQ(9, dump.records);
}

TEST_F(own, a_null_buffer_of_size_zero_counts_records)
{
	struct kmsgpipe_dump dump;

	ASSERT_EQ(4, write(self->fd, "four", 4));
	ASSERT_EQ(4, write(self->fd, "four", 4));
	EXPECT_EQ(0, dump_to(self->fd, NULL, 0, &dump));
	EXPECT_EQ(0, dump.used);
	EXPECT_EQ(0, dump.records);
	EXPECT_EQ(2, dump.missing);
	/* An address that nothing is copied to is not checked. */
	EXPECT_EQ(0, dump_to(self->fd, bad_address, 71, &dump));
	EXPECT_EQ(2, dump.missing);
}

TEST_F(own, bad_memory_is_efault)
{
	struct kmsgpipe_dump dump, *readonly, *end;
	char *hole = map_pages(2 * PAGE_SIZE), *constant;

	ASSERT_EQ(0, mprotect(hole + PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	constant = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(4, write(self->fd, "four", 4));
	ASSERT_EQ(4, write(self->fd, "more", 4));

	/* A bad buffer. */
	EXPECT_EQ(-EFAULT, dump_to(self->fd, NULL, PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, bad_address, 72, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, constant, PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, (void *)(1UL << 63), PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, (void *)-8, PAGE_SIZE, &dump));
	/* Memory that ends in the second payload, in the second header, and in the first record. */
	EXPECT_EQ(-EFAULT, dump_to(self->fd, hole + PAGE_SIZE - 143, PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, hole + PAGE_SIZE - 136, PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, hole + PAGE_SIZE - 73, PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, hole + PAGE_SIZE - 64, PAGE_SIZE, &dump));
	EXPECT_EQ(-EFAULT, dump_to(self->fd, hole + PAGE_SIZE - 1, PAGE_SIZE, &dump));
	/* A buffer that holds exactly the two records. */
	EXPECT_EQ(0, dump_to(self->fd, hole + PAGE_SIZE - 144, PAGE_SIZE, &dump));
	EXPECT_EQ(2, dump.records);

	/* A bad argument. */
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_DUMP, NULL)));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_DUMP, (void *)(1UL << 63))));
	end = (void *)(hole + PAGE_SIZE - sizeof(dump) + 8);
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_DUMP, end)));
	readonly = map_pages(PAGE_SIZE);
	readonly->buffer = (uintptr_t)hole;
	readonly->size = PAGE_SIZE;
	ASSERT_EQ(0, mprotect(readonly, PAGE_SIZE, PROT_READ));
	EXPECT_EQ(-EFAULT, TRY(ioctl(self->fd, KMSGPIPE_DUMP, readonly)));
	EXPECT_EQ(2, stats_of(self->fd).depth_msgs);
	EXPECT_EQ(0, dump_to(self->fd, hole, PAGE_SIZE, &dump));
	EXPECT_EQ(2, dump.records);
}

TEST_F(own, sizes_beyond_the_address_space_are_accepted)
{
	static const unsigned long long sizes[] = { 1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL };
	struct kmsgpipe_dump dump;
	char *buffer = map_pages(PAGE_SIZE);
	int i;

	ASSERT_EQ(4, write(self->fd, "four", 4));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, dump_to(self->fd, buffer, sizes[i], &dump)) TH_LOG("size %llx", sizes[i]);
		EXPECT_EQ(72, dump.used);
		EXPECT_EQ(1, dump.records);
		EXPECT_EQ(0, dump.missing);
		EXPECT_EQ(-EFAULT, dump_to(self->fd, NULL, sizes[i], &dump));
		EXPECT_EQ(-EFAULT, dump_to(self->fd, (void *)-8, sizes[i], &dump));
	}
}

TEST_F(own, nonzero_reserved_fields_are_einval)
{
	static const unsigned long long values[] = { 1, 1ULL << 31, UINT32_MAX, 1ULL << 63 };
	struct kmsgpipe_dump dump;
	char buffer[64];
	int i, j;

	ASSERT_EQ(4, write(self->fd, "four", 4));
	memset(buffer, 0x55, sizeof(buffer));
	for (i = 0; i < 2; i++)
		for (j = 0; j < 4; j++) {
			dump = (struct kmsgpipe_dump){ .buffer = (uintptr_t)buffer, .size = sizeof(buffer) };
			dump.reserved[i] = values[j];
			EXPECT_EQ(-EINVAL, TRY(ioctl(self->fd, KMSGPIPE_DUMP, &dump)));
			EXPECT_EQ(0, dump.used | dump.records | dump.missing);
		}
	EXPECT_EQ(0x55, buffer[0]);
}

/* spec: 6-dump */
TEST_F(own, works_on_every_descriptor_with_cap_sys_admin)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	struct kmsgpipe_dump dump;
	char *buffer = map_pages(PAGE_SIZE);
	int i, fd, status;
	pid_t child;

	ASSERT_EQ(4, write(self->fd, "four", 4));
	for (i = 0; i < 4; i++) {
		fd = open_id(self->id, flags[i]);
		EXPECT_EQ(0, dump_to(fd, buffer, PAGE_SIZE, &dump));
		EXPECT_EQ(1, dump.records);
		close(fd);
	}
	memset(buffer, 0x55, PAGE_SIZE);
	child = fork();
	if (!child) {
		if (setgid(12) || setuid(34))
			_exit(1);
		_exit(dump_to(self->fd, buffer, PAGE_SIZE, &dump) != -EPERM || dump.records != ~0U || *buffer != 0x55);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F_TIMEOUT(own, records_across_segment_boundaries_match_later_reads, 120)
{
	/* Lengths around those that fit into one segment, and into several. */
	static const size_t around[] = { 4096, 8192, 16384, 65536 };
	char *sent = map_pages(1 << 17), *buffer = map_pages(1 << 22), *got = map_pages(1 << 17);
	struct kmsgpipe_record *record;
	struct kmsgpipe_dump dump;
	unsigned int number = 0, i;
	size_t len;

	ASSERT_EQ(0, set_limits(self->fd, 1 << 17, 512));
	for (i = 0; i < 4; i++)
		for (len = around[i] - 64; len <= around[i] + 8; len += 3, number++)
			ASSERT_EQ(len, write(self->fd, sent, numbered(sent, number, len)));
	for (len = 1; len < 64; len++, number++)
		ASSERT_EQ(len, write(self->fd, sent, numbered(sent, number, len)));
	ASSERT_EQ(0, dump_to(self->fd, buffer, 1 << 22, &dump));
	ASSERT_EQ(number, dump.records);
	ASSERT_EQ(0, dump.missing);
	record = (void *)buffer;
	for (i = 0; i < number; i++, record = next_record(record)) {
		ASSERT_TRUE(is_numbered((char *)(record + 1), i, record->len)) TH_LOG("message %u", i);
		/* A read gets the same payload. */
		ASSERT_EQ(record->len, read(self->fd, got, 1 << 17));
		ASSERT_EQ(0, memcmp(record + 1, got, record->len));
	}
	EXPECT_EQ(dump.used, (char *)record - buffer);
}

TEST_F_TIMEOUT(own, the_maximum_number_of_messages_is_dumped, 300)
{
	const unsigned int count = KMSGPIPE_MAX_MSGS_MAX;
	char *buffer = map_pages((size_t)count * 72);
	struct kmsgpipe_record *record = (void *)buffer;
	unsigned long long first;
	struct kmsgpipe_dump dump;
	unsigned int i;
	char byte;

	ASSERT_EQ(0, set_limits(self->fd, 1, count));
	for (i = 0; i < count; i++) {
		byte = i % 251;
		ASSERT_EQ(1, write(self->nonblocking, &byte, 1));
	}
	EXPECT_EQ(-EAGAIN, TRY(write(self->nonblocking, &byte, 1)));
	first = stats_of(self->fd).head_seq;
	/* A buffer that is one byte too short for all records. */
	ASSERT_EQ(0, dump_to(self->fd, buffer, (size_t)count * 72 - 1, &dump));
	EXPECT_EQ(count - 1, dump.records);
	EXPECT_EQ(1, dump.missing);
	ASSERT_EQ(0, dump_to(self->fd, buffer, (size_t)count * 72, &dump));
	EXPECT_EQ(count, dump.records);
	EXPECT_EQ(0, dump.missing);
	EXPECT_EQ((size_t)count * 72, dump.used);
	for (i = 0; i < count; i++, record = next_record(record)) {
		ASSERT_EQ(first + i, record->seq);
		ASSERT_EQ(1, record->len);
		ASSERT_EQ((char)(i % 251), *(char *)(record + 1));
	}
	ASSERT_EQ(0, dump_to(self->fd, NULL, 0, &dump));
	EXPECT_EQ(count, dump.missing);
	EXPECT_EQ(count, stats_of(self->fd).depth_msgs);
}

TEST_F_TIMEOUT(own, the_maximum_payload_is_dumped, 300)
{
	const size_t len = KMSGPIPE_MSG_SIZE_MAX, size = 64 * record_size(len);
	char *sent = map_pages(len), *buffer = map_pages(size);
	struct kmsgpipe_record *record = (void *)buffer;
	struct kmsgpipe_dump dump;
	unsigned int i;

	ASSERT_EQ(0, set_limits(self->fd, len, 64));
	for (i = 0; i < 64; i++) {
		memset(sent, 'A' + i, len);
		ASSERT_EQ(len, write(self->nonblocking, sent, len));
	}
	ASSERT_EQ(0, dump_to(self->fd, buffer, size, &dump));
	EXPECT_EQ(64, dump.records);
	EXPECT_EQ(0, dump.missing);
	EXPECT_EQ(size, dump.used);
	for (i = 0; i < 64; i++, record = next_record(record)) {
		memset(sent, 'A' + i, len);
		ASSERT_EQ(len, record->len);
		ASSERT_EQ(0, memcmp(record + 1, sent, len));
	}
	EXPECT_EQ(64, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
}

TEST_HARNESS_MAIN
