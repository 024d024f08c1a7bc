//! A new connection: the name's look-up, TCP, TLS, and the start of HTTP on it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_util::bytes::Bytes;

use super::{ConnectionCounts, Failure, Origin, Version};
use crate::load::failure::FailureKind;
use crate::unit::connect_to_any;

/// How many bytes of an answer's body a connection of HTTP/2 takes ahead of us: as much as that of one user is enough.
const HTTP2_WINDOW_BYTES: u32 = 1024 * 1024;

/// How often a connection of HTTP/2 with requests under way is asked whether it is still there, and how long it may take to say
/// so: nothing else would tell of one that went silent, and all requests share it.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(5);
const HTTP2_PING_WAIT: Duration = Duration::from_secs(5);

const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Why TLS can not be spoken at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsSetupError {
    /// An authority of the plan.
    #[error("an authority of the plan is no certificate in PEM: {0}")]
    Authority(String),
    /// rustls refused it.
    #[error("failed to set up TLS")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: TlsConnector,
    version: Version,
    counts: Arc<ConnectionCounts>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connector").field("version", &self.version).finish_non_exhaustive()
    }
}

/// What requests are sent on.
#[derive(Debug)]
pub(super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2 {
        sender: http2::SendRequest<Full<Bytes>>,
        /// How many requests at once the server takes, as it said last.
        streams_max: Arc<AtomicUsize>,
    },
}

/// A new connection, and how long its stages took.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sender: Sender,
    /// Name look-up and TCP.
    pub(super) connect: Duration,
    pub(super) tls: Option<Duration>,
}

impl Connector {
    /// Trusts the system's authorities and `authorities` (PEM). A system that has none is no error: the load may be in the
    /// clear, and says itself when it is not.
    pub(crate) fn new(version: Version, authorities: &[String]) -> Result<Self, TlsSetupError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for pem in authorities {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(|error| TlsSetupError::Authority(error.to_string()))?)?;
            }
        }
        let mut configuration = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        configuration.alpn_protocols = match version {
            Version::Http1 => vec![ALPN_HTTP1.to_vec()],
            Version::Http2 => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
        };
        Ok(Self { tls: TlsConnector::from(Arc::new(configuration)), version, counts: Arc::default() })
    }

    /// The version that is asked for.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Counts the connections that it opens.
    pub(super) fn counts(&self) -> &ConnectionCounts {
        &self.counts
    }

    /// Opens a connection; the caller sees to it that this takes no longer than to `deadline`.
    pub(super) async fn connect(&self, origin: &Origin, deadline: Instant) -> Result<Opened, Failure> {
        let began = Instant::now();
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((origin.host.as_str(), origin.port))
            .await
            .map_err(|error| Failure::new(FailureKind::Dns, error))?
            .collect();
        let stream = connect_to_any(&addresses, deadline).await.map_err(|error| Failure::of_connect(&error))?;
        let connect = began.elapsed();
        if !origin.is_tls {
            return Ok(Opened { sender: self.start(stream, self.version).await?, connect, tls: None });
        }
        let began = Instant::now();
        let name = ServerName::try_from(origin.host.clone()).map_err(|_| {
            Failure::new(FailureKind::Tls, format_args!("`{}` can not stand in a certificate", origin.host))
        })?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| Failure::new(FailureKind::Tls, error))?;
        let tls = Some(began.elapsed());
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
        let version = if is_http2 { Version::Http2 } else { Version::Http1 };
        Ok(Opened { sender: self.start(stream, version).await?, connect, tls })
    }

    /// Begins HTTP on a stream. A task of its own serves the connection until it is closed.
    async fn start<S>(&self, stream: S, version: Version) -> Result<Sender, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = Open::count(&self.counts);
        let io = TokioIo::new(stream);
        // What a connection ends with is told by the request that was on it.
        match version {
            Version::Http1 => {
                let (sender, connection) =
                    http1::Builder::new().handshake(io).await.map_err(|error| Failure::of_connection(&error))?;
                tokio::spawn(async move {
                    connection.await.ok();
                    drop(open);
                });
                Ok(Sender::Http1(sender))
            }
            Version::Http2 => {
                let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .initial_stream_window_size(HTTP2_WINDOW_BYTES)
                    .initial_connection_window_size(HTTP2_WINDOW_BYTES)
                    .keep_alive_interval(HTTP2_PING_INTERVAL)
                    .keep_alive_timeout(HTTP2_PING_WAIT)
                    .handshake(io)
                    .await
                    .map_err(|error| Failure::of_connection(&error))?;
                let streams_max = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
                let told = Arc::clone(&streams_max);
                tokio::spawn(async move {
                    let served = poll_fn(|context| {
                        let served = Pin::new(&mut connection).poll(context);
                        told.store(connection.current_max_send_streams(), Ordering::Relaxed);
                        served
                    });
                    served.await.ok();
                    drop(open);
                });
                Ok(Sender::Http2 { sender, streams_max })
            }
        }
    }
}

/// Counts a connection for as long as it is open.
struct Open(Arc<ConnectionCounts>);

impl Open {
    fn count(counts: &Arc<ConnectionCounts>) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        counts.opened.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
