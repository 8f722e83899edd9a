// SPDX-License-Identifier: GPL-2.0

//! Figures as SVG pictures.

mod lines;
#[cfg(test)]
mod tests;

use crate::{
    mechanism::Mechanism,
    record::{Record, Unit},
    report::number,
};
use anyhow::{Context, Result};
use plotters::{coord::Shift, prelude::*};
use std::{fmt, fs, path::Path};

/// Width of a bar picture, and height per bar.
const BARS: (u32, u32) = (800, 30);
/// Height of the heading.
const HEADING: u32 = 60;
/// Left end of the bars, which leaves space for the longest name.
const NAMES: i32 = 180;
/// Space to the right of the longest bar, for its figure.
const FIGURES: i32 = 150;

/// Bar pictures: case or group of cases, message size and file name.
const BAR_PICTURES: [(&str, usize, &str); 11] = [
    ("pair", 64, "pair-64"),
    ("pingpong 1 cpu", 64, "pingpong-64"),
    ("poll", 64, "poll-64"),
    ("epoll", 64, "epoll-64"),
    ("broadcast 1:8", 64, "broadcast-64"),
    ("broadcast 1:8", 1024, "broadcast-1024"),
    ("read", 64, "read-64"),
    ("scale subscriptions", 64, "subscriptions-64"),
    ("stream 1:1", 64, "stream-1-1-64"),
    ("stream 4:1", 64, "stream-4-1-64"),
    ("stream 4:4", 64, "stream-4-4-64"),
];

/// Colour of this module.
const OWN: RGBColor = RGBColor(200, 60, 20);
/// Colour of the floor.
const LEAST: RGBColor = RGBColor(200, 200, 200);
/// Colour of the peers in bar pictures.
const OTHERS: RGBColor = RGBColor(110, 140, 180);

/// A drawing area.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Converts an error of the drawing library.
fn failed(error: impl fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("drawing: {error}")
}

/// Returns the font of all text.
fn font(size: i32) -> FontDesc<'static> {
    ("sans-serif", size).into_font()
}

/// Draws a picture of this size, and returns it as SVG.
fn svg(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    draw(&area)?;
    area.present().map_err(failed)?;
    drop(area);
    Ok(text)
}

/// Writes a line of text with its upper left corner at `place`.
fn write(area: &Area<'_>, text: &str, place: (i32, i32), size: i32) -> Result<()> {
    let text = Text::new(text, place, font(size));
    area.draw(&text).map_err(failed)
}

/// Writes the heading: the subject, the unit, which direction is better, and where the figures come from.
fn heading(area: &Area<'_>, records: &[&Record], what: &str) -> Result<()> {
    let Some(&first) = records.first() else {
        return Ok(());
    };
    let Record { unit, place, .. } = first;
    let title = format!("{what}: {}, {}", unit.name(), unit.better());
    write(area, &title, (10, 12), 20)?;
    let mut origin = format!("{}, module {}", place.accelerator, place.module);
    if scatters(first) {
        origin += &format!("; line: least to most of {} runs", first.batches);
    }
    write(area, &origin, (10, 36), 15)
}

/// Returns whether a figure is a time, which has a range. A count repeats exactly.
fn scatters(record: &Record) -> bool {
    matches!(record.unit, Unit::Rate | Unit::Nanoseconds)
}

/// Returns the name of each bar: that in which the figures differ, which is the mechanism, the count that the
/// case varies, or the case.
fn names(records: &[&Record]) -> Vec<String> {
    let [first, others @ ..] = records else {
        return Vec::new();
    };
    let same = others
        .iter()
        .all(|record| record.mechanism == first.mechanism);
    let name = |record: &&Record| match record.at {
        _ if !same || others.is_empty() => record.mechanism.name().into(),
        Some(at) => at.to_string(),
        None => record.case.clone(),
    };
    records.iter().map(name).collect()
}

/// Returns whether a case is that of a picture, or one of its group.
fn shows(wanted: &str, case: &str) -> bool {
    let rest = case.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Draws the bars of one case or group, best first, or by the count that the case varies. A line shows the range from the least to the most of all batches.
fn bars(records: &[&Record], title: &str) -> Result<String> {
    let mut records = records.to_vec();
    records.sort_by(|a, b| a.at.cmp(&b.at).then(a.value.total_cmp(&b.value)));
    if records.iter().any(|record| record.unit == Unit::Rate) {
        records.reverse();
    }
    let (width, each) = BARS;
    let most = records
        .iter()
        .map(|record| {
            if scatters(record) {
                record.most
            } else {
                record.value
            }
        })
        .fold(1.0, f64::max);
    let height = HEADING + each * records.len() as u32 + 10;
    svg((width, height), |area| {
        heading(area, &records, title)?;
        for ((i, record), name) in (0..).zip(&records).zip(names(&records)) {
            let y = (HEADING + each * i) as i32;
            let room = f64::from(width as i32 - NAMES - FIGURES);
            let end_of = |value: f64| NAMES + (room * value / most) as i32;
            let end = end_of(record.value);
            let colour = match record.mechanism {
                Mechanism::Kmsgpipe => OWN,
                Mechanism::Floor => LEAST,
                _ => OTHERS,
            };
            write(area, &name, (10, y + 2), 16)?;
            let bar = [(NAMES, y), (end, y + each as i32 - 8)];
            area.draw(&Rectangle::new(bar, colour.filled()))
                .map_err(failed)?;
            let mut behind = end;
            if scatters(record) {
                let middle = y + (each as i32 - 8) / 2;
                behind = end_of(record.most);
                let range = vec![(end_of(record.least), middle), (behind, middle)];
                area.draw(&PathElement::new(range, BLACK)).map_err(failed)?;
            }
            write(area, &number(record.value), (behind + 8, y + 2), 16)?;
        }
        Ok(())
    })
}

/// Draws all pictures that have figures into a directory.
pub fn draw(records: &[Record], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let put = |name: &str, svg: String| {
        let file = directory.join(name).with_extension("svg");
        fs::write(&file, svg).with_context(|| file.display().to_string())
    };
    let of = |case: &str, size: Option<usize>| -> Vec<&Record> {
        let wanted = |record: &&Record| {
            shows(case, &record.case) && size.is_none_or(|size| record.size == size)
        };
        records.iter().filter(wanted).collect()
    };
    for (case, size, name) in BAR_PICTURES {
        let found = of(case, Some(size));
        if !found.is_empty() {
            put(name, bars(&found, &format!("{case}, {size} B"))?)?;
        }
    }
    let mut found = of("pair", None);
    found.retain(|record| lines::mechanisms().any(|drawn| drawn == record.mechanism));
    if !found.is_empty() {
        put("pair", lines::lines(&found)?)?;
    }
    Ok(())
}
