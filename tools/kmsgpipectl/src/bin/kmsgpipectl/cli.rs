// SPDX-License-Identifier: GPL-2.0

//! The command line.

use crate::{duration, framing};
use clap::{error::ErrorKind, Args, CommandFactory, Parser, Subcommand};
use kmsgpipe::PipeName;
use std::{env, ffi::OsString, time::Duration};

/// What `--help` ends with.
const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  failed
  2  bad usage
  3  the module is not loaded, or there is no such pipe
  4  no permission
  5  it would have to wait (--nonblock)
  6  timed out (--timeout)
  7  this program and the module do not understand each other";

/// Use and inspect bounded message queues that are files
///
/// Without a command, lists the pipes. See kmsgpipectl(8).
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS)]
pub struct Cli {
    /// Write JSON to standard output, and errors as JSON to standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do; list the pipes if not given.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Understands the arguments of this process.
    pub fn from_env() -> Result<Self, clap::Error> {
        Self::understand(env::args_os())
    }

    /// Understands a command line, which begins with the name of the program.
    fn understand<T>(words: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<OsString> + Clone,
    {
        let cli = Self::try_parse_from(words)?;
        // An option that goes anywhere cannot be declared to be in conflict with another one.
        if let (true, Some(Command::Recv(recv))) = (cli.json, &cli.command) {
            if recv.framing.is_given() {
                return Err(Self::command().error(
                    ErrorKind::ArgumentConflict,
                    "the argument '--json' cannot be used with another framing",
                ));
            }
        }
        Ok(cli)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the pipes
    List,
    /// Show all that is known of a pipe, or of all of them
    Stats(Stats),
    /// Discard every queued message (needs CAP_SYS_ADMIN)
    Clear(Clear),
    /// Send messages from the arguments or from standard input
    Send(Send),
    /// Receive messages and write them to standard output
    Recv(Recv),
    /// Write a completion script for a shell to standard output
    Completions(Completions),
}

/// The arguments of `stats`.
#[derive(Args, Debug)]
pub struct Stats {
    /// The pipe, such as 0, kmsgpipe0 or /dev/kmsgpipe0; all of them if not given
    pub pipe: Option<PipeName>,
}

/// The arguments of `clear`.
#[derive(Args, Debug)]
pub struct Clear {
    /// The pipe, such as 0, kmsgpipe0 or /dev/kmsgpipe0
    pub pipe: PipeName,
}

/// How long a command may wait for a pipe.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// Wait for each message no longer than this, such as 250ms, 1.5s or 2m (seconds without a
    /// unit); then exit with 6
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub timeout: Option<Duration>,

    /// Do not wait at all; exit with 5 instead
    #[arg(long, conflicts_with = "timeout")]
    pub nonblock: bool,
}

/// The arguments of `send`.
#[derive(Args, Debug)]
#[command(after_help = "\
Each MESSAGE is sent as it is, without a newline. Without one, messages come from standard input;
an empty one is skipped with a warning, as the kernel makes no message of 0 bytes.")]
pub struct Send {
    /// The pipe, such as 0, kmsgpipe0 or /dev/kmsgpipe0
    pub pipe: PipeName,

    /// The messages; read from standard input if not given
    #[arg(value_name = "MESSAGE")]
    pub messages: Vec<OsString>,

    /// How standard input is cut into messages.
    #[command(flatten)]
    pub framing: InputFraming,

    /// With MESSAGE, send all of them N times; otherwise stop after N messages
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// How long to wait for room.
    #[command(flatten)]
    pub patience: Patience,
}

/// How standard input is cut into messages.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false, conflicts_with = "messages")]
pub struct InputFraming {
    /// One message a line, without its newline (default)
    #[arg(long)]
    pub line: bool,

    /// Each message ends with a NUL byte, which is not sent
    #[arg(long, short = '0')]
    pub null: bool,

    /// Before each message its length, 4 bytes, the least significant first
    #[arg(long)]
    pub length_prefixed: bool,

    /// All of standard input is one message
    #[arg(long)]
    pub whole: bool,
}

impl InputFraming {
    /// The framing that was chosen.
    pub fn chosen(self) -> framing::Input {
        match self {
            Self { null: true, .. } => framing::Input::Null,
            Self {
                length_prefixed: true,
                ..
            } => framing::Input::LengthPrefixed,
            Self { whole: true, .. } => framing::Input::Whole,
            _ => framing::Input::Line,
        }
    }
}

/// The arguments of `recv`.
#[derive(Args, Debug)]
#[command(after_help = "\
Without --line, --null, --length-prefixed, --raw or --json, a message is written as it is, and
followed by a newline unless it ends with one.")]
pub struct Recv {
    /// The pipe, such as 0, kmsgpipe0 or /dev/kmsgpipe0
    pub pipe: PipeName,

    /// How messages are told apart.
    #[command(flatten)]
    pub framing: OutputFraming,

    /// Receive N messages; 0 is for ever
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1)]
    pub count: u64,

    /// Receive for ever, like --count 0
    #[arg(long, short, conflicts_with = "count")]
    pub follow: bool,

    /// How long to wait for a message.
    #[command(flatten)]
    pub patience: Patience,
}

/// How messages are told apart on standard output.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub struct OutputFraming {
    /// A newline after each message, even if it ends with one
    #[arg(long)]
    pub line: bool,

    /// A NUL byte after each message
    #[arg(long, short = '0')]
    pub null: bool,

    /// Before each message its length, 4 bytes, the least significant first
    #[arg(long)]
    pub length_prefixed: bool,

    /// Nothing but the messages
    #[arg(long, visible_alias = "whole")]
    pub raw: bool,
}

impl OutputFraming {
    /// Whether one was asked for.
    fn is_given(self) -> bool {
        self.line || self.null || self.length_prefixed || self.raw
    }

    /// The framing that was chosen, which is another one with `--json`.
    pub fn chosen(self, json: bool) -> framing::Output {
        match self {
            _ if json => framing::Output::Json,
            Self { line: true, .. } => framing::Output::Line,
            Self { null: true, .. } => framing::Output::Null,
            Self {
                length_prefixed: true,
                ..
            } => framing::Output::LengthPrefixed,
            Self { raw: true, .. } => framing::Output::Raw,
            _ => framing::Output::Text,
        }
    }
}

/// The arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &str) -> Result<Cli, ErrorKind> {
        let words = std::iter::once("kmsgpipectl").chain(args.split_whitespace());
        Cli::understand(words).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_is_fine() {
        let cli = parse("--json").unwrap();
        assert!(cli.json && cli.command.is_none());
    }

    #[test]
    fn json_goes_anywhere() {
        for args in ["--json stats 0", "stats --json 0", "stats 0 --json"] {
            assert!(parse(args).unwrap().json, "{args}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for args in [
            "send 0 --line --null",
            "send 0 --whole hello",
            "send 0 --timeout 1s --nonblock",
            "recv 0 --raw --line",
            "recv 0 --follow --count 2",
            "recv 0 --json --raw",
            "--json recv 0 --raw",
        ] {
            assert_eq!(
                parse(args).err(),
                Some(ErrorKind::ArgumentConflict),
                "{args}"
            );
        }
        for args in [
            "send 0 --count 0",
            "recv 0 --timeout x",
            "recv x",
            "stats 00",
        ] {
            assert_eq!(
                parse(args).err(),
                Some(ErrorKind::ValueValidation),
                "{args}"
            );
        }
    }

    #[test]
    fn framings_are_chosen() {
        use framing::{Input, Output};
        for (args, expected) in [
            ("send 0", Input::Line),
            ("send 0 --line", Input::Line),
            ("send 0 -0", Input::Null),
            ("send 0 --length-prefixed", Input::LengthPrefixed),
            ("send 0 --whole", Input::Whole),
        ] {
            let Some(Command::Send(send)) = parse(args).unwrap().command else {
                panic!("{args}");
            };
            assert_eq!(send.framing.chosen(), expected, "{args}");
        }
        for (args, expected) in [
            ("recv 0", Output::Text),
            ("recv 0 --line", Output::Line),
            ("recv 0 --null", Output::Null),
            ("recv 0 --length-prefixed", Output::LengthPrefixed),
            ("recv 0 --raw", Output::Raw),
            ("recv 0 --whole", Output::Raw),
            ("recv 0 --json", Output::Json),
        ] {
            let cli = parse(args).unwrap();
            let Some(Command::Recv(recv)) = cli.command else {
                panic!("{args}");
            };
            assert_eq!(recv.framing.chosen(cli.json), expected, "{args}");
        }
    }
}
