// SPDX-License-Identifier: GPL-2.0

//! The names of pipes.

use crate::error::{Action, Error, Result};
use nix::errno::Errno;
use std::{
    ffi::{OsStr, OsString},
    fmt, fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where the nodes of pipes are.
const DIRECTORY: &str = "/dev";

/// What the names of their nodes begin with.
const PREFIX: &str = "kmsgpipe";

/// The name of a pipe, which need not exist.
///
/// ```
/// use kmsgpipe::PipeName;
///
/// for name in ["0", "kmsgpipe0", "/dev/kmsgpipe0"] {
///     let name: PipeName = name.parse()?;
///     assert_eq!(name.to_string(), "kmsgpipe0");
///     assert_eq!(name.path().to_str(), Some("/dev/kmsgpipe0"));
///     assert_eq!(name.id(), Some(0));
/// }
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeName {
    path: PathBuf,
}

impl PipeName {
    /// Names the pipe with the number `id`.
    pub fn of(id: u32) -> Self {
        Self {
            path: Path::new(DIRECTORY).join(format!("{PREFIX}{id}")),
        }
    }

    /// Understands a number, the name of a node, or a path with at least one slash.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`].
    pub fn parse(name: &OsStr) -> Result<Self> {
        let id = name
            .to_str()
            .and_then(|name| number(name.strip_prefix(PREFIX).unwrap_or(name)));
        match id {
            Some(id) => Ok(Self::of(id)),
            None if name.as_bytes().contains(&b'/') => Ok(Self { path: name.into() }),
            None => Err(Error::BadName {
                name: name.to_string_lossy().into_owned(),
            }),
        }
    }

    /// The path of its node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its number, unless it was named by another path than that of its node.
    pub fn id(&self) -> Option<u32> {
        let name = self.path.strip_prefix(DIRECTORY).ok()?.to_str()?;
        number(name.strip_prefix(PREFIX)?)
    }
}

impl fmt::Display for PipeName {
    /// Writes the short name of a pipe, or its path if that is another one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "{PREFIX}{id}"),
            None => self.path.display().fmt(f),
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
        self.path.as_os_str()
    }
}

/// Understands the number of a pipe as the kernel writes it: without sign and leading zeros.
fn number(digits: &str) -> Option<u32> {
    let id: u32 = digits.parse().ok()?;
    (id.to_string() == digits).then_some(id)
}

/// Lists the pipes there are, by number.
///
/// # Errors
///
/// [`Error::NoPipes`] when there is none, mostly because the module is not loaded.
///
/// ```no_run
/// for name in kmsgpipe::pipes()? {
///     println!("{name}");
/// }
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
pub fn pipes() -> Result<Vec<PipeName>> {
    let directory = Path::new(DIRECTORY);
    let ids = ids_in(directory).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        Error::system(Action::List, directory, errno)
    })?;
    if ids.is_empty() {
        return Err(Error::no_pipes(directory));
    }
    Ok(ids.into_iter().map(PipeName::of).collect())
}

/// The numbers of the pipes whose nodes are in `directory`, in order.
fn ids_in(directory: &Path) -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let id = name
            .to_str()
            .and_then(|name| number(name.strip_prefix(PREFIX)?));
        ids.extend(id);
    }
    ids.sort_unstable();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_every_form() {
        for (name, path, id) in [
            ("0", "/dev/kmsgpipe0", Some(0)),
            ("17", "/dev/kmsgpipe17", Some(17)),
            (
                "kmsgpipe4294967295",
                "/dev/kmsgpipe4294967295",
                Some(u32::MAX),
            ),
            ("/dev/kmsgpipe3", "/dev/kmsgpipe3", Some(3)),
            (
                "/dev/kmsgpipe/by-name/log",
                "/dev/kmsgpipe/by-name/log",
                None,
            ),
            ("./log", "./log", None),
            ("/dev/kmsgpipe03", "/dev/kmsgpipe03", None),
        ] {
            let parsed: PipeName = name.parse().unwrap();
            assert_eq!(parsed.path(), Path::new(path));
            assert_eq!(parsed.id(), id, "{name}");
            // A name is also understood when it is given back.
            assert_eq!(PipeName::parse(parsed.as_ref()), Ok(parsed));
        }
    }

    #[test]
    fn refuses_what_no_pipe_is_called() {
        for name in [
            "",
            "x",
            "-1",
            "+1",
            "00",
            "01",
            "0x0",
            " 0",
            "4294967296",
            "kmsgpipe",
            "kmsgpipe-1",
            "kmsgpipe01",
            "kmsgpipe0 ",
            "Kmsgpipe0",
            "kmsgpipekmsgpipe0",
        ] {
            let error = name.parse::<PipeName>().unwrap_err();
            assert_eq!(error, Error::BadName { name: name.into() });
        }
        assert!(PipeName::parse(OsStr::from_bytes(b"\xff")).is_err());
    }

    #[test]
    fn lists_by_number_and_nothing_else() {
        let directory = std::env::temp_dir().join(format!("kmsgpipe-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        for name in [
            "kmsgpipe10",
            "kmsgpipe9",
            "kmsgpipe",
            "kmsgpipe01",
            "kmsg",
            "null",
        ] {
            fs::write(directory.join(name), "").unwrap();
        }
        let ids = ids_in(&directory);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(ids.unwrap(), [9, 10]);
    }
}
