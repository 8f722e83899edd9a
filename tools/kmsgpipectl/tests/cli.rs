// SPDX-License-Identifier: GPL-2.0

//! The command line tool where there is no pipe: what it says, and how it ends.

use serde_json::{json, Value};
use std::{
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    path::Path,
    process::{Command, Output, Stdio},
};

/// A pipe that no machine has.
const ABSENT: &str = "4294967295";

/// The number of `SIGPIPE`.
const SIGPIPE: i32 = 13;

fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmsgpipectl"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    tool(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs the tool, which must end with `code` and write nothing but an error, which is returned.
fn fails(args: &[&str], code: i32) -> String {
    let output = run(args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    assert_eq!(stdout(&output), "", "{args:?}");
    assert!(!text.contains("os error"), "{args:?}: {text}");
    text
}

#[test]
fn help_goes_to_standard_output_and_lists_exit_codes() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = stdout(&output);
    for word in [
        "list",
        "stats",
        "clear",
        "send",
        "recv",
        "completions",
        "--json",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for code in 0..=7 {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}: {help}");
    }
    for command in ["list", "stats", "clear", "send", "recv", "completions"] {
        assert_eq!(
            run(&[command, "--help"]).status.code(),
            Some(0),
            "{command}"
        );
    }
    assert!(stdout(&run(&["--version"])).starts_with("kmsgpipectl "));
}

#[test]
fn bad_usage_ends_with_2() {
    for args in [
        &["frobnicate"][..],
        &["--frobnicate"],
        &["clear"],
        &["send"],
        &["recv"],
        &["recv", "x"],
        &["recv", "00"],
        &["stats", "kmsgpipe"],
        &["list", "0"],
        &["send", "0", "--count", "0"],
        &["send", "0", "--whole", "message"],
        &["send", "0", "--timeout", "1y"],
        &["recv", "0", "--timeout", "1s", "--nonblock"],
        &["completions", "tcsh"],
    ] {
        let text = fails(args, 2);
        assert!(text.starts_with("error: "), "{text}");
    }
}

#[test]
fn bad_usage_is_json_on_demand() {
    let text = fails(&["recv", "x", "--json"], 2);
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(error["error"]["exit"], 2);
    assert_eq!(error["error"]["errno"], Value::Null);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("is no name of a pipe"), "{message}");

    let text = fails(&["--json", "recv", "0", "--raw"], 2);
    assert!(
        text.contains("cannot be used with another framing"),
        "{text}"
    );
}

#[test]
fn an_absent_pipe_ends_with_3_and_says_what_to_do() {
    for args in [
        &["stats", ABSENT][..],
        &["clear", ABSENT],
        &["send", ABSENT, "message"],
        &["send", ABSENT],
        &["recv", ABSENT],
        &["recv", ABSENT, "--nonblock"],
        &["recv", &format!("kmsgpipe{ABSENT}")],
        &["recv", &format!("/dev/kmsgpipe{ABSENT}")],
    ] {
        let text = fails(args, 3);
        let start = format!("kmsgpipectl: cannot open /dev/kmsgpipe{ABSENT}: ");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains("(ENOENT)"), "{text}");
        assert!(text.contains("modprobe") || text.contains("list"), "{text}");
    }
}

#[test]
fn an_absent_pipe_is_json_on_demand() {
    for command in ["stats", "clear", "send", "recv"] {
        let text = fails(&["--json", command, ABSENT], 3);
        let mut error: Value = serde_json::from_str(&text).unwrap();
        let message = error["error"]["message"].take();
        assert!(message.as_str().unwrap().starts_with("cannot open /dev/"));
        assert_eq!(
            error,
            json!({ "schema": 1, "error": { "errno": "ENOENT", "message": null, "exit": 3 } })
        );
    }
}

#[test]
fn without_the_module_there_is_nothing_to_list() {
    if Path::new("/dev/kmsgpipe0").exists() {
        return;
    }
    for args in [&[][..], &["list"], &["stats"]] {
        let text = fails(args, 3);
        assert!(
            text.starts_with("kmsgpipectl: there is no pipe in /dev; "),
            "{text}"
        );
        assert!(text.contains("module is"), "{text}");
    }
    let error: Value = serde_json::from_str(&fails(&["--json"], 3)).unwrap();
    assert_eq!(error["error"]["errno"], "ENOENT");
}

#[test]
fn what_is_no_pipe_is_left_alone() {
    let text = fails(&["send", env!("CARGO_BIN_EXE_kmsgpipectl"), "message"], 3);
    assert!(text.contains("it is no character device"), "{text}");
    for command in [
        &["send", "/dev/null", "message"][..],
        &["recv", "/dev/zero"],
    ] {
        let text = fails(command, 7);
        assert!(text.contains("(ENOTTY)"), "{text}");
        assert!(text.contains("different versions"), "{text}");
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("recv"), "{shell}");
    }
}

#[test]
fn a_closed_output_ends_it_quietly() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    let output = tool(&["completions", "bash"])
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(SIGPIPE));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_output_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = tool(&["completions", "bash"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "kmsgpipectl: cannot write to standard output: No space left on device (ENOSPC)\n"
    );
}
