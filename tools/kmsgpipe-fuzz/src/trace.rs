// SPDX-License-Identifier: GPL-2.0

//! The most recent calls, printed when a check fails.

use crate::model::BLOCKS;
use nix::errno::Errno;
use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Number of calls that are printed.
const KEPT: usize = 20;

/// A difference from the model.
#[derive(Debug)]
pub struct Fault(pub String);

/// Result of a check.
pub type Checked<T = ()> = Result<T, Fault>;

/// One call.
#[derive(Clone, Copy)]
struct Call {
    number: u64,
    user: usize,
    name: &'static str,
    arguments: [i64; 4],
    /// Result; `None` until the call ends.
    got: Option<i64>,
}

/// The number of calls, and the most recent ones.
#[derive(Default)]
struct Inner {
    calls: u64,
    last: VecDeque<Call>,
}

/// Records the calls of all threads, which take turns.
#[derive(Default)]
pub struct Trace(Mutex<Inner>);

impl Trace {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Makes a call and records it.
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

    /// Formats the most recent calls, one per line.
    pub fn tell(&self) -> String {
        let mut text = String::new();
        for call in &self.inner().last {
            let [a, b, c, d] = call.arguments;
            let got = call.got.map_or("not finished".into(), result);
            let _ = writeln!(
                text,
                "#   call {} by user {}: {}({a}, {b}, {c}, {d}) = {got}",
                call.number, call.user, call.name
            );
        }
        text
    }
}

/// Formats a result.
pub fn result(result: i64) -> String {
    match result {
        BLOCKS => "sleep".into(),
        -4095..0 => format!("{:?}", Errno::from_raw(-result as i32)),
        _ => result.to_string(),
    }
}

/// Fails unless a result is as expected.
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

/// Fails unless a value is as expected.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, want: &T, got: &T) -> Checked {
    if want == got {
        Ok(())
    } else {
        Err(Fault(format!(
            "{what}:\n#   expected {want:?}\n#   got      {got:?}"
        )))
    }
}
