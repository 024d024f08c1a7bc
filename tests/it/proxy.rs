//! `gameday proxy` as a real process, with real sockets in front of it and behind it.

use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gameday::proxy::{
    AdminClient, AdminError, Direction, Distribution, Latency, LeaseStats, ListenScope, ProxyError, ProxyProcess,
    ProxySpec, Timeout, Toxic, ToxicSpec, Toxicity,
};
use gameday::unit::{ProxyName, ToxicName};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait between two looks at a condition.
const POLL_WAIT: Duration = Duration::from_millis(10);

/// Longer than an exchange without a fault takes on a slow and noisy machine.
pub(crate) const QUICK_MAX: Duration = Duration::from_millis(250);

pub(crate) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
pub(crate) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[expect(clippy::disallowed_methods, reason = "a test of real time needs the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn gameday() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_gameday"))
}

pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    patiently(what, async {
        while !condition().await {
            tokio::time::sleep(POLL_WAIT).await;
        }
    })
    .await;
}

/// A server that answers each request on a connection, for as long as the client likes.
pub(crate) async fn http_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; REQUEST.len()];
                while stream.read_exact(&mut request).await.is_ok() {
                    stream.write_all(RESPONSE).await.expect("answered");
                }
            });
        }
    });
    address
}

/// A proxy process with one proxy, `p`, in front of a server.
pub(crate) struct Rig {
    pub(crate) process: ProxyProcess,
    pub(crate) client: AdminClient,
    pub(crate) proxy: ProxyName,
    pub(crate) listen: SocketAddr,
    directory: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        Self::start_for(upstream, PATIENCE * 4).await
    }

    /// A proxy that ends by itself after `limit`, whatever becomes of the test.
    pub(crate) async fn start_for(upstream: SocketAddr, limit: Duration) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("private/p.sock");
        let process =
            ProxyProcess::spawn(gameday(), &socket, 7, Some(limit), ListenScope::Loopback).await.expect("started");
        let client = process.client();
        let proxy: ProxyName = "p".parse().expect("a name");
        client.create_proxy(&proxy, &spec("127.0.0.1:0", upstream)).await.expect("created");
        let listen = client.get_proxy(&proxy).await.expect("asked").expect("there").listen.0;
        Self { process, client, proxy, listen, directory }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        connect(self.listen).await
    }

    pub(crate) async fn add(&self, toxic: &ToxicSpec) {
        self.client.add_toxic(&self.proxy, toxic).await.expect("added");
    }

    pub(crate) async fn remove(&self, toxic: &ToxicSpec) -> bool {
        self.client.remove_toxic(&self.proxy, &toxic.name).await.expect("removed")
    }

    pub(crate) async fn stop(mut self) {
        self.client.shutdown().await.expect("asked");
        let status = patiently("the process ends", self.process.wait()).await.expect("a status");
        assert_eq!(status.code(), Some(0));
    }
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("no delay");
    stream
}

fn spec(listen: &str, upstream: SocketAddr) -> ProxySpec {
    serde_json::from_value(json!({"listen": listen, "upstream": upstream, "protocol": "http"})).expect("a spec")
}

pub(crate) fn toxic(name: &str, toxic: Toxic) -> ToxicSpec {
    let name: ToxicName = name.parse().expect("a name");
    ToxicSpec { name, stream: Direction::Downstream, toxicity: Toxicity::ALL, toxic, ttl: None, token: None }
}

fn latency(millis: u64) -> ToxicSpec {
    toxic(
        "slow",
        Toxic::Latency(Latency {
            latency: Duration::from_millis(millis),
            jitter: Duration::ZERO,
            distribution: Distribution::Uniform,
        }),
    )
}

fn black_hole(millis: u64) -> ToxicSpec {
    toxic("hole", Toxic::Timeout(Timeout { timeout: Duration::from_millis(millis) }))
}

pub(crate) async fn exchange(stream: &mut TcpStream) -> io::Result<Duration> {
    let began = now();
    let mut response = [0; RESPONSE.len()];
    let outcome = patiently("a response", async {
        stream.write_all(REQUEST).await?;
        stream.read_exact(&mut response).await
    });
    outcome.await?;
    assert_eq!(response, RESPONSE);
    Ok(began.elapsed())
}

/// The fastest of a few exchanges, since a noisy machine can only make them slower.
async fn fastest(stream: &mut TcpStream) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        fastest = fastest.min(exchange(stream).await.expect("an exchange"));
    }
    fastest
}

#[tokio::test]
async fn traffic_passes_and_every_exchange_of_a_kept_connection_is_delayed_until_the_toxic_is_removed() {
    let rig = Rig::start(http_server().await).await;
    let mut stream = rig.connect().await;
    assert!(fastest(&mut stream).await < QUICK_MAX);

    let slow = latency(400);
    rig.add(&slow).await;
    assert_eq!(rig.client.get_toxic(&rig.proxy, &slow.name).await.expect("asked"), Some(slow.clone()));
    for _ in 0..3 {
        let took = exchange(&mut stream).await.expect("an exchange");
        assert!(took >= Duration::from_millis(400), "{took:?}");
    }
    let stats = rig.client.stats().await.expect("stats");
    let proxy = stats.proxies.get("p").expect("the proxy");
    assert_eq!(proxy.toxics.get("slow").expect("the toxic").hits, 3);
    assert_eq!((proxy.connections_open, proxy.connections_total), (1, 1));
    assert_eq!(proxy.bytes_upstream, 8 * u64::try_from(REQUEST.len()).expect("small"));
    assert_eq!(proxy.bytes_downstream, 8 * u64::try_from(RESPONSE.len()).expect("small"));
    assert_eq!(stats.seed, 7);

    assert!(rig.remove(&slow).await);
    assert!(!rig.remove(&slow).await, "a second removal finds nothing");
    assert_eq!(rig.client.get_toxic(&rig.proxy, &slow.name).await.expect("asked"), None);
    assert!(fastest(&mut stream).await < QUICK_MAX);
    rig.stop().await;
}

#[tokio::test]
async fn a_response_that_is_held_comes_out_when_the_toxic_is_removed() {
    let rig = Rig::start(http_server().await).await;
    let mut stream = rig.connect().await;
    let slow = latency(3_600_000);
    rig.add(&slow).await;
    stream.write_all(REQUEST).await.expect("written");
    until("the response is held", async || {
        let stats = rig.client.stats().await.expect("stats");
        stats.proxies.get("p").and_then(|proxy| proxy.toxics.get("slow")).is_some_and(|toxic| toxic.hits == 1)
    })
    .await;
    assert!(rig.remove(&slow).await);
    let mut response = [0; RESPONSE.len()];
    patiently("the held response", stream.read_exact(&mut response)).await.expect("read");
    assert_eq!(response, RESPONSE);
    rig.stop().await;
}

#[tokio::test]
async fn a_black_hole_swallows_then_closes_and_its_removal_frees_the_clients() {
    let rig = Rig::start(http_server().await).await;
    let mut kept = rig.connect().await;
    exchange(&mut kept).await.expect("an exchange");

    let hole = black_hole(500);
    rig.add(&hole).await;
    let began = now();
    let mut fresh = rig.connect().await;
    assert!(exchange(&mut fresh).await.is_err(), "closed without an answer");
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(exchange(&mut kept).await.is_err(), "the live connection is swallowed, too");
    assert!(rig.remove(&hole).await);

    let forever = black_hole(0);
    let mut held = rig.connect().await;
    exchange(&mut held).await.expect("an exchange");
    rig.add(&forever).await;
    held.write_all(REQUEST).await.expect("written");
    let silence = tokio::time::timeout(Duration::from_millis(300), held.read(&mut [0; 1])).await;
    assert!(silence.is_err(), "it holds");
    assert!(rig.remove(&forever).await);
    assert!(matches!(patiently("it closes", held.read(&mut [0; 1])).await, Ok(0) | Err(_)));
    let mut again = rig.connect().await;
    exchange(&mut again).await.expect("clients connect again");
    rig.stop().await;
}

#[tokio::test]
async fn a_lapsed_lease_drops_the_toxics_and_leaves_a_pass_through_that_takes_no_more_of_them() {
    let rig = Rig::start(http_server().await).await;
    let stats = rig.client.lease(PATIENCE, None).await.expect("leased");
    assert!(matches!(stats.lease, LeaseStats::HeldMs(_)), "{:?}", stats.lease);
    let slow = latency(400);
    rig.add(&slow).await;
    let mut stream = rig.connect().await;
    assert!(exchange(&mut stream).await.expect("an exchange") >= Duration::from_millis(400));

    rig.client.lease(Duration::from_millis(200), None).await.expect("renewed");
    until("the toxic is dropped", async || {
        rig.client.get_toxic(&rig.proxy, &slow.name).await.expect("asked").is_none()
    })
    .await;
    assert!(fastest(&mut stream).await < QUICK_MAX, "the live connection goes on, plain");
    assert_eq!(rig.client.stats().await.expect("stats").lease, LeaseStats::Lapsed);
    let late = rig.client.add_toxic(&rig.proxy, &slow).await;
    assert!(matches!(late, Err(AdminError::Refused { status: 409, .. })), "{late:?}");

    rig.client.lease(PATIENCE, None).await.expect("taken again");
    rig.add(&slow).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_proxy_that_was_disabled_is_enabled_when_the_lease_lapses() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let upstream = http_server().await;
    let api = Api { admin };
    let (_, made) = api.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": upstream}))).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    assert_eq!(api.ask("POST", "/gameday/lease", Some(json!({"ttl_ms": 60_000}))).await.0, 200);
    assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"enabled": false}))).await.0, 200);
    assert!(TcpStream::connect(listen).await.is_err(), "it is down");
    assert_eq!(api.ask("POST", "/gameday/lease", Some(json!({"ttl_ms": 1}))).await.0, 200);
    until("it listens again", async || TcpStream::connect(listen).await.is_ok()).await;
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn the_time_limit_of_a_lease_ends_the_process() {
    let mut rig = Rig::start(http_server().await).await;
    rig.client.lease(PATIENCE, Some(Duration::from_millis(200))).await.expect("leased");
    let status = patiently("the process ends", rig.process.wait()).await.expect("a status");
    assert_eq!(status.code(), Some(0));
    assert!(matches!(rig.client.version().await, Err(AdminError::Gone { .. })));
}

#[tokio::test]
async fn a_proxy_goes_on_when_the_one_who_started_it_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("private/p.sock");
    let mut parent = std::process::Command::new("sh");
    parent
        .args(["-c", r#""$0" proxy --detach --time-limit 2m --admin "unix:$1" & wait"#])
        .arg(gameday())
        .arg(&socket)
        .process_group(0)
        .stdin(Stdio::null());
    let mut parent = parent.spawn().expect("started");
    let client = AdminClient::unix(&socket);
    until("the proxy answers", async || client.version().await.is_ok()).await;
    let upstream = http_server().await;
    let proxy: ProxyName = "p".parse().expect("a name");
    client.create_proxy(&proxy, &spec("127.0.0.1:0", upstream)).await.expect("created");
    let listen = client.get_proxy(&proxy).await.expect("asked").expect("there").listen.0;
    let mut stream = connect(listen).await;
    exchange(&mut stream).await.expect("an exchange");

    let group = Pid::from_child(&parent);
    rustix::process::kill_process_group(group, Signal::HUP).expect("hung up");
    rustix::process::kill_process_group(group, Signal::KILL).ok();
    parent.wait().expect("the parent is dead");
    exchange(&mut stream).await.expect("the live connection goes on");
    exchange(&mut connect(listen).await).await.expect("new ones are served");

    client.shutdown().await.expect("asked");
    until("it is gone", async || matches!(client.version().await, Err(AdminError::Gone { .. }))).await;
    assert!(!socket.exists(), "the socket is removed");
}

#[tokio::test]
async fn deleting_a_proxy_and_shutting_down_free_their_ports() {
    let upstream = http_server().await;
    let rig = Rig::start(upstream).await;
    let mut stream = rig.connect().await;
    exchange(&mut stream).await.expect("an exchange");
    let taken = rig.client.create_proxy(&"q".parse().expect("a name"), &spec(&rig.listen.to_string(), upstream)).await;
    let Err(AdminError::Refused { status: 500, reason, .. }) = taken else { panic!("{taken:?}") };
    assert!(reason.contains(&rig.listen.to_string()), "{reason}");

    assert!(rig.client.delete_proxy(&rig.proxy).await.expect("deleted"));
    assert!(!rig.client.delete_proxy(&rig.proxy).await.expect("asked"), "a second one finds nothing");
    assert!(exchange(&mut stream).await.is_err(), "its connections are closed");
    rig.client.create_proxy(&rig.proxy, &spec(&rig.listen.to_string(), upstream)).await.expect("the port is free");
    exchange(&mut rig.connect().await).await.expect("an exchange");
    rig.client.shutdown().await.expect("asked");
    TcpListener::bind(rig.listen).await.expect("the port is free");
}

#[tokio::test]
async fn a_taken_address_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = Command::new(gameday()).args(["proxy", "--admin", &address]).stdin(Stdio::null()).output();
    let output = patiently("it gives up", output).await.expect("run");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains(&address) && complaint.contains("in use"), "{complaint}");

    let rig = Rig::start(http_server().await).await;
    let socket = rig.directory.path().join("private/p.sock");
    let second = ProxyProcess::spawn(gameday(), &socket, 1, Some(PATIENCE), ListenScope::Loopback).await;
    let Err(ProxyError::Ended { complaint, .. }) = second else { panic!("{second:?}") };
    assert!(complaint.contains("p.sock"), "{complaint}");
    rig.client.version().await.expect("the first is unharmed");
    rig.stop().await;
}

#[tokio::test]
async fn a_client_of_a_server_that_refuses_is_closed_and_counted() {
    let unused = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = unused.local_addr().expect("an address");
    drop(unused);
    let rig = Rig::start(upstream).await;
    // The reset may come before the system has told us that we are connected.
    let outcome = patiently("it closes", async {
        let mut stream = TcpStream::connect(rig.listen).await?;
        stream.read(&mut [0; 1]).await
    });
    assert_eq!(outcome.await.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    until("it is counted", async || {
        let stats = rig.client.stats().await.expect("stats");
        stats.proxies.get("p").is_some_and(|p| p.upstream_connect_failures == 1 && p.connections_open == 0)
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn an_answer_that_came_before_the_server_broke_off_is_delivered_then_the_client_sees_the_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.read_exact(&mut [0; REQUEST.len()]).await.expect("a request");
        stream.write_all(RESPONSE).await.expect("answered");
        stream.set_zero_linger().expect("a reset");
    });
    let rig = Rig::start(upstream).await;
    rig.add(&latency(200)).await;
    let mut stream = rig.connect().await;
    exchange(&mut stream).await.expect("the answer");
    let outcome = patiently("it closes", stream.read(&mut [0; 1])).await;
    assert_eq!(outcome.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    rig.stop().await;
}

#[tokio::test]
async fn a_client_that_shuts_its_side_gets_the_late_answer_over_real_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut question = Vec::new();
        stream.read_to_end(&mut question).await.expect("the question and its end");
        tokio::time::sleep(Duration::from_millis(200)).await;
        stream.write_all(&question).await.expect("answered");
    });
    let rig = Rig::start(upstream).await;
    let mut stream = rig.connect().await;
    // Large enough that it takes many chunks.
    let question: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let (written, read) = tokio::join!(
        async {
            writer.write_all(&question).await?;
            writer.shutdown().await
        },
        patiently("the answer", reader.read_to_end(&mut answer))
    );
    written.expect("written");
    read.expect("read");
    assert!(answer == question, "{} of {} bytes", answer.len(), question.len());
    patiently("the server is done", server).await.expect("no panic");
    rig.stop().await;
}

#[tokio::test]
async fn toxicity_picks_the_same_connections_for_the_same_seed() {
    let mut patterns = Vec::new();
    for _ in 0..2 {
        let rig = Rig::start(http_server().await).await;
        let some = ToxicSpec { toxicity: Toxicity::try_from(0.5).expect("a ratio"), ..latency(1) };
        rig.add(&some).await;
        let mut pattern = Vec::new();
        let mut hits = 0;
        for _ in 0..24 {
            exchange(&mut rig.connect().await).await.expect("an exchange");
            let stats = rig.client.stats().await.expect("stats");
            let proxy = stats.proxies.get("p").expect("the proxy");
            let present = proxy.toxics.get("slow").expect("the toxic").hits;
            pattern.push(present > hits);
            hits = present;
        }
        patterns.push(pattern);
        rig.stop().await;
    }
    assert_eq!(patterns.first(), patterns.last());
    let share = patterns.concat().iter().filter(|hit| **hit).count();
    assert!(share > 0 && share < 48, "{patterns:?}");
}

/// `gameday proxy` with its admin API on a port, started as a person would.
pub(crate) async fn start_on_tcp(arguments: &[&str]) -> (Child, SocketAddr) {
    let mut child = Command::new(gameday())
        .args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let address = patiently("it says where it listens", async {
        loop {
            let line = lines.next_line().await.expect("read").expect("a line");
            if let Some(address) = line.strip_prefix("admin API on ") {
                return address.parse().expect("an address");
            }
        }
    })
    .await;
    (child, address)
}

pub(crate) async fn end(child: &mut Child, signal: Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).expect("it runs");
    rustix::process::kill_process(pid, signal).expect("signalled");
    let status = patiently("the process ends", child.wait()).await.expect("a status");
    assert_eq!(status.code(), Some(0), "{signal:?}");
}

/// Plain HTTP calls, as a client of Toxiproxy makes them.
pub(crate) struct Api {
    pub(crate) admin: SocketAddr,
}

impl Api {
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_with(method, path, body, &[]).await
    }

    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = reqwest::Client::new().request(method, format!("http://{}{path}", self.admin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = patiently("an answer", request.send()).await.expect("an answer");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
    }
}

#[tokio::test]
async fn clients_of_toxiproxy_find_its_api() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let api = Api { admin };
    let upstream = http_server().await.to_string();
    let (status, version) = api.ask("GET", "/version", None).await;
    assert_eq!((status, &version["version"]), (200, &json!(env!("CARGO_PKG_VERSION"))));

    // As the Go client sends it, with every field.
    let body = json!({"name": "api", "listen": "localhost:0", "upstream": upstream, "enabled": true, "toxics": null});
    let (status, made) = api.ask("POST", "/proxies", Some(body.clone())).await;
    assert_eq!((status, &made["enabled"], &made["toxics"]), (201, &json!(true), &json!([])));
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("the bound address");
    assert!(listen.ip().is_loopback() && listen.port() != 0);
    assert_eq!(api.ask("POST", "/proxies", Some(body)).await.0, 409);
    assert_eq!(api.ask("GET", "/proxies", None).await, (200, json!({"api": made})));
    assert_eq!(api.ask("GET", "/proxies/api", None).await, (200, made.clone()));

    let body = json!({"type": "latency", "attributes": {"latency": 300}});
    let (status, toxic) = api.ask("POST", "/proxies/api/toxics", Some(body.clone())).await;
    let expected = json!({"name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1.0,
                          "attributes": {"latency": 300, "jitter": 0}});
    assert_eq!((status, &toxic), (200, &expected));
    assert_eq!(api.ask("POST", "/proxies/api/toxics", Some(body)).await.0, 409);
    assert_eq!(api.ask("GET", "/proxies/api/toxics", None).await, (200, json!([expected])));
    let path = "/proxies/api/toxics/latency_downstream";
    assert_eq!(api.ask("GET", path, None).await, (200, expected));
    for (method, millis) in [("POST", 350), ("PATCH", 400)] {
        let (status, toxic) = api.ask(method, path, Some(json!({"attributes": {"latency": millis}}))).await;
        assert_eq!((status, &toxic["attributes"]["latency"]), (200, &json!(millis)));
    }
    assert!(exchange(&mut connect(listen).await).await.expect("an exchange") >= Duration::from_millis(400));
    assert_eq!(api.ask("DELETE", path, None).await, (204, Value::Null));

    let (status, changed) = api.ask("POST", "/proxies/api", Some(json!({"name": "api", "enabled": false}))).await;
    assert_eq!((status, &changed["enabled"]), (200, &json!(false)));
    assert!(TcpStream::connect(listen).await.is_err());
    assert_eq!(api.ask("POST", "/reset", None).await.0, 204);
    exchange(&mut connect(listen).await).await.expect("a reset enables it");

    let more = json!([{"name": "api", "listen": listen, "upstream": upstream},
                      {"name": "db", "listen": "127.0.0.1:0", "upstream": upstream}]);
    let (status, populated) = api.ask("POST", "/populate", Some(more)).await;
    assert_eq!((status, populated["proxies"].as_array().map(Vec::len)), (201, Some(2)));
    assert_eq!(api.ask("DELETE", "/proxies/db", None).await.0, 204);
    end(&mut process, Signal::INT).await;
}

#[tokio::test]
async fn a_wrong_request_is_refused_with_a_reason_and_a_web_page_is_refused_at_all() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let api = Api { admin };
    let upstream = http_server().await;
    assert_eq!(api.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": upstream}))).await.0, 201);
    for (method, path, body, status, expected) in [
        ("POST", "/proxies", json!({"name": "q"}), 400, "`upstream` is missing"),
        ("POST", "/proxies", json!({"upstream": "a:1"}), 400, "`name` is missing"),
        ("POST", "/proxies", json!({"name": "q", "upstream": "http://a"}), 400, "`http://a` is not an upstream"),
        ("POST", "/proxies", json!({"name": "q", "upsteam": "a:1"}), 400, "upsteam"),
        ("POST", "/proxies", json!("text"), 400, "not valid"),
        ("GET", "/proxies/x", Value::Null, 404, "proxy `x` not found"),
        ("DELETE", "/proxies/p/toxics/x", Value::Null, 404, "toxic `x` not found"),
        ("POST", "/proxies/p/toxics", json!({"type": "latncy"}), 400, "did you mean `latency`?"),
        ("POST", "/proxies/p/toxics", json!({"type": "latency", "stream": "up"}), 400, "`up` is not a stream"),
        ("POST", "/proxies/p/toxics", json!({"type": "latency", "attributes": {"latncy": 1}}), 400, "latncy"),
        ("POST", "/gameday/lease", json!({"ttl_ms": 0}), 400, "`ttl_ms` must be from 1"),
        ("GET", "/nothing", Value::Null, 404, "no such path"),
        ("PUT", "/proxies", Value::Null, 405, "method"),
        ("POST", "/proxies", json!({"name": "q", "listen": "0.0.0.0:0", "upstream": "a:1"}), 400, "--listen-any"),
        ("PATCH", "/proxies/p", json!({"listen": "[::]:0"}), 400, "--listen-any"),
        ("POST", "/proxies/p/toxics", json!({"type": "latency", "ttl_ms": 0}), 400, "`ttl_ms`"),
        ("POST", "/proxies/p/toxics", json!({"type": "slicer"}), 400, "average_size"),
    ] {
        let (given, answer) = api.ask(method, path, (!body.is_null()).then_some(body)).await;
        assert_eq!((given, &answer["status"]), (status, &json!(status)), "{method} {path} {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(expected)), "{method} {path} {answer}");
    }
    for header in [("Origin", "https://evil.example"), ("Host", "evil.example"), ("User-Agent", "Mozilla/5.0")] {
        let (status, answer) = api.ask_with("POST", "/gameday/shutdown", None, &[header]).await;
        assert_eq!((status, &answer["status"]), (403, &json!(403)), "{header:?}");
    }
    assert_eq!(api.ask("GET", "/version", None).await.0, 200, "it still serves");
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn a_configuration_file_is_served_from_the_start_and_a_wrong_one_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: String| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let upstream = http_server().await;
    let toxics = json!([{"type": "latency", "attributes": {"latency": 300}}]);
    let good = file("good.json", json!([{"name": "p", "upstream": upstream, "toxics": toxics}]).to_string());
    let (mut process, admin) = start_on_tcp(&["--config", &good.to_string_lossy()]).await;
    let (_, view) = Api { admin }.ask("GET", "/proxies/p", None).await;
    let listen: SocketAddr = view["listen"].as_str().expect("an address").parse().expect("an address");
    assert!(exchange(&mut connect(listen).await).await.expect("an exchange") >= Duration::from_millis(300));
    end(&mut process, Signal::HUP).await;

    let bad = file("bad.json", json!([{"name": "p", "upstrem": upstream}]).to_string());
    let output = Command::new(gameday())
        .args(["proxy", "--admin", "127.0.0.1:0", "--config"])
        .arg(&bad)
        .stdin(Stdio::null())
        .output();
    let output = patiently("it gives up", output).await.expect("run");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("bad.json") && complaint.contains("upstrem"), "{complaint}");
}
