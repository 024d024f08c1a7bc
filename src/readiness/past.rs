//! The last result, and what became worse or better since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::judge::Readiness;
use super::outcome::Outcome;
use crate::plan::Plan;
use crate::unit::{CheckId, FileError};

/// Where results are kept, below the folder of reports.
const FOLDER: &str = "readiness";
/// The version of a kept result.
const FORMAT: u32 = 1;
/// How long a kept result may be, in bytes.
const KEPT_BYTES_MAX: u64 = 4 << 20;

/// Why a result can not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The file can not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not what was kept.
    #[error("`{}` is no result of readiness: take it away to begin anew", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// It is of a newer program.
    #[error("`{}` has version {format} of the format, and this program reads version {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its version.
        format: u32,
    },
    /// It is too long to be one of ours.
    #[error("`{}` is too long to be a result of readiness", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// A result as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The version of the format: 1.
    pub format: u32,
    /// When the account was asked.
    pub at: DateTime<Utc>,
    /// What came of each check.
    pub outcomes: BTreeMap<CheckId, Outcome>,
}

/// What became of a check since the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// The check.
    pub id: CheckId,
    /// Its result then: `pass`.
    pub before: &'static str,
    /// Its result now.
    pub after: &'static str,
    /// Whether it became worse.
    pub is_worse: bool,
}

fn path(reports: &Path, plan: &Plan) -> PathBuf {
    reports.join(FOLDER).join(format!("{}-{}.json", plan.scenario.id, plan.environment.name))
}

/// The last result; none where there is none yet.
///
/// # Errors
/// It can not be read.
pub fn read_kept(reports: &Path, plan: &Plan) -> Result<Option<Kept>, PastError> {
    let path = path(reports, plan);
    let length = match std::fs::metadata(&path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::on("read", &path)(error).into()),
    };
    if length > KEPT_BYTES_MAX {
        return Err(PastError::TooLong { path });
    }
    let text = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|source| PastError::Broken { path: path.clone(), source })?;
    if kept.format == FORMAT { Ok(Some(kept)) } else { Err(PastError::Format { path, format: kept.format }) }
}

/// Keeps a result in the place of the last one; gives back its file.
///
/// # Errors
/// It can not be written.
pub fn keep(reports: &Path, plan: &Plan, readiness: &Readiness) -> Result<PathBuf, PastError> {
    let path = path(reports, plan);
    let outcomes = readiness.checks.iter().map(|check| (check.id, check.outcome.clone())).collect();
    let kept = Kept { format: FORMAT, at: readiness.at, outcomes };
    let text = serde_json::to_string_pretty(&kept).expect("invariant: a result serialises to JSON");
    let folder = path.parent().unwrap_or(reports);
    std::fs::create_dir_all(folder).map_err(FileError::on("create", folder))?;
    // A reader sees the old one or the new one.
    let partial = path.with_extension("json.partial");
    std::fs::write(&partial, text).map_err(FileError::on("write", &partial))?;
    std::fs::rename(&partial, &path).map_err(FileError::on("write", &path))?;
    Ok(path)
}

/// What became worse, then what became better. A check that is new, or has nothing to look at any more, is neither.
#[must_use]
pub fn shifts(before: &Kept, now: &Readiness) -> Vec<Shift> {
    let shift = |check: &super::judge::CheckResult| {
        let before = before.outcomes.get(&check.id)?;
        let (then, now) = (before.rank(), check.outcome.rank());
        let (id, before, after) = (check.id, before.name(), check.result);
        (then != now).then_some(Shift { id, before, after, is_worse: now > then })
    };
    let mut shifts: Vec<Shift> = now.checks.iter().filter_map(shift).collect();
    shifts.sort_by_key(|shift| (!shift.is_worse, shift.id));
    shifts
}
