//! What a service answered, and what it means when that is a failure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::retry::Failure;
use super::service::Service;
use super::xml::Element;
use crate::aws::AwsError;
use crate::aws::error::{RETRYABLE_CODES, SERVER_ERROR_STATUS_MIN};
use crate::unit::{bare_aws_code, is_throttling_code};

/// The longest answer that is read. The largest that is asked for is a page of log events: 1 MB of messages (AWS, `FilterLogEvents`),
/// which JSON may make several times as long.
pub(super) const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Values shorter than this are no secrets, and stand in every other word.
const SECRET_BYTES_MIN: usize = 4;
/// The status of what came too often.
const TOO_MANY_REQUESTS: u16 = 429;

/// Codes of a service's own time limits, after which another attempt is made whatever the status. Source: the SDK's
/// `TRANSIENT_ERRORS` (aws-runtime, retries/classifiers.rs).
const TRANSIENT_CODES: &[&str] = &["RequestTimeout", "RequestTimeoutException"];

/// The answer to a call. It has no `Debug`: its body may hold secrets.
pub(crate) struct Answer {
    pub(super) service: &'static Service,
    pub(super) operation: &'static str,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The service's clock when it answered, in whole seconds (`Date`).
    pub(crate) fn date(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc2822(self.header("date")?).ok().map(|date| date.with_timezone(&Utc))
    }

    /// The body as a JSON object; no body is an empty one.
    ///
    /// # Errors
    /// `BadAnswer`, without the values that stand in it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, AwsError> {
        let body = if self.body.is_empty() { b"{}".as_slice() } else { &self.body };
        serde_json::from_slice(body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            self.bad(&format!("the answer is not the JSON that was expected ({place})"))
        })
    }

    /// The body as XML.
    ///
    /// # Errors
    /// `BadAnswer`.
    pub(crate) fn xml(&self) -> Result<Element, AwsError> {
        self.as_xml().ok_or_else(|| self.bad("the answer is not XML"))
    }

    /// The error of an answer in which something is missing or wrong. `what` is a fragment: `the answer has no version`.
    pub(crate) fn bad(&self, what: &str) -> AwsError {
        AwsError {
            service: self.service.name,
            operation: self.operation,
            code: "BadAnswer".to_owned(),
            message: what.to_owned(),
            retryable: false,
            request_id: self.request_id(),
        }
    }

    /// Why this answer is a failure, with `secrets` struck out of the text; none where it is none.
    pub(super) fn failure(&self, secrets: &[&str]) -> Option<Failure> {
        if (200..300).contains(&self.status) {
            return None;
        }
        let Told { code, message } = self.told();
        let code = code.unwrap_or_else(|| "BadAnswer".to_owned());
        let mut message = message.unwrap_or_else(|| format!("HTTP status {} without a text", self.status));
        for secret in secrets.iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN) {
            message = message.replace(secret, "***");
        }
        let is_retried = self.status >= SERVER_ERROR_STATUS_MIN
            || self.status == TOO_MANY_REQUESTS
            || is_throttling_code(&code)
            || TRANSIENT_CODES.contains(&code.as_str());
        let retryable = is_retried || RETRYABLE_CODES.contains(&code.as_str());
        let pause = self.header("x-amz-retry-after").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let error = AwsError { code, message, retryable, ..self.bad("") };
        Some(Failure { error, is_retried, pause })
    }

    /// Code and message, wherever the protocol has them.
    fn told(&self) -> Told {
        let mut told = self.told_in_json().or_else(|| self.told_in_xml()).unwrap_or_default();
        // Which of several places counts is Smithy's order; the query error is what SQS was known by before it spoke JSON.
        if let Some(code) = self.header("x-amzn-errortype") {
            told.code = Some(code.to_owned());
        }
        if let Some((code, _)) = self.header("x-amzn-query-error").and_then(|error| error.split_once(';')) {
            told.code = Some(code.to_owned());
        }
        told.code = told.code.as_deref().map(bare_aws_code).filter(|code| !code.is_empty()).map(str::to_owned);
        told
    }

    fn told_in_json(&self) -> Option<Told> {
        let body: JsonError = serde_json::from_slice(&self.body).ok()?;
        Some(Told { code: body.code.or(body.kind), message: body.message.or(body.capital_message) })
    }

    fn told_in_xml(&self) -> Option<Told> {
        let root = self.as_xml()?;
        let error = root.at(&["Error"]).or_else(|| root.at(&["Errors", "Error"])).unwrap_or(&root);
        let text = |name| error.text_at(&[name]).map(str::to_owned);
        Some(Told { code: text("Code"), message: text("Message") })
    }

    fn as_xml(&self) -> Option<Element> {
        Element::parse(std::str::from_utf8(&self.body).ok()?)
    }

    fn request_id(&self) -> Option<String> {
        let named = ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| self.header(name));
        named.map(str::to_owned).or_else(|| self.as_xml()?.text_at(&["RequestId"]).map(str::to_owned))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What an answer tells of its failure.
#[derive(Default)]
struct Told {
    code: Option<String>,
    message: Option<String>,
}

/// The body of an error in JSON, in all the spellings that services have.
#[derive(Deserialize)]
struct JsonError {
    code: Option<String>,
    #[serde(rename = "__type")]
    kind: Option<String>,
    message: Option<String>,
    #[serde(rename = "Message")]
    capital_message: Option<String>,
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const SERVICE: Service = Service { name: "ssm", id: "SSM", is_global: false };

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Answer {
            service: &SERVICE,
            operation: "GetParameter",
            status,
            headers: headers.iter().map(header).collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// Code, message, whether it is tried again, whether it may go through later.
    fn told(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> (String, String, bool, bool) {
        let Failure { error, is_retried, .. } = answer(status, headers, body).failure(&[]).unwrap();
        (error.code, error.message, is_retried, error.retryable)
    }

    #[track_caller]
    fn assert_told(actual: (String, String, bool, bool), code: &str, message: &str, is_retried: bool, retryable: bool) {
        assert_eq!(actual, (code.to_owned(), message.to_owned(), is_retried, retryable));
    }

    #[test]
    fn codes_are_found_in_every_protocol() {
        let json = r#"{"__type": "com.amazonaws.ssm#ParameterNotFound", "message": "gone"}"#;
        assert_told(told(400, &[], json), "ParameterNotFound", "gone", false, false);
        let capital = r#"{"__type": "ThrottlingException", "Message": "slow"}"#;
        assert_told(told(400, &[], capital), "ThrottlingException", "slow", true, true);
        let rest = [("x-amzn-errortype", "ConflictException:http://internal.amazon.com/coral/")];
        assert_told(told(409, &rest, r#"{"Message": "there"}"#), "ConflictException", "there", false, false);
        let queue = [("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")];
        let body = r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no queue"}"#;
        assert_told(told(400, &queue, body), "AWS.SimpleQueueService.NonExistentQueue", "no queue", false, false);
        let xml = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
            <Code>NoSuchEntity</Code><Message>no role &amp; no policy</Message></Error><RequestId>id-1</RequestId></ErrorResponse>";
        assert_told(told(404, &[], xml), "NoSuchEntity", "no role & no policy", false, false);
        assert_eq!(answer(404, &[], xml).bad("x").request_id.as_deref(), Some("id-1"));
        let with_header = answer(404, &[("x-amzn-requestid", "id-2")], xml);
        assert_eq!(with_header.bad("x").request_id.as_deref(), Some("id-2"));
    }

    #[test]
    fn a_failure_of_the_service_or_of_something_between_is_tried_again() {
        assert_told(told(503, &[], "<html>busy"), "BadAnswer", "HTTP status 503 without a text", true, true);
        assert_told(told(429, &[], ""), "BadAnswer", "HTTP status 429 without a text", true, true);
        let xml = "<ErrorResponse><Error><Code>ServiceFailure</Code><Message>m</Message></Error></ErrorResponse>";
        assert_told(told(500, &[], xml), "ServiceFailure", "m", true, true);
        assert_told(told(307, &[], ""), "BadAnswer", "HTTP status 307 without a text", false, false);
    }

    #[test]
    fn a_conflict_may_pass_later_and_is_not_tried_again_at_once() {
        let busy = r#"{"__type": "com.amazonaws.dynamodb.v20120810#ResourceInUseException", "message": "m"}"#;
        assert_told(told(400, &[], busy), "ResourceInUseException", "m", false, true);
    }

    #[test]
    fn secrets_are_struck_out_of_messages() {
        let body = r#"{"__type": "ValidationException", "message": "Value 's3cr3t' at 'value', and 'abc'"}"#;
        let failure = answer(400, &[], body).failure(&["s3cr3t", "abc"]).unwrap();
        assert_eq!(failure.error.message, "Value '***' at 'value', and 'abc'");
        #[derive(Debug, Deserialize)]
        struct Number {
            #[expect(dead_code, reason = "only its type matters")]
            value: i64,
        }
        let error = answer(200, &[], r#"{"value": "s3cr3t"}"#).json::<Number>().unwrap_err();
        assert!(error.code == "BadAnswer" && !error.message.contains("s3cr3t"), "{error}");
    }

    #[test]
    fn the_date_is_the_services_clock() {
        let date = answer(200, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")], "").date().unwrap();
        assert_eq!(date.to_rfc3339(), "1994-11-06T08:49:37+00:00");
        assert_eq!(answer(200, &[("date", "yesterday")], "").date(), None);
        let asked = answer(503, &[("x-amz-retry-after", "1500")], "").failure(&[]).unwrap();
        assert_eq!(asked.pause, Some(Duration::from_millis(1500)));
    }
}
