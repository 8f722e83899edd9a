// SPDX-License-Identifier: GPL-2.0

//! The constants of the header, under the names that the module has for them.

pub(crate) use kmsgpipe_sys::{
    raw::KMSGPIPE_NAME_SIZE as NAME_SIZE, KIND_BROADCAST, KIND_QUEUE, MAX_MSGS_DEFAULT,
    MAX_MSGS_MAX, MAX_MSGS_MIN, MODE_EOF, MODE_HUP, MODE_LINES, MODE_RECORDS, MODE_WHOLE,
    MSG_SIZE_DEFAULT, MSG_SIZE_MAX, MSG_SIZE_MIN, OVERFLOW_BLOCK, OVERFLOW_DROP_NEWEST,
    OVERFLOW_DROP_OLDEST,
};
