//! Blacking out what must not leave the house, as the last pass over every text of a report.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::{Debrief, Report};
use crate::debrief::Record;
pub use crate::unit::Redaction;
use crate::unit::redact_value;

impl Report {
    /// The report with every text blacked out as asked. Digests and ids are texts too, but hold neither.
    #[must_use]
    pub fn redacted(&self, redactions: &[Redaction]) -> Self {
        let mut report =
            redacted(&Self { debrief: Debrief { record: None, ..self.debrief.clone() }, ..self.clone() }, redactions);
        report.debrief.record = self.debrief.record.as_ref().map(|record| redacted_record(record, redactions));
        report
    }
}

/// A debrief with every text blacked out. An id is no free text: it takes no brackets.
fn redacted_record(record: &Record, redactions: &[Redaction]) -> Record {
    let mut json = serde_json::to_value(record).expect("invariant: our own values serialise to JSON");
    redact_value(&mut json, redactions);
    json.pointer_mut("/run").into_iter().for_each(without_brackets);
    for list in ["/lessons", "/actions"] {
        json.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(without_brackets);
    }
    serde_json::from_value(json).expect("invariant: texts may hold anything, and ids letters")
}

fn without_brackets(id: &mut Value) {
    if let Value::String(text) = id {
        text.retain(|character| !matches!(character, '[' | ']'));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn an_id_that_holds_an_account_number_is_blacked_out_and_stays_an_id() {
        let mut report = Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence());
        let mut record = Record::of("2026-11-10-100000-failover-111122223333".parse().unwrap(), &[]);
        record.lessons.push("L-111122223333".parse().unwrap());
        record.lucky.push("ask maria@example.com".to_owned());
        report.debrief.record = Some(record);
        let redacted = report.redacted(&Redaction::ALL);
        let record = redacted.debrief.record.unwrap();
        assert_eq!(record.run.as_str(), "2026-11-10-100000-failover-account");
        assert_eq!((record.lessons[0].as_str(), record.lucky[0].as_str()), ("L-account", "ask [e-mail]"));
    }
}
