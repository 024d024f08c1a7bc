//! Approvals: that somebody in a role agreed to exactly this plan, as a file that is committed with the workspace. It is a
//! record, and no proof: whoever may write to the repository may write one.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Decoder, Diagnostic, SourceFile, Tree};
use crate::unit::{FileError, PersonId, ScenarioId};

/// The folder of approvals in a workspace.
const FOLDER: &str = "approvals";
/// The version of the file format.
const FORMAT: u32 = 1;
/// For how long somebody agrees: a week in which what stands around the plan changes little.
pub const APPROVAL_LASTS: TimeDelta = TimeDelta::days(7);
/// The longest name and the longest note.
const TEXT_CHARS_MAX: usize = 500;

/// `approvals/SCENARIO/ENVIRONMENT/ROLE.yaml`: one role's consent. A new one of the role takes the old one's place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The version of the file format: 1.
    pub gameday: u32,
    /// The scenario.
    pub scenario: String,
    /// The environment.
    pub environment: String,
    /// The role of the one who agrees.
    pub role: String,
    /// Who it is.
    pub by: String,
    /// When, in UTC. It holds for seven days.
    pub at: String,
    /// SHA-256 of the plan: another plan was not agreed to.
    pub plan_sha256: String,
    /// What else is to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why an approval can not be given.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// A name or a note that is empty, or too long.
    #[error("`{0}` must have 1 to 500 characters on one line")]
    Text(&'static str),
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Approval {
    /// Somebody's consent to the plan of that digest.
    ///
    /// # Errors
    /// A name or a note that is empty or too long.
    pub fn new(
        (scenario, environment, role): (&ScenarioId, &str, &PersonId),
        by: &str,
        note: Option<&str>,
        plan_sha256: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, ApprovalError> {
        let text = |key, text: &str| {
            let text = text.trim();
            let is_right =
                !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX && !text.contains(char::is_control);
            if is_right { Ok(text.to_owned()) } else { Err(ApprovalError::Text(key)) }
        };
        Ok(Self {
            gameday: FORMAT,
            scenario: scenario.to_string(),
            environment: environment.to_owned(),
            role: role.to_string(),
            by: text("by", by)?,
            at: now.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            plan_sha256: plan_sha256.to_owned(),
            note: note.map(|note| text("note", note)).transpose()?,
        })
    }

    /// Where the consent of a role stands in the workspace at `root`.
    #[must_use]
    pub fn path(root: &Path, scenario: &ScenarioId, environment: &str, role: &PersonId) -> PathBuf {
        root.join(FOLDER).join(scenario.as_str()).join(environment).join(format!("{role}.yaml"))
    }

    /// Writes it, and tells where.
    ///
    /// # Errors
    /// The file system said no.
    pub fn write(&self, path: &Path) -> Result<(), ApprovalError> {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut lines = vec![
            "# Written by `gameday approve`; it is good for this plan alone, and for seven days.".to_owned(),
            format!("gameday: {}", self.gameday),
        ];
        // What JSON quotes, YAML reads.
        for (key, value) in [
            ("scenario", Some(&self.scenario)),
            ("environment", Some(&self.environment)),
            ("role", Some(&self.role)),
            ("by", Some(&self.by)),
            ("at", Some(&self.at)),
            ("plan_sha256", Some(&self.plan_sha256)),
            ("note", self.note.as_ref()),
        ] {
            lines.extend(value.map(|value| format!("{key}: {}", text(value))));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(FileError::on("create", folder))?;
        }
        Ok(std::fs::write(path, lines.join("\n") + "\n").map_err(FileError::on("write", path))?)
    }

    /// Reads it; none where there is none.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn read(path: &Path) -> Result<Option<Self>, Vec<Diagnostic>> {
        if !path.exists() {
            return Ok(None);
        }
        let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
        let mut problems = Vec::new();
        let Some(tree) = Tree::parse(&source, &mut problems) else { return Err(problems) };
        let (approval, _, found) = Decoder::new(tree).finish::<Self>();
        problems.extend(found);
        match approval {
            Some(approval) if problems.is_empty() => Ok(Some(approval)),
            Some(_) | None => Err(problems),
        }
    }

    /// When it was given; none where that is no moment.
    #[must_use]
    pub fn given_at(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.at).ok().map(|at| at.to_utc())
    }

    /// Why it does not stand for a plan; none where it does.
    #[must_use]
    pub fn objection(
        &self,
        (scenario, environment, role): (&ScenarioId, &str, &PersonId),
        plan_sha256: &str,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let Some(at) = self.given_at() else { return Some(format!("`at: {}` is no moment", self.at)) };
        let is_about =
            self.scenario == scenario.as_str() && self.environment == environment && self.role == role.as_str();
        if self.gameday != FORMAT || !is_about {
            Some("its file is about something else".to_owned())
        } else if self.plan_sha256 != plan_sha256 {
            Some("the scenario, its playbooks or its environment have changed since".to_owned())
        } else if now >= at + APPROVAL_LASTS {
            Some(format!("it was given on {}, and holds for seven days", at.format("%Y-%m-%d")))
        } else if at > now + TimeDelta::hours(1) {
            Some(format!("`at: {}` lies ahead", self.at))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> (ScenarioId, PersonId) {
        ("shop".parse().unwrap(), "owner".parse().unwrap())
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn what_was_written_is_read_whatever_its_texts_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (scenario, role) = about();
        let path = Approval::path(folder.path(), &scenario, "prod", &role);
        assert_eq!(Approval::read(&path), Ok(None));
        let note = "\"quoted\": # no comment, 'ä', \\ and ${vars}";
        let given = Approval::new((&scenario, "prod", &role), " maria@example ", Some(note), "abc", now()).unwrap();
        given.write(&path).unwrap();
        let read = Approval::read(&path).unwrap().unwrap();
        assert_eq!((&read, read.by.as_str(), read.note.as_deref()), (&given, "maria@example", Some(note)));
        assert!(path.ends_with("approvals/shop/prod/owner.yaml"));

        std::fs::write(&path, "gameday: 1\nscenario: shop\nbyy: me\n").unwrap();
        let codes: Vec<&str> = Approval::read(&path).unwrap_err().iter().map(|problem| problem.code).collect();
        assert!(codes.contains(&"unknown-key") && codes.contains(&"missing-key"), "{codes:?}");
    }

    #[test]
    fn it_stands_for_one_plan_and_for_a_week() {
        let (scenario, role) = about();
        let given = Approval::new((&scenario, "prod", &role), "maria", None, "abc", now()).unwrap();
        let objection = |environment: &str, digest: &str, days: i64| {
            let text = given.objection((&scenario, environment, &role), digest, now() + TimeDelta::days(days));
            text.unwrap_or_default()
        };
        assert_eq!(objection("prod", "abc", 6), "");
        assert_eq!(objection("prod", "abd", 0), "the scenario, its playbooks or its environment have changed since");
        assert!(objection("prod", "abc", 7).contains("holds for seven days"));
        assert!(objection("prod", "abc", -1).contains("lies ahead"));
        assert!(objection("staging", "abc", 0).contains("something else"));
        for (by, note) in [("", None), ("a\nb", None), ("maria", Some(""))] {
            assert!(Approval::new((&scenario, "prod", &role), by, note, "abc", now()).is_err(), "{by:?} {note:?}");
        }
    }
}
