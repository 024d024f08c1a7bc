//! The workspace around a scenario: `gameday.yaml`, `workload.yaml`, account binding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A span of the week in which runs may start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days: `MON-THU`, or `MON,WED`.
    pub days: String,
    /// The first time of day: `09:00`.
    pub from: String,
    /// The last time of day: `15:00`.
    pub to: String,
    /// An IANA time zone; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}
