// SPDX-License-Identifier: GPL-2.0

//! What is known of a message beside its payload, and how that is stored.

/// Who sent a message: the kernel's own ids, which each reader sees translated for its namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// Real user id.
    pub(crate) uid: u32,
    /// Real group id.
    pub(crate) gid: u32,
    /// Process id (of the thread group) in the initial pid namespace, less than 2^31.
    pub(crate) pid: u32,
    /// It wrote with other ids than these, or the file was opened with others.
    pub(crate) privileged: bool,
}

impl Sender {
    /// Whether both have the same ids of user and group. They may be different processes of these,
    /// such as commands of one script.
    pub(crate) fn has_ids_of(&self, other: &Self) -> bool {
        (self.uid, self.gid, self.privileged) == (other.uid, other.gid, other.privileged)
    }
}

/// When a message was enqueued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) monotonic: u64,
    /// Nanoseconds of `CLOCK_REALTIME`: negative before 1970.
    pub(crate) realtime: i64,
}

/// What is known of a message beside its payload and its sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// When it was enqueued.
    pub(crate) stamp: Stamp,
    /// Length of the payload in bytes.
    pub(crate) len: u32,
    /// Who sent it.
    pub(crate) sender: Sender,
}

/// Beside a packed process id, which leaves that bit free: the sender is `privileged`.
const PRIVILEGED: u32 = 1 << 31;

impl Record {
    /// The number of bytes that a packed record takes.
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

    /// The length in a packed record.
    #[inline(always)]
    pub(crate) fn decode_len(bytes: &[u8; Self::SIZE]) -> u32 {
        u32::from_ne_bytes(field(bytes, 16))
    }

    /// Unpacks what [`Record::encode`] made.
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

/// The bytes of the field at `at` of so many, which is known: inlined, nothing of the check of its
/// bounds is left.
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
    fn a_record_survives_being_stored() {
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
}
