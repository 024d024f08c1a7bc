//! Dates for other programs: calendars invite people, and what starts jobs starts only what may run by itself.
//!
//! Owns: what may be exported where. Must not know: files on disk.

pub mod eventbridge;
pub mod github;
pub mod ics;
mod pattern;
pub mod systemd;

use chrono::{DateTime, TimeDelta, Utc};

use super::Entry;
use crate::scenario::Mode;
use crate::workspace::{Class, Environment};

/// How far ahead changes of clocks are told in a file's comment.
const CLOCKS_AHEAD: TimeDelta = TimeDelta::days(2 * 366);

/// How many of them.
const CLOCKS_MAX: usize = 4;

/// Why a schedule can not be exported so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// People take part.
    #[error(
        "`{id}` is a {mode}: people take part, so that it never starts by itself; invite them with `--to ics`, or make it a `mode: \
         regression`"
    )]
    Attended {
        /// The scenario.
        id: String,
        /// Its mode.
        mode: &'static str,
    },
    /// Customers depend on the environment.
    #[error(
        "customers depend on environment `{environment}`: a run there is begun by somebody who says that they know, with \
         `gameday run --production {environment}`"
    )]
    Production {
        /// The environment.
        environment: String,
    },
    /// A name that could mean something else where it is put.
    #[error(
        "`{name}` can not be written into a command: use letters, digits, `.`, `_`, `-` and `/`, and no `-` at the start"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The pattern.
    #[error("{format} can not express `{cron}`: {why}")]
    Pattern {
        /// The file's format.
        format: &'static str,
        /// The pattern.
        cron: String,
        /// Why, and what to do.
        why: String,
    },
}

/// A run that starts by itself: what is written into the files that start it.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    entry: &'a Entry,
    file: String,
    environment: String,
    /// Comments, one a line.
    notes: Vec<String>,
}

impl<'a> Job<'a> {
    /// A job that runs a scenario in an environment. Its notes are of the time after `now`.
    ///
    /// # Errors
    /// It needs people, or customers depend on the environment, or a name can not be written into a command.
    pub fn of(entry: &'a Entry, environment: &Environment, now: DateTime<Utc>) -> Result<Self, ExportError> {
        Self::attended(entry)?;
        let id = &entry.scenario.id;
        if environment.class == Class::Production {
            return Err(ExportError::Production { environment: environment.name.clone() });
        }
        let file = plain_name(&entry.file.to_string_lossy())?;
        let environment = plain_name(&environment.name)?;
        let left_out = entry.recurrence.left_out(now, now + CLOCKS_AHEAD, CLOCKS_MAX);
        let about_clocks = left_out.iter().map(|time| {
            format!(
                "{} does not come in {}: the clocks change, and this date may be left out or come later.",
                time.format("%Y-%m-%d %H:%M"),
                entry.recurrence.zone
            )
        });
        let notes = [
            format!("Starts `{id}` in `{environment}`. Made by `gameday schedule export`: make it anew when the schedule changes."),
            "The run looks at window, freezes and neighbours itself, and ends with exit code 7 where it must not begin.".to_owned(),
            "A date that was missed is never caught up.".to_owned(),
        ];
        Ok(Self { entry, file, environment, notes: notes.into_iter().chain(about_clocks).collect() })
    }

    /// Refuses a scenario that needs people.
    ///
    /// # Errors
    /// See [`ExportError::Attended`].
    pub fn attended(entry: &Entry) -> Result<(), ExportError> {
        let mode = match entry.scenario.mode {
            Mode::Regression => return Ok(()),
            Mode::Drill => "drill",
            Mode::Tabletop => "tabletop",
        };
        Err(ExportError::Attended { id: entry.scenario.id.to_string(), mode })
    }

    fn id(&self) -> &str {
        self.entry.scenario.id.as_str()
    }

    fn command(&self) -> String {
        format!("gameday run {} --env {}", self.file, self.environment)
    }

    fn comment(&self) -> String {
        self.notes.iter().map(|note| format!("# {note}\n")).collect()
    }

    fn refuse(&self, format: &'static str, why: impl Into<String>) -> ExportError {
        let cron = self.entry.scenario.schedule.as_ref().map(|schedule| schedule.cron.clone()).unwrap_or_default();
        ExportError::Pattern { format, cron, why: why.into() }
    }

    fn to_yaml(&self, value: &serde_json::Value) -> String {
        let yaml = serde_yaml::to_string(value).expect("invariant: JSON values are YAML");
        let lines: String = yaml.lines().map(|line| format!("{}\n", quoted(line))).collect();
        format!("{}{lines}", self.comment())
    }
}

/// Words that YAML 1.1 takes for truth values. CloudFormation reads that version; our library writes YAML 1.2, where they are texts.
const TRUTH_VALUES: [&str; 6] = ["on", "off", "yes", "no", "y", "n"];

/// A line whose value is such a word, in quotes.
fn quoted(line: &str) -> String {
    match line.rsplit_once(": ") {
        Some((key, value)) if TRUTH_VALUES.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
            format!("{key}: \"{value}\"")
        }
        Some(_) | None => line.to_owned(),
    }
}

fn plain_name(name: &str) -> Result<String, ExportError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let is_good = !name.is_empty() && name.chars().all(is_plain) && !name.starts_with('-');
    is_good.then(|| name.to_owned()).ok_or_else(|| ExportError::Name { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::{entry, staging};

    pub(super) fn now() -> DateTime<Utc> {
        "2026-11-28T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_drill_is_invited_and_never_started() {
        let mut drill = entry("a", "{cron: 0 10 * * *}");
        let refused = Job::of(&drill, &staging(), now()).unwrap_err().to_string();
        assert!(refused.starts_with("`a` is a drill: people take part"), "{refused}");
        drill.scenario.mode = Mode::Tabletop;
        assert!(Job::of(&drill, &staging(), now()).unwrap_err().to_string().starts_with("`a` is a tabletop"));
        drill.scenario.mode = Mode::Regression;
        assert!(Job::of(&drill, &staging(), now()).is_ok());
        let mut production = staging();
        production.class = Class::Production;
        assert!(matches!(Job::of(&drill, &production, now()), Err(ExportError::Production { .. })));
    }

    #[test]
    fn a_name_that_means_something_to_a_shell_is_refused_and_clocks_are_told() {
        let mut job = entry("a", "{cron: 30 3 * * *, timezone: Europe/Helsinki}");
        job.scenario.mode = Mode::Regression;
        let notes = Job::of(&job, &staging(), now()).unwrap().comment();
        assert!(notes.contains("# 2027-03-28 03:30 does not come in Europe/Helsinki"), "{notes}");
        for name in ["scenarios/a;rm.yaml", "a b.yaml", "-a.yaml", "${{ x }}.yaml", "a\n.yaml"] {
            job.file = name.into();
            assert!(matches!(Job::of(&job, &staging(), now()), Err(ExportError::Name { .. })), "{name}");
        }
    }
}
