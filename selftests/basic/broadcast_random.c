// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls on a broadcast pipe and a model of it: after each call, the counters of the pipe and what one file says
 * of its position must be those of the model. KMSGPIPE_SEED repeats a run.
 */
#include "lib/broadcast.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/random.h"
#include "lib/records.h"
#include "lib/views.h"

#define MAX_MSGS 5
#define FILES 6
#define CALLS 3000

static const char *const policies[] = { "block", "drop-oldest", "drop-newest" };

/* A number of messages and their bytes. */
struct tally {
	unsigned long long msgs, bytes;
};

/* An open file, or -1. What it has lost is counted when it gets there. */
struct file {
	int fd;
	int browses;
	unsigned long long next, lost, unreported, discards;
};

static struct model {
	unsigned int policy, history;
	/* The number of the oldest stored message, that of the first one of the backlog, and that of the next one. */
	unsigned long long stored, first, next;
	/* Messages that drop-newest has discarded. */
	unsigned long long discards;
	struct tally enqueued, dequeued, dropped, depth;
	struct file files[FILES];
	struct { unsigned int len; int was_read; unsigned long long discards; } messages[CALLS + 1];
} model;

static void add(struct tally *tally, unsigned int len)
{
	tally->msgs++;
	tally->bytes += len;
}

/* Removes what the history cannot keep. With drop-oldest it makes room for the backlog. */
static void trim(void)
{
	unsigned long long most = model.history, room = MAX_MSGS - model.depth.msgs;

	if (model.policy == KMSGPIPE_OVERFLOW_DROP_OLDEST && room < most)
		most = room;
	if (model.first - model.stored > most)
		model.stored = model.first - most;
}

/* The first message leaves the backlog, and becomes history. */
static void leave(void)
{
	unsigned int len = model.messages[model.first].len;

	add(model.messages[model.first].was_read ? &model.dequeued : &model.dropped, len);
	model.depth.msgs--;
	model.depth.bytes -= len;
	model.first++;
	trim();
}

/* Lets the messages leave the backlog that no subscription has yet to read. */
static void settle(void)
{
	unsigned int i;

	for (; model.first < model.next; leave()) {
		for (i = 0; i < FILES; i++)
			if (model.files[i].fd >= 0 && !model.files[i].browses && model.files[i].next <= model.first)
				break;
		if (i < FILES)
			break;
	}
}

/* Moves a file over what it can no longer get. */
static void catch_up(struct file *file)
{
	unsigned long long lost = 0, discards;

	if (file->next < model.stored) {
		lost = model.stored - file->next;
		file->next = model.stored;
	}
	discards = file->next < model.next ? model.messages[file->next].discards : model.discards;
	lost += discards - file->discards;
	file->discards = discards;
	file->lost += lost;
	file->unreported += lost;
}

/* Moves a file to a message. */
static void move_to(struct file *file, unsigned long long seq)
{
	file->next = seq < model.stored ? model.stored : seq > model.next ? model.next : seq;
	file->discards = file->next < model.next ? model.messages[file->next].discards : model.discards;
	file->lost = 0;
	file->unreported = 0;
}

/* Reads a message in the model. */
static void advance(struct file *file)
{
	if (!file->browses && file->next >= model.first)
		model.messages[file->next].was_read = 1;
	file->next++;
	file->unreported = 0;
}

static const char *model_counts(void)
{
	static char text[256];

	snprintf(text, sizeof(text), "%llu/%llu = %llu/%llu + 0/0 + %llu/%llu + %llu/%llu", model.enqueued.msgs,
		 model.enqueued.bytes, model.dequeued.msgs, model.dequeued.bytes, model.dropped.msgs, model.dropped.bytes,
		 model.depth.msgs, model.depth.bytes);
	return text;
}

static const char *model_position(const struct file *file)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s next %llu lag %llu lost %llu expired 0", file->browses ? "browse" : "own",
		 file->next, model.next - file->next, file->lost);
	return text;
}

/* The payload of a message. */
static const char *payload(unsigned long long seq)
{
	static char text[16];

	memset(text, 'a' + seq % 26, sizeof(text));
	text[model.messages[seq].len] = 0;
	return text;
}

/* What records_of() returns for `count` messages. */
static const char *model_records(struct file *file, unsigned int count)
{
	static char text[400];
	int at = 0;

	for (text[0] = 0; count; count--) {
		catch_up(file);
		if (file->next == model.next)
			break;
		at += snprintf(text + at, sizeof(text) - at, "%s%llu:%llu:%s", at ? " " : "", file->next, file->unreported,
			       payload(file->next));
		advance(file);
	}
	return at ? text : strerror(EAGAIN);
}

static long model_write(unsigned int len)
{
	if (model.depth.msgs == MAX_MSGS) {
		if (model.policy == KMSGPIPE_OVERFLOW_BLOCK)
			return -EAGAIN;
		if (model.policy == KMSGPIPE_OVERFLOW_DROP_NEWEST) {
			add(&model.enqueued, len);
			add(&model.dropped, len);
			model.discards++;
			return len;
		}
		leave();
	}
	model.messages[model.next].len = len;
	model.messages[model.next].was_read = 0;
	model.messages[model.next].discards = model.discards;
	model.next++;
	add(&model.enqueued, len);
	add(&model.depth, len);
	settle();
	trim();
	return len;
}

static void model_clear(void)
{
	while (model.first < model.next)
		leave();
	model.stored = model.next;
}

FIXTURE(random)
{
	int fd;
	long id;
	unsigned long long chance;
};

FIXTURE_VARIANT(random)
{
	unsigned int history;
};

FIXTURE_VARIANT_ADD(random, without_history) { .history = 0 };
FIXTURE_VARIANT_ADD(random, with_a_short_history) { .history = 2 };
FIXTURE_VARIANT_ADD(random, with_the_longest_history) { .history = MAX_MSGS };

FIXTURE_SETUP(random)
{
	unsigned int i;

	self->id = broadcast_pipe(MAX_MSGS, variant->history);
	self->fd = open_id(self->id, O_WRONLY | O_NONBLOCK);
	self->chance = new_seed();
	printf("# seed %llu (KMSGPIPE_SEED repeats it)\n", self->chance);
	memset(&model, 0, sizeof(model));
	model.history = variant->history;
	model.stored = model.first = model.next = 1;
	for (i = 0; i < FILES; i++)
		model.files[i].fd = -1;
}

FIXTURE_TEARDOWN(random)
{
	unsigned int i;

	for (i = 0; i < FILES; i++)
		if (model.files[i].fd >= 0)
			close(model.files[i].fd);
	expect_destroyed(_metadata, self->fd);
	close(self->fd);
}

/* Opens or closes the file. */
static const char *open_or_close(FIXTURE_DATA(random) *self, struct file *file)
{
	if (file->fd >= 0) {
		close(file->fd);
		file->fd = -1;
		settle();
		return "close";
	}
	file->fd = subscribe(self->id);
	file->browses = 0;
	move_to(file, model.next < model.history ? 0 : model.next - model.history);
	return "open";
}

/* Calls ATTACH. */
static const char *move_it(struct __test_metadata *_metadata, FIXTURE_DATA(random) *self, struct file *file)
{
	unsigned int start = pick(&self->chance, 3), browses = pick(&self->chance, 2);
	unsigned long long at = start == KMSGPIPE_START_SEQ ? pick(&self->chance, model.next + 3) : 0;
	unsigned long long seq = start == KMSGPIPE_START_NOW ? model.next : at;

	EXPECT_EQ(0, attach(file->fd, browses ? KMSGPIPE_ATTACH_BROWSE : KMSGPIPE_ATTACH_OWN, start, at));
	if (browses) {
		/* It begins with what is stored without its own subscription. */
		file->browses = 1;
		settle();
		move_to(file, seq);
	} else {
		move_to(file, seq);
		file->browses = 0;
		settle();
		move_to(file, file->next);
	}
	return browses ? "browse" : "own";
}

/* Reads a message, or some as records. */
static const char *read_it(struct __test_metadata *_metadata, FIXTURE_DATA(random) *self, struct file *file)
{
	unsigned int count = pick(&self->chance, 4);

	if (count) {
		EXPECT_STREQ(model_records(file, count), records_of(file->fd, count));
	} else {
		catch_up(file);
		if (file->next == model.next) {
			EXPECT_EQ(-EAGAIN, try_read(file->fd, 256));
		} else {
			EXPECT_EQ((int)model.messages[file->next].len, fionread(file->fd));
			EXPECT_STREQ(payload(file->next), read_text(file->fd, 256));
			advance(file);
		}
	}
	settle();
	return count ? "records" : "read";
}

/* Makes a call and the same in the model. Returns its name. */
static const char *make_call(struct __test_metadata *_metadata, FIXTURE_DATA(random) *self, struct file *file)
{
	unsigned int chance = pick(&self->chance, 100), len = 1 + pick(&self->chance, 8);
	char text[16];

	if (chance < 45) {
		memset(text, 'a' + model.next % 26, sizeof(text));
		EXPECT_EQ(model_write(len), TRY(write(self->fd, text, len)));
		return "write";
	}
	if (chance < 52)
		return open_or_close(self, file);
	if (chance < 54) {
		ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
		model_clear();
		return "clear";
	}
	if (chance < 56) {
		model.policy = pick(&self->chance, ARRAY_SIZE(policies));
		set_policy(self->id, policies[model.policy]);
		return "policy";
	}
	if (file->fd < 0)
		return "none";
	if (chance < 64)
		return move_it(_metadata, self, file);
	return read_it(_metadata, self, file);
}

TEST_F_TIMEOUT(random, calls_agree_with_the_model, 120)
{
	struct file *file;
	const char *call;
	unsigned int i;

	for (i = 0; i < CALLS && _metadata->exit_code == KSFT_PASS; i++) {
		file = &model.files[pick(&self->chance, FILES)];
		call = make_call(_metadata, self, file);
		EXPECT_STREQ(model_counts(), counts_of(self->fd)) TH_LOG("call %u: %s", i, call);
		if (file->fd < 0)
			continue;
		catch_up(file);
		EXPECT_STREQ(model_position(file), position_of(file->fd)) TH_LOG("call %u: %s", i, call);
		EXPECT_EQ((model.next > file->next ? POLLIN : 0) | (file->unreported ? POLLPRI : 0), poll_now(file->fd))
			TH_LOG("call %u: %s", i, call);
	}
}

TEST_HARNESS_MAIN
