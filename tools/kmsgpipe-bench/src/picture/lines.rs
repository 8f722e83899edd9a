// SPDX-License-Identifier: GPL-2.0

//! Line picture: the cost of a pair by message size, one line per mechanism. Both axes are logarithmic.

use super::{failed, font, heading, svg, write, Area, HEADING, LEAST, OWN};
use crate::{mechanism::Mechanism, record::Record};
use anyhow::{bail, Result};
use plotters::{element::DashedPathElement, prelude::*};
use std::{
    collections::{BTreeMap, BTreeSet},
    f64::consts::SQRT_2,
};

/// Size of the picture.
const LINES: (u32, u32) = (800, 500);
/// Width of the legend, to the right of the chart.
const NAMES: u32 = 180;
/// Length of the sample of a line in the legend.
const SAMPLE: i32 = 48;
/// Distance between the starts of dashes.
const PERIOD: u32 = 24;
/// Relative difference below which values count as equal: about two pixels, the width of a line.
const TOLERANCE: f64 = 0.02;

/// Returns the mechanisms that are drawn; more lines would be unreadable.
pub(super) fn mechanisms() -> impl Iterator<Item = Mechanism> {
    Mechanism::BY_SIZE
        .into_iter()
        .chain([Mechanism::Pipe, Mechanism::Floor])
}

/// Returns the colour of a line.
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

/// A line: costs of a mechanism by message size.
struct Line {
    /// The mechanism.
    mechanism: Mechanism,
    /// Colour and width.
    style: ShapeStyle,
    /// Cost by size, at least 1, because the axis is logarithmic.
    costs: BTreeMap<usize, f64>,
}

impl Line {
    /// Returns the lines that have figures, in drawing order.
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
        let lines = mechanisms().enumerate().map(of);
        lines.filter(|line| !line.costs.is_empty()).collect()
    }

    /// Returns whether this line covers one that was drawn before: they are equal at more than half of their
    /// common sizes, although they may diverge at an end.
    fn covers(&self, under: &Self) -> bool {
        let near = |(size, cost): (&usize, &f64)| {
            let other = under.costs.get(size)?;
            Some((cost - other).abs() < TOLERANCE * other)
        };
        let near: Vec<bool> = self.costs.iter().filter_map(near).collect();
        2 * near.iter().filter(|near| **near).count() > near.len()
    }
}

/// Returns for each line how many lines are below it, on top of each other.
fn levels(lines: &[Line]) -> Vec<u32> {
    let mut levels: Vec<u32> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        let before = lines.iter().zip(&levels).take(place);
        let hidden = before.filter(|(under, _)| line.covers(under));
        let level = hidden.map(|(_, level)| level + 1).max();
        levels.push(level.unwrap_or(0));
    }
    levels
}

/// Draws a line, dashed if it covers others. The dashes of each level are half as long as those of the level
/// below and start at the same positions, so that all levels are visible.
fn stroke(area: &Area<'_>, points: Vec<(i32, i32)>, style: ShapeStyle, level: u32) -> Result<()> {
    let drawn = if level == 0 {
        area.draw(&PathElement::new(points, style))
    } else {
        let dash = (PERIOD >> level).max(1);
        area.draw(&DashedPathElement::new(points, dash, PERIOD - dash, style))
    };
    drawn.map_err(failed)
}

/// Returns the ticks of a cost axis: 1, 2 and 5 of each decade, from the last one not above `least` to the
/// first one above `most`. The axis ends at these ticks.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    let decades = least.log10().floor() as i32..=most.log10().ceil() as i32;
    let of = |decade| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade));
    let all: Vec<f64> = decades.flat_map(of).collect();
    let begin = all.partition_point(|mark| *mark <= least).saturating_sub(1);
    let end = all.partition_point(|mark| *mark <= most);
    all.into_iter().take(end + 1).skip(begin).collect()
}

/// Draws the picture.
pub(super) fn lines(records: &[&Record]) -> Result<String> {
    let lines = Line::all(records);
    let sizes = lines.iter().flat_map(|line| line.costs.keys());
    let sizes: BTreeSet<usize> = sizes.copied().collect();
    let sizes: Vec<f64> = sizes.into_iter().map(|size| size as f64).collect();
    let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) else {
        bail!("there are no figures to draw as lines");
    };
    // Margins at both ends, which also give a single size a range.
    let ends = smallest / SQRT_2..largest * SQRT_2;
    let costs = lines.iter().flat_map(|line| line.costs.values());
    let (least, most) = costs.fold((f64::MAX, 1.0_f64), |(least, most), cost| {
        (cost.min(least), cost.max(most))
    });
    let ticks = ticks(least, most);
    let (lowest, highest) = (ticks[0], ticks[ticks.len() - 1]);
    svg(LINES, |area| {
        heading(area, records, "send and receive")?;
        let mut chart = ChartBuilder::on(&area.margin(HEADING, 15, 15, NAMES))
            .x_label_area_size(35)
            .y_label_area_size(75)
            .build_cartesian_2d(
                ends.log_scale().with_key_points(sizes),
                (lowest..highest).log_scale().with_key_points(ticks),
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
            // Rings around the points of the lines below, small enough for the distance to the labels.
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

    /// Returns a line with these costs for sizes 1, 2, 3 and so on.
    fn line(costs: &[f64]) -> Line {
        Line {
            mechanism: Mechanism::Pipe,
            style: BLACK.into(),
            costs: (1..).zip(costs.iter().copied()).collect(),
        }
    }

    #[test]
    fn line_is_hidden_if_most_points_are_equal() {
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
            assert_eq!(line(costs).covers(&under), hidden, "{costs:?}");
        }
    }

    #[test]
    fn covering_lines_have_increasing_levels() {
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
    fn axis_ticks_enclose_all_values() {
        assert_eq!(
            ticks(618.0, 32126.0),
            [500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0, 50000.0]
        );
        assert_eq!(ticks(1000.0, 1000.0), [1000.0, 2000.0]);
        assert_eq!(ticks(1.0, 9.0), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(ticks(1100.0, 1900.0), [1000.0, 2000.0]);
    }
}
