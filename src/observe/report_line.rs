//! What Lambda says of each invocation at its end: the REPORT line of the text form, and `platform.report` of the JSON form.
//!
//! Sources: AWS, "Lambda function logging"; "Lambda Telemetry API Event schema reference". Members are read where they stand and are
//! missing where they do not: a line is an invocation's when it has a request id and a duration.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest line that is looked at, in bytes. Lambda's own are far shorter.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// The longest id that is taken for one.
const ID_BYTES_MAX: usize = 128;
/// The greatest number that is taken for one: milliseconds and megabytes stay far below.
const NUMBER_MAX: f64 = 1e10;

/// How an invocation ended, as the platform saw it. A handler's own error is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvocationStatus {
    /// It was answered.
    Success,
    /// Its time was over.
    Timeout,
    /// The function failed it: its process ended, or did not start.
    Error,
    /// The function or the platform failed it, in the JSON form's word.
    Failure,
}

/// One invocation, as its own line tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its id. Retries of an asynchronous event have the same one.
    pub request_id: String,
    /// When the line was written.
    pub at: DateTime<Utc>,
    /// How long the function had it, in milliseconds.
    pub duration_ms: f64,
    /// For how many milliseconds it is billed.
    pub billed_ms: Option<f64>,
    /// How much memory the function has, in MB.
    pub memory_mb: Option<f64>,
    /// How much of it its environment has used at the most, in MB.
    pub max_memory_mb: Option<f64>,
    /// How long the start took that it has waited for, in milliseconds; none where it was warm.
    pub init_ms: Option<f64>,
    /// The id of its trace.
    pub trace_id: Option<String>,
    /// How it ended; none where the line does not say, as those of invocations that went well do not.
    pub status: Option<InvocationStatus>,
    /// The type of the platform's error: `Runtime.ExitError`.
    pub error_type: Option<String>,
}

impl Invocation {
    /// Reads a line; none where it is not one of these, or lacks its id or its duration.
    #[must_use]
    pub fn parse(line: &str, at: DateTime<Utc>) -> Option<Self> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let line = line.trim();
        if line.starts_with('{') { from_json(line, at) } else { from_text(line, at) }
    }

    /// Whether a process had to be started for it.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        self.init_ms.is_some()
    }

    /// Whether the platform saw it end badly.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        match self.status {
            None | Some(InvocationStatus::Success) => false,
            Some(InvocationStatus::Timeout | InvocationStatus::Error | InvocationStatus::Failure) => true,
        }
    }
}

fn from_text(line: &str, at: DateTime<Utc>) -> Option<Invocation> {
    let rest = line.strip_prefix("REPORT ")?;
    let pairs: Vec<(&str, &str)> = rest.split(['\t', '\n']).filter_map(|part| part.trim().split_once(": ")).collect();
    // The first of two counts: nothing behind the line's own end can change what it says.
    let text = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim());
    let measured = |name: &str, unit: &str| number(text(name)?.strip_suffix(unit)?.trim().parse().ok()?);
    Some(Invocation {
        request_id: id(text("RequestId")?)?,
        at,
        duration_ms: measured("Duration", "ms")?,
        billed_ms: measured("Billed Duration", "ms"),
        memory_mb: measured("Memory Size", "MB"),
        max_memory_mb: measured("Max Memory Used", "MB"),
        init_ms: measured("Init Duration", "ms"),
        trace_id: text("XRAY TraceId").and_then(id),
        status: text("Status").and_then(status),
        error_type: text("Error Type").and_then(id),
    })
}

fn from_json(line: &str, at: DateTime<Utc>) -> Option<Invocation> {
    let event: Value = serde_json::from_str(line).ok()?;
    if event.get("type")?.as_str()? != "platform.report" {
        return None;
    }
    let record = event.get("record")?;
    let metrics = record.get("metrics")?;
    let measured = |name: &str| number(metrics.get(name)?.as_f64()?);
    let trace = record.pointer("/tracing/value").and_then(Value::as_str);
    Some(Invocation {
        request_id: id(record.get("requestId")?.as_str()?)?,
        at,
        duration_ms: measured("durationMs")?,
        billed_ms: measured("billedDurationMs"),
        memory_mb: measured("memorySizeMB"),
        max_memory_mb: measured("maxMemoryUsedMB"),
        init_ms: measured("initDurationMs"),
        trace_id: trace.and_then(|value| value.split(';').find_map(|part| part.strip_prefix("Root="))).and_then(id),
        status: record.get("status").and_then(Value::as_str).and_then(status),
        error_type: record.get("errorType").and_then(Value::as_str).and_then(id),
    })
}

/// A word of visible letters, such as ids and types of errors are.
fn id(text: &str) -> Option<String> {
    let is_id = !text.is_empty() && text.len() <= ID_BYTES_MAX && text.chars().all(|c| c.is_ascii_graphic());
    is_id.then(|| text.to_owned())
}

fn number(value: f64) -> Option<f64> {
    (0.0..=NUMBER_MAX).contains(&value).then_some(value)
}

fn status(text: &str) -> Option<InvocationStatus> {
    match text {
        "success" => Some(InvocationStatus::Success),
        "timeout" => Some(InvocationStatus::Timeout),
        "error" => Some(InvocationStatus::Error),
        "failure" => Some(InvocationStatus::Failure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn a_report_in_text_is_read() {
        let line = "REPORT RequestId: 3604209a-e9a3-11e6-939a-754dd98c7be3\tDuration: 12.34 ms\tBilled Duration: 13 ms\t\
                    Memory Size: 128 MB\tMax Memory Used: 18 MB\tInit Duration: 100.5 ms\t\n\
                    XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: 07f5xmpl2d1f6f85\tSampled: true\t\n";
        let read = Invocation::parse(line, AT).unwrap();
        assert_eq!(read.request_id, "3604209a-e9a3-11e6-939a-754dd98c7be3");
        assert_eq!((read.duration_ms, read.billed_ms, read.init_ms), (12.34, Some(13.0), Some(100.5)));
        assert_eq!((read.memory_mb, read.max_memory_mb), (Some(128.0), Some(18.0)));
        assert_eq!(read.trace_id.as_deref(), Some("1-5e34a614-10bdxmplf1fb44f07bc535a1"));
        assert!(read.is_cold() && !read.is_failed() && read.status.is_none());

        let line = "REPORT RequestId: r-1\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory \
                    Used: 1 MB\tStatus: timeout";
        assert_eq!(Invocation::parse(line, AT).unwrap().status, Some(InvocationStatus::Timeout));
        let line = "REPORT RequestId: r-1\tDuration: 3 ms\tStatus: error\tError Type: Runtime.ExitError\n";
        let read = Invocation::parse(line, AT).unwrap();
        assert_eq!((read.is_failed(), read.error_type.as_deref()), (true, Some("Runtime.ExitError")));
    }

    #[test]
    fn a_report_in_json_is_read() {
        let line = r#"{"time": "2024-03-13T18:56:24.046Z", "type": "platform.report", "record": {"requestId": "r-1",
            "metrics": {"durationMs": 101.51, "billedDurationMs": 300, "memorySizeMB": 128, "maxMemoryUsedMB": 33,
            "initDurationMs": 116.67}, "tracing": {"spanId": "54565fb41ac79632", "type": "X-Amzn-Trace-Id",
            "value": "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"}, "status": "success"}}"#;
        let read = Invocation::parse(line, AT).unwrap();
        assert_eq!((read.duration_ms, read.init_ms, read.max_memory_mb), (101.51, Some(116.67), Some(33.0)));
        assert_eq!(read.trace_id.as_deref(), Some("1-62e900b2-710d76f009d6e7785905449a"));
        assert_eq!(read.status, Some(InvocationStatus::Success));
    }

    #[test]
    fn other_and_hostile_lines_are_no_invocations() {
        for line in [
            "",
            "START RequestId: r-1 Version: $LATEST",
            "REPORT",
            "REPORT RequestId: r-1",
            "REPORT RequestId: \tDuration: 1 ms",
            "REPORT RequestId: a b\tDuration: 1 ms",
            "REPORT RequestId: r-1\tDuration: -1 ms",
            "REPORT RequestId: r-1\tDuration: NaN ms",
            "REPORT RequestId: r-1\tDuration: inf ms",
            "REPORT RequestId: r-1\tDuration: 1e300 ms",
            "REPORT RequestId: r-1\tDuration: 1 s",
            "REPORT RequestId: r-1\u{1b}[2J\tDuration: 1 ms",
            r#"{"type": "platform.start", "record": {"requestId": "r-1"}}"#,
            r#"{"type": "platform.report", "record": {"requestId": "r-1", "metrics": {"durationMs": "1"}}}"#,
            r#"{"type": "platform.report", "record": null}"#,
            r#"{"type": "platform.report""#,
        ] {
            assert_eq!(Invocation::parse(line, AT), None, "{line}");
        }
        let long = format!("REPORT RequestId: r-1\tDuration: 1 ms\t{}", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(Invocation::parse(&long, AT), None);
    }

    #[test]
    fn what_a_line_says_twice_counts_as_it_stands_first() {
        let line = "REPORT RequestId: r-1\tDuration: 1 ms\nDuration: 900 ms\nRequestId: r-2";
        let read = Invocation::parse(line, AT).unwrap();
        assert_eq!((read.request_id.as_str(), read.duration_ms), ("r-1", 1.0));
    }

    proptest! {
        #[test]
        fn nothing_that_stands_in_a_log_makes_it_panic(text in any::<String>(), tail in "[\\t\\n:{}\"a-zA-Z0-9. ]{0,200}") {
            for line in [text.clone(), format!("REPORT {tail}"), format!("REPORT RequestId: {text}\tDuration: {tail} ms"),
                         format!("{{{tail}"), format!("{{\"type\":\"platform.report\",\"record\":{tail}}}")] {
                if let Some(read) = Invocation::parse(&line, AT) {
                    assert!(!read.request_id.is_empty() && read.duration_ms.is_finite());
                }
            }
        }
    }
}
