//! Tables for a spreadsheet (RFC 4180, lines end in CR LF): the timeline, and each load second by second.

use super::model::{Report, TimelineEntry};
use super::text;

const LINE_END: &str = "\r\n";

/// The timeline: `at`, `elapsed_ms`, `kind`, `about`, `text`, `is_trouble`.
#[must_use]
pub fn timeline_csv(report: &Report) -> String {
    let header = "at,elapsed_ms,kind,about,text,is_trouble";
    let rows = report.timeline.iter().map(|entry: &TimelineEntry| {
        [
            entry.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            entry.at_ms.to_string(),
            entry.kind.clone(),
            text::csv(entry.about.as_deref().unwrap_or_default()),
            text::csv(&entry.text),
            entry.is_trouble.to_string(),
        ]
        .join(",")
    });
    table(header, rows)
}

/// Each second of each load: the target in its own unit, counts, and latencies in milliseconds; empty where there is none.
#[must_use]
pub fn load_csv(report: &Report) -> String {
    let header = "load,second,target,target_unit,ok_count,failed_count,in_flight_count,p50_ms,p99_ms";
    let rows = report.loads.iter().flat_map(|load| {
        load.seconds.iter().map(|second| {
            let optional = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            [
                text::csv(&load.load),
                second.second.to_string(),
                second.target.to_string(),
                load.target_unit.clone().unwrap_or_default(),
                second.ok_count.to_string(),
                second.failed_count.to_string(),
                second.in_flight_count.to_string(),
                optional(second.p50_ms),
                optional(second.p99_ms),
            ]
            .join(",")
        })
    });
    table(header, rows)
}

fn table(header: &str, rows: impl Iterator<Item = String>) -> String {
    std::iter::once(header.to_owned()).chain(rows).map(|row| row + LINE_END).collect()
}
