//! Whether an answer is what was expected, and the values to keep from it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, SET_COOKIE};
use regex::bytes::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::http::Failure;
use super::service::{self, Start};
use crate::load::expect::STATUS_FAILED_LEAST;
use crate::load::failure::FailureKind;
use crate::load::plan::AnswerKind;
use crate::unit::format_duration;

/// What is expected of an answer.
#[derive(Debug, Default)]
pub(crate) struct Expectation {
    /// Whose answers they are.
    pub(crate) answer: AnswerKind,
    /// None expects any status below 400.
    pub(crate) statuses: Option<Vec<u16>>,
    /// Headers that must be there; with a value, where any will not do.
    pub(crate) headers: Vec<(HeaderName, Option<String>)>,
    /// The longest time to the last byte.
    pub(crate) within: Option<Duration>,
    /// A text that must stand in the body.
    pub(crate) contains: Option<String>,
    /// What must match somewhere in the body.
    pub(crate) matches: Option<Regex>,
    /// What the first match of each path must equal.
    pub(crate) json: Vec<(JsonPath, Value)>,
    /// The names of values to keep, and where they stand.
    pub(crate) capture: Vec<(String, Capture)>,
}

/// Where a value to keep stands.
#[derive(Debug)]
pub(crate) enum Capture {
    JsonPath(JsonPath),
    Header(HeaderName),
    Regex(Regex),
    Cookie(String),
}

/// An answer that came in whole.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// From when the request was meant to be sent to the last byte of the body.
    pub(crate) elapsed: Duration,
    pub(crate) headers: &'a HeaderMap,
    /// The cookies that the user has for the URL, `a=b; c=d`, where a cookie is looked for.
    pub(crate) cookies: Option<&'a str>,
    /// The body, as far as it was kept.
    pub(crate) body: &'a [u8],
}

impl Expectation {
    /// Whether the body is looked at; if not, it need not be kept.
    pub(crate) fn needs_body(&self) -> bool {
        if self.answer != AnswerKind::Http {
            return true;
        }
        let is_in_body = |capture: &Capture| match capture {
            Capture::JsonPath(_) | Capture::Regex(_) => true,
            Capture::Header(_) | Capture::Cookie(_) => false,
        };
        self.contains.is_some()
            || self.matches.is_some()
            || !self.json.is_empty()
            || self.capture.iter().any(|(_, capture)| is_in_body(capture))
    }

    /// Whether an environment of the function had to start for the answer, where it tells.
    pub(crate) fn start(&self, headers: &HeaderMap) -> Option<Start> {
        if self.answer == AnswerKind::Function { service::start(headers) } else { None }
    }

    /// Whether a cookie is looked for.
    pub(crate) fn needs_cookies(&self) -> bool {
        self.capture.iter().any(|(_, capture)| matches!(capture, Capture::Cookie(_)))
    }

    /// The captured values, or the first thing that is not as expected: status, headers, body, capture, then time.
    pub(crate) fn judge(&self, answer: &Answer<'_>) -> Result<BTreeMap<String, Value>, Failure> {
        let is_status_expected = match &self.statuses {
            Some(statuses) => statuses.contains(&answer.status),
            None => answer.status < STATUS_FAILED_LEAST,
        };
        if !is_status_expected {
            return Err(self.unexpected_status(answer));
        }
        service::judge(self.answer, answer)?;
        self.judge_headers(answer)?;
        let needs_document =
            !self.json.is_empty() || self.capture.iter().any(|(_, capture)| matches!(capture, Capture::JsonPath(_)));
        let document = if needs_document { serde_json::from_slice::<Value>(answer.body).ok() } else { None };
        self.judge_body(answer, document.as_ref())?;
        let mut captured = BTreeMap::new();
        for (name, capture) in &self.capture {
            captured.insert(name.clone(), capture.take(name, answer, document.as_ref())?);
        }
        if let Some(within) = self.within.filter(|within| answer.elapsed > *within) {
            let text = format_args!("{:.1?}, and not within {}", answer.elapsed, format_duration(within));
            return Err(Failure::new(FailureKind::Slow, text));
        }
        Ok(captured)
    }

    fn unexpected_status(&self, answer: &Answer<'_>) -> Failure {
        let failure = service::unexpected_status(self.answer, answer);
        match self.statuses.as_deref() {
            Some(expected @ [_, ..]) => {
                let expected: Vec<String> = expected.iter().map(u16::to_string).collect();
                Failure::new(failure.kind, format_args!("{}, and not {}", failure.detail, expected.join(" or ")))
            }
            Some([]) | None => failure,
        }
    }

    fn judge_headers(&self, answer: &Answer<'_>) -> Result<(), Failure> {
        for (name, expected) in &self.headers {
            let mut values = answer.headers.get_all(name).iter();
            match expected {
                None if values.next().is_none() => {
                    return Err(Failure::new(FailureKind::Header, format_args!("there is no header `{name}`")));
                }
                Some(expected) if values.all(|value| value.as_bytes() != expected.as_bytes()) => {
                    return Err(Failure::new(FailureKind::Header, format_args!("header `{name}` is not `{expected}`")));
                }
                None | Some(_) => {}
            }
        }
        Ok(())
    }

    fn judge_body(&self, answer: &Answer<'_>, document: Option<&Value>) -> Result<(), Failure> {
        if let Some(contains) = &self.contains
            && !contains_bytes(answer.body, contains.as_bytes())
        {
            return Err(Failure::new(FailureKind::Body, format_args!("`{contains}` is not in the body")));
        }
        if let Some(matches) = &self.matches
            && !matches.is_match(answer.body)
        {
            return Err(Failure::new(FailureKind::Body, format_args!("`{matches}` does not match the body")));
        }
        match self.json.iter().find(|(path, expected)| first(path, document) != Some(expected)) {
            Some((path, _)) if first(path, document).is_none() => {
                Err(Failure::new(FailureKind::Body, format_args!("`{path}` is not there")))
            }
            Some((path, expected)) => Err(Failure::new(FailureKind::Body, format_args!("`{path}` is not {expected}"))),
            None => Ok(()),
        }
    }
}

impl Capture {
    /// The value to keep as `name`.
    fn take(&self, name: &str, answer: &Answer<'_>, document: Option<&Value>) -> Result<Value, Failure> {
        let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
        match self {
            Self::JsonPath(path) => first(path, document)
                .cloned()
                .ok_or_else(|| fail(format_args!("`{path}` for `{name}` is not in the body"))),
            Self::Header(header) => answer
                .headers
                .get(header)
                .map(|value| text(value.as_bytes()))
                .ok_or_else(|| fail(format_args!("there is no header `{header}` for `{name}`"))),
            Self::Regex(regex) => regex
                .captures(answer.body)
                .map(|found| match found.get(1) {
                    Some(group) => text(group.as_bytes()),
                    // A first group that took no part in the match is empty.
                    None if regex.captures_len() > 1 => Value::from(""),
                    None => text(found.get(0).map_or(&[][..], |whole| whole.as_bytes())),
                })
                .ok_or_else(|| fail(format_args!("`{regex}` for `{name}` does not match the body"))),
            Self::Cookie(cookie) => cookie_of(answer, cookie)
                .map(Value::from)
                .ok_or_else(|| fail(format_args!("there is no cookie `{cookie}` for `{name}`"))),
        }
    }
}

fn fail(what: std::fmt::Arguments<'_>) -> Failure {
    Failure::new(FailureKind::Capture, what)
}

/// The first match of a path.
fn first<'v>(path: &JsonPath, document: Option<&'v Value>) -> Option<&'v Value> {
    document.and_then(|document| path.query(document).first())
}

/// The value of a cookie that the answer sets, or that the user had before for its URL.
fn cookie_of<'a>(answer: &Answer<'a>, name: &str) -> Option<&'a str> {
    let value = |pair: &'a str| pair.trim().split_once('=').filter(|(found, _)| *found == name).map(|(_, value)| value);
    let set = answer.headers.get_all(SET_COOKIE).iter().filter_map(|header| header.to_str().ok());
    let now = set.filter_map(|header| value(header.split(';').next()?)).next_back();
    now.or_else(|| answer.cookies?.split(';').find_map(value))
}

fn contains_bytes(body: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(body, text).is_some()
}

#[cfg(test)]
mod tests {
    use hyper::header::{ETAG, HeaderValue};
    use serde_json::json;

    use super::*;
    use crate::load::expect::parse_path;

    const FAST: Duration = Duration::from_millis(10);

    fn judge(expectation: &Expectation, status: u16, elapsed: Duration, body: &str) -> Result<Value, FailureKind> {
        let headers = HeaderMap::from_iter([
            (SET_COOKIE, HeaderValue::from_static("sid=17; Path=/")),
            (ETAG, HeaderValue::from_static("\"a\"")),
        ]);
        let answer =
            Answer { status, elapsed, headers: &headers, cookies: Some("known=yes; sid=1"), body: body.as_bytes() };
        let judged = expectation.judge(&answer).map_err(|failure| failure.kind);
        judged.map(|captured| captured.into_iter().collect::<serde_json::Map<_, _>>().into())
    }

    #[test]
    fn without_an_expectation_any_status_below_400_is_good() {
        let none = Expectation::default();
        assert!(!none.needs_body());
        for status in [200, 302, 399] {
            assert_eq!(judge(&none, status, FAST, ""), Ok(json!({})), "{status}");
        }
        assert_eq!(judge(&none, 400, FAST, ""), Err(FailureKind::Status));
        assert_eq!(judge(&none, 503, FAST, ""), Err(FailureKind::Status));
        assert_eq!(judge(&none, 429, FAST, ""), Err(FailureKind::Throttled));
    }

    #[test]
    fn only_the_listed_statuses_are_good() {
        let listed = Expectation { statuses: Some(vec![201, 404]), ..Expectation::default() };
        assert_eq!(judge(&listed, 404, FAST, ""), Ok(json!({})));
        assert_eq!(judge(&listed, 200, FAST, ""), Err(FailureKind::Status));
        let answer = Answer { status: 503, elapsed: FAST, headers: &HeaderMap::new(), cookies: None, body: b"" };
        let told = |statuses: Option<Vec<u16>>| {
            Expectation { statuses, ..Expectation::default() }.judge(&answer).unwrap_err().detail
        };
        assert_eq!(told(Some(vec![200, 202])), "status 503, and not 200 or 202");
        assert_eq!([told(None), told(Some(Vec::new()))], ["status 503", "status 503"]);
    }

    #[test]
    fn a_late_answer_is_slow_even_if_all_else_is_right() {
        let within = Expectation { within: Some(FAST), ..Expectation::default() };
        assert_eq!(judge(&within, 200, FAST, ""), Ok(json!({})));
        assert_eq!(judge(&within, 200, FAST + Duration::from_micros(1), ""), Err(FailureKind::Slow));
        assert_eq!(judge(&within, 500, FAST * 2, ""), Err(FailureKind::Status));
    }

    #[test]
    fn a_body_holds_its_text_and_its_values() {
        let body = Expectation {
            contains: Some("open".to_owned()),
            json: vec![(parse_path("$.state").unwrap(), json!("open"))],
            ..Expectation::default()
        };
        assert_eq!(judge(&body, 200, FAST, r#"{"state": "open"}"#), Ok(json!({})));
        assert_eq!(judge(&body, 200, FAST, r#"{"state": "opened"}"#), Err(FailureKind::Body));
        assert_eq!(judge(&body, 200, FAST, r#"{"state": "shut"}"#), Err(FailureKind::Body));
        assert_eq!(judge(&body, 200, FAST, "open"), Err(FailureKind::Body));
    }

    #[test]
    fn a_value_is_captured_with_its_type_or_the_step_fails() {
        let capture = Expectation {
            capture: vec![("id".to_owned(), Capture::JsonPath(parse_path("$.items[0].id").unwrap()))],
            ..Expectation::default()
        };
        assert!(capture.needs_body());
        assert_eq!(judge(&capture, 200, FAST, r#"{"items": [{"id": 17}]}"#), Ok(json!({"id": 17})));
        assert_eq!(judge(&capture, 200, FAST, r#"{"items": []}"#), Err(FailureKind::Capture));
        assert_eq!(judge(&capture, 200, FAST, "<html>"), Err(FailureKind::Capture));
    }

    #[test]
    fn a_header_is_there_or_has_its_value() {
        let headers = |value: Option<&str>, name: &'static str| Expectation {
            headers: vec![(HeaderName::from_static(name), value.map(str::to_owned))],
            ..Expectation::default()
        };
        assert_eq!(judge(&headers(None, "etag"), 200, FAST, ""), Ok(json!({})));
        assert_eq!(judge(&headers(Some("\"a\""), "etag"), 200, FAST, ""), Ok(json!({})));
        assert_eq!(judge(&headers(Some("\"b\""), "etag"), 200, FAST, ""), Err(FailureKind::Header));
        assert_eq!(judge(&headers(None, "age"), 200, FAST, ""), Err(FailureKind::Header));
        assert_eq!(judge(&headers(Some("1"), "age"), 200, FAST, ""), Err(FailureKind::Header));
    }

    #[test]
    fn a_value_is_captured_from_wherever_it_stands() {
        let capture = |capture| Expectation { capture: vec![("v".to_owned(), capture)], ..Expectation::default() };
        let regex = |text| Capture::Regex(Regex::new(text).unwrap());
        let cookie = |name: &str| Capture::Cookie(name.to_owned());
        for (place, value) in [
            (Capture::Header(ETAG), Some("\"a\"")),
            (Capture::Header(HeaderName::from_static("age")), None),
            (regex(r"id=(\d+)"), Some("12")),
            (regex(r"id=\d+"), Some("id=12")),
            (regex(r"id=(x)?"), Some("")),
            (regex("nothing"), None),
            (cookie("sid"), Some("17")),
            (cookie("known"), Some("yes")),
            (cookie("now"), None),
        ] {
            let expected = value.map(|value| json!({"v": value})).ok_or(FailureKind::Capture);
            assert_eq!(judge(&capture(place), 200, FAST, "an id=12;"), expected);
        }
        assert!(!capture(cookie("sid")).needs_body());
        assert!(capture(regex("a")).needs_body());
        let matches = |text| Expectation { matches: Some(Regex::new(text).unwrap()), ..Expectation::default() };
        assert_eq!(judge(&matches("^a"), 200, FAST, "abc"), Ok(json!({})));
        assert_eq!(judge(&matches("^b"), 200, FAST, "abc"), Err(FailureKind::Body));
    }
}
