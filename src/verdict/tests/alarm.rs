//! The rules of `alarm()` and `detect()`.

use chrono::DateTime;

use super::{Story, story};
use crate::event::{EventKind, Verdict};
use crate::unit::AlarmState::{self, Alarm, InsufficientData, Ok};
use crate::verdict::hypothesis::{FaultFacts, judge_hypothesis};

impl Story {
    fn found(self, alarm: &str, state: AlarmState) -> Self {
        let kind = EventKind::AlarmFound {
            alarm: alarm.to_owned(),
            state,
            transitioned_at: DateTime::UNIX_EPOCH,
            actions_enabled: true,
            looks_back_ms: Some(20_000),
            settings: None,
        };
        self.event(500, kind)
    }

    /// Told two seconds late, as polls do.
    fn goes(self, at: u64, alarm: &str, to: AlarmState) -> Self {
        self.goes_unseen(at, alarm, to, None)
    }

    fn goes_unseen(self, at: u64, alarm: &str, to: AlarmState, unseen_from: Option<u64>) -> Self {
        let kind = EventKind::AlarmTransitioned {
            alarm: alarm.to_owned(),
            from: None,
            to,
            at_ms: at * 1_000,
            transitioned_at: DateTime::UNIX_EPOCH,
            is_exact: true,
            reason: String::new(),
            unseen_from_ms: unseen_from.map(|from| from * 1_000),
        };
        self.event((at + 2) * 1_000, kind)
    }

    fn unread(self, since: u64) -> Self {
        self.event((since + 1) * 1_000, EventKind::AlarmsUnread { since_ms: since * 1_000, why: "no route".to_owned() })
    }

    fn held_now(&self, now: u64, text: &str) -> Option<bool> {
        self.judge(now).holds_now(&super::expect(text)).0
    }
}

/// Two alarms: `pay-errors` fires from 30 s to 50 s, `pay-slow` is fine.
fn fired() -> Story {
    let story = story().found("pay-errors", Ok).found("pay-slow", Ok).phase("faulty", 20, 40).phase("after", 40, 90);
    story.goes(30, "pay-errors", Alarm).goes(50, "pay-errors", Ok)
}

#[test]
fn any_is_in_alarm_and_all_are_ok() {
    for (text, held) in [
        ("alarm(pay-errors) is ALARM during faulty", Some(true)),
        ("alarm(pay-slow) is ALARM during faulty", Some(false)),
        ("alarm(pay-*) is ALARM during faulty", Some(true)),
        ("alarm(pay-*) is OK during faulty", Some(false)),
        ("alarm(pay-slow) is OK during faulty", Some(true)),
        ("alarm(pay-*) is INSUFFICIENT_DATA during faulty", Some(false)),
        ("alarm(pay-errors) is OK after faulty", Some(false)),
        ("alarm(pay-errors) is OK after faulty for 30s", Some(true)),
        ("alarm(pay-errors) is ALARM during faulty for 10s", Some(true)),
        ("alarm(pay-errors) is ALARM during faulty for 15s", Some(false)),
        ("alarm(pay-errors) is OK within 20s after faulty", Some(true)),
        ("alarm(pay-errors) is OK within 5s after faulty", Some(false)),
        ("alarm(pay-errors) is OK within 30s after faulty for 20s", Some(true)),
        ("alarm(pay-errors) is OK within 25s after faulty for 20s", Some(false)),
        ("alarm(other) is ALARM during faulty", None),
    ] {
        let result = fired().finally(90, text);
        assert_eq!(result.held, held, "{text}: {result:?}");
        assert_eq!(result.held.is_none(), result.missing.is_some(), "{text}: {result:?}");
    }
    let within = fired().finally(90, "alarm(pay-errors) is OK within 20s after faulty");
    assert_eq!(within.held_ms, Some(50_000));
}

#[test]
fn a_guardrail_asks_for_the_state_now_and_its_reading_names_the_alarm() {
    let story = fired();
    for (now, held) in [(29, false), (31, true), (49, true), (51, false)] {
        assert_eq!(story.held_now(now, "alarm(pay-*) is ALARM"), Some(held), "{now}");
    }
    let (_, results) = story.judge(35).holds_now(&super::expect("alarm(pay-*) is ALARM"));
    assert_eq!(results[0].observed.as_deref(), Some("pay-errors ALARM since 30s"));
    let (_, results) = story.judge(60).holds_now(&super::expect("alarm(pay-*) is ALARM"));
    assert_eq!(results[0].observed.as_deref(), Some("pay-errors OK, pay-slow OK"));
    assert_eq!(story.held_now(36, "alarm(pay-errors) is ALARM for 10s"), Some(false));
    assert_eq!(story.held_now(41, "alarm(pay-errors) is ALARM for 10s"), Some(true));
}

#[test]
fn insufficient_data_is_neither_alarm_nor_ok() {
    let story = story().found("pay", InsufficientData).phase("faulty", 1, 90);
    for text in ["alarm(pay) is ALARM during faulty", "alarm(pay) is OK during faulty"] {
        let result = story.finally(90, text);
        assert_eq!((result.held, result.missing.as_deref()), (None, Some("`pay` has insufficient data")), "{text}");
    }
    assert_eq!(story.finally(90, "alarm(pay) is INSUFFICIENT_DATA during faulty").held, Some(true));
    // A guardrail waits until there can be data: twice the time that the alarm looks back, and a little.
    let term = &super::expect("alarm(pay) is ALARM").terms[0];
    assert!(!story.judge(55).should_have_data(term));
    assert!(story.judge(57).should_have_data(term));
    // What had data and has none any more is missing at once.
    let lost = story.goes(10, "pay", Ok).goes(20, "pay", InsufficientData);
    assert!(lost.judge(21).should_have_data(term));
    assert_eq!(lost.held_now(21, "alarm(pay) is ALARM"), None);
}

#[test]
fn a_poll_that_fails_is_missing_data_only_after_a_while_and_never_a_pass() {
    let story = story().found("pay", Ok).phase("faulty", 1, 90).unread(30);
    let term = &super::expect("alarm(pay) is ALARM").terms[0];
    assert_eq!(
        (story.held_now(44, "alarm(pay) is ALARM"), story.judge(44).should_have_data(term)),
        (Some(false), false)
    );
    assert_eq!((story.held_now(46, "alarm(pay) is ALARM"), story.judge(46).should_have_data(term)), (None, true));
    for text in ["alarm(pay) is OK during faulty", "alarm(pay) is ALARM during faulty", "alarm(pay) is OK"] {
        let result = story.finally(90, text);
        let why = result.missing.as_deref();
        assert_eq!((result.held, why), (None, Some("alarms could not be read: no route")), "{text}");
    }
    // Read again, and the time of its state says that it never left it.
    let again = story.event(60_000, EventKind::AlarmsReread);
    assert_eq!(again.finally(90, "alarm(pay) is OK during faulty").held, Some(true));
    // Read again in another state: in between it may have been in any.
    let changed = again.goes_unseen(70, "pay", Ok, Some(60));
    assert_eq!(changed.finally(90, "alarm(pay) is OK during faulty").held, None);
}

#[test]
fn an_alarm_that_does_not_say_since_when_is_not_known_of_a_time_without_polls() {
    let unseen = |state| EventKind::AlarmUnseen { alarm: "pay".to_owned(), state, from_ms: 30_000 };
    let gap = |state| {
        let story = story().found("pay", state).phase("faulty", 1, 90).unread(30);
        story.event(60_000, unseen(state)).event(60_000, EventKind::AlarmsReread)
    };
    for text in ["alarm(pay) is OK during faulty", "alarm(pay) is ALARM during faulty"] {
        let result = gap(Ok).finally(90, text);
        let why = result.missing.as_deref();
        assert_eq!((result.held, why), (None, Some("the state of `pay` is not known of all that time")), "{text}");
    }
    assert_eq!(gap(Ok).finally(90, "alarm(pay) is OK during faulty for 20s").held, Some(true), "it is seen again");
    assert_eq!(gap(Ok).held_now(61, "alarm(pay) is ALARM"), Some(false));
    // It is no proof that it is on: it may have been on all the time.
    let since = gap(Alarm).judge(70).holds_since(&super::expect("alarm(pay) is ALARM"), 40_000).0;
    assert_eq!(since, None);
    let detected = gap(Ok).fault("slow", 10, Some(14));
    assert_eq!(detect(&detected, 80, "detect(pay) <= 30s"), (None, "`pay` may have changed unseen".to_owned()));
}

#[test]
fn an_alarm_that_was_deleted_is_not_known_from_then_on() {
    let story = story().found("pay", Ok).phase("faulty", 1, 90);
    let story = story.event(40_000, EventKind::AlarmLost { alarm: "pay".to_owned(), from_ms: 40_000 });
    let result = story.finally(90, "alarm(pay) is OK during faulty");
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("`pay` is no longer there")));
    assert_eq!(story.held_now(41, "alarm(pay) is ALARM"), None);
}

#[test]
fn an_effect_is_proven_by_an_alarm_that_came_and_not_by_one_that_was_there() {
    let since = |story: &Story, from: u64, now: u64| {
        story.judge(now).holds_since(&super::expect("alarm(pay) is ALARM"), from * 1_000).0
    };
    let fresh = story().found("pay", Ok).goes(30, "pay", Alarm);
    assert_eq!((since(&fresh, 20, 29), since(&fresh, 20, 40)), (Some(false), Some(true)));
    assert_eq!(since(&fresh, 35, 40), None, "it was on before");
    let again = fresh.goes(40, "pay", Ok).goes(45, "pay", Alarm);
    assert_eq!(since(&again, 35, 50), Some(true));
}

fn detect(story: &Story, now: u64, text: &str) -> (Option<bool>, String) {
    let result = story.finally(now, text);
    assert_eq!(result.held.is_none(), result.missing.is_some(), "{text}: {result:?}");
    (result.held, result.missing.or(result.observed).unwrap_or_default())
}

#[test]
fn detection_runs_from_the_first_proven_effect_to_the_alarm() {
    let story = || story().found("pay", Ok).phase("faulty", 10, 90).fault("slow", 10, Some(14));
    let told = |held, text: &str| (held, text.to_owned());
    let fires = story().goes(20, "pay", Alarm);
    assert_eq!(detect(&fires, 60, "detect(pay) <= 10s"), told(Some(true), "6000 ms"));
    assert_eq!(detect(&fires, 60, "detect(pay) < 5s"), told(Some(false), "6000 ms"));
    assert_eq!(detect(&fires, 60, "detect(pay) <= 10s during faulty"), told(Some(true), "6000 ms"));
    // Quicker than the proof takes no time; one that was over before the fault is another's.
    let early = story().goes(12, "pay", Alarm);
    assert_eq!(detect(&early, 60, "detect(pay) <= 10s"), told(Some(true), "0 ms"));
    let before = story().goes(4, "pay", Alarm).goes(8, "pay", Ok);
    assert_eq!(detect(&before, 60, "detect(pay) <= 10s").0, Some(false));
}

#[test]
fn what_is_not_known_of_a_detection_is_inconclusive_and_a_silent_alarm_is_refuted_when_its_time_is_up() {
    let story = || story().phase("faulty", 10, 90).fault("slow", 10, Some(14));
    let silent = story().found("pay", Ok);
    assert_eq!(detect(&silent, 60, "detect(pay) <= 30s"), (Some(false), "not in ALARM in 46s".to_owned()));
    assert_eq!(detect(&silent, 60, "detect(pay) > 30s").0, Some(true));
    let waiting = "`pay` did not come in the 46s that it was waited for".to_owned();
    assert_eq!(detect(&silent, 60, "detect(pay) <= 3m"), (None, waiting));
    for (story, why) in [
        (story().found("pay", Alarm), "`pay` was in ALARM already when `slow` was injected"),
        (
            story().found("pay", Alarm).goes(20, "pay", Ok).goes(30, "pay", Alarm),
            "`pay` was in ALARM already when `slow` was injected",
        ),
        (story(), "no alarm `pay` was read"),
        (story().found("pay", Ok).unread(20), "alarms could not be read: no route"),
        (story().found("pay", Ok).goes_unseen(40, "pay", Alarm, Some(20)), "`pay` may have changed unseen"),
        (
            story().found("pay", Ok).event(30_000, EventKind::AlarmLost { alarm: "pay".to_owned(), from_ms: 30_000 }),
            "`pay` is no longer there",
        ),
    ] {
        assert_eq!(detect(&story, 80, "detect(pay) <= 30s"), (None, why.to_owned()));
    }
    let unproven = super::story().found("pay", Ok).phase("faulty", 10, 90).fault("slow", 10, None);
    assert_eq!(detect(&unproven, 80, "detect(pay) <= 30s").0, None);
}

#[test]
fn a_fault_that_never_proved_its_effect_leaves_detection_untested() {
    let story = story().found("pay", Ok).phase("faulty", 10, 90).fault("slow", 10, None);
    let facts = [FaultFacts { fault: "slow".parse().unwrap(), provable: true }];
    let expectation = super::expect("detect(pay) <= 30s");
    let result = judge_hypothesis(&story.judge(90), &"H1".parse().unwrap(), &expectation, false, &facts);
    assert!(matches!(result.verdict, Verdict::NotTested(_)), "{result:?}");
}
