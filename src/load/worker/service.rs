//! What services of AWS say of a failure and of a cold start, wherever their answers have it. Pure.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderMap;
use serde::Deserialize;

use super::expectation::Answer;
use super::http::{Failure, Received};
use crate::load::expect::STATUS_FAILED_LEAST;
use crate::load::failure::FailureKind;
use crate::load::plan::AnswerKind;
use crate::unit::{bare_aws_code, is_expired_code, is_throttling_code};

/// What a server says that throttles (RFC 6585, 4).
const STATUS_THROTTLED: u16 = 429;
/// AWS: Invoke, "Response Elements".
const FUNCTION_ERROR: &str = "x-amz-function-error";
/// AWS: Invoke, `LogResult`: the last 4 KB of the log, in Base64.
const LOG_RESULT: &str = "x-amz-log-result";
/// How the last line of an invocation's log begins.
const REPORT: &str = "REPORT RequestId: ";
/// What the last line has where logs are JSON.
const JSON_REPORT: &str = "\"platform.report\"";
/// The longest code of an error that is repeated.
const CODE_CHARS_MAX: usize = 80;

/// The failure of an answer whose status was not expected.
pub(super) fn unexpected_status(kind: AnswerKind, answer: &Answer<'_>) -> Failure {
    let code = if kind == AnswerKind::Http { None } else { error_code(answer.headers, answer.body) };
    let is_throttled = answer.status == STATUS_THROTTLED || code.as_deref().is_some_and(is_throttling_code);
    let kind = if is_throttled { FailureKind::Throttled } else { FailureKind::Status };
    match code {
        Some(code) => Failure::new(kind, format_args!("status {} ({code})", answer.status)),
        None => Failure::new(kind, format_args!("status {}", answer.status)),
    }
}

/// Whether an answer says that the credentials of its request have expired.
pub(super) fn says_expired(received: &Received) -> bool {
    received.status >= STATUS_FAILED_LEAST
        && error_code(&received.headers, &received.body).as_deref().is_some_and(is_expired_code)
}

/// Looks for a failure behind a status that is good.
pub(super) fn judge(kind: AnswerKind, answer: &Answer<'_>) -> Result<(), Failure> {
    match kind {
        AnswerKind::Http | AnswerKind::Service => Ok(()),
        AnswerKind::Function if answer.headers.contains_key(FUNCTION_ERROR) => Err(function_error(answer)),
        AnswerKind::Function => Ok(()),
        AnswerKind::Entries => judge_entries(answer.body),
    }
}

/// How the environment came to be in which a function ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// It was there.
    Warm,
    /// It was started, or restored, first, which took so long.
    Cold(Duration),
}

/// How the environment of an invocation came to be, as the last line of its log tells; none where there is no such line. Sources:
/// AWS, "Lambda function logging", the REPORT line; Lambda's Telemetry API, `platform.report`, which logs in JSON have.
pub(super) fn start(headers: &HeaderMap) -> Option<Start> {
    let log = BASE64_STANDARD.decode(headers.get(LOG_RESULT)?).ok()?;
    let log = String::from_utf8_lossy(&log);
    let report = log.lines().rev().find(|line| line.starts_with(REPORT) || line.contains(JSON_REPORT))?;
    let fields = ["\tInit Duration: ", "\tRestore Duration: ", "\"initDurationMs\":", "\"restoreDurationMs\":"];
    let Some((_, took)) = fields.iter().find_map(|field| report.split_once(field)) else { return Some(Start::Warm) };
    let number = took.trim_start().split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let millis: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(millis / 1e3).ok().map(Start::Cold)
}

/// A function's own failure. Its type is told, and never its message, which may be a secret.
fn function_error(answer: &Answer<'_>) -> Failure {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        error_type: String,
    }
    let told = serde_json::from_slice::<Told>(answer.body).ok().map(|told| told.error_type);
    // Types are written as their languages do: `&lambda_runtime::Error`, `Box<dyn Error>`.
    let is_type = |name: &String| {
        !name.is_empty() && name.len() <= CODE_CHARS_MAX && name.chars().all(|c| c.is_ascii_graphic() || c == ' ')
    };
    let told = told.filter(is_type);
    let name = told.unwrap_or_else(|| "an error without a type".to_owned());
    Failure::new(FailureKind::FunctionError, format_args!("the function failed: {name}"))
}

/// EventBridge: PutEvents tells of each entry, and of how many it did not take.
fn judge_entries(body: &[u8]) -> Result<(), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Told {
        failed_entry_count: u64,
        #[serde(default)]
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        error_code: Option<String>,
    }
    let told = serde_json::from_slice::<Told>(body);
    let told = told.map_err(|_| Failure::new(FailureKind::Body, "the answer does not tell of its entries"))?;
    if told.failed_entry_count == 0 {
        return Ok(());
    }
    let code = told.entries.iter().find_map(|entry| shown(entry.error_code.as_deref()?));
    let kind =
        if code.as_deref().is_some_and(is_throttling_code) { FailureKind::Throttled } else { FailureKind::Rejected };
    Err(Failure::new(kind, format_args!("the event was not taken ({})", code.as_deref().unwrap_or("without a code"))))
}

/// The code of an error: of a header, or else of a body in JSON or XML (Smithy 2.0, "AWS protocols").
fn error_code(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        #[serde(rename = "__type")]
        kind: Option<String>,
        code: Option<String>,
    }
    if let Some(code) = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()) {
        return shown(bare_aws_code(code));
    }
    if let Ok(told) = serde_json::from_slice::<Told>(body) {
        return shown(bare_aws_code(&told.kind.or(told.code)?));
    }
    let text = std::str::from_utf8(body).ok()?;
    shown(text.split_once("<Code>")?.1.split_once("</Code>")?.0)
}

/// A code or the name of a type; none where it is something else.
fn shown(code: &str) -> Option<String> {
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    let is_good = !code.is_empty() && code.len() <= CODE_CHARS_MAX && code.chars().all(is_code);
    is_good.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn judged(
        kind: AnswerKind,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> (FailureKind, String) {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(pair).collect();
        let answer =
            Answer { status, elapsed: Duration::ZERO, headers: &headers, cookies: None, body: body.as_bytes() };
        let failure = if status < 400 { judge(kind, &answer).unwrap_err() } else { unexpected_status(kind, &answer) };
        (failure.kind, failure.detail)
    }

    #[test]
    fn a_code_is_found_wherever_a_service_has_it() {
        use AnswerKind::{Function, Http, Service};
        use FailureKind::{Status, Throttled};
        let sqs = r#"{"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"}"#;
        let sns = "<ErrorResponse><Error><Code>Throttled</Code><Message>rate</Message></Error></ErrorResponse>";
        for (kind, status, headers, body, expected) in [
            (Http, 429, &[][..], "", (Throttled, "status 429")),
            (Http, 400, &[], sqs, (Status, "status 400")),
            (Service, 400, &[], sqs, (Throttled, "status 400 (RequestThrottled)")),
            (Service, 400, &[], sns, (Throttled, "status 400 (Throttled)")),
            (Service, 400, &[], r#"{"__type": "kms#Not Good \n"}"#, (Status, "status 400")),
            (
                Service,
                403,
                &[],
                r#"{"__type": "AccessDeniedException"}"#,
                (Status, "status 403 (AccessDeniedException)"),
            ),
            (
                Function,
                404,
                &[("x-amzn-errortype", "ResourceNotFoundException:http://a/")],
                "{}",
                (Status, "status 404 (ResourceNotFoundException)"),
            ),
        ] {
            assert_eq!(judged(kind, status, headers, body), (expected.0, expected.1.to_owned()));
        }
    }

    #[test]
    fn expired_credentials_are_told_apart_from_bad_ones() {
        let told = |status: u16, body: &'static str| {
            let body = hyper::body::Bytes::from_static(body.as_bytes());
            says_expired(&Received { status, headers: HeaderMap::new(), body })
        };
        assert!(told(403, r#"{"__type": "ExpiredTokenException"}"#));
        assert!(told(403, "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>"));
        assert!(!told(403, r#"{"__type": "UnrecognizedClientException"}"#));
        assert!(!told(200, r#"{"__type": "ExpiredTokenException"}"#), "an answer may say anything");
    }

    #[test]
    fn a_cold_start_is_told_by_the_last_line_of_the_log() {
        let told = |log: &str| {
            let value = HeaderValue::from_str(&BASE64_STANDARD.encode(log)).unwrap();
            start(&[(HeaderName::from_static(LOG_RESULT), value)].into_iter().collect())
        };
        let report = |rest: &str| {
            told(&format!(
                "it said: REPORT RequestId: me\tInit Duration: 1 ms\nREPORT RequestId: 8f5\tDuration: 8.98 ms{rest}"
            ))
        };
        let cold = |micros| Some(Start::Cold(Duration::from_micros(micros)));
        assert_eq!(report("\tMax Memory Used: 84 MB\tInit Duration: 225.93 ms\t\n"), cold(225_930));
        assert_eq!(report("\tRestore Duration: 700.5 ms\tBilled Restore Duration: 90 ms"), cold(700_500));
        assert_eq!(report("\tMemory Size: 128 MB"), Some(Start::Warm));
        let json = |metrics: &str| {
            told(&format!(
                "{{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{{\"metrics\":{{\"durationMs\":1.5{metrics}}}}}}}\n"
            ))
        };
        assert_eq!(json(",\"initDurationMs\":225.93"), cold(225_930));
        assert_eq!(json(""), Some(Start::Warm));
        assert_eq!((told("the function's own words"), start(&HeaderMap::new())), (None, None));
    }

    #[test]
    fn a_good_status_may_hide_a_failure() {
        let failed = [("x-amz-function-error", "Unhandled")];
        let told = r#"{"errorMessage": "card 4111", "errorType": "Sandbox.Timedout"}"#;
        let expected = (FailureKind::FunctionError, "the function failed: Sandbox.Timedout".to_owned());
        assert_eq!(judged(AnswerKind::Function, 200, &failed, told), expected);
        let untold = judged(AnswerKind::Function, 200, &failed, "null");
        assert_eq!(untold.1, "the function failed: an error without a type");
        for (code, kind) in
            [("InternalFailure", FailureKind::Rejected), ("ThrottlingException", FailureKind::Throttled)]
        {
            let body = format!(r#"{{"FailedEntryCount": 1, "Entries": [{{"ErrorCode": "{code}"}}]}}"#);
            assert_eq!(
                judged(AnswerKind::Entries, 200, &[], &body),
                (kind, format!("the event was not taken ({code})"))
            );
        }
        assert_eq!(judged(AnswerKind::Entries, 200, &[], "{}").0, FailureKind::Body);
    }

    #[test]
    fn what_was_taken_is_no_failure() {
        let headers = HeaderMap::new();
        let body = br#"{"FailedEntryCount": 0, "Entries": [{"EventId": "a"}]}"#;
        let answer = Answer { status: 200, elapsed: Duration::ZERO, headers: &headers, cookies: None, body };
        for kind in [AnswerKind::Http, AnswerKind::Function, AnswerKind::Service, AnswerKind::Entries] {
            assert_eq!(judge(kind, &answer), Ok(()), "{kind:?}");
        }
    }
}
