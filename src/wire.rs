// SPDX-License-Identifier: GPL-2.0

//! Messages as programs read and write them in the mode `RECORDS`, and as `KMSGPIPE_DUMP` shows
//! them: a header, the payload, and zeroes up to a multiple of 8 bytes.

use core::mem::offset_of;
use kernel::prelude::*;

use crate::{
    kernel_ext::{
        clock,
        cred::View, //
    },
    message::Record,
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

/// The zeroes behind a payload: as many as there are at most.
pub(crate) const ZEROES: [u8; ALIGN - 1] = [0; ALIGN - 1];

/// How many zeroes there are behind a payload of `len` bytes.
#[inline]
pub(crate) const fn padding(len: usize) -> usize {
    len.wrapping_neg() % ALIGN
}

/// The number of bytes that a message with a payload of `len` bytes takes as a record.
#[inline]
pub(crate) const fn record_len(len: u32) -> usize {
    let len = len as usize;
    // Nothing wraps: a message is far shorter than the largest number.
    RECORD.wrapping_add(len).wrapping_add(padding(len))
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
    put!(
        out,
        monotonic_ns,
        clock::monotonic_for_current(stamp.monotonic)
    );
    // Times before 1970 are shown as 1970.
    put!(out, realtime_ns, stamp.realtime.max(0) as u64);
    put!(out, lost, 0u64);
    put!(out, len, *len);
    put!(out, uid, view.uid(sender.uid));
    put!(out, gid, view.gid(sender.gid));
    put!(out, pid, view.pid(sender.pid));
    put!(out, flags, flags);
    put!(out, priority, 0u32);
    put!(out, deliveries, deliveries);
    put!(out, reserved, 0u32);
}

/// One message that is to be sent: what is known of it when its header was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The length of the payload, in bytes: at least one.
    pub(crate) len: u32,
}

impl Request {
    /// The length of the header of a message that is to be sent, in bytes.
    pub(crate) const HEADER: usize = size_of::<uapi::Send>();

    /// What the header of a message asks for, if `behind` bytes follow the header and the pipe
    /// takes messages of `msg_size` bytes.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: it is no header, or the message is cut off.
    /// - [`EMSGSIZE`]: the message is longer than the pipe takes.
    #[inline]
    pub(crate) fn parse(header: &[u8; Self::HEADER], behind: usize, msg_size: u32) -> Result<Self> {
        let mut words = header.chunks_exact(size_of::<u32>()).map(|word| {
            word.first_chunk()
                .map_or(0, |word| u32::from_ne_bytes(*word))
        });
        let len = words.next().unwrap_or(0);
        // All that can be asked for beside the length is still to come.
        if len == 0 || words.fold(0, |all, word| all | word) != 0 {
            return Err(EINVAL);
        }
        if len > msg_size {
            return Err(EMSGSIZE);
        }
        let request = Self { len };
        if request.len_in_all() > Self::HEADER + behind {
            return Err(EINVAL);
        }
        Ok(request)
    }

    /// The length of the message with its header and the zeroes behind it, in bytes.
    #[inline]
    pub(crate) fn len_in_all(self) -> usize {
        // Nothing wraps on a machine of 64 bits: a length has 32.
        Self::HEADER
            .wrapping_add(self.payload())
            .wrapping_add(padding(self.payload()))
    }

    /// The length of the payload, in bytes.
    #[inline]
    pub(crate) fn payload(self) -> usize {
        self.len as usize
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

    /// A header that says so much, with one more byte at `at` of it.
    fn header(len: u32, at: usize) -> [u8; Request::HEADER] {
        let mut header = [0; Request::HEADER];
        header[..4].copy_from_slice(&len.to_ne_bytes());
        if let Some(byte) = header.get_mut(at) {
            *byte = 1;
        }
        header
    }

    /// No byte of a header.
    const NOWHERE: usize = Request::HEADER;

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
            let request = Request::parse(&header(len, NOWHERE), needed, 100);
            assert_eq!(request, Ok(Request { len }));
            assert_eq!(
                request.map(Request::len_in_all),
                Ok(Request::HEADER + needed)
            );
            for behind in 0..needed {
                assert_eq!(
                    Request::parse(&header(len, NOWHERE), behind, 100),
                    Err(EINVAL)
                );
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert_eq!(Request::parse(&header(0, NOWHERE), 100, 100), Err(EINVAL));
        for at in 4..Request::HEADER {
            assert_eq!(Request::parse(&header(8, at), 100, 100), Err(EINVAL));
        }
        for len in [101, 1 << 31, u32::MAX] {
            assert_eq!(
                Request::parse(&header(len, NOWHERE), usize::MAX / 2, 100),
                Err(EMSGSIZE)
            );
        }
    }
}
