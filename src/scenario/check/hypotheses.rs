//! Hypotheses, gates, guardrails and alarms.

use std::collections::BTreeMap;

use super::{Checker, duplicates, exactly_one};
use crate::document::Place;
use crate::scenario::expect::cannot_gate;
use crate::scenario::schema::Mode;
use crate::unit::{HypothesisId, format_duration};

pub(super) fn check(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    checker.problems.extend(duplicates(root.key("hypotheses"), "id", "hypotheses"));
    for (hypothesis, place) in scenario.hypotheses.iter().zip(root.key("hypotheses").items()) {
        if let Some(expectation) = checker.expectation(place.key("expect"), &hypothesis.expect) {
            checker.expectations.hypotheses.entry(hypothesis.id.clone()).or_insert(expectation);
        }
        if let Some(lesson) = &hypothesis.known_gap {
            checker.lesson(place.key("known_gap"), lesson);
        }
    }
    check_guardrails(checker);
    check_alarms(checker);
    for (phase, place) in scenario.timeline.iter().zip(root.key("timeline").items()) {
        check_gate(checker, place.key("steady"), &phase.steady);
    }
    if let Some(settle) = &scenario.settle {
        let place = root.key("settle");
        check_gate(checker, place.key("steady"), &settle.steady);
        if settle.steady.is_empty() && !place.key("steady").has_problems() {
            let problem = place.key("steady").error("empty-list", "there is nothing to wait for");
            checker.tell(problem.with_help("name hypotheses that must hold again, or remove `settle`"));
        }
        if settle.within.is_zero() {
            checker.tell(place.key("within").error("out-of-range", "nothing settles in no time"));
        }
    }
}

/// A gate names hypotheses that exist and that can be judged where nothing was injected yet.
fn check_gate(checker: &mut Checker<'_>, place: Place<'_>, gate: &[HypothesisId]) {
    for (id, place) in gate.iter().zip(place.items()) {
        checker.hypothesis(place, id.as_str());
        if let Some(term) = checker.expectations.hypotheses.get(id).and_then(cannot_gate) {
            let message = format!("`{id}` can not be a gate: `{term}` is measured only once a fault is in");
            checker.tell(place.error("not-a-gate", message).with_help("gate on a hypothesis about signals alone"));
        }
    }
}

fn check_guardrails(checker: &mut Checker<'_>) {
    const KINDS: [&str; 4] = ["abort_if", "max_duration", "max_targets", "max_failed_requests"];
    let (scenario, root) = (checker.scenario, checker.root);
    let list = root.key("guardrails");
    checker.problems.extend(duplicates(list, "id", "guardrails"));
    let total = scenario
        .timeline
        .iter()
        .map(|phase| phase.length.0)
        .fold(std::time::Duration::ZERO, |sum, length| sum.saturating_add(length));
    for (guardrail, place) in scenario.guardrails.iter().zip(list.items()) {
        let is_given = [
            guardrail.abort_if.is_some(),
            guardrail.max_duration.is_some(),
            guardrail.max_targets.is_some(),
            guardrail.max_failed_requests.is_some(),
        ];
        let given: Vec<&str> = is_given.iter().zip(KINDS).filter(|(given, _)| **given).map(|(_, key)| key).collect();
        if given.len() != 1 {
            checker.problems.extend(exactly_one(place, "a guardrail", &given, &KINDS));
        }
        if let Some(text) = &guardrail.abort_if
            && let Some(expectation) = checker.expectation(place.key("abort_if"), text)
        {
            checker.expectations.guardrails.entry(guardrail.id.clone()).or_insert(expectation);
        }
        if guardrail.on_missing.is_some() && guardrail.abort_if.is_none() && given.len() == 1 {
            let problem = place.key("on_missing").name_error("contradiction", "a clock or a count has no missing data");
            checker.tell(problem.with_help("remove `on_missing`; it belongs to `abort_if`"));
        }
        if guardrail.max_targets == Some(0) {
            let problem = place.key("max_targets").error("impossible", "no fault could ever be injected");
            checker.tell(problem.with_help("write how many targets may be changed at the same time, 1 or more"));
        }
        if guardrail.max_duration.is_some_and(|limit| limit.0 < total) && !root.key("timeline").has_problems() {
            let message =
                format!("the run would be aborted before its end: the timeline lasts {}", format_duration(total));
            checker.tell(place.key("max_duration").warning("short-limit", message));
        }
    }
    if scenario.mode == Mode::Regression && list.all_items().next().is_none() {
        let problem = root.key("mode").error("missing-guardrail", "a regression needs at least one guardrail");
        checker
            .tell(problem.with_help("nobody may be watching: add `guardrails` with an `abort_if` or a `max_duration`"));
    }
}

fn check_alarms(checker: &mut Checker<'_>) {
    let Some(alarms) = &checker.scenario.alarms else { return };
    let place = checker.root.key("alarms");
    let mut seen: BTreeMap<&str, Place<'_>> = BTreeMap::new();
    for (key, names) in [("expected", &alarms.expected), ("tolerated", &alarms.tolerated)] {
        for (name, item) in names.iter().zip(place.key(key).items()) {
            if let Some(first) = seen.insert(name.as_str(), item) {
                let problem = item.error("duplicate-id", format!("the alarm `{name}` is listed twice"));
                checker.tell(problem.with_related(item.source(), first.span(), "the first is here"));
            }
        }
    }
}
