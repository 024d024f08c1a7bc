//! One request: filled in, sent, and timed to the last byte of its answer's body.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;
use tokio::time::Instant;

use super::expectation::Answer;
use super::prepare::PreparedStep;
use crate::load::frame::FailureKind;
use crate::load::placeholder::{as_text, fill, fill_json};
use crate::load::spec::Method;

/// How much of a body is kept to look at; the rest is received and timed, but not looked at.
const BODY_KEPT_BYTES_MAX: usize = 1024 * 1024;

const USER_AGENT: &str = concat!("gameday/", env!("CARGO_PKG_VERSION"));

/// How a request ended.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The captured values, or why the step failed.
    pub(crate) outcome: Result<BTreeMap<String, Value>, FailureKind>,
    /// From the request's start to the last byte, or to the failure.
    pub(crate) elapsed: Duration,
    /// Bytes of body received.
    pub(crate) bytes: u64,
}

/// The client that all users share: their cookies are their own, connections are reused by whoever comes next.
///
/// It follows no redirects, so that an expected status is exact; asks for no compression; takes no proxy from the
/// environment, since a load that went through one would measure it; and repeats no request. `authorities` (PEM) are trusted
/// beside the system's.
pub(crate) fn client(authorities: &[String]) -> Result<Client, reqwest::Error> {
    let authorities = authorities.iter().map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()));
    Client::builder()
        .tls_certs_merge(authorities.collect::<Result<Vec<_>, _>>()?)
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_proxy()
        .tcp_nodelay(true)
        .build()
}

/// Sends the step's request with what was captured before, and judges the answer.
pub(crate) async fn perform(
    client: &Client,
    jar: &Jar,
    step: &PreparedStep,
    captured: &BTreeMap<String, Value>,
) -> Exchange {
    let start = Instant::now();
    let failed = |kind, bytes| Exchange { outcome: Err(kind), elapsed: start.elapsed(), bytes };
    let Some((url, request)) = build(client, jar, step, captured) else {
        return failed(FailureKind::Other, 0);
    };
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return failed(failure_kind(&error), 0),
    };
    jar.set_cookies(&mut response.headers().get_all(SET_COOKIE).iter(), &url);
    let (body, bytes, read) = read_body(&mut response, step.expectation.needs_body()).await;
    if let Err(error) = read {
        return failed(failure_kind(&error), bytes);
    }
    let elapsed = start.elapsed();
    let answer = Answer { status: response.status().as_u16(), elapsed, body: &body };
    Exchange { outcome: step.expectation.judge(&answer), elapsed, bytes }
}

/// The body as far as it is kept, all its bytes counted, and whether it came in whole.
async fn read_body(response: &mut Response, is_kept: bool) -> (Vec<u8>, u64, Result<(), reqwest::Error>) {
    let mut kept = Vec::new();
    let mut bytes = 0_u64;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
                if is_kept {
                    let room = BODY_KEPT_BYTES_MAX - kept.len();
                    kept.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                }
            }
            Ok(None) => return (kept, bytes, Ok(())),
            Err(error) => return (kept, bytes, Err(error)),
        }
    }
}

/// The request with every placeholder filled; none when a captured value makes it impossible.
fn build(
    client: &Client,
    jar: &Jar,
    step: &PreparedStep,
    captured: &BTreeMap<String, Value>,
) -> Option<(Url, RequestBuilder)> {
    let planned = &step.planned;
    let text = |name: &str| captured.get(name).map(as_text);
    let url = Url::parse(&fill(&planned.url, text)).ok()?;
    let mut request = client.request(method(planned.method), url.clone()).timeout(planned.timeout.0);
    if let Some(json) = &planned.json {
        request = request.json(&fill_json(json, &|name| captured.get(name).cloned()));
    }
    if let Some(body) = &planned.body {
        request = request.body(fill(body, text));
    }
    if let Some(cookies) = jar.cookies(&url) {
        request = request.header(COOKIE, cookies);
    }
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in &planned.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.insert(name, HeaderValue::from_str(&fill(value, text)).ok()?);
    }
    // These replace what was set above, so that a step can send its own cookies or content type.
    Some((url, request.headers(headers)))
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
        Method::Head => reqwest::Method::HEAD,
    }
}

fn failure_kind(error: &reqwest::Error) -> FailureKind {
    if error.is_timeout() {
        FailureKind::Timeout
    } else if error.is_connect() {
        FailureKind::Connect
    } else {
        FailureKind::Other
    }
}
