//! Loads: what the load's own check finds, at its place in the file, and the targets that its URLs name.

use super::Checker;
use crate::document::{Diagnostic, Place, SECRET_CODE, Span};
use crate::load::{BODY_FILES_BYTES_MAX, ReceiverKind, StepKind, StepSpec};
use crate::scenario::schema::{TargetKind, TargetSpec};
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
        for (path, step) in load.calls() {
            check_call(checker, walk(place, &path), step);
        }
        for placeholder in load.target_placeholders() {
            let at = walk(place, &placeholder.path);
            let written = format!("${{{}}}", placeholder.name);
            let start = at.text().and_then(|text| text.find(&written)).unwrap_or_default();
            checker.target_url(at, start, &placeholder.name);
        }
    }
}

/// A call names a target of a kind that can be called so.
fn check_call(checker: &mut Checker<'_>, place: Place<'_>, step: &StepSpec) {
    let (Some(kind), Some(target)) = (step.kind(), step.callee()) else { return };
    let at = if step.send.is_some() { place.key("send").key("to") } else { place.key("invoke") };
    checker.placeholder_targets.insert(target.to_string());
    let known = checker.declared.targets.clone();
    checker.refer(at, "target", target.as_str(), &known);
    let Some(Ok(found)) = checker.scenario.targets.get(target).map(TargetSpec::kind) else { return };
    let receiver = match found {
        TargetKind::Queue(queue) => Some((ReceiverKind::Queue, &queue.name)),
        TargetKind::Topic(topic) => Some((ReceiverKind::Topic, &topic.name)),
        TargetKind::Bus(bus) => Some((ReceiverKind::Bus, &bus.name)),
        TargetKind::Stream(stream) => Some((ReceiverKind::Stream, &stream.name)),
        TargetKind::Lambda(_)
        | TargetKind::Proxy(_)
        | TargetKind::Role(_)
        | TargetKind::Table(_)
        | TargetKind::Rule(_)
        | TargetKind::Parameter(_)
        | TargetKind::Other(_) => None,
    };
    let thing = found.thing();
    match (kind, receiver) {
        (StepKind::Invoke(_), _) if !matches!(found, TargetKind::Lambda(_)) => {
            let problem = at.error("wrong-target", format!("`{target}` is a {thing}, and `invoke` is for functions"));
            checker.tell(problem.with_help("name a `lambda` target, or `send` it a message"));
        }
        (StepKind::Send(_), None) => {
            let message = format!("`{target}` is a {thing}, which takes no messages");
            let problem = at.error("wrong-target", message);
            checker.tell(problem.with_help("name a target that is a `queue`, `topic`, `bus` or `stream`"));
        }
        (StepKind::Send(_), Some((receiver, name))) => {
            for problem in step.send_problems(receiver, name) {
                let at = walk(place, &problem.path);
                checker.tell(at.error("invalid-load", problem.message).with_help(problem.remedy));
            }
            if let Some(file) = step.file.as_ref().filter(|_| receiver != ReceiverKind::Stream)
                && let Ok(bytes) = read_below(&checker.workspace.root, file, BODY_FILES_BYTES_MAX)
                && std::str::from_utf8(&bytes).is_err()
            {
                let message = format!("`{file}` is no text, and only a stream takes bytes");
                let problem = place.key("file").error("invalid-load", message);
                checker.tell(problem.with_help("send text, such as the bytes in Base64"));
            }
        }
        (
            StepKind::Invoke(_)
            | StepKind::Request(..)
            | StepKind::Pause(_)
            | StepKind::Set(_)
            | StepKind::Group(_)
            | StepKind::Loop(_)
            | StepKind::If(_),
            _,
        ) => {}
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
