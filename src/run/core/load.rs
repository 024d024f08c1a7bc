//! The loads of a run: which run, and which are wanted again as soon as they are over.

use std::collections::BTreeMap;

use super::{Core, Effect};
use crate::event::{AbortCause, EventKind};
use crate::load::OnLost;
use crate::unit::LoadId;

/// Where a load stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LoadLife {
    is_running: bool,
    is_stop_asked: bool,
    /// Whether it is to be started again: two workers of one load at once could not be told apart.
    is_wanted_again: bool,
}

/// The loads that were started, by name.
pub(super) type Loads = BTreeMap<LoadId, LoadLife>;

impl Core {
    pub(super) fn start_load(&mut self, load: &LoadId, effects: &mut Vec<Effect>) {
        let life = self.loads.entry(load.clone()).or_default();
        if life.is_running {
            life.is_wanted_again = true;
            return;
        }
        *life = LoadLife { is_running: true, ..LoadLife::default() };
        effects.push(Effect::StartLoad(load.clone()));
    }

    /// Asks a load to stop; false where it is over, or was asked before.
    pub(super) fn stop_load(&mut self, load: &LoadId, effects: &mut Vec<Effect>) -> bool {
        let Some(life) = self.loads.get_mut(load).filter(|life| life.is_running) else { return false };
        life.is_wanted_again = false;
        if life.is_stop_asked {
            return false;
        }
        life.is_stop_asked = true;
        effects.push(Effect::StopLoad(load.clone()));
        true
    }

    pub(super) fn stop_loads(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        self.loads_stopped_ms.get_or_insert(now_ms);
        let loads: Vec<LoadId> = self.loads.keys().cloned().collect();
        for load in loads {
            self.stop_load(&load, effects);
        }
    }

    pub(super) fn are_loads_over(&self) -> bool {
        self.loads.values().all(|life| !life.is_running)
    }

    pub(super) fn load_over(&mut self, load: &LoadId, lost: Option<String>, now_ms: u64, effects: &mut Vec<Effect>) {
        let life = self.loads.insert(load.clone(), LoadLife::default()).unwrap_or_default();
        match lost {
            None => effects.push(Effect::Record(EventKind::LoadEnded { load: load.clone() })),
            Some(why) => {
                effects.push(Effect::Record(EventKind::LoadLost { load: load.clone(), why }));
                let on_lost = self.plan.loads.get(load).map(|spec| spec.on_lost).unwrap_or_default();
                match on_lost {
                    OnLost::Abort => self.abort(AbortCause::LoadLost { load: load.clone() }, now_ms, effects),
                    OnLost::Continue => {}
                }
            }
        }
        if life.is_wanted_again && self.loads_stopped_ms.is_none() {
            self.start_load(load, effects);
        }
    }
}
