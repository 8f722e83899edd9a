// SPDX-License-Identifier: GPL-2.0

//! What a pair costs by size, a line a mechanism. Both axes are logarithmic.

use super::{failed, font, heading, svg, write, Area, HEADING, LEAST, OWN};
use crate::{mechanism::Mechanism, record::Record};
use anyhow::{bail, Result};
use plotters::{element::DashedPathElement, prelude::*};
use std::{
    collections::{BTreeMap, BTreeSet},
    f64::consts::SQRT_2,
};

/// The size of a picture of lines.
const LINES: (u32, u32) = (800, 500);
/// The width of the names, which are right of the lines, where none of these can run into them.
const NAMES: u32 = 180;
/// The length of the piece of a line before its name.
const SAMPLE: i32 = 48;
/// From the beginning of a dash to the next.
const PERIOD: u32 = 24;
/// What differs by less than this part is at the same place: lines are two pixels wide, which are about
/// as much of a cost.
const NEAR: f64 = 0.02;

/// What is drawn as lines: too many would be none.
pub(super) const MECHANISMS: [Mechanism; 8] = [
    Mechanism::Kmsgpipe,
    Mechanism::PipeDirect,
    Mechanism::Mq,
    Mechanism::Sysv,
    Mechanism::SeqPacket,
    Mechanism::Netlink,
    Mechanism::Pipe,
    Mechanism::Floor,
];

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

/// What a mechanism costs by size.
struct Line {
    /// What the messages went through.
    mechanism: Mechanism,
    /// Its colour and width.
    style: ShapeStyle,
    /// The cost for each size. There is no logarithm of nothing: one at least.
    costs: BTreeMap<usize, f64>,
}

impl Line {
    /// The lines of those that there are figures of, in the order in which they are drawn.
    fn all(records: &[&Record]) -> Vec<Self> {
        let of = |(place, mechanism): (usize, Mechanism)| {
            let own = records
                .iter()
                .filter(|record| record.mechanism == mechanism);
            let costs = own.map(|record| (record.size, record.value.max(1.0)));
            Self {
                mechanism,
                style: colour(mechanism, place).stroke_width(if place == 0 { 4 } else { 2 }),
                costs: costs.collect(),
            }
        };
        let lines = MECHANISMS.into_iter().enumerate().map(of);
        lines.filter(|line| !line.costs.is_empty()).collect()
    }

    /// Whether it runs on top of one that was drawn before: at more than half of the sizes that both
    /// have, so that lines may part at an end.
    fn hides(&self, under: &Self) -> bool {
        let near = |(size, cost): (&usize, &f64)| {
            let other = under.costs.get(size)?;
            Some((cost - other).abs() < NEAR * other)
        };
        let near: Vec<bool> = self.costs.iter().filter_map(near).collect();
        2 * near.iter().filter(|near| **near).count() > near.len()
    }
}

/// For each line, how many are below it, one upon the other.
fn levels(lines: &[Line]) -> Vec<u32> {
    let mut levels: Vec<u32> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        let before = lines.iter().zip(&levels).take(place);
        let hidden = before.filter(|(under, _)| line.hides(under));
        let level = hidden.map(|(_, level)| level + 1).max();
        levels.push(level.unwrap_or(0));
    }
    levels
}

/// Draws a line, or, if there are others below it, dashes. Each level has dashes half as long as those
/// of the one below, which begin at the same places: so all are seen.
fn stroke(area: &Area<'_>, points: Vec<(i32, i32)>, style: ShapeStyle, level: u32) -> Result<()> {
    let drawn = if level == 0 {
        area.draw(&PathElement::new(points, style))
    } else {
        let dash = (PERIOD >> level).max(1);
        area.draw(&DashedPathElement::new(points, dash, PERIOD - dash, style))
    };
    drawn.map_err(failed)
}

/// The marks of an axis of costs: 1, 2 and 5 of each decade, from the last that is not above the least
/// to the first that is above the most. The axis begins and ends with them.
fn marks(least: f64, most: f64) -> Vec<f64> {
    let decades = least.log10().floor() as i32..=most.log10().ceil() as i32;
    let of = |decade| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade));
    let all: Vec<f64> = decades.flat_map(of).collect();
    let begin = all.partition_point(|mark| *mark <= least).saturating_sub(1);
    let end = all.partition_point(|mark| *mark <= most);
    all.into_iter().take(end + 1).skip(begin).collect()
}

/// The picture of these figures.
pub(super) fn lines(records: &[&Record]) -> Result<String> {
    let lines = Line::all(records);
    let sizes = lines.iter().flat_map(|line| line.costs.keys());
    let sizes: BTreeSet<usize> = sizes.copied().collect();
    let sizes: Vec<f64> = sizes.into_iter().map(|size| size as f64).collect();
    let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) else {
        bail!("there is nothing to draw lines of");
    };
    // With some room at both ends, where a single size has its place, too.
    let ends = smallest / SQRT_2..largest * SQRT_2;
    let costs = lines.iter().flat_map(|line| line.costs.values());
    let (least, most) = costs.fold((f64::MAX, 1.0_f64), |(least, most), cost| {
        (cost.min(least), cost.max(most))
    });
    let marks = marks(least, most);
    let (lowest, highest) = (marks[0], marks[marks.len() - 1]);
    svg(LINES, |area| {
        heading(area, records, "send and receive")?;
        let mut chart = ChartBuilder::on(&area.margin(HEADING, 15, 15, NAMES))
            .x_label_area_size(35)
            .y_label_area_size(75)
            .build_cartesian_2d(
                ends.log_scale().with_key_points(sizes),
                (lowest..highest).log_scale().with_key_points(marks),
            )
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_label_formatter(&|size| format!("{size} B"))
            .y_label_formatter(&f64::to_string)
            .label_style(font(15))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(failed)?;
        let left = (LINES.0 - NAMES) as i32 + 10;
        for (row, (line, level)) in (0..).zip(lines.iter().zip(levels(&lines))) {
            let points = line.costs.iter();
            let points = points.map(|(size, cost)| chart.backend_coord(&(*size as f64, *cost)));
            let points: Vec<_> = points.collect();
            // Rings around those of the lines below, and no wider than there is room to the labels.
            let radius = 3 * (level.min(2) + 1);
            for point in &points {
                area.draw(&Circle::new(*point, radius, line.style))
                    .map_err(failed)?;
            }
            stroke(area, points, line.style, level)?;
            let y = HEADING as i32 + 22 * row;
            let sample = vec![(left, y + 7), (left + SAMPLE, y + 7)];
            stroke(area, sample, line.style, level)?;
            write(area, line.mechanism.name(), (left + SAMPLE + 8, y), 16)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with these costs of 1, 2, 3... bytes.
    fn line(costs: &[f64]) -> Line {
        Line {
            mechanism: Mechanism::Pipe,
            style: BLACK.into(),
            costs: (1..).zip(costs.iter().copied()).collect(),
        }
    }

    #[test]
    fn a_line_is_hidden_where_most_of_it_is() {
        let under = line(&[100.0, 200.0, 300.0]);
        let lines: [(bool, &[f64]); 7] = [
            (true, &[101.0, 198.0, 300.0]),
            (true, &[101.0, 201.0, 900.0]),
            (true, &[100.0, 200.0, 300.0, 9.0, 9.0, 9.0]),
            (true, &[99.0]),
            (false, &[101.0, 250.0, 900.0]),
            (false, &[103.0, 206.0, 309.0]),
            (false, &[]),
        ];
        for (hidden, costs) in lines {
            assert_eq!(line(costs).hides(&under), hidden, "{costs:?}");
        }
    }

    #[test]
    fn lines_upon_each_other_have_levels() {
        let lines = [
            line(&[100.0, 200.0]),
            line(&[50.0, 60.0]),
            line(&[101.0, 201.0]),
            line(&[50.0, 60.0]),
            line(&[102.0, 202.0]),
        ];
        assert_eq!(levels(&lines), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn an_axis_has_few_marks_and_holds_all() {
        assert_eq!(
            marks(618.0, 32126.0),
            [500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0, 50000.0]
        );
        assert_eq!(marks(1000.0, 1000.0), [1000.0, 2000.0]);
        assert_eq!(marks(1.0, 9.0), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(marks(1100.0, 1900.0), [1000.0, 2000.0]);
    }
}
