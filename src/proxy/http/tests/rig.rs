//! A client and a server with a stream between them.

use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{GET, OK, active, rule};
use crate::proxy::counters::ProxyCounters;
use crate::proxy::http::rule::{ActiveRule, RuleSet, RuleSpec, RuleStats};
use crate::proxy::http::signer::Signer;
use crate::proxy::http::stream::{HttpStream, Resigning};
use crate::proxy::http::tunnel::Tunnel;
use crate::proxy::timer::Clockwork;
use crate::proxy::upstream::Upstream;
use crate::unit::Resign;

/// The two ends are the tests' own; what they say passes the stream.
pub(super) struct Rig {
    pub(super) client: DuplexStream,
    pub(super) server: DuplexStream,
    pub(super) rules: watch::Sender<RuleSet>,
    pub(super) counters: Arc<ProxyCounters>,
}

impl Rig {
    pub(super) fn new() -> Self {
        let (server_side, server) = tokio::io::duplex(1 << 20);
        Self::between(server_side, server, None)
    }

    pub(super) fn resigning(by: impl Resign + 'static) -> Self {
        Self::signed_by(Signer::new(Arc::new(by), vec!["h".parse().expect("a name")]))
    }

    pub(super) fn signed_by(by: Signer) -> Self {
        let (server_side, server) = tokio::io::duplex(1 << 20);
        Self::between(server_side, server, Some(Resigning { by, host: "real".into() }))
    }

    /// A proxy that opens tunnels to where nobody is.
    pub(super) fn of_tunnels() -> Self {
        let nobody = |_| async { Err(io::ErrorKind::ConnectionRefused.into()) };
        let tunnel = Tunnel::new("*:443".parse().expect("a pattern"), nobody);
        Self::with_stream(tunnel, tokio::io::duplex(1).0, None, HttpStream::only_http)
    }

    /// A server that can not be reached.
    pub(super) fn without_server() -> Self {
        let missing = Upstream::<DuplexStream>::new(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        Self::between(missing, tokio::io::duplex(1).0, None)
    }

    pub(super) fn between<S>(server_side: S, server: DuplexStream, resigning: Option<Resigning>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::with_stream(server_side, server, resigning, |stream| stream)
    }

    fn with_stream<S>(
        server_side: S,
        server: DuplexStream,
        resigning: Option<Resigning>,
        changed: impl FnOnce(HttpStream<S>) -> HttpStream<S>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (client, mut client_side) = tokio::io::duplex(1 << 20);
        let (rules, seen) = watch::channel(RuleSet::default());
        let counters = Arc::<ProxyCounters>::default();
        let stream = HttpStream::new(server_side, seen, resigning, Clockwork::Wheel, Arc::clone(&counters));
        let stream = changed(stream);
        tokio::spawn(async move {
            let (reader, writer) = stream.split();
            // An error is the stream's reset: both ends are dropped then.
            tokio::io::copy_bidirectional(&mut client_side, &mut tokio::io::join(reader, writer)).await.ok();
        });
        Self { client, server, rules, counters }
    }

    pub(super) fn with(action: Value) -> Self {
        let rig = Self::new();
        rig.add(rule(action));
        rig
    }

    pub(super) fn add(&self, spec: RuleSpec) {
        self.rules.send_modify(|set| *set = set.with(active(spec)));
    }

    pub(super) fn remove(&self) {
        self.rules.send_modify(|set| *set = set.without("r"));
    }

    /// A rule, whose stats can still be read when it was removed.
    pub(super) fn rule(&self, name: &str) -> Arc<ActiveRule> {
        Arc::clone(self.rules.borrow().get(name).expect("the rule is there"))
    }

    pub(super) fn stats(&self) -> RuleStats {
        self.rules.borrow().get("r").expect("the rule is there").stats(Instant::now())
    }

    pub(super) fn applied(&self) -> u64 {
        self.stats().applied
    }

    pub(super) async fn ask(&mut self) {
        self.client.write_all(GET).await.expect("written");
    }

    /// What the server is asked, as far as the next head reaches.
    pub(super) async fn asked(&mut self) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(self.server.read_u8().await.expect("more of a head"));
        }
        String::from_utf8(request).expect("text")
    }

    pub(super) async fn say(&mut self, bytes: &[u8]) {
        self.server.write_all(bytes).await.expect("written");
    }

    pub(super) async fn hears(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        self.client.read_exact(&mut heard).await.expect("all the bytes");
        assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(bytes));
    }

    pub(super) async fn hears_to_the_end(&mut self) -> String {
        let mut heard = Vec::new();
        self.client.read_to_end(&mut heard).await.expect("an end");
        String::from_utf8_lossy(&heard).into_owned()
    }

    pub(super) async fn exchange(&mut self) {
        self.ask().await;
        self.asked().await;
        self.say(OK).await;
        self.hears(OK).await;
    }
}
