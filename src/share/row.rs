//! Lessons and actions as plain texts, in which what must not leave the house is blacked out before any form is made of them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::lesson::Lesson;
use crate::unit::{Date, Redaction, redact_value};

/// A lesson as texts; empty where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonRow {
    /// Its id.
    pub id: String,
    /// What was learnt.
    pub title: String,
    /// Where it stands.
    pub status: String,
    /// How bad it would be not to heed it.
    pub severity: String,
    /// What it is about.
    pub components: Vec<String>,
    /// The kinds of faults that showed it.
    pub faults: Vec<String>,
    /// What contributed.
    pub factors: Vec<String>,
    /// The Well-Architected questions.
    pub ops: Vec<String>,
    /// The run that taught it.
    pub found_in: String,
    /// What tests it again.
    pub regression: String,
    /// The run that set where it stands.
    pub tested_in: String,
    /// The actions that came of it.
    pub actions: Vec<String>,
    /// The team that sees to it.
    pub owner: String,
    /// The day on which it was written.
    pub created: String,
    /// The day by which it must have been tested again.
    pub retest_by: String,
    /// Whether that day is over.
    pub overdue: bool,
    /// Its text, in Markdown.
    pub text: String,
}

/// An action as texts; empty where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRow {
    /// Its id.
    pub id: String,
    /// What is to be done.
    pub text: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: String,
    /// The team that sees to it.
    pub owner: String,
    /// The day by which it is to be done.
    pub due: String,
    /// Where it stands.
    pub status: String,
    /// How bad it would be not to do it.
    pub severity: String,
    /// What it changes.
    pub component: String,
    /// The day on which it was written.
    pub created: String,
    /// The day on which it was done.
    pub done_on: String,
    /// The run that showed the need of it.
    pub found_in: String,
    /// The kind of finding.
    pub finding: String,
    /// The lesson that it comes from.
    pub lesson: String,
    /// What tests that it helped.
    pub retest: String,
    /// Where it is tracked.
    pub tracker: String,
    /// Why it ended so.
    pub why: String,
    /// Whether it is open after its day.
    pub overdue: bool,
}

impl LessonRow {
    /// A lesson on a day.
    #[must_use]
    pub fn of(lesson: &Lesson, today: Date) -> Self {
        let front = &lesson.front;
        Self {
            id: front.id.to_string(),
            title: front.title.clone(),
            status: front.status.as_str().to_owned(),
            severity: front.severity.as_str().to_owned(),
            components: texts(&front.components),
            faults: front.faults.clone(),
            factors: front.factors.clone(),
            ops: front.ops.clone(),
            found_in: optional(front.found_in.as_ref()),
            regression: optional(front.regression.as_ref()),
            tested_in: optional(front.tested_in.as_ref()),
            actions: texts(&front.actions),
            owner: front.owner.clone().unwrap_or_default(),
            created: front.created.to_string(),
            retest_by: optional(front.retest_by.as_ref()),
            overdue: lesson.is_overdue(today),
            text: lesson.body.clone(),
        }
    }
}

impl ActionRow {
    /// An action on a day.
    #[must_use]
    pub fn of(action: &Action, today: Date) -> Self {
        let record = &action.record;
        Self {
            id: record.id.to_string(),
            text: record.text.clone(),
            kind: record.kind.as_str().to_owned(),
            owner: record.owner.clone(),
            due: record.due.to_string(),
            status: record.status.as_str().to_owned(),
            severity: record.severity.as_str().to_owned(),
            component: optional(record.component.as_ref()),
            created: optional(record.created.as_ref()),
            done_on: optional(record.done_on.as_ref()),
            found_in: optional(record.found_in.as_ref()),
            finding: record.finding.clone().unwrap_or_default(),
            lesson: optional(record.lesson.as_ref()),
            retest: optional(record.retest.as_ref()),
            tracker: record.tracker.clone().unwrap_or_default(),
            why: record.why.clone().unwrap_or_default(),
            overdue: action.is_overdue(today),
        }
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn optional<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// Rows with every text blacked out as asked.
///
/// # Panics
/// Never: rows are texts, and texts may hold anything.
#[must_use]
pub fn redacted<T: Serialize + DeserializeOwned + Clone>(rows: &[T], redactions: &[Redaction]) -> Vec<T> {
    let redact = |row: &T| {
        let mut value = serde_json::to_value(row).expect("invariant: rows serialise to JSON");
        // By its id a row is found again.
        let id = value["id"].clone();
        redact_value(&mut value, redactions);
        value["id"] = id;
        serde_json::from_value(value).expect("invariant: texts may hold anything")
    };
    rows.iter().map(redact).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;

    pub(in crate::share) fn lesson(id: &str, title: &str, body: &str) -> LessonRow {
        let title = serde_json::Value::from(title);
        let text = format!(
            "---\nid: {id}\ntitle: {title}\nstatus: mitigated\nseverity: high\ncomponents: [payments]\nfactors: ['a | b']\n\
             found_in: 2026-03-10-100000-slow\nregression: slow#H2\nactions: [A-2026-031]\nowner: shop\ncreated: 2026-03-10\n---\n{body}\n"
        );
        let path = format!("{id}.md");
        let lesson = crate::lesson::check(&Arc::new(SourceFile::new(path.as_str(), text)), Path::new(&path)).unwrap();
        LessonRow::of(&lesson, "2026-11-28".parse().unwrap())
    }

    pub(in crate::share) fn action(id: &str, text: &str, keys: &str) -> ActionRow {
        let text = serde_json::Value::from(text);
        let text =
            format!("id: {id}\ntext: {text}\ntype: detect\nowner: shop\ndue: 2026-04-15\nlesson: L-2026-004\n{keys}\n");
        let path = format!("{id}.yaml");
        let action = crate::action::check(&Arc::new(SourceFile::new(path.as_str(), text)), Path::new(&path)).unwrap();
        ActionRow::of(&action, "2026-11-28".parse().unwrap())
    }

    #[test]
    fn every_text_of_a_row_is_blacked_out() {
        let row = lesson("L-2026-004", "Ask maria@example.com", "In 111122223333.");
        let [row] = redacted(&[row], &Redaction::ALL).try_into().unwrap();
        assert_eq!((row.title.as_str(), row.text.as_str()), ("Ask [e-mail]", "In [account]."));
        let row = action("A-2026-031", "t", "tracker: https://a.b/111122223333");
        let [row] = redacted(&[row], &Redaction::ALL).try_into().unwrap();
        assert_eq!((row.tracker.as_str(), row.overdue), ("https://a.b/[account]", true));
    }
}
