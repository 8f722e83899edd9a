// SPDX-License-Identifier: GPL-2.0

//! Command-line arguments.

mod chat;
mod inspect;
mod manage;
mod messages;
mod request;

pub use chat::Chat;
pub use inspect::{Dump, Peers, Show, Stats, Subscriptions, Watch};
pub use manage::{Clear, Create, Destroy, Flush, Ownership, SetParams};
pub use messages::{OutputFormat, Recv, Send, TooLong, WaitOptions};
pub use request::{Ioctl, Request};

use clap::{error::ErrorKind, Args, ColorChoice, CommandFactory, Parser, Subcommand};
use std::{env, ffi::OsString};

/// The end of `--help`.
const EXIT_STATUS: &str = "\
A PIPE is a name, a number such as 0 or kmsgpipe0, or a path such as /dev/kmsgpipe0.

Exit status:
  0  success
  1  failure
  2  invalid usage
  3  the module is not loaded, or the pipe does not exist
  4  permission denied
  5  the operation would block (--nonblock)
  6  the timeout expired (--timeout)
  7  this program and the module are of incompatible versions";

/// Use and inspect bounded message queues that are files
///
/// Without a command, lists the pipes. See kmsgpipectl(8).
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS)]
pub struct Cli {
    /// Write JSON to standard output, and errors as JSON to standard error
    #[arg(long, global = true, display_order = 100)]
    pub json: bool,

    /// When to use colour; `auto` means on a terminal unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        display_order = 101,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: ColorChoice,

    /// The command; `list` if not given.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Parses the arguments of this process.
    pub fn from_env() -> Result<Self, clap::Error> {
        Self::parse_words(env::args_os())
    }

    /// Parses a command line, which starts with the program name.
    fn parse_words<T>(words: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<OsString> + Clone,
    {
        let cli = Self::try_parse_from(words)?;
        // clap cannot declare a conflict with a global option.
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

    /// Returns whether the command writes to standard output on success.
    pub fn writes(&self) -> bool {
        match &self.command {
            Some(
                Command::Send(_)
                | Command::Clear(_)
                | Command::SetParams(_)
                | Command::Flush(_)
                | Command::Destroy(_),
            ) => self.json,
            Some(Command::Ioctl(ioctl)) => self.json || ioctl.request.has_result(),
            _ => true,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the pipes
    List,
    /// Show the attributes, limits and counters of pipes
    Show(Show),
    /// Print the statistics of pipes, or of all pipes, by their names in the header
    Stats(Stats),
    /// Print statistics periodically
    Watch(Watch),
    /// Show the processes that have a pipe open
    Peers(Peers),
    /// Show the subscriptions of a pipe, or of all pipes
    Subscriptions(Subscriptions),
    /// Print the queued messages without consuming them (needs CAP_SYS_ADMIN)
    Dump(Dump),
    /// Send messages from the arguments or from standard input
    Send(Send),
    /// Receive messages and write them to standard output
    Recv(Recv),
    /// Talk with others over a broadcast pipe
    Chat(Chat),
    /// Discard all queued messages (needs CAP_SYS_ADMIN)
    Clear(Clear),
    /// Change the limits of an empty pipe (needs CAP_SYS_ADMIN)
    SetParams(SetParams),
    /// Enable or disable message expiry (needs CAP_SYS_ADMIN)
    #[command(subcommand)]
    Flush(Flush),
    /// Create a pipe and print its device node (needs CAP_SYS_ADMIN)
    Create(Create),
    /// Destroy pipes (needs CAP_SYS_ADMIN)
    Destroy(Destroy),
    /// Make a single ioctl, by its name in the header
    Ioctl(Ioctl),
    /// Check the installation for problems and suggest fixes
    Doctor,
    /// Print a completion script for a shell
    Completions(Completions),
}

/// Arguments of `completions`.
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
        Cli::parse_words(words).map_err(|error| error.kind())
    }

    #[test]
    fn definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_is_optional() {
        let cli = parse("--json").unwrap();
        assert!(cli.json && cli.command.is_none());
    }

    #[test]
    fn global_options_go_anywhere() {
        for args in ["--json stats 0", "stats --json 0", "stats 0 --json"] {
            assert!(parse(args).unwrap().json, "{args}");
        }
        for args in ["--color never list", "list --color=never"] {
            assert_eq!(parse(args).unwrap().color, ColorChoice::Never, "{args}");
        }
        assert_eq!(parse("list").unwrap().color, ColorChoice::Auto);
    }

    #[test]
    fn conflicting_options_are_rejected() {
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
            "recv 0 --lines 1 --since now",
            "recv 0 --ack --browse",
            "recv 0 --ack --since oldest",
            "recv 0 --ack --lines 1",
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
    fn invalid_values_are_rejected() {
        for args in [
            "send 0 --count 0",
            "recv 0 --timeout x",
            "recv a:b",
            "recv 0 --since yesterday",
            "recv 0 --lines -1",
            "recv 0 --ack --lease 0",
            "recv 0 --ack --lease 1us",
            "recv 0 --ack --max-deliveries 0",
            "recv 0 --ack --max-deliveries 4G",
            "create --history 65537",
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
            "create --default-mode hangup",
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
            "create --kind topic",
        ] {
            assert_eq!(parse(args).err(), Some(ErrorKind::InvalidValue), "{args}");
        }
        for args in [
            "set-params 0",
            "recv 0 --lease 1s",
            "recv 0 --max-deliveries 1",
            "show",
            "peers",
            "destroy",
            "dump",
            "ioctl 0",
        ] {
            assert_eq!(
                parse(args).err(),
                Some(ErrorKind::MissingRequiredArgument),
                "{args}"
            );
        }
    }

    #[test]
    fn request_prefix_and_case_are_optional() {
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
    fn options_limit_the_number_of_messages() {
        for (args, most) in [
            ("recv 0", 1),
            ("recv 0 -n 7", 7),
            ("recv 0 -n 0", u64::MAX),
            ("recv 0 --follow", u64::MAX),
            ("recv 0 --all", u64::MAX),
            ("recv 0 --since oldest", 1),
            ("recv 0 --browse", u64::MAX),
            ("recv 0 --browse -n 2", 2),
            ("recv 0 --browse --lines 3", u64::MAX),
            ("recv 0 --browse --all", u64::MAX),
            ("recv 0 --ack", 1),
            ("recv 0 --ack --lease 1s --max-deliveries 3 --all", u64::MAX),
        ] {
            let Some(Command::Recv(recv)) = parse(args).unwrap().command else {
                panic!("{args}");
            };
            assert_eq!(recv.most(), most, "{args}");
        }
    }

    #[test]
    fn options_select_the_framing() {
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
            assert_eq!(send.framing.selected(), expected, "{args}");
        }
        let framing = OutputFormat::Messages;
        let format = OutputFormat::Records;
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
            assert_eq!(recv.output.selected(cli.json), expected, "{args}");
        }
    }
}
