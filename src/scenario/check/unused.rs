//! What is declared and never used: mostly a name that was mistyped elsewhere, or a fault that somebody forgot.

use std::collections::BTreeSet;

use super::Checker;
use crate::document::Diagnostic;
use crate::observe::SignalSource;
use crate::scenario::Mode;
use crate::scenario::expect::{Condition, Expectation, Measure};
use crate::scenario::schema::{ActionKind, TargetKind};

/// The code of these warnings. They are told only of a file without errors.
pub(in crate::scenario) const UNUSED: &str = "unused";

pub(super) fn check(checker: &mut Checker<'_>) {
    let scenario = checker.scenario;
    let actions = || scenario.timeline.iter().flat_map(|phase| &phase.actions).filter_map(|action| action.kind().ok());
    let started: BTreeSet<&str> = actions()
        .filter_map(|action| match action {
            ActionKind::Load(name) => Some(name.as_str()),
            ActionKind::Fault(name) => Some(name.as_str()),
            ActionKind::Inject(name) => Some(name.as_str()),
            ActionKind::Undo(_) => None,
        })
        .collect();
    let mut warnings = Vec::new();
    // Where people take part, a facilitator may deliver any message by hand.
    let delivered = (scenario.mode == Mode::Regression).then_some(("injects", "inject", "delivered"));
    let never = [("load", "load", "started"), ("faults", "fault", "injected")];
    for (key, what, verb) in never.into_iter().chain(delivered) {
        for item in checker.root.key(key).items() {
            let name = item.name().unwrap_or_default();
            if !started.contains(name) {
                let message = format!("the {what} `{name}` is never {verb}");
                let help = format!("add `{{at: 0s, {what}: {name}}}` to a phase's `do`, or remove it");
                warnings.push(item.name_warning(UNUSED, message).with_help(help));
            }
        }
    }
    warnings.extend(signals(checker));
    warnings.extend(targets(checker));
    checker.problems.extend(warnings);
}

fn signals(checker: &Checker<'_>) -> Vec<Diagnostic> {
    let expectations = &checker.expectations;
    let all = expectations.hypotheses.values();
    let all = all.chain(expectations.guardrails.values()).chain(expectations.effects.values());
    let all = all.chain(expectations.until.values()).chain(expectations.unless.values());
    let used: BTreeSet<&str> = all.flat_map(signals_of).collect();
    let items = checker.root.key("signals").items();
    let unused = items.filter(|item| !used.contains(item.name().unwrap_or_default()));
    unused
        .map(|item| {
            let name = item.name().unwrap_or_default();
            item.name_warning(UNUSED, format!("no expectation uses the signal `{name}`: it is only recorded"))
        })
        .collect()
}

fn signals_of(expectation: &Expectation) -> impl Iterator<Item = &str> {
    expectation.terms.iter().filter_map(|term| match &term.condition {
        Condition::Compare { measure: Measure::Signal { signal, .. }, .. } => Some(signal.as_str()),
        Condition::Compare { measure: Measure::Detect(_) | Measure::Ack | Measure::Steps { .. }, .. }
        | Condition::Alarm { .. }
        | Condition::Mark(_) => None,
    })
}

fn targets(checker: &Checker<'_>) -> Vec<Diagnostic> {
    let scenario = checker.scenario;
    let mut used: BTreeSet<&str> = checker.placeholder_targets.iter().map(String::as_str).collect();
    let kinds: Vec<_> = scenario.faults.values().filter_map(|fault| fault.kind().ok()).collect();
    used.extend(kinds.iter().map(|kind| kind.target().as_str()));
    for signal in scenario.signals.values() {
        match signal.source() {
            Ok(SignalSource::Cloudwatch(metric)) => {
                used.extend(metric.lambda.iter().map(crate::unit::TargetId::as_str))
            }
            Ok(SignalSource::MetricMath(math)) => {
                let lambdas = math.metrics.values().filter_map(|metric| metric.lambda.as_ref());
                used.extend(lambdas.map(crate::unit::TargetId::as_str));
            }
            Ok(SignalSource::Load(_) | SignalSource::Http(_)) | Err(_) => {}
        }
    }
    for target in scenario.targets.values() {
        if let Ok(TargetKind::Proxy(proxy)) = target.kind() {
            used.extend(proxy.route.keys().map(crate::unit::TargetId::as_str));
        }
    }
    let unused = checker.root.key("targets").items().filter(|item| !used.contains(item.name().unwrap_or_default()));
    unused
        .map(|item| {
            let name = item.name().unwrap_or_default();
            item.name_warning(UNUSED, format!("nothing uses the target `{name}`"))
        })
        .collect()
}
