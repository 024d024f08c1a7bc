//! Runs that ended before their time, or left something behind.

use super::report_of;
use crate::event::{
    AbortCause, Event, EventKind, FaultEnd, FaultIdentity, HypothesisResult, PhaseEnd, Recoverer, RunOutcome,
    SwitchStep, Verdict,
};
use crate::report::sample::{self, Script};
use crate::report::{Evidence, Report, chart, chart_of};

/// The sample up to a moment, without what came later.
fn cut(at_ms: u64) -> Vec<Event> {
    sample::script().events().into_iter().filter(|event| event.elapsed_ms <= at_ms).collect()
}

#[test]
fn a_run_without_its_last_event_is_reported_as_crashed_with_what_is_outstanding() {
    let report = Report::from_facts(&cut(40_500), &sample::facts(), &Evidence::default());
    assert_eq!((report.header.outcome.name.as_str(), report.header.outcome.exit_code), ("crashed", None));
    assert_eq!(report.safety.state, "dirty");
    assert!(report.safety.residual[0].contains("slow-provider on provider"), "{:?}", report.safety.residual);
    assert!(report.hypotheses.iter().all(|hypothesis| hypothesis.verdict.name == "not_judged"));
    let kinds: Vec<&str> = report.findings.iter().map(|finding| finding.kind.as_str()).take(2).collect();
    assert_eq!(kinds, ["dirty", "crashed"]);
    let page = crate::report::html(&report, None).unwrap();
    assert!(page.contains("Left behind") && page.contains("(not undone)"));
    crate::report::markdown(&report, None).unwrap();
    crate::report::junit(&report).unwrap();
}

#[test]
fn a_recovery_after_a_crash_is_told_but_does_not_stretch_the_run() {
    let mut script = Script::default();
    cut(40_500).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let slow = sample::identity("001", "slow-provider");
    script.at(7_200_000, EventKind::RecoveryStarted { process: 5, by: Recoverer::Person });
    script.at(7_200_100, EventKind::FaultReverting { identity: slow.clone() });
    script.at(7_200_300, EventKind::FaultRestored { identity: slow, how: FaultEnd::Gone });
    script.at(7_200_400, EventKind::RunSettled);
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.header.duration_ms, 40_060, "the last event before the crash");
    assert_eq!((report.header.outcome.name.as_str(), report.safety.state.as_str()), ("crashed", "clean"));
    assert!(report.safety.recovered_at.is_some());
    let detected = report.faults[0].response.time_to_detect.detail().to_owned();
    assert_eq!(detected, "not detected in 9.1 s; then the run ended");
    assert!(
        report.findings[0].text.contains("A recovery afterwards undid every change"),
        "{}",
        report.findings[0].text
    );
    crate::report::html(&report, None).unwrap();
}

#[test]
fn a_run_that_a_guardrail_ended_says_so_in_every_place() {
    let mut script = Script::default();
    cut(45_000).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let (slow, g1) = (sample::identity("001", "slow-provider"), "G1");
    let observed = "mean(checkout_ok) was 41 % for 20 s".to_owned();
    script.at(45_100, EventKind::GuardrailTripped { guardrail: g1.parse().unwrap(), observed });
    script.at(45_110, EventKind::RunAborted { cause: AbortCause::Guardrail { guardrail: g1.parse().unwrap() } });
    script.at(45_120, EventKind::PhaseEnded { phase: "slow".parse().unwrap(), why: PhaseEnd::Aborted });
    script.at(45_200, EventKind::FaultReverting { identity: slow.clone() });
    script.at(45_400, EventKind::FaultRestored { identity: slow, how: FaultEnd::Restored });
    script.at(
        45_500,
        EventKind::HypothesisJudged(HypothesisResult {
            hypothesis: "H2".parse().unwrap(),
            verdict: Verdict::NotTested("phase `throttle` was not reached".to_owned()),
            observations: Vec::new(),
        }),
    );
    script.at(45_600, EventKind::RunSettled);
    script.at(45_700, EventKind::RunEnded { outcome: RunOutcome::Aborted, exit_code: 4 });
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.header.outcome.exit_meaning.as_deref(), Some("aborted by a guardrail"));
    assert_eq!(report.safety.aborted_by.as_deref(), Some("guardrail G1"));
    assert_eq!(report.guardrails[0].state, "tripped");
    assert_eq!(report.safety.state, "clean");
    assert!(report.summary[1].contains("aborted by guardrail G1"), "{}", report.summary[1]);
    assert!(chart_of(&report).draw(chart::Width::Wide).contains("gd-trouble-line"));
    let junit = crate::report::junit(&report).unwrap();
    assert!(junit.contains("type=\"guardrail_tripped\"") && junit.contains("not tested: phase"), "{junit}");
}

#[test]
fn a_dirty_run_lists_what_is_left_and_how_to_finish_it() {
    let mut script = Script::default();
    cut(57_000).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let by_hand = vec!["aws lambda delete-function-concurrency --function-name payments-fn".to_owned()];
    let identity = sample::identity("001", "slow-provider");
    script.at(58_000, EventKind::FaultReverting { identity: identity.clone() });
    script.at(60_000, EventKind::FaultStuck { identity, error: "throttled".to_owned(), by_hand: by_hand.clone() });
    script.at(60_100, EventKind::RunDirty { left: vec!["slow-provider".to_owned()] });
    script.at(60_200, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 8 });
    let report = report_of(&script, &sample::facts());
    assert_eq!((report.header.outcome.result.as_str(), report.safety.state.as_str()), ("dirty", "dirty"));
    assert_eq!(report.safety.by_hand, by_hand);
    assert!(crate::report::markdown(&report, None).unwrap().contains("`aws lambda delete-function-concurrency"));
    assert!(crate::report::html(&report, None).unwrap().contains("aws lambda delete-function-concurrency"));
}

#[test]
fn switches_and_the_lock_are_told_with_what_became_of_them() {
    let fires_at = "2026-11-10T10:06:00Z".parse().unwrap();
    let switch = |identity: &FaultIdentity| EventKind::SwitchIntended {
        identity: identity.clone(),
        schedule: "gameday-1".to_owned(),
        group: "default".to_owned(),
        call: "lambda:PutFunctionConcurrency".to_owned(),
        fires_at,
    };
    let mut script = Script::default();
    cut(57_000).into_iter().for_each(|event| {
        script.at(event.elapsed_ms, event.kind);
    });
    let (parameter, ticket, holder) = ("/gameday/x".to_owned(), "t".to_owned(), "maria".to_owned());
    script.at(100, EventKind::LockIntended { parameter, ticket, holder, folder: String::new() });
    script.at(101, EventKind::LockTaken { expires_at: fires_at });
    let identity = sample::identity("001", "slow-provider");
    script.at(57_100, switch(&identity));
    script.at(57_200, EventKind::SwitchSet { identity: identity.clone() });
    script.at(57_300, EventKind::SwitchPushed { identity: identity.clone(), fires_at });
    script.at(
        57_400,
        EventKind::FaultStuck {
            identity: identity.clone(),
            error: "throttled".to_owned(),
            by_hand: vec!["aws x".to_owned()],
        },
    );
    script.at(57_500, EventKind::SwitchLeft { identity: identity.clone(), fires_at });
    script.at(57_600, EventKind::LockKept);
    let report = report_of(&script, &sample::facts());
    let row = report.safety.switches.iter().find(|row| row.fault == "slow-provider").unwrap();
    assert_eq!(row.state, "left");
    assert!(row.text.contains("put off once; left in place") && row.text.contains("10:06:00 UTC"), "{}", row.text);
    assert_eq!(report.safety.lock.as_deref(), Some("/gameday/x, held by maria: kept, since something is not undone"));

    // Undone at last, and the schedule can not be deleted: it is no change that is left, and it is told.
    script.at(58_000, EventKind::FaultRestored { identity: identity.clone(), how: FaultEnd::Restored });
    let by_hand = vec!["aws scheduler delete-schedule --name gameday-1".to_owned()];
    let (step, error) = (SwitchStep::Delete, "denied".to_owned());
    script.at(58_100, EventKind::SwitchFailed { identity, step, error, by_hand: by_hand.clone() });
    let report = report_of(&script, &sample::facts());
    assert!(report.safety.text.contains("1 dead man's switch is still in AWS"), "{}", report.safety.text);
    assert_eq!(report.safety.by_hand, by_hand);
    let (page, text) = (crate::report::html(&report, None).unwrap(), crate::report::markdown(&report, None).unwrap());
    assert!(page.contains("could not be deleted") && text.contains("could not be deleted"));
}
