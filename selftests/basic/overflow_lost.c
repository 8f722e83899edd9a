// SPDX-License-Identifier: GPL-2.0
/*
 * How readers learn of messages that were lost to overflow: the field `lost` of the next record, and POLLPRI until it
 * was delivered.
 */
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/memory.h"
#include "lib/overflow_fixture.h"

/* ---- Records ---- */

TEST_F(full, the_next_record_reports_what_was_dropped_in_front_of_it)
{
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	EXPECT_STREQ("3:2:333", records_of(self->nonblocking, 1));
	EXPECT_STREQ("4:0:4", records_of(self->nonblocking, 1));
	ASSERT_EQ(1, write_text(self->fd, "6"));
	EXPECT_STREQ("5:0:5 6:0:6", records_of(self->nonblocking, 9));
	EXPECT_STREQ("Resource temporarily unavailable", records_of(self->nonblocking, 1));
}

TEST_F(full, the_next_record_reports_what_was_discarded)
{
	set_policy(self->id, "drop-newest");
	ASSERT_EQ(1, write_text(self->fd, "x"));
	ASSERT_EQ(1, write_text(self->fd, "y"));
	EXPECT_STREQ("1:2:1", records_of(self->nonblocking, 1));
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(1, write_text(self->fd, "z"));
	/* All that was lost since the last delivery, in the first record, and nothing in the others. */
	EXPECT_STREQ("2:1:22 3:0:333 4:0:4", records_of(self->nonblocking, 9));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	EXPECT_STREQ("5:0:5", records_of(self->nonblocking, 9));
}

TEST_F(full, a_read_of_several_records_reports_the_loss_once)
{
	int i;

	set_policy(self->id, "drop-oldest");
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_STREQ("1001:1000:x 1002:0:x 1003:0:x", records_of(self->nonblocking, 9));
}

TEST_F(full, records_of_long_messages_report_losses)
{
	static char out[5000], in[6000] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)in;
	long id = limited_pipe(5000, 2);
	int fd = open_id(id, O_RDWR | O_NONBLOCK), i;

	set_policy(id, "drop-oldest");
	for (i = 0; i < 5; i++)
		ASSERT_EQ(5000, write(fd, out, 5000));
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	ASSERT_EQ(5064, read(fd, in, sizeof(in)));
	EXPECT_EQ(4, record->seq);
	EXPECT_EQ(3, record->lost);
	ASSERT_EQ(5064, read(fd, in, sizeof(in)));
	EXPECT_EQ(5, record->seq);
	EXPECT_EQ(0, record->lost);
	expect_destroyed(_metadata, fd);
	close(fd);
}

TEST_F(full, losses_are_those_of_the_pipe_and_not_of_a_file)
{
	int other = open_id(self->id, O_RDONLY | O_NONBLOCK);

	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	/* The loss counts as reported to the first reader, although a read without records does not show it. */
	EXPECT_STREQ("22", read_text(other, 256));
	EXPECT_STREQ("3:0:333", records_of(self->nonblocking, 1));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	ASSERT_EQ(1, write_text(self->fd, "6"));
	ASSERT_EQ(1, write_text(self->fd, "7"));
	EXPECT_STREQ("5:1:5", records_of(other, 1));
	EXPECT_STREQ("6:0:6", records_of(self->nonblocking, 1));
	close(other);
}

TEST_F(full, a_read_in_part_delivers_the_message)
{
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	EXPECT_EQ(POLLIN | POLLOUT | POLLPRI, poll_now(self->fd));
	EXPECT_STREQ("2", read_text(self->nonblocking, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_STREQ("2", read_text(self->nonblocking, 1));
	EXPECT_STREQ("3:0:333", records_of(self->nonblocking, 1));
}

TEST_F(full, a_read_that_fails_reports_nothing)
{
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	EXPECT_EQ(-EFAULT, TRY(read(self->nonblocking, bad_address, 100)));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_WHOLE));
	EXPECT_EQ(-EMSGSIZE, try_read(self->nonblocking, 1));
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	EXPECT_EQ(-EMSGSIZE, try_read(self->nonblocking, record_size(2) - 1));
	EXPECT_EQ(-EFAULT, TRY(read(self->nonblocking, bad_address, 100)));
	EXPECT_EQ(POLLIN | POLLOUT | POLLPRI, poll_now(self->fd));
	EXPECT_STREQ("2:1:22", records_of(self->nonblocking, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
}

TEST_F(full, dump_neither_shows_nor_reports_losses)
{
	static char buffer[PAGE_SIZE] __attribute__((aligned(8)));
	struct kmsgpipe_record *record = (void *)buffer;
	struct kmsgpipe_dump dump;

	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	ASSERT_EQ(0, dump_to(self->fd, buffer, sizeof(buffer), &dump));
	ASSERT_EQ(3, dump.records);
	EXPECT_EQ(2, record->seq);
	EXPECT_EQ(0, record->lost);
	EXPECT_STREQ("2:1:22", records_of(self->nonblocking, 1));
}

TEST_F(full, only_overflow_counts_as_lost)
{
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	/* What is cleared or expires is not lost to overflow, and does not hide what was. */
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	EXPECT_EQ(POLLOUT | POLLPRI, poll_now(self->fd));
	queue_expired(self->fd);
	EXPECT_EQ(POLLOUT | POLLPRI, poll_now(self->fd));
	EXPECT_EQ(2, stats_of(self->fd).expired_msgs);
	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	ASSERT_EQ(1, write_text(self->fd, "5"));
	EXPECT_STREQ("7:1:5", records_of(self->nonblocking, 1));
	ASSERT_EQ(1, write_text(self->fd, "6"));
	ASSERT_EQ(0, ioctl(self->fd, KMSGPIPE_CLEAR_QUEUE));
	ASSERT_EQ(1, write_text(self->fd, "7"));
	EXPECT_STREQ("9:0:7", records_of(self->nonblocking, 1));
}

TEST_F(full, a_change_of_the_policy_forgets_no_loss)
{
	set_policy(self->id, "drop-newest");
	ASSERT_EQ(1, write_text(self->fd, "x"));
	set_policy(self->id, "drop-oldest");
	ASSERT_EQ(1, write_text(self->fd, "4"));
	set_policy(self->id, "block");
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(self->fd));
	EXPECT_STREQ("2:2:22 3:0:333 4:0:4", records_of(self->nonblocking, 9));
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
}

TEST_F(full, a_write_that_fails_loses_nothing)
{
	set_policy(self->id, "drop-oldest");
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 8)));
	set_policy(self->id, "drop-newest");
	EXPECT_EQ(-EFAULT, TRY(write(self->fd, bad_address, 8)));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_STREQ("1:0:1", records_of(self->nonblocking, 1));
}

/* ---- Polling ---- */

TEST_F(full, poll_says_pri_to_readers_until_the_loss_was_reported)
{
	int writer = open_id(self->id, O_WRONLY), reader = open_id(self->id, O_RDONLY);

	EXPECT_EQ(POLLIN, poll_now(self->fd));
	set_policy(self->id, "drop-newest");
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	ASSERT_EQ(1, write_text(self->fd, "x"));
	EXPECT_EQ(POLLIN | POLLOUT | POLLPRI, poll_now(self->fd));
	EXPECT_EQ(POLLIN | POLLPRI, poll_now(reader));
	EXPECT_EQ(POLLOUT, poll_now(writer));
	EXPECT_STREQ("1", read_text(self->nonblocking, 256));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(POLLIN, poll_now(reader));
	close(writer);
	close(reader);
}

TEST_F(full, a_loss_wakes_pollers_that_wait_for_it)
{
	static const char *const policies[] = { "drop-oldest", "drop-newest" };
	struct poller poller = { .fd = self->fd, .events = POLLPRI };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		set_policy(self->id, policies[i]);
		start_poll(&poller);
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_EQ(POLLPRI, finish_poll(&poller)) TH_LOG("%s", policies[i]);
		EXPECT_LT(0, try_read(self->nonblocking, 256));
		ASSERT_EQ(1, write_text(self->fd, "y"));
	}
}

TEST_F(full, epoll_reports_the_first_loss_since_a_delivery)
{
	int epoll = new_epoll(self->fd, EPOLLPRI | EPOLLET);
	struct epoll_event event;
	int i;

	set_policy(self->id, "drop-newest");
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
		EXPECT_EQ(EPOLLPRI, event.events);
		ASSERT_EQ(1, write_text(self->fd, "x"));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		EXPECT_LT(0, try_read(self->nonblocking, 256));
		ASSERT_EQ(1, write_text(self->fd, "y"));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	close(epoll);
}

TEST_HARNESS_MAIN
