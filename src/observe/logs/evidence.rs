//! What is kept of a function's logs: numbers, ids and signatures, and no message.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::InvocationStatus;

/// By which way the lines came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogWay {
    /// Logs Insights (`StartQuery`) filtered them.
    Insights,
    /// All events were read (`FilterLogEvents`), as where an endpoint has no Insights.
    Events,
}

/// What the logs of one function say about a span of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEvidence {
    /// The form of this evidence: 1.
    pub format: u32,
    /// The function.
    pub function: String,
    /// Its log group.
    pub group: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// By which way.
    pub way: LogWay,
    /// Why not all lines of the span were read; none where they were. Counts are then at least.
    pub cut: Option<String>,
    /// How many lines were read.
    pub row_count: u64,
    /// How many invocations have a line of their own. Throttled ones have none, since no function had them.
    pub invocation_count: u64,
    /// Each minute in which there was anything.
    pub minutes: Vec<LogMinute>,
    /// How long invocations took; none where there were none.
    pub durations: Option<Durations>,
    /// Invocations that waited for a start.
    pub cold_starts: ColdStarts,
    /// Invocations that took at least 80 % of the function's timeout; none where that is not known.
    pub near_timeout: Option<NearLimit>,
    /// Invocations whose environment had used at least 90 % of its memory; none where no line tells of memory.
    pub near_memory: Option<NearLimit>,
    /// Invocations whose time was over.
    pub timeout_count: u64,
    /// Processes that were killed for their memory, or said so themselves.
    pub out_of_memory_count: u64,
    /// Requests that were tried more than once.
    pub retries: Retries,
    /// How many lines tell of an error.
    pub error_count: u64,
    /// The most frequent kinds of them, at most 20.
    pub error_groups: Vec<ErrorGroup>,
    /// How many lines are of other kinds.
    pub other_error_count: u64,
    /// Structured lines that nothing connects with others.
    pub untraced: Untraced,
    /// The slowest invocations, at most 10.
    pub slowest: Vec<Execution>,
    /// Invocations that ended badly or logged an error, the first 10.
    pub failed: Vec<Execution>,
}

/// One minute of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LogMinute {
    /// When it begins, in milliseconds since 1970.
    pub begins_ms: i64,
    /// How many invocations ended in it.
    pub invocation_count: u64,
    /// How many of them waited for a start.
    pub cold_count: u64,
    /// How many of them timed out.
    pub timeout_count: u64,
    /// How many processes were out of memory.
    pub out_of_memory_count: u64,
    /// How many lines tell of an error.
    pub error_count: u64,
    /// How long the slowest took, in milliseconds.
    pub duration_ms_max: f64,
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

/// Invocations that waited for a start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ColdStarts {
    /// How many.
    pub count: u64,
    /// How long the starts took; none where there were none.
    pub durations: Option<Durations>,
}

/// Invocations that came near a limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearLimit {
    /// The limit: the timeout in milliseconds, or the memory in MB.
    pub limit: f64,
    /// How many came near it.
    pub count: u64,
    /// How much of it was used at the most, in percent.
    pub percent_max: f64,
}

/// Requests that were tried more than once: retries of asynchronous events keep the request's id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How many requests.
    pub request_count: u64,
    /// How often the most tried one was.
    pub attempts_max: u64,
    /// The ids of some, the most tried first; at most 10.
    pub request_ids: Vec<String>,
}

/// Lines that are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorGroup {
    /// What they have in common.
    pub signature: String,
    /// How many.
    pub count: u64,
    /// When the first was written.
    pub first_at: DateTime<Utc>,
    /// When the last was written.
    pub last_at: DateTime<Utc>,
    /// A request that logged one.
    pub request_id: Option<String>,
}

/// Structured lines, and those of them without the id of a trace or of what they belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untraced {
    /// How many structured lines were looked at.
    pub structured_count: u64,
    /// How many have no such id.
    pub untraced_count: u64,
}

/// One invocation, as an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id.
    pub request_id: String,
    /// The id of its trace.
    pub trace_id: Option<String>,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How long the function had it, in milliseconds.
    pub duration_ms: f64,
    /// Whether it waited for a start.
    pub is_cold: bool,
    /// How long that took, in milliseconds.
    pub init_ms: Option<f64>,
    /// How much memory its environment had used at the most, in MB.
    pub max_memory_mb: Option<f64>,
    /// How it ended, where the line says so.
    pub status: Option<InvocationStatus>,
    /// How often its request was tried.
    pub attempts: u64,
    /// The kind of the error that it logged.
    pub error: Option<String>,
}
