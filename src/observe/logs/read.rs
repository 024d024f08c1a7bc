//! Reading the lines of a span: by Logs Insights where there is one, else event by event; never for longer than was allowed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::evidence::LogWay;
use super::fold::LogFold;
use super::query::QUERIES;
use crate::aws::{AwsError, LogRow, Logs, QueryStatus};

/// How many rows one query may answer. Source: AWS, `StartQuery`: the default is 10,000.
const QUERY_ROWS_MAX: usize = 10_000;
/// How many queries are made for one function. A span with more rows than one may answer is halved, and each half asked for again.
const QUERIES_MAX: usize = 40;
/// How often a query under way is asked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many pages of one query's results are read.
const RESULT_PAGES_MAX: usize = 20;
/// How many pages of events are read of one function.
const EVENT_PAGES_MAX: usize = 200;
/// How many events are read of one function.
const EVENTS_MAX: u64 = 200_000;
/// The pause before a query is asked for again where too many run. Source: AWS, CloudWatch Logs quotas.
const CROWDED_PAUSE: Duration = Duration::from_secs(2);

/// How long a query may take to be stopped that is given up.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A span of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSpan {
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// Why lines could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogReadError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A query ended without its results.
    #[error("the query of Logs Insights ended as `{0}`")]
    Ended(String),
    /// A row lacks what every row has.
    #[error("a row of Logs Insights has no `{0}`")]
    Row(&'static str),
    /// There was no time for even one answer.
    #[error("there was no answer in time")]
    Late,
}

/// How far reading came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSoFar {
    /// By which way.
    pub way: LogWay,
    /// Why not everything was read; none where it was.
    pub cut: Option<String>,
}

/// Reads log groups.
#[derive(Debug, Clone)]
pub struct LogReader {
    logs: Logs,
    /// Whether there may be Insights. Emulators take its queries and do not read them: their rows would look like all there are.
    has_insights: bool,
    deadline: Instant,
}

impl LogReader {
    /// A reader that ends at `deadline`, whatever is missing then.
    #[must_use]
    pub fn new(logs: Logs, has_insights: bool, deadline: Instant) -> Self {
        Self { logs, has_insights, deadline }
    }

    /// When it ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Reads a group's lines into `fold`.
    ///
    /// # Errors
    /// What was read is not to be counted: a call failed, a query did not end well, or an answer can not be understood.
    pub async fn read(&self, group: &str, span: LogSpan, fold: &mut LogFold) -> Result<ReadSoFar, LogReadError> {
        if self.has_insights {
            match self.insights(group, span, fold).await {
                Err(LogReadError::Aws(error)) if is_unsupported(&error) => {}
                read => return read.map(|cut| ReadSoFar { way: LogWay::Insights, cut }),
            }
        }
        let cut = self.events(group, None, span, &mut |row| fold.take(row, None)).await?;
        Ok(ReadSoFar { way: LogWay::Events, cut })
    }

    /// Reads the events that fit a pattern, all where there is none; why not all were read.
    ///
    /// # Errors
    /// A call failed, or there was no time for one.
    pub async fn events(
        &self,
        group: &str,
        pattern: Option<&str>,
        span: LogSpan,
        take: &mut (dyn FnMut(&LogRow) + Send),
    ) -> Result<Option<String>, LogReadError> {
        let mut token: Option<String> = None;
        let mut event_count = 0_u64;
        for page in 0..EVENT_PAGES_MAX {
            let ask = self.logs.page(group, pattern, (span.from, span.until), token.take());
            let Ok(answer) = tokio::time::timeout_at(self.deadline, ask).await else {
                return if page == 0 { Err(LogReadError::Late) } else { Ok(Some(late(event_count))) };
            };
            let answer = answer?;
            event_count += u64::try_from(answer.rows.len()).unwrap_or(u64::MAX);
            answer.rows.iter().for_each(&mut *take);
            token = answer.next;
            if token.is_none() {
                return Ok(None);
            }
            if event_count >= EVENTS_MAX {
                break;
            }
        }
        Ok(Some(format!("there are more events than the {event_count} that were read")))
    }

    /// Asks for each kind of lines; why not all were read.
    async fn insights(&self, group: &str, span: LogSpan, fold: &mut LogFold) -> Result<Option<String>, LogReadError> {
        let mut queries_left = QUERIES_MAX;
        for query in QUERIES {
            let mut spans = VecDeque::from([span]);
            while let Some(part) = spans.pop_front() {
                if queries_left == 0 {
                    return Ok(Some(format!("more than {QUERIES_MAX} queries would have been needed")));
                }
                queries_left -= 1;
                let rows_max = query.sample().unwrap_or(QUERY_ROWS_MAX);
                let Some(rows) = self.rows(group, &query.text(), part, rows_max).await? else {
                    let is_first = queries_left + 1 == QUERIES_MAX;
                    return if is_first { Err(LogReadError::Late) } else { Ok(Some(late_queries())) };
                };
                match halves(part).filter(|_| rows.len() >= rows_max && query.sample().is_none()) {
                    // Its rows come again with the halves.
                    Some(halves) => halves.into_iter().rev().for_each(|half| spans.push_front(half)),
                    None if rows.len() >= rows_max && query.sample().is_none() => {
                        return Ok(Some(format!("one second has more than {rows_max} lines of a kind")));
                    }
                    None => rows.iter().for_each(|row| fold.take(row, Some(query))),
                }
            }
        }
        Ok(None)
    }

    /// The rows of one query as lines of a log; none where there is no more time.
    async fn rows(
        &self,
        group: &str,
        text: &str,
        span: LogSpan,
        rows_max: usize,
    ) -> Result<Option<Vec<LogRow>>, LogReadError> {
        let rows = self.query(group, text, span, rows_max).await?;
        rows.map(|rows| rows.into_iter().map(line).collect()).transpose()
    }

    /// The rows of one query; none where there is no more time. A query that is given up is stopped.
    ///
    /// # Errors
    /// A call failed, or the query ended without its results.
    pub async fn query(
        &self,
        group: &str,
        text: &str,
        span: LogSpan,
        rows_max: usize,
    ) -> Result<Option<Vec<BTreeMap<String, String>>>, LogReadError> {
        let started = tokio::time::timeout_at(self.deadline, self.start(group, text, span, rows_max)).await;
        let Ok(started) = started else { return Ok(None) };
        let id = started?;
        match tokio::time::timeout_at(self.deadline, self.results(&id)).await {
            Ok(Ok(rows)) => Ok(Some(rows)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                // One that has just ended by itself can not be stopped, and need not be.
                tokio::time::timeout(STOP_TIMEOUT, self.logs.stop_query(&id)).await.ok();
                Ok(None)
            }
        }
    }

    /// Starts a query, as soon as there are not too many.
    async fn start(&self, group: &str, text: &str, span: LogSpan, rows_max: usize) -> Result<String, AwsError> {
        loop {
            match self.logs.start_query(group, text, (span.from, span.until), rows_max).await {
                Err(error) if error.code == "LimitExceededException" => tokio::time::sleep(CROWDED_PAUSE).await,
                started => return started,
            }
        }
    }

    async fn results(&self, id: &str) -> Result<Vec<BTreeMap<String, String>>, LogReadError> {
        loop {
            let page = self.logs.query_page(id, None).await?;
            match page.status {
                QueryStatus::Running => tokio::time::sleep(POLL_INTERVAL).await,
                QueryStatus::Ended(how) => return Err(LogReadError::Ended(how)),
                QueryStatus::Complete => {
                    let (mut rows, mut token) = (page.rows, page.next);
                    for _ in 0..RESULT_PAGES_MAX {
                        let Some(next) = token else { break };
                        let page = self.logs.query_page(id, Some(next)).await?;
                        rows.extend(page.rows);
                        token = page.next;
                    }
                    return Ok(rows);
                }
            }
        }
    }
}

/// Codes that say that an endpoint has no such operation.
fn is_unsupported(error: &AwsError) -> bool {
    const CODES: [&str; 5] =
        ["UnknownOperationException", "UnknownOperation", "InvalidAction", "NotImplemented", "UnsupportedOperation"];
    CODES.contains(&error.code.as_str())
}

fn late(event_count: u64) -> String {
    format!("there was no time to read more than {event_count} events")
}

fn late_queries() -> String {
    "there was no time to read all of it".to_owned()
}

/// A span in two; none where it is one second, which Insights does not cut.
fn halves(span: LogSpan) -> Option<[LogSpan; 2]> {
    let seconds = span.until.timestamp() - span.from.timestamp();
    if seconds < 1 {
        return None;
    }
    let middle = span.from.checked_add_signed(TimeDelta::seconds(seconds / 2))?;
    let after = middle.checked_add_signed(TimeDelta::seconds(1))?;
    Some([LogSpan { until: middle, ..span }, LogSpan { from: after, ..span }])
}

/// A row as a line. An endpoint that does not know `substr` answers the whole message.
fn line(mut row: BTreeMap<String, String>) -> Result<LogRow, LogReadError> {
    let message = row.remove("line").or_else(|| row.remove("@message")).ok_or(LogReadError::Row("@message"))?;
    let at = row.remove("@timestamp").and_then(|text| moment(&text)).ok_or(LogReadError::Row("@timestamp"))?;
    Ok(LogRow { at, stream: row.remove("@logStream").unwrap_or_default(), message })
}

/// A moment as Insights writes it: `2026-03-10 10:00:00.123`, in UTC.
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{LogQuery, LogSubject};
    use super::*;
    use crate::aws::{Reply, Server};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn span() -> LogSpan {
        LogSpan { from: at(1_000), until: at(1_003) }
    }

    fn reader(server: &Server, has_insights: bool) -> LogReader {
        LogReader::new(Logs::at(server), has_insights, Instant::now() + Duration::from_secs(60))
    }

    fn fold() -> LogFold {
        LogFold::new(LogSubject { function: "f".to_owned(), group: "g".to_owned(), timeout_ms: None })
    }

    fn ok(body: &Value) -> Reply {
        Reply::new(200, &body.to_string())
    }

    fn started() -> Reply {
        ok(&json!({"queryId": "q"}))
    }

    fn found(rows: &[Value]) -> Reply {
        ok(&json!({"status": "Complete", "results": rows}))
    }

    fn report(number: usize) -> Value {
        let line = format!("REPORT RequestId: r-{number}\tDuration: 1 ms");
        json!([{"field": "@timestamp", "value": "1970-01-01 00:16:41.000"}, {"field": "@logStream", "value": "s"},
               {"field": "line", "value": line}, {"field": "@ptr", "value": "p"}])
    }

    #[tokio::test]
    async fn insights_is_asked_for_each_kind_of_line() {
        let error =
            json!([{"field": "@timestamp", "value": "1970-01-01 00:16:42.5"}, {"field": "line", "value": "error"}]);
        let replies = [started(), found(&[report(1), report(2)]), started(), found(&[error]), started(), found(&[])];
        let server = Server::start(replies).await;
        let mut fold = fold();
        let read = reader(&server, true).read("g", span(), &mut fold).await.unwrap();
        assert_eq!(read, ReadSoFar { way: LogWay::Insights, cut: None });
        let evidence = fold.finish(span(), read.way, read.cut);
        assert_eq!((evidence.invocation_count, evidence.error_count), (2, 1));
        assert_eq!(evidence.error_groups[0].first_at.timestamp_millis(), 1_002_500);
        let sent = server.recorded();
        assert_eq!(sent[0].json()["queryString"], LogQuery::Reports.text());
        assert_eq!((&sent[4].json()["limit"], &sent[0].json()["limit"]), (&json!(1_000), &json!(QUERY_ROWS_MAX)));
    }

    #[tokio::test]
    async fn a_span_with_too_many_rows_is_halved_and_counted_once() {
        let full: Vec<Value> = (0..QUERY_ROWS_MAX).map(report).collect();
        let (first, second) = (vec![report(1)], vec![report(2), report(3)]);
        let none = || [started(), found(&[])];
        let mut replies = vec![started(), found(&full), started(), found(&first), started(), found(&second)];
        replies.extend(none().into_iter().chain(none()));
        let server = Server::start(replies).await;
        let mut fold = fold();
        let read = reader(&server, true).read("g", span(), &mut fold).await.unwrap();
        assert_eq!(read.cut, None);
        assert_eq!(fold.finish(span(), read.way, None).invocation_count, 3);
        let starts: Vec<Value> =
            server.recorded().iter().map(|sent| sent.json()).filter(|b| b.get("limit").is_some()).collect();
        let spans: Vec<_> = starts.iter().take(3).map(|b| (b["startTime"].as_i64(), b["endTime"].as_i64())).collect();
        assert_eq!(spans, [(Some(1_000), Some(1_003)), (Some(1_000), Some(1_001)), (Some(1_002), Some(1_003))]);
    }

    #[tokio::test]
    async fn a_second_that_is_too_full_and_more_queries_than_are_made_cut_what_is_read() {
        let full: Vec<Value> = (0..QUERY_ROWS_MAX).map(report).collect();
        let mut replies = Vec::new();
        for _ in 0..QUERIES_MAX {
            replies.extend([started(), found(&full)]);
        }
        let server = Server::start(replies.clone()).await;
        let second = LogSpan { from: at(1_000), until: at(1_000) };
        let read = reader(&server, true).read("g", second, &mut fold()).await.unwrap();
        assert_eq!(read.cut.as_deref(), Some("one second has more than 10000 lines of a kind"));
    }

    #[tokio::test]
    async fn a_query_that_ends_badly_leaves_nothing_known() {
        for how in ["Failed", "Cancelled", "Timeout", "Unknown"] {
            let server = Server::start([started(), ok(&json!({"status": how, "results": []}))]).await;
            let read = reader(&server, true).read("g", span(), &mut fold()).await;
            assert_eq!(read, Err(LogReadError::Ended(how.to_owned())));
        }
        let without_time = json!([{"field": "@message", "value": "error"}]);
        let server = Server::start([started(), found(&[without_time])]).await;
        let read = reader(&server, true).read("g", span(), &mut fold()).await;
        assert_eq!(read, Err(LogReadError::Row("@timestamp")));
    }

    #[tokio::test]
    async fn what_refuses_is_told_and_only_a_missing_operation_leads_to_the_events() {
        let refusal = |code: &str| Reply::new(400, &json!({"__type": code, "message": "no"}).to_string());
        for code in ["AccessDeniedException", "ResourceNotFoundException", "MalformedQueryException"] {
            let server = Server::start([refusal(code)]).await;
            let error = reader(&server, true).read("g", span(), &mut fold()).await.unwrap_err();
            assert!(matches!(error, LogReadError::Aws(error) if error.code == code));
        }
        let events = ok(&json!({"events": [{"timestamp": 1_001_000, "message": "error", "logStreamName": "s"}]}));
        let server = Server::start([refusal("UnknownOperationException"), events]).await;
        let mut fold = fold();
        let read = reader(&server, true).read("g", span(), &mut fold).await.unwrap();
        assert_eq!(read, ReadSoFar { way: LogWay::Events, cut: None });
        assert_eq!(fold.finish(span(), read.way, None).error_count, 1);
    }

    #[tokio::test]
    async fn events_are_read_to_the_end_or_are_cut() {
        let page = |next: Option<&str>| {
            ok(
                &json!({"events": [{"timestamp": 1_001_000, "message": "error", "logStreamName": "s"}], "nextToken": next}),
            )
        };
        let server = Server::start([page(Some("a")), page(Some("b")), page(None)]).await;
        let mut two = fold();
        let read = reader(&server, false).read("g", span(), &mut two).await.unwrap();
        assert_eq!((read.cut, two.finish(span(), read.way, None).error_count), (None, 3));
        let server = Server::start([page(Some("again"))]).await;
        let read = reader(&server, false).read("g", span(), &mut fold()).await.unwrap();
        assert_eq!(read.cut.as_deref(), Some("there are more events than the 200 that were read"));
    }

    /// Real sockets, so real time.
    #[tokio::test]
    async fn a_query_without_an_end_is_stopped_when_the_time_is_over() {
        let running = ok(&json!({"status": "Running", "results": []}));
        let server = Server::start([started(), running]).await;
        let reader = LogReader::new(Logs::at(&server), true, Instant::now() + Duration::from_millis(1_500));
        assert_eq!(reader.read("g", span(), &mut fold()).await, Err(LogReadError::Late));
        let last = server.recorded().pop().unwrap();
        assert_eq!(last.header("x-amz-target"), Some("Logs_20140328.StopQuery"));
    }

    #[test]
    fn a_span_is_halved_down_to_a_second() {
        let [first, second] = halves(LogSpan { from: at(10), until: at(11) }).unwrap();
        assert_eq!((first.from, first.until, second.from, second.until), (at(10), at(10), at(11), at(11)));
        assert_eq!(halves(first), None);
    }
}
