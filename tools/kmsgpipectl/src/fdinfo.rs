// SPDX-License-Identifier: GPL-2.0

//! What the kernel shows of an open file of a pipe in `/proc/PID/fdinfo`.

use nix::fcntl::OFlag;
use serde::Serialize;
use std::str::FromStr;

/// An open file of a pipe: its access, its mode and its counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fdinfo {
    /// Number of the pipe.
    #[serde(skip)]
    pub id: u32,
    /// `r`, `w`, `rw`, or `-` for a file that is open for requests only.
    pub access: String,
    /// The mode in the words of sysfs. It stays text, so that a mode of a newer module is shown as well.
    pub mode: String,
    /// Whether the file has `O_NONBLOCK` set.
    pub nonblock: bool,
    /// Messages that were sent through the file.
    pub sent_msgs: u64,
    /// Bytes that were sent through the file.
    pub sent_bytes: u64,
    /// Messages that were received through the file.
    pub received_msgs: u64,
    /// Bytes that were received through the file.
    pub received_bytes: u64,
    /// Length in bytes of the rest of a message that the file keeps.
    pub rest_bytes: u64,
    /// Length in bytes of the incomplete line that the file keeps.
    pub line_bytes: u64,
}

impl Fdinfo {
    /// Parses the contents of a file in `/proc/PID/fdinfo`. Returns `None` if they are those of another file
    /// than a pipe's.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = Fields(text);
        // The first, because most descriptors are of other files.
        let id = fields.number("kmsgpipe-id")?;
        let flags = i32::from_str_radix(fields.text("flags")?, 8).ok()?;
        Some(Self {
            id,
            access: fields.text("kmsgpipe-mode")?.into(),
            mode: fields.text("kmsgpipe-modes")?.into(),
            nonblock: OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK),
            sent_msgs: fields.number("kmsgpipe-sent-msgs")?,
            sent_bytes: fields.number("kmsgpipe-sent-bytes")?,
            received_msgs: fields.number("kmsgpipe-received-msgs")?,
            received_bytes: fields.number("kmsgpipe-received-bytes")?,
            rest_bytes: fields.number("kmsgpipe-rest-bytes")?,
            line_bytes: fields.number("kmsgpipe-line-bytes")?,
        })
    }
}

/// The lines of a file in `/proc`, each of which is a key, a colon, a tab and a value.
#[derive(Clone, Copy)]
pub struct Fields<'a>(pub &'a str);

impl<'a> Fields<'a> {
    /// Returns the value of a key.
    pub fn text(self, key: &str) -> Option<&'a str> {
        let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix(":\t");
        self.0.lines().find_map(value)
    }

    /// Returns the value of a key, if it is a number.
    pub fn number<T: FromStr>(self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns the contents for an open file of a pipe, as the kernel writes them.
    pub fn text(id: u32, access: &str) -> String {
        format!(
            "pos:\t0\nflags:\t0100002\nmnt_id:\t14\nino:\t45\n\
             kmsgpipe-id:\t{id}\nkmsgpipe-mode:\t{access}\n\
             kmsgpipe-sent-msgs:\t3\nkmsgpipe-sent-bytes:\t17\n\
             kmsgpipe-received-msgs:\t18446744073709551615\nkmsgpipe-received-bytes:\t4\n\
             kmsgpipe-modes:\teof,lines\nkmsgpipe-rest-bytes:\t5\nkmsgpipe-line-bytes:\t6\n"
        )
    }

    #[test]
    fn every_field_is_parsed() {
        let info = Fdinfo {
            id: 7,
            access: "rw".into(),
            mode: "eof,lines".into(),
            nonblock: false,
            sent_msgs: 3,
            sent_bytes: 17,
            received_msgs: u64::MAX,
            received_bytes: 4,
            rest_bytes: 5,
            line_bytes: 6,
        };
        assert_eq!(Fdinfo::parse(&text(7, "rw")), Some(info));
    }

    #[test]
    fn nonblocking_mode_is_found_in_the_flags() {
        let flags = format!("{:o}", (OFlag::O_NONBLOCK | OFlag::O_RDWR).bits());
        let text = text(7, "rw").replace("0100002", &flags);
        assert!(Fdinfo::parse(&text).unwrap().nonblock);
    }

    #[test]
    fn unknown_words_and_lines_are_accepted() {
        let text = text(7, "-").replace("eof,lines", "hup,0x80") + "kmsgpipe-lost:\t9\n";
        let info = Fdinfo::parse(&text).unwrap();
        assert_eq!(
            (info.access.as_str(), info.mode.as_str()),
            ("-", "hup,0x80")
        );
    }

    #[test]
    fn other_files_are_not_pipes() {
        let whole = text(7, "r");
        for text in [
            "",
            "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t3\n",
            &whole.replace("kmsgpipe-id:\t7", "kmsgpipe-id:\tx"),
            &whole.replace("kmsgpipe-id:\t7", "kmsgpipe-id:\t4294967296"),
            &whole.replace("kmsgpipe-id:\t7", "kmsgpipe-id: 7"),
            &whole.replace("kmsgpipe-id", "xkmsgpipe-id"),
            &whole.replace("flags:\t0100002", "flags:\t9"),
        ] {
            assert_eq!(Fdinfo::parse(text), None, "{text}");
        }
        // A file that ends early, wherever that is.
        for (end, _) in whole.match_indices('\n') {
            let is_whole = end + 1 == whole.len();
            assert_eq!(Fdinfo::parse(&whole[..end]).is_some(), is_whole, "{end}");
        }
    }

    #[test]
    fn key_is_compared_whole() {
        let fields = Fields("Uidx:\t1\nUid:\t2\t3\n Uid:\t4\n");
        assert_eq!(fields.text("Uid"), Some("2\t3"));
        assert_eq!(fields.number::<u32>("Uid"), None);
        assert_eq!(fields.text("Ui"), None);
    }
}
