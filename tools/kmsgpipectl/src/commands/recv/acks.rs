// SPDX-License-Identifier: GPL-2.0

//! Acknowledging messages after they were written.

use crate::{
    failure::{warn, Failure},
    signals,
};
use kmsgpipe::{Deadline, Errno, Pipe};
use nix::{
    fcntl::{fcntl, FcntlArg},
    poll::{PollFd, PollFlags},
};
use std::{fs::File, io, os::fd::AsFd};

/// Capacity that gives a pipe(2) one slot, in bytes: the kernel rounds it up to a page.
const ONE_PAGE: i32 = 4096;

/// Acknowledges messages.
#[derive(Debug)]
pub struct Acks {
    /// The output, if the program can find out what its reader has taken.
    output: Option<OneSlot>,
}

impl Acks {
    /// Acknowledges messages that are written to `output`.
    ///
    /// # Errors
    ///
    /// The descriptor cannot be duplicated.
    pub fn new(output: &File) -> io::Result<Self> {
        let output = OneSlot::new(output.try_clone()?);
        Ok(Self { output })
    }

    /// Acknowledges message `seq` of `pipe`, which was written. If the output is a pipe(2), waits until its reader
    /// has taken the message: without that, the message comes back. If the output has no reader any more, ends the
    /// program.
    pub fn acknowledge(&self, pipe: &Pipe, seq: u64) -> Result<(), Failure> {
        if let Some(output) = &self.output {
            let taken = output.is_taken();
            if !taken.map_err(|errno| Failure::io("wait for the reader", &errno.into()))? {
                return Err(signals::closed_output());
            }
        }
        match pipe.ack(seq..=seq) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                warn(&format!(
                    "the lease of message {seq} ended before it was acknowledged, so it is delivered again; a longer \
                     --lease prevents that"
                ));
                Ok(())
            }
            result => Ok(result?),
        }
    }
}

/// A pipe(2) with one slot: it has room only while nothing is in it. `poll(2)` tells so when its reader has taken all
/// that was written.
#[derive(Debug)]
struct OneSlot {
    pipe: File,
    /// Capacity that the pipe(2) had before, in bytes.
    before: i32,
}

impl OneSlot {
    /// Reduces the capacity of `file`. Returns `None` if it is no pipe(2), or if it holds more than fits.
    fn new(file: File) -> Option<Self> {
        let before = fcntl(&file, FcntlArg::F_GETPIPE_SZ).ok()?;
        fcntl(&file, FcntlArg::F_SETPIPE_SZ(ONE_PAGE)).ok()?;
        Some(Self { pipe: file, before })
    }

    /// Waits until the reader has taken all that was written. Returns `false` if it closes the pipe(2) before.
    fn is_taken(&self) -> nix::Result<bool> {
        let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLOUT)];
        Deadline::NEVER.poll(&mut fds)?;
        let events = fds[0].revents().unwrap_or(PollFlags::empty());
        Ok(events.contains(PollFlags::POLLOUT))
    }
}

impl Drop for OneSlot {
    /// Restores the capacity, for other programs that write there.
    fn drop(&mut self) {
        let _ = fcntl(&self.pipe, FcntlArg::F_SETPIPE_SZ(self.before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        os::fd::OwnedFd,
        thread,
        time::Duration,
    };

    /// Returns a reader, a writer, and what tells the writer that the reader has taken all.
    fn pipe() -> (File, File, OneSlot) {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let writer = File::from(writer);
        let one_slot = OneSlot::new(writer.try_clone().unwrap()).unwrap();
        (reader.into(), writer, one_slot)
    }

    #[test]
    fn reader_must_take_all() {
        let (mut reader, mut writer, one_slot) = pipe();
        assert_eq!(one_slot.is_taken(), Ok(true));
        writer.write_all(b"12").unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| one_slot.is_taken());
            reader.read_exact(&mut [0]).unwrap();
            thread::sleep(Duration::from_millis(50));
            assert!(!waiting.is_finished());
            reader.read_exact(&mut [0]).unwrap();
            assert_eq!(waiting.join().unwrap(), Ok(true));
        });
        writer.write_all(b"34").unwrap();
        reader.read_exact(&mut [0]).unwrap();
        drop(reader);
        assert_eq!(one_slot.is_taken(), Ok(false));
    }

    #[test]
    fn capacity_is_restored() {
        let (_reader, writer, one_slot) = pipe();
        let size = || fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
        let (reduced, before) = (size(), one_slot.before);
        assert!(reduced < before);
        drop(one_slot);
        assert_eq!(size(), before);
    }

    #[test]
    fn other_files_are_not_asked() {
        let file = File::options().write(true).open("/dev/null").unwrap();
        assert!(OneSlot::new(file).is_none());
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(OneSlot::new(OwnedFd::from(socket).into()).is_none());
    }
}
