/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kmsgpipe: bounded message queues that are files, /dev/kmsgpipeN.
 *
 * One layout for 32-bit and 64-bit programs: fixed-width fields, no implicit
 * padding. Reserved fields are zero, both ways. Times are in nanoseconds,
 * sizes in bytes. The man page kmsgpipe(4) describes each request.
 */
#ifndef _UAPI_LINUX_KMSGPIPE_H
#define _UAPI_LINUX_KMSGPIPE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Limits of a pipe's parameters; each is a count of bytes or of messages. */
#define KMSGPIPE_MSG_SIZE_MIN	1
#define KMSGPIPE_MSG_SIZE_MAX	1048576
#define KMSGPIPE_MAX_MSGS_MIN	1
#define KMSGPIPE_MAX_MSGS_MAX	65536

/* kmsgpipe_stats.flags: the head_* fields describe the oldest message. */
#define KMSGPIPE_STATS_HEAD	(1U << 0)

/**
 * struct kmsgpipe_stats - one consistent snapshot of a pipe
 * @id: the pipe's number, N of /dev/kmsgpipeN
 * @flags: KMSGPIPE_STATS_*
 * @msg_size: the longest message that is accepted, in bytes
 * @max_msgs: the number of messages that fit
 * @readers: open file descriptions that may read
 * @writers: open file descriptions that may write
 * @waiting_readers: tasks asleep because the pipe is empty
 * @waiting_writers: tasks asleep because the pipe is full
 * @depth_msgs: messages queued now
 * @depth_bytes: their payload, in bytes
 * @peak_msgs: the largest @depth_msgs so far
 * @peak_bytes: the largest @depth_bytes so far
 * @enqueued_msgs: messages accepted
 * @enqueued_bytes: their payload
 * @dequeued_msgs: messages delivered to a reader
 * @dequeued_bytes: their payload
 * @expired_msgs: messages removed because they grew too old
 * @expired_bytes: their payload
 * @dropped_msgs: messages accepted and then discarded unread
 * @dropped_bytes: their payload
 * @refused_full: attempts to write refused with EAGAIN because the pipe was full
 * @refused_size: attempts to write refused with EMSGSIZE
 * @head_seq: sequence number of the oldest message; the first ever sent has 1
 * @head_age_ns: how long it has been queued
 * @head_len: its length in bytes
 * @head_uid: effective user id of its sender, in the caller's user namespace
 * @head_gid: effective group id of its sender, likewise
 * @head_pid: process id of its sender, 0 for a caller in another pid namespace
 *	than the initial one
 * @reserved: zero
 *
 * At every snapshot enqueued = dequeued + expired + dropped + depth, in messages
 * and in bytes. The head_* fields are zero unless @flags has KMSGPIPE_STATS_HEAD:
 * a message is queued and the descriptor is open for reading.
 */
struct kmsgpipe_stats {
	__u32 id;
	__u32 flags;
	__u32 msg_size;
	__u32 max_msgs;
	__u32 readers;
	__u32 writers;
	__u32 waiting_readers;
	__u32 waiting_writers;
	__u64 depth_msgs;
	__u64 depth_bytes;
	__u64 peak_msgs;
	__u64 peak_bytes;
	__u64 enqueued_msgs;
	__u64 enqueued_bytes;
	__u64 dequeued_msgs;
	__u64 dequeued_bytes;
	__u64 expired_msgs;
	__u64 expired_bytes;
	__u64 dropped_msgs;
	__u64 dropped_bytes;
	__u64 refused_full;
	__u64 refused_size;
	__u64 head_seq;
	__u64 head_age_ns;
	__u32 head_len;
	__u32 head_uid;
	__u32 head_gid;
	__u32 head_pid;
	__u64 reserved[10];
};

#define KMSGPIPE_IOC_MAGIC	'Y'

/* Any descriptor: a consistent snapshot of the pipe's statistics. */
#define KMSGPIPE_GET_STATS	_IOR(KMSGPIPE_IOC_MAGIC, 0x00, struct kmsgpipe_stats)

/* CAP_SYS_ADMIN: discard every queued message; they count as dropped. */
#define KMSGPIPE_CLEAR_QUEUE	_IO(KMSGPIPE_IOC_MAGIC, 0x01)

#endif /* _UAPI_LINUX_KMSGPIPE_H */
