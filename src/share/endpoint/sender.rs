//! One address, and one request after the other with retries and limits.

use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};

use super::answer::message;
use crate::unit::{error_chain, printable_line};

/// How long an attempt may take where nobody says otherwise (OTLP: exporter, default timeout).
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// How often a request is made.
pub const ATTEMPTS_MAX: u32 = 5;
/// The first wait between two attempts; it doubles.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// How long an endpoint may put a request off; beyond that it is told.
const PUT_OFF_MAX: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How much of a reason is told, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Where something is sent: an address by `http` or `https`, without a name, a password or a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "write it as `https://collector.example.com:4318`";
        // It may hold a password, and is not repeated.
        let url = Url::parse(text).map_err(|error| format!("this is no URL ({error}): {help}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("an endpoint is reached by http or https: {help}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("a name and a password belong in a header, `--header authorization=env:NAME`: {help}"));
        }
        if url.fragment().is_some() {
            return Err(format!("what stands behind `#` is sent nowhere: {help}"));
        }
        Ok(Self(url))
    }
}

impl Endpoint {
    /// The same with a path below it, unless it ends so already (OTLP/HTTP: the base of all signals, or the address of one).
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/');
        if !base.ends_with(path) {
            let joined = format!("{base}{path}");
            url.set_path(&joined);
        }
        Self(url)
    }

    fn is_here(&self) -> bool {
        matches!(self.0.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
    }
}

/// Why something did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Everybody on the way could read the headers.
    #[error("a header whose value is a secret goes by `https` alone beyond this machine")]
    NotHttps,
    /// TLS can not be set up.
    #[error("no request can be made")]
    Client(#[source] reqwest::Error),
    /// Nothing came back, or it was put off, as often as it was tried.
    #[error("it did not arrive in {attempts} attempts: {why}")]
    Later {
        /// How often it was tried.
        attempts: u32,
        /// What came of the last one.
        why: String,
    },
    /// It was put off for too long.
    #[error("the endpoint said {status} and wants to be asked again in {} s: {} s is the longest that is waited", .wait.as_secs(), PUT_OFF_MAX.as_secs())]
    PutOff {
        /// The status.
        status: StatusCode,
        /// For how long.
        wait: Duration,
    },
    /// It said no.
    #[error("the endpoint said {status}{reason}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it said of it, with what is before it.
        reason: String,
    },
    /// What it said of it could not be read: nobody knows what it took.
    #[error("the endpoint said {status}, and its answer broke off: {why}")]
    Answer {
        /// The status.
        status: StatusCode,
        /// Why.
        why: String,
    },
}

/// Sends requests to one endpoint.
#[derive(Debug)]
pub struct Sender {
    http: reqwest::Client,
    url: Url,
    /// What no text may repeat.
    secrets: Vec<String>,
}

impl Sender {
    /// A sender that puts `headers` on every request, and waits for each answer for `timeout` at most.
    ///
    /// # Errors
    /// The headers would be read on the way, or TLS can not be set up.
    pub fn new(endpoint: &Endpoint, headers: HeaderMap, timeout: Duration) -> Result<Self, SendError> {
        if !headers.is_empty() && endpoint.0.scheme() != "https" && !endpoint.is_here() {
            return Err(SendError::NotHttps);
        }
        let secrets = headers.values().filter_map(|value| value.to_str().ok()).flat_map(str::split_whitespace);
        let secrets = secrets.filter(|secret| secret.len() >= SECRET_BYTES_MIN).map(str::to_lowercase).collect();
        // A redirect would take the headers elsewhere.
        let builder = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        let builder = builder.user_agent(concat!("gameday/", env!("CARGO_PKG_VERSION"))).default_headers(headers);
        let builder = if endpoint.is_here() { builder.no_proxy() } else { builder };
        Ok(Self { http: builder.build().map_err(SendError::Client)?, url: endpoint.0.clone(), secrets })
    }

    /// Sends a body; its answer where it was taken. What an endpoint puts off is sent again, and so is what nothing comes back to: whoever
    /// gets something twice knows it by its ids.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post(&self, content_type: &'static str, body: &str) -> Result<Vec<u8>, SendError> {
        let mut attempt = 1;
        loop {
            let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, HeaderValue::from_static(content_type));
            let (why, put_off) = match request.body(body.to_owned()).send().await {
                Ok(response) if response.status().is_success() => return self.answer(response).await,
                Ok(response) if is_later(response.status()) => {
                    let status = response.status();
                    let put_off = put_off(&response);
                    if let Some(wait) = put_off.filter(|wait| *wait > PUT_OFF_MAX) {
                        return Err(SendError::PutOff { status, wait });
                    }
                    (format!("the endpoint said {status}"), put_off)
                }
                Ok(response) => return Err(self.refused(response).await),
                Err(error) => (self.told(&error_chain(&error.without_url())), None),
            };
            if attempt == ATTEMPTS_MAX {
                return Err(SendError::Later { attempts: attempt, why });
            }
            let wait = put_off.unwrap_or_else(|| WAIT_MIN.saturating_mul(1_u32 << (attempt - 1)));
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn answer(&self, response: Response) -> Result<Vec<u8>, SendError> {
        let status = response.status();
        let broken = |why: String| SendError::Answer { status, why: self.told(&why) };
        match bytes(response).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(broken(format!("it is longer than {} KiB", ANSWER_BYTES_MAX >> 10))),
            Err(error) => Err(broken(error_chain(&error.without_url()))),
        }
    }

    async fn refused(&self, response: Response) -> SendError {
        let status = response.status();
        if status.is_redirection() {
            return SendError::Refused { status, reason: ": it has moved, and no redirect is followed".to_owned() };
        }
        // The status has said what counts.
        let bytes = bytes(response).await.ok().flatten().unwrap_or_default();
        let message = message(&bytes).map(|message| self.told(&message)).filter(|message| !message.is_empty());
        SendError::Refused { status, reason: message.map(|message| format!(": {message}")).unwrap_or_default() }
    }

    /// A text of the endpoint in one line, unless it repeats a secret.
    #[must_use]
    pub fn told(&self, text: &str) -> String {
        let lower = text.to_lowercase();
        if self.secrets.iter().any(|secret| lower.contains(secret)) {
            return "what it said repeats a secret, and is not shown".to_owned();
        }
        printable_line(text.trim(), REASON_CHARS_MAX)
    }
}

/// A part of a header's value that is shorter is no secret, but a word such as `Key`.
const SECRET_BYTES_MIN: usize = 4;

/// Whether the same may be taken later (OTLP/HTTP: retryable response codes).
fn is_later(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// How long an endpoint puts a request off, in whole seconds (RFC 9110, 10.2.3); a date is not waited for.
fn put_off(response: &Response) -> Option<Duration> {
    let after = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    after.trim().parse().ok().map(Duration::from_secs)
}

/// An answer; none where it is too long.
async fn bytes(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn an_endpoint_has_no_password_and_is_given_the_path_of_its_signal_once() {
        for text in
            ["collector:4318", "ftp://a.b", "https://me:s3cret@a.b", "https://s3cret@a.b", "https://a.b/#s3cret"]
        {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
        for (text, full) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://a.b/", "https://a.b/v1/traces"),
            ("https://a.b/otlp/?x=1", "https://a.b/otlp/v1/traces?x=1"),
            ("https://a.b/otlp/v1/traces", "https://a.b/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(text).with_path("/v1/traces").0.as_str(), full);
        }
    }

    #[test]
    fn a_secret_is_sent_to_nobody_who_could_read_it_on_the_way_and_is_told_to_nobody() {
        let headers = || {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_static("Bearer s3cretTOKEN"));
            headers
        };
        let sender = |text, headers| Sender::new(&endpoint(text), headers, TIMEOUT_DEFAULT);
        assert!(matches!(sender("http://collector:4318", headers()), Err(SendError::NotHttps)));
        assert!(matches!(sender("http://127.0.0.1.evil.com", headers()), Err(SendError::NotHttps)));
        assert!(sender("http://collector:4318", HeaderMap::new()).is_ok());
        let sender = sender("http://localhost:4318", headers()).unwrap();
        assert!(!sender.told("unknown token S3CRETtoken").contains("oken"), "{}", sender.told("S3CRETtoken"));
        assert_eq!(sender.told("no such tenant\n\u{1b}[2J"), "no such tenant \\u{1b}[2J");
    }
}
