//! One step's request: made of its template, sent, followed where it is redirected, and timed to the last byte.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
    TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::Url;
use reqwest::cookie::{CookieStore as _, Jar};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::bytes::Bytes;

use super::body::BodyTemplate;
use super::encode::{Space, encode, encode_into};
use super::expectation::Answer;
use super::http::{Client, Failure, Limits, Outcome, Outgoing, Pool, Received, Target, Timings, Version};
use super::prepare::PreparedStep;
use super::service::Start;
use super::signature::Signature;
use super::template::{Scope, Template};
use crate::load::failure::FailureKind;
use crate::load::plan::{AnswerKind, LoadPlan, PlannedRequest};
use crate::load::step::Method;

/// By what servers know the load.
const OUR_USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("gameday/", env!("CARGO_PKG_VERSION")));

/// What is said of a URL that is none; it may hold a password, and is not repeated.
const NO_URL: &str = "its URL is none, or holds a password";

/// What every request of a run bears.
const RUN_HEADER: HeaderName = HeaderName::from_static("x-gameday-run");

/// What a step sends, as far as it is known beforehand.
#[derive(Debug)]
pub(crate) struct RequestTemplate {
    method: hyper::Method,
    url: UrlTemplate,
    /// Those that are the same each time.
    headers: Arc<HeaderMap>,
    headers_filled: Vec<(HeaderName, Template)>,
    body: BodyTemplate,
    limits: Limits,
    /// How long all of it may take, redirects included.
    timeout: Duration,
    redirects: u8,
    signature: Option<Signature>,
}

#[derive(Debug)]
enum UrlTemplate {
    Static(Arc<Target>, Arc<Pool>),
    Filled {
        url: Template,
        /// What is added behind `?`, names encoded.
        query: Vec<(String, Template)>,
    },
}

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The captured values, or why the step failed.
    pub(crate) outcome: Result<BTreeMap<String, Value>, Failure>,
    /// The last answer's status, if one came in whole, also where it led nowhere.
    pub(crate) status: Option<u16>,
    /// From when the request was meant to be sent to the last byte, or to the failure.
    pub(crate) response: Duration,
    /// From when it was sent.
    pub(crate) service: Duration,
    /// Where the service time of the last request went.
    pub(crate) timings: Timings,
    /// Bytes of body received.
    pub(crate) bytes: u64,
    /// Whether an environment of the function had to start for it, where the answer tells.
    pub(crate) start: Option<Start>,
}

impl RequestTemplate {
    /// Takes a step apart; an error says what is impossible about it.
    ///
    /// What hosts a load's URLs name is known from then on; `client` sends nothing elsewhere.
    pub(super) fn new(step: &PlannedRequest, plan: &LoadPlan, client: &Client) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, OUR_USER_AGENT);
        if let Some(run) = &plan.run {
            headers.insert(RUN_HEADER, HeaderValue::from_str(run).map_err(|_| "the run's id is no header".to_owned())?);
        }
        let (body, content_type) = BodyTemplate::new(step.body.as_ref());
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        let mut headers_filled = Vec::new();
        // These replace what was set above, so that a step can send its own content type.
        for (name, value) in &step.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header"))?;
            headers.remove(&name);
            match Template::new(value) {
                Template::Static(text) => {
                    let value = HeaderValue::from_str(&text);
                    headers.insert(&name, value.map_err(|_| format!("the value of `{name}` is no header"))?);
                }
                filled @ Template::Dynamic(_) => headers_filled.push((name, filled)),
            }
        }
        let url = UrlTemplate::new(step, client)?;
        if let UrlTemplate::Static(target, _) = &url
            && client.version() == Version::Http1
        {
            headers.entry(HOST).or_insert_with(|| target.host.clone());
        }
        let limits =
            Limits { connect: plan.connect_timeout.0, first_byte: plan.first_byte_timeout.map(|limit| limit.0) };
        let timeout = step.timeout.0;
        let method = method(step.method);
        let signature = step.sign.as_ref().map(|planned| Signature::new(planned, client)).transpose()?;
        // A call of AWS is never redirected.
        let redirects = if step.answer == AnswerKind::Http { plan.redirects } else { 0 };
        let headers = Arc::new(headers);
        Ok(Self { method, url, headers, headers_filled, body, limits, timeout, redirects, signature })
    }

    /// How long all of it may take.
    pub(super) fn patience(&self) -> Duration {
        self.timeout
    }

    /// The request with every placeholder filled, and the connections that it goes over.
    fn fill(&self, client: &Client, scope: &mut Scope) -> Result<(Outgoing, Arc<Pool>), Failure> {
        let (target, pool) = match &self.url {
            UrlTemplate::Static(target, pool) => (Arc::clone(target), Arc::clone(pool)),
            UrlTemplate::Filled { url, query } => {
                let target = Target::parse(&fill_url(url, query, scope)?);
                let target =
                    target.ok_or_else(|| Failure::new(FailureKind::Other, "what was captured makes no URL"))?;
                let pool = pool(client, &target)?;
                (Arc::new(target), pool)
            }
        };
        let mut headers = Arc::clone(&self.headers);
        for (name, template) in &self.headers_filled {
            let value = HeaderValue::from_str(&template.fill(scope)?);
            let fail =
                |_| Failure::new(FailureKind::Other, format_args!("what was captured can not stand in `{name}`"));
            Arc::make_mut(&mut headers).insert(name, value.map_err(fail)?);
        }
        let body = self.body.fill(scope)?;
        Ok((Outgoing { method: self.method.clone(), target, headers, body }, pool))
    }
}

impl UrlTemplate {
    fn new(step: &PlannedRequest, client: &Client) -> Result<Self, String> {
        let query: Vec<(String, Template)> =
            step.query.iter().map(|(name, value)| (encode(name, Space::Percent), Template::new(value))).collect();
        let url = Template::new(&step.url);
        let is_static = |(_, value): &(String, Template)| matches!(value, Template::Static(_));
        match &url {
            Template::Static(text) if query.iter().all(is_static) => {
                let pairs = query.iter().filter_map(|(name, value)| Some((name.as_str(), value.first_plain()?)));
                let mut text = text.clone();
                pairs.for_each(|(name, value)| add_pair(&mut text, name, value));
                let target = Target::parse(&text).ok_or_else(|| NO_URL.to_owned())?;
                let pool = client.allow(target.origin());
                Ok(Self::Static(Arc::new(target), pool))
            }
            Template::Static(_) | Template::Dynamic(_) => {
                let is_whole = matches!(url, Template::Static(_));
                let beginning = url.first_plain().filter(|text| is_whole || names_a_host(text));
                if let Some(target) = beginning.and_then(Target::parse) {
                    client.allow(target.origin());
                }
                Ok(Self::Filled { url, query })
            }
        }
    }
}

fn fill_url(url: &Template, query: &[(String, Template)], scope: &mut Scope) -> Result<String, Failure> {
    let mut text = url.fill(scope)?;
    for (name, value) in query {
        let value = value.fill(scope)?;
        add_pair(&mut text, name, &value);
    }
    Ok(text)
}

/// Adds a pair to a URL's query; the name is encoded already.
fn add_pair(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str(name);
    url.push('=');
    encode_into(url, value, Space::Percent);
}

/// A user's cookies. Most loads have none, and pay nothing for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cookies(Option<Arc<Jar>>);

impl Cookies {
    /// Those that are sent with a request, `a=b; c=d`.
    fn of(&self, target: &Target) -> Option<HeaderValue> {
        self.0.as_ref()?.cookies(&Url::parse(&target.to_string()).ok()?)
    }

    /// The request with the user's cookies, where the step has none of its own.
    fn add_to(&self, mut outgoing: Outgoing) -> Outgoing {
        if !outgoing.headers.contains_key(COOKIE)
            && let Some(cookies) = self.of(&outgoing.target)
        {
            Arc::make_mut(&mut outgoing.headers).insert(COOKIE, cookies);
        }
        outgoing
    }

    fn take_from(&mut self, target: &Target, headers: &HeaderMap) {
        if headers.contains_key(SET_COOKIE)
            && let Ok(url) = Url::parse(&target.to_string())
        {
            self.0.get_or_insert_default().set_cookies(&mut headers.get_all(SET_COOKIE).iter(), &url);
        }
    }
}

/// Takes one step, which was meant to begin at `intended`, and judges its answer.
pub(crate) async fn perform(
    client: &Client,
    cookies: &mut Cookies,
    step: &PreparedStep,
    scope: &mut Scope,
    intended: Instant,
) -> Exchange {
    let began = Instant::now();
    let mut target = None;
    let whole = match step.request.fill(client, scope) {
        Ok((outgoing, pool)) => {
            target = step.expectation.needs_cookies().then(|| outgoing.target.clone());
            follow(client, cookies, step, outgoing, pool, began + step.request.timeout).await
        }
        Err(failure) => Outcome::unsent(failure),
    };
    let ended = whole.ended;
    let service = ended - began;
    let status = whole.status;
    let start = whole.answer.as_ref().ok().and_then(|received| step.expectation.start(&received.headers));
    let judge = |received: Received| {
        let cookies = target.and_then(|target| cookies.of(&target));
        let answer = Answer {
            status: received.status,
            elapsed: ended - intended,
            headers: &received.headers,
            cookies: cookies.as_ref().and_then(|cookies| cookies.to_str().ok()),
            body: &received.body,
        };
        step.expectation.judge(&answer)
    };
    Exchange {
        outcome: whole.answer.and_then(judge),
        status,
        response: ended - intended,
        service,
        timings: whole.timings,
        bytes: whole.bytes,
        start,
    }
}

impl Exchange {
    /// A request that could not even be made.
    pub(crate) fn unmade(failure: Failure) -> Self {
        Self {
            outcome: Err(failure),
            status: None,
            response: Duration::ZERO,
            service: Duration::ZERO,
            timings: Timings::default(),
            bytes: 0,
            start: None,
        }
    }
}

/// Sends a request and those that it is redirected to, until `deadline`.
async fn follow(
    client: &Client,
    cookies: &mut Cookies,
    step: &PreparedStep,
    mut outgoing: Outgoing,
    mut pool: Arc<Pool>,
    deadline: Instant,
) -> Outcome {
    let RequestTemplate { limits, redirects, signature, .. } = &step.request;
    let mut redirects_left = *redirects;
    let first = Arc::clone(&outgoing.target);
    let keeps_body = step.expectation.needs_body() || signature.is_some();
    let mut is_signed = true;
    let mut before = Answered::default();
    loop {
        let target = Arc::clone(&outgoing.target);
        // Only what may be redirected is needed again.
        let again = (*redirects > 0).then(|| outgoing.clone());
        let mut sent = cookies.add_to(outgoing);
        // What is signed for one host is for no other, and what another host asks for is not signed.
        is_signed &= first.has_origin_of(&target);
        let signature = signature.as_ref().filter(|_| is_signed);
        if let Some(signature) = signature {
            let late = |_| Failure::new(FailureKind::Timeout, "its time was over before it was signed");
            let signed = timeout_at(deadline, signature.add_to(&mut sent)).await.map_err(late);
            if let Err(failure) = signed.flatten() {
                return before.then(Outcome::unsent(failure));
            }
        }
        let outcome = before.then(client.send(&pool, sent, *limits, deadline, keeps_body).await);
        let Ok(received) = &outcome.answer else { return outcome };
        signature.iter().for_each(|signature| signature.heed(received));
        cookies.take_from(&target, &received.headers);
        let Some(next) = again.and_then(|again| redirected(again, received)) else { return outcome };
        before = Answered { status: outcome.status, bytes: outcome.bytes };
        let next = next.and_then(|next| {
            redirects_left = redirects_left
                .checked_sub(1)
                .ok_or_else(|| Failure::new(FailureKind::Redirect, format_args!("more than {redirects} redirects")))?;
            let pool = self::pool(client, &next.target)?;
            Ok((next, pool))
        });
        match next {
            Ok(next) => (outgoing, pool) = next,
            Err(failure) => return Outcome { answer: Err(failure), ..outcome },
        }
    }
}

/// What the answers said that have led to a request.
#[derive(Debug, Clone, Copy, Default)]
struct Answered {
    status: Option<u16>,
    bytes: u64,
}

impl Answered {
    /// What comes of that request, with what came before.
    fn then(self, outcome: Outcome) -> Outcome {
        Outcome { status: outcome.status.or(self.status), bytes: outcome.bytes + self.bytes, ..outcome }
    }
}

/// The connections to a target's host, where the load names it.
fn pool(client: &Client, target: &Target) -> Result<Arc<Pool>, Failure> {
    let origin = target.origin();
    client.pool(&origin).ok_or_else(|| {
        Failure::new(FailureKind::Elsewhere, format_args!("the load does not name {origin}, and sends nothing there"))
    })
}

/// Whether the beginning of a URL has all of its host.
fn names_a_host(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
}

/// The request that a redirect asks for (RFC 9110, 15.4); none where the answer is none.
fn redirected(mut outgoing: Outgoing, received: &Received) -> Option<Result<Outgoing, Failure>> {
    let keeps_method = match received.status {
        301 | 302 => outgoing.method != hyper::Method::POST,
        303 => matches!(outgoing.method, hyper::Method::GET | hyper::Method::HEAD),
        307 | 308 => true,
        _ => return None,
    };
    let fail = || Failure::new(FailureKind::Redirect, format_args!("status {} leads to no URL", received.status));
    let location = received.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let base = Url::parse(&outgoing.target.to_string()).ok();
    let joined = location.zip(base).and_then(|(location, base)| base.join(location).ok());
    let Some(target) = joined.and_then(|url| Target::parse(url.as_str())) else { return Some(Err(fail())) };
    let headers = Arc::make_mut(&mut outgoing.headers);
    if !keeps_method {
        outgoing.method = hyper::Method::GET;
        outgoing.body = Bytes::new();
        for name in [CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
    }
    if !outgoing.target.has_origin_of(&target) {
        // What the step says to one host is for no other: its headers may be secrets.
        let ours = [USER_AGENT, RUN_HEADER, CONTENT_TYPE];
        *headers = ours.into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone()))).collect();
    }
    headers.remove(HOST);
    outgoing.target = Arc::new(target);
    Some(Ok(outgoing))
}

fn method(method: Method) -> hyper::Method {
    match method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Put => hyper::Method::PUT,
        Method::Patch => hyper::Method::PATCH,
        Method::Delete => hyper::Method::DELETE,
        Method::Head => hyper::Method::HEAD,
        Method::Options => hyper::Method::OPTIONS,
    }
}
