// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl chat`.
//!
//! On a terminal, the main thread edits the line that the user types, and another one shows messages as they arrive.
//! Otherwise, the main thread reads lines from standard input. In both cases a third thread waits for the signals that
//! end the program, so that the others learn that this user has left.

mod editor;
mod plain;
mod room;
mod screen;
mod sent;
mod show;
mod terminal;
mod wire;

pub use wire::Nick;

use crate::{
    cli,
    failure::Failure,
    signals::{self, BlockedSignals},
    stdio,
};
use kmsgpipe::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use room::Room;
use std::{sync::Arc, thread};
use terminal::Terminal;

/// Talks with others over a broadcast pipe.
pub fn chat(args: &cli::Chat, json: bool) -> Result<(), Failure> {
    stdio::check_input()?;
    let room = Arc::new(Room::open(args)?);
    // Taken by a thread instead, as it tells the others before it ends the program. A closed output is an error, for
    // the same reason.
    let _blocked =
        BlockedSignals::begin().map_err(|errno| Failure::io("hold signals", &errno.into()))?;
    signals::ignore_sigpipe();
    let terminal = Terminal::of_standard_files();
    let end = End {
        room: room.clone(),
        terminal: terminal.clone(),
        json,
    };
    let on_signal = end.clone();
    start(move || on_signal.by_signal())?;
    let ended = match &terminal {
        Some(terminal) if !json && editor::is_supported() => editor::run(&room, &end, terminal),
        _ => plain::run(&room, end, json),
    };
    if let Err(failure) = &ended {
        end_by_closed_output(failure);
    }
    ended
}

/// Ends the program as other ones of a pipeline end, if the failure is that the output has no reader.
fn end_by_closed_output(failure: &Failure) {
    if failure.errno() == Some(Errno::EPIPE) {
        signals::reset_sigpipe();
        signals::end_by(Signal::SIGPIPE);
    }
}

/// Starts a thread, which gets no signals.
fn start(run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let failed = |error| Failure::io("start a thread", &error);
    let before = SigSet::all()
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .map_err(|errno| failed(errno.into()))?;
    let started = thread::Builder::new().spawn(run);
    before
        .thread_set_mask()
        .map_err(|errno| failed(errno.into()))?;
    started.map(drop).map_err(failed)
}

/// Ends the program from a thread other than the main one.
#[derive(Clone)]
struct End {
    room: Arc<Room>,
    terminal: Option<Terminal>,
    json: bool,
}

impl End {
    /// Waits for a signal that ends the program, and lets it.
    fn by_signal(&self) {
        let signal = signals::wait_for_ending();
        self.room.leave();
        self.restore_terminal();
        signals::end_by(signal);
    }

    /// Ends the program because of a failure.
    fn by_failure(&self, failure: &Failure) -> ! {
        self.room.leave();
        self.restore_terminal();
        end_by_closed_output(failure);
        failure.report(self.json);
        std::process::exit(failure.class().exit_code().into())
    }

    /// Restores the terminal, and moves behind the line that is typed.
    fn restore_terminal(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.abandon();
        }
    }
}
