//! Loads: what the load's own check finds, at its place in the file, and the targets that its URLs name.

use super::Checker;
use crate::document::Place;

pub(super) fn check(checker: &mut Checker<'_>) {
    for (name, load) in &checker.scenario.load {
        let place = checker.root.key("load").key(name.as_str());
        for problem in load.problems() {
            let at = walk(place, &problem.path);
            // What seems to be missing may be what could not be read, and that is told already.
            if !at.has_problems() {
                checker.tell(at.error("invalid-load", problem.message).with_help(problem.remedy));
            }
        }
        for placeholder in load.placeholders().into_iter().filter(crate::load::Placeholder::is_dotted) {
            let at = walk(place, &placeholder.path);
            let written = format!("${{{}}}", placeholder.name);
            let start = at.text().and_then(|text| text.find(&written)).unwrap_or_default();
            checker.target_url(at, start, &placeholder.name);
        }
    }
}

/// The place at the end of a path of keys and indexes, as near as the file goes.
fn walk<'d>(place: Place<'d>, path: &[String]) -> Place<'d> {
    path.iter().fold(place, |place, step| match step.parse::<usize>() {
        Ok(index) if place.name().is_some_and(|name| matches!(name, "journeys" | "steps" | "shape" | "status")) => {
            place.item(index)
        }
        Ok(_) | Err(_) => place.key(step),
    })
}
