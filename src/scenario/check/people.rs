//! People: checklists, polls, injects and hints name roles and hypotheses that exist.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, duplicates};
use crate::document::Place;
use crate::playbook;
use crate::playbook::Playbook;
use crate::scenario::ChecklistStep;
use crate::unit::{Anchor, LessonId, PersonId, PlaybookId, StepId, meant_mark};

pub(super) fn check(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    let playbooks = playbooks(checker);
    let steps = step_names(checker, &playbooks);
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
                checker.anchor(place.key("within"), anchor, &step.id, &steps);
            }
            check_poll(checker, place, step);
        }
    }
    check_blind(checker);
    check_playbooks(checker, &playbooks, &steps);
}

/// A poll asks somebody, and everybody once.
fn check_poll(checker: &mut Checker<'_>, place: Place<'_>, step: &ChecklistStep) {
    let poll = place.key("poll");
    if poll.is_found() && step.poll.is_empty() {
        let problem = poll.error("empty-poll", format!("the poll `{}` asks nobody", step.id));
        checker.tell(problem.with_help("name the roles that have to agree, or remove `poll`"));
    }
    let mut asked = BTreeSet::new();
    for (role, place) in step.poll.iter().zip(poll.items()) {
        if !asked.insert(role) {
            checker
                .tell(place.error("asked-twice", format!("`{role}` is asked twice")).with_help("name each role once"));
        }
    }
}

/// The playbooks of the timeline that can be read, each once.
fn playbooks(checker: &Checker<'_>) -> BTreeMap<PlaybookId, Playbook> {
    let ids: BTreeSet<&PlaybookId> =
        checker.scenario.timeline.iter().filter_map(|phase| phase.playbook.as_ref()).collect();
    let load = |id: &PlaybookId| Some((id.clone(), playbook::load(checker.workspace.playbooks.get(id)?).ok()?));
    ids.into_iter().filter_map(load).collect()
}

/// The ids of all steps: of checklists, and of playbooks that can be read.
fn step_names(checker: &Checker<'_>, playbooks: &BTreeMap<PlaybookId, Playbook>) -> BTreeSet<String> {
    let own = checker.scenario.timeline.iter().flat_map(|phase| &phase.checklist).map(|step| step.id.to_string());
    own.chain(playbooks.values().flat_map(|it| &it.steps).map(|step| step.id.to_string())).collect()
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

/// A playbook is shared by scenarios, so a role or an anchor of it that is missing in this one is a doubt and no error.
fn check_playbooks(checker: &mut Checker<'_>, playbooks: &BTreeMap<PlaybookId, Playbook>, steps: &BTreeSet<String>) {
    let (scenario, root) = (checker.scenario, checker.root);
    for (phase, place) in scenario.timeline.iter().zip(root.key("timeline").items()) {
        let Some((id, playbook)) = phase.playbook.as_ref().and_then(|id| playbooks.get_key_value(id)) else { continue };
        let place = place.key("playbook");
        check_roles(checker, place, id, playbook);
        for step in &playbook.steps {
            if phase.checklist.iter().any(|own| own.id == step.id) {
                let message = format!("`{id}` has a step `{0}`, and so has the checklist of this phase", step.id);
                let help = "steps are ticked by id: give the step of the checklist another one";
                checker.tell(place.error("duplicate-id", message).with_help(help));
            }
            if let Some(anchor) = step.within.as_ref().and_then(|within| within.after.as_ref())
                && !checker.has(anchor, steps)
            {
                let message = format!(
                    "the time of step `{}` of `{id}` counts from `{anchor}`, which this scenario has not",
                    step.id
                );
                let help = "it is never late here";
                checker.tell(place.warning("unknown-anchor", message).with_help(help));
            }
        }
    }
}

fn check_roles(checker: &mut Checker<'_>, place: Place<'_>, id: &PlaybookId, playbook: &Playbook) {
    let roles: BTreeSet<&PersonId> =
        playbook.steps.iter().flat_map(|step| [&step.owner, &step.needs]).flatten().collect();
    let missing = roles.into_iter().map(PersonId::as_str).filter(|role| !checker.declared.people.contains(role));
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return;
    }
    let list = missing.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(" and ");
    let message = format!("`{id}` has steps for {list}, and nobody in `people` has that role");
    let help = format!("add `{}: {{who: …}}` to `people`", missing.join(": {who: …}, "));
    checker.tell(place.warning("unknown-role", message).with_help(help));
}

/// The role that knows what is coming.
const FACILITATOR: &str = "facilitator";

impl Checker<'_> {
    /// Tells that a step's time is counted from something that the scenario does not have.
    fn anchor(&mut self, place: Place<'_>, anchor: &Anchor, own: &StepId, steps: &BTreeSet<String>) {
        let declared = self.declared;
        match anchor {
            Anchor::Ack => {}
            Anchor::Mark(name) => {
                if let Some(near) = meant_mark(name) {
                    let problem = place.error("unknown-name", format!("the mark `{name}` is nearly `{near}`"));
                    self.tell(problem.with_help(format!("did you mean `{near}`?")));
                }
            }
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
                self.refer(place, "step", step.as_str(), &steps.iter().map(String::as_str).collect());
            }
        }
    }

    /// Whether the scenario has what a step's time is counted from.
    fn has(&self, anchor: &Anchor, steps: &BTreeSet<String>) -> bool {
        match anchor {
            Anchor::Ack => true,
            Anchor::Mark(name) => meant_mark(name).is_none(),
            Anchor::Fault(fault) => self.declared.faults.contains(fault.as_str()),
            Anchor::Inject(inject) => self.declared.injects.contains(inject.as_str()),
            Anchor::Alarm(alarm) => self.names.alarms.contains(alarm.as_str()),
            Anchor::Step(step) => steps.contains(step.as_str()),
        }
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
