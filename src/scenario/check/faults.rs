//! Faults: one kind each, on a target of the right kind, with parameters that AWS takes and that have an effect.

use super::{Checker, exactly_one};
use crate::document::{Diagnostic, Place};
use crate::fault::{FaultKind, FaultSpec, LambdaEnvironment, LambdaTimeout, ProxyLatency};
use crate::scenario::schema::{LambdaTarget, Mode, TargetKind};
use crate::unit::{FaultId, LAMBDA_RESERVED_VARIABLES, TargetId};

/// AWS: UpdateFunctionConfiguration, `Timeout`.
const TIMEOUT_SECONDS_MAX: u64 = 900;

/// Why a change of configuration does not reach an alias.
pub(super) const LATEST_ONLY: &str =
    "`UpdateFunctionConfiguration` changes `$LATEST` only; published versions, and the aliases on them, never change";

pub(super) fn check(checker: &mut Checker<'_>) {
    let scenario = checker.scenario;
    for (name, fault) in &scenario.faults {
        let place = checker.root.key("faults").key(name.as_str());
        if name.is_route() {
            let message = format!("`{name}` is a name that is kept for the routes of proxy targets");
            let help = format!("choose a name that does not start with `{}`", FaultId::ROUTE_PREFIX);
            checker.tell(place.name_error("reserved-name", message).with_help(help));
        }
        if let Some(text) = &fault.effect_if {
            if let Some(expectation) = checker.expectation(place.key("effect_if"), text) {
                checker.expectations.effects.insert(name.clone(), expectation);
            }
        } else if scenario.mode != Mode::Tabletop && !place.has_problems() {
            let problem = place.name_warning("no-proof", format!("the effect of `{name}` can not be proven"));
            checker.tell(problem.with_help("add `effect_if`, such as `effect_if: \"p99(latency) > 1s\"`"));
        }
        match fault.ttl {
            Some(ttl) if ttl.is_zero() => {
                checker.tell(place.key("ttl").error("out-of-range", "a fault that lasts no time is none"));
            }
            None if scenario.mode == Mode::Regression && !place.has_problems() => {
                let message = format!("`{name}` has no `ttl`, which a regression may not do without");
                let problem = place.name_error("missing-ttl", message);
                checker.tell(problem.with_help("nobody may be watching: add a `ttl` such as `ttl: 5m`"));
            }
            Some(_) | None => {}
        }
        match fault.kind() {
            Err(given) => checker.problems.extend(exactly_one(place, "a fault", &given, FaultSpec::KINDS)),
            Ok(kind) => check_kind(checker, place.key(kind.key()), &kind),
        }
    }
}

fn check_kind(checker: &mut Checker<'_>, place: Place<'_>, kind: &FaultKind) {
    match kind {
        FaultKind::LambdaConcurrency(fault) => {
            lambda(checker, place, kind, &fault.target);
        }
        FaultKind::LambdaTimeout(fault) => {
            let target = lambda(checker, place, kind, &fault.target);
            latest_only(checker, place, kind, target);
            check_timeout(checker, place, fault);
        }
        FaultKind::LambdaEnvironment(fault) => {
            let target = lambda(checker, place, kind, &fault.target);
            latest_only(checker, place, kind, target);
            check_environment(checker, place, fault);
        }
        FaultKind::ProxyLatency(fault) => {
            proxy(checker, place, kind, &fault.target);
            check_latency(checker, place, fault);
        }
        FaultKind::ProxyTimeout(fault) => proxy(checker, place, kind, &fault.target),
    }
}

/// The target, if it is there and could be read; if it is not there, that is told.
fn target<'c>(checker: &mut Checker<'c>, place: Place<'_>, name: &TargetId) -> Option<TargetKind<'c>> {
    let declared = checker.declared;
    checker.refer(place.key("target"), "target", name.as_str(), &declared.targets);
    checker.scenario.targets.get(name)?.kind().ok()
}

fn lambda<'c>(
    checker: &mut Checker<'c>,
    place: Place<'_>,
    kind: &FaultKind,
    name: &TargetId,
) -> Option<&'c LambdaTarget> {
    match target(checker, place, name)? {
        TargetKind::Lambda(lambda) => Some(lambda),
        TargetKind::Proxy(_) => {
            let message = format!("`{}` works on functions, and `{name}` is a proxy", kind.key());
            checker.tell(place.key("target").error("wrong-target", message).with_help("name a `lambda` target"));
            None
        }
    }
}

fn proxy(checker: &mut Checker<'_>, place: Place<'_>, kind: &FaultKind, name: &TargetId) {
    match target(checker, place, name) {
        Some(TargetKind::Lambda(_)) => {
            let message = format!("`{}` works on proxied dependencies, and `{name}` is a function", kind.key());
            let problem = place.key("target").error("wrong-target", message);
            checker.tell(problem.with_help("name a `proxy` target: the dependency that the function calls"));
        }
        Some(TargetKind::Proxy(_)) | None => {}
    }
}

fn latest_only(checker: &mut Checker<'_>, place: Place<'_>, kind: &FaultKind, target: Option<&LambdaTarget>) {
    let Some(LambdaTarget { alias: Some(alias), function, .. }) = target else { return };
    let message = format!("`{}` would have no effect: traffic uses the alias `{alias}` of `{function}`", kind.key());
    let problem = place.key("target").error("alias-fault", message).with_note(LATEST_ONLY);
    checker.tell(problem.with_help(
        "use `lambda_concurrency` (it holds for the whole function), a `proxy_*` fault, or a target without `alias`",
    ));
}

fn check_timeout(checker: &mut Checker<'_>, place: Place<'_>, fault: &LambdaTimeout) {
    if fault.timeout.subsec_nanos() != 0 || !(1..=TIMEOUT_SECONDS_MAX).contains(&fault.timeout.as_secs()) {
        let message = format!("Lambda takes no timeout of `{}`", fault.timeout);
        let problem = place.key("timeout").error("out-of-range", message);
        checker.tell(problem.with_help("write whole seconds from `1s` to `15m`"));
    }
}

fn check_environment(checker: &mut Checker<'_>, place: Place<'_>, fault: &LambdaEnvironment) {
    if fault.set.is_empty() && fault.unset.is_empty() {
        if !place.has_problems() && !place.key("set").has_problems() {
            let problem = place.name_error("missing-key", "nothing is set or unset: the fault would change nothing");
            checker.tell(problem.with_help("add `set: {NAME: \"value\"}` or `unset: [NAME]`"));
        }
        return;
    }
    for name in fault.set.keys() {
        let entry = place.key("set").key(name);
        checker.problems.extend(check_variable(entry, name, true));
        if fault.unset.contains(name) {
            checker.tell(entry.name_error("contradiction", format!("`{name}` is set and unset at once")));
        }
    }
    for item in place.key("unset").items() {
        checker.problems.extend(check_variable(item, item.text().unwrap_or_default(), false));
    }
}

/// Whether Lambda lets the variable be changed. It is named by a key or by a value.
pub(super) fn check_variable(place: Place<'_>, name: &str, is_key: bool) -> Option<Diagnostic> {
    let told = |code, message: String, help: &str| {
        let problem = if is_key { place.name_error(code, message) } else { place.error(code, message) };
        Some(problem.with_help(help))
    };
    if LAMBDA_RESERVED_VARIABLES.contains(&name) {
        let message = format!("`{name}` is a variable of Lambda's own, which no configuration may change");
        return told("reserved-variable", message, "choose a variable that the function's code reads");
    }
    let is_name = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name {
        return None;
    }
    // AWS: UpdateFunctionConfiguration, `Environment`: [a-zA-Z]([a-zA-Z0-9_])+
    told(
        "invalid-value",
        format!("`{name}` is not an environment variable's name"),
        "use a letter, then letters, digits and `_`",
    )
}

fn check_latency(checker: &mut Checker<'_>, place: Place<'_>, fault: &ProxyLatency) {
    if fault.latency.is_zero() && fault.jitter.is_none_or(|jitter| jitter.is_zero()) {
        checker.tell(place.key("latency").error("out-of-range", "a delay of nothing is no fault"));
    }
    if fault.jitter.is_some_and(|jitter| jitter.0 > fault.latency.0) {
        let problem = place.key("jitter").error("out-of-range", "the jitter is larger than the latency");
        checker.tell(problem.with_help("an answer can not come before it is there: raise `latency` or lower `jitter`"));
    }
}
