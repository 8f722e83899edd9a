// SPDX-License-Identifier: GPL-2.0

//! The arguments of the commands that make, change and destroy pipes.

use crate::{accounts, duration, size};
use clap::{
    builder::{PossibleValue, StringValueParser, TypedValueParser},
    Arg, Args, Command, Subcommand, ValueHint,
};
use kmsgpipe::{Modes, Params, PipeName};
use std::{ffi::OsStr, str::FromStr};

/// The arguments of `clear`.
#[derive(Args, Debug)]
pub struct Clear {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,
}

/// The arguments of `set-params`.
#[derive(Args, Debug)]
pub struct SetParams {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// What is to be changed.
    #[command(flatten)]
    pub change: Change,
}

/// What is to be changed; the rest stays as it is.
#[derive(Args, Clone, Copy, Debug)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// The longest message that is accepted, such as 256 or 64K
    #[arg(long, value_name = "SIZE", value_parser = size::msg_size, allow_hyphen_values = true)]
    msg_size: Option<u32>,

    /// How many messages fit
    #[arg(long, value_name = "N", value_parser = size::max_msgs, allow_hyphen_values = true)]
    max_msgs: Option<u32>,
}

impl Change {
    /// What `params` become.
    pub fn of(self, params: Params) -> Params {
        Params {
            msg_size: self.msg_size.unwrap_or(params.msg_size),
            max_msgs: self.max_msgs.unwrap_or(params.max_msgs),
        }
    }
}

/// What to do about old messages.
#[derive(Debug, Subcommand)]
pub enum Flush {
    /// Remove messages that have grown too old, from now on
    Enable(FlushEnable),
    /// Keep messages whatever their age
    Disable(FlushDisable),
}

/// The arguments of `flush enable`.
#[derive(Args, Debug)]
pub struct FlushEnable {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// How often to look, such as 250ms or 10s (seconds without a unit); 1s if not given
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_millis, allow_hyphen_values = true)]
    pub interval: Option<u32>,

    /// How old a message may grow, such as 250ms or 10s (seconds without a unit); 10s if not given
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_millis, allow_hyphen_values = true)]
    pub expiry: Option<u32>,
}

/// The arguments of `flush disable`.
#[derive(Args, Debug)]
pub struct FlushDisable {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,
}

/// The arguments of `create`.
#[derive(Args, Debug)]
pub struct Create {
    /// Its name: at most 31 letters, digits, '.', '_' and '-', but not '.', '..' or one that ends in
    /// '.peer'; the node is /dev/kmsgpipe/NAME. It has none if not given, and the node is /dev/kmsgpipeN
    #[arg(long, value_parser = parse_name)]
    pub name: Option<String>,

    /// The longest message that it accepts, such as 256 or 64K
    #[arg(long, value_name = "SIZE", default_value_t = Params::default().msg_size, value_parser = size::msg_size, allow_hyphen_values = true)]
    pub msg_size: u32,

    /// How many messages fit
    #[arg(long, value_name = "N", default_value_t = Params::default().max_msgs, value_parser = size::max_msgs, allow_hyphen_values = true)]
    pub max_msgs: u32,

    /// Permissions of its node, in octal
    #[arg(long, default_value = "0600", value_parser = parse_mode, allow_hyphen_values = true)]
    pub mode: u32,

    /// Who owns its node: names, or numbers; root if not given
    #[arg(
        long,
        value_name = "USER[:GROUP]",
        value_parser = Ownership::parse,
        allow_hyphen_values = true,
        value_hint = ValueHint::Username,
        conflicts_with = "group"
    )]
    pub owner: Option<Ownership>,

    /// The group of its node; root if not given
    #[arg(long, value_parser = accounts::group, allow_hyphen_values = true)]
    pub group: Option<u32>,

    /// How its files read and write when they are opened; several words with commas between them
    #[arg(long, value_name = "MODES", default_value_t, value_parser = ModesParser)]
    pub default_mode: Modes,
}

/// Understands modes, and offers the words for them.
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

/// Whom a node is to belong to; root where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Ownership {
    /// Understands `USER`, `USER:GROUP` and `:GROUP`.
    fn parse(text: &str) -> Result<Self, String> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let mut ownership = Self::default();
        if !user.is_empty() {
            ownership.uid = accounts::user(user)?;
        }
        if !group.is_empty() {
            ownership.gid = accounts::group(group)?;
        }
        if user.is_empty() && group.is_empty() {
            return Err("give a user, a user and a group, or a group after a colon".into());
        }
        Ok(ownership)
    }
}

/// Understands the name of a pipe that is to be made.
fn parse_name(text: &str) -> Result<String, String> {
    match kmsgpipe::is_name(text) {
        true => Ok(text.into()),
        false => Err(
            "give at most 31 letters, digits, '.', '_' and '-', but '.', '..' and what ends in '.peer'"
                .into(),
        ),
    }
}

/// Understands the permissions of a node.
fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        // The kernel takes no permissions for the default ones.
        Ok(mode @ 1..=0o777) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(mode),
        _ => Err("give an octal number from 0001 to 0777".into()),
    }
}

/// The arguments of `destroy`.
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
    fn owners_have_groups() {
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
    fn modes_are_octal() {
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
