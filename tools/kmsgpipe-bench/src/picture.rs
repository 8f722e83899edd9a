// SPDX-License-Identifier: GPL-2.0

//! Figures as pictures.

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

/// The width of a picture of bars, and the height of each bar.
const BARS: (u32, u32) = (800, 30);
/// The height of what is above all bars, or lines: what they show.
const HEADING: u32 = 60;
/// Where bars begin: right of the longest name.
const NAMES: i32 = 180;
/// What is left to the right of the longest bar, for its figure.
const FIGURES: i32 = 150;

/// What is drawn as bars: the case, the size of messages, and the file's name.
const BAR_PICTURES: [(&str, usize, &str); 7] = [
    ("pair", 64, "pair-64"),
    ("pingpong 1 cpu", 64, "pingpong-64"),
    ("poll", 64, "poll-64"),
    ("epoll", 64, "epoll-64"),
    ("stream 1:1", 64, "stream-1-1-64"),
    ("stream 4:1", 64, "stream-4-1-64"),
    ("stream 4:4", 64, "stream-4-4-64"),
];

/// The colour of this module's figures.
const OWN: RGBColor = RGBColor(200, 60, 20);
/// The colour of what nothing goes through.
const LEAST: RGBColor = RGBColor(200, 200, 200);
/// The colour of the others in pictures of bars.
const OTHERS: RGBColor = RGBColor(110, 140, 180);

/// What is drawn on.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What went wrong while drawing.
fn failed(error: impl fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("drawing: {error}")
}

/// All that is written is in this font.
fn font(size: i32) -> FontDesc<'static> {
    ("sans-serif", size).into_font()
}

/// A picture of this size, as SVG.
fn svg(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    draw(&area)?;
    area.present().map_err(failed)?;
    drop(area);
    Ok(text)
}

/// Writes one line, whose upper left corner is at a place.
fn write(area: &Area<'_>, text: &str, place: (i32, i32), size: i32) -> Result<()> {
    let text = Text::new(text, place, font(size));
    area.draw(&text).map_err(failed)
}

/// Writes above all what the figures are, which are the better ones, and where they were measured.
fn heading(area: &Area<'_>, records: &[&Record], what: &str) -> Result<()> {
    let Some(Record { unit, place, .. }) = records.first() else {
        return Ok(());
    };
    let title = format!("{what}: {}, {}", unit.name(), unit.better());
    write(area, &title, (10, 12), 20)?;
    let origin = format!("{}, module {}", place.accelerator, place.module);
    write(area, &origin, (10, 36), 15)
}

/// Bars of one case, the best first.
fn bars(records: &[&Record], title: &str) -> Result<String> {
    let mut records = records.to_vec();
    records.sort_by(|a, b| a.value.total_cmp(&b.value));
    if records.iter().any(|record| record.unit == Unit::Rate) {
        records.reverse();
    }
    let (width, each) = BARS;
    let most = records
        .iter()
        .map(|record| record.value)
        .fold(1.0, f64::max);
    let height = HEADING + each * records.len() as u32 + 10;
    svg((width, height), |area| {
        heading(area, &records, title)?;
        for (i, record) in (0..).zip(&records) {
            let y = (HEADING + each * i) as i32;
            let room = f64::from(width as i32 - NAMES - FIGURES);
            let end = NAMES + (room * record.value / most) as i32;
            let colour = match record.mechanism {
                Mechanism::Kmsgpipe => OWN,
                Mechanism::Floor => LEAST,
                _ => OTHERS,
            };
            write(area, record.mechanism.name(), (10, y + 2), 16)?;
            let bar = [(NAMES, y), (end, y + each as i32 - 8)];
            area.draw(&Rectangle::new(bar, colour.filled()))
                .map_err(failed)?;
            write(area, &number(record.value), (end + 8, y + 2), 16)?;
        }
        Ok(())
    })
}

/// Draws what there are figures of, into a directory.
pub fn draw(records: &[Record], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let put = |name: &str, svg: String| {
        let file = directory.join(name).with_extension("svg");
        fs::write(&file, svg).with_context(|| file.display().to_string())
    };
    let of = |case: &str, size: Option<usize>| -> Vec<&Record> {
        let wanted =
            |record: &&Record| record.case == case && size.is_none_or(|size| record.size == size);
        records.iter().filter(wanted).collect()
    };
    for (case, size, name) in BAR_PICTURES {
        let found = of(case, Some(size));
        if !found.is_empty() {
            put(name, bars(&found, &format!("{case}, {size} B"))?)?;
        }
    }
    let mut found = of("pair", None);
    found.retain(|record| lines::MECHANISMS.contains(&record.mechanism));
    if !found.is_empty() {
        put("pair", lines::lines(&found)?)?;
    }
    Ok(())
}
