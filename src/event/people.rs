//! [`PeopleProgress`]: what people did and were told, as a part of [`super::RunState`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Event, EventKind, RunState};
use crate::unit::{
    AlarmState, Anchor, ComponentId, FaultId, HintId, HypothesisId, InjectId, PersonId, PlaybookId, TargetId,
};

/// The author of what the program itself writes down. No person can take this name.
pub const PROGRAM: &str = "gameday";

/// What people did and were told. All times are in milliseconds since the run's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PeopleProgress {
    /// Who takes part, by role; what was said last counts.
    pub joined: BTreeMap<PersonId, String>,
    /// Every mark, acknowledgement and note, in order.
    pub journal: Vec<JournalProgress>,
    /// Every message that was delivered, in order.
    pub injects: Vec<InjectProgress>,
    /// Every hint that was given, in order.
    pub hints: Vec<HintProgress>,
    /// Every prediction that was sealed, in order.
    pub predictions: Vec<PredictionProgress>,
    /// The cards on the table, and those that were.
    pub cards: Vec<CardProgress>,
    /// The commands of playbooks that were run, in order.
    pub blocks: Vec<BlockProgress>,
    /// When everything was revealed to blind participants.
    pub revealed_ms: Option<u64>,
    /// The faults that were revealed one by one, with when.
    pub revealed_faults: BTreeMap<FaultId, u64>,
    /// When an alarm first went to `ALARM`.
    pub alarmed_ms: BTreeMap<String, u64>,
}

/// Something that a person said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalProgress {
    /// When.
    pub at_ms: u64,
    /// The wall-clock moment, UTC.
    pub at: DateTime<Utc>,
    /// What.
    pub said: Said,
    /// Who.
    pub by: Option<String>,
}

/// What a person said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// They made a mark.
    Mark {
        /// Its name.
        name: String,
        /// The fault that it names.
        fault: Option<FaultId>,
        /// The component that it names.
        component: Option<ComponentId>,
        /// What else they said.
        text: Option<String>,
    },
    /// They acknowledged.
    Ack,
    /// They wrote something down.
    Note(String),
}

/// A message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InjectProgress {
    /// Which.
    pub inject: InjectId,
    /// To whom.
    pub to: PersonId,
    /// What it says.
    pub text: String,
    /// When.
    pub at_ms: u64,
    /// Who delivered it by hand.
    pub by: Option<String>,
}

/// A hint that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HintProgress {
    /// Which.
    pub hint: HintId,
    /// The hypothesis that it belongs to.
    pub hypothesis: Option<HypothesisId>,
    /// What it says.
    pub text: String,
    /// When.
    pub at_ms: u64,
    /// Who gave it.
    pub by: Option<String>,
}

/// A prediction that was sealed; what it says is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PredictionProgress {
    /// The hypothesis that it is about.
    pub hypothesis: HypothesisId,
    /// SHA-256 of the file, which is also its name.
    pub sha256: String,
    /// When.
    pub at_ms: u64,
    /// Who predicted.
    pub by: Option<String>,
}

/// A fault's card at the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardProgress {
    /// The fault.
    pub fault: FaultId,
    /// Its target.
    pub target: TargetId,
    /// What would change.
    pub text: String,
    /// When it was dealt.
    pub dealt_ms: u64,
    /// When it was taken away.
    pub taken_ms: Option<u64>,
}

/// A command of a playbook that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockProgress {
    /// The playbook.
    pub playbook: PlaybookId,
    /// The command's name.
    pub block: String,
    /// Whether it changes nothing, as the playbook says.
    pub readonly: bool,
    /// Who ran it.
    pub by: Option<String>,
    /// When it was started.
    pub started_ms: u64,
    /// When it was over.
    pub ended_ms: Option<u64>,
    /// Whether it ended well, once it is over.
    pub ok: Option<bool>,
}

impl PeopleProgress {
    /// Takes in one event; those about nobody change nothing.
    pub(super) fn apply(&mut self, event: &Event) {
        let at_ms = event.elapsed_ms;
        if let EventKind::Joined { role, by } = &event.kind {
            self.joined.insert(role.clone(), by.clone().unwrap_or_else(|| role.to_string()));
        } else if let EventKind::Marked { name, fault, by, component, text } = &event.kind {
            let said = Said::Mark {
                name: name.clone(),
                fault: fault.clone(),
                component: component.clone(),
                text: text.clone(),
            };
            self.say(event, said, by.as_ref());
        } else if let EventKind::Acknowledged { by } = &event.kind {
            self.say(event, Said::Ack, by.as_ref());
        } else if let EventKind::Noted { text, by } = &event.kind {
            self.say(event, Said::Note(text.clone()), by.as_ref());
        } else if let EventKind::InjectDelivered { inject, to, text, by } = &event.kind {
            let (inject, to, text, by) = (inject.clone(), to.clone(), text.clone(), by.clone());
            self.injects.push(InjectProgress { inject, to, text, at_ms, by });
        } else if let EventKind::HintGiven { hint, hypothesis, text, by } = &event.kind {
            let (hint, hypothesis, text, by) = (hint.clone(), hypothesis.clone(), text.clone(), by.clone());
            self.hints.push(HintProgress { hint, hypothesis, text, at_ms, by });
        } else if let EventKind::PredictionSealed { hypothesis, sha256, by } = &event.kind {
            let (hypothesis, sha256, by) = (hypothesis.clone(), sha256.clone(), by.clone());
            self.predictions.push(PredictionProgress { hypothesis, sha256, at_ms, by });
        } else if let EventKind::Revealed { fault, .. } = &event.kind {
            match fault {
                Some(fault) => drop(self.revealed_faults.entry(fault.clone()).or_insert(at_ms)),
                None => drop(self.revealed_ms.get_or_insert(at_ms)),
            }
        } else if let EventKind::AlarmTransitioned { alarm, to: AlarmState::Alarm, at_ms, .. } = &event.kind {
            self.alarmed_ms.entry(alarm.clone()).or_insert(*at_ms);
        } else {
            self.apply_at_the_table(at_ms, &event.kind);
        }
    }

    fn apply_at_the_table(&mut self, at_ms: u64, kind: &EventKind) {
        if let EventKind::CardDealt { fault, target, text, .. } = kind {
            let (fault, target, text) = (fault.clone(), target.clone(), text.clone());
            self.cards.push(CardProgress { fault, target, text, dealt_ms: at_ms, taken_ms: None });
        } else if let EventKind::CardTaken { fault } = kind {
            let card = self.cards.iter_mut().rev().find(|card| card.fault == *fault && card.taken_ms.is_none());
            card.into_iter().for_each(|card| card.taken_ms = Some(at_ms));
        } else if let EventKind::BlockStarted { playbook, block, readonly, by } = kind {
            self.blocks.push(BlockProgress {
                playbook: playbook.clone(),
                block: block.clone(),
                readonly: *readonly,
                by: by.clone(),
                started_ms: at_ms,
                ended_ms: None,
                ok: None,
            });
        } else if let EventKind::BlockEnded { playbook, block, ok, .. } = kind {
            let is_it =
                |it: &&mut BlockProgress| it.playbook == *playbook && it.block == *block && it.ended_ms.is_none();
            if let Some(block) = self.blocks.iter_mut().rev().find(is_it) {
                (block.ended_ms, block.ok) = (Some(at_ms), Some(*ok));
            }
        }
    }

    fn say(&mut self, event: &Event, said: Said, by: Option<&String>) {
        self.journal.push(JournalProgress { at_ms: event.elapsed_ms, at: event.at, said, by: by.cloned() });
    }

    /// The card of a fault that lies on the table.
    #[must_use]
    pub fn card(&self, fault: &FaultId) -> Option<&CardProgress> {
        self.cards.iter().rev().find(|card| card.fault == *fault && card.taken_ms.is_none())
    }

    /// Whether blind participants may know of a fault.
    #[must_use]
    pub fn is_revealed(&self, fault: &FaultId) -> bool {
        self.revealed_ms.is_some() || self.revealed_faults.contains_key(fault)
    }
}

impl RunState {
    /// When something first happened that a step's time may be counted from.
    #[must_use]
    pub fn first_ms(&self, anchor: &Anchor) -> Option<u64> {
        match anchor {
            Anchor::Mark(name) => self.marks.get(name).copied(),
            Anchor::Ack => self.acknowledged_ms,
            Anchor::Fault(fault) => {
                let effective =
                    self.faults.iter().filter(|it| it.identity.fault == *fault).filter_map(|it| it.effective_ms);
                let dealt = self.people.cards.iter().filter(|card| card.fault == *fault).map(|card| card.dealt_ms);
                effective.chain(dealt).min()
            }
            Anchor::Inject(inject) => self.people.injects.iter().find(|it| it.inject == *inject).map(|it| it.at_ms),
            Anchor::Step(step) => {
                let closed = self.steps.iter().filter(|it| it.step == *step && it.was_answered());
                closed.filter_map(|it| it.closed_ms).min()
            }
            Anchor::Alarm(alarm) => self.people.alarmed_ms.get(alarm.as_str()).copied(),
        }
    }
}
