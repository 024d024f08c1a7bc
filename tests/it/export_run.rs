//! A run as it is told elsewhere: read back by OpenTelemetry's own messages, by the CNCF's library of `CloudEvents` and by Prometheus' parser;
//! and what comes of an endpoint that refuses, is slow, or answers with a page. A dashboard is put to two emulators.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gameday::event::{EventKind, RunState, read_log};
use gameday::ui::board::View;
use gameday::ui::web::{Access, ROOM_FILE};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::peers::{python, script, start_ministack, start_moto, stop};
use crate::support::{Output, Workspace, copy_folder, free_port, gameday, repository, wait_for};

const SECRET: &str = "s3cret-of-the-collector";

/// A workspace with one run that is over: a log that is fixed.
fn over(name: &str) -> (Workspace, PathBuf) {
    let workspace = Workspace::empty();
    let run = workspace.reports().join(format!("2026-11-10-100000-{name}"));
    copy_folder(&repository().join("tests/fixtures/logs").join(name), &run);
    (workspace, run)
}

/// What an endpoint answers next: how late, with which status, headers and body.
#[derive(Clone)]
struct Answer {
    after: Duration,
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

fn answer(status: u16, body: &'static str) -> Answer {
    Answer { after: Duration::ZERO, status, headers: Vec::new(), body }
}

/// The same that puts the sender off for no time at all.
fn put_off(status: u16) -> Answer {
    Answer { headers: vec![("retry-after", "0")], ..answer(status, "") }
}

#[derive(Default)]
struct Known {
    answers: VecDeque<Answer>,
    taken: Vec<(HeaderMap, String)>,
}

/// An endpoint that answers as it is told, and with `{}` from then on.
struct Fake {
    known: Arc<Mutex<Known>>,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

async fn take(State(known): State<Arc<Mutex<Known>>>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = {
        let mut known = known.lock().unwrap();
        known.taken.push((headers, String::from_utf8(body.to_vec()).unwrap()));
        known.answers.pop_front().unwrap_or_else(|| answer(200, "{}"))
    };
    tokio::time::sleep(answer.after).await;
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.body).into_response();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Fake {
    fn new(answers: &[Answer]) -> Self {
        let known = Arc::new(Mutex::new(Known { answers: answers.iter().cloned().collect(), ..Known::default() }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&known));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { known, url, _runtime: runtime }
    }

    fn taken(&self) -> Vec<(HeaderMap, String)> {
        self.known.lock().unwrap().taken.clone()
    }
}

/// Exports the run of a workspace; the secret is told by nothing, whatever happens.
fn export(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut command = gameday();
    command.args(["export", "run"]).args(arguments).env("COLLECTOR_TOKEN", format!("Bearer {SECRET}"));
    let output = workspace.start_command(&mut command).wait();
    assert!(!output.stdout.contains(SECRET) && !output.stderr.contains(SECRET), "{output:?}");
    output
}

/// Runs a peer with `input` on its standard input, and reads what it prints.
fn peer(workspace: &Workspace, command: &mut Command, input: &str) -> Value {
    let mut child = command
        .current_dir(workspace.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn nanos(run: &std::path::Path, at_ms: u64) -> u64 {
    let first = read_log(run).unwrap().events[0].at;
    let at = first + Duration::from_millis(at_ms);
    u64::try_from(at.timestamp_nanos_opt().unwrap()).unwrap()
}

#[test]
fn a_collector_reads_a_run_as_one_trace_with_its_times_and_its_status() {
    for (name, status, message) in [
        ("upheld", 1, ""),
        ("refuted", 2, "H1 refuted"),
        ("aborted", 2, "aborted by"),
        ("dirty", 2, "not undone"),
        ("inconclusive", 0, ""),
        ("torn", 2, "not undone"),
    ] {
        let Some(mut python) = python("a run as a trace") else { return };
        let (workspace, run) = over(name);
        let mut command = python.arg(script("otlp_collector.py")).current_dir(workspace.path());
        command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut collector = command.spawn().unwrap();
        let stdout = collector.stdout.as_mut().unwrap();
        let port =
            serde_json::Deserializer::from_reader(stdout).into_iter::<Value>().next().unwrap().unwrap()["port"].clone();
        let endpoint = format!("http://127.0.0.1:{port}");
        let header = ["--header", "authorization=env:COLLECTOR_TOKEN"];
        for _ in 0..2 {
            let output = export(&workspace, &[&["--to", "otlp", "--endpoint", &endpoint][..], &header[..]].concat());
            assert_eq!(output.code(), 0, "{output:?}");
        }
        drop(collector.stdin.take());
        let output = collector.wait_with_output().unwrap();
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read["requests"][0], json!({"path": "/v1/traces", "authorization": format!("Bearer {SECRET}")}));
        let all = read["spans"].as_array().unwrap();
        let (spans, again) = all.split_at(all.len() / 2);
        assert_eq!(spans, again, "the same run has the same ids");
        check_trace(&run, spans, (status, message));
    }
}

/// Holds spans as a collector has read them against the log.
fn check_trace(run: &std::path::Path, spans: &[Value], (status, message): (i64, &str)) {
    let state = RunState::fold(&read_log(run).unwrap().events);
    let root = &spans[0];
    assert_eq!((root["name"].as_str(), root["parent"].as_str()), (Some("gameday run"), Some("")));
    assert_eq!(root["status"], status, "{root:#}");
    assert!(root["message"].as_str().unwrap().contains(message), "{root:#}");
    assert_eq!(root["attributes"]["gameday.run"], state.run);
    assert_eq!((root["resource"]["service.name"].as_str(), root["scope"].as_str()), (Some("gameday"), Some("gameday")));
    assert_eq!(root["start"], nanos(run, 0));
    let named: BTreeMap<&str, &Value> = spans.iter().map(|span| (span["name"].as_str().unwrap(), span)).collect();
    assert_eq!(named.len(), spans.len());
    for span in &spans[1..] {
        assert_eq!((&span["trace"], &span["parent"]), (&root["trace"], &root["id"]), "{span:#}");
        assert!(span["start"].as_u64() <= span["end"].as_u64(), "{span:#}");
    }
    for phase in &state.phases {
        let span = named[format!("phase {}", phase.phase).as_str()];
        assert_eq!(span["start"], nanos(run, phase.start_ms));
        assert!(phase.end_ms.is_none_or(|end_ms| span["end"] == nanos(run, end_ms)), "{span:#}");
    }
    for fault in state.faults.iter().filter(|fault| !fault.identity.is_route()) {
        let span = named[format!("fault {}", fault.identity.fault).as_str()];
        assert_eq!(span["attributes"]["gameday.fault.kind"], fault.kind);
        assert_eq!(span["start"], nanos(run, fault.requested_ms));
        assert!(fault.ended_ms.is_none_or(|end_ms| span["end"] == nanos(run, end_ms)), "{span:#}");
        let is_well = span["attributes"].get("gameday.fault.restored_at").is_some();
        assert_eq!(span["status"] == 2, !is_well, "{span:#}");
        assert!(span["events"].as_array().unwrap().iter().any(|event| event["name"] == "gameday.fault"), "{span:#}");
    }
    for load in state.loads.keys() {
        assert!(named.contains_key(format!("load {load}").as_str()), "{load}");
    }
    let events = root["events"].as_array().unwrap();
    let verdicts = events.iter().filter(|event| event["name"] == "gameday.hypothesis").count();
    assert!(verdicts > 0 && verdicts < events.len(), "{events:#?}");
}

#[test]
fn a_run_is_written_to_a_file_and_sent_nowhere_where_no_argument_leads() {
    let (workspace, run) = over("refuted");
    let name = run.file_name().unwrap().to_str().unwrap();
    let output = export(&workspace, &[name, "--to", "otlp", "--output", "trace.jsonl"]);
    assert_eq!(output.code(), 0, "{output:?}");
    let written = std::fs::read_to_string(workspace.path().join("trace.jsonl")).unwrap();
    assert_eq!(written, export(&workspace, &["--to", "otlp"]).stdout);
    for line in written.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["resourceSpans"].is_array());
    }
    for (arguments, told) in [
        (vec!["--to", "otlp", "--header", "authorization=env:COLLECTOR_TOKEN"], "--endpoint"),
        (vec!["--to", "otlp", "--endpoint", "https://a.b", "--output", "x"], "--output"),
        (
            vec!["--to", "otlp", "--endpoint", "https://a.b", "--header", "authorization=s3cret-of-the-collector"],
            "env:NAME",
        ),
        (
            vec!["--to", "otlp", "--endpoint", "https://a.b", "--header", "authorization=env:NOT_SET"],
            "`NOT_SET` is not set",
        ),
        (
            vec!["--to", "otlp", "--endpoint", "http://a.b", "--header", "authorization=env:COLLECTOR_TOKEN"],
            "`https` alone",
        ),
        (vec!["--to", "otlp", "nothing"], "there is no run `nothing`"),
    ] {
        let output = export(&workspace, &arguments);
        assert!(output.code() != 0 && output.stderr.contains(told), "{arguments:?}: {output:?}");
    }
}

#[test]
fn an_endpoint_that_is_busy_is_asked_again_and_one_that_says_no_is_not() {
    let (workspace, _) = over("upheld");
    let send = |fake: &Fake, more: &[&str]| {
        export(&workspace, &[&["--to", "otlp", "--endpoint", &fake.url][..], more].concat())
    };
    // Put off by each status that OTLP knows, then taken.
    let busy = Fake::new(&[put_off(429), put_off(502), put_off(503), put_off(504)]);
    let output = send(&busy, &[]);
    let taken = busy.taken();
    assert_eq!((output.code(), taken.len()), (0, 5), "{output:?}");
    assert!(taken.iter().all(|(_, body)| *body == taken[0].1), "each attempt is the same");
    assert_eq!(taken[0].0[header::CONTENT_TYPE], "application/json");

    for (answers, attempts, told) in [
        (vec![put_off(503); 5], 5, "in 5 attempts: the endpoint said 503"),
        (vec![Answer { headers: vec![("retry-after", "86400")], ..answer(429, "") }], 1, "asked again in 86400 s"),
        (vec![answer(401, "no such token as s3cret-of-the-collector")], 1, "repeats a secret"),
        (vec![answer(500, "<html>oops</html>")], 1, "said 500 Internal Server Error\n"),
        (vec![answer(400, r#"{"code":3,"message":"no such tenant"}"#)], 1, "400 Bad Request: no such tenant"),
        (
            vec![answer(400, r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#)],
            1,
            "400 Bad Request: too old",
        ),
        (vec![answer(302, "")], 1, "no redirect is followed"),
        (vec![answer(200, "<!doctype html><title>Log in</title>")], 1, "nobody knows whether"),
        (
            vec![answer(200, r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#)],
            1,
            "did not take 2 of",
        ),
    ] {
        let fake = Fake::new(&answers);
        let output = send(&fake, &["--header", "authorization=env:COLLECTOR_TOKEN"]);
        assert_eq!(output.code(), 1, "{output:?}");
        assert!(output.stderr.contains(told), "{told}: {output:?}");
        assert_eq!(fake.taken().len(), attempts, "{told}");
    }
    let warned = Fake::new(&[answer(200, r#"{"partialSuccess":{"errorMessage":"use gzip"}}"#)]);
    let output = send(&warned, &[]);
    assert!(output.code() == 0 && output.stderr.contains("warning of the endpoint: use gzip"), "{output:?}");
}

#[test]
fn an_endpoint_that_is_slow_is_given_up_and_one_that_is_not_there_is_told() {
    let (workspace, _) = over("upheld");
    // Slow once, and then as it should be.
    let slow = Fake::new(&[Answer { after: Duration::from_secs(600), ..answer(200, "{}") }]);
    let output = export(&workspace, &["--to", "otlp", "--endpoint", &slow.url, "--timeout", "1s"]);
    assert_eq!((output.code(), slow.taken().len()), (0, 2), "{output:?}");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let output = export(&workspace, &["--to", "cloudevents", "--endpoint", &nobody, "--timeout", "1s"]);
    assert_eq!(output.code(), 1, "{output:?}");
    assert!(output.stderr.contains("it did not arrive in 5 attempts"), "{output:?}");
    assert!(output.stderr.contains("0 events were taken before that"), "{output:?}");
}

#[test]
fn the_cncfs_library_reads_a_run_as_cloudevents() {
    let Some(mut reader) = python("a run as CloudEvents") else { return };
    let (workspace, run) = over("refuted");
    let output = export(&workspace, &["--to", "cloudevents", "--output", "events.jsonl"]);
    assert_eq!(output.code(), 0, "{output:?}");
    let read = peer(&workspace, reader.arg(script("read_cloudevents.py")).arg("events.jsonl"), "");
    let events = read.as_array().unwrap();
    let log = read_log(&run).unwrap().events;
    let state = RunState::fold(&log);
    for event in events {
        let (of, seq) = event["id"].as_str().unwrap().rsplit_once('/').unwrap();
        let logged = log.iter().find(|logged| logged.seq.to_string() == seq).unwrap();
        assert_eq!((of, event["version"].as_str()), (state.run.as_str(), Some("1.0")));
        assert_eq!(event["type"], format!("dev.gameday.{}.v1", logged.kind.name()));
        assert_eq!(event["time"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(), logged.at);
        assert_eq!(event["source"], format!("/gameday/{}/{}", state.environment, state.scenario));
    }
    assert!(events.iter().any(|event| event["type"] == "dev.gameday.fault_applied.v1"), "{events:#?}");
    assert!(log.iter().any(|event| matches!(event.kind, EventKind::LoadRecorded(_))), "seconds of load are no events");

    let fake = Fake::new(&[put_off(503), answer(204, "")]);
    let output = export(&workspace, &["--to", "cloudevents", "--endpoint", &format!("{}/hook?a=b", fake.url)]);
    assert_eq!(output.code(), 0, "{output:?}");
    let taken = fake.taken();
    assert_eq!(taken[1].0[header::CONTENT_TYPE], "application/cloudevents-batch+json");
    workspace.write("batch.json", &taken[1].1);
    let mut reader = python("a run as CloudEvents").unwrap();
    let batch = peer(&workspace, reader.arg(script("read_cloudevents.py")).args(["--batch", "batch.json"]), "");
    assert_eq!(batch, read);
}

#[test]
fn a_webhook_that_asks_for_cloudevents_is_told_in_them() {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {sandbox: {functions: {orders-fn: {demo: checkout}}}}\nnotify: {webhook: 'env:HOOK', webhook_format: cloudevents}\n",
    );
    let fake = Fake::new(&[]);
    let mut command = gameday();
    command.args(["notify", "test", "--by", "maria"]).env("HOOK", &fake.url);
    let output = workspace.start_command(&mut command).wait();
    assert_eq!(output.code(), 0, "{output:?}");
    let (headers, body) = fake.taken().remove(0);
    assert_eq!(headers[header::CONTENT_TYPE], "application/cloudevents+json");
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (event["type"].as_str(), &event["data"]["who"][0]),
        (Some("dev.gameday.notice.start.v1"), &json!("maria"))
    );
    let Some(mut reader) = python("a notice as a CloudEvent") else { return };
    workspace.write("one.jsonl", &body);
    let read = peer(&workspace, reader.arg(script("read_cloudevents.py")).arg("one.jsonl"), "");
    assert_eq!(read[0]["data"], event["data"]);
}

#[test]
fn a_living_run_is_not_exported_and_prometheus_reads_it_by_the_link_of_a_view() {
    let workspace = Workspace::new();
    let run = workspace.start(&["run", "--serve", "scenarios/refuted.yaml"]);
    workspace.wait_for_event("the fault", |kind| matches!(kind, EventKind::FaultApplied { .. }));
    let output = export(&workspace, &["--to", "otlp"]);
    assert!(output.code() == 9 && output.stderr.contains("still alive"), "{output:?}");
    let folder = workspace.run_folder().unwrap();
    assert!(folder.join(ROOM_FILE).is_file());
    let access = Access::read(&folder).unwrap().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let scrape = |token: &str| {
        let request = http.get(format!("http://{}/metrics", access.address)).bearer_auth(token);
        runtime.block_on(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    };
    let (status, _) = scrape("nonsense");
    assert_eq!(status, 401);
    let token = access.fragment(View::Facilitator).split_off(2);
    let text = wait_for("the fault in the metrics", || {
        let (status, text) = scrape(&token);
        assert_eq!(status, 200, "{text}");
        (text.contains("gameday_fault_in{") && text.contains("gameday_load_ok{")).then_some(text)
    });
    if let Some(mut reader) = python("metrics of a run") {
        let read = peer(&workspace, reader.arg(script("read_metrics.py")), &text);
        let samples = read.as_array().unwrap();
        let of = |name: &str| {
            samples.iter().find(|sample| sample["name"] == name).unwrap_or_else(|| panic!("{name}: {text}"))
        };
        assert_eq!(of("gameday_fault_in")["labels"]["fault"], "throttle");
        assert_eq!(of("gameday_run_info")["labels"]["scenario"], "refuted");
        let target = of("gameday_load_target");
        assert_eq!((&target["labels"]["unit"], target["value"].as_f64()), (&json!("users"), Some(2.0)));
        assert!(of("gameday_run_elapsed_seconds")["value"].as_f64().unwrap() > 0.0);
        assert!(samples.iter().all(|sample| sample["type"] == "gauge"), "{samples:#?}");
    }
    run.signal(Signal::TERM);
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:?}");
}

const DASHBOARD: &str = r#"
gameday: 1
id: seen
title: "Payments [are](https://evil.example) slow"
owner: team-shop
why: So that we see what customers see
mode: drill
environments: {allow: [staging]}
targets:
  orders:  {lambda: {function: orders, alias: live}}
  pay:     {lambda: {function: pay}}
  queue:   {queue: {name: orders-dead}}
  stock:   {table: {name: stock}}
  nightly: {rule: {name: nightly, bus: shop}}
signals:
  duration: {level: system, cloudwatch: {lambda: pay, metric: Duration, stat: p99, period: 30s}}
  placed:   {level: business, cloudwatch: {namespace: Shop, metric: Placed, stat: Sum, dimensions: {Stage: test}}}
hypotheses:
  - {id: H2, severity: low, text: "It is noticed", expect: "detect(pay-errors) <= 5m"}
alarms: {expected: [pay-errors]}
faults:
  impatient: {lambda_timeout: {target: pay, timeout: 2s}, ttl: 1m}
timeline:
  - {phase: slow, for: 5m, do: [{at: 0s, fault: impatient}]}
"#;

/// A workspace with a scenario of an account.
fn seen() -> Workspace {
    let workspace = Workspace::empty();
    let staging = "{account: \"111122223333\", region: eu-west-1, class: nonproduction}";
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{staging: {staging}}}\n"));
    workspace.write("scenarios/seen.yaml", DASHBOARD);
    workspace
}

#[test]
fn a_dashboard_is_one_that_cloudwatch_takes() {
    let Some(mut reader) = python("a dashboard") else { return };
    let workspace = seen();
    let output = workspace.gameday(&["plan", "scenarios/seen.yaml", "--env", "staging", "--dashboard"]);
    assert_eq!(output.code(), 0, "{output:?}");
    assert!(output.stderr.contains("aws cloudwatch put-dashboard --dashboard-name gameday-seen"), "{output:?}");
    workspace.write("dashboard.json", &output.stdout);
    let schema = repository().join("tests/fixtures/dashboard.schema.json");
    let (port, moto_port) = (free_port(), free_port());
    let ministack = start_ministack(&mut reader, &workspace, port, "cloudwatch");
    let moto = start_moto(&mut python("a dashboard").unwrap(), &workspace, moto_port);
    for port in [port, moto_port] {
        let mut reader = python("a dashboard").unwrap();
        reader.arg(script("put_dashboard.py")).arg(&schema).arg("dashboard.json");
        let output = workspace.start_command(reader.arg(format!("http://127.0.0.1:{port}"))).wait();
        assert_eq!((output.code(), output.stdout.as_str()), (0, "put\n"), "{output:?}");
    }
    stop(ministack);
    stop(moto);
}

#[test]
fn what_has_no_cloudwatch_has_no_dashboard() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["plan", "scenarios/refuted.yaml", "--dashboard"]);
    assert!(output.code() == 1 && output.stderr.contains("name an environment that is bound to one"), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
