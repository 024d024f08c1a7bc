//! The faults and routes of a run: which are in, which may move, and in which order.
//!
//! Changes to the same thing are made and undone one at a time: an injection reads what is there, and what is there must
//! not be half undone. Undo goes before injection, last-in first-out; independent things do not wait for each other.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::FaultIdentity;
use crate::unit::{FaultId, TargetId, elapsed_ms};

/// Where a change stands, as far as the timeline cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Its time has come, and something else is under way where it works.
    Waiting,
    /// On its way in.
    Injecting,
    /// In, until its time limit. The limit is real time: a pause does not stretch it.
    Active { until_ms: Option<u64> },
    /// On its way out.
    Undoing,
    /// Out, or left: the ledger says which.
    Over,
}

/// A fault or a route on its way through the run.
#[derive(Debug)]
struct Change {
    identity: FaultIdentity,
    target: TargetId,
    /// What it works on.
    resource: String,
    /// What of it it changes.
    settings: Vec<String>,
    ttl: Option<Duration>,
    life: Life,
    /// Whether it is to be undone as soon as that can be.
    is_end_wanted: bool,
}

/// What a change is made of when its time has come.
#[derive(Debug)]
pub(super) struct NewChange {
    pub(super) identity: FaultIdentity,
    pub(super) target: TargetId,
    pub(super) resource: String,
    pub(super) settings: Vec<String>,
    pub(super) ttl: Option<Duration>,
}

/// What is to be done about a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Move {
    Inject(FaultIdentity),
    Undo(FaultIdentity),
    /// Its end came before its turn: nothing was changed, and nothing will be.
    Drop(FaultId),
}

/// All changes, in order of injection.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

impl Changes {
    pub(super) fn add(&mut self, new: NewChange) {
        let NewChange { identity, target, resource, settings, ttl } = new;
        self.0.push(Change { identity, target, resource, settings, ttl, life: Life::Waiting, is_end_wanted: false });
    }

    /// It is in; its time limit begins now.
    pub(super) fn injected(&mut self, identity: &FaultIdentity, now_ms: u64) {
        if let Some(change) = self.find(identity, Life::Injecting) {
            change.life = Life::Active { until_ms: change.ttl.map(|ttl| now_ms.saturating_add(elapsed_ms(ttl))) };
        }
    }

    /// It failed. What it may have changed is undone like any.
    pub(super) fn failed(&mut self, identity: &FaultIdentity) {
        if let Some(change) = self.find(identity, Life::Injecting) {
            change.life = Life::Active { until_ms: None };
            change.is_end_wanted = true;
        }
    }

    /// Its undo was tried.
    pub(super) fn undone(&mut self, identity: &FaultIdentity) {
        if let Some(change) = self.find(identity, Life::Undoing) {
            change.life = Life::Over;
        }
    }

    fn find(&mut self, identity: &FaultIdentity, life: Life) -> Option<&mut Change> {
        self.0.iter_mut().find(|change| change.identity == *identity && change.life == life)
    }

    /// Asks for the end of a fault; false where it is not in, nor on its way in.
    pub(super) fn end(&mut self, fault: &FaultId) -> bool {
        let mut found = false;
        for change in self.0.iter_mut().filter(|change| change.identity.fault == *fault) {
            match change.life {
                Life::Waiting | Life::Injecting | Life::Active { .. } => {
                    found |= !change.is_end_wanted;
                    change.is_end_wanted = true;
                }
                Life::Undoing | Life::Over => {}
            }
        }
        found
    }

    /// Asks for the end of those whose time limit is over.
    pub(super) fn end_expired(&mut self, now_ms: u64) {
        for change in &mut self.0 {
            if let Life::Active { until_ms: Some(until_ms) } = change.life {
                change.is_end_wanted |= until_ms <= now_ms;
            }
        }
    }

    /// Asks for the end of all.
    pub(super) fn end_all(&mut self) {
        self.0.iter_mut().for_each(|change| change.is_end_wanted = true);
    }

    /// The targets of faults that are in, or on their way in or out; a route through the proxy breaks nothing.
    pub(super) fn targets_in_place(&self) -> BTreeSet<TargetId> {
        let is_in_place = |change: &&Change| match change.life {
            Life::Injecting | Life::Active { .. } | Life::Undoing => !change.identity.is_route(),
            Life::Waiting | Life::Over => false,
        };
        self.0.iter().filter(is_in_place).map(|change| change.target.clone()).collect()
    }

    /// Whether all are in.
    pub(super) fn are_in(&self) -> bool {
        self.0.iter().all(|change| matches!(change.life, Life::Active { .. }))
    }

    /// Whether all are out, or left.
    pub(super) fn are_over(&self) -> bool {
        self.0.iter().all(|change| change.life == Life::Over)
    }

    /// Whether a change is in, and nobody has asked for its end.
    pub(super) fn is_in(&self, identity: &FaultIdentity) -> bool {
        let is_it = |change: &Change| change.identity == *identity && matches!(change.life, Life::Active { .. });
        self.0.iter().any(|change| is_it(change) && !change.is_end_wanted)
    }

    /// What can move now.
    pub(super) fn moves(&mut self) -> Vec<Move> {
        let under_way = |change: &&Change| matches!(change.life, Life::Injecting | Life::Undoing);
        let mut busy: BTreeSet<String> =
            self.0.iter().filter(under_way).map(|change| change.resource.clone()).collect();
        let mut moves = Vec::new();
        for change in self.0.iter_mut().rev().filter(|change| change.is_end_wanted) {
            match change.life {
                Life::Waiting => {
                    change.life = Life::Over;
                    moves.push(Move::Drop(change.identity.fault.clone()));
                }
                Life::Active { .. } => {
                    if busy.insert(change.resource.clone()) {
                        change.life = Life::Undoing;
                        moves.push(Move::Undo(change.identity.clone()));
                    }
                }
                Life::Injecting | Life::Undoing | Life::Over => {}
            }
        }
        for index in 0..self.0.len() {
            let Some((change, earlier)) = self.0.get(..=index).and_then(<[Change]>::split_last) else { continue };
            if change.life != Life::Waiting {
                continue;
            }
            let is_held = earlier.iter().any(|other| other.holds_a_setting_of(change));
            // One that must wait holds back those behind it, so that the order of injection is the order of this list.
            let is_free = busy.insert(change.resource.clone());
            if let Some(change) = self.0.get_mut(index).filter(|_| is_free && !is_held) {
                change.life = Life::Injecting;
                moves.push(Move::Inject(change.identity.clone()));
            }
        }
        moves
    }
}

impl Change {
    /// Whether another change must wait for the end of this one: what it would read as "before" is this one's doing. A
    /// route stays for the whole run, and is undone last where it works.
    fn holds_a_setting_of(&self, other: &Self) -> bool {
        self.life != Life::Over
            && !self.identity.is_route()
            && self.resource == other.resource
            && self.settings.iter().any(|setting| other.settings.contains(setting))
    }
}
