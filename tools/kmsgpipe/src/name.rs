// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pipe names as users give them.

use crate::{
    devfs,
    error::{Error, Result},
    ident::{digits, is_name, number},
    node::Node,
};
use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    str::FromStr,
};

/// The name by which a user refers to a pipe, which need not exist.
///
/// Valid names are a number such as `0`, `pipe0` or `kmsgpipe0`, the pipe's name, or a path that contains a
/// slash. Digits, alone or after `pipe` or `kmsgpipe`, are always a number; a pipe whose name looks like a
/// number is reachable by its path only.
///
/// ```
/// use kmsgpipe::PipeName;
///
/// for (name, path) in [
///     ("0", "/dev/kmsgpipe0"),
///     ("pipe0", "/dev/kmsgpipe0"),
///     ("kmsgpipe0", "/dev/kmsgpipe0"),
///     ("log", "/dev/kmsgpipe/log"),
///     ("/dev/kmsgpipe/0", "/dev/kmsgpipe/0"),
/// ] {
///     let name: PipeName = name.parse()?;
///     assert_eq!(name.locate().path(), std::path::Path::new(path));
/// }
/// assert!("no name".parse::<PipeName>().is_err());
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeName {
    kind: Kind,
}

/// The two forms of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A name or a number.
    Word(String),
    /// A path.
    Path(PathBuf),
}

impl PipeName {
    /// Parses a name, a number, or a path that contains a slash.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`].
    pub fn parse(name: &OsStr) -> Result<Self> {
        if name.as_bytes().contains(&b'/') {
            let kind = Kind::Path(name.into());
            return Ok(Self { kind });
        }
        match name.to_str().filter(|word| is_name(word)) {
            Some(word) => Ok(Self {
                kind: Kind::Word(word.into()),
            }),
            None => Err(Error::BadName {
                name: name.to_string_lossy().into_owned(),
            }),
        }
    }

    /// Finds the node of the pipe. If there is no such pipe, returns where its node would be.
    pub fn locate(&self) -> Node {
        match &self.kind {
            Kind::Word(word) => match digits(word) {
                Some(digits) => match number(digits) {
                    Some(id) => Node::of(id),
                    None => Node::at(&devfs::path_of_digits(digits)),
                },
                None => Node::at(&devfs::path_of_name(word)),
            },
            Kind::Path(path) => Node::at(path),
        }
    }
}

impl fmt::Display for PipeName {
    /// Writes the name as it was given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Word(word) => f.write_str(word),
            Kind::Path(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for PipeName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::parse(OsStr::new(name))
    }
}

impl TryFrom<OsString> for PipeName {
    type Error = Error;

    fn try_from(name: OsString) -> Result<Self> {
        Self::parse(&name)
    }
}

impl AsRef<OsStr> for PipeName {
    fn as_ref(&self) -> &OsStr {
        match &self.kind {
            Kind::Word(word) => OsStr::new(word),
            Kind::Path(path) => path.as_os_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_form_leads_to_its_node() {
        for (word, path) in [
            ("0", "/dev/kmsgpipe0"),
            ("pipe0", "/dev/kmsgpipe0"),
            ("kmsgpipe0", "/dev/kmsgpipe0"),
            ("kmsgpipe65535", "/dev/kmsgpipe65535"),
            ("log", "/dev/kmsgpipe/log"),
            ("pipe", "/dev/kmsgpipe/pipe"),
            ("kmsgpipe", "/dev/kmsgpipe/kmsgpipe"),
            ("kmsgpipe-x", "/dev/kmsgpipe/kmsgpipe-x"),
            ("pipe-1", "/dev/kmsgpipe/pipe-1"),
            ("-1", "/dev/kmsgpipe/-1"),
            ("7a", "/dev/kmsgpipe/7a"),
            // Numbers that no pipe can have.
            ("00", "/dev/kmsgpipe00"),
            ("pipe07", "/dev/kmsgpipe07"),
            ("4294967296", "/dev/kmsgpipe4294967296"),
        ] {
            let name: PipeName = word.parse().unwrap();
            assert_eq!(name.to_string(), word);
            assert_eq!(name.locate().path(), Path::new(path), "{word}");
        }
        for path in [
            "/dev/kmsgpipe3",
            "/dev/kmsgpipe/3",
            "/dev/queues/log",
            "./log",
            "kmsgpipe/log",
            "a b/c",
        ] {
            let name: PipeName = path.parse().unwrap();
            assert_eq!(name.locate().path(), Path::new(path));
            assert_eq!(PipeName::parse(name.as_ref()), Ok(name));
        }
    }

    #[test]
    fn names_have_at_most_31_characters() {
        let longest = "n".repeat(31);
        let name: PipeName = longest.parse().unwrap();
        let node = format!("/dev/kmsgpipe/{longest}");
        assert_eq!(name.locate().path(), Path::new(&node));
        assert!(format!("{longest}n").parse::<PipeName>().is_err());
    }

    #[test]
    fn invalid_names_are_rejected() {
        for name in [
            "",
            " 0",
            "0 ",
            "a b",
            "+1",
            "gr\u{fc}n",
            "a\n",
            "a:b",
            "*",
            ".",
            "..",
            "a.peer",
        ] {
            let error = name.parse::<PipeName>().unwrap_err();
            assert_eq!(error, Error::BadName { name: name.into() });
        }
        assert!(PipeName::parse(OsStr::from_bytes(b"\xff")).is_err());
    }
}
