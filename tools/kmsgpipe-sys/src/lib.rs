// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `include/uapi/kmsgpipe.h` defines, as bindgen makes it of the header at build time.
//!
//! There is no second source: a change of the header is a change of this crate. The header's licence
//! has the Linux syscall note: a program that makes the requests is no derived work of the kernel's.

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

/// The limit on the length of messages that a pipe has unless somebody says otherwise, in bytes.
pub const MSG_SIZE_DEFAULT: u32 = raw::KMSGPIPE_MSG_SIZE_DEFAULT;

/// The smallest number of messages that a pipe can be made for.
pub const MAX_MSGS_MIN: u32 = raw::KMSGPIPE_MAX_MSGS_MIN;

/// The largest number of messages that a pipe can be made for.
pub const MAX_MSGS_MAX: u32 = raw::KMSGPIPE_MAX_MSGS_MAX;

/// The number of messages that a pipe is made for unless somebody says otherwise.
pub const MAX_MSGS_DEFAULT: u32 = raw::KMSGPIPE_MAX_MSGS_DEFAULT;

/// How often expired messages are removed unless somebody says otherwise, in milliseconds.
pub const FLUSH_INTERVAL_DEFAULT: u32 = raw::KMSGPIPE_FLUSH_INTERVAL_DEFAULT;

/// How old a message may grow unless somebody says otherwise, in milliseconds.
pub const FLUSH_EXPIRY_DEFAULT: u32 = raw::KMSGPIPE_FLUSH_EXPIRY_DEFAULT;

/// Room for a pipe's name and the zero behind it.
pub const NAME_SIZE: usize = raw::KMSGPIPE_NAME_SIZE as usize;

/// The mode in which a read fails if the message does not fit.
pub const MODE_WHOLE: u32 = raw::KMSGPIPE_MODE_WHOLE;

/// The mode in which a read that would have to wait for a message returns 0.
pub const MODE_EOF: u32 = raw::KMSGPIPE_MODE_EOF;

/// The mode in which each line of a write is a message.
pub const MODE_LINES: u32 = raw::KMSGPIPE_MODE_LINES;

/// The mode in which a read gets records, and a write is of several messages.
pub const MODE_RECORDS: u32 = raw::KMSGPIPE_MODE_RECORDS;

/// The request for a snapshot of a pipe's statistics.
pub const GET_STATS: u32 = raw::kmsgpipe_request_REQUEST_GET_STATS;

/// The request to discard every queued message.
pub const CLEAR_QUEUE: u32 = raw::kmsgpipe_request_REQUEST_CLEAR_QUEUE;

/// The request to change what an empty pipe may hold.
pub const SET_PARAMS: u32 = raw::kmsgpipe_request_REQUEST_SET_PARAMS;

/// The request for what a pipe may hold.
pub const GET_PARAMS: u32 = raw::kmsgpipe_request_REQUEST_GET_PARAMS;

/// The request to switch between blocking and non-blocking mode.
pub const TOGGLE_BLOCK: u32 = raw::kmsgpipe_request_REQUEST_TOGGLE_BLOCK;

/// The request to let messages expire, or to stop doing so.
pub const FLUSH_PERIODIC: u32 = raw::kmsgpipe_request_REQUEST_FLUSH_PERIODIC;

/// The request to make another pipe.
pub const CREATE_NEW: u32 = raw::kmsgpipe_request_REQUEST_CREATE_NEW;

/// The request to destroy a pipe.
pub const DESTROY: u32 = raw::kmsgpipe_request_REQUEST_DESTROY;

/// The request for a copy of all queued messages.
pub const DUMP: u32 = raw::kmsgpipe_request_REQUEST_DUMP;

/// The request to change the mode of an open file.
pub const SET_MODE: u32 = raw::kmsgpipe_request_REQUEST_SET_MODE;

/// The request for the mode of an open file.
pub const GET_MODE: u32 = raw::kmsgpipe_request_REQUEST_GET_MODE;
