// SPDX-License-Identifier: GPL-2.0

//! Whether standard input and output were closed when the program started.
//!
//! Before `main`, the Rust runtime opens `/dev/null` in place of each closed standard file. Output is then
//! lost, and the file cannot be told from a `/dev/null` that the user redirected to. A function in
//! `.init_array` checks the descriptors earlier, because the C library calls it before its `main`, where the
//! Rust runtime starts.

use crate::failure::Failure;
use kmsgpipe::Errno;
use nix::{
    fcntl::{fcntl, FcntlArg, OFlag},
    libc,
};
use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether standard input and standard output were closed at program start.
static CLOSED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

// SAFETY: The section is an array of function pointers, of which this is one. Each is called once, on the only
// thread. The function does not use the Rust runtime, which is not initialised yet: it makes a system call and
// stores to statics that are initialised at compile time, and does not panic. It ignores the arguments that
// the C library may pass.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Records which standard files are closed.
extern "C" fn look() {
    for (descriptor, closed) in (0..).zip(&CLOSED) {
        // SAFETY: The call takes no pointer, and accepts a closed descriptor, which it reports.
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        closed.store(flags == -1, Ordering::Relaxed);
    }
}

/// Fails if standard input was closed, which would be mistaken for empty input.
pub fn check_input() -> Result<(), Failure> {
    let [input, _] = &CLOSED;
    if input.load(Ordering::Relaxed) {
        return Err(Failure::io("read standard input", &Errno::EBADF.into())
            .also("it is closed: redirect it, for example with `</dev/null`"));
    }
    Ok(())
}

/// Fails if standard output is not writable. Called before an operation whose result would be lost.
pub fn check_output() -> Result<(), Failure> {
    let [_, output] = &CLOSED;
    let why = if output.load(Ordering::Relaxed) {
        "it is closed: redirect it, for example with `>/dev/null`"
    } else if is_for_reading_only() {
        "it is open for reading only"
    } else {
        return Ok(());
    };
    Err(Failure::io("write to standard output", &Errno::EBADF.into()).also(why))
}

/// Returns whether standard output is open for reading only.
fn is_for_reading_only() -> bool {
    let flags = fcntl(io::stdout(), FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    flags.is_ok_and(|flags| flags & OFlag::O_ACCMODE == OFlag::O_RDONLY)
}
