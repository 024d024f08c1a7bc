//! Answering the handshakes of clients, well or badly.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::certificate::{Authority, Identity};
use super::client_stream::Held;
use super::{CertificateSource, ClientStream, ClientTls, HandshakeError, PROTOCOL, TlsError, TlsFault, provider};
use crate::proxy::counters::Counter;

/// How long a client may take for its part of a handshake. A stalled handshake is not counted.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// Names that every certificate of our own is good for: a proxy listens on loopback unless told otherwise.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Ends the TLS of clients, with a fault that can be changed at any time.
///
/// A fault works on handshakes that begin after it was set, and lasts for a connection as its handshake went: taking it away
/// does not repair a client that was refused, and setting it does not cut one that got through. Only a stalled handshake goes
/// on when its fault is taken away. Sessions are not resumed from one fault to another, so that a client which was here before
/// looks at the certificate again.
pub struct Terminator {
    fault: watch::Sender<Option<TlsFault>>,
    hits: Counter,
    /// When the present fault was met first.
    first_hit: Mutex<Option<Instant>>,
    good: Arc<ServerConfig>,
    self_signed: Arc<ServerConfig>,
    made: Option<Made>,
}

/// What the proxy's own authority has signed.
struct Made {
    authority_pem: String,
    expired: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
}

impl Terminator {
    /// Reads or makes every certificate that will be shown: for the names of `spec`, for `more_names` (names or addresses,
    /// as the upstream's host) and for loopback. Those that are made are good from 60 days before `now` to 365 days after.
    ///
    /// # Errors
    /// A file can not be read, key and certificate do not fit, or a name is none.
    pub fn new(spec: &ClientTls, more_names: &[String], now: DateTime<Utc>) -> Result<Self, TlsError> {
        let local = LOCAL_NAMES.iter().map(|name| (*name).to_owned());
        let mut names: Vec<String> = spec.names.iter().chain(more_names).cloned().chain(local).collect();
        names.sort_unstable();
        names.dedup();
        let (good, made) = match &spec.certificate {
            CertificateSource::Files(files) => (Identity::read(files)?, None),
            CertificateSource::SelfMade => {
                let authority = Authority::new(now)?;
                let made = Made {
                    authority_pem: authority.pem(),
                    expired: configuration(authority.expired(&names)?)?,
                    wrong_name: configuration(authority.for_another_name()?)?,
                };
                (authority.good(&names)?, Some(made))
            }
        };
        Ok(Self {
            fault: watch::Sender::new(None),
            hits: Counter::default(),
            first_hit: Mutex::default(),
            good: configuration(good)?,
            self_signed: configuration(Identity::self_signed(&names, now)?)?,
            made,
        })
    }

    /// The certificate of the proxy's own authority, for clients to trust; none where the certificate came from files.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.made.as_ref().map(|made| made.authority_pem.as_str())
    }

    /// The fault that the next handshake meets.
    #[must_use]
    pub fn fault(&self) -> Option<TlsFault> {
        *self.fault.borrow()
    }

    /// Sets the fault for handshakes that begin from now on, or takes it away.
    ///
    /// # Errors
    /// `expired` and `wrong_name` must be signed by the authority that clients trust: they are no faults for a certificate
    /// that came from files. The fault stays what it was.
    pub fn set_fault(&self, fault: Option<TlsFault>) -> Result<(), TlsError> {
        if let Some(fault) = fault.filter(|fault| fault.needs_authority())
            && self.made.is_none()
        {
            return Err(TlsError::CertificateGiven(fault));
        }
        *self.first_hit() = None;
        self.fault.send_replace(fault);
        Ok(())
    }

    fn first_hit(&self) -> MutexGuard<'_, Option<Instant>> {
        self.first_hit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a handshake met the present fault first.
    pub(crate) fn first_hit_at(&self) -> Option<Instant> {
        *self.first_hit()
    }

    /// How many handshakes met a fault.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.get()
    }

    /// Takes a client through its handshake.
    ///
    /// # Errors
    /// The client left, took longer than 10 s, refused the certificate, or does not speak TLS.
    pub async fn accept<S>(&self, stream: S) -> Result<ClientStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = Held::new(stream);
        let came = Instant::now();
        // Whoever only connects, as health checks do, has met no fault.
        match tokio::time::timeout(HANDSHAKE_WAIT, stream.has_begun()).await {
            Ok(true) => {}
            Ok(false) => return Err(HandshakeError::Left),
            Err(_) => return Err(HandshakeError::Late(HANDSHAKE_WAIT)),
        }
        let left = HANDSHAKE_WAIT.saturating_sub(came.elapsed());
        let configuration = self.configuration_now(&mut stream).await?;
        let handshake = TlsAcceptor::from(configuration).accept(stream);
        match tokio::time::timeout(left, handshake).await {
            Ok(Ok(stream)) => Ok(ClientStream::new(stream)),
            Ok(Err(error)) => Err(HandshakeError::Failed(error)),
            Err(_) => Err(HandshakeError::Late(HANDSHAKE_WAIT)),
        }
    }

    /// What a client is shown whose handshake has just begun; a stalled one waits here.
    async fn configuration_now<S>(&self, stream: &mut Held<S>) -> Result<Arc<ServerConfig>, HandshakeError>
    where
        S: AsyncRead + Unpin,
    {
        let mut fault = self.fault();
        let is_hit = fault.is_some();
        if is_hit {
            self.hits.add(1);
            self.first_hit().get_or_insert_with(Instant::now);
        }
        if fault == Some(TlsFault::StalledHandshake) {
            let mut faults = self.fault.subscribe();
            fault = tokio::select! {
                biased;
                changed = faults.wait_for(|fault| *fault != Some(TlsFault::StalledHandshake)) => {
                    *changed.expect("invariant: the sender lives as long as the terminator")
                }
                () = stream.until_left() => return Err(HandshakeError::Left),
            };
        }
        let signed = |choose: fn(&Made) -> &Arc<ServerConfig>| {
            choose(self.made.as_ref().expect("invariant: `set_fault` lets such a fault in with an authority only"))
        };
        Ok(Arc::clone(match fault {
            None | Some(TlsFault::StalledHandshake) => &self.good,
            Some(TlsFault::SelfSigned) => &self.self_signed,
            Some(TlsFault::Expired) => signed(|made| &made.expired),
            Some(TlsFault::WrongName) => signed(|made| &made.wrong_name),
        }))
    }
}

impl fmt::Debug for Terminator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Terminator").field("fault", &self.fault()).finish_non_exhaustive()
    }
}

/// Each has a memory of sessions of its own.
fn configuration(identity: Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let mut configuration = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)?;
    configuration.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(configuration))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, HandshakeKind, RootCertStore};
    use tokio_rustls::{TlsConnector, client};

    use super::*;
    use crate::proxy::tls::CertificateFiles;
    use crate::unit::Clock;

    const HOST: &str = "cards.example.test";
    const PIPE_BYTES: usize = 64 * 1024;

    fn made(fault: Option<TlsFault>) -> Terminator {
        let terminator = Terminator::new(&ClientTls::default(), &[HOST.to_owned()], Clock::start().now()).unwrap();
        terminator.set_fault(fault).unwrap();
        terminator
    }

    /// A client that trusts the authority and no other.
    fn client_of(terminator: &Terminator, protocols: &[&str]) -> TlsConnector {
        let pem = terminator.ca_pem().expect("an authority");
        client_that_trusts(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap(), protocols)
    }

    fn client_that_trusts(certificate: CertificateDer<'static>, protocols: &[&str]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let mut configuration = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        configuration.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(configuration))
    }

    type Client = client::TlsStream<DuplexStream>;
    type Server = ClientStream<DuplexStream>;

    /// Both sides of one handshake; the client's error is rustls's own.
    async fn handshake(
        terminator: &Terminator,
        client: &TlsConnector,
        host: &'static str,
    ) -> (Result<Client, Error>, Result<Server, HandshakeError>) {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let name = ServerName::try_from(host).unwrap();
        let (near, far) = tokio::join!(client.connect(name, near), terminator.accept(far));
        (near.map_err(|error| cause(&error)), far)
    }

    fn cause(error: &std::io::Error) -> Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        inner.unwrap_or_else(|| panic!("no error of rustls: {error:?}")).clone()
    }

    async fn assert_open(terminator: &Terminator, client: &TlsConnector, host: &'static str) {
        let (near, far) = handshake(terminator, client, host).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        near.write_all(b"request").await.unwrap();
        near.shutdown().await.unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "request");
        far.write_all(b"response").await.unwrap();
        far.shutdown().await.unwrap();
        text.clear();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "response", "half a connection goes on when the other half has ended");
    }

    async fn assert_refused(terminator: &Terminator, client: &TlsConnector, is_it: impl Fn(&CertificateError) -> bool) {
        let (near, far) = handshake(terminator, client, HOST).await;
        match near {
            Err(Error::InvalidCertificate(why)) => assert!(is_it(&why), "{why:?}"),
            other => panic!("the client got {other:?}"),
        }
        assert!(matches!(far, Err(HandshakeError::Failed(_))), "{far:?}");
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_authority_gets_its_bytes_through() {
        let terminator = made(None);
        let client = client_of(&terminator, &["http/1.1"]);
        for host in [HOST, "localhost", "127.0.0.1", "::1"] {
            assert_open(&terminator, &client, host).await;
        }
        assert_eq!(terminator.hits(), 0);
    }

    #[tokio::test]
    async fn each_fault_is_the_error_that_it_is_named_for() {
        let terminator = made(Some(TlsFault::Expired));
        let client = client_of(&terminator, &[]);
        assert_refused(&terminator, &client, |why| {
            matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. })
        })
        .await;
        terminator.set_fault(Some(TlsFault::WrongName)).unwrap();
        assert_refused(&terminator, &client, |why| {
            matches!(why, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
        })
        .await;
        terminator.set_fault(Some(TlsFault::SelfSigned)).unwrap();
        assert_refused(&terminator, &client, |why| matches!(why, CertificateError::UnknownIssuer)).await;
        assert_eq!(terminator.hits(), 3);
        terminator.set_fault(None).unwrap();
        assert_open(&terminator, &client, HOST).await;
    }

    #[tokio::test]
    async fn a_client_that_was_here_before_meets_the_fault_and_open_connections_do_not() {
        let terminator = made(None);
        let client = client_of(&terminator, &[]);
        assert_open(&terminator, &client, HOST).await;
        let (near, far) = handshake(&terminator, &client, HOST).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        assert_eq!(near.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));

        terminator.set_fault(Some(TlsFault::Expired)).unwrap();
        near.write_all(b"still here").await.unwrap();
        let mut bytes = [0; 10];
        far.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"still here");
        assert_refused(&terminator, &client, |why| {
            matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. })
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_handshake_outlasts_the_clients_patience() {
        let terminator = made(Some(TlsFault::StalledHandshake));
        let client = client_of(&terminator, &[]);
        let patience = Duration::from_secs(3_600);
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let connecting = client.connect(ServerName::try_from(HOST).unwrap(), near);
        let (outcome, left) = tokio::join!(tokio::time::timeout(patience, connecting), terminator.accept(far));
        assert!(outcome.is_err(), "the client's own time ran out");
        assert!(matches!(left, Err(HandshakeError::Left)), "{left:?}");
        assert_eq!(terminator.hits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_handshake_goes_on_as_soon_as_its_fault_is_gone() {
        let terminator = made(Some(TlsFault::StalledHandshake));
        let client = client_of(&terminator, &[]);
        let waited = Duration::from_secs(60);
        let began = tokio::time::Instant::now();
        let remove = async {
            tokio::time::sleep(waited).await;
            terminator.set_fault(None).unwrap();
        };
        let ((near, far), ()) = tokio::join!(handshake(&terminator, &client, HOST), remove);
        assert!(near.is_ok() && far.is_ok(), "{near:?} {far:?}");
        assert_eq!(began.elapsed(), waited);
        assert_open(&terminator, &client, HOST).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_handshake_goes_on_to_the_fault_that_replaces_it() {
        let terminator = made(Some(TlsFault::StalledHandshake));
        let client = client_of(&terminator, &[]);
        let replace = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            terminator.set_fault(Some(TlsFault::SelfSigned)).unwrap();
        };
        tokio::join!(
            assert_refused(&terminator, &client, |why| matches!(why, CertificateError::UnknownIssuer)),
            replace
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_given_up() {
        let (_client, far) = tokio::io::duplex(PIPE_BYTES);
        let began = tokio::time::Instant::now();
        let outcome = made(None).accept(far).await;
        assert!(matches!(outcome, Err(HandshakeError::Late(_))), "{outcome:?}");
        assert_eq!(began.elapsed(), HANDSHAKE_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_only_connects_has_met_no_fault() {
        for fault in [TlsFault::Expired, TlsFault::StalledHandshake] {
            let terminator = made(Some(fault));
            let (client, far) = tokio::io::duplex(PIPE_BYTES);
            drop(client);
            let outcome = terminator.accept(far).await;
            assert!(matches!(outcome, Err(HandshakeError::Left)), "{outcome:?}");
            let (_silent, far) = tokio::io::duplex(PIPE_BYTES);
            let outcome = terminator.accept(far).await;
            assert!(matches!(outcome, Err(HandshakeError::Late(_))), "{outcome:?}");
            assert_eq!((terminator.hits(), terminator.first_hit_at()), (0, None), "{fault}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_begins_late_meets_the_fault_of_its_time_and_has_the_rest_of_its_own() {
        let terminator = made(Some(TlsFault::Expired));
        let client = client_of(&terminator, &[]);
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let late = async {
            tokio::time::sleep(HANDSHAKE_WAIT / 2).await;
            terminator.set_fault(None).unwrap();
            client.connect(ServerName::try_from(HOST).unwrap(), near).await
        };
        let (near, far) = tokio::join!(late, terminator.accept(far));
        assert!(near.is_ok() && far.is_ok(), "{near:?} {far:?}");
        assert_eq!(terminator.hits(), 0);

        let (mut client, far) = tokio::io::duplex(PIPE_BYTES);
        let began = Instant::now();
        let slow = async {
            tokio::time::sleep(HANDSHAKE_WAIT / 2).await;
            client.write_all(&[22]).await.unwrap();
        };
        let ((), outcome) = tokio::join!(slow, terminator.accept(far));
        assert!(matches!(outcome, Err(HandshakeError::Late(_))), "{outcome:?}");
        assert_eq!(began.elapsed(), HANDSHAKE_WAIT);
    }

    #[tokio::test]
    async fn a_client_without_tls_is_refused() {
        let (mut client, far) = tokio::io::duplex(PIPE_BYTES);
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let outcome = made(None).accept(far).await;
        assert!(matches!(outcome, Err(HandshakeError::Failed(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn only_http_1_is_offered() {
        let terminator = made(None);
        let (near, _) = handshake(&terminator, &client_of(&terminator, &["h2", "http/1.1"]), HOST).await;
        assert_eq!(near.unwrap().get_ref().1.alpn_protocol(), Some(PROTOCOL));
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let client = client_of(&terminator, &["h2"]);
        let connecting = client.connect(ServerName::try_from(HOST).unwrap(), near);
        let (_, far) = tokio::join!(connecting, terminator.accept(far));
        let Err(HandshakeError::Failed(error)) = far else { panic!("{far:?}") };
        assert_eq!(cause(&error), Error::NoApplicationProtocol);
    }

    #[tokio::test]
    async fn a_client_that_leaves_without_a_word_has_ended() {
        let terminator = made(None);
        let (near, far) = handshake(&terminator, &client_of(&terminator, &[]), HOST).await;
        let mut far = far.unwrap();
        drop(near.unwrap().into_inner());
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_given_certificate_is_shown_and_has_only_the_faults_that_need_no_authority() {
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(&files.cert, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        let spec = ClientTls { certificate: CertificateSource::Files(files.clone()), ..ClientTls::default() };
        let now = Clock::start().now();
        let terminator = Terminator::new(&spec, &[], now).unwrap();
        assert_eq!(terminator.ca_pem(), None);
        let client = client_that_trusts(certificate.der().clone(), &[]);
        assert_open(&terminator, &client, HOST).await;
        for fault in [TlsFault::Expired, TlsFault::WrongName] {
            assert!(matches!(terminator.set_fault(Some(fault)), Err(TlsError::CertificateGiven(_))));
        }
        for fault in [TlsFault::SelfSigned, TlsFault::StalledHandshake] {
            terminator.set_fault(Some(fault)).unwrap();
        }
        fs::write(&files.key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert!(matches!(Terminator::new(&spec, &[], now), Err(TlsError::Configuration(_))));
    }
}
