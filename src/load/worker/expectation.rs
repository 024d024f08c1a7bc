//! Whether an answer is what was expected, and the values to keep from it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::http::Failure;
use crate::load::frame::FailureKind;
use crate::unit::format_duration;

/// What a server says that throttles (RFC 6585, 4).
const STATUS_THROTTLED: u16 = 429;

/// Statuses at or above this are failures when the step does not say which it expects.
const STATUS_FAILED_LEAST: u16 = 400;

/// What is expected of an answer.
#[derive(Debug, Default)]
pub(crate) struct Expectation {
    /// None expects any status below 400.
    pub(crate) statuses: Option<Vec<u16>>,
    /// The longest time to the last byte.
    pub(crate) within: Option<Duration>,
    /// A text that must stand in the body.
    pub(crate) contains: Option<String>,
    /// What the first match of each path must equal.
    pub(crate) json: Vec<(JsonPath, Value)>,
    /// The names of values to keep, and where they stand.
    pub(crate) capture: Vec<(String, JsonPath)>,
}

/// An answer that came in whole.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// From when the request was meant to be sent to the last byte of the body.
    pub(crate) elapsed: Duration,
    /// The body, as far as it was kept.
    pub(crate) body: &'a [u8],
}

impl Expectation {
    /// Whether the body is looked at; if not, it need not be kept.
    pub(crate) fn needs_body(&self) -> bool {
        self.contains.is_some() || !self.json.is_empty() || !self.capture.is_empty()
    }

    /// The captured values, or the first thing that is not as expected: status, body, capture, then time.
    pub(crate) fn judge(&self, answer: &Answer<'_>) -> Result<BTreeMap<String, Value>, Failure> {
        let is_status_expected = match &self.statuses {
            Some(statuses) => statuses.contains(&answer.status),
            None => answer.status < STATUS_FAILED_LEAST,
        };
        if !is_status_expected {
            let kind = if answer.status == STATUS_THROTTLED { FailureKind::Throttled } else { FailureKind::Status };
            return Err(Failure::new(kind, format_args!("status {}", answer.status)));
        }
        let document = if self.json.is_empty() && self.capture.is_empty() {
            None
        } else {
            serde_json::from_slice::<Value>(answer.body).ok()
        };
        if let Some(contains) = &self.contains
            && !contains_bytes(answer.body, contains.as_bytes())
        {
            return Err(Failure::new(FailureKind::Body, "the expected text is not in the body"));
        }
        let first = |path: &JsonPath| document.as_ref().and_then(|document| path.query(document).first());
        if let Some((path, _)) = self.json.iter().find(|(path, expected)| first(path) != Some(expected)) {
            return Err(Failure::new(FailureKind::Body, format_args!("`{path}` is not as expected")));
        }
        let captured = self
            .capture
            .iter()
            .map(|(name, path)| {
                let fail =
                    || Failure::new(FailureKind::Capture, format_args!("`{path}` for `{name}` is not in the body"));
                first(path).map(|value| (name.clone(), value.clone())).ok_or_else(fail)
            })
            .collect::<Result<_, _>>()?;
        if let Some(within) = self.within.filter(|within| answer.elapsed > *within) {
            let text = format_args!("{:.1?}, and not within {}", answer.elapsed, format_duration(within));
            return Err(Failure::new(FailureKind::Slow, text));
        }
        Ok(captured)
    }
}

fn contains_bytes(body: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(body, text).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::spec::parse_path;

    const FAST: Duration = Duration::from_millis(10);

    fn judge(expectation: &Expectation, status: u16, elapsed: Duration, body: &str) -> Result<Value, FailureKind> {
        let answer = Answer { status, elapsed, body: body.as_bytes() };
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
            capture: vec![("id".to_owned(), parse_path("$.items[0].id").unwrap())],
            ..Expectation::default()
        };
        assert!(capture.needs_body());
        assert_eq!(judge(&capture, 200, FAST, r#"{"items": [{"id": 17}]}"#), Ok(json!({"id": 17})));
        assert_eq!(judge(&capture, 200, FAST, r#"{"items": []}"#), Err(FailureKind::Capture));
        assert_eq!(judge(&capture, 200, FAST, "<html>"), Err(FailureKind::Capture));
    }
}
