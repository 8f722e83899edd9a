// SPDX-License-Identifier: GPL-2.0

//! The Rust face of `include/uapi/kmsgpipe.h`.
//!
//! The definitions are made by bindgen from the header when the module is built; here they get
//! names in the style of this crate.

use kernel::{
    prelude::*,
    transmute::AsBytes, //
};

/// What bindgen made of the header.
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
    kmsgpipe_request_REQUEST_CLEAR_QUEUE as CLEAR_QUEUE,
    kmsgpipe_request_REQUEST_GET_STATS as GET_STATS,
    kmsgpipe_stats as Stats,
    KMSGPIPE_MAX_MSGS_MAX as MAX_MSGS_MAX,
    KMSGPIPE_MAX_MSGS_MIN as MAX_MSGS_MIN,
    KMSGPIPE_MSG_SIZE_MAX as MSG_SIZE_MAX,
    KMSGPIPE_MSG_SIZE_MIN as MSG_SIZE_MIN,
    KMSGPIPE_STATS_HEAD as STATS_HEAD, //
};

// SAFETY: `kmsgpipe_stats` consists of integers alone and has no padding: its size is the sum of the
// sizes of its fields, which the assertion below holds to.
unsafe impl AsBytes for Stats {}

// SAFETY: All bit patterns are valid for integers, zero among them.
unsafe impl Zeroable for Stats {}

kernel::static_assert!(size_of::<Stats>() == 12 * size_of::<u32>() + 26 * size_of::<u64>());
