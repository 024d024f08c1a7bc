//! Who organises a game day, and who plays it.

use std::collections::BTreeSet;

use crate::event::PROGRAM;
use crate::plan::Plan;
use crate::unit::PersonId;

/// The roles that run a game day and do not play, by the field's usual names: what is for them gives things away.
const ORGANISERS: [&str; 5] = ["facilitator", "owner", "scribe", "safety", "operator"];

/// The roles of a plan that run the game day, and do not play. One that the plan calls blind plays, whatever its name.
#[must_use]
pub fn organisers(plan: &Plan) -> BTreeSet<PersonId> {
    let cast = Cast::of(plan);
    plan.scenario.people.keys().filter(|role| cast.is_organiser(role)).cloned().collect()
}

/// The roles and names of a run, as far as it matters what players may read of each other.
#[derive(Debug)]
pub(super) struct Cast {
    /// The roles that the plan calls blind.
    blind: BTreeSet<PersonId>,
    /// The names of those who take part in a role that plays.
    players: BTreeSet<String>,
    /// The names that belong to organisers: by the plan, or since they have joined as one.
    organisers: BTreeSet<String>,
}

impl Cast {
    pub(super) fn of(plan: &Plan) -> Self {
        let people = &plan.scenario.people;
        let blind = people.iter().filter(|(_, person)| person.blind).map(|(role, _)| role.clone()).collect();
        let mut cast = Self { blind, players: BTreeSet::new(), organisers: BTreeSet::new() };
        let organisers =
            people.iter().filter(|(role, _)| cast.is_organiser(role)).map(|(_, person)| person.who.clone());
        cast.organisers = organisers.chain([PROGRAM.to_owned()]).collect();
        cast
    }

    /// Whether a role runs the game day. One that the plan calls blind plays, whatever its name.
    pub(super) fn is_organiser(&self, role: &PersonId) -> bool {
        ORGANISERS.contains(&role.as_str()) && !self.blind.contains(role)
    }

    pub(super) fn join(&mut self, role: &PersonId, by: Option<&str>) {
        let names = if self.is_organiser(role) { &mut self.organisers } else { &mut self.players };
        names.extend(by.map(str::to_owned));
    }

    /// Whether that is the name of somebody who plays. Names are free to choose: one that is an organiser's as well is an organiser's.
    pub(super) fn is_player(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.players.contains(name) && !self.organisers.contains(name))
    }
}
