// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl recv`.

use super::messages;
use crate::{
    cli::{self, Patience},
    failure::Failure,
    framing::Output,
    signals::{self, Held},
};
use kmsgpipe::{Access, Action, Class, Deadline, Error, Pipe};
use nix::poll::{PollFd, PollFlags};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    time::Duration,
};

/// Receives messages and writes each to standard output before it takes the next one.
pub fn recv(args: &cli::Recv, json: bool) -> Result<(), Failure> {
    let mut receiver = Receiver {
        pipe: Pipe::open(&args.pipe, Access::Read)?,
        patience: args.patience,
        framing: args.framing.chosen(json),
        // Without a buffer: what a message became goes out in one write, at once.
        output: io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| Failure::io("use standard output", &error))?
            .into(),
        message: Vec::new(),
        encoded: Vec::new(),
    };
    let most = match args.count {
        0 => u64::MAX,
        _ if args.follow => u64::MAX,
        count => count,
    };
    for received in 0..most {
        receiver.receive().map_err(|failure| match received {
            0 => failure,
            _ => failure.also(&format!("{} received before", messages(received))),
        })?;
    }
    Ok(())
}

/// Receives one message after the other.
struct Receiver {
    pipe: Pipe,
    patience: Patience,
    framing: Output,
    output: File,
    message: Vec<u8>,
    encoded: Vec<u8>,
}

impl Receiver {
    /// Receives a message and writes it.
    ///
    /// Nothing is lost on the way: while the program waits, no message is in its hands, and while one
    /// is, signals that would end it are kept for later.
    fn receive(&mut self) -> Result<(), Failure> {
        let patience = self.patience;
        let deadline = match patience {
            Patience { nonblock: true, .. } => Deadline::after(Duration::ZERO),
            Patience {
                timeout: Some(timeout),
                ..
            } => Deadline::after(timeout),
            _ => Deadline::NEVER,
        };
        loop {
            let ready = self.wait(deadline)?;
            let held = Held::begin().map_err(|errno| Failure::io("hold signals", &errno.into()))?;
            // When the deadline has come, one may still have arrived just now.
            let taken = self.take_one()?;
            drop(held);
            if taken {
                return Ok(());
            }
            // It was another reader that got what this one was woken for.
            if !ready || deadline.has_passed() {
                return Err(self.in_vain().into());
            }
        }
    }

    /// Waits until there may be a message, and returns whether that was so before the deadline.
    ///
    /// Ends the program when nobody reads its output any more, before it takes another message.
    fn wait(&self, deadline: Deadline) -> Result<bool, Failure> {
        let mut fds = [
            PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN),
            // Asks for nothing, as errors are told of anyway.
            PollFd::new(self.output.as_fd(), PollFlags::empty()),
        ];
        let ready = deadline
            .poll(&mut fds)
            .map_err(|errno| Failure::io("wait for a message", &errno.into()))?;
        let [_, output] = fds;
        if output
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLERR))
        {
            signals::output_is_closed();
        }
        Ok(ready)
    }

    /// Takes a message and writes it, if there is one.
    fn take_one(&mut self) -> Result<bool, Failure> {
        let message = match self.pipe.try_receive(&mut self.message) {
            Ok(message) => message,
            Err(error) if error.class() == Class::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        self.encoded.clear();
        self.framing
            .encode(message, &mut self.encoded)
            .map_err(|why| Failure::new(Class::Failed, why))?;
        self.output.write_all(&self.encoded).map_err(|error| {
            Failure::io("write to standard output", &error)
                .also("the message that was to be written is lost")
        })?;
        Ok(true)
    }

    /// Makes the error that no message came.
    fn in_vain(&self) -> Error {
        let object = self.pipe.path().to_owned();
        let action = Action::Receive;
        match self.patience.timeout {
            Some(after) => Error::TimedOut {
                action,
                object,
                after,
            },
            None => Error::WouldBlock { action, object },
        }
    }
}
