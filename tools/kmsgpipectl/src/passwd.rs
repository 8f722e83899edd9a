// SPDX-License-Identifier: GPL-2.0

//! Names of users and groups, from `/etc/passwd` and `/etc/group`.
//!
//! Other sources are not supported, because a static program cannot load NSS modules: their users and groups
//! are known by number only.

use std::fs;

/// The file with user names.
const USERS: &str = "/etc/passwd";

/// The file with group names.
const GROUPS: &str = "/etc/group";

/// Parses a user name or ID.
pub fn user(text: &str) -> Result<u32, String> {
    find(text, &read(USERS)).ok_or_else(|| unknown("user", USERS))
}

/// Parses a group name or ID.
pub fn group(text: &str) -> Result<u32, String> {
    find(text, &read(GROUPS)).ok_or_else(|| unknown("group", GROUPS))
}

/// Returns the name of a user, if it has one.
pub fn user_name(uid: u32) -> Option<String> {
    name(uid, &read(USERS)).map(str::to_string)
}

/// Formats a user ID, with its name if it has one.
pub fn describe_user(uid: u32) -> String {
    describe(uid, &read(USERS))
}

/// Formats a group ID, with its name if it has one.
pub fn describe_group(gid: u32) -> String {
    describe(gid, &read(GROUPS))
}

/// Returns the contents of a file, empty if it cannot be read.
fn read(path: &str) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the message for an unknown name.
fn unknown(what: &str, path: &str) -> String {
    format!("no such {what} in {path}; give the number")
}

/// Iterates over the names and IDs in a file.
fn entries(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((name, fields.nth(1)?.parse().ok()?))
    })
}

/// Finds the ID of a name, or parses an ID. As in chown(1), names take precedence.
fn find(text: &str, file: &str) -> Option<u32> {
    let named = entries(file).find(|(name, _)| *name == text);
    let number = || {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        // The largest value is the invalid ID, (uid_t)-1.
        let id = text.parse().ok().filter(|id| *id != u32::MAX);
        id.filter(|_| digits)
    };
    named.map(|(_, id)| id).or_else(number)
}

/// Formats an ID, with its name if it has one.
fn describe(id: u32, file: &str) -> String {
    match name(id, file) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    }
}

/// Finds the name of an ID.
fn name(id: u32, file: &str) -> Option<&str> {
    let known = entries(file).find(|(_, known)| *known == id);
    known.map(|(name, _)| name)
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
    fn names_and_ids_are_found() {
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
    fn unknown_id_is_shown_as_a_number() {
        assert_eq!(describe(0, FILE), "root (0)");
        assert_eq!(describe(1007, FILE), "7 (1007)");
        assert_eq!(describe(42, FILE), "42");
        assert_eq!(describe(42, ""), "42");
    }

    #[test]
    fn root_has_id_0() {
        assert_eq!(user("root"), Ok(0));
        assert_eq!(group("0"), Ok(0));
        assert!(user("nobody-has-this-name")
            .unwrap_err()
            .contains("/etc/passwd"));
        assert!(group("nor-this-one").unwrap_err().contains("/etc/group"));
    }
}
