// SPDX-License-Identifier: GPL-2.0
/* Messages on trust that come back: by the end of the lease, after a delay, and to tasks that wait. */
#include "lib/clock.h"
#include "lib/expiry.h"
#include "lib/harness.h"
#include "lib/leases.h"
#include "lib/own_fixture.h"
#include "lib/pipe.h"
#include "lib/pollers.h"
#include "lib/records.h"
#include "lib/tasks.h"
#include "lib/views.h"

#include <sys/epoll.h>

#define LAST (~0ULL)

/* Sends these texts, and leases them all to a new file in one call, so that no lease ends before the last begins. */
static int lease_all(int fd, long id, unsigned int ms, const char *const *texts)
{
	int lessee_fd = lessee(id, O_NONBLOCK, ms);

	for (; *texts; texts++)
		if (write_text(fd, *texts) <= 0)
			abort();
	deliveries_of(lessee_fd);
	return lessee_fd;
}

#define LEASE(self, ms, ...) lease_all((self)->fd, (self)->id, ms, (const char *const[]){ __VA_ARGS__, NULL })

/* ---- Time ---- */

TEST_F(own, a_lease_ends_by_itself)
{
	unsigned long long begin = now_ns();
	int fd = LEASE(self, 30, "1", "22");
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	start_call(&call);
	EXPECT_EQ(1, finish_call(&call));
	EXPECT_LE(30000000ULL, now_ns() - begin);
	EXPECT_EQ('1', buffer[0]);
	EXPECT_EQ(2, read(self->fd, buffer, sizeof(buffer)));
	/* What has ended cannot be acknowledged. */
	EXPECT_EQ(-ENOENT, ack(fd, 0, LAST));
	EXPECT_STREQ("30 ms, 0 leased", leases_of(fd));
	EXPECT_STREQ("2/3 = 2/3 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
	close(fd);
}

TEST_F(own, an_ack_after_the_lease_is_enoent_at_once)
{
	int fd = LEASE(self, 1, "1");

	/* The timer may be later than this. */
	sleep_ms(2);
	EXPECT_EQ(-ENOENT, ack(fd, 1, 1));
	EXPECT_STREQ("1:2:1", deliveries_of(self->nonblocking));
	close(fd);
}

TEST_F(own, a_shorter_lease_ends_before_a_longer_one_that_began_first)
{
	int patient = LEASE(self, LONG, "1"), hasty = LEASE(self, 20, "22");
	char buffer[8];

	EXPECT_EQ(2, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_STREQ("20 ms, 0 leased", leases_of(hasty));
	EXPECT_STREQ("3600000 ms, 1 leased", leases_of(patient));
	EXPECT_EQ(0, ack(patient, 1, 1));
	close(hasty);
	close(patient);
}

TEST_F(own, a_message_is_delayed)
{
	int fd = LEASE(self, LONG, "1", "22");
	unsigned long long begin;
	char buffer[8];

	ASSERT_EQ(0, nack(fd, 1, 1, LONG));
	EXPECT_STREQ("3600000 ms, 1 leased", leases_of(fd));
	EXPECT_EQ(-ENOENT, ack(fd, 1, 1));
	EXPECT_EQ(-EAGAIN, try_read(self->nonblocking, 256));
	/* A later message does not wait for it. */
	ASSERT_EQ(3, write_text(self->fd, "333"));
	EXPECT_READS(self->nonblocking, "333");
	/* The delay ends although the file is closed, and before the longer one. */
	begin = now_ns();
	ASSERT_EQ(0, nack(fd, 2, 2, 30));
	close(fd);
	EXPECT_EQ(2, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_LE(30000000ULL, now_ns() - begin);
	EXPECT_STREQ("3/6 = 2/5 + 0/0 + 0/0 + 1/1", counts_of(self->fd));
}

TEST_F(own, a_change_of_the_expiry_forgets_no_lease)
{
	int fd = LEASE(self, 30, "1");
	char buffer[8];

	ASSERT_EQ(0, flush_periodic(self->fd, 0, 0, 0));
	EXPECT_EQ(1, read(self->fd, buffer, sizeof(buffer)));
	close(fd);
}

TEST_F(own, messages_expire_beside_a_long_lease)
{
	int fd = LEASE(self, LONG, "1");

	ASSERT_EQ(0, flush_periodic(self->fd, 1, 1, 20));
	ASSERT_EQ(2, write_text(self->fd, "22"));
	/* Nothing but the sweeper looks at the messages. */
	await_expired(self->fd, 1);
	EXPECT_EQ(0, ack(fd, 1, 1));
	close(fd);
}

TEST_F(own, the_end_of_a_lease_counts_as_a_delivery)
{
	int fd = open_id(self->id, O_RDONLY), i;
	char buffer[8];

	ASSERT_EQ(0, lease(fd, 2, 3));
	ASSERT_EQ(1, write_text(self->fd, "1"));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, read(fd, buffer, sizeof(buffer)));
	await_depth(self->fd, 0);
	EXPECT_STREQ("1/1 = 0/0 + 0/0 + 1/1 + 0/0", counts_of(self->fd));
	close(fd);
}

/* ---- Waiting tasks ---- */

TEST_F(own, nack_wakes_a_reader)
{
	int fd = LEASE(self, LONG, "1");
	char buffer[8];
	struct call call = read_call(self->fd, buffer, sizeof(buffer));

	start_call(&call);
	await_readers(self->fd, 1);
	ASSERT_EQ(0, nack(fd, 1, 1, 0));
	EXPECT_EQ(1, finish_call(&call));
	close(fd);
}

TEST_F(own, close_wakes_a_reader_for_each_message)
{
	int fd = LEASE(self, LONG, "1", "2", "3"), i;
	char buffer[4][8];
	struct call calls[4];

	for (i = 0; i < 4; i++) {
		calls[i] = read_call(self->fd, buffer[i], sizeof(buffer[i]));
		start_call(&calls[i]);
		await_readers(self->fd, i + 1);
	}
	close(fd);
	await_depth(self->fd, 0);
	EXPECT_EQ(1, stats_of(self->fd).waiting_readers);
	ASSERT_EQ(1, write_text(self->fd, "4"));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1, finish_call(&calls[i]));
	EXPECT_STREQ("4/4 = 4/4 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_F(own, ack_wakes_a_writer)
{
	struct kmsgpipe_params params = { .msg_size = 256, .max_msgs = 2 };
	struct call call;
	char byte = 'x';
	int fd;

	ASSERT_EQ(0, set_limits(self->fd, params.msg_size, params.max_msgs));
	fd = LEASE(self, LONG, "1", "22");
	call = write_call(self->fd, &byte, 1);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, nack(fd, 1, 1, 0));
	EXPECT_EQ(1, stats_of(self->fd).waiting_writers);
	ASSERT_EQ(0, ack(fd, 2, 2));
	EXPECT_EQ(1, finish_call(&call));
	EXPECT_STREQ("3/4 = 1/2 + 0/0 + 0/0 + 2/2", counts_of(self->fd));
	EXPECT_READS(self->nonblocking, "1", "x");
	close(fd);
}

TEST_F(own, the_last_allowed_delivery_wakes_a_writer)
{
	int fd = open_id(self->id, O_RDONLY | O_NONBLOCK);
	struct call call;
	char byte = 'x';

	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	ASSERT_EQ(0, lease(fd, LONG, 1));
	ASSERT_EQ(1, write_text(self->fd, "1"));
	ASSERT_EQ(1, try_read(fd, 256));
	call = write_call(self->fd, &byte, 1);
	start_call(&call);
	await_writers(self->fd, 1);
	ASSERT_EQ(0, nack(fd, 1, 1, 0));
	EXPECT_EQ(1, finish_call(&call));
	EXPECT_STREQ("2/2 = 0/0 + 0/0 + 1/1 + 1/1", counts_of(self->fd));
	EXPECT_READS(self->nonblocking, "x");
	close(fd);
}

TEST_F(own, pollers_are_told)
{
	struct poller in, out;
	int fd;

	ASSERT_EQ(0, set_limits(self->fd, 256, 1));
	fd = LEASE(self, LONG, "1");
	EXPECT_EQ(0, poll_now(self->fd));
	in = (struct poller){ .fd = self->fd, .events = POLLIN };
	start_poll(&in);
	ASSERT_EQ(0, nack(fd, 1, 1, 0));
	EXPECT_EQ(POLLIN, finish_poll(&in));
	ASSERT_EQ(1, try_read(fd, 256));
	out = (struct poller){ .fd = self->fd, .events = POLLOUT };
	start_poll(&out);
	ASSERT_EQ(0, ack(fd, 1, 1));
	EXPECT_EQ(POLLOUT, finish_poll(&out));
	close(fd);
}

TEST_F(own, a_poller_is_told_of_the_end_of_a_lease)
{
	int fd = LEASE(self, 20, "1"), epoll = new_epoll(self->fd, EPOLLIN | EPOLLET);
	struct epoll_event event;

	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_STREQ("1:2:1", deliveries_of(self->nonblocking));
	close(epoll);
	close(fd);
}

TEST_F(own, a_reader_that_attaches_gets_what_is_there)
{
	int fd = open_id(self->id, O_RDONLY);
	char buffer[8];
	struct call call = read_call(fd, buffer, sizeof(buffer));

	start_call(&call);
	await_readers(self->fd, 1);
	/* The task waits for a message that it consumes, and the file now has it on trust. */
	ASSERT_EQ(0, lease(fd, LONG, 0));
	ASSERT_EQ(1, write_text(self->fd, "1"));
	EXPECT_EQ(1, finish_call(&call));
	EXPECT_STREQ("3600000 ms, 1 leased", leases_of(fd));
	EXPECT_EQ(0, ack(fd, 1, 1));
	close(fd);
}

/* ---- Many messages ---- */

TEST_F(own, a_thousand_messages_come_back_in_order)
{
	struct kmsgpipe_record *record;
	static char buffer[65536] __attribute__((aligned(8)));
	unsigned long long seq = 0, i;
	int fd, got, deliveries = 0;

	ASSERT_EQ(0, set_limits(self->fd, 256, 1000));
	fd = lessee(self->id, O_NONBLOCK, LONG);
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(8, write(self->fd, &i, sizeof(i)));
	ASSERT_EQ(0, set_mode(fd, KMSGPIPE_MODE_RECORDS));
	for (i = 0; (got = TRY(read(fd, buffer, sizeof(buffer)))) > 0; i += got / record_size(8))
		;
	EXPECT_EQ(-EAGAIN, got);
	EXPECT_EQ(1000, i);
	EXPECT_STREQ("3600000 ms, 1000 leased", leases_of(fd));
	/* Every third message is acknowledged, from the last on. */
	for (i = 999; i >= 3; i -= 3)
		ASSERT_EQ(0, ack(fd, i, i));
	EXPECT_EQ(667, stats_of(self->fd).depth_msgs);
	ASSERT_EQ(0, nack(fd, 501, ~0ULL, 0));
	close(fd);
	ASSERT_EQ(0, set_mode(self->nonblocking, KMSGPIPE_MODE_RECORDS));
	for (i = 0; (got = TRY(read(self->nonblocking, buffer, sizeof(buffer)))) > 0;) {
		for (record = (void *)buffer; (char *)record < buffer + got; record = next_record(record), i++) {
			seq += seq % 3 == 2 ? 2 : 1;
			ASSERT_EQ(seq, record->seq);
			deliveries += record->deliveries;
		}
	}
	EXPECT_EQ(667, i);
	EXPECT_EQ(2 * 667, deliveries);
	EXPECT_STREQ("1000/8000 = 1000/8000 + 0/0 + 0/0 + 0/0", counts_of(self->fd));
}

TEST_HARNESS_MAIN
