// SPDX-License-Identifier: GPL-2.0

//! The record of a message, which is stored in addition to its payload, and its packed form.

use crate::uapi::MSG_SIZE_MAX;

/// The alignment of payloads, both in the store and in records, in bytes. It allows them to be
/// copied word by word.
pub(crate) const ALIGN: usize = 8;

/// Returns the number of bytes that a payload of `len` bytes takes with its padding.
#[inline(always)]
pub(crate) const fn padded(len: u32) -> usize {
    // OVERFLOW: It does not wrap, as no message is longer than `MSG_SIZE_MAX`.
    (len as usize).wrapping_add(ALIGN - 1) & !(ALIGN - 1)
}

/// Returns the number of bytes that pad a payload of `len` bytes.
#[inline]
pub(crate) const fn padding(len: usize) -> usize {
    len.wrapping_neg() % ALIGN
}

/// The sender of a message. The ids are those of the initial namespaces, and are translated for
/// each reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// Real user id.
    pub(crate) uid: u32,
    /// Real group id.
    pub(crate) gid: u32,
    /// Process id (thread group id) in the initial pid namespace, less than 2^31.
    pub(crate) pid: u32,
    /// Whether the effective ids of the sender, or the ids of the opener of the file, differed from
    /// `uid` and `gid`.
    pub(crate) privileged: bool,
}

impl Sender {
    /// Returns whether both have the same user and group ids. They may be different processes, such
    /// as commands of one script.
    pub(crate) fn has_same_ids(&self, other: &Self) -> bool {
        (self.uid, self.gid, self.privileged) == (other.uid, other.gid, other.privileged)
    }
}

/// The time at which a message was enqueued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) monotonic: u64,
    /// Nanoseconds of `CLOCK_REALTIME`, negative before 1970.
    pub(crate) realtime: i64,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class {
    /// The priority. Messages of higher priority are delivered first.
    pub(crate) priority: u32,
    /// The time in nanoseconds after which the message expires, or zero if it does not by itself.
    pub(crate) ttl_ns: u64,
}

impl Class {
    /// The class of messages that are sent without a header.
    pub(crate) const PLAIN: Self = Self {
        priority: 0,
        ttl_ns: 0,
    };
}

/// What a pipe takes of messages to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The length of the longest message, in bytes.
    pub(crate) msg_size: u32,
    /// The number of priorities.
    pub(crate) priorities: u32,
    /// Whether messages may have a time to live.
    pub(crate) allows_ttl: bool,
}

impl Terms {
    /// The terms of all pipes together, for messages that were checked before.
    pub(crate) const ANY: Self = Self {
        msg_size: MSG_SIZE_MAX,
        priorities: u32::MAX,
        allows_ttl: true,
    };
}

/// What a reader of records sees of a message beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The sequence number.
    pub(crate) seq: u64,
    /// The priority.
    pub(crate) priority: u32,
}

impl Label {
    /// Returns the label of a message without priority.
    #[inline(always)]
    pub(crate) const fn plain(seq: u64) -> Self {
        Self { seq, priority: 0 }
    }

    /// Returns the label of the message behind this one, of the same priority.
    #[inline(always)]
    pub(crate) fn next(self) -> Self {
        Self {
            seq: self.seq.wrapping_add(1),
            ..self
        }
    }
}

/// The record of a message, which is stored in addition to its payload.
///
/// It has no sequence number, which follows from the position of the message in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// When the message was enqueued.
    pub(crate) stamp: Stamp,
    /// The length of the payload, in bytes.
    pub(crate) len: u32,
    /// The task that sent the message.
    pub(crate) sender: Sender,
}

/// The bit of the packed process id, unused by the id, that stands for [`Sender::privileged`].
const PRIVILEGED: u32 = 1 << 31;

impl Record {
    /// The size of a packed record, in bytes.
    pub(crate) const SIZE: usize = 32;

    /// Packs the record.
    #[inline]
    pub(crate) fn encode(&self) -> [u8; Self::SIZE] {
        let flags = if self.sender.privileged {
            PRIVILEGED
        } else {
            0
        };
        let mut bytes = [0; Self::SIZE];
        bytes[0..8].copy_from_slice(&self.stamp.monotonic.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.stamp.realtime.to_ne_bytes());
        bytes[16..20].copy_from_slice(&self.len.to_ne_bytes());
        bytes[20..24].copy_from_slice(&self.sender.uid.to_ne_bytes());
        bytes[24..28].copy_from_slice(&self.sender.gid.to_ne_bytes());
        bytes[28..32].copy_from_slice(&(self.sender.pid | flags).to_ne_bytes());
        bytes
    }

    /// Returns the payload length in a packed record.
    #[inline(always)]
    pub(crate) fn decode_len(bytes: &[u8; Self::SIZE]) -> u32 {
        u32::from_ne_bytes(field(bytes, 16))
    }

    /// Unpacks a record that [`Record::encode`] packed.
    #[inline]
    pub(crate) fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        let pid = u32::from_ne_bytes(field(bytes, 28));
        Self {
            stamp: Stamp {
                monotonic: u64::from_ne_bytes(field(bytes, 0)),
                realtime: i64::from_ne_bytes(field(bytes, 8)),
            },
            len: Self::decode_len(bytes),
            sender: Sender {
                uid: u32::from_ne_bytes(field(bytes, 20)),
                gid: u32::from_ne_bytes(field(bytes, 24)),
                pid: pid & !PRIVILEGED,
                privileged: pid & PRIVILEGED != 0,
            },
        }
    }
}

/// Returns the `N` bytes at `at` of `bytes`. Callers pass a constant `at`: once inlined, no bounds
/// check is left.
#[inline(always)]
pub(crate) fn field<const S: usize, const N: usize>(bytes: &[u8; S], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[kernel::macros::kunit_tests(kmsgpipe_message)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_padded_to_a_multiple_of_8_bytes() {
        for (len, expected) in [(0, 0), (1, 7), (7, 1), (8, 0), (9, 7), (1 << 20, 0)] {
            assert_eq!(padding(len), expected);
            assert_eq!(padded(len as u32), len + expected);
        }
    }

    // spec: 3-struct-kmsg
    #[test]
    fn decoded_record_equals_the_encoded_one() {
        for (pid, privileged) in [
            (0x4142_4344, false),
            (0x4142_4344, true),
            (!PRIVILEGED, true),
        ] {
            let record = Record {
                stamp: Stamp {
                    monotonic: 0x1112_1314_1516_1718,
                    realtime: i64::MIN,
                },
                len: 0x2122_2324,
                sender: Sender {
                    uid: 0x3132_3334,
                    gid: u32::MAX,
                    pid,
                    privileged,
                },
            };
            assert_eq!(Record::decode(&record.encode()), record);
        }
        assert_eq!(Record::decode(&[0; Record::SIZE]), Record::default());
    }

    #[test]
    fn a_process_id_makes_no_other_sender() {
        let sender = Sender {
            uid: 1,
            gid: 2,
            pid: 3,
            privileged: false,
        };
        assert!(sender.has_same_ids(&Sender { pid: 4, ..sender }));
        assert!(!sender.has_same_ids(&Sender { uid: 4, ..sender }));
        assert!(!sender.has_same_ids(&Sender { gid: 4, ..sender }));
        assert!(!sender.has_same_ids(&Sender {
            privileged: true,
            ..sender
        }));
    }
}
