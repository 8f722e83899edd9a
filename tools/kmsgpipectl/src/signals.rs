// SPDX-License-Identifier: GPL-2.0

//! Signals: they end the program in the ordinary way, but never between taking a message out of a
//! pipe and writing it.

use crate::failure::Failure;
use kmsgpipe::Errno;
use nix::sys::signal::{raise, signal, SigHandler, SigSet, SigmaskHow, Signal};

/// What is asked to end by people and by service managers.
const ENDING: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// Lets a write to a pipe that nobody reads end the program quietly, as that is what its neighbours
/// in a pipeline do; Rust programs start with the signal ignored.
pub fn die_of_closed_pipes() {
    // SAFETY: The default disposition runs no code of this program.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

/// Raises `SIGPIPE`, as a write to standard output does when its reader has gone, which ends the program.
/// If the program was started with that signal blocked, returns the error of such a write.
pub fn output_is_closed() -> Failure {
    let _ = raise(Signal::SIGPIPE);
    Failure::io("write to standard output", &Errno::EPIPE.into())
}

/// Until it is dropped, the signals that end the program are kept for later.
#[derive(Debug)]
pub struct Held {
    before: SigSet,
}

impl Held {
    /// Begins to keep signals for later.
    pub fn begin() -> nix::Result<Self> {
        let before = SigSet::from_iter(ENDING).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { before })
    }
}

impl Drop for Held {
    /// Lets in what has come meanwhile.
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holding_is_undone() {
        let mask = || SigSet::thread_get_mask().unwrap();
        let before = mask();
        let held = Held::begin().unwrap();
        assert!(ENDING.iter().all(|signal| mask().contains(*signal)));
        drop(held);
        assert_eq!(mask(), before);
    }
}
