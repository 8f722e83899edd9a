// SPDX-License-Identifier: GPL-2.0

//! A chat line by line, for scripts and for terminals that cannot edit.

use super::{
    room::{Reader, Room},
    start, End,
};
use crate::{
    commands::print,
    failure::{warn, Failure},
};
use kmsgpipe::{Class, Errno};
use std::{
    io::{self, BufRead},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Sends the lines of standard input, and shows messages on standard output, those of this user included.
pub fn run(room: &Room, end: End, json: bool) -> Result<(), Failure> {
    let reader = Arc::new(Mutex::new(Reader::new(json)));
    let shown = show(&mut locked(&reader), room).and_then(|()| room.join());
    shown.inspect_err(|_| room.leave())?;
    let others = reader.clone();
    start(move || loop {
        let shown = end
            .room
            .wait()
            .and_then(|()| show(&mut locked(&others), &end.room));
        if let Err(failure) = shown {
            end.by_failure(&failure);
        }
    })?;
    let result = send_input(room);
    room.leave();
    // The other thread ends with the program.
    let shown = show(&mut locked(&reader), room);
    result.and(shown)
}

/// Locks the reader, which a thread that panicked has not left in a bad state.
fn locked(reader: &Mutex<Reader>) -> MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows all messages that are there.
fn show(reader: &mut Reader, room: &Room) -> Result<(), Failure> {
    loop {
        match reader.receive(room)? {
            text if text.is_empty() => return Ok(()),
            text => print(&text)?,
        }
    }
}

/// Sends each line of standard input that is not empty. Lines that are too long are skipped, and are a failure at the
/// end.
fn send_input(room: &Room) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut result = Ok(());
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        match read.map_err(|error| Failure::io("read standard input", &error))? {
            0 => break,
            _ if line.ends_with(b"\n") => drop(line.pop()),
            _ => {}
        }
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        match room.say_waiting(&text) {
            Ok(()) => {}
            Err(failure) if failure.errno() == Some(Errno::EMSGSIZE) => {
                warn(&format!(
                    "line {number} was not sent: {}",
                    failure.message()
                ));
                result = Err(Failure::new(
                    Class::Failed,
                    "lines were too long and were not sent",
                ));
            }
            Err(failure) => return Err(failure),
        }
    }
    result
}
