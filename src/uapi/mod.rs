// SPDX-License-Identifier: GPL-2.0

//! The Rust definitions of `include/uapi/kmsgpipe.h`.
//!
//! bindgen generates them when the module is built. This module gives them names in the style of
//! the crate.

use kernel::{
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

/// The output of bindgen.
mod raw {
    #![allow(
        missing_docs,
        non_camel_case_types,
        non_upper_case_globals,
        unreachable_pub,
        reason = "generated code, in the style of the C header"
    )]
    #![expect(
        dead_code,
        reason = "not every definition of the header has a use here"
    )]

    type __u32 = u32;
    type __u64 = u64;

    include!(env!("KMSGPIPE_UAPI_RS"));
}

pub(crate) use raw::{
    kmsgpipe_ack as Ack,
    kmsgpipe_attach as Attach,
    kmsgpipe_create as Create,
    kmsgpipe_dump as Dump,
    kmsgpipe_flush as Flush,
    kmsgpipe_params as Params,
    kmsgpipe_record as Record,
    kmsgpipe_request_REQUEST_ACK as ACK,
    kmsgpipe_request_REQUEST_ATTACH as ATTACH,
    kmsgpipe_request_REQUEST_CLEAR_QUEUE as CLEAR_QUEUE,
    kmsgpipe_request_REQUEST_CREATE_NEW as CREATE_NEW,
    kmsgpipe_request_REQUEST_DESTROY as DESTROY,
    kmsgpipe_request_REQUEST_DUMP as DUMP,
    kmsgpipe_request_REQUEST_FLUSH_PERIODIC as FLUSH_PERIODIC,
    kmsgpipe_request_REQUEST_GET_MODE as GET_MODE,
    kmsgpipe_request_REQUEST_GET_PARAMS as GET_PARAMS,
    kmsgpipe_request_REQUEST_GET_STATS as GET_STATS,
    kmsgpipe_request_REQUEST_NACK as NACK,
    kmsgpipe_request_REQUEST_SET_MODE as SET_MODE,
    kmsgpipe_request_REQUEST_SET_PARAMS as SET_PARAMS,
    kmsgpipe_request_REQUEST_TOGGLE_BLOCK as TOGGLE_BLOCK,
    kmsgpipe_send as Send,
    kmsgpipe_stats as Stats,
    KMSGPIPE_ATTACH_BROWSE as ATTACH_BROWSE,
    KMSGPIPE_ATTACH_GROUP as ATTACH_GROUP,
    KMSGPIPE_ATTACH_OWN as ATTACH_OWN,
    KMSGPIPE_FLUSH_EXPIRY_DEFAULT as FLUSH_EXPIRY_DEFAULT,
    KMSGPIPE_FLUSH_INTERVAL_DEFAULT as FLUSH_INTERVAL_DEFAULT,
    KMSGPIPE_KIND_BROADCAST as KIND_BROADCAST,
    KMSGPIPE_KIND_QUEUE as KIND_QUEUE,
    KMSGPIPE_MAX_MSGS_DEFAULT as MAX_MSGS_DEFAULT,
    KMSGPIPE_MAX_MSGS_MAX as MAX_MSGS_MAX,
    KMSGPIPE_MAX_MSGS_MIN as MAX_MSGS_MIN,
    KMSGPIPE_MODE_EOF as MODE_EOF,
    KMSGPIPE_MODE_HUP as MODE_HUP,
    KMSGPIPE_MODE_LINES as MODE_LINES,
    KMSGPIPE_MODE_RECORDS as MODE_RECORDS,
    KMSGPIPE_MODE_WHOLE as MODE_WHOLE,
    KMSGPIPE_MSG_SIZE_DEFAULT as MSG_SIZE_DEFAULT,
    KMSGPIPE_MSG_SIZE_MAX as MSG_SIZE_MAX,
    KMSGPIPE_MSG_SIZE_MIN as MSG_SIZE_MIN,
    KMSGPIPE_NAME_SIZE as NAME_SIZE,
    KMSGPIPE_OVERFLOW_BLOCK as OVERFLOW_BLOCK,
    KMSGPIPE_OVERFLOW_DROP_NEWEST as OVERFLOW_DROP_NEWEST,
    KMSGPIPE_OVERFLOW_DROP_OLDEST as OVERFLOW_DROP_OLDEST,
    KMSGPIPE_PRIORITIES_MAX as PRIORITIES_MAX,
    KMSGPIPE_RECORD_PRIVILEGED as RECORD_PRIVILEGED,
    KMSGPIPE_RECORD_REDELIVERED as RECORD_REDELIVERED,
    KMSGPIPE_START_NOW as START_NOW,
    KMSGPIPE_START_OLDEST as START_OLDEST,
    KMSGPIPE_START_SEQ as START_SEQ,
    KMSGPIPE_START_TIME as START_TIME,
    KMSGPIPE_STATS_FLUSH as STATS_FLUSH,
    KMSGPIPE_STATS_HEAD as STATS_HEAD,
    KMSGPIPE_STATS_HEAD_PRIVILEGED as STATS_HEAD_PRIVILEGED, //
};

/// Marks structures of the header as plain data that can be copied to and from user space, and
/// asserts that they have no padding: their size is the sum of the sizes of their fields.
macro_rules! plain {
    ($($type:ty = $u32s:literal * u32 + $u64s:literal * u64 $(+ $bytes:ident)?;)*) => {$(
        // SAFETY: All fields are integers or arrays of integers, and by the assertion below there
        // is no padding. So every byte of a value is initialized.
        unsafe impl AsBytes for $type {}

        // SAFETY: All fields are integers or arrays of integers, for which every bit pattern is
        // valid.
        unsafe impl FromBytes for $type {}

        // SAFETY: All fields are integers or arrays of integers, for which zero is valid.
        unsafe impl Zeroable for $type {}

        kernel::static_assert!(
            size_of::<$type>()
                == $u32s * size_of::<u32>() + $u64s * size_of::<u64>() $(+ $bytes as usize)?
        );
    )*};
}

plain! {
    Stats = 14 * u32 + 25 * u64;
    Params = 4 * u32 + 0 * u64;
    Flush = 4 * u32 + 0 * u64;
    Ack = 2 * u32 + 2 * u64;
    Attach = 6 * u32 + 1 * u64 + NAME_SIZE;
    Create = 14 * u32 + 0 * u64 + NAME_SIZE;
    Record = 8 * u32 + 4 * u64;
    Send = 4 * u32 + 1 * u64;
    Dump = 2 * u32 + 5 * u64;
}
