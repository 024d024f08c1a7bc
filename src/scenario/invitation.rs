//! What people who take part are told beforehand: who hosts, who has which role, the rules, and where to talk.
//!
//! Must not know: title, aim, hypotheses, faults, targets and phases, each of which tells what will happen.

use super::{Mode, Scenario};
use crate::workspace::Workload;

/// What stands where a title would tell of the fault.
pub const NEUTRAL_TITLE: &str = "Game day";

/// How anybody ends it.
pub const STOP: &str = "Anybody may end it, at any time and for no reason: say “abort”, or type `gameday abort`.";

/// That people are not what is looked at.
pub const NO_BLAME: &str = "Nobody is judged: we look at what the system and the tools let people see.";

/// How what is seen is kept.
pub const SAY: &str = "Say what you see when you see it: `gameday mark detected`, `gameday ack`, `gameday note`.";

/// What holds for those who take part.
#[must_use]
pub fn invitation_rules(scenario: &Scenario) -> Vec<&'static str> {
    let mut rules = vec![STOP, NO_BLAME, SAY];
    if !scenario.guardrails.is_empty() {
        rules.push("It ends by itself where it goes too far.");
    }
    if scenario.mode == Mode::Tabletop {
        rules.push("Nothing is changed: all of it is told.");
    }
    rules
}

/// Who hosts it, and who has which role.
#[must_use]
pub fn invitation_roles(scenario: &Scenario) -> Vec<String> {
    let people = scenario.people.iter().map(|(role, person)| {
        let required = if person.required { " (required)" } else { "" };
        format!("{role}: {}{required}", person.who)
    });
    std::iter::once(format!("host: {}", scenario.owner)).chain(people).collect()
}

/// Where each team is reached; all of them, since those that are concerned would tell what is.
#[must_use]
pub fn invitation_contacts(workload: &Workload) -> Vec<String> {
    let contact =
        |(name, team): (&String, &crate::workspace::Team)| Some(format!("{name}: {}", team.contact.as_ref()?));
    workload.teams.iter().filter_map(contact).collect()
}
