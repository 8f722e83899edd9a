// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl completions`.

use super::print;
use crate::{
    cli::{self, Cli},
    failure::Failure,
};
use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::Shell;
use std::collections::BTreeSet;

/// Shell command that prints the names of all pipes.
const PIPES: &str = "kmsgpipectl list 2>/dev/null | tail -n +2 | cut -d ' ' -f 1";

/// Line of clap's zsh script after which functions can be added.
const ZSH_END: &str = "if [ \"$funcstack[1]\" = \"_kmsgpipectl\" ]; then\n";

/// Prints a completion script.
pub fn completions(args: &cli::Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kmsgpipectl", &mut script);
    let script = String::from_utf8_lossy(&script);
    print(&with_pipes(args.shell, &script))
}

/// Extends a script of clap, which completes commands and options, with the names of pipes.
fn with_pipes(shell: Shell, script: &str) -> String {
    let mut words = Words::default();
    words.learn(&Cli::command());
    match shell {
        Shell::Bash => script.to_string() + &bash(&words),
        Shell::Fish => script.to_string() + &fish(&words),
        Shell::Zsh => zsh(script),
        _ => script.to_string(),
    }
}

/// Words after which a pipe is completed.
#[derive(Debug, Default)]
struct Words {
    /// Commands that take pipes.
    commands: BTreeSet<String>,
    /// Options that take a value.
    options: BTreeSet<String>,
}

impl Words {
    /// Collects the words of a command and its subcommands.
    fn learn(&mut self, command: &Command) {
        if command.get_positionals().any(is_pipe) {
            self.commands.insert(command.get_name().to_string());
        }
        let with_value = |option: &&Arg| option.get_action().takes_values();
        for option in command.get_opts().filter(with_value) {
            let long = option.get_long().map(|long| format!("--{long}"));
            let short = option.get_short().map(|short| format!("-{short}"));
            self.options.extend(long.into_iter().chain(short));
        }
        for command in command.get_subcommands() {
            self.learn(command);
        }
    }
}

/// Returns whether an argument is a pipe: the tool takes no other paths.
fn is_pipe(arg: &Arg) -> bool {
    arg.get_value_hint() == ValueHint::FilePath
}

/// Joins words for bash or fish.
fn joined(words: &BTreeSet<String>, separator: &str) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.join(separator)
}

/// Returns the addition to clap's script for bash.
fn bash(words: &Words) -> String {
    let commands = joined(&words.commands, " | ");
    let options = joined(&words.options, " | ");
    format!(
        r#"
# As _kmsgpipectl, and pipes where they may stand.
_kmsgpipectl_pipes() {{
    local word others=()
    _kmsgpipectl "$@"
    case $2 in -*) return ;; esac
    case $3 in {options}) return ;; esac
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
        {commands})
            # What else may stand there stays: not options, nor what only tells that there is a pipe.
            for word in "${{COMPREPLY[@]}}"; do
                case $word in -* | '<'* | '['*) ;; *) others+=("$word") ;; esac
            done
            COMPREPLY=($(compgen -W "$({PIPES})" -- "$2") "${{others[@]}}")
            return
            ;;
        esac
    done
}}
complete -F _kmsgpipectl_pipes -o bashdefault -o default kmsgpipectl
"#
    )
}

/// Returns the addition to clap's script for fish.
fn fish(words: &Words) -> String {
    let commands = joined(&words.commands, " ");
    let pipes = PIPES.replace('\'', "\"");
    format!(
        "\ncomplete -c kmsgpipectl -n \"__fish_kmsgpipectl_using_subcommand {commands}\" -a '({pipes})' -d pipe\n"
    )
}

/// Returns clap's script for zsh, extended to offer pipes besides files.
fn zsh(script: &str) -> String {
    let pipes = format!(
        r#"_kmsgpipectl_pipes() {{
    local -a pipes
    pipes=(${{(f)"$({PIPES})"}})
    compadd -a pipes
    _files
}}

"#
    );
    script
        .replace(":_files'", ":_kmsgpipectl_pipes'")
        .replace(ZSH_END, &(pipes + ZSH_END))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_commands_are_collected() {
        let mut words = Words::default();
        words.learn(&Cli::command());
        for command in [
            "show", "peers", "recv", "chat", "send", "enable", "disable", "ioctl",
        ] {
            assert!(words.commands.contains(command), "{words:?}");
        }
        for command in ["list", "create", "doctor", "flush", "completions"] {
            assert!(!words.commands.contains(command), "{words:?}");
        }
        for option in ["--timeout", "-n", "--interval", "--color"] {
            assert!(words.options.contains(option), "{words:?}");
        }
        assert!(!words.options.contains("--follow"), "{words:?}");
    }

    #[test]
    fn clap_scripts_have_the_expected_form() {
        let script = |shell| {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "kmsgpipectl", &mut script);
            String::from_utf8(script).unwrap()
        };
        let before = script(Shell::Zsh);
        let after = with_pipes(Shell::Zsh, &before);
        assert!(!after.contains("_files'"), "{after}");
        assert_eq!(
            after.matches(":_kmsgpipectl_pipes'").count(),
            before.matches(":_files'").count()
        );
        assert_eq!(after.matches("\n_kmsgpipectl_pipes() {").count(), 1);
        // The function that the lines for fish call.
        let fish = script(Shell::Fish);
        assert!(
            fish.contains("function __fish_kmsgpipectl_using_subcommand"),
            "{fish}"
        );
    }
}
