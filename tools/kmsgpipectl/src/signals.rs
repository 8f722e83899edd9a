// SPDX-License-Identifier: GPL-2.0

//! Signals. They end the program as usual, but not between consuming a message and writing it.

use crate::failure::Failure;
use kmsgpipe::Errno;
use nix::sys::signal::{raise, signal, SigHandler, SigSet, SigmaskHow, Signal};

/// Signals with which users and service managers end a program.
const ENDING: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// Restores the default action of `SIGPIPE`, which Rust programs ignore: writing to a pipe without readers
/// ends the program silently, as in any other pipeline.
pub fn reset_sigpipe() {
    // SAFETY: The default disposition runs no code of this program.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

/// Ignores `SIGPIPE`: writing to a pipe without readers fails instead.
pub fn ignore_sigpipe() {
    // SAFETY: The disposition runs no code of this program.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}

/// Waits for a signal that would end the program, which must be blocked in all threads, and takes it.
pub fn wait_for_ending() -> Signal {
    loop {
        // Only an unknown signal is an error, of which there is none in the set.
        if let Ok(signal) = SigSet::from_iter(ENDING).wait() {
            return signal;
        }
    }
}

/// Ends the program by a signal, so that its parent sees that.
pub fn end_by(ending: Signal) {
    let _ = SigSet::from_iter([ending]).thread_unblock();
    let _ = raise(ending);
}

/// Raises `SIGPIPE` as a write to a pipe without readers does, which ends the program. If the signal is
/// blocked, returns the error of such a write.
pub fn closed_output() -> Failure {
    let _ = raise(Signal::SIGPIPE);
    Failure::io("write to standard output", &Errno::EPIPE.into())
}

/// Blocks the signals that end the program until dropped.
#[derive(Debug)]
pub struct BlockedSignals {
    before: SigSet,
}

impl BlockedSignals {
    /// Blocks the signals.
    pub fn begin() -> nix::Result<Self> {
        let before = SigSet::from_iter(ENDING).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { before })
    }
}

impl Drop for BlockedSignals {
    /// Restores the signal mask, which delivers pending signals.
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_mask_is_restored() {
        let mask = || SigSet::thread_get_mask().unwrap();
        let before = mask();
        let blocked = BlockedSignals::begin().unwrap();
        assert!(ENDING.iter().all(|signal| mask().contains(*signal)));
        drop(blocked);
        assert_eq!(mask(), before);
    }
}
