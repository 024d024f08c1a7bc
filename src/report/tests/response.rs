//! Detection of and response to faults, as the report measures them.

use super::{report_of, sample_report};
use crate::event::{EventKind, FaultEnd, RunOutcome};
use crate::report::sample::{self, Script};

#[test]
fn detection_is_measured_from_the_proven_effect() {
    let report = sample_report();
    let slow = &report.faults[0].response;
    assert_eq!(slow.injection_lag.value(), "2.8 s ± 1 s");
    assert_eq!(slow.detected_by.as_deref(), Some("inject"), "the ticket came before the first mark");
    assert_eq!(slow.time_to_detect.value(), "10.5 s ± 1 s");
    assert_eq!(slow.time_to_acknowledge.value(), "5.1 s");
    assert_eq!(slow.time_to_identify.value(), "18.3 s ± 1 s");
    assert_eq!(slow.time_to_mitigate.detail(), "not marked as mitigated in 27 s; then the fault was undone");
    assert_eq!(slow.time_to_recover.name(), "not_applicable");
    let throttle = &report.faults[1].response;
    assert_eq!(throttle.detected_by.as_deref(), Some("nobody"));
    assert_eq!(throttle.time_to_detect.value(), "> 15 s");
    assert_eq!(throttle.time_to_recover.value(), "20.4 s ± 2 s");
    assert!(report.findings.iter().any(|finding| finding.kind == "unnoticed"));
}

#[test]
fn a_mark_belongs_to_the_fault_it_names_or_to_the_latest_effective_one() {
    let mut script = sample::script();
    let name = "mitigated".to_owned();
    script.at(
        80_000,
        EventKind::Marked {
            name,
            fault: Some("slow-provider".parse().unwrap()),
            by: None,
            component: None,
            text: None,
        },
    );
    script.at(
        81_000,
        EventKind::Marked { name: "detected".to_owned(), fault: None, by: None, component: None, text: None },
    );
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.faults[0].response.time_to_mitigate.value(), "49 s ± 1 s");
    let throttle = &report.faults[1].response;
    assert_eq!(
        (throttle.detected_by.as_deref(), throttle.time_to_detect.value().as_str()),
        (Some("human"), "12 s ± 1 s")
    );
}

#[test]
fn nobody_is_late_where_nobody_was_there() {
    let mut script = Script::default();
    let lag = sample::identity("001", "lag");
    script.at(0, sample::started());
    script.at(100, sample::intended("001", "lag", "lambda_timeout", "fn", "3 s → 1 s", "3 s"));
    script.at(110, sample::armed("001", "lag"));
    script.at(120, EventKind::FaultApplied { identity: lag.clone() });
    script.at(900, EventKind::FaultEffective { identity: lag.clone(), evidence: "x".to_owned(), first_ms: None });
    script.at(2_000, EventKind::FaultRestored { identity: lag, how: FaultEnd::AsBefore });
    script.at(3_000, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    let report = report_of(&script, &sample::facts());
    let response = &report.faults[0].response;
    assert_eq!((response.detected_by.as_deref(), response.time_to_detect.name()), (None, "not_applicable"));
    assert!(report.findings.iter().any(|finding| finding.kind == "unattended"));
    script.at(2_500, EventKind::Noted { text: "hm".to_owned(), by: None });
    let report = report_of(&script, &sample::facts());
    assert_eq!(report.faults[0].response.detected_by.as_deref(), Some("nobody"), "now there was somebody");
    assert!(report.findings.iter().all(|finding| finding.kind != "unattended"));
}

#[test]
fn a_detection_behind_a_hint_is_not_one_without_and_the_first_notice_counts() {
    let mut script = Script::default();
    let lag = sample::identity("001", "lag");
    let hint = |at_ms: u64, script: &mut Script| {
        let (hint, hypothesis, text, by) = ("h1".parse().unwrap(), None, "look".to_owned(), None);
        script.at(at_ms, EventKind::HintGiven { hint, hypothesis, text, by });
    };
    script.at(0, sample::started());
    script.at(50, EventKind::Joined { role: "responder".parse().unwrap(), by: None });
    script.at(100, sample::intended("001", "lag", "lambda_timeout", "fn", "3 s → 1 s", "3 s"));
    script.at(120, EventKind::FaultApplied { identity: lag.clone() });
    script.at(900, EventKind::FaultEffective { identity: lag.clone(), evidence: "x".to_owned(), first_ms: None });
    script.at(9_000, EventKind::FaultRestored { identity: lag, how: FaultEnd::AsBefore });
    script.at(10_000, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    let nobody = report_of(&script, &sample::facts());
    assert_eq!(nobody.faults[0].response.detected_by.as_deref(), Some("nobody"), "who has joined was there");
    script.at(
        3_000,
        EventKind::Marked { name: "detected".to_owned(), fault: None, by: None, component: None, text: None },
    );
    let mut before = script.clone();
    hint(2_000, &mut before);
    hint(4_000, &mut script);
    let detected = |script: &Script| report_of(script, &sample::facts()).faults[0].response.detected_by.clone();
    assert_eq!(detected(&script).as_deref(), Some("human"));
    assert_eq!(detected(&before).as_deref(), Some("hint"));
}
