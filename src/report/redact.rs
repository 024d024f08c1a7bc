//! Blacking out what must not leave the house, as the last pass over every text of a report.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::model::Report;
pub use crate::unit::Redaction;
use crate::unit::redact_value;

impl Report {
    /// The report with every text blacked out as asked. Digests and ids are texts too, but hold neither.
    #[must_use]
    pub fn redacted(&self, redactions: &[Redaction]) -> Self {
        redacted(self, redactions)
    }
}

/// The value with every text blacked out as asked.
pub(super) fn redacted<T: Clone + Serialize + DeserializeOwned>(value: &T, redactions: &[Redaction]) -> T {
    if redactions.is_empty() {
        return value.clone();
    }
    let mut json = serde_json::to_value(value).expect("invariant: our own values serialise to JSON");
    redact_value(&mut json, redactions);
    serde_json::from_value(json).expect("invariant: texts may hold anything")
}
