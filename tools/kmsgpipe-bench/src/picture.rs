// SPDX-License-Identifier: GPL-2.0

//! Figures as pictures.

use crate::{
    mechanism::Mechanism,
    record::{Record, Unit},
    report::number,
};
use anyhow::{Context, Result};
use plotters::{coord::ranged1d::ValueFormatter, prelude::*};
use std::{fmt, fs, path::Path};

/// The size of a picture of lines.
const LINES: (u32, u32) = (800, 500);
/// The width of a picture of bars, and the heights of its title and of each bar.
const BARS: (u32, u32, u32) = (800, 60, 30);
/// Where bars begin.
const NAMES: i32 = 150;
/// What is left to the right of the longest bar, for its figure.
const FIGURES: i32 = 180;

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

/// What is drawn as lines: too many would be none.
const LINE_MECHANISMS: [Mechanism; 8] = [
    Mechanism::Kmsgpipe,
    Mechanism::PipeDirect,
    Mechanism::Mq,
    Mechanism::Sysv,
    Mechanism::SeqPacket,
    Mechanism::Netlink,
    Mechanism::Pipe,
    Mechanism::Floor,
];

/// The colour of this module's figures.
const OWN: RGBColor = RGBColor(200, 60, 20);
/// The colour of what nothing goes through.
const LEAST: RGBColor = RGBColor(200, 200, 200);
/// The colour of the others in pictures of bars.
const OTHERS: RGBColor = RGBColor(110, 140, 180);

/// The colour of a mechanism's line.
fn colour(mechanism: Mechanism, place: usize) -> RGBColor {
    match mechanism {
        Mechanism::Kmsgpipe => OWN,
        Mechanism::Floor => LEAST,
        _ => {
            let (red, green, blue) = Palette99::COLORS[place % Palette99::COLORS.len()];
            RGBColor(red, green, blue)
        }
    }
}

/// What went wrong while drawing.
fn failed(error: impl fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("drawing: {error}")
}

/// Under what the figures were measured.
fn caption(records: &[&Record], what: &str) -> String {
    let Some(first) = records.first() else {
        return what.into();
    };
    format!(
        "{what}, {} ({}, module {})",
        first.unit.name(),
        first.place.accelerator,
        first.place.module
    )
}

/// Bars of one case, the best first.
fn bars(records: &[&Record], title: &str, file: &Path) -> Result<()> {
    let mut records = records.to_vec();
    records.sort_by(|a, b| a.value.total_cmp(&b.value));
    if records.iter().any(|record| record.unit == Unit::Rate) {
        records.reverse();
    }
    let (width, top, each) = BARS;
    let most = records
        .iter()
        .map(|record| record.value)
        .fold(1.0, f64::max);
    let height = top + each * records.len() as u32 + 10;
    let area = SVGBackend::new(file, (width, height)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let font = |size: i32| ("sans-serif", size).into_font();
    let text = caption(&records, title);
    area.draw(&Text::new(text, (10, 15), font(20)))
        .map_err(failed)?;
    for (i, record) in (0..).zip(&records) {
        let y = (top + each * i) as i32;
        let room = f64::from(width as i32 - NAMES - FIGURES);
        let end = NAMES + (room * record.value / most) as i32;
        let colour = match record.mechanism {
            Mechanism::Kmsgpipe => OWN,
            Mechanism::Floor => LEAST,
            _ => OTHERS,
        };
        let name = record.mechanism.name();
        area.draw(&Text::new(name, (10, y + 2), font(16)))
            .map_err(failed)?;
        let bar = [(NAMES, y), (end, y + each as i32 - 8)];
        area.draw(&Rectangle::new(bar, colour.filled()))
            .map_err(failed)?;
        let value = number(record.value);
        area.draw(&Text::new(value, (end + 8, y + 2), font(16)))
            .map_err(failed)?;
    }
    area.present().map_err(failed)
}

/// Sizes along a logarithmic axis, by their own names.
struct Sizes;

impl Sizes {
    /// The place of a size.
    fn place(size: usize) -> f64 {
        (size as f64).log2()
    }
}

impl ValueFormatter<f64> for Sizes {
    fn format(value: &f64) -> String {
        format!("{:.0} B", value.exp2())
    }
}

/// What a pair costs by size, a line a mechanism. Both axes are logarithmic.
fn lines(records: &[&Record], file: &Path) -> Result<()> {
    let sizes = records.iter().map(|record| Sizes::place(record.size));
    let (low, high) = sizes.fold((f64::MAX, f64::MIN), |(low, high), size| {
        (low.min(size), high.max(size))
    });
    let values = records.iter().map(|record| record.value);
    let (least, most) = values.fold((f64::MAX, 1.0), |(least, most), value| {
        (value.min(least), value.max(most))
    });
    let area = SVGBackend::new(file, LINES).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(15)
        .margin_right(40)
        .caption(
            caption(records, "send and receive"),
            ("sans-serif", 20).into_font(),
        )
        .x_label_area_size(35)
        .y_label_area_size(60)
        .build_cartesian_2d(low..high, (least * 0.8..most * 1.2).log_scale())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_labels(7)
        .x_label_formatter(&|value| Sizes::format(value))
        .y_label_formatter(&|value| number(*value))
        .label_style(("sans-serif", 15).into_font())
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(failed)?;
    for (place, mechanism) in LINE_MECHANISMS.into_iter().enumerate() {
        let of = records
            .iter()
            .filter(|record| record.mechanism == mechanism);
        let points = of.map(|record| (Sizes::place(record.size), record.value));
        let style = colour(mechanism, place).stroke_width(if place == 0 { 4 } else { 2 });
        chart
            .draw_series(LineSeries::new(points, style).point_size(3))
            .map_err(failed)?
            .label(mechanism.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 16).into_font())
        .background_style(WHITE.mix(0.8))
        .border_style(LEAST)
        .draw()
        .map_err(failed)?;
    area.present().map_err(failed)
}

/// Draws what there are figures of, into a directory.
pub fn draw(records: &[Record], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let of = |case: &str, size: Option<usize>| -> Vec<&Record> {
        let wanted =
            |record: &&Record| record.case == case && size.is_none_or(|size| record.size == size);
        records.iter().filter(wanted).collect()
    };
    for (case, size, name) in BAR_PICTURES {
        let found = of(case, Some(size));
        if !found.is_empty() {
            let file = directory.join(name).with_extension("svg");
            bars(&found, &format!("{case}, {size} B"), &file)?;
        }
    }
    let mut found = of("pair", None);
    found.retain(|record| LINE_MECHANISMS.contains(&record.mechanism));
    if !found.is_empty() {
        lines(&found, &directory.join("pair.svg"))?;
    }
    Ok(())
}
