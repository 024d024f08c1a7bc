//! The loads of a run: which run, and which are wanted again as soon as they are over.

use std::collections::BTreeMap;

use super::command::unknown;
use super::{Core, Effect};
use crate::event::{AbortCause, EventKind, LoadSteer};
use crate::load::{LoadSpec, OnLost, Steer};
use crate::unit::{LoadId, Rate};
use crate::verdict::Judge;

/// Where a load stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LoadLife {
    is_running: bool,
    is_stop_asked: bool,
    /// Whether its worker has said that nothing of it begins any more.
    is_closing: bool,
    /// Whether it is to be started again: two workers of one load at once could not be told apart.
    is_wanted_again: bool,
    steer: Steer,
}

impl LoadLife {
    fn can_be_steered(&self) -> bool {
        self.is_running && !self.is_stop_asked && !self.is_closing
    }
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

    pub(super) fn load_closing(&mut self, load: &LoadId) {
        if let Some(life) = self.loads.get_mut(load) {
            life.is_closing = true;
        }
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

    pub(super) fn steer_load(
        &mut self,
        load: Option<LoadId>,
        (how, by): (LoadSteer, Option<String>),
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let load = self.load_to_steer(load)?;
        let (Some(life), Some(spec)) = (self.loads.get_mut(&load), self.plan.loads.get(&load)) else {
            return Err(format!("load `{load}` does not run at present"));
        };
        match how {
            LoadSteer::Rate(rate) => {
                check_rate(&load, spec, rate, judge.recording.state().is_approved)?;
                life.steer.rate = Some(rate);
            }
            LoadSteer::Pause if life.steer.is_paused => return Err(format!("load `{load}` is paused already")),
            LoadSteer::Pause => life.steer.is_paused = true,
            LoadSteer::Resume if !life.steer.is_paused => return Err(format!("load `{load}` is not paused")),
            LoadSteer::Resume => life.steer.is_paused = false,
        }
        effects.push(Effect::SteerLoad(load.clone(), life.steer));
        effects.push(Effect::Record(EventKind::LoadSteered { load, how, by }));
        Ok(())
    }

    /// The load that is meant, which runs; where none is named, the only one.
    fn load_to_steer(&self, load: Option<LoadId>) -> Result<LoadId, String> {
        let running: Vec<&LoadId> =
            self.loads.iter().filter_map(|(id, life)| life.can_be_steered().then_some(id)).collect();
        let Some(load) = load else {
            return match running.as_slice() {
                [only] => Ok((*only).clone()),
                [] => Err("no load runs at present".to_owned()),
                [_, ..] => {
                    let names: Vec<&str> = running.iter().map(|load| load.as_str()).collect();
                    Err(format!("more than one load runs: say which with `--load`, one of {}", names.join(", ")))
                }
            };
        };
        if !self.plan.loads.contains_key(&load) {
            return Err(unknown("load", load.as_str(), self.plan.loads.keys().map(|id| id.as_str())));
        }
        if !running.contains(&&load) {
            return Err(format!("load `{load}` does not run at present"));
        }
        Ok(load)
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

/// A rate is for an open model, and not above what people agreed to where they did.
fn check_rate(load: &LoadId, spec: &LoadSpec, rate: Rate, is_approved: bool) -> Result<(), String> {
    if !spec.is_open() {
        return Err(format!(
            "load `{load}` is a number of users, which stays as its shape says; only a load whose shape is a rate (`20/s`) can be set"
        ));
    }
    if rate.per_second() <= 0.0 {
        return Err("a rate of nothing is a pause: `gameday load pause`".to_owned());
    }
    let peak = spec.shape().peak();
    if is_approved && rate.per_second() > peak {
        return Err(format!(
            "{rate} is more than the {peak}/s of load `{load}` in the plan to which people agreed: change its shape, and ask them again"
        ));
    }
    Ok(())
}
