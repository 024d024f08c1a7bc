//! Canaries of CloudWatch Synthetics, by signed requests.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::AwsError;
use super::signed::{Call, Input, Method, Service, Signed};

const SERVICE: Service = Service { name: "synthetics", id: "synthetics", is_global: false };
/// How many pages are read; a page has up to 20 (AWS).
const PAGES_MAX: usize = 10;

/// Synthetics of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Synthetics {
    signed: Signed,
}

/// The last run of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryRun {
    /// The canary's name.
    pub canary: String,
    /// Whether it passed.
    pub passed: bool,
    /// When it ended; none where it has not, or that is not told.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The last runs of canaries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CanaryRuns {
    /// One for each canary that ever ran.
    pub runs: Vec<CanaryRun>,
    /// Whether there are more than are read.
    pub is_cut: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageAnswer {
    canaries_last_run: Vec<LastRunAnswer>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LastRunAnswer {
    canary_name: String,
    last_run: Option<RunAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunAnswer {
    status: Option<StatusAnswer>,
    timeline: Option<TimelineAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatusAnswer {
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimelineAnswer {
    completed: Option<f64>,
}

impl Synthetics {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// The last run of every canary. `synthetics:DescribeCanariesLastRun`.
    ///
    /// # Errors
    /// A call failed, or a canary has no name.
    pub async fn last_runs(&self) -> Result<CanaryRuns, AwsError> {
        let mut found = CanaryRuns::default();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let body = token.take().map_or_else(|| json!({}), |token| json!({"NextToken": token}));
            let path = ["canaries", "last-run"];
            let input = Input::Rest { method: Method::Post, path: &path, query: &[], body: Some(body) };
            let call = Call { service: &SERVICE, operation: "DescribeCanariesLastRun", input, secrets: &[] };
            let page: PageAnswer = self.signed.send(&call).await?.json()?;
            found.runs.extend(page.canaries_last_run.into_iter().filter_map(run));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        found.is_cut = true;
        Ok(found)
    }
}

fn run(answer: LastRunAnswer) -> Option<CanaryRun> {
    let last = answer.last_run?;
    let state = last.status.and_then(|status| status.state);
    let ended_at = last.timeline.and_then(|timeline| timeline.completed).and_then(moment);
    Some(CanaryRun { canary: answer.canary_name, passed: state.as_deref() == Some("PASSED"), ended_at })
}

/// A moment as the service writes it: seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is no moment of ours, and is left out")]
fn moment(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis((seconds * 1_000.0) as i64).filter(|_| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    #[tokio::test]
    async fn last_runs_are_walked_to_the_end() {
        let first = r#"{"CanariesLastRun": [{"CanaryName": "shop", "LastRun": {"Status": {"State": "PASSED"},
            "Timeline": {"Completed": 1.8e9}}}, {"CanaryName": "never"}], "NextToken": "t"}"#;
        let second = r#"{"CanariesLastRun": [{"CanaryName": "pay", "LastRun": {"Status": {"State": "RUNNING"}}}]}"#;
        let server = Server::start([Reply::new(200, first), Reply::new(200, second)]).await;
        let found = Synthetics::new(&server.signed()).last_runs().await.unwrap();
        let told: Vec<_> = found.runs.iter().map(|run| (run.canary.as_str(), run.passed, run.ended_at)).collect();
        let at = DateTime::from_timestamp(1_800_000_000, 0);
        assert_eq!(told, [("shop", true, at), ("pay", false, None)]);
        let sent = server.recorded();
        assert!(sent[0].line.starts_with("POST /canaries/last-run "), "{}", sent[0].line);
        assert_eq!(sent[1].json()["NextToken"], "t");
        let endless = Server::start([Reply::new(200, first)]).await;
        assert!(Synthetics::new(&endless.signed()).last_runs().await.unwrap().is_cut);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_no_list() {
        for reply in [Reply::new(200, "{}"), Reply::new(200, "<html>"), Reply::new(503, ""), Reply::new(429, "")] {
            let server = Server::start([reply]).await;
            assert!(Synthetics::new(&server.signed()).last_runs().await.is_err());
        }
    }
}
