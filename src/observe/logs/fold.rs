//! From lines to evidence. Pure: the lines may come in any order, and from whomever.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::super::{Invocation, InvocationStatus};
use super::evidence::{
    ColdStarts, Durations, ErrorGroup, Execution, LogEvidence, LogMinute, LogWay, NearLimit, Retries, Untraced,
};
use super::query::LogQuery;
use super::read::LogSpan;
use super::signature::signature;
use crate::aws::LogRow;
use crate::unit::LOG_LOSS_PREFIX;

/// How many kinds of errors are kept, and how many invocations as examples.
const GROUPS_MAX: usize = 20;
const EXAMPLES_MAX: usize = 10;
/// How many kinds of errors are told apart; all further ones count as one.
const SIGNATURES_MAX: usize = 1_000;
/// The form of the evidence.
const FORMAT: u32 = 1;
/// From which share of the timeout on an invocation is near it.
const NEAR_TIMEOUT: f64 = 0.8;
/// From which share of the memory on an environment is near it.
const NEAR_MEMORY: f64 = 0.9;
/// Members of a structured line that connect it with others.
const TRACE_MEMBERS: [&str; 8] = [
    "xray_trace_id",
    "trace_id",
    "traceId",
    "correlation_id",
    "correlationId",
    "x-correlation-id",
    "traceparent",
    "dd",
];

/// Whose logs are folded.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSubject {
    /// The function.
    pub function: String,
    /// Its log group.
    pub group: String,
    /// Its timeout in milliseconds, where that is known.
    pub timeout_ms: Option<f64>,
}

/// A line that tells of an error.
#[derive(Debug)]
struct ErrorLine {
    at: DateTime<Utc>,
    stream: usize,
    kind: usize,
    /// The request that it names itself.
    request_id: Option<String>,
}

/// Lines on their way to evidence; what is kept of each is small.
#[derive(Debug)]
pub struct LogFold {
    subject: LogSubject,
    row_count: u64,
    streams: BTreeMap<String, usize>,
    invocations: Vec<(usize, Invocation)>,
    errors: Vec<ErrorLine>,
    kinds: BTreeMap<String, usize>,
    /// Lines about timeouts and memory, which count where no report says so itself.
    timeouts: Vec<DateTime<Utc>>,
    out_of_memory: Vec<DateTime<Utc>>,
    untraced: Untraced,
    /// What is said of lines that were dropped before they could be read.
    lost: Option<String>,
}

impl LogFold {
    /// Nothing read yet.
    #[must_use]
    pub fn new(subject: LogSubject) -> Self {
        Self {
            subject,
            row_count: 0,
            streams: BTreeMap::new(),
            invocations: Vec::new(),
            errors: Vec::new(),
            kinds: BTreeMap::new(),
            timeouts: Vec::new(),
            out_of_memory: Vec::new(),
            untraced: Untraced::default(),
            lost: None,
        }
    }

    /// Takes in a line, as far as it is what `query` asked for; with none it is whatever it is. An emulator that does not filter
    /// answers the same lines to each query, and they count once.
    pub fn take(&mut self, row: &LogRow, query: Option<LogQuery>) {
        self.row_count += 1;
        if let Some(lost) = row.message.strip_prefix(LOG_LOSS_PREFIX) {
            self.lost = Some(lost.to_owned());
            return;
        }
        let is_wanted = |what: LogQuery| query.is_none_or(|query| query == what);
        if let Some(invocation) = Invocation::parse(&row.message, row.at) {
            if is_wanted(LogQuery::Reports) {
                let stream = self.stream(&row.stream);
                self.invocations.push((stream, invocation));
            }
            return;
        }
        let structured = structured(&row.message);
        if is_platforms(&row.message, structured.as_ref()) {
            return;
        }
        if is_wanted(LogQuery::Structured)
            && let Some(line) = &structured
        {
            self.untraced.structured_count += 1;
            self.untraced.untraced_count += u64::from(!is_traced(line, &row.message));
        }
        if is_wanted(LogQuery::Errors) && is_error(&row.message, structured.as_ref()) {
            self.take_error(row);
        }
    }

    fn take_error(&mut self, row: &LogRow) {
        let lower = row.message.to_ascii_lowercase();
        if lower.contains("task timed out after") {
            self.timeouts.push(row.at);
        }
        let is_killed = lower.contains("runtime exited") && lower.contains("signal: killed");
        if is_killed || ["out of memory", "outofmemory"].iter().any(|words| lower.contains(words)) {
            self.out_of_memory.push(row.at);
        }
        let next = self.kinds.len();
        let kind = match self.kinds.get(&signature(&row.message)) {
            Some(kind) => *kind,
            None if next < SIGNATURES_MAX => *self.kinds.entry(signature(&row.message)).or_insert(next),
            None => *self.kinds.entry("(errors of further kinds)".to_owned()).or_insert(next),
        };
        let stream = self.stream(&row.stream);
        self.errors.push(ErrorLine { at: row.at, stream, kind, request_id: request_id(&row.message) });
    }

    fn stream(&mut self, name: &str) -> usize {
        if let Some(stream) = self.streams.get(name) {
            return *stream;
        }
        let next = self.streams.len();
        self.streams.insert(name.to_owned(), next);
        next
    }

    /// The evidence. `cut` says why not all lines were read.
    #[must_use]
    pub fn finish(mut self, span: LogSpan, way: LogWay, cut: Option<String>) -> LogEvidence {
        self.invocations.sort_by_key(|(_, invocation)| invocation.at);
        self.errors.sort_by_key(|error| error.at);
        let blamed = self.blamed();
        let attempts = self.attempts();
        let of = |index: usize| self.execution(index, &attempts, &blamed);
        let mut by_duration: Vec<usize> = (0..self.invocations.len()).collect();
        let duration = |index: &usize| self.invocations.get(*index).map_or(0.0, |(_, read)| read.duration_ms);
        by_duration.sort_by(|one, other| duration(other).total_cmp(&duration(one)));
        let is_failed = |(index, (_, read)): (usize, &(usize, Invocation))| {
            (read.is_failed() || blamed.contains_key(&index)).then_some(index)
        };
        let failed = self.invocations.iter().enumerate().filter_map(is_failed).take(EXAMPLES_MAX);
        let (error_groups, other_error_count) = self.groups(&blamed);
        LogEvidence {
            format: FORMAT,
            function: self.subject.function.clone(),
            group: self.subject.group.clone(),
            from: span.from,
            until: span.until,
            way,
            cut: cut.or_else(|| self.lost.clone()),
            row_count: self.row_count,
            invocation_count: count(self.invocations.len()),
            minutes: self.minutes(),
            durations: durations(self.reports().map(|read| read.duration_ms)),
            cold_starts: ColdStarts {
                count: count(self.reports().filter(|read| read.is_cold()).count()),
                durations: durations(self.reports().filter_map(|read| read.init_ms)),
            },
            near_timeout: self.near_timeout(),
            near_memory: self.near_memory(),
            timeout_count: self.timeout_count(|_| true),
            out_of_memory_count: self.out_of_memory_count(|_| true),
            retries: retries(&attempts),
            error_count: count(self.errors.len()),
            error_groups,
            other_error_count,
            untraced: self.untraced,
            slowest: by_duration.iter().take(EXAMPLES_MAX).filter_map(|index| of(*index)).collect(),
            failed: failed.filter_map(of).collect(),
        }
    }

    fn reports(&self) -> impl DoubleEndedIterator<Item = &Invocation> {
        self.invocations.iter().map(|(_, invocation)| invocation)
    }

    /// How often each request was tried.
    fn attempts(&self) -> BTreeMap<String, u64> {
        let mut attempts = BTreeMap::new();
        for read in self.reports() {
            *attempts.entry(read.request_id.clone()).or_default() += 1;
        }
        attempts
    }

    /// The kind of the first error of each invocation that logged one, by the invocation's place. An environment has one invocation at
    /// a time: what stands in its stream belongs to the next one that ends there, unless it names another request.
    fn blamed(&self) -> BTreeMap<usize, usize> {
        let mut by_stream: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut by_id: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, (stream, read)) in self.invocations.iter().enumerate() {
            by_stream.entry(*stream).or_default().push(index);
            by_id.entry(&read.request_id).or_default().push(index);
        }
        let at = |index: usize| self.invocations.get(index).map(|(_, read)| read.at);
        let mut blamed = BTreeMap::new();
        for error in &self.errors {
            let named = error.request_id.as_deref().and_then(|id| by_id.get(id));
            let Some(candidates) = named.or_else(|| by_stream.get(&error.stream)) else { continue };
            let next = candidates.partition_point(|index| at(*index).is_some_and(|at| at < error.at));
            let Some(index) = candidates.get(next).or_else(|| candidates.last().filter(|_| named.is_some())) else {
                continue;
            };
            blamed.entry(*index).or_insert(error.kind);
        }
        blamed
    }

    fn kind(&self, kind: usize) -> Option<&str> {
        self.kinds.iter().find(|(_, number)| **number == kind).map(|(text, _)| text.as_str())
    }

    fn execution(
        &self,
        index: usize,
        attempts: &BTreeMap<String, u64>,
        blamed: &BTreeMap<usize, usize>,
    ) -> Option<Execution> {
        let (_, read) = self.invocations.get(index)?;
        Some(Execution {
            request_id: read.request_id.clone(),
            trace_id: read.trace_id.clone(),
            at: read.at,
            duration_ms: read.duration_ms,
            is_cold: read.is_cold(),
            init_ms: read.init_ms,
            max_memory_mb: read.max_memory_mb,
            status: read.status,
            attempts: attempts.get(&read.request_id).copied().unwrap_or(1),
            error: blamed.get(&index).and_then(|kind| self.kind(*kind)).map(str::to_owned),
        })
    }

    /// The most frequent kinds of errors, and how many lines are of others.
    fn groups(&self, blamed: &BTreeMap<usize, usize>) -> (Vec<ErrorGroup>, u64) {
        let example = |kind: usize| {
            let (index, _) = blamed.iter().find(|(_, blamed)| **blamed == kind)?;
            self.invocations.get(*index).map(|(_, read)| read.request_id.clone())
        };
        let group = |(text, kind): (&String, &usize)| {
            let mut of_kind = self.errors.iter().filter(|error| error.kind == *kind);
            let first = of_kind.next()?;
            let (more, last_at) = of_kind.fold((0, first.at), |(more, _), error| (more + 1, error.at));
            let (signature, request_id) = (text.clone(), example(*kind));
            Some(ErrorGroup { signature, count: more + 1, first_at: first.at, last_at, request_id })
        };
        let mut groups: Vec<ErrorGroup> = self.kinds.iter().filter_map(group).collect();
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.signature.cmp(&other.signature)));
        let others = groups.split_off(groups.len().min(GROUPS_MAX));
        (groups, others.iter().map(|group| group.count).sum())
    }

    /// A timeout may be told by its line, by the report, or by both: the fuller of the two counts.
    fn timeout_count(&self, is_in: impl Fn(DateTime<Utc>) -> bool) -> u64 {
        let is_timeout = |read: &&Invocation| read.status == Some(InvocationStatus::Timeout);
        let told = self.reports().filter(is_timeout).filter(|read| is_in(read.at)).count();
        count(told.max(self.timeouts.iter().filter(|at| is_in(**at)).count()))
    }

    /// As with timeouts.
    fn out_of_memory_count(&self, is_in: impl Fn(DateTime<Utc>) -> bool) -> u64 {
        let is_it = |read: &&Invocation| read.error_type.as_deref() == Some("Runtime.OutOfMemory");
        let told = self.reports().filter(is_it).filter(|read| is_in(read.at)).count();
        count(told.max(self.out_of_memory.iter().filter(|at| is_in(**at)).count()))
    }

    fn minutes(&self) -> Vec<LogMinute> {
        let minute_of = |at: DateTime<Utc>| at.timestamp_millis().div_euclid(60_000) * 60_000;
        let mut minutes: BTreeMap<i64, LogMinute> = BTreeMap::new();
        for read in self.reports() {
            let minute = minutes.entry(minute_of(read.at)).or_default();
            minute.invocation_count += 1;
            minute.cold_count += u64::from(read.is_cold());
            minute.duration_ms_max = minute.duration_ms_max.max(read.duration_ms);
        }
        for error in &self.errors {
            minutes.entry(minute_of(error.at)).or_default().error_count += 1;
        }
        for (begins_ms, minute) in &mut minutes {
            minute.begins_ms = *begins_ms;
            minute.timeout_count = self.timeout_count(|at| minute_of(at) == *begins_ms);
            minute.out_of_memory_count = self.out_of_memory_count(|at| minute_of(at) == *begins_ms);
        }
        minutes.into_values().collect()
    }

    fn near_timeout(&self) -> Option<NearLimit> {
        let limit = self.subject.timeout_ms?;
        near(limit, NEAR_TIMEOUT, self.reports().map(|read| read.duration_ms / limit))
    }

    fn near_memory(&self) -> Option<NearLimit> {
        let share = |read: &Invocation| Some(read.max_memory_mb? / read.memory_mb.filter(|mb| *mb > 0.0)?);
        let limit = self.reports().filter_map(|read| read.memory_mb).next_back()?;
        near(limit, NEAR_MEMORY, self.reports().filter_map(share))
    }
}

/// How near shares of a limit come to it; none where there are no shares.
fn near(limit: f64, from: f64, shares: impl Iterator<Item = f64>) -> Option<NearLimit> {
    let mut found: Option<NearLimit> = None;
    for share in shares {
        let near = found.get_or_insert(NearLimit { limit, count: 0, percent_max: 0.0 });
        near.count += u64::from(share >= from);
        near.percent_max = near.percent_max.max(share * 100.0);
    }
    found
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Percentiles by the nearest rank.
fn durations(values: impl Iterator<Item = f64>) -> Option<Durations> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let at_percent = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some(Durations { p50_ms: at_percent(50)?, p99_ms: at_percent(99)?, max_ms: *sorted.last()? })
}

fn retries(attempts: &BTreeMap<String, u64>) -> Retries {
    let mut more: Vec<(&String, u64)> =
        attempts.iter().filter(|(_, attempts)| **attempts > 1).map(|(id, attempts)| (id, *attempts)).collect();
    more.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    Retries {
        request_count: count(more.len()),
        attempts_max: more.first().map_or(u64::from(!attempts.is_empty()), |(_, attempts)| *attempts),
        request_ids: more.iter().take(EXAMPLES_MAX).map(|(id, _)| (*id).clone()).collect(),
    }
}

/// A line that is a JSON object.
fn structured(message: &str) -> Option<Value> {
    let text = message.trim();
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok().filter(Value::is_object)
}

/// Whether a line is Lambda's own and tells of no trouble.
fn is_platforms(message: &str, structured: Option<&Value>) -> bool {
    const BEGINS: [&str; 6] = ["START ", "END ", "REPORT ", "INIT_START ", "INIT_REPORT ", "EXTENSION"];
    let kind = structured.and_then(|line| line.get("type")).and_then(Value::as_str);
    kind.is_some_and(|kind| kind.starts_with("platform.")) || BEGINS.iter().any(|begin| message.starts_with(begin))
}

/// Whether a line tells of an error: a structured one by its level, where it has one; any other by its words.
fn is_error(message: &str, structured: Option<&Value>) -> bool {
    if let Some(level) = structured.and_then(|line| line.get("level")).and_then(Value::as_str) {
        return ["ERROR", "FATAL", "CRITICAL"].iter().any(|bad| level.eq_ignore_ascii_case(bad));
    }
    let lower = message.to_ascii_lowercase();
    let words = ["error", "exception", "fatal", "critical", "timed out after", "out of memory", "outofmemory"];
    words.iter().any(|word| lower.contains(word))
}

/// Whether something in a line connects it with others: a member for it, or the id of a trace anywhere.
fn is_traced(line: &Value, message: &str) -> bool {
    let has = |value: &Value| TRACE_MEMBERS.iter().any(|name| value.get(name).is_some_and(|id| !id.is_null()));
    has(line) || line.get("message").is_some_and(has) || message.contains("Root=1-")
}

/// The id of a request in a line: the first UUID.
fn request_id(message: &str) -> Option<String> {
    let is_uuid = |word: &&str| {
        word.len() == 36
            && word.chars().enumerate().all(|(at, c)| match at {
                8 | 13 | 18 | 23 => c == '-',
                _ => c.is_ascii_hexdigit(),
            })
    };
    message.split(|c: char| !(c.is_ascii_hexdigit() || c == '-')).find(is_uuid).map(str::to_owned)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
