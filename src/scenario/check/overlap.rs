//! Faults that would be in place on top of each other: of one kind, on one target, at one time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Checker;
use super::timeline::Timed;
use crate::document::{PROBLEMS_MAX, Place};
use crate::fault::FaultKind;
use crate::scenario::schema::ActionKind;

/// Why they can not be.
const WHY: &str =
    "each would take the other's change for what was there before, and neither could be undone for certain";

/// A fault that is nominally in place.
struct InPlace<'c> {
    name: &'c str,
    /// When it ends by itself, from the run's start; none is at the end of the timeline.
    until: Option<Duration>,
    place: Place<'c>,
}

/// Walks through the actions in the order in which they happen.
pub(super) fn check<'c>(checker: &mut Checker<'c>, actions: &[Timed<'c>]) {
    let scenario = checker.scenario;
    let mut in_place: BTreeMap<(&'static str, String), Vec<InPlace<'c>>> = BTreeMap::new();
    for timed in actions {
        let (name, is_start) = match timed.action {
            ActionKind::Fault(name) => (name.as_str(), true),
            ActionKind::Undo(name) => (name, false),
            ActionKind::Load(_) | ActionKind::Inject(_) => continue,
        };
        let Some(spec) = scenario.faults.get(name) else { continue };
        let Ok(kind) = spec.kind() else { continue };
        let others = in_place.entry((kind.key(), changed(checker, &kind))).or_default();
        // To start it again while it is active is a problem of its own, which is told elsewhere.
        others.retain(|other| other.name != name && other.until.is_none_or(|until| until > timed.at));
        if !is_start {
            continue;
        }
        let place = timed.place.key("fault");
        if let Some(other) = others.first() {
            let message =
                format!("`{name}` comes on top of `{}`: both are `{}` on `{}`", other.name, kind.key(), kind.target());
            let help = format!("`undo: {}` first, or give it a `ttl` that is over by then", other.name);
            let problem = place.error("overlapping-faults", message).with_note(WHY).with_help(help);
            checker.tell(problem.with_related(place.source(), other.place.span(), "it is in place from here on"));
        }
        let until = spec.ttl.map(|ttl| timed.at.saturating_add(ttl.0));
        others.push(InPlace { name, until, place });
        // Each more makes the search longer, and nobody mends more at once.
        if checker.problems.len() >= PROBLEMS_MAX {
            return;
        }
    }
}

/// What a fault changes: the function, which two targets may name, or the target.
fn changed(checker: &Checker<'_>, kind: &FaultKind) -> String {
    let target = kind.target();
    let function = checker.scenario.targets.get(target).and_then(|target| target.lambda.as_ref());
    function.map_or_else(|| target.to_string(), |lambda| lambda.function.clone())
}
