//! Guardrails: looked at apart from load and timeline, at their own pace, over what was recorded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ledger::Recorder;
use crate::plan::{GuardrailPlan, GuardrailRule, Plan};
use crate::scenario::OnMissing;
use crate::unit::{Clock, GuardrailId, elapsed_ms};
use crate::verdict::Judge;

/// How often guardrails are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What a guardrail has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The run must end.
    Trip { guardrail: GuardrailId, observed: String },
    /// Something to know.
    Warn { guardrail: GuardrailId, observed: String },
}

/// What one guardrail says now; none while all is well.
pub(super) fn look(guardrail: &GuardrailPlan, judge: &Judge<'_>) -> Option<Finding> {
    let id = guardrail.id.clone();
    match &guardrail.rule {
        GuardrailRule::MaxDuration(limit) => (judge.now_ms >= elapsed_ms(limit.0))
            .then(|| Finding::Trip { guardrail: id, observed: format!("the run has lasted {limit}") }),
        GuardrailRule::AbortIf(expectation) => {
            let (held, results) = judge.holds_now(expectation);
            match held {
                Some(true) => {
                    let seen: Vec<String> = results.into_iter().filter_map(|result| result.observed).collect();
                    Some(Finding::Trip { guardrail: id, observed: format!("{expectation}: {}", seen.join(", ")) })
                }
                Some(false) => None,
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
    }
}

/// Looks at every guardrail until the receiver is gone. A warning is given once for each guardrail.
pub(super) async fn watch(plan: Arc<Plan>, recorder: Recorder, clock: Clock, findings: mpsc::Sender<Finding>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut warned = BTreeSet::new();
    loop {
        interval.tick().await;
        let now_ms = elapsed_ms(clock.elapsed());
        let found: Vec<Finding> = {
            let recording = recorder.recording();
            let judge = Judge { recording: &recording, signals: &plan.signals, baseline: plan.baseline(), now_ms };
            plan.guardrails.iter().filter_map(|guardrail| look(guardrail, &judge)).collect()
        };
        for finding in found {
            let is_news = match &finding {
                Finding::Warn { guardrail, .. } => warned.insert(guardrail.clone()),
                Finding::Trip { .. } => true,
            };
            if is_news && findings.send(finding).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::event::{Event, EventKind};
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
            let steps = [("home".to_owned(), step)].into();
            recording.record_second(&users(), second, SecondRecord { steps, in_flight_count: 0 });
        }
        recording
    }

    fn finding(rule: GuardrailRule, on_missing: OnMissing, recording: &Recording, now: u64) -> Option<Finding> {
        let plan = Sketch::new(Mode::Drill).guardrail("G1", rule, on_missing).plan();
        let judge = Judge { recording, signals: &plan.signals, baseline: None, now_ms: now * 1_000 };
        look(&plan.guardrails[0], &judge)
    }

    fn look_at(text: &str, on_missing: OnMissing, recording: &Recording, now: u64) -> Option<Finding> {
        finding(GuardrailRule::AbortIf(expectation(text)), on_missing, recording, now)
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
        assert_eq!(look(&guardrail, &judge), None);
    }

    #[test]
    fn a_run_that_lasts_too_long_is_ended() {
        let rule = || GuardrailRule::MaxDuration("1m".parse().unwrap());
        let nothing = Recording::default();
        assert_eq!(finding(rule(), OnMissing::Abort, &nothing, 59), None);
        let observed = "the run has lasted 1m".to_owned();
        let trip = Finding::Trip { guardrail: g1(), observed };
        assert_eq!(finding(rule(), OnMissing::Abort, &nothing, 60), Some(trip));
    }
}
