// SPDX-License-Identifier: GPL-2.0
/*
 * Injected faults where an open file comes to keep part of a message: the rest of a message, and with
 * KMSGPIPE_MODE_LINES a partial line.
 */
#include "lib/fault_fixture.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"
#include "lib/views.h"

/* It does not matter which allocator the memory comes from. */
#define LACKS .error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .shortages = 1

/* ---- Reading ---- */

static long read_a_piece(struct stage *stage, size_t len)
{
	return transferred(TRY(read(stage->fd, stage->in, len)), len);
}

static long read_3(struct stage *stage) { return read_a_piece(stage, 3); }
static long read_5000(struct stage *stage) { return read_a_piece(stage, 5000); }

static long readv_3(struct stage *stage)
{
	struct iovec iov[] = { { stage->in, 1 }, { stage->in + 1, 2 } };

	return transferred(TRY(readv(stage->fd, iov, 2)), 3);
}

static long preadv2_3(struct stage *stage)
{
	struct iovec iov = { stage->in, 3 };

	return transferred(TRY(preadv2(stage->fd, &iov, 1, -1, RWF_NOWAIT)), 3);
}

static long splice_3(struct stage *stage)
{
	return transferred(TRY(splice(stage->fd, NULL, stage->ends[1], NULL, 3, SPLICE_F_NONBLOCK)), 3);
}

/*
 * Whether the call got this many bytes of the oldest message, the next read gets the rest, and the others are queued.
 */
static int read_so_far(struct stage *stage, size_t len)
{
	size_t rest = stage->lens[0] - len;

	return stage->in[len] == 0x55 && rest_bytes(stage->fd) == (long long)rest &&
	       read(stage->fd, stage->in + len, sizeof(stage->in) - len) == (ssize_t)rest && read_oldest(stage);
}

static int has_read_3(struct stage *stage) { return read_so_far(stage, 3); }
static int has_read_5000(struct stage *stage) { return read_so_far(stage, 5000); }

static int has_spliced_3(struct stage *stage)
{
	return read(stage->ends[0], stage->in, 3) == 3 && read_so_far(stage, 3);
}

static int keeps_no_rest(struct stage *stage)
{
	return rest_bytes(stage->fd) == 0;
}

FIXTURE_VARIANT_ADD(call, short_read_of_a_message) {
	.prepare = two_messages, .run = read_3, .finished = has_read_3, .failed = keeps_no_rest, .points = { [COPY] = 1 }, LACKS,
};

FIXTURE_VARIANT_ADD(call, short_read_of_a_long_message) {
	.prepare = long_and_short, .run = read_5000, .finished = has_read_5000, .failed = keeps_no_rest, .points = { [COPY] = 2 },
	LACKS,
};

FIXTURE_VARIANT_ADD(call, short_readv_of_a_message) {
	.prepare = two_messages, .run = readv_3, .finished = has_read_3, .failed = keeps_no_rest, .points = { [COPY] = 2 }, LACKS,
};

FIXTURE_VARIANT_ADD(call, short_preadv2_with_rwf_nowait) {
	.prepare = two_messages, .run = preadv2_3, .finished = has_read_3, .failed = keeps_no_rest, .points = { [COPY] = 1 }, LACKS,
};

FIXTURE_VARIANT_ADD(call, short_splice_of_a_message) {
	.prepare = two_messages, .run = splice_3, .finished = has_spliced_3, .failed = keeps_no_rest, LACKS,
};

static void a_rest(struct stage *stage)
{
	long_and_short(stage);
	if (read_5000(stage))
		abort();
	memset(stage->in, 0x55, sizeof(stage->in));
}

static long read_the_rest(struct stage *stage)
{
	return transferred(TRY(read(stage->fd, stage->in, sizeof(stage->in))), MSG_SIZE - 5000);
}

static int has_read_the_rest(struct stage *stage)
{
	static char expected[MSG_SIZE];

	content(expected, 0, MSG_SIZE);
	return !memcmp(stage->in, expected + 5000, MSG_SIZE - 5000) && stage->in[MSG_SIZE - 5000] == 0x55 &&
	       rest_bytes(stage->fd) == 0 && holds_messages(stage, 1, stage->queued);
}

static int keeps_the_rest(struct stage *stage)
{
	return rest_bytes(stage->fd) == MSG_SIZE - 5000;
}

/* This needs no memory. */
FIXTURE_VARIANT_ADD(call, read_of_a_rest) {
	.prepare = a_rest, .run = read_the_rest, .finished = has_read_the_rest, .failed = keeps_the_rest,
	.error = { [COPY] = EFAULT }, .points = { [COPY] = 3 },
};

/* ---- Writing ---- */

/* Lines are copied without the lock, so a fault there is final: there is no second attempt. */
#define MAY_FAULT { [SLAB] = ENOMEM, [PAGE] = ENOMEM, [COPY] = EFAULT }

static void no_line(struct stage *stage)
{
	empty_stage(stage);
	if (set_mode(stage->fd, KMSGPIPE_MODE_LINES))
		abort();
}

static void beginning(struct stage *stage)
{
	no_line(stage);
	if (write_text(stage->fd, "begin") != 5)
		abort();
}

static void long_beginning(struct stage *stage)
{
	no_line(stage);
	memset(stage->out, 'x', 9000);
	if (write(stage->fd, stage->out, 4000) != 4000)
		abort();
}

static long begin_a_line(struct stage *stage) { return transferred(write_text(stage->fd, "beginning"), 9); }
static long go_on(struct stage *stage) { return transferred(write_text(stage->fd, "ning"), 4); }
static long go_on_long(struct stage *stage) { return transferred(TRY(write(stage->fd, stage->out + 4000, 5000)), 5000); }
static long end_the_line(struct stage *stage) { return transferred(write_text(stage->fd, "ning\n"), 5); }
static long write_a_line(struct stage *stage) { return transferred(write_text(stage->fd, "beginning\n"), 10); }

/* Whether exactly this line is queued. */
static int is_queued(struct stage *stage)
{
	return line_bytes(stage->fd) == 0 && !strcmp("beginning\n", read_text(stage->fd, 100)) && holds_messages(stage, 0, 0);
}

/* Whether the file keeps this partial line; it is queued when the line ends. */
static int is_kept(struct stage *stage)
{
	return line_bytes(stage->fd) == 9 && holds_messages(stage, 0, 0) && write_text(stage->fd, "\n") == 1 && is_queued(stage);
}

static int long_is_kept(struct stage *stage)
{
	stage->out[9000] = '\n';
	return line_bytes(stage->fd) == 9000 && write_text(stage->fd, "\n") == 1 &&
	       read(stage->fd, stage->in, sizeof(stage->in)) == 9001 && !memcmp(stage->in, stage->out, 9001) &&
	       holds_messages(stage, 0, 0);
}

static int keeps_no_line(struct stage *stage)
{
	return line_bytes(stage->fd) == 0;
}

static int keeps_the_beginning(struct stage *stage)
{
	return line_bytes(stage->fd) == 5;
}

static int keeps_the_long_beginning(struct stage *stage)
{
	return line_bytes(stage->fd) == 4000;
}

FIXTURE_VARIANT_ADD(call, write_of_a_partial_line) {
	.prepare = no_line, .run = begin_a_line, .finished = is_kept, .failed = keeps_no_line,
	.error = MAY_FAULT, .shortages = 1,
};

FIXTURE_VARIANT_ADD(call, write_that_extends_a_partial_line) {
	.prepare = beginning, .run = go_on, .finished = is_kept, .failed = keeps_the_beginning,
	.error = MAY_FAULT,
};

FIXTURE_VARIANT_ADD(call, write_that_extends_a_partial_line_by_pages) {
	.prepare = long_beginning, .run = go_on_long, .finished = long_is_kept, .failed = keeps_the_long_beginning,
	.error = MAY_FAULT, .shortages = 1,
};

/* At least a page for the record of the message and one for its payload. */
FIXTURE_VARIANT_ADD(call, write_that_ends_the_line) {
	.prepare = beginning, .run = end_the_line, .finished = is_queued, .failed = keeps_the_beginning,
	.error = MAY_FAULT, .points = { [PAGE] = 2 }, .failures = { [PAGE] = 2 },
};

FIXTURE_VARIANT_ADD(call, write_of_a_line) {
	.prepare = no_line, .run = write_a_line, .finished = is_queued, .failed = keeps_no_line,
	.error = MAY_FAULT, .points = { [PAGE] = 2 }, .failures = { [PAGE] = 2 },
};

static void another_file_with_a_beginning(struct stage *stage)
{
	empty_stage(stage);
	stage->made = open_id(stage->id, O_WRONLY);
	if (set_mode(stage->made, KMSGPIPE_MODE_LINES) || write_text(stage->made, "beginning") != 9)
		abort();
}

static long close_it(struct stage *stage)
{
	int fd = stage->made;

	stage->made = -1;
	return TRY(close(fd));
}

/* close cannot report an error: without memory for the message the partial line may be lost. */
static int may_be_queued(struct stage *stage)
{
	if (stats_of(stage->fd).depth_msgs && strcmp("beginning", read_text(stage->fd, 100)))
		return 0;
	return holds_messages(stage, 0, 0);
}

FIXTURE_VARIANT_ADD(call, close_with_a_partial_line) {
	.prepare = another_file_with_a_beginning, .run = close_it, .finished = may_be_queued,
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
