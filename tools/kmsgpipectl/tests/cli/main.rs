// SPDX-License-Identifier: GPL-2.0

//! The command-line tool on a system without pipes: its messages and exit codes.

mod stdio;

use serde_json::{json, Value};
use std::{
    fs::File,
    path::Path,
    process::{Command, Output, Stdio},
};

/// A pipe that does not exist on any system.
const ABSENT: &str = "4294967295";

/// The commands of the tool.
const COMMANDS: [&str; 18] = [
    "list",
    "show",
    "stats",
    "watch",
    "peers",
    "subscriptions",
    "dump",
    "send",
    "recv",
    "chat",
    "clear",
    "set-params",
    "flush",
    "create",
    "destroy",
    "ioctl",
    "doctor",
    "completions",
];

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

/// Runs the tool, which must exit with `code` and write only an error. Returns the error.
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
    for word in COMMANDS.iter().chain(&["--json", "--color"]) {
        assert!(help.contains(word), "{word}: {help}");
    }
    for code in 0..=7 {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}: {help}");
    }
    for command in COMMANDS {
        assert_eq!(
            run(&[command, "--help"]).status.code(),
            Some(0),
            "{command}"
        );
    }
    let help = stdout(&run(&["ioctl", "--help"]));
    assert!(help.contains("KMSGPIPE_FLUSH_PERIODIC  enable"), "{help}");
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
        &["recv", "a b"],
        &["chat"],
        &["chat", "0", "--nick", "a b"],
        &["recv", ""],
        &["stats", "gr\u{fc}n"],
        &["show"],
        &["destroy"],
        &["set-params", "0"],
        &["set-params", "0", "--msg-size", "64TB"],
        &["set-params", "0", "--msg-size", "-1"],
        &["create", "--max-msgs", "0"],
        &["create", "--msg-size", "2M"],
        &["flush", "0"],
        &["flush", "enable", "0", "--interval", "1us"],
        &["flush", "disable", "0", "--expiry", "1s"],
        &["create", "--name", ".."],
        &["create", "--name", "a.peer"],
        &["create", "--mode", "0"],
        &["create", "--default-mode", ""],
        &["create", "--kind", "topic"],
        &["create", "--history", "-1"],
        &["create", "--owner", "nobody-has-this-name"],
        &["create", "--owner", "0", "--group", "0"],
        &["watch", "--interval", "0"],
        &["ioctl", "0", "KMSGPIPE_FROBNICATE"],
        &["list", "--color", "sometimes"],
        &["list", "0"],
        &["send", "0", "--count", "0"],
        &["send", "0", "--whole", "message"],
        &["send", "0", "--timeout", "1y"],
        &["recv", "0", "--timeout", "1s", "--nonblock"],
        &["recv", "0", "--format", "long"],
        &["recv", "0", "--since", "yesterday"],
        &["recv", "0", "--since", "now", "--lines", "1"],
        &["recv", "0", "--format", "iso", "--null"],
        &["completions", "tcsh"],
    ] {
        let text = fails(args, 2);
        assert!(text.starts_with("error: "), "{text}");
    }
}

#[test]
fn out_of_range_error_names_the_range() {
    for (args, range) in [
        (
            &["create", "--msg-size", "-1"][..],
            "'-1' for '--msg-size <SIZE>': expected 1 to 1048576 bytes",
        ),
        (
            &["set-params", "0", "--max-msgs", "65537"],
            "'65537' for '--max-msgs <N>': expected 1 to 65536 messages",
        ),
        (
            &["recv", "0", "--timeout", "-1"],
            "'-1' for '--timeout <DURATION>': expected a non-negative number",
        ),
        (
            &["flush", "enable", "0", "--expiry", "-5min"],
            "'-5min' for '--expiry <DURATION>': expected a non-negative number",
        ),
        (
            &["flush", "enable", "0", "--expiry", "60d"],
            "'60d' for '--expiry <DURATION>': expected less than 50 days",
        ),
        (
            &["recv", "0", "--count", "-1"],
            "'-1' for '--count <N>': expected 0 or more",
        ),
        (
            &["send", "0", "--count", "-1", "text"],
            "'-1' for '--count <N>': expected 1 or more",
        ),
        (
            &["watch", "-n", "-1"],
            "'-1' for '--count <N>': expected 1 or more",
        ),
        (
            &["recv", "0", "--lines", "-1"],
            "'-1' for '--lines <N>': expected 0 or more",
        ),
        (
            &["recv", "0", "--since", "-5m"],
            "'-5m' for '--since <WHEN>': expected oldest, now, seq:NUMBER, ",
        ),
        (
            &["create", "--history", "65537"],
            "'65537' for '--history <N>': expected 0 to 65536 messages",
        ),
        (
            &["create", "--mode", "-1"],
            "'-1' for '--mode <MODE>': expected an octal number from 0001 to 0777",
        ),
        (
            &["create", "--owner", "-1"],
            "'-1' for '--owner <USER[:GROUP]>'",
        ),
        (&["create", "--group", "-1"], "'-1' for '--group <GROUP>'"),
        (
            &["ioctl", "0", "SET_PARAMS", "-1", "1"],
            "KMSGPIPE_SET_PARAMS: \"-1\": expected 0 to 4294967295",
        ),
    ] {
        let text = fails(args, 2);
        assert!(text.contains(range), "{text}");
        assert!(text.lines().count() <= 3, "{text}");
    }
}

#[test]
fn unknown_mode_error_lists_the_modes() {
    let choice = "is not a mode of an open file; give none, or some of whole, eof, hup, lines, records with commas between them; \
        records goes with eof and hup alone";
    let text = fails(&["create", "--default-mode", "eof,hangup"], 2);
    let start = "'eof,hangup' for '--default-mode <MODES>': \"eof,hangup\" ";
    assert!(text.contains(&format!("{start}{choice}")), "{text}");
    let text = fails(&["ioctl", "0", "SET_MODE", "hangup"], 2);
    let start = "kmsgpipectl: KMSGPIPE_SET_MODE: \"hangup\" ";
    assert!(text.starts_with(&format!("{start}{choice}; ")), "{text}");
    let text = fails(&["ioctl", "0", "SET_MODE", "records,whole"], 2);
    let start = "kmsgpipectl: KMSGPIPE_SET_MODE: \"records,whole\" ";
    assert!(text.starts_with(&format!("{start}{choice}; ")), "{text}");
}

#[test]
fn usage_error_is_json_with_json_option() {
    let text = fails(&["recv", "a b", "--json"], 2);
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(error["error"]["exit"], 2);
    assert_eq!(error["error"]["errno"], Value::Null);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("is not a valid pipe name"), "{message}");

    for given in [&["--raw"][..], &["--format", "short"]] {
        let text = fails(&[&["--json", "recv", "0"], given].concat(), 2);
        let said = "cannot be used with another framing or format";
        assert!(text.contains(said), "{text}");
    }
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
        &["show", ABSENT],
        &["watch", ABSENT],
        &["peers", ABSENT],
        &["subscriptions", ABSENT],
        &["dump", ABSENT],
        &["set-params", ABSENT, "--max-msgs", "1"],
        &["flush", "enable", ABSENT],
        &["flush", "disable", ABSENT],
        &["destroy", ABSENT],
        &["ioctl", ABSENT, "KMSGPIPE_GET_STATS"],
        &["recv", &format!("pipe{ABSENT}")],
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
fn an_absent_name_ends_with_3() {
    for name in ["nobody-named-this", "/dev/kmsgpipe/nobody-named-this"] {
        let text = fails(&["stats", name], 3);
        let start = "kmsgpipectl: cannot open /dev/kmsgpipe/nobody-named-this: ";
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn destroy_reports_every_failure() {
    let text = fails(&["destroy", ABSENT, "nobody-named-this"], 3);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines.iter().all(|line| line.contains("cannot open")),
        "{text}"
    );
}

#[test]
fn unknown_request_error_lists_the_requests() {
    let text = fails(&["ioctl", "/dev/kmsgpipe0", "KMSGPIPE_FROBNICATE"], 2);
    for name in ["KMSGPIPE_GET_STATS", "KMSGPIPE_DUMP", "FIONREAD"] {
        assert!(text.contains(name), "{text}");
    }
    for args in [
        &["ioctl", "0", "KMSGPIPE_SET_PARAMS", "1"][..],
        &["ioctl", "0", "flush_periodic"],
        &["ioctl", "0", "CLEAR_QUEUE", "now"],
    ] {
        let text = fails(args, 2);
        assert!(text.contains("lists its arguments"), "{text}");
    }
}

#[test]
fn ioctl_accepts_standard_input() {
    let null = File::open("/dev/null").unwrap();
    let output = tool(&["ioctl", "-", "GET_PARAMS"]).stdin(null).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(stderr(&output).contains("cannot read the parameters of /dev/null"));
}

#[test]
fn missing_pipe_error_is_json_with_json_option() {
    for command in ["stats", "show", "watch", "dump", "clear", "send", "recv"] {
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
fn list_fails_without_the_module() {
    if Path::new("/dev/kmsgpipe0").exists() {
        return;
    }
    for args in [&[][..], &["list"], &["stats"], &["watch"]] {
        let text = fails(args, 3);
        assert!(
            text.starts_with("kmsgpipectl: there is no pipe in /dev; "),
            "{text}"
        );
        assert!(text.contains("module is"), "{text}");
    }
    let error: Value = serde_json::from_str(&fails(&["--json"], 3)).unwrap();
    assert_eq!(error["error"]["errno"], "ENOENT");
    let text = fails(&["create"], 3);
    assert!(text.contains("cannot open /dev/kmsgpipe0: "), "{text}");
}

#[test]
fn doctor_says_how_to_load_the_module() {
    if Path::new("/sys/module/kmsgpipe").exists() {
        return;
    }
    let output = run(&["doctor"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(text.starts_with("failed  module "), "{text}");
    assert!(
        text.contains("insmod") || text.contains("modprobe"),
        "{text}"
    );
    assert_eq!(stderr(&output), "kmsgpipectl: 1 of 1 checks failed\n");

    let output = run(&["doctor", "--json"]);
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&found["schema"], &found["ok"]), (&json!(1), &json!(false)));
    assert_eq!(found["checks"][0]["check"], "module");
    assert_eq!(found["checks"][0]["status"], "failed");
    assert_eq!(found["checks"][0]["exit"], 3);
}

#[test]
fn colour_needs_a_terminal_or_the_option() {
    let colourful = |args: &[&str], variables: &[(&str, &str)]| {
        let output = tool(args).envs(variables.iter().copied()).output().unwrap();
        stderr(&output).contains('\x1b')
    };
    let args = ["stats", ABSENT];
    assert!(!colourful(&args, &[]));
    assert!(colourful(&["stats", ABSENT, "--color", "always"], &[]));
    assert!(!colourful(
        &["stats", ABSENT, "--color", "never"],
        &[("CLICOLOR_FORCE", "1")]
    ));
    assert!(!colourful(&args, &[("NO_COLOR", "1"), ("TERM", "xterm")]));
}

#[test]
fn regular_file_is_rejected() {
    let text = fails(&["send", env!("CARGO_BIN_EXE_kmsgpipectl"), "message"], 3);
    assert!(text.contains("it is not a character device"), "{text}");
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
fn completions_contain_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = stdout(&output);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        // Only some shells' scripts complete positional arguments.
        assert!(shell != "bash" || script.contains("KMSGPIPE_GET_STATS"));
    }
}

#[test]
fn bash_completion_offers_pipes() {
    // A function replaces the command that lists the pipes, because none exist here.
    let script = r#"
        eval "$("$0" completions bash)"
        kmsgpipectl() { printf 'PIPE  ID\n0     0\nlog   1\nlots  2\n'; }
        function=$(complete -p kmsgpipectl | sed 's/.*-F \([^ ]*\).*/\1/')
        offered() {
            COMP_WORDS=(kmsgpipectl "$@") COMP_CWORD=$#
            "$function" kmsgpipectl "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[*]}"
        }
        offered recv ''
        offered recv --nonblock lo
        offered flush enable l
        offered show 0 log
        offered rec
        offered recv --timeout log
        offered recv --follo
        offered create l
        offered create --default-mode ''
        offered recv --format ''
        offered ioctl 0 KMSGPIPE_SET_
    "#;
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_kmsgpipectl")])
        .output()
        .unwrap();
    let expected =
        "0 log lots\nlog lots\nlog lots\nlog\nrecv\n\n--follow\n\nnone whole eof hup lines records\nshort iso verbose\nKMSGPIPE_SET_PARAMS KMSGPIPE_SET_MODE\n";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
}
