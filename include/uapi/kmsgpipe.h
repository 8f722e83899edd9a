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

/* What they are unless somebody says otherwise. */
#define KMSGPIPE_MSG_SIZE_DEFAULT	256
#define KMSGPIPE_MAX_MSGS_DEFAULT	128

/* What FLUSH_PERIODIC takes 0 for, in milliseconds. */
#define KMSGPIPE_FLUSH_INTERVAL_DEFAULT	1000
#define KMSGPIPE_FLUSH_EXPIRY_DEFAULT	10000

/* Room for a pipe's name and the zero behind it. */
#define KMSGPIPE_NAME_SIZE	32

/* kmsgpipe_stats.flags: the head_* fields describe the oldest message. */
#define KMSGPIPE_STATS_HEAD	(1U << 0)
/* kmsgpipe_stats.flags: messages expire, as flush_* say. */
#define KMSGPIPE_STATS_FLUSH	(1U << 1)
/* kmsgpipe_stats.flags: the oldest message is KMSGPIPE_RECORD_PRIVILEGED. */
#define KMSGPIPE_STATS_HEAD_PRIVILEGED	(1U << 2)

/*
 * kmsgpipe_record.flags: the sender had other effective ids than the real ones that
 * are shown, or the file was opened with other ids. So has a set-user-id program,
 * whose words may be its caller's.
 */
#define KMSGPIPE_RECORD_PRIVILEGED	(1U << 0)

/*
 * The mode of an open file, as bits of a __u32. In no mode, a read whose buffer is
 * too short takes what fits of a message, and the next reads of the same open file
 * get the rest of it, never bytes of two messages; a write is one message.
 */
/* A read fails with EMSGSIZE if the message does not fit; the message stays. */
#define KMSGPIPE_MODE_WHOLE	(1U << 0)
/* A read that would have to wait for a message returns 0. */
#define KMSGPIPE_MODE_EOF	(1U << 1)
/*
 * Each line of a write is a message, with its newline. What follows the last newline
 * is kept: it is the beginning of the next write of the same open file, or is sent
 * when that is closed.
 */
#define KMSGPIPE_MODE_LINES	(1U << 3)
/*
 * A read gets as many whole records as fit, each a struct kmsgpipe_record with the
 * message behind it, or fails with EMSGSIZE if the first one does not fit. A write is
 * one or more messages, each behind a struct kmsgpipe_send. Goes with
 * KMSGPIPE_MODE_EOF alone.
 */
#define KMSGPIPE_MODE_RECORDS	(1U << 4)

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
 * @refused_full: writes that ended with EAGAIN because the pipe was full, and closes
 *	that found no room for what KMSGPIPE_MODE_LINES had kept; not writes of
 *	io_uring, whose attempts are followed by others
 * @refused_size: writes that ended with EMSGSIZE
 * @head_seq: sequence number of the oldest message; the first ever sent has 1
 * @head_age_ns: how long it has been queued, by CLOCK_MONOTONIC: without the time
 *	for which the machine was suspended
 * @head_len: its length in bytes
 * @head_uid: real user id of its sender, in the caller's user namespace
 * @head_gid: real group id of its sender, likewise
 * @head_pid: process id of its sender, 0 for a caller in another pid namespace
 *	than the initial one
 * @flush_interval_ms: how often expired messages are removed, in milliseconds;
 *	zero unless @flags has KMSGPIPE_STATS_FLUSH
 * @flush_expiry_ms: how old a message may grow, likewise; by the clock of @head_age_ns
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
	__u32 flush_interval_ms;
	__u32 flush_expiry_ms;
	__u64 reserved[9];
};

/**
 * struct kmsgpipe_params - what a pipe may hold
 * @msg_size: the longest message that is accepted, in bytes:
 *	KMSGPIPE_MSG_SIZE_MIN to KMSGPIPE_MSG_SIZE_MAX
 * @max_msgs: the number of messages that fit: KMSGPIPE_MAX_MSGS_MIN to
 *	KMSGPIPE_MAX_MSGS_MAX
 * @reserved: zero
 *
 * The product of both is bounded by the module's parameter max_bytes.
 */
struct kmsgpipe_params {
	__u32 msg_size;
	__u32 max_msgs;
	__u32 reserved[2];
};

/**
 * struct kmsgpipe_flush - whether and when messages expire
 * @enable: 1 to start removing messages that have grown too old, 0 to stop
 * @interval_ms: how often to look, in milliseconds; 0 is
 *	KMSGPIPE_FLUSH_INTERVAL_DEFAULT; must be 0 if @enable is
 * @expiry_ms: how old a message may grow; 0 is KMSGPIPE_FLUSH_EXPIRY_DEFAULT;
 *	must be 0 if @enable is
 * @reserved: zero
 */
struct kmsgpipe_flush {
	__u32 enable;
	__u32 interval_ms;
	__u32 expiry_ms;
	__u32 reserved;
};

/**
 * struct kmsgpipe_create - a pipe to be made
 * @msg_size: as in struct kmsgpipe_params
 * @max_msgs: likewise
 * @mode: permissions of the node, 0001 to 0777; 0 is 0600
 * @uid: owner of the node
 * @gid: group of the node
 * @flags: zero
 * @name: letters, digits, '.', '_' and '-', then zeroes to the end; neither "."
 *	nor "..", and not ending in ".peer". The node is /dev/kmsgpipe/NAME.
 *	Empty: the node is /dev/kmsgpipeN
 * @default_mode: the mode of files when they are opened, KMSGPIPE_MODE_*
 * @reserved: zero
 */
struct kmsgpipe_create {
	__u32 msg_size;
	__u32 max_msgs;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 flags;
	char name[KMSGPIPE_NAME_SIZE];
	__u32 default_mode;
	__u32 reserved[3];
};

/**
 * struct kmsgpipe_record - a message as KMSGPIPE_MODE_RECORDS and KMSGPIPE_DUMP show it
 * @seq: its sequence number; the first message ever sent has 1
 * @monotonic_ns: when it was enqueued, by CLOCK_MONOTONIC as the time namespace of
 *	the caller has it; 0 if that was before that clock began
 * @realtime_ns: when it was enqueued, by CLOCK_REALTIME as it was set then; 0 if
 *	that was before 1970
 * @lost: zero
 * @len: its length in bytes
 * @uid: real user id of its sender, in the caller's user namespace
 * @gid: real group id of its sender, likewise
 * @pid: process id of its sender, 0 for a caller in another pid namespace than
 *	the initial one
 * @flags: KMSGPIPE_RECORD_*
 * @priority: zero
 * @deliveries: how often it was delivered, this time included: 1 for a read, 0 for
 *	KMSGPIPE_DUMP, which delivers nothing
 * @reserved: zero
 *
 * The payload follows, then zeroes up to a multiple of 8 bytes.
 */
struct kmsgpipe_record {
	__u64 seq;
	__u64 monotonic_ns;
	__u64 realtime_ns;
	__u64 lost;
	__u32 len;
	__u32 uid;
	__u32 gid;
	__u32 pid;
	__u32 flags;
	__u32 priority;
	__u32 deliveries;
	__u32 reserved;
};

/**
 * struct kmsgpipe_send - a message that is written in KMSGPIPE_MODE_RECORDS
 * @len: its length in bytes, at least 1
 * @flags: zero
 * @ttl_ns: zero
 * @priority: zero
 * @reserved: zero
 *
 * The payload follows, then zeroes up to a multiple of 8 bytes. All that a write has
 * is checked before the first message is accepted. It returns the number of bytes of
 * those that were accepted; one that may wait does so until all are, or a signal comes.
 * By io_uring it does not wait for room once one was accepted.
 */
struct kmsgpipe_send {
	__u32 len;
	__u32 flags;
	__u64 ttl_ns;
	__u32 priority;
	__u32 reserved;
};

/**
 * struct kmsgpipe_dump - a copy of all queued messages
 * @buffer: address of the memory for the records
 * @size: its length in bytes
 * @used: set to the number of bytes that were written to it
 * @records: set to the number of records in it, oldest message first
 * @missing: set to the number of messages that did not fit, each newer than those
 *	in the buffer
 * @reserved: zero
 */
struct kmsgpipe_dump {
	__u64 buffer;
	__u64 size;
	__u64 used;
	__u32 records;
	__u32 missing;
	__u64 reserved[2];
};

#define KMSGPIPE_IOC_MAGIC	'Y'

/* Any descriptor: a consistent snapshot of the pipe's statistics. */
#define KMSGPIPE_GET_STATS	_IOR(KMSGPIPE_IOC_MAGIC, 0x00, struct kmsgpipe_stats)

/* CAP_SYS_ADMIN: discard every queued message; they count as dropped. */
#define KMSGPIPE_CLEAR_QUEUE	_IO(KMSGPIPE_IOC_MAGIC, 0x01)

/* CAP_SYS_ADMIN: change what an empty pipe may hold; EBUSY if it is not empty. */
#define KMSGPIPE_SET_PARAMS	_IOW(KMSGPIPE_IOC_MAGIC, 0x02, struct kmsgpipe_params)

/* Any descriptor: what the pipe may hold. */
#define KMSGPIPE_GET_PARAMS	_IOR(KMSGPIPE_IOC_MAGIC, 0x03, struct kmsgpipe_params)

/* Any descriptor: turn O_NONBLOCK of the open file on if it is off, and off if on. */
#define KMSGPIPE_TOGGLE_BLOCK	_IO(KMSGPIPE_IOC_MAGIC, 0x04)

/* CAP_SYS_ADMIN: let messages expire, or stop doing so. */
#define KMSGPIPE_FLUSH_PERIODIC	_IOW(KMSGPIPE_IOC_MAGIC, 0x05, struct kmsgpipe_flush)

/* CAP_SYS_ADMIN: make another pipe; returns its number. */
#define KMSGPIPE_CREATE_NEW	_IOW(KMSGPIPE_IOC_MAGIC, 0x06, struct kmsgpipe_create)

/*
 * CAP_SYS_ADMIN: destroy the descriptor's own pipe; EBUSY for pipe 0. Whoever waits
 * for it, and every later call on a descriptor of it, gets ENODEV; only a vector
 * without bytes gets 0, as the kernel does not ask the pipe.
 */
#define KMSGPIPE_DESTROY	_IO(KMSGPIPE_IOC_MAGIC, 0x07)

/* CAP_SYS_ADMIN: copy all queued messages, as of one moment; none is consumed. */
#define KMSGPIPE_DUMP		_IOWR(KMSGPIPE_IOC_MAGIC, 0x08, struct kmsgpipe_dump)

/*
 * Any descriptor: change the mode of the open file. EBUSY while it keeps the rest of a
 * message that it has begun to read, or the beginning of a line that it has written.
 */
#define KMSGPIPE_SET_MODE	_IOW(KMSGPIPE_IOC_MAGIC, 0x09, __u32)

/* Any descriptor: the mode of the open file. */
#define KMSGPIPE_GET_MODE	_IOR(KMSGPIPE_IOC_MAGIC, 0x0a, __u32)

#endif /* _UAPI_LINUX_KMSGPIPE_H */
