// SPDX-License-Identifier: GPL-2.0

//! The names of users and groups.
//!
//! A static program cannot load what a machine may have for looking names up: here only
//! `/etc/passwd` and `/etc/group` are read, and everybody else is known by number.

use std::fs;

/// Where the names of users are.
const USERS: &str = "/etc/passwd";

/// Where the names of groups are.
const GROUPS: &str = "/etc/group";

/// The id of a user who is given by name or by number.
pub fn user(text: &str) -> Result<u32, String> {
    find(text, &read(USERS)).ok_or_else(|| unknown("user", USERS))
}

/// The id of a group that is given by name or by number.
pub fn group(text: &str) -> Result<u32, String> {
    find(text, &read(GROUPS)).ok_or_else(|| unknown("group", GROUPS))
}

/// A user by name, if there is one, and by number.
pub fn describe_user(uid: u32) -> String {
    describe(uid, &read(USERS))
}

/// A group by name, if there is one, and by number.
pub fn describe_group(gid: u32) -> String {
    describe(gid, &read(GROUPS))
}

/// The contents of one of the files; nothing if there are none.
fn read(path: &str) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Says that somebody is not known.
fn unknown(what: &str, path: &str) -> String {
    format!("there is no such {what} in {path}; give the number")
}

/// The names and ids in the text of one of the files.
fn entries(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((name, fields.nth(1)?.parse().ok()?))
    })
}

/// The id of a name, or a number as it is: a name goes first, as with chown(1).
fn find(text: &str, file: &str) -> Option<u32> {
    let named = entries(file).find(|(name, _)| *name == text);
    let number = || {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        // The largest one stands for nobody at all.
        let id = text.parse().ok().filter(|id| *id != u32::MAX);
        id.filter(|_| digits)
    };
    named.map(|(_, id)| id).or_else(number)
}

/// A name and an id.
fn describe(id: u32, file: &str) -> String {
    match entries(file).find(|(_, known)| *known == id) {
        Some((name, _)) => format!("{name} ({id})"),
        None => id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "root:x:0:0:root:/root:/bin/bash\n\
        # a remark\n\
        +::::::\n\
        daemon:x:1:1::/:\n\
        7:x:1007:1007::/:\n\
        bad:x:many\n\
        short\n";

    #[test]
    fn names_and_numbers_are_found() {
        for (text, id) in [
            ("root", 0),
            ("daemon", 1),
            ("1", 1),
            ("65534", 65534),
            ("7", 1007),
        ] {
            assert_eq!(find(text, FILE), Some(id), "{text}");
        }
        for text in [
            "",
            "nobody",
            "bad",
            "short",
            "+",
            "-1",
            "+1",
            "4294967295",
            "4294967296",
        ] {
            assert_eq!(find(text, FILE), None, "{text:?}");
        }
    }

    #[test]
    fn ids_have_names_or_not() {
        assert_eq!(describe(0, FILE), "root (0)");
        assert_eq!(describe(1007, FILE), "7 (1007)");
        assert_eq!(describe(42, FILE), "42");
        assert_eq!(describe(42, ""), "42");
    }

    #[test]
    fn root_is_root() {
        assert_eq!(user("root"), Ok(0));
        assert_eq!(group("0"), Ok(0));
        assert!(user("nobody-has-this-name")
            .unwrap_err()
            .contains("/etc/passwd"));
        assert!(group("nor-this-one").unwrap_err().contains("/etc/group"));
    }
}
