//! Sending a call: place, credentials, signature, attempts, answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::sync::OnceCell;

use super::answer::{ANSWER_BYTES_MAX, Answer};
use super::credentials::CredentialCache;
use super::request::{Call, Prepared};
use super::retry::{Failure, Limits, persist};
use super::service::{Endpoint, Service, endpoint};
use crate::aws::error::innermost;
use crate::aws::pace::Pace;
use crate::aws::{AwsError, ServiceEndpoint};
use crate::unit::{Clock, Failpoints};

/// Sends signed requests for one environment. Making one costs nothing: connections, certificates and credentials come with
/// the first call. Clones share them.
#[derive(Clone)]
pub(crate) struct Signed {
    shared: Arc<Shared>,
    failpoints: Failpoints,
    pace: Pace,
}

struct Shared {
    configuration: SdkConfig,
    credentials: Arc<CredentialCache>,
    client: OnceCell<reqwest::Client>,
    limits: Limits,
    now: fn() -> DateTime<Utc>,
}

impl fmt::Debug for Signed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let configuration = &self.shared.configuration;
        formatter
            .debug_struct("Signed")
            .field("endpoint", &configuration.endpoint_url())
            .field("region", &configuration.region())
            .finish_non_exhaustive()
    }
}

impl Signed {
    /// A sender with the endpoints, Region and limits of `configuration`, and `credentials` that others use as well.
    pub(crate) fn new(configuration: &SdkConfig, credentials: Arc<CredentialCache>) -> Self {
        Self::with_clock(configuration, credentials, || Clock::start().now())
    }

    /// The same with a clock of one's own, which is asked before each attempt.
    pub(super) fn with_clock(
        configuration: &SdkConfig,
        credentials: Arc<CredentialCache>,
        now: fn() -> DateTime<Utc>,
    ) -> Self {
        let shared = Shared {
            configuration: configuration.clone(),
            credentials,
            client: OnceCell::new(),
            limits: Limits::of(configuration),
            now,
        };
        Self { shared: Arc::new(shared), failpoints: Failpoints::default(), pace: Pace::default() }
    }

    /// The same sender, with a point at which a crash test can end the process before each attempt and after its answer.
    pub(crate) fn with_failpoints(&self, failpoints: Failpoints) -> Self {
        Self { failpoints, ..self.clone() }
    }

    /// The same sender, whose attempts take their turns.
    pub(crate) fn with_pace(&self, pace: Pace) -> Self {
        Self { pace, ..self.clone() }
    }

    /// Where calls of a service go.
    ///
    /// # Errors
    /// `NotSent`: no Region is configured, or no endpoint is known for it.
    pub(crate) fn endpoint(&self, service: &'static Service) -> Result<ServiceEndpoint, AwsError> {
        let found = endpoint(&self.shared.configuration, service);
        let Endpoint { url, region } = found.map_err(|message| AwsError {
            service: service.name,
            operation: "any operation",
            code: "NotSent".to_owned(),
            message,
            retryable: false,
            request_id: None,
        })?;
        Ok(ServiceEndpoint { url, region })
    }

    /// The present moment by the clock that signs.
    fn now(&self) -> DateTime<Utc> {
        (self.shared.now)()
    }

    /// Sends `call` and gives back the answer of a call that succeeded. Throttling, failures of the service, connections that
    /// break and time that runs out are tried again, **also for writes**: after one of these a write may have been done.
    ///
    /// # Errors
    /// The service's error, or ours for what never was an answer: `NotSent` (no Region, credentials or usable endpoint),
    /// `Unreachable`, `Timeout`, `BadAnswer` (an answer over 8 MiB, or one that broke off).
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer, AwsError> {
        let prepared = Prepared::new(call);
        let answer = self.persist(|limit| self.attempt(call, &prepared, limit)).await;
        if let Err(error) = &answer
            && error.is_expired()
        {
            self.shared.credentials.forget().await;
        }
        answer
    }

    /// Sends `call` and gives back its answer whatever it says, with the moments before and after by our own clock: an
    /// answer that refuses tells the time, too.
    ///
    /// # Errors
    /// There was no answer.
    pub(crate) async fn timed(&self, call: &Call<'_>) -> Result<(DateTime<Utc>, Answer, DateTime<Utc>), AwsError> {
        let prepared = Prepared::new(call);
        let prepared = &prepared;
        self.persist(|limit| async move {
            let sent = self.now();
            let answer = self.exchange(call, prepared, limit).await?;
            Ok((sent, answer, self.now()))
        })
        .await
    }

    async fn persist<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        attempt: impl FnMut(Duration) -> F,
    ) -> Result<T, AwsError> {
        let mut random = ChaCha8Rng::from_seed(seed());
        persist(&self.shared.limits, &mut random, attempt).await
    }

    async fn attempt(&self, call: &Call<'_>, prepared: &Prepared, limit: Duration) -> Result<Answer, Failure> {
        let answer = self.exchange(call, prepared, limit).await?;
        match answer.failure(call.secrets) {
            Some(failure) => Err(failure),
            None => Ok(answer),
        }
    }

    /// One request and its answer, whatever that says, within `limit`.
    async fn exchange(&self, call: &Call<'_>, prepared: &Prepared, limit: Duration) -> Result<Answer, Failure> {
        self.pace.take().await;
        self.failpoints.reach();
        let answer = tokio::time::timeout(limit, self.exchange_at_leisure(call, prepared)).await;
        self.failpoints.reach();
        match answer {
            Ok(answer) => answer,
            Err(_) => Err(failed(call, "Timeout", "no answer in time".to_owned(), true)),
        }
    }

    async fn exchange_at_leisure(&self, call: &Call<'_>, prepared: &Prepared) -> Result<Answer, Failure> {
        let not_sent = |message| failed(call, "NotSent", message, false);
        let endpoint = endpoint(&self.shared.configuration, call.service).map_err(not_sent)?;
        let now = self.now();
        let credentials = self.shared.credentials.at(now).await;
        let credentials = credentials.map_err(|none| failed(call, "NotSent", none.why, none.may_pass))?;
        let request = prepared.sign(call.service, &endpoint, credentials, now).map_err(not_sent)?;
        let client = self.shared.client.get_or_try_init(async || self.connector()).await;
        let client = client.map_err(|error| not_sent(innermost(&error)))?;
        let response = client.execute(request).await.map_err(|error| {
            let code = if error.is_timeout() { "Timeout" } else { "Unreachable" };
            failed(call, code, innermost(&error), true)
        })?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = body_of(call, response).await?;
        Ok(Answer { service: call.service, operation: call.operation, status, headers, body })
    }

    /// Follows no redirect: a signature is good for one place, and goes nowhere else. Uses no proxy, as the SDK's clients do
    /// not either.
    fn connector(&self) -> Result<reqwest::Client, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("gameday/", env!("CARGO_PKG_VERSION")));
        let timeouts = self.shared.configuration.timeout_config();
        match timeouts.and_then(|limits| limits.connect_timeout()) {
            Some(limit) => builder.connect_timeout(limit).build(),
            None => builder.build(),
        }
    }
}

async fn body_of(call: &Call<'_>, mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        // A connection that breaks in an answer says nothing about whether the call was carried out.
        let Some(chunk) = chunk.map_err(|error| failed(call, "BadAnswer", innermost(&error), true))? else {
            return Ok(body);
        };
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let message = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
            return Err(failed(call, "BadAnswer", message, false));
        }
        body.extend_from_slice(&chunk);
    }
}

fn failed(call: &Call<'_>, code: &str, message: String, is_retried: bool) -> Failure {
    let error = AwsError {
        service: call.service.name,
        operation: call.operation,
        code: code.to_owned(),
        message,
        retryable: is_retried,
        request_id: None,
    };
    Failure { error, is_retried, pause: None }
}

/// A seed for the pauses of one call. Clients that fail together must not come back together, so each draws its own.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let (first, second) = seed.split_at_mut(16);
    first.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    second.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    seed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::super::request::{Input, JsonVersion};
    use super::super::service::Service;
    use super::super::testing::{Reply, SECRET_KEY, Server};
    use super::*;

    const SSM: Service = Service { name: "ssm", id: "SSM", is_global: false };

    async fn get(signed: &Signed) -> Result<Value, AwsError> {
        let input = Input::Json { version: JsonVersion::V1_1, target: "AmazonSSM", body: json!({"Name": "a"}) };
        let call = Call { service: &SSM, operation: "GetParameter", input, secrets: &[] };
        signed.send(&call).await?.json()
    }

    /// How many requests came, and what became of the call.
    async fn outcome(replies: impl Into<Vec<Reply>>) -> (usize, Result<Value, String>) {
        let server = Server::start(replies).await;
        let result = get(&server.signed()).await.map_err(|error| error.code);
        (server.recorded().len(), result)
    }

    fn json_error(status: u16, code: &str) -> Reply {
        Reply::new(status, &json!({"__type": code, "message": "told"}).to_string())
    }

    fn ok() -> Reply {
        Reply::new(200, "{\"a\": 1}")
    }

    #[tokio::test]
    async fn throttling_failures_of_the_service_and_broken_connections_are_tried_again() {
        let good = Ok(json!({"a": 1}));
        let throttled = json_error(400, "ThrottlingException");
        assert_eq!(outcome([throttled.clone(), throttled.clone(), ok()]).await, (3, good.clone()));
        assert_eq!(outcome([throttled]).await, (4, Err("ThrottlingException".to_owned())));
        assert_eq!(
            outcome([Reply::new(503, "<html>"), json_error(500, "InternalServerError"), ok()]).await,
            (3, good.clone())
        );
        assert_eq!(outcome([Reply::Break, ok()]).await, (2, good));
        assert_eq!(outcome([Reply::Break]).await, (4, Err("BadAnswer".to_owned())));
    }

    #[tokio::test]
    async fn other_answers_are_final() {
        for (status, code) in [
            (400, "ParameterNotFound"),
            (400, "AccessDeniedException"),
            (403, "InvalidSignatureException"),
            (409, "ResourceInUseException"),
            (400, "ExpiredTokenException"),
        ] {
            assert_eq!(outcome([json_error(status, code)]).await, (1, Err(code.to_owned())), "{code}");
        }
        let redirect = Reply::Answer { status: 307, headers: "location: /there\r\n".to_owned(), body: String::new() };
        assert_eq!(outcome([redirect]).await, (1, Err("BadAnswer".to_owned())));
        assert_eq!(outcome([Reply::new(200, "{\"a\":")]).await, (1, Err("BadAnswer".to_owned())));
        let endless = Reply::new(200, &"a".repeat(ANSWER_BYTES_MAX + 1));
        assert_eq!(outcome([endless]).await, (1, Err("BadAnswer".to_owned())));
    }

    /// Real sockets, so real time: a paused clock would let every attempt time out at once.
    #[tokio::test]
    async fn an_attempt_without_an_answer_is_given_up_and_made_anew() {
        let server = Server::start([Reply::Silence, ok()]).await;
        assert_eq!(get(&server.signed_with(Duration::from_millis(200), None)).await, Ok(json!({"a": 1})));
        assert_eq!(server.recorded().len(), 2);
        let server = Server::start([Reply::Silence]).await;
        let error = get(&server.signed_with(Duration::from_millis(20), None)).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), ("Timeout", true));
        // The first attempt may be over before it is sent: it reads the machine's certificates.
        assert!(matches!(server.recorded().len(), 1..=4));
    }

    #[tokio::test]
    async fn where_nothing_listens_is_told_apart() {
        let mut server = Server::start([ok()]).await;
        server.url = "http://127.0.0.1:1".to_owned();
        let error = get(&server.signed()).await.unwrap_err();
        assert!(error.is_unreachable() && error.retryable, "{error}");
    }

    #[tokio::test]
    async fn every_header_that_is_signed_is_sent_and_nothing_shows_the_secret() {
        let server = Server::start([ok()]).await;
        let signed = server.signed_with(Duration::from_secs(8), Some("the-token"));
        get(&signed).await.unwrap();
        let sent = server.only();
        assert_eq!((sent.line.as_str(), sent.body.as_str()), ("POST / HTTP/1.1", r#"{"Name":"a"}"#));
        let own = server.url.strip_prefix("http://").unwrap();
        for (name, value) in [
            ("content-type", "application/x-amz-json-1.1"),
            ("host", own),
            ("x-amz-date", "20150830T123600Z"),
            ("x-amz-security-token", "the-token"),
            ("x-amz-target", "AmazonSSM.GetParameter"),
        ] {
            assert_eq!(sent.header(name), Some(value), "{name}");
        }
        let authorization = sent.header("authorization").unwrap();
        let (_, rest) = authorization.split_once("SignedHeaders=").unwrap();
        let names: BTreeSet<&str> = rest.split(',').next().unwrap().split(';').collect();
        assert_eq!(names.len(), 5);
        assert!(names.iter().all(|name| sent.header(name).is_some()), "{authorization}");
        let shown = format!("{signed:?}");
        assert!([SECRET_KEY, "AKIDEXAMPLE", "the-token"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }

    #[tokio::test]
    async fn credentials_that_were_refused_as_expired_are_fetched_anew_for_the_next_call() {
        #[derive(Debug, Default)]
        struct Renewing(std::sync::atomic::AtomicU32);

        impl aws_credential_types::provider::ProvideCredentials for Renewing {
            fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
            where
                Self: 'a,
            {
                let number = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let credentials =
                    aws_credential_types::Credentials::new(format!("KEY{number}"), "s", None, None, "test");
                aws_credential_types::provider::future::ProvideCredentials::ready(Ok(credentials))
            }
        }

        let server = Server::start([ok(), json_error(400, "ExpiredTokenException"), ok()]).await;
        let provider = aws_credential_types::provider::SharedCredentialsProvider::new(Renewing::default());
        let configuration = server.signed().shared.configuration.clone();
        let signed = Signed::new(&configuration, Arc::new(CredentialCache::new(Some(provider))));
        assert!(get(&signed).await.is_ok());
        assert_eq!(get(&signed).await.unwrap_err().code, "ExpiredTokenException");
        assert!(get(&signed).await.is_ok());
        let key = |recorded: &crate::aws::signed::testing::Recorded| {
            let (_, rest) = recorded.header("authorization").unwrap().split_once("Credential=").unwrap();
            rest.split('/').next().unwrap().to_owned()
        };
        assert_eq!(server.recorded().iter().map(key).collect::<Vec<_>>(), ["KEY0", "KEY0", "KEY1"]);
    }

    #[tokio::test]
    async fn a_crash_test_can_stop_before_a_request_and_after_its_answer() {
        for (script, requests) in [("panic:1", 0), ("panic:2", 1), ("panic:3", 1)] {
            let server = Server::start([ok()]).await;
            let signed = server.signed().with_failpoints(Failpoints::scripted(script));
            let call = tokio::spawn(async move { get(&signed).await });
            assert_eq!(call.await.is_err(), script != "panic:3", "{script}");
            assert_eq!(server.recorded().len(), requests, "{script}");
        }
    }

    #[tokio::test]
    async fn a_call_that_can_not_be_made_is_not_sent() {
        let nowhere = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        let error = get(&Signed::new(&nowhere, Arc::new(CredentialCache::new(None)))).await.unwrap_err();
        let expected = "ssm:GetParameter failed with NotSent: no Region is configured";
        assert_eq!((error.to_string().as_str(), error.retryable), (expected, false));
    }
}
