// SPDX-License-Identifier: GPL-2.0

//! The wire format of messages in the mode `RECORDS` and in `KMSGPIPE_DUMP`: a header, the payload,
//! and zeroes up to a multiple of 8 bytes.

use core::mem::offset_of;
use kernel::prelude::*;

use super::message::{
    field,
    padded,
    padding,
    Class,
    Label,
    Record,
    Terms,
    ALIGN, //
};
use crate::{
    kernel_ext::{
        mm::pieces::prefix,
        view::View, //
    },
    uapi, //
};

/// The size of the header of a message that is read or dumped, in bytes.
pub(crate) const RECORD: usize = size_of::<uapi::Record>();

/// Writes one field of a [`uapi::Record`] into the bytes of that structure.
macro_rules! put {
    ($out:ident, $field:ident, $value:expr) => {{
        const AT: usize = offset_of!(uapi::Record, $field);

        let bytes = $value.to_ne_bytes();
        $out[AT..AT + bytes.len()].copy_from_slice(&bytes);
    }};
}

// `SendHeader::parse` reads `priority` and `reserved` as one number.
kernel::static_assert!(offset_of!(uapi::Send, reserved) == offset_of!(uapi::Send, priority) + 4);

/// The longest padding of a payload.
pub(crate) const ZEROES: [u8; ALIGN - 1] = [0; ALIGN - 1];

/// Returns the zeroes that pad a payload of `len` bytes.
pub(crate) fn zeroes(len: usize) -> &'static [u8] {
    prefix(&ZEROES, padding(len))
}

/// Returns whether a payload of `len` bytes has no padding.
#[inline(always)]
pub(crate) const fn is_whole(len: u32) -> bool {
    len as usize % ALIGN == 0
}

/// Returns the number of bytes that a message with a payload of `len` bytes takes as a record.
#[inline]
pub(crate) const fn record_len(len: u32) -> usize {
    RECORD.wrapping_add(padded(len))
}

/// Zeroes the padding in `padded`, which starts with a payload of `len` bytes.
#[cold]
#[inline(never)]
pub(crate) fn pad(padded: &mut [u8], len: u32) {
    if let Some(zeroes) = padded.get_mut(len as usize..) {
        zeroes.fill(0);
    }
}

/// Writes the header of a message to `out`, as a task with this `view` is to see it. A read
/// passes as `deliveries` how often the message was delivered, including this time, and as `lost`
/// how many messages were lost since the delivery before. A dump passes zero for both.
#[inline(always)]
pub(crate) fn encode_header(
    view: &View<'_>,
    label: Label,
    record: &Record,
    deliveries: u32,
    lost: u64,
    out: &mut [u8; RECORD],
) {
    let Record { stamp, len, sender } = record;
    let mut flags = if sender.privileged {
        uapi::RECORD_PRIVILEGED
    } else {
        0
    };
    if deliveries > 1 {
        flags |= uapi::RECORD_REDELIVERED;
    }
    put!(out, seq, label.seq);
    put!(out, monotonic_ns, view.monotonic(stamp.monotonic));
    // Times before 1970 are shown as 1970.
    put!(out, realtime_ns, stamp.realtime.max(0) as u64);
    put!(out, lost, lost);
    put!(out, len, *len);
    put!(out, uid, view.uid(sender.uid));
    put!(out, gid, view.gid(sender.gid));
    put!(out, pid, view.pid(sender.pid));
    // In this order, the compiler writes two fields with each store.
    put!(out, deliveries, deliveries);
    put!(out, reserved, 0u32);
    put!(out, flags, flags);
    put!(out, priority, label.priority);
}

/// The parsed header of a message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendHeader {
    /// The length of the payload, in bytes: at least one.
    pub(crate) len: u32,
    /// How the message is to be sent.
    pub(crate) class: Class,
}

impl SendHeader {
    /// The size of the header, in bytes.
    pub(crate) const HEADER: usize = size_of::<uapi::Send>();

    /// Parses a header for a pipe with these terms.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the length is zero, the pipe has no such priority or allows no time to live,
    ///   or another field is not zero.
    /// - [`EMSGSIZE`]: the message is longer than the pipe allows.
    pub(crate) fn parse(header: &[u8; Self::HEADER], terms: Terms) -> Result<Self> {
        let mut untimed = *header;
        let ttl = offset_of!(uapi::Send, ttl_ns);
        let ttl_ns = u64::from_ne_bytes(field(header, ttl));
        if terms.allows_ttl {
            untimed[ttl..ttl + size_of_val(&ttl_ns)].fill(0);
        }
        let mut this = Self::parse_untimed(&untimed, terms)?;
        this.class.ttl_ns = ttl_ns;
        Ok(this)
    }

    /// Parses a header without a time to live for a pipe with these terms.
    ///
    /// # Errors
    ///
    /// Those of [`SendHeader::parse`], and [`EINVAL`] for a message with a time to live.
    #[inline(always)]
    fn parse_untimed(header: &[u8; Self::HEADER], terms: Terms) -> Result<Self> {
        let word = |at| u32::from_ne_bytes(field(header, at));
        let len = word(offset_of!(uapi::Send, len));
        let priority = word(offset_of!(uapi::Send, priority));
        let others = u64::from_ne_bytes(field(header, offset_of!(uapi::Send, ttl_ns)))
            | u64::from(word(offset_of!(uapi::Send, flags)))
            | u64::from(word(offset_of!(uapi::Send, reserved)));
        if others != 0 || len == 0 || priority >= terms.priorities {
            Err(EINVAL)
        } else if len > terms.msg_size {
            Err(EMSGSIZE)
        } else {
            let class = Class {
                priority,
                ttl_ns: 0,
            };
            Ok(Self { len, class })
        }
    }

    /// Parses a header that has no field but the length, for a pipe that takes messages of
    /// `msg_size` bytes.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the length is zero, or another field is not.
    /// - [`EMSGSIZE`]: the message is longer than `msg_size`.
    #[inline(always)]
    pub(crate) fn parse_plain(header: &[u8; Self::HEADER], msg_size: u32) -> Result<Self> {
        let word = |at| u32::from_ne_bytes(field(header, at));
        let len = word(offset_of!(uapi::Send, len));
        let others = u64::from_ne_bytes(field(header, offset_of!(uapi::Send, ttl_ns)))
            | u64::from_ne_bytes(field(header, offset_of!(uapi::Send, priority)))
            | u64::from(word(offset_of!(uapi::Send, flags)));
        if others == 0 && len.wrapping_sub(1) < msg_size {
            Ok(Self {
                len,
                class: Class::PLAIN,
            })
        } else if others != 0 || len == 0 {
            Err(EINVAL)
        } else {
            Err(EMSGSIZE)
        }
    }

    /// Returns the length of the payload with its padding, in bytes.
    #[inline(always)]
    pub(crate) fn span(self) -> usize {
        padded(self.len)
    }

    /// Returns the length of the payload, in bytes.
    #[inline(always)]
    pub(crate) fn payload(self) -> usize {
        self.len as usize
    }
}

/// Returns whether the padding in `padded`, which starts with a payload of `len` bytes, is zero.
#[cold]
#[inline(never)]
fn is_padded(padded: &[u8], len: u32) -> bool {
    padded.get(len as usize..).is_some_and(is_zero)
}

/// A message in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The length of the payload, in bytes: at least one.
    pub(crate) len: u32,
    /// How it is to be sent.
    pub(crate) class: Class,
    /// The payload with its padding.
    pub(crate) padded: &'a [u8],
    /// The bytes after the message.
    pub(crate) behind: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses the first message in `bytes`, for a pipe with these terms.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the message is cut off, or those of [`SendHeader::parse`].
    /// - [`EMSGSIZE`]: the message is longer than the pipe allows.
    pub(crate) fn first(bytes: &'a [u8], terms: Terms) -> Result<Self> {
        Self::parse(bytes, |header| SendHeader::parse(header, terms))
    }

    /// Parses the first message in `bytes`, as [`Message::first`] does, if it has no time to live.
    ///
    /// # Errors
    ///
    /// Those of [`Message::first`], and [`EINVAL`] for a message with a time to live.
    #[inline(always)]
    pub(crate) fn first_untimed(bytes: &'a [u8], terms: Terms) -> Result<Self> {
        Self::parse(bytes, |header| SendHeader::parse_untimed(header, terms))
    }

    /// Parses the first message in `bytes`, whose header `parse` parses.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the message is cut off, or a byte of the padding is not zero.
    /// - Those of `parse`.
    #[inline(always)]
    fn parse(
        bytes: &'a [u8],
        parse: impl FnOnce(&[u8; SendHeader::HEADER]) -> Result<SendHeader>,
    ) -> Result<Self> {
        let (header, behind) = bytes.split_first_chunk().ok_or(EINVAL)?;
        let request = parse(header)?;
        let (padded, behind) = behind.split_at_checked(request.span()).ok_or(EINVAL)?;
        let message = Self {
            len: request.len,
            class: request.class,
            padded,
            behind,
        };
        if is_whole(request.len) || is_padded(padded, request.len) {
            Ok(message)
        } else {
            Err(EINVAL)
        }
    }

    /// Parses the message in `bytes`, for a pipe that takes messages of `msg_size` bytes. Returns
    /// [`None`] if it is not valid, if it has a priority, or if other bytes follow it.
    #[inline(always)]
    pub(crate) fn only(bytes: &'a [u8], msg_size: u32) -> Option<Self> {
        let (header, padded) = bytes.split_first_chunk()?;
        let request = SendHeader::parse_plain(header, msg_size).ok()?;
        let is_only = request.span() == padded.len()
            && (is_whole(request.len) || is_padded(padded, request.len));
        is_only.then_some(Self {
            len: request.len,
            class: Class::PLAIN,
            padded,
            behind: &[],
        })
    }

    /// Returns the payload.
    #[inline(always)]
    pub(crate) fn payload(&self) -> &'a [u8] {
        prefix(self.padded, self.len as usize)
    }
}

/// Checks that `bytes` are valid messages for a pipe with these terms.
///
/// # Errors
///
/// Those of [`Message::first`].
pub(crate) fn check(bytes: &[u8], terms: Terms) -> Result {
    let mut left = bytes;
    while !left.is_empty() {
        left = Message::first(left, terms)?.behind;
    }
    Ok(())
}

/// An iterator over the messages in a buffer, which ends at the first that is not valid or has a
/// priority.
pub(crate) struct Messages<'a> {
    /// The bytes that are left to be parsed.
    left: &'a [u8],
    msg_size: u32,
}

impl<'a> Messages<'a> {
    /// Creates an iterator over the messages in `bytes`, for a pipe that takes messages of
    /// `msg_size` bytes.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], msg_size: u32) -> Self {
        Self {
            left: bytes,
            msg_size,
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Message<'a>> {
        let msg_size = self.msg_size;
        let parse = |header: &[u8; SendHeader::HEADER]| SendHeader::parse_plain(header, msg_size);
        let message = Message::parse(self.left, parse).ok()?;
        self.left = message.behind;
        Some(message)
    }
}

/// Returns whether all bytes are zero.
#[inline]
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[kernel::macros::kunit_tests(kmsgpipe_wire)]
mod tests {
    use super::*;

    /// Returns a header for `len` bytes, followed by a payload of zeroes. Byte `at` is set to one.
    fn message<const N: usize>(len: u32, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = 1;
        }
        bytes
    }

    /// Returns the terms of a pipe without priorities.
    fn terms(msg_size: u32) -> Terms {
        Terms {
            msg_size,
            priorities: 1,
            allows_ttl: false,
        }
    }

    /// An index for `message` that is outside of every message.
    const NOWHERE: usize = usize::MAX;

    #[test]
    fn a_record_is_a_header_and_a_padded_payload() {
        for (len, expected) in [
            (0, 64),
            (1, 72),
            (8, 72),
            (9, 80),
            (1 << 20, 64 + (1 << 20)),
        ] {
            assert_eq!(record_len(len), expected);
        }
    }

    #[test]
    fn a_message_that_is_cut_off_is_refused() {
        for (len, needed) in [(1, 8), (8, 8), (9, 16), (100, 104)] {
            let bytes: [u8; 200] = message(len, NOWHERE);
            for end in 0..bytes.len() {
                let found = Message::first(prefix(&bytes, end), terms(100));
                if end < SendHeader::HEADER + needed {
                    assert_eq!(found, Err(EINVAL));
                    continue;
                }
                let seen = found.map(|one| (one.len, one.padded.len(), one.behind.len()));
                assert_eq!(seen, Ok((len, needed, end - SendHeader::HEADER - needed)));
                let payload = found.map(|one| one.payload().len());
                assert_eq!(payload, Ok(len as usize));
            }
        }
    }

    #[test]
    fn a_header_with_a_wrong_length_or_field_is_refused() {
        let first = |bytes: [u8; 128]| Message::first(&bytes, terms(100)).map(|one| one.len);
        assert_eq!(first(message(0, NOWHERE)), Err(EINVAL));
        for at in 4..SendHeader::HEADER {
            assert_eq!(first(message(13, at)), Err(EINVAL));
        }
        for at in 0..13 {
            assert_eq!(first(message(13, SendHeader::HEADER + at)), Ok(13));
        }
        for at in 13..16 {
            assert_eq!(first(message(13, SendHeader::HEADER + at)), Err(EINVAL));
        }
        for len in [101, 1 << 31, u32::MAX] {
            assert_eq!(first(message(len, NOWHERE)), Err(EMSGSIZE));
            assert_eq!(first(message(len, 4)), Err(EINVAL));
        }
    }

    #[test]
    fn a_priority_that_the_pipe_has_is_parsed() {
        let mut bytes: [u8; SendHeader::HEADER + 8] = message(8, NOWHERE);
        for (priority, expected) in [(0, Ok(0)), (7, Ok(7)), (8, Err(EINVAL)), (256, Err(EINVAL))] {
            let at = offset_of!(uapi::Send, priority);
            bytes[at..at + 4].copy_from_slice(&u32::to_ne_bytes(priority));
            let terms = Terms {
                msg_size: 8,
                priorities: 8,
                allows_ttl: false,
            };
            let found = Message::first(&bytes, terms).map(|one| one.class.priority);
            assert_eq!(found, expected);
            // The fast path leaves it to the slow path.
            assert_eq!(Message::only(&bytes, 8).is_some(), priority == 0);
            assert_eq!(Messages::new(&bytes, 8).count(), usize::from(priority == 0));
        }
    }

    #[test]
    fn a_time_to_live_is_parsed_where_it_is_allowed() {
        let mut bytes: [u8; SendHeader::HEADER + 8] = message(8, NOWHERE);
        let at = offset_of!(uapi::Send, ttl_ns);
        bytes[at..at + 8].copy_from_slice(&u64::to_ne_bytes(u64::MAX));
        let without = terms(8);
        let with = Terms {
            allows_ttl: true,
            ..without
        };
        assert_eq!(Message::first(&bytes, without), Err(EINVAL));
        let found = Message::first(&bytes, with).map(|one| one.class.ttl_ns);
        assert_eq!(found, Ok(u64::MAX));
        // The fast paths leave it to the slow path.
        assert!(Message::first_untimed(&bytes, with).is_err());
        assert!(Message::only(&bytes, 8).is_none());
    }

    #[test]
    fn iteration_ends_at_the_first_invalid_message() {
        // Two messages of up to eight bytes each.
        let mut bytes = [0; 2 * (SendHeader::HEADER + 8)];
        let (one, two) = bytes.split_at_mut(SendHeader::HEADER + 8);
        one.copy_from_slice(&message::<{ SendHeader::HEADER + 8 }>(8, NOWHERE));
        two.copy_from_slice(&message::<{ SendHeader::HEADER + 8 }>(5, NOWHERE));
        assert_eq!(check(&bytes, terms(8)), Ok(()));
        let lens = Messages::new(&bytes, 8).map(|message| message.len);
        assert!(lens.eq([8, 5]));
        assert_eq!(check(&bytes, terms(7)), Err(EMSGSIZE));
        assert_eq!(Messages::new(&bytes, 7).count(), 0);
        let cut = prefix(&bytes, bytes.len() - 1);
        assert_eq!(check(cut, terms(8)), Err(EINVAL));
        assert_eq!(Messages::new(cut, 8).count(), 1);
        assert_eq!(check(&[], terms(8)), Ok(()));
    }
}
