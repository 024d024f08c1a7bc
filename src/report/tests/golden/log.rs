//! How the golden logs were made. They are inputs: only `the_logs_are_written_anew`, which nobody runs by accident, writes them.

use std::path::Path;

use super::{UNDECIDED, logs};
use crate::event::{
    AbortCause, Event, EventKind, FaultEnd, HypothesisResult, LoadSecond, LoadStepSecond, Observation, PhaseEnd,
    RunOutcome, StepAsks, StepOutcome, Verdict,
};
use crate::lesson::{Retested, Status};
use crate::plan::{Plan, compile};
use crate::report::number::float;
use crate::report::sample::{Script, armed, frame_of, identity, intended};
use crate::scenario;
use crate::unit::sha256_hex;
use crate::workspace::Workspace;

const THROTTLE: &str = "throttle";

fn started(name: &str, format: u32, plan_sha256: &str) -> EventKind {
    EventKind::RunStarted {
        format,
        run: format!("2026-11-10-100000-{name}").parse().unwrap(),
        scenario: "shop".parse().unwrap(),
        title: "Orders are taken while payments are throttled".to_owned(),
        environment: "sandbox".to_owned(),
        version: "0.1.0".to_owned(),
        seed: 42,
        plan_sha256: plan_sha256.to_owned(),
        process: 4_711,
    }
}

/// A second of the shoppers: payments that fail are slow too.
fn second(second: u64, failed_count: u64, p99_ms: u64) -> LoadSecond {
    let ok_count = 5 - failed_count;
    let failures = (failed_count > 0).then(|| ("status".to_owned(), failed_count));
    let step = LoadStepSecond { ok_count, failed_count, p99_ms: Some(float(p99_ms)) };
    LoadSecond {
        load: "shoppers".parse().unwrap(),
        second,
        target: 5.0,
        ok_count,
        failed_count,
        in_flight_count: 1,
        p50_ms: Some(float(p99_ms / 2)),
        p99_ms: Some(float(p99_ms)),
        not_sent_count: 0,
        doubts: Vec::new(),
        failures: failures.into_iter().collect(),
        steps: [("pay".to_owned(), step)].into(),
    }
}

fn observation(term: &str, held: Option<bool>, observed: Option<&str>, window_ms: (u64, u64)) -> Observation {
    Observation {
        term: term.to_owned(),
        held,
        observed: observed.map(ToOwned::to_owned),
        window_ms: held.map(|_| window_ms),
        sample_count: if held.is_some() { 40 } else { 0 },
        held_ms: None,
        spread: None,
        missing: held.is_none().then(|| UNDECIDED.to_owned()),
    }
}

fn judged(hypothesis: &str, verdict: Verdict, observations: Vec<Observation>) -> EventKind {
    EventKind::HypothesisJudged(HypothesisResult { hypothesis: hypothesis.parse().unwrap(), verdict, observations })
}

/// Orders that were taken, all or not all.
fn orders(is_upheld: bool) -> EventKind {
    let (verdict, seen) = if is_upheld { (Verdict::Upheld, "100 %") } else { (Verdict::Refuted, "72.5 %") };
    let of = observation("mean(ok) >= 99% during throttled", Some(is_upheld), Some(seen), (6_000, 14_000));
    judged("H1", verdict, vec![of])
}

fn waits(verdict: Verdict) -> EventKind {
    let (held, observed) = match &verdict {
        Verdict::Upheld | Verdict::GapClosed => (Some(true), Some("310 ms")),
        Verdict::Refuted | Verdict::GapHolds => (Some(false), Some("2.1 s")),
        Verdict::Inconclusive(_) | Verdict::NotTested(_) => (None, None),
    };
    let of = observation("p99(latency) <= 800ms during throttled", held, observed, (6_000, 14_000));
    let spread = held.map(|_| ["22 ms", "118 ms", observed.unwrap_or_default(), "2.2 s"].map(ToOwned::to_owned));
    let observations =
        if matches!(verdict, Verdict::NotTested(_)) { Vec::new() } else { vec![Observation { spread, ..of }] };
    judged("H2", verdict, observations)
}

/// The first phase, the load, and the gate behind it.
fn opening(script: &mut Script, start: EventKind, is_open: bool) {
    let phase = || "baseline".parse().unwrap();
    script.at(0, start);
    script.at(700, EventKind::ReadinessPassed { checks: vec!["targets found".to_owned(), "no lock".to_owned()] });
    script.at(1_000, EventKind::PhaseStarted { phase: phase() });
    script.at(1_000, EventKind::LoadStarted { load: "shoppers".parse().unwrap(), pid: 99 });
    let reading = if is_open { "mean(ok) was 100 % for 3 s" } else { "mean(ok) was 80 % for 3 s" };
    let reading =
        EventKind::GuardrailRead { guardrail: "G1".parse().unwrap(), reading: reading.to_owned(), nearness: None };
    script.at(5_500, reading);
    let (verdict, seen) = if is_open { (Verdict::Upheld, "100 %") } else { (Verdict::Refuted, "80 %") };
    let seen = observation("mean(ok) >= 99%", Some(is_open), Some(seen), (1_000, 6_000));
    let result = HypothesisResult { hypothesis: "H1".parse().unwrap(), verdict, observations: vec![seen] };
    script.at(6_000, EventKind::GateJudged { phase: phase(), open: is_open, results: vec![result] });
    let why = if is_open { PhaseEnd::TimeUp } else { PhaseEnd::GateShut };
    script.at(6_000, EventKind::PhaseEnded { phase: phase(), why });
}

fn load(script: &mut Script, seconds: std::ops::Range<u64>, failed_count: u64, p99_ms: u64) {
    for at in seconds {
        script.at(at * 1_000 + 1_020, EventKind::LoadRecorded(second(at, failed_count, p99_ms)));
    }
}

/// The second phase, with its step for a person, and the fault up to the proof of it.
fn injection(script: &mut Script) {
    script.at(6_010, EventKind::PhaseStarted { phase: "throttled".parse().unwrap() });
    let step = EventKind::StepOpened {
        step: "look".parse().unwrap(),
        text: "Look at the board".to_owned(),
        owner: Some("responder".parse().unwrap()),
        due_ms: Some(10_010),
        must: false,
        playbook: None,
        asks: StepAsks::default(),
    };
    script.at(6_020, step);
    let (change, undo) = ("reserved concurrency of payments-fn: none → 0", "delete the reserved concurrency");
    script.at(6_100, intended("001", THROTTLE, "lambda_concurrency", "payments-fn", change, undo));
    script.at(6_120, armed("001", THROTTLE));
    script.at(6_400, EventKind::FaultApplied { identity: identity("001", THROTTLE) });
    let evidence = "p99(latency) > 200ms: observed 310 ms".to_owned();
    script.at(8_000, EventKind::FaultEffective { identity: identity("001", THROTTLE), evidence, first_ms: None });
}

fn people(script: &mut Script) {
    let by = || Some("aiko".to_owned());
    script.at(
        9_000,
        EventKind::StepClosed { step: "look".parse().unwrap(), outcome: StepOutcome::Done, by: by(), evidence: None },
    );
    script.at(
        9_500,
        EventKind::Marked { name: "detected".to_owned(), fault: None, by: by(), component: None, text: None },
    );
    script.at(9_900, EventKind::Noted { text: "The board shows orders, and no payments.".to_owned(), by: by() });
}

fn undone(script: &mut Script, at_ms: u64) {
    script.at(at_ms, EventKind::FaultReverting { identity: identity("001", THROTTLE) });
    script.at(at_ms + 200, EventKind::FaultRestored { identity: identity("001", THROTTLE), how: FaultEnd::Restored });
}

fn ended(script: &mut Script, at_ms: u64, outcome: RunOutcome, exit_code: u8) {
    script.at(at_ms, EventKind::LoadEnded { load: "shoppers".parse().unwrap() });
    script.at(at_ms + 900, EventKind::RunEnded { outcome, exit_code });
}

fn walked(start: EventKind, verdicts: [EventKind; 2], exit_code: u8) -> Script {
    let mut script = Script::default();
    opening(&mut script, start, true);
    load(&mut script, 1..6, 0, 60);
    let failed_count =
        if matches!(&verdicts[0], EventKind::HypothesisJudged(of) if of.verdict == Verdict::Refuted) { 1 } else { 0 };
    load(&mut script, 6..14, failed_count, 310);
    injection(&mut script);
    people(&mut script);
    script.at(14_000, EventKind::PhaseEnded { phase: "throttled".parse().unwrap(), why: PhaseEnd::TimeUp });
    script.at(14_010, EventKind::RunRecovering);
    undone(&mut script, 14_020);
    let [first, second] = verdicts;
    script.at(14_300, first).at(14_310, second).at(14_400, EventKind::RunSettled);
    ended(&mut script, 14_500, RunOutcome::Completed, exit_code);
    script
}

fn inconclusive(start: EventKind) -> Script {
    walked(start, [orders(true), waits(Verdict::Inconclusive(UNDECIDED.to_owned()))], 6)
}

fn aborted(start: EventKind) -> Script {
    let mut script = Script::default();
    let guardrail = || "G1".parse().unwrap();
    opening(&mut script, start, true);
    load(&mut script, 1..6, 0, 60);
    load(&mut script, 6..11, 4, 2_100);
    injection(&mut script);
    let observed = "mean(ok) was 20 % for 3 s".to_owned();
    script.at(11_100, EventKind::GuardrailTripped { guardrail: guardrail(), observed });
    script.at(11_110, EventKind::RunAborted { cause: AbortCause::Guardrail { guardrail: guardrail() } });
    script.at(11_120, EventKind::PhaseEnded { phase: "throttled".parse().unwrap(), why: PhaseEnd::Aborted });
    undone(&mut script, 11_150);
    let why = || Verdict::NotTested("the run was aborted".to_owned());
    script.at(11_400, judged("H1", why(), Vec::new())).at(11_410, waits(why())).at(11_500, EventKind::RunSettled);
    ended(&mut script, 11_600, RunOutcome::Aborted, 4);
    script
}

fn gate(start: EventKind) -> Script {
    let mut script = Script::default();
    opening(&mut script, start, false);
    load(&mut script, 1..6, 1, 60);
    let why = || Verdict::NotTested("the gate of `baseline` stayed shut".to_owned());
    script.at(6_100, judged("H1", why(), Vec::new())).at(6_110, waits(why())).at(6_200, EventKind::RunSettled);
    ended(&mut script, 6_300, RunOutcome::GateShut, 7);
    script
}

fn dirty(start: EventKind) -> Script {
    let mut script = Script::default();
    for event in walked(start, [orders(true), waits(Verdict::Upheld)], 8).events() {
        let kind = match event.kind {
            EventKind::FaultRestored { identity, .. } => EventKind::FaultStuck {
                identity,
                error: "TooManyRequestsException: Rate exceeded".to_owned(),
                by_hand: vec![
                    "aws lambda delete-function-concurrency --function-name payments-fn".to_owned(),
                    "aws lambda get-function-concurrency --function-name payments-fn | cat".to_owned(),
                ],
            },
            EventKind::RunSettled => EventKind::RunDirty { left: vec![THROTTLE.to_owned()] },
            kind => kind,
        };
        script.at(event.elapsed_ms, kind);
    }
    script
}

/// A run as a program wrote it that knew less, but for one kind that this one does not know.
fn older(start: EventKind) -> Vec<Event> {
    let mut script = walked(start, [orders(true), waits(Verdict::Upheld)], 0);
    script.at(10_500, EventKind::Unknown(serde_json::json!({"weather_changed": {"to": "rain"}})));
    let mut events = script.events();
    for event in &mut events {
        match &mut event.kind {
            EventKind::LoadRecorded(second) => {
                second.steps.clear();
                second.failures.clear();
            }
            EventKind::HypothesisJudged(result) => result.observations.iter_mut().for_each(|of| of.spread = None),
            EventKind::RunStarted { version, .. } => "0.0.9".clone_into(version),
            _ => {}
        }
    }
    events.retain(|event| !matches!(event.kind, EventKind::GuardrailRead { .. }));
    (0..).zip(&mut events).for_each(|(seq, event)| event.seq = seq);
    events
}

fn events(name: &str, plan_sha256: &str) -> Vec<Event> {
    let start = started(name, if name == "newer" { 2 } else { 1 }, plan_sha256);
    let script = match name {
        "upheld" => walked(start, [orders(true), waits(Verdict::Upheld)], 0),
        "refuted" => walked(start, [orders(false), waits(Verdict::Upheld)], 3),
        "gap" => walked(start, [orders(true), waits(Verdict::GapHolds)], 0),
        "closed" => walked(start, [orders(true), waits(Verdict::GapClosed)], 3),
        "inconclusive" => inconclusive(start),
        "aborted" => aborted(start),
        "gate" => gate(start),
        "dirty" => dirty(start),
        "older" => return older(start),
        "torn" | "newer" => walked(start, [orders(true), waits(Verdict::Upheld)], 0),
        other => panic!("nothing says how `{other}` went"),
    };
    script.events()
}

/// An event as the log has it. What a newer version added is written as that version would.
fn line(event: &Event) -> String {
    let mut text = match &event.kind {
        EventKind::Unknown(kind) => {
            let mut value =
                serde_json::to_value(Event { kind: EventKind::RunPaused { by: None }, ..event.clone() }).unwrap();
            value["kind"] = kind.clone();
            value.to_string()
        }
        _ => serde_json::to_string(event).unwrap(),
    };
    text.pop();
    let crc = crc32c::crc32c(text.as_bytes());
    format!("{text},\"crc\":\"{crc:08x}\"}}\n")
}

/// The plan as a run keeps it; that of the old log without what came later.
fn plan_text(name: &str, plan: &Plan) -> String {
    let mut value = serde_json::to_value(plan).unwrap();
    if name == "older" {
        for key in ["routes", "alarms", "redact", "not_carried_out"] {
            value.as_object_mut().unwrap().remove(key).unwrap();
        }
        value["environment"].as_object_mut().unwrap().remove("rules").unwrap();
    }
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

fn write(name: &str, folder: &Path, home: &Path) {
    let text = std::fs::read_to_string(home.join("scenarios/shop.yaml")).unwrap();
    let has_gap = matches!(name, "gap" | "closed");
    let text = if has_gap { text.replace("{id: H2,", "{id: H2, known_gap: L-2026-001,") } else { text };
    std::fs::create_dir_all(folder.join("lessons")).unwrap();
    let scenario = folder.join("scenario.yaml");
    std::fs::write(&scenario, text).unwrap();
    let workspace = Workspace::discover(home).unwrap();
    let checked = scenario::load(&scenario, &workspace, Some("sandbox")).unwrap();
    let plan = compile(&checked, &workspace, workspace.environment("sandbox").unwrap(), &[].into()).unwrap();
    let plan = plan_text(name, &plan);
    let mut log: String = events(name, &sha256_hex(plan.as_bytes())).iter().map(line).collect();
    if name == "torn" {
        let at = log.find("\"fault_reverting\"").unwrap();
        log.truncate(at);
    }
    std::fs::write(folder.join("plan.json"), plan).unwrap();
    std::fs::write(folder.join("run.ndjson"), log).unwrap();
    for file in ["workload.yaml", "lessons/L-2026-001.md"] {
        std::fs::copy(home.join(file), folder.join(file)).unwrap();
    }
    retests(name, folder);
    if matches!(name, "upheld" | "refuted") {
        frames(name, folder);
    }
}

fn retests(name: &str, folder: &Path) {
    let after = match name {
        "upheld" => Status::Verified,
        "refuted" => Status::Regressed,
        _ => return,
    };
    let retested = Retested {
        lesson: "L-2026-001".parse().unwrap(),
        before: Status::Mitigated,
        after,
        note: format!("lesson L-2026-001 was mitigated and is {} now", after.as_str()),
    };
    std::fs::write(folder.join("lessons/retests.json"), serde_json::to_string(&[retested]).unwrap()).unwrap();
}

fn frames(name: &str, folder: &Path) {
    let seconds = events(name, "").into_iter().filter_map(|event| match event.kind {
        EventKind::LoadRecorded(second) => Some(second),
        _ => None,
    });
    let lines: String = seconds.map(|second| serde_json::to_string(&frame_of(&second)).unwrap() + "\n").collect();
    std::fs::create_dir_all(folder.join("evidence")).unwrap();
    std::fs::write(folder.join("evidence/load-shoppers.ndjson"), lines).unwrap();
}

#[test]
#[ignore = "it writes what the other tests read: see tests/fixtures/logs/README.md"]
fn the_logs_are_written_anew() {
    for name in super::NAMES.into_iter().chain(["newer"]) {
        write(name, &logs().join(name), &logs().join("workspace"));
    }
}
