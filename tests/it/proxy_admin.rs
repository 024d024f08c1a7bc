//! The fault proxy's admin API beyond what Toxiproxy has, its file of proxies, and clients that we did not write.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use gameday::proxy::{AdminClient, AdminError};
use gameday::unit::Secret;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};

use crate::peers;
use crate::proxy::{Api, connect, end, exchange, gameday, http_server, patiently, start_on_tcp, until};
use crate::support::repository;

/// How long the client of somebody else may take.
const CLIENT_WAIT: Duration = Duration::from_secs(60);

/// A server that answers `ok` to the first bytes of each connection and closes it.
async fn ok_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if matches!(stream.read(&mut [0; 16]).await, Ok(1..)) {
                    stream.write_all(b"ok").await.ok();
                }
            });
        }
    });
    address
}

/// Runs a client against a proxy of its own; it prints `done` when all is as it should be.
async fn drive(mut client: Command) {
    let (mut process, admin) = start_on_tcp(&[]).await;
    client.arg(admin.port().to_string()).arg(ok_server().await.to_string());
    client.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(CLIENT_WAIT, client.output()).await.expect("in time").expect("run");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.trim(), "done", "{}", String::from_utf8_lossy(&output.stderr));
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn toxiproxys_client_in_python_works_unchanged() {
    let Some(mut python) = peers::python("toxiproxys_client_in_python_works_unchanged") else { return };
    python.arg(peers::script("toxiproxy_client.py"));
    drive(python.into()).await;
}

/// `make node-peers` installs it.
#[tokio::test]
async fn toxiproxys_client_in_node_works_unchanged() {
    let folder = repository().join("tests/peers/node");
    let Some(node) = std::env::var_os("GAMEDAY_TEST_NODE").filter(|node| !node.is_empty()) else {
        use std::io::Write as _;
        let why = "\nskipped: toxiproxys_client_in_node_works_unchanged: GAMEDAY_TEST_NODE names no Node (`make test` does)\n";
        std::io::stderr().write_all(why.as_bytes()).expect("told");
        return;
    };
    let mut client = Command::new(node);
    client.arg(folder.join("toxiproxy_client.js")).current_dir(folder);
    drive(client).await;
}

#[tokio::test]
async fn a_toxic_is_dropped_at_the_end_of_its_time_to_live_unless_it_is_renewed() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let api = Api { admin };
    let (_, made) = api.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": http_server().await}))).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    let body = |name: &str, ttl_ms: u64| json!({"name": name, "type": "latency", "attributes": {"latency": 1}, "ttl_ms": ttl_ms});
    let (status, toxic) = api.ask("POST", "/proxies/p/toxics", Some(body("long", 60_000))).await;
    assert_eq!((status, &toxic["ttl_ms"]), (200, &json!(60_000)));
    assert_eq!(api.ask("POST", "/proxies/p/toxics", Some(body("short", 200))).await.0, 200);
    until("it is dropped", async || api.ask("GET", "/proxies/p/toxics/short", None).await.0 == 404).await;
    assert_eq!(api.ask("GET", "/proxies/p/toxics/long", None).await.0, 200);
    exchange(&mut connect(listen).await).await.expect("an exchange");
    let (status, _) = api.ask("PATCH", "/proxies/p/toxics/long", Some(json!({"ttl_ms": 100}))).await;
    assert_eq!(status, 200);
    until("it is dropped", async || api.ask("GET", "/proxies/p/toxics/long", None).await.0 == 404).await;
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn rules_tls_faults_and_that_a_proxy_is_out_of_reach_end_by_themselves_unless_they_are_put_off() {
    let mut command = Command::new(gameday());
    command.args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m"]);
    let (mut process, mut told, admin) = start(command).await;
    let api = Api { admin };
    let body = json!({"name": "p", "upstream": http_server().await, "protocol": "http"});
    let (_, made) = api.ask("POST", "/proxies", Some(body)).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    let rule = |name: &str, ttl_ms: u64| json!({"name": name, "action": {"truncate": {"bytes": 9}}, "ttl_ms": ttl_ms});
    assert_eq!(api.ask("POST", "/proxies/p/rules", Some(rule("long", 60_000))).await.0, 201);
    assert_eq!(api.ask("POST", "/proxies/p/rules", Some(rule("short", 200))).await.0, 201);
    until("it is dropped", async || api.ask("GET", "/proxies/p/rules/short", None).await.0 == 404).await;
    let (status, view) = api.ask("GET", "/proxies/p/rules/long", None).await;
    assert_eq!((status, &view["rule"]["ttl_ms"]), (200, &json!(60_000)));
    for _ in 0..3 {
        assert_eq!(api.ask("PATCH", "/proxies/p/rules/long", Some(json!({"ttl_ms": 60_000}))).await.0, 200);
    }
    assert_eq!(api.ask("PATCH", "/proxies/p/rules/long", Some(json!({"ttl_ms": 100}))).await.0, 200);
    until("it is dropped", async || api.ask("GET", "/proxies/p/rules/long", None).await.0 == 404).await;

    let sealed = json!({"name": "sealed", "upstream": "127.0.0.1:1", "tls": {"client": {}}});
    assert_eq!(api.ask("POST", "/proxies", Some(sealed)).await.0, 201);
    let tls_fault = "/proxies/sealed/tls/fault";
    assert_eq!(api.ask("PATCH", tls_fault, Some(json!({"ttl_ms": 1_000}))).await.0, 404, "there is none yet");
    assert_eq!(api.ask("PUT", tls_fault, Some(json!({"fault": "expired", "ttl_ms": 60_000}))).await.0, 200);
    assert_eq!(api.ask("PATCH", tls_fault, Some(json!({"ttl_ms": 0}))).await.0, 400);
    assert_eq!(api.ask("PATCH", tls_fault, Some(json!({"ttl_ms": 100}))).await.0, 200);
    until("it is dropped", async || api.ask("GET", tls_fault, None).await.0 == 404).await;

    for out in [json!({"enabled": false, "ttl_ms": 60_000}), json!({"refuse": true, "ttl_ms": 60_000})] {
        assert_eq!(api.ask("PATCH", "/proxies/p", Some(out.clone())).await.0, 200, "{out}");
        let refused = tokio::net::TcpStream::connect(listen).await.expect_err("it is out of reach");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"ttl_ms": 50}))).await.0, 200);
        until("it can be reached again", async || tokio::net::TcpStream::connect(listen).await.is_ok()).await;
        exchange(&mut connect(listen).await).await.expect("an exchange");
    }
    let (status, answer) = api.ask("PATCH", "/proxies/p", Some(json!({"ttl_ms": 1_000}))).await;
    assert_eq!(status, 409, "what can be reached can not be kept out of reach by who comes late: {answer}");
    let (status, answer) = api.ask("PATCH", "/proxies/p", Some(json!({"enabled": true, "ttl_ms": 1_000}))).await;
    assert_eq!(status, 400, "{answer}");
    // What stays so until somebody says otherwise is not made to end by itself.
    assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"enabled": false}))).await.0, 200);
    assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"ttl_ms": 1}))).await.0, 409);
    assert_eq!(api.ask("POST", "/reset", None).await.0, 204);
    assert_eq!(api.ask("POST", "/proxies/p/rules", Some(rule("never", 0))).await.0, 400);

    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "reset") {
        let event: Value = serde_json::from_str(&line_with(&mut told, "\"event\"").await).expect("JSON");
        kinds.push(event["event"].as_str().expect("a text").to_owned());
    }
    let out = ["proxy_changed", "proxy_reopened"];
    let rules = ["proxy_created", "rule_added", "rule_added", "rule_expired", "rule_expired"];
    let tls_faults = ["proxy_created", "tls_fault_put", "tls_fault_expired"];
    let expected = [&rules[..], &tls_faults, &out, &out, &["proxy_changed", "reset"]].concat();
    assert_eq!(kinds, expected, "to put something off is no change");
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn a_tls_fault_and_an_outage_bear_a_token_by_which_they_are_put_off_and_no_other_of_their_kind_is() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let api = Api { admin };
    let body = json!({"name": "p", "upstream": http_server().await, "tls": {"client": {}}});
    assert_eq!(api.ask("POST", "/proxies", Some(body)).await.0, 201);

    let tls_fault = "/proxies/p/tls/fault";
    let fault = json!({"fault": "expired", "ttl_ms": 60_000, "token": "run 7"});
    assert_eq!(api.ask("PUT", tls_fault, Some(fault.clone())).await, (200, fault.clone()));
    assert_eq!(api.ask("GET", tls_fault, None).await, (200, json!({"fault": fault, "hits": 0})));
    let told = async || api.ask("GET", "/gameday/stats", None).await.1["proxies"]["p"].clone();
    assert_eq!(told().await["tls_fault"]["token"], json!("run 7"));
    for (patch, status) in [
        (json!({"ttl_ms": 60_000, "token": "run 7"}), 200),
        (json!({"ttl_ms": 60_000}), 200),
        (json!({"ttl_ms": 60_000, "token": "run 8"}), 409),
        (json!({"token": "run 7"}), 400),
    ] {
        assert_eq!(api.ask("PATCH", tls_fault, Some(patch.clone())).await.0, status, "{patch}");
    }
    // One without a token is nobody's.
    assert_eq!(api.ask("PUT", tls_fault, Some(json!({"fault": "expired"}))).await.0, 200);
    assert_eq!(api.ask("PATCH", tls_fault, Some(json!({"ttl_ms": 60_000, "token": "run 7"}))).await.0, 409);
    let stats = told().await;
    assert_eq!(
        (&stats["tls_fault"]["token"], &stats["removed_tls_faults"][0]["token"]),
        (&Value::Null, &json!("run 7"))
    );
    let long = json!({"fault": "expired", "token": "x".repeat(129)});
    let (status, answer) = api.ask("PUT", tls_fault, Some(long)).await;
    assert!(status == 400 && answer["error"].as_str().expect("a text").contains("1 to 128 printable"), "{answer}");

    let patch = async |body: Value| api.ask("PATCH", "/proxies/p", Some(body)).await;
    let token = async || api.ask("GET", "/proxies/p", None).await.1.get("token").cloned();
    let ours = json!("run 7");
    let out = || json!({"enabled": false, "ttl_ms": 60_000, "token": "run 7"});
    assert_eq!(token().await, None, "clients of Toxiproxy do not know it");
    assert_eq!(patch(out()).await.1["token"], ours);
    assert_eq!(patch(json!({"ttl_ms": 60_000, "token": "run 8"})).await.0, 409);
    assert_eq!(patch(json!({"ttl_ms": 60_000, "token": "run 7"})).await.0, 200);
    assert_eq!(token().await, Some(ours.clone()));
    // Somebody else keeps it out of reach, and then it has no end that could be put off.
    assert_eq!(patch(json!({"enabled": false})).await.0, 200);
    assert_eq!((token().await, patch(json!({"ttl_ms": 60_000, "token": "run 7"})).await.0), (None, 409));
    assert_eq!(patch(json!({"enabled": false, "ttl_ms": 60_000})).await.0, 200);
    assert_eq!(patch(json!({"ttl_ms": 60_000, "token": "run 7"})).await.0, 409, "it has an end, and is not ours");
    // Whatever lets it be reached ends it.
    assert_eq!(patch(json!({"enabled": true})).await.0, 200);
    for (method, path, body) in [
        ("PATCH", "/proxies/p", Some(json!({"enabled": true}))),
        ("PATCH", "/proxies/p", Some(json!({"ttl_ms": 1, "token": "run 7"}))),
        ("POST", "/reset", None),
        ("POST", "/gameday/lease", Some(json!({"ttl_ms": 1}))),
    ] {
        assert_eq!(patch(out()).await.1["token"], ours);
        assert!((200..300).contains(&api.ask(method, path, body).await.0), "{method} {path}");
        until("it can be reached", async || api.ask("GET", "/proxies/p", None).await.1["enabled"] == json!(true)).await;
        assert_eq!(token().await, None, "{method} {path}");
    }
    for nothing in [json!({"token": "run 7"}), json!({"enabled": true, "token": "run 7"}), json!({"token": ""})] {
        assert_eq!(patch(nothing.clone()).await.0, 400, "{nothing}");
    }
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn where_there_is_a_token_nobody_gets_anything_without_it() {
    let mut command = Command::new(gameday());
    command
        .args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m", "--token", "env:PROXY_TOKEN"])
        .env("PROXY_TOKEN", "open sesame");
    let (mut process, _stderr, admin) = start(command).await;
    let api = Api { admin };
    for path in ["/version", "/proxies", "/metrics", "/nothing"] {
        let (status, answer) = api.ask("GET", path, None).await;
        assert_eq!((status, &answer["status"]), (401, &json!(401)), "{path}");
    }
    let bearer = [("Authorization", "Bearer open sesame")];
    assert_eq!(api.ask_with("GET", "/proxies", None, &bearer).await, (200, json!({})));
    let client = AdminClient::tcp(admin);
    assert!(matches!(client.version().await, Err(AdminError::Refused { status: 401, .. })));
    client.with_token(Secret::new("open sesame")).version().await.expect("it may");
    end(&mut process, Signal::TERM).await;

    let without = Command::new(gameday())
        .args(["proxy", "--admin", "127.0.0.1:0", "--token", "env:GAMEDAY_NO_SUCH_TOKEN"])
        .stdin(Stdio::null())
        .output();
    let output = patiently("it gives up", without).await.expect("run");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("GAMEDAY_NO_SUCH_TOKEN"));
}

#[tokio::test]
async fn what_others_can_reach_needs_listen_any_and_the_admin_api_a_token_too() {
    let (mut process, admin) = start_on_tcp(&["--listen-any"]).await;
    let body = json!({"name": "p", "listen": "0.0.0.0:0", "upstream": http_server().await});
    let (status, made) = Api { admin }.ask("POST", "/proxies", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    end(&mut process, Signal::TERM).await;
    let open =
        Command::new(gameday()).args(["proxy", "--admin", "0.0.0.0:0", "--listen-any"]).stdin(Stdio::null()).output();
    let output = patiently("it gives up", open).await.expect("run");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token"));
}

#[tokio::test]
async fn metrics_tell_of_bytes_connections_and_added_delays() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let upstream = http_server().await;
    let (_, made) = Api { admin }.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": upstream}))).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    let toxic = json!({"name": "slow", "type": "latency", "attributes": {"latency": 11}});
    assert_eq!(Api { admin }.ask("POST", "/proxies/p/toxics", Some(toxic)).await.0, 200);
    exchange(&mut connect(listen).await).await.expect("an exchange");
    let response = patiently("metrics", reqwest::get(format!("http://{admin}/metrics"))).await.expect("an answer");
    assert!(response.headers()["content-type"].to_str().expect("text").starts_with("text/plain; version=0.0.4"));
    let text = response.text().await.expect("text");
    let labels = format!("proxy=\"p\",listener=\"{listen}\",upstream=\"{upstream}\"");
    let request = crate::proxy::REQUEST.len();
    for line in [
        format!("toxiproxy_proxy_received_bytes_total{{{labels},direction=\"upstream\"}} {request}"),
        format!("toxiproxy_proxy_sent_bytes_total{{{labels},direction=\"upstream\"}} {request}"),
        format!("gameday_proxy_connections_total{{{labels}}} 1"),
        "# TYPE gameday_proxy_connections_open gauge".to_owned(),
        "# TYPE gameday_proxy_added_delay_seconds histogram".to_owned(),
        format!("gameday_proxy_toxic_hits_total{{{labels},toxic=\"slow\"}} 1"),
        format!("gameday_proxy_added_delay_seconds_bucket{{{labels},toxic=\"slow\",le=\"0.01\"}} 0"),
        format!("gameday_proxy_added_delay_seconds_bucket{{{labels},toxic=\"slow\",le=\"+Inf\"}} 1"),
        format!("gameday_proxy_added_delay_seconds_count{{{labels},toxic=\"slow\"}} 1"),
    ] {
        assert!(text.lines().any(|given| given == line), "{line} is not in\n{text}");
    }
    end(&mut process, Signal::TERM).await;
}

/// A proxy process with its standard error, and where its admin API listens.
pub(crate) async fn start(mut command: Command) -> (Child, Lines<BufReader<ChildStderr>>, SocketAddr) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("started");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let admin = patiently("it says where it listens", async {
        loop {
            let line = stdout.next_line().await.expect("read").expect("a line");
            if let Some(address) = line.strip_prefix("admin API on ") {
                return address.parse().expect("an address");
            }
        }
    });
    (child, stderr, admin.await)
}

pub(crate) async fn line_with(lines: &mut Lines<BufReader<ChildStderr>>, part: &str) -> String {
    patiently(part, async {
        loop {
            let line = lines.next_line().await.expect("read").expect("a line");
            if line.contains(part) {
                return line;
            }
        }
    })
    .await
}

#[tokio::test]
async fn every_change_is_told_as_a_line_of_json() {
    let mut command = Command::new(gameday());
    command.args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m"]);
    let (mut process, mut told, admin) = start(command).await;
    let api = Api { admin };
    let upstream = http_server().await;
    for (method, path, body) in [
        ("POST", "/proxies", json!({"name": "p", "upstream": upstream})),
        ("POST", "/proxies/p/toxics", json!({"name": "t", "type": "latency", "attributes": {"latency": 5}})),
        ("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"latency": 6}})),
        ("DELETE", "/proxies/p/toxics/t", Value::Null),
        ("PATCH", "/proxies/p", json!({"enabled": false})),
        ("POST", "/reset", Value::Null),
        ("DELETE", "/proxies/p", Value::Null),
    ] {
        let (status, answer) = api.ask(method, path, (!body.is_null()).then_some(body)).await;
        assert!((200..300).contains(&status), "{method} {path}: {answer}");
    }
    let mut events = Vec::new();
    while events.len() < 7 {
        let line = line_with(&mut told, "\"event\"").await;
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert!(event["at"].is_string(), "{event}");
        events.push(event);
    }
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("a text")).collect();
    let expected =
        ["proxy_created", "toxic_added", "toxic_changed", "toxic_removed", "proxy_changed", "reset", "proxy_deleted"];
    assert_eq!(kinds, expected);
    let changed = events.get(2).expect("seven of them");
    assert_eq!((&changed["proxy"], &changed["toxic"]["attributes"]["latency"]), (&json!("p"), &json!(6)));
    end(&mut process, Signal::TERM).await;
}
