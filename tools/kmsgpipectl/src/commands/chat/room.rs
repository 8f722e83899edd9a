// SPDX-License-Identifier: GPL-2.0

//! The pipe over which a chat goes.

use super::{
    show::{Names, Style},
    wire::{Action, Content, Nick},
};
use crate::{
    cli, clock,
    commands::unwritable,
    failure::{warn, Failure},
    record::Format,
    style::Paint,
    width,
};
use kmsgpipe::{Access, Class, Deadline, Errno, Kind, ReceiveBatch, RecordPipe, SendBatch};
use nix::poll::{PollFd, PollFlags};
use std::{
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long a message waits for space before it is given back to the user.
const PATIENCE: Duration = Duration::from_millis(200);

/// The pipe, and who uses it.
#[derive(Debug)]
pub struct Room {
    pipe: RecordPipe,
    name: String,
    nick: Option<Nick>,
    quiet: bool,
    /// Whether the others know that this user is there.
    joined: AtomicBool,
    /// Whether the user knows that the pipe has discarded messages.
    told: AtomicBool,
}

impl Room {
    /// Opens the pipe, which must be of the kind broadcast.
    pub fn open(args: &cli::Chat) -> Result<Self, Failure> {
        let node = args.pipe.locate();
        // Opened before its kind is looked at: if there is no such pipe, this says so.
        let pipe = RecordPipe::open(&args.pipe, Access::ReadWrite)?;
        let kind = node.kind().map_err(|error| {
            Failure::io("read the kind of the pipe in /sys/class/kmsgpipe", &error)
        })?;
        if kind == Kind::Queue {
            return Err(Failure::usage(format!(
                "cannot chat over {}: it is a queue, in which each message goes to one reader only; create a pipe for \
                 it, such as with `kmsgpipectl create --name room --kind broadcast --history 20 --overflow drop-oldest \
                 --mode 0666`",
                node.path().display()
            )));
        }
        Ok(Self {
            pipe,
            name: Names::default()
                .of(nix::unistd::getuid().as_raw())
                .to_string(),
            nick: args.nick.clone(),
            quiet: args.quiet,
            joined: AtomicBool::new(false),
            told: AtomicBool::new(false),
        })
    }

    /// Returns this user as the others see it.
    pub fn who(&self) -> String {
        super::wire::who(&self.name, self.nick.as_ref())
    }

    /// Tells the others that this user joins.
    pub fn join(&self) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        match self.send(Action::Join, Some(PATIENCE)) {
            Ok(()) => self.joined.store(true, Ordering::Relaxed),
            Err(failure) if failure.class() == Class::TimedOut => {
                warn(&format!(
                    "the others do not know that you are here: {}",
                    failure.message()
                ));
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Tells the others that this user leaves, once and if they know that it is there. A failure is ignored: there is
    /// nothing to be done about it.
    pub fn leave(&self) {
        if self.joined.swap(false, Ordering::Relaxed) {
            let _ = self.send(Action::Leave, Some(PATIENCE));
        }
    }

    /// Sends a line, unless there is no space for it for a moment.
    pub fn say(&self, line: &str) -> Result<(), Failure> {
        self.send(Action::Say(line), Some(PATIENCE))
    }

    /// Sends a line, and waits for space.
    pub fn say_waiting(&self, line: &str) -> Result<(), Failure> {
        self.send(Action::Say(line), None)
    }

    /// Sends a message.
    fn send(&self, action: Action<'_>, patience: Option<Duration>) -> Result<(), Failure> {
        let nick = self.nick.clone();
        let message = Content { nick, action }.to_message(&self.name);
        let mut batch = SendBatch::new();
        batch.push(message.as_bytes());
        let sent = match patience {
            Some(patience) => self.pipe.send_batch_timeout(&mut batch, patience),
            None => self.pipe.send_batch(&mut batch),
        };
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.class() == Class::TimedOut => {
                Err(Failure::from(error).also(&format!(
                    "a reader is behind, which `kmsgpipectl peers {}` shows",
                    self.pipe.pipe().path().display()
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the pipe has discarded messages of which no later one tells yet, unless it has returned that
    /// already: it is full, and its policy is `drop-newest`.
    pub fn has_discarded(&self) -> bool {
        let mut fds = [PollFd::new(
            self.pipe.as_fd(),
            PollFlags::POLLIN | PollFlags::POLLPRI,
        )];
        let ready = Deadline::after(Duration::ZERO).poll(&mut fds) == Ok(true);
        // With a message, its record tells.
        let lost = ready && fds[0].revents() == Some(PollFlags::POLLPRI);
        lost && !self.told.swap(true, Ordering::Relaxed)
    }

    /// Waits for a message, or until the pipe has discarded one.
    pub fn wait(&self) -> Result<(), Failure> {
        let events = match self.told.load(Ordering::Relaxed) {
            true => PollFlags::POLLIN,
            false => PollFlags::POLLIN | PollFlags::POLLPRI,
        };
        let mut fds = [PollFd::new(self.pipe.as_fd(), events)];
        match Deadline::NEVER.poll(&mut fds) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(Failure::io("wait for a message", &errno.into())),
        }
    }
}

/// A reader of the messages.
#[derive(Debug)]
pub struct Reader {
    batch: ReceiveBatch,
    names: Names,
    paint: Paint,
    json: bool,
}

impl Reader {
    /// Creates a reader for standard output.
    pub fn new(json: bool) -> Self {
        Self {
            batch: ReceiveBatch::new(),
            names: Names::default(),
            paint: Paint::stdout(),
            json,
        }
    }

    /// Returns how messages are shown now.
    pub fn style(&self) -> Style {
        Style {
            paint: self.paint,
            width: width::of_terminal(),
            now: clock::now(),
        }
    }

    /// Receives the messages that are there, or some of them if there are many, and returns what is to be shown, which
    /// is empty if there are none.
    pub fn receive(&mut self, room: &Room) -> Result<String, Failure> {
        match room.pipe.try_receive_batch(&mut self.batch) {
            Err(error) if error.class() == Class::WouldBlock => {
                return Ok(match room.has_discarded() && !self.json {
                    true => self
                        .style()
                        .notice("the pipe is full and discards new messages"),
                    false => String::new(),
                });
            }
            Err(error) if error.errno() == Some(Errno::EINTR) => return Ok(String::new()),
            result => result?,
        };
        room.told.store(false, Ordering::Relaxed);
        let style = self.style();
        let mut text = String::new();
        for record in self.batch.records() {
            text.push_str(&match self.json {
                true => Format::Json.text(&record).map_err(unwritable)?,
                false => style.record(&record, self.names.of(record.uid)),
            });
        }
        Ok(text)
    }
}
