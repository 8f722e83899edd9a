// SPDX-License-Identifier: GPL-2.0
/* Pipes with priorities: the order of their messages, and what else works as in any pipe. */
#include "lib/broadcast.h"
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/pipe.h"
#include "lib/priorities.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

/*
 * A pipe with eight priorities for eight messages of up to 256 bytes. The teardown expects no task asleep in it and
 * consistent statistics, and destroys it.
 */
FIXTURE(priorities)
{
	long id;
	int fd;
};

FIXTURE_SETUP(priorities)
{
	self->id = prioritized_pipe(8, 8);
	self->fd = open_id(self->id, O_RDWR | O_NONBLOCK);
}

FIXTURE_TEARDOWN(priorities)
{
	expect_gone(_metadata, self->fd);
	close(self->fd);
}

/* Sends "a" to "f" with the priorities 1, 7, 1, 0, 7, 3. */
static void send_six(struct __test_metadata *_metadata, int fd)
{
	static const unsigned int priorities[] = { 1, 7, 1, 0, 7, 3 };
	unsigned int i;

	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, send_prioritized(fd, priorities[i], (char[]){ 'a' + i, 0 }));
}

/* ---- Creation ---- */

TEST(a_pipe_has_1_to_32_priorities)
{
	static const struct {
		unsigned int priorities, kind;
		long error;
	} cases[] = {
		{ 0, KMSGPIPE_KIND_QUEUE, 0 }, { 1, KMSGPIPE_KIND_QUEUE, 0 }, { 2, KMSGPIPE_KIND_QUEUE, 0 },
		{ KMSGPIPE_PRIORITIES_MAX, KMSGPIPE_KIND_QUEUE, 0 },
		{ KMSGPIPE_PRIORITIES_MAX + 1, KMSGPIPE_KIND_QUEUE, -EINVAL }, { ~0U, KMSGPIPE_KIND_QUEUE, -EINVAL },
		{ 0, KMSGPIPE_KIND_BROADCAST, 0 }, { 1, KMSGPIPE_KIND_BROADCAST, 0 },
		{ 2, KMSGPIPE_KIND_BROADCAST, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kmsgpipe_create create = priorities_request(4, cases[i].priorities);
		long id;

		create.kind = cases[i].kind;
		id = create_pipe(&create);
		if (cases[i].error) {
			EXPECT_EQ(cases[i].error, id);
			continue;
		}
		ASSERT_LE(1, id);
		EXPECT_EQ(cases[i].priorities < 2, access(sysfs_file(id, "priorities"), F_OK) != 0);
		EXPECT_EQ(0, destroy_id(id));
	}
}

TEST(sysfs_creates_and_shows_priorities)
{
	char text[64];
	int fd;

	ASSERT_LT(0, spill(SYSFS "/create", "priorities_test priorities=32"));
	fd = open("/dev/kmsgpipe/priorities_test", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, slurp(sysfs_file(stats_of(fd).id, "priorities"), text, sizeof(text)));
	EXPECT_STREQ("32\n", text);
	close(fd);
	EXPECT_EQ(0, destroy_word("priorities_test"));
	EXPECT_EQ(-EINVAL, spill(SYSFS "/create", "priorities_test priorities=33"));
	EXPECT_EQ(-EINVAL, spill(SYSFS "/create", "priorities_test priorities=0"));
	EXPECT_EQ(-EINVAL, spill(SYSFS "/create", "priorities_test kind=broadcast priorities=2"));
}

/* ---- Order ---- */

TEST_F(priorities, higher_priorities_come_first_and_each_in_order)
{
	send_six(_metadata, self->fd);
	EXPECT_READS(self->fd, "b", "e", "f", "a", "c", "d");
}

TEST_F(priorities, records_tell_the_priority_and_the_sequence_number)
{
	send_six(_metadata, self->fd);
	EXPECT_STREQ("7:2:0:b 7:5:0:e 3:6:0:f 1:1:0:a 1:3:0:c 0:4:0:d", prioritized_of(self->fd, 9));
	send_six(_metadata, self->fd);
	EXPECT_STREQ("7:8:0:b", prioritized_of(self->fd, 1));
	EXPECT_STREQ("7:11:0:e 3:12:0:f", prioritized_of(self->fd, 2));
}

TEST_F(priorities, a_later_message_of_higher_priority_overtakes)
{
	ASSERT_EQ(0, send_prioritized(self->fd, 2, "a"));
	ASSERT_EQ(0, send_prioritized(self->fd, 2, "b"));
	EXPECT_STREQ("a", read_text(self->fd, 256));
	ASSERT_EQ(0, send_prioritized(self->fd, 3, "c"));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "d"));
	EXPECT_READS(self->fd, "c", "b", "d");
}

TEST_F(priorities, a_write_without_header_has_priority_0)
{
	ASSERT_EQ(1, write_text(self->fd, "a"));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "b"));
	ASSERT_EQ(1, write_text(self->fd, "c"));
	EXPECT_STREQ("1:2:0:b 0:1:0:a 0:3:0:c", prioritized_of(self->fd, 9));
}

TEST_F(priorities, one_write_sends_several_priorities)
{
	char buffer[512] __attribute__((aligned(8))), *at = buffer;

	at = put_prioritized(at, 0, "low");
	at = put_prioritized(at, 7, "high");
	at = put_prioritized(at, 3, "middle");
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	/* Once with new lanes, and once with those of before. */
	ASSERT_EQ(at - buffer, write(self->fd, buffer, at - buffer));
	ASSERT_EQ(at - buffer, write(self->fd, buffer, at - buffer));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_READS(self->fd, "high", "high", "middle", "middle", "low", "low");
}

TEST_F(priorities, a_priority_that_the_pipe_lacks_is_refused)
{
	char buffer[512] __attribute__((aligned(8))), *at = buffer;
	int plain = open_id(limited_pipe(256, 3), O_RDWR | O_NONBLOCK);

	EXPECT_EQ(-EINVAL, send_prioritized(self->fd, 8, "x"));
	EXPECT_EQ(-EINVAL, send_prioritized(self->fd, ~0U, "x"));
	EXPECT_EQ(-EINVAL, send_prioritized(plain, 1, "x"));
	/* Nothing of a write is accepted if a part of it is refused. */
	at = put_prioritized(at, 7, "good");
	at = put_prioritized(at, 8, "bad");
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(-EINVAL, TRY(write(self->fd, buffer, at - buffer)));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_READS(self->fd);
	expect_destroyed(_metadata, plain);
	close(plain);
}

TEST_F(priorities, long_writes_and_long_messages_keep_the_order)
{
	enum { LEN = 10000, COUNT = 12 };
	static char out[COUNT * (LEN + 100)] __attribute__((aligned(8))), in[LEN], payload[LEN];
	struct kmsgpipe_create create = { .msg_size = LEN, .max_msgs = COUNT, .priorities = 4 };
	long id = create_pipe(&create);
	int fd = open_id(id, O_RDWR | O_NONBLOCK), i, priority;
	char *at = out;

	for (i = 0; i < COUNT; i++) {
		struct kmsgpipe_send *send = (void *)at;
		size_t len = numbered(payload, i, i % 3 ? LEN - i : 100);

		at = put_message(at, payload, len);
		send->priority = i % 4;
	}
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(at - out, write(fd, out, at - out));
	ASSERT_EQ(0, set_mode(fd, 0));
	for (priority = 3; priority >= 0; priority--)
		for (i = priority; i < COUNT; i += 4) {
			size_t len = i % 3 ? LEN - i : 100;

			ASSERT_EQ(len, read(fd, in, sizeof(in)));
			EXPECT_TRUE(is_numbered(in, i, len));
		}
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(priorities, many_messages_in_all_priorities_keep_the_order)
{
	enum { COUNT = 20000 };
	struct kmsgpipe_create create = priorities_request(COUNT, 32);
	int fd = open_id(create_pipe(&create), O_RDWR | O_NONBLOCK), priority, last = -1;
	char buffer[512] __attribute__((aligned(8))), word[16];
	unsigned int round, i, random = 1;

	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < COUNT; i++) {
			char *end;

			random = random * 1103515245 + 12345;
			snprintf(word, sizeof(word), "%u", i);
			end = put_prioritized(buffer, random >> 16 & 31, word);
			ASSERT_EQ(end - buffer, write(fd, buffer, end - buffer));
		}
		EXPECT_EQ(-EAGAIN, TRY(write(fd, buffer, send_size(1))));
		for (i = 0, priority = 31; i < COUNT; i++) {
			struct kmsgpipe_record *record = (void *)buffer;

			ASSERT_LT(0, read(fd, buffer, record_size(8)));
			ASSERT_LE(record->priority, priority);
			((char *)(record + 1))[record->len] = 0;
			if ((int)record->priority == priority)
				ASSERT_LT(last, atoi((char *)(record + 1)));
			ASSERT_EQ(round * COUNT + 1 + atoi((char *)(record + 1)), record->seq);
			priority = record->priority;
			last = atoi((char *)(record + 1));
		}
		last = -1;
	}
	ASSERT_EQ(0, set_mode(fd, 0));
	expect_destroyed(_metadata, fd);
	close(fd);
}

/* ---- All else ---- */

TEST_F(priorities, a_short_read_keeps_the_rest_before_higher_priorities)
{
	int writer = open_id(self->id, O_WRONLY | O_NONBLOCK);

	ASSERT_EQ(0, send_prioritized(writer, 1, "abcdef"));
	EXPECT_STREQ("abc", read_text(self->fd, 3));
	EXPECT_EQ(3, rest_bytes(self->fd));
	ASSERT_EQ(0, send_prioritized(writer, 7, "urgent"));
	close(writer);
	EXPECT_EQ(3, fionread(self->fd));
	EXPECT_STREQ("def", read_text(self->fd, 256));
	EXPECT_READS(self->fd, "urgent");
}

TEST_F(priorities, a_rest_occupies_a_slot)
{
	int writer = open_id(self->id, O_WRONLY | O_NONBLOCK), i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, send_prioritized(writer, i, "abcdef"));
	EXPECT_STREQ("abc", read_text(self->fd, 3));
	EXPECT_EQ(-EAGAIN, send_prioritized(writer, 7, "x"));
	EXPECT_STREQ("def", read_text(self->fd, 256));
	EXPECT_EQ(0, send_prioritized(writer, 0, "x"));
	EXPECT_EQ(-EAGAIN, send_prioritized(writer, 0, "y"));
	close(writer);
}

TEST_F(priorities, whole_leaves_a_message_that_does_not_fit)
{
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "low"));
	ASSERT_EQ(0, send_prioritized(self->fd, 2, "abcdef"));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, try_read(self->fd, 5));
	EXPECT_READS(self->fd, "abcdef", "low");
}

TEST_F(priorities, eof_ends_a_read_of_the_empty_pipe)
{
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(0, try_read(self->fd, 256));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	ASSERT_EQ(0, send_prioritized(self->fd, 3, "x"));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_EOF));
	EXPECT_EQ(1, try_read(self->fd, 256));
	EXPECT_EQ(0, try_read(self->fd, 256));
}

TEST_F(priorities, lines_have_priority_0)
{
	int lines = open_for_lines(self->id, O_WRONLY | O_NONBLOCK);

	ASSERT_EQ(5, write_text(lines, "a\nb\nc"));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "x"));
	close(lines);
	EXPECT_STREQ("1:3:0:x 0:1:0:a\n 0:2:0:b\n 0:4:0:c", prioritized_of(self->fd, 9));
}

TEST_F(priorities, poll_and_fionread_look_at_the_next_message)
{
	int i;

	EXPECT_EQ(POLLOUT, poll_now(self->fd));
	EXPECT_EQ(0, fionread(self->fd));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "abcdef"));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(6, fionread(self->fd));
	ASSERT_EQ(0, send_prioritized(self->fd, 2, "abc"));
	EXPECT_EQ(3, fionread(self->fd));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(2 * record_size(8), fionread(self->fd));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	for (i = 2; i < 8; i++)
		ASSERT_EQ(0, send_prioritized(self->fd, i, "x"));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
}

TEST_F(priorities, splice_takes_the_next_message)
{
	char text[16] = "";
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "low"));
	ASSERT_EQ(0, send_prioritized(self->fd, 2, "high"));
	ASSERT_EQ(4, splice(self->fd, NULL, ends[1], NULL, 100, 0));
	ASSERT_EQ(4, read(ends[0], text, sizeof(text)));
	EXPECT_STREQ("high", text);
	EXPECT_READS(self->fd, "low");
	close(ends[0]);
	close(ends[1]);
}

TEST_F(priorities, a_read_that_fails_leaves_the_message)
{
	send_six(_metadata, self->fd);
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad_address, 100)));
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(-EFAULT, TRY(read(self->fd, bad_address, 1000)));
	EXPECT_EQ(-EMSGSIZE, try_read(self->fd, record_size(1) - 1));
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 100)));
	EXPECT_STREQ("7:2:0:b 7:5:0:e 3:6:0:f 1:1:0:a 1:3:0:c 0:4:0:d", prioritized_of(self->fd, 9));
}

TEST_F(priorities, statistics_show_the_next_message)
{
	struct kmsgpipe_stats stats;

	send_six(_metadata, self->fd);
	ASSERT_EQ(0, send_prioritized(self->fd, 6, "four"));
	stats = stats_of(self->fd);
	EXPECT_EQ(2, stats.head_seq);
	EXPECT_EQ(1, stats.head_len);
	EXPECT_EQ(7, stats.depth_msgs);
	EXPECT_EQ(10, stats.depth_bytes);
	EXPECT_EQ(7, stats.peak_msgs);
	EXPECT_STREQ("b", read_text(self->fd, 256));
	EXPECT_STREQ("e", read_text(self->fd, 256));
	stats = stats_of(self->fd);
	EXPECT_EQ(7, stats.head_seq);
	EXPECT_EQ(4, stats.head_len);
	EXPECT_STREQ("7/10 = 2/2 + 0/0 + 0/0 + 5/8", counts_of(self->fd));
}

TEST_F(priorities, clear_drops_all_priorities)
{
	send_six(_metadata, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_STREQ("6/6 = 0/0 + 0/0 + 6/6 + 0/0", counts_of(self->fd));
	EXPECT_READS(self->fd);
	send_six(_metadata, self->fd);
	EXPECT_STREQ("7:8:0:b", prioritized_of(self->fd, 1));
}

TEST_F(priorities, limits_change_only_when_all_priorities_are_empty)
{
	ASSERT_EQ(0, send_prioritized(self->fd, 7, "x"));
	EXPECT_EQ(-EBUSY, set_limits(self->fd, 256, 2));
	EXPECT_READS(self->fd, "x");
	EXPECT_EQ(0, set_limits(self->fd, 256, 2));
	ASSERT_EQ(0, send_prioritized(self->fd, 7, "x"));
	ASSERT_EQ(0, send_prioritized(self->fd, 0, "y"));
	EXPECT_EQ(-EAGAIN, send_prioritized(self->fd, 7, "z"));
	EXPECT_EQ(1, stats_of(self->fd).refused_full);
}

TEST_F(priorities, messages_of_all_priorities_expire)
{
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 60000, 10));
	send_six(_metadata, self->fd);
	sleep_ms(15);
	ASSERT_EQ(0, send_prioritized(self->fd, 3, "new"));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_STREQ("7/9 = 0/0 + 6/6 + 0/0 + 1/3", counts_of(self->fd));
	EXPECT_READS(self->fd, "new");
}

TEST_F(priorities, the_sweeper_removes_expired_messages_of_all_priorities)
{
	ASSERT_EQ(0, flush_periodic(self->fd, 1, 10, 10));
	send_six(_metadata, self->fd);
	await_expired(self->fd, 6);
	expect_expired(_metadata, self->fd, 6, 6);
}

TEST_F(priorities, destroy_ends_the_pipe_with_its_messages)
{
	send_six(_metadata, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_DESTROY));
	EXPECT_EQ(-ENODEV, try_read(self->fd, 256));
	EXPECT_EQ(-ENODEV, write_text(self->fd, "x"));
}

TEST_F(priorities, no_file_browses)
{
	int other = open_id(self->id, O_RDONLY | O_NONBLOCK);

	EXPECT_EQ(-EINVAL, browse(other, KMSGPIPE_START_OLDEST, 0));
	EXPECT_EQ(-EINVAL, attach(other, KMSGPIPE_ATTACH_OWN, KMSGPIPE_START_NOW, 0));
	EXPECT_EQ(0, attach(other, KMSGPIPE_ATTACH_GROUP, KMSGPIPE_START_NOW, 0));
	close(other);
}

TEST_F(priorities, the_memory_of_an_idle_pipe_is_freed)
{
	int i;

	send_six(_metadata, self->fd);
	for (i = 0; i < 6; i++)
		ASSERT_EQ(1, try_read(self->fd, 256));
	EXPECT_LT(0, debug_value(self->id, "segments"));
	for (i = 0; i < 100 && debug_value(self->id, "segments") > 0; i++)
		sleep_ms(100);
	EXPECT_EQ(0, debug_value(self->id, "segments"));
	/* The pages of the mode RECORDS stay until the last close. */
	EXPECT_EQ(2, debug_value(self->id, "spare_segments"));
	send_six(_metadata, self->fd);
	EXPECT_READS(self->fd, "b", "e", "f", "a", "c", "d");
}

/* ---- Overflow ---- */

TEST_F(priorities, drop_oldest_drops_the_oldest_of_the_lowest_priority)
{
	set_policy(self->id, "drop-oldest");
	send_six(_metadata, self->fd);
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "g"));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "h"));
	/* "d" has priority 0, and then "a" is the oldest of priority 1. */
	ASSERT_EQ(0, send_prioritized(self->fd, 7, "i"));
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "j"));
	EXPECT_STREQ("10/10 = 0/0 + 0/0 + 2/2 + 8/8", counts_of(self->fd));
	EXPECT_EQ(8, stats_of(self->fd).peak_msgs);
	EXPECT_STREQ("7:2:2:b 7:5:0:e 7:9:0:i 3:6:0:f 1:3:0:c 1:7:0:g 1:8:0:h 1:10:0:j", prioritized_of(self->fd, 9));
}

TEST_F(priorities, drop_oldest_discards_a_new_message_of_the_lowest_priority)
{
	int i;

	set_policy(self->id, "drop-oldest");
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, send_prioritized(self->fd, 5, "x"));
	ASSERT_EQ(0, send_prioritized(self->fd, 4, "lower"));
	EXPECT_EQ(POLLIN | POLLOUT | POLLPRI, poll_now(self->fd));
	EXPECT_STREQ("9/13 = 0/0 + 0/0 + 1/5 + 8/8", counts_of(self->fd));
	/* The discarded message has no number. */
	ASSERT_EQ(0, send_prioritized(self->fd, 5, "y"));
	EXPECT_STREQ("5:2:2:x", prioritized_of(self->fd, 1));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(1, try_read(self->fd, 256));
	EXPECT_STREQ("5:9:0:y", prioritized_of(self->fd, 9));
}

TEST_F(priorities, drop_newest_discards_whatever_the_priority)
{
	int i;

	set_policy(self->id, "drop-newest");
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, send_prioritized(self->fd, 0, "x"));
	ASSERT_EQ(0, send_prioritized(self->fd, 7, "urgent"));
	EXPECT_STREQ("0:1:1:x", prioritized_of(self->fd, 1));
}

/* ---- Dumps ---- */

TEST_F(priorities, dump_shows_messages_in_the_order_of_reads)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	static const struct {
		unsigned int priority, seq;
		char payload;
	} expected[] = { { 7, 2, 'b' }, { 7, 5, 'e' }, { 3, 6, 'f' }, { 1, 1, 'a' }, { 1, 3, 'c' }, { 0, 4, 'd' } };
	struct kmsgpipe_record *record = (void *)buffer;
	struct kmsgpipe_dump dump;
	unsigned int i, fitting;

	send_six(_metadata, self->fd);
	for (fitting = 0; fitting <= 6; fitting++) {
		ASSERT_EQ(0, dump_to(self->fd, buffer, fitting * record_size(1) + 8, &dump));
		EXPECT_EQ(fitting, dump.records);
		EXPECT_EQ(6 - fitting, dump.missing);
		for (i = 0, record = (void *)buffer; i < fitting; i++, record = next_record(record)) {
			EXPECT_EQ(expected[i].priority, record->priority);
			EXPECT_EQ(expected[i].seq, record->seq);
			EXPECT_EQ(expected[i].payload, *(char *)(record + 1));
			EXPECT_EQ(0, record->deliveries);
		}
	}
	EXPECT_READS(self->fd, "b", "e", "f", "a", "c", "d");
	ASSERT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	EXPECT_EQ(0, dump.records);
}

/* ---- Waiting ---- */

TEST_F(priorities, a_blocked_reader_gets_the_highest)
{
	char buffer[512] __attribute__((aligned(8))), in[16] = "", *at = buffer;
	int blocking = open_id(self->id, O_RDONLY);
	struct call call = read_call(blocking, in, sizeof(in));

	/* Both lanes are there, so that one critical section accepts both messages. */
	ASSERT_EQ(0, send_prioritized(self->fd, 1, "first"));
	ASSERT_EQ(0, send_prioritized(self->fd, 5, "second"));
	EXPECT_READS(self->fd, "second", "first");
	start_call(&call);
	await_readers(self->fd, 1);
	at = put_prioritized(at, 1, "low");
	at = put_prioritized(at, 5, "high");
	ASSERT_EQ(0, set_mode(self->fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(at - buffer, write(self->fd, buffer, at - buffer));
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_EQ(4, finish_call(&call));
	EXPECT_STREQ("high", in);
	EXPECT_READS(self->fd, "low");
	close(blocking);
}

TEST_F(priorities, a_blocked_writer_waits_for_a_slot_of_any_priority)
{
	char buffer[512] __attribute__((aligned(8)));
	int blocking = open_id(self->id, O_WRONLY), i;
	struct call call;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, send_prioritized(self->fd, 3, "x"));
	ASSERT_EQ(0, set_mode(blocking, KMSGPIPE_MODE_RECORDS));
	call = write_call(blocking, buffer, put_prioritized(buffer, 7, "urgent") - buffer);
	start_call(&call);
	await_writers(self->fd, 1);
	EXPECT_EQ(1, try_read(self->fd, 256));
	EXPECT_EQ(send_size(6), finish_call(&call));
	EXPECT_STREQ("7:9:0:urgent", prioritized_of(self->fd, 1));
	for (i = 0; i < 7; i++)
		EXPECT_EQ(1, try_read(self->fd, 256));
	close(blocking);
}

TEST_HARNESS_MAIN
