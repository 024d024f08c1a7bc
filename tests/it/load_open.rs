//! The open model of the load worker as a real process: arrivals on schedule, honest times, named failures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::{HeaderMap, StatusCode};
use axum::response::AppendHeaders;
use axum::routing::{any, get};
use gameday::load::{EndReason, FailureKind};
use gameday::unit::Histogram;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::load_rig::{Outcome, next, plan, run, spawn, wait_until};

/// How long the slow server takes for each answer.
const SLOW: Duration = Duration::from_millis(100);

/// How long the large answer is; no more than one read of it is ever kept.
const LARGE_BYTES: usize = 32 * 1024 * 1024;

async fn listen(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    url
}

/// A server that does `answer` to each connection after its first request has begun.
async fn raw<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if stream.read(&mut [0; 4096]).await.is_ok() {
                tokio::spawn(answer(stream));
            }
        }
    });
    url
}

/// Every arrival and every request is somewhere, at every frame.
pub(crate) fn assert_conserved(outcome: &Outcome) {
    let mut ended = 0;
    for frame in &outcome.frames {
        for step in &frame.steps {
            let count = |histogram: &Option<Histogram>| histogram.as_ref().map_or(0, Histogram::count);
            ended += count(&step.ok) + count(&step.failed);
            assert_eq!(count(&step.service), count(&step.ok) + count(&step.failed));
            assert_eq!(count(&step.failed), step.failures.values().sum::<u64>());
        }
        assert_eq!(frame.started, ended + frame.in_flight, "{frame:?}");
        let arrivals = frame.arrivals.as_ref().expect("it is an open model");
        assert_eq!(arrivals.planned, arrivals.begun + arrivals.waiting + arrivals.not_sent, "{frame:?}");
    }
    // Every journey of these tests has one step.
    let last = outcome.frames.last().expect("a frame");
    let arrivals = last.arrivals.as_ref().expect("it is an open model");
    assert_eq!((arrivals.begun, arrivals.waiting), (last.started, 0));
}

#[tokio::test]
async fn every_arrival_of_the_schedule_is_sent_when_it_is_due() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let router = Router::new().route(
        "/items",
        get(move || {
            note.lock().unwrap().push(Instant::now());
            async { "here" }
        }),
    );
    let url = listen(router).await;
    let journeys = "[{name: look, steps: [{name: items, get: /items}]}]";
    let outcome =
        run(&plan(&url, journeys, "[{hold: 2s, at: 100/s}, {ramp: 2s, to: 300/s}, {hold: 1s, at: 0/s}]")).await;
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    assert_conserved(&outcome);
    let last = outcome.frames.last().and_then(|frame| frame.arrivals.clone()).expect("it is an open model");
    assert_eq!((last.planned, last.begun, last.not_sent), (600, 600, 0));
    assert_eq!(outcome.totals(None).ok, 600);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 600);
    // On the whole they are there to a fraction of a millisecond; a busy machine makes some of them late, also the first.
    let mut off: Vec<f64> = (0_u32..200)
        .zip(seen.iter())
        .map(|(number, came)| came.duration_since(seen[0]).as_secs_f64() - f64::from(number) * 0.01)
        .collect();
    off.sort_unstable_by(f64::total_cmp);
    assert!(off[150] - off[50] < 0.005, "{off:?}");
    let targets: Vec<f64> = outcome.frames.iter().map(|frame| frame.target).collect();
    assert!(targets.contains(&100.0) && targets.iter().any(|target| *target > 200.0), "{targets:?}");
}

#[tokio::test]
async fn who_waits_for_its_turn_has_its_waiting_in_its_response_time_and_the_rest_is_told() {
    let router = Router::new().route(
        "/slow",
        get(async || {
            tokio::time::sleep(SLOW).await;
            "at last"
        }),
    );
    let url = listen(router).await;
    let mut plan = plan(&url, "[{name: look, steps: [{name: slow, get: /slow}]}]", "[{hold: 3s, at: 20/s}]");
    plan.in_flight_max = 1;
    let outcome = run(&plan).await;
    assert_conserved(&outcome);
    // One user can take ten a second at most.
    let last = outcome.frames.last().and_then(|frame| frame.arrivals.clone()).expect("it is an open model");
    assert_eq!(last.planned, 60);
    assert!(last.begun <= 31 && last.not_sent == 60 - last.begun, "{last:?}");
    assert!(outcome.frames.iter().any(|frame| frame.arrivals.as_ref().is_some_and(|arrivals| arrivals.waiting > 5)));
    let totals = outcome.totals(None);
    let (most, least) = (totals.latency.max().unwrap(), totals.latency.min().unwrap());
    assert!(least >= SLOW - Duration::from_millis(1) && most > 10 * SLOW, "{least:?} to {most:?}");
    let mut service = Histogram::default();
    for step in outcome.frames.iter().flat_map(|frame| &frame.steps) {
        service.merge(step.service.as_ref().unwrap());
    }
    assert!(service.quantile(0.5).unwrap() < 3 * SLOW, "{service:?}");
}

#[tokio::test]
async fn a_stop_lets_no_arrival_begin() {
    let count = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&count);
    let router = Router::new().route(
        "/items",
        get(move || {
            seen.fetch_add(1, Ordering::Relaxed);
            async { "here" }
        }),
    );
    let url = listen(router).await;
    let journeys = "[{name: look, steps: [{get: /items}]}]";
    let mut worker = spawn(&plan(&url, journeys, "[{hold: 5m, at: 500/s}]")).await;
    wait_until("requests", || count.load(Ordering::Relaxed) > 100).await;
    let mut outcome = Outcome::default();
    worker.stop().await.unwrap().into_iter().for_each(|record| outcome.add(record));
    assert_eq!(outcome.end, Some((EndReason::Stopped, 0)));
    assert_eq!(outcome.frames.last().map(|frame| frame.started), Some(count.load(Ordering::Relaxed)));
    assert!(next(&mut worker).await.is_none());
}

#[tokio::test]
async fn what_a_server_does_wrong_has_a_name() {
    let fine = listen(
        Router::new()
            .route("/throttled", get(async || StatusCode::TOO_MANY_REQUESTS))
            .route("/loop", get(async || (StatusCode::FOUND, [("location", "/loop")])))
            .route("/nowhere", get(async || StatusCode::FOUND))
            .route("/away", get(async || (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")])))
            .route("/large", get(async || vec![b'x'; LARGE_BYTES])),
    )
    .await;
    let reset = raw(async |stream| stream.set_zero_linger().unwrap()).await;
    let closed = raw(async |_| {}).await;
    let half = raw(async |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.ok();
    })
    .await;
    let garbage = raw(async |mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.ok();
        stream.read_exact(&mut [0; 1]).await.ok();
    })
    .await;
    let stalled = raw(async |stream| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cases = [
        ("throttled", format!("get: '{fine}/throttled'"), Some(FailureKind::Throttled)),
        ("loop", format!("get: '{fine}/loop'"), Some(FailureKind::Redirect)),
        ("nowhere", format!("get: '{fine}/nowhere'"), Some(FailureKind::Redirect)),
        ("away", format!("get: '{fine}/away'"), Some(FailureKind::Elsewhere)),
        ("reset", format!("get: '{reset}/'"), Some(FailureKind::Broken)),
        ("closed", format!("get: '{closed}/'"), Some(FailureKind::Broken)),
        ("half", format!("get: '{half}/'"), Some(FailureKind::Broken)),
        ("garbage", format!("get: '{garbage}/'"), Some(FailureKind::Protocol)),
        ("stalled", format!("get: '{stalled}/', timeout: 300ms"), Some(FailureKind::Timeout)),
        ("refused", format!("get: 'http://{nobody}/'"), Some(FailureKind::Connect)),
        ("tls", format!("get: '{}/'", fine.replace("http:", "https:")), Some(FailureKind::Tls)),
        ("large", format!("get: '{fine}/large'"), None),
    ];
    let steps: Vec<String> =
        cases.iter().map(|(name, step, _)| format!("{{name: {name}, steps: [{{name: {name}, {step}}}]}}")).collect();
    let mut plan = plan(&fine, &format!("[{}]", steps.join(",")), "[{hold: 5s, at: 20/s}, {hold: 1s, at: 0/s}]");
    plan.redirects = 5;
    let outcome = run(&plan).await;
    assert_conserved(&outcome);
    for (name, _, kind) in cases {
        let totals = outcome.totals(Some(name));
        match kind {
            Some(kind) => {
                assert!(totals.failed > 0 && totals.ok == 0, "{name}: {totals:?}");
                assert_eq!(totals.failures, BTreeMap::from([(kind, totals.failed)]), "{name}");
            }
            None => assert!(totals.ok > 0 && totals.failed == 0, "{name}: {totals:?}"),
        }
        let samples = outcome.frames.iter().flat_map(|frame| &frame.samples).filter(|sample| sample.step == name);
        assert_eq!(samples.count() > 0, kind.is_some(), "{name}");
    }
    let bytes: u64 = outcome.frames.iter().flat_map(|frame| &frame.steps).map(|step| step.bytes).sum();
    assert!(bytes >= outcome.totals(Some("large")).ok * LARGE_BYTES as u64);
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_they_may_and_cookies_go_along() {
    let router = Router::new()
        .route(
            "/login",
            any(async || {
                (StatusCode::SEE_OTHER, AppendHeaders([("set-cookie", "who=me; Path=/"), ("location", "/home")]))
            }),
        )
        .route(
            "/home",
            get(async |headers: HeaderMap| match headers.get("cookie") {
                Some(cookie) if cookie == "who=me" && !headers.contains_key("content-type") => StatusCode::OK,
                _ => StatusCode::FORBIDDEN,
            }),
        );
    let url = listen(router).await;
    let journeys = "[{name: log in, steps: [{name: in, post: /login, json: {user: me}, expect: {status: 200}}]}]";
    let mut followed = plan(&url, journeys, "[{hold: 1s, at: 10/s}, {hold: 1s, at: 0/s}]");
    followed.redirects = 1;
    assert_eq!(run(&followed).await.totals(None).ok, 10);
    let answers = run(&plan(&url, journeys, "[{hold: 1s, at: 10/s}, {hold: 1s, at: 0/s}]")).await.totals(None);
    assert_eq!(answers.failures, BTreeMap::from([(FailureKind::Status, 10)]));
}

#[tokio::test]
async fn values_are_made_anew_for_each_request_and_the_run_is_named() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let router = Router::new().route(
        "/items/{id}",
        any(async move |UrlPath(id): UrlPath<String>, headers: HeaderMap, body: String| {
            let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            note.lock().unwrap().push((id, header("x-gameday-run"), header("user-agent"), body));
        }),
    );
    let url = listen(router).await;
    let journeys = r#"[{name: buy, steps: [{put: "/items/${uuid}", json: {count: "${random(1,9)}"}}]}]"#;
    let mut plan = plan(&url, journeys, "[{hold: 1s, at: 50/s}, {hold: 1s, at: 0/s}]");
    plan.run = Some("2026-11-27-shop-1".to_owned());
    assert_eq!(run(&plan).await.totals(None).ok, 50);
    let seen = seen.lock().unwrap();
    let ids: std::collections::BTreeSet<&String> = seen.iter().map(|(id, ..)| id).collect();
    assert_eq!(ids.len(), 50);
    let agent = concat!("gameday/", env!("CARGO_PKG_VERSION"));
    for (_, run, seen_agent, body) in seen.iter() {
        assert_eq!((run.as_deref(), seen_agent.as_deref()), (Some("2026-11-27-shop-1"), Some(agent)));
        let count: u64 = serde_json::from_str::<serde_json::Value>(body).unwrap()["count"].as_u64().unwrap();
        assert!((1..=9).contains(&count), "{body}");
    }
}

#[tokio::test]
async fn many_requests_share_a_connection_of_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let service = hyper::service::service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
                tokio::time::sleep(SLOW).await;
                let text = format!("{:?} {}", request.version(), request.uri());
                Ok::<_, std::convert::Infallible>(hyper::Response::new(text))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
        }
    });
    let journeys =
        format!("[{{name: look, steps: [{{get: /a, expect: {{body: {{contains: 'HTTP/2.0 {url}/a'}}}}}}]}}]");
    let mut plan = plan(&url, &journeys, "[{hold: 2s, at: 200/s}, {hold: 1s, at: 0/s}]");
    plan.http2 = true;
    let outcome = run(&plan).await;
    assert_eq!((outcome.totals(None).ok, outcome.totals(None).failed), (400, 0));
    // Twenty are under way at a time, far fewer than a connection carries.
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn at_the_end_of_more_load_than_can_be_made_nobody_is_lost() {
    let url = listen(Router::new().route("/items", get(async || "here"))).await;
    let mut plan = plan(&url, "[{name: look, steps: [{get: /items}]}]", "[{hold: 2s, at: 5000/s}]");
    plan.in_flight_max = 20;
    let outcome = run(&plan).await;
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    assert_conserved(&outcome);
    let last = outcome.frames.last().and_then(|frame| frame.arrivals.clone()).expect("it is an open model");
    assert_eq!(last.planned, 10_000);
    assert_eq!(outcome.totals(None).count(), last.begun);
}

#[tokio::test]
async fn what_is_found_out_of_the_environment_still_names_its_host() {
    let url = listen(Router::new().route("/items", get(async || "here"))).await;
    let plain = url.clone();
    for journey in [
        format!("get: '{plain}?q=${{random(1,9)}}'"),
        format!("get: '{plain}/items?q=${{random(1,9)}}'"),
        "get: '/items?q=${uuid}'".to_owned(),
    ] {
        let journeys = format!("[{{name: look, steps: [{{{journey}, expect: {{status: [200, 404]}}}}]}}]");
        let totals = run(&plan(&url, &journeys, "[{hold: 1s, at: 10/s}, {hold: 1s, at: 0/s}]")).await.totals(None);
        assert_eq!((totals.ok, totals.failed), (10, 0), "{journey}: {:?}", totals.failures);
    }
}

#[tokio::test]
async fn a_stage_that_takes_too_long_is_given_up_before_the_whole_is() {
    let silent = raw(async |stream| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let mut plan = plan(&silent, "[{name: look, steps: [{get: /}]}]", "[{hold: 1s, at: 10/s}, {hold: 1s, at: 0/s}]");
    plan.first_byte_timeout = Some("200ms".parse().unwrap());
    let totals = run(&plan).await.totals(None);
    assert_eq!(totals.failures, BTreeMap::from([(FailureKind::Timeout, 10)]));
    assert!(totals.latency.min().unwrap() >= Duration::from_millis(199), "{totals:?}");
}
