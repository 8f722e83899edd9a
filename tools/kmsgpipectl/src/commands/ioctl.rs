// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl ioctl`.

use super::{dump, print, print_json, unwritable};
use crate::{
    cli::{self, Request},
    duration,
    failure::Failure,
    open::open_any,
    report::fields,
    size, stdio,
    style::Paint,
    table, when,
};
use kmsgpipe::{Attach, Create, Dump, Flush, Modes, Node, Params, Pipe, PipeName, Start, Stats};
use serde_json::{json, Value};
use std::{
    ffi::OsStr,
    io,
    ops::RangeInclusive,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// Makes a single ioctl and prints its result.
pub fn ioctl(args: &cli::Ioctl, json: bool) -> Result<(), Failure> {
    // Arguments are checked before opening the file.
    let call = Call::parse(args.request, &args.args)?;
    let (pipe, node) = open(&args.node)?;
    let answer = call.make(&pipe)?;
    if let (Outcome::Dump(dump), false) = (&answer, json) {
        print(&dump::text(dump, false, Paint::stdout()))?;
        dump::warn_of_missing(dump);
        return Ok(());
    }
    if json {
        print_json(&json!({
            "schema": 1,
            "pipe": node.to_string(),
            "request": args.request.name(),
            "returned": answer.returned(),
            "data": answer.data()?,
        }))
    } else {
        print(&answer.text())
    }
}

/// Opens a pipe, or duplicates standard input.
fn open(node: &OsStr) -> Result<(Pipe, Node), Failure> {
    if node == "-" {
        stdio::check_input()?;
        let input = io::stdin().as_fd().try_clone_to_owned();
        let fd: OwnedFd = input.map_err(|error| Failure::io("use standard input", &error))?;
        let pipe = Pipe::from(fd);
        let node = Node::at(pipe.path());
        return Ok((pipe, node));
    }
    let node = PipeName::parse(node)?.locate();
    Ok((open_any(&node)?.0, node))
}

/// A request with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    GetStats,
    ClearQueue,
    SetParams(Params),
    GetParams,
    ToggleBlock,
    FlushPeriodic(Option<Flush>),
    CreateNew(Create),
    Destroy,
    Dump(Option<u32>),
    SetMode(Modes),
    GetMode,
    Attach(Attach),
    Ack(RangeInclusive<u64>),
    Nack(RangeInclusive<u64>, Duration),
    NextLen,
    SetNonblocking(bool),
}

impl Call {
    /// Parses the arguments of a request.
    fn parse(request: Request, args: &[String]) -> Result<Self, Failure> {
        let bad = |why: &str| {
            let name = request.name();
            Failure::usage(format!(
                "{name}: {why}; `kmsgpipectl ioctl --help` lists its arguments"
            ))
        };
        let number = |text: &str| size::parse(text).map_err(|why| bad(&format!("{text:?}: {why}")));
        let millis = |text: &str| {
            duration::parse_millis(text).map_err(|why| bad(&format!("{text:?}: {why}")))
        };
        let params = |msg_size: &str, max_msgs: &str| {
            Ok(Params {
                msg_size: number(msg_size)?,
                max_msgs: number(max_msgs)?,
            })
        };
        let start = |rest: &[&str]| match rest {
            [] => Ok(Start::Now),
            [text, ..] => when::parse(text).map_err(|why| bad(&format!("{text:?}: {why}"))),
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();

        match (request, args.as_slice()) {
            (Request::GetStats, []) => Ok(Self::GetStats),
            (Request::ClearQueue, []) => Ok(Self::ClearQueue),
            (Request::GetParams, []) => Ok(Self::GetParams),
            (Request::ToggleBlock, []) => Ok(Self::ToggleBlock),
            (Request::Destroy, []) => Ok(Self::Destroy),
            (Request::GetMode, []) => Ok(Self::GetMode),
            (Request::NextLen, []) => Ok(Self::NextLen),
            (Request::SetParams, [msg_size, max_msgs]) => {
                params(msg_size, max_msgs).map(Self::SetParams)
            }
            (Request::FlushPeriodic, ["disable"]) => Ok(Self::FlushPeriodic(None)),
            (Request::FlushPeriodic, ["enable", times @ ..]) if times.len() <= 2 => {
                let time = |at| times.get(at).map_or(Ok(0), |text: &&str| millis(text));
                Ok(Self::FlushPeriodic(Some(Flush {
                    interval_ms: time(0)?,
                    expiry_ms: time(1)?,
                })))
            }
            (Request::CreateNew, []) => Ok(Self::CreateNew(Create::default())),
            (Request::CreateNew, [msg_size, max_msgs, rest @ ..]) if rest.len() <= 2 => {
                let mode = rest.first().map_or(Ok(0), |text| {
                    u32::from_str_radix(text, 8)
                        .map_err(|_| bad(&format!("{text:?} is not an octal mode")))
                })?;
                Ok(Self::CreateNew(Create {
                    params: params(msg_size, max_msgs)?,
                    mode,
                    name: rest.get(1).map(|name| name.to_string()),
                    ..Create::default()
                }))
            }
            (Request::Dump, []) => Ok(Self::Dump(None)),
            (Request::Dump, [size]) => Ok(Self::Dump(Some(number(size)?))),
            (Request::SetMode, [modes]) => match modes.parse() {
                Ok(modes) => Ok(Self::SetMode(modes)),
                Err(error) => Err(bad(&error.to_string())),
            },
            (Request::Attach, ["own", rest @ ..]) if rest.len() <= 1 => {
                Ok(Self::Attach(Attach::Own(start(rest)?)))
            }
            (Request::Attach, ["browse", rest @ ..]) if rest.len() <= 1 => {
                Ok(Self::Attach(Attach::Browse(start(rest)?)))
            }
            (Request::Attach, ["group"]) => Ok(Self::Attach(Attach::Group)),
            (Request::Attach, ["group", lease, rest @ ..]) if rest.len() <= 1 => {
                let lease = duration::parse_some_millis(lease);
                let lease = lease.map_err(|why| bad(&why))?;
                let most = rest.first().map(|text| size::deliveries(text)).transpose();
                let max_deliveries = most.map_err(|why| bad(&why))?;
                Ok(Self::Attach(Attach::Lease {
                    lease,
                    max_deliveries,
                }))
            }
            (Request::Ack, [seqs]) => Ok(Self::Ack(range(seqs).map_err(|why| bad(&why))?)),
            (Request::Nack, [seqs, rest @ ..]) if rest.len() <= 1 => {
                let delay = rest.first().map_or(Ok(0), |text| millis(text))?;
                Ok(Self::Nack(
                    range(seqs).map_err(|why| bad(&why))?,
                    Duration::from_millis(delay.into()),
                ))
            }
            (Request::SetNonblocking, ["0"]) => Ok(Self::SetNonblocking(false)),
            (Request::SetNonblocking, ["1"]) => Ok(Self::SetNonblocking(true)),
            (_, []) => Err(bad("an argument is missing")),
            (_, args) => Err(bad(&format!("invalid arguments {:?}", args.join(" ")))),
        }
    }

    /// Makes the request.
    fn make(self, pipe: &Pipe) -> kmsgpipe::Result<Outcome> {
        match self {
            Self::GetStats => pipe.stats().map(Outcome::Stats),
            Self::GetParams => pipe.params().map(Outcome::Params),
            Self::CreateNew(create) => pipe.create(&create).map(Outcome::Id),
            Self::GetMode => pipe.mode().map(Outcome::Mode),
            Self::NextLen => pipe.next_len().map(Outcome::Length),
            Self::Dump(None) => pipe.dump().map(Outcome::Dump),
            Self::Dump(Some(size)) => pipe.dump_into(size as usize).map(Outcome::Dump),
            Self::ClearQueue => pipe.clear().map(|()| Outcome::Nothing),
            Self::SetParams(params) => pipe.set_params(params).map(|()| Outcome::Nothing),
            Self::FlushPeriodic(flush) => pipe.flush_periodic(flush).map(|()| Outcome::Nothing),
            Self::Destroy => pipe.destroy().map(|()| Outcome::Nothing),
            Self::SetMode(modes) => pipe.set_mode(modes).map(|()| Outcome::Nothing),
            Self::Attach(attach) => pipe.attach(attach).map(|()| Outcome::Nothing),
            Self::Ack(seqs) => pipe.ack(seqs).map(|()| Outcome::Nothing),
            Self::Nack(seqs, delay) => pipe.nack(seqs, delay).map(|()| Outcome::Nothing),
            Self::ToggleBlock => {
                pipe.toggle_block()?;
                pipe.is_nonblocking().map(Outcome::Nonblocking)
            }
            Self::SetNonblocking(on) => {
                pipe.set_nonblocking(on)?;
                pipe.is_nonblocking().map(Outcome::Nonblocking)
            }
        }
    }
}

/// Parses a sequence number, or two with a hyphen between them.
fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => Ok(first..=last),
        _ => Err(format!(
            "{text:?} is not a sequence number, or two with '-' between them"
        )),
    }
}

/// Result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Nothing,
    Stats(Stats),
    Params(Params),
    Id(u32),
    Length(u32),
    Mode(Modes),
    /// The resulting mode of the open file, which the ioctl does not return.
    Nonblocking(bool),
    Dump(Dump),
}

impl Outcome {
    /// Returns the return value of the system call.
    fn returned(&self) -> u32 {
        match self {
            Self::Id(id) => *id,
            _ => 0,
        }
    }

    /// Returns the JSON form.
    fn data(&self) -> Result<Value, Failure> {
        match self {
            Self::Nothing => Ok(Value::Null),
            Self::Stats(stats) => serde_json::to_value(stats).map_err(unwritable),
            Self::Params(params) => serde_json::to_value(params).map_err(unwritable),
            Self::Id(id) => Ok(json!({ "id": id })),
            Self::Length(len) => Ok(json!({ "len": len })),
            Self::Mode(modes) => Ok(json!({ "mode": modes })),
            Self::Nonblocking(on) => Ok(json!({ "nonblocking": on })),
            Self::Dump(dump) => dump::value(dump),
        }
    }

    /// Formats the result as text.
    fn text(&self) -> String {
        let one = |key: &str, value: &dyn ToString| vec![(key.to_string(), value.to_string())];
        let rows = match self {
            Self::Nothing | Self::Dump(_) => Vec::new(),
            Self::Stats(stats) => fields(stats),
            Self::Params(params) => {
                let mut rows = one("msg_size", &params.msg_size);
                rows.extend(one("max_msgs", &params.max_msgs));
                rows
            }
            // A bare number, for use in scripts.
            Self::Id(number) | Self::Length(number) => return format!("{number}\n"),
            Self::Mode(modes) => return format!("{modes}\n"),
            Self::Nonblocking(on) => one("O_NONBLOCK", if *on { &"on" } else { &"off" }),
        };
        table::pairs(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(request: Request, args: &str) -> Result<Call, Failure> {
        let args: Vec<String> = args.split_whitespace().map(str::to_string).collect();
        Call::parse(request, &args)
    }

    #[test]
    fn valid_arguments_are_parsed() {
        let flush = |interval_ms, expiry_ms| {
            Call::FlushPeriodic(Some(Flush {
                interval_ms,
                expiry_ms,
            }))
        };
        let params = |msg_size, max_msgs| Params { msg_size, max_msgs };
        let create = |params, mode, name: Option<&str>| {
            Call::CreateNew(Create {
                params,
                mode,
                name: name.map(str::to_string),
                ..Create::default()
            })
        };
        let lease = |ms, most: Option<u32>| {
            Call::Attach(Attach::Lease {
                lease: Duration::from_millis(ms),
                max_deliveries: most.and_then(|most| most.try_into().ok()),
            })
        };
        let nack = |seqs, ms| Call::Nack(seqs, Duration::from_millis(ms));
        for (request, args, call) in [
            (Request::GetStats, "", Call::GetStats),
            (
                Request::SetParams,
                "64K 16",
                Call::SetParams(params(65_536, 16)),
            ),
            (Request::SetParams, "0 0", Call::SetParams(params(0, 0))),
            (Request::FlushPeriodic, "enable", flush(0, 0)),
            (Request::FlushPeriodic, "enable 250ms", flush(250, 0)),
            (Request::FlushPeriodic, "enable 1 2m", flush(1_000, 120_000)),
            (Request::FlushPeriodic, "disable", Call::FlushPeriodic(None)),
            (Request::CreateNew, "", create(Params::default(), 0, None)),
            (Request::CreateNew, "1 2", create(params(1, 2), 0, None)),
            (
                Request::CreateNew,
                "1 2 640",
                create(params(1, 2), 0o640, None),
            ),
            (
                Request::CreateNew,
                "1 2 0 x",
                create(params(1, 2), 0, Some("x")),
            ),
            (Request::Dump, "", Call::Dump(None)),
            (Request::Dump, "4K", Call::Dump(Some(4096))),
            (
                Request::SetMode,
                "whole,lines",
                Call::SetMode(Modes::WHOLE | Modes::LINES),
            ),
            (Request::SetMode, "none", Call::SetMode(Modes::empty())),
            (
                Request::SetMode,
                "records,eof",
                Call::SetMode(Modes::EOF | Modes::RECORDS),
            ),
            (Request::GetMode, "", Call::GetMode),
            (Request::Attach, "group", Call::Attach(Attach::Group)),
            (
                Request::Attach,
                "own",
                Call::Attach(Attach::Own(Start::Now)),
            ),
            (
                Request::Attach,
                "browse seq:7",
                Call::Attach(Attach::Browse(Start::Seq(7))),
            ),
            (Request::SetNonblocking, "1", Call::SetNonblocking(true)),
            (Request::Attach, "group 1.5 3", lease(1_500, Some(3))),
            (Request::Attach, "group 20ms", lease(20, None)),
            (Request::Ack, "7", Call::Ack(7..=7)),
            (Request::Ack, "7-9", Call::Ack(7..=9)),
            (Request::Nack, "1-1", nack(1..=1, 0)),
            (Request::Nack, "0-2 1.5", nack(0..=2, 1_500)),
        ] {
            assert_eq!(parse(request, args), Ok(call), "{request:?} {args}");
        }
    }

    #[test]
    fn invalid_arguments_are_rejected() {
        for (request, args) in [
            (Request::GetStats, "x"),
            (Request::ClearQueue, "1"),
            (Request::SetParams, ""),
            (Request::SetParams, "1"),
            (Request::SetParams, "1 2 3"),
            (Request::SetParams, "1 x"),
            (Request::FlushPeriodic, ""),
            (Request::FlushPeriodic, "start"),
            (Request::FlushPeriodic, "enable 1 2 3"),
            (Request::FlushPeriodic, "enable 1us"),
            (Request::FlushPeriodic, "disable 1"),
            (Request::CreateNew, "1"),
            (Request::CreateNew, "1 2 9"),
            (Request::CreateNew, "1 2 0600 x y"),
            (Request::Dump, "x"),
            (Request::SetMode, ""),
            (Request::SetMode, "whole eof"),
            (Request::SetMode, "1"),
            (Request::SetMode, "records,lines"),
            (Request::GetMode, "whole"),
            (Request::Attach, ""),
            (Request::Attach, "other"),
            (Request::Attach, "group now"),
            (Request::Attach, "own yesterday"),
            (Request::Attach, "browse now 1"),
            (Request::Attach, "group 0"),
            (Request::Attach, "group 1s 0"),
            (Request::Attach, "group 1s 1 1"),
            (Request::Ack, ""),
            (Request::Ack, "1 2"),
            (Request::Ack, "1-"),
            (Request::Ack, "1-2-3"),
            (Request::Nack, "x"),
            (Request::Nack, "1 1us"),
            (Request::Nack, "1 1 1"),
            (Request::SetNonblocking, "2"),
        ] {
            let failure = parse(request, args).unwrap_err();
            assert_eq!(failure.class().exit_code(), 2, "{request:?} {args}");
        }
    }

    #[test]
    fn results_are_formatted() {
        assert_eq!(Outcome::Nothing.text(), "");
        assert_eq!(Outcome::Id(7).text(), "7\n");
        assert_eq!(
            (Outcome::Id(7).returned(), Outcome::Length(7).returned()),
            (7, 0)
        );
        assert_eq!(Outcome::Nonblocking(true).text(), "O_NONBLOCK  on\n");
        let mode = Outcome::Mode(Modes::WHOLE | Modes::EOF);
        assert_eq!(mode.text(), "whole,eof\n");
        assert_eq!(mode.data().unwrap(), json!({ "mode": "whole,eof" }));
        let params = Outcome::Params(Params::default());
        assert_eq!(params.text(), "msg_size  256\nmax_msgs  128\n");
        assert_eq!(
            params.data().unwrap(),
            json!({ "msg_size": 256, "max_msgs": 128 })
        );
        assert_eq!(
            Outcome::Dump(Dump::default()).data().unwrap()["records"],
            json!([])
        );
    }
}
