//! People: checklists, polls, injects and hints name roles and hypotheses that exist.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, duplicates};
use crate::document::Place;
use crate::playbook;
use crate::unit::{LessonId, PersonId, PlaybookId};

pub(super) fn check(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    for (name, inject) in &scenario.injects {
        let place = root.key("injects").key(name.as_str());
        checker.role(place.key("to"), &inject.to);
    }
    checker.problems.extend(duplicates(root.key("hints"), "id", "hints"));
    for (hint, place) in scenario.hints.iter().zip(root.key("hints").items()) {
        if let Some(hypothesis) = &hint.hypothesis {
            checker.hypothesis(place.key("for"), hypothesis.as_str());
        }
    }
    let mut seen: BTreeMap<&str, Place<'_>> = BTreeMap::new();
    for (phase, place) in scenario.timeline.iter().zip(root.key("timeline").items()) {
        for (step, place) in phase.checklist.iter().zip(place.key("checklist").items()) {
            if let Some(first) = seen.insert(step.id.as_str(), place.key("id")) {
                let problem = place.key("id").error("duplicate-id", format!("two steps are called `{}`", step.id));
                let problem = problem.with_help("steps are ticked by id, `gameday step done ID`, in whatever phase");
                checker.tell(problem.with_related(place.source(), first.span(), "the first is here"));
            }
            if let Some(owner) = &step.owner {
                checker.role(place.key("owner"), owner);
            }
            for (role, place) in step.poll.iter().zip(place.key("poll").items()) {
                checker.role(place, role);
            }
        }
    }
    check_playbooks(checker);
}

/// A playbook is shared by scenarios, so a role of it that is missing in this one is a doubt and no error.
fn check_playbooks(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    // Phases may share a playbook, which is read once.
    let mut missing: BTreeMap<&PlaybookId, Vec<String>> = BTreeMap::new();
    for (phase, place) in scenario.timeline.iter().zip(root.key("timeline").items()) {
        let Some(id) = &phase.playbook else { continue };
        let roles = missing.entry(id).or_insert_with(|| missing_roles(checker, id));
        if roles.is_empty() {
            continue;
        }
        let list = roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(" and ");
        let message = format!("`{id}` has steps for {list}, and nobody in `people` has that role");
        let help = format!("add `{}: {{who: …}}` to `people`", roles.join(": {who: …}, "));
        checker.tell(place.key("playbook").warning("unknown-role", message).with_help(help));
    }
}

/// The roles of a playbook's steps that the scenario does not have. What is wrong with the playbook itself is told of it.
fn missing_roles(checker: &Checker<'_>, id: &PlaybookId) -> Vec<String> {
    let playbook = checker.workspace.playbooks.get(id).and_then(|path| playbook::load(path).ok());
    let steps = playbook.map(|playbook| playbook.steps).unwrap_or_default();
    let roles: BTreeSet<PersonId> = steps.into_iter().flat_map(|step| [step.owner, step.needs]).flatten().collect();
    let missing = roles.iter().map(PersonId::as_str).filter(|role| !checker.declared.people.contains(role));
    missing.map(str::to_owned).collect()
}

impl Checker<'_> {
    fn role(&mut self, place: Place<'_>, role: &PersonId) {
        let declared = self.declared;
        self.refer(place, "role in `people`", role.as_str(), &declared.people);
    }

    /// Tells that no hypothesis has that id.
    pub(super) fn hypothesis(&mut self, place: Place<'_>, id: &str) {
        let declared = self.declared;
        self.refer(place, "hypothesis", id, &declared.hypotheses);
    }

    /// Tells that no lesson has that id.
    pub(super) fn lesson(&mut self, place: Place<'_>, lesson: &LessonId) {
        let workspace = self.workspace;
        match &workspace.lessons {
            Some(lessons) => {
                let known = lessons.keys().map(LessonId::as_str).collect();
                self.refer(place, "lesson in `lessons/`", lesson.as_str(), &known);
            }
            None => {
                let message = format!("the lesson `{lesson}` can not be looked up: there is no folder `lessons/`");
                self.tell(place.warning("no-lessons", message));
            }
        }
    }
}
