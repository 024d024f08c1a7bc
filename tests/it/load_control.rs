//! Loads that are steered while they run: the worker by its controller, and a run by commands from another shell.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use gameday::event::{EventKind, LoadSecond, LoadSteer};
use gameday::load::{Frame, Frames, LoadWorker, Steer, WorkerRecord};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::load_open::assert_conserved;
use crate::load_rig::{Outcome, next, plan, spawn};
use crate::support::{Workspace, wait_for};

const JOURNEYS: &str = "[{name: look, steps: [{get: /items}]}]";
const PAUSE: Steer = Steer { rate: None, is_paused: true };

fn rate(text: &str) -> Steer {
    Steer { rate: Some(text.parse().unwrap()), is_paused: false }
}

/// A server that takes so long for each answer, and the count of the requests that it has seen.
async fn server(slow: Duration) -> (String, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&count);
    let items = get(async move || {
        seen.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(slow).await;
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/items", items)).await.unwrap() });
    (url, count)
}

/// Reads frames until one is as wanted.
async fn until(worker: &mut LoadWorker, outcome: &mut Outcome, what: &str, is_it: impl Fn(&Frame) -> bool) {
    loop {
        let record = next(worker).await.unwrap_or_else(|| panic!("no frame was {what}: {:?}", outcome.end)).unwrap();
        let is_found = matches!(&record, WorkerRecord::Frame(frame) if is_it(frame));
        outcome.add(record);
        if is_found {
            return;
        }
        assert!(outcome.frames.len() < 60, "no frame was {what}: {:?}", outcome.frames.last());
    }
}

fn planned(frame: &Frame) -> u64 {
    frame.arrivals.as_ref().expect("it is an open model").planned
}

#[tokio::test]
async fn a_load_that_is_steered_loses_nobody_and_asks_for_what_it_was_told() {
    let (url, count) = server(Duration::from_millis(20)).await;
    let mut plan = plan(&url, JOURNEYS, "[{hold: 10m, at: 40/s}]");
    // So few that some wait at each change.
    plan.in_flight_max = 2;
    let mut worker = spawn(&plan).await;
    let mut outcome = Outcome::default();
    let worker = &mut worker;
    until(worker, &mut outcome, "at the shape's rate", |frame| frame.lasting_ms == 1_000 && frame.target == 40.0).await;

    worker.steer(rate("300/s")).await.unwrap();
    let is_full = |frame: &Frame| frame.target == 300.0 && frame.arrivals.as_ref().is_some_and(|it| it.waiting > 100);
    until(worker, &mut outcome, "full at the new rate", is_full).await;

    worker.steer(PAUSE).await.unwrap();
    let is_quiet = |frame: &Frame| frame.target == 0.0 && frame.in_flight == 0 && frame.steps.is_empty();
    until(worker, &mut outcome, "quiet", is_quiet).await;
    let paused = outcome.frames.last().cloned().unwrap();
    assert_eq!(planned(&paused), count.load(Ordering::SeqCst), "who had come before the pause was served in it");
    until(worker, &mut outcome, "quiet once more", is_quiet).await;
    assert_eq!(planned(outcome.frames.last().unwrap()), planned(&paused), "nobody comes in a pause");

    worker.steer(Steer::default()).await.unwrap();
    let goes_on = |frame: &Frame| frame.target == 40.0 && planned(frame) > planned(&paused) + 40;
    until(worker, &mut outcome, "at the shape's rate again", goes_on).await;
    worker.stop().await.unwrap().into_iter().for_each(|record| outcome.add(record));
    assert_conserved(&outcome);
    assert_eq!(outcome.frames.last().map(|frame| frame.started), Some(count.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn users_who_are_paused_end_their_journey_and_come_again() {
    let (url, count) = server(Duration::from_millis(5)).await;
    let mut worker = spawn(&plan(&url, JOURNEYS, "[{hold: 10m, at: 3 users}]")).await;
    let (worker, mut outcome) = (&mut worker, Outcome::default());
    until(worker, &mut outcome, "busy", |frame| frame.started > 10 && frame.target == 3.0).await;
    worker.steer(PAUSE).await.unwrap();
    let is_quiet = |frame: &Frame| frame.target == 0.0 && frame.in_flight == 0 && frame.steps.is_empty();
    until(worker, &mut outcome, "quiet", is_quiet).await;
    let before = count.load(Ordering::SeqCst);
    until(worker, &mut outcome, "quiet once more", is_quiet).await;
    assert_eq!(count.load(Ordering::SeqCst), before);
    worker.steer(Steer::default()).await.unwrap();
    until(worker, &mut outcome, "busy again", |frame| frame.started > before + 10 && frame.target == 3.0).await;
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn what_no_worker_understands_is_told() {
    let (url, _) = server(Duration::ZERO).await;
    let plan = serde_json::to_string(&plan(&url, JOURNEYS, "[{hold: 10m, at: 3 users}]")).unwrap();
    for (line, told) in [
        (r#"{"speed": 3}"#, "failed to decode how to steer the load"),
        (r#"{"rate": "-3/s", "is_paused": false}"#, "`-3/s` is below nothing"),
        (r#"{"rate": "3/s", "is_paused": false}"#, "users have no rate that could be set"),
    ] {
        let worker = Workspace::empty().start_command(
            crate::support::gameday().arg("load-worker").stdin(Stdio::from(input(&format!("{plan}\n{line}\n")))),
        );
        let output = tokio::task::spawn_blocking(|| worker.wait()).await.unwrap();
        assert_eq!(output.code(), 1, "{output:#?}");
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
}

/// A pipe with this text in it that is not closed.
fn input(text: &str) -> std::io::PipeReader {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let text = text.to_owned();
    std::thread::spawn(move || {
        writer.write_all(text.as_bytes()).unwrap();
        std::mem::forget(writer);
    });
    reader
}

/// The scenario of a load against `url`, for an hour.
fn scenario(url: &str) -> String {
    format!(
        "gameday: 1
id: steered
title: A load that is steered
owner: team-shop
mode: regression
environments: {{allow: [sandbox]}}
signals:
  ok: {{level: ux, load: {{of: customers, stat: success_ratio}}}}
hypotheses:
  - {{id: H1, severity: high, text: Customers are served, expect: 'mean(ok) >= 99%'}}
guardrails: [{{id: G1, max_duration: 2h}}]
load:
  customers:
    base_url: '{url}'
    journeys: {JOURNEYS}
    shape: [{{hold: 1h, at: 20/s}}]
timeline:
  - {{phase: load, for: 1h, do: [{{at: 0s, load: customers}}]}}
"
    )
}

fn last_second(workspace: &Workspace) -> Option<LoadSecond> {
    workspace.events().into_iter().rev().find_map(|event| match event.kind {
        EventKind::LoadRecorded(second) => Some(second),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_steered_from_another_shell() {
    let (url, count) = server(Duration::ZERO).await;
    tokio::task::spawn_blocking(move || steer_a_run(&url, &count)).await.unwrap();
}

fn steer_a_run(url: &str, count: &AtomicU64) {
    let workspace = Workspace::new();
    workspace.write("scenarios/steered.yaml", &scenario(url));
    let say = |arguments: &[&str]| {
        let output = workspace.gameday(arguments);
        assert_eq!(output.code(), 0, "{output:#?}");
    };
    let refused = |arguments: &[&str], why: &str| {
        let output = workspace.gameday(arguments);
        assert_eq!(output.code(), 1, "{output:#?}");
        assert!(output.stderr.contains(why), "{}", output.stderr);
    };
    refused(&["load", "set", "--rate", "40 users"], "`40 users` is not a rate");
    refused(&["load", "pause"], "no run is alive");
    let run = workspace.start(&["load", "scenarios/steered.yaml"]);
    wait_for("requests", || (count.load(Ordering::SeqCst) > 20).then_some(()));
    refused(&["load", "set", "--rate", "40/s", "--load", "costumers"], "did you mean `customers`?");
    refused(&["load", "set", "--rate", "0/s"], "gameday load pause");
    refused(&["load", "resume"], "load `customers` is not paused");

    let (before, start) = (count.load(Ordering::SeqCst), Instant::now());
    say(&["load", "set", "--rate", "100/s", "--by", "maria"]);
    wait_for("the new rate", || (count.load(Ordering::SeqCst) >= before + 1_000).then_some(()));
    // At 20/s it would be 50 s.
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    let second = wait_for("a second", || last_second(&workspace).filter(|second| second.target == 100.0));
    assert_eq!(second.load.as_str(), "customers");

    say(&["load", "pause", "--load", "customers", "--by", "joonas"]);
    let is_quiet = |second: &LoadSecond| second.target == 0.0 && second.ok_count == 0 && second.in_flight_count == 0;
    let quiet = wait_for("a quiet second", || last_second(&workspace).filter(is_quiet));
    let paused = count.load(Ordering::SeqCst);
    wait_for("three more", || last_second(&workspace).filter(|second| second.second >= quiet.second + 3));
    assert_eq!(count.load(Ordering::SeqCst), paused, "nobody comes in a pause");
    assert!(workspace.state().loads.values().all(|load| load.is_paused));

    say(&["load", "resume", "--by", "joonas"]);
    wait_for("the rate that was set", || last_second(&workspace).filter(|second| second.target == 100.0));
    wait_for("arrivals", || (count.load(Ordering::SeqCst) > paused + 100).then_some(()));
    say(&["abort"]);
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:#?}");

    let load = || "customers".parse().unwrap();
    for (how, by) in [
        (LoadSteer::Rate("100/s".parse().unwrap()), "maria"),
        (LoadSteer::Pause, "joonas"),
        (LoadSteer::Resume, "joonas"),
    ] {
        let expected = EventKind::LoadSteered { load: load(), how, by: Some(by.to_owned()) };
        assert_eq!(workspace.events().iter().filter(|event| event.kind == expected).count(), 1, "{expected:?}");
        let line = format!("load customers {how} by {by}");
        assert!(output.stderr.contains(&line), "no `{line}` in {}", output.stderr);
    }
    let folder = workspace.run_folder().unwrap();
    let report = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(report.contains("set to 100/s by maria"), "{report}");
    let frames: Vec<Frame> = Frames::open(&folder, &load()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(frames.last().map(|frame| frame.started), Some(count.load(Ordering::SeqCst)));
    assert_conserved(&Outcome { frames, end: None });
}
