//! A service on 127.0.0.1 that records what it is sent and answers what a test tells it, and a sender with a clock that
//! stands still and published credentials.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{CredentialCache, Signed};

/// The secret of AWS's own examples.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Counts how often it is asked, and says so in the key's id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counting {
    pub(crate) asked: Arc<AtomicU32>,
    /// When each key expires.
    pub(crate) expiry: Option<SystemTime>,
}

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let id = self.asked.fetch_add(1, Ordering::SeqCst).to_string();
        future::ProvideCredentials::ready(Ok(Credentials::new(id, "secret", None, self.expiry, "test")))
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// `POST / HTTP/1.1`.
    pub(crate) line: String,
    /// Lower-case names and values, in the order of their names.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Recorded {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the service does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Further headers, each ended by CR LF.
        headers: String,
        /// The body.
        body: String,
    },
    /// Breaks the connection in the middle of the answer's body.
    Break,
    /// Never answers.
    Silence,
}

impl Reply {
    /// An answer.
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: String::new(), body: body.to_owned() }
    }
}

/// The service. It answers each request with the next reply, and the last one for ever.
pub(crate) struct Server {
    /// The URL.
    pub(crate) url: String,
    recorded: Arc<Mutex<Vec<Recorded>>>,
}

impl Server {
    pub(crate) async fn start(replies: impl Into<Vec<Reply>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let recorded = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, replies.into(), Arc::clone(&recorded)));
        Self { url, recorded }
    }

    /// Every request so far.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        self.recorded.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Recorded {
        let [recorded] = self.recorded().try_into().expect("one request");
        recorded
    }

    /// What clients of this service need: Region, credentials, limits, and pauses of a millisecond.
    pub(crate) fn configuration(&self) -> SdkConfig {
        configuration(&self.url, Duration::from_secs(8), None)
    }

    /// A sender to this service, with the limits of the real one, pauses of a millisecond, and attempts of `attempt`.
    pub(crate) fn signed_with(&self, attempt: Duration, session_token: Option<&str>) -> Signed {
        let configuration = configuration(&self.url, attempt, session_token);
        let credentials = Arc::new(CredentialCache::new(configuration.credentials_provider()));
        Signed::with_clock(&configuration, credentials, fixed_time)
    }

    /// A sender to this service.
    pub(crate) fn signed(&self) -> Signed {
        self.signed_with(Duration::from_secs(8), None)
    }
}

/// 2015-08-30T12:36:00Z, as in AWS's examples.
fn fixed_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_440_938_160, 0).unwrap()
}

fn configuration(url: &str, attempt: Duration, session_token: Option<&str>) -> SdkConfig {
    let credentials =
        Credentials::new("AKIDEXAMPLE", SECRET_KEY, session_token.map(str::to_owned), None, "published example");
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
        .retry_config(RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(1)));
    builder.insert_origin("endpoint_url", aws_types::origin::Origin::shared_config());
    builder.build()
}

async fn serve(listener: TcpListener, replies: Vec<Reply>, recorded: Arc<Mutex<Vec<Recorded>>>) {
    // Connections are kept, so that the one with silence stays open.
    let mut silent = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let Some(request) = read(&mut stream).await else { continue };
        let number = {
            let mut recorded = recorded.lock().unwrap();
            recorded.push(request);
            recorded.len()
        };
        match replies.get(number - 1).or(replies.last()).unwrap() {
            Reply::Answer { status, headers, body } => {
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status} Told\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
                );
                stream.write_all(text.as_bytes()).await.ok();
            }
            Reply::Break => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Par").await.ok();
            }
            Reply::Silence => silent.push(stream),
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Recorded> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let (line, rest) = head.split_once("\r\n").unwrap();
            let header =
                |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
            let mut headers: Vec<_> = rest.split("\r\n").filter_map(header).collect();
            headers.sort();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
                return Some(Recorded { line: line.to_owned(), headers, body });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
