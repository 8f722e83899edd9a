// SPDX-License-Identifier: GPL-2.0

//! Tests of the SVG pictures.

use super::*;
use crate::{case::SIZES, record::tests::counted};

/// Returns the value of an attribute of an element.
fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

/// Returns the value of a numeric attribute of an element.
fn length(element: &str, name: &str) -> f64 {
    attribute(element, name).parse().unwrap()
}

/// Returns the elements of one kind.
fn elements<'a>(svg: &'a str, kind: &str) -> Vec<&'a str> {
    let begin = format!("<{kind} ");
    svg.lines()
        .filter(|line| line.starts_with(&begin))
        .collect()
}

/// A rectangle: left, top, right, bottom.
type Place = [f64; 4];

/// Returns whether two rectangles overlap.
fn overlap(one: &Place, other: &Place) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

/// Returns all labels and their rectangles, assuming a wide font.
fn labels(svg: &str) -> Vec<(&str, Place)> {
    let lines: Vec<&str> = svg.lines().collect();
    let texts = lines.windows(2).filter(|two| two[0].starts_with("<text "));
    let label = |two: &[&'_ str]| -> Place {
        let (x, y) = (length(two[0], "x"), length(two[0], "y"));
        let size = length(two[0], "font-size");
        let width = 0.6 * size * two[1].chars().count() as f64;
        let left = match attribute(two[0], "text-anchor") {
            "start" => x,
            "middle" => x - width / 2.0,
            _ => x - width,
        };
        let top = match attribute(two[0], "dy") {
            "0.76em" => y,
            _ => y - size / 2.0,
        };
        [left, top, left + width, top + size]
    };
    texts.map(|two| (two[1], label(two))).collect()
}

/// Asserts that labels do not overlap each other, bars or points, and are inside the picture.
fn assert_readable(svg: &str) {
    let labels = labels(svg);
    let of_all = elements(svg, "rect");
    let (all, bars) = of_all.split_first().unwrap();
    let bars = bars.iter().map(|bar| {
        let (x, y) = (length(bar, "x"), length(bar, "y"));
        [x, y, x + length(bar, "width"), y + length(bar, "height")]
    });
    let points = elements(svg, "circle").into_iter().map(|circle| {
        let (x, y) = (length(circle, "cx"), length(circle, "cy"));
        let radius = length(circle, "r");
        [x - radius, y - radius, x + radius, y + radius]
    });
    let drawn: Vec<Place> = bars.chain(points).collect();
    for (i, (text, place)) in labels.iter().enumerate() {
        for (other, there) in &labels[..i] {
            assert!(!overlap(place, there), "{text} and {other}");
        }
        assert!(!drawn.iter().any(|there| overlap(place, there)), "{text}");
        assert!(place[0] >= 0.0 && place[1] >= 0.0, "{text}");
        assert!(place[2] <= length(all, "width"), "{text}");
        assert!(place[3] <= length(all, "height"), "{text}");
    }
}

/// Returns figures of a pair for all mechanisms; the cost of a pipe is `ratio` times that of its packets.
fn pairs(ratio: f64) -> Vec<Record> {
    let mut records = Vec::new();
    for (place, mechanism) in (1..).zip(Mechanism::ALL) {
        for size in SIZES {
            let cost = |place: i32| f64::from(place) * 400.0 + size as f64 / 2.0;
            let value = match mechanism {
                Mechanism::PipeDirect => cost(2),
                Mechanism::Pipe => cost(2) * ratio,
                _ => cost(place + 2),
            };
            if mechanism.takes(size) {
                records.push(counted(mechanism, "pair", size, value));
            }
        }
    }
    records
}

/// Draws the line picture.
fn draw_lines(records: &[Record]) -> String {
    let records = records.iter();
    let some = records.filter(|record| lines::mechanisms().any(|drawn| drawn == record.mechanism));
    lines::lines(&some.collect::<Vec<_>>()).unwrap()
}

/// Returns the widths of the strokes of one colour: in the chart, and in the legend.
fn strokes(svg: &str, colour: &str) -> [Vec<i32>; 2] {
    let mut lengths = [Vec::new(), Vec::new()];
    for stroke in elements(svg, "polyline") {
        if attribute(stroke, "stroke") == colour {
            let points = attribute(stroke, "points").split_whitespace();
            let x = points.map(|point| point.split_once(',').unwrap().0.parse::<i32>().unwrap());
            let x: Vec<i32> = x.collect();
            lengths[usize::from(x[0] > 620)].push(x[x.len() - 1] - x[0]);
        }
    }
    lengths
}

#[test]
fn heading_says_which_direction_is_better() {
    for (unit, way) in [
        (Unit::Instructions, "lower"),
        (Unit::Nanoseconds, "lower"),
        (Unit::Bytes, "lower"),
        (Unit::Allocations, "lower"),
        (Unit::Rate, "higher"),
    ] {
        let mut record = counted(Mechanism::Kmsgpipe, "pair", 64, 886.0);
        record.unit = unit;
        let svg = bars(&[&record], "pair, 64 B").unwrap();
        let title = format!("pair, 64 B: {}, {way} is better", unit.name());
        assert_eq!(labels(&svg)[0].0, title);
        let range = match unit {
            Unit::Nanoseconds | Unit::Rate => "; line: least to most of 1 runs",
            _ => "",
        };
        assert_eq!(labels(&svg)[1].0, format!("icount, module abc{range}"));
    }
    let svg = draw_lines(&pairs(1.0));
    let title = "send and receive: instructions, lower is better";
    assert_eq!(labels(&svg)[0].0, title);
    assert_eq!(labels(&svg)[1].0, "icount, module abc");
}

#[test]
fn best_bar_is_first() {
    for (unit, first) in [(Unit::Instructions, "kmsgpipe"), (Unit::Rate, "pipe")] {
        let mut records = [
            counted(Mechanism::Pipe, "pair", 64, 1237.0),
            counted(Mechanism::Kmsgpipe, "pair", 64, 886.0),
        ];
        for record in &mut records {
            record.unit = unit;
        }
        let svg = bars(&records.each_ref(), "pair, 64 B").unwrap();
        assert_eq!(labels(&svg)[2].0, first);
    }
}

#[test]
fn bars_are_named_by_what_differs() {
    let of = |mechanism, case, at| {
        let mut record = counted(mechanism, case, 64, 900.0);
        record.at = at;
        record
    };
    let (own, peer) = (Mechanism::Kmsgpipe, Mechanism::Netlink);
    for (records, expected) in [
        (
            [of(own, "pair", None), of(peer, "pair", None)],
            ["kmsgpipe", "netlink"],
        ),
        (
            [of(own, "read queue", None), of(own, "read browse", None)],
            ["read queue", "read browse"],
        ),
        (
            [
                of(own, "scale depth", Some(16)),
                of(own, "scale depth", Some(256)),
            ],
            ["16", "256"],
        ),
    ] {
        let svg = bars(&records.each_ref(), "64 B").unwrap();
        let labels = labels(&svg);
        // Each name is followed by the figure.
        assert_eq!([labels[2].0, labels[4].0], expected);
    }
    let one = of(own, "scale depth", Some(16));
    assert_eq!(names(&[&one]), ["kmsgpipe"]);
    assert!(names(&[]).is_empty());
}

#[test]
fn bars_of_counts_are_in_their_order() {
    let mut records = [100.0, 99.0].map(|value| counted(Mechanism::Kmsgpipe, "x", 64, value));
    (records[0].at, records[1].at) = (Some(1), Some(1024));
    let svg = bars(&records.each_ref(), "x, 64 B").unwrap();
    assert_eq!(labels(&svg)[2].0, "1");
    records[1].at = Some(1);
    let svg = bars(&records.each_ref(), "x, 64 B").unwrap();
    assert_eq!(labels(&svg)[3].0, "99.00");
}

#[test]
fn picture_shows_a_case_or_its_group() {
    assert!(shows("pair", "pair"));
    assert!(shows("read", "read queue"));
    assert!(!shows("read", "readers"));
    assert!(!shows("scale depth of browse", "scale depth"));
}

#[test]
fn bar_of_a_time_has_a_line_from_least_to_most() {
    let mut record = counted(Mechanism::Kmsgpipe, "stream 1:1", 64, 200.0);
    (record.least, record.most) = (100.0, 500.0);
    let black = "#000000";
    let counts = bars(&[&record], "stream 1:1, 64 B").unwrap();
    assert!(strokes(&counts, black).iter().all(Vec::is_empty));

    record.unit = Unit::Rate;
    let svg = bars(&[&record], "stream 1:1, 64 B").unwrap();
    let of_all = elements(&svg, "rect");
    let width = length(of_all[1], "width");
    assert_eq!(
        strokes(&svg, black),
        [vec![(width * 2.0) as i32], Vec::new()]
    );
}

#[test]
fn covering_line_is_dashed() {
    // The line of a pipe, and the line of its packets, which was drawn before.
    let (above, below) = ("#46F0F0", "#3CB44B");
    let svg = draw_lines(&pairs(1.01));
    let [line, sample] = strokes(&svg, above);
    assert_eq!(sample, [12, 12]);
    assert!(line.len() > 20, "{line:?}");
    assert!(line.iter().all(|length| *length <= 12), "{line:?}");
    let [line, sample] = strokes(&svg, below);
    assert_eq!((line.len(), sample), (1, vec![48]));

    let [line, sample] = strokes(&draw_lines(&pairs(1.1)), above);
    assert_eq!((line.len(), sample), (1, vec![48]));
}

#[test]
fn axis_labels_are_unique() {
    let svg = draw_lines(&pairs(1.0));
    let axis: Vec<_> = labels(&svg)[2..].iter().map(|(text, _)| *text).collect();
    let expected = [
        "500", "1000", "2000", "5000", "10000", "20000", "50000", "16 B", "64 B", "256 B",
        "1024 B", "4096 B", "65536 B",
    ];
    assert_eq!(axis[..expected.len()], expected);
}

#[test]
fn labels_do_not_overlap() {
    for (least, most) in [(600.0, 40000.0), (1100.0, 1200.0), (1.0, 20_000_000.0)] {
        let mut records = pairs(1.0);
        for record in &mut records {
            record.value = if record.size < 4096 { least } else { most };
        }
        assert_readable(&draw_lines(&records));
    }
    let mut records = pairs(1.0);
    assert_readable(&draw_lines(&records));

    records.retain(|record| record.size == 64);
    for (case, unit) in [("pair", Unit::Instructions), ("stream 1:1", Unit::Rate)] {
        for record in &mut records {
            record.unit = unit;
            record.most = record.value * 1.5;
            record.place.accelerator = "tcg multi-threaded".into();
            record.place.module = "v0.1-100-g0123456789".into();
        }
        let all: Vec<&Record> = records.iter().collect();
        assert_readable(&bars(&all, &format!("{case}, 64 B")).unwrap());
    }
}
