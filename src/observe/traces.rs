//! Traces of a run: the slowest and the failed, why, and who called whom.
//!
//! X-Ray answers for them, but where Transaction Search is on: then spans are in the log group `aws/spans`, and X-Ray's `BatchGetTraces`
//! finds nothing (AWS). Messages of exceptions are kept as signatures alone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::logs::{LogReadError, LogReader, LogSpan, signature};
use crate::aws::{AwsError, Logs, RootCause, Trace, TraceDestination, TraceList, TraceSummary, XRay};

/// The form of the evidence.
const FORMAT: u32 = 1;
/// How many traces are kept as examples, of the slowest and of the failed.
const EXAMPLES_MAX: usize = 10;
/// How many causes and edges are kept.
const GROUPS_MAX: usize = 50;
/// How many functions a filter expression names; of more, all traces of the span are read.
const FILTERED_FUNCTIONS_MAX: usize = 20;
/// How deep subsegments may nest.
const DEPTH_MAX: usize = 20;
/// The log group of Transaction Search. Source: AWS, CloudWatch "Transaction Search".
const SPANS_GROUP: &str = "aws/spans";
/// How many spans one query may answer. Source: AWS, `StartQuery`.
const SPANS_MAX: usize = 10_000;
/// The spans of a run, the longest first. Members as OpenTelemetry and AWS name them.
const SPANS_QUERY: &str = "fields @timestamp, traceId, spanId, parentSpanId, durationNano, status.code as failed, \
    attributes.http.response.status_code as http, resource.attributes.service.name as service | sort durationNano desc";

/// By which way traces came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceWay {
    /// X-Ray's summaries.
    XRay,
    /// The spans of Transaction Search.
    Spans,
}

/// What traces say about a span of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceEvidence {
    /// The form of this evidence: 1.
    pub format: u32,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// By which way.
    pub way: TraceWay,
    /// Why not all traces were read; none where they were. Counts are then at least.
    pub cut: Option<String>,
    /// What else is not known, in words.
    pub unknown: Vec<String>,
    /// How many traces there are: sampling decides which requests have one.
    pub trace_count: u64,
    /// How many have a failure of a server in them.
    pub fault_count: u64,
    /// How many have a mistake of a caller in them.
    pub error_count: u64,
    /// How many have a throttle in them.
    pub throttle_count: u64,
    /// The slowest, at most 10.
    pub slowest: Vec<TraceExample>,
    /// Failed ones, at most 10.
    pub failed: Vec<TraceExample>,
    /// Why X-Ray believes that traces failed, the most frequent first.
    pub causes: Vec<CauseGroup>,
    /// Who called whom in the examples.
    pub edges: Vec<Edge>,
}

/// One trace, as an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceExample {
    /// Its id.
    pub id: String,
    /// When it began.
    pub began_at: Option<DateTime<Utc>>,
    /// How long its caller waited, in milliseconds.
    pub response_ms: Option<f64>,
    /// The HTTP status that its caller saw.
    pub http_status: Option<u16>,
    /// The services in it.
    pub services: Vec<String>,
    /// What it failed for, or was slow for: services from outside inwards, then the kind of the exception.
    pub causes: Vec<String>,
}

/// Traces that failed for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseGroup {
    /// Services from outside inwards, then the kind of the exception.
    pub cause: String,
    /// How many traces.
    pub count: u64,
}

/// One service that called another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// Who called.
    pub from: String,
    /// Whom.
    pub to: String,
    /// How often, in the examples.
    pub count: u64,
}

/// Why traces could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceReadError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The spans could not be read.
    #[error("failed to read the spans of Transaction Search")]
    Spans(#[from] LogReadError),
    /// There was no time for an answer.
    #[error("there was no answer in time")]
    Late,
}

/// Reads the traces of some functions; all of the account's where there are none or too many to name.
///
/// # Errors
/// A call failed, or there was no time for one.
pub async fn read_traces(
    xray: &XRay,
    logs: &Logs,
    functions: &[String],
    span: LogSpan,
    deadline: Instant,
) -> Result<TraceEvidence, TraceReadError> {
    let mut unknown = Vec::new();
    let destination = match tokio::time::timeout_at(deadline, xray.destination()).await {
        Ok(Ok(destination)) => destination,
        Ok(Err(error)) => {
            // Emulators do not know the call; X-Ray itself is asked then.
            unknown.push(format!("whether Transaction Search is on: {error}"));
            TraceDestination::XRay
        }
        Err(_) => return Err(TraceReadError::Late),
    };
    match destination {
        TraceDestination::Logs => {
            let reader = LogReader::new(logs.clone(), true, deadline);
            let rows = reader.query(SPANS_GROUP, SPANS_QUERY, span, SPANS_MAX).await?.ok_or(TraceReadError::Late)?;
            let cut = (rows.len() >= SPANS_MAX).then(|| format!("there are more spans than the {SPANS_MAX} longest"));
            let (list, edges) = of_spans(&rows);
            unknown.push("which of them are of these functions: spans of the whole account are read".to_owned());
            Ok(evidence(span, TraceWay::Spans, TraceList { traces: list, is_cut: false }, edges, unknown, cut))
        }
        TraceDestination::XRay => {
            let filter = filter_expression(functions);
            let list = tokio::time::timeout_at(deadline, xray.summaries((span.from, span.until), filter.as_deref()));
            let list = list.await.map_err(|_| TraceReadError::Late)??;
            let examples: BTreeSet<String> =
                slowest(&list.traces).chain(failed(&list.traces)).map(|it| it.id.clone()).collect();
            let examples: Vec<String> = examples.into_iter().collect();
            let edges = match tokio::time::timeout_at(deadline, xray.traces(&examples)).await {
                Ok(Ok(found)) => {
                    if !found.missing.is_empty() {
                        let count = found.missing.len();
                        unknown.push(format!(
                            "who called whom in {count} of {} examples, which X-Ray does not give out",
                            examples.len()
                        ));
                    }
                    edges(&found.traces)
                }
                Ok(Err(error)) => {
                    unknown.push(format!("who called whom: {error}"));
                    Vec::new()
                }
                Err(_) => {
                    unknown.push("who called whom: there was no answer in time".to_owned());
                    Vec::new()
                }
            };
            let cut =
                list.is_cut.then(|| format!("there are more traces than the {} that were read", list.traces.len()));
            Ok(evidence(span, TraceWay::XRay, list, edges, unknown, cut))
        }
    }
}

/// Traces in which one of the functions takes part. Source: AWS, X-Ray "Use filter expressions".
pub(crate) fn filter_expression(functions: &[String]) -> Option<String> {
    // A name with a quote in it is none of Lambda's.
    let is_plain = |name: &&String| !name.contains(['"', '\\']);
    if functions.is_empty() || functions.len() > FILTERED_FUNCTIONS_MAX || !functions.iter().all(|name| is_plain(&name))
    {
        return None;
    }
    let terms: Vec<String> = functions.iter().map(|name| format!("service(\"{name}\")")).collect();
    Some(terms.join(" OR "))
}

fn slowest(traces: &[TraceSummary]) -> impl Iterator<Item = &TraceSummary> {
    let mut timed: Vec<&TraceSummary> = traces.iter().filter(|trace| trace.response_ms.is_some()).collect();
    timed.sort_by(|one, other| other.response_ms.unwrap_or(0.0).total_cmp(&one.response_ms.unwrap_or(0.0)));
    timed.into_iter().take(EXAMPLES_MAX)
}

fn failed(traces: &[TraceSummary]) -> impl Iterator<Item = &TraceSummary> {
    traces.iter().filter(|trace| trace.has_fault || trace.has_throttle || trace.has_error).take(EXAMPLES_MAX)
}

fn evidence(
    span: LogSpan,
    way: TraceWay,
    list: TraceList,
    edges: Vec<Edge>,
    unknown: Vec<String>,
    cut: Option<String>,
) -> TraceEvidence {
    let traces = &list.traces;
    let count = |is: fn(&TraceSummary) -> bool| amount(traces.iter().filter(|trace| is(trace)).count());
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    for trace in traces {
        let of_trace: BTreeSet<String> = trace.failure_causes.iter().map(text).collect();
        of_trace.into_iter().for_each(|cause| *causes.entry(cause).or_default() += 1);
    }
    let mut causes: Vec<CauseGroup> = causes.into_iter().map(|(cause, count)| CauseGroup { cause, count }).collect();
    causes.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.cause.cmp(&other.cause)));
    causes.truncate(GROUPS_MAX);
    TraceEvidence {
        format: FORMAT,
        from: span.from,
        until: span.until,
        way,
        cut,
        unknown,
        trace_count: amount(traces.len()),
        fault_count: count(|trace| trace.has_fault),
        error_count: count(|trace| trace.has_error),
        throttle_count: count(|trace| trace.has_throttle),
        slowest: slowest(traces).map(|trace| example(trace, &trace.time_causes)).collect(),
        failed: failed(traces).map(|trace| example(trace, &trace.failure_causes)).collect(),
        causes,
        edges,
    }
}

fn amount(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn example(trace: &TraceSummary, causes: &[RootCause]) -> TraceExample {
    TraceExample {
        id: trace.id.clone(),
        began_at: trace.began_at,
        response_ms: trace.response_ms,
        http_status: trace.http_status,
        services: trace.services.clone(),
        causes: causes.iter().map(text).collect(),
    }
}

/// A cause in words: `checkout → payments: ValueError: no card #`.
fn text(cause: &RootCause) -> String {
    let way = cause.services.join(" → ");
    match &cause.exception {
        Some(exception) => format!("{way}: {}", signature(exception)),
        None => way,
    }
}

/// Who called whom: a subsegment that names another service is a call of the segment that it is in.
fn edges(traces: &[Trace]) -> Vec<Edge> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for segment in traces.iter().flat_map(|trace| &trace.segments) {
        if let Some(name) = segment.get("name").and_then(Value::as_str) {
            walk(segment, name, 0, &mut counts);
        }
    }
    most(counts)
}

fn walk(segment: &Value, caller: &str, depth: usize, counts: &mut BTreeMap<(String, String), u64>) {
    let inner = segment.get("subsegments").and_then(Value::as_array);
    for subsegment in inner.into_iter().flatten().filter(|_| depth < DEPTH_MAX) {
        let text = |name: &str| subsegment.get(name).and_then(Value::as_str);
        match (text("namespace"), text("name")) {
            (Some("aws" | "remote"), Some(name)) => {
                *counts.entry((caller.to_owned(), name.to_owned())).or_default() += 1;
            }
            _ => walk(subsegment, caller, depth + 1, counts),
        }
    }
}

fn most(counts: BTreeMap<(String, String), u64>) -> Vec<Edge> {
    let mut edges: Vec<Edge> = counts.into_iter().map(|((from, to), count)| Edge { from, to, count }).collect();
    edges.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.cmp(other)));
    edges.truncate(GROUPS_MAX);
    edges
}

/// Traces from their spans: a trace takes as long as its longest span, and fails where one of them does.
fn of_spans(rows: &[BTreeMap<String, String>]) -> (Vec<TraceSummary>, Vec<Edge>) {
    let text = |row: &BTreeMap<String, String>, name: &str| row.get(name).filter(|text| !text.is_empty()).cloned();
    let mut traces: BTreeMap<String, TraceSummary> = BTreeMap::new();
    let mut services: BTreeMap<String, String> = BTreeMap::new();
    for row in rows {
        let Some(id) = text(row, "traceId") else { continue };
        let milliseconds =
            text(row, "durationNano").and_then(|nanos| nanos.parse::<f64>().ok()).map(|nanos| nanos / 1e6);
        let status = text(row, "http").and_then(|status| status.parse::<u16>().ok());
        let trace = traces.entry(id.clone()).or_insert_with(|| TraceSummary {
            id,
            began_at: None,
            response_ms: None,
            has_fault: false,
            has_error: false,
            has_throttle: false,
            is_partial: false,
            http_status: None,
            services: Vec::new(),
            failure_causes: Vec::new(),
            time_causes: Vec::new(),
        });
        trace.response_ms = longer(trace.response_ms, milliseconds);
        trace.has_throttle |= status == Some(429);
        trace.has_error |= status.is_some_and(|status| (400..500).contains(&status));
        trace.has_fault |=
            status.is_some_and(|status| status >= 500) || text(row, "failed").as_deref() == Some("ERROR");
        if text(row, "parentSpanId").is_none() {
            trace.http_status = status.or(trace.http_status);
        }
        if let Some(service) = text(row, "service") {
            if let Some(span) = text(row, "spanId") {
                services.insert(span, service.clone());
            }
            if !trace.services.contains(&service) {
                trace.services.push(service);
            }
        }
    }
    let mut counts = BTreeMap::new();
    for row in rows {
        let caller = text(row, "parentSpanId").and_then(|span| services.get(&span));
        let callee = text(row, "service");
        if let (Some(caller), Some(callee)) = (caller, callee)
            && *caller != callee
        {
            *counts.entry((caller.clone(), callee)).or_default() += 1;
        }
    }
    (traces.into_values().collect(), most(counts))
}

fn longer(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (known, None) | (None, known) => known,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::aws::{Reply, Server};

    fn span() -> LogSpan {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        LogSpan { from: at(1_000), until: at(2_000) }
    }

    fn ok(body: &Value) -> Reply {
        Reply::new(200, &body.to_string())
    }

    async fn read(server: &Server) -> Result<TraceEvidence, TraceReadError> {
        let functions = ["checkout".to_owned(), "payments".to_owned()];
        let deadline = Instant::now() + Duration::from_secs(60);
        read_traces(&XRay::at(server), &Logs::at(server), &functions, span(), deadline).await
    }

    #[tokio::test]
    async fn traces_of_xray_become_examples_causes_and_edges() {
        let cause = json!([{"Services": [{"Name": "checkout"}, {"Name": "payments", "EntityPath": [
            {"Exceptions": [{"Name": "ValueError", "Message": "no card 4711"}]}]}]}]);
        let summaries = json!({"TraceSummaries": [
            {"Id": "1-a", "ResponseTime": 0.1},
            {"Id": "1-b", "ResponseTime": 2.0, "HasFault": true, "FaultRootCauses": cause},
            {"Id": "1-c", "ResponseTime": 0.5, "HasThrottle": true, "HasError": true},
        ]});
        let document = json!({"name": "checkout", "subsegments": [
            {"name": "Invocation", "subsegments": [{"name": "payments", "namespace": "aws"}]}]});
        let traces = json!({"Traces": [{"Id": "1-b", "Segments": [{"Id": "s", "Document": document.to_string()}]}]});
        let replies = [ok(&json!({"Destination": "XRay"})), ok(&summaries), ok(&traces)];
        let server = Server::start(replies).await;
        let found = read(&server).await.unwrap();
        assert_eq!((found.trace_count, found.fault_count, found.error_count, found.throttle_count), (3, 1, 1, 1));
        let ids = |list: &[TraceExample]| list.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&found.slowest), ids(&found.failed)),
            (vec!["1-b".into(), "1-c".into(), "1-a".into()], vec!["1-b".into(), "1-c".into()])
        );
        let causes = [CauseGroup { cause: "checkout → payments: ValueError: no card #".to_owned(), count: 1 }];
        assert_eq!(found.causes, causes);
        assert_eq!(found.edges, [Edge { from: "checkout".to_owned(), to: "payments".to_owned(), count: 1 }]);
        assert_eq!(found.unknown, ["who called whom in 2 of 3 examples, which X-Ray does not give out"]);
        let sent = server.recorded();
        assert_eq!(sent[1].json()["FilterExpression"], "service(\"checkout\") OR service(\"payments\")");
        assert!(!serde_json::to_string(&found).unwrap().contains("4711"));
    }

    /// A wire fixture: no emulator has Transaction Search.
    #[tokio::test]
    async fn with_transaction_search_the_spans_are_asked_for() {
        let row = |fields: &[(&str, &str)]| {
            fields.iter().map(|(field, value)| json!({"field": field, "value": value})).collect::<Vec<_>>()
        };
        let rows = json!([
            row(&[
                ("traceId", "t1"),
                ("spanId", "s1"),
                ("durationNano", "2000000000"),
                ("service", "checkout"),
                ("http", "502")
            ]),
            row(&[
                ("traceId", "t1"),
                ("spanId", "s2"),
                ("parentSpanId", "s1"),
                ("durationNano", "1500000000"),
                ("service", "payments"),
                ("failed", "ERROR")
            ]),
            row(&[("traceId", "t2"), ("spanId", "s3"), ("durationNano", "x")]),
        ]);
        let replies = [
            ok(&json!({"Destination": "CloudWatchLogs"})),
            ok(&json!({"queryId": "q"})),
            ok(&json!({"status": "Complete", "results": rows})),
        ];
        let server = Server::start(replies).await;
        let found = read(&server).await.unwrap();
        assert_eq!((found.way, found.trace_count, found.fault_count), (TraceWay::Spans, 2, 1));
        assert_eq!((found.slowest.len(), found.slowest[0].response_ms), (1, Some(2_000.0)));
        assert_eq!((found.failed[0].http_status, found.failed[0].services.len()), (Some(502), 2));
        assert_eq!(found.edges, [Edge { from: "checkout".to_owned(), to: "payments".to_owned(), count: 1 }]);
        assert_eq!(server.recorded()[1].json()["logGroupName"], "aws/spans");
    }

    #[tokio::test]
    async fn what_can_not_be_had_is_told() {
        let refused = || Reply::new(400, r#"{"__type": "AccessDeniedException", "message": "no"}"#);
        let server = Server::start([ok(&json!({"Destination": "XRay"})), refused()]).await;
        assert!(
            matches!(read(&server).await, Err(TraceReadError::Aws(error)) if error.code == "AccessDeniedException")
        );
        // Where segments go can not be told, and the examples not be had: the summaries are known all the same.
        let summaries = ok(&json!({"TraceSummaries": [{"Id": "1-a", "ResponseTime": 0.1}]}));
        let server = Server::start([refused(), summaries, refused()]).await;
        let found = read(&server).await.unwrap();
        assert_eq!((found.trace_count, found.unknown.len()), (1, 2));
    }

    #[test]
    fn names_that_would_break_out_of_the_filter_are_not_put_into_it() {
        assert_eq!(filter_expression(&["a\") OR error".to_owned()]), None);
        assert_eq!(filter_expression(&[]), None);
        assert_eq!(filter_expression(&["a".to_owned()]).as_deref(), Some("service(\"a\")"));
    }
}
