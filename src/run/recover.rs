//! Recovery: what a run left behind is undone from its folder alone, by a process that knows nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::folder::{FolderError, read_plan};
use super::ledger::{self, Recorder, UndoFile, UndoFileError};
use super::stage::{proxy_client, targets};
use crate::aws::{Aws, AwsError, Connection};
use crate::event::{EventKind, EventLog, FaultEnd, FaultIdentity, LogError, ProcessKind, RunState, undo_path};
use crate::fault::{FaultEnvironment, Undo};
use crate::plan::{EnvironmentKind, Plan};
use crate::unit::TargetId;

/// Why a run cannot be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Its log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Its plan cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It lives, or somebody else recovers it.
    #[error("the run in `{0}` is still alive, or is being recovered; end it with `gameday abort`")]
    Alive(String),
    /// The caller could not be told.
    #[error("failed to ask AWS who we are")]
    Identity(#[source] AwsError),
    /// Another account than the run's.
    #[error("the caller is in account `{found}`, and the run was in account `{expected}`")]
    WrongAccount {
        /// The run's.
        expected: String,
        /// The caller's.
        found: String,
    },
    /// An undo file cannot be used: nobody can tell what was there before.
    #[error("the undo of `{fault}` cannot be used (`{path}`)")]
    Undo {
        /// The fault.
        fault: String,
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: UndoFileError,
    },
}

/// What came of a recovery.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Recovered {
    /// The run.
    pub run: String,
    /// Whether every change is undone.
    pub is_clean: bool,
    /// One line for each change that was open, with how it ended.
    pub faults: Vec<RecoveredFault>,
}

/// One change that was open.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RecoveredFault {
    /// The fault.
    pub fault: String,
    /// The target.
    pub target: TargetId,
    /// The change in one line.
    pub change: String,
    /// Where it stands now.
    pub state: crate::event::FaultState,
    /// How it ended well.
    pub end: Option<FaultEnd>,
    /// What is left: drifted fields, or commands that finish it by hand.
    pub left: Vec<String>,
    /// The last error.
    pub error: Option<String>,
}

/// Undoes everything that the run in `directory` left, last-in first-out, and ends its fault proxy. Asking again does
/// no harm. `profile` is the AWS profile of the run's environment.
///
/// # Errors
/// The log, the plan or an undo file cannot be used, the run is alive, or the caller is in another account. Nothing was
/// changed then. An undo that could not be done is no error here: it is in the answer.
pub async fn recover(directory: &Path, profile: Option<String>) -> Result<Recovered, RecoverError> {
    let (log, events) = match EventLog::reopen(directory) {
        Err(LogError::InUse(_)) => return Err(RecoverError::Alive(directory.display().to_string())),
        opened => opened?,
    };
    let state = RunState::fold(&events);
    let open: Vec<FaultIdentity> = state.outstanding().map(|fault| fault.identity.clone()).collect();
    let plan = read_plan(directory)?;
    let undos = read_undos(directory, &state, &plan)?;
    let environment = environment_of(&plan, &state, profile).await?;
    let recorder = Recorder::resume(log, &events);
    let is_work_left = !open.is_empty() || !state.is_over();
    if is_work_left {
        recorder.record(EventKind::RecoveryStarted { process: std::process::id() })?;
        undo_all(&recorder, &environment, undos, &state.run).await;
    }
    close_proxy(&state).await;
    let recording = recorder.recording();
    let now = recording.state();
    let left: Vec<String> = now.outstanding().map(|fault| fault.change.clone()).collect();
    let faults = now.faults.iter().filter(|fault| open.contains(&fault.identity)).map(recovered).collect();
    let is_clean = left.is_empty();
    drop(recording);
    if is_work_left {
        recorder.record(if is_clean { EventKind::RunSettled } else { EventKind::RunDirty { left } })?;
    }
    Ok(Recovered { run: state.run, is_clean, faults })
}

fn recovered(fault: &crate::event::FaultProgress) -> RecoveredFault {
    RecoveredFault {
        fault: fault.identity.fault.to_string(),
        target: fault.target.clone(),
        change: fault.change.clone(),
        state: fault.state,
        end: fault.end,
        left: fault.left.clone(),
        error: fault.error.clone(),
    }
}

/// The undo of each open change, last first, by what it works on.
type Undos = BTreeMap<String, Vec<(FaultIdentity, Undo)>>;

fn read_undos(directory: &Path, state: &RunState, plan: &Plan) -> Result<Undos, RecoverError> {
    let mut undos = Undos::new();
    for fault in state.outstanding().rev() {
        let path = undo_path(directory, &fault.identity.step);
        let digest = fault.undo_sha256.as_deref().unwrap_or_default();
        let file = UndoFile::read(&path, digest).map_err(|source| RecoverError::Undo {
            fault: fault.identity.fault.to_string(),
            path: path.display().to_string(),
            source,
        })?;
        undos.entry(plan.resource(&fault.target)).or_default().push((fault.identity.clone(), file.undo));
    }
    Ok(undos)
}

async fn environment_of(
    plan: &Plan,
    state: &RunState,
    profile: Option<String>,
) -> Result<FaultEnvironment, RecoverError> {
    let address_of = |wanted: ProcessKind| {
        state.processes.iter().rev().find(|(kind, ..)| *kind == wanted).map(|(_, _, address)| address.clone())
    };
    let connection = match &plan.environment.kind {
        // The sandbox lived in the run's process: nobody answers there any more, and its functions are gone.
        EnvironmentKind::Sandbox => Connection::Endpoint(address_of(ProcessKind::Sandbox).unwrap_or_default()),
        EnvironmentKind::Endpoint { url } => Connection::Endpoint(url.clone()),
        EnvironmentKind::Account { region, .. } => Connection::Account { region: region.clone(), profile },
    };
    let aws = Aws::connect(&connection).await;
    if let EnvironmentKind::Account { account, .. } = &plan.environment.kind {
        let found = aws.caller_account().await.map_err(RecoverError::Identity)?;
        if found != *account {
            return Err(RecoverError::WrongAccount { expected: account.clone(), found });
        }
    }
    Ok(FaultEnvironment {
        functions: Arc::clone(&aws.functions),
        proxy: address_of(ProcessKind::Proxy).map(|socket| proxy_client(&socket)),
        targets: targets(plan),
        is_embedded: plan.environment.kind == EnvironmentKind::Sandbox,
    })
}

async fn undo_all(recorder: &Recorder, environment: &FaultEnvironment, undos: Undos, run: &str) {
    let recover_line = format!("gameday recover {run}");
    let mut tasks = tokio::task::JoinSet::new();
    for group in undos.into_values() {
        let (recorder, environment, recover_line) = (recorder.clone(), environment.clone(), recover_line.clone());
        tasks.spawn(async move {
            for (identity, undo) in group {
                ledger::revert(&recorder, &environment, &identity, &undo, &recover_line).await;
            }
        });
    }
    // A panic in one leaves its faults outstanding, which the answer shows.
    while tasks.join_next().await.is_some() {}
}

/// Ends the run's fault proxy, which went on as a plain pass-through.
async fn close_proxy(state: &RunState) {
    for (kind, _, address) in &state.processes {
        if *kind == ProcessKind::Proxy {
            // One that is gone already is as well.
            proxy_client(address).shutdown().await.ok();
        }
    }
}
