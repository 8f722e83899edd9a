// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the kernel shows of pipes in `/sys/class/kmsgpipe`.

use crate::{ident::number, modes::Modes, stats::Stats};
use kmsgpipe_sys::raw::KMSGPIPE_STATS_FLUSH;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

/// Exists while the module is loaded, or built into the kernel.
pub const CLASS: &str = "/sys/class/kmsgpipe";

/// The class of pipes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class<'a> {
    directory: &'a str,
}

impl Class<'static> {
    /// That of this machine.
    pub(crate) const SYSTEM: Self = Class { directory: CLASS };
}

impl Class<'_> {
    /// The directory of a pipe.
    fn pipe(self, id: u32) -> PathBuf {
        Path::new(self.directory).join(format!("pipe{id}"))
    }

    /// The numbers of all pipes, in order.
    pub(crate) fn ids(self) -> Vec<u32> {
        let entries = fs::read_dir(self.directory).into_iter().flatten().flatten();
        let id = |entry: fs::DirEntry| number(entry.file_name().to_str()?.strip_prefix("pipe")?);
        let mut ids: Vec<u32> = entries.filter_map(id).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether there is a pipe with this number.
    pub(crate) fn has(self, id: u32) -> bool {
        self.pipe(id).exists()
    }

    /// Where the node of a pipe is.
    pub(crate) fn node(self, id: u32) -> Option<PathBuf> {
        let node = fs::read_to_string(self.pipe(id).join("node")).ok()?;
        let node = node.strip_suffix('\n').unwrap_or(&node);
        node.starts_with('/').then(|| node.into())
    }

    /// The pipe whose node is to be at a path.
    pub(crate) fn find(self, path: &Path) -> Option<u32> {
        let mut ids = self.ids().into_iter();
        ids.find(|id| self.node(*id).as_deref() == Some(path))
    }

    /// Destroys a pipe.
    pub(crate) fn destroy(self, id: u32) -> io::Result<()> {
        let commands = Path::new(self.directory).join("destroy");
        let mut file = fs::OpenOptions::new().write(true).open(commands)?;
        // In one call, as it is one command.
        file.write_all(format!("pipe{id}").as_bytes())
    }

    /// The device number of a pipe, as major and minor.
    pub(crate) fn device(self, id: u32) -> Option<(u64, u64)> {
        let device = fs::read_to_string(self.pipe(id).join("dev")).ok()?;
        let (major, minor) = device.trim_end().split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// The values of a pipe.
    fn values(self, id: u32) -> Values {
        Values {
            directory: self.pipe(id),
        }
    }

    /// The mode of files of a pipe when they are opened.
    pub(crate) fn default_mode(self, id: u32) -> io::Result<Modes> {
        self.values(id).get("default_mode")
    }

    /// The statistics of a pipe, one read after the other.
    pub(crate) fn stats(self, id: u32) -> io::Result<Stats> {
        let values = self.values(id);
        let flushed = values.get::<u32>("flush_enable")? != 0;
        let if_flushed = |name| match flushed {
            true => values.get(name),
            false => Ok(0),
        };
        Ok(Stats {
            id,
            flags: if flushed { KMSGPIPE_STATS_FLUSH } else { 0 },
            msg_size: values.get("msg_size")?,
            max_msgs: values.get("max_msgs")?,
            readers: values.get("readers")?,
            writers: values.get("writers")?,
            waiting_readers: values.get("waiting_readers")?,
            waiting_writers: values.get("waiting_writers")?,
            depth_msgs: values.get("depth_msgs")?,
            depth_bytes: values.get("depth_bytes")?,
            peak_msgs: values.get("peak_msgs")?,
            peak_bytes: values.get("peak_bytes")?,
            enqueued_msgs: values.get("enqueued_msgs")?,
            enqueued_bytes: values.get("enqueued_bytes")?,
            dequeued_msgs: values.get("dequeued_msgs")?,
            dequeued_bytes: values.get("dequeued_bytes")?,
            expired_msgs: values.get("expired_msgs")?,
            expired_bytes: values.get("expired_bytes")?,
            dropped_msgs: values.get("dropped_msgs")?,
            dropped_bytes: values.get("dropped_bytes")?,
            refused_full: values.get("refused_full")?,
            refused_size: values.get("refused_size")?,
            flush_interval_ms: if_flushed("flush_interval_ms")?,
            flush_expiry_ms: if_flushed("flush_expiry_ms")?,
            head: None,
        })
    }
}

/// The values of one pipe.
struct Values {
    directory: PathBuf,
}

impl Values {
    /// Reads one of them.
    fn get<T: FromStr>(&self, name: &str) -> io::Result<T> {
        let text = fs::read_to_string(self.directory.join(name))?;
        let text = text.trim_end();
        let bad = |_| io::Error::other(format!("{name} is {text:?}, which is not understood"));
        text.parse().map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A class of which a test says what is in it.
    struct MadeUp {
        directory: PathBuf,
    }

    impl MadeUp {
        fn new(test: &str) -> Self {
            let name = format!("kmsgpipe-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir(&directory).unwrap();
            Self { directory }
        }

        fn class(&self) -> Class<'_> {
            Class {
                directory: self.directory.to_str().unwrap(),
            }
        }

        fn write(&self, id: u32, name: &str, value: &str) {
            let pipe = self.directory.join(format!("pipe{id}"));
            fs::create_dir_all(&pipe).unwrap();
            fs::write(pipe.join(name), format!("{value}\n")).unwrap();
        }
    }

    impl Drop for MadeUp {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    #[test]
    fn pipes_are_found_by_number() {
        let made_up = MadeUp::new("find");
        for id in [10, 2, 0] {
            made_up.write(id, "node", &format!("/dev/kmsgpipe{id}"));
            made_up.write(id, "dev", &format!("240:{id}"));
        }
        made_up.write(2, "node", "/dev/kmsgpipe/log");
        fs::write(made_up.directory.join("create"), "").unwrap();
        fs::create_dir(made_up.directory.join("pipe01")).unwrap();

        let class = made_up.class();
        assert_eq!(class.ids(), [0, 2, 10]);
        assert!(class.has(10) && !class.has(1));
        assert_eq!(class.node(2).unwrap(), Path::new("/dev/kmsgpipe/log"));
        assert_eq!(class.node(1), None);
        assert_eq!(class.find(Path::new("/dev/kmsgpipe/log")), Some(2));
        assert_eq!(class.find(Path::new("/dev/kmsgpipe2")), None);
        assert_eq!(class.device(10), Some((240, 10)));
        assert_eq!(class.device(1), None);
    }

    #[test]
    fn nothing_is_no_pipes() {
        let class = Class {
            directory: "/nonexistent",
        };
        assert!(class.destroy(1).is_err());
        assert!(class.ids().is_empty());
        assert!(!class.has(0));
        assert!(class.stats(0).is_err());
        assert!(class.default_mode(0).is_err());
    }

    #[test]
    fn the_default_mode_is_read() {
        let made_up = MadeUp::new("mode");
        let class = made_up.class();
        for (text, modes) in [
            ("none", Modes::empty()),
            ("whole,eof", Modes::WHOLE | Modes::EOF),
        ] {
            made_up.write(3, "default_mode", text);
            assert_eq!(class.default_mode(3).unwrap(), modes);
        }
        made_up.write(3, "default_mode", "0");
        let error = class.default_mode(3).unwrap_err().to_string();
        assert_eq!(error, "default_mode is \"0\", which is not understood");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn every_statistic_is_read() {
        let made_up = MadeUp::new("stats");
        let names = [
            "msg_size",
            "max_msgs",
            "readers",
            "writers",
            "waiting_readers",
            "waiting_writers",
            "depth_msgs",
            "depth_bytes",
            "peak_msgs",
            "peak_bytes",
            "enqueued_msgs",
            "enqueued_bytes",
            "dequeued_msgs",
            "dequeued_bytes",
            "expired_msgs",
            "expired_bytes",
            "dropped_msgs",
            "dropped_bytes",
            "refused_full",
            "refused_size",
            "flush_interval_ms",
            "flush_expiry_ms",
        ];
        for (value, name) in names.iter().enumerate() {
            made_up.write(3, name, &(value + 1).to_string());
        }
        assert!(made_up.class().stats(3).is_err());

        made_up.write(3, "flush_enable", "1");
        let stats = made_up.class().stats(3).unwrap();
        let json = serde_json::to_value(&stats).unwrap();
        for (value, name) in names.iter().enumerate() {
            assert_eq!(json[name], value + 1, "{name}");
        }
        assert_eq!(stats.id, 3);
        assert_eq!(stats.flags, KMSGPIPE_STATS_FLUSH);
        assert_eq!(stats.head, None);

        made_up.write(3, "flush_enable", "0");
        let stats = made_up.class().stats(3).unwrap();
        assert_eq!((stats.flags, stats.flush_expiry_ms), (0, 0));

        made_up.write(3, "peak_msgs", "many");
        let error = made_up.class().stats(3).unwrap_err().to_string();
        assert!(error.contains("peak_msgs is \"many\""), "{error}");
    }
}
