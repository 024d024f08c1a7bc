//! The two legs of a proxy's connections, each with TLS or without, as its spec says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ClientStream, Connector, HandshakeError, Terminator, TlsError, TlsSpec, UpstreamStream};
use crate::proxy::UpstreamAddress;

/// TLS of one proxy, as far as it has any.
#[derive(Debug)]
pub struct ProxyTls {
    terminator: Option<Terminator>,
    connector: Option<Connector>,
    upstream_host: String,
}

impl ProxyTls {
    /// Reads and makes what `spec` asks for. Certificates of the proxy's own are also good for the upstream's host, which is
    /// the name that the upstream is asked for.
    ///
    /// # Errors
    /// Those of [`Terminator::new`] and [`Connector::new`].
    pub fn new(spec: &TlsSpec, upstream: &UpstreamAddress, now: DateTime<Utc>) -> Result<Self, TlsError> {
        let upstream_host = host(upstream).to_owned();
        let names = [upstream_host.clone()];
        let terminator = spec.client.as_ref().map(|client| Terminator::new(client, &names, now)).transpose()?;
        let connector = spec.upstream.as_ref().map(Connector::new).transpose()?;
        Ok(Self { terminator, connector, upstream_host })
    }

    /// What answers clients, to ask for its authority or to change its fault; none where clients come without TLS.
    #[must_use]
    pub fn terminator(&self) -> Option<&Terminator> {
        self.terminator.as_ref()
    }

    /// A client that has just come.
    ///
    /// # Errors
    /// Its handshake came to nothing, as [`Terminator::accept`] says.
    pub async fn accept<S>(&self, stream: S) -> Result<Leg<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Ok(match &self.terminator {
            Some(terminator) => Leg::Client(Box::new(terminator.accept(stream).await?)),
            None => Leg::Plain(stream),
        })
    }

    /// An upstream that was just connected.
    ///
    /// # Errors
    /// Its handshake came to nothing, as [`Connector::connect`] says.
    pub async fn connect<S>(&self, stream: S) -> Result<Leg<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Ok(match &self.connector {
            Some(connector) => Leg::Upstream(Box::new(connector.connect(stream, &self.upstream_host).await?)),
            None => Leg::Plain(stream),
        })
    }
}

/// The host without its port, and an IPv6 address without its brackets.
fn host(upstream: &UpstreamAddress) -> &str {
    let text = upstream.as_str();
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
}

/// One side of a connection, in clear.
#[derive(Debug)]
pub enum Leg<S> {
    /// It is in clear by itself.
    Plain(S),
    /// A client with TLS.
    Client(Box<ClientStream<S>>),
    /// An upstream with TLS.
    Upstream(Box<UpstreamStream<S>>),
}

impl<S> Leg<S> {
    /// The stream below, as to make its close a reset.
    pub fn transport(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            Self::Client(stream) => stream.transport(),
            Self::Upstream(stream) => stream.get_ref().0,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Leg<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Client(stream) => Pin::new(stream).poll_read(context, into),
            Self::Upstream(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Leg<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Client(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Upstream(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Client(stream) => Pin::new(stream).poll_flush(context),
            Self::Upstream(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Client(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Upstream(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::proxy::{ClientTls, UpstreamTls};
    use crate::unit::Clock;

    const UPSTREAM: &str = "cards.example.test:443";
    const PIPE_BYTES: usize = 8 * 1024;
    /// More than all the buffers on the way hold.
    const BODY_BYTES: usize = 1024 * 1024;

    fn proxy(client: Option<ClientTls>, upstream: Option<UpstreamTls>) -> ProxyTls {
        let spec = TlsSpec { client, upstream };
        ProxyTls::new(&spec, &UPSTREAM.parse().unwrap(), Clock::start().now()).unwrap()
    }

    fn trusting(folder: &TempDir, peer: &ProxyTls) -> UpstreamTls {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, peer.terminator().and_then(Terminator::ca_pem).expect("an authority")).unwrap();
        UpstreamTls { authorities: Some(path) }
    }

    #[test]
    fn the_host_is_what_a_certificate_names() {
        for (upstream, expected) in
            [(UPSTREAM, "cards.example.test"), ("[::1]:443", "::1"), ("127.0.0.1:1", "127.0.0.1")]
        {
            assert_eq!(host(&upstream.parse().unwrap()), expected);
        }
    }

    /// A client and a server that are `ProxyTls` themselves, and the proxy between them; each leg with TLS or without.
    async fn assert_relays(with_client_tls: bool, with_upstream_tls: bool) {
        let folders = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let server = proxy(with_upstream_tls.then(ClientTls::default), None);
        let to_server = with_upstream_tls.then(|| trusting(&folders.0, &server));
        let proxy_tls = proxy(with_client_tls.then(ClientTls::default), to_server);
        let client = proxy(None, with_client_tls.then(|| trusting(&folders.1, &proxy_tls)));
        let (client_end, proxy_front) = tokio::io::duplex(PIPE_BYTES);
        let (proxy_back, server_end) = tokio::io::duplex(PIPE_BYTES);

        let relay = async {
            let mut front = proxy_tls.accept(proxy_front).await.unwrap();
            let mut back = proxy_tls.connect(proxy_back).await.unwrap();
            tokio::io::copy_bidirectional(&mut front, &mut back).await.unwrap();
        };
        let serve = async {
            let mut stream = server.accept(server_end).await.unwrap();
            let mut body = Vec::new();
            stream.read_to_end(&mut body).await.unwrap();
            body.reverse();
            stream.write_all(&body).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let body: Vec<u8> = (0..BODY_BYTES).map(|index| u8::try_from(index % 251).unwrap()).collect();
        let ask = async {
            let mut stream = client.connect(client_end).await.unwrap();
            stream.write_all(&body).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            answer.reverse();
            assert!(answer == body, "{} bytes came back", answer.len());
        };
        tokio::join!(relay, serve, ask);
    }

    #[tokio::test]
    async fn either_leg_has_tls_or_not_and_half_closed_ones_still_deliver() {
        for (with_client_tls, with_upstream_tls) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_relays(with_client_tls, with_upstream_tls).await;
        }
    }
}
