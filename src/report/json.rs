//! The model as it is: the stable contract, from which the other formats are made.

use super::model::Report;

/// The report as indented JSON with a line break at its end.
#[must_use]
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("invariant: our own values serialise to JSON");
    text.push('\n');
    text
}
