// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl doctor`.

mod checks;

use super::{print, unwritable};
use crate::{failure::Failure, style::Paint};
use kmsgpipe::Class;
use serde::{Serialize, Serializer};

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// No problem.
    Ok,
    /// Possibly intended.
    Note,
    /// A problem.
    Failed,
}

/// A check and its result.
#[derive(Clone, Debug, Serialize)]
struct Check {
    /// Name of the check.
    check: &'static str,
    status: Status,
    /// What was found.
    found: String,
    /// How to fix it.
    mend: Option<String>,
    /// Kind of failure, which is an exit code in JSON.
    #[serde(rename = "exit", serialize_with = "exit_code")]
    class: Option<Class>,
}

impl Check {
    /// Creates the result of a check without problems.
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Ok,
            found: found.into(),
            mend: None,
            class: None,
        }
    }

    /// Creates a result that may be intended.
    fn note(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            status: Status::Note,
            mend: Some(mend.into()),
            ..Self::ok(check, found)
        }
    }

    /// Creates the result of a failed check.
    fn failed(
        check: &'static str,
        class: Class,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Failed,
            class: Some(class),
            ..Self::note(check, found, mend)
        }
    }

    /// Formats the result as text.
    fn text(&self, paint: Paint) -> String {
        let status = match self.status {
            Status::Ok => paint.good("ok    "),
            Status::Note => paint.warning("note  "),
            Status::Failed => paint.bad("failed"),
        };
        let mut text = format!("{status}  {:<11}  {}\n", self.check, self.found);
        if let Some(mend) = &self.mend {
            text += &format!("{:21}{mend}\n", "");
        }
        text
    }
}

/// Serializes a class as its exit code.
fn exit_code<S: Serializer>(class: &Option<Class>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(class.map_or(0, Class::exit_code))
}

/// The JSON form of all checks.
#[derive(Serialize)]
struct Findings {
    schema: u32,
    ok: bool,
    checks: Vec<Check>,
}

/// Checks the installation, and suggests fixes.
pub fn doctor(json: bool) -> Result<(), Failure> {
    let checks = checks::all();
    let failed: Vec<Class> = checks.iter().filter_map(|check| check.class).collect();
    let number = checks.len();
    if json {
        let findings = Findings {
            schema: 1,
            ok: failed.is_empty(),
            checks,
        };
        let line = serde_json::to_string(&findings).map_err(unwritable)?;
        print(&(line + "\n"))?;
    } else {
        let paint = Paint::stdout();
        print(
            &checks
                .iter()
                .map(|check| check.text(paint))
                .collect::<String>(),
        )?;
    }
    match failed.first() {
        None => Ok(()),
        Some(class) => {
            let message = format!("{} of {number} checks failed", failed.len());
            Err(Failure::new(*class, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn failed_check_prints_its_fix() {
        let check = Check::failed("module", Class::NotFound, "not loaded", "load it");
        let lines = "failed  module       not loaded\n                     load it\n";
        assert_eq!(check.text(Paint::plain()), lines);
        assert_eq!(
            serde_json::to_value(&check).unwrap(),
            json!({
                "check": "module",
                "status": "failed",
                "found": "not loaded",
                "mend": "load it",
                "exit": 3,
            })
        );
    }

    #[test]
    fn passed_check_prints_one_line() {
        let check = Check::ok("proc", "fine");
        assert_eq!(check.text(Paint::plain()), "ok      proc         fine\n");
        let json = serde_json::to_value(&check).unwrap();
        assert_eq!(json["status"], "ok");
        assert_eq!(json["mend"], serde_json::Value::Null);
        assert_eq!(json["exit"], 0);
    }
}
