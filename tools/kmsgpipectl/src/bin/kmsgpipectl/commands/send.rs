// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl send`.

use super::{messages, print};
use crate::{
    cli::{self, Patience},
    failure::{warn, Failure},
    framing::{self, Messages},
};
use kmsgpipe::{Access, Class, Node, Pipe, MSG_SIZE_MAX};
use serde_json::json;
use std::{io, os::unix::ffi::OsStrExt};

/// Sends messages from the arguments or from standard input.
pub fn send(args: &cli::Send, json: bool) -> Result<(), Failure> {
    let mut sender = Sender {
        pipe: Pipe::open(&args.pipe, Access::Write)?,
        patience: args.patience,
        number: 0,
        sent: 0,
        bytes: 0,
        empty: 0,
    };
    let result = if args.messages.is_empty() {
        sender.send_input(args)
    } else {
        sender.send_arguments(args)
    };
    sender.warn_of_empty_ones();
    result?;

    if json {
        let summary = json!({
            "schema": 1,
            "pipe": Node::at(sender.pipe.path()).to_string(),
            "sent_msgs": sender.sent,
            "sent_bytes": sender.bytes,
            "empty_msgs": sender.empty,
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

        let result = match self.patience {
            Patience { nonblock: true, .. } => self.pipe.try_send(message),
            Patience {
                timeout: Some(timeout),
                ..
            } => self.pipe.send_timeout(message, timeout),
            _ => self.pipe.send(message),
        };
        result.map_err(|error| self.at_this_message(error.into()))?;
        self.sent += 1;
        self.bytes += message.len() as u64;
        Ok(())
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

    /// Says how many empty messages there were after the first, which was told of at once.
    fn warn_of_empty_ones(&self) {
        if self.empty > 1 {
            warn(&format!(
                "{} were empty and were skipped",
                messages(self.empty)
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
