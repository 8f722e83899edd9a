// SPDX-License-Identifier: GPL-2.0

//! What `include/uapi/kmsgpipe.h` defines, as bindgen makes it of the header at build time.
//!
//! There is no second source: a change of the header is a change of this crate.

/// What bindgen made of the header, under the names of the header.
pub mod raw {
    #![allow(
        missing_docs,
        non_camel_case_types,
        non_snake_case,
        non_upper_case_globals,
        clippy::all,
        reason = "generated code, in the style of the C header"
    )]

    include!(concat!(env!("OUT_DIR"), "/uapi.rs"));
}

/// The smallest limit on the length of messages that a pipe can have, in bytes.
pub const MSG_SIZE_MIN: u32 = raw::KMSGPIPE_MSG_SIZE_MIN;

/// The largest limit on the length of messages that a pipe can have, in bytes.
pub const MSG_SIZE_MAX: u32 = raw::KMSGPIPE_MSG_SIZE_MAX;

/// The smallest number of messages that a pipe can be made for.
pub const MAX_MSGS_MIN: u32 = raw::KMSGPIPE_MAX_MSGS_MIN;

/// The largest number of messages that a pipe can be made for.
pub const MAX_MSGS_MAX: u32 = raw::KMSGPIPE_MAX_MSGS_MAX;

/// The request for a snapshot of a pipe's statistics.
pub const GET_STATS: u32 = raw::kmsgpipe_request_REQUEST_GET_STATS;

/// The request to discard every queued message.
pub const CLEAR_QUEUE: u32 = raw::kmsgpipe_request_REQUEST_CLEAR_QUEUE;
