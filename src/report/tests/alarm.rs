//! What alarms did, and what is not known of them.

use super::report_of;
use crate::event::{EventKind, FaultEnd, RunOutcome};
use crate::report::Report;
use crate::report::facts::{AlarmFacts, Facts};
use crate::report::sample::{self, Script};
use crate::unit::AlarmState::{Alarm, Ok};

/// One fault from 28.2 s on, effective at 31 s and undone at 58.2 s, and an alarm that is expected.
fn alarm_script(events: &[(u64, EventKind)]) -> Report {
    let mut script = Script::default();
    let identity = || sample::identity("001", "slow");
    script.at(0, sample::started());
    script.at(950, EventKind::ReadinessPassed { checks: Vec::new() });
    script.at(28_200, sample::intended("001", "slow", "lambda_timeout", "pay", "x", "y"));
    script.at(28_230, sample::armed("001", "slow"));
    script.at(28_350, EventKind::FaultApplied { identity: identity() });
    script.at(31_000, EventKind::FaultEffective { identity: identity(), evidence: "z".to_owned() });
    script.at(58_010, EventKind::FaultReverting { identity: identity() });
    script.at(58_200, EventKind::FaultRestored { identity: identity(), how: FaultEnd::Restored });
    script.at(93_900, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    for (at_ms, kind) in events {
        script.at(*at_ms, kind.clone());
    }
    let alarms = AlarmFacts { expected: vec!["pay-slow".to_owned()], ..Default::default() };
    report_of(&script, &Facts { alarms: Some(alarms), ..sample::facts() })
}

#[test]
fn an_alarm_that_comes_before_a_person_detects_and_is_the_notice_to_acknowledge() {
    let found = (900, sample::found("pay-slow", Ok));
    let fired = (42_300, sample::transitioned("pay-slow", Some(Ok), Alarm, 40_000));
    let over = (72_300, sample::transitioned("pay-slow", Some(Alarm), Ok, 70_000));
    let acknowledged = (46_000, EventKind::Acknowledged { by: Some("aiko".to_owned()) });
    let report = alarm_script(&[found.clone(), fired.clone(), over, acknowledged.clone()]);
    let response = &report.faults[0].response;
    assert_eq!((response.detected_by.as_deref(), response.alarm_ms), (Some("alarm"), Some(40_000)));
    assert_eq!(response.time_to_detect.value(), "9 s ± 1 s");
    assert_eq!(response.time_to_acknowledge.value(), "6 s");
    assert_eq!(response.clear_lag.value(), "11.8 s");
    // A person who was quicker takes the credit; the alarm stays where it was.
    let quick = (36_000, EventKind::Marked { name: "detected".to_owned(), fault: None, by: None });
    let report = alarm_script(&[found.clone(), fired.clone(), quick]);
    assert_eq!(report.faults[0].response.detected_by.as_deref(), Some("human"));
    assert_eq!(report.faults[0].response.alarm_ms, Some(40_000));
    let late = &report.alarms[0];
    assert!(late.is_late_to_clear && late.cleared_ms.is_none(), "{late:#?}");
    assert!(report.findings.iter().any(|finding| finding.kind == "late_to_clear"));
}

#[test]
fn a_silent_alarm_is_told_apart_from_one_that_is_not_known() {
    let found = |state| (900, sample::found("pay-slow", state));
    let told = |events: &[(u64, EventKind)]| {
        let report = alarm_script(events);
        let kinds = report.findings.iter().map(|finding| finding.kind.clone()).collect::<Vec<String>>();
        (report.alarms[0].outcome.clone(), report.faults[0].response.detected_by.clone(), kinds)
    };
    let (outcome, by, kinds) = told(&[found(Ok)]);
    assert_eq!((outcome.as_str(), by.as_deref()), ("silent", Some("nobody")));
    assert!(kinds.contains(&"silent_alarm".to_owned()), "{kinds:?}");
    let unread = (50_000, EventKind::AlarmsUnread { since_ms: 45_000, why: "no route".to_owned() });
    let lost = (50_000, EventKind::AlarmLost { alarm: "pay-slow".to_owned() });
    let unseen = |from_ms| EventKind::AlarmUnseen { alarm: "pay-slow".to_owned(), state: Ok, from_ms };
    for (events, finding) in [
        (vec![found(Ok), (50_000, unseen(45_000))], "unknown_alarm"),
        (vec![found(Ok), (35_000, unseen(20_000))], "unknown_alarm"),
        (vec![], "unknown_alarm"),
        (vec![found(Alarm)], "unknown_alarm"),
        (vec![found(Ok), unread], "alarms_unread"),
        (vec![found(Ok), lost], "unknown_alarm"),
    ] {
        let (outcome, by, kinds) = told(&events);
        assert_eq!(outcome, "unknown", "{events:?}");
        assert!(kinds.contains(&finding.to_owned()), "{kinds:?}");
        assert_eq!(by, None, "{events:?}");
    }
}
