// SPDX-License-Identifier: GPL-2.0
#include "lib/stage.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/views.h"

/* The state that a failing call must not change. */
struct snapshot {
	struct kmsgpipe_stats stats;
	struct kmsgpipe_dump dump;
	char records[MAX_MSGS * (sizeof(struct kmsgpipe_record) + MSG_SIZE)];
	int flags, pipes, waiting_bytes;
	long references;
};

void content(char *to, unsigned int i, size_t len)
{
	size_t k;

	for (k = 0; k < len; k++)
		to[k] = (char)(i * 37 + k * 7 + k / 251 + 1);
}

int is_content(const char *text, unsigned int i, size_t len)
{
	static char expected[MSG_SIZE];

	content(expected, i, len);
	return !memcmp(text, expected, len);
}

void message_of(struct stage *stage, size_t len)
{
	stage->len = len;
	content(stage->out, stage->queued, len);
}

void queue_message(struct stage *stage, size_t len)
{
	message_of(stage, len);
	if (write(stage->fd, stage->out, len) != (ssize_t)len)
		abort();
	stage->lens[stage->queued++] = len;
}

static void drain(int fd)
{
	char byte[512];
	int waiting;

	while (!ioctl(fd, FIONREAD, &waiting) && waiting > 0)
		if (read(fd, byte, sizeof(byte)) <= 0)
			abort();
}

void empty_stage(struct stage *stage)
{
	if (stage->made >= 0)
		close(stage->made);
	stage->made = -1;
	if (stage->with >= 0)
		close(stage->with);
	stage->with = -1;
	drain(stage->ends[0]);
	if (ioctl(stage->fd, KMSGPIPE_CLEAR_QUEUE))
		abort();
	close(stage->fd);
	stage->fd = open_id(stage->id, O_RDWR | O_NONBLOCK);
	if (debug_value(stage->id, "segments") || debug_value(stage->id, "spare_segments"))
		abort();
	stage->queued = 0;
	/* Populates both buffers, so that no page fault allocates memory in the call. */
	memset(stage->in, 0x55, sizeof(stage->in));
	memset(stage->out, 0, sizeof(stage->out));
}

void stage_with_spare(struct stage *stage)
{
	empty_stage(stage);
	queue_message(stage, MSG_SIZE);
	if (read(stage->fd, stage->in, MSG_SIZE) != MSG_SIZE)
		abort();
	stage->queued = 0;
	memset(stage->in, 0x55, sizeof(stage->in));
}

void two_messages(struct stage *stage)
{
	empty_stage(stage);
	queue_message(stage, 7);
	queue_message(stage, 9);
}

void long_and_short(struct stage *stage)
{
	empty_stage(stage);
	queue_message(stage, MSG_SIZE);
	queue_message(stage, 9);
}

long transferred(long ret, size_t len)
{
	if (ret < 0)
		return ret;
	return ret == (long)len ? 0 : 1 + ret;
}

int holds_messages(struct stage *stage, unsigned int first, unsigned int queued)
{
	static char text[2 * MSG_SIZE];
	unsigned int i;

	for (i = first; i < queued; i++)
		if (TRY(read(stage->fd, text, sizeof(text))) != (long)stage->lens[i] ||
		    !is_content(text, i, stage->lens[i]))
			return 0;
	return TRY(read(stage->fd, text, sizeof(text))) == -EAGAIN;
}

int wrote_message(struct stage *stage)
{
	stage->lens[stage->queued] = stage->len;
	return holds_messages(stage, 0, stage->queued + 1);
}

int read_oldest(struct stage *stage)
{
	return is_content(stage->in, 0, stage->lens[0]) && stage->in[stage->lens[0]] == 0x55 &&
	       holds_messages(stage, 1, stage->queued);
}

int kept_messages(struct stage *stage)
{
	return holds_messages(stage, 0, stage->queued);
}

static long number_in(const char *path)
{
	char text[32] = "";
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return -1;
	if (read(file, text, sizeof(text) - 1) <= 0)
		abort();
	close(file);
	return atol(text);
}

static int lines_in(const char *path)
{
	FILE *file = fopen(path, "re");
	int lines = 0, c;

	if (!file)
		abort();
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static void take_snapshot(struct stage *stage, struct snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->stats = state_of(stage->fd);
	snapshot->dump.buffer = (uintptr_t)snapshot->records;
	snapshot->dump.size = sizeof(snapshot->records);
	if (ioctl(stage->fd, KMSGPIPE_DUMP, &snapshot->dump))
		abort();
	snapshot->dump.buffer = 0;
	snapshot->flags = fcntl(stage->fd, F_GETFL);
	snapshot->pipes = lines_in("/proc/kmsgpipe_stats");
	snapshot->references = number_in("/sys/module/kmsgpipe/refcnt");
	if (ioctl(stage->ends[0], FIONREAD, &snapshot->waiting_bytes))
		abort();
}

/* Makes the call beside its helper thread; with n, also returns the kind of the n-th fault point, which fails. */
static long run_beside(const FIXTURE_VARIANT(call) *call, struct stage *stage, int n, enum kind *kind)
{
	struct fault fault;
	long ret;

	if (call->beside) {
		stage->over = 0;
		stage->tid = 0;
		if (pthread_create(&stage->helper, NULL, call->beside, stage))
			abort();
	}
	if (n) {
		fault = arm_fault(n);
		ret = call->run(stage);
		*kind = fired_fault(&fault);
	} else {
		ret = call->run(stage);
	}
	if (call->beside) {
		__atomic_store_n(&stage->over, 1, __ATOMIC_RELEASE);
		if (pthread_join(stage->helper, NULL))
			abort();
	}
	return ret;
}

/*
 * Tries a call once with the n-th fault point failing. Returns the kind of that point, and whether the call failed.
 */
static enum kind attempt(struct __test_metadata *_metadata, const FIXTURE_VARIANT(call) *call,
				struct stage *stage, int n, int *failed)
{
	static struct snapshot before, after;
	enum kind kind = KINDS;
	long ret;

	call->prepare(stage);
	take_snapshot(stage, &before);
	ASSERT_TRUE(accounted(&before.stats));
	ret = run_beside(call, stage, n, &kind);
	*failed = ret != call->result;
	if (!*failed) {
		/*
		 * A call may succeed despite a fault: allocations for debugging may fail unnoticed, and a copy is
		 * tried again.
		 */
		ASSERT_TRUE(call->finished(stage)) TH_LOG("%s fault %d", kind_names[kind], n);
		return kind;
	}
	ASSERT_NE(KINDS, kind) TH_LOG("without a fault: %ld", ret);
	ASSERT_TRUE(ret < 0 && (ret == -call->error[kind] || ret == -call->other[kind]))
		TH_LOG("%s fault %d: %ld", kind_names[kind], n, ret);
	take_snapshot(stage, &after);
	ASSERT_EQ(0, memcmp(&before.stats, &after.stats, sizeof(before.stats)))
		TH_LOG("%s fault %d: the statistics", kind_names[kind], n);
	ASSERT_EQ(0, memcmp(&before, &after, sizeof(before))) TH_LOG("%s fault %d", kind_names[kind], n);
	if (call->failed)
		ASSERT_TRUE(call->failed(stage)) TH_LOG("%s fault %d", kind_names[kind], n);
	ASSERT_EQ(call->result, run_beside(call, stage, 0, NULL));
	ASSERT_TRUE(call->finished(stage)) TH_LOG("after %s fault %d", kind_names[kind], n);
	return kind;
}

/* How often each fault point is tried. The allocator's own allocations shift the fault points from call to call. */
#define ROUNDS 2

void fail_each_point(struct __test_metadata *_metadata, const FIXTURE_VARIANT(call) *call, struct stage *stage)
{
	struct __fixture_variant_metadata *name = _metadata->fixture->variant;
	int points[KINDS] = { 0 }, failures[KINDS] = { 0 }, n, round, failed;
	enum kind kind;

	while (name->data != call)
		name = name->next;
	/* The first call, without faults, makes allocations that happen only once. */
	call->prepare(stage);
	ASSERT_EQ(call->result, run_beside(call, stage, 0, NULL));
	ASSERT_TRUE(call->finished(stage));

	for (kind = 0; kind < KINDS; kind++) {
		int any = 1, there, noticed;

		inject_only(kind);
		for (n = 1; any; n++) {
			any = there = noticed = 0;
			for (round = 0; round < ROUNDS; round++) {
				enum kind was = attempt(_metadata, call, stage, n, &failed);

				any |= was != KINDS;
				there |= was == kind;
				noticed |= was == kind && failed;
			}
			points[kind] += there;
			failures[kind] += noticed;
		}
	}
	printf("# %s%s%s: faults of slabs %d (%d noticed), pages %d (%d), copies %d (%d)\n", name->name,
	       stage->path ? " " : "", stage->path ?: "", points[SLAB], failures[SLAB], points[PAGE],
	       failures[PAGE], points[COPY], failures[COPY]);
	for (kind = 0; kind < KINDS; kind++) {
		EXPECT_LE(call->points[kind], points[kind]) TH_LOG("%s", kind_names[kind]);
		EXPECT_LE(call->failures[kind], failures[kind]) TH_LOG("%s", kind_names[kind]);
	}
	EXPECT_LE(call->shortages, failures[SLAB] + failures[PAGE]);
}
