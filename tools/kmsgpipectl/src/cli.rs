// SPDX-License-Identifier: GPL-2.0

//! The command line.

mod look;
mod manage;
mod messages;
mod request;

pub use look::{Dump, Show, Stats, Watch};
pub use manage::{Clear, Create, Destroy, Flush, Ownership, SetParams};
pub use messages::{Patience, Recv, Send, TooLong, Wanted};
pub use request::{Ioctl, Request};

use clap::{error::ErrorKind, Args, ColorChoice, CommandFactory, Parser, Subcommand};
use std::{env, ffi::OsString};

/// What `--help` ends with.
const EXIT_STATUS: &str = "\
A PIPE is its name, its number, as in 0 or kmsgpipe0, or a path, as in /dev/kmsgpipe0.

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
    #[arg(long, global = true, display_order = 100)]
    pub json: bool,

    /// Use colour; `auto` does on a terminal unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        display_order = 101,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: ColorChoice,

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
            if recv.output.is_given() {
                return Err(Self::command().error(
                    ErrorKind::ArgumentConflict,
                    "the argument '--json' cannot be used with another framing or format",
                ));
            }
        }
        Ok(cli)
    }

    /// Whether it writes to standard output when all goes well.
    pub fn writes(&self) -> bool {
        match &self.command {
            Some(
                Command::Send(_)
                | Command::Clear(_)
                | Command::SetParams(_)
                | Command::Flush(_)
                | Command::Destroy(_),
            ) => self.json,
            Some(Command::Ioctl(ioctl)) => self.json || ioctl.request.returns_something(),
            _ => true,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the pipes
    List,
    /// Show what a pipe is and how it is doing
    Show(Show),
    /// Show the statistics of pipes, or of all of them, under their names in the header
    Stats(Stats),
    /// Show the statistics again and again
    Watch(Watch),
    /// Show the queued messages and leave them there (needs CAP_SYS_ADMIN)
    Dump(Dump),
    /// Send messages from the arguments or from standard input
    Send(Send),
    /// Receive messages and write them to standard output
    Recv(Recv),
    /// Discard every queued message (needs CAP_SYS_ADMIN)
    Clear(Clear),
    /// Change what an empty pipe may hold (needs CAP_SYS_ADMIN)
    SetParams(SetParams),
    /// Let messages expire, or stop doing so (needs CAP_SYS_ADMIN)
    #[command(subcommand)]
    Flush(Flush),
    /// Make a pipe and print its node (needs CAP_SYS_ADMIN)
    Create(Create),
    /// Destroy pipes (needs CAP_SYS_ADMIN)
    Destroy(Destroy),
    /// Make one request of the kernel, by its name in the header
    Ioctl(Ioctl),
    /// Find out what is wrong, and how to mend it
    Doctor,
    /// Write a completion script for a shell to standard output
    Completions(Completions),
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
    use crate::{framing, record::Format};

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
    fn json_and_color_go_anywhere() {
        for args in ["--json stats 0", "stats --json 0", "stats 0 --json"] {
            assert!(parse(args).unwrap().json, "{args}");
        }
        for args in ["--color never list", "list --color=never"] {
            assert_eq!(parse(args).unwrap().color, ColorChoice::Never, "{args}");
        }
        assert_eq!(parse("list").unwrap().color, ColorChoice::Auto);
    }

    #[test]
    fn contradictions_are_refused() {
        for args in [
            "send 0 --line --null",
            "send 0 --whole hello",
            "send 0 --timeout 1s --nonblock",
            "recv 0 --raw --line",
            "recv 0 --format short --null",
            "recv 0 --length-prefixed --format iso",
            "recv 0 --follow --count 2",
            "recv 0 --all --count 2",
            "recv 0 --all --follow",
            "recv 0 --all --timeout 1s",
            "recv 0 --all --nonblock",
            "recv 0 --json --raw",
            "--json recv 0 --raw",
            "recv 0 --json --format verbose",
            "create --owner 0:0 --group 0",
        ] {
            assert_eq!(
                parse(args).err(),
                Some(ErrorKind::ArgumentConflict),
                "{args}"
            );
        }
    }

    #[test]
    fn bad_values_are_refused() {
        for args in [
            "send 0 --count 0",
            "recv 0 --timeout x",
            "recv a:b",
            "stats gr\u{fc}n",
            "watch --interval 0",
            "watch --count 0",
            "create --name a/b",
            "create --name=",
            "create --mode 0",
            "create --mode 01000",
            "create --mode 8",
            "create --msg-size 4G",
            "create --owner nobody-has-this-name",
            "create --default-mode hup",
            "create --default-mode none,eof",
            "create --default-mode records,whole",
            "flush enable 0 --interval 1us",
            "flush enable 0 --expiry 50d",
            "set-params 0 --max-msgs -1",
        ] {
            let kind = parse(args).err();
            assert!(
                matches!(
                    kind,
                    Some(ErrorKind::ValueValidation | ErrorKind::UnknownArgument)
                ),
                "{args}: {kind:?}"
            );
        }
        for args in [
            "ioctl 0 KMSGPIPE_FROBNICATE",
            "send 0 --too-long cry",
            "recv 0 --format json",
        ] {
            assert_eq!(parse(args).err(), Some(ErrorKind::InvalidValue), "{args}");
        }
        for args in ["set-params 0", "show", "destroy", "dump", "ioctl 0"] {
            assert_eq!(
                parse(args).err(),
                Some(ErrorKind::MissingRequiredArgument),
                "{args}"
            );
        }
    }

    #[test]
    fn requests_have_short_names_too() {
        for args in [
            "ioctl /dev/kmsgpipe0 KMSGPIPE_GET_STATS",
            "ioctl 0 kmsgpipe_get_stats",
            "ioctl 0 GET_STATS",
            "ioctl 0 get_stats",
            "ioctl - Get_Stats",
        ] {
            let Some(Command::Ioctl(ioctl)) = parse(args).unwrap().command else {
                panic!("{args}");
            };
            assert_eq!(ioctl.request, Request::GetStats, "{args}");
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
        let framing = Wanted::Messages;
        let format = Wanted::Records;
        for (args, expected) in [
            ("recv 0", framing(Output::Text)),
            ("recv 0 --line", framing(Output::Line)),
            ("recv 0 --null", framing(Output::Null)),
            ("recv 0 --length-prefixed", framing(Output::LengthPrefixed)),
            ("recv 0 --raw", framing(Output::Raw)),
            ("recv 0 --whole", framing(Output::Raw)),
            ("recv 0 --json", format(Format::Json)),
            ("recv 0 --format short", format(Format::Short)),
            ("recv 0 --format iso", format(Format::Iso)),
            ("recv --format=verbose 0", format(Format::Verbose)),
        ] {
            let cli = parse(args).unwrap();
            let Some(Command::Recv(recv)) = cli.command else {
                panic!("{args}");
            };
            assert_eq!(recv.output.chosen(cli.json), expected, "{args}");
        }
    }
}
