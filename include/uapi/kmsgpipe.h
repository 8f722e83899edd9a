/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kmsgpipe: bounded message queues that are files, /dev/kmsgpipeN.
 *
 * All structures have the same layout for 32-bit and 64-bit programs:
 * fixed-width fields, no implicit padding. Reserved fields must be zero on
 * input and are zero on output. Times are in nanoseconds and sizes in bytes
 * unless the name of a field says otherwise. ioctl_kmsgpipe(2) describes each
 * request.
 */
#ifndef _UAPI_LINUX_KMSGPIPE_H
#define _UAPI_LINUX_KMSGPIPE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bounds of the limits of a pipe, in bytes and in messages. */
#define KMSGPIPE_MSG_SIZE_MIN	1
#define KMSGPIPE_MSG_SIZE_MAX	1048576
#define KMSGPIPE_MAX_MSGS_MIN	1
#define KMSGPIPE_MAX_MSGS_MAX	65536

/* Default limits of a pipe. */
#define KMSGPIPE_MSG_SIZE_DEFAULT	256
#define KMSGPIPE_MAX_MSGS_DEFAULT	128

/* Defaults for which 0 stands in FLUSH_PERIODIC, in milliseconds. */
#define KMSGPIPE_FLUSH_INTERVAL_DEFAULT	1000
#define KMSGPIPE_FLUSH_EXPIRY_DEFAULT	10000

/* Largest number of priorities of a pipe. */
#define KMSGPIPE_PRIORITIES_MAX	32

/* Size of a pipe's name, with the terminating zero. */
#define KMSGPIPE_NAME_SIZE	32

/* kmsgpipe_stats.flags: the head_* fields describe the oldest message. */
#define KMSGPIPE_STATS_HEAD	(1U << 0)
/* kmsgpipe_stats.flags: messages expire, by the flush_* fields. */
#define KMSGPIPE_STATS_FLUSH	(1U << 1)
/* kmsgpipe_stats.flags: the oldest message has KMSGPIPE_RECORD_PRIVILEGED. */
#define KMSGPIPE_STATS_HEAD_PRIVILEGED	(1U << 2)

/*
 * kmsgpipe_record.flags: the effective ids of the sender, or the ids with which the
 * file was opened, differ from the real ids in the record. A set-user-id program
 * sets it; such a program may write what its caller chose.
 */
#define KMSGPIPE_RECORD_PRIVILEGED	(1U << 0)
/* The message was delivered before, and came back. */
#define KMSGPIPE_RECORD_REDELIVERED	(1U << 1)

/*
 * The mode of an open file, as bits of a __u32. Without any bit, a write is one
 * message, and a read whose buffer is too short returns what fits of a message. The
 * next reads of the same open file return the rest, never bytes of two messages.
 */
/* A read fails with EMSGSIZE if the message does not fit; the message stays. */
#define KMSGPIPE_MODE_WHOLE	(1U << 0)
/* A read that would have to wait for a message returns 0. */
#define KMSGPIPE_MODE_EOF	(1U << 1)
/*
 * Once a file was open for writing and the last such file was closed, a read of the
 * empty pipe returns 0, and poll() says POLLHUP, as in a pipe(7). Files count that were
 * open for writing when this one was opened, or since.
 */
#define KMSGPIPE_MODE_HUP	(1U << 2)
/*
 * Each line of a write is a message, including its newline. The open file keeps the
 * partial line behind the last newline. It is put before the next write of the same
 * open file, or sent when the file is closed.
 */
#define KMSGPIPE_MODE_LINES	(1U << 3)
/*
 * A read returns as many whole records as fit, each a struct kmsgpipe_record and the
 * message, or fails with EMSGSIZE if the first one does not fit. A write is one or
 * more messages, each after a struct kmsgpipe_send. Can be combined with
 * KMSGPIPE_MODE_EOF and KMSGPIPE_MODE_HUP only.
 */
#define KMSGPIPE_MODE_RECORDS	(1U << 4)

/*
 * What a write to a full pipe does. It waits for room, or fails with EAGAIN if it must
 * not wait.
 */
#define KMSGPIPE_OVERFLOW_BLOCK		0
/*
 * It drops the oldest queued message of the lowest priority, which counts as dropped, and
 * never waits for room. A new message of still lower priority is discarded instead. While
 * the rests of messages that were read in part hold all slots, there is none to drop, and
 * the new message is discarded.
 */
#define KMSGPIPE_OVERFLOW_DROP_OLDEST	1
/*
 * It discards its own message, and returns as if it had been queued. The message counts
 * as enqueued and as dropped, and gets no sequence number.
 */
#define KMSGPIPE_OVERFLOW_DROP_NEWEST	2

/* The kind of a pipe. In a queue, each message goes to one reader. */
#define KMSGPIPE_KIND_QUEUE	0
/*
 * In a broadcast pipe, each subscription gets each message. Opening the pipe for reading
 * makes a subscription, and closing it ends the subscription. A message stays until the
 * last subscription has read it. One that no subscription waits for is dropped.
 */
#define KMSGPIPE_KIND_BROADCAST		1

/* What an open file reads: in a broadcast pipe, a subscription of its own. */
#define KMSGPIPE_ATTACH_OWN	0
/*
 * The messages of a queue, each of which goes to one of all such files. With a lease, a
 * file has each message on trust: it stays in the queue, and counts there, until
 * KMSGPIPE_ACK. KMSGPIPE_NACK, the end of the lease and the close of the file give it back
 * to the queue, to be delivered again before all newer ones.
 */
#define KMSGPIPE_ATTACH_GROUP	1
/*
 * Copies of the stored messages, which stay. Messages that leave the pipe before the
 * file has read them are lost for it.
 */
#define KMSGPIPE_ATTACH_BROWSE	2

/* The first message that the file reads: the next one to be sent. */
#define KMSGPIPE_START_NOW	0
/* The oldest stored message. */
#define KMSGPIPE_START_OLDEST	1
/* The first with a sequence number of at least kmsgpipe_attach.at. */
#define KMSGPIPE_START_SEQ	2
/* The first that was sent at kmsgpipe_attach.at or later, by CLOCK_REALTIME. */
#define KMSGPIPE_START_TIME	3

/**
 * struct kmsgpipe_stats - one consistent snapshot of a pipe
 * @id: the pipe's number, N of /dev/kmsgpipeN
 * @flags: KMSGPIPE_STATS_*
 * @msg_size: the longest message that is accepted, in bytes
 * @max_msgs: the number of messages that fit
 * @readers: open file descriptions that may read
 * @writers: open file descriptions that may write
 * @waiting_readers: tasks that wait in a read because the pipe is empty
 * @waiting_writers: tasks that wait in a write because the pipe is full
 * @depth_msgs: messages queued now
 * @depth_bytes: payload of the queued messages
 * @peak_msgs: the largest @depth_msgs so far
 * @peak_bytes: the largest @depth_bytes so far
 * @enqueued_msgs: messages accepted
 * @enqueued_bytes: payload of accepted messages
 * @dequeued_msgs: messages delivered to a reader
 * @dequeued_bytes: payload of delivered messages
 * @expired_msgs: messages removed because they expired
 * @expired_bytes: payload of expired messages
 * @dropped_msgs: messages accepted and then discarded unread
 * @dropped_bytes: payload of dropped messages
 * @refused_full: writes that failed with EAGAIN because the pipe was full, and closes
 *	that found no room for the partial line of KMSGPIPE_MODE_LINES. Writes of
 *	io_uring are not counted: io_uring tries without waiting, then again
 * @refused_size: writes that failed with EMSGSIZE
 * @head_seq: sequence number of the oldest message of the highest priority, which is read
 *	next and which the other head_* fields describe; the first ever sent has 1
 * @head_age_ns: age of the oldest message by CLOCK_MONOTONIC, which stops while the
 *	machine is suspended
 * @head_len: length of the oldest message
 * @head_uid: real user id of the oldest message's sender, in the caller's user
 *	namespace
 * @head_gid: real group id of the oldest message's sender, in the caller's user
 *	namespace
 * @head_pid: process id of the oldest message's sender; 0 if the caller is not in the
 *	initial pid namespace
 * @flush_interval_ms: how often expired messages are removed, in milliseconds;
 *	zero unless @flags has KMSGPIPE_STATS_FLUSH
 * @flush_expiry_ms: age at which messages expire, in milliseconds of the clock of
 *	@head_age_ns; zero unless @flags has KMSGPIPE_STATS_FLUSH
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
 * struct kmsgpipe_params - the limits of a pipe
 * @msg_size: the longest message that is accepted, in bytes:
 *	KMSGPIPE_MSG_SIZE_MIN to KMSGPIPE_MSG_SIZE_MAX
 * @max_msgs: the number of messages that fit: KMSGPIPE_MAX_MSGS_MIN to
 *	KMSGPIPE_MAX_MSGS_MAX
 * @reserved: zero
 *
 * The product of @msg_size and @max_msgs is bounded by the module parameter max_bytes.
 */
struct kmsgpipe_params {
	__u32 msg_size;
	__u32 max_msgs;
	__u32 reserved[2];
};

/**
 * struct kmsgpipe_flush - whether and when messages expire
 * @enable: 1 if messages expire, 0 if not
 * @interval_ms: how often expired messages are removed, in milliseconds; 0 is
 *	KMSGPIPE_FLUSH_INTERVAL_DEFAULT; must be 0 if @enable is 0
 * @expiry_ms: age at which messages expire, in milliseconds; 0 is
 *	KMSGPIPE_FLUSH_EXPIRY_DEFAULT; must be 0 if @enable is 0
 * @reserved: zero
 */
struct kmsgpipe_flush {
	__u32 enable;
	__u32 interval_ms;
	__u32 expiry_ms;
	__u32 reserved;
};

/**
 * struct kmsgpipe_create - a pipe to be created
 * @msg_size: as in struct kmsgpipe_params
 * @max_msgs: as in struct kmsgpipe_params
 * @mode: permissions of the node, 0001 to 0777; 0 is 0600
 * @uid: owner of the node
 * @gid: group of the node
 * @flags: zero
 * @name: letters, digits, '.', '_' and '-', then zeroes to the end; neither "."
 *	nor "..", and not ending in ".peer". The node is /dev/kmsgpipe/NAME.
 *	If empty, the node is /dev/kmsgpipeN
 * @default_mode: the mode of newly opened files, KMSGPIPE_MODE_*
 * @overflow: what a write to the full pipe does, KMSGPIPE_OVERFLOW_*
 * @kind: KMSGPIPE_KIND_*
 * @history: number of the newest messages that stay for subscriptions that are still to
 *	come, at most @max_msgs; 0 for a queue
 * @priorities: number of priorities, at most KMSGPIPE_PRIORITIES_MAX; 0 is 1. A broadcast
 *	pipe has 1
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
	__u32 overflow;
	__u32 kind;
	__u32 history;
	__u32 priorities;
	__u32 reserved[3];
};

/**
 * struct kmsgpipe_attach - what an open file reads, and from where
 * @kind: KMSGPIPE_ATTACH_*: in a broadcast pipe _OWN or _BROWSE, in a queue _GROUP or
 *	_BROWSE
 * @start: KMSGPIPE_START_*; _NOW for KMSGPIPE_ATTACH_GROUP
 * @at: a sequence number for KMSGPIPE_START_SEQ, nanoseconds for KMSGPIPE_START_TIME,
 *	0 otherwise
 * @flags: zero
 * @lease_ms: for KMSGPIPE_ATTACH_GROUP: how long the file has a message that it has read
 *	on trust, in milliseconds; 0 if it consumes messages by reading them
 * @max_deliveries: with a lease: the number of deliveries after which a message that comes
 *	back is dropped; 0 is any number
 * @group: zeroes: the one group of a queue has no name
 * @reserved: zero
 */
struct kmsgpipe_attach {
	__u32 kind;
	__u32 start;
	__u64 at;
	__u32 flags;
	__u32 lease_ms;
	__u32 max_deliveries;
	char group[KMSGPIPE_NAME_SIZE];
	__u32 reserved;
};

/**
 * struct kmsgpipe_ack - messages that a file has on trust
 * @first: sequence number of the first message
 * @last: sequence number of the last message, at least @first
 * @delay_ms: for KMSGPIPE_NACK: how long to wait before they are delivered again, in
 *	milliseconds; 0 for KMSGPIPE_ACK
 * @reserved: zero
 *
 * Those in the range count that this open file has.
 */
struct kmsgpipe_ack {
	__u64 first;
	__u64 last;
	__u32 delay_ms;
	__u32 reserved;
};

/**
 * struct kmsgpipe_record - a message as KMSGPIPE_MODE_RECORDS and KMSGPIPE_DUMP show it
 * @seq: sequence number; the first message ever sent has 1
 * @monotonic_ns: time of the write by CLOCK_MONOTONIC, in the caller's time
 *	namespace; 0 if that clock had not started there yet
 * @realtime_ns: time of the write by CLOCK_REALTIME; 0 if that was before 1970
 * @lost: messages that were lost just before this one: in a queue, to overflow since a
 *	message was last delivered to any of its readers; in a subscription or for
 *	KMSGPIPE_ATTACH_BROWSE, messages that left the pipe before the file had read
 *	them; 0 for KMSGPIPE_DUMP
 * @len: length of the message in bytes
 * @uid: real user id of the sender, in the caller's user namespace
 * @gid: real group id of the sender, in the caller's user namespace
 * @pid: process id of the sender; 0 if the caller is not in the initial pid
 *	namespace
 * @flags: KMSGPIPE_RECORD_*
 * @priority: priority of the message; a read gets messages of higher priority first
 * @deliveries: how often the message was delivered, this time included: 1 for a read
 *	of a message that did not come back, 0 for KMSGPIPE_DUMP, which delivers nothing
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
 * @len: length of the message in bytes, at least 1
 * @flags: zero
 * @ttl_ns: time after which the message expires, if the pipe does not let it expire earlier;
 *	0 for none. EINVAL in a broadcast pipe, while a file browses the pipe, and once
 *	a file has had a lease
 * @priority: priority of the message, less than the number of priorities of the pipe
 * @reserved: zero
 *
 * The payload follows, then zeroes up to a multiple of 8 bytes. The whole write is
 * checked before the first message is accepted. It returns the number of bytes of the
 * accepted messages. A blocking write waits until all messages are accepted or a
 * signal comes. An io_uring write does not wait once it has accepted a message.
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
 * @buffer: address of the buffer for the records
 * @size: length of the buffer in bytes
 * @used: set to the number of bytes that were written to the buffer
 * @records: set to the number of records in the buffer, in the order in which messages
 *	are read: highest priority first, and within one priority oldest first
 * @missing: set to the number of messages that did not fit, each behind those in the
 *	buffer
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

/* Any descriptor: get a consistent snapshot of the pipe's statistics. */
#define KMSGPIPE_GET_STATS	_IOR(KMSGPIPE_IOC_MAGIC, 0x00, struct kmsgpipe_stats)

/* CAP_SYS_ADMIN: discard all queued messages, which count as dropped. */
#define KMSGPIPE_CLEAR_QUEUE	_IO(KMSGPIPE_IOC_MAGIC, 0x01)

/* CAP_SYS_ADMIN: set the limits of the pipe; EBUSY if it is not empty. */
#define KMSGPIPE_SET_PARAMS	_IOW(KMSGPIPE_IOC_MAGIC, 0x02, struct kmsgpipe_params)

/* Any descriptor: get the limits of the pipe. */
#define KMSGPIPE_GET_PARAMS	_IOR(KMSGPIPE_IOC_MAGIC, 0x03, struct kmsgpipe_params)

/* Any descriptor: toggle O_NONBLOCK of the open file. */
#define KMSGPIPE_TOGGLE_BLOCK	_IO(KMSGPIPE_IOC_MAGIC, 0x04)

/* CAP_SYS_ADMIN: enable or disable expiry of messages. */
#define KMSGPIPE_FLUSH_PERIODIC	_IOW(KMSGPIPE_IOC_MAGIC, 0x05, struct kmsgpipe_flush)

/* CAP_SYS_ADMIN: create a pipe; returns its number. */
#define KMSGPIPE_CREATE_NEW	_IOW(KMSGPIPE_IOC_MAGIC, 0x06, struct kmsgpipe_create)

/*
 * CAP_SYS_ADMIN: destroy the pipe of the descriptor; EBUSY for pipe 0. Waiting tasks
 * and all later calls on descriptors of the pipe get ENODEV. A call with a vector
 * without bytes returns 0, as the kernel does not ask the pipe.
 */
#define KMSGPIPE_DESTROY	_IO(KMSGPIPE_IOC_MAGIC, 0x07)

/* CAP_SYS_ADMIN: copy a snapshot of all queued messages; none is consumed. */
#define KMSGPIPE_DUMP		_IOWR(KMSGPIPE_IOC_MAGIC, 0x08, struct kmsgpipe_dump)

/*
 * Any descriptor: set the mode of the open file. EBUSY while the file keeps the rest
 * of a message that was read in part, or a partial line.
 */
#define KMSGPIPE_SET_MODE	_IOW(KMSGPIPE_IOC_MAGIC, 0x09, __u32)

/* Any descriptor: get the mode of the open file. */
#define KMSGPIPE_GET_MODE	_IOR(KMSGPIPE_IOC_MAGIC, 0x0a, __u32)

/*
 * A descriptor that is open for reading: set what the open file reads, and where it
 * begins. EBUSY while the file keeps the rest of a message that was read in part.
 */
#define KMSGPIPE_ATTACH		_IOW(KMSGPIPE_IOC_MAGIC, 0x0b, struct kmsgpipe_attach)

/*
 * A descriptor that is open for reading: consume messages that the open file has on
 * trust. ENOENT if it has none of them.
 */
#define KMSGPIPE_ACK		_IOW(KMSGPIPE_IOC_MAGIC, 0x0c, struct kmsgpipe_ack)

/*
 * A descriptor that is open for reading: give back messages that the open file has on
 * trust. ENOENT if it has none of them.
 */
#define KMSGPIPE_NACK		_IOW(KMSGPIPE_IOC_MAGIC, 0x0d, struct kmsgpipe_ack)

#endif /* _UAPI_LINUX_KMSGPIPE_H */
