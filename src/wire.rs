// SPDX-License-Identifier: GPL-2.0

//! Messages as programs read and write them in the mode `RECORDS`, and as `KMSGPIPE_DUMP` shows
//! them: a header, the payload, and zeroes up to a multiple of 8 bytes.

use core::mem::offset_of;
use kernel::prelude::*;

use crate::{
    kernel_ext::view::View,
    message::{
        field,
        Record, //
    },
    uapi, //
};

/// Headers are aligned to this.
pub(crate) const ALIGN: usize = 8;

/// The length of the header of a message that is shown, in bytes.
pub(crate) const RECORD: usize = size_of::<uapi::Record>();

/// Writes one field of a [`uapi::Record`] to the bytes of that.
macro_rules! put {
    ($out:ident, $field:ident, $value:expr) => {{
        const AT: usize = offset_of!(uapi::Record, $field);

        let bytes = $value.to_ne_bytes();
        $out[AT..AT + bytes.len()].copy_from_slice(&bytes);
    }};
}

// The priority and what is reserved are looked at as one number.
kernel::static_assert!(offset_of!(uapi::Send, reserved) == offset_of!(uapi::Send, priority) + 4);

/// The zeroes behind a payload: as many as there are at most.
pub(crate) const ZEROES: [u8; ALIGN - 1] = [0; ALIGN - 1];

/// How many zeroes there are behind a payload of `len` bytes.
#[inline]
pub(crate) const fn padding(len: usize) -> usize {
    len.wrapping_neg() % ALIGN
}

/// Whether there are none.
#[inline(always)]
pub(crate) const fn is_whole(len: u32) -> bool {
    len as usize % ALIGN == 0
}

/// The number of bytes that a payload of `len` bytes takes with the zeroes behind it.
#[inline(always)]
pub(crate) const fn padded(len: u32) -> usize {
    // Nothing wraps: no message is longer than MSG_SIZE_MAX.
    (len as usize).wrapping_add(ALIGN - 1) & !(ALIGN - 1)
}

/// The number of bytes that a message with a payload of `len` bytes takes as a record.
#[inline]
pub(crate) const fn record_len(len: u32) -> usize {
    RECORD.wrapping_add(padded(len))
}

/// Writes the zeroes behind a payload of `len` bytes to `padded`, which begins with that.
#[cold]
#[inline(never)]
pub(crate) fn pad(padded: &mut [u8], len: u32) {
    if let Some(zeroes) = padded.get_mut(len as usize..) {
        zeroes.fill(0);
    }
}

/// Writes what a task with this `view` is shown of the message with this sequence number, which has
/// been delivered `deliveries` times.
#[inline(always)]
pub(crate) fn show(
    view: &View<'_>,
    seq: u64,
    record: &Record,
    deliveries: u32,
    out: &mut [u8; RECORD],
) {
    let Record { stamp, len, sender } = record;
    let flags = if sender.privileged {
        uapi::RECORD_PRIVILEGED
    } else {
        0
    };
    put!(out, seq, seq);
    put!(out, monotonic_ns, view.monotonic(stamp.monotonic));
    // Times before 1970 are shown as 1970.
    put!(out, realtime_ns, stamp.realtime.max(0) as u64);
    put!(out, lost, 0u64);
    put!(out, len, *len);
    put!(out, uid, view.uid(sender.uid));
    put!(out, gid, view.gid(sender.gid));
    put!(out, pid, view.pid(sender.pid));
    // In this order the compiler writes two at a time.
    put!(out, deliveries, deliveries);
    put!(out, reserved, 0u32);
    put!(out, flags, flags);
    put!(out, priority, 0u32);
}

/// The header of a message that is to be sent: what its bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The length of the payload, in bytes: at least one.
    pub(crate) len: u32,
}

impl Request {
    /// The length of the header, in bytes.
    pub(crate) const HEADER: usize = size_of::<uapi::Send>();

    /// What a header says, if the pipe takes messages of `msg_size` bytes.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: it is none.
    /// - [`EMSGSIZE`]: the message is longer than the pipe takes.
    #[inline(always)]
    pub(crate) fn parse(header: &[u8; Self::HEADER], msg_size: u32) -> Result<Self> {
        let word = |at| u32::from_ne_bytes(field(header, at));
        let len = word(offset_of!(uapi::Send, len));
        // All that can be asked for beside the length is still to come.
        let others = u64::from_ne_bytes(field(header, offset_of!(uapi::Send, ttl_ns)))
            | u64::from_ne_bytes(field(header, offset_of!(uapi::Send, priority)))
            | u64::from(word(offset_of!(uapi::Send, flags)));
        if others == 0 && len.wrapping_sub(1) < msg_size {
            Ok(Self { len })
        } else if others != 0 || len == 0 {
            Err(EINVAL)
        } else {
            Err(EMSGSIZE)
        }
    }

    /// The length of the payload with the zeroes behind it, in bytes.
    #[inline(always)]
    pub(crate) fn span(self) -> usize {
        padded(self.len)
    }

    /// The length of the payload, in bytes.
    #[inline(always)]
    pub(crate) fn payload(self) -> usize {
        self.len as usize
    }
}

/// Whether zeroes are behind a payload of `len` bytes in `padded`, which begins with that.
#[cold]
#[inline(never)]
fn is_padded(padded: &[u8], len: u32) -> bool {
    padded.get(len as usize..).is_some_and(is_zero)
}

/// One message of those in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The length of the payload, in bytes: at least one.
    pub(crate) len: u32,
    /// The payload, with the zeroes behind it.
    pub(crate) padded: &'a [u8],
    /// What is behind it.
    pub(crate) behind: &'a [u8],
}

impl<'a> Message<'a> {
    /// The first message in `bytes`, if the pipe takes messages of `msg_size` bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Request::parse`], and [`EINVAL`]: it is cut off, or what is to be zero is not.
    #[inline(always)]
    pub(crate) fn first(bytes: &'a [u8], msg_size: u32) -> Result<Self> {
        let (header, behind) = bytes.split_first_chunk().ok_or(EINVAL)?;
        let request = Request::parse(header, msg_size)?;
        let (padded, behind) = behind.split_at_checked(request.span()).ok_or(EINVAL)?;
        let message = Self {
            len: request.len,
            padded,
            behind,
        };
        if is_whole(request.len) || is_padded(padded, request.len) {
            Ok(message)
        } else {
            Err(EINVAL)
        }
    }

    /// The message in `bytes`, if that is all that is there, and can be sent to a pipe that takes
    /// messages of `msg_size` bytes.
    #[inline(always)]
    pub(crate) fn only(bytes: &'a [u8], msg_size: u32) -> Option<Self> {
        let (header, padded) = bytes.split_first_chunk()?;
        let request = Request::parse(header, msg_size).ok()?;
        let is_only = request.span() == padded.len()
            && (is_whole(request.len) || is_padded(padded, request.len));
        is_only.then_some(Self {
            len: request.len,
            padded,
            behind: &[],
        })
    }

    /// The payload.
    #[inline(always)]
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.padded.get(..self.len as usize).unwrap_or_default()
    }
}

/// The messages in some memory, one behind the other, up to the first that cannot be sent.
pub(crate) struct Messages<'a> {
    /// What was not looked at yet.
    left: &'a [u8],
    msg_size: u32,
}

impl<'a> Messages<'a> {
    /// Those in `bytes`, if the pipe takes messages of `msg_size` bytes.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], msg_size: u32) -> Self {
        Self {
            left: bytes,
            msg_size,
        }
    }

    /// Looks at all.
    ///
    /// # Errors
    ///
    /// Those of [`Message::first`].
    pub(crate) fn check(self) -> Result {
        let mut left = self.left;
        while !left.is_empty() {
            left = Message::first(left, self.msg_size)?.behind;
        }
        Ok(())
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Message<'a>> {
        let message = Message::first(self.left, self.msg_size).ok()?;
        self.left = message.behind;
        Some(message)
    }
}

/// Whether all bytes are zero.
#[inline]
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[kernel::macros::kunit_tests(kmsgpipe_wire)]
mod tests {
    use super::*;

    /// A message of this length behind its header, with one more byte at `at` of it.
    fn message<const N: usize>(len: u32, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = 1;
        }
        bytes
    }

    /// No byte of a message.
    const NOWHERE: usize = usize::MAX;

    #[test]
    fn a_payload_is_padded() {
        for (len, expected) in [(0, 0), (1, 7), (7, 1), (8, 0), (9, 7), (1 << 20, 0)] {
            assert_eq!(padding(len), expected);
            assert_eq!(record_len(len as u32), 64 + len + expected);
        }
    }

    #[test]
    fn a_message_must_be_all_there() {
        for (len, needed) in [(1, 8), (8, 8), (9, 16), (100, 104)] {
            let bytes: [u8; 200] = message(len, NOWHERE);
            for end in 0..bytes.len() {
                let found = Message::first(bytes.get(..end).unwrap_or_default(), 100);
                if end < Request::HEADER + needed {
                    assert_eq!(found, Err(EINVAL));
                    continue;
                }
                let seen = found.map(|one| (one.len, one.padded.len(), one.behind.len()));
                assert_eq!(seen, Ok((len, needed, end - Request::HEADER - needed)));
                let payload = found.map(|one| one.payload().len());
                assert_eq!(payload, Ok(len as usize));
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let first = |bytes: [u8; 128]| Message::first(&bytes, 100).map(|one| one.len);
        assert_eq!(first(message(0, NOWHERE)), Err(EINVAL));
        for at in 4..Request::HEADER {
            assert_eq!(first(message(13, at)), Err(EINVAL));
        }
        for at in 0..13 {
            assert_eq!(first(message(13, Request::HEADER + at)), Ok(13));
        }
        for at in 13..16 {
            assert_eq!(first(message(13, Request::HEADER + at)), Err(EINVAL));
        }
        for len in [101, 1 << 31, u32::MAX] {
            assert_eq!(first(message(len, NOWHERE)), Err(EMSGSIZE));
            assert_eq!(first(message(len, 4)), Err(EINVAL));
        }
    }

    #[test]
    fn messages_end_at_what_is_none() {
        // Two of eight bytes each.
        let mut bytes = [0; 2 * (Request::HEADER + 8)];
        let (one, two) = bytes.split_at_mut(Request::HEADER + 8);
        one.copy_from_slice(&message::<{ Request::HEADER + 8 }>(8, NOWHERE));
        two.copy_from_slice(&message::<{ Request::HEADER + 8 }>(5, NOWHERE));
        assert_eq!(Messages::new(&bytes, 8).check(), Ok(()));
        let lens = Messages::new(&bytes, 8).map(|message| message.len);
        assert!(lens.eq([8, 5]));
        assert_eq!(Messages::new(&bytes, 7).check(), Err(EMSGSIZE));
        assert_eq!(Messages::new(&bytes, 7).count(), 0);
        let cut = bytes.get(..bytes.len() - 1).unwrap_or_default();
        assert_eq!(Messages::new(cut, 8).check(), Err(EINVAL));
        assert_eq!(Messages::new(cut, 8).count(), 1);
        assert_eq!(Messages::new(&[], 8).check(), Ok(()));
    }
}
