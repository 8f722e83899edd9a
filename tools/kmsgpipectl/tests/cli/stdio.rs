// SPDX-License-Identifier: GPL-2.0

//! Standard input and output that are closed, full or without a reader.

use super::{stderr, tool, ABSENT};
use std::{
    fs::File,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Command, Output, Stdio},
};

/// Number of `SIGPIPE`.
const SIGPIPE: i32 = 13;

#[test]
fn output_pipe_without_reader_ends_the_tool_silently() {
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

/// Runs the tool through a shell with redirections.
fn redirected(args: &str, redirections: &str) -> Output {
    let script = format!("exec \"$0\" {args} {redirections}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_kmsgpipectl")]);
    shell.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn closed_output_is_an_error_before_the_operation() {
    for redirections in [">&-", ">&- <&-", ">&- 2>&-", "1</dev/null"] {
        for args in [
            &format!("recv {ABSENT}"),
            &format!("--json send {ABSENT} message"),
            "create",
            "completions bash",
            "--help",
        ] {
            let output = redirected(args, redirections);
            let text = stderr(&output);
            assert_eq!(
                output.status.code(),
                Some(1),
                "{args} {redirections}: {text}"
            );
            // Without standard error, only the exit code reports the failure.
            let said = "cannot write to standard output: Bad file number (EBADF); it is ";
            let told = redirections.contains("2>&-") || text.contains(said);
            assert!(told, "{args} {redirections}: {text}");
        }
    }
}

#[test]
fn dev_null_is_a_valid_output() {
    for redirections in [">/dev/null", "1<>/dev/null", ">>/dev/null"] {
        let output = redirected(&format!("recv {ABSENT}"), redirections);
        assert_eq!(output.status.code(), Some(3), "{redirections}");
        let output = redirected("completions bash", redirections);
        assert_eq!(output.status.code(), Some(0), "{redirections}");
    }
    // A command without output accepts a closed standard output.
    let output = redirected(&format!("send {ABSENT} message"), ">&-");
    assert_eq!(output.status.code(), Some(3));
    let output = redirected(&format!("ioctl {ABSENT} CLEAR_QUEUE"), ">&-");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn closed_input_is_an_error() {
    let output = redirected(&format!("send {ABSENT}"), "<&-");
    assert_eq!(output.status.code(), Some(1));
    let start = "kmsgpipectl: cannot read standard input: Bad file number (EBADF); it is closed";
    assert!(stderr(&output).starts_with(start), "{}", stderr(&output));
    let output = redirected("ioctl - GET_STATS", "<&-");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with(start), "{}", stderr(&output));
    // A command without input accepts a closed standard input.
    let output = redirected(&format!("send {ABSENT} message"), "<&-");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn full_output_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
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
