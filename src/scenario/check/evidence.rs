//! The key `evidence`: that there is something to read.

use super::Checker;
use crate::scenario::Mode;
use crate::scenario::schema::TargetKind;

pub(super) fn check(checker: &mut Checker<'_>) {
    let Some(evidence) = checker.scenario.evidence else { return };
    let place = checker.root.key("evidence");
    // What is left out is no mistake.
    let asked = [("logs", evidence.logs), ("traces", evidence.traces), ("metrics", evidence.metrics)];
    for (key, _) in asked.into_iter().filter(|(key, is_asked)| *is_asked && place.key(key).is_found()) {
        let problem = if checker.scenario.mode == Mode::Tabletop {
            place.key(key).error("impossible-evidence", format!("nothing runs at a table: there are no {key} to read"))
        } else if has_function(checker) {
            continue;
        } else {
            let message =
                format!("there are no {key} to read: no target is a function, and no component that is covered is one");
            let problem = place.key(key).error("impossible-evidence", message);
            problem.with_help("add a target such as `orders: {lambda: {function: orders}}`, or leave the key out")
        };
        checker.tell(problem);
    }
}

fn has_function(checker: &Checker<'_>) -> bool {
    let is_function = |target: &crate::scenario::TargetSpec| matches!(target.kind(), Ok(TargetKind::Lambda(_)));
    let covered = checker.scenario.covers.iter().flat_map(|covers| &covers.components);
    let component = |id| checker.workspace.workload.as_ref().and_then(|workload| workload.components.get(id));
    let mut of_components = covered.filter_map(component);
    checker.scenario.targets.values().any(is_function) || of_components.any(|component| component.lambda.is_some())
}
