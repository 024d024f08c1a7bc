//! Tables for a spreadsheet (RFC 4180, lines end in CR LF): the timeline, each load second by second, and by window.

use super::model::{Load, Numbers, Report, TimelineEntry};
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

/// The actions: `id`, `text`, `type`, `owner`, `due`, `status`, `tracker`, `retest`, `is_of_this_run`.
#[must_use]
pub fn actions_csv(report: &Report) -> String {
    let header = "id,text,type,owner,due,status,tracker,retest,is_of_this_run";
    let rows = report.actions.iter().map(|action| {
        [
            text::csv(&action.id),
            text::csv(&action.text),
            action.kind.clone(),
            text::csv(&action.owner),
            action.due.to_string(),
            action.status.clone(),
            text::csv(action.tracker.as_deref().unwrap_or_default()),
            text::csv(action.retest.as_deref().unwrap_or_default()),
            action.is_of_this_run.to_string(),
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

/// Each load by window (`whole_load`, `phase`, `fault`, `without_fault`) and by part (`journey`, `step`, `status`, `stage`), times in
/// milliseconds; empty where there is none.
#[must_use]
pub fn windows_csv(report: &Report) -> String {
    let header = "load,kind,name,start_ms,end_ms,seconds,missing_seconds,doubtful_seconds,asked,begun_per_second,\
        count,failed_count,per_second,p50_ms,p95_ms,p99_ms,p99_9_ms,p99_99_ms,max_ms";
    let rows = report.loads.iter().flat_map(|load| {
        let windows = load.windows.iter().map(|window| {
            let times = [window.start_ms, window.end_ms].map(optional);
            let seconds =
                [window.seconds, window.missing_seconds, window.doubtful_seconds].map(|count| count.to_string());
            let rates = [window.asked, window.begun_per_second].map(optional);
            let about = times.into_iter().chain(seconds).chain(rates).collect();
            row(load, &window.kind, window.name.as_deref(), about, &window.numbers)
        });
        let parts = load
            .parts
            .iter()
            .map(|part| row(load, &part.kind, Some(&part.name), vec![String::new(); 7], &part.numbers));
        windows.chain(parts)
    });
    table(header, rows)
}

fn row(load: &Load, kind: &str, name: Option<&str>, about: Vec<String>, numbers: &Numbers) -> String {
    let Numbers { count, failed_count, failed_ratio: _, per_second, .. } = numbers;
    let percentiles =
        [numbers.p50_ms, numbers.p95_ms, numbers.p99_ms, numbers.p99_9_ms, numbers.p99_99_ms, numbers.max_ms];
    let cells = [text::csv(&load.load), kind.to_owned(), text::csv(name.unwrap_or_default())]
        .into_iter()
        .chain(about)
        .chain([optional(*count), optional(*failed_count), optional(*per_second)])
        .chain(percentiles.map(optional));
    cells.collect::<Vec<_>>().join(",")
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn table(header: &str, rows: impl Iterator<Item = String>) -> String {
    std::iter::once(header.to_owned()).chain(rows).map(|row| row + LINE_END).collect()
}
