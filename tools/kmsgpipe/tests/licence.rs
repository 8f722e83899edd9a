// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any program may link this library: neither its own licence nor those of its dependencies forbid that.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Licence of the library and its bindings.
const LICENCE: &str = "MIT OR Apache-2.0";

/// Returns the names and licences of all packages that this library depends on.
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
fn dependencies_have_permissive_licences() {
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
fn every_file_names_the_licence() {
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
