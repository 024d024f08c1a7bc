//! Guardrails: looked at apart from load and timeline, at their own pace, over what was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ledger::Recorder;
use crate::plan::{GuardrailPlan, GuardrailRule, Plan};
use crate::scenario::OnMissing;
use crate::scenario::expect::Expectation;
use crate::unit::{Clock, GuardrailId, TargetId, elapsed_ms, format_duration};
use crate::verdict::{Judge, TermResult};

/// How often guardrails are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often a reading that has changed is told.
const READING_INTERVAL_MS: u64 = 5_000;

/// What a guardrail has to say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// The run must end.
    Trip { guardrail: GuardrailId, observed: String },
    /// Something to know.
    Warn { guardrail: GuardrailId, observed: String },
    /// What it reads, while all is well.
    Read { guardrail: GuardrailId, reading: String, nearness: Option<f64> },
}

/// What one guardrail says now.
pub(super) fn look(guardrail: &GuardrailPlan, judge: &Judge<'_>) -> Option<Finding> {
    let state = judge.recording.state();
    let within_limit = |is_within: bool, text: String, nearness: Option<f64>| {
        let guardrail = guardrail.id.clone();
        Some(match is_within {
            true => Finding::Read { guardrail, reading: text, nearness },
            false => Finding::Trip { guardrail, observed: text },
        })
    };
    match &guardrail.rule {
        GuardrailRule::AbortIf(expectation) => look_at(guardrail, expectation, judge),
        GuardrailRule::MaxDuration(limit) => {
            let lasted = format_duration(Duration::from_secs(judge.now_ms / 1_000));
            let text = format!("the run has lasted {lasted} of {limit}");
            within_limit(judge.now_ms < elapsed_ms(limit.0), text, share(judge.now_ms, elapsed_ms(limit.0)))
        }
        GuardrailRule::MaxTargets(limit) => {
            let count = state.changed_targets().len();
            let text = format!("{count} of {limit} targets changed");
            let nearness = share(u64::try_from(count).unwrap_or(u64::MAX), u64::from(*limit));
            within_limit(u32::try_from(count).is_ok_and(|count| count <= *limit), text, nearness)
        }
        GuardrailRule::MaxFailedRequests(limit) => {
            let count = state.loads.values().map(|load| load.failed_count).sum::<u64>();
            within_limit(count <= *limit, format!("{count} of {limit} requests failed"), share(count, *limit))
        }
    }
}

/// How much of a limit is used up, from 0 to 1 by thousandths; none where the limit is nothing.
fn share(used: u64, limit: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than a float has")]
    let share = (limit > 0).then(|| used as f64 / limit as f64);
    share.map(thousandths)
}

/// The log has no use for more digits.
fn thousandths(share: f64) -> f64 {
    (share.clamp(0.0, 1.0) * 1_000.0).round() / 1_000.0
}

/// How near an expectation is to being true: all of its terms must hold, so it is as near as the farthest of those that do not.
fn nearness(results: &[TermResult]) -> Option<f64> {
    let open = results.iter().filter(|result| result.held != Some(true));
    let near: Option<Vec<f64>> = open.map(|result| result.nearness).collect();
    near?.into_iter().reduce(f64::min).map(thousandths)
}

fn look_at(guardrail: &GuardrailPlan, expectation: &Expectation, judge: &Judge<'_>) -> Option<Finding> {
    let id = guardrail.id.clone();
    let (held, results) = judge.holds_now(expectation);
    let seen = |results: Vec<TermResult>| -> Vec<String> {
        results.into_iter().filter_map(|result| result.observed).collect()
    };
    match held {
        Some(true) => {
            Some(Finding::Trip { guardrail: id, observed: format!("{expectation}: {}", seen(results).join(", ")) })
        }
        Some(false) => {
            let nearness = nearness(&results);
            let reading = seen(results).join(", ");
            (!reading.is_empty()).then_some(Finding::Read { guardrail: id, reading, nearness })
        }
        None => {
            let terms = expectation.terms.iter().zip(results);
            let missing = terms.filter(|(term, result)| result.held.is_none() && judge.should_have_data(term));
            let why: Vec<String> = missing.filter_map(|(_, result)| result.missing).collect();
            if why.is_empty() {
                return None;
            }
            let observed = format!("no data for {expectation}: {}", why.join("; "));
            match guardrail.on_missing {
                OnMissing::Abort => Some(Finding::Trip { guardrail: id, observed }),
                OnMissing::Warn => Some(Finding::Warn { guardrail: id, observed }),
                OnMissing::Ignore => None,
            }
        }
    }
}

/// Why a fault must not be injected now: a guardrail says that the run must end, or would once the fault is in.
/// `in_place` are the targets that would then be changed.
pub(super) fn forbids(plan: &Plan, in_place: &BTreeSet<TargetId>, judge: &Judge<'_>) -> Option<Finding> {
    plan.guardrails.iter().find_map(|guardrail| {
        if let Some(trip @ Finding::Trip { .. }) = look(guardrail, judge) {
            return Some(trip);
        }
        let GuardrailRule::MaxTargets(limit) = guardrail.rule else { return None };
        let count = in_place.len();
        let observed = format!("{count} targets would be changed, of at most {limit}");
        let is_beyond = u32::try_from(count).map_or(true, |count| count > limit);
        is_beyond.then(|| Finding::Trip { guardrail: guardrail.id.clone(), observed })
    })
}

/// What was told of each guardrail, so that nothing is told twice.
#[derive(Debug, Default)]
struct Told {
    warned: BTreeSet<GuardrailId>,
    /// The last reading, and when it was told.
    read: BTreeMap<GuardrailId, (String, u64)>,
}

impl Told {
    fn is_news(&mut self, finding: &Finding, now_ms: u64) -> bool {
        match finding {
            Finding::Trip { .. } => true,
            Finding::Warn { guardrail, .. } => self.warned.insert(guardrail.clone()),
            Finding::Read { guardrail, reading, .. } => {
                let is_news = self
                    .read
                    .get(guardrail)
                    .is_none_or(|(last, at_ms)| last != reading && now_ms >= at_ms + READING_INTERVAL_MS);
                if is_news {
                    self.read.insert(guardrail.clone(), (reading.clone(), now_ms));
                }
                is_news
            }
        }
    }
}

/// Looks at every guardrail until the receiver is gone.
pub(super) async fn watch(plan: Arc<Plan>, recorder: Recorder, clock: Clock, findings: mpsc::Sender<Finding>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = Told::default();
    loop {
        interval.tick().await;
        let now_ms = elapsed_ms(clock.elapsed());
        let found: Vec<Finding> = {
            let recording = recorder.recording();
            let judge = Judge { recording: &recording, signals: &plan.signals, baseline: plan.baseline(), now_ms };
            plan.guardrails.iter().filter_map(|guardrail| look(guardrail, &judge)).collect()
        };
        for finding in found {
            if told.is_news(&finding, now_ms) && findings.send(finding).await.is_err() {
                return;
            }
        }
        if findings.is_closed() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::event::{Event, EventKind, FaultIdentity, LoadSecond};
    use crate::plan::testing::{Sketch, expectation};
    use crate::scenario::Mode;
    use crate::unit::{Histogram, LoadId};
    use crate::verdict::{Recording, SecondRecord, StepRecord};

    const TEXT: &str = "mean(ok) < 90% for 10s";

    fn users() -> LoadId {
        "users".parse().unwrap()
    }

    /// Load from the fifth second on, of which these seconds were recorded: good and bad answers in each.
    fn recorded(seconds: std::ops::Range<u64>, ok: u64, failed: u64) -> Recording {
        let mut recording = Recording::default();
        let kind = EventKind::LoadStarted { load: users(), pid: 1 };
        recording.apply(&Event { seq: 0, at: DateTime::UNIX_EPOCH, elapsed_ms: 5_000, kind });
        let sparse = |count: u64| {
            let mut histogram = Histogram::default();
            (0..count).for_each(|_| histogram.record(Duration::from_millis(100)));
            histogram.to_sparse()
        };
        for second in seconds {
            let step = StepRecord { ok: sparse(ok), failed: sparse(failed) };
            let steps = vec![("home".into(), step)];
            recording.record_second(&users(), second, SecondRecord { steps, ..SecondRecord::default() });
        }
        recording
    }

    fn finding(rule: GuardrailRule, on_missing: OnMissing, recording: &Recording, now: u64) -> Option<Finding> {
        let plan = Sketch::new(Mode::Drill).guardrail("G1", rule, on_missing).plan();
        let judge = Judge { recording, signals: &plan.signals, baseline: None, now_ms: now * 1_000 };
        look(&plan.guardrails[0], &judge)
    }

    /// What it says when it is not quiet.
    fn look_at(text: &str, on_missing: OnMissing, recording: &Recording, now: u64) -> Option<Finding> {
        let found = finding(GuardrailRule::AbortIf(expectation(text)), on_missing, recording, now);
        found.filter(|finding| !matches!(finding, Finding::Read { .. }))
    }

    fn g1() -> GuardrailId {
        "G1".parse().unwrap()
    }

    #[test]
    fn a_guardrail_trips_when_its_expectation_holds_for_its_time() {
        let bad = recorded(5..40, 1, 9);
        assert_eq!(look_at(TEXT, OnMissing::Abort, &bad, 12), None, "seven seconds are not ten");
        let observed = format!("{TEXT}: 10 %");
        assert_eq!(look_at(TEXT, OnMissing::Abort, &bad, 16), Some(Finding::Trip { guardrail: g1(), observed }));
        assert_eq!(look_at(TEXT, OnMissing::Abort, &recorded(5..40, 9, 0), 30), None);
    }

    #[test]
    fn missing_data_means_what_the_guardrail_says() {
        let silent = recorded(5..20, 9, 0);
        let observed = format!("no data for {TEXT}: 8 of 10 seconds of load are missing");
        let trip = Finding::Trip { guardrail: g1(), observed: observed.clone() };
        assert_eq!(look_at(TEXT, OnMissing::Abort, &silent, 28), Some(trip));
        let warn = Finding::Warn { guardrail: g1(), observed };
        assert_eq!(look_at(TEXT, OnMissing::Warn, &silent, 28), Some(warn));
        assert_eq!(look_at(TEXT, OnMissing::Ignore, &silent, 28), None);
    }

    #[test]
    fn no_guardrail_trips_for_want_of_data_before_there_can_be_any() {
        let nothing = Recording::default();
        assert_eq!(look_at(TEXT, OnMissing::Abort, &nothing, 3_600), None, "the load was not started");
        let started = recorded(0..0, 0, 0);
        // Started at 5 s; it looks back over 10 s, and a worker may take 3 s to report.
        assert_eq!(look_at(TEXT, OnMissing::Abort, &started, 17), None);
        assert!(look_at(TEXT, OnMissing::Abort, &started, 18).is_some());
        let mut ended = started;
        let kind = EventKind::LoadEnded { load: users() };
        ended.apply(&Event { seq: 1, at: DateTime::UNIX_EPOCH, elapsed_ms: 9_000, kind });
        assert_eq!(look_at(TEXT, OnMissing::Abort, &ended, 60), None, "nothing more is to come");
    }

    #[test]
    fn a_term_that_can_have_no_data_yet_does_not_speak_for_one_that_should() {
        // The first term's load runs and reports well; the second's was not started.
        let mut plan = Sketch::new(Mode::Drill).plan();
        plan.signals.extend(
            serde_yaml::from_str::<std::collections::BTreeMap<_, _>>("later: {load: {of: night, stat: success_ratio}}")
                .unwrap(),
        );
        let rule = GuardrailRule::AbortIf(expectation("mean(ok) >= 90% and mean(later) < 90%"));
        let guardrail = GuardrailPlan { id: g1(), rule, on_missing: OnMissing::Abort };
        let recording = recorded(5..40, 9, 0);
        let judge = Judge { recording: &recording, signals: &plan.signals, baseline: None, now_ms: 30_000 };
        assert!(matches!(look(&guardrail, &judge), None | Some(Finding::Read { .. })));
    }

    #[test]
    fn a_quiet_guardrail_tells_what_it_reads_when_that_has_changed_and_not_too_often() {
        let rule = || GuardrailRule::AbortIf(expectation(TEXT));
        let read = |reading: &str| Finding::Read { guardrail: g1(), reading: reading.to_owned(), nearness: Some(1.0) };
        assert_eq!(finding(rule(), OnMissing::Abort, &recorded(5..40, 9, 1), 30), Some(read("90 %")));
        let mut told = Told::default();
        assert!(told.is_news(&read("95 %"), 0));
        assert!(!told.is_news(&read("95 %"), 60_000), "nothing has changed");
        assert!(told.is_news(&read("94 %"), 61_000));
        assert!(!told.is_news(&read("93 %"), 63_000), "it was told just now");
    }

    #[test]
    fn a_guardrail_tells_how_near_it_is_to_its_limit() {
        let near = |text: &str, ok, failed| match finding(
            GuardrailRule::AbortIf(expectation(text)),
            OnMissing::Abort,
            &recorded(5..40, ok, failed),
            30,
        ) {
            Some(Finding::Read { nearness, .. }) => nearness,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(near(TEXT, 10, 0), Some(0.0), "nothing has failed");
        assert_eq!(near(TEXT, 19, 1), Some(0.5), "95 % lies half-way from 100 % to 90 %");
        assert_eq!(near("p50(latency) > 400ms for 10s", 10, 0), Some(0.25));
        assert_eq!(near("mean(rate) < 4/s", 8, 0), Some(0.5), "twice its bound is left");
        let both = "mean(ok) < 90% for 10s and p50(latency) > 200ms for 10s";
        assert_eq!(near(both, 19, 1), Some(0.5), "both are half-way");
        assert_eq!(near("mark(gone)", 10, 0), None);
    }

    fn applied(target: &str) -> Recording {
        let mut recording = Recording::default();
        let identity = FaultIdentity { step: "001-a".to_owned(), fault: "a".parse().unwrap() };
        let text = String::new();
        for kind in [
            EventKind::FaultIntended {
                identity: identity.clone(),
                fault_kind: "lambda_timeout".to_owned(),
                target: target.parse().unwrap(),
                change: text.clone(),
                undo: text.clone(),
            },
            EventKind::FaultArmed { identity, undo_sha256: text },
        ] {
            recording.apply(&Event { seq: 0, at: DateTime::UNIX_EPOCH, elapsed_ms: 0, kind });
        }
        recording
    }

    #[test]
    fn one_target_too_many_is_not_let_in_and_the_same_one_is() {
        let rule = GuardrailRule::MaxTargets(1);
        let plan = Sketch::new(Mode::Drill).guardrail("G1", rule, OnMissing::Abort).plan();
        let recording = applied("orders");
        let judge = Judge { recording: &recording, signals: &plan.signals, baseline: None, now_ms: 0 };
        let targets = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(forbids(&plan, &targets(&["orders"]), &judge), None);
        let observed = "2 targets would be changed, of at most 1".to_owned();
        let trip = Finding::Trip { guardrail: g1(), observed };
        assert_eq!(forbids(&plan, &targets(&["orders", "payments"]), &judge), Some(trip));
    }

    #[test]
    fn failed_requests_of_all_loads_are_counted() {
        let mut recording = Recording::default();
        let second = |load: &str| {
            let text = format!(
                "{{load: {load}, second: 1, target: 1, ok_count: 1, failed_count: 3, in_flight_count: 0, p50_ms: null, \
                 p99_ms: null}}"
            );
            serde_yaml::from_str::<LoadSecond>(&text).unwrap()
        };
        for (seq, load) in ["users", "night", "users"].into_iter().enumerate() {
            let kind = EventKind::LoadRecorded(second(load));
            recording.apply(&Event { seq: seq as u64, at: DateTime::UNIX_EPOCH, elapsed_ms: 0, kind });
        }
        let of = |limit| finding(GuardrailRule::MaxFailedRequests(limit), OnMissing::Abort, &recording, 1);
        let reading = |limit: u64| format!("9 of {limit} requests failed");
        let quiet = |limit, nearness| Finding::Read { guardrail: g1(), reading: reading(limit), nearness };
        assert_eq!(of(9), Some(quiet(9, Some(1.0))));
        assert_eq!(of(36), Some(quiet(36, Some(0.25))));
        assert_eq!(of(8), Some(Finding::Trip { guardrail: g1(), observed: "9 of 8 requests failed".to_owned() }));
    }

    /// An alarm that is fine, and is not read from 10 s on.
    fn blind() -> Recording {
        let mut recording = Recording::default();
        let found = EventKind::AlarmFound {
            alarm: "errors".to_owned(),
            state: crate::unit::AlarmState::Ok,
            transitioned_at: DateTime::UNIX_EPOCH,
            actions_enabled: true,
            looks_back_ms: Some(60_000),
            settings: None,
        };
        let phase = EventKind::PhaseStarted { phase: "all".parse().unwrap() };
        let unread = EventKind::AlarmsUnread { since_ms: 10_000, why: "no route".to_owned() };
        for (elapsed_ms, kind) in [(500, found), (1_000, phase), (11_000, unread)] {
            recording.apply(&Event { seq: 0, at: DateTime::UNIX_EPOCH, elapsed_ms, kind });
        }
        recording
    }

    #[test]
    fn alarms_that_are_not_read_for_a_while_mean_what_the_guardrail_says_and_nothing_else() {
        for text in ["alarm(errors) is ALARM", "alarm(err*) is ALARM for 5s", "alarm(errors) is OK for 20s"] {
            let observed = format!("no data for {text}: alarms could not be read: no route");
            let look = |on_missing, now| look_at(text, on_missing, &blind(), now);
            let trip = Finding::Trip { guardrail: g1(), observed: observed.clone() };
            for now in 11..=25 {
                assert_eq!(look(OnMissing::Abort, now), None, "{text} at {now}");
            }
            assert_eq!(look(OnMissing::Abort, 26), Some(trip), "{text}");
            for now in 26..3_600 {
                let warn = Finding::Warn { guardrail: g1(), observed: observed.clone() };
                assert_eq!(look(OnMissing::Warn, now), Some(warn), "{text} at {now}");
                assert_eq!(look(OnMissing::Ignore, now), None, "{text} at {now}");
            }
        }
    }

    #[test]
    fn an_alarm_trips_its_guardrail_and_is_named() {
        let mut recording = blind();
        for (elapsed_ms, kind) in [
            (
                30_000,
                EventKind::AlarmTransitioned {
                    alarm: "errors".to_owned(),
                    from: Some(crate::unit::AlarmState::Ok),
                    to: crate::unit::AlarmState::Alarm,
                    at_ms: 28_000,
                    transitioned_at: DateTime::UNIX_EPOCH,
                    is_exact: true,
                    reason: String::new(),
                    unseen_from_ms: Some(10_000),
                },
            ),
            (30_000, EventKind::AlarmsReread),
        ] {
            recording.apply(&Event { seq: 0, at: DateTime::UNIX_EPOCH, elapsed_ms, kind });
        }
        let observed = "alarm(err*) is ALARM: errors ALARM since 28s".to_owned();
        let trip = Finding::Trip { guardrail: g1(), observed };
        assert_eq!(look_at("alarm(err*) is ALARM", OnMissing::Ignore, &recording, 31), Some(trip));
    }

    #[test]
    fn a_run_that_lasts_too_long_is_ended() {
        let rule = || GuardrailRule::MaxDuration("1m".parse().unwrap());
        let nothing = Recording::default();
        let reading = "the run has lasted 59s of 1m".to_owned();
        let quiet = Finding::Read { guardrail: g1(), reading, nearness: Some(0.983) };
        assert_eq!(finding(rule(), OnMissing::Abort, &nothing, 59), Some(quiet));
        let observed = "the run has lasted 1m of 1m".to_owned();
        let trip = Finding::Trip { guardrail: g1(), observed };
        assert_eq!(finding(rule(), OnMissing::Abort, &nothing, 60), Some(trip));
    }
}
