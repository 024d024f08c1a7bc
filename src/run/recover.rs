//! Recovery: what a run left behind is undone from its folder alone, by a process that knows nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::folder::{EnvironmentLock, FolderError, LockError, read_plan};
use super::ledger::{self, Recorder, UndoFile};
use super::notices;
use super::place::{Place, PlaceError};
use super::remote_lock::{self, HolderError};
use super::stage::{proxy_client, targets};
use super::switch;
use crate::event::{
    EventKind, EventLog, FaultEnd, FaultIdentity, FaultProgress, FaultState, LockProgress, LogError, ProcessKind,
    Recoverer, RunState, undo_path, undo_steps, was_cut,
};
use crate::fault::{CommandPlace, FaultEnvironment, Occasion, Permits, Undo};
use crate::plan::{EnvironmentKind, Plan, change_id};
use crate::unit::process::own_program;
use crate::unit::{Failpoints, TargetId, error_chain};
use crate::workspace::{Environment, Workspace};

/// How long after the death of a run a call that it had sent may still take effect.
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(1);

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
    /// Nothing may be undone from here.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Another process on this machine works in the environment, perhaps the run itself.
    #[error(
        "environment `{0}` is in use on this machine by a run, which would be undone behind its back; end it with `gameday \
         abort`, or say with `--despite-lock` that it does no harm"
    )]
    InUse(String),
    /// This is a copy of its folder, and it may be alive where the folder is.
    #[error(transparent)]
    Elsewhere(#[from] HolderError),
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
    /// Commands that take away by hand what is left in AWS though everything is undone: a schedule, or the lock.
    pub remains: Vec<String>,
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
    /// What its dead man's switch will still do; none where it has none, or none any more.
    pub switch: Option<String>,
}

/// How a run is recovered.
#[derive(Debug, Clone, Default)]
pub struct RecoverOptions {
    /// The run's environment as it is now, whose credentials are used where it is the same place; none leaves those of the run.
    pub environment: Option<EnvironmentKind>,
    /// The lock for other machines is not asked: a person vouches that neither this run nor another one is under way, or the
    /// caller has ended the run itself.
    pub despite_lock: bool,
    /// What somebody else has changed is taken as it is, and counts as over.
    pub accept_drift: bool,
    /// Who recovers.
    pub by: Recoverer,
    /// Go on from what can still be used of a log that is broken in the middle, and from the undo files.
    pub salvage: bool,
    /// Where a crash test ends the process.
    pub failpoints: Failpoints,
}

/// Undoes everything that the run in `directory` left, last-in first-out, and ends its fault proxy. Asking again does
/// no harm.
///
/// # Errors
/// The log, the plan or an undo file cannot be used, the run is alive, or the caller is in another account. Nothing was
/// changed then. An undo that could not be done is no error here: it is in the answer.
pub async fn recover(directory: &Path, options: RecoverOptions) -> Result<Recovered, RecoverError> {
    let alive = |error| match error {
        LogError::InUse(_) => RecoverError::Alive(directory.display().to_string()),
        error => RecoverError::Log(error),
    };
    if options.salvage {
        EventLog::cut_broken(directory).map_err(alive)?;
    }
    // A salvage that was itself cut short is gone on with, also by a recovery that does not ask for one.
    let is_salvage = options.salvage || was_cut(directory);
    let (log, events) = EventLog::reopen(directory).map_err(alive)?;
    let plan = read_plan(directory)?;
    let is_kept_out = |error: &LockError| matches!(error, LockError::Taken { .. }) && !options.despite_lock;
    // Held until everything is undone: no run begins meanwhile. Where no lock can be had, an undo does not wait for one.
    let _place = match EnvironmentLock::of_place(&plan.environment) {
        Ok(lock) => lock,
        Err(error) if is_kept_out(&error) => return Err(RecoverError::InUse(plan.environment.name.clone())),
        Err(_) => None,
    };
    let recorder = Recorder::resume(log.with_failpoints(options.failpoints.clone()), &events);
    if is_salvage {
        take_in_undo_files(&recorder, directory, &plan)?;
    }
    let state = recorder.recording().state().clone();
    let open: Vec<FaultIdentity> = state.outstanding().map(|fault| fault.identity.clone()).collect();
    let (undos, unusable) = read_undos(directory, &state, &plan);
    let environment = environment_of(&plan, &state, &options).await?;
    if let (Some(lock), false) = (&state.lock, options.despite_lock) {
        remote_lock::check_holder(&environment.aws.ssm, lock, (&state.run, directory)).await?;
    }
    let is_work_left = !open.is_empty() || state.has_remains() || !state.is_over();
    if is_work_left {
        recorder.record_anyway(EventKind::RecoveryStarted { process: std::process::id(), by: options.by });
        unusable.into_iter().for_each(|it| recorder.record_anyway(it));
        let in_flight = in_flight(&state, &undos);
        undo_all(&recorder, &environment, undos).await;
        let last_at = events.last().map(|event| event.at).unwrap_or_default();
        look_again(&recorder, &environment, in_flight, last_at).await;
        if options.accept_drift {
            accept_drift(&recorder);
        }
        switch::clear(&recorder, &environment).await;
    }
    close_proxy(&state).await;
    let now = recorder.recording().state().clone();
    let left: Vec<String> = now.outstanding().map(|fault| fault.change.clone()).collect();
    let faults = now.faults.iter().filter(|fault| open.contains(&fault.identity)).map(recovered).collect();
    let is_clean = left.is_empty();
    if let Some(lock) = state.lock.as_ref().filter(|lock| lock.may_be_ours()) {
        let LockProgress { parameter, ticket, .. } = lock;
        let parameters = &environment.aws.ssm;
        if is_clean {
            remote_lock::release(parameters, parameter, ticket, &environment.shell, &recorder).await;
        } else {
            remote_lock::keep_dirty(parameters, lock, &state.run, &recorder).await;
        }
    }
    if is_work_left {
        // Everything is undone by now, also where the log could not take it: then the next recovery finds it as before.
        let end = if is_clean { EventKind::RunSettled } else { EventKind::RunDirty { left } };
        recorder.record(end.clone())?;
        Box::pin(notices::tell_recovered(&plan, &recorder, &events, end)).await;
    }
    let remains = recorder.recording().state().remains_by_hand().cloned().collect();
    Ok(Recovered { run: state.run, is_clean, faults, remains })
}

/// What somebody else has changed is theirs from now on.
fn accept_drift(recorder: &Recorder) {
    let drifted: Vec<FaultIdentity> = {
        let recording = recorder.recording();
        let drifted = recording.state().outstanding().filter(|fault| fault.state == FaultState::Drifted);
        drifted.map(|fault| fault.identity.clone()).collect()
    };
    for identity in drifted {
        recorder.record_anyway(EventKind::FaultRestored { identity, how: FaultEnd::Accepted });
    }
}

/// Takes undo files into the ledger of which the log, cut off, knows nothing. A file that is torn was never armed.
fn take_in_undo_files(recorder: &Recorder, directory: &Path, plan: &Plan) -> Result<(), RecoverError> {
    for step in undo_steps(directory).map_err(LogError::File)? {
        let is_known = |fault: &FaultProgress| fault.identity.step == step && fault.undo_sha256.is_some();
        if recorder.recording().state().faults.iter().any(is_known) {
            continue;
        }
        let routes = plan.routes.iter().enumerate();
        let route = routes.into_iter().find(|(index, route)| change_id(index + 1, &route.fault) == step).map(|it| it.1);
        let fault = step.split_once('-').and_then(|(_, fault)| plan.changes.get(fault));
        let change = route.or(fault);
        let (Some(change), Some((undo_sha256, undo))) = (change, UndoFile::read_unnamed(&undo_path(directory, &step)))
        else {
            let text = format!("`undo/{step}.json` is not a whole undo, and is left out");
            recorder.record_anyway(EventKind::Noted { text, by: None });
            continue;
        };
        let identity = FaultIdentity { step: step.clone(), fault: change.fault.clone() };
        let crate::fault::ChangeText { change: text, undo } = undo.text();
        let fault_kind = change.spec.kind().map(|kind| kind.key().to_owned()).unwrap_or_default();
        let target = change.target.clone();
        recorder.record(EventKind::FaultIntended {
            identity: identity.clone(),
            fault_kind,
            target,
            change: text,
            undo,
        })?;
        recorder.record(EventKind::FaultArmed { identity, undo_sha256 })?;
    }
    Ok(())
}

/// Changes that the log does not know to be made: a call that the dead process had sent may still be on its way.
fn in_flight(state: &RunState, undos: &Undos) -> Undos {
    let is_in_flight = |identity: &FaultIdentity| {
        state.faults.iter().any(|fault| fault.identity == *identity && fault.state == FaultState::Armed)
    };
    let of = |(resource, group): (&String, &Vec<(FaultIdentity, Undo)>)| {
        let group: Vec<_> = group.iter().filter(|(identity, _)| is_in_flight(identity)).cloned().collect();
        (!group.is_empty()).then(|| (resource.clone(), group))
    };
    undos.iter().filter_map(of).collect()
}

/// Looks once more at what was found as before and may not stay so, since the run died just now.
async fn look_again(recorder: &Recorder, environment: &FaultEnvironment, mut in_flight: Undos, last_at: DateTime<Utc>) {
    let was_as_before = |identity: &FaultIdentity| {
        let recording = recorder.recording();
        let mut faults = recording.state().faults.iter();
        faults.any(|fault| fault.identity == *identity && fault.end == Some(FaultEnd::AsBefore))
    };
    in_flight.values_mut().for_each(|group| group.retain(|(identity, _)| was_as_before(identity)));
    in_flight.retain(|_, group| !group.is_empty());
    let since = (recorder.log().clock().now() - last_at).to_std().unwrap_or_default();
    let wait = IN_FLIGHT_WAIT.saturating_sub(since);
    if !in_flight.is_empty() && !wait.is_zero() {
        tokio::time::sleep(wait).await;
        undo_all(recorder, environment, in_flight).await;
    }
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
        switch: fault.switch.as_ref().and_then(switch::promise),
    }
}

/// The undo of each open change, last first, by what it works on.
pub(super) type Undos = BTreeMap<String, Vec<(FaultIdentity, Undo)>>;

/// Reads the undo of every change that is or may be in place, and checks it against the log. One that cannot be used is
/// told, and keeps none of the others from being undone.
pub(super) fn read_undos(directory: &Path, state: &RunState, plan: &Plan) -> (Undos, Vec<EventKind>) {
    let (mut undos, mut unusable) = (Undos::new(), Vec::new());
    for fault in state.outstanding().rev() {
        let identity = fault.identity.clone();
        let path = undo_path(directory, &identity.step);
        match UndoFile::read(&path, fault.undo_sha256.as_deref().unwrap_or_default()) {
            Ok(file) => undos.entry(plan.resource(&fault.target)).or_default().push((identity, file.undo)),
            Err(error) => {
                let error = format!("its undo cannot be used (`{}`): {}", path.display(), error_chain(&error));
                let by_hand = vec![format!("{} (it was changed so: {})", fault.undo, fault.change)];
                unusable.push(EventKind::FaultStuck { identity, error, by_hand });
            }
        }
    }
    (undos, unusable)
}

async fn environment_of(
    plan: &Plan,
    state: &RunState,
    options: &RecoverOptions,
) -> Result<FaultEnvironment, RecoverError> {
    let address_of = |wanted: ProcessKind| {
        state.processes.iter().rev().find(|(kind, ..)| *kind == wanted).map(|(_, _, address)| address.clone())
    };
    let failpoints = &options.failpoints;
    let mut environment = plan.environment.clone();
    if let Some(now) = options.environment.as_ref().filter(|now| now.is_same_place(&environment.kind)) {
        environment.kind.take_access_of(now);
    }
    // The sandbox lived in the run's process: nobody answers there any more, and its functions are gone.
    let embedded = address_of(ProcessKind::Sandbox);
    let session = format!("gameday-{}", state.run);
    let Place { aws, account, shell, access, .. } =
        Place::connect(&environment, embedded, &session, failpoints).await?;
    if let Some(guard) = &account {
        guard.check(&aws).await.map_err(PlaceError::from)?;
    }
    Ok(FaultEnvironment {
        aws,
        account,
        proxy: address_of(ProcessKind::Proxy).map(|socket| proxy_client(&socket).with_failpoints(failpoints.clone())),
        proxies: permits(&plan.environment.name, |environment, admin| {
            admin.parse().is_ok_and(|admin| environment.permits_proxy(&admin))
        }),
        targets: targets(plan),
        shell,
        is_embedded: plan.environment.kind == EnvironmentKind::Sandbox,
        occasion: Occasion::default(),
        commands: commands(&plan.environment.name, access, failpoints),
    })
}

/// What may be done where an environment is named. The folder of a run may come from anywhere, so that what it says is run, and is
/// sent a token, only where the workspace that it names permits it today.
fn permits(environment: &str, is_permitted: fn(&Environment, &str) -> bool) -> Permits {
    let environment = environment.to_owned();
    Permits::new(move |folder: &Path, name: &str| {
        let workspace = Workspace::read(folder).ok();
        let environment = workspace.as_ref().and_then(|workspace| workspace.environment(&environment));
        environment.is_some_and(|environment| is_permitted(environment, name))
    })
}

/// Where commands are run that undo an `exec` fault.
fn commands(environment: &str, access: BTreeMap<String, String>, failpoints: &Failpoints) -> CommandPlace {
    CommandPlace {
        gameday: own_program().unwrap_or_default(),
        access,
        permits: permits(environment, Environment::permits_program),
        failpoints: failpoints.clone(),
        ..CommandPlace::default()
    }
}

/// Undoes each group in its order, and independent groups side by side; how each undo went is in the log.
pub(super) async fn undo_all(recorder: &Recorder, environment: &FaultEnvironment, undos: Undos) {
    let mut tasks = tokio::task::JoinSet::new();
    for group in undos.into_values() {
        let (recorder, environment) = (recorder.clone(), environment.clone());
        tasks.spawn(async move {
            for (identity, undo) in group {
                ledger::revert(&recorder, &environment, &identity, &undo).await;
            }
        });
    }
    // A panic in one leaves its faults outstanding, which the answer shows.
    while tasks.join_next().await.is_some() {}
}

/// Ends the run's fault proxy, which went on as a plain pass-through.
pub(super) async fn close_proxy(state: &RunState) {
    for (kind, _, address) in &state.processes {
        if *kind == ProcessKind::Proxy {
            // One that is gone already is as well.
            proxy_client(address).shutdown().await.ok();
        }
    }
}
