//! A run's folder under `reports/`: its id, its files, the lock on its environment, and the runs that are there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::event::{LogError, ReadLog, RunState, is_in_use, read_log, undo_steps, was_cut};
use crate::plan::{EnvironmentFacts, EnvironmentKind, Plan, environment_facts};
use crate::unit::{Clock, FileError, RunId, RuntimeDirectoryError, ScenarioId, runtime_directory, sha256_hex};
use crate::workspace::Environment;

const PLAN_FILE: &str = "plan.json";
const SCENARIO_FILE: &str = "scenario.yaml";
const LOG_FILE: &str = "run.ndjson";
const LOCK_DIRECTORY: &str = ".locks";
/// How much of a digest names the lock of an endpoint or an account.
const SHARED_LOCK_CHARS: usize = 16;
/// The longest part of a scenario's id that goes into a run's id.
const SCENARIO_PART_BYTES_MAX: usize = 40;
/// How many runs of one scenario may begin in the same second.
const COLLISIONS_MAX: usize = 99;

/// Why a run's folder cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// `plan.json` is not one.
    #[error("`{}` is not a plan that this version reads", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// Too many runs in one second.
    #[error("too many runs of `{0}` began in this second")]
    Collision(ScenarioId),
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// The run.
    pub id: RunId,
    /// The folder.
    pub path: PathBuf,
    /// SHA-256 of `plan.json`.
    pub plan_sha256: String,
}

impl RunFolder {
    /// Makes the folder `reports/<date>-<time UTC>-<scenario>` and writes what the report needs: the plan, the scenario, and what is
    /// kept of the workspace as it was.
    ///
    /// # Errors
    /// The file system said no.
    pub fn create(
        reports: &Path,
        plan: &Plan,
        scenario_text: &str,
        kept: &BTreeMap<String, String>,
        clock: Clock,
    ) -> Result<Self, FolderError> {
        std::fs::create_dir_all(reports).map_err(FileError::on("create", reports))?;
        let (id, path) = claim(reports, &plan.scenario.id, clock)?;
        let mut plan_text = serde_json::to_string_pretty(plan).expect("invariant: a plan serialises to JSON");
        plan_text.push('\n');
        // Recovery needs the plan as much as the log: it is on disk before anything is changed.
        let write = |name: &str, text: &str| {
            let file = path.join(name);
            File::create(&file)
                .and_then(|mut open| open.write_all(text.as_bytes()).and_then(|()| open.sync_all()))
                .map_err(FileError::on("write", &file))
        };
        write(PLAN_FILE, &plan_text)?;
        write(SCENARIO_FILE, scenario_text)?;
        for folder in kept.keys().filter_map(|name| Some(name.split_once('/')?.0)) {
            let folder = path.join(folder);
            std::fs::create_dir_all(&folder).map_err(FileError::on("create", &folder))?;
        }
        for (name, text) in kept {
            write(name, text)?;
        }
        for folder in [&path, reports] {
            File::open(folder).and_then(|open| open.sync_all()).map_err(FileError::on("sync", folder))?;
        }
        Ok(Self { id, plan_sha256: sha256_hex(plan_text.as_bytes()), path })
    }
}

/// Makes the first folder of the name that is free.
fn claim(reports: &Path, scenario: &ScenarioId, clock: Clock) -> Result<(RunId, PathBuf), FolderError> {
    let scenario_part: String = scenario.as_str().chars().take(SCENARIO_PART_BYTES_MAX).collect();
    let base = format!("{}-{scenario_part}", clock.now().format("%Y-%m-%d-%H%M%S"));
    for number in 1..=COLLISIONS_MAX {
        let name = if number == 1 { base.clone() } else { format!("{base}-{number}") };
        let path = reports.join(&name);
        match std::fs::create_dir(&path) {
            Ok(()) => {
                let id = name.parse().expect("invariant: a date and a scenario's id make a name");
                return Ok((id, path));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FileError::on("create", &path)(error).into()),
        }
    }
    Err(FolderError::Collision(scenario.clone()))
}

/// Reads a run's plan.
///
/// # Errors
/// The file is missing, or is of another version.
pub fn read_plan(directory: &Path) -> Result<Plan, FolderError> {
    let path = directory.join(PLAN_FILE);
    let bytes = std::fs::read(&path).map_err(FileError::on("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|source| FolderError::Plan { path, source })
}

/// The folders of runs under `reports`, oldest first. A folder without a log is no run.
///
/// # Errors
/// The folder cannot be read; one that does not exist holds no runs.
pub fn find_runs(reports: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let entries = match std::fs::read_dir(reports) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::on("read", reports)(error).into()),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::on("read", reports))?.path();
        if path.join(LOG_FILE).is_file() {
            runs.push(path);
        }
    }
    runs.sort();
    Ok(runs)
}

/// A run whose log does not say that it ended well.
#[derive(Debug)]
pub struct LiveRun {
    /// Its folder.
    pub path: PathBuf,
    /// What its log says.
    pub state: RunState,
    /// Whether a process runs it.
    pub is_alive: bool,
    /// How many undo files there are of which the log, which is broken, cannot tell how they ended.
    pub untold_count: usize,
}

impl LiveRun {
    /// How many changes may be in place.
    #[must_use]
    pub fn change_count(&self) -> usize {
        self.state.outstanding().count().max(self.untold_count)
    }
}

/// The runs that are not over, that ended dirty, or that left a switch or a lock in AWS, oldest first. A log that cannot be read is passed over, except that
/// what stands before a broken line still counts.
///
/// # Errors
/// The folder cannot be read.
pub fn live_runs(reports: &Path) -> Result<Vec<LiveRun>, FolderError> {
    let runs = find_runs(reports)?;
    Ok(runs.into_iter().filter_map(|path| live_run(&path)).collect())
}

fn live_run(path: &Path) -> Option<LiveRun> {
    let (events, is_whole) = match read_log(path) {
        Ok(ReadLog { events, .. }) => (events, !was_cut(path)),
        Err(LogError::Broken { before: events, .. }) => (events, false),
        Err(_) => (Vec::new(), false),
    };
    let state = RunState::fold(&events);
    // Undo files of which no record tells how they ended.
    let is_untold =
        |step: &String| !state.faults.iter().any(|it| it.identity.step == *step && it.undo_sha256.is_some());
    let untold = || undo_steps(path).unwrap_or_default().iter().filter(|step| is_untold(step)).count();
    let untold_count = if is_whole { 0 } else { untold() };
    if events.is_empty() && untold_count == 0 {
        return None;
    }
    let is_alive = !state.is_over() && is_in_use(path);
    let live = LiveRun { path: path.to_owned(), state, is_alive, untold_count };
    (!live.state.is_over() || live.change_count() > 0 || live.state.has_remains()).then_some(live)
}

/// Why an environment cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it.
    #[error(
        "environment `{environment}` is in use by another run, of this workspace or of another one: \
             `gameday status --all` names it; wait for its end, or end it by `gameday abort`"
    )]
    Taken {
        /// The environment.
        environment: String,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no private directory for the lock that all workspaces share.
    #[error(transparent)]
    Directory(#[from] RuntimeDirectoryError),
}

/// An environment that is ours until this is dropped, or the process ends: in this workspace, and, where what it changes
/// lies outside of it, in every workspace of this user on this machine.
#[derive(Debug)]
pub(super) struct EnvironmentLock {
    _files: Vec<File>,
}

impl EnvironmentLock {
    pub(super) fn take(reports: &Path, environment: &Environment) -> Result<Self, LockError> {
        let mut paths = vec![reports.join(LOCK_DIRECTORY).join(format!("{}.lock", environment.name))];
        paths.extend(shared_lock(&environment_facts(environment).kind)?);
        let files = paths.iter().map(|path| lock_file(path, &environment.name));
        Ok(Self { _files: files.collect::<Result<_, _>>()? })
    }

    /// The part of it that all workspaces share; none where what is changed dies with its run.
    pub(super) fn of_place(environment: &EnvironmentFacts) -> Result<Option<Self>, LockError> {
        let path = shared_lock(&environment.kind)?;
        let file = path.map(|path| lock_file(&path, &environment.name)).transpose()?;
        Ok(file.map(|file| Self { _files: vec![file] }))
    }
}

/// The lock file of what lies outside of any workspace.
fn shared_lock(kind: &EnvironmentKind) -> Result<Option<PathBuf>, RuntimeDirectoryError> {
    let shared = match kind {
        EnvironmentKind::Sandbox => return Ok(None),
        EnvironmentKind::Endpoint { url, .. } => url.clone(),
        EnvironmentKind::Account { account, region, .. } => format!("{account} {region}"),
    };
    let name: String = sha256_hex(shared.as_bytes()).chars().take(SHARED_LOCK_CHARS).collect();
    Ok(Some(runtime_directory()?.join(format!("{name}.lock"))))
}

fn lock_file(path: &Path, environment: &str) -> Result<File, LockError> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(FileError::on("create", directory))?;
    }
    let options = OpenOptions::new().create(true).write(true).truncate(false).clone();
    let mut file = options.open(path).map_err(FileError::on("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            return Err(LockError::Taken { environment: environment.to_owned() });
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(FileError::on("lock", path)(source).into()),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(FileError::on("write", path))?;
    Ok(file)
}
