//! Whether a request is one that a rule is about.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::{AwsMatch, Match, Pattern};
use crate::proxy::http::aws::{self, AwsCall};
use crate::proxy::http::head::RequestHead;

/// A request as rules look at it. What costs time is found out once, when the first rule asks.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) head: &'a RequestHead<'a>,
    /// As much of the body as is there: the operation of the query protocol stands in it.
    pub(crate) body: &'a [u8],
    path_and_query: (&'a str, &'a str),
    host: OnceCell<Option<&'a str>>,
    call: OnceCell<Option<AwsCall>>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(head: &'a RequestHead<'a>, body: &'a [u8]) -> Self {
        Self { head, body, path_and_query: head.path_and_query(), host: OnceCell::new(), call: OnceCell::new() }
    }

    fn host(&self) -> Option<&'a str> {
        *self.host.get_or_init(|| self.head.header("host"))
    }

    /// The AWS API call that it is, if it is one.
    pub(crate) fn call(&self) -> Option<&AwsCall> {
        self.call.get_or_init(|| aws::recognise(self.head, self.body)).as_ref()
    }
}

impl Match {
    /// Whether all that is given holds.
    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        let head = subject.head;
        let (path, query) = subject.path_and_query;
        self.method.as_deref().is_none_or(|method| method == head.method)
            && self.path.as_ref().is_none_or(|pattern| pattern.matches(path))
            && self.host.as_ref().is_none_or(|pattern| is_host(pattern, subject))
            && self.header.iter().all(|(name, pattern)| has_header(head, name, pattern))
            && self.query.iter().all(|(name, pattern)| has_parameter(query, name, pattern))
            && self.aws.as_ref().is_none_or(|wanted| is_call(wanted, subject))
    }
}

fn is_host(pattern: &Pattern, subject: &Subject<'_>) -> bool {
    subject.host().is_some_and(|host| pattern.matches_in_any_case(host))
}

fn has_header(head: &RequestHead<'_>, name: &str, pattern: &Pattern) -> bool {
    head.headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name))
        .any(|header| std::str::from_utf8(header.value).is_ok_and(|value| pattern.matches(value)))
}

fn has_parameter(query: &str, name: &str, pattern: &Pattern) -> bool {
    parameters(query).any(|(given, value)| given == name && pattern.matches(&value))
}

/// The parameters of a query or of a form, decoded.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

/// Undoes percent-encoding, and `+` for a blank.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        decoded.push(u8::try_from(high << 4 | low).expect("invariant: two hexadecimal digits"));
                        bytes = ahead;
                    }
                    _ => decoded.push(b'%'),
                }
            }
            other => decoded.push(other),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn is_call(wanted: &AwsMatch, subject: &Subject<'_>) -> bool {
    let Some(call) = subject.call() else { return false };
    wanted.service.as_deref().is_none_or(|service| call.service == service)
        && wanted
            .operation
            .as_ref()
            .is_none_or(|pattern| call.operation.as_deref().is_some_and(|operation| pattern.matches(operation)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::http::head::slots;

    fn holds(json: serde_json::Value) -> bool {
        let bytes = b"POST /orders/7?state=open%20now&x=a+b HTTP/1.1\r\nHost: Api:80\r\nX-Kind: a\r\nX-Kind: b\r\n\r\n";
        let mut room = slots();
        let head = RequestHead::parse(bytes, &mut room).expect("a head");
        let matches: Match = serde_json::from_value(json).expect("a match");
        assert_eq!(matches.problems(), []);
        matches.holds(&Subject::new(&head, b""))
    }

    #[test]
    fn all_that_is_given_must_hold() {
        use serde_json::json;
        for yes in [
            json!({}),
            json!({"method": "POST"}),
            json!({"path": "/orders/*", "host": "api:*", "header": {"x-kind": "b"}, "query": {"state": "open now"}}),
            json!({"query": {"x": "a b"}}),
        ] {
            assert!(holds(yes.clone()), "{yes}");
        }
        for no in [
            json!({"method": "GET"}),
            json!({"path": "/orders"}),
            json!({"path": "/orders/*", "header": {"x-kind": "c"}}),
            json!({"header": {"x-none": "*"}}),
            json!({"query": {"y": "*"}}),
            json!({"aws": {"service": "sqs"}}),
        ] {
            assert!(!holds(no.clone()), "{no}");
        }
    }

    #[test]
    fn a_broken_escape_stands_for_itself() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%41"), "%zzA");
    }
}
