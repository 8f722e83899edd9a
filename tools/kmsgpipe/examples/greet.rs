// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sends a message and receives it again: `cargo run --example greet`.

use kmsgpipe::{Access, Pipe};
use std::time::Duration;

fn main() -> Result<(), kmsgpipe::Error> {
    let pipe = Pipe::open("0", Access::ReadWrite)?;
    pipe.send(b"hello")?;

    let mut buffer = Vec::new();
    let message = pipe.receive_timeout(&mut buffer, Duration::from_secs(1))?;
    println!("{}", String::from_utf8_lossy(message));
    Ok(())
}
