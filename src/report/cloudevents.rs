//! The run as `CloudEvents` 1.0: one for each thing that stands in the report's timeline, blacked out as the report is.
//!
//! Owns: what each attribute is (`CloudEvents` 1.0.2, "JSON Event Format", structured mode). Must not know: how it is sent.

use percent_encoding::utf8_percent_encode;
use serde_json::json;

use super::batch::batches;
use super::build::numbered_timeline;
use super::facts::Facts;
use super::folder::Evidence;
use super::model::{Report, TimelineEntry};
use super::redact::redacted;
use crate::event::Event;
use crate::unit::{URI_SEGMENT, printable};

/// How many events a batch has at most.
pub const EVENTS_PER_BATCH_MAX: usize = 500;
/// How long a batch is at most, in bytes.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// What has happened in a run, each as an event of `CloudEvents` in one line of JSON, in order.
#[must_use]
pub fn cloudevents(events: &[Event], facts: &Facts, evidence: &Evidence) -> Vec<String> {
    let header = Report::from_facts(events, facts, evidence).header;
    let source = format!("/gameday/{}/{}", segment(&header.environment.name), segment(&header.scenario));
    let event = |(seq, name, entry): (u64, String, TimelineEntry)| {
        let TimelineEntry { at_ms, at, kind, about, text, is_trouble } = redacted(&entry, &facts.redactions);
        let mut event = json!({
            "specversion": "1.0",
            "id": format!("{}/{seq}", header.run),
            "source": source,
            "type": format!("dev.gameday.{name}.v1"),
            "time": at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            "datacontenttype": "application/json",
            "data": {
                "run": header.run,
                "scenario": header.scenario,
                "environment": header.environment.name,
                "at_ms": at_ms,
                "kind": kind,
                "about": about.as_deref().map(printable),
                "text": printable(&text),
                "is_trouble": is_trouble,
            },
        });
        // An attribute is not empty.
        if let Some(about) = about.filter(|about| !about.is_empty()) {
            event["subject"] = json!(printable(&about));
        }
        event.to_string()
    };
    numbered_timeline(events, facts, evidence).into_iter().map(event).collect()
}

/// Events as batches (`application/cloudevents-batch+json`), each an array that is neither too long nor has too many of them.
#[must_use]
pub fn cloudevent_batches(events: Vec<String>) -> Vec<(String, usize)> {
    let lots = batches(events, EVENTS_PER_BATCH_MAX, BATCH_BYTES_MAX);
    lots.into_iter().map(|lot| (format!("[{}]", lot.join(",")), lot.len())).collect()
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, URI_SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::event::EventKind;
    use crate::report::redact::Redaction;
    use crate::report::sample;

    fn told(events: &[Event], facts: &Facts) -> Vec<Value> {
        let lines = cloudevents(events, facts, &sample::evidence());
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_thing_of_the_timeline_is_one_event_with_the_number_that_the_log_gave_it() {
        let (events, facts) = (sample::script().events(), sample::facts());
        let report = Report::from_facts(&events, &facts, &sample::evidence());
        let told = told(&events, &facts);
        assert_eq!(told.len(), report.timeline.len());
        for (event, entry) in told.iter().zip(&report.timeline) {
            let (run, seq) = event["id"].as_str().unwrap().rsplit_once('/').unwrap();
            let logged = events.iter().find(|logged| logged.seq.to_string() == seq).unwrap();
            assert_eq!(run, report.header.run);
            assert_eq!(event["type"], format!("dev.gameday.{}.v1", logged.kind.name()));
            assert_eq!(event["data"]["text"], entry.text);
            assert_eq!(event["data"]["kind"], entry.kind);
            assert_eq!(event["time"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(), logged.at);
            assert!(event["source"].as_str().unwrap().starts_with("/gameday/"));
        }
        assert!(told.iter().any(|event| event["type"] == "dev.gameday.fault_applied.v1"));
    }

    #[test]
    fn an_event_is_blacked_out_and_has_no_empty_subject() {
        let mut events = sample::script().events();
        let last = events.last().unwrap().clone();
        for (number, by) in [Some("jo@example.com".to_owned()), Some(String::new()), None].into_iter().enumerate() {
            let kind = EventKind::Noted { text: "in 111122223333".to_owned(), by };
            events.push(Event { seq: last.seq + 1 + number as u64, kind, ..last.clone() });
        }
        let facts = Facts { redactions: Redaction::ALL.to_vec(), ..sample::facts() };
        let told = told(&events, &facts);
        let notes = &told[told.len() - 3..];
        let subjects: Vec<Option<&str>> =
            notes.iter().map(|note| note.get("subject").and_then(Value::as_str)).collect();
        assert_eq!(subjects, [Some("[e-mail]"), None, None]);
        assert!(notes.iter().all(|note| note["data"]["text"] == "in [account]"));
    }

    #[test]
    fn names_are_no_part_of_a_path_of_their_own_and_batches_are_arrays() {
        let mut facts = sample::facts();
        facts.environment.name = "a".to_owned();
        let mut events = sample::script().events();
        if let EventKind::RunStarted { environment, .. } = &mut events[0].kind {
            *environment = "a/b c?#ä".to_owned();
        }
        let lines = cloudevents(&events, &facts, &sample::evidence());
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(first["source"].as_str().unwrap().starts_with("/gameday/a%2Fb%20c%3F%23%C3%A4/"), "{first}");
        let batches = cloudevent_batches(lines.clone());
        let all: Vec<Value> =
            batches.iter().flat_map(|(body, _)| serde_json::from_str::<Vec<Value>>(body).unwrap()).collect();
        assert_eq!(all.len(), lines.len());
        assert_eq!(batches.iter().map(|(_, count)| count).sum::<usize>(), lines.len());
    }
}
