// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any program may link this library: neither its own files nor what it is made of forbid that.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// What the library and its bindings are licensed under.
const LICENCE: &str = "MIT OR Apache-2.0";

/// Names and licences of the packages that a program gets by depending on this one.
fn dependencies() -> BTreeSet<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "kmsgpipe"])
        .args(["--edges", "normal", "--all-features", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?}", output.stderr);
    text.lines()
        .map(|line| {
            let (package, licence) = line.split_once('|').unwrap();
            let name = package.split(' ').next().unwrap();
            let licence = licence.strip_suffix(" (*)").unwrap_or(licence);
            (name.to_string(), licence.to_string())
        })
        .collect()
}

#[test]
fn everything_in_it_may_be_linked_by_any_program() {
    let dependencies = dependencies();
    let ours = |name: &str| dependencies.contains(&(name.to_string(), LICENCE.to_string()));
    assert!(ours("kmsgpipe") && ours("kmsgpipe-sys"), "{dependencies:?}");
    for (name, licence) in &dependencies {
        assert!(
            licence.split(" OR ").any(|licence| licence.contains("MIT")),
            "{name}: {licence}"
        );
        assert!(!name.starts_with("clap"), "{name} is for command lines");
    }
}

#[test]
fn every_file_says_so() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![root.to_owned(), root.join("../kmsgpipe-sys")];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap_or_default();
            let said = first.split("-License-Identifier: ").nth(1);
            assert_eq!(said, Some(LICENCE), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 10, "{files}");
}
