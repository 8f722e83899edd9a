// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bounded message queues that are files: `/dev/kmsgpipeN` and `/dev/kmsgpipe/NAME`.
//!
//! A pipe is a character device of the kmsgpipe module. Each send queues one message and each receive takes
//! exactly one, in FIFO order. Any number of processes may have a pipe open.
//!
//! ```no_run
//! use kmsgpipe::{Access, Pipe};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), kmsgpipe::Error> {
//! let pipe = Pipe::open("kmsgpipe0", Access::ReadWrite)?;
//! pipe.send(b"hello")?;
//!
//! let mut buffer = Vec::new();
//! let message = pipe.receive_timeout(&mut buffer, Duration::from_secs(1))?;
//! assert_eq!(message, b"hello");
//! println!("{} messages left", pipe.stats()?.depth_msgs);
//! # Ok(())
//! # }
//! ```
//!
//! A [`RecordPipe`] receives messages with their metadata, and sends and receives several in one system call.
//!
//! In a broadcast pipe ([`Kind::Broadcast`]), each open file that may read receives each message. [`Pipe::attach`]
//! chooses where it begins, or to read copies of the stored messages of any pipe, or to have messages of a queue on
//! trust until they are acknowledged ([`Attach::Lease`]).

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

// Each module depends only on modules in its own line and in the lines above:
//
// - `choice`: settings that are one of several words
// - `action`, `class`, `modes`, `kind`, `overflow`, `ident`: what was attempted, how it failed, mode flags, kinds,
//   policies, names as text
// - `sys`, `stats`, `error`, `attach`, `params`, `record`, `deadline`: system calls and the types that they exchange
// - `sysfs`, `devfs`, `hint`: what the system shows of pipes, and advice that depends on it
// - `node`, `stray`, `name`: device nodes and the names that lead to them
// - `pipe`, `control`, `wait`, `open`, `messages`, `dump`: an open pipe and its operations
// - `receive_batch`, `send_batch`, `record_pipe`: several messages in one call
mod action;
mod attach;
mod choice;
mod class;
mod control;
mod deadline;
mod devfs;
mod dump;
mod error;
mod hint;
mod ident;
mod kind;
mod messages;
mod modes;
mod name;
mod node;
mod open;
mod overflow;
mod params;
mod pipe;
mod receive_batch;
mod record;
mod record_pipe;
mod send_batch;
mod stats;
mod stray;
mod sys;
mod sysfs;
mod wait;

pub use action::Action;
pub use attach::{Attach, Start};
pub use class::Class;
pub use deadline::Deadline;
pub use dump::Dump;
pub use error::{Error, Result};
pub use ident::is_name;
pub use kind::Kind;
pub use kmsgpipe_sys::{
    FLUSH_EXPIRY_DEFAULT, FLUSH_INTERVAL_DEFAULT, MAX_MSGS_DEFAULT, MAX_MSGS_MAX, MAX_MSGS_MIN,
    MSG_SIZE_DEFAULT, MSG_SIZE_MAX, MSG_SIZE_MIN, PRIORITIES_MAX,
};
pub use modes::Modes;
pub use name::PipeName;
pub use nix::errno::Errno;
pub use node::{pipes, Node};
pub use open::Access;
pub use overflow::Overflow;
pub use params::{Create, Flush, Params};
pub use pipe::Pipe;
pub use receive_batch::{ReceiveBatch, Received};
pub use record::{Record, Records};
pub use record_pipe::RecordPipe;
pub use send_batch::{MessageOptions, SendBatch};
pub use stats::{Head, Stats};
pub use stray::Stray;
pub use sysfs::CLASS;
