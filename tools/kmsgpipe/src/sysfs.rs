// SPDX-License-Identifier: MIT OR Apache-2.0

//! The attributes of pipes in `/sys/class/kmsgpipe`.

use crate::{ident::number, kind::Kind, modes::Modes, overflow::Overflow, stats::Stats};
use kmsgpipe_sys::raw::KMSGPIPE_STATS_FLUSH;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

/// The sysfs class directory, which exists while the module is loaded or built in.
pub const CLASS: &str = "/sys/class/kmsgpipe";

/// The device class of pipes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class<'a> {
    directory: &'a str,
}

impl Class<'static> {
    /// The class of the running system.
    pub(crate) const SYSTEM: Self = Class { directory: CLASS };
}

impl Class<'_> {
    /// Returns the directory of a pipe.
    fn pipe(self, id: u32) -> PathBuf {
        Path::new(self.directory).join(format!("pipe{id}"))
    }

    /// Returns the numbers of all pipes, in order.
    pub(crate) fn ids(self) -> Vec<u32> {
        let entries = fs::read_dir(self.directory).into_iter().flatten().flatten();
        let id = |entry: fs::DirEntry| number(entry.file_name().to_str()?.strip_prefix("pipe")?);
        let mut ids: Vec<u32> = entries.filter_map(id).collect();
        ids.sort_unstable();
        ids
    }

    /// Returns whether a pipe has this number.
    pub(crate) fn has(self, id: u32) -> bool {
        self.pipe(id).exists()
    }

    /// Returns the node path of a pipe.
    pub(crate) fn node(self, id: u32) -> Option<PathBuf> {
        let node = fs::read_to_string(self.pipe(id).join("node")).ok()?;
        let node = node.strip_suffix('\n').unwrap_or(&node);
        node.starts_with('/').then(|| node.into())
    }

    /// Returns the pipe whose node belongs at `path`.
    pub(crate) fn find(self, path: &Path) -> Option<u32> {
        let mut ids = self.ids().into_iter();
        ids.find(|id| self.node(*id).as_deref() == Some(path))
    }

    /// Destroys a pipe.
    pub(crate) fn destroy(self, id: u32) -> io::Result<()> {
        let commands = Path::new(self.directory).join("destroy");
        let mut file = fs::OpenOptions::new().write(true).open(commands)?;
        // A single write, because each write is a separate command.
        file.write_all(format!("pipe{id}").as_bytes())
    }

    /// Returns the device number of a pipe, as major and minor.
    pub(crate) fn device(self, id: u32) -> Option<(u64, u64)> {
        let device = fs::read_to_string(self.pipe(id).join("dev")).ok()?;
        let (major, minor) = device.trim_end().split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// Returns the attributes of a pipe.
    fn values(self, id: u32) -> Values {
        Values {
            directory: self.pipe(id),
        }
    }

    /// Reads the mode that files of a pipe have when they are opened.
    pub(crate) fn default_mode(self, id: u32) -> io::Result<Modes> {
        self.values(id).get("default_mode")
    }

    /// Reads the overflow policy of a pipe.
    pub(crate) fn overflow(self, id: u32) -> io::Result<Overflow> {
        self.values(id).get("overflow")
    }

    /// Reads the kind of a pipe.
    pub(crate) fn kind(self, id: u32) -> io::Result<Kind> {
        self.values(id).get("kind")
    }

    /// Reads how many messages a broadcast pipe keeps for later subscriptions. A queue keeps none.
    pub(crate) fn history(self, id: u32) -> io::Result<u32> {
        match self.kind(id)? {
            Kind::Queue => Ok(0),
            Kind::Broadcast => self.values(id).get("history"),
        }
    }

    /// Reads how many priorities a pipe has.
    pub(crate) fn priorities(self, id: u32) -> io::Result<u32> {
        let values = self.values(id);
        match values.get("priorities") {
            // Only a pipe with more than one has the file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                values.get::<Kind>("kind").map(|_| 1)
            }
            priorities => priorities,
        }
    }

    /// Reads the statistics of a pipe, one attribute after the other.
    pub(crate) fn stats(self, id: u32) -> io::Result<Stats> {
        let values = self.values(id);
        let expires = values.get::<u32>("flush_enable")? != 0;
        let if_expires = |name| match expires {
            true => values.get(name),
            false => Ok(0),
        };
        Ok(Stats {
            id,
            flags: if expires { KMSGPIPE_STATS_FLUSH } else { 0 },
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
            flush_interval_ms: if_expires("flush_interval_ms")?,
            flush_expiry_ms: if_expires("flush_expiry_ms")?,
            head: None,
        })
    }
}

/// The attributes of one pipe.
struct Values {
    directory: PathBuf,
}

impl Values {
    /// Reads and parses one attribute.
    fn get<T: FromStr>(&self, name: &str) -> io::Result<T> {
        let text = fs::read_to_string(self.directory.join(name))?;
        let text = text.trim_end();
        let bad = |_| io::Error::other(format!("{name} is {text:?}, which cannot be parsed"));
        text.parse().map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A class directory with contents chosen by the test.
    struct FakeClass {
        directory: PathBuf,
    }

    impl FakeClass {
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

    impl Drop for FakeClass {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    #[test]
    fn pipes_are_found_by_number() {
        let fake = FakeClass::new("find");
        for id in [10, 2, 0] {
            fake.write(id, "node", &format!("/dev/kmsgpipe{id}"));
            fake.write(id, "dev", &format!("240:{id}"));
        }
        fake.write(2, "node", "/dev/kmsgpipe/log");
        fs::write(fake.directory.join("create"), "").unwrap();
        fs::create_dir(fake.directory.join("pipe01")).unwrap();

        let class = fake.class();
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
    fn missing_class_has_no_pipes() {
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
    fn default_mode_is_parsed() {
        let fake = FakeClass::new("mode");
        let class = fake.class();
        for (text, modes) in [
            ("none", Modes::empty()),
            ("whole,eof", Modes::WHOLE | Modes::EOF),
        ] {
            fake.write(3, "default_mode", text);
            assert_eq!(class.default_mode(3).unwrap(), modes);
        }
        fake.write(3, "default_mode", "0");
        let error = class.default_mode(3).unwrap_err().to_string();
        assert_eq!(error, "default_mode is \"0\", which cannot be parsed");
    }

    #[test]
    fn overflow_is_parsed() {
        let fake = FakeClass::new("overflow");
        let class = fake.class();
        for policy in Overflow::ALL {
            fake.write(3, "overflow", policy.word());
            assert_eq!(class.overflow(3).unwrap(), policy);
        }
        fake.write(3, "overflow", "drop");
        let error = class.overflow(3).unwrap_err().to_string();
        assert_eq!(error, "overflow is \"drop\", which cannot be parsed");
        assert!(class.overflow(4).is_err());
    }

    #[test]
    fn kind_and_history_are_parsed() {
        let fake = FakeClass::new("kind");
        let class = fake.class();
        fake.write(3, "kind", Kind::Queue.word());
        assert_eq!(class.kind(3).unwrap(), Kind::Queue);
        // A queue does not have the file.
        assert_eq!(class.history(3).unwrap(), 0);
        fake.write(3, "kind", Kind::Broadcast.word());
        assert!(class.history(3).is_err());
        fake.write(3, "history", "65536");
        assert_eq!(class.kind(3).unwrap(), Kind::Broadcast);
        assert_eq!(class.history(3).unwrap(), 65_536);
        fake.write(3, "kind", "1");
        let error = class.kind(3).unwrap_err().to_string();
        assert_eq!(error, "kind is \"1\", which cannot be parsed");
        // An older module does not have the files.
        assert!(class.kind(4).is_err() && class.history(4).is_err());
    }

    #[test]
    fn priorities_are_parsed() {
        let fake = FakeClass::new("priorities");
        let class = fake.class();
        fake.write(3, "kind", Kind::Queue.word());
        assert_eq!(class.priorities(3).unwrap(), 1);
        fake.write(3, "priorities", "32");
        assert_eq!(class.priorities(3).unwrap(), 32);
        fake.write(3, "priorities", "many");
        assert!(class.priorities(3).is_err() && class.priorities(4).is_err());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn every_statistic_is_read() {
        let fake = FakeClass::new("stats");
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
            fake.write(3, name, &(value + 1).to_string());
        }
        assert!(fake.class().stats(3).is_err());

        fake.write(3, "flush_enable", "1");
        let stats = fake.class().stats(3).unwrap();
        let json = serde_json::to_value(&stats).unwrap();
        for (value, name) in names.iter().enumerate() {
            assert_eq!(json[name], value + 1, "{name}");
        }
        assert_eq!(stats.id, 3);
        assert_eq!(stats.flags, KMSGPIPE_STATS_FLUSH);
        assert_eq!(stats.head, None);

        fake.write(3, "flush_enable", "0");
        let stats = fake.class().stats(3).unwrap();
        assert_eq!((stats.flags, stats.flush_expiry_ms), (0, 0));

        fake.write(3, "peak_msgs", "many");
        let error = fake.class().stats(3).unwrap_err().to_string();
        assert!(error.contains("peak_msgs is \"many\""), "{error}");
    }
}
