// SPDX-License-Identifier: GPL-2.0
/* Injected faults in splice, sendfile and io_uring. */
#include "lib/fault_fixture.h"
#include "lib/harness.h"
#include "lib/inject.h"
#include "lib/pipe.h"
#include "lib/stage.h"
#include "lib/tasks.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

/* ---- splice and sendfile ---- */

/* Reads of whole messages: a splice that gets only some of the pages that it needs would move part of a message. */
static void long_and_short_whole(struct stage *stage)
{
	long_and_short(stage);
	if (set_mode(stage->fd, KMSGPIPE_MODE_WHOLE))
		abort();
}

static long splice_out(struct stage *stage)
{
	return transferred(TRY(splice(stage->fd, NULL, stage->ends[1], NULL, MSG_SIZE, SPLICE_F_NONBLOCK)), stage->lens[0]);
}

static long sendfile_out(struct stage *stage)
{
	return transferred(TRY(sendfile(stage->ends[1], stage->fd, NULL, MSG_SIZE)), stage->lens[0]);
}

static int got_out(struct stage *stage)
{
	return read(stage->ends[0], stage->in, MSG_SIZE) == (long)stage->lens[0] && read_oldest(stage);
}

/* Puts the content of the message into the pipe(2). */
static void fed(struct stage *stage, size_t len)
{
	empty_stage(stage);
	queue_message(stage, 9);
	message_of(stage, len);
}

static void fed_by_write(struct stage *stage)
{
	fed(stage, 7);
	if (write(stage->ends[1], stage->out, 7) != 7)
		abort();
}

static void fed_much(struct stage *stage)
{
	fed(stage, MSG_SIZE);
	if (write(stage->ends[1], stage->out, MSG_SIZE) != MSG_SIZE)
		abort();
}

static void fed_by_vmsplice(struct stage *stage)
{
	struct iovec iov = { stage->out, MSG_SIZE };

	fed(stage, MSG_SIZE);
	if (vmsplice(stage->ends[1], &iov, 1, 0) != MSG_SIZE)
		abort();
}

static long splice_in(struct stage *stage)
{
	return transferred(TRY(splice(stage->ends[0], NULL, stage->fd, NULL, MSG_SIZE, SPLICE_F_NONBLOCK)), stage->len);
}

static int wrote_all(struct stage *stage)
{
	int waiting = -1;

	return !ioctl(stage->ends[0], FIONREAD, &waiting) && !waiting && wrote_message(stage);
}

static void file_to_send(struct stage *stage)
{
	fed(stage, MSG_SIZE);
	stage->with = memfd_create("content", MFD_CLOEXEC);
	if (stage->with < 0 || write(stage->with, stage->out, MSG_SIZE) != MSG_SIZE)
		abort();
}

/* sendfile without an offset: the position of the file tells how much was sent. */
static long sendfile_in(struct stage *stage)
{
	if (lseek(stage->with, 0, SEEK_CUR) == MSG_SIZE && lseek(stage->with, 0, SEEK_SET))
		abort();
	return transferred(TRY(sendfile(stage->fd, stage->with, NULL, MSG_SIZE)), MSG_SIZE);
}

static int sent_all(struct stage *stage)
{
	return lseek(stage->with, 0, SEEK_CUR) == MSG_SIZE && wrote_message(stage);
}

static int sent_nothing(struct stage *stage)
{
	return lseek(stage->with, 0, SEEK_CUR) == 0;
}

FIXTURE_VARIANT_ADD(call, splice_from_the_pipe_of_a_short_message) {
	.prepare = two_messages, .run = splice_out, .finished = got_out,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1, [PAGE] = 1 },
	.failures = { [SLAB] = 1, [PAGE] = 1 },
};

/* With only some of the pages the message does not fit: that is how splice reports a lack of memory. */
FIXTURE_VARIANT_ADD(call, splice_from_the_pipe_of_a_long_message) {
	.prepare = long_and_short_whole, .run = splice_out, .finished = got_out,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .other = { [PAGE] = EMSGSIZE }, .points = { [SLAB] = 1, [PAGE] = 1 },
	.failures = { [SLAB] = 1, [PAGE] = 1 },
};

FIXTURE_VARIANT_ADD(call, sendfile_from_the_pipe) {
	.prepare = long_and_short_whole, .run = sendfile_out, .finished = got_out,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .other = { [PAGE] = EMSGSIZE }, .points = { [SLAB] = 1, [PAGE] = 1 },
	.failures = { [SLAB] = 1, [PAGE] = 1 },
};

FIXTURE_VARIANT_ADD(call, splice_into_the_pipe_of_a_short_message) {
	.prepare = fed_by_write, .run = splice_in, .finished = wrote_all,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1 }, .failures = { [SLAB] = 1 },
};

FIXTURE_VARIANT_ADD(call, splice_into_the_pipe_of_a_long_message) {
	.prepare = fed_much, .run = splice_in, .finished = wrote_all,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1, [PAGE] = 4 },
	.failures = { [SLAB] = 1, [PAGE] = 4 },
};

FIXTURE_VARIANT_ADD(call, splice_into_the_pipe_of_user_memory) {
	.prepare = fed_by_vmsplice, .run = splice_in, .finished = wrote_all,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1, [PAGE] = 4 },
	.failures = { [SLAB] = 1, [PAGE] = 4 },
};

FIXTURE_VARIANT_ADD(call, sendfile_into_the_pipe) {
	.prepare = file_to_send, .run = sendfile_in, .finished = sent_all, .failed = sent_nothing,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1, [PAGE] = 4 },
	.failures = { [SLAB] = 1, [PAGE] = 4 },
};

/* ---- io_uring ---- */

/* The stage's ring; there is one at a time. */
static struct {
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *rings;
	size_t size;
} ring;

static unsigned int *at(unsigned int offset)
{
	return (unsigned int *)(ring.rings + offset);
}

/* Opens a blocking descriptor. If a ring has no memory to wait by poll, a worker thread waits in the call. */
static void new_ring(struct stage *stage)
{
	stage->made = open_id(stage->id, O_RDWR);
	if (ring.rings && (munmap(ring.rings, ring.size) || munmap(ring.sqes, PAGE_SIZE)))
		abort();
	memset(&ring, 0, sizeof(ring));
	stage->with = syscall(SYS_io_uring_setup, 1, &ring.params);
	ring.size = ring.params.cq_off.cqes + ring.params.cq_entries * sizeof(struct io_uring_cqe);
	ring.rings = mmap(NULL, ring.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, stage->with,
			  IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, stage->with,
			 IORING_OFF_SQES);
	if (stage->with < 0 || ring.rings == MAP_FAILED || ring.sqes == MAP_FAILED)
		abort();
}

/* Submits a request and waits for its completion: its result. */
static long through_ring(struct stage *stage, int op, void *buffer, unsigned int len)
{
	struct io_uring_cqe *cqes = (void *)(ring.rings + ring.params.cq_off.cqes);
	unsigned int *head = at(ring.params.cq_off.head);
	long ret, result;

	memset(ring.sqes, 0, sizeof(*ring.sqes));
	ring.sqes->opcode = op;
	ring.sqes->fd = stage->made;
	ring.sqes->addr = (uintptr_t)buffer;
	ring.sqes->len = len;
	ring.sqes->off = op == IORING_OP_POLL_ADD ? 0 : -1ULL;
	if (op == IORING_OP_POLL_ADD)
		ring.sqes->poll32_events = EPOLLIN;
	*at(ring.params.sq_off.array) = 0;
	/* Submits again a request that was not accepted. */
	__atomic_store_n(at(ring.params.sq_off.tail), *at(ring.params.sq_off.head) + 1, __ATOMIC_RELEASE);
	ret = TRY(syscall(SYS_io_uring_enter, stage->with, 1, 0, 0, NULL, 0));
	if (ret != 1)
		return ret;
	if (__atomic_load_n(at(ring.params.cq_off.tail), __ATOMIC_ACQUIRE) == *head) {
		/* From here on the task waits for the helper thread. */
		__atomic_store_n(&stage->tid, gettid(), __ATOMIC_RELEASE);
		ret = TRY(syscall(SYS_io_uring_enter, stage->with, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	}
	if (ret < 0)
		return ret;
	result = cqes[*head & *at(ring.params.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static long uring_read(struct stage *stage)
{
	return transferred(through_ring(stage, IORING_OP_READ, stage->in, MSG_SIZE), stage->lens[0]);
}

static long uring_write(struct stage *stage)
{
	return transferred(through_ring(stage, IORING_OP_WRITE, stage->out, stage->len), stage->len);
}

static long uring_poll(struct stage *stage)
{
	long ret = through_ring(stage, IORING_OP_POLL_ADD, NULL, 0);

	return ret < 0 ? ret : !(ret & EPOLLIN);
}

static void ring_to_read(struct stage *stage)
{
	long_and_short(stage);
	new_ring(stage);
}

static void ring_to_write(struct stage *stage)
{
	fed(stage, MSG_SIZE);
	new_ring(stage);
}

static void ring_to_wait(struct stage *stage)
{
	empty_stage(stage);
	new_ring(stage);
	message_of(stage, 7);
	stage->lens[0] = 7;
}

/* Sends a message when the call waits for its completion; ends without it if the request was refused. */
static void *send_to_waiting(void *arg)
{
	struct stage *stage = arg;
	pid_t tid = 0;

	while (!tid && !__atomic_load_n(&stage->over, __ATOMIC_ACQUIRE)) {
		tid = __atomic_load_n(&stage->tid, __ATOMIC_ACQUIRE);
		sched_yield();
	}
	if (!tid)
		return NULL;
	await_asleep(tid);
	if (write(stage->fd, stage->out, 7) != 7)
		abort();
	return NULL;
}

static int got_it(struct stage *stage)
{
	return is_content(stage->in, 0, 7) && holds_messages(stage, 0, 0);
}

static int is_there(struct stage *stage)
{
	return holds_messages(stage, 0, 1);
}

/* The kernel allocates requests in batches, and falls back to a single one, so one fault is not enough. */
#define SUBMITTED .error = { [SLAB] = ENOMEM }, .points = { [SLAB] = 3 }, .failures = { [SLAB] = 1 }

FIXTURE_VARIANT_ADD(call, io_uring_read) {
	.prepare = ring_to_read, .run = uring_read, .finished = read_oldest, SUBMITTED,
};

FIXTURE_VARIANT_ADD(call, io_uring_write) {
	.prepare = ring_to_write, .run = uring_write, .finished = wrote_message,
	.error = { [SLAB] = ENOMEM, [PAGE] = ENOMEM }, .points = { [SLAB] = 1, [PAGE] = 4, [COPY] = 4 },
	.failures = { [SLAB] = 1, [PAGE] = 4 },
};

FIXTURE_VARIANT_ADD(call, io_uring_read_that_waits) {
	.prepare = ring_to_wait, .beside = send_to_waiting, .run = uring_read, .finished = got_it, SUBMITTED,
};

FIXTURE_VARIANT_ADD(call, io_uring_poll_that_waits) {
	.prepare = ring_to_wait, .beside = send_to_waiting, .run = uring_poll, .finished = is_there,
	.points = { [SLAB] = 3 },
};

TEST_F_TIMEOUT(call, failing_changes_nothing_and_a_retry_succeeds, 300)
{
	fail_each_point(_metadata, variant, self->stage);
}

TEST_HARNESS_MAIN
