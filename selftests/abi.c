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

#include "../include/uapi/kmsgpipe.h"

#define SIZE(type) printf("sizeof %s %d\n", #type, (int)sizeof(type))
#define FIELD(type, field) \
	printf("offsetof %s %s %d\n", #type, #field, (int)__builtin_offsetof(struct type, field))
#define REQUEST(name) printf("request %s 0x%x\n", #name, (unsigned int)(name))

int main(int argc, char **argv)
{
	struct kmsgpipe_stats stats;
	unsigned int i;
	char bytes[8];
	int fd;

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
	FIELD(kmsgpipe_stats, reserved);
	REQUEST(KMSGPIPE_GET_STATS);
	REQUEST(KMSGPIPE_CLEAR_QUEUE);
	if (argc < 2)
		return 0;

	fd = open(argv[1], O_RDWR);
	memset(&stats, 0xff, sizeof(stats));
	if (fd < 0 || ioctl(fd, KMSGPIPE_CLEAR_QUEUE, 0) || write(fd, "four", 4) != 4 ||
	    ioctl(fd, KMSGPIPE_GET_STATS, &stats)) {
		printf("requests failed: errno %d\n", errno);
		return 1;
	}
	printf("value id %d msg_size %d max_msgs %d\n", stats.id, stats.msg_size, stats.max_msgs);
	printf("value depth %d messages %d bytes\n", (int)stats.depth_msgs, (int)stats.depth_bytes);
	printf("value head %d bytes, own pid %d\n", stats.head_len, stats.head_pid == (unsigned int)getpid());
	for (i = 0; i < sizeof(stats.reserved) / sizeof(stats.reserved[0]); i++)
		if (stats.reserved[i])
			printf("reserved[%d] is not zero\n", i);
	printf("value read %d\n", (int)read(fd, bytes, sizeof(bytes)));
	return 0;
}
