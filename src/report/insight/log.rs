//! What a function's logs say.

use std::collections::BTreeMap;

use super::note::{Notebook, Notes, Place};
use super::rule::InsightRule;
use super::seen::{Readable, Seen};
use super::{EXECUTIONS_MAX, SEEN_COUNT_MIN, SHARE_COUNT_MIN};
use crate::observe::{Execution, InvocationStatus, LogEvidence};
use crate::report::model::{InsightExecution, InsightSeverity};
use crate::report::number::{count, latency, percent, ratio};
use crate::unit::plural;

/// The share of failures from which on they are worth a word: what an objective of 99 % leaves over.
pub(super) const ERROR_RATIO_MIN: f64 = 0.01;
/// The share from which on it is worth mending now.
pub(super) const ERROR_RATIO_HIGH: f64 = 0.05;
/// The share of invocations that may have to wait for a start; as the findings have it.
const COLD_START_RATIO_MAX: f64 = 0.05;
/// The share of the timeout from which on it is near. Source: AWS Lambda, "Configure function timeout": alarm below it; the readiness
/// checks ask for an alarm below 80 %.
const NEAR_TIMEOUT_PERCENT: f64 = 80.0;
/// The share of its memory from which on a function is near its end.
const NEAR_MEMORY_PERCENT: f64 = 90.0;
/// The share of its memory up to which a function has far more than it uses.
const OVERSIZED_PERCENT_MAX: f64 = 25.0;
/// The least memory that a function can have, in MB (AWS: `CreateFunction`, `MemorySize`).
const MEMORY_MB_MIN: f64 = 128.0;
/// The share of structured lines that may have no id; the readiness checks ask for one in 95 of 100.
const UNTRACED_RATIO_MAX: f64 = 0.05;
/// How many failed invocations the evidence keeps: where there are as many, there may be more.
const FAILED_KEPT_MAX: usize = 10;

/// The rules that need a function's logs.
const RULES: [InsightRule; 11] = [
    InsightRule::ColdStarts,
    InsightRule::Retried,
    InsightRule::NearTimeout,
    InsightRule::NearMemory,
    InsightRule::Oversized,
    InsightRule::TimedOut,
    InsightRule::OutOfMemory,
    InsightRule::ErrorGroup,
    InsightRule::Untraced,
    InsightRule::Slowest,
    InsightRule::Failed,
];

/// What was read of logs, with its file, by function.
pub(super) fn by_function(seen: &Seen) -> BTreeMap<&str, (&str, &Readable<LogEvidence>)> {
    let mut by_name = BTreeMap::new();
    for (file, read) in &seen.logs {
        let name = match read {
            Ok(logs) => logs.function.as_str(),
            // What can not be read is about what its file is called.
            Err(_) => file.trim_start_matches("evidence/logs/").trim_end_matches(".json"),
        };
        by_name.insert(name, (file.as_str(), read));
    }
    by_name
}

/// The logs of a function are not known.
pub(super) fn unknown(function: &str, why: &str, has_rate: bool, notes: &mut Notes) {
    let place = Place::Function(function.to_owned());
    let rate = (!has_rate).then_some(InsightRule::ErrorRate);
    rate.into_iter().chain(RULES).for_each(|rule| notes.unknown(rule, &place, why));
}

/// What the logs of a function say; of its error rate where its metrics do not.
pub(super) fn note(file: &str, logs: &LogEvidence, has_rate: bool, notes: &mut Notes) {
    let place = Place::Function(logs.function.clone());
    let mut of = notes.about(&place, file);
    if !has_rate {
        error_rate(logs, &mut of);
    }
    cold_starts(logs, &mut of);
    retries(logs, &mut of);
    near_timeout(logs, &mut of);
    memory(logs, &mut of);
    ended_by_limits(logs, &mut of);
    error_group(logs, &mut of);
    untraced(logs, &mut of);
    executions(logs, &mut of);
}

/// A count as it has to be told where not all lines were read.
fn counted(logs: &LogEvidence, number: u64) -> String {
    let least = if logs.cut.is_some() { "at least " } else { "" };
    format!("{least}{}", count(number))
}

fn error_rate(logs: &LogEvidence, of: &mut Notebook<'_>) {
    if logs.invocation_count < SHARE_COUNT_MIN {
        return;
    }
    let failed = u64::try_from(logs.failed.len()).unwrap_or(u64::MAX);
    let share = ratio(failed, logs.invocation_count).unwrap_or(0.0);
    let is_least = logs.failed.len() >= FAILED_KEPT_MAX;
    if logs.cut.is_some() {
        of.unknown(
            InsightRule::ErrorRate,
            "not all lines of its logs were read, and there is no metric `Errors` of it",
        );
    } else if share < ERROR_RATIO_MIN && is_least {
        let why = "its logs keep the first failures alone, and there is no metric `Errors` of it";
        of.unknown(InsightRule::ErrorRate, why);
    } else if share >= ERROR_RATIO_MIN && failed >= SEEN_COUNT_MIN {
        let least = if is_least { "at least " } else { "" };
        let text = format!(
            "{least}{} of {} invocations of `{}` ended badly or logged an error: {least}{}.",
            count(failed),
            count(logs.invocation_count),
            logs.function,
            percent(share)
        );
        of.found(InsightRule::ErrorRate, rate_severity(share), capitalised(&text));
    }
}

/// How bad a share of failures is.
pub(super) fn rate_severity(share: f64) -> InsightSeverity {
    if share >= ERROR_RATIO_HIGH { InsightSeverity::High } else { InsightSeverity::Medium }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

fn cold_starts(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let share = ratio(logs.cold_starts.count, logs.invocation_count).unwrap_or(0.0);
    if logs.invocation_count < SHARE_COUNT_MIN || share <= COLD_START_RATIO_MAX {
        return;
    }
    let took = |durations: crate::observe::Durations| {
        format!(
            "; half of the starts took at most {}, 99 of 100 at most {}",
            latency(durations.p50_ms),
            latency(durations.p99_ms)
        )
    };
    let text = format!(
        "{} of {} invocations of `{}` waited for a cold start: {}{}.",
        capitalised(&counted(logs, logs.cold_starts.count)),
        count(logs.invocation_count),
        logs.function,
        percent(share),
        logs.cold_starts.durations.map(took).unwrap_or_default()
    );
    of.found(InsightRule::ColdStarts, InsightSeverity::Low, text);
}

fn retries(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let retries = &logs.retries;
    if retries.request_count < SEEN_COUNT_MIN {
        return;
    }
    let ids: Vec<String> = retries.request_ids.iter().take(EXECUTIONS_MAX).map(|id| format!("`{id}`")).collect();
    let some = if ids.is_empty() { String::new() } else { format!(" Some of them: {}.", ids.join(", ")) };
    let text = format!(
        "{} requests of `{}` were tried more than once, one of them {} times.{some}",
        capitalised(&counted(logs, retries.request_count)),
        logs.function,
        count(retries.attempts_max)
    );
    of.found(InsightRule::Retried, InsightSeverity::Medium, text);
}

fn near_timeout(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let Some(near) = logs.near_timeout else {
        if logs.invocation_count > 0 {
            of.unknown(InsightRule::NearTimeout, "its timeout is not known");
        }
        return;
    };
    let Some(durations) = logs.durations else { return };
    let is_p99_near = near.limit > 0.0 && durations.p99_ms / near.limit * 100.0 >= NEAR_TIMEOUT_PERCENT;
    if near.count < SEEN_COUNT_MIN || near.percent_max < NEAR_TIMEOUT_PERCENT {
        return;
    }
    let is_usual = is_p99_near && logs.invocation_count >= SHARE_COUNT_MIN;
    let severity = if is_usual { InsightSeverity::Medium } else { InsightSeverity::Low };
    let text = format!(
        "{} of {} invocations of `{}` took at least {NEAR_TIMEOUT_PERCENT} % of its timeout of {}: 99 of 100 took at most {}, the \
         longest {}.",
        capitalised(&counted(logs, near.count)),
        count(logs.invocation_count),
        logs.function,
        latency(near.limit),
        latency(durations.p99_ms),
        latency(durations.max_ms)
    );
    of.found(InsightRule::NearTimeout, severity, text);
}

fn memory(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let Some(near) = logs.near_memory else {
        if logs.invocation_count > 0 {
            let why = "no line of its logs tells of memory";
            [InsightRule::NearMemory, InsightRule::Oversized].into_iter().for_each(|rule| of.unknown(rule, why));
        }
        return;
    };
    let used = format!("{} of its {:.0} MB", percent(near.percent_max / 100.0), near.limit);
    if near.count >= SEEN_COUNT_MIN && near.percent_max >= NEAR_MEMORY_PERCENT {
        let text = format!(
            "`{}` used up to {used} of memory; {} of {} invocations were at {NEAR_MEMORY_PERCENT} % and more.",
            logs.function,
            counted(logs, near.count),
            count(logs.invocation_count)
        );
        of.found(InsightRule::NearMemory, InsightSeverity::Medium, text);
    }
    let is_known = logs.invocation_count >= SHARE_COUNT_MIN && logs.cut.is_none();
    if is_known && near.percent_max <= OVERSIZED_PERCENT_MAX && near.limit > MEMORY_MB_MIN {
        let text = format!(
            "`{}` used at most {used} of memory in {} invocations.",
            logs.function,
            count(logs.invocation_count)
        );
        of.found(InsightRule::Oversized, InsightSeverity::Info, text);
    }
}

fn ended_by_limits(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let name = &logs.function;
    if logs.timeout_count >= SEEN_COUNT_MIN {
        let number = capitalised(&counted(logs, logs.timeout_count));
        let text = format!("{number} invocations of `{name}` were ended by its timeout.");
        of.found(InsightRule::TimedOut, InsightSeverity::High, text);
    }
    if logs.out_of_memory_count >= SEEN_COUNT_MIN {
        let number = counted(logs, logs.out_of_memory_count);
        let text = format!("Processes of `{name}` were out of memory {number} times.");
        of.found(InsightRule::OutOfMemory, InsightSeverity::High, text);
    }
}

fn error_group(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let Some(group) = logs.error_groups.first().filter(|group| group.count >= SEEN_COUNT_MIN) else { return };
    let request =
        group.request_id.as_ref().map(|id| format!(" One request that logged it: `{id}`.")).unwrap_or_default();
    let others = logs.error_count.saturating_sub(group.count);
    let text = format!(
        "The most frequent error of `{}`, in {} lines: “{}”; {} of other kinds.{request}",
        logs.function,
        counted(logs, group.count),
        group.signature,
        plural(usize::try_from(others).unwrap_or(usize::MAX), "line is", "lines are")
    );
    of.found(InsightRule::ErrorGroup, InsightSeverity::Medium, text);
}

fn untraced(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let lines = logs.untraced;
    if lines.structured_count == 0 {
        if logs.invocation_count > 0 {
            of.unknown(InsightRule::Untraced, "no structured line of its own was found in its logs");
        }
        return;
    }
    let share = ratio(lines.untraced_count, lines.structured_count).unwrap_or(0.0);
    if lines.structured_count >= SHARE_COUNT_MIN && share > UNTRACED_RATIO_MAX {
        let text = format!(
            "{} of {} structured lines of `{}` that were looked at have no trace or correlation id: {}.",
            count(lines.untraced_count),
            count(lines.structured_count),
            logs.function,
            percent(share)
        );
        of.found(InsightRule::Untraced, InsightSeverity::Low, text);
    }
}

fn executions(logs: &LogEvidence, of: &mut Notebook<'_>) {
    let rows = |list: &[Execution]| list.iter().take(EXECUTIONS_MAX).map(row).collect::<Vec<InsightExecution>>();
    let name = &logs.function;
    let slowest = rows(&logs.slowest);
    if let (Some(durations), true) = (logs.durations, logs.invocation_count >= SHARE_COUNT_MIN && !slowest.is_empty()) {
        let text = format!(
            "The slowest invocation of `{name}` took {}; half of {} took at most {}.",
            latency(durations.max_ms),
            count(logs.invocation_count),
            latency(durations.p50_ms)
        );
        of.executions(InsightRule::Slowest, InsightSeverity::Info, text, slowest);
    }
    let failed = rows(&logs.failed);
    if u64::try_from(logs.failed.len()).is_ok_and(|number| number >= SEEN_COUNT_MIN) {
        let number = plural(failed.len(), "invocation", "invocations");
        let text = format!("The first {number} of `{name}` that ended badly or logged an error.");
        of.executions(InsightRule::Failed, InsightSeverity::Medium, text, failed);
    }
}

fn row(execution: &Execution) -> InsightExecution {
    let status = execution.status.map(|status| match status {
        InvocationStatus::Success => "success",
        InvocationStatus::Timeout => "timeout",
        InvocationStatus::Error => "error",
        InvocationStatus::Failure => "failure",
    });
    InsightExecution {
        request_id: Some(execution.request_id.clone()),
        trace_id: execution.trace_id.clone(),
        at: Some(execution.at),
        duration_ms: Some(execution.duration_ms),
        is_cold: Some(execution.is_cold),
        max_memory_mb: execution.max_memory_mb,
        status: status.map(ToOwned::to_owned),
        attempts: Some(execution.attempts),
        error: execution.error.clone(),
    }
}
