// SPDX-License-Identifier: GPL-2.0

//! Showing messages above the line that the user types.
//!
//! Only the thread of the editor may write to the terminal: it knows where the line begins. So another thread leaves its
//! text here and presses a key that no keyboard needs, [`REPAINT`], on which the editor shows its line anew, with the
//! text before it. For that the editor has a terminal of its own as its standard input, whose other end gets the keys
//! of the user and this one. It shows everything on the terminal of the user.
//!
//! The external printer of rustyline does not serve: until rustyline 18, the last version that the oldest supported
//! compiler builds, an editor that has one handles only the first of several keys that arrive together, such as those
//! of a text that is pasted.

use super::terminal::Terminal;
use nix::{pty::openpty, unistd::dup2_stdin};
use std::{
    fs::File,
    io::{self, Read, Write},
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Control and `^`, which makes the editor show its line anew.
pub const REPAINT: char = '^';

/// The byte of [`REPAINT`].
const REPAINT_BYTE: u8 = 0x1e;

/// How long the editor has to show a text before the key is pressed again: it takes the key for something else in the
/// middle of a command of several keys.
const PATIENCE: Duration = Duration::from_millis(100);

/// The texts to be shown, and the keys for the editor.
#[derive(Debug)]
pub struct Screen {
    texts: Mutex<String>,
    /// Is notified when the editor has taken the texts.
    taken: Condvar,
    /// The other end of the editor's standard input.
    keys: Mutex<File>,
}

impl Screen {
    /// Gives the editor a terminal for its keys. The user's terminal returns each key from now on.
    pub fn new(terminal: &Terminal) -> io::Result<Self> {
        let pair = openpty(None, terminal.settings())?;
        dup2_stdin(&pair.slave)?;
        terminal.return_keys()?;
        Ok(Self {
            texts: Mutex::default(),
            taken: Condvar::new(),
            keys: Mutex::new(pair.master.into()),
        })
    }

    /// Passes what the user types on to the editor, until the terminal is gone.
    pub fn pass_keys(&self, terminal: &Terminal) -> io::Result<()> {
        let mut user = File::from(terminal.file().try_clone()?);
        let mut bytes = [0; 1024];
        loop {
            match user.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(len) => locked(&self.keys).write_all(&bytes[..len])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds a text, which consists of whole lines, to what the editor shows next.
    pub fn add(&self, text: &str) {
        locked(&self.texts).push_str(text);
    }

    /// Shows a text, and returns when the editor has taken it.
    pub fn show(&self, text: &str) -> io::Result<()> {
        let mut texts = locked(&self.texts);
        texts.push_str(text);
        while !texts.is_empty() {
            drop(texts);
            locked(&self.keys).write_all(&[REPAINT_BYTE])?;
            texts = locked(&self.texts);
            if !texts.is_empty() {
                let waited = self.taken.wait_timeout(texts, PATIENCE);
                (texts, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
        Ok(())
    }

    /// Takes the texts to be shown.
    pub fn take(&self) -> String {
        let texts = mem::take(&mut *locked(&self.texts));
        self.taken.notify_all();
        texts
    }
}

/// Locks something that a thread that panicked has not left in a bad state.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_text_is_shown_with_those_before_it() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let screen = Screen {
            texts: Mutex::default(),
            taken: Condvar::new(),
            keys: Mutex::new(writer.into()),
        };
        let mut reader = File::from(reader);
        screen.add("notice\n");
        assert_eq!(screen.take(), "notice\n");
        screen.add("another\n");
        thread::scope(|scope| {
            let shown = scope.spawn(|| screen.show("text\n"));
            // An editor that does not understand the key gets it again.
            let mut keys = [0; 2];
            reader.read_exact(&mut keys).unwrap();
            assert_eq!(keys, [REPAINT_BYTE; 2]);
            assert!(!shown.is_finished());
            assert_eq!(screen.take(), "another\ntext\n");
            shown.join().unwrap().unwrap();
        });
        assert_eq!(screen.take(), "");
    }
}
