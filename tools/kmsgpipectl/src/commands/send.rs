// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl send`.

use super::print;
use crate::{
    cli::{self, TooLong, WaitOptions},
    count::messages,
    failure::{warn, Failure},
    framing::{self, Messages},
    stdio,
};
use kmsgpipe::{
    Access, Class, Error, MessageOptions, Node, Pipe, RecordPipe, SendBatch, MSG_SIZE_MAX,
};
use serde_json::json;
use std::{io, os::unix::ffi::OsStrExt};

/// Sends messages from the arguments or from standard input.
pub fn send(args: &cli::Send, json: bool) -> Result<(), Failure> {
    if args.messages.is_empty() {
        stdio::check_input()?;
    }
    let mut sender = Sender {
        target: Target::open(args)?,
        wait: args.wait,
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
            "pipe": Node::at(sender.target.pipe().path()).to_string(),
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

/// Where messages are sent.
enum Target {
    /// A pipe, without options.
    Plain(Pipe),
    /// A pipe, with these options for each message.
    WithOptions(RecordPipe, MessageOptions),
}

impl Target {
    /// Opens the pipe.
    fn open(args: &cli::Send) -> Result<Self, Error> {
        let options = args.options();
        Ok(if options == MessageOptions::default() {
            Self::Plain(Pipe::open(&args.pipe, Access::Write)?)
        } else {
            Self::WithOptions(RecordPipe::open(&args.pipe, Access::Write)?, options)
        })
    }

    /// Returns the pipe.
    fn pipe(&self) -> &Pipe {
        match self {
            Self::Plain(pipe) => pipe,
            Self::WithOptions(pipe, _) => pipe.pipe(),
        }
    }

    /// Sends a message, and waits as the options say.
    fn send(&self, message: &[u8], wait: WaitOptions) -> Result<(), Error> {
        let (pipe, options) = match self {
            Self::Plain(pipe) => {
                return match wait {
                    WaitOptions { nonblock: true, .. } => pipe.try_send(message),
                    WaitOptions {
                        timeout: Some(timeout),
                        ..
                    } => pipe.send_timeout(message, timeout),
                    _ => pipe.send(message),
                }
            }
            Self::WithOptions(pipe, options) => (pipe, *options),
        };
        let mut batch = SendBatch::new();
        batch.push_with(message, options);
        let sent = match wait {
            WaitOptions { nonblock: true, .. } => pipe.try_send_batch(&mut batch),
            WaitOptions {
                timeout: Some(timeout),
                ..
            } => pipe.send_batch_timeout(&mut batch, timeout),
            _ => pipe.send_batch(&mut batch),
        };
        sent.map(drop)
    }
}

/// Sends messages and counts them.
struct Sender {
    target: Target,
    wait: WaitOptions,
    /// Number of messages so far, sent or not.
    number: u64,
    sent: u64,
    bytes: u64,
    /// Number of empty messages that were skipped.
    empty: u64,
    /// What to do with overlong messages.
    policy: TooLong,
    /// Number of overlong messages that were skipped or truncated.
    too_long: u64,
}

impl Sender {
    /// Sends the arguments the requested number of times.
    fn send_arguments(&mut self, args: &cli::Send) -> Result<(), Failure> {
        for _ in 0..args.count.unwrap_or(1) {
            for message in &args.messages {
                self.send(message.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Sends messages from standard input, each as soon as it is complete.
    fn send_input(&mut self, args: &cli::Send) -> Result<(), Failure> {
        let most = args.count.unwrap_or(u64::MAX);
        // Only the pipe decides whether a message is too long, and its limit may grow; this is the maximum
        // for any pipe.
        let limit = MSG_SIZE_MAX as usize;
        let mut input = Messages::new(io::stdin().lock(), args.framing.selected(), limit);
        let mut message = Vec::new();
        while self.sent < most {
            match input.next(&mut message) {
                Ok(true) => self.send(&message)?,
                Ok(false) => break,
                Err(framing::Error::TooLong { len }) if self.policy == TooLong::Skip => {
                    self.number += 1;
                    self.skip(len);
                }
                Err(framing::Error::TooLong { len }) if self.policy == TooLong::Cut => {
                    input
                        .truncate(&mut message)
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
                    "message {} is empty and is skipped: a message has at least \
                     1 byte",
                    self.number
                ));
            }
            self.empty += 1;
            return Ok(());
        }

        self.deliver(message, message.len() as u64)
    }

    /// Sends a message of `len` bytes, of which `message` is the available part. Truncates it to the pipe's
    /// limit if the policy allows that.
    fn deliver(&mut self, message: &[u8], len: u64) -> Result<(), Failure> {
        let mut part = message;
        loop {
            match self.target.send(part, self.wait) {
                Ok(()) => break,
                Err(Error::TooLong { .. }) if self.policy == TooLong::Skip => {
                    self.skip(len);
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

    /// Skips an overlong message of `len` bytes.
    fn skip(&mut self, len: u64) {
        self.count_too_long(len, "skipped");
    }

    /// Counts an overlong message of `len` bytes, and warns of the first one.
    fn count_too_long(&mut self, len: u64, fate: &str) {
        if self.too_long == 0 {
            let number = self.number;
            warn(&format!(
                "message {number} of {len} bytes is too long and is {fate}"
            ));
        }
        self.too_long += 1;
    }

    /// Creates the failure for malformed input.
    fn bad_input(&mut self, error: framing::Error) -> Failure {
        self.number += 1;
        let failure = match error {
            framing::Error::TooLong { len } => self.target.pipe().too_long(len).into(),
            framing::Error::Io(error) => Failure::io("read standard input", &error),
            error => Failure::new(Class::Failed, error.to_string()),
        };
        self.at_this_message(failure)
    }

    /// Adds the number of the message, and how many were sent before it.
    fn at_this_message(&self, failure: Failure) -> Failure {
        failure
            .about(&format!("message {}", self.number))
            .also(&format!("{} sent before it", was(self.sent)))
    }

    /// Warns of the skipped and truncated messages after the first, which was reported at once.
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

/// Formats a count of messages with its verb.
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
