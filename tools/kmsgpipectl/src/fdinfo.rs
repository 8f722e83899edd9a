// SPDX-License-Identifier: GPL-2.0

//! What the kernel shows of an open file of a pipe in `/proc/PID/fdinfo`.

use nix::fcntl::OFlag;
use serde::Serialize;
use std::{fs, io, os::fd::AsRawFd, str::FromStr};

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
    /// What the file reads: `nothing`, `queue`, `own` or `browse`. It stays text, so that what a newer module
    /// shows is shown as well. An older module does not show this or the position.
    pub reads: Option<String>,
    /// Sequence number of the message that the file reads next, if it has a position of its own.
    pub next_seq: Option<u64>,
    /// Stored messages that the file has yet to read, if it has a position of its own.
    pub lag_msgs: Option<u64>,
    /// Messages that left the pipe before the file had read them, if it has a position of its own.
    pub lost_msgs: Option<u64>,
    /// Messages that expired before the file had read them, if it has a position of its own.
    pub expired_msgs: Option<u64>,
    /// How long the file has a message on trust, in milliseconds, if it receives with a lease.
    pub lease_ms: Option<u32>,
    /// Messages that the file has on trust, if it receives with a lease.
    pub leased_msgs: Option<u64>,
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
    /// Reads the contents for an open file of this process.
    ///
    /// # Errors
    ///
    /// Errors of reading a file in `/proc`; the file is not a pipe.
    pub fn of(file: &impl AsRawFd) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
        Self::parse(&text).ok_or_else(|| io::Error::other("it does not describe a pipe"))
    }

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
            reads: fields.text("kmsgpipe-reads").map(str::to_string),
            next_seq: fields.number("kmsgpipe-next-seq"),
            lag_msgs: fields.number("kmsgpipe-lag-msgs"),
            lost_msgs: fields.number("kmsgpipe-lost-msgs"),
            expired_msgs: fields.number("kmsgpipe-expired-msgs"),
            lease_ms: fields.number("kmsgpipe-lease-ms"),
            leased_msgs: fields.number("kmsgpipe-leased-msgs"),
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

    /// Returns the contents for a file with a position of its own.
    pub fn text_with_position(id: u32, reads: &str) -> String {
        text(id, "r")
            + &format!(
                "kmsgpipe-reads:\t{reads}\nkmsgpipe-next-seq:\t18446744073709551615\n\
                 kmsgpipe-lag-msgs:\t7\nkmsgpipe-lost-msgs:\t8\nkmsgpipe-expired-msgs:\t9\n"
            )
    }

    #[test]
    fn position_is_parsed() {
        let info = Fdinfo::parse(&text_with_position(7, "own")).unwrap();
        assert_eq!(info.reads.as_deref(), Some("own"));
        assert_eq!((info.next_seq, info.lag_msgs), (Some(u64::MAX), Some(7)));
        assert_eq!((info.lost_msgs, info.expired_msgs), (Some(8), Some(9)));
        let info = Fdinfo::parse(&(text(7, "w") + "kmsgpipe-reads:\tnothing\n")).unwrap();
        assert_eq!(
            (info.reads.as_deref(), info.lag_msgs),
            (Some("nothing"), None)
        );
    }

    #[test]
    fn lease_is_parsed() {
        let text = text(7, "r")
            + "kmsgpipe-reads:\tqueue\nkmsgpipe-lease-ms:\t30000\nkmsgpipe-leased-msgs:\t2\n";
        let info = Fdinfo::parse(&text).unwrap();
        assert_eq!((info.lease_ms, info.leased_msgs), (Some(30_000), Some(2)));
    }

    #[test]
    fn other_files_of_this_process_are_not_pipes() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = Fdinfo::of(&file).unwrap_err();
        assert_eq!(error.to_string(), "it does not describe a pipe");
        assert_eq!(Fdinfo::of(&-1).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn every_field_is_parsed() {
        let info = Fdinfo {
            id: 7,
            access: "rw".into(),
            mode: "eof,lines".into(),
            nonblock: false,
            reads: None,
            next_seq: None,
            lag_msgs: None,
            lost_msgs: None,
            expired_msgs: None,
            lease_ms: None,
            leased_msgs: None,
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
