//! The controller's side of the admin API. Every call is a connection of its own and ends in a bounded time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::{AdminAddress, AdminUrl, LeaseRequest, NoToken};
use crate::proxy::tls::{Connector, HandshakeError, TlsError, UpstreamTls};
use crate::proxy::{Protocol, ProxySpec, ProxyStanding, Stats, ToxicSpec};
use crate::unit::{Failpoints, ProxyName, Secret, ToxicName, elapsed_ms, format_duration};

/// How long a call may take, connecting included.
const CALL_WAIT: Duration = Duration::from_secs(5);

/// The longest answer that is taken.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a client finds an admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminPlace {
    /// On this machine, of a process that is known.
    Address(AdminAddress),
    /// Somewhere, of a process that somebody else runs.
    Url(AdminUrl),
}

impl fmt::Display for AdminPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Url(url) => url.fmt(formatter),
        }
    }
}

/// Why a call of the admin API failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody listens there: the process has ended, and its toxics with it. Never said of a URL, between which and the process
    /// there may be more.
    #[error("no proxy process listens on `{address}`")]
    Gone {
        /// Where it was sought.
        address: AdminAddress,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could not be reached, though it may be there.
    #[error("cannot connect to the admin API on `{place}`")]
    Connect {
        /// Where it was sought.
        place: AdminPlace,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could be reached, and did not prove its name.
    #[error("the TLS handshake with the admin API on `{place}` failed")]
    Handshake {
        /// Where it was sought.
        place: AdminPlace,
        /// Why.
        #[source]
        source: HandshakeError,
    },
    /// There is nothing by which an admin API could prove its name.
    #[error("certificates cannot be checked")]
    Authorities(#[from] TlsError),
    /// The token is not where it should be.
    #[error("calls of the fault proxy bear a token")]
    NoToken(#[from] NoToken),
    /// The token can not be sent in a header.
    #[error("the token has characters that no header can carry")]
    Token,
    /// No answer came in time. Whether the call took effect is not known.
    #[error("no answer to `{call}` from `{place}` within {}", format_duration(CALL_WAIT))]
    Timeout {
        /// Who was asked.
        place: AdminPlace,
        /// Method and path.
        call: String,
    },
    /// The connection broke. Whether the call took effect is not known.
    #[error("the call `{call}` to `{place}` broke off")]
    Broken {
        /// Who was asked.
        place: AdminPlace,
        /// Method and path.
        call: String,
        /// What went wrong.
        #[source]
        source: hyper::Error,
    },
    /// The proxy refused, and nothing was changed.
    #[error("the proxy refused `{call}` with status {status}: {reason}")]
    Refused {
        /// Method and path.
        call: String,
        /// The HTTP status: 400 not valid, 401 without the token, 404 not found, 409 exists already or lease lapsed, 500 cannot listen.
        status: u16,
        /// What the proxy says.
        reason: String,
    },
    /// The answer is too long or breaks off.
    #[error("the answer to `{call}` cannot be read")]
    Unreadable {
        /// Method and path.
        call: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is not what the API promises; it may be another program.
    #[error("the answer to `{call}` is not valid")]
    Answer {
        /// Method and path.
        call: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl AdminError {
    /// Whether the same call may go through later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            // A lease that lapsed may be renewed.
            Self::Refused { status, .. } => *status == 409 || *status == 429 || *status >= 500,
            Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. } | Self::Unreadable { .. } => true,
            Self::Handshake { source, .. } => source.is_silence(),
            Self::Gone { .. } | Self::Authorities(_) | Self::NoToken(_) | Self::Token | Self::Answer { .. } => false,
        }
    }

    /// Whether nothing was heard of the process, so that nobody knows what it is at.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Handshake { source, .. } => source.is_silence(),
            Self::Gone { .. }
            | Self::Unreadable { .. }
            | Self::Refused { .. }
            | Self::Authorities(_)
            | Self::NoToken(_)
            | Self::Token
            | Self::Answer { .. } => false,
        }
    }
}

/// A client of one admin API.
#[derive(Debug, Clone)]
pub struct AdminClient {
    place: AdminPlace,
    /// Encrypts the calls; none sends them plain.
    connector: Option<Connector>,
    token: Option<Secret>,
    failpoints: Failpoints,
}

impl AdminClient {
    /// A client of the admin API at an address. Nothing is connected yet.
    #[must_use]
    pub fn new(address: AdminAddress) -> Self {
        Self::at(AdminPlace::Address(address), None)
    }

    /// A client of the admin API at a URL. Nothing is connected yet.
    ///
    /// # Errors
    /// Of an `https` URL: the system's certificate authorities can not be read.
    pub fn url(url: &AdminUrl) -> Result<Self, AdminError> {
        let connector = url.is_https().then(|| Connector::new(&UpstreamTls::default())).transpose()?;
        Ok(Self::at(AdminPlace::Url(url.clone()), connector))
    }

    fn at(place: AdminPlace, connector: Option<Connector>) -> Self {
        Self { place, connector, token: None, failpoints: Failpoints::default() }
    }

    /// The same client, with a point at which a crash test can end the process before and after each call.
    #[must_use]
    pub fn with_failpoints(self, failpoints: Failpoints) -> Self {
        Self { failpoints, ..self }
    }

    /// The same client, which bears a token with every call.
    #[must_use]
    pub fn with_token(self, token: Secret) -> Self {
        Self { token: Some(token), ..self }
    }

    /// A client of the admin API on a Unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(AdminAddress::Unix(path.into()))
    }

    /// A client of the admin API on a port.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        Self::new(AdminAddress::Tcp(address))
    }

    /// The version of the proxy's program.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn version(&self) -> Result<String, AdminError> {
        let answer: Value = self.call(Method::GET, "/version", None).await?;
        Ok(answer.get("version").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Makes a proxy, which listens when this returns.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 409 if there is one of that name, 500 if it can not listen; see [`AdminError`].
    pub async fn create_proxy(&self, name: &ProxyName, spec: &ProxySpec) -> Result<(), AdminError> {
        let mut body = json!(spec);
        body["name"] = json!(name);
        self.send(Method::POST, "/proxies", Some(body)).await.map(drop)
    }

    /// Removes a proxy, whose port is free when this returns; `false` if there was none.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn delete_proxy(&self, name: &ProxyName) -> Result<bool, AdminError> {
        present(self.send(Method::DELETE, &format!("/proxies/{name}"), None).await.map(drop)).map(|done| done.is_some())
    }

    /// A proxy, with the address that it is bound to, or `None` if there is no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn get_proxy(&self, name: &ProxyName) -> Result<Option<ProxySpec>, AdminError> {
        let path = format!("/proxies/{name}");
        let Some(view) = present(self.call::<Value>(Method::GET, &path, None).await)? else { return Ok(None) };
        // Toxiproxy has no protocols: all is bytes to it.
        let mut spec = json!({"protocol": Protocol::Tcp});
        for key in ["listen", "upstream", "protocol", "tls", "resign"] {
            if let Some(value) = view.get(key) {
                spec[key] = value.clone();
            }
        }
        serde_json::from_value(spec)
            .map(Some)
            .map_err(|source| AdminError::Answer { call: format!("GET {path}"), source })
    }

    /// Whether a proxy can be reached, and the token of the one who took it out of reach, where they gave one; `None` if there
    /// is no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn standing(&self, name: &ProxyName) -> Result<Option<(ProxyStanding, Option<String>)>, AdminError> {
        let view = present(self.call::<Value>(Method::GET, &format!("/proxies/{name}"), None).await)?;
        let Some(view) = view else { return Ok(None) };
        let is = |key| view.get(key).and_then(Value::as_bool).unwrap_or_default();
        let standing = match (is("enabled"), is("refuse")) {
            (true, false) => ProxyStanding::Listening,
            (true, true) => ProxyStanding::Refusing,
            (false, _) => ProxyStanding::Down,
        };
        Ok(Some((standing, view.get("token").and_then(Value::as_str).map(str::to_owned))))
    }

    /// Lets a proxy be reached or not.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 404 without the proxy, 409 if the lease has lapsed; see [`AdminError`].
    pub async fn put_standing(&self, name: &ProxyName, standing: ProxyStanding) -> Result<(), AdminError> {
        let body = json!({
            "enabled": standing != ProxyStanding::Down, "refuse": standing == ProxyStanding::Refusing,
        });
        self.send(Method::PATCH, &format!("/proxies/{name}"), Some(body)).await.map(drop)
    }

    /// Puts a toxic on a proxy; it works on live connections, too.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 404 without the proxy, 409 if there is one of that name or the lease has lapsed; see
    /// [`AdminError`].
    pub async fn add_toxic(&self, proxy: &ProxyName, toxic: &ToxicSpec) -> Result<(), AdminError> {
        self.send(Method::POST, &format!("/proxies/{proxy}/toxics"), Some(json!(toxic))).await.map(drop)
    }

    /// A toxic of a proxy, or `None` if there is no such toxic or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn get_toxic(&self, proxy: &ProxyName, toxic: &ToxicName) -> Result<Option<ToxicSpec>, AdminError> {
        present(self.call(Method::GET, &format!("/proxies/{proxy}/toxics/{toxic}"), None).await)
    }

    /// Removes a toxic; `false` if there was none, or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn remove_toxic(&self, proxy: &ProxyName, toxic: &ToxicName) -> Result<bool, AdminError> {
        let path = format!("/proxies/{proxy}/toxics/{toxic}");
        present(self.send(Method::DELETE, &path, None).await.map(drop)).map(|done| done.is_some())
    }

    /// Takes or renews the lease: unless it is renewed within `ttl`, the proxies drop every fault. With a `time_limit` the
    /// process ends by itself that long from now. The longest of both is 7 days.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn lease(&self, ttl: Duration, time_limit: Option<Duration>) -> Result<Stats, AdminError> {
        let request = LeaseRequest { ttl_ms: elapsed_ms(ttl), time_limit_ms: time_limit.map(elapsed_ms) };
        self.call(Method::POST, "/gameday/lease", Some(json!(request))).await
    }

    /// What the proxies have done.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn stats(&self) -> Result<Stats, AdminError> {
        self.call(Method::GET, "/gameday/stats", None).await
    }

    /// Ends the process. When this returns the proxies' ports are free; the process ends shortly after.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn shutdown(&self) -> Result<(), AdminError> {
        self.send(Method::POST, "/gameday/shutdown", None).await.map(drop)
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, AdminError> {
        let call = format!("{method} {path}");
        let answer = self.send(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|source| AdminError::Answer { call, source })
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Bytes, AdminError> {
        let call = format!("{method} {path}");
        let body = body.map_or_else(String::new, |body| body.to_string());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.host())
            .header(header::CONNECTION, "close")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("invariant: paths are made of names that are safe in a path");
        if let Some(token) = &self.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
            request.headers_mut().insert(header::AUTHORIZATION, value.map_err(|_| AdminError::Token)?);
        }
        self.failpoints.reach();
        let exchanged = tokio::time::timeout(CALL_WAIT, self.exchange(request, &call)).await;
        self.failpoints.reach();
        let (status, answer) =
            exchanged.map_err(|_| AdminError::Timeout { place: self.place.clone(), call: call.clone() })??;
        if status.is_success() {
            return Ok(answer);
        }
        let refusal: Option<Value> = serde_json::from_slice(&answer).ok();
        let reason = refusal.as_ref().and_then(|refusal| refusal.get("error")).and_then(Value::as_str);
        let reason = reason.unwrap_or("it gives no reason").to_owned();
        Err(AdminError::Refused { call, status: status.as_u16(), reason })
    }

    fn host(&self) -> String {
        match &self.place {
            AdminPlace::Address(_) => "localhost".to_owned(),
            AdminPlace::Url(url) => url.authority(),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, call: &str) -> Result<(StatusCode, Bytes), AdminError> {
        match &self.place {
            AdminPlace::Address(AdminAddress::Unix(path)) => {
                let stream = UnixStream::connect(path).await.map_err(|source| self.connect_error(source))?;
                self.exchange_over(stream, request, call).await
            }
            AdminPlace::Address(AdminAddress::Tcp(address)) => {
                let stream = TcpStream::connect(address).await.map_err(|source| self.connect_error(source))?;
                self.exchange_over(stream, request, call).await
            }
            AdminPlace::Url(url) => {
                let stream = TcpStream::connect((url.host(), url.port())).await;
                let stream = stream.map_err(|source| self.connect_error(source))?;
                let Some(connector) = &self.connector else { return self.exchange_over(stream, request, call).await };
                let fail = |source| AdminError::Handshake { place: self.place.clone(), source };
                let stream = connector.connect(stream, url.host()).await.map_err(fail)?;
                self.exchange_over(stream, request, call).await
            }
        }
    }

    fn connect_error(&self, source: io::Error) -> AdminError {
        match (&self.place, source.kind()) {
            (AdminPlace::Address(address), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                AdminError::Gone { address: address.clone(), source }
            }
            (place, _) => AdminError::Connect { place: place.clone(), source },
        }
    }

    async fn exchange_over<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
        call: &str,
    ) -> Result<(StatusCode, Bytes), AdminError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let broken = |source| AdminError::Broken { place: self.place.clone(), call: call.to_owned(), source };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let answer = async move {
            let answer = sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|source| AdminError::Unreadable { call: call.to_owned(), source })?;
            Ok((status, body.to_bytes()))
        };
        // A failure of the connection shows in the answer, too.
        let (answer, _connection_outcome) = tokio::join!(answer, connection);
        answer
    }
}

/// Turns "not found" into `None`.
pub(super) fn present<T>(outcome: Result<T, AdminError>) -> Result<Option<T>, AdminError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(AdminError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
