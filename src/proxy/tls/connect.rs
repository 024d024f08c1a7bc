//! Connecting to an upstream with TLS, as an honest client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::certificate::read_certificates;
use super::{HandshakeError, PROTOCOL, TlsError, UpstreamTls, provider};

/// How long an upstream may take for its part of a handshake.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// An upstream whose handshake is done. Its end without a `close_notify` reads as `UnexpectedEof`: an answer may have been
/// cut off, and the client should see that too.
pub type UpstreamStream<S> = tokio_rustls::client::TlsStream<S>;

/// Connects to upstreams, and resumes sessions with them.
#[derive(Clone)]
pub struct Connector {
    connector: TlsConnector,
}

impl Connector {
    /// Reads the authorities to trust: those of the file, or the system's, as `SSL_CERT_FILE` and `SSL_CERT_DIR` name them.
    /// It reads files, and may take some 10 ms.
    ///
    /// # Errors
    /// The file can not be read or holds something that is no certificate; the system has none at all.
    pub fn new(spec: &UpstreamTls) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match &spec.authorities {
            Some(path) => {
                for certificate in read_certificates(path)? {
                    roots.add(certificate)?;
                }
            }
            None => {
                // Systems hold some that are too old to be understood, and the others are good nevertheless.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(TlsError::NoAuthorities);
                }
            }
        }
        let mut configuration = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        configuration.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(configuration)) })
    }

    /// Takes a connection through its handshake with `host`, a name or an address (`::1` without brackets), which is sent
    /// as SNI where it is a name.
    ///
    /// # Errors
    /// The upstream took longer than 10 s, its certificate is not good for `host`, or it does not speak TLS.
    pub async fn connect<S>(&self, stream: S, host: &str) -> Result<UpstreamStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| HandshakeError::Name(host.to_owned()))?;
        match tokio::time::timeout(HANDSHAKE_WAIT, self.connector.connect(name, stream)).await {
            Ok(outcome) => outcome.map_err(HandshakeError::Failed),
            Err(_) => Err(HandshakeError::Late(HANDSHAKE_WAIT)),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::proxy::tls::{ClientTls, Terminator, TlsFault};
    use crate::unit::Clock;

    const HOST: &str = "cards.example.test";
    const PIPE_BYTES: usize = 64 * 1024;

    /// An upstream, and a connector that trusts it.
    fn pair() -> (Terminator, Connector) {
        let upstream = Terminator::new(&ClientTls::default(), &[HOST.to_owned()], Clock::start().now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, upstream.ca_pem().expect("an authority")).unwrap();
        (upstream, Connector::new(&UpstreamTls { authorities: Some(path) }).unwrap())
    }

    #[tokio::test]
    async fn an_upstream_is_told_the_name_and_the_protocol() {
        let (upstream, connector) = pair();
        for host in [HOST, "::1"] {
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            let (near, far) = tokio::join!(connector.connect(near, host), upstream.accept(far));
            let (mut near, mut far) = (near.unwrap(), far.unwrap());
            assert_eq!(near.get_ref().1.alpn_protocol(), Some(PROTOCOL));
            near.write_all(b"request").await.unwrap();
            near.flush().await.unwrap();
            let mut bytes = [0; 7];
            far.read_exact(&mut bytes).await.unwrap();
            assert_eq!(&bytes, b"request");
        }
    }

    #[tokio::test]
    async fn an_upstream_that_can_not_prove_its_name_is_refused() {
        let (upstream, connector) = pair();
        upstream.set_fault(Some(TlsFault::WrongName)).unwrap();
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let (near, _) = tokio::join!(connector.connect(near, HOST), upstream.accept(far));
        let Err(HandshakeError::Failed(error)) = near else { panic!("{near:?}") };
        assert!(error.to_string().contains("not valid for name"), "{error}");
        let (near, _far) = tokio::io::duplex(PIPE_BYTES);
        assert!(matches!(connector.connect(near, "a b").await, Err(HandshakeError::Name(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_upstream_is_given_up() {
        let (_, connector) = pair();
        let (near, _far) = tokio::io::duplex(PIPE_BYTES);
        let outcome = connector.connect(near, HOST).await;
        assert!(matches!(outcome, Err(HandshakeError::Late(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn an_answer_that_was_cut_off_does_not_read_as_whole() {
        let (upstream, connector) = pair();
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let (near, far) = tokio::join!(connector.connect(near, HOST), upstream.accept(far));
        drop(far.unwrap());
        let error = near.unwrap().read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_that_holds_no_authority_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let authorities = folder.path().join("ca.pem");
        let spec = UpstreamTls { authorities: Some(authorities.clone()) };
        assert!(matches!(Connector::new(&spec), Err(TlsError::Pem { .. })));
        std::fs::write(&authorities, "").unwrap();
        assert!(matches!(Connector::new(&spec), Err(TlsError::NoCertificate { .. })));
    }
}
