// SPDX-License-Identifier: GPL-2.0

//! Arguments of the commands that create, change and destroy pipes.

use crate::{duration, passwd, size};
use clap::{
    builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser},
    Arg, Args, Command, Subcommand, ValueHint,
};
use kmsgpipe::{Error, Kind, Modes, Overflow, Params, PipeName};
use std::{ffi::OsStr, str::FromStr};

/// Arguments of `clear`.
#[derive(Args, Debug)]
pub struct Clear {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,
}

/// Arguments of `set-params`.
#[derive(Args, Debug)]
pub struct SetParams {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// The limits to be changed.
    #[command(flatten)]
    pub change: Change,
}

/// The limits to be changed; the others stay as they are.
#[derive(Args, Clone, Copy, Debug)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// Maximum message size in bytes, such as 256 or 64K
    #[arg(long, value_name = "SIZE", value_parser = size::msg_size, allow_hyphen_values = true)]
    msg_size: Option<u32>,

    /// Maximum number of queued messages
    #[arg(long, value_name = "N", value_parser = size::max_msgs, allow_hyphen_values = true)]
    max_msgs: Option<u32>,
}

impl Change {
    /// Applies the changes to `params`.
    pub fn of(self, params: Params) -> Params {
        Params {
            msg_size: self.msg_size.unwrap_or(params.msg_size),
            max_msgs: self.max_msgs.unwrap_or(params.max_msgs),
        }
    }
}

/// Message expiry.
#[derive(Debug, Subcommand)]
pub enum Flush {
    /// Enable expiry: messages older than --expiry are never delivered
    Enable(FlushEnable),
    /// Disable expiry: messages are kept at any age
    Disable(FlushDisable),
}

/// Arguments of `flush enable`.
#[derive(Args, Debug)]
pub struct FlushEnable {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// Interval between sweeps, such as 250ms or 10s (seconds without a unit) [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_millis, allow_hyphen_values = true)]
    pub interval: Option<u32>,

    /// Age at which messages expire, such as 250ms or 10s (seconds without a unit) [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_millis, allow_hyphen_values = true)]
    pub expiry: Option<u32>,
}

/// Arguments of `flush disable`.
#[derive(Args, Debug)]
pub struct FlushDisable {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,
}

/// Arguments of `create`.
#[derive(Args, Debug)]
pub struct Create {
    /// Name of the pipe: at most 31 letters, digits, '.', '_' and '-', but not '.', '..' or *.peer. The
    /// device node is /dev/kmsgpipe/NAME; without a name it is /dev/kmsgpipeN
    #[arg(long, value_parser = parse_name)]
    pub name: Option<String>,

    /// Maximum message size in bytes, such as 256 or 64K
    #[arg(long, value_name = "SIZE", default_value_t = Params::default().msg_size, value_parser = size::msg_size, allow_hyphen_values = true)]
    pub msg_size: u32,

    /// Maximum number of queued messages
    #[arg(long, value_name = "N", default_value_t = Params::default().max_msgs, value_parser = size::max_msgs, allow_hyphen_values = true)]
    pub max_msgs: u32,

    /// Permissions of the device node, in octal
    #[arg(long, default_value = "0600", value_parser = parse_mode, allow_hyphen_values = true)]
    pub mode: u32,

    /// Owner of the device node, by name or number [default: root]
    #[arg(
        long,
        value_name = "USER[:GROUP]",
        value_parser = Ownership::parse,
        allow_hyphen_values = true,
        value_hint = ValueHint::Username,
        conflicts_with = "group"
    )]
    pub owner: Option<Ownership>,

    /// Group of the device node, by name or number [default: root]
    #[arg(long, value_parser = passwd::group, allow_hyphen_values = true)]
    pub group: Option<u32>,

    /// Mode in which files of the pipe are opened; separate several words by commas
    #[arg(long, value_name = "MODES", default_value_t, value_parser = ModesParser)]
    pub default_mode: Modes,

    /// What a write to the full pipe does: wait, drop the oldest message, or discard its own
    #[arg(long, value_name = "POLICY", default_value_t, value_parser = one_of::<Overflow>(&Overflow::ALL.map(Overflow::word)))]
    pub overflow: Overflow,

    /// Which readers get a message: one of all, or each
    #[arg(long, default_value_t, value_parser = one_of::<Kind>(&Kind::ALL.map(Kind::word)))]
    pub kind: Kind,

    /// Number of the newest messages that a broadcast pipe keeps for readers that open it later, at most --max-msgs
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = size::history, allow_hyphen_values = true)]
    pub history: u32,

    /// Number of priorities that messages of a queue may have; those of higher priority are received first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size::priorities, allow_hyphen_values = true)]
    pub priorities: u32,
}

/// Parses one of several words, and lists them for completion.
fn one_of<T>(words: &[&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words.iter().copied()).try_map(|word| word.parse::<T>())
}

/// Parses modes, and lists the words for completion.
#[derive(Clone, Copy, Debug)]
struct ModesParser;

impl TypedValueParser for ModesParser {
    type Value = Modes;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Modes, clap::Error> {
        let words = StringValueParser::new().try_map(|text| Modes::from_str(&text));
        words.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Modes::words().map(PossibleValue::new)))
    }
}

/// Owner and group of a node; root by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// User ID of the owner.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
}

impl Ownership {
    /// Parses `USER`, `USER:GROUP` or `:GROUP`.
    fn parse(text: &str) -> Result<Self, String> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let mut ownership = Self::default();
        if !user.is_empty() {
            ownership.uid = passwd::user(user)?;
        }
        if !group.is_empty() {
            ownership.gid = passwd::group(group)?;
        }
        if user.is_empty() && group.is_empty() {
            return Err("expected USER, USER:GROUP or :GROUP".into());
        }
        Ok(ownership)
    }
}

/// Parses the name of a pipe to be created.
fn parse_name(text: &str) -> Result<String, String> {
    match kmsgpipe::is_name(text) {
        true => Ok(text.into()),
        false => Err(
            "expected at most 31 letters, digits, '.', '_' and '-', but not '.', '..' or *.peer"
                .into(),
        ),
    }
}

/// Parses the permissions of a node.
fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        // In the ioctl, 0 selects the default.
        Ok(mode @ 1..=0o777) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(mode),
        _ => Err("expected an octal number from 0001 to 0777".into()),
    }
}

/// Arguments of `destroy`.
#[derive(Args, Debug)]
pub struct Destroy {
    /// The pipes
    #[arg(value_name = "PIPE", required = true, value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_group_are_parsed() {
        for (text, uid, gid) in [
            ("root", 0, 0),
            ("17", 17, 0),
            ("17:18", 17, 18),
            ("17:", 17, 0),
            (":18", 0, 18),
            ("root:root", 0, 0),
        ] {
            assert_eq!(Ownership::parse(text), Ok(Ownership { uid, gid }), "{text}");
        }
        for text in ["", ":", "17:18:19", "nobody-has-this-name", ":nor-this-one"] {
            assert!(Ownership::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        for (text, mode) in [("600", 0o600), ("0640", 0o640), ("1", 1), ("0777", 0o777)] {
            assert_eq!(parse_mode(text), Ok(mode));
        }
        for text in [
            "",
            "0",
            "0000",
            "8",
            "+600",
            "-1",
            "1000",
            "0o600",
            "rw",
            "77777777777777",
        ] {
            assert!(parse_mode(text).is_err(), "{text}");
        }
    }
}
