// SPDX-License-Identifier: MIT OR Apache-2.0

//! Checks that `selftests/syzkaller/dev_kmsgpipe.txt` describes exactly what the header defines.

use kmsgpipe_sys as sys;
use std::collections::{BTreeMap, BTreeSet};

const HEADER: &str = include_str!("../../../include/uapi/kmsgpipe.h");
const DESCRIPTION: &str = include_str!("../../../selftests/syzkaller/dev_kmsgpipe.txt");
const CONSTANTS: &str = include_str!("../../../selftests/syzkaller/dev_kmsgpipe.txt.const");

/// A field of a structure: name, size of an element in bytes, and number of elements.
type Field = (String, u32, u32);

/// Structures by name.
type Structs = BTreeMap<String, Vec<Field>>;

/// Requests by name: the type of the argument, and whether the kernel reads and writes it.
type Requests = BTreeMap<String, (Option<String>, bool, bool)>;

/// Returns the text between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    Some(rest.split_once(close)?.0)
}

/// Returns the length of an array: a number, or the only constant that is used as one.
fn count(text: &str) -> u32 {
    match text.trim() {
        "KMSGPIPE_NAME_SIZE" => sys::NAME_SIZE as u32,
        number => number.parse().expect(text),
    }
}

/// Parses the structures of the header.
fn structs_of_header() -> Structs {
    let mut structs = Structs::new();
    for part in HEADER.split("\nstruct ").skip(1) {
        let (name, rest) = part.split_once(" {\n").expect(part);
        let body = rest.split_once("\n};").expect(part).0;
        let field = |line: &str| {
            let (kind, name) = line
                .trim()
                .trim_end_matches(';')
                .split_once(' ')
                .expect(line);
            let size = match kind {
                "__u32" => 4,
                "__u64" => 8,
                "char" => 1,
                _ => panic!("{line}"),
            };
            match name.split_once('[') {
                Some((name, many)) => (name.into(), size, count(many.trim_end_matches(']'))),
                None => (name.into(), size, 1),
            }
        };
        structs.insert(name.into(), body.lines().map(field).collect());
    }
    structs
}

/// Returns element size and number of elements of a type in the description.
fn width(kind: &str) -> (u32, u32) {
    let (name, arguments) = match kind.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']').expect(kind)),
        None => (kind, ""),
    };
    let last = arguments.rsplit(',').next().unwrap_or_default().trim();
    match name {
        "int8" => (1, 1),
        "int32" | "uid" | "gid" => (4, 1),
        "int64" | "ptr64" => (8, 1),
        "const" | "flags" | "bytesize" => width(last),
        "string" => (1, count(last)),
        "array" => {
            let (element, many) = arguments.rsplit_once(',').expect(kind);
            (width(element.trim()).0, count(many))
        }
        _ => panic!("{kind}"),
    }
}

/// Parses the structures of the description.
fn structs_of_description() -> Structs {
    let mut structs = Structs::new();
    for part in DESCRIPTION.split("\n\n") {
        let Some((name, rest)) = part.trim_start().split_once(" {\n") else {
            continue;
        };
        let body = rest.split_once("\n}").expect(part).0;
        let field = |line: &str| {
            let (name, kind) = line.trim().split_once('\t').expect(line);
            let (size, many) = width(kind.trim());
            (name.into(), size, many)
        };
        structs.insert(name.into(), body.lines().map(field).collect());
    }
    structs
}

/// Parses the requests of the header.
fn requests_of_header() -> Requests {
    let mut requests = Requests::new();
    for line in HEADER.lines() {
        let Some(rest) = line.strip_prefix("#define ") else {
            continue;
        };
        let Some((name, value)) = rest.split_once(|c: char| c.is_whitespace()) else {
            continue;
        };
        let value = value.trim();
        if let Some(arguments) = between(value, "(KMSGPIPE_IOC_MAGIC, ", ")") {
            let argument = arguments.split_once(", ").map(|(_, kind)| match kind {
                "__u32" => "int32".into(),
                kind => kind.trim_start_matches("struct ").into(),
            });
            let direction = value.split_once('(').expect(line).0;
            let reads = matches!(direction, "_IOW" | "_IOWR");
            let writes = matches!(direction, "_IOR" | "_IOWR");
            assert_eq!(argument.is_some(), reads || writes, "{line}");
            requests.insert(name.into(), (argument, reads, writes));
        }
    }
    requests
}

/// Parses the requests of the description.
fn requests_of_description() -> Requests {
    let mut requests = Requests::new();
    for line in DESCRIPTION.lines() {
        let Some(call) = line.strip_prefix("ioctl$KMSGPIPE_") else {
            continue;
        };
        let name = between(call, "cmd const[", "]").expect(line);
        assert_eq!(
            name.strip_prefix("KMSGPIPE_"),
            call.split('(').next(),
            "{line}"
        );
        let pointer = between(call, "arg ptr[", "]").unwrap_or_default();
        let mut words = pointer.split(", ");
        let direction = words.next().unwrap_or_default();
        // The name of a set of flags precedes its integer type.
        let argument = words.last().map(str::to_string);
        let reads = matches!(direction, "in" | "inout");
        let writes = matches!(direction, "out" | "inout");
        let known = requests.insert(name.into(), (argument, reads, writes));
        assert_eq!(known, None, "{line}");
    }
    requests
}

/// Returns all constants of the header that occur in a text, except the ioctl type, which is part of the
/// request numbers.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("KMSGPIPE_") && *word != "KMSGPIPE_IOC_MAGIC")
        .collect()
}

/// Returns the values of the constants, from the generated bindings.
fn values() -> BTreeMap<&'static str, u32> {
    use sys::raw::*;
    BTreeMap::from([
        ("KMSGPIPE_MSG_SIZE_MIN", KMSGPIPE_MSG_SIZE_MIN),
        ("KMSGPIPE_MSG_SIZE_MAX", KMSGPIPE_MSG_SIZE_MAX),
        ("KMSGPIPE_MSG_SIZE_DEFAULT", KMSGPIPE_MSG_SIZE_DEFAULT),
        ("KMSGPIPE_MAX_MSGS_MIN", KMSGPIPE_MAX_MSGS_MIN),
        ("KMSGPIPE_MAX_MSGS_MAX", KMSGPIPE_MAX_MSGS_MAX),
        ("KMSGPIPE_MAX_MSGS_DEFAULT", KMSGPIPE_MAX_MSGS_DEFAULT),
        (
            "KMSGPIPE_FLUSH_INTERVAL_DEFAULT",
            KMSGPIPE_FLUSH_INTERVAL_DEFAULT,
        ),
        (
            "KMSGPIPE_FLUSH_EXPIRY_DEFAULT",
            KMSGPIPE_FLUSH_EXPIRY_DEFAULT,
        ),
        ("KMSGPIPE_NAME_SIZE", KMSGPIPE_NAME_SIZE),
        ("KMSGPIPE_RECORD_PRIVILEGED", KMSGPIPE_RECORD_PRIVILEGED),
        ("KMSGPIPE_RECORD_REDELIVERED", sys::RECORD_REDELIVERED),
        ("KMSGPIPE_MODE_WHOLE", sys::MODE_WHOLE),
        ("KMSGPIPE_MODE_EOF", sys::MODE_EOF),
        ("KMSGPIPE_MODE_HUP", sys::MODE_HUP),
        ("KMSGPIPE_MODE_LINES", sys::MODE_LINES),
        ("KMSGPIPE_MODE_RECORDS", sys::MODE_RECORDS),
        ("KMSGPIPE_OVERFLOW_BLOCK", sys::OVERFLOW_BLOCK),
        ("KMSGPIPE_OVERFLOW_DROP_OLDEST", sys::OVERFLOW_DROP_OLDEST),
        ("KMSGPIPE_OVERFLOW_DROP_NEWEST", sys::OVERFLOW_DROP_NEWEST),
        ("KMSGPIPE_PRIORITIES_MAX", sys::PRIORITIES_MAX),
        ("KMSGPIPE_KIND_QUEUE", sys::KIND_QUEUE),
        ("KMSGPIPE_KIND_BROADCAST", sys::KIND_BROADCAST),
        ("KMSGPIPE_ATTACH_OWN", sys::ATTACH_OWN),
        ("KMSGPIPE_ATTACH_GROUP", sys::ATTACH_GROUP),
        ("KMSGPIPE_ATTACH_BROWSE", sys::ATTACH_BROWSE),
        ("KMSGPIPE_START_NOW", sys::START_NOW),
        ("KMSGPIPE_START_OLDEST", sys::START_OLDEST),
        ("KMSGPIPE_START_SEQ", sys::START_SEQ),
        ("KMSGPIPE_START_TIME", sys::START_TIME),
        ("KMSGPIPE_STATS_HEAD", KMSGPIPE_STATS_HEAD),
        (
            "KMSGPIPE_STATS_HEAD_PRIVILEGED",
            KMSGPIPE_STATS_HEAD_PRIVILEGED,
        ),
        ("KMSGPIPE_STATS_FLUSH", KMSGPIPE_STATS_FLUSH),
        ("KMSGPIPE_GET_STATS", sys::GET_STATS),
        ("KMSGPIPE_CLEAR_QUEUE", sys::CLEAR_QUEUE),
        ("KMSGPIPE_SET_PARAMS", sys::SET_PARAMS),
        ("KMSGPIPE_GET_PARAMS", sys::GET_PARAMS),
        ("KMSGPIPE_TOGGLE_BLOCK", sys::TOGGLE_BLOCK),
        ("KMSGPIPE_FLUSH_PERIODIC", sys::FLUSH_PERIODIC),
        ("KMSGPIPE_CREATE_NEW", sys::CREATE_NEW),
        ("KMSGPIPE_DESTROY", sys::DESTROY),
        ("KMSGPIPE_DUMP", sys::DUMP),
        ("KMSGPIPE_SET_MODE", sys::SET_MODE),
        ("KMSGPIPE_GET_MODE", sys::GET_MODE),
        ("KMSGPIPE_ATTACH", sys::ATTACH),
        ("KMSGPIPE_ACK", sys::ACK),
        ("KMSGPIPE_NACK", sys::NACK),
    ])
}

#[test]
fn structures_match_the_header() {
    let structs = structs_of_header();
    assert_eq!(structs.len(), 9);
    assert_eq!(structs_of_description(), structs);
}

#[test]
fn requests_match_the_header() {
    let requests = requests_of_header();
    assert_eq!(requests.len(), 14);
    assert_eq!(requests_of_description(), requests);
}

#[test]
fn constants_match_the_header() {
    let defined: BTreeSet<_> = HEADER
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .flat_map(|rest| words(rest.split_whitespace().next().unwrap_or_default()))
        .collect();
    let values = values();
    assert_eq!(values.keys().copied().collect::<BTreeSet<_>>(), defined);
    let described: Vec<_> = DESCRIPTION
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    // Constants also occur in the names of calls.
    let described = described.join("\n").replace("ioctl$", "");
    assert_eq!(words(&described), defined);
    let constants: BTreeMap<_, u32> = CONSTANTS
        .lines()
        .filter(|line| line.starts_with("KMSGPIPE_"))
        .map(|line| line.split_once(" = ").expect(line))
        .map(|(name, value)| (name, value.parse().expect(name)))
        .collect();
    assert_eq!(constants, values);
}
