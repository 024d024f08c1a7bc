//! Faults that would be in place on top of each other: two that change one setting of one thing at one time, also of
//! different kinds. A run would let the second wait for the end of the first.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Checker;
use super::timeline::Timed;
use crate::document::{PROBLEMS_MAX, Place};
use crate::fault::FaultKind;
use crate::scenario::schema::{ActionKind, ProxyKind, TargetKind};

/// Why they can not be.
const WHY: &str =
    "each would take the other's change for what was there before, and neither could be undone for certain";

/// A fault that is nominally in place.
#[derive(Clone, Copy)]
struct InPlace<'c> {
    name: &'c str,
    /// When it ends by itself, from the run's start; none is at the end of the timeline.
    until: Option<Duration>,
    place: Place<'c>,
}

/// Walks through the actions in the order in which they happen.
pub(super) fn check<'c>(checker: &mut Checker<'c>, actions: &[Timed<'c>]) {
    let scenario = checker.scenario;
    let mut in_place: BTreeMap<(String, String), Vec<InPlace<'c>>> = BTreeMap::new();
    for timed in actions {
        let (name, is_start) = match timed.action {
            ActionKind::Fault(name) => (name.as_str(), true),
            ActionKind::Undo(name) => (name, false),
            ActionKind::Load(_) | ActionKind::Inject(_) => continue,
        };
        let Some(spec) = scenario.faults.get(name) else { continue };
        let Ok(kind) = spec.kind() else { continue };
        let (resource, place) = (changed(checker, &kind), timed.place.key("fault"));
        let until = spec.ttl.map(|ttl| timed.at.saturating_add(ttl.0));
        let mut shared: BTreeMap<&str, (InPlace<'c>, Vec<String>)> = BTreeMap::new();
        for setting in kind.settings() {
            let others = in_place.entry((resource.clone(), setting.clone())).or_default();
            // To start it again while it is active is a problem of its own, which is told elsewhere.
            others.retain(|other| other.name != name && other.until.is_none_or(|until| until > timed.at));
            if !is_start {
                continue;
            }
            // Those below the first have been told already.
            if let Some(other) = others.first() {
                shared.entry(other.name).or_insert_with(|| (*other, Vec::new())).1.push(setting);
            }
            others.push(InPlace { name, until, place });
        }
        for (other, settings) in shared.into_values() {
            let shared = settings.join(" and ");
            let message = format!("`{name}` comes on top of `{}`: both change {shared} of {resource}", other.name);
            let help = format!("`undo: {}` first, or give it a `ttl` that is over by then", other.name);
            let problem = place.error("overlapping-faults", message).with_note(WHY).with_help(help);
            checker.tell(problem.with_related(place.source(), other.place.span(), "it is in place from here on"));
        }
        // Each more makes the search longer, and nobody mends more at once.
        if checker.problems.len() >= PROBLEMS_MAX {
            return;
        }
    }
}

/// What a fault changes, in words: the thing itself, which two targets may name.
fn changed(checker: &Checker<'_>, kind: &FaultKind) -> String {
    let target = kind.target();
    match checker.scenario.targets.get(target).and_then(|spec| spec.kind().ok()) {
        Some(TargetKind::Lambda(lambda)) => format!("function `{}`", lambda.function),
        Some(TargetKind::Proxy(proxy)) => match proxy.kind(target) {
            Some(ProxyKind::Remote(remote)) => format!("proxy `{}` at {}", remote.name, remote.admin),
            Some(ProxyKind::Own(_)) | None => format!("proxy `{target}`"),
        },
        Some(other) => {
            other.resource().map_or_else(|| format!("{} `{target}`", other.thing()), |thing| thing.to_string())
        }
        None => format!("`{target}`"),
    }
}
