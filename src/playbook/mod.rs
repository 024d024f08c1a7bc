//! Playbooks and runbooks: Markdown with YAML front matter, whose task-list items are steps.
//!
//! Owns: the chips of a step, the attributes of a command block, how a mistake in them is told, and the record of a walk through a
//! playbook outside of any run. Must not know: scenarios, runs.
//!
//! ```text
//! - [ ] Say "I am investigating" `id:claim` `owner:responder` `within:2m` `must`
//! ```
//! Chips stand in inline code at the end of an item: `id:`, `owner:`, `within:`, `must`, `evidence:`, `needs:`. A step with no
//! `id:` gets one from its words, which changes when they do; steps that runs are compared by should have their own.

mod attributes;
mod chips;
mod known;
mod link;
mod outline;
mod parse;
mod shell;
mod walk;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use known::{AlarmPlace, Known};
pub use outline::{Link, Outline, Part, PartKind};
pub use shell::Shell;
pub use walk::{Walk, WalkEntry, WalkError, WalkEvent, exercised_in};

use crate::document::{Diagnostic, Severity, SourceFile};
pub use crate::unit::Evidence;
use crate::unit::{AlarmName, ComponentId, PersonId, PlaybookId, StepId, Within};

/// The front matter of a playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrontMatter {
    /// Its id, by which phases and `steps(…)` name it.
    pub id: PlaybookId,
    /// Whether it investigates or carries out; default `playbook`.
    #[serde(default)]
    pub kind: PlaybookKind,
    /// What it is for, in one line.
    pub title: String,
    /// The team that keeps it right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Alarms that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<AlarmName>,
    /// Components that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<ComponentId>,
    /// Well-Architected questions that it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<String>,
}

/// What a playbook is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaybookKind {
    /// Investigate a symptom.
    #[default]
    Playbook,
    /// Carry out a known procedure.
    Runbook,
}

/// A playbook that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Playbook {
    /// Its id.
    pub id: PlaybookId,
    /// What it is for.
    pub kind: PlaybookKind,
    /// Its title.
    pub title: String,
    /// The team that keeps it right.
    pub owner: Option<String>,
    /// Alarms that lead to it.
    pub alarms: Vec<AlarmName>,
    /// Components that it is about.
    pub components: Vec<ComponentId>,
    /// Well-Architected questions that it answers.
    pub ops: Vec<String>,
    /// The headings under which steps stand, in the order of the text.
    pub sections: Vec<String>,
    /// The steps, in the order of the text.
    pub steps: Vec<PlaybookStep>,
    /// The command blocks, in the order of the text.
    pub commands: Vec<PlaybookCommand>,
    /// Everything that stands in it, from top to bottom.
    pub outline: Outline,
    /// What is doubtful.
    pub warnings: Vec<Diagnostic>,
    /// The text.
    pub source: Arc<SourceFile>,
}

/// A step: one item of a task list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookStep {
    /// Its id, unique in the playbook.
    pub id: StepId,
    /// What is to be done, as plain text without chips.
    pub text: String,
    /// The heading under which it stands.
    pub section: Option<String>,
    /// Who does it, a role.
    pub owner: Option<PersonId>,
    /// After this, from the start of the phase or from what it names, it is overdue.
    pub within: Option<Within>,
    /// Whether it must be done.
    pub must: bool,
    /// What has to be noted when it is done.
    pub evidence: Option<Evidence>,
    /// The role that must agree first.
    pub needs: Option<PersonId>,
}

/// A code block with attributes: a command that may be run from the playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookCommand {
    /// Its name, unique in the playbook.
    pub name: String,
    /// The block's language: `sh`.
    pub language: String,
    /// The command.
    pub text: String,
    /// The heading under which it stands.
    pub section: Option<String>,
    /// How long it may take; default 30 s.
    pub timeout: Duration,
    /// Whether it changes nothing.
    pub readonly: bool,
    /// Whether a person confirms each use by its name: always where it is not readonly.
    pub confirm: bool,
    /// A regular expression that must be found in what it writes to its standard output.
    pub expect: Option<String>,
}

impl PlaybookCommand {
    /// What runs it; none where nothing here can.
    #[must_use]
    pub fn shell(&self) -> Option<Shell> {
        Shell::of(&self.language)
    }

    /// Whether an output is what it should be.
    ///
    /// # Errors
    /// It is not; a lowercase fragment.
    pub fn meets(&self, output: &str) -> Result<(), String> {
        let Some(text) = &self.expect else { return Ok(()) };
        match attributes::expectation(text) {
            Ok(expected) if expected.is_match(output) => Ok(()),
            Ok(_) => Err(format!("its output has nothing like `{text}`")),
            Err(error) => Err(format!("`{text}` is no regular expression: {error}")),
        }
    }
}

/// Reads and checks a playbook.
///
/// # Errors
/// Every problem of the file; warnings are among them.
pub fn load(path: &Path) -> Result<Playbook, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    check(&source)
}

/// Checks the text of a playbook, as [`load`] does.
///
/// # Errors
/// Every problem of the text; warnings are among them.
pub fn check(source: &Arc<SourceFile>) -> Result<Playbook, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let playbook = parse::read(source, &mut problems);
    problems.sort_by_key(|problem| problem.span.start);
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match playbook {
        Some(playbook) if !has_errors => Ok(Playbook { warnings: problems, ..playbook }),
        Some(_) | None => Err(problems),
    }
}
