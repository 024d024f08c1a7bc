//! What a run keeps of its fault proxy: every second's record, and the first time that a fault was done to a caller.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use chrono::{DateTime, Utc};
use gameday::event::{DelaySummary, Event, EventKind, ProcessKind, ProxyFaultSecond, ProxySecond};
use gameday::proxy::{AdminClient, ProxyStats};
use gameday::unit::Histogram;
use serde_json::Value;

use crate::support::{PATIENCE, Run, Workspace, wait_for};

const SCENARIO: &str = r#"
gameday: 1
id: evidence
title: What the proxy did
owner: team-shop
targets:
  provider: {proxy: {listen: "127.0.0.1:18474", upstream: "127.0.0.1:18080", protocol: http}}
hypotheses: [{id: H1, text: "Somebody looks", expect: "mark(seen)"}]
faults:
  slow: {proxy_latency: {target: provider, latency: 3ms}}
  late: {proxy_latency: {target: provider, latency: 40ms, match: {path: /late}}}
  broken: {proxy_http_error: {target: provider, status: 503, body: broken, match: {path: /broken}}}
  idle: {proxy_truncate: {target: provider, bytes: 1, match: {path: /never}}}
timeline:
  - phase: broken
    for: 10m
    until: mark(seen)
    do: [{at: 0s, fault: slow}, {at: 0s, fault: late}, {at: 0s, fault: broken}, {at: 0s, fault: idle}]
"#;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server that answers each request without a body on its connections, for as long as the test lives.
fn serve(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while read_head(&mut stream).is_some() {
                    if stream.write_all(ANSWER).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// A head byte by byte; none at the end of the stream.
fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    Some(head)
}

/// A client of the proxy on one connection, and what it saw.
struct Client {
    stream: TcpStream,
    requests: u64,
    sent: u64,
    received: u64,
}

impl Client {
    fn connect(workspace: &Workspace) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", workspace.proxy_port)).expect("the proxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, requests: 0, sent: 0, received: 0 }
    }

    fn ask(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        self.stream.write_all(request.as_bytes()).expect("written");
        let head = read_head(&mut self.stream).expect("an answer");
        let text = String::from_utf8(head).expect("text");
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        self.stream.read_exact(&mut body).expect("a body");
        self.requests += 1;
        self.sent += u64::try_from(request.len()).expect("small");
        self.received += u64::try_from(text.len() + body.len()).expect("small");
        text
    }
}

/// A run whose four faults are in, and the server behind its proxy.
fn start() -> (Workspace, Run) {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", "gameday: 1\nenvironments: {sandbox: {exec: []}}\n");
    workspace.write("scenarios/evidence.yaml", SCENARIO);
    serve(workspace.provider_port);
    let run = workspace.start(&["run", "scenarios/evidence.yaml", "--no-watchdog"]);
    wait_for("the faults to be in", || {
        let state = workspace.state();
        (state.faults.iter().filter(|fault| fault.applied_ms.is_some()).count() == 4).then_some(())
    });
    (workspace, run)
}

fn finish(workspace: &Workspace, run: Run) {
    wait_for("the mark", || (workspace.gameday(&["mark", "seen"]).status.code() == Some(0)).then_some(()));
    let output = run.wait();
    assert_eq!(output.code(), 6, "{output:#?}");
    let untested = "H1 not tested (made): fault `idle` never proved its effect";
    assert!(output.stderr.contains(untested), "a fault that nobody met says nothing of the system: {output:#?}");
}

fn seconds(workspace: &Workspace) -> Vec<ProxySecond> {
    let seconds = workspace.events().into_iter().filter_map(|event| match event.kind {
        EventKind::ProxyRecorded(second) => Some(second),
        _ => None,
    });
    seconds.collect()
}

fn sum(seconds: &[ProxySecond], of: impl Fn(&ProxySecond) -> u64) -> u64 {
    seconds.iter().map(of).sum()
}

/// What the records tell of one fault, in their order.
fn of_fault<'a>(seconds: &'a [ProxySecond], fault: &str) -> Vec<&'a ProxyFaultSecond> {
    let is_it = |second: &&ProxyFaultSecond| second.identity.as_ref().is_some_and(|it| it.fault.as_str() == fault);
    seconds.iter().flat_map(|second| &second.faults).filter(is_it).collect()
}

fn applied(seconds: &[ProxySecond], fault: &str) -> u64 {
    of_fault(seconds, fault).iter().map(|second| second.applied).sum()
}

fn so_far(seconds: &[ProxySecond], fault: &str) -> DelaySummary {
    let told = of_fault(seconds, fault).into_iter().rev().find_map(|second| second.delay);
    told.expect("it has added delays").so_far
}

/// The totals as the proxy itself tells them.
fn totals(workspace: &Workspace) -> ProxyStats {
    let processes = workspace.state().processes;
    let (_, _, address) = processes.iter().find(|(kind, ..)| *kind == ProcessKind::Proxy).expect("a proxy");
    let client = AdminClient::unix(address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(client.stats()).expect("stats").proxies.remove("provider").expect("the proxy")
}

#[test]
fn the_records_of_all_seconds_add_up_to_what_the_client_did_and_to_the_totals() {
    let (workspace, run) = start();
    let mut client = Client::connect(&workspace);
    for round in 1..=3 {
        for path in ["/late", "/late", "/broken", "/other"] {
            let answer = client.ask(path);
            assert_eq!(answer.starts_with("HTTP/1.1 503 "), path == "/broken", "{answer}");
        }
        // Over several looks at the proxy.
        wait_for("the round to be recorded", || {
            (sum(&seconds(&workspace), |second| second.requests) == round * 4).then_some(())
        });
    }
    let of_proxy = totals(&workspace);
    assert_eq!((of_proxy.requests, of_proxy.connections_total), (12, 1));
    // What comes just before the faults are undone counts, too.
    client.ask("/late");
    client.ask("/broken");
    finish(&workspace, run);

    let seconds = seconds(&workspace);
    assert!(seconds.len() >= 3, "a look for each round at least: {seconds:#?}");
    assert_eq!(sum(&seconds, |second| second.requests), client.requests);
    assert_eq!(sum(&seconds, |second| second.connections), 1);
    assert_eq!(sum(&seconds, |second| second.bytes_upstream), client.sent);
    assert_eq!(sum(&seconds, |second| second.bytes_downstream), client.received);
    let counts = ["slow", "late", "broken", "idle"].map(|fault| applied(&seconds, fault));
    assert_eq!(counts, [14, 7, 4, 0], "{seconds:#?}");
    for (fault, asked_us, count) in [("slow", 3_000, 14), ("late", 40_000, 7)] {
        let told: Vec<_> = of_fault(&seconds, fault).into_iter().filter_map(|second| second.delay).collect();
        assert!(told.iter().all(|delay| (delay.asked_us, delay.jitter_us) == (Some(asked_us), None)), "{told:#?}");
        assert_eq!(told.iter().map(|delay| delay.second.count).sum::<u64>(), count, "{fault}");
        let all = so_far(&seconds, fault);
        assert!(all.count == count && all.p50_us >= asked_us && all.max_us >= all.p50_us, "{fault}: {all:?}");
    }
    assert!(of_fault(&seconds, "broken").iter().all(|second| second.delay.is_none()), "an error adds no delay");

    let folder = workspace.run_folder().expect("a run");
    let frames = std::fs::read_to_string(folder.join("evidence/proxy-provider.ndjson")).expect("frames");
    let mut late = Histogram::default();
    for line in frames.lines() {
        let frame: Value = serde_json::from_str(line).expect("JSON");
        for fault in frame["faults"].as_array().expect("faults").iter().filter(|it| it["id"]["fault"] == "late") {
            late.merge(&serde_json::from_value(fault["delays"].clone()).expect("a histogram"));
        }
    }
    let p50 = late.quantile(0.5).expect("delays");
    assert!(late.count() == 7 && p50 >= Duration::from_millis(40), "{late:?}");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("a report");
    let told =
        report.split_once("late, by the fault proxy: applied 7 times; asked 40 ms, added p50 ").expect("the delay").1;
    let (told, _) = told.split_once(" ms").expect("milliseconds");
    assert!(told.parse::<f64>().is_ok_and(|p50| p50 >= 40.0), "{told} in {report}");
    assert!(report.contains("broken, by the fault proxy: applied 4 times\n"), "{report}");
}

/// The only event about a fault that `is_it` knows.
fn the_event(events: &[Event], fault: &str, is_it: fn(&EventKind) -> bool) -> Option<Event> {
    let is_ours = |event: &&Event| event.kind.fault().is_some_and(|identity| identity.fault.as_str() == fault);
    let mut found = events.iter().filter(is_ours).filter(|event| is_it(&event.kind));
    let event = found.next().cloned();
    assert!(found.next().is_none(), "{fault} has more than one: {events:#?}");
    event
}

fn proof_of(events: &[Event], fault: &str) -> Option<Event> {
    the_event(events, fault, |kind| matches!(kind, EventKind::FaultEffective { .. }))
}

fn millis_between(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    (to - from).num_milliseconds()
}

#[test]
fn the_first_application_of_a_fault_is_its_proof_and_what_was_never_applied_is_unproven() {
    let (workspace, run) = start();
    let mut client = Client::connect(&workspace);
    client.ask("/other");
    wait_for("the toxic to be proven", || proof_of(&workspace.events(), "slow"));
    // The look that told of the toxic saw that nothing was done by the rules.
    for fault in ["late", "broken", "idle"] {
        assert_eq!(proof_of(&workspace.events(), fault), None, "{fault} was not applied yet");
    }
    let (mut told, mut asked) = (Vec::new(), Vec::new());
    for (fault, path) in [("late", "/late"), ("broken", "/broken")] {
        let before = utc_now();
        client.ask(path);
        asked.push((before, utc_now()));
        told.push(wait_for("the proof", || proof_of(&workspace.events(), fault)));
        // What comes later does not move it.
        client.ask(path);
    }
    finish(&workspace, run);
    let (events, state) = (workspace.events(), workspace.state());
    let began = events.first().expect("a start");
    for ((proof, (before, after)), fault) in told.iter().zip(asked).zip(["late", "broken"]) {
        assert_eq!(proof_of(&events, fault).as_ref(), Some(proof));
        let EventKind::FaultEffective { evidence, first_ms: Some(first_ms), .. } = &proof.kind else {
            panic!("{proof:#?}")
        };
        // On the run's clock it was not before the caller asked, and not after it was told. Each whole millisecond is cut off.
        let began_at = began.at - chrono::TimeDelta::milliseconds(i64::try_from(began.elapsed_ms).expect("small"));
        let least = millis_between(began_at, before) - 3;
        assert!(i64::try_from(*first_ms).expect("small") >= least, "{first_ms} ms, asked at {least} ms");
        assert!(*first_ms <= proof.elapsed_ms, "{proof:#?}");
        // On the proxy's own clock it was within the caller's call, after the rule was put there.
        let intended =
            the_event(&events, fault, |kind| matches!(kind, EventKind::FaultIntended { .. })).expect("it was");
        let applied = the_event(&events, fault, |kind| matches!(kind, EventKind::FaultApplied { .. })).expect("it was");
        let after_added =
            evidence.split_once(", first ").and_then(|(_, rest)| rest.split_once(" after")).expect(evidence);
        let first = gameday::unit::parse_duration(after_added.0).expect("a duration");
        let first = i64::try_from(first.as_millis()).expect("small");
        let bounds = millis_between(applied.at, before) - 2..=millis_between(intended.at, after) + 2;
        assert!(bounds.contains(&first), "{fault}: {evidence}, expected {bounds:?}");
        let progress = state.faults.iter().find(|it| it.identity.fault.as_str() == fault).expect("it is there");
        assert_eq!(progress.effective_ms, Some(*first_ms));
    }
    let idle = state.faults.iter().find(|fault| fault.identity.fault.as_str() == "idle").expect("it is there");
    assert_eq!((idle.effective_ms, &idle.evidence), (None, &None));
    let report = std::fs::read_to_string(workspace.run_folder().expect("a run").join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let unproven: Vec<_> = findings.iter().filter(|finding| finding["kind"] == "unproven").collect();
    let text = "`idle` was in place, but the fault proxy never did it to a caller.";
    assert!(unproven.len() == 1 && unproven.iter().all(|it| it["text"] == text), "{findings:#?}");
}

#[expect(clippy::disallowed_methods, reason = "a test of moments needs the real clock")]
fn utc_now() -> DateTime<Utc> {
    Utc::now()
}
