//! A new connection: the name's look-up, TCP, TLS, and the start of HTTP on it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_util::bytes::Bytes;

use super::{ConnectionCounts, Failure, Origin, Timings, Version};
use crate::load::frame::FailureKind;

/// How many bytes of an answer's body a connection of HTTP/2 takes ahead of us: as much as that of one user is enough.
const HTTP2_WINDOW_BYTES: u32 = 1024 * 1024;

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
    Http2(http2::SendRequest<Full<Bytes>>),
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
        Ok(Self { tls: TlsConnector::from(Arc::new(configuration)), version })
    }

    /// The version that is asked for.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Opens a connection, and tells how long its stages took.
    pub(super) async fn connect(
        &self,
        origin: &Origin,
        counts: &Arc<ConnectionCounts>,
        timings: &mut Timings,
    ) -> Result<Sender, Failure> {
        let began = Instant::now();
        let addresses = tokio::net::lookup_host((origin.host.as_str(), origin.port))
            .await
            .map_err(|error| Failure::new(FailureKind::Dns, error))?;
        let stream = connect_to_any(addresses).await.map_err(|error| Failure::of_connect(&error))?;
        // Without it a small request may wait 40 ms for an acknowledgement. It can fail only on a dead socket.
        stream.set_nodelay(true).ok();
        timings.connect = Some(began.elapsed());
        if !origin.is_tls {
            return start(stream, self.version, counts).await;
        }
        let began = Instant::now();
        let name = ServerName::try_from(origin.host.clone()).map_err(|_| {
            Failure::new(FailureKind::Tls, format_args!("`{}` can not stand in a certificate", origin.host))
        })?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| Failure::new(FailureKind::Tls, error))?;
        timings.tls = Some(began.elapsed());
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
        start(stream, if is_http2 { Version::Http2 } else { Version::Http1 }, counts).await
    }
}

/// Connects to the first address that accepts.
async fn connect_to_any(addresses: impl Iterator<Item = std::net::SocketAddr>) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Begins HTTP on a stream. A task of its own serves the connection until it is closed.
async fn start<S>(stream: S, version: Version, counts: &Arc<ConnectionCounts>) -> Result<Sender, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let open = Open::count(counts);
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
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(HTTP2_WINDOW_BYTES)
                .initial_connection_window_size(HTTP2_WINDOW_BYTES)
                .handshake(io)
                .await
                .map_err(|error| Failure::of_connection(&error))?;
            tokio::spawn(async move {
                connection.await.ok();
                drop(open);
            });
            Ok(Sender::Http2(sender))
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
