// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl send`.

use super::{messages, print};
use crate::{
    cli::{self, Patience, TooLong},
    failure::{warn, Failure},
    framing::{self, Messages},
    standard,
};
use kmsgpipe::{Access, Class, Error, Node, Pipe, MSG_SIZE_MAX};
use serde_json::json;
use std::{io, os::unix::ffi::OsStrExt};

/// Sends messages from the arguments or from standard input.
pub fn send(args: &cli::Send, json: bool) -> Result<(), Failure> {
    if args.messages.is_empty() {
        standard::check_input()?;
    }
    let mut sender = Sender {
        pipe: Pipe::open(&args.pipe, Access::Write)?,
        patience: args.patience,
        number: 0,
        sent: 0,
        bytes: 0,
        empty: 0,
        policy: args.too_long,
        too_long: 0,
    };
    let result = if args.messages.is_empty() {
        sender.send_input(args)
    } else {
        sender.send_arguments(args)
    };
    sender.warn_of_others();
    result?;

    if json {
        let summary = json!({
            "schema": 1,
            "pipe": Node::at(sender.pipe.path()).to_string(),
            "sent_msgs": sender.sent,
            "sent_bytes": sender.bytes,
            "empty_msgs": sender.empty,
            "skipped_msgs": if args.too_long == TooLong::Skip { sender.too_long } else { 0 },
            "cut_msgs": if args.too_long == TooLong::Cut { sender.too_long } else { 0 },
        });
        print(&format!("{summary}\n"))?;
    }
    Ok(())
}

/// Sends one message after the other.
struct Sender {
    pipe: Pipe,
    patience: Patience,
    /// How many messages were there, sent or not.
    number: u64,
    sent: u64,
    bytes: u64,
    /// How many were skipped as they were empty.
    empty: u64,
    /// What becomes of a message that is too long.
    policy: TooLong,
    /// How many were skipped or cut as they were too long.
    too_long: u64,
}

impl Sender {
    /// Sends the arguments, as often as told.
    fn send_arguments(&mut self, args: &cli::Send) -> Result<(), Failure> {
        for _ in 0..args.count.unwrap_or(1) {
            for message in &args.messages {
                self.send(message.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Sends what comes in, each message as soon as it is complete.
    fn send_input(&mut self, args: &cli::Send) -> Result<(), Failure> {
        let most = args.count.unwrap_or(u64::MAX);
        // Whether a message is too long is for the pipe to say, which may come to take longer ones;
        // this is more than any pipe takes.
        let limit = MSG_SIZE_MAX as usize;
        let mut input = Messages::new(io::stdin().lock(), args.framing.chosen(), limit);
        let mut message = Vec::new();
        while self.sent < most {
            match input.next(&mut message) {
                Ok(true) => self.send(&message)?,
                Ok(false) => break,
                Err(framing::Error::TooLong { len }) if self.policy == TooLong::Skip => {
                    self.number += 1;
                    self.pass_over(len);
                }
                Err(framing::Error::TooLong { len }) if self.policy == TooLong::Cut => {
                    input
                        .cut(&mut message)
                        .map_err(|error| self.bad_input(error))?;
                    self.number += 1;
                    self.deliver(&message, len)?;
                }
                Err(error) => return Err(self.bad_input(error)),
            }
        }
        Ok(())
    }

    /// Sends a message, unless it is empty.
    fn send(&mut self, message: &[u8]) -> Result<(), Failure> {
        self.number += 1;
        if message.is_empty() {
            if self.empty == 0 {
                warn(&format!(
                    "message {} is empty and is skipped, as the kernel makes \
                     no message of 0 bytes",
                    self.number
                ));
            }
            self.empty += 1;
            return Ok(());
        }

        self.deliver(message, message.len() as u64)
    }

    /// Sends what is there of a message of `len` bytes, or less if the pipe does not take so much and that is
    /// wanted.
    fn deliver(&mut self, message: &[u8], len: u64) -> Result<(), Failure> {
        let mut part = message;
        loop {
            match self.try_to_deliver(part) {
                Ok(()) => break,
                Err(Error::TooLong { .. }) if self.policy == TooLong::Skip => {
                    self.pass_over(len);
                    return Ok(());
                }
                // The limit may have changed since, and may change again.
                Err(Error::TooLong { msg_size, .. }) if self.policy == TooLong::Cut => {
                    part = message.get(..msg_size as usize).unwrap_or(message);
                }
                Err(error) => return Err(self.at_this_message(error.into())),
            }
        }
        self.sent += 1;
        self.bytes += part.len() as u64;
        if len > part.len() as u64 {
            self.count_too_long(len, &format!("cut to {}", part.len()));
        }
        Ok(())
    }

    /// Sends a message with as much patience as was asked for.
    fn try_to_deliver(&self, message: &[u8]) -> Result<(), Error> {
        match self.patience {
            Patience { nonblock: true, .. } => self.pipe.try_send(message),
            Patience {
                timeout: Some(timeout),
                ..
            } => self.pipe.send_timeout(message, timeout),
            _ => self.pipe.send(message),
        }
    }

    /// Does not send a message of `len` bytes, which is too long.
    fn pass_over(&mut self, len: u64) {
        self.count_too_long(len, "skipped");
    }

    /// Counts a message of `len` bytes that is too long, and tells of the first at once.
    fn count_too_long(&mut self, len: u64, fate: &str) {
        if self.too_long == 0 {
            let number = self.number;
            warn(&format!(
                "message {number} of {len} bytes is too long and is {fate}"
            ));
        }
        self.too_long += 1;
    }

    /// Makes a failure of input that is no message.
    fn bad_input(&mut self, error: framing::Error) -> Failure {
        self.number += 1;
        let failure = match error {
            framing::Error::TooLong { len } => self.pipe.too_long(len).into(),
            framing::Error::Io(error) => Failure::io("read standard input", &error),
            error => Failure::new(Class::Failed, error.to_string()),
        };
        self.at_this_message(failure)
    }

    /// Says which message it was, and what became of those before it.
    fn at_this_message(&self, failure: Failure) -> Failure {
        failure
            .about(&format!("message {}", self.number))
            .also(&format!("{} sent before it", was(self.sent)))
    }

    /// Says how many messages were not sent as they came, after the first, which was told of at once.
    fn warn_of_others(&self) {
        if self.empty > 1 {
            warn(&format!(
                "{} were empty and were skipped",
                messages(self.empty)
            ));
        }
        if self.too_long > 1 {
            let fate = match self.policy {
                TooLong::Cut => "cut",
                _ => "skipped",
            };
            warn(&format!(
                "{} were too long and were {fate}",
                messages(self.too_long)
            ));
        }
    }
}

/// So many messages, and the verb that goes with them.
fn was(count: u64) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{} {verb}", messages(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_verbs() {
        assert_eq!(was(0), "0 messages were");
        assert_eq!(was(1), "1 message was");
        assert_eq!(was(2), "2 messages were");
    }
}
