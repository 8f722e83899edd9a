// SPDX-License-Identifier: GPL-2.0

//! The processes that have a pipe open, according to `/proc`.
//!
//! A descriptor is recognised by its fdinfo, whatever the name of its file. The file itself is not looked at:
//! `stat` waits for a network file system whose server does not answer.

use crate::{
    fdinfo::{Fdinfo, Fields},
    passwd,
};
use nix::{errno::Errno, libc};
use serde::Serialize;
use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    process,
};

/// The open files of a pipe.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// The files, ordered by the first process and descriptor of each.
    pub files: Vec<OpenFile>,
    /// Number of processes whose files the caller may not see.
    pub unread_processes: u64,
}

/// An open file, and the processes that have it open.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OpenFile {
    /// What the kernel shows of the file.
    #[serde(flatten)]
    pub info: Fdinfo,
    /// The processes, at least one, ordered by number.
    pub processes: Vec<Process>,
}

/// A process with a descriptor of an open file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Number of the process.
    pub pid: u32,
    /// Name of the program.
    pub command: String,
    /// Real user, which the kernel also records with messages.
    pub uid: u32,
    /// Name of the user, if it has one.
    pub user: Option<String>,
    /// Descriptors of the file, in order.
    pub fds: Vec<u32>,
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Descriptor {
    pid: u32,
    fd: u32,
}

impl Peers {
    /// Finds the open files of the pipe with the number `id`, except those of this process.
    ///
    /// # Errors
    ///
    /// Errors of reading the directory `/proc`. A process that exits meanwhile is skipped.
    pub fn of(id: u32) -> io::Result<Self> {
        Self::find(Path::new("/proc"), id, |pid| pid != process::id(), is_same)
    }

    /// Finds the open files of a pipe in those processes of `proc` that `counts` selects. Descriptors are of one
    /// open file if `is_same` says so.
    fn find(
        proc: &Path,
        id: u32,
        counts: impl Fn(u32) -> bool,
        is_same: impl Fn(Descriptor, Descriptor) -> bool,
    ) -> io::Result<Self> {
        let mut peers = Self::default();
        for pid in numbers_in(proc)?.into_iter().filter(|pid| counts(*pid)) {
            let directory = proc.join(pid.to_string());
            let descriptors = match descriptors(&directory, id) {
                Ok(descriptors) => descriptors,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    let status = Status::read(&directory);
                    peers.unread_processes += u64::from(status.is_some_and(|it| it.has_files));
                    continue;
                }
                Err(_) => continue,
            };
            if descriptors.is_empty() {
                continue;
            }
            let Some(process) = Process::read(&directory, pid) else {
                continue;
            };
            for (fd, info) in descriptors {
                let at = Descriptor { pid, fd };
                let is_known = |file: &&mut OpenFile| is_same(file.first(), at);
                match peers.files.iter_mut().find(is_known) {
                    Some(file) => file.add(&process, fd),
                    None => peers.files.push(OpenFile {
                        info,
                        processes: vec![process.with(fd)],
                    }),
                }
            }
        }
        Ok(peers)
    }
}

impl OpenFile {
    /// Returns a descriptor of the file.
    fn first(&self) -> Descriptor {
        let process = &self.processes[0];
        Descriptor {
            pid: process.pid,
            fd: process.fds[0],
        }
    }

    /// Adds a descriptor of a process, which is the last process of the file or not one of it yet.
    fn add(&mut self, process: &Process, fd: u32) {
        match self.processes.last_mut() {
            Some(last) if last.pid == process.pid => last.fds.push(fd),
            _ => self.processes.push(process.with(fd)),
        }
    }
}

impl Process {
    /// Reads the name and the user of a process. Returns `None` if it has exited.
    fn read(directory: &Path, pid: u32) -> Option<Self> {
        let command = fs::read(directory.join("comm")).ok()?;
        let command = command.strip_suffix(b"\n").unwrap_or(&command);
        let uid = Status::read(directory)?.uid;
        Some(Self {
            pid,
            command: String::from_utf8_lossy(command).into_owned(),
            uid,
            user: passwd::user_name(uid),
            fds: Vec::new(),
        })
    }

    /// Returns the process with one descriptor.
    fn with(&self, fd: u32) -> Self {
        Self {
            fds: vec![fd],
            ..self.clone()
        }
    }
}

/// What `/proc/PID/status` tells.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    /// Real user.
    uid: u32,
    /// Whether the process may have open files: kernel threads and zombies have none.
    has_files: bool,
}

impl Status {
    /// Reads the status of a process. Returns `None` if it has exited.
    fn read(directory: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(directory.join("status")).ok()?)
    }

    /// Parses the contents of `/proc/PID/status`.
    fn parse(text: &str) -> Option<Self> {
        let fields = Fields(text);
        let is_dead = fields.text("State")?.starts_with(['Z', 'X']);
        Some(Self {
            uid: fields.text("Uid")?.split('\t').next()?.parse().ok()?,
            has_files: !is_dead && fields.text("Kthread") != Some("1"),
        })
    }
}

/// Returns the descriptors of a process that are of files of a pipe.
fn descriptors(process: &Path, id: u32) -> io::Result<Vec<(u32, Fdinfo)>> {
    let directory = process.join("fdinfo");
    let mut found = Vec::new();
    for fd in numbers_in(&directory)? {
        match fs::read_to_string(directory.join(fd.to_string())) {
            Ok(text) => {
                let info = Fdinfo::parse(&text).filter(|info| info.id == id);
                found.extend(info.map(|info| (fd, info)));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
            // The descriptor was closed, or the process has exited.
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Returns the names in a directory that are numbers, in order.
fn numbers_in(directory: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Returns whether two descriptors are of one open file. A file that the kernel does not compare is another.
fn is_same(a: Descriptor, b: Descriptor) -> bool {
    compare(a, b) == Ok(0)
}

/// Returns whether the kernel compares open files: it may lack the system call, or a filter may refuse it.
pub fn can_compare() -> bool {
    // Standard error is open: before `main`, the Rust runtime opens /dev/null in place of a closed one.
    let stderr = Descriptor {
        pid: process::id(),
        fd: 2,
    };
    is_same(stderr, stderr)
}

/// Compares the open files of two descriptors by kcmp(2): 0 means that they are the same.
fn compare(a: Descriptor, b: Descriptor) -> nix::Result<libc::c_long> {
    /// `KCMP_FILE` of `linux/kcmp.h`.
    const KCMP_FILE: libc::c_ulong = 0;
    let [pid_a, pid_b, fd_a, fd_b] = [a.pid, b.pid, a.fd, b.fd].map(libc::c_ulong::from);
    // SAFETY: The call takes numbers only.
    Errno::result(unsafe { libc::syscall(libc::SYS_kcmp, pid_a, pid_b, KCMP_FILE, fd_a, fd_b) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fdinfo::tests::text;
    use std::{
        os::fd::{AsRawFd, RawFd},
        path::PathBuf,
    };

    /// A directory like `/proc`, with contents chosen by the test.
    struct FakeProc(PathBuf);

    impl FakeProc {
        fn new(test: &str) -> Self {
            let name = format!("kmsgpipectl-{test}-{}", process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir(&directory).unwrap();
            Self(directory)
        }

        /// Adds a process with descriptors, each of which is a number and its fdinfo.
        fn add(&self, pid: u32, command: &str, status: &str, fds: &[(u32, &str)]) {
            let process = self.0.join(pid.to_string());
            fs::create_dir_all(process.join("fdinfo")).unwrap();
            fs::write(process.join("comm"), format!("{command}\n")).unwrap();
            fs::write(process.join("status"), status).unwrap();
            for (fd, info) in fds {
                fs::write(process.join(format!("fdinfo/{fd}")), info).unwrap();
            }
        }

        fn find(&self, is_same: impl Fn(Descriptor, Descriptor) -> bool) -> Peers {
            Peers::find(&self.0, 7, |pid| pid != 99, is_same).unwrap()
        }
    }

    impl Drop for FakeProc {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Returns the status of a process of this user.
    fn status(uid: u32) -> String {
        format!("Name:\tx\nState:\tS (sleeping)\nUid:\t{uid}\t1\t2\t3\nKthread:\t0\n")
    }

    /// Returns the processes and descriptors of each file, such as `10:3,4 11:3`.
    fn descriptors_of(peers: &Peers) -> Vec<String> {
        let numbers = |fds: &[u32]| {
            let fds: Vec<String> = fds.iter().map(u32::to_string).collect();
            fds.join(",")
        };
        let process = |it: &Process| format!("{}:{}", it.pid, numbers(&it.fds));
        let file = |file: &OpenFile| {
            let processes: Vec<String> = file.processes.iter().map(process).collect();
            processes.join(" ")
        };
        peers.files.iter().map(file).collect()
    }

    #[test]
    fn files_of_the_pipe_are_found_in_order() {
        let fake = FakeProc::new("order");
        let (ours, other) = (text(7, "rw"), text(70, "r"));
        let fds = [
            (10, ours.as_str()),
            (3, &ours),
            (4, &other),
            (5, "pos:\t0\n"),
        ];
        fake.add(12, "late", &status(0), &fds);
        fake.add(5, "two words", &status(4_000_000_000), &[(0, &ours)]);
        fake.add(6, "without", &status(0), &[(0, &other)]);
        fake.add(99, "itself", &status(0), &[(0, &ours)]);
        fs::create_dir(fake.0.join("self")).unwrap();
        // Processes that exit while they are read: nothing is left, or no status.
        fs::create_dir(fake.0.join("13")).unwrap();
        fake.add(14, "gone", "", &[(0, &ours)]);

        let peers = fake.find(|_, _| false);
        assert_eq!(descriptors_of(&peers), ["5:0", "12:3", "12:10"]);
        assert_eq!(peers.unread_processes, 0);
        let process = &peers.files[0].processes[0];
        assert_eq!(
            (process.command.as_str(), process.uid, &process.user),
            ("two words", 4_000_000_000, &None)
        );
        assert_eq!(peers.files[2].info, Fdinfo::parse(&ours).unwrap());
    }

    #[test]
    fn descriptors_of_one_open_file_are_joined() {
        let fake = FakeProc::new("joined");
        let ours = text(7, "rw");
        let fds = [(3, ours.as_str()), (4, &ours), (5, &ours)];
        fake.add(10, "parent", &status(0), &fds);
        fake.add(11, "child", &status(0), &fds);
        // Descriptor 4 is another file than 3 and 5.
        let peers = fake.find(|a, b| (a.fd == 4) == (b.fd == 4));
        assert_eq!(descriptors_of(&peers), ["10:3,5 11:3,5", "10:4 11:4"]);
    }

    #[test]
    fn missing_proc_is_an_error() {
        let result = Peers::find(Path::new("/nonexistent"), 7, |_| true, |_, _| false);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn kernel_threads_and_zombies_have_no_files() {
        let live = "Name:\tx\nState:\tR (running)\nUid:\t1000\t0\t0\t0\nKthread:\t0\n";
        for (text, has_files) in [
            (live.to_string(), true),
            (live.replace("Kthread:\t0\n", ""), true),
            (live.replace("Kthread:\t0", "Kthread:\t1"), false),
            (live.replace("R (running)", "Z (zombie)"), false),
            (live.replace("R (running)", "X (dead)"), false),
        ] {
            let status = Some(Status {
                uid: 1000,
                has_files,
            });
            assert_eq!(Status::parse(&text), status, "{text}");
        }
        for text in ["", "State:\tR\n", "State:\tR\nUid:\tx\n"] {
            assert_eq!(Status::parse(text), None, "{text}");
        }
    }

    #[test]
    fn this_process_is_read_from_proc() {
        let pid = process::id();
        let directory = PathBuf::from(format!("/proc/{pid}"));
        let process = Process::read(&directory, pid).unwrap();
        assert_eq!(process.uid, nix::unistd::getuid().as_raw());
        assert!(!process.command.is_empty() && !process.command.ends_with('\n'));
        assert!(Status::read(&directory).unwrap().has_files);
        assert!(descriptors(&directory, 0).is_ok());
    }

    #[test]
    fn duplicates_are_one_open_file() {
        if !can_compare() {
            eprintln!("this kernel does not compare files");
            return;
        }
        let at = |fd: RawFd| Descriptor {
            pid: process::id(),
            fd: fd.try_into().unwrap(),
        };
        let file = fs::File::open("/dev/null").unwrap();
        let duplicate = file.try_clone().unwrap();
        let again = fs::File::open("/dev/null").unwrap();
        let [file, duplicate, again] = [&file, &duplicate, &again].map(|file| at(file.as_raw_fd()));
        assert!(is_same(file, duplicate));
        assert!(!is_same(file, again));
        let gone = Descriptor {
            pid: u32::MAX,
            fd: 0,
        };
        assert!(!is_same(file, gone) && !is_same(gone, gone));
    }
}
