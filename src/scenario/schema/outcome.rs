//! What comes after: the debrief, reports, notices and the next date.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{Date, DurationText, ScenarioId};
use crate::workspace::Window;

/// The longest calendar of freezes that is read, in bytes.
pub const CALENDAR_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How the team talks about it afterwards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Debrief {
    /// The talk right after the run.
    pub hot_wash: Option<DurationText>,
    /// The review meeting.
    pub review: Option<Review>,
    /// What is asked.
    pub questions: Vec<String>,
}

/// The review meeting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// How long after the run.
    pub after: DurationText,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: DurationText,
}

/// When the scenario is run. Nothing starts by itself: `gameday schedule` tells the dates and writes them for other programs. A run
/// keeps the window, the freezes and its distance from other scenarios, but in the embedded sandbox, where nothing outside this
/// machine can be hurt. A time that a change of clocks leaves out runs right after it; one that comes twice runs once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A cron pattern of five fields; `TUE#2` is the second Tuesday of the month.
    pub cron: String,
    /// An IANA time zone; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// How long the people should keep free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationText>,
    /// When a start is allowed. Its time zone is that of the schedule where it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// When none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<Freeze>,
    /// Calendars (`.ics`) of the workspace whose events are times without game days: holidays, change freezes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze_calendars: Vec<String>,
    /// Scenarios from which this one keeps away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_within: Vec<NotWithin>,
    /// How long before a start the people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notice: Option<DurationText>,
}

/// A span of days without game days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The first day: `2026-12-15`.
    pub from: Date,
    /// The last day, included.
    pub to: Date,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A scenario from which another one keeps away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotWithin {
    /// The id of the other scenario.
    pub of: ScenarioId,
    /// How far the two stay apart, before and after.
    pub within: DurationText,
}
