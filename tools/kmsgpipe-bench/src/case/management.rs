// SPDX-License-Identifier: GPL-2.0

//! Cost of expiring messages, and of creating, destroying and listing pipes.

use crate::{
    channel::{
        kmsgpipe::{make, Crowd},
        Shape,
    },
    measure::{now, Figure},
    mechanism::Mechanism,
    record::{Of, Sink, Unit},
    system,
};
use anyhow::{ensure, Context, Result};
use kmsgpipe::Flush;
use std::{collections::HashMap, fs, io::Read, thread, time::Duration};

/// Number of messages that expire.
const MESSAGES: usize = 65536;
/// Number of pipes that are created, listed and destroyed.
const PIPES: usize = 4096;
/// Read size for the list.
const BUFFER: usize = 128 << 10;

/// Returns the run time of each kernel worker, in nanoseconds.
fn workers() -> Result<HashMap<String, u64>> {
    let mut times = HashMap::new();
    for task in fs::read_dir("/proc")? {
        let path = task?.path();
        // Skip entries that are not tasks, and tasks that exited.
        let Ok(name) = fs::read_to_string(path.join("comm")) else {
            continue;
        };
        let Ok(text) = fs::read_to_string(path.join("schedstat")) else {
            continue;
        };
        if name.starts_with("kworker/") {
            let time = text.split_whitespace().next().unwrap_or_default();
            let time = time.parse().context("schedstat")?;
            times.insert(path.display().to_string(), time);
        }
    }
    Ok(times)
}

/// Measures the sweeper per message, by the run time of workers, which do nothing else meanwhile.
fn sweep() -> Result<Figure> {
    let pipe = make(Shape {
        size: 64,
        depth: MESSAGES,
    })?;
    let pipe = &pipe.pipe;
    for _ in 0..MESSAGES {
        pipe.try_send(&[5; 64])?;
    }
    thread::sleep(Duration::from_millis(300));
    let before = workers()?;
    pipe.flush_periodic(Some(Flush {
        interval_ms: 50,
        expiry_ms: 200,
    }))?;
    while pipe.stats()?.expired_msgs < MESSAGES as u64 {
        thread::sleep(Duration::from_millis(10));
    }
    // The sweeper frees memory after the messages are gone.
    thread::sleep(Duration::from_millis(20));
    let took = workers()?.into_iter();
    let took = took.map(|(task, time)| time - before.get(&task).unwrap_or(&0));
    Ok(Figure::exact(took.sum::<u64>() as f64 / MESSAGES as f64))
}

/// Measures the list per pipe.
fn list() -> Result<Figure> {
    let mut buffer = vec![0; BUFFER];
    let mut values = Vec::new();
    for _ in 0..3 {
        let mut lines = 0;
        let start = now();
        let mut file = fs::File::open("/proc/kmsgpipe_stats")?;
        loop {
            let len = file.read(&mut buffer)?;
            if len == 0 {
                break;
            }
            lines += buffer[..len].iter().filter(|byte| **byte == b'\n').count();
        }
        let took = (now() - start) as f64;
        ensure!(lines == PIPES + 1, "{lines} pipes are listed");
        values.push(took / lines as f64);
    }
    Ok(Figure::of(values))
}

/// Measures a call, and divides by the number of objects.
fn each(work: impl FnOnce() -> Result<()>) -> Result<Figure> {
    let start = now();
    work()?;
    Ok(Figure::exact((now() - start) as f64 / PIPES as f64))
}

/// Measures all cases.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    let time = sink.place.time();
    let mut put = |case, size, unit: Unit, figure| {
        let of = Of {
            mechanism: Mechanism::Kmsgpipe,
            case,
            size,
            at: None,
        };
        sink.put(of, unit, figure)
    };
    // The sweeper logs a line.
    let quiet = system::QuietConsole::new()?;
    put("management sweep", 64, time, sweep()?)?;
    drop(quiet);
    let mut crowd = Crowd::new()?;
    // Warm up, for allocations that occur only once.
    crowd.grow(1)?;
    crowd.destroy_all()?;
    put("management create", 0, time, each(|| crowd.grow(PIPES))?)?;
    put("management list", 0, time, list()?)?;
    put("management destroy", 0, time, each(|| crowd.destroy_all())?)
}
