//! CloudWatch Logs: groups, events and Insights queries, by signed requests.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};

const SERVICE: Service = Service { name: "logs", id: "CloudWatch Logs", is_global: false };

/// How many groups a page has. Source: AWS, `DescribeLogGroups`.
const GROUPS_PAGE: usize = 50;
/// How many pages of groups are read.
const GROUP_PAGES_MAX: usize = 40;
/// How many events a page has at the most. AWS takes up to 10,000; smaller pages keep an answer below what is read of one.
const EVENTS_PAGE: usize = 5_000;
/// How many rows of a query's results come at once. Source: AWS, `GetQueryResults`: up to 10,000.
const ROWS_PAGE: usize = 2_000;

/// CloudWatch Logs of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Logs {
    signed: Signed,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name: `/aws/lambda/orders`.
    pub name: String,
    /// For how many days it keeps its events; none for ever.
    pub retention_days: Option<u32>,
    /// How many bytes it holds, as AWS last counted them.
    pub stored_bytes: Option<u64>,
}

/// Some log groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogGroups {
    /// The groups, in AWS's order.
    pub groups: Vec<LogGroup>,
    /// Whether there are more than the 2,000 that are read.
    pub is_cut: bool,
}

/// An event of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The stream: one execution environment of a function. Empty where the answer does not say.
    pub stream: String,
    /// The message. It may hold secrets.
    pub message: String,
}

/// A page of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The events. A page may be empty though there are more (AWS).
    pub rows: Vec<LogRow>,
    /// What the next page is asked for with.
    pub next: Option<String>,
}

/// How far a query is. Source: AWS, `GetQueryResults`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryStatus {
    /// It waits or runs.
    Running,
    /// It is done.
    Complete,
    /// It ended without its results: AWS's word for it.
    Ended(String),
}

/// A page of a query's results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPage {
    /// How far the query is.
    pub status: QueryStatus,
    /// The rows so far: fields by name.
    pub rows: Vec<BTreeMap<String, String>>,
    /// What the next page is asked for with.
    pub next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupsAnswer {
    log_groups: Vec<GroupAnswer>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupAnswer {
    log_group_name: String,
    retention_in_days: Option<u32>,
    stored_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventsAnswer {
    events: Vec<EventAnswer>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventAnswer {
    #[serde(default)]
    log_stream_name: String,
    timestamp: i64,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartedAnswer {
    query_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultsAnswer {
    status: String,
    results: Vec<Vec<FieldAnswer>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct FieldAnswer {
    field: String,
    #[serde(default)]
    value: String,
}

impl Logs {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// The groups whose names begin so. `logs:DescribeLogGroups`.
    ///
    /// # Errors
    /// A call failed.
    pub async fn groups(&self, prefix: &str) -> Result<LogGroups, AwsError> {
        let mut found = LogGroups::default();
        let mut token: Option<String> = None;
        for _ in 0..GROUP_PAGES_MAX {
            let mut body = json!({"limit": GROUPS_PAGE, "logGroupNamePrefix": prefix});
            put(&mut body, "nextToken", token);
            let page: GroupsAnswer = self.call("DescribeLogGroups", body).await?.json()?;
            found.groups.extend(page.log_groups.into_iter().map(|group| LogGroup {
                name: group.log_group_name,
                retention_days: group.retention_in_days,
                stored_bytes: group.stored_bytes,
            }));
            token = some(page.next_token);
            if token.is_none() {
                return Ok(found);
            }
        }
        found.is_cut = true;
        Ok(found)
    }

    /// A page of a group's events from `from` to `until`, both included, that fit a pattern (AWS, "Filter pattern syntax").
    /// `logs:FilterLogEvents`.
    ///
    /// # Errors
    /// The call failed, also where there is no such group; or an event lacks its time or its message.
    pub async fn page(
        &self,
        group: &str,
        pattern: Option<&str>,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        token: Option<String>,
    ) -> Result<LogPage, AwsError> {
        let mut body = json!({
            "logGroupName": group,
            "startTime": from.timestamp_millis(),
            "endTime": until.timestamp_millis(),
            "limit": EVENTS_PAGE,
        });
        put(&mut body, "filterPattern", pattern.map(str::to_owned));
        put(&mut body, "nextToken", token);
        let answer = self.call("FilterLogEvents", body).await?;
        let page: EventsAnswer = answer.json()?;
        let row = |event: EventAnswer| {
            let at =
                DateTime::from_timestamp_millis(event.timestamp).ok_or_else(|| answer.bad("an event has no time"))?;
            Ok(LogRow { at, stream: event.log_stream_name, message: event.message })
        };
        let rows = page.events.into_iter().map(row).collect::<Result<_, AwsError>>()?;
        Ok(LogPage { rows, next: some(page.next_token) })
    }

    /// Starts an Insights query over a group, from `from` to `until`, both included and in whole seconds (AWS); the query's id.
    /// `logs:StartQuery`.
    ///
    /// # Errors
    /// The call failed, also where there is no such group, or where too many queries run.
    pub async fn start_query(
        &self,
        group: &str,
        query: &str,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        rows_max: usize,
    ) -> Result<String, AwsError> {
        let body = json!({
            "logGroupName": group,
            "queryString": query,
            "startTime": from.timestamp(),
            "endTime": until.timestamp(),
            "limit": rows_max,
        });
        Ok(self.call("StartQuery", body).await?.json::<StartedAnswer>()?.query_id)
    }

    /// A page of what a query has found so far. `logs:GetQueryResults`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn query_page(&self, query: &str, token: Option<String>) -> Result<QueryPage, AwsError> {
        let mut body = json!({"queryId": query, "maxItems": ROWS_PAGE});
        put(&mut body, "nextToken", token);
        let page: ResultsAnswer = self.call("GetQueryResults", body).await?.json()?;
        let status = match page.status.as_str() {
            "Scheduled" | "Running" => QueryStatus::Running,
            "Complete" => QueryStatus::Complete,
            _ => QueryStatus::Ended(page.status),
        };
        let row = |fields: Vec<FieldAnswer>| fields.into_iter().map(|field| (field.field, field.value)).collect();
        Ok(QueryPage { status, rows: page.results.into_iter().map(row).collect(), next: some(page.next_token) })
    }

    /// Stops a query. `logs:StopQuery`.
    ///
    /// # Errors
    /// The call failed, also where the query has ended by itself.
    pub async fn stop_query(&self, query: &str) -> Result<(), AwsError> {
        self.call("StopQuery", json!({"queryId": query})).await.map(drop)
    }

    async fn call(&self, operation: &'static str, body: Value) -> Result<Answer, AwsError> {
        let input = Input::Json { version: JsonVersion::V1_1, target: "Logs_20140328", body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

/// Adds a member where there is a value for it.
fn put(body: &mut Value, name: &str, value: Option<String>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}

/// A token; an empty one is none.
fn some(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.is_empty())
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
    async fn groups_are_read_page_by_page_and_a_list_without_an_end_is_cut() {
        let first = r#"{"logGroups": [{"logGroupName": "/aws/lambda/a", "retentionInDays": 30, "storedBytes": 7}],
                        "nextToken": "t1"}"#;
        let second = r#"{"logGroups": [{"logGroupName": "/aws/lambda/b"}]}"#;
        let server = Server::start([Reply::new(200, first), Reply::new(200, second)]).await;
        let found = Logs::new(&server.signed()).groups("/aws/lambda/").await.unwrap();
        assert!(!found.is_cut);
        let [a, b] = found.groups.try_into().unwrap();
        assert_eq!((a.retention_days, a.stored_bytes, b.retention_days), (Some(30), Some(7), None));
        let sent = server.recorded();
        assert_eq!(sent[0].header("x-amz-target"), Some("Logs_20140328.DescribeLogGroups"));
        assert_eq!(sent[0].header("content-type"), Some("application/x-amz-json-1.1"));
        assert_eq!(sent[0].json(), json!({"limit": 50, "logGroupNamePrefix": "/aws/lambda/"}));
        assert_eq!(sent[1].json()["nextToken"], "t1");

        let server = Server::start([Reply::new(200, first)]).await;
        let found = Logs::new(&server.signed()).groups("").await.unwrap();
        assert_eq!((found.is_cut, found.groups.len()), (true, GROUP_PAGES_MAX));
    }

    #[tokio::test]
    async fn events_are_read_with_their_streams() {
        let body = r#"{"events": [{"logStreamName": "s", "timestamp": 1000001, "message": "hi"}], "nextToken": "n"}"#;
        let server = Server::start([Reply::new(200, body)]).await;
        let page = Logs::new(&server.signed()).page("g", Some("\"r-1\""), span(), Some("t".to_owned())).await.unwrap();
        let at = DateTime::from_timestamp_millis(1_000_001).unwrap();
        let row = LogRow { at, stream: "s".to_owned(), message: "hi".to_owned() };
        assert_eq!(page, LogPage { rows: vec![row], next: Some("n".to_owned()) });
        let expected = json!({"logGroupName": "g", "startTime": 1_000_000, "endTime": 2_000_000, "limit": EVENTS_PAGE,
                              "filterPattern": "\"r-1\"", "nextToken": "t"});
        assert_eq!(server.only().json(), expected);
    }

    #[tokio::test]
    async fn a_query_is_started_read_and_stopped() {
        let replies = [
            r#"{"queryId": "q"}"#,
            r#"{"status": "Running", "results": []}"#,
            r#"{"status": "Complete", "results": [[{"field": "@message", "value": "hi"}, {"field": "x"}]], "nextToken": ""}"#,
            r#"{"status": "Timeout", "results": []}"#,
            r#"{"success": true}"#,
        ];
        let server = Server::start(replies.map(|body| Reply::new(200, body))).await;
        let logs = Logs::new(&server.signed());
        assert_eq!(logs.start_query("g", "fields @message", span(), 10).await.as_deref(), Ok("q"));
        assert_eq!(logs.query_page("q", None).await.unwrap().status, QueryStatus::Running);
        let page = logs.query_page("q", Some("t".to_owned())).await.unwrap();
        let row = BTreeMap::from([("@message".to_owned(), "hi".to_owned()), ("x".to_owned(), String::new())]);
        assert_eq!(page, QueryPage { status: QueryStatus::Complete, rows: vec![row], next: None });
        let ended = logs.query_page("q", None).await.unwrap().status;
        assert_eq!(ended, QueryStatus::Ended("Timeout".to_owned()));
        assert_eq!(logs.stop_query("q").await, Ok(()));
        let sent = server.recorded();
        let started = json!({"logGroupName": "g", "queryString": "fields @message", "startTime": 1_000, "endTime": 2_000,
                             "limit": 10});
        assert_eq!(sent[0].json(), started);
        assert_eq!(sent[2].json(), json!({"queryId": "q", "maxItems": ROWS_PAGE, "nextToken": "t"}));
    }

    /// Throttled, failing, HTML, cut, lacking what was asked for: each is an error, and none an empty answer.
    #[tokio::test]
    async fn what_can_not_be_read_is_an_error_and_never_nothing() {
        let throttled = r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#;
        for (reply, code) in [
            (Reply::new(400, throttled), "ThrottlingException"),
            (Reply::new(503, "<html>sorry</html>"), "BadAnswer"),
            (Reply::new(200, "<html>welcome</html>"), "BadAnswer"),
            (Reply::new(200, "{}"), "BadAnswer"),
            (Reply::new(200, r#"{"events": [{"timestamp": 1}]}"#), "BadAnswer"),
            (Reply::new(200, r#"{"events": [{"message": "a", "timestamp": 9223372036854775807}]}"#), "BadAnswer"),
            (Reply::new(200, r#"{"logGroups": [{"retentionInDays": 1}]}"#), "BadAnswer"),
            (Reply::new(200, r#"{"results": [[{"value": "a"}]]}"#), "BadAnswer"),
            (Reply::Break, "BadAnswer"),
        ] {
            let server = Server::start([reply]).await;
            let logs = Logs::new(&server.signed());
            let code_of = |error: AwsError| error.code;
            assert_eq!(logs.page("g", None, span(), None).await.map_err(code_of), Err(code.to_owned()));
            assert_eq!(logs.groups("g").await.map_err(code_of), Err(code.to_owned()));
            assert_eq!(logs.start_query("g", "q", span(), 1).await.map_err(code_of), Err(code.to_owned()));
            assert_eq!(logs.query_page("q", None).await.map_err(code_of), Err(code.to_owned()));
        }
    }
}
