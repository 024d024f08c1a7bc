//! A realistic run for tests: 94 seconds, two faults, a known gap, a refuted hypothesis, an overdue step, marks.

mod facts;
mod frames;
mod insight;
mod kept;
mod proxy;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use self::facts::{facts, hypothesis};
pub(super) use self::frames::frame_of;
pub(super) use self::insight::{logs, traces};
use super::folder::Evidence;
use super::model::EvidenceFile;
use crate::event::{
    AlarmNote, AlarmNoteKind, Event, EventKind, EvidenceKept, EvidenceSource, FaultEnd, FaultIdentity,
    HypothesisResult, LoadSecond, LoadStepSecond, Observation, PhaseEnd, RunOutcome, StepAsks, StepOutcome, Verdict,
};
use crate::unit::{AlarmRule, AlarmSettings, AlarmState, AlarmSubject, MetricName, MissingData};

/// Events with moments, in the order of their times.
#[derive(Clone, Default)]
pub(super) struct Script {
    events: Vec<(u64, EventKind)>,
}

impl Script {
    pub(super) fn at(&mut self, elapsed_ms: u64, kind: EventKind) -> &mut Self {
        self.events.push((elapsed_ms, kind));
        self
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let origin: DateTime<Utc> = "2026-11-10T10:00:00.250Z".parse().unwrap();
        let mut ordered = self.events.clone();
        ordered.sort_by_key(|(elapsed_ms, _)| *elapsed_ms);
        (0..)
            .zip(ordered)
            .map(|(seq, (elapsed_ms, kind))| Event {
                seq,
                at: origin + TimeDelta::milliseconds(i64::try_from(elapsed_ms).unwrap()),
                elapsed_ms,
                kind,
            })
            .collect()
    }
}

pub(super) fn started() -> EventKind {
    EventKind::RunStarted {
        format: 1,
        run: "2026-11-10-100000-checkout-payment-slow".parse().unwrap(),
        scenario: "checkout-payment-slow".parse().unwrap(),
        title: "Checkout survives a slow payment provider at campaign peak".to_owned(),
        environment: "sandbox".to_owned(),
        version: "0.1.0".to_owned(),
        seed: 42,
        plan_sha256: "0".repeat(64),
        process: 4_711,
    }
}

pub(super) fn identity(step: &str, fault: &str) -> FaultIdentity {
    FaultIdentity { step: format!("{step}-{fault}"), fault: fault.parse().unwrap() }
}

pub(super) fn intended(step: &str, fault: &str, kind: &str, target: &str, change: &str, undo: &str) -> EventKind {
    EventKind::FaultIntended {
        identity: identity(step, fault),
        fault_kind: kind.to_owned(),
        target: target.parse().unwrap(),
        change: change.to_owned(),
        undo: undo.to_owned(),
    }
}

pub(super) fn armed(step: &str, fault: &str) -> EventKind {
    EventKind::FaultArmed { identity: identity(step, fault), undo_sha256: "ab".repeat(32) }
}

/// A second of the shoppers, who meet both faults; what varies, varies by the second's number alone.
pub(super) fn shopper_second(second: u64) -> LoadSecond {
    let wobble = second * 7_919 % 13;
    let target = if second < 13 { (second - 7) * 6 } else { 40 };
    let (failed, p50, p99) = match second {
        31..=58 => (2 + wobble / 3, 380 + wobble * 9, 2_350 + wobble * 31),
        69..=84 => (wobble / 4, 55 + wobble, 620 + wobble * 44),
        _ => (0, 24 + wobble / 3, 96 + wobble * 5),
    };
    let total = target.saturating_sub(wobble / 5);
    let failed = failed.min(total);
    let ordered = (total / 3).max(failed);
    let checkout = LoadStepSecond {
        ok_count: ordered - failed,
        failed_count: failed,
        p99_ms: Some(crate::report::number::float(p99 + p99 / 9)),
    };
    let failures = [("slow", failed - failed / 3), ("status", failed / 3)];
    LoadSecond {
        load: "shoppers".parse().unwrap(),
        second,
        target: crate::report::number::float(target),
        ok_count: total - failed,
        failed_count: failed,
        in_flight_count: 3 + wobble,
        p50_ms: Some(crate::report::number::float(p50)),
        p99_ms: Some(crate::report::number::float(p99)),
        not_sent_count: 0,
        doubts: Vec::new(),
        failures: failures
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| (kind.to_owned(), count))
            .collect(),
        steps: BTreeMap::from([("checkout".to_owned(), checkout)]),
    }
}

fn staff_second(second: u64) -> LoadSecond {
    let wobble = second * 6_007 % 7;
    LoadSecond {
        load: "support-staff".parse().unwrap(),
        second,
        target: crate::report::number::float((second - 8).min(12)),
        ok_count: (second - 8).min(12) / 3 + wobble / 4,
        failed_count: 0,
        in_flight_count: wobble,
        p50_ms: Some(31.0),
        p99_ms: Some(crate::report::number::float(140 + wobble * 22)),
        not_sent_count: 0,
        doubts: Vec::new(),
        failures: BTreeMap::new(),
        steps: BTreeMap::new(),
    }
}

fn result(id: &str, verdict: Verdict, observations: Vec<Observation>) -> EventKind {
    EventKind::HypothesisJudged(HypothesisResult { hypothesis: id.parse().unwrap(), verdict, observations })
}

fn seen(term: &str, held: bool, observed: &str, window_ms: (u64, u64), sample_count: u64) -> Observation {
    Observation {
        term: term.to_owned(),
        held: Some(held),
        observed: Some(observed.to_owned()),
        window_ms: Some(window_ms),
        sample_count,
        held_ms: None,
        spread: None,
        missing: None,
    }
}

fn spread(values: [&str; 4], observation: Observation) -> Observation {
    Observation { spread: Some(values.map(ToOwned::to_owned)), ..observation }
}

fn step(id: &str, text: &str, owner: &str, due_ms: u64, must: bool, playbook: Option<&str>) -> EventKind {
    EventKind::StepOpened {
        step: id.parse().unwrap(),
        text: text.to_owned(),
        owner: Some(owner.parse().unwrap()),
        due_ms: Some(due_ms),
        must,
        playbook: playbook.map(|playbook| playbook.parse().unwrap()),
        asks: StepAsks::default(),
    }
}

fn closed(id: &str, outcome: StepOutcome, by: Option<&str>) -> EventKind {
    EventKind::StepClosed { step: id.parse().unwrap(), outcome, by: by.map(ToOwned::to_owned), evidence: None }
}

fn mark(name: &str, fault: Option<&str>, by: &str) -> EventKind {
    EventKind::Marked {
        name: name.to_owned(),
        fault: fault.map(|fault| fault.parse().unwrap()),
        by: Some(by.to_owned()),
        component: None,
        text: None,
    }
}

/// A run that was walked to its end.
pub(super) fn script() -> Script {
    let mut script = Script::default();
    script.at(0, started());
    script.at(900, EventKind::ReadinessPassed { checks: vec!["targets found".to_owned(), "no lock".to_owned()] });
    let phases = [("brief", 1_000), ("baseline", 8_000), ("slow", 28_000), ("observe", 58_000), ("throttle", 66_000)];
    for (index, (phase, start_ms)) in phases.into_iter().enumerate() {
        let end_ms = phases.get(index + 1).map_or(84_000, |(_, start_ms)| *start_ms);
        script.at(start_ms, EventKind::PhaseStarted { phase: phase.parse().unwrap() });
        script.at(end_ms, EventKind::PhaseEnded { phase: phase.parse().unwrap(), why: PhaseEnd::TimeUp });
    }
    load_events(&mut script);
    fault_events(&mut script);
    proxy::events(&mut script);
    alarm_events(&mut script);
    people_events(&mut script);
    private_events(&mut script);
    script.at(84_400, EventKind::RunRecovering);
    script.at(91_500, EventKind::SettleJudged { held: true, held_ms: Some(89_400) });
    verdict_events(&mut script);
    script.at(93_200, EventKind::RunSettled);
    let logs = |about: &str, is_cut: bool, unknown: Option<&str>| {
        EventKind::EvidenceKept(EvidenceKept {
            source: EvidenceSource::Logs,
            about: about.to_owned(),
            file: is_cut.then(|| format!("evidence/logs/{about}.json")),
            sha256: None,
            what: format!("logs:FilterLogEvents of /aws/lambda/{about}"),
            from_ms: 1_000,
            to_ms: 93_300,
            row_count: 200_000 * u64::from(is_cut),
            is_cut,
            unknown: unknown.map(str::to_owned),
        })
    };
    script.at(93_300, logs("checkout-fn", true, None));
    script.at(93_400, logs("payments-fn", false, Some("there was no answer in time")));
    script.at(93_900, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 3 });
    script
}

/// What people said before the first fault, and what they were given.
fn private_events(script: &mut Script) {
    let sealed = |hypothesis: &str, sha256: &str, by: Option<&str>| EventKind::PredictionSealed {
        hypothesis: hypothesis.parse().unwrap(),
        sha256: sha256.to_owned(),
        by: by.map(ToOwned::to_owned),
    };
    script.at(3_000, sealed("H1", "aaaa", Some("maria")));
    script.at(3_500, sealed("H2", "bbbb", None));
}

/// The run's clock as AWS's.
fn moment(elapsed_ms: u64) -> DateTime<Utc> {
    let origin: DateTime<Utc> = "2026-11-10T10:00:00.250Z".parse().unwrap();
    origin + TimeDelta::milliseconds(i64::try_from(elapsed_ms).unwrap())
}

pub(super) fn found(alarm: &str, state: AlarmState) -> EventKind {
    EventKind::AlarmFound {
        alarm: alarm.to_owned(),
        state,
        transitioned_at: moment(0) - TimeDelta::hours(3),
        actions_enabled: true,
        looks_back_ms: Some(60_000),
        settings: None,
    }
}

/// An alarm of an account that looks at three periods of a minute and tells nobody.
pub(super) fn found_slow(alarm: &str) -> EventKind {
    let rule = AlarmRule {
        evaluation_periods: 3,
        datapoints_to_alarm: 3,
        threshold: Some(800.0),
        comparison: "GreaterThanThreshold".to_owned(),
        missing: MissingData::NotBreaching,
    };
    let metric = MetricName {
        namespace: "AWS/Lambda".to_owned(),
        name: "Duration".to_owned(),
        dimensions: BTreeMap::from([("FunctionName".to_owned(), "payments-fn".to_owned())]),
    };
    let settings = AlarmSettings {
        description: None,
        actions_enabled: false,
        actions: Vec::new(),
        configured_at: None,
        subject: AlarmSubject::Metric { metric, statistic: "p99".to_owned(), period_seconds: 60, rule },
    };
    EventKind::AlarmFound {
        alarm: alarm.to_owned(),
        state: AlarmState::Ok,
        transitioned_at: moment(0) - TimeDelta::hours(3),
        actions_enabled: false,
        looks_back_ms: Some(180_000),
        settings: Some(Box::new(settings)),
    }
}

fn note(at_ms: u64, kind: AlarmNoteKind, summary: &str) -> AlarmNote {
    AlarmNote { at_ms, kind, summary: summary.to_owned() }
}

fn history(alarm: &str, notes: &[AlarmNote], unknown: Option<&str>) -> EventKind {
    EventKind::AlarmHistoryRead {
        alarm: alarm.to_owned(),
        notes: notes.to_vec(),
        is_cut: false,
        muted_by: Vec::new(),
        unknown: unknown.map(ToOwned::to_owned),
    }
}

pub(super) fn transitioned(alarm: &str, from: Option<AlarmState>, to: AlarmState, at_ms: u64) -> EventKind {
    EventKind::AlarmTransitioned {
        alarm: alarm.to_owned(),
        from,
        to,
        at_ms,
        transitioned_at: moment(at_ms),
        is_exact: true,
        reason: format!("Threshold Crossed: 1 datapoint [{} ms] was {to}", at_ms / 20),
        unseen_from_ms: None,
    }
}

/// One came after a person did, one kept silent, one was expected by nobody.
fn alarm_events(script: &mut Script) {
    use AlarmState::{Alarm, InsufficientData, Ok};
    script.at(880, found_slow("payments-p99-high"));
    for (alarm, state) in [("checkout-5xx", InsufficientData), ("orders-drop", Ok), ("payments-throttles", Ok)] {
        script.at(880, found(alarm, state));
    }
    let notes = [
        note(44_100, AlarmNoteKind::Transition, "Alarm updated from OK to ALARM"),
        note(44_300, AlarmNoteKind::Action, "Successfully executed action arn:aws:sns:eu-central-1:111122223333:pager"),
        note(60_000, AlarmNoteKind::Edit, "Alarm \"payments-p99-high\" updated"),
    ];
    script.at(93_300, history("payments-p99-high", &notes, None));
    script
        .at(93_300, history("orders-drop", &[], Some("cloudwatch:DescribeAlarmHistory failed with AccessDenied: no")));
    for (alarm, from, to, at_ms) in [
        ("payments-p99-high", Some(Ok), Alarm, 44_000),
        ("cart-errors", None, Alarm, 50_000),
        ("cart-errors", Some(Alarm), Ok, 62_000),
        ("payments-p99-high", Some(Alarm), Ok, 71_000),
    ] {
        script.at(at_ms + 2_300, transitioned(alarm, from, to, at_ms));
    }
}

fn load_events(script: &mut Script) {
    for (load, start_ms) in [("shoppers", 8_050), ("support-staff", 8_060)] {
        script.at(start_ms, EventKind::LoadStarted { load: load.parse().unwrap(), pid: 99 });
        script.at(92_050, EventKind::LoadEnded { load: load.parse().unwrap() });
    }
    for second in 8..92 {
        script.at(second * 1_000 + 1_050, EventKind::LoadRecorded(shopper_second(second)));
        // The record of two seconds is lost, which breaks the line.
        if !(75..77).contains(&second) {
            script.at(second * 1_000 + 1_060, EventKind::LoadRecorded(staff_second(second)));
        }
    }
}

fn fault_events(script: &mut Script) {
    let (slow, throttle) = ("slow-provider", "throttle-payments");
    let slow_change = "answers of provider come 2.5 s ± 300 ms late";
    script.at(28_200, intended("001", slow, "proxy_latency", "provider", slow_change, "take the delay away"));
    script.at(28_230, armed("001", slow));
    script.at(28_350, EventKind::FaultApplied { identity: identity("001", slow) });
    let evidence = "p99(checkout_latency) > 1s: observed 2.41 s".to_owned();
    script.at(31_000, EventKind::FaultEffective { identity: identity("001", slow), evidence, first_ms: None });
    script.at(58_010, EventKind::FaultReverting { identity: identity("001", slow) });
    script.at(58_200, EventKind::FaultRestored { identity: identity("001", slow), how: FaultEnd::Restored });
    let throttle_change = "reserved concurrency of payments-fn: none → 2";
    let throttle_undo = "delete the reserved concurrency";
    script.at(66_100, intended("002", throttle, "lambda_concurrency", "payments-fn", throttle_change, throttle_undo));
    script.at(66_120, armed("002", throttle));
    script.at(66_420, EventKind::FaultApplied { identity: identity("002", throttle) });
    let evidence = "sum(throttles) > 0: observed 3".to_owned();
    script.at(69_000, EventKind::FaultEffective { identity: identity("002", throttle), evidence, first_ms: None });
    script.at(84_010, EventKind::FaultReverting { identity: identity("002", throttle) });
    script.at(84_330, EventKind::FaultRestored { identity: identity("002", throttle), how: FaultEnd::Restored });
}

fn people_events(script: &mut Script) {
    script.at(1_010, step("rules", "Read out the aim, the abort word and the rules", "facilitator", 5_000, true, None));
    script.at(4_200, closed("rules", StepOutcome::Done, Some("joonas")));
    script.at(1_020, step("predict", "Everybody writes a private prediction", "facilitator", 7_000, false, None));
    let why = Some("no time; said aloud instead".to_owned());
    script.at(6_900, closed("predict", StepOutcome::Skipped { why }, Some("joonas")));
    let playbook = Some("pb-payment-latency");
    script.at(28_010, step("confirm", "Compare p50, p99 and error rate", "responder", 40_000, true, playbook));
    script.at(40_000, EventKind::StepOverdue { step: "confirm".parse().unwrap() });
    script.at(46_300, closed("confirm", StepOutcome::Done, Some("aiko")));
    script.at(28_020, step("locate", "Open the provider's status page", "responder", 50_000, false, playbook));
    script.at(49_100, closed("locate", StepOutcome::Done, Some("aiko")));
    script.at(28_030, step("mitigate", "Turn the queue on", "responder", 56_000, true, playbook));
    script.at(56_000, EventKind::StepOverdue { step: "mitigate".parse().unwrap() });
    script.at(92_900, closed("mitigate", StepOutcome::LeftOpen, None));
    let text = "Support: three customers say the card page just spins.".to_owned();
    script.at(
        38_000,
        EventKind::InjectDelivered {
            inject: "ticket".parse().unwrap(),
            to: "responder".parse().unwrap(),
            text,
            by: None,
        },
    );
    script.at(41_500, mark("detected", None, "aiko"));
    script.at(43_100, EventKind::Acknowledged { by: Some("aiko".to_owned()) });
    script.at(49_300, mark("identified", Some("slow-provider"), "aiko"));
    let text = "The dashboard shows the mean only; p99 had to be asked for by hand".to_owned();
    script.at(52_000, EventKind::Noted { text, by: Some("joonas".to_owned()) });
    script.at(
        66_050,
        EventKind::ActionSkipped { action: "inject ceo".to_owned(), why: "mark(detected) was true".to_owned() },
    );
    let observed = "mean(checkout_ok) was 91.3 % for 10 s".to_owned();
    script.at(47_000, EventKind::GuardrailWarned { guardrail: "G2".parse().unwrap(), observed });
}

fn verdict_events(script: &mut Script) {
    let baseline = seen("mean(checkout_ok) >= 99%", true, "100 %", (8_000, 28_000), 702);
    script.at(
        28_000,
        EventKind::GateJudged {
            phase: "baseline".parse().unwrap(),
            open: true,
            results: vec![HypothesisResult {
                hypothesis: "H1".parse().unwrap(),
                verdict: Verdict::Upheld,
                observations: vec![baseline],
            }],
        },
    );
    let slow = (28_000, 58_000);
    let ratio = seen("mean(checkout_ok) >= 99% during slow", false, "91.32 %", slow, 1_167);
    let ratio = spread(["84.21 %", "92.5 %", "100 %", "100 %"], ratio);
    script.at(92_500, result("H1", Verdict::Refuted, vec![ratio]));
    let throttle = (66_000, 84_000);
    let calm = spread(
        ["18 ms", "61 ms", "1.02 s", "1.15 s"],
        seen("p99(checkout_latency) <= 1500ms during throttle", true, "1.02 s", throttle, 701),
    );
    script.at(92_510, result("H2", Verdict::Upheld, vec![calm]));
    let late = spread(
        ["21 ms", "412 ms", "2.72 s", "2.74 s"],
        seen("p99(checkout_latency) <= 800ms during slow", false, "2.72 s", slow, 1_167),
    );
    script.at(92_520, result("H3", Verdict::GapHolds, vec![late]));
    let why = "signal `orders` has no value in the window".to_owned();
    let missing = Observation {
        term: "sum(orders) >= 95% of baseline within 10m after slow".to_owned(),
        held: None,
        observed: None,
        window_ms: None,
        sample_count: 0,
        held_ms: None,
        spread: None,
        missing: Some(why.clone()),
    };
    script.at(92_530, result("H4", Verdict::Inconclusive(why), vec![missing]));
}

pub(super) fn evidence() -> Evidence {
    let files = [
        ("scenario.yaml", 5_503, "11"),
        ("run.ndjson", 61_204, "22"),
        ("evidence/load-shoppers.ndjson", 148_992, "33"),
    ]
    .map(|(file, bytes, digest)| EvidenceFile {
        file: file.to_owned(),
        bytes,
        sha256: digest.repeat(32),
        provenance: kept::provenance_of(file),
    })
    .to_vec();
    let [shoppers, staff] = frames::sums(&script());
    let loads = [("shoppers", Ok(shoppers)), ("support-staff", Ok(staff))];
    let loads = loads.map(|(load, sum)| (load.parse().unwrap(), sum)).into();
    Evidence { files, loads, kept: kept::kept(), seen: insight::seen(), ..Evidence::default() }
}
