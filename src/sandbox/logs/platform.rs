//! Lambda's own lines around an invocation, in both forms. Sources: AWS, "Lambda function logging" (the REPORT line) and "Lambda
//! Telemetry API Event schema reference" (`platform.start`, `platform.report`, `platform.initReport`).

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{LogFormat, SystemLogLevel};
use crate::unit::elapsed_ms;

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum End {
    /// The runtime answered, be it with an error of the handler's.
    Success,
    /// The process ended, or answered what is no answer: the type of that error.
    Error(&'static str),
    /// The time was over.
    Timeout,
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error(_) => "error",
            Self::Timeout => "timeout",
        }
    }
}

/// What is told of an invocation at its end.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Report<'a> {
    pub request_id: &'a str,
    pub trace_id: &'a str,
    /// From delivery to answer.
    pub duration: Duration,
    pub memory_mb: u32,
    /// The process's peak; none where it was gone before it could be asked.
    pub max_memory_mb: Option<u64>,
    /// How long the start took that the invocation has waited for.
    pub init: Option<Duration>,
    pub end: End,
}

/// How one function's lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct PlatformLog {
    pub format: LogFormat,
    pub level: SystemLogLevel,
}

impl PlatformLog {
    /// The line with which an invocation begins.
    pub(in crate::sandbox) fn start(self, request_id: &str, version: &str, now: DateTime<Utc>) -> Option<String> {
        match self.format {
            LogFormat::Text => Some(format!("START RequestId: {request_id} Version: {version}")),
            LogFormat::Json => {
                let record = json!({"requestId": request_id, "version": version});
                self.is_told(false).then(|| event(now, "platform.start", record))
            }
        }
    }

    /// The lines with which an invocation ends.
    pub(in crate::sandbox) fn end(self, report: &Report<'_>, now: DateTime<Utc>) -> Vec<String> {
        match self.format {
            LogFormat::Text => vec![format!("END RequestId: {}", report.request_id), text(report)],
            LogFormat::Json if self.is_told(report.end != End::Success) => {
                vec![event(now, "platform.report", record(report))]
            }
            LogFormat::Json => Vec::new(),
        }
    }

    /// The line about a start that failed.
    pub(in crate::sandbox) fn failed_init(self, init: Duration, end: End, now: DateTime<Utc>) -> String {
        let error_type = match end {
            End::Error(error_type) => Some(error_type),
            End::Success | End::Timeout => None,
        };
        match self.format {
            LogFormat::Text => {
                let error_type = error_type.map(|name| format!("\tError Type: {name}")).unwrap_or_default();
                let (init, status) = (millis(init), end.as_str());
                format!("INIT_REPORT Init Duration: {init}\tPhase: init\tStatus: {status}{error_type}")
            }
            LogFormat::Json => {
                let metrics = json!({"durationMs": number(init)});
                let mut record = json!({"phase": "init", "status": end.as_str(), "metrics": metrics});
                if let Some(error_type) = error_type {
                    record["errorType"] = error_type.into();
                }
                event(now, "platform.initReport", record)
            }
        }
    }

    /// Whether a line of the JSON form is wanted; `is_bad` where it is about something that failed.
    fn is_told(self, is_bad: bool) -> bool {
        is_bad || self.level <= SystemLogLevel::Info
    }
}

/// Lambda bills whole milliseconds, each that was begun.
fn billed_ms(duration: Duration) -> u64 {
    elapsed_ms(duration) + u64::from(!duration.subsec_micros().is_multiple_of(1_000))
}

fn millis(duration: Duration) -> String {
    format!("{}.{:02} ms", elapsed_ms(duration), duration.subsec_micros() % 1_000 / 10)
}

/// The same number for JSON.
fn number(duration: Duration) -> f64 {
    let text = format!("{}.{:02}", elapsed_ms(duration), duration.subsec_micros() % 1_000 / 10);
    text.parse().expect("invariant: digits around a point are a number")
}

/// The segment that the trace has for the function: the last digits of the trace's id.
fn segment(trace_id: &str) -> String {
    trace_id.chars().skip(trace_id.len().saturating_sub(16)).collect()
}

fn text(report: &Report<'_>) -> String {
    let Report { request_id, trace_id, duration, memory_mb, max_memory_mb, init, end } = *report;
    let max_memory = max_memory_mb.map(|mb| format!("\tMax Memory Used: {mb} MB")).unwrap_or_default();
    let init = init.map(|init| format!("\tInit Duration: {}", millis(init))).unwrap_or_default();
    let status = match end {
        End::Success => String::new(),
        End::Timeout => "\tStatus: timeout".to_owned(),
        End::Error(error_type) => format!("\tStatus: error\tError Type: {error_type}"),
    };
    format!(
        "REPORT RequestId: {request_id}\tDuration: {}\tBilled Duration: {} ms\tMemory Size: {memory_mb} \
         MB{max_memory}{init}{status}\nXRAY TraceId: {trace_id}\tSegmentId: {}\tSampled: false",
        millis(duration),
        billed_ms(duration),
        segment(trace_id),
    )
}

fn record(report: &Report<'_>) -> Value {
    let mut metrics = json!({
        "durationMs": number(report.duration),
        "billedDurationMs": billed_ms(report.duration),
        "memorySizeMB": report.memory_mb,
    });
    if let Some(mb) = report.max_memory_mb {
        metrics["maxMemoryUsedMB"] = mb.into();
    }
    if let Some(init) = report.init {
        metrics["initDurationMs"] = number(init).into();
    }
    let trace = format!("Root={};Parent={};Sampled=0", report.trace_id, segment(report.trace_id));
    let mut record = json!({
        "requestId": report.request_id,
        "metrics": metrics,
        "tracing": {"spanId": segment(report.trace_id), "type": "X-Amzn-Trace-Id", "value": trace},
        "status": report.end.as_str(),
    });
    if let End::Error(error_type) = report.end {
        record["errorType"] = error_type.into();
    }
    record
}

fn event(now: DateTime<Utc>, kind: &str, record: Value) -> String {
    json!({"time": now.to_rfc3339_opts(SecondsFormat::Millis, true), "type": kind, "record": record}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: Report<'static> = Report {
        request_id: "r-1",
        trace_id: "1-5759e988-bd862e3fe1be46a994272793",
        duration: Duration::from_micros(101_514),
        memory_mb: 128,
        max_memory_mb: Some(33),
        init: Some(Duration::from_micros(116_670)),
        end: End::Success,
    };

    #[test]
    fn the_text_form_is_lambdas() {
        let log = PlatformLog::default();
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(log.start("r-1", "$LATEST", now).as_deref(), Some("START RequestId: r-1 Version: $LATEST"));
        let lines = log.end(&REPORT, now);
        assert_eq!(lines[0], "END RequestId: r-1");
        assert_eq!(
            lines[1],
            "REPORT RequestId: r-1\tDuration: 101.51 ms\tBilled Duration: 102 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 33 MB\tInit Duration: 116.67 ms\n\
             XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: e1be46a994272793\tSampled: false"
        );
        let late = Report { end: End::Timeout, init: None, max_memory_mb: None, ..REPORT };
        assert!(text(&late).contains("Memory Size: 128 MB\tStatus: timeout\nXRAY"));
        let failed = Report { end: End::Error("Runtime.ExitError"), init: None, ..REPORT };
        assert!(text(&failed).contains("\tStatus: error\tError Type: Runtime.ExitError\n"));
    }

    #[test]
    fn the_json_form_is_lambdas_and_falls_silent_above_its_level() {
        let log = PlatformLog { format: LogFormat::Json, level: SystemLogLevel::Info };
        let line: Value = serde_json::from_str(&log.end(&REPORT, DateTime::UNIX_EPOCH)[0]).unwrap();
        let metrics = json!({"durationMs": 101.51, "billedDurationMs": 102, "memorySizeMB": 128,
                             "maxMemoryUsedMB": 33, "initDurationMs": 116.67});
        assert_eq!((&line["type"], &line["record"]["metrics"]), (&json!("platform.report"), &metrics));
        assert_eq!((&line["time"], &line["record"]["status"]), (&json!("1970-01-01T00:00:00.000Z"), &json!("success")));
        let quiet = PlatformLog { level: SystemLogLevel::Warn, ..log };
        assert_eq!(quiet.end(&REPORT, DateTime::UNIX_EPOCH), Vec::<String>::new());
        assert_eq!(quiet.start("r-1", "1", DateTime::UNIX_EPOCH), None);
        assert_eq!(quiet.end(&Report { end: End::Timeout, ..REPORT }, DateTime::UNIX_EPOCH).len(), 1);
    }

    #[test]
    fn a_start_that_failed_is_told() {
        let (init, now) = (Duration::from_millis(10), DateTime::UNIX_EPOCH);
        assert_eq!(
            PlatformLog::default().failed_init(init, End::Error("Runtime.ExitError"), now),
            "INIT_REPORT Init Duration: 10.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError"
        );
    }
}
