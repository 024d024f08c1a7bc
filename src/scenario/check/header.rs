//! The keys at the top: version, what there must be, environments, variables, and what is covered.

use std::collections::BTreeSet;

use super::{Checker, unknown_name};
use crate::scenario::Mode;
use crate::scenario::vars::DEFAULT;
use crate::unit::{QUESTIONS, nearest};
use crate::workspace::{WORKLOAD_FILE, Workload};

pub(super) fn check(checker: &mut Checker<'_>, environment: Option<&str>) {
    let (scenario, root) = (checker.scenario, checker.root);
    for (key, text) in [("title", &scenario.title), ("owner", &scenario.owner)] {
        if text.trim().is_empty() {
            checker.tell(root.key(key).error("empty-value", format!("`{key}` says nothing")));
        }
    }
    if !root.key("load").is_found() && !root.key("faults").is_found() {
        let problem =
            root.name_error("missing-key", "the scenario has neither `load` nor `faults`: nothing would happen");
        checker.tell(problem.with_help("add `faults`, `load`, or both"));
    }
    for (key, what) in [("hypotheses", "hypothesis"), ("timeline", "phase")] {
        let place = root.key(key);
        if place.is_found() && place.all_items().next().is_none() {
            checker.tell(place.error("empty-list", format!("`{key}` needs at least one {what}")));
        }
    }
    check_environments(checker, environment);
    check_vars(checker);
    check_covers(checker);
    check_teams(checker);
}

/// That the owner is a team of `workload.yaml` or somebody in one, where it names any; and that nobody who takes part is a team's name
/// mistyped: that may be any person or rota.
fn check_teams(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    let Some(known) = checker.workspace.workload.as_ref().and_then(Workload::owners) else { return };
    let owner = scenario.owner.as_str();
    let near =
        |name: &str| nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    if !owner.trim().is_empty() && !known.contains(owner) {
        let message = format!("there is no team in workload.yaml called `{owner}`");
        checker.tell(root.key("owner").warning("unknown-team", message).with_help_if(near(owner)));
    }
    for (role, person) in scenario.people.iter().filter(|(_, person)| !known.contains(&person.who)) {
        if let Some(near) = near(&person.who) {
            let message = format!("there is no team in workload.yaml called `{}`", person.who);
            let place = root.key("people").key(role.as_str()).key("who");
            checker.tell(place.warning("unknown-team", message).with_help(near));
        }
    }
}

fn check_environments(checker: &mut Checker<'_>, environment: Option<&str>) {
    let Some(rules) = &checker.scenario.environments else { return };
    let place = checker.root.key("environments");
    let workspace = checker.workspace;
    // Without a `gameday.yaml` a scenario may come from another workspace, whose environments are not known.
    if workspace.has_settings {
        let known: BTreeSet<&str> = workspace.environments.keys().map(String::as_str).collect();
        for (name, item) in rules.allow.iter().zip(place.key("allow").items()) {
            checker.refer(item, "environment", name, &known);
        }
        for (name, before) in &rules.pass_first {
            let entry = place.key("pass_first").key(name);
            if !known.contains(name.as_str()) {
                let problem = unknown_name(entry, "environment", name, known.iter().copied());
                checker.tell(crate::document::Diagnostic { span: entry.name_span(), ..problem });
            }
            checker.refer(entry, "environment", before, &known);
        }
    }
    for name in rules.pass_first.keys() {
        // What must pass before it, and before that; with more steps than entries it is a circle that `name` may not be on.
        let before = std::iter::successors(Some(name), |at| rules.pass_first.get(*at)).skip(1);
        if before.take(rules.pass_first.len()).any(|before| before == name) {
            let message = format!("`{name}` would have to pass before itself");
            checker.tell(place.key("pass_first").key(name).error("impossible-order", message));
        }
    }
    if let Some(environment) = environment
        && checker.scenario.mode != Mode::Tabletop
        && !rules.allow.is_empty()
        && !rules.allow.iter().any(|name| name == environment)
    {
        let message = format!("the scenario may not run in the environment `{environment}`");
        let problem = place.key("allow").error("environment-not-allowed", message);
        checker.tell(problem.with_help(format!("add `{environment}` to `environments.allow`, or choose one of these")));
    }
}

fn check_vars(checker: &mut Checker<'_>) {
    let workspace = checker.workspace;
    for var in checker.root.key("vars").all_items() {
        let name = var.name().unwrap_or_default();
        if name.contains(['.', '{', '}', '$', ' ']) || name.is_empty() {
            let problem = var.name_error("invalid-value", format!("`{name}` is not a name for a variable"));
            checker.tell(problem.with_help("use letters, digits, `-` and `_`; a dot stands for a target's URL"));
        }
        for value in var.all_items() {
            if value.text().is_none() {
                let problem = value.error("wrong-type", "the value of a variable is text, a number, `true` or `false`");
                checker.tell(problem);
            }
            let key = value.name().unwrap_or_default();
            let known = || workspace.environments.keys().map(String::as_str).chain([DEFAULT]);
            if workspace.has_settings && !known().any(|known| known == key) {
                let problem = value.name_error("unknown-name", format!("no environment is called `{key}`"));
                let near = nearest(key, known()).map(|near| format!("did you mean `{near}`?"));
                checker.tell(problem.with_help_if(near));
            }
        }
    }
}

fn check_covers(checker: &mut Checker<'_>) {
    let Some(covers) = &checker.scenario.covers else { return };
    let place = checker.root.key("covers");
    let ops: BTreeSet<&str> = QUESTIONS.iter().map(|question| question.id).collect();
    for (name, item) in covers.ops.iter().zip(place.key("ops").items()) {
        checker.refer(item, "question of the Well-Architected Framework", name, &ops);
    }
    match &checker.workspace.workload {
        Some(workload) => {
            let components: BTreeSet<&str> = workload.components.keys().map(|name| name.as_str()).collect();
            for (name, item) in covers.components.iter().zip(place.key("components").items()) {
                checker.refer(item, "component of `workload.yaml`", name.as_str(), &components);
            }
            let risks: BTreeSet<&str> = workload.risks.keys().map(String::as_str).collect();
            for (name, item) in covers.risks.iter().zip(place.key("risks").items()) {
                checker.refer(item, "risk of `workload.yaml`", name, &risks);
            }
        }
        // Where there is one and it, or `gameday.yaml`, is wrong, that is told of it.
        None if checker.workspace.root.join(WORKLOAD_FILE).is_file() => {}
        None if !covers.components.is_empty() || !covers.risks.is_empty() => {
            let key = if covers.components.is_empty() { "risks" } else { "components" };
            let message = "components and risks can not be looked up: there is no `workload.yaml`";
            checker.tell(place.key(key).name_warning("no-workload", message));
        }
        None => {}
    }
    for (lesson, item) in covers.retests.iter().zip(place.key("retests").items()) {
        checker.lesson(item, lesson);
    }
}
