//! What traces say: the slowest, and those that failed.

use super::note::{Notes, Place};
use super::rule::InsightRule;
use super::seen::Seen;
use super::{EXECUTIONS_MAX, SEEN_COUNT_MIN, SHARE_COUNT_MIN, not_kept};
use crate::observe::{TraceEvidence, TraceExample};
use crate::report::model::{InsightExecution, InsightSeverity, Report};
use crate::report::number::{count, latency};

const RULES: [InsightRule; 2] = [InsightRule::SlowTraces, InsightRule::FailedTraces];

pub(super) fn note(report: &Report, seen: &Seen, notes: &mut Notes) {
    if seen.traces.is_empty() {
        let why = not_kept(report, "traces", None);
        RULES.into_iter().for_each(|rule| notes.unknown(rule, &Place::Account, why.as_str()));
    }
    for (file, read) in &seen.traces {
        match read {
            Ok(traces) => of_traces(file, traces, notes),
            Err(why) => RULES.into_iter().for_each(|rule| notes.unknown(rule, &Place::Account, why.as_str())),
        }
    }
}

fn of_traces(file: &str, traces: &TraceEvidence, notes: &mut Notes) {
    let mut of = notes.about(&Place::Account, file);
    let rows = |list: &[TraceExample]| list.iter().take(EXECUTIONS_MAX).map(row).collect::<Vec<InsightExecution>>();
    let least = if traces.cut.is_some() { "at least " } else { "" };
    let slowest = traces.slowest.first().and_then(|trace| trace.response_ms);
    if let Some(slowest) = slowest.filter(|_| traces.trace_count >= SHARE_COUNT_MIN) {
        let text = format!("The slowest of {least}{} traces took {}.", count(traces.trace_count), latency(slowest));
        of.executions(InsightRule::SlowTraces, InsightSeverity::Info, text, rows(&traces.slowest));
    }
    if traces.fault_count >= SEEN_COUNT_MIN {
        let cause = traces.causes.first();
        let cause = cause.map(|cause| format!(" The most frequent cause, in {}: {}.", count(cause.count), cause.cause));
        let text = format!(
            "There is a failure of a server in {least}{} of {least}{} traces.{}",
            count(traces.fault_count),
            count(traces.trace_count),
            cause.unwrap_or_default()
        );
        of.executions(InsightRule::FailedTraces, InsightSeverity::Medium, text, rows(&traces.failed));
    }
}

fn row(trace: &TraceExample) -> InsightExecution {
    let words = if trace.causes.is_empty() { trace.services.join(", ") } else { trace.causes.join("; ") };
    InsightExecution {
        trace_id: Some(trace.id.clone()),
        at: trace.began_at,
        duration_ms: trace.response_ms,
        status: trace.http_status.map(|status| status.to_string()),
        error: Some(words).filter(|words| !words.is_empty()),
        ..InsightExecution::default()
    }
}
