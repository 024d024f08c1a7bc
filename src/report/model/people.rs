//! What people were to do, what they did and said, and what they are asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::debrief::Record;

/// A step for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its id.
    pub step: String,
    /// What was to be done.
    pub text: String,
    /// Who was to do it.
    pub owner: Option<String>,
    /// Whether it had to be done.
    pub must: bool,
    /// The playbook that it comes from.
    pub playbook: Option<String>,
    /// The phase in which it was opened.
    pub phase: Option<String>,
    /// When it was opened.
    pub opened_ms: u64,
    /// When it was due.
    pub due_ms: Option<u64>,
    /// When it was closed; none where it was left open.
    pub closed_ms: Option<u64>,
    /// Whether its time passed before it was done.
    pub overdue: bool,
    /// By how much, up to its end or the run's.
    pub late_ms: Option<u64>,
    /// `done`, `skipped`, `rehearsed` or `left_open`.
    pub outcome: String,
    /// Why it was skipped.
    pub why: Option<String>,
    /// Who closed it.
    pub by: Option<String>,
}

/// How a playbook, or the checklists, went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Playbook {
    /// Its id; none for the phases' own checklists.
    pub playbook: Option<String>,
    /// All its steps that were opened.
    pub step_count: usize,
    /// Those that people did.
    pub done_count: usize,
    /// Those that people did in time.
    pub in_time_count: usize,
    /// Those whose time passed.
    pub overdue_count: usize,
    /// Those left out on purpose.
    pub skipped_count: usize,
    /// Those answered by `--yes`.
    pub rehearsed_count: usize,
    /// Those still open at the end.
    pub left_open_count: usize,
}

/// What a person said, or was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEntry {
    /// When.
    pub at_ms: u64,
    /// `mark`, `note`, `acknowledgement` or `inject`.
    pub kind: String,
    /// The text, or the mark's name.
    pub text: String,
    /// Who said it.
    pub by: Option<String>,
    /// To whom it was said.
    pub to: Option<String>,
    /// The fault that it belongs to.
    pub fault: Option<String>,
}

/// The talk afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Debrief {
    /// The talk right after the run.
    pub hot_wash_ms: Option<u64>,
    /// How long after the run the review is.
    pub review_after_ms: Option<u64>,
    /// How long it lasts.
    pub review_length_ms: Option<u64>,
    /// What is asked; the answers are for people to write.
    pub questions: Vec<String>,
    /// How long it took; none where it was not held, or nobody wrote that down.
    pub held_ms: Option<u64>,
    /// What was said; none before anybody said anything.
    pub record: Option<Record>,
    /// Why `debrief.yaml` could not be read.
    pub unread: Option<String>,
}
