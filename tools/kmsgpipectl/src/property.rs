// SPDX-License-Identifier: GPL-2.0

//! Property tests of the parsers.

use crate::{
    clock, duration,
    framing::{Input, Messages, Output},
    size, when,
};
use kmsgpipe::{is_name, PipeName};
use proptest::{collection::vec, prelude::*, sample::select};
use std::{io::BufReader, time::Duration};

/// Text that is a number with a unit, or similar to one.
fn quantity() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9]{0,21}[.]?[0-9]{0,12} ?(|B|K|k|KiB|KB|M|MiB|G|GiB|T|ns|us|ms|s|sec|m|min|h|d|x)",
        1 => any::<String>(),
    ]
}

/// Reference implementation of size parsing, digit by digit.
fn size_of_text(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1u128,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    let mut value = if digits == 0 { return None } else { 0u128 };
    for digit in text[..digits].bytes() {
        value = value * 10 + u128::from(digit - b'0');
        if value > u128::from(u64::MAX) {
            return None;
        }
    }
    u32::try_from(value * unit).ok()
}

/// Splits a stream into messages of up to `limit` bytes, read `step` bytes at a time. Returns whether the
/// stream was complete.
fn split(stream: &[u8], framing: Input, limit: usize, step: usize) -> (Vec<Vec<u8>>, bool) {
    let mut messages = Messages::new(BufReader::with_capacity(step, stream), framing, limit);
    let (mut all, mut buffer) = (Vec::new(), Vec::new());
    loop {
        match messages.next(&mut buffer) {
            Ok(true) => all.push(buffer.clone()),
            Ok(false) => return (all, true),
            Err(_) => return (all, false),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn time_is_parsed_as_it_is_formatted(seconds in 0..16_725_225_600u64, nanos in 0..1_000_000_000u32) {
        let at = Duration::new(seconds, nanos);
        let micros = Duration::new(seconds, nanos / 1000 * 1000);
        prop_assert_eq!(when::rfc3339(&clock::iso(at)), Some(micros));
    }

    #[test]
    fn any_text_is_parsed_or_rejected(text in "[-+0-9@.:sqTZ ]{0,30}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.{0,8}") {
        let _ = when::parse(&text);
    }

    #[test]
    fn size_matches_the_reference(text in quantity()) {
        prop_assert_eq!(size::parse(&text).ok(), size_of_text(&text));
    }

    #[test]
    fn every_size_parses(size: u32) {
        prop_assert_eq!(size::parse(&size.to_string()), Ok(size));
        prop_assert_eq!(size::parse(&format!("{}K", size >> 10)), Ok(size >> 10 << 10));
        prop_assert_eq!(size::parse(&format!("{}MiB", size >> 20)), Ok(size >> 20 << 20));
    }

    #[test]
    fn every_duration_parses(nanos: u64) {
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(duration::parse(&format!("{nanos}ns")), Ok(duration));
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        prop_assert_eq!(duration::parse(&format!("{seconds}.{rest:09}s")), Ok(duration));
        prop_assert_eq!(duration::parse(&format!("{seconds}.{rest:09}")), Ok(duration));
        let (millis, rest) = (nanos / 1_000_000, nanos % 1_000_000);
        prop_assert_eq!(duration::parse(&format!("{millis}.{rest:06}ms")), Ok(duration));
        let kernel = duration::parse_millis(&format!("{millis}ms"));
        prop_assert_eq!(kernel.ok(), u32::try_from(millis).ok());
        prop_assert!(!duration::describe(duration).is_empty());
    }

    #[test]
    fn parsed_duration_is_monotonic(text in quantity()) {
        if let Ok(duration) = duration::parse(&text) {
            // A number with a unit; a larger number means a longer duration.
            prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()));
            let more = duration::parse(&format!("1{text}"));
            prop_assert!(more.map_or(true, |more| more > duration));
            prop_assert_eq!(duration::parse_some(&text).is_ok(), !duration.is_zero());
        }
    }

    #[test]
    fn pipe_name_round_trips(
        text in prop_oneof!["[a-z0-9A-Z._-]{0,44}", "[.a]{0,3}([.]peer)?", "/?[a-z0-9/. -]{0,20}", any::<String>()],
    ) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let reserved = [".", ".."].contains(&text.as_str()) || text.ends_with(".peer");
        let right = (1..=31).contains(&text.len()) && text.chars().all(allowed) && !reserved;
        prop_assert_eq!(is_name(&text), right);
        let name = text.parse::<PipeName>();
        prop_assert_eq!(name.is_ok(), text.contains('/') || right);
        if let Ok(name) = name {
            prop_assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn framed_messages_round_trip(
        messages in vec(vec(any::<u8>(), 1..40), 0..12),
        (output, input, delimiter) in select(vec![
            (Output::LengthPrefixed, Input::LengthPrefixed, None),
            (Output::Null, Input::Null, Some(0)),
            (Output::Line, Input::Line, Some(b'\n')),
        ]),
        step in 1..50usize,
    ) {
        let right = |byte: &u8| Some(*byte) != delimiter;
        let messages: Vec<Vec<u8>> = messages
            .into_iter()
            .map(|message| message.into_iter().filter(right).collect())
            .collect();
        let mut stream = Vec::new();
        for message in &messages {
            output.encode(message, &mut stream).expect("a short message");
        }
        prop_assert_eq!(split(&stream, input, 40, step), (messages, true));
    }

    #[test]
    fn split_messages_respect_the_limit(
        stream in vec(prop_oneof![any::<u8>(), 0..4u8, Just(b'\n')], 0..300),
        input in select(vec![Input::Line, Input::Null, Input::LengthPrefixed, Input::Whole]),
        limit in 0..64usize,
        step in 1..50usize,
    ) {
        let (messages, whole) = split(&stream, input, limit, step);
        prop_assert!(messages.iter().all(|message| message.len() <= limit));
        // The result does not depend on the read size.
        prop_assert_eq!(split(&stream, input, limit, 1), (messages.clone(), whole));
        if whole && input == Input::Null {
            let mut joined = messages.join(&0);
            joined.extend(stream.ends_with(&[0]).then_some(0));
            prop_assert_eq!(joined, stream);
        }
    }
}
