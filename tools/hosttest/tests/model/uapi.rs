// SPDX-License-Identifier: GPL-2.0

//! The constants and types of the header, under the names that the module has for them.

pub(crate) use kmsgpipe_sys::{
    raw::{
        kmsgpipe_record as Record, kmsgpipe_send as Send, KMSGPIPE_NAME_SIZE as NAME_SIZE,
        KMSGPIPE_RECORD_PRIVILEGED as RECORD_PRIVILEGED,
        KMSGPIPE_RECORD_REDELIVERED as RECORD_REDELIVERED,
    },
    FLUSH_EXPIRY_DEFAULT, FLUSH_INTERVAL_DEFAULT, KIND_BROADCAST, KIND_QUEUE, MAX_MSGS_MAX,
    MAX_MSGS_MIN, MODE_EOF, MODE_HUP, MODE_LINES, MODE_RECORDS, MODE_WHOLE, MSG_SIZE_MAX,
    MSG_SIZE_MIN, OVERFLOW_BLOCK, OVERFLOW_DROP_NEWEST, OVERFLOW_DROP_OLDEST, PRIORITIES_MAX,
};
