//! Faults on single requests through `gameday proxy` as a real process, with real sockets and with AWS's own SDKs.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use gameday::aws::{Aws, Connection};
use gameday::fault::{FaultEnvironment, FaultTarget, Reverted};
use gameday::proxy::http::{RuleSpec, RuleStats};
use gameday::proxy::{AdminClient, AdminError, ListenScope, ProxyProcess, ProxySpec};
use gameday::unit::{ProxyName, RuleName};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::{contract, peers, sandbox};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

const REQUEST: &[u8] = b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
const BODY: &str = r#"{"state":"a"}"#;

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

fn response() -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Kind: a\r\n\r\n{BODY}", BODY.len()).into_bytes()
}

/// A server that answers each [`REQUEST`] of a connection with [`BODY`].
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; REQUEST.len()];
                while stream.read_exact(&mut request).await.is_ok() {
                    if stream.write_all(&response()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A proxy process with one proxy, `p`, in front of a server.
struct Rig {
    process: ProxyProcess,
    client: AdminClient,
    proxy: ProxyName,
    listen: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Rig {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("private/p.sock");
        let program = Path::new(env!("CARGO_BIN_EXE_gameday"));
        let process =
            ProxyProcess::spawn(program, &socket, 7, Some(PATIENCE * 2), ListenScope::Loopback).await.expect("started");
        let client = process.client();
        let proxy: ProxyName = "p".parse().expect("a name");
        let spec = json!({"listen": "127.0.0.1:0", "upstream": server().await, "protocol": "http"});
        let spec: ProxySpec = serde_json::from_value(spec).expect("a spec");
        client.create_proxy(&proxy, &spec).await.expect("created");
        let listen = client.get_proxy(&proxy).await.expect("asked").expect("there").listen.0;
        Self { process, client, proxy, listen, _directory: directory }
    }

    async fn add(&self, rule: Value) -> Result<RuleSpec, AdminError> {
        let rule: RuleSpec = serde_json::from_value(rule).expect("a rule");
        self.client.add_rule(&self.proxy, &rule).await.map(|()| rule)
    }

    async fn rule(&self, name: &str) -> Option<(RuleSpec, RuleStats)> {
        let name: RuleName = name.parse().expect("a name");
        self.client.get_rule(&self.proxy, &name).await.expect("asked")
    }

    async fn stop(mut self) {
        self.client.shutdown().await.expect("asked");
        let status = patiently("the process ends", self.process.wait()).await.expect("a status");
        assert_eq!(status.code(), Some(0));
    }
}

/// Asks on a connection and answers what came until an answer was whole, or the connection ended.
async fn ask(stream: &mut TcpStream) -> io::Result<String> {
    let mut heard = Vec::new();
    let asking = async {
        stream.write_all(REQUEST).await?;
        loop {
            let text = String::from_utf8_lossy(&heard).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                    return Ok(text);
                }
            }
            if stream.read_buf(&mut heard).await? == 0 {
                return Ok(String::from_utf8_lossy(&heard).into_owned());
            }
        }
    };
    patiently("an answer", asking).await
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

#[tokio::test]
async fn a_rule_hits_the_requests_that_it_picks_on_a_live_connection_and_says_so() {
    let rig = Rig::start().await;
    let mut stream = connect(rig.listen).await;
    let plain = String::from_utf8(response()).expect("text");
    assert_eq!(ask(&mut stream).await.expect("an answer"), plain);
    let rule = json!({"name": "broken", "match": {"method": "POST", "path": "/ord*"}, "when": {"every": 2}, "max_affected": 2,
                      "action": {"http_error": {"status": 503, "body": "busy"}}});
    let added = rig.add(rule.clone()).await.expect("added");
    let mut hit = Vec::new();
    for _ in 0..8 {
        hit.push(ask(&mut stream).await.expect("an answer").starts_with("HTTP/1.1 503 "));
    }
    assert_eq!(hit, [false, true, false, true, false, false, false, false]);
    let (found, stats) = rig.rule("broken").await.expect("there");
    assert_eq!((found, stats.matched, stats.applied), (added.clone(), 8, 2));
    assert!(stats.first_applied_ms.is_some());
    let told = rig.client.stats().await.expect("stats");
    let proxy = told.proxies.get("p").expect("the proxy");
    assert_eq!((proxy.requests, proxy.rules.get("broken").map(|rule| rule.applied)), (9, Some(2)));

    let again = rig.add(rule).await;
    assert!(matches!(again, Err(AdminError::Refused { status: 409, .. })), "{again:?}");
    let bad = rig.add(json!({"name": "bad", "percentage": "0%", "action": {"http_error": {"status": 99}}})).await;
    let Err(AdminError::Refused { status: 400, reason, .. }) = bad else { panic!("{bad:?}") };
    assert!(reason.contains("`percentage`") && reason.contains("`status`"), "{reason}");
    let bytes_only: ProxyName = "tcp".parse().expect("a name");
    let spec = json!({"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "protocol": "tcp"});
    rig.client.create_proxy(&bytes_only, &serde_json::from_value(spec).expect("a spec")).await.expect("created");
    let unseen = rig.client.add_rule(&bytes_only, &added).await;
    let Err(AdminError::Refused { status: 400, reason, .. }) = unseen else { panic!("{unseen:?}") };
    assert!(reason.contains("set `protocol: http`"), "{reason}");
    let name: RuleName = "broken".parse().expect("a name");
    assert!(rig.client.remove_rule(&rig.proxy, &name).await.expect("removed"));
    assert!(!rig.client.remove_rule(&rig.proxy, &name).await.expect("asked"), "a second removal finds nothing");
    assert_eq!(ask(&mut stream).await.expect("an answer"), plain);
    rig.stop().await;
}

#[tokio::test]
async fn a_reset_is_seen_as_a_reset_and_a_truncated_answer_as_an_early_end() {
    let rig = Rig::start().await;
    for after in [json!({"after": "request"}), json!({"after": "headers"}), json!({"after": "bytes", "bytes": 3})] {
        rig.add(json!({"name": "gone", "max_affected": 1, "action": {"reset": after}})).await.expect("added");
        let mut stream = connect(rig.listen).await;
        let error = ask(&mut stream).await.expect_err("no whole answer");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{after}");
        rig.client.remove_rule(&rig.proxy, &"gone".parse().expect("a name")).await.expect("removed");
    }
    rig.add(json!({"name": "cut", "action": {"truncate": {"bytes": 3}}})).await.expect("added");
    let answer = ask(&mut connect(rig.listen).await).await.expect("an early end");
    assert!(answer.ends_with("\r\n\r\n{\"s"), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn a_lapsed_lease_drops_the_rules_and_frees_what_they_hold() {
    let rig = Rig::start().await;
    rig.client.lease(PATIENCE, None).await.expect("leased");
    rig.add(json!({"name": "late", "action": {"latency": {"latency": "1h"}}})).await.expect("added");
    let mut stream = connect(rig.listen).await;
    let asking = tokio::spawn(async move { ask(&mut stream).await });
    patiently("the answer is held", async {
        while rig.rule("late").await.is_some_and(|(_, stats)| stats.applied == 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.client.lease(Duration::from_millis(1), None).await.expect("renewed");
    let answer = patiently("the held answer", asking).await.expect("no panic").expect("an answer");
    assert_eq!(answer.as_bytes(), response());
    assert_eq!(rig.rule("late").await, None);
    let late = rig.add(json!({"name": "late", "action": {"latency": {"latency": "1h"}}})).await;
    assert!(matches!(late, Err(AdminError::Refused { status: 409, .. })), "{late:?}");
    rig.stop().await;
}

#[tokio::test]
async fn smuggling_is_refused_and_the_connection_closed() {
    let rig = Rig::start().await;
    let mut stream = connect(rig.listen).await;
    let both = b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stream.write_all(both).await.expect("written");
    let mut heard = String::new();
    patiently("the end", stream.read_to_string(&mut heard)).await.expect("read");
    assert_eq!(heard, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    rig.stop().await;
}

/// The faults on single requests, each with what a caller sees of it.
fn faults() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "proxy_http_error",
            json!({"status": 429, "headers": {"Retry-After": "1"}}),
            "HTTP/1.1 429 Too Many Requests\r\nRetry-A",
        ),
        ("proxy_truncate", json!({"bytes": 1}), "X-Kind: a\r\n\r\n{"),
        ("proxy_slow_body", json!({"bytes": 5, "interval": "1ms"}), BODY),
        ("proxy_corrupt", json!({"json_merge": {"state": "b"}}), r#"{"state":"b"}"#),
        ("proxy_headers", json!({"set": {"X-Kind": "b"}}), "X-Kind: b"),
        ("proxy_latency", json!({"latency": "1ms", "match": {"path": "/orders"}}), BODY),
    ]
}

async fn environment(rig: &Rig) -> FaultEnvironment {
    let nowhere = Connection::Endpoint("http://127.0.0.1:1".to_owned());
    let environment = contract::environment(&Aws::connect(&nowhere).await, &FaultTarget::Proxy(rig.proxy.clone()));
    FaultEnvironment { proxy: Some(rig.client.clone()), ..environment }
}

#[tokio::test]
async fn every_fault_on_single_requests_is_seen_by_callers_and_undone() {
    let rig = Rig::start().await;
    let environment = environment(&rig).await;
    let plain = String::from_utf8(response()).expect("text");
    for (kind, parameters, seen) in faults() {
        let fault = contract::fault(kind, parameters);
        assert_eq!(fault.objections(), [], "{kind}");
        let undo = fault.prepare(&environment).await.expect(kind);
        let armed = contract::armed(&undo);
        undo.inject(&environment, &armed).await.expect(kind);
        undo.inject(&environment, &armed).await.expect("a second injection changes nothing more");
        let answer = ask(&mut connect(rig.listen).await).await.expect("an answer");
        assert!(answer.contains(seen), "{kind}: {answer}");
        let stats = rig.client.stats().await.expect("stats");
        let applied: Vec<u64> =
            stats.proxies.get("p").expect("the proxy").rules.values().map(|rule| rule.applied).collect();
        assert_eq!(applied, [1], "{kind}");
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::Restored, "{kind}");
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::AsBefore, "{kind}");
        assert_eq!(ask(&mut connect(rig.listen).await).await.expect("an answer"), plain, "{kind}");
    }
    rig.stop().await;
}

/// How often a rule of an AWS error was applied while a call failed by it.
async fn tries(rig: &Rig, service: &str, code: &str, call: impl Future<Output = ()>) -> u64 {
    let rule = json!({"name": "aws", "match": {"aws": {"service": service}}, "action": {"aws_error": {"code": code}}});
    rig.add(rule).await.expect("added");
    patiently("the call", call).await;
    let (_, stats) = rig.rule("aws").await.expect("there");
    rig.client.remove_rule(&rig.proxy, &"aws".parse().expect("a name")).await.expect("removed");
    stats.applied
}

#[tokio::test]
async fn the_rust_sdk_raises_what_the_services_model_and_tries_three_times_where_that_may_help() {
    use aws_sdk_cloudwatch::error::ProvideErrorMetadata as _;

    let rig = Rig::start().await;
    let config = sandbox::aws_config(&format!("http://{}", rig.listen)).await;
    let config = config.into_builder().retry_config(RetryConfig::standard()).build();
    let lambda = aws_sdk_lambda::Client::new(&config);
    let throttled = tries(&rig, "lambda", "TooManyRequestsException", async {
        let error = lambda.invoke().function_name("f").send().await.expect_err("a throttle").into_service_error();
        assert!(error.is_too_many_requests_exception(), "{error:?}");
    });
    assert_eq!(throttled.await, 3);
    let absent = tries(&rig, "lambda", "ResourceNotFoundException", async {
        let error = lambda.get_function().function_name("f").send().await.expect_err("absent").into_service_error();
        assert!(error.is_resource_not_found_exception(), "{error:?}");
    });
    assert_eq!(absent.await, 1);
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
    let broken = tries(&rig, "monitoring", "InternalServiceFault", async {
        let metric = cloudwatch.put_metric_data().namespace("n").send().await;
        let error = metric.expect_err("a fault").into_service_error();
        assert!(error.is_internal_service_fault(), "{error:?}");
    });
    assert_eq!(broken.await, 3);
    let fis = aws_sdk_fis::Client::new(&config);
    let unknown = tries(&rig, "fis", "ResourceNotFoundException", async {
        let error = fis.get_experiment().id("e").send().await.expect_err("absent").into_service_error();
        assert!(error.is_resource_not_found_exception(), "{error:?}");
    });
    assert_eq!(unknown.await, 1);
    let sts = aws_sdk_sts::Client::new(&config);
    let throttled = tries(&rig, "sts", "Throttling", async {
        let error = sts.get_caller_identity().send().await.expect_err("a throttle").into_service_error();
        assert_eq!(error.code(), Some("Throttling"));
    });
    assert_eq!(throttled.await, 3);
    rig.stop().await;
}

#[tokio::test]
async fn boto3_raises_what_the_services_model_and_tries_as_often_as_against_aws() {
    let Some(mut python) = peers::python("boto3 through the fault proxy") else { return };
    let mut proxy = tokio::process::Command::new(env!("CARGO_BIN_EXE_gameday"))
        .args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "5m"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(proxy.stdout.take().expect("a pipe")).lines();
    let admin = patiently("it says where it listens", async {
        loop {
            let line = lines.next_line().await.expect("read").expect("a line");
            if let Some(address) = line.strip_prefix("admin API on ") {
                return address.to_owned();
            }
        }
    })
    .await;
    let upstream = server().await.to_string();
    python.arg(peers::script("proxy_aws_errors.py")).arg(format!("http://{admin}")).arg(upstream);
    let output = tokio::task::spawn_blocking(move || python.output()).await.expect("no panic").expect("started");
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.ends_with(" 0 mismatches\n"), "{told}{errors}");
    proxy.kill().await.expect("killed");
}

/// Asks a proxy that speaks CONNECT for a tunnel, and answers the first line of what it says.
async fn ask_for_tunnel(stream: &mut TcpStream, place: &str) -> String {
    let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(patiently("more of a head", stream.read_u8()).await.expect("more of a head"));
    }
    String::from_utf8(head).expect("text").lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_proxy_that_speaks_connect_leads_to_what_its_upstream_covers_and_rules_pick_by_place() {
    let rig = Rig::start().await;
    let place = server().await.to_string();
    let port = place.rsplit_once(':').expect("a port").1;
    let tunnels: ProxyName = "tunnels".parse().expect("a name");
    let spec = json!({"listen": "127.0.0.1:0", "upstream": format!("*:{port}"), "protocol": "connect"});
    let spec: ProxySpec = serde_json::from_value(spec).expect("a spec");
    rig.client.create_proxy(&tunnels, &spec).await.expect("created");
    let listen = rig.client.get_proxy(&tunnels).await.expect("asked").expect("there").listen.0;

    let mut stream = connect(listen).await;
    assert_eq!(ask_for_tunnel(&mut stream, &place).await, "HTTP/1.1 200 Connection Established");
    for _ in 0..3 {
        assert!(ask(&mut stream).await.expect("answered").ends_with(BODY), "the tunnel is open");
    }
    for (wanted, said) in [
        ("127.0.0.1:1", "HTTP/1.1 403 Forbidden"),
        ("*:1", "HTTP/1.1 400 Bad Request"),
        ("no place", "HTTP/1.1 400 Bad Request"),
        (format!("no-host.invalid:{port}").as_str(), "HTTP/1.1 502 Bad Gateway"),
    ] {
        assert_eq!(ask_for_tunnel(&mut connect(listen).await, wanted).await, said, "{wanted}");
    }
    let mut plain = connect(listen).await;
    assert!(ask(&mut plain).await.expect("answered").starts_with("HTTP/1.1 405 Method Not Allowed"));

    let rule = json!({"name": "busy", "match": {"method": "CONNECT", "host": "127.*"},
                      "action": {"http_error": {"status": 503}}});
    let rule: RuleSpec = serde_json::from_value(rule).expect("a rule");
    rig.client.add_rule(&tunnels, &rule).await.expect("added");
    assert_eq!(ask_for_tunnel(&mut connect(listen).await, &place).await, "HTTP/1.1 503 Service Unavailable");
    assert!(ask(&mut stream).await.expect("answered").ends_with(BODY), "a tunnel that is open stays so");
    for bad in [json!({"upstream": "*:1"}), json!({"upstream": "*:1", "protocol": "connect", "tls": {"upstream": {}}})]
    {
        let mut bad = bad;
        bad["listen"] = json!("127.0.0.1:0");
        let spec: ProxySpec = serde_json::from_value(bad).expect("a spec");
        let error = rig.client.create_proxy(&"bad".parse().expect("a name"), &spec).await.expect_err("refused");
        assert!(error.to_string().contains("400"), "{error}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_rule_answers_for_a_dependency_that_is_down() {
    let rig = Rig::start().await;
    let down: ProxyName = "down".parse().expect("a name");
    // The port was free a moment ago, and nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let spec = json!({"listen": "127.0.0.1:0", "upstream": nobody, "protocol": "http"});
    rig.client.create_proxy(&down, &serde_json::from_value(spec).expect("a spec")).await.expect("created");
    let listen = rig.client.get_proxy(&down).await.expect("asked").expect("there").listen.0;
    // The reset may come while the client still waits to hear that it is connected.
    let reset = match TcpStream::connect(listen).await {
        Ok(mut stream) => ask(&mut stream).await.expect_err("a reset"),
        Err(error) => error,
    };
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);

    let rule = json!({"name": "busy", "action": {"http_error": {"status": 503, "body": "busy"}}});
    let rule: RuleSpec = serde_json::from_value(rule).expect("a rule");
    rig.client.add_rule(&down, &rule).await.expect("added");
    let mut stream = connect(listen).await;
    for _ in 0..3 {
        assert!(ask(&mut stream).await.expect("answered").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    }
    rig.stop().await;
}

/// What the next connection asks, up to the body `{}`.
async fn hear(listener: &TcpListener) -> String {
    let (mut asked, _) = patiently("a connection", listener.accept()).await.expect("a connection");
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n{}") {
        assert_ne!(patiently("a request", asked.read_buf(&mut heard)).await.expect("read"), 0);
    }
    String::from_utf8(heard).expect("text")
}

#[tokio::test]
async fn a_signed_request_reaches_the_upstream_signed_for_its_host_with_the_credentials_of_the_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("private/p.sock");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = listener.local_addr().expect("an address");
    let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_gameday"))
        .args(["proxy", "--detach", "--resign", "--resign-host", "proxy.internal", "--time-limit", "2m", "--admin"])
        .arg(format!("unix:{}", socket.display()))
        .env("AWS_ACCESS_KEY_ID", "AKIAOFTHEPROXY")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env_remove("AWS_PROFILE")
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let client = AdminClient::unix(&socket);
    patiently("the proxy answers", async {
        while client.version().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let name: ProxyName = "p".parse().expect("a name");
    let spec = json!({"listen": "127.0.0.1:0", "upstream": upstream, "protocol": "http", "resign": true});
    client.create_proxy(&name, &serde_json::from_value(spec).expect("a spec")).await.expect("created");
    let listen = client.get_proxy(&name).await.expect("asked").expect("there").listen;

    let request = format!(
        "POST / HTTP/1.1\r\nHost: {listen}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=AKIAOFTHECALLER/20260310/eu-west-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
         Signature=00\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260310T000000Z\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let mut stream = connect(listen.0).await;
    stream.write_all(request.as_bytes()).await.expect("written");
    let heard = hear(&listener).await;
    assert!(heard.contains(&format!("Host: {upstream}\r\n")), "{heard}");
    assert!(heard.contains("Credential=AKIAOFTHEPROXY/"), "{heard}");
    assert!(heard.contains("/eu-west-1/sqs/aws4_request"), "{heard}");
    assert!(!heard.contains("AKIAOFTHECALLER") && !heard.contains("20260310T000000Z"), "{heard}");
    let stats = client.stats().await.expect("stats");
    assert_eq!(stats.proxies["p"].requests_resigned, 1);

    for (host, signed_by) in [("evil.example", None), ("Proxy.Internal:18443", Some("Credential=AKIAOFTHEPROXY/"))] {
        let request = request.replace(&format!("Host: {listen}"), &format!("Host: {host}"));
        let mut stream = connect(listen.0).await;
        stream.write_all(request.as_bytes()).await.expect("written");
        let heard = hear(&listener).await;
        match signed_by {
            Some(key) => assert!(heard.contains(key), "{heard}"),
            None => assert_eq!(heard, request, "a page may have given that name this machine's address"),
        }
    }
    let stats = client.stats().await.expect("stats");
    let expected = [("foreign_host".to_owned(), 1)].into();
    assert_eq!((stats.proxies["p"].requests_resigned, &stats.proxies["p"].not_resigned), (2, &expected));
    client.shutdown().await.expect("asked");
    assert!(patiently("the process ends", process.wait()).await.expect("a status").success());

    let rig = Rig::start().await;
    let spec = json!({"listen": "127.0.0.1:0", "upstream": upstream, "resign": true});
    let error = rig
        .client
        .create_proxy(&"q".parse().expect("a name"), &serde_json::from_value(spec).expect("a spec"))
        .await
        .expect_err("it may not sign");
    assert!(error.to_string().contains("--resign"), "{error}");
    rig.stop().await;
}
