// SPDX-License-Identifier: GPL-2.0

//! Check of the commit that was measured.

use anyhow::{ensure, Context, Result};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Checks that a picture names a commit that readers can look up.
///
/// # Errors
///
/// The measured tree had uncommitted changes, or its commit is not an ancestor of `HEAD` in the checkout that
/// contains `directory`.
pub fn in_history(commit: &str, directory: &Path) -> Result<()> {
    ensure!(
        !commit.ends_with("-dirty"),
        "a picture names the measured commit, but {commit} had uncommitted changes: commit them, and measure again"
    );
    let known = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["merge-base", "--is-ancestor", commit, "HEAD"])
        .stderr(Stdio::null())
        .status()
        .context("running git")?;
    ensure!(
        known.success(),
        "a picture names the measured commit, but {commit} is not in the history of this checkout: measure again"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, path::PathBuf, process};

    /// A temporary repository with one commit.
    struct Repository {
        /// Root directory.
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

        /// Runs git without user configuration, and returns its output.
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

        /// Returns the error for a commit, if it is rejected.
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
    fn only_commits_in_history_are_accepted() {
        let repository = Repository::new();
        let commit = repository.git(&["describe", "--always", "--dirty"]);
        assert_eq!(repository.refusal(&commit), None);

        let refusal = repository.refusal(&format!("{commit}-dirty")).unwrap();
        assert!(refusal.contains("-dirty had uncommitted changes"));
        let refusal = repository.refusal("unknown").unwrap();
        assert!(refusal.contains("unknown is not in the history"));

        // A commit that was amended after measuring still exists as an object.
        repository.git(&["commit", "--amend", "--allow-empty", "--message=other"]);
        let refusal = repository.refusal(&commit).unwrap();
        assert!(refusal.contains(&format!("{commit} is not in the history")));
        let commit = repository.git(&["describe", "--always", "--dirty"]);
        assert_eq!(repository.refusal(&commit), None);
    }
}
