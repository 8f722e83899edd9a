// SPDX-License-Identifier: GPL-2.0

//! Payloads that identify sender and sequence, so that receivers can check delivery and order.

use std::collections::HashSet;

/// Minimum length in bytes.
pub const MIN: usize = 16;

/// Returns message number `count` of a thread, `len` bytes long.
pub fn text(thread: u32, count: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![filler(thread, count); len.max(MIN)];
    bytes[..4].copy_from_slice(&thread.to_le_bytes());
    bytes[4..12].copy_from_slice(&count.to_le_bytes());
    bytes[12..16].copy_from_slice(&(len as u32).to_le_bytes());
    bytes.truncate(len);
    bytes
}

/// Returns the byte that fills the rest of a message.
fn filler(thread: u32, count: u64) -> u8 {
    (count as u32).wrapping_mul(31).wrapping_add(thread) as u8 | 1
}

/// Messages that one thread received.
#[derive(Default)]
pub struct Received {
    /// Pipe, sender and number of each message.
    all: Vec<(usize, u32, u64)>,
}

impl Received {
    /// Records a message received from a pipe. Fails if no thread sent it.
    pub fn note(&mut self, pipe: usize, bytes: &[u8]) -> Result<(), String> {
        let word = |at: usize| {
            bytes
                .get(at..at + 4)?
                .try_into()
                .map(u32::from_le_bytes)
                .ok()
        };
        let (Some(thread), Some(low), Some(high), Some(len)) =
            (word(0), word(4), word(8), word(12))
        else {
            return Err(format!(
                "a message of {} bytes that no thread sent",
                bytes.len()
            ));
        };
        let count = u64::from(low) | (u64::from(high) << 32);
        if len as usize != bytes.len() || bytes[MIN..].iter().any(|b| *b != filler(thread, count)) {
            return Err(format!("message {count} of thread {thread} is corrupted"));
        }
        self.all.push((pipe, thread, count));
        Ok(())
    }

    /// Returns the number of messages received from a pipe.
    pub fn of_pipe(&self, pipe: usize) -> u64 {
        self.all.iter().filter(|(from, ..)| *from == pipe).count() as u64
    }

    /// Fails unless the messages of each sender were received from each pipe in the order of sending.
    pub fn in_order(&self) -> Result<(), String> {
        let mut last = std::collections::HashMap::new();
        for (pipe, thread, count) in &self.all {
            if let Some(before) = last.insert((pipe, thread), count) {
                if before >= count {
                    return Err(format!(
                        "message {count} of thread {thread} came after its message {before}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Fails if a message was received twice, by this or another thread.
    pub fn once(&self, seen: &mut HashSet<(u32, u64)>) -> Result<(), String> {
        match self
            .all
            .iter()
            .find(|(_, thread, count)| !seen.insert((*thread, *count)))
        {
            Some((_, thread, count)) => Err(format!(
                "message {count} of thread {thread} was delivered twice"
            )),
            None => Ok(()),
        }
    }
}
