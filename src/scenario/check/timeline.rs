//! The timeline: phases that last, actions within them, and an order in which things can start and end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Checker, duplicates, exactly_one, overlap, unknown_name};
use crate::document::Place;
use crate::scenario::schema::{ActionKind, ActionSpec, PhaseSpec};
use crate::unit::format_duration;

/// A fault or load that was started.
struct Started<'c> {
    /// When it ends by itself, from the run's start; none is at the end of the timeline.
    until: Option<Duration>,
    undone: bool,
    place: Place<'c>,
}

/// An action that could be read, at its time from the run's start.
pub(super) struct Timed<'c> {
    pub(super) at: Duration,
    pub(super) action: ActionKind<'c>,
    pub(super) place: Place<'c>,
}

pub(super) fn check(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    checker.problems.extend(duplicates(root.key("timeline"), "phase", "phases"));
    let mut start = Duration::ZERO;
    let mut actions = Vec::new();
    let playbooks = checker.names.playbooks.clone();
    for (phase, place) in scenario.timeline.iter().zip(root.key("timeline").items()) {
        if phase.length.is_zero() {
            let message = format!("the phase `{}` lasts no time", phase.phase);
            checker.tell(place.key("for").error("empty-phase", message).with_help("give it a length such as `5m`"));
        }
        if let Some(playbook) = &phase.playbook {
            checker.refer(place.key("playbook"), "playbook", playbook.as_str(), &playbooks);
        }
        if let Some(text) = &phase.until
            && let Some(expectation) = checker.expectation(place.key("until"), text)
        {
            checker.expectations.until.entry(phase.phase.clone()).or_insert(expectation);
        }
        check_checklist(checker, phase, place);
        let from = actions.len();
        for (index, (action, place)) in phase.actions.iter().zip(place.key("do").items()).enumerate() {
            check_action(checker, phase, index, action, place);
            match action.kind() {
                Ok(kind) => actions.push(Timed { at: start.saturating_add(action.at.0), action: kind, place }),
                Err(given) => checker.problems.extend(exactly_one(place, "an action", &given, ActionSpec::KINDS)),
            }
        }
        // Within a phase the file's order is free; across phases it is the order of time.
        if let Some(own) = actions.get_mut(from..) {
            own.sort_by_key(|timed| timed.at);
        }
        start = start.saturating_add(phase.length.0);
    }
    check_order(checker, &actions);
    overlap::check(checker, &actions);
}

fn check_checklist(checker: &mut Checker<'_>, phase: &PhaseSpec, place: Place<'_>) {
    for (step, place) in phase.checklist.iter().zip(place.key("checklist").items()) {
        let Some(within) = &step.within else { continue };
        if within.length.is_zero() {
            checker.tell(place.key("within").error("out-of-range", "nobody can do it in no time"));
        } else if within.after.is_none() && within.length.0 > phase.length.0 {
            let message = format!("the phase `{}` ends after {}, before this is due", phase.phase, phase.length);
            checker.tell(place.key("within").warning("beyond-phase", message));
        }
    }
}

fn check_action(checker: &mut Checker<'_>, phase: &PhaseSpec, index: usize, action: &ActionSpec, place: Place<'_>) {
    if action.at.0 > phase.length.0 {
        let message = format!("the phase `{}` is over after {}", phase.phase, phase.length);
        let problem = place.key("at").error("beyond-phase", message);
        checker.tell(problem.with_help("`at` counts from the start of its phase"));
    }
    if let Some(text) = &action.unless
        && let Some(expectation) = checker.expectation(place.key("unless"), text)
    {
        checker.expectations.unless.entry((phase.phase.clone(), index)).or_insert(expectation);
    }
}

fn check_order<'c>(checker: &mut Checker<'c>, actions: &[Timed<'c>]) {
    let mut faults: BTreeMap<&str, Started<'c>> = BTreeMap::new();
    let mut loads: BTreeMap<&str, Started<'c>> = BTreeMap::new();
    let declared = checker.declared;
    for timed in actions {
        match timed.action {
            ActionKind::Fault(name) => {
                checker.refer(timed.place.key("fault"), "fault", name.as_str(), &declared.faults);
                let ttl = checker.scenario.faults.get(name).and_then(|fault| fault.ttl).map(|ttl| ttl.0);
                start(checker, &mut faults, name.as_str(), "fault", ttl, timed);
            }
            ActionKind::Load(name) => {
                checker.refer(timed.place.key("load"), "load", name.as_str(), &declared.loads);
                let length = checker.scenario.load.get(name).map(|load| load.shape().end());
                start(checker, &mut loads, name.as_str(), "load", length, timed);
            }
            ActionKind::Inject(name) => {
                checker.refer(timed.place.key("inject"), "inject", name.as_str(), &declared.injects);
            }
            ActionKind::Undo(name) => undo(checker, &mut faults, &mut loads, name, timed),
        }
    }
}

fn start<'c>(
    checker: &mut Checker<'c>,
    started: &mut BTreeMap<&'c str, Started<'c>>,
    name: &'c str,
    what: &'static str,
    length: Option<Duration>,
    timed: &Timed<'c>,
) {
    let until = length.map(|length| timed.at.saturating_add(length));
    let place = timed.place.key(what);
    if let Some(before) = started.insert(name, Started { until, undone: false, place })
        && !before.undone
        && before.until.is_none_or(|until| until > timed.at)
    {
        let end = before.until.map_or_else(
            || "the end of the timeline".to_owned(),
            |until| format!("{} after the run's start", format_duration(until)),
        );
        let message = format!("the {what} `{name}` is still active: it lasts to {end}");
        let problem =
            place.error("already-active", message).with_help(format!("`undo: {name}` before it is started again"));
        checker.tell(problem.with_related(place.source(), before.place.span(), "it was started here"));
    }
}

/// Whether every phase and every action of a timeline could be read.
fn is_whole(timeline: Place<'_>) -> bool {
    !timeline.has_problems()
        && timeline.all_items().all(|phase| !phase.has_problems() && !phase.key("do").has_problems())
}

fn undo<'c>(
    checker: &mut Checker<'c>,
    faults: &mut BTreeMap<&'c str, Started<'c>>,
    loads: &mut BTreeMap<&'c str, Started<'c>>,
    name: &'c str,
    timed: &Timed<'c>,
) {
    let place = timed.place.key("undo");
    let is_known = checker.declared.faults.contains(name) || checker.declared.loads.contains(name);
    if !is_known {
        let known: Vec<&str> = checker.declared.faults.iter().chain(&checker.declared.loads).copied().collect();
        checker.tell(unknown_name(place, "fault or load", name, known));
        return;
    }
    if checker.declared.faults.contains(name) && checker.declared.loads.contains(name) {
        let message = format!("`{name}` is a fault and a load: which one is undone?");
        checker.tell(place.error("ambiguous-name", message).with_help("rename one of them"));
        return;
    }
    match faults.get_mut(name).or_else(|| loads.get_mut(name)) {
        // What starts it may be what could not be read.
        None if !is_whole(checker.root.key("timeline")) => {}
        None => {
            let problem = place.error("never-started", format!("`{name}` is undone before it was ever started"));
            checker.tell(problem.with_help("move the `undo` behind the action that starts it"));
        }
        Some(before) if before.undone => {
            let problem = place.warning("already-undone", format!("`{name}` was undone before"));
            checker.tell(problem.with_related(place.source(), before.place.span(), "it was undone here"));
        }
        Some(before) => {
            before.undone = true;
            before.place = place;
        }
    }
}
