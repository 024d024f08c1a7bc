//! Injections and undos, each a task of its own: one that panics stops neither the run nor the others.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::super::core::Input;
use super::super::ledger;
use super::Drive;
use crate::event::FaultIdentity;
use crate::fault::{FaultKind, Occasion, Undo};
use crate::plan::change_id;

impl Drive {
    pub(super) fn inject(&mut self, identity: FaultIdentity) {
        let sender = self.inputs.0.clone();
        let Some((kind, ttl)) = self.kind(&identity) else {
            // The plan names only faults that it has; one that it has not could not be undone either.
            sender.send(Input::Injected { identity, ok: false }).ok();
            return;
        };
        // The guardrails are looked at on their own, four times a second; here nothing may slip through in between.
        if let Some(trip) = self.forbidden() {
            self.find(Some(trip));
            sender.send(Input::Injected { identity, ok: false }).ok();
            return;
        }
        let (recorder, mut environment, undos) =
            (self.recorder.clone(), self.stage.faults.clone(), Arc::clone(&self.undos));
        let run = self.recorder.recording().state().run.clone();
        let lasts = ttl.unwrap_or_else(|| self.plan.phases.iter().map(|phase| phase.length.0).sum());
        environment.occasion = Occasion { token: format!("gameday-{run}-{}", identity.step), lasts };
        let told = [("GAMEDAY_RUN", run.to_string()), ("GAMEDAY_FAULT", identity.fault.to_string())];
        environment.commands.told.extend(told.map(|(name, value)| (name.to_owned(), value)));
        let (tried, switches) = (identity.clone(), self.switches.clone());
        let injection = self.tasks.spawn(async move {
            let keep = |undo: Undo| {
                undos.lock().unwrap_or_else(PoisonError::into_inner).insert(tried.clone(), undo);
            };
            ledger::inject(&recorder, &environment, &tried, (&kind, ttl), &switches, keep).await.is_ok()
        });
        tokio::spawn(async move {
            // A panic in an injection counts as a failed one: it is undone like any.
            let ok = injection.await.unwrap_or(false);
            sender.send(Input::Injected { identity, ok }).ok();
        });
    }

    /// What is injected, and how long it may last at most.
    fn kind(&self, identity: &FaultIdentity) -> Option<(FaultKind, Option<Duration>)> {
        let change = match identity.is_route() {
            // By its number: the names of two routes may be cut to the same.
            true => {
                let routes = self.plan.routes.iter().enumerate();
                routes.into_iter().find(|(index, it)| change_id(index + 1, &it.fault) == identity.step)?.1
            }
            false => self.plan.changes.get(&identity.fault)?,
        };
        Some((change.spec.kind().ok()?, change.spec.ttl.map(|ttl| ttl.0)))
    }

    pub(super) fn undo(&self, identity: FaultIdentity) {
        let sender = self.inputs.0.clone();
        let undo = self.undos.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).cloned();
        let Some(undo) = undo else {
            // Its undo was never made durable, so nothing was changed.
            sender.send(Input::Undone(identity)).ok();
            return;
        };
        let (recorder, environment) = (self.recorder.clone(), self.stage.faults.clone());
        self.tasks.spawn(async move {
            ledger::revert(&recorder, &environment, &identity, &undo).await;
            sender.send(Input::Undone(identity)).ok();
        });
    }
}
