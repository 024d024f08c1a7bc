//! Loads: what the load's own check finds, at its place in the file, and the targets that its URLs name.

use super::Checker;
use crate::document::{Diagnostic, Place, SECRET_CODE, Span};
use crate::unit::{IS_A_SECRET, nearest, read_below};

pub(super) fn check(checker: &mut Checker<'_>) {
    for (name, load) in &checker.scenario.load {
        let place = checker.root.key("load").key(name.as_str());
        let mut problems = load.problems();
        if problems.is_empty() {
            let root = &checker.workspace.root;
            problems = load.file_problems(&|path, bytes_max| read_below(root, path, bytes_max));
        }
        for problem in problems {
            let at = walk(place, &problem.path);
            // What seems to be missing may be what could not be read, and that is told already.
            if at.has_problems() {
                continue;
            }
            let (span, help) = match &problem.placeholder {
                None => (at.span(), problem.remedy),
                Some(name) => {
                    let variables = checker.scenario.vars.keys().map(String::as_str);
                    let near = nearest(name, variables).map(|near| format!("did you mean `${{{near}}}`?"));
                    (span_of(at, name), near.unwrap_or(problem.remedy))
                }
            };
            // The line itself is not shown then.
            let code = if problem.message.contains(IS_A_SECRET) { SECRET_CODE } else { "invalid-load" };
            checker.tell(Diagnostic { span, ..at.error(code, problem.message) }.with_help(help));
        }
        for placeholder in load.target_placeholders() {
            let at = walk(place, &placeholder.path);
            let written = format!("${{{}}}", placeholder.name);
            let start = at.text().and_then(|text| text.find(&written)).unwrap_or_default();
            checker.target_url(at, start, &placeholder.name);
        }
    }
}

/// Where `${name}` stands in a text.
fn span_of(place: Place<'_>, name: &str) -> Span {
    let written = format!("${{{name}}}");
    let start = place.text().and_then(|text| text.find(&written));
    start.map_or_else(|| place.span(), |start| place.span_within(&(start..start + written.len())))
}

/// The place at the end of a path of keys and indexes, as near as the file goes.
fn walk<'d>(place: Place<'d>, path: &[String]) -> Place<'d> {
    const LISTS: [&str; 8] = ["journeys", "steps", "shape", "status", "setup", "teardown", "then", "else"];
    path.iter().fold(place, |place, step| match step.parse::<usize>() {
        Ok(index) if place.name().is_some_and(|name| LISTS.contains(&name)) => place.item(index),
        Ok(_) | Err(_) => place.key(step),
    })
}
