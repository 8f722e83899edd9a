// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl recv`.

use super::messages;
use crate::{
    cli::{self, Patience},
    failure::Failure,
    framing::Output,
    signals::{self, Held},
};
use kmsgpipe::{Access, Action, Class, Deadline, Error, Modes, Pipe};
use nix::poll::{PollFd, PollFlags};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    time::Duration,
};

/// Receives messages and writes each to standard output before it takes the next one.
pub fn recv(args: &cli::Recv, json: bool) -> Result<(), Failure> {
    let pipe = Pipe::open(&args.pipe, Access::Read)?;
    // Whether to wait is for the options to say, and not for the default mode of the pipe.
    pipe.set_mode(pipe.mode()? - Modes::EOF)?;
    let mut receiver = Receiver {
        pipe,
        patience: match args.all {
            true => Patience::NONE,
            false => args.patience,
        },
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
        _ if args.follow || args.all => u64::MAX,
        count => count,
    };
    for received in 0..most {
        let failure = match receiver.receive() {
            Ok(true) => continue,
            // All that were there, which may be none.
            Ok(false) if args.all => break,
            Ok(false) => receiver.in_vain().into(),
            Err(failure) => failure,
        };
        return Err(match received {
            0 => failure,
            _ => failure.also(&format!("{} received before", messages(received))),
        });
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
    /// Receives a message and writes it; returns whether one came before the patience was at its end.
    ///
    /// Nothing is lost on the way: while the program waits, no message is in its hands, and while one
    /// is, signals that would end it are kept for later.
    fn receive(&mut self) -> Result<bool, Failure> {
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
                return Ok(true);
            }
            // It was another reader that got what this one was woken for.
            if !ready || deadline.has_passed() {
                return Ok(false);
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
        // The reading end of a pipe was closed, which is POLLERR, or that of a socket, which is POLLHUP.
        if output.any() != Some(false) {
            return Err(signals::output_is_closed());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixStream},
    };

    /// A receiver of what is sent to a socket, which behaves like a pipe here.
    fn receiver(output: OwnedFd) -> (UnixDatagram, Receiver) {
        let (sender, pipe) = UnixDatagram::pair().unwrap();
        let receiver = Receiver {
            pipe: OwnedFd::from(pipe).into(),
            patience: Patience {
                timeout: Some(Duration::from_millis(200)),
                nonblock: false,
            },
            framing: Output::Text,
            output: output.into(),
            message: vec![0; 16],
            encoded: Vec::new(),
        };
        (sender, receiver)
    }

    #[test]
    fn no_message_is_taken_when_nobody_reads() {
        let (ours, socket) = UnixStream::pair().unwrap();
        drop(ours);
        let (ours, pipe) = nix::unistd::pipe().unwrap();
        drop(ours);
        // The tests ignore the signal, so that this returns.
        for output in [OwnedFd::from(socket), pipe] {
            let (sender, mut receiver) = receiver(output);
            let failure = receiver.receive().unwrap_err();
            assert!(failure.message().contains("(EPIPE)"), "{failure:?}");
            sender.send(b"kept").unwrap();
            let failure = receiver.receive().unwrap_err();
            assert!(failure.message().contains("(EPIPE)"), "{failure:?}");
            let mut buffer = vec![0; 16];
            assert_eq!(receiver.pipe.try_receive(&mut buffer).unwrap(), b"kept");
        }
    }

    #[test]
    fn what_is_taken_is_written() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (sender, mut receiver) = receiver(theirs.into());
        sender.send(b"one").unwrap();
        assert_eq!(receiver.receive(), Ok(true));
        let mut buffer = [0; 16];
        assert_eq!(ours.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"one\n");
        receiver.patience = Patience::NONE;
        assert_eq!(receiver.receive(), Ok(false));
    }
}
