//! X-Ray: summaries of traces, traces, and where segments go, by signed requests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, Method, Service, Signed};

const SERVICE: Service = Service { name: "xray", id: "XRay", is_global: false };

/// How many pages of summaries are read; a page has up to about a hundred.
const SUMMARY_PAGES_MAX: usize = 50;
/// How many traces one call asks for. Source: AWS, `BatchGetTraces`.
const BATCH_TRACES: usize = 5;
/// How many pages of one batch are read.
const BATCH_PAGES_MAX: usize = 10;
/// How many characters of a name or a message are kept.
const TEXT_CHARACTERS_MAX: usize = 300;

/// X-Ray of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct XRay {
    signed: Signed,
}

/// Where segments go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceDestination {
    /// To X-Ray, which answers for traces.
    XRay,
    /// To the log group `aws/spans` (Transaction Search): X-Ray's `BatchGetTraces` finds nothing there.
    Logs,
}

/// Why X-Ray believes that a trace went wrong, or was slow: services from the caller's side inwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootCause {
    /// The services on the way, the outermost first.
    pub services: Vec<String>,
    /// The exception at the end of the way, where there is one: `ValueError: no such item`. It may hold secrets.
    pub exception: Option<String>,
}

/// What X-Ray tells of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceSummary {
    /// Its id.
    pub id: String,
    /// When it began, where the answer says so.
    pub began_at: Option<DateTime<Utc>>,
    /// How long its caller waited, in milliseconds, where that is known.
    pub response_ms: Option<f64>,
    /// Whether something in it failed on the server's side (5xx).
    pub has_fault: bool,
    /// Whether something in it was the caller's mistake (4xx).
    pub has_error: bool,
    /// Whether something in it was throttled (429).
    pub has_throttle: bool,
    /// Whether it was not whole yet.
    pub is_partial: bool,
    /// The HTTP status that its caller saw.
    pub http_status: Option<u16>,
    /// The services in it.
    pub services: Vec<String>,
    /// Why it failed.
    pub failure_causes: Vec<RootCause>,
    /// Why it took so long.
    pub time_causes: Vec<RootCause>,
}

/// Some summaries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceList {
    /// In X-Ray's order.
    pub traces: Vec<TraceSummary>,
    /// Whether there are more than are read.
    pub is_cut: bool,
}

/// A trace with what its services sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: String,
    /// Each segment's document, as JSON. They may hold secrets.
    pub segments: Vec<Value>,
}

/// Some traces.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traces {
    /// Those that X-Ray has.
    pub traces: Vec<Trace>,
    /// The ids of those that it does not give out (yet).
    pub missing: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SummariesAnswer {
    trace_summaries: Vec<SummaryAnswer>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryAnswer {
    id: String,
    start_time: Option<f64>,
    response_time: Option<f64>,
    duration: Option<f64>,
    #[serde(default)]
    has_fault: Option<bool>,
    has_error: Option<bool>,
    has_throttle: Option<bool>,
    is_partial: Option<bool>,
    http: Option<HttpAnswer>,
    service_ids: Option<Vec<ServiceAnswer>>,
    fault_root_causes: Option<Vec<CauseAnswer>>,
    error_root_causes: Option<Vec<CauseAnswer>>,
    response_time_root_causes: Option<Vec<CauseAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpAnswer {
    http_status: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceAnswer {
    name: Option<String>,
    entity_path: Option<Vec<EntityAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CauseAnswer {
    services: Option<Vec<ServiceAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntityAnswer {
    exceptions: Option<Vec<ExceptionAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExceptionAnswer {
    name: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TracesAnswer {
    traces: Vec<TraceAnswer>,
    #[serde(default)]
    unprocessed_trace_ids: Option<Vec<String>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TraceAnswer {
    id: String,
    segments: Option<Vec<SegmentAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SegmentAnswer {
    document: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationAnswer {
    destination: String,
}

impl XRay {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// Summaries of the traces that began from `from` to `until` (at most six hours, AWS) and that fit a filter expression.
    /// `xray:GetTraceSummaries`.
    ///
    /// # Errors
    /// A call failed, or a summary has no id.
    pub async fn summaries(
        &self,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        filter: Option<&str>,
    ) -> Result<TraceList, AwsError> {
        let mut list = TraceList::default();
        let mut token: Option<String> = None;
        for _ in 0..SUMMARY_PAGES_MAX {
            let mut body = json!({"StartTime": from.timestamp(), "EndTime": until.timestamp(), "Sampling": false});
            if let Some(filter) = filter {
                body["FilterExpression"] = filter.into();
            }
            if let Some(token) = token.take() {
                body["NextToken"] = token.into();
            }
            let page: SummariesAnswer = self.call("GetTraceSummaries", "TraceSummaries", body).await?.json()?;
            list.traces.extend(page.trace_summaries.into_iter().map(summary));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(list);
            }
        }
        list.is_cut = true;
        Ok(list)
    }

    /// Traces by their ids. `xray:BatchGetTraces`, one call for five.
    ///
    /// # Errors
    /// A call failed, or a trace has no id.
    pub async fn traces(&self, ids: &[String]) -> Result<Traces, AwsError> {
        let mut found = Traces::default();
        for batch in ids.chunks(BATCH_TRACES) {
            let mut token: Option<String> = None;
            for _ in 0..BATCH_PAGES_MAX {
                let mut body = json!({"TraceIds": batch});
                if let Some(token) = token.take() {
                    body["NextToken"] = token.into();
                }
                let page: TracesAnswer = self.call("BatchGetTraces", "Traces", body).await?.json()?;
                for trace in page.traces {
                    // A document that is none tells nothing; the trace is told without it.
                    let documents = trace.segments.into_iter().flatten();
                    let segments = documents.filter_map(|segment| serde_json::from_str(&segment.document).ok());
                    found.traces.push(Trace { id: trace.id, segments: segments.collect() });
                }
                found.missing.extend(page.unprocessed_trace_ids.into_iter().flatten());
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        let lost = ids.iter().filter(|id| found.traces.iter().all(|trace| trace.id != **id));
        let lost: Vec<String> = lost.filter(|id| !found.missing.contains(id)).cloned().collect();
        found.missing.extend(lost);
        Ok(found)
    }

    /// Where segments go. `xray:GetTraceSegmentDestination`.
    ///
    /// # Errors
    /// The call failed, or the answer names a place that is not known here.
    pub async fn destination(&self) -> Result<TraceDestination, AwsError> {
        let answer = self.call("GetTraceSegmentDestination", "GetTraceSegmentDestination", json!({})).await?;
        match answer.json::<DestinationAnswer>()?.destination.as_str() {
            "XRay" => Ok(TraceDestination::XRay),
            "CloudWatchLogs" => Ok(TraceDestination::Logs),
            _ => Err(answer.bad("the destination of segments is unknown")),
        }
    }

    async fn call(&self, operation: &'static str, path: &str, body: Value) -> Result<Answer, AwsError> {
        let input = Input::Rest { method: Method::Post, path: &[path], query: &[], body: Some(body) };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

fn summary(answer: SummaryAnswer) -> TraceSummary {
    let is = |told: Option<bool>| told == Some(true);
    let failures = answer.fault_root_causes.into_iter().chain(answer.error_root_causes).flatten();
    TraceSummary {
        id: cut(&answer.id),
        began_at: answer.start_time.and_then(moment),
        response_ms: answer.response_time.or(answer.duration).map(|seconds| seconds * 1_000.0),
        has_fault: is(answer.has_fault),
        has_error: is(answer.has_error),
        has_throttle: is(answer.has_throttle),
        is_partial: is(answer.is_partial),
        http_status: answer.http.and_then(|http| http.http_status),
        services: answer.service_ids.into_iter().flatten().filter_map(|service| Some(cut(&service.name?))).collect(),
        failure_causes: failures.map(cause).collect(),
        time_causes: answer.response_time_root_causes.into_iter().flatten().map(cause).collect(),
    }
}

fn cause(answer: CauseAnswer) -> RootCause {
    let mut found = RootCause { services: Vec::new(), exception: None };
    for service in answer.services.into_iter().flatten() {
        found.services.extend(service.name.as_deref().map(cut));
        let exceptions = service.entity_path.into_iter().flatten().filter_map(|entity| entity.exceptions).flatten();
        if let Some(ExceptionAnswer { name, message }) = exceptions.last() {
            let words: Vec<String> = [name, message].into_iter().flatten().collect();
            found.exception = Some(cut(&words.join(": ")));
        }
    }
    found
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS_MAX).collect()
}

/// A moment as X-Ray writes it: seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is no moment of ours, and is left out below")]
fn moment(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis((seconds * 1_000.0) as i64).filter(|_| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    fn span() -> (DateTime<Utc>, DateTime<Utc>) {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        (at(1_000), at(2_000))
    }

    #[tokio::test]
    async fn summaries_are_read_page_by_page_with_their_causes() {
        let first = json!({
            "TraceSummaries": [{
                "Id": "1-a", "StartTime": 1_500.25, "ResponseTime": 1.5, "HasFault": true, "IsPartial": false,
                "Http": {"HttpStatus": 502},
                "ServiceIds": [{"Name": "checkout", "Type": "AWS::Lambda"}, {"Type": "client"}],
                "FaultRootCauses": [{"Services": [
                    {"Name": "checkout", "EntityPath": [{"Name": "checkout"}]},
                    {"Name": "payments", "EntityPath": [{"Exceptions": [{"Name": "ValueError", "Message": "no card"}]}]},
                ]}],
                "ResponseTimeRootCauses": [{"Services": [{"Name": "payments"}]}],
            }],
            "NextToken": "t",
        });
        let second = r#"{"TraceSummaries": [{"Id": "1-b", "Duration": 0.25}]}"#;
        let server = Server::start([Reply::new(200, &first.to_string()), Reply::new(200, second)]).await;
        let list = XRay::new(&server.signed()).summaries(span(), Some("fault = true")).await.unwrap();
        let [a, b] = list.traces.try_into().unwrap();
        assert_eq!((a.response_ms, a.has_fault, a.http_status), (Some(1_500.0), true, Some(502)));
        assert_eq!(a.began_at.map(|at| at.timestamp_millis()), Some(1_500_250));
        assert_eq!(a.services, ["checkout"]);
        let cause = RootCause {
            services: vec!["checkout".to_owned(), "payments".to_owned()],
            exception: Some("ValueError: no card".to_owned()),
        };
        assert_eq!((a.failure_causes, a.time_causes.len()), (vec![cause], 1));
        assert_eq!((b.response_ms, b.has_fault), (Some(250.0), false));
        let sent = server.recorded();
        assert_eq!(sent[0].line, "POST /TraceSummaries HTTP/1.1");
        let body = json!({"StartTime": 1_000, "EndTime": 2_000, "Sampling": false, "FilterExpression": "fault = true"});
        assert_eq!(sent[0].json(), body);
        assert_eq!(sent[1].json()["NextToken"], "t");
        assert!(sent[0].header("authorization").is_some_and(|text| text.contains("/xray/aws4_request")));
    }

    #[tokio::test]
    async fn summaries_without_an_end_are_cut() {
        let server = Server::start([Reply::new(200, r#"{"TraceSummaries": [], "NextToken": "again"}"#)]).await;
        assert!(XRay::new(&server.signed()).summaries(span(), None).await.unwrap().is_cut);
        assert_eq!(server.recorded().len(), SUMMARY_PAGES_MAX);
    }

    #[tokio::test]
    async fn traces_come_five_at_a_time_and_those_that_do_not_are_told() {
        let ids: Vec<String> = (0..6).map(|number| format!("1-{number}")).collect();
        let first = json!({"Traces": [
            {"Id": "1-0", "Segments": [{"Id": "s", "Document": "{\"name\": \"a\"}"}, {"Id": "t", "Document": "{"}]},
        ], "UnprocessedTraceIds": ["1-1"]});
        let second = r#"{"Traces": [{"Id": "1-5"}], "UnprocessedTraceIds": []}"#;
        let server = Server::start([Reply::new(200, &first.to_string()), Reply::new(200, second)]).await;
        let found = XRay::new(&server.signed()).traces(&ids).await.unwrap();
        assert_eq!(found.traces[0].segments, [json!({"name": "a"})]);
        assert_eq!(found.missing, ["1-1", "1-2", "1-3", "1-4"]);
        assert_eq!(server.recorded()[1].json(), json!({"TraceIds": ["1-5"]}));
    }

    #[tokio::test]
    async fn where_segments_go_is_told() {
        for (body, destination) in [
            (r#"{"Destination": "XRay", "Status": "ACTIVE"}"#, Ok(TraceDestination::XRay)),
            (r#"{"Destination": "CloudWatchLogs", "Status": "ACTIVE"}"#, Ok(TraceDestination::Logs)),
            (r#"{"Destination": "Moon"}"#, Err("BadAnswer".to_owned())),
            ("{}", Err("BadAnswer".to_owned())),
        ] {
            let server = Server::start([Reply::new(200, body)]).await;
            let found = XRay::new(&server.signed()).destination().await;
            assert_eq!(found.map_err(|error| error.code), destination, "{body}");
        }
    }

    /// Throttled, failing, HTML, cut, lacking what was asked for: each is an error, and none an empty answer.
    #[tokio::test]
    async fn what_can_not_be_read_is_an_error_and_never_nothing() {
        let throttled = r#"{"__type": "ThrottledException", "Message": "slow down"}"#;
        for (reply, code) in [
            (Reply::new(429, throttled), "ThrottledException"),
            (Reply::new(500, "<html>sorry</html>"), "BadAnswer"),
            (Reply::new(200, "<html>welcome</html>"), "BadAnswer"),
            (Reply::new(200, "{}"), "BadAnswer"),
            (Reply::new(200, r#"{"TraceSummaries": [{}], "Traces": [{}]}"#), "BadAnswer"),
            (Reply::Break, "BadAnswer"),
        ] {
            let server = Server::start([reply]).await;
            let xray = XRay::new(&server.signed());
            let code_of = |error: AwsError| error.code;
            assert_eq!(xray.summaries(span(), None).await.map_err(code_of), Err(code.to_owned()));
            assert_eq!(xray.traces(&["1-a".to_owned()]).await.map_err(code_of), Err(code.to_owned()));
            assert_eq!(xray.destination().await.map_err(code_of), Err(code.to_owned()));
        }
    }
}
