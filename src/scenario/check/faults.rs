//! Faults: one kind each, on a target of the right kind, with parameters that AWS takes and that have an effect.

use std::os::unix::fs::PermissionsExt as _;

use super::{Checker, exactly_one};
use crate::document::{Diagnostic, Place};
use crate::fault::{FaultKind, FaultSpec, ProxyTls, Step, TargetNeed, variable_problem};
use crate::proxy::{CertificateSource, Protocol};
use crate::scenario::expect::cannot_gate;
use crate::scenario::load::is_of_workspace;
use crate::scenario::schema::{LambdaTarget, Mode, ProxyTarget, Scenario, TargetKind};
use crate::unit::{FaultId, TargetId};

/// The bits of a file's mode of which a program has one.
const EXECUTABLE: u32 = 0o111;

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
                if cannot_gate(&expectation) == Some("detect()") {
                    let message = "`detect()` counts from the effect that it would have to prove";
                    let problem = place.key("effect_if").error("expectation", message);
                    checker.tell(problem.with_help("name what callers see, or `alarm(NAME) is ALARM`"));
                }
                checker.expectations.effects.insert(name.clone(), expectation);
            }
        } else if scenario.mode != Mode::Tabletop && !place.has_problems() && !is_proven_by_proxy(scenario, fault) {
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
    let name = kind.target();
    if let Some(target) = target(checker, place, name) {
        check_target(checker, place, kind, target);
    }
    for (key, program) in kind.programs() {
        let path = checker.workspace.root.join(program);
        let file = path.metadata().ok().filter(std::fs::Metadata::is_file);
        let place = place.key(key).item(0);
        match file {
            _ if !is_of_workspace(program) => {}
            None => {
                let problem = place.error("missing-file", format!("there is no program `{program}`"));
                checker.tell(problem.with_help("it is looked for in the workspace's folder"));
            }
            Some(file) if file.permissions().mode() & EXECUTABLE == 0 => {
                let problem = place.error("not-executable", format!("`{program}` may not be executed"));
                checker.tell(problem.with_help(format!("make it a program: `chmod +x {program}`")));
            }
            Some(_) => {}
        }
    }
    check_url(checker, place, kind);
    for objection in kind.objections() {
        // A placeholder that stands for nothing yet is told by itself.
        if objection.path == [Step::Key("url".to_owned())] && kind.url().is_some_and(|url| url.contains("${")) {
            continue;
        }
        let at = objection.path.iter().fold(place, |place, step| match step {
            Step::Key(key) => place.key(key),
            Step::Item(index) => place.item(*index),
        });
        // What seems to be missing may be there and could not be read.
        let is_whole = objection.path.is_empty();
        if is_whole && (place.has_problems() || place.all_items().any(Place::has_problems)) {
            continue;
        }
        let problem = if objection.is_about_key {
            at.name_error(objection.code, objection.message)
        } else {
            at.error(objection.code, objection.message)
        };
        checker.tell(problem.with_help_if(objection.help));
    }
}

/// Whether a proxy tells when it does a fault to a caller. A Toxiproxy does not, of which a run tells before it begins.
fn is_proven_by_proxy(scenario: &Scenario, fault: &FaultSpec) -> bool {
    let target = fault.kind().ok().and_then(|kind| scenario.targets.get(kind.target()));
    fault.is_counted() && matches!(target.map(|target| target.kind()), Some(Ok(TargetKind::Proxy(_))))
}

/// A URL may be a target's, where the file says what that is: the calls of a function are changed before anything is asked.
fn check_url(checker: &mut Checker<'_>, place: Place<'_>, kind: &FaultKind) {
    let (Some(filled), Some(text)) = (kind.url(), place.key("url").text()) else { return };
    let problems = checker.problems.len();
    checker.target_urls(place.key("url"), text);
    if filled.contains("${") && checker.problems.len() == problems {
        let problem = place.key("url").error("unknown-url", format!("nobody knows before the run what `{filled}` is"));
        checker.tell(problem.with_help("write the URL, or name a target that has a `url`"));
    }
}

/// Whether the target is of a kind that the fault works on, and whether its traffic would feel the fault.
fn check_target(checker: &mut Checker<'_>, place: Place<'_>, kind: &FaultKind, target: TargetKind<'_>) {
    let (need, name) = (kind.need(), kind.target());
    let is_right = need == TargetNeed::Any || need.key() == target.key();
    if !is_right {
        let message = format!("`{}` works on {}, and `{name}` is a {}", kind.key(), need.things(), target.thing());
        let problem = place.key("target").error("wrong-target", message);
        let help = match need {
            TargetNeed::Proxy => "name a `proxy` target: the dependency that the function calls".to_owned(),
            need => format!("name a `{}` target", need.key()),
        };
        checker.tell(problem.with_help(help));
        return;
    }
    // What somebody else's proxy does, a run finds out before it injects anything.
    if let (FaultKind::ProxyTls(fault), TargetKind::Proxy(proxy)) = (kind, target)
        && proxy.admin.is_none()
    {
        check_tls(checker, place, fault, proxy);
    }
    if let TargetKind::Proxy(proxy) = target
        && proxy.own().is_some_and(|own| own.protocol == Protocol::Tcp)
        && kind.is_on_requests()
    {
        let message =
            format!("`{}` is about single requests, and `{name}` has `protocol: tcp`, which knows none", kind.key());
        let problem = place.key("target").error("wrong-target", message);
        checker.tell(problem.with_help("set `protocol: http` of the target, or leave out what says of requests"));
    }
    let TargetKind::Lambda(LambdaTarget { alias, function, .. }) = target else { return };
    match (need, alias) {
        (TargetNeed::Latest, Some(alias)) => {
            let message =
                format!("`{}` would have no effect: traffic uses the alias `{alias}` of `{function}`", kind.key());
            let problem = place.key("target").error("alias-fault", message).with_note(LATEST_ONLY);
            checker.tell(problem.with_help(
                "use `lambda_canary` (a faulty version for a share of the alias's traffic), `lambda_concurrency` (it \
                 holds for the whole function), a `proxy_*` fault, or a target without `alias`",
            ));
        }
        (TargetNeed::Alias, None) => {
            let message = format!("`{}` needs an alias, and `{name}` names none", kind.key());
            let problem = place.key("target").error("missing-alias", message);
            checker.tell(problem.with_help("add `alias: NAME` to the target: the alias through which traffic comes"));
        }
        _ => {}
    }
}

/// Whether the proxy ends the TLS of callers, and can show them a certificate with this fault.
fn check_tls(checker: &mut Checker<'_>, place: Place<'_>, fault: &ProxyTls, proxy: &ProxyTarget) {
    match proxy.client_tls() {
        None => {
            let message = format!("callers of `{}` come without TLS, or it passes the proxy unseen", fault.target);
            let problem = place.key("target").error("wrong-target", message);
            checker.tell(problem.with_help("add `tls: {client: {}}` to the target"));
        }
        Some(CertificateSource::Files(_)) if fault.fault.needs_authority() => {
            let message =
                format!("`{}` can not be shown: the certificate of `{}` is from files", fault.fault, fault.target);
            let problem = place.key("fault").error("wrong-target", message);
            checker.tell(problem.with_help("take `certificate` out, so that the proxy makes it, or use `self_signed`"));
        }
        Some(CertificateSource::Files(_) | CertificateSource::SelfMade) => {}
    }
}

/// The target, if it is there and could be read; if it is not there, that is told.
fn target<'c>(checker: &mut Checker<'c>, place: Place<'_>, name: &TargetId) -> Option<TargetKind<'c>> {
    let declared = checker.declared;
    checker.refer(place.key("target"), "target", name.as_str(), &declared.targets);
    checker.scenario.targets.get(name)?.kind().ok()
}

/// Whether Lambda lets the variable be changed.
pub(super) fn check_variable(place: Place<'_>, name: &str) -> Option<Diagnostic> {
    let (code, message, help) = variable_problem(name)?;
    Some(place.error(code, message).with_help(help))
}
