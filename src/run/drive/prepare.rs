//! Everything that may fail before the timeline begins: nothing is injected until it is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::super::alarm_task::{Alarms, AlarmsNotReady};
use super::super::control::{Control, ControlError, Request, short_name};
use super::super::core::Input;
use super::super::folder::{FolderError, LockError, RunFolder, live_runs, read_plan};
use super::super::ledger::Recorder;
use super::super::metric_task::Metrics;
use super::super::outcome::Outcome;
use super::super::remote_lock::{RemoteLock, RemoteLockError};
use super::super::stage::{Stage, StageError, StageOptions};
use super::super::switch::{may_fire, moment};
use super::super::watchdog::{Watchdog, WatchdogError};
use super::RunOptions;
use crate::event::{AbortCause, EventKind, LogError, ProcessKind};
use crate::load::{LoadPlan, PlanError, Targets};
use crate::observe::{HttpProbe, MetricPlanError, ProbeError, SignalSource};
use crate::plan::Plan;
use crate::unit::{Clock, LoadId, SignalId, read_below};
use crate::workspace::Environment;

/// The exit code of a run whose environment somebody else uses; product.md.
const LOCKED: u8 = 9;

/// Why a run did not begin. Nothing was injected.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its folder cannot be made.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Its environment is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An earlier run left something in its environment.
    #[error(
        "environment `{environment}` is dirty: run `{run}` left {count} change(s); undo them with `gameday recover {run}`"
    )]
    Dirty {
        /// The environment.
        environment: String,
        /// The run.
        run: String,
        /// How many changes.
        count: usize,
    },
    /// The dead man's switch of an earlier run would undo what this one injects.
    #[error(
        "run `{run}` could not delete its dead man's switch `{schedule}`, which may still fire at {}; delete it with `gameday \
         recover {run}`, or wait", moment(*fires_at)
    )]
    SwitchAhead {
        /// The run.
        run: String,
        /// The schedule.
        schedule: String,
        /// When it fires.
        fires_at: DateTime<Utc>,
    },
    /// Another machine uses its environment, or it cannot be locked for other machines.
    #[error(transparent)]
    RemoteLock(#[from] RemoteLockError),
    /// The stage cannot be set.
    #[error(transparent)]
    Stage(#[from] Box<StageError>),
    /// Its control socket cannot be made.
    #[error("failed to open the run's control socket")]
    Control(#[from] ControlError),
    /// Nobody would undo if this process died.
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
    /// An alarm that the scenario needs is not there, or cannot be read.
    #[error(transparent)]
    Alarms(#[from] AlarmsNotReady),
    /// The metrics that the scenario names cannot be read.
    #[error(transparent)]
    Metrics(#[from] MetricPlanError),
    /// A load cannot be made.
    #[error(transparent)]
    Load(#[from] PlanError),
    /// A probe cannot be made.
    #[error("signal `{signal}` cannot be probed")]
    Probe {
        /// The signal.
        signal: String,
        /// Why not.
        #[source]
        source: ProbeError,
    },
}

impl RunError {
    /// Whether the environment, and not this program or its disk, was in the way: exit code 7.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        match self {
            Self::SwitchAhead { .. }
            | Self::Stage(_)
            | Self::Alarms(_)
            | Self::Metrics(_)
            | Self::Watchdog(_)
            | Self::Load(_)
            | Self::Probe { .. } => true,
            Self::RemoteLock(RemoteLockError::Aws { .. } | RemoteLockError::Foreign(_)) => true,
            Self::RemoteLock(RemoteLockError::Held { .. } | RemoteLockError::Log(_))
            | Self::Folder(_)
            | Self::Log(_)
            | Self::Lock(_)
            | Self::Dirty { .. }
            | Self::Control(_) => false,
        }
    }

    /// Whether somebody else uses the environment: exit code 9.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Lock(LockError::Taken { .. }) | Self::RemoteLock(RemoteLockError::Held { .. }))
    }

    /// The exit code, for the log.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.is_locked(), self.is_not_ready()) {
            (true, _) => LOCKED,
            (false, true) => Outcome::NotReady.exit_code(),
            (false, false) => Outcome::Internal.exit_code(),
        }
    }
}

/// Everything that a run needs once its timeline begins.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    pub(super) loads: BTreeMap<LoadId, LoadPlan>,
    pub(super) probes: Vec<(SignalId, HttpProbe)>,
    pub(super) alarms: Option<Alarms>,
    pub(super) metrics: Option<Metrics>,
    pub(super) commands: mpsc::Receiver<Request>,
    pub(super) control: Control,
    pub(super) watchdog: Option<Watchdog>,
    pub(super) lock: Option<RemoteLock>,
}

/// Refuses an environment in which an earlier run left something, or in which a switch of one may still fire. The caller holds
/// the environment's lock, so no run that is still open there is alive, whatever process has its number by now.
pub(super) fn refuse_dirty(options: &RunOptions, plan: &Plan) -> Result<(), RunError> {
    let (environment, now) = (&plan.environment, Clock::start().now());
    for live in live_runs(&options.reports)? {
        // Two names may stand for one place.
        let is_same_place =
            || read_plan(&live.path).is_ok_and(|other| other.environment.kind.is_same_place(&environment.kind));
        if live.state.environment != environment.name && !is_same_place() {
            continue;
        }
        let run = || live.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let count = live.change_count();
        if count > 0 {
            return Err(RunError::Dirty { environment: environment.name.clone(), run: run(), count });
        }
        let left_over = live.state.faults.iter().filter(|fault| fault.is_switch_left_over());
        let mut switches = left_over.filter_map(|fault| fault.switch.as_ref());
        if let Some(switch) = switches.find(|switch| may_fire(switch, now)) {
            let (schedule, fires_at) = (switch.schedule.clone(), switch.fires_at);
            return Err(RunError::SwitchAhead { run: run(), schedule, fires_at });
        }
    }
    Ok(())
}

/// Sets the stage, and resolves what the plan names.
pub(super) async fn prepare(
    mut plan: Plan,
    environment: &Environment,
    options: &RunOptions,
    folder: &RunFolder,
    recorder: &Recorder,
) -> Result<Prepared, RunError> {
    let (control, commands) = Control::listen(recorder.log())?;
    let mut told = Ok(());
    let stage_options = StageOptions {
        gameday: &options.gameday,
        workspace: &options.workspace,
        folder: Some(&folder.path),
        session: &format!("gameday-{}", folder.id),
        short_name: &short_name(&folder.path),
        seed: options.seed,
        failpoints: &options.failpoints,
    };
    let mut stage = Stage::set(&plan, environment, &stage_options, |process, pid, address| {
        if told.is_ok() {
            told = recorder.record(EventKind::ProcessStarted { process, pid, address });
        }
    })
    .await
    .map_err(Box::new)?;
    let alarms = match told {
        Ok(()) => look_at_alarms(&plan, &mut stage, recorder).await,
        Err(error) => Err(error.into()),
    };
    let ready = alarms.and_then(|alarms| {
        stage.fill_routes(&mut plan.routes).map_err(Box::new)?;
        let (loads, probes) = ready(&plan, &stage, options, folder, recorder)?;
        let metrics = Metrics::of(&plan, &stage.faults.aws, recorder.log().clock())?;
        Ok((loads, probes, alarms, metrics))
    });
    let guarded = match ready {
        Ok(ready) => {
            guard(&plan, &stage, options, folder, recorder).await.map(|(lock, watchdog)| (ready, lock, watchdog))
        }
        Err(error) => Err(error),
    };
    match guarded {
        Ok(((loads, probes, alarms, metrics), lock, watchdog)) => {
            Ok(Prepared { plan, stage, loads, probes, alarms, metrics, commands, control, watchdog, lock })
        }
        Err(error) => {
            stage.clear().await;
            Err(error)
        }
    }
}

/// Keeps other machines out, and then has somebody undo whatever becomes of this process.
async fn guard(
    plan: &Plan,
    stage: &Stage,
    options: &RunOptions,
    folder: &RunFolder,
    recorder: &Recorder,
) -> Result<(Option<RemoteLock>, Option<Watchdog>), RunError> {
    let lock = match &plan.environment.lock {
        Some(parameter) => {
            let (parameters, of) = (Arc::new(stage.faults.aws.ssm.clone()), (&*plan.environment.name, &**parameter));
            Some(RemoteLock::take(parameters, of, &stage.faults.shell, recorder).await?)
        }
        None => None,
    };
    if !options.has_watchdog {
        return Ok((lock, None));
    }
    match start_watchdog(options, folder, recorder).await {
        Ok(watchdog) => Ok((lock, Some(watchdog))),
        Err(error) => {
            if let Some(lock) = lock {
                lock.end(recorder, true).await;
            }
            Err(error)
        }
    }
}

/// Ends a run that may not be alone in its environment any more.
pub(super) fn abort_when_lost(inputs: mpsc::UnboundedSender<Input>) -> impl Fn(String) + Send {
    move |found| {
        let error = format!("the environment is not locked by this run any more: {found}");
        // The engine may have ended.
        inputs.send(Input::Abort(AbortCause::Internal { error })).ok();
    }
}

/// From here on somebody undoes, whatever becomes of this process.
async fn start_watchdog(options: &RunOptions, folder: &RunFolder, recorder: &Recorder) -> Result<Watchdog, RunError> {
    let watchdog = Watchdog::spawn(&options.gameday, &folder.path).await?;
    let (pid, address) = (watchdog.pid(), String::new());
    match recorder.record(EventKind::ProcessStarted { process: ProcessKind::Watchdog, pid, address }) {
        Ok(()) => Ok(watchdog),
        Err(error) => {
            watchdog.dismiss().await;
            Err(error.into())
        }
    }
}

/// Looks for the alarms that the plan names: what it means to see must be there before anything is changed.
async fn look_at_alarms(plan: &Plan, stage: &mut Stage, recorder: &Recorder) -> Result<Option<Alarms>, RunError> {
    let aws = stage.faults.aws.clone();
    let alarms = Alarms::look(plan, &aws, recorder.log().clock(), &mut stage.checks).await?;
    for found in alarms.iter().flat_map(Alarms::found) {
        recorder.record(found)?;
    }
    Ok(alarms)
}

type Ready = (BTreeMap<LoadId, LoadPlan>, Vec<(SignalId, HttpProbe)>);

/// Resolves loads and probes, so that nothing of them can fail in the middle of a run.
fn ready(
    plan: &Plan,
    stage: &Stage,
    options: &RunOptions,
    folder: &RunFolder,
    recorder: &Recorder,
) -> Result<Ready, RunError> {
    let origin = recorder.log().clock().origin();
    let mut loads = BTreeMap::new();
    for (load, spec) in &plan.loads {
        let read = |path: &str, bytes_max| read_below(&options.workspace, path, bytes_max);
        let (access, region) = stage.reach();
        let targets = Targets {
            placeholder: &|name| stage.resolve(name),
            address: &|target| stage.address(target),
            access: Some(access),
            region: &region,
        };
        let load_plan = LoadPlan::build(load, spec, origin, options.seed, &targets, &read)?;
        let authorities = stage.authorities();
        loads.insert(load.clone(), LoadPlan { authorities, run: Some(folder.id.to_string()), ..load_plan });
    }
    let mut probes = Vec::new();
    for (signal, spec) in &plan.signals {
        if let Ok(SignalSource::Http(http)) = spec.source() {
            let url = stage.fill(&http.get).map_err(Box::new)?;
            let fail = |source| RunError::Probe { signal: signal.to_string(), source };
            probes.push((signal.clone(), HttpProbe::new(http, &url, &stage.authorities()).map_err(fail)?));
        }
    }
    recorder.record(EventKind::ReadinessPassed { checks: stage.checks.clone() })?;
    for unknown in &stage.unknown {
        recorder.record(EventKind::Noted {
            text: format!("not known: {unknown}"),
            by: Some(crate::event::PROGRAM.to_owned()),
        })?;
    }
    Ok((loads, probes))
}
