//! The tokio shell around the state machine: it performs effects, and brings back what came of them.

mod signals;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::control::{Control, ControlError, Request, short_name};
pub use super::core::Attendance;
use super::core::{Core, Effect, Input};
use super::evidence::{FrameFile, record_of, second_of};
use super::folder::{EnvironmentLock, FolderError, LockError, RunFolder, live_runs};
use super::guardrail::{self, Finding};
use super::ledger::{self, Recorder};
use super::load_task::{self, LoadNews};
use super::outcome::Outcome;
use super::probe_task::{self, Sample};
use super::stage::{Stage, StageError, StageOptions, renew_lease};
use crate::event::{AbortCause, Command, CommandAnswer, EventKind, EventLog, FaultIdentity, LOG_FORMAT, LogError};
use crate::fault::{FaultKind, Undo};
use crate::load::{LoadPlan, PlanError};
use crate::observe::{HttpProbe, ProbeError, SignalSource};
use crate::plan::Plan;
use crate::unit::{Clock, LoadId, elapsed_ms, error_chain};
use crate::workspace::Environment;

/// How often the timeline is looked at.
const TICK: Duration = Duration::from_millis(100);

/// What a run needs besides its plan.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The `gameday` program, from which workers are started.
    pub gameday: PathBuf,
    /// The workspace's folder.
    pub workspace: PathBuf,
    /// The folder of all runs.
    pub reports: PathBuf,
    /// The scenario's text, kept with the run.
    pub scenario_text: String,
    /// The workload's text, kept with the run.
    pub workload_text: Option<String>,
    /// Who is there to tick steps.
    pub attendance: Attendance,
    /// Seeds every generator of the run.
    pub seed: u64,
}

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

/// What a watcher (a terminal, a page) is handed when a run begins.
pub type Watcher<'a> = &'a mut (dyn FnMut(&RunFolder, &EventLog) + Send);

/// Runs a plan to its end: whatever happens, everything that was changed is undone before this returns.
///
/// # Errors
/// The run did not begin. What ends a run that has begun is in its log, and in the outcome.
pub async fn run(
    plan: Plan,
    environment: &Environment,
    options: RunOptions,
    watcher: Watcher<'_>,
) -> Result<(Outcome, RunFolder), RunError> {
    refuse_dirty(&options, &environment.name)?;
    let _lock = EnvironmentLock::take(&options.reports, &environment.name)?;
    let clock = Clock::start();
    let folder =
        RunFolder::create(&options.reports, &plan, &options.scenario_text, options.workload_text.as_deref(), clock)?;
    let recorder = Recorder::new(EventLog::create(&folder.path, clock)?);
    watcher(&folder, recorder.log());
    recorder.record(EventKind::RunStarted {
        format: LOG_FORMAT,
        run: folder.id.clone(),
        scenario: plan.scenario.id.clone(),
        title: plan.scenario.title.clone(),
        environment: environment.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: options.seed,
        plan_sha256: folder.plan_sha256.clone(),
        process: std::process::id(),
    })?;
    match prepare(plan, environment, &options, &folder, &recorder).await {
        Ok(drive) => Ok((drive.play().await, folder)),
        Err(error) => {
            // The run ends in its log as well: nothing was injected.
            let cause = AbortCause::Internal { error: error_chain(&error) };
            recorder.record(EventKind::RunAborted { cause })?;
            recorder.record(EventKind::RunEnded { outcome: crate::event::RunOutcome::Aborted, exit_code: 7 })?;
            Err(error)
        }
    }
}

fn refuse_dirty(options: &RunOptions, environment: &str) -> Result<(), RunError> {
    for live in live_runs(&options.reports)? {
        let count = live.state.outstanding().count();
        if live.state.environment == environment && !live.is_alive && count > 0 {
            return Err(RunError::Dirty { environment: environment.to_owned(), run: live.state.run, count });
        }
    }
    Ok(())
}

/// Everything that may fail before the timeline begins.
async fn prepare(
    plan: Plan,
    environment: &Environment,
    options: &RunOptions,
    folder: &RunFolder,
    recorder: &Recorder,
) -> Result<Drive, RunError> {
    let (control, commands) = Control::listen(&folder.path)?;
    let mut told = Ok(());
    let stage_options = StageOptions {
        gameday: &options.gameday,
        workspace: &options.workspace,
        short_name: &short_name(&folder.path),
        seed: options.seed,
    };
    let mut stage = Stage::set(&plan, environment, &stage_options, |process, pid, address| {
        if told.is_ok() {
            told = recorder.record(EventKind::ProcessStarted { process, pid, address });
        }
    })
    .await
    .map_err(Box::new)?;
    let ready = match told {
        Ok(()) => ready(&plan, &stage, options.seed, recorder),
        Err(error) => Err(error.into()),
    };
    match ready {
        Ok((loads, probes)) => {
            let parts = Parts { plan, stage, loads, probes, commands, control };
            Ok(Drive::new(parts, options, folder, recorder.clone()))
        }
        Err(error) => {
            stage.clear().await;
            Err(error)
        }
    }
}

type Ready = (BTreeMap<LoadId, LoadPlan>, Vec<(crate::unit::SignalId, HttpProbe)>);

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

/// What [`Drive::new`] puts together.
struct Parts {
    plan: Plan,
    stage: Stage,
    loads: BTreeMap<LoadId, LoadPlan>,
    probes: Vec<(crate::unit::SignalId, HttpProbe)>,
    commands: mpsc::Receiver<Request>,
    control: Control,
}

/// Undo data of faults that are or may be in.
type Undos = Arc<Mutex<BTreeMap<FaultIdentity, Undo>>>;

/// A run under way.
struct Drive {
    plan: Arc<Plan>,
    core: Core,
    recorder: Recorder,
    clock: Clock,
    stage: Stage,
    gameday: PathBuf,
    recover_line: String,
    loads: BTreeMap<LoadId, LoadPlan>,
    load_stops: BTreeMap<LoadId, CancellationToken>,
    frame_files: BTreeMap<LoadId, FrameFile>,
    undos: Undos,
    inputs: (mpsc::UnboundedSender<Input>, mpsc::UnboundedReceiver<Input>),
    load_news: (mpsc::UnboundedSender<LoadNews>, mpsc::UnboundedReceiver<LoadNews>),
    samples: mpsc::UnboundedReceiver<Sample>,
    findings: mpsc::Receiver<Finding>,
    commands: mpsc::Receiver<Request>,
    _control: Control,
    /// Probes, guardrails and the proxy's lease: they end with the run.
    _watchers: Vec<AbortOnDropHandle<()>>,
}

impl Drive {
    fn new(parts: Parts, options: &RunOptions, folder: &RunFolder, recorder: Recorder) -> Self {
        let Parts { plan, stage, loads, probes, commands, control } = parts;
        let plan = Arc::new(plan);
        let clock = recorder.log().clock();
        let (sample_sender, samples) = mpsc::unbounded_channel();
        let (finding_sender, findings) = mpsc::channel(plan.guardrails.len().max(1));
        let mut watchers = Vec::new();
        let mut spawn = |task: tokio::task::JoinHandle<()>| watchers.push(AbortOnDropHandle::new(task));
        for (signal, probe) in probes {
            spawn(tokio::spawn(probe_task::watch(signal, probe, sample_sender.clone())));
        }
        spawn(tokio::spawn(guardrail::watch(Arc::clone(&plan), recorder.clone(), clock, finding_sender)));
        if let Some(client) = stage.faults.proxy.clone() {
            spawn(tokio::spawn(renew_lease(client)));
        }
        Self {
            core: Core::new(Arc::clone(&plan), options.attendance),
            plan,
            recorder,
            clock,
            stage,
            gameday: options.gameday.clone(),
            recover_line: format!("gameday recover {}", folder.id),
            loads,
            load_stops: BTreeMap::new(),
            frame_files: BTreeMap::new(),
            undos: Arc::default(),
            inputs: mpsc::unbounded_channel(),
            load_news: mpsc::unbounded_channel(),
            samples,
            findings,
            commands,
            _control: control,
            _watchers: watchers,
        }
    }

    async fn play(mut self) -> Outcome {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut signals = signals::Signals::listen();
        self.feed(Input::Begin, None);
        while !self.core.is_finished() {
            tokio::select! {
                _ = tick.tick() => self.feed(Input::Tick, None),
                Some(input) = self.inputs.1.recv() => self.feed(input, None),
                Some(news) = self.load_news.1.recv() => self.hear(news),
                Some((signal, value)) = self.samples.recv() => {
                    self.record(EventKind::SignalSampled { signal, value });
                }
                Some(finding) = self.findings.recv() => self.find(finding),
                Some((command, back)) = self.commands.recv() => self.obey(command, back),
                signal = signals.next() => {
                    if self.interrupted(signal, &mut signals) {
                        break;
                    }
                }
            }
        }
        self.finish().await
    }

    /// A signal aborts; the third Ctrl-C within 5 s leaves, dirty. Answers whether to leave.
    fn interrupted(&mut self, signal: &'static str, signals: &mut signals::Signals) -> bool {
        match signals.count(signal) {
            signals::Wish::Abort => {
                self.feed(Input::Abort(AbortCause::Signal { signal: signal.to_owned() }), None);
                false
            }
            signals::Wish::Tell => {
                let left: Vec<String> =
                    self.recorder.recording().state().outstanding().map(|fault| fault.change.clone()).collect();
                let text = format!("still undoing: {}; Ctrl-C again leaves it undone", left.join("; "));
                self.record(EventKind::Noted { text, by: Some("gameday".to_owned()) });
                false
            }
            signals::Wish::Leave => true,
        }
    }

    async fn finish(mut self) -> Outcome {
        let (outcome, timeline) = {
            let recording = self.recorder.recording();
            (Outcome::of(recording.state()), Outcome::of_timeline(recording.state()))
        };
        // What cannot be undone may still need the way through the proxy, which fails open by itself.
        if outcome != Outcome::Dirty {
            self.stage.clear().await;
        }
        self.record(EventKind::RunEnded { outcome: timeline, exit_code: outcome.exit_code() });
        outcome
    }

    fn now_ms(&self) -> u64 {
        elapsed_ms(self.clock.elapsed())
    }

    /// Gives an input to the state machine and performs what it says.
    fn feed(&mut self, input: Input, mut back: Option<oneshot::Sender<CommandAnswer>>) {
        let now_ms = self.now_ms();
        let effects = {
            let recording = self.recorder.recording();
            self.core.on(now_ms, input, &recording)
        };
        for effect in effects {
            match effect {
                Effect::Record(kind) => self.record(kind),
                Effect::StartLoad(load) => self.start_load(&load),
                Effect::StopLoad(load) => {
                    if let Some(stop) = self.load_stops.get(&load) {
                        stop.cancel();
                    }
                }
                Effect::Inject(identity) => self.inject(identity),
                Effect::Undo(identity) => self.undo(identity),
                Effect::Answer(answer) => {
                    if let Some(back) = back.take() {
                        // The asker may have gone away.
                        back.send(answer).ok();
                    }
                }
                Effect::Finish => {}
            }
        }
    }

    /// Writes an event. A log that cannot be written ends the run: nothing more may be injected.
    fn record(&mut self, kind: EventKind) {
        match self.recorder.record(kind) {
            Ok(()) | Err(LogError::Failed) => {}
            Err(error) => self.abort_internally(error_chain(&error)),
        }
    }

    fn abort_internally(&self, error: String) {
        // The receiver is our own.
        self.inputs.0.send(Input::Abort(AbortCause::Internal { error })).ok();
    }

    fn obey(&mut self, command: Command, back: oneshot::Sender<CommandAnswer>) {
        self.feed(Input::Command(command), Some(back));
    }

    fn find(&mut self, finding: Finding) {
        match finding {
            Finding::Warn { guardrail, observed } => self.record(EventKind::GuardrailWarned { guardrail, observed }),
            Finding::Trip { guardrail, observed } => {
                if self.recorder.recording().state().abort.is_some() {
                    return;
                }
                self.record(EventKind::GuardrailTripped { guardrail: guardrail.clone(), observed });
                self.feed(Input::Abort(AbortCause::Guardrail { guardrail }), None);
            }
        }
    }

    fn start_load(&mut self, load: &LoadId) {
        let Some(plan) = self.loads.get(load).cloned() else { return };
        match FrameFile::create(self.recorder.log().directory(), load) {
            Ok(file) => {
                self.frame_files.insert(load.clone(), file);
            }
            Err(error) => self.abort_internally(error_chain(&error)),
        }
        let stop = CancellationToken::new();
        self.load_stops.insert(load.clone(), stop.clone());
        tokio::spawn(load_task::keep(self.gameday.clone(), plan, stop, self.load_news.0.clone()));
    }

    fn hear(&mut self, news: LoadNews) {
        match news {
            LoadNews::Started { load, pid } => self.record(EventKind::LoadStarted { load, pid }),
            LoadNews::Frame(frame) => {
                if let Some(file) = self.frame_files.get_mut(&frame.load)
                    && let Err(error) = file.append(&frame)
                {
                    self.abort_internally(error_chain(&error));
                }
                self.recorder.record_second(&frame.load, frame.second, record_of(&frame));
                self.record(EventKind::LoadRecorded(second_of(&frame)));
            }
            LoadNews::Over { load, lost } => self.feed(Input::LoadOver { load, lost }, None),
        }
    }

    fn inject(&self, identity: FaultIdentity) {
        let sender = self.inputs.0.clone();
        let Some(kind) = self.kind(&identity) else {
            // The plan names only faults that it has; one that it has not could not be undone either.
            sender.send(Input::Injected { identity, ok: false }).ok();
            return;
        };
        let (recorder, environment, undos) =
            (self.recorder.clone(), self.stage.faults.clone(), Arc::clone(&self.undos));
        let tried = identity.clone();
        let injection = tokio::spawn(async move {
            let keep = |undo: Undo| {
                undos.lock().unwrap_or_else(PoisonError::into_inner).insert(tried.clone(), undo);
            };
            ledger::inject(&recorder, &environment, &tried, &kind, keep).await.is_ok()
        });
        tokio::spawn(async move {
            // A panic in an injection counts as a failed one: it is undone like any.
            let ok = injection.await.unwrap_or(false);
            sender.send(Input::Injected { identity, ok }).ok();
        });
    }

    fn kind(&self, identity: &FaultIdentity) -> Option<FaultKind> {
        let change = match identity.is_route() {
            true => self.plan.routes.iter().find(|route| route.fault == identity.fault)?,
            false => self.plan.changes.get(&identity.fault)?,
        };
        change.spec.kind().ok()
    }

    fn undo(&self, identity: FaultIdentity) {
        let sender = self.inputs.0.clone();
        let undo = self.undos.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).cloned();
        let Some(undo) = undo else {
            // Its undo was never made durable, so nothing was changed.
            sender.send(Input::Undone(identity)).ok();
            return;
        };
        let (recorder, environment) = (self.recorder.clone(), self.stage.faults.clone());
        let (recover_line, tried) = (self.recover_line.clone(), identity.clone());
        let undoing = tokio::spawn(async move {
            ledger::revert(&recorder, &environment, &tried, &undo, &recover_line).await;
        });
        tokio::spawn(async move {
            // A panic in one undo leaves its fault outstanding, and must not stop the others.
            undoing.await.ok();
            sender.send(Input::Undone(identity)).ok();
        });
    }
}
