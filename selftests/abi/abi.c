// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the layout that a program sees: sizes, offsets and request numbers. Built
 * for 32 and for 64 bits against the kernel's nolibc, so that it needs no C library
 * of either kind; the output must equal abi.golden for both.
 *
 * With an argument, a device node, it also makes the requests there, and prints
 * what does not change from run to run.
 */
#include "nolibc.h"

#include <asm/ioctls.h>

#include "../../include/uapi/kmsgpipe.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define SIZE(type) printf("sizeof %s %d\n", #type, (int)sizeof(type))
#define FIELD(type, field) \
	printf("offsetof %s %s %d\n", #type, #field, (int)__builtin_offsetof(struct type, field))
#define REQUEST(name) printf("request %s 0x%x\n", #name, (unsigned int)(name))

/* Makes a request once: 0, or minus its errno. */
static int try(int fd, unsigned int request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

/* Whether O_NONBLOCK is on; nolibc has no fcntl(). */
static int nonblocking(int fd)
{
#ifdef __NR_fcntl64
	return (syscall(__NR_fcntl64, fd, F_GETFL, 0) & O_NONBLOCK) != 0;
#else
	return (syscall(__NR_fcntl, fd, F_GETFL, 0) & O_NONBLOCK) != 0;
#endif
}

static void layout(void)
{
	SIZE(struct kmsgpipe_stats);
	FIELD(kmsgpipe_stats, id);
	FIELD(kmsgpipe_stats, flags);
	FIELD(kmsgpipe_stats, msg_size);
	FIELD(kmsgpipe_stats, max_msgs);
	FIELD(kmsgpipe_stats, readers);
	FIELD(kmsgpipe_stats, writers);
	FIELD(kmsgpipe_stats, waiting_readers);
	FIELD(kmsgpipe_stats, waiting_writers);
	FIELD(kmsgpipe_stats, depth_msgs);
	FIELD(kmsgpipe_stats, depth_bytes);
	FIELD(kmsgpipe_stats, peak_msgs);
	FIELD(kmsgpipe_stats, peak_bytes);
	FIELD(kmsgpipe_stats, enqueued_msgs);
	FIELD(kmsgpipe_stats, enqueued_bytes);
	FIELD(kmsgpipe_stats, dequeued_msgs);
	FIELD(kmsgpipe_stats, dequeued_bytes);
	FIELD(kmsgpipe_stats, expired_msgs);
	FIELD(kmsgpipe_stats, expired_bytes);
	FIELD(kmsgpipe_stats, dropped_msgs);
	FIELD(kmsgpipe_stats, dropped_bytes);
	FIELD(kmsgpipe_stats, refused_full);
	FIELD(kmsgpipe_stats, refused_size);
	FIELD(kmsgpipe_stats, head_seq);
	FIELD(kmsgpipe_stats, head_age_ns);
	FIELD(kmsgpipe_stats, head_len);
	FIELD(kmsgpipe_stats, head_uid);
	FIELD(kmsgpipe_stats, head_gid);
	FIELD(kmsgpipe_stats, head_pid);
	FIELD(kmsgpipe_stats, flush_interval_ms);
	FIELD(kmsgpipe_stats, flush_expiry_ms);
	FIELD(kmsgpipe_stats, reserved);
	SIZE(struct kmsgpipe_params);
	FIELD(kmsgpipe_params, msg_size);
	FIELD(kmsgpipe_params, max_msgs);
	FIELD(kmsgpipe_params, reserved);
	SIZE(struct kmsgpipe_flush);
	FIELD(kmsgpipe_flush, enable);
	FIELD(kmsgpipe_flush, interval_ms);
	FIELD(kmsgpipe_flush, expiry_ms);
	FIELD(kmsgpipe_flush, reserved);
	SIZE(struct kmsgpipe_create);
	FIELD(kmsgpipe_create, msg_size);
	FIELD(kmsgpipe_create, max_msgs);
	FIELD(kmsgpipe_create, mode);
	FIELD(kmsgpipe_create, uid);
	FIELD(kmsgpipe_create, gid);
	FIELD(kmsgpipe_create, flags);
	FIELD(kmsgpipe_create, name);
	FIELD(kmsgpipe_create, default_mode);
	FIELD(kmsgpipe_create, overflow);
	FIELD(kmsgpipe_create, kind);
	FIELD(kmsgpipe_create, history);
	FIELD(kmsgpipe_create, priorities);
	FIELD(kmsgpipe_create, reserved);
	SIZE(struct kmsgpipe_attach);
	FIELD(kmsgpipe_attach, kind);
	FIELD(kmsgpipe_attach, start);
	FIELD(kmsgpipe_attach, at);
	FIELD(kmsgpipe_attach, flags);
	FIELD(kmsgpipe_attach, lease_ms);
	FIELD(kmsgpipe_attach, max_deliveries);
	FIELD(kmsgpipe_attach, group);
	FIELD(kmsgpipe_attach, reserved);
	SIZE(struct kmsgpipe_ack);
	FIELD(kmsgpipe_ack, first);
	FIELD(kmsgpipe_ack, last);
	FIELD(kmsgpipe_ack, delay_ms);
	FIELD(kmsgpipe_ack, reserved);
	SIZE(struct kmsgpipe_record);
	FIELD(kmsgpipe_record, seq);
	FIELD(kmsgpipe_record, monotonic_ns);
	FIELD(kmsgpipe_record, realtime_ns);
	FIELD(kmsgpipe_record, lost);
	FIELD(kmsgpipe_record, len);
	FIELD(kmsgpipe_record, uid);
	FIELD(kmsgpipe_record, gid);
	FIELD(kmsgpipe_record, pid);
	FIELD(kmsgpipe_record, flags);
	FIELD(kmsgpipe_record, priority);
	FIELD(kmsgpipe_record, deliveries);
	FIELD(kmsgpipe_record, reserved);
	SIZE(struct kmsgpipe_send);
	FIELD(kmsgpipe_send, len);
	FIELD(kmsgpipe_send, flags);
	FIELD(kmsgpipe_send, ttl_ns);
	FIELD(kmsgpipe_send, priority);
	FIELD(kmsgpipe_send, reserved);
	SIZE(struct kmsgpipe_dump);
	FIELD(kmsgpipe_dump, buffer);
	FIELD(kmsgpipe_dump, size);
	FIELD(kmsgpipe_dump, used);
	FIELD(kmsgpipe_dump, records);
	FIELD(kmsgpipe_dump, missing);
	FIELD(kmsgpipe_dump, reserved);
	REQUEST(KMSGPIPE_GET_STATS);
	REQUEST(KMSGPIPE_CLEAR_QUEUE);
	REQUEST(KMSGPIPE_SET_PARAMS);
	REQUEST(KMSGPIPE_GET_PARAMS);
	REQUEST(KMSGPIPE_TOGGLE_BLOCK);
	REQUEST(KMSGPIPE_FLUSH_PERIODIC);
	REQUEST(KMSGPIPE_CREATE_NEW);
	REQUEST(KMSGPIPE_DESTROY);
	REQUEST(KMSGPIPE_DUMP);
	REQUEST(KMSGPIPE_SET_MODE);
	REQUEST(KMSGPIPE_GET_MODE);
	REQUEST(KMSGPIPE_ATTACH);
	REQUEST(KMSGPIPE_ACK);
	REQUEST(KMSGPIPE_NACK);
}

static int stats_and_clear(int fd)
{
	struct kmsgpipe_stats stats;
	unsigned int i;
	char bytes[8];

	memset(&stats, 0xff, sizeof(stats));
	if (ioctl(fd, KMSGPIPE_CLEAR_QUEUE, 0) || write(fd, "four", 4) != 4 ||
	    ioctl(fd, KMSGPIPE_GET_STATS, &stats)) {
		printf("requests failed: errno %d\n", errno);
		return 1;
	}
	printf("value id %d msg_size %d max_msgs %d\n", stats.id, stats.msg_size, stats.max_msgs);
	printf("value depth %d messages %d bytes\n", (int)stats.depth_msgs, (int)stats.depth_bytes);
	printf("value head %d bytes, own pid %d\n", stats.head_len, stats.head_pid == (unsigned int)getpid());
	for (i = 0; i < ARRAY_SIZE(stats.reserved); i++)
		if (stats.reserved[i])
			printf("reserved[%d] is not zero\n", i);
	printf("value read %d\n", (int)read(fd, bytes, sizeof(bytes)));
	return 0;
}

static void params(int fd)
{
	struct kmsgpipe_params params = { .msg_size = 100, .max_msgs = 3 };
	char bytes[101] = { 0 };
	int sent;

	printf("value set_params %d\n", try(fd, KMSGPIPE_SET_PARAMS, &params));
	memset(&params, 0xff, sizeof(params));
	printf("value get_params %d: ", try(fd, KMSGPIPE_GET_PARAMS, &params));
	printf("%d %d %d %d\n", params.msg_size, params.max_msgs, params.reserved[0], params.reserved[1]);
	sent = write(fd, bytes, 101);
	printf("value write 101: %d errno %d\n", sent, errno);
	sent = write(fd, bytes, 100);
	printf("value write 100: %d\n", sent);
	printf("value set_params of a full pipe %d\n", try(fd, KMSGPIPE_SET_PARAMS, &params));
	params.reserved[1] = 1;
	printf("value set_params reserved %d\n", try(fd, KMSGPIPE_SET_PARAMS, &params));
	printf("value set_params bad pointer %d\n", try(fd, KMSGPIPE_SET_PARAMS, (void *)-1));
}

static void blocking(int fd)
{
	char byte;
	int on = 1, got;

	ioctl(fd, KMSGPIPE_CLEAR_QUEUE, 0);
	printf("value toggle %d\n", try(fd, KMSGPIPE_TOGGLE_BLOCK, 0));
	got = read(fd, &byte, 1);
	printf("value read %d errno %d nonblocking %d\n", got, errno, nonblocking(fd));
	printf("value toggle %d\n", try(fd, KMSGPIPE_TOGGLE_BLOCK, 0));
	printf("value nonblocking %d\n", nonblocking(fd));
	printf("value fionbio %d\n", try(fd, FIONBIO, &on));
	printf("value nonblocking %d\n", nonblocking(fd));
	got = write(fd, "seven..", 7);
	got = -1;
	printf("value fionread %d: ", try(fd, FIONREAD, &got));
	printf("%d\n", got);
}

static void flushing(int fd)
{
	struct kmsgpipe_flush flush = { .enable = 1, .interval_ms = 3000000000U, .expiry_ms = 4000000000U };
	struct kmsgpipe_stats stats;

	printf("value flush %d: ", try(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ioctl(fd, KMSGPIPE_GET_STATS, &stats);
	printf("flags %d %u %u\n", stats.flags, stats.flush_interval_ms, stats.flush_expiry_ms);
	flush.enable = 2;
	printf("value flush 2 %d\n", try(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	memset(&flush, 0, sizeof(flush));
	printf("value flush off %d: ", try(fd, KMSGPIPE_FLUSH_PERIODIC, &flush));
	ioctl(fd, KMSGPIPE_GET_STATS, &stats);
	printf("flags %d %u %u\n", stats.flags, stats.flush_interval_ms, stats.flush_expiry_ms);
}

static void dumping(int fd)
{
	static union {
		struct kmsgpipe_record record;
		unsigned long long words[32];
		char bytes[256];
	} buffer;
	struct kmsgpipe_dump dump = { .buffer = (unsigned long)&buffer, .size = sizeof(buffer) };
	struct kmsgpipe_record *second;
	int i;

	ioctl(fd, KMSGPIPE_CLEAR_QUEUE, 0);
	if (write(fd, "first", 5) != 5 || write(fd, "second...", 9) != 9)
		printf("not sent\n");
	memset(&buffer, 0xff, sizeof(buffer));
	printf("value dump %d: ", try(fd, KMSGPIPE_DUMP, &dump));
	printf("used %d records %d missing %d\n", (int)dump.used, dump.records, dump.missing);
	printf("value record %d bytes, own pid %d, uid %d gid %d flags %d reserved %d:", buffer.record.len,
	       buffer.record.pid == (unsigned int)getpid(), buffer.record.uid, buffer.record.gid,
	       buffer.record.flags, buffer.record.reserved);
	for (i = 64; i < 72; i++)
		printf(" %x", buffer.bytes[i] & 0xff);
	printf("\n");
	second = &buffer.record + 1;
	second = (void *)((char *)second + 8);
	printf("value record %d bytes, next %d, later %d %d:", second->len, second->seq == buffer.record.seq + 1,
	       second->monotonic_ns >= buffer.record.monotonic_ns, second->realtime_ns >= buffer.record.realtime_ns);
	for (i = 64; i < 64 + 16; i++)
		printf(" %x", ((char *)second)[i] & 0xff);
	printf("\n");
	dump.size = 72;
	printf("value dump of 72 %d: ", try(fd, KMSGPIPE_DUMP, &dump));
	printf("used %d records %d missing %d\n", (int)dump.used, dump.records, dump.missing);
	dump.size = 1ULL << 63;
	printf("value dump of 2^63 %d: ", try(fd, KMSGPIPE_DUMP, &dump));
	printf("used %d records %d missing %d\n", (int)dump.used, dump.records, dump.missing);
	/* This address is invalid in both kinds of program; its lower half is valid. */
	dump.buffer |= 1ULL << 63;
	printf("value dump bad pointer %d\n", try(fd, KMSGPIPE_DUMP, &dump));
	dump.buffer = 0;
	dump.size = 0;
	printf("value dump of nothing %d: ", try(fd, KMSGPIPE_DUMP, &dump));
	printf("used %d records %d missing %d\n", (int)dump.used, dump.records, dump.missing);
	dump.reserved[1] = 1ULL << 63;
	printf("value dump reserved %d\n", try(fd, KMSGPIPE_DUMP, &dump));
	ioctl(fd, KMSGPIPE_CLEAR_QUEUE, 0);
}

/* `attach` says that the file reads the messages of a queue. */
static void leases(int fd, struct kmsgpipe_attach *attach)
{
	struct kmsgpipe_stats stats = {};
	struct kmsgpipe_ack ack = {};
	char bytes[8];
	int got;

	if (try(fd, KMSGPIPE_GET_STATS, &stats) || write(fd, "trust", 5) != 5)
		printf("not sent\n");
	ack.first = ack.last = stats.enqueued_msgs + 1;
	attach->max_deliveries = 2;
	printf("value attach max_deliveries %d\n", try(fd, KMSGPIPE_ATTACH, attach));
	attach->lease_ms = 3600000;
	printf("value attach lease %d: ", try(fd, KMSGPIPE_ATTACH, attach));
	got = read(fd, bytes, sizeof(bytes));
	printf("read %d\n", got);
	printf("value nack %d: ", try(fd, KMSGPIPE_NACK, &ack));
	got = read(fd, bytes, sizeof(bytes));
	printf("read %d\n", got);
	/* The lower half of this number is that of the message. */
	ack.last = ack.first += 1ULL << 32;
	printf("value ack 2^32 %d\n", try(fd, KMSGPIPE_ACK, &ack));
	ack.last = ack.first -= 1ULL << 32;
	printf("value ack %d\n", try(fd, KMSGPIPE_ACK, &ack));
	printf("value ack again %d\n", try(fd, KMSGPIPE_ACK, &ack));
	printf("value ack bad pointer %d\n", try(fd, KMSGPIPE_ACK, (void *)-1));
	attach->lease_ms = attach->max_deliveries = 0;
	printf("value attach group again %d\n", try(fd, KMSGPIPE_ATTACH, attach));
}

/* Sets what a file of an empty queue reads; it has O_NONBLOCK. */
static void attaching(int fd)
{
	struct kmsgpipe_attach attach = { .kind = KMSGPIPE_ATTACH_BROWSE, .start = KMSGPIPE_START_OLDEST };
	char bytes[8];
	int got;

	if (write(fd, "seen", 4) != 4)
		printf("not sent\n");
	printf("value attach browse %d: ", try(fd, KMSGPIPE_ATTACH, &attach));
	got = read(fd, bytes, sizeof(bytes));
	printf("read %d\n", got);
	/* The lower half of this number is 0, from which on all messages are stored. */
	attach.start = KMSGPIPE_START_SEQ;
	attach.at = 1ULL << 32;
	printf("value attach browse 2^32 %d: ", try(fd, KMSGPIPE_ATTACH, &attach));
	got = read(fd, bytes, sizeof(bytes));
	printf("read %d errno %d\n", got, errno);
	attach.start = KMSGPIPE_START_NOW;
	printf("value attach at %d\n", try(fd, KMSGPIPE_ATTACH, &attach));
	attach.at = 0;
	attach.kind = KMSGPIPE_ATTACH_OWN;
	printf("value attach own %d\n", try(fd, KMSGPIPE_ATTACH, &attach));
	attach.kind = KMSGPIPE_ATTACH_GROUP;
	printf("value attach group %d: ", try(fd, KMSGPIPE_ATTACH, &attach));
	got = read(fd, bytes, sizeof(bytes));
	printf("read %d\n", got);
	attach.reserved = 1;
	printf("value attach reserved %d\n", try(fd, KMSGPIPE_ATTACH, &attach));
	attach.reserved = 0;
	leases(fd, &attach);
	printf("value attach bad pointer %d\n", try(fd, KMSGPIPE_ATTACH, (void *)-1));
}

static int set_mode(int fd, unsigned int mode)
{
	return try(fd, KMSGPIPE_SET_MODE, &mode);
}

/* Modes of a file with O_NONBLOCK, of an empty pipe with KMSGPIPE_MODE_WHOLE as its default. */
static void modes(int fd)
{
	unsigned int mode = ~0U;
	char bytes[8];
	int got, number;

	printf("value get_mode %d: ", try(fd, KMSGPIPE_GET_MODE, &mode));
	printf("%d\n", mode);
	printf("value set_mode 32: %d\n", set_mode(fd, 32));
	printf("value set_mode 2^31: %d\n", set_mode(fd, 1U << 31));
	printf("value set_mode bad pointer %d\n", try(fd, KMSGPIPE_SET_MODE, (void *)-1));
	printf("value get_mode bad pointer %d\n", try(fd, KMSGPIPE_GET_MODE, (void *)-1));
	printf("value set_mode eof, lines %d: ", set_mode(fd, KMSGPIPE_MODE_EOF | KMSGPIPE_MODE_LINES));
	printf("%d\n", try(fd, KMSGPIPE_GET_MODE, &mode) ?: (int)mode);
	got = read(fd, bytes, sizeof(bytes));
	printf("value read of nothing %d\n", got);
	got = write(fd, "one\ntwo", 7);
	printf("value write %d, set_mode with a line %d\n", got, set_mode(fd, 0));
	got = read(fd, bytes, sizeof(bytes));
	printf("value read %d, ", got);
	got = write(fd, "\n", 1);
	printf("write %d, ", got);
	got = read(fd, bytes, 1);
	printf("read %d, set_mode with a rest %d, ", got, set_mode(fd, 0));
	printf("fionread %d: ", try(fd, FIONREAD, &number));
	printf("%d, ", number);
	got = read(fd, bytes, sizeof(bytes));
	printf("read %d, set_mode %d\n", got, set_mode(fd, 0));
}

/* Writes and reads a message as a record, on the same file. */
static void records(int fd)
{
	struct {
		struct kmsgpipe_send send;
		char payload[8];
	} message = { .send.len = 5, .payload = "first" };
	struct {
		struct kmsgpipe_record record;
		char payload[8];
	} got;
	int len;

	printf("value set_mode records, whole %d\n", set_mode(fd, KMSGPIPE_MODE_RECORDS | KMSGPIPE_MODE_WHOLE));
	printf("value set_mode records %d: ", set_mode(fd, KMSGPIPE_MODE_RECORDS));
	len = write(fd, &message, sizeof(message));
	printf("write %d, ", len);
	message.send.priority = 1;
	len = write(fd, &message, sizeof(message));
	printf("write %d errno %d, ", len, errno);
	memset(&got, 0xff, sizeof(got));
	len = read(fd, &got, sizeof(got) - 1);
	printf("read %d errno %d, ", len, errno);
	len = read(fd, &got, sizeof(got));
	printf("read %d: %d bytes, own pid %d, uid %d gid %d flags %d lost %d priority %d deliveries %d reserved %d:", len,
	       got.record.len, got.record.pid == (unsigned int)getpid(), got.record.uid, got.record.gid, got.record.flags,
	       (int)got.record.lost, got.record.priority, got.record.deliveries, got.record.reserved);
	for (len = 0; len < 8; len++)
		printf(" %x", got.payload[len] & 0xff);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct kmsgpipe_create create = {
		.msg_size = 256, .max_msgs = 128, .mode = 0640, .uid = 3000000000U, .default_mode = KMSGPIPE_MODE_WHOLE,
	};
	int fd, id;

	layout();
	if (argc < 2)
		return 0;

	fd = open(argv[1], O_RDWR);
	if (fd < 0 || stats_and_clear(fd))
		return 1;

	/* A separate pipe for requests that change one. */
	memcpy(create.name, "abi", 4);
	create.reserved[1] = 1U << 31;
	printf("value create reserved %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	create.reserved[1] = 0;
	create.default_mode = 32;
	printf("value create default_mode %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	create.default_mode = KMSGPIPE_MODE_WHOLE;
	create.overflow = 3;
	printf("value create overflow %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	create.overflow = KMSGPIPE_OVERFLOW_BLOCK;
	create.kind = 2;
	printf("value create kind %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	create.kind = KMSGPIPE_KIND_QUEUE;
	create.history = 1;
	printf("value create history %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	create.history = 0;
	create.priorities = 33;
	printf("value create priorities %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	create.priorities = 0;
	id = ioctl(fd, KMSGPIPE_CREATE_NEW, &create);
	printf("value create %d\n", id > 0);
	printf("value create again %d\n", try(fd, KMSGPIPE_CREATE_NEW, &create));
	printf("value destroy 0: %d\n", try(fd, KMSGPIPE_DESTROY, 0));
	close(fd);
	fd = open("/dev/kmsgpipe/abi", O_RDWR);
	if (fd < 0) {
		printf("the pipe is not there: errno %d\n", errno);
		return 1;
	}
	params(fd);
	blocking(fd);
	flushing(fd);
	printf("value set_params %d\n", try(fd, KMSGPIPE_SET_PARAMS, &(struct kmsgpipe_params){ .msg_size = 1 }));
	dumping(fd);
	attaching(fd);
	modes(fd);
	records(fd);
	printf("value destroy %d\n", try(fd, KMSGPIPE_DESTROY, 0));
	printf("value destroy again %d\n", try(fd, KMSGPIPE_DESTROY, 0));
	printf("value set_mode destroyed %d\n", set_mode(fd, 0));
	printf("value attach destroyed %d\n", try(fd, KMSGPIPE_ATTACH, &(struct kmsgpipe_attach){ .kind = KMSGPIPE_ATTACH_GROUP }));
	printf("value unknown %d\n", try(fd, 0x59ff, 0));
	close(fd);
	return 0;
}
