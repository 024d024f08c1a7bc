//! Blacking out what must not leave the house, as the last pass over every text of a report.

use super::model::Report;
pub use crate::unit::Redaction;
use crate::unit::redact_value;

impl Report {
    /// The report with every text blacked out as asked. Digests and ids are texts too, but hold neither.
    #[must_use]
    pub fn redacted(&self, redactions: &[Redaction]) -> Self {
        if redactions.is_empty() {
            return self.clone();
        }
        let mut value = serde_json::to_value(self).expect("invariant: our own values serialise to JSON");
        redact_value(&mut value, redactions);
        serde_json::from_value(value).expect("invariant: texts may hold anything")
    }
}
