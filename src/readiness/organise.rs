//! Section C: who owns what, and who takes part.

use std::collections::BTreeSet;

use super::ground::Ground;
use super::outcome::Tally;
use crate::unit::ComponentId;

/// The keys under which teams write the owner of a resource, in small letters.
const OWNER_TAGS: [&str; 3] = ["owner", "team", "squad"];
/// What stands for nobody.
const NOBODY: [&str; 6] = ["", "tbd", "todo", "?", "n/a", "nobody"];
/// The role that leads, and responds to nothing.
const FACILITATOR: &str = "facilitator";

/// The components that the scenario exercises: what it says that it covers, what its targets are a part of, and, where it says nothing, all.
pub(super) fn exercised(ground: &Ground<'_>) -> BTreeSet<ComponentId> {
    let covered = ground.plan.scenario.covers.iter().flat_map(|covers| covers.components.iter().cloned());
    let of_targets = ground.plan.components.iter().filter(|(_, targets)| !targets.is_empty());
    covered.chain(of_targets.map(|(id, _)| id.clone())).collect()
}

pub(super) fn components(ground: &Ground<'_>) -> Tally {
    let Some(workload) = &ground.facts.workload else {
        return Tally::one(false, "there is no `workload.yaml`");
    };
    let mut tally = Tally::one(!workload.stakeholders.is_empty(), "the workload has no stakeholders");
    if workload.components.is_empty() {
        tally.fail("the workload has no components");
    }
    for (id, component) in &workload.components {
        let lacks = |what: &str, is_there: bool| if is_there { None } else { Some(what.to_owned()) };
        let lacking: Vec<String> = [
            lacks("owner", !component.owner.trim().is_empty()),
            lacks("value", component.value.is_some()),
            lacks("priority", component.priority.is_some()),
        ]
        .into_iter()
        .flatten()
        .collect();
        tally.expect(lacking.is_empty(), format!("component `{id}` has no {}", lacking.join(", no ")));
    }
    tally
}

pub(super) fn owners(ground: &Ground<'_>) -> Tally {
    let Some(workload) = &ground.facts.workload else { return Tally::default() };
    ground.each_function(false, |tally, function, _| {
        let component = function.component.as_ref().and_then(|id| workload.components.get(id));
        let Some(component) = component else { return };
        let (name, owner) = (&function.name, &component.owner);
        match ground.tags(&ground.function_arn(name)) {
            Ok(tags) => {
                let tag = tags.iter().find(|(key, _)| OWNER_TAGS.contains(&key.to_lowercase().as_str()));
                match tag {
                    Some((_, value)) if value.eq_ignore_ascii_case(owner) => tally.pass(),
                    Some((key, value)) => {
                        tally
                            .fail(format!("function `{name}` has `{key}: {value}`, and its component is of `{owner}`"));
                    }
                    None => tally.fail(format!("function `{name}` has no tag that names its owner")),
                }
            }
            Err(why) => tally.unknown(&why.0),
        }
    })
}

pub(super) fn risks(ground: &Ground<'_>) -> Tally {
    let Some(workload) = &ground.facts.workload else { return Tally::default() };
    let mut tally = Tally::default();
    for id in exercised(ground) {
        let of_component = workload.components.get(&id).is_some_and(|component| !component.risks.is_empty());
        let has = of_component || workload.risks.values().any(|risk| risk.component == id);
        tally.expect(has, format!("component `{id}` has no risk"));
    }
    tally
}

pub(super) fn roles(ground: &Ground<'_>) -> Tally {
    let people = &ground.plan.scenario.people;
    let mut tally = Tally::default();
    let is_nobody = |who: &str| NOBODY.contains(&who.trim().to_lowercase().as_str());
    for (role, person) in people.iter().filter(|(_, person)| person.required) {
        tally.expect(!is_nobody(&person.who), format!("nobody is `{role}`, which is required"));
    }
    let leads = people.iter().find(|(role, _)| role.as_str().eq_ignore_ascii_case(FACILITATOR));
    if let Some((leader, person)) = leads {
        let other = people.iter().find(|(role, it)| *role != leader && it.who.eq_ignore_ascii_case(&person.who));
        let role = other.map(|(role, _)| role.to_string()).unwrap_or_default();
        tally.expect(other.is_none(), format!("{} is the facilitator, and `{role}` as well", person.who));
    }
    tally
}

pub(super) fn notice(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    match &ground.plan.notify {
        Some(_) => tally.pass(),
        None => tally.warn("nobody is told by `notify`"),
    }
    tally
}

pub(super) fn indicators(ground: &Ground<'_>) -> Tally {
    let Some(workload) = &ground.facts.workload else {
        return Tally::one(false, "there is no `workload.yaml`");
    };
    let has = workload.kpis.as_ref().is_some_and(|kpis| !kpis.team.is_empty());
    Tally::one(has, "no indicator of the team is named")
}
