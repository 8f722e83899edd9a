// SPDX-License-Identifier: GPL-2.0

//! The terminal on which the user types and reads.

use nix::sys::termios::{
    tcgetattr, tcsetattr, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios,
};
use std::{
    io::{self, IsTerminal, Write},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

/// The terminal, and its settings when the program started.
#[derive(Clone, Debug)]
pub struct Terminal {
    fd: Arc<OwnedFd>,
    settings: Termios,
}

impl Terminal {
    /// Returns the terminal, if both standard input and standard output are one.
    pub fn of_standard_files() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let settings = tcgetattr(io::stdin()).ok()?;
        let fd = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Some(Self {
            fd: Arc::new(fd),
            settings,
        })
    }

    /// Returns the file of the terminal, which stays when standard input becomes another one.
    pub fn file(&self) -> &OwnedFd {
        &self.fd
    }

    /// Returns the settings when the program started.
    pub fn settings(&self) -> &Termios {
        &self.settings
    }

    /// Makes the terminal return each key as it is typed, without showing it.
    pub fn return_keys(&self) -> nix::Result<()> {
        let mut settings = self.settings.clone();
        settings.input_flags -= InputFlags::BRKINT
            | InputFlags::ICRNL
            | InputFlags::INPCK
            | InputFlags::ISTRIP
            | InputFlags::IXON;
        settings.local_flags -=
            LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::IEXTEN | LocalFlags::ISIG;
        settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(&*self.fd, SetArg::TCSADRAIN, &settings)
    }

    /// Restores the settings. Returns whether they had been changed.
    pub fn restore(&self) -> bool {
        let edits =
            tcgetattr(&*self.fd).is_ok_and(|now| now.local_flags != self.settings.local_flags);
        edits && tcsetattr(&*self.fd, SetArg::TCSADRAIN, &self.settings).is_ok()
    }

    /// Restores the settings, and moves behind the line that is typed.
    pub fn abandon(&self) {
        if self.restore() {
            let _ = io::stdout().write_all(b"\n");
        }
    }
}
