//! What alarms did, and what is not known of them.

use super::report_of;
use crate::event::{EventKind, FaultEnd, RunOutcome};
use crate::report::Report;
use crate::report::facts::{AlarmFacts, Facts};
use crate::report::sample::{self, Script};
use crate::unit::AlarmState::{self, Alarm, Ok};

/// One fault from 28.2 s on, effective at 31 s and undone at 58.2 s, and an alarm that is expected.
fn alarm_script(events: &[(u64, EventKind)]) -> Report {
    let mut script = Script::default();
    let identity = || sample::identity("001", "slow");
    script.at(0, sample::started());
    script.at(950, EventKind::ReadinessPassed { checks: Vec::new() });
    script.at(28_200, sample::intended("001", "slow", "lambda_timeout", "pay", "x", "y"));
    script.at(28_230, sample::armed("001", "slow"));
    script.at(28_350, EventKind::FaultApplied { identity: identity() });
    script.at(31_000, EventKind::FaultEffective { identity: identity(), evidence: "z".to_owned(), first_ms: None });
    script.at(58_010, EventKind::FaultReverting { identity: identity() });
    script.at(58_200, EventKind::FaultRestored { identity: identity(), how: FaultEnd::Restored });
    script.at(93_900, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    for (at_ms, kind) in events {
        script.at(*at_ms, kind.clone());
    }
    let alarms = AlarmFacts { expected: vec!["pay-slow".to_owned()], ..Default::default() };
    report_of(&script, &Facts { alarms: Some(alarms), ..sample::facts() })
}

fn found_slow(state: AlarmState) -> EventKind {
    sample::found("pay-slow", state)
}

#[test]
fn an_alarm_that_comes_before_a_person_detects_and_is_the_notice_to_acknowledge() {
    let found = (900, found_slow(Ok));
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
    let quick =
        (36_000, EventKind::Marked { name: "detected".to_owned(), fault: None, by: None, component: None, text: None });
    let report = alarm_script(&[found.clone(), fired.clone(), quick]);
    assert_eq!(report.faults[0].response.detected_by.as_deref(), Some("human"));
    assert_eq!(report.faults[0].response.alarm_ms, Some(40_000));
}

#[test]
fn an_alarm_is_late_to_clear_where_its_lag_is_known_to_be_long() {
    let fired = || vec![(900, found_slow(Ok)), (42_300, sample::transitioned("pay-slow", Some(Ok), Alarm, 40_000))];
    let over = |at_ms| (at_ms + 300, sample::transitioned("pay-slow", Some(Alarm), Ok, at_ms));
    let end = |at_ms| (at_ms, EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 });
    let lost = (70_000, EventKind::AlarmLost { alarm: "pay-slow".to_owned(), from_ms: 70_000 });
    let unread = (70_000, EventKind::AlarmsUnread { since_ms: 69_000, why: "no route".to_owned() });
    for (events, is_late, lag) in [
        // The fault is undone at 58.2 s.
        (vec![over(358_200)], false, "5 min"),
        (vec![over(359_300)], true, "5 min 01 s"),
        (vec![], false, "> 35.7 s"),
        (vec![end(400_000)], true, "> 5 min 42 s"),
        (vec![lost, end(400_000)], false, "n/a"),
        (vec![unread, end(400_000)], false, "n/a"),
    ] {
        let report = alarm_script(&[fired(), events].concat());
        let alarm = &report.alarms[0];
        assert_eq!((alarm.is_late_to_clear, alarm.clear_lag.value().as_str()), (is_late, lag), "{alarm:#?}");
        let is_told = report.findings.iter().any(|finding| finding.kind == "late_to_clear");
        assert_eq!(is_told, is_late, "{lag}");
    }
}

#[test]
fn a_silent_alarm_is_told_apart_from_one_that_is_not_known() {
    let found = |state| (900, found_slow(state));
    let told = |events: &[(u64, EventKind)]| {
        let report = alarm_script(events);
        let kinds = report.findings.iter().map(|finding| finding.kind.clone()).collect::<Vec<String>>();
        (report.alarms[0].outcome.clone(), report.faults[0].response.detected_by.clone(), kinds)
    };
    let (outcome, by, kinds) = told(&[found(Ok)]);
    assert_eq!((outcome.as_str(), by.as_deref()), ("silent", Some("nobody")));
    assert!(kinds.contains(&"silent_alarm".to_owned()), "{kinds:?}");
    let unread = (50_000, EventKind::AlarmsUnread { since_ms: 45_000, why: "no route".to_owned() });
    let lost = (50_000, EventKind::AlarmLost { alarm: "pay-slow".to_owned(), from_ms: 50_000 });
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

#[test]
fn the_timeline_tells_an_alarm_that_was_found_in_the_run_from_one_that_was_seen_to_change() {
    let lost = (40_000, EventKind::AlarmLost { alarm: "pay-slow".to_owned(), from_ms: 40_000 });
    let vague = EventKind::AlarmTransitioned {
        alarm: "pay-slow".to_owned(),
        from: Some(Alarm),
        to: Ok,
        at_ms: 61_000,
        transitioned_at: "2026-11-10T10:01:01Z".parse().unwrap(),
        is_exact: false,
        reason: String::new(),
        unseen_from_ms: None,
    };
    let events = [(900, found_slow(Ok)), lost, (50_000, found_slow(Alarm)), (62_000, vague)];
    let report = alarm_script(&events);
    let told = report.timeline.iter().filter(|entry| entry.kind == "alarm").map(|entry| entry.text.as_str());
    let expected = [
        "is OK before the first phase",
        "no longer there",
        "found in ALARM, not seen to change",
        "OK since 01:01 at the latest",
    ];
    assert_eq!(told.collect::<Vec<&str>>(), expected);
}
