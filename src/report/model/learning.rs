//! What comes of a run: lessons, actions, the questions of the Well-Architected Framework, and what it took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::Date;

/// A lesson that the run touched or tested again, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LessonRow {
    /// Its id.
    pub id: String,
    /// What was learnt.
    pub title: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Where it stood when the run began: `open`, `mitigated`, `verified`, `regressed` or `retired`.
    pub before: String,
    /// Where it stands since the run; none where the run did not test it.
    pub after: Option<String>,
    /// What the run has shown of it, in words.
    pub note: Option<String>,
    /// Who sees to it.
    pub owner: Option<String>,
    /// The day by which it must be tested again.
    pub retest_by: Option<Date>,
    /// Whether a hypothesis of this scenario tests it.
    pub is_tested_here: bool,
}

/// An action that concerns what the run touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionRow {
    /// Its id.
    pub id: String,
    /// What is to be done.
    pub text: String,
    /// `prevent`, `detect`, `mitigate` or `process`.
    pub kind: String,
    /// Who does it.
    pub owner: String,
    /// By when.
    pub due: Date,
    /// `open`, `done` or `dropped`.
    pub status: String,
    /// Where it is followed up.
    pub tracker: Option<String>,
    /// What tests it again.
    pub retest: Option<String>,
    /// Whether it came of this run.
    pub is_of_this_run: bool,
}

/// A question of the Well-Architected Framework, and what the run says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Practice {
    /// Its id: `OPS8`.
    pub question: String,
    /// What it is about.
    pub about: String,
    /// Whether the scenario says that it exercises it.
    pub is_covered: bool,
    /// `exercised`, `gap` (a finding is about it), `unknown` (covered, but the run came to no verdict) or `not_covered`.
    pub state: String,
    /// The findings that are about it.
    pub findings: Vec<String>,
    /// A text for the notes of the Well-Architected Tool: at most 2,084 characters (AWS: UpdateAnswer).
    pub note: String,
}

/// What the run took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effort {
    /// How many people the scenario names.
    pub people_count: usize,
    /// How long the run took.
    pub run_ms: u64,
    /// How long the debrief took; none where it was not held, or nobody wrote that down.
    pub debrief_ms: Option<u64>,
    /// Hours of people, in the run and its debrief; none where nobody is named or took part, or where nobody wrote down how long the
    /// debrief took.
    pub person_hours: Option<f64>,
    /// Requests that the loads made.
    pub request_count: u64,
    /// What is known of AWS's price, in words.
    pub cost: String,
}
