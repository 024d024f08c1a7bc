//! Where each file of a run's folder comes from: who measured it, what was asked, over which time and how finely, and until
//! when AWS keeps the original. Pure: from the file's name, the plan and the events.

use std::time::Duration;

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::model::Provenance;
use crate::event::{Event, EventKind};
use crate::plan::{EnvironmentKind, Plan};
use crate::unit::Date;

/// How long CloudWatch surely keeps the history of an alarm. AWS's pages say 14 days or 30; the shorter one is safe.
const ALARM_HISTORY_DAYS: u64 = 14;
/// Load workers and fault proxies write a frame a second.
const FRAME_MS: u64 = 1_000;

/// Where `file` of a run's folder comes from.
pub(super) fn provenance(file: &str, events: &[Event], plan: &Plan) -> Provenance {
    let of = |source: String| Provenance { source, ..Provenance::default() };
    match file {
        "scenario.yaml" => of("the scenario's file, as it was run".to_owned()),
        "plan.json" => of(format!("compiled from the scenario for the environment `{}`", plan.environment.name)),
        "workload.yaml" => of("the workspace's file, as it was".to_owned()),
        "previous.json" => of("the run of this scenario before this one".to_owned()),
        "run.ndjson" => of_log(events, plan),
        _ => of_kept(file, events).or_else(|| of_named(file, events)).unwrap_or_default(),
    }
}

fn of_log(events: &[Event], plan: &Plan) -> Provenance {
    let alarms: Vec<&str> = plan.alarms.iter().flat_map(|alarms| alarms.names().chain(alarms.globs())).collect();
    let reads_alarms = !alarms.is_empty();
    let is_aws = matches!(plan.environment.kind, EnvironmentKind::Account { .. });
    // A recovery may write weeks later; the alarms were read while the run went on.
    let is_end = |event: &&Event| matches!(event.kind, EventKind::RecoveryStarted { .. } | EventKind::RunEnded { .. });
    let last = events.iter().find(is_end).or(events.last());
    let to = last.map(|event| event.at);
    let expires = to.and_then(|at| at.date_naive().checked_add_days(Days::new(ALARM_HISTORY_DAYS))).map(Date);
    Provenance {
        source: "the run's own record of events".to_owned(),
        query: reads_alarms.then(|| format!("cloudwatch:DescribeAlarms of {}", alarms.join(", "))),
        from: events.first().map(|event| event.at),
        to,
        resolution_ms: None,
        expires_on: expires.filter(|_| is_aws && reads_alarms),
    }
}

/// What was read of a service, as its event tells it.
fn of_kept(file: &str, events: &[Event]) -> Option<Provenance> {
    let zero = events.first().map(|first| first.at - Duration::from_millis(first.elapsed_ms))?;
    let at = |ms: u64| zero.checked_add_signed(TimeDelta::milliseconds(i64::try_from(ms).ok()?));
    let kept = events.iter().find_map(|event| match &event.kind {
        EventKind::EvidenceKept(kept) if kept.file.as_deref() == Some(file) => Some(kept),
        _ => None,
    })?;
    let (source, count) = (kept.source.as_str(), kept.row_count);
    let cut = if kept.is_cut { ", and there are more" } else { "" };
    Some(Provenance {
        source: format!("the {source} of {}: made of {count} rows{cut}", kept.about),
        query: Some(kept.what.clone()),
        from: at(kept.from_ms),
        to: at(kept.to_ms),
        ..Provenance::default()
    })
}

/// The files of `evidence/` and `lessons/`.
fn of_named(file: &str, events: &[Event]) -> Option<Provenance> {
    let (folder, name) = file.split_once('/')?;
    let (stem, end) = name.rsplit_once('.')?;
    let of = |source: String| Provenance { source, ..Provenance::default() };
    let made = |source: String, span: Option<(DateTime<Utc>, DateTime<Utc>)>| Provenance {
        source,
        from: span.map(|span| span.0),
        to: span.map(|span| span.1),
        resolution_ms: Some(FRAME_MS),
        ..Provenance::default()
    };
    let load = stem.strip_prefix("load-").filter(|_| folder == "evidence");
    let proxy = stem.strip_prefix("proxy-").filter(|_| folder == "evidence");
    match (folder, load, proxy, end) {
        (_, Some(load), _, "ndjson") => {
            Some(made(format!("the load worker of `{load}`: a frame a second"), load_span(load, events)))
        }
        (_, Some(load), _, "hlog") => Some(made(
            format!("made of the frames of `{load}`: HdrHistogram's interval log, version 2"),
            load_span(load, events),
        )),
        (_, Some(load), _, "csv") => {
            Some(made(format!("made of the frames of `{load}`: a table"), load_span(load, events)))
        }
        (_, _, Some(proxy), "ndjson") => {
            Some(made(format!("the fault proxy `{proxy}`: a frame a second"), proxy_span(proxy, events)))
        }
        ("lessons", _, _, "md") => Some(of("the workspace's lesson, as it was when the run began".to_owned())),
        ("lessons", _, _, "json") => Some(of("what the run has shown of the workspace's lessons".to_owned())),
        _ => None,
    }
}

fn load_span(load: &str, events: &[Event]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    span(events, |kind| match kind {
        EventKind::LoadStarted { load: of, .. } | EventKind::LoadEnded { load: of } => of.as_str() == load,
        EventKind::LoadRecorded(second) => second.load.as_str() == load,
        _ => false,
    })
}

fn proxy_span(proxy: &str, events: &[Event]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    span(events, |kind| matches!(kind, EventKind::ProxyRecorded(second) if second.proxy.as_str() == proxy))
}

fn span(events: &[Event], is_one: impl Fn(&EventKind) -> bool) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let first = events.iter().find(|event| is_one(&event.kind))?.at;
    let last = events.iter().rfind(|event| is_one(&event.kind))?.at;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn frames_are_told_with_their_time_and_resolution_and_what_nobody_knows_is_left_empty() {
        let events = sample::script().events();
        let of = |file: &str| of_named(file, &events);
        let frames = of("evidence/load-shoppers.ndjson").unwrap();
        assert_eq!(frames.resolution_ms, Some(1_000));
        assert!(frames.from < frames.to && frames.source.contains("`shoppers`"), "{frames:?}");
        assert_eq!(of("evidence/load-nobody.ndjson").unwrap().from, None);
        assert!(of("lessons/L-2026-004.md").is_some() && of("lessons/retests.json").is_some());
        assert_eq!(of("evidence/notes.txt"), None);
        assert_eq!(of("notes.txt"), None);
    }
}
