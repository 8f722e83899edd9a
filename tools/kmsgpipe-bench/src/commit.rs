// SPDX-License-Identifier: GPL-2.0

//! The commit that figures are of.

use anyhow::{ensure, Context, Result};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Sees that whoever reads the name of a commit in a picture can look it up.
///
/// # Errors
///
/// If what was measured had changes that are in no commit, or is not in the history of the checkout that
/// a directory is in.
pub fn in_history(commit: &str, directory: &Path) -> Result<()> {
    ensure!(
        !commit.ends_with("-dirty"),
        "a picture names the commit of its figures, but {commit} had changes that are in none: commit them, and measure again"
    );
    let known = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["merge-base", "--is-ancestor", commit, "HEAD"])
        .stderr(Stdio::null())
        .status()
        .context("git, which knows the commits")?;
    ensure!(
        known.success(),
        "a picture names the commit of its figures, but {commit} is not in the history of this checkout: measure again"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, path::PathBuf, process};

    /// A repository with one commit, which is removed in the end.
    struct Repository {
        /// Where it is.
        directory: PathBuf,
    }

    impl Repository {
        fn new() -> Self {
            let directory = env::temp_dir().join(format!("kmsgpipe-commit-{}", process::id()));
            fs::create_dir(&directory).unwrap();
            let made = Self { directory };
            made.git(&["init", "--quiet"]);
            made.git(&["commit", "--quiet", "--allow-empty", "--message=one"]);
            made
        }

        /// What git says, whatever is configured here.
        fn git(&self, arguments: &[&str]) -> String {
            let output = Command::new("git")
                .arg("-C")
                .arg(&self.directory)
                .args(["-c", "user.name=a", "-c", "user.email=a@localhost"])
                .args(arguments)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }

        /// Why its name is refused, if it is.
        fn refusal(&self, commit: &str) -> Option<String> {
            let refusal = in_history(commit, &self.directory).err();
            refusal.map(|error| error.to_string())
        }
    }

    impl Drop for Repository {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    #[test]
    fn a_commit_is_one_that_can_be_looked_up() {
        let repository = Repository::new();
        let commit = repository.git(&["describe", "--always", "--dirty"]);
        assert_eq!(repository.refusal(&commit), None);

        let refusal = repository.refusal(&format!("{commit}-dirty")).unwrap();
        assert!(refusal.contains("-dirty had changes that are in none"));
        let refusal = repository.refusal("unknown").unwrap();
        assert!(refusal.contains("unknown is not in the history"));

        // What was amended after it was measured: its object is still there.
        repository.git(&["commit", "--amend", "--allow-empty", "--message=other"]);
        let refusal = repository.refusal(&commit).unwrap();
        assert!(refusal.contains(&format!("{commit} is not in the history")));
        let commit = repository.git(&["describe", "--always", "--dirty"]);
        assert_eq!(repository.refusal(&commit), None);
    }
}
