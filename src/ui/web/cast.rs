//! [`Cast`]: which roles and which names are open to whoever has the participants' link.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use regex::Regex;

use super::refusal::Refusal;
use crate::event::PROGRAM;
use crate::plan::Plan;
use crate::ui::board::{View, organisers};
use crate::unit::PersonId;

/// How long a name may be, in characters.
const NAME_CHARS_MAX: usize = 60;
/// What no name has: control, format and unassigned characters, ends of lines, and whatever is drawn as nothing.
const UNSEEN: &str = r"[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]";
/// The role that leads, which nobody has who may not see everything.
const LEADER: &str = "facilitator";

/// Who may be whom.
#[derive(Debug)]
pub(super) struct Cast {
    is_blind: bool,
    roles: Vec<PersonId>,
    players: Vec<PersonId>,
    /// The names that the plan gives to roles that are not open to participants.
    reserved: BTreeSet<String>,
    unseen: Regex,
}

impl Cast {
    pub(super) fn of(plan: &Plan) -> Self {
        let people = &plan.scenario.people;
        let is_blind = people.values().any(|person| person.blind);
        let organises = organisers(plan);
        // Where nothing is hidden, only the lead is no participant's.
        let is_open = |role: &PersonId| match people.get(role) {
            Some(person) if person.blind => true,
            Some(_) if is_blind => !organises.contains(role),
            Some(_) => role.as_str() != LEADER,
            None => false,
        };
        let players: Vec<PersonId> = people.keys().filter(|role| is_open(role)).cloned().collect();
        let names = |of_players: bool| -> BTreeSet<String> {
            let of = people.iter().filter(|(role, _)| players.contains(role) == of_players);
            of.map(|(_, person)| folded(&person.who)).collect()
        };
        let reserved = names(false).difference(&names(true)).cloned().collect();
        let unseen = Regex::new(UNSEEN).expect("invariant: our own pattern is one");
        Self { is_blind, roles: people.keys().cloned().collect(), players, reserved, unseen }
    }

    /// The roles that a view may take.
    pub(super) fn roles(&self, view: View) -> &[PersonId] {
        match view {
            View::Facilitator => &self.roles,
            View::Participant => &self.players,
        }
    }

    /// Whether somebody of that view must have a role: a blind board shows what players say, and knows them by their roles.
    pub(super) fn needs_role(&self, view: View) -> bool {
        view == View::Participant && self.is_blind
    }

    /// Whether a role is none of those who take part.
    pub(super) fn is_organiser(&self, role: &PersonId) -> bool {
        !self.players.contains(role)
    }

    /// A name as it stands in the log.
    pub(super) fn name(&self, view: View, name: &str) -> Result<String, Refusal> {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = name.chars().count();
        if length == 0 || length > NAME_CHARS_MAX || self.unseen.is_match(&name) {
            let why = format!("a name is one line of 1 to {NAME_CHARS_MAX} characters that can be seen");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
        }
        let folded = folded(&name);
        if folded == PROGRAM {
            return Err(Refusal::new(StatusCode::CONFLICT, "this is the program's own name: take another one"));
        }
        if view == View::Participant && self.reserved.contains(&folded) {
            return Err(organisers_name());
        }
        Ok(name)
    }

    /// Checks that a view may take a role, or none.
    pub(super) fn check_role(&self, view: View, role: Option<&PersonId>) -> Result<(), Refusal> {
        match role {
            None if self.needs_role(view) => Err(Refusal::new(StatusCode::CONFLICT, "choose your role as well")),
            Some(role) if view == View::Participant && !self.players.contains(role) => {
                Err(Refusal::new(StatusCode::FORBIDDEN, "this role is not taken by the participants' link"))
            }
            None | Some(_) => Ok(()),
        }
    }
}

/// A name is somebody else's.
pub(super) fn organisers_name() -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "this is the name of somebody who runs the game day: take another one")
}

/// A name as it is compared.
pub(super) fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::Sketch;
    use crate::scenario::Mode;

    fn roles(roles: &[PersonId]) -> Vec<&str> {
        roles.iter().map(PersonId::as_str).collect()
    }

    fn drill() -> Sketch {
        Sketch::new(Mode::Drill).person("facilitator", false, false).person("owner", false, false)
    }

    #[test]
    fn who_runs_a_blind_drill_is_none_of_its_participants() {
        let cast = Cast::of(&drill().person("operator", false, true).person("business", false, false).plan());
        assert_eq!(roles(cast.roles(View::Participant)), ["business", "operator"]);
        assert_eq!(roles(cast.roles(View::Facilitator)), ["business", "facilitator", "operator", "owner"]);
        let status = |role: Option<&str>| {
            let role = role.map(|role| role.parse().unwrap());
            cast.check_role(View::Participant, role.as_ref()).err().map(|refusal| refusal.status)
        };
        assert_eq!(status(Some("operator")), None);
        for role in ["owner", "facilitator", "nobody"] {
            assert_eq!(status(Some(role)), Some(StatusCode::FORBIDDEN), "{role}");
        }
        assert_eq!(status(None), Some(StatusCode::CONFLICT));
        assert!(cast.check_role(View::Facilitator, None).is_ok());
    }

    #[test]
    fn where_nothing_is_hidden_only_the_lead_is_not_taken_and_no_role_is_needed() {
        let cast = Cast::of(&drill().person("operator", false, false).plan());
        assert_eq!(roles(cast.roles(View::Participant)), ["operator", "owner"]);
        assert!(cast.check_role(View::Participant, None).is_ok());
        assert!(Cast::of(&Sketch::new(Mode::Drill).plan()).check_role(View::Participant, None).is_ok());
    }

    #[test]
    fn a_name_can_be_seen_and_is_neither_ours_nor_an_organisers() {
        // The sketch calls everybody as their role.
        let cast = Cast::of(&drill().person("responder", false, true).plan());
        let status =
            |view: View, name: &str| cast.name(view, name).err().map(|refusal: Refusal| refusal.status.as_u16());
        let names = ["", "  ", "a\u{1b}[2J", "\u{202e}b", "maria\u{200b}", "ma\u{ad}ria", "m\u{2066}", "m\u{feff}a"];
        for name in names.into_iter().chain(["maria\u{e0041}", "maria\u{3164}", "m\u{180e}", &"x".repeat(61)]) {
            assert_eq!(status(View::Participant, name), Some(400), "{name:?}");
            assert_eq!(status(View::Facilitator, name), Some(400), "{name:?}");
        }
        for name in ["gameday", "GameDay", " GAMEDAY "] {
            assert_eq!(status(View::Participant, name), Some(409), "{name:?}");
            assert_eq!(status(View::Facilitator, name), Some(409), "{name:?}");
        }
        assert_eq!(status(View::Participant, "Owner"), Some(409));
        for (view, name) in
            [(View::Facilitator, "Owner"), (View::Participant, "responder"), (View::Participant, "Ō 李")]
        {
            assert_eq!(status(view, name), None, "{name}");
        }
    }
}
