// SPDX-License-Identifier: GPL-2.0

//! What standard input and output were when the program was started.
//!
//! Rust's runtime opens `/dev/null` in the place of each standard file that is closed, before `main`. What is
//! written there is lost, and nothing tells it from a `/dev/null` that somebody asked for. So the two
//! are looked at earlier: by a function in `.init_array`, as the C library calls those before its
//! `main`, which is where Rust's runtime begins.

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

/// Whether standard input and standard output were closed.
static CLOSED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

// SAFETY: What the section consists of are addresses of functions, of which this is one. Each is called once,
// on the only thread there is. The function needs nothing of Rust's runtime, which has not begun: it makes a system
// call and stores to statics that need no initialisation, and does not panic. It leaves the
// arguments alone that the C library may pass.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Looks at the standard files before Rust's runtime does.
extern "C" fn look() {
    for (descriptor, closed) in (0..).zip(&CLOSED) {
        // SAFETY: The call takes a number and no pointer; that of a closed descriptor is what is asked about.
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        closed.store(flags == -1, Ordering::Relaxed);
    }
}

/// Fails if standard input was closed: it would be taken for an empty one.
pub fn check_input() -> Result<(), Failure> {
    let [input, _] = &CLOSED;
    if input.load(Ordering::Relaxed) {
        return Err(Failure::io("read standard input", &Errno::EBADF.into())
            .also("it is closed: give it a file, `</dev/null` if there is to be nothing in it"));
    }
    Ok(())
}

/// Fails if nothing can be written to standard output, before anything is done whose result would be lost.
pub fn check_output() -> Result<(), Failure> {
    let [_, output] = &CLOSED;
    let why = if output.load(Ordering::Relaxed) {
        "it is closed: give it a file, `>/dev/null` if nobody is to read it"
    } else if is_for_reading_only() {
        "it is open for reading only"
    } else {
        return Ok(());
    };
    Err(Failure::io("write to standard output", &Errno::EBADF.into()).also(why))
}

/// Whether standard output is a file that was opened for reading only.
fn is_for_reading_only() -> bool {
    let flags = fcntl(io::stdout(), FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    flags.is_ok_and(|flags| flags & OFlag::O_ACCMODE == OFlag::O_RDONLY)
}
