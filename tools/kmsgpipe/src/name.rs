// SPDX-License-Identifier: MIT OR Apache-2.0

//! The names that pipes are given by.

use crate::{
    error::{Error, Result},
    node::{self, Node},
};
use kmsgpipe_sys::NAME_SIZE;
use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// What somebody calls a pipe, which need not exist.
///
/// That is its own name, `kmsgpipe-NAME`, its number as in `0`, `pipe0` or `kmsgpipe0`, or a path
/// with at least one slash. A pipe that was given a number for a name goes before the pipe with that
/// number, as it does in `/sys/class/kmsgpipe/destroy`.
///
/// ```
/// use kmsgpipe::PipeName;
///
/// for name in ["0", "pipe0", "kmsgpipe0", "/dev/kmsgpipe0", "log", "kmsgpipe-log"] {
///     let name: PipeName = name.parse()?;
///     println!("{name} is {}", name.locate().path().display());
/// }
/// assert!("no name".parse::<PipeName>().is_err());
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeName {
    kind: Kind,
}

/// What sort of name it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A name or a number: what it means depends on the pipes there are.
    Word(String),
    /// A path.
    Path(PathBuf),
}

impl PipeName {
    /// Understands a name, a number, or a path with at least one slash.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`].
    pub fn parse(name: &OsStr) -> Result<Self> {
        if name.as_bytes().contains(&b'/') {
            let kind = Kind::Path(name.into());
            return Ok(Self { kind });
        }
        let fits =
            |word: &&str| is_name(word) || word.strip_prefix(node::NAMED).is_some_and(is_name);
        match name.to_str().filter(fits) {
            Some(word) => Ok(Self {
                kind: Kind::Word(word.into()),
            }),
            None => Err(Error::BadName {
                name: name.to_string_lossy().into_owned(),
            }),
        }
    }

    /// Finds out which pipe it is; if there is none, where its node would be.
    pub fn locate(&self) -> Node {
        match &self.kind {
            Kind::Word(word) => Self::locate_word(word, |path| path.exists()),
            Kind::Path(path) => Node::at(path),
        }
    }

    /// Finds out which pipe a word stands for, where `exists` tells whether there is a node.
    fn locate_word(word: &str, exists: impl Fn(&Path) -> bool) -> Node {
        let named = node::path_of_name(word);
        if is_name(word) && exists(&named) {
            return Node::at(&named);
        }
        let digits = ["", "pipe", node::PREFIX]
            .into_iter()
            .find_map(|prefix| node::number(word.strip_prefix(prefix)?));
        match digits {
            Some(id) => Node::of(id),
            None => match word.strip_prefix(node::NAMED) {
                Some(name) => Node::at(&node::path_of_name(name)),
                None => Node::at(&named),
            },
        }
    }
}

impl fmt::Display for PipeName {
    /// Writes it as it was given.
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

/// Whether a pipe can be made with this name: letters, digits, `.`, `_` and `-`, at most 31 of them.
///
/// ```
/// assert!(kmsgpipe::is_name("web-1.log") && !kmsgpipe::is_name("web 1"));
/// ```
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() < NAME_SIZE && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_every_form() {
        let there = [
            "/dev/kmsgpipe-log",
            "/dev/kmsgpipe-7",
            "/dev/kmsgpipe-kmsgpipe-x",
        ];
        for (word, path) in [
            ("0", "/dev/kmsgpipe0"),
            ("pipe0", "/dev/kmsgpipe0"),
            ("kmsgpipe0", "/dev/kmsgpipe0"),
            ("kmsgpipe65535", "/dev/kmsgpipe65535"),
            ("log", "/dev/kmsgpipe-log"),
            ("kmsgpipe-log", "/dev/kmsgpipe-log"),
            // What is not there is taken for a name.
            ("x", "/dev/kmsgpipe-x"),
            ("pipe", "/dev/kmsgpipe-pipe"),
            ("00", "/dev/kmsgpipe-00"),
            ("-1", "/dev/kmsgpipe--1"),
            ("4294967296", "/dev/kmsgpipe-4294967296"),
            // A name goes before a number, and before what a name begins with.
            ("7", "/dev/kmsgpipe-7"),
            ("pipe7", "/dev/kmsgpipe7"),
            ("kmsgpipe-7", "/dev/kmsgpipe-7"),
            ("kmsgpipe-x", "/dev/kmsgpipe-kmsgpipe-x"),
        ] {
            let name: PipeName = word.parse().unwrap();
            assert_eq!(name.to_string(), word);
            let node = PipeName::locate_word(word, |path| {
                there.iter().any(|there| path == Path::new(there))
            });
            assert_eq!(node.path(), Path::new(path), "{word}");
        }
        for path in ["/dev/kmsgpipe3", "/dev/queues/log", "./log", "a b/c"] {
            let name: PipeName = path.parse().unwrap();
            assert_eq!(name.locate().path(), Path::new(path));
            assert_eq!(PipeName::parse(name.as_ref()), Ok(name));
        }
    }

    #[test]
    fn the_longest_names_are_understood() {
        let longest = "n".repeat(31);
        let node = format!("/dev/kmsgpipe-{longest}");
        for word in [longest.clone(), format!("kmsgpipe-{longest}")] {
            let name: PipeName = word.parse().unwrap();
            assert_eq!(name.locate().path(), Path::new(&node));
        }
        assert!(format!("{longest}n").parse::<PipeName>().is_err());
        assert!(format!("kmsgpipe-{longest}n").parse::<PipeName>().is_err());
    }

    #[test]
    fn refuses_what_no_pipe_is_called() {
        for name in ["", " 0", "0 ", "a b", "+1", "gr\u{fc}n", "a\n", "a:b", "*"] {
            let error = name.parse::<PipeName>().unwrap_err();
            assert_eq!(error, Error::BadName { name: name.into() });
        }
        assert!(PipeName::parse(OsStr::from_bytes(b"\xff")).is_err());
    }
}
