//! TLS of `gameday proxy` as a real process: its faults, its routes, its file, and what toxics and rules do inside it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use gameday::aws::{Aws, Connection};
use gameday::event::{EventKind, Verdict};
use gameday::fault::{FaultError, FaultTarget, Reverted};
use gameday::proxy::{
    AdminClient, AdminError, ClientTls, Connector, HandshakeError, LeaseStats, Terminator, TlsFault, TlsFaultSpec,
    UpstreamStream, UpstreamTls,
};
use gameday::unit::{Clock, ProxyName};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::contract;
use crate::peers::{python, script};
use crate::proxy::{Api, PATIENCE, REQUEST, RESPONSE, end, gameday, http_server, patiently, start_on_tcp, until};
use crate::proxy_admin::{line_with, start};
use crate::support::Workspace;

const NAME: &str = "cards.example.test";
const SECOND: Duration = Duration::from_secs(1);
/// More than all the buffers on the way hold.
const LONG_BYTES: usize = 16 * 1024 * 1024;

type Stream = UpstreamStream<TcpStream>;

fn spec(fault: TlsFault) -> TlsFaultSpec {
    TlsFaultSpec { fault, ttl_ms: None, close_open: false, token: None }
}

/// A proxy process whose one proxy, `p`, ends TLS.
struct Rig {
    process: Child,
    api: Api,
    client: AdminClient,
    proxy: ProxyName,
    listen: SocketAddr,
    folder: tempfile::TempDir,
}

impl Rig {
    /// With `{"client": {"names": [NAME]}}` where no other TLS is given.
    async fn start(upstream: SocketAddr, more: Value) -> Self {
        let (process, admin) = start_on_tcp(&[]).await;
        let mut body =
            json!({"name": "p", "upstream": upstream, "protocol": "http", "tls": {"client": {"names": [NAME]}}});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let api = Api { admin };
        let (status, made) = api.ask("POST", "/proxies", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        let listen = made["listen"].as_str().expect("an address").parse().expect("an address");
        let (client, proxy) = (AdminClient::tcp(admin), "p".parse().expect("a name"));
        Self { process, api, client, proxy, listen, folder: tempfile::tempdir().expect("a folder") }
    }

    /// What clients need to trust the proxy, as it is now.
    async fn connector(&self) -> Connector {
        let pem = self.client.authority(&self.proxy).await.expect("asked").expect("an authority of its own");
        let path = self.folder.path().join("ca.pem");
        std::fs::write(&path, pem).expect("written");
        Connector::new(&UpstreamTls { authorities: Some(path) }).expect("a certificate")
    }

    async fn connect_by(&self, connector: &Connector) -> Result<Stream, HandshakeError> {
        let stream = TcpStream::connect(self.listen).await.expect("connected");
        patiently("a handshake", connector.connect(stream, NAME)).await
    }

    async fn connect(&self) -> Stream {
        self.connect_by(&self.connector().await).await.expect("a handshake")
    }

    async fn put(&self, fault: TlsFault, ttl_ms: Option<u64>) {
        self.client.put_tls_fault(&self.proxy, &TlsFaultSpec { ttl_ms, ..spec(fault) }).await.expect("put");
    }

    async fn fault(&self) -> Option<(TlsFaultSpec, u64)> {
        self.client.get_tls_fault(&self.proxy).await.expect("asked")
    }

    async fn stats(&self) -> Value {
        self.api.ask("GET", "/gameday/stats", None).await.1["proxies"]["p"].clone()
    }

    async fn add_toxic(&self, toxic: Value) {
        let (status, answer) = self.api.ask("POST", "/proxies/p/toxics", Some(toxic)).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn stop(mut self) {
        end(&mut self.process, Signal::TERM).await;
    }
}

/// Sends a request and reads as much as the server's usual response has.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; RESPONSE.len()];
    patiently("a response", async {
        stream.write_all(REQUEST).await?;
        stream.read_exact(&mut heard).await
    })
    .await?;
    Ok(heard)
}

async fn assert_open(stream: &mut Stream) {
    assert_eq!(ask(stream).await.expect("an answer"), RESPONSE);
}

fn cause(error: &HandshakeError) -> String {
    match error {
        HandshakeError::Failed(source) => source.to_string(),
        other => other.to_string(),
    }
}

/// A server with TLS of its own that hands each client to `serve`, and where its authority is.
async fn tls_server<F, R>(folder: &tempfile::TempDir, serve: F) -> (SocketAddr, PathBuf)
where
    F: Fn(gameday::proxy::ClientStream<TcpStream>) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let names = ["127.0.0.1".to_owned()];
    let terminator = Terminator::new(&ClientTls::default(), &names, Clock::start().now()).expect("certificates");
    let path = folder.path().join("upstream-ca.pem");
    std::fs::write(&path, terminator.ca_pem().expect("an authority")).expect("written");
    let terminator = Arc::new(terminator);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (terminator, serve) = (Arc::clone(&terminator), serve.clone());
            tokio::spawn(async move {
                if let Ok(stream) = terminator.accept(stream).await {
                    serve(stream).await;
                }
            });
        }
    });
    (address, path)
}

#[tokio::test]
async fn each_fault_of_tls_is_the_error_that_it_is_named_for_and_connections_that_are_open_go_on() {
    let rig = Rig::start(http_server().await, json!({})).await;
    let connector = rig.connector().await;
    let mut open = rig.connect_by(&connector).await.expect("a handshake");
    assert_open(&mut open).await;
    for (fault, words) in [
        (TlsFault::Expired, "certificate expired"),
        (TlsFault::WrongName, "not valid for name"),
        (TlsFault::SelfSigned, "UnknownIssuer"),
    ] {
        rig.put(fault, None).await;
        assert_eq!(rig.fault().await, Some((spec(fault), 0)));
        for hits in 1..=2 {
            let refused = rig.connect_by(&connector).await.expect_err("a bad certificate");
            assert!(cause(&refused).contains(words), "{fault}: {refused:?}");
            assert_eq!(rig.fault().await.map(|(_, hits)| hits), Some(hits), "each fault is counted by itself");
        }
        assert_open(&mut open).await;
    }
    until("every failure is counted", async || rig.stats().await["tls_client_failures"] == json!(6)).await;
    let stats = rig.stats().await;
    let shown = &stats["tls_fault"];
    assert_eq!((&shown["fault"], &shown["hits"]), (&json!("self_signed"), &json!(2)), "{shown}");
    assert_eq!(rig.stats().await["connections_open"], json!(1), "who was refused is gone");

    rig.put(TlsFault::StalledHandshake, None).await;
    let stream = TcpStream::connect(rig.listen).await.expect("connected");
    let mut handshake = Box::pin(connector.connect(stream, NAME));
    assert!(tokio::time::timeout(SECOND / 2, &mut handshake).await.is_err(), "no answer comes");
    assert!(rig.client.remove_tls_fault(&rig.proxy).await.expect("removed"));
    let mut late = patiently("the handshake goes on", handshake).await.expect("a handshake");
    assert_open(&mut late).await;
    assert!(!rig.client.remove_tls_fault(&rig.proxy).await.expect("asked"), "a second removal finds nothing");
    let closing = TlsFaultSpec { close_open: true, ..spec(TlsFault::Expired) };
    rig.client.put_tls_fault(&rig.proxy, &closing).await.expect("put");
    for stream in [&mut open, &mut late] {
        let ended = patiently("it is closed", stream.read(&mut [0; 1])).await;
        assert_eq!(ended.expect_err("TLS does not vouch for this end").kind(), io::ErrorKind::UnexpectedEof);
    }
    rig.connect_by(&connector).await.expect_err("who comes back meets the fault");
    rig.client.remove_tls_fault(&rig.proxy).await.expect("removed");
    assert_open(&mut rig.connect().await).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_sees_the_faults_of_a_proxy_process() {
    if python("OpenSSL on a proxy process").is_none() {
        return;
    }
    let echo = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = echo.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            let mut bytes = [0; 5];
            if stream.read_exact(&mut bytes).await.is_ok() {
                stream.write_all(&bytes).await.expect("written");
            }
        }
    });
    let rig = Rig::start(upstream, json!({"protocol": "tcp"})).await;
    rig.connector().await;
    let said = async || {
        let mut python: Command = python("OpenSSL on a proxy process").expect("there is one").into();
        python.arg(script("tls_client.py")).args([&rig.listen.port().to_string(), NAME]);
        python.arg(rig.folder.path().join("ca.pem")).arg("60").stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE * 2, python.output()).await.expect("in time").expect("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(said().await, "http/1.1 hello");
    for (fault, words) in [
        (TlsFault::Expired, "certificate has expired"),
        (TlsFault::WrongName, "Hostname mismatch, certificate is not valid for 'cards.example.test'."),
        (TlsFault::SelfSigned, "self-signed certificate"),
    ] {
        rig.put(fault, None).await;
        assert_eq!(said().await, words);
    }
    rig.client.remove_tls_fault(&rig.proxy).await.expect("removed");
    assert_eq!(said().await, "http/1.1 hello");
    rig.stop().await;
}

#[tokio::test]
async fn rules_and_toxics_work_on_what_is_inside() {
    let rig = Rig::start(http_server().await, json!({})).await;
    let mut stream = rig.connect().await;
    let rule = json!({"name": "broken", "when": {"first": 1}, "match": {"method": "GET", "path": "/"},
                      "action": {"http_error": {"status": 503, "body": "busy"}}});
    assert_eq!(rig.api.ask("POST", "/proxies/p/rules", Some(rule)).await.0, 201);
    let heard = ask(&mut stream).await.expect("an answer");
    assert!(heard.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&heard));
    let mut stream = rig.connect().await;
    assert_open(&mut stream).await;
    assert_eq!(rig.stats().await["requests"], json!(2));

    rig.add_toxic(json!({"name": "slow", "type": "latency", "attributes": {"latency": 300}})).await;
    let began = crate::proxy::now();
    assert_open(&mut stream).await;
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    let toxic = &rig.stats().await["toxics"]["slow"];
    assert_eq!(toxic["hits"], json!(1), "{toxic}");
    assert_eq!(rig.api.ask("DELETE", "/proxies/p/toxics/slow", None).await.0, 204);
    rig.add_toxic(json!({"type": "limit_data", "attributes": {"bytes": 9}})).await;
    stream.write_all(REQUEST).await.expect("written");
    let mut heard = Vec::new();
    let ended = patiently("the end", stream.read_to_end(&mut heard)).await;
    assert_eq!(ended.expect_err("TLS does not vouch for this end").kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(heard, &RESPONSE[..9]);
    rig.stop().await;
}

#[tokio::test]
async fn a_reset_is_a_reset_on_both_sides() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let serve = move |mut stream: gameday::proxy::ClientStream<TcpStream>| {
        let ended = ended.clone();
        async move {
            let mut request = [0; REQUEST.len()];
            loop {
                if let Err(error) = stream.read_exact(&mut request).await {
                    ended.send(error.kind()).expect("the test waits");
                    return;
                }
                stream.write_all(RESPONSE).await.expect("answered");
                stream.flush().await.expect("answered");
            }
        }
    };
    let (upstream, authorities) = tls_server(&folder, serve).await;
    let tls = json!({"client": {"names": [NAME]}, "upstream": {"authorities": authorities}});
    for protocol in ["tcp", "http"] {
        let rig = Rig::start(upstream, json!({"protocol": protocol, "tls": tls})).await;
        let mut stream = rig.connect().await;
        assert_open(&mut stream).await;
        rig.add_toxic(json!({"type": "reset_peer", "attributes": {"timeout": 0}})).await;
        assert_eq!(
            ask(&mut stream).await.expect_err("broken off").kind(),
            io::ErrorKind::ConnectionReset,
            "{protocol}"
        );
        let server = patiently("the server's side", ends.recv()).await;
        assert_eq!(server, Some(io::ErrorKind::ConnectionReset), "{protocol}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn an_upstream_with_tls_is_served_where_it_can_prove_its_name_and_is_a_reset_where_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let serve = async |mut stream: gameday::proxy::ClientStream<TcpStream>| {
        let mut request = [0; REQUEST.len()];
        while stream.read_exact(&mut request).await.is_ok() {
            stream.write_all(RESPONSE).await.expect("answered");
            stream.flush().await.expect("answered");
        }
    };
    let (upstream, authorities) = tls_server(&folder, serve).await;
    let rig = Rig::start(upstream, json!({"tls": {"upstream": {"authorities": authorities}}})).await;
    let mut plain = TcpStream::connect(rig.listen).await.expect("connected");
    assert_eq!(ask(&mut plain).await.expect("an answer"), RESPONSE);
    let none = rig.api.ask("GET", "/proxies/p/tls/ca.pem", None).await;
    assert_eq!(none.0, 404, "clients come without TLS");

    // Another authority than the upstream's.
    let other = Terminator::new(&ClientTls::default(), &[], Clock::start().now()).expect("certificates");
    let path = folder.path().join("other-ca.pem");
    std::fs::write(&path, other.ca_pem().expect("an authority")).expect("written");
    let tls = json!({"client": {"names": [NAME]}, "upstream": {"authorities": path}});
    let (status, view) = rig.api.ask("PATCH", "/proxies/p", Some(json!({"tls": tls}))).await;
    assert_eq!((status, &view["tls"]), (200, &tls));
    assert!(matches!(patiently("it is closed", plain.read(&mut [0; 1])).await, Ok(0) | Err(_)));
    let mut stream = rig.connect().await;
    let error = patiently("it breaks off", stream.read(&mut [0; 1])).await.expect_err("a reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    until("it is counted", async || rig.stats().await["tls_upstream_failures"] == json!(1)).await;
    assert_eq!(rig.stats().await["upstream_connect_failures"], json!(0));

    let (_, view) = rig
        .api
        .ask("PATCH", "/proxies/p", Some(json!({"tls": {"client": {"names": [NAME]}}, "upstream": "127.0.0.1:1"})))
        .await;
    assert_eq!(view["tls"], json!({"client": {"names": [NAME]}}));
    let mut stream = rig.connect().await;
    let error = patiently("it breaks off", stream.read(&mut [0; 1])).await.expect_err("nobody is there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    until("it is counted", async || rig.stats().await["upstream_connect_failures"] == json!(1)).await;
    rig.stop().await;
}

#[tokio::test]
async fn all_bytes_come_to_slow_readers_and_after_half_a_connection_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let serve = async |mut stream: gameday::proxy::ClientStream<TcpStream>| {
        let mut body = Vec::new();
        stream.read_to_end(&mut body).await.expect("all of it");
        body.reverse();
        stream.write_all(&body).await.expect("written");
        stream.shutdown().await.expect("shut");
    };
    let (upstream, authorities) = tls_server(&folder, serve).await;
    let tls = json!({"client": {"names": [NAME]}, "upstream": {"authorities": authorities}});
    let rig = Rig::start(upstream, json!({"protocol": "tcp", "tls": tls})).await;
    let sent: Vec<u8> = (0..LONG_BYTES).map(|index| u8::try_from(index % 251).expect("small")).collect();
    let mut stream = rig.connect().await;
    stream.write_all(&sent).await.expect("written");
    stream.shutdown().await.expect("shut");
    // Until then the answer has filled every buffer on its way.
    let mut before = json!(null);
    until("nothing moves any more", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = rig.stats().await["bytes_downstream"].clone();
        let is_still = now == before && now != json!(0);
        before = now;
        is_still
    })
    .await;
    let mut received = Vec::new();
    patiently("the answer", stream.read_to_end(&mut received)).await.expect("an orderly end");
    received.reverse();
    assert!(received == sent, "{} bytes came back", received.len());
    rig.stop().await;
}

#[tokio::test]
async fn a_server_that_ends_tls_without_saying_so_is_believed_where_http_says_that_nothing_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let serve = async |mut stream: gameday::proxy::ClientStream<TcpStream>| {
        let mut request = [0; REQUEST.len()];
        stream.read_exact(&mut request).await.expect("a request");
        stream.write_all(RESPONSE).await.expect("answered");
        stream.flush().await.expect("answered");
        // The stream is dropped, and no `close_notify` is sent.
    };
    let (upstream, authorities) = tls_server(&folder, serve).await;
    let sealed = json!({"client": {"names": [NAME]}, "upstream": {"authorities": authorities}});
    let rig = Rig::start(upstream, json!({"tls": {"upstream": {"authorities": authorities}}})).await;
    let mut plain = TcpStream::connect(rig.listen).await.expect("connected");
    assert_eq!(ask(&mut plain).await.expect("an answer"), RESPONSE);
    assert_eq!(patiently("the end", plain.read(&mut [0; 1])).await.expect("an orderly end"), 0);

    // What is no HTTP may be cut off: a client with TLS sees what the proxy saw.
    let change = json!({"protocol": "tcp", "tls": sealed});
    assert_eq!(rig.api.ask("PATCH", "/proxies/p", Some(change)).await.0, 200);
    let mut stream = rig.connect().await;
    assert_open(&mut stream).await;
    let error = patiently("the end", stream.read(&mut [0; 1])).await.expect_err("no orderly end");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    rig.stop().await;
}

#[tokio::test]
async fn a_lapsed_lease_a_reset_and_a_time_to_live_take_the_fault_away() {
    let rig = Rig::start(http_server().await, json!({"tls_fault": {"fault": "expired"}})).await;
    let connector = rig.connector().await;
    assert!(rig.connect_by(&connector).await.is_err(), "it is in from the start");
    assert_eq!(rig.fault().await, Some((spec(TlsFault::Expired), 1)));
    assert_eq!(rig.api.ask("POST", "/reset", None).await.0, 204);
    assert_eq!(rig.fault().await, None);
    assert_open(&mut rig.connect_by(&connector).await.expect("a handshake")).await;

    rig.put(TlsFault::SelfSigned, Some(200)).await;
    until("its time is over", async || rig.fault().await.is_none()).await;
    assert_open(&mut rig.connect_by(&connector).await.expect("a handshake")).await;
    rig.put(TlsFault::SelfSigned, Some(200)).await;
    rig.put(TlsFault::WrongName, Some(60_000)).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(rig.fault().await.map(|(spec, _)| spec.fault), Some(TlsFault::WrongName), "it has a time of its own");

    rig.client.lease(PATIENCE, None).await.expect("leased");
    rig.put(TlsFault::StalledHandshake, None).await;
    let stream = TcpStream::connect(rig.listen).await.expect("connected");
    let handshake = connector.connect(stream, NAME);
    let (stalled, _) = tokio::join!(patiently("it goes on when the lease has lapsed", handshake), async {
        until("it is stalled", async || rig.fault().await.is_some_and(|(_, hits)| hits == 1)).await;
        rig.client.lease(Duration::from_millis(200), None).await.expect("renewed");
    });
    assert_open(&mut stalled.expect("a handshake")).await;
    assert_eq!(rig.fault().await, None);
    assert_eq!(rig.client.stats().await.expect("stats").lease, LeaseStats::Lapsed);
    let late = rig.client.put_tls_fault(&rig.proxy, &spec(TlsFault::Expired)).await;
    assert!(matches!(late, Err(AdminError::Refused { status: 409, .. })), "{late:?}");
    rig.stop().await;
}

#[tokio::test]
async fn the_routes_of_tls_take_what_is_good_and_refuse_the_rest_with_its_reason() {
    let upstream = http_server().await;
    let rig = Rig::start(upstream, json!({})).await;
    let api = &rig.api;
    let path = "/proxies/p/tls/fault";
    assert_eq!(api.ask("GET", path, None).await.0, 404);
    assert_eq!(api.ask("DELETE", path, None).await.0, 404);
    let fault = json!({"fault": "expired", "ttl_ms": 60_000});
    assert_eq!(api.ask("PUT", path, Some(fault.clone())).await, (200, fault.clone()));
    assert_eq!(api.ask("GET", path, None).await, (200, json!({"fault": fault, "hits": 0})));
    let (_, view) = api.ask("GET", "/proxies/p", None).await;
    assert_eq!((&view["tls_fault"], &view["tls"]["client"]["names"]), (&fault, &json!([NAME])));
    let closing = json!({"fault": "expired", "close_open": true});
    assert_eq!(api.ask("PUT", path, Some(closing.clone())).await, (200, closing));
    for (body, words) in [
        (json!({"fault": "revoked"}), "unknown variant `revoked`"),
        (json!({"fault": "expired", "ttl_ms": 0}), "`ttl_ms` must be from 1 to"),
        (json!({"fault": "expired", "ttl": 1}), "unknown field `ttl`"),
        (json!({}), "missing field `fault`"),
    ] {
        let (status, answer) = api.ask("PUT", path, Some(body.clone())).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["error"].as_str().expect("a text").contains(words), "{body}: {answer}");
    }
    assert_eq!(api.ask("DELETE", path, None).await.0, 204);
    assert_eq!(api.ask("PUT", "/proxies/q/tls/fault", Some(fault.clone())).await.0, 404);
    let (_, view) = api.ask("GET", "/proxies/p", None).await;
    assert_eq!((&view["tls_fault"], view["tls"].is_object()), (&Value::Null, true));

    let url = format!("http://{}/proxies/p/tls/ca.pem", api.admin);
    let answer = patiently("the authority", reqwest::get(&url)).await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/pem-certificate-chain");
    let before = answer.text().await.expect("text");
    assert!(before.starts_with("-----BEGIN CERTIFICATE-----"), "{before}");
    assert!(!before.contains("PRIVATE"), "{before}");
    // Clients need not trust anew for what does not concern their certificates.
    assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"enabled": false}))).await.0, 200);
    assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"enabled": true}))).await.0, 200);
    assert_eq!(rig.client.authority(&rig.proxy).await.expect("asked"), Some(before));

    // A client that knows Toxiproxy alone leaves TLS as it is.
    let body = json!({"name": "p", "listen": rig.listen, "upstream": upstream, "enabled": true});
    let (status, view) = api.ask("POST", "/proxies/p", Some(body)).await;
    assert_eq!((status, view["tls"].is_object()), (200, true));
    let (_, view) = api.ask("PATCH", "/proxies/p", Some(json!({"tls": {}}))).await;
    assert_eq!(view["tls"], Value::Null, "neither side has TLS any more");
    let (status, answer) = api.ask("PUT", path, Some(fault)).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["error"].as_str().expect("a text").contains("come without TLS"), "{answer}");
    rig.stop().await;
}

/// A certificate that is signed by itself, its key, and a key that is not its own.
fn write_files(folder: &std::path::Path) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    for (name, text) in [
        ("cert.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
        ("other-key.pem", rcgen::KeyPair::generate().expect("a key").serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).expect("written");
    }
}

#[tokio::test]
async fn tls_that_can_not_be_is_refused_and_nothing_is_changed() {
    let rig = Rig::start(http_server().await, json!({})).await;
    let folder = rig.folder.path();
    write_files(folder);
    let files = |cert: &str, key: &str| json!({"client": {"certificate": {"files": {"cert": folder.join(cert), "key": folder.join(key)}}}});
    let good = files("cert.pem", "key.pem");
    let cases = [
        (json!({"tls": files("none.pem", "key.pem")}), "failed to read a certificate from"),
        (json!({"tls": files("cert.pem", "none.pem")}), "failed to read a private key from"),
        (json!({"tls": files("cert.pem", "other-key.pem")}), "failed to use the certificate"),
        (json!({"tls": {"client": {"names": ["käse"]}}}), "failed to make a certificate for"),
        (json!({"tls": {"upstream": {"authorities": folder.join("key.pem")}}}), "there is no certificate in"),
        (
            json!({"tls": good, "tls_fault": {"fault": "expired"}}),
            "the fault `expired` needs a certificate that the proxy makes",
        ),
        (json!({"tls": {"upstream": {}}, "tls_fault": {"fault": "expired"}}), "needs clients with TLS"),
        (json!({"tls": {"client": {}}, "tls_fault": {"fault": "expired", "ttl_ms": 0}}), "`ttl_ms` must be from 1 to"),
        (json!({"tls": {"client": {"insecure": true}}}), "unknown field `insecure`"),
    ];
    for (more, words) in cases {
        let mut body = json!({"name": "q", "upstream": "127.0.0.1:1"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (status, answer) = rig.api.ask("POST", "/proxies", Some(body)).await;
        assert_eq!(status, 400, "{more}: {answer}");
        assert!(answer["error"].as_str().expect("a text").contains(words), "{more}: {answer}");
        assert_eq!(rig.api.ask("GET", "/proxies/q", None).await.0, 404, "{more}");
    }

    let connector = rig.connector().await;
    let mut open = rig.connect_by(&connector).await.expect("a handshake");
    rig.put(TlsFault::Expired, Some(60_000)).await;
    let before = rig.api.ask("GET", "/proxies/p", None).await;
    // The fault that is in could not be shown with a certificate from files.
    for tls in [files("cert.pem", "other-key.pem"), good] {
        assert_eq!(rig.api.ask("PATCH", "/proxies/p", Some(json!({"tls": tls}))).await.0, 400);
        assert_eq!(rig.api.ask("GET", "/proxies/p", None).await, before);
        assert_open(&mut open).await;
    }
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let _held = TcpListener::bind(taken).await.expect("the same");
    let change = json!({"tls": {"client": {}}, "listen": taken});
    assert_eq!(rig.api.ask("PATCH", "/proxies/p", Some(change)).await.0, 500);
    assert_eq!(rig.api.ask("GET", "/proxies/p", None).await, before, "all is as it was, the authority included");
    assert!(cause(&rig.connect_by(&connector).await.expect_err("a bad certificate")).contains("certificate expired"));
    rig.stop().await;
}

#[tokio::test]
async fn the_file_of_proxies_has_tls_with_files_beside_it_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path());
    let path = folder.path().join("proxies.yaml");
    let upstream = http_server().await;
    let write = |more: &str| {
        std::fs::write(&path, format!("- name: p\n  upstream: {upstream}\n  protocol: http\n{more}")).expect("written");
    };
    let made = "  tls: {client: {names: [cards.example.test]}}\n";
    write(&format!("{made}  tls_fault: {{fault: expired}}\n"));
    let mut command = Command::new(gameday());
    command.args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m", "--config"]).arg(&path);
    let (process, mut told, admin) = start(command).await;
    let api = Api { admin };
    let (_, view) = api.ask("GET", "/proxies/p", None).await;
    let listen = view["listen"].as_str().expect("an address").parse().expect("an address");
    let (client, proxy) = (AdminClient::tcp(admin), "p".parse().expect("a name"));
    let rig = Rig { process, api, client, proxy, listen, folder: tempfile::tempdir().expect("a folder") };
    let connector = rig.connector().await;
    assert!(cause(&rig.connect_by(&connector).await.expect_err("a bad certificate")).contains("certificate expired"));

    write(made);
    line_with(&mut told, "is taken over").await;
    let mut open = rig.connect_by(&connector).await.expect("the same authority, and no fault");
    assert_open(&mut open).await;
    write(&format!("{made}  tls_fault: {{fault: wrong_name}}\n"));
    line_with(&mut told, "is taken over").await;
    assert!(cause(&rig.connect_by(&connector).await.expect_err("a bad certificate")).contains("not valid for name"));
    assert_open(&mut open).await;

    for (bad, words) in [
        ("  tls: {client: {certificate: {files: {cert: none.pem, key: key.pem}}}}\n", "the TLS of proxy `p` cannot be"),
        (
            "  tls: {client: {certificate: {files: {cert: cert.pem, key: other-key.pem}}}}\n",
            "the TLS of proxy `p` cannot be",
        ),
        ("  tls: {client: {}}\n  tls_fault: {fault: expired, ttl_ms: 0}\n", "proxies.yaml:5:"),
    ] {
        write(bad);
        line_with(&mut told, words).await;
        let refused = rig.connect_by(&connector).await.expect_err("what was before goes on");
        assert!(cause(&refused).contains("not valid for name"), "{bad}: {refused:?}");
    }

    write("  tls: {client: {certificate: {files: {cert: cert.pem, key: key.pem}}}}\n");
    line_with(&mut told, "is taken over").await;
    assert_eq!(rig.client.authority(&rig.proxy).await.expect("asked"), None);
    let own = UpstreamTls { authorities: Some(folder.path().join("cert.pem")) };
    let (_, view) = rig.api.ask("GET", "/proxies/p", None).await;
    let listen: SocketAddr = view["listen"].as_str().expect("an address").parse().expect("an address");
    let stream = TcpStream::connect(listen).await.expect("connected");
    let own = Connector::new(&own).expect("a certificate");
    assert_open(&mut patiently("a handshake", own.connect(stream, NAME)).await.expect("the certificate of the file"))
        .await;
    rig.stop().await;
}

#[tokio::test]
async fn what_is_done_to_tls_is_told_and_counted() {
    let mut command = Command::new(gameday());
    command.args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m"]);
    let (mut process, mut told, admin) = start(command).await;
    let api = Api { admin };
    let (_, made) =
        api.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": "127.0.0.1:1", "tls": {"client": {}}}))).await;
    let path = "/proxies/p/tls/fault";
    for (method, body) in [
        ("PUT", Some(json!({"fault": "wrong_name"}))),
        ("DELETE", None),
        ("PUT", Some(json!({"fault": "expired", "ttl_ms": 1}))),
    ] {
        assert!(matches!(api.ask(method, path, body).await.0, 200 | 204));
    }
    let mut events = Vec::new();
    while events.len() < 5 {
        let event: Value = serde_json::from_str(&line_with(&mut told, "\"event\"").await).expect("JSON");
        events.push((event["event"].as_str().expect("a text").to_owned(), event["detail"].clone()));
    }
    let listen = made["listen"].as_str().expect("an address");
    let expected = [
        ("proxy_created", json!(format!("p: {listen} -> 127.0.0.1:1"))),
        ("tls_fault_put", json!("wrong_name")),
        ("tls_fault_removed", json!("wrong_name")),
        ("tls_fault_put", json!("expired")),
        ("tls_fault_expired", json!("expired")),
    ];
    assert_eq!(events, expected.map(|(kind, detail)| (kind.to_owned(), detail)));

    assert_eq!(api.ask("PUT", path, Some(json!({"fault": "self_signed"}))).await.0, 200);
    let mut stream = TcpStream::connect(listen).await.expect("connected");
    stream.write_all(b"this is no handshake").await.expect("written");
    let mut heard = Vec::new();
    // It may be told so, or not, before the connection is closed.
    patiently("it is closed", stream.read_to_end(&mut heard)).await.ok();
    let labels = format!("proxy=\"p\",listener=\"{listen}\",upstream=\"127.0.0.1:1\"");
    until("both are counted", async || {
        let text =
            reqwest::get(format!("http://{admin}/metrics")).await.expect("an answer").text().await.expect("text");
        [
            format!("gameday_proxy_tls_handshake_failures_total{{{labels},side=\"client\"}} 1"),
            format!("gameday_proxy_tls_handshake_failures_total{{{labels},side=\"upstream\"}} 0"),
            format!("gameday_proxy_tls_fault_hits_total{{{labels},fault=\"self_signed\"}} 1"),
        ]
        .iter()
        .all(|line| text.lines().any(|given| given == line))
    })
    .await;
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn a_bad_certificate_is_seen_by_callers_and_is_gone_after_the_undo_of_its_fault() {
    let rig = Rig::start(http_server().await, json!({})).await;
    let connector = rig.connector().await;
    // No call goes to AWS: nobody listens there.
    let aws = Aws::connect(&Connection::Endpoint("http://127.0.0.1:1".to_owned())).await;
    let mut environment = contract::environment(&aws, &FaultTarget::Proxy(rig.proxy.clone()));
    environment.proxy = Some(rig.client.clone());
    for (kind, words) in
        [("expired", "certificate expired"), ("wrong_name", "not valid for name"), ("self_signed", "UnknownIssuer")]
    {
        let fault = contract::fault("proxy_tls", json!({"fault": kind}));
        let undo = fault.prepare(&environment).await.expect(kind);
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::AsBefore, "{kind}: nothing is injected yet");
        undo.inject(&environment, &contract::armed(&undo)).await.expect(kind);
        let again = fault.prepare(&environment).await;
        assert!(matches!(again, Err(FaultError::NotApplied { .. })), "{kind}: it is in already: {again:?}");
        let met = async || {
            let stats = rig.client.stats().await.expect("stats").proxies.remove("p").expect("the proxy");
            let ours = stats.parts().find(|part| undo.has_put(&rig.proxy, part)).expect("it is told");
            (ours.is_present, ours.applied, ours.first_applied_ms.is_some())
        };
        assert_eq!(met().await, (true, 0, false), "{kind}: nobody has met it yet");
        let refused = rig.connect_by(&connector).await.expect_err("a bad certificate");
        assert!(cause(&refused).contains(words), "{kind}: {refused:?}");
        assert_eq!(met().await, (true, 1, true), "{kind}");
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::Restored, "{kind}");
        assert_eq!(met().await, (false, 1, true), "{kind}: what it did is still told");
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::AsBefore, "{kind}: a second undo");
        assert_open(&mut rig.connect_by(&connector).await.expect("a handshake")).await;
    }
    let undo =
        contract::fault("proxy_tls", json!({"fault": "stalled_handshake"})).prepare(&environment).await.expect("free");
    undo.inject(&environment, &contract::armed(&undo)).await.expect("injected");
    rig.put(TlsFault::SelfSigned, None).await;
    let reverted = undo.revert(&environment).await.expect("compared");
    assert!(matches!(reverted, Reverted::Drift(_)), "{reverted:?}");
    assert!(rig.fault().await.is_some(), "what somebody else has put there is left alone");
    rig.stop().await;
}

/// `scenarios/tls.yaml`: functions, loads and probes trust the proxy's authority, and meet its fault.
#[test]
fn a_run_with_a_bad_certificate_proves_its_effect_and_leaves_nothing() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["run", "scenarios/tls.yaml"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    let state = workspace.state();
    for result in &state.results {
        assert_eq!(result.verdict, Verdict::Upheld, "{}: {output:#?}", result.hypothesis);
    }
    assert_eq!(state.results.len(), 4);
    let fault = state.faults.iter().find(|fault| !fault.identity.is_route()).expect("a fault");
    assert!(fault.effective_ms.is_some(), "it was met: {fault:#?}");
    assert_eq!(state.outstanding().count(), 0, "{:#?}", state.faults);
    let events = workspace.events();
    let met: u64 = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ProxyRecorded(second) => {
                let ours = second.faults.iter().filter(|it| it.identity.as_ref() == Some(&fault.identity));
                Some(ours.filter(|it| it.name == "tls:expired").map(|it| it.applied).sum::<u64>())
            }
            _ => None,
        })
        .sum();
    assert!(met > 0, "the log has it by the second");
    let folder = workspace.run_folder().expect("a run");
    let trusted = std::fs::read_to_string(folder.join("tls/ca.pem")).expect("what callers must trust");
    assert!(trusted.starts_with("-----BEGIN CERTIFICATE-----") && !trusted.contains("PRIVATE"), "{trusted}");
    let told = events.iter().find_map(|event| match &event.kind {
        EventKind::ReadinessPassed { checks } => Some(checks.join("\n")),
        _ => None,
    });
    let told = told.expect("what was looked at");
    assert!(
        told.contains("callers of provider must trust the authorities in") && told.contains("tls/ca.pem"),
        "{told}"
    );
}

#[test]
fn a_plan_leads_functions_by_https_and_no_function_in_aws_is_told_to_trust_a_file_of_this_machine() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["plan", "scenarios/tls.yaml", "--json"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    let plan: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let set = &plan["routes"][0]["spec"]["lambda_environment"]["set"];
    let url = format!("https://127.0.0.1:{}", workspace.proxy_port);
    assert_eq!(set, &json!({"PROVIDER_URL": url, "SSL_CERT_FILE": "${provider.ca}"}));

    let settings = std::fs::read_to_string(workspace.path().join("gameday.yaml")).expect("settings");
    let bound = "environments:\n  bound: {account: \"111122223333\", region: eu-west-1, class: nonproduction}\n";
    workspace.write("gameday.yaml", &settings.replace("environments:\n", bound));
    let scenario = std::fs::read_to_string(workspace.path().join("scenarios/tls.yaml")).expect("a scenario");
    workspace.write("scenarios/tls.yaml", &scenario.replace("allow: [sandbox]", "allow: [sandbox, bound]"));
    let output = workspace.gameday(&["plan", "scenarios/tls.yaml", "--env", "bound"]);
    let told = format!("{}{}", output.stdout, output.stderr);
    for words in [
        "would lead functions in AWS to a proxy on this machine",
        "would let functions in AWS trust a file on this machine",
    ] {
        assert!(told.contains(words), "{told}");
    }
}
