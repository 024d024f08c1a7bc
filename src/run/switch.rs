//! Dead man's switches: before a fault a one-time schedule in AWS that undoes it, put off for as long as the run lives, and
//! deleted after the undo.
//!
//! Owns: when a switch is set, put off, deleted or left. Must not know: what undoes a fault, which the fault says.
//!
//! The fault is undone first, and its switch deleted after: there is no moment without either. A switch that fires in between
//! writes the values that the undo has just written, and an undo that comes after it finds everything as before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::ledger::Recorder;
use crate::aws::{AwsError, Schedule, ScheduleControl, urgently};
use crate::event::{
    EventKind, FaultIdentity, FaultProgress, FaultState, LogError, SwitchProgress, SwitchState, SwitchStep,
};
use crate::fault::{Cover, FaultEnvironment, FaultKind, Switch, SwitchCall, Undo};
use crate::plan::Plan;
use crate::unit::{Clock, Secret, TargetId, error_chain, sha256_hex};
use crate::workspace::DeadmanSwitch;

/// How long after the run's last sign of life a switch fires. AWS carries it out within a minute more.
pub(super) const GRACE: Duration = Duration::from_secs(300);
/// How long after its moment a schedule may be carried out: AWS says within a minute, and a minute more is for clocks and calls.
const CARRIED_OUT: Duration = Duration::from_secs(120);
/// The shortest time between two signs of life to AWS.
const PUSH_INTERVAL_MIN: Duration = Duration::from_secs(60);
/// How much longer it may be, so that switches are not all put off at once.
const PUSH_JITTER_SECONDS: u64 = 60;
/// How soon a sign of life that did not get through is sent again.
const PUSH_RETRY: Duration = Duration::from_secs(15);
/// A run that does not walk its timeline for so long is not alive, whatever other tasks of it still run.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// EventBridge Scheduler: the longest name of a schedule (CreateSchedule, `Name`).
const NAME_CHARACTERS_MAX: usize = 64;
/// How much of a digest makes a schedule's name one of its own.
const DIGEST_CHARACTERS: usize = 16;

/// Why a fault is not injected where a switch is required.
#[derive(Debug, thiserror::Error)]
pub(super) enum SwitchError {
    /// There can be none.
    #[error("its dead man's switch is required, and there can be none: {0}")]
    Uncovered(&'static str),
    /// It could not be set.
    #[error("its dead man's switch is required, and could not be set: {0}")]
    NotSet(String),
    /// That of an earlier fault on the same target would undo this one.
    #[error(
        "the dead man's switch `{schedule}` of an earlier fault could not be deleted, and may still fire at {}: wait until \
         then, or delete it by `aws scheduler delete-schedule`", moment(*fires_at)
    )]
    Ahead {
        /// The schedule.
        schedule: String,
        /// When it fires.
        fires_at: DateTime<Utc>,
    },
    /// That there may be one could not be written down.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The switches of a run under way. Clones share them; when the last is dropped, none is put off any more.
#[derive(Clone)]
pub(super) struct Switches {
    settings: Option<DeadmanSwitch>,
    /// What each target is in the environment: two may be the same thing.
    resources: Arc<BTreeMap<TargetId, String>>,
    recorder: Recorder,
    last_beat: Arc<Mutex<Instant>>,
    pushes: Arc<Mutex<Vec<AbortOnDropHandle<()>>>>,
}

impl Switches {
    pub(super) fn new(plan: &Plan, recorder: Recorder) -> Self {
        let resources = plan.targets.keys().map(|target| (target.clone(), plan.resource(target))).collect();
        Self::with(plan.environment.deadman.clone(), resources, recorder)
    }

    fn with(settings: Option<DeadmanSwitch>, resources: BTreeMap<TargetId, String>, recorder: Recorder) -> Self {
        let last_beat = Arc::new(Mutex::new(Instant::now()));
        Self { settings, resources: Arc::new(resources), recorder, last_beat, pushes: Arc::default() }
    }

    /// The timeline is being walked.
    pub(super) fn beat(&self) {
        *self.last_beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_silent(&self) -> bool {
        self.last_beat.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > SILENCE_MAX
    }

    /// Sets the switch of a fault that is about to be injected, and has it put off until `ttl` is over for certain.
    ///
    /// # Errors
    /// It is required, and is not there. Otherwise the log says that there is none.
    pub(super) async fn set(
        &self,
        environment: &FaultEnvironment,
        identity: &FaultIdentity,
        kind: &FaultKind,
        undo: &Undo,
        ttl: Option<Duration>,
    ) -> Result<(), SwitchError> {
        let Some(settings) = &self.settings else { return Ok(()) };
        let call = match undo.switch() {
            Switch::Needless => return Ok(()),
            Switch::None(why) if settings.is_required => return Err(SwitchError::Uncovered(why)),
            Switch::None(why) => {
                // What the plan has told of already is not told again.
                if let Cover::Switch(_) = kind.cover() {
                    self.failed(identity, SwitchStep::Set, why.to_owned());
                }
                return Ok(());
            }
            Switch::Call(call) => call,
        };
        let schedule = self.schedule(settings, environment, identity, &call);
        self.recorder.record(EventKind::SwitchIntended {
            identity: identity.clone(),
            schedule: schedule.name.clone(),
            group: schedule.group.clone(),
            call: call.permission(),
            fires_at: schedule.at,
        })?;
        let scheduler = Arc::clone(&environment.aws.scheduler);
        match create(&*scheduler, &schedule).await {
            Ok(()) => {
                self.recorder.record_anyway(EventKind::SwitchSet { identity: identity.clone() });
                self.keep(scheduler, identity.clone(), schedule, ttl);
                Ok(())
            }
            Err(NotCreated { error, is_certain }) => {
                let error = error_chain(&error);
                let step = if is_certain { SwitchStep::Refused } else { SwitchStep::Set };
                self.failed(identity, step, error.clone());
                if settings.is_required { Err(SwitchError::NotSet(error)) } else { Ok(()) }
            }
        }
    }

    /// Lets no fault in on a thing on which the switch of an earlier one may still fire: it would undo the new one.
    ///
    /// # Errors
    /// There is one, since it cannot be deleted, or since its fault could not be undone.
    pub(super) async fn clear_target(
        &self,
        environment: &FaultEnvironment,
        target: &TargetId,
    ) -> Result<(), SwitchError> {
        let resource = |target: &TargetId| self.resources.get(target);
        let earlier = || -> Vec<FaultProgress> {
            let recording = self.recorder.recording();
            let is_same = |fault: &&FaultProgress| {
                fault.target == *target || resource(&fault.target).is_some_and(|it| Some(it) == resource(target))
            };
            let faults = recording.state().faults.iter().filter(is_same);
            faults.filter(|fault| !is_on(fault) && fault.switch.is_some()).cloned().collect()
        };
        for fault in earlier().iter().filter(|fault| fault.switch.as_ref().is_some_and(SwitchProgress::may_be_there)) {
            settle(&self.recorder, environment, &fault.identity).await;
        }
        let now = self.recorder.log().clock().now();
        let ahead = earlier().into_iter().filter_map(|fault| fault.switch).find(|switch| may_fire(switch, now));
        match ahead {
            Some(SwitchProgress { schedule, fires_at, .. }) => Err(SwitchError::Ahead { schedule, fires_at }),
            None => Ok(()),
        }
    }

    fn schedule(
        &self,
        settings: &DeadmanSwitch,
        environment: &FaultEnvironment,
        identity: &FaultIdentity,
        call: &SwitchCall,
    ) -> Schedule {
        let log = self.recorder.log();
        // Two machines may begin the same scenario in the same second, and so a run of the same name.
        let own = format!("{:?} {}", log.clock().origin(), log.directory().display());
        Schedule {
            name: name(&environment.occasion.token, &identity.step, &own),
            group: settings.group.clone(),
            at: self.fires_at(None),
            target_arn: call.target_arn(settings.partition()),
            role_arn: settings.role_arn.clone(),
            input: Secret::new(call.input.to_string()),
        }
    }

    fn failed(&self, identity: &FaultIdentity, step: SwitchStep, error: String) {
        let by_hand = Vec::new();
        self.recorder.record_anyway(EventKind::SwitchFailed { identity: identity.clone(), step, error, by_hand });
    }

    /// Has the switch put off while the fault is on, by a task of its own.
    fn keep(
        &self,
        scheduler: Arc<dyn ScheduleControl>,
        identity: FaultIdentity,
        schedule: Schedule,
        ttl: Option<Duration>,
    ) {
        // The task must not keep itself alive.
        let switches = Self { pushes: Arc::default(), ..self.clone() };
        let pushing = tokio::spawn(async move { switches.put_off(&*scheduler, &identity, schedule, ttl).await });
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner).push(AbortOnDropHandle::new(pushing));
    }

    async fn put_off(
        &self,
        scheduler: &dyn ScheduleControl,
        identity: &FaultIdentity,
        mut schedule: Schedule,
        ttl: Option<Duration>,
    ) {
        let interval = interval(&schedule.name);
        let mut is_told = false;
        let mut wait = interval;
        loop {
            tokio::time::sleep(wait).await;
            let Some(fault) = self.on(identity) else { return };
            if self.is_silent() {
                wait = PUSH_RETRY;
                continue;
            }
            let at = self.fires_at(self.last_moment(&fault, ttl));
            if at <= schedule.at {
                wait = interval;
                continue;
            }
            let later = Schedule { at, ..schedule.clone() };
            match urgently(scheduler.update(&later)).await {
                Ok(()) => {
                    schedule = later;
                    (wait, is_told) = (interval, false);
                    self.recorder
                        .record_anyway(EventKind::SwitchPushed { identity: identity.clone(), fires_at: schedule.at });
                }
                // An undo that began meanwhile has deleted it.
                Err(error) if error.is_not_found() => {
                    if self.on(identity).is_some() {
                        let error = "the schedule is gone: AWS has undone the fault, or somebody deleted it".to_owned();
                        self.failed(identity, SwitchStep::Push, error);
                    }
                    return;
                }
                Err(error) => {
                    wait = PUSH_RETRY;
                    if !is_told {
                        let error = format!(
                            "{}; the fault ends at {} unless that passes",
                            error_chain(&error),
                            moment(schedule.at)
                        );
                        self.failed(identity, SwitchStep::Push, error);
                        is_told = true;
                    }
                }
            }
        }
    }

    /// The fault, as long as it may be in and is not being undone.
    fn on(&self, identity: &FaultIdentity) -> Option<FaultProgress> {
        let recording = self.recorder.recording();
        let fault = recording.state().faults.iter().find(|fault| fault.identity == *identity)?;
        (is_on(fault) && fault.state != FaultState::Reverting).then(|| fault.clone())
    }

    /// When a switch fires that is set or put off now: never after `last`.
    fn fires_at(&self, last: Option<DateTime<Utc>>) -> DateTime<Utc> {
        // The run's own clock stands still while this machine sleeps, and AWS's does not.
        let now = self.recorder.log().clock().now().max(Clock::start().now());
        let at = later(now, GRACE);
        last.map_or(at, |last| at.min(last)).trunc_subsecs(0)
    }

    /// The last moment to which a switch is put off: a fault that outlives its time is undone whoever lives.
    fn last_moment(&self, fault: &FaultProgress, ttl: Option<Duration>) -> Option<DateTime<Utc>> {
        let applied = Duration::from_millis(fault.applied_ms?);
        let end = applied.saturating_add(ttl?).saturating_add(GRACE);
        Some(later(self.recorder.log().clock().origin(), end))
    }
}

/// Whether a fault may be in, and the run sees to its undo.
fn is_on(fault: &FaultProgress) -> bool {
    match fault.state {
        FaultState::Armed | FaultState::Applied | FaultState::Effective | FaultState::Reverting => true,
        FaultState::Intended | FaultState::Restored | FaultState::Drifted | FaultState::Stuck => false,
    }
}

fn later(moment: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    moment.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A schedule was not made.
struct NotCreated {
    error: AwsError,
    /// Whether there is none for certain.
    is_certain: bool,
}

/// Makes a schedule. Where AWS's answer says that it failed it is looked for: the answer to an attempt before may have been lost.
async fn create(scheduler: &dyn ScheduleControl, schedule: &Schedule) -> Result<(), NotCreated> {
    let Err(error) = scheduler.create(schedule, &schedule.name).await else { return Ok(()) };
    let is_certain = match scheduler.get(&schedule.name, &schedule.group).await {
        Ok(Some(found)) if found.is_enabled && found.schedule == *schedule => return Ok(()),
        Ok(Some(_)) => false,
        Ok(None) => !error.retryable,
        // Whoever may not look has a refusal alone: an attempt before it that got through would have made it a conflict.
        Err(_) => !error.retryable && !error.is_already_there(),
    };
    Err(NotCreated { error, is_certain })
}

/// Whether a switch that was not deleted may still be carried out.
pub(super) fn may_fire(switch: &SwitchProgress, now: DateTime<Utc>) -> bool {
    switch.may_be_there() && now < later(switch.fires_at, CARRIED_OUT)
}

/// The time between two signs of life, other for each switch.
fn interval(name: &str) -> Duration {
    let seed =
        sha256_hex(name.as_bytes()).bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    PUSH_INTERVAL_MIN + Duration::from_secs(seed % (PUSH_JITTER_SECONDS + 1))
}

/// A moment for people.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}

/// What a switch that may still be there will do, for people.
pub(super) fn promise(switch: &SwitchProgress) -> Option<String> {
    let SwitchProgress { schedule, call, .. } = switch;
    let at = moment(switch.fires_at);
    match switch.state {
        SwitchState::Deleted | SwitchState::Failed | SwitchState::Refused => None,
        SwitchState::Intended | SwitchState::Set | SwitchState::Left => {
            Some(format!("its dead man's switch `{schedule}` calls {call} at {at}, or did"))
        }
        SwitchState::Undeleted => Some(format!(
            "its dead man's switch `{schedule}` could not be deleted: it calls {call} at {at} once more, and is gone then"
        )),
    }
}

/// The name of a schedule, and its client token: letters, digits, `-` and `_`, told apart by a digest.
fn name(token: &str, step: &str, own: &str) -> String {
    let digest = sha256_hex(format!("{token} {step} {own}").as_bytes());
    let digest: String = digest.chars().take(DIGEST_CHARACTERS).collect();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let room = NAME_CHARACTERS_MAX - DIGEST_CHARACTERS - 1;
    let start: String = token.chars().map(|c| if is_allowed(c) { c } else { '-' }).take(room).collect();
    format!("{start}-{digest}")
}

/// Deletes the switch of a fault that is over, or says that it is left where the fault could not be undone.
pub(super) async fn settle(recorder: &Recorder, environment: &FaultEnvironment, identity: &FaultIdentity) {
    let fault = {
        let recording = recorder.recording();
        recording.state().faults.iter().find(|fault| fault.identity == *identity).cloned()
    };
    let Some(fault) = fault else { return };
    let Some(switch) = fault.switch.filter(|switch| switch.may_be_there()) else { return };
    let identity = identity.clone();
    match fault.state {
        // What somebody else has changed is left alone: the switch would write over it.
        FaultState::Intended | FaultState::Restored | FaultState::Drifted => {
            let deleted = urgently(environment.aws.scheduler.delete(&switch.schedule, &switch.group)).await;
            recorder.record_anyway(match deleted {
                Ok(()) => EventKind::SwitchDeleted { identity },
                Err(error) => EventKind::SwitchFailed {
                    identity,
                    step: SwitchStep::Delete,
                    error: error_chain(&error),
                    by_hand: vec![
                        environment.shell.clone(),
                        format!(
                            "aws scheduler delete-schedule --name {} --group-name {}",
                            switch.schedule, switch.group
                        ),
                    ],
                },
            });
        }
        FaultState::Armed | FaultState::Applied | FaultState::Effective | FaultState::Reverting | FaultState::Stuck => {
            // It is the last hope.
            let is_news = switch.state != SwitchState::Left && switch.state != SwitchState::Failed;
            if is_news {
                recorder.record_anyway(EventKind::SwitchLeft { identity, fires_at: switch.fires_at });
            }
        }
    }
}

/// Deletes every switch whose fault is over: what a run that died between the two left.
pub(super) async fn clear(recorder: &Recorder, environment: &FaultEnvironment) {
    let over: Vec<FaultIdentity> = {
        let recording = recorder.recording();
        let faults = recording.state().faults.iter().filter(|fault| fault.is_switch_left_over());
        faults.map(|fault| fault.identity.clone()).collect()
    };
    for identity in over {
        settle(recorder, environment, &identity).await;
    }
}

#[cfg(test)]
mod tests;
