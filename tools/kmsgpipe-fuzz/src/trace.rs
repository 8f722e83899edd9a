// SPDX-License-Identifier: GPL-2.0

//! The last calls, for when one of them turns out wrong.

use crate::model::BLOCKS;
use nix::errno::Errno;
use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many calls are told.
const KEPT: usize = 20;

/// Something that is not as the model has it.
#[derive(Debug)]
pub struct Fault(pub String);

/// What a call may find out.
pub type Checked<T = ()> = Result<T, Fault>;

/// One call.
#[derive(Clone, Copy)]
struct Call {
    number: u64,
    user: usize,
    name: &'static str,
    arguments: [i64; 4],
    /// Missing while it lasts.
    got: Option<i64>,
}

/// All calls, by their number, and the last of them.
#[derive(Default)]
struct Inner {
    calls: u64,
    last: VecDeque<Call>,
}

/// The calls of one thread after the other.
#[derive(Default)]
pub struct Trace(Mutex<Inner>);

impl Trace {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Makes a call and remembers it.
    pub fn call(
        &self,
        user: usize,
        name: &'static str,
        arguments: [i64; 4],
        call: impl FnOnce() -> i64,
    ) -> i64 {
        {
            let mut inner = self.inner();
            inner.calls += 1;
            if inner.last.len() == KEPT {
                inner.last.pop_front();
            }
            let number = inner.calls;
            inner.last.push_back(Call {
                number,
                user,
                name,
                arguments,
                got: None,
            });
        }
        let got = call();
        if let Some(last) = self.inner().last.back_mut() {
            last.got = Some(got);
        }
        got
    }

    /// The last calls, a line each.
    pub fn tell(&self) -> String {
        let mut text = String::new();
        for call in &self.inner().last {
            let [a, b, c, d] = call.arguments;
            let got = call.got.map_or("no end yet".into(), result);
            let _ = writeln!(
                text,
                "#   call {} by user {}: {}({a}, {b}, {c}, {d}) = {got}",
                call.number, call.user, call.name
            );
        }
        text
    }
}

/// A result in words.
pub fn result(result: i64) -> String {
    match result {
        BLOCKS => "sleep".into(),
        -4095..0 => format!("{:?}", Errno::from_raw(-result as i32)),
        _ => result.to_string(),
    }
}

/// Fails unless a call did what it should.
pub fn expect(what: &str, want: i64, got: i64) -> Checked {
    if want == got {
        Ok(())
    } else {
        Err(Fault(format!(
            "{what}: expected {}, got {}",
            result(want),
            result(got)
        )))
    }
}

/// Fails unless what a call said is what it should have.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, want: &T, got: &T) -> Checked {
    if want == got {
        Ok(())
    } else {
        Err(Fault(format!(
            "{what}:\n#   expected {want:?}\n#   got      {got:?}"
        )))
    }
}
