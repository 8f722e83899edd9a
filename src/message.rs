// SPDX-License-Identifier: GPL-2.0

//! What is known of a message beside its payload, and how that is stored.

/// Who sent a message: the kernel's own ids, which each reader sees translated for its namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// Effective user id.
    pub(crate) uid: u32,
    /// Effective group id.
    pub(crate) gid: u32,
    /// Process id (of the thread group) in the initial pid namespace.
    pub(crate) pid: u32,
}

/// When a message was enqueued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) monotonic: u64,
    /// Nanoseconds of `CLOCK_REALTIME`.
    pub(crate) realtime: u64,
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

impl Record {
    /// The number of bytes that a packed record takes.
    pub(crate) const SIZE: usize = 32;

    /// Packs the record.
    #[inline]
    pub(crate) fn encode(&self) -> [u8; Self::SIZE] {
        let words = [
            self.stamp.monotonic,
            self.stamp.realtime,
            join(self.len, self.sender.uid),
            join(self.sender.gid, self.sender.pid),
        ];
        let mut bytes = [0; Self::SIZE];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Unpacks what [`Record::encode`] made.
    #[inline]
    pub(crate) fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
        }
        let [monotonic, realtime, len_uid, gid_pid] = words;
        let (len, uid) = split(len_uid);
        let (gid, pid) = split(gid_pid);
        Self {
            stamp: Stamp {
                monotonic,
                realtime,
            },
            len,
            sender: Sender { uid, gid, pid },
        }
    }
}

/// Puts two numbers into one word.
fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Takes two numbers out of one word.
fn split(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[kernel::macros::kunit_tests(kmsgpipe_message)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_being_stored() {
        let record = Record {
            stamp: Stamp {
                monotonic: 0x1112_1314_1516_1718,
                realtime: u64::MAX,
            },
            len: 0x2122_2324,
            sender: Sender {
                uid: 0x3132_3334,
                gid: u32::MAX,
                pid: 0x4142_4344,
            },
        };
        assert_eq!(Record::decode(&record.encode()), record);
        assert_eq!(Record::decode(&[0; Record::SIZE]), Record::default());
    }
}
