//! Everything that may fail before the timeline begins: nothing is injected until it is over.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::super::alarm_task::{Alarms, AlarmsNotReady};
use super::super::control::{Control, ControlError, Request, short_name};
use super::super::folder::{FolderError, LockError, RunFolder, live_runs, read_plan};
use super::super::ledger::Recorder;
use super::super::stage::{Stage, StageError, StageOptions};
use super::super::watchdog::{Watchdog, WatchdogError};
use super::RunOptions;
use crate::event::{EventKind, LogError, ProcessKind};
use crate::load::{LoadPlan, PlanError};
use crate::observe::{HttpProbe, ProbeError, SignalSource};
use crate::plan::{EnvironmentKind, Plan};
use crate::unit::{LoadId, SignalId};
use crate::workspace::Environment;

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
            Self::Stage(_) | Self::Alarms(_) | Self::Watchdog(_) | Self::Load(_) | Self::Probe { .. } => true,
            Self::Folder(_) | Self::Log(_) | Self::Lock(_) | Self::Dirty { .. } | Self::Control(_) => false,
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
    pub(super) commands: mpsc::Receiver<Request>,
    pub(super) control: Control,
    pub(super) watchdog: Option<Watchdog>,
}

/// Refuses an environment in which an earlier run left something. The caller holds the environment's lock, so no run that
/// is still open there is alive, whatever process has its number by now.
pub(super) fn refuse_dirty(options: &RunOptions, plan: &Plan) -> Result<(), RunError> {
    let environment = &plan.environment;
    for live in live_runs(&options.reports)? {
        // Two names may stand for one place.
        let is_same_place = || {
            environment.kind != EnvironmentKind::Sandbox
                && read_plan(&live.path).is_ok_and(|other| other.environment.kind == environment.kind)
        };
        let count = live.change_count();
        if count > 0 && (live.state.environment == environment.name || is_same_place()) {
            let run = live.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            return Err(RunError::Dirty { environment: environment.name.clone(), run, count });
        }
    }
    Ok(())
}

/// Sets the stage, and resolves what the plan names.
pub(super) async fn prepare(
    plan: Plan,
    environment: &Environment,
    options: &RunOptions,
    folder: &RunFolder,
    recorder: &Recorder,
) -> Result<Prepared, RunError> {
    let (control, commands) = Control::listen(&folder.path)?;
    let mut told = Ok(());
    let stage_options = StageOptions {
        gameday: &options.gameday,
        workspace: &options.workspace,
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
        let (loads, probes) = ready(&plan, &stage, options.seed, recorder)?;
        Ok((loads, probes, alarms))
    });
    let ready = match (ready, options.has_watchdog) {
        (Ok(ready), true) => start_watchdog(options, folder, recorder).await.map(|it| (ready, Some(it))),
        (ready, _) => ready.map(|ready| (ready, None)),
    };
    match ready {
        Ok(((loads, probes, alarms), watchdog)) => {
            Ok(Prepared { plan, stage, loads, probes, alarms, commands, control, watchdog })
        }
        Err(error) => {
            stage.clear().await;
            Err(error)
        }
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
fn ready(plan: &Plan, stage: &Stage, seed: u64, recorder: &Recorder) -> Result<Ready, RunError> {
    let origin = recorder.log().clock().origin();
    let mut loads = BTreeMap::new();
    for (load, spec) in &plan.loads {
        let load_plan = LoadPlan::build(load, spec, origin, seed, |name| stage.resolve(name))?;
        loads.insert(load.clone(), load_plan);
    }
    let mut probes = Vec::new();
    for (signal, spec) in &plan.signals {
        if let Ok(SignalSource::Http(http)) = spec.source() {
            let url = stage.fill(&http.get).map_err(Box::new)?;
            let fail = |source| RunError::Probe { signal: signal.to_string(), source };
            probes.push((signal.clone(), HttpProbe::new(http, &url).map_err(fail)?));
        }
    }
    recorder.record(EventKind::ReadinessPassed { checks: stage.checks.clone() })?;
    Ok((loads, probes))
}
