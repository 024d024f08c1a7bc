//! The load worker as a real process against a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{any, post};
use gameday::load::{EndReason, FailureKind, LoadError, WorkerRecord};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::load_rig::{Outcome, PATIENCE, gameday, next, plan, run, spawn, wait_until};

/// How long the server's slow answers take.
const SLOW: Duration = Duration::from_millis(300);

/// What the server saw.
#[derive(Debug, Default)]
struct Seen {
    /// When each request came, and its path.
    requests: Vec<(Instant, String)>,
    /// The baskets that it gave out.
    baskets: BTreeSet<u64>,
    /// When each user was seen for the first time, by its cookie.
    users: Vec<Instant>,
}

type Shared = Arc<Mutex<Seen>>;

impl Seen {
    fn count(&self, path: &str) -> u64 {
        self.requests.iter().filter(|(_, seen)| seen.starts_with(path)).count() as u64
    }
}

async fn note(State(seen): State<Shared>, request: Request, next: Next) -> Response {
    seen.lock().unwrap().requests.push((Instant::now(), request.uri().path().to_owned()));
    next.run(request).await
}

async fn give_basket(State(seen): State<Shared>) -> impl IntoResponse {
    let mut seen = seen.lock().unwrap();
    let id = 1000 + seen.baskets.len() as u64;
    seen.baskets.insert(id);
    (StatusCode::CREATED, format!(r#"{{"basket": {{"id": {id}}}}}"#))
}

async fn check_out(State(seen): State<Shared>, UrlPath(id): UrlPath<u64>, body: String) -> StatusCode {
    let is_known = seen.lock().unwrap().baskets.contains(&id);
    // The captured number keeps its type in JSON.
    let is_same = body == format!(r#"{{"basket":{id}}}"#);
    if is_known && is_same { StatusCode::CREATED } else { StatusCode::NOT_FOUND }
}

async fn greet(State(seen): State<Shared>, headers: HeaderMap) -> Response {
    if headers.contains_key("cookie") {
        return "again".into_response();
    }
    seen.lock().unwrap().users.push(Instant::now());
    (AppendHeaders([("set-cookie", "known=yes; Path=/")]), "welcome").into_response()
}

/// Starts the server; gives its URL and what it sees.
async fn server() -> (String, Shared) {
    let seen = Shared::default();
    let router = Router::new()
        .route("/basket", post(give_basket))
        .route("/basket/{id}/checkout", post(check_out))
        .route("/greet", any(greet))
        .route("/fine", any(async || r#"{"state": "open"}"#))
        .route("/broken", any(async || StatusCode::SERVICE_UNAVAILABLE))
        .route("/moved", any(async || (StatusCode::FOUND, [("location", "/fine")])))
        .route(
            "/slow",
            any(async || {
                tokio::time::sleep(SLOW).await;
                "at last"
            }),
        )
        .route("/hang", any(async || std::future::pending::<()>().await))
        .layer(from_fn_with_state(Arc::clone(&seen), note))
        .with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

/// A server that sends its headers at once and its body in two halves, `SLOW` apart.
async fn dripping_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").await.ok();
                    tokio::time::sleep(SLOW).await;
                    stream.write_all(b"-last").await.ok();
                }
            });
        }
    });
    url
}

/// Whether a process exists and is not merely waiting to be reaped.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_journey_carries_what_it_captures_and_every_request_is_counted() {
    let (url, seen) = server().await;
    let journeys = r#"[{name: buy, think: 5ms..20ms, steps: [
        {name: basket, post: /basket, json: {item: 17}, capture: {basket: "$.basket.id"}, expect: {status: 201}},
        {name: checkout, post: "/basket/${basket}/checkout", json: {basket: "${basket}"}, expect: {status: 201}}]}]"#;
    let outcome = run(&plan(&url, journeys, "[{hold: 2s, at: 3 users}]")).await;
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    let (basket, checkout) = (outcome.totals(Some("basket")), outcome.totals(Some("checkout")));
    assert!(checkout.ok > 20, "{checkout:?}");
    assert_eq!((basket.failed, checkout.failed), (0, 0), "{:?}", checkout.failures);
    let seen = seen.lock().unwrap();
    assert_eq!(basket.count(), seen.count("/basket") - seen.count("/basket/"));
    assert_eq!(checkout.count(), seen.count("/basket/"));
    let seconds: Vec<u64> = outcome.frames.iter().map(|frame| frame.second).collect();
    assert!(seconds.windows(2).all(|pair| pair[1] == pair[0] + 1), "each second has one frame: {seconds:?}");
}

#[tokio::test]
async fn a_failure_is_counted_under_its_kind() {
    let (url, seen) = server().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cases = [
        ("status", "get: /broken".to_owned(), FailureKind::Status),
        ("moved", "get: /moved, expect: {status: 200}".to_owned(), FailureKind::Status),
        ("body", "get: /fine, expect: {body: {json: {$.state: shut}}}".to_owned(), FailureKind::Body),
        ("capture", "get: /fine, capture: {id: $.id}".to_owned(), FailureKind::Capture),
        ("slow", "get: /slow, expect: {within: 200ms}".to_owned(), FailureKind::Slow),
        ("timeout", "get: /hang, timeout: 200ms".to_owned(), FailureKind::Timeout),
        ("connect", format!("get: 'http://{nobody}/'"), FailureKind::Connect),
    ];
    let journeys: Vec<String> = cases
        .iter()
        .map(|(name, step, _)| {
            format!("{{name: {name}, think: 20ms, steps: [{{name: {name}, {step}}}, {{get: /never}}]}}")
        })
        .collect();
    let outcome = run(&plan(&url, &format!("[{}]", journeys.join(",")), "[{hold: 3s, at: 7 users}]")).await;
    for (name, _, kind) in cases {
        let totals = outcome.totals(Some(name));
        assert_eq!(totals.ok, 0, "{name}");
        assert_eq!(totals.failures, BTreeMap::from([(kind, totals.failed)]), "{name}");
        assert!(totals.failed > 0, "{name}");
    }
    assert_eq!(seen.lock().unwrap().count("/never"), 0, "a failed step abandons its journey");
}

#[tokio::test]
async fn users_come_along_the_ramp_and_keep_their_cookies() {
    let (url, seen) = server().await;
    let journeys = "[{name: look, think: 50ms, steps: [{name: greet, get: /greet}]}]";
    let shape = "[{ramp: 4s, to: 8 users}, {hold: 2s}]";
    let mut worker = spawn(&plan(&url, journeys, shape)).await;
    let mut outcome = Outcome::default();
    let mut ready = None;
    while let Some(record) = next(&mut worker).await {
        ready.get_or_insert_with(Instant::now);
        outcome.add(record.unwrap());
    }
    let ready = ready.unwrap();
    let users = seen.lock().unwrap().users.clone();
    assert_eq!(users.len(), 8, "each user is greeted once, since it keeps its cookie");
    assert!(outcome.totals(None).ok > 100);
    for (index, came) in users.iter().enumerate() {
        // The n-th of 8 users of a ramp of 4 s is due after n half seconds.
        let due = ready + Duration::from_millis(500) * u32::try_from(index).unwrap();
        let off_ms = came.saturating_duration_since(due).max(due.saturating_duration_since(*came)).as_millis();
        assert!(off_ms < 1_000, "user {index} is {off_ms} ms off");
    }
    let active: Vec<u64> = outcome.frames.iter().map(|frame| frame.users_active).collect();
    assert!(active.contains(&8), "{active:?}");
    assert!(outcome.frames.iter().any(|frame| (1.0..7.0).contains(&frame.target)), "the target ramps, too");
}

#[tokio::test]
async fn users_leave_when_the_shape_asks_for_fewer() {
    let (url, seen) = server().await;
    let journeys = "[{name: look, think: 20ms, steps: [{name: fine, get: /fine}]}]";
    let outcome =
        run(&plan(&url, journeys, "[{hold: 1s, at: 6 users}, {hold: 3s, at: 0 users}, {hold: 1s, at: 2 users}]")).await;
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    let active: Vec<u64> = outcome.frames.iter().map(|frame| frame.users_active).collect();
    let first = active.iter().position(|users| *users == 6).expect("six users");
    let none = active.iter().skip(first).position(|users| *users == 0).expect("no users") + first;
    assert!(active[none..].contains(&2), "{active:?}");
    assert!(outcome.frames.iter().any(|frame| frame.users_active == 0 && frame.steps.is_empty()));
    assert_eq!(outcome.totals(None).count(), seen.lock().unwrap().count("/fine"));
}

#[tokio::test]
async fn a_shape_may_begin_with_nobody_and_change_within_a_second() {
    let (url, seen) = server().await;
    let journeys = "[{name: look, think: 20ms, steps: [{name: fine, get: /fine}]}]";
    let shape = "[{hold: 1s, at: 0 users}, {ramp: 700ms, to: 3 users}, {hold: 400ms}, {ramp: 300ms, to: 1 users}, {hold: 1100ms}]";
    let start = Instant::now();
    let outcome = run(&plan(&url, journeys, shape)).await;
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    let first = seen.lock().unwrap().requests[0].0 - start;
    assert!(first > Duration::from_millis(900), "{first:?}");
    let active: Vec<u64> = outcome.frames.iter().map(|frame| frame.users_active).collect();
    assert!(active.contains(&0) && active.contains(&1), "{active:?}");
    assert_eq!(outcome.totals(None).count(), seen.lock().unwrap().count("/fine"));
}

#[tokio::test]
async fn a_body_that_drips_in_is_timed_to_its_last_byte() {
    let url = dripping_server().await;
    let journeys = "[{name: drip, steps: [{name: drip, get: /drip, expect: {body: {contains: first-last}}}]}]";
    let totals = run(&plan(&url, journeys, "[{hold: 2s, at: 1 users}]")).await.totals(None);
    assert!(totals.ok >= 2, "{totals:?}");
    let least = totals.latency.min().unwrap();
    assert!((SLOW - Duration::from_millis(2)..SLOW * 3).contains(&least), "{least:?}");
}

#[tokio::test]
async fn a_stop_ends_the_load_at_once_and_tells_what_it_abandons() {
    let (url, seen) = server().await;
    let journeys =
        "[{name: a, steps: [{name: hang, get: /hang}]}, {name: b, think: 1ms, steps: [{name: fine, get: /fine}]}]";
    let mut worker = spawn(&plan(&url, journeys, "[{hold: 5m, at: 40 users}]")).await;
    let mut outcome = Outcome::default();
    // A black hole shows as requests in flight with nothing that ends.
    while outcome.frames.last().is_none_or(|frame| frame.in_flight < 40) {
        outcome.add(next(&mut worker).await.unwrap().unwrap());
        assert!(outcome.frames.len() < 30, "every user draws the hanging journey in the end");
    }
    let stop = Instant::now();
    let records = worker.stop().await.unwrap();
    let took = stop.elapsed();
    records.into_iter().for_each(|record| outcome.add(record));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(outcome.end, Some((EndReason::Stopped, 40)));
    assert!(!is_running(worker.pid()));
    assert!(next(&mut worker).await.is_none());
    assert_eq!(seen.lock().unwrap().count("/hang"), 40);
}

#[tokio::test]
async fn no_request_begins_after_a_stop() {
    let (url, seen) = server().await;
    let journeys = "[{name: look, think: 1ms, steps: [{name: fine, get: /fine}]}]";
    let mut worker = spawn(&plan(&url, journeys, "[{hold: 5m, at: 10 users}]")).await;
    wait_until("requests", || seen.lock().unwrap().count("/fine") > 100).await;
    let stop = Instant::now();
    let mut outcome = Outcome::default();
    worker.stop().await.unwrap().into_iter().for_each(|record| outcome.add(record));
    let took = stop.elapsed();
    assert_eq!(outcome.end, Some((EndReason::Stopped, 0)));
    let last = seen.lock().unwrap().requests.last().unwrap().0;
    let late = last.saturating_duration_since(stop);
    assert!(late < Duration::from_millis(250), "{late:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn only_records_stand_on_the_workers_pipe() {
    let (url, _) = server().await;
    let plan =
        plan(&url, "[{name: look, think: 10ms, steps: [{get: /fine}]}]", "[{ramp: 1s, to: 2 users}, {hold: 1s}]");
    let mut worker = tokio::process::Command::new(gameday())
        .arg("load-worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    input.write_all(format!("{}\n", serde_json::to_string(&plan).unwrap()).as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, worker.stdout.take().unwrap().read_to_string(&mut text)).await.unwrap().unwrap();
    let records: Vec<WorkerRecord> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(matches!(records.first(), Some(WorkerRecord::Ready { .. })));
    assert!(matches!(records.last(), Some(WorkerRecord::Ended { reason: EndReason::Finished, .. })));
    assert!(timeout(PATIENCE, worker.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_killed_worker_is_told_from_one_that_ended() {
    let (url, _) = server().await;
    let mut worker =
        spawn(&plan(&url, "[{name: look, think: 10ms, steps: [{get: /fine}]}]", "[{hold: 5m, at: 2 users}]")).await;
    assert!(matches!(next(&mut worker).await, Some(Ok(WorkerRecord::Ready { .. }))));
    let pid = rustix::process::Pid::from_raw(i32::try_from(worker.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let lost = loop {
        match next(&mut worker).await {
            Some(Ok(WorkerRecord::Frame(_))) => {}
            other => break other,
        }
    };
    let Some(Err(error @ LoadError::Lost { .. })) = lost else { panic!("{lost:?}") };
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert!(next(&mut worker).await.is_none());
}

#[tokio::test]
async fn a_worker_dies_with_its_controller() {
    let (url, seen) = server().await;
    let mut controller = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "load::a_controller_that_is_killed"])
        .env("GAMEDAY_TEST_URL", &url)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(controller.stdout.take().unwrap()).lines();
    let pid: u32 = loop {
        let line =
            timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("the controller tells its worker");
        if let Some((_, pid)) = line.split_once("worker ") {
            break pid.parse().unwrap();
        }
    };
    wait_until("requests", || seen.lock().unwrap().count("/fine") > 10).await;
    assert!(is_running(pid));
    controller.kill().await.unwrap();
    let killed = Instant::now();
    wait_until("the worker's end", || !is_running(pid)).await;
    assert!(killed.elapsed() < Duration::from_secs(5));
}

/// Not a test of its own: the process that `a_worker_dies_with_its_controller` kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn a_controller_that_is_killed() {
    let url = std::env::var("GAMEDAY_TEST_URL").unwrap();
    let mut worker =
        spawn(&plan(&url, "[{name: look, think: 10ms, steps: [{get: /fine}]}]", "[{hold: 5m, at: 2 users}]")).await;
    println!("worker {}", worker.pid());
    while let Some(record) = worker.next().await {
        record.unwrap();
    }
}
