//! People: checklists, polls, injects and hints name roles and hypotheses that exist.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, duplicates};
use crate::document::Place;
use crate::playbook;
use crate::unit::{Anchor, LessonId, PersonId, PlaybookId, StepId};

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
            if let Some(anchor) = step.within.as_ref().and_then(|within| within.after.as_ref()) {
                checker.anchor(place.key("within"), anchor, &step.id);
            }
        }
    }
    check_blind(checker);
    check_playbooks(checker);
}

/// Whoever drives the clock knows what is coming: they can not play blind.
fn check_blind(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    let Some(facilitator) = scenario.people.get(FACILITATOR) else { return };
    for (role, person) in scenario.people.iter().filter(|(_, person)| person.blind) {
        let place = root.key("people").key(role.as_str());
        if role.as_str() == FACILITATOR {
            let message = format!("`{role}` runs the game day, and can not be blind");
            checker.tell(place.key("blind").error("not-blind", message).with_help("let others play"));
        } else if person.who == facilitator.who {
            let message = format!("`{}` runs the game day, and is to play blind as `{role}`", person.who);
            checker.tell(place.key("who").error("not-blind", message).with_help("name somebody else"));
        }
    }
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

/// The role that knows what is coming.
const FACILITATOR: &str = "facilitator";

impl Checker<'_> {
    /// Tells that a step's time is counted from something that the scenario does not have.
    fn anchor(&mut self, place: Place<'_>, anchor: &Anchor, own: &StepId) {
        let declared = self.declared;
        match anchor {
            Anchor::Mark(_) | Anchor::Ack => {}
            Anchor::Fault(fault) => self.refer(place, "fault", fault.as_str(), &declared.faults),
            Anchor::Inject(inject) => self.refer(place, "inject", inject.as_str(), &declared.injects),
            Anchor::Alarm(alarm) => {
                let alarms = self.names.alarms.clone();
                self.refer(place, "alarm in `alarms`", alarm.as_str(), &alarms);
            }
            Anchor::Step(step) if step == own => {
                self.tell(place.error("impossible-order", format!("`{step}` would be due after itself")));
            }
            Anchor::Step(step) => {
                let steps = self.step_names();
                let steps = steps.iter().map(String::as_str).collect();
                self.refer(place, "step", step.as_str(), &steps);
            }
        }
    }

    /// The ids of all steps: of checklists, and of playbooks that can be read.
    fn step_names(&self) -> BTreeSet<String> {
        let phases = &self.scenario.timeline;
        let own = phases.iter().flat_map(|phase| &phase.checklist).map(|step| step.id.to_string());
        let ids: BTreeSet<&PlaybookId> = phases.iter().filter_map(|phase| phase.playbook.as_ref()).collect();
        let playbooks = ids.into_iter().filter_map(|id| playbook::load(self.workspace.playbooks.get(id)?).ok());
        own.chain(playbooks.flat_map(|it| it.steps).map(|step| step.id.to_string())).collect()
    }

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
