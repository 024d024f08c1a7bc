//! The tokio shell around the state machine: it performs effects, and brings back what came of them.

mod abort_file;
mod change;
mod evidence;
mod panic;
mod prepare;
mod proxies;
mod readings;
mod signals;
mod writing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use abort_file::abort_file;
use panic::undo_after_panic;
use prepare::{Prepared, abort_when_lost, prepare, refuse_dirty};
use proxies::Proxies;
use signals::Signals;

use super::alarm_task::AlarmNews;
use super::control::{Control, Request};
pub use super::core::Attendance;
use super::core::{Core, Effect, Input};
use super::evidence::{FrameFile, record_of, second_of};
use super::folder::{EnvironmentLock, RunFolder};
use super::guardrail::{self, Finding};
use super::ledger::Recorder;
use super::load_task::{self, Keeper, LoadNews, Reins};
use super::metric_task::MetricNews;
use super::notices::Notices;
use super::outcome::Outcome;
use super::permit::Permit;
use super::probe_task::{self, Sample};
use super::remote_lock::RemoteLock;
use super::remote_proxy::{self, Undos};
use super::stage::{Stage, renew_lease};
use super::switch::Switches;
use super::watchdog::{Heart, Watchdog};
use crate::event::{AbortCause, Command, CommandAnswer, EventKind, EventLog, LOG_FORMAT, PROGRAM, RunOutcome};
use crate::load::LoadPlan;
use crate::plan::Plan;
use crate::proxy::Stats;
use crate::unit::{Clock, Failpoints, LoadId, elapsed_ms, error_chain};
use crate::verdict::Judge;
use crate::workspace::Environment;

pub use prepare::RunError;

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
    /// What else of the workspace is kept with the run: `workload.yaml`, `lessons/L-2026-004.md`, with its text.
    pub kept: BTreeMap<String, String>,
    /// Who is there to tick steps.
    pub attendance: Attendance,
    /// Seeds every generator of the run.
    pub seed: u64,
    /// Whether a process is started that undoes when this one dies or hangs.
    pub has_watchdog: bool,
    /// That it may begin.
    pub permit: Permit,
    /// Where a crash test ends the process.
    pub failpoints: Failpoints,
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
    // From here on a signal is kept until it can be obeyed: the process must not die between two changes.
    let signals = Signals::listen();
    let _lock = EnvironmentLock::take(&options.reports, environment)?;
    refuse_dirty(&options, &plan)?;
    let clock = Clock::start();
    let folder = RunFolder::create(&options.reports, &plan, &options.scenario_text, &options.kept, clock)?;
    let log = EventLog::create(&folder.path, clock)?.with_failpoints(options.failpoints.clone());
    let recorder = Recorder::new(log);
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
    for approved in options.permit.events() {
        recorder.record(approved)?;
    }
    let notices = Arc::new(Notices::start(&plan, &recorder, options.seed));
    match prepare(plan, environment, &options, &folder, &recorder).await {
        Ok(mut prepared) => {
            let watchdog = prepared.watchdog.take();
            let (faults, lock) = (prepared.stage.faults.clone(), prepared.lock.clone());
            let mut drive = Drive::new(prepared, &options, recorder.clone(), watchdog.as_ref().map(Watchdog::heart));
            drive.notices = Arc::clone(&notices);
            let heart = watchdog.as_ref().map(Watchdog::heart);
            let tasks = drive.tasks.clone();
            let outcome = match tokio::spawn(drive.play(signals)).await {
                Ok(outcome) => outcome,
                Err(panic) => {
                    let undoing =
                        undo_after_panic(&recorder, &faults, lock.as_ref(), &tasks, &notices, panic.to_string());
                    beating(heart.as_ref(), undoing).await
                }
            };
            if let Some(watchdog) = watchdog {
                watchdog.dismiss().await;
            }
            Ok((outcome, folder))
        }
        Err(error) => {
            // The run ends in its log as well: nothing was injected.
            let cause = match error.is_not_ready() || error.is_locked() {
                true => AbortCause::NotReady { why: error_chain(&error) },
                false => AbortCause::Internal { error: error_chain(&error) },
            };
            recorder.record(EventKind::RunAborted { cause })?;
            notices.end().await;
            recorder.record(EventKind::RunEnded { outcome: RunOutcome::Aborted, exit_code: error.exit_code() })?;
            Err(error)
        }
    }
}

/// Does something while the watchdog is told that the run is alive.
async fn beating<T>(heart: Option<&Heart>, work: impl Future<Output = T>) -> T {
    let mut tick = tokio::time::interval(TICK);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            // A watchdog that is gone is told of while the timeline is walked; here everything is being undone.
            _ = tick.tick() => drop(heart.map(Heart::beat)),
        }
    }
}

/// A run under way.
struct Drive {
    plan: Arc<Plan>,
    core: Core,
    recorder: Recorder,
    clock: Clock,
    stage: Stage,
    gameday: PathBuf,
    heart: Option<Heart>,
    switches: Switches,
    lock: Option<RemoteLock>,
    /// Injections and undos that are under way.
    tasks: TaskTracker,
    loads: BTreeMap<LoadId, LoadPlan>,
    reins: BTreeMap<LoadId, Reins>,
    frame_files: BTreeMap<LoadId, FrameFile>,
    undos: Undos,
    inputs: (mpsc::UnboundedSender<Input>, mpsc::UnboundedReceiver<Input>),
    load_news: (mpsc::UnboundedSender<LoadNews>, mpsc::UnboundedReceiver<LoadNews>),
    samples: mpsc::UnboundedReceiver<Sample>,
    proxy_news: mpsc::UnboundedReceiver<Stats>,
    proxies: Proxies,
    alarm_news: mpsc::UnboundedReceiver<AlarmNews>,
    metric_news: mpsc::UnboundedReceiver<MetricNews>,
    /// Whether alarms are read: that ends only when something is wrong.
    is_watching_alarms: bool,
    findings: mpsc::Receiver<Finding>,
    /// Whether the guardrails are looked at: they end only when something is wrong.
    is_guarded: bool,
    /// Whether an event could not be written, which has ended the run.
    is_log_lost: bool,
    commands: mpsc::Receiver<Request>,
    notices: Arc<Notices>,
    _control: Control,
    /// Probes, guardrails and the proxy's lease: they end with the run.
    _watchers: Vec<AbortOnDropHandle<()>>,
}

impl Drive {
    fn new(prepared: Prepared, options: &RunOptions, recorder: Recorder, heart: Option<Heart>) -> Self {
        let Prepared { plan, stage, loads, probes, alarms, metrics, commands, control, watchdog: _, lock } = prepared;
        let plan = Arc::new(plan);
        let clock = recorder.log().clock();
        let (sample_sender, samples) = mpsc::unbounded_channel();
        let inputs = mpsc::unbounded_channel();
        let (finding_sender, findings) = mpsc::channel(plan.guardrails.len().max(1));
        let mut watchers = Vec::new();
        let mut spawn = |task: tokio::task::JoinHandle<()>| watchers.push(AbortOnDropHandle::new(task));
        for (signal, probe) in probes {
            spawn(tokio::spawn(probe_task::watch(signal, probe, sample_sender.clone())));
        }
        spawn(tokio::spawn(guardrail::watch(Arc::clone(&plan), recorder.clone(), clock, finding_sender)));
        let (alarm_sender, alarm_news) = mpsc::unbounded_channel();
        let is_watching_alarms = alarms.is_some();
        if let Some(alarms) = alarms {
            spawn(tokio::spawn(alarms.watch(clock, alarm_sender)));
        }
        let (metric_sender, metric_news) = mpsc::unbounded_channel();
        if let Some(metrics) = metrics {
            spawn(tokio::spawn(metrics.watch(clock, metric_sender)));
        }
        let (proxy_sender, proxy_news) = mpsc::unbounded_channel();
        let (undos, proxies) = (Undos::default(), Proxies::since(&stage.remote));
        remote_proxy::watch(&stage.remote, &recorder, &stage.faults, &undos, &proxy_sender)
            .into_iter()
            .for_each(&mut spawn);
        if let Some(client) = stage.faults.proxy.clone() {
            // The lease is renewed by the clock: its calls are none of the steps that a crash test counts.
            let client = client.with_failpoints(Failpoints::default());
            spawn(tokio::spawn(renew_lease(client, proxy_sender)));
        }
        if let Some(lock) = lock.clone() {
            spawn(tokio::spawn(lock.keep(recorder.clone(), abort_when_lost(inputs.0.clone()))));
        }
        Self {
            core: Core::new(Arc::clone(&plan), options.attendance, proxies::telling(&plan, &stage)),
            switches: Switches::new(&plan, recorder.clone()),
            plan,
            recorder,
            clock,
            stage,
            gameday: options.gameday.clone(),
            heart,
            lock,
            tasks: TaskTracker::new(),
            loads,
            reins: BTreeMap::new(),
            frame_files: BTreeMap::new(),
            undos,
            inputs,
            load_news: mpsc::unbounded_channel(),
            samples,
            proxy_news,
            proxies,
            alarm_news,
            metric_news,
            is_watching_alarms,
            findings,
            is_guarded: true,
            is_log_lost: false,
            commands,
            notices: Arc::default(),
            _control: control,
            _watchers: watchers,
        }
    }

    async fn play(mut self, mut signals: Signals) -> Outcome {
        let mut has_left = false;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.feed(Input::Begin, None);
        while !self.core.is_finished() {
            tokio::select! {
                _ = tick.tick() => self.tick(),
                Some(input) = self.inputs.1.recv() => self.feed(input, None),
                Some(news) = self.load_news.1.recv() => self.hear(news),
                Some((signal, value)) = self.samples.recv() => {
                    self.record(EventKind::SignalSampled { signal, value });
                }
                Some(stats) = self.proxy_news.recv() => self.hear_of_proxies(&stats),
                news = self.alarm_news.recv(), if self.is_watching_alarms => self.hear_of_alarms(news),
                Some(news) = self.metric_news.recv() => self.hear_of_metrics(news),
                finding = self.findings.recv(), if self.is_guarded => self.find(finding),
                Some((command, back)) = self.commands.recv() => self.obey(command, back),
                signal = signals.next() => {
                    if self.interrupted(signal, &mut signals) {
                        has_left = true;
                        break;
                    }
                }
            }
        }
        self.finish(&mut signals, has_left).await
    }

    /// Time has passed: the watchdog is told that the run is alive, and the folder is looked into for a wish to end it.
    fn tick(&mut self) {
        self.beat();
        self.switches.beat();
        if let Some(why) = abort_file(self.recorder.log().directory()) {
            self.feed(Input::Abort(AbortCause::Person { why: Some(why), by: None }), None);
        }
        self.feed(Input::Tick, None);
    }

    fn beat(&mut self) {
        if let Some(error) = self.heart.as_ref().and_then(|heart| heart.beat().err()) {
            self.heart = None;
            let text =
                format!("the watchdog is gone ({error}): should this process die, `gameday recover` is what is left");
            self.record(EventKind::Noted { text, by: Some(PROGRAM.to_owned()) });
        }
    }

    async fn finish(mut self, signals: &mut Signals, mut has_left: bool) -> Outcome {
        self.commands.close();
        // Whoever left with an injection on its way: it cannot be armed any more, behind the back of what is summed up here.
        self.recorder.log().seal();
        self.hear_last_of_proxies().await;
        // Whoever ends a run does not wait to learn: a signal may be followed by one that nobody can keep back.
        let abort = self.recorder.recording().state().abort.clone();
        let is_ended = matches!(abort, Some(AbortCause::Person { .. } | AbortCause::Signal { .. }));
        if !has_left && !is_ended && !self.read_alarm_history(signals).await {
            has_left = true;
        }
        let (outcome, timeline) = {
            let recording = self.recorder.recording();
            (Outcome::of(recording.state()), Outcome::of_timeline(recording.state()))
        };
        // Before the sandbox ends, which has some of it.
        self.keep_evidence(signals, has_left || is_ended).await;
        // What cannot be undone may still need the way through the proxy, which fails open by itself.
        if outcome != Outcome::Dirty {
            let heart = self.heart.clone();
            beating(heart.as_ref(), self.stage.clear()).await;
        }
        if let Some(lock) = &self.lock {
            beating(self.heart.as_ref(), lock.end(&self.recorder, outcome != Outcome::Dirty)).await;
        }
        if !has_left {
            let notices = Arc::clone(&self.notices);
            let told = async {
                tokio::select! {
                    () = notices.end() => true,
                    () = signals.leave() => false,
                }
            };
            if !beating(self.heart.as_ref(), told).await {
                let (notice, channel) = ("all".to_owned(), "all".to_owned());
                let why = "nobody waited for what had not gone out by then".to_owned();
                self.record(EventKind::NoticeFailed { notice, channel, why });
            }
        }
        self.record(EventKind::RunEnded { outcome: timeline, exit_code: outcome.exit_code() });
        self.recorder.log().close();
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
        let mut lost = None;
        for effect in effects {
            match effect {
                Effect::Record(kind) => {
                    if !self.record(kind) {
                        lost = Some("it could not be written down, and the run ends for that");
                    }
                }
                Effect::StartLoad(load) => self.start_load(&load),
                Effect::StopLoad(load) => {
                    if let Some(reins) = self.reins.get(&load) {
                        reins.stop.cancel();
                    }
                }
                Effect::SteerLoad(load, to) => {
                    if let Some(reins) = self.reins.get(&load) {
                        reins.steer.send_replace(to);
                    }
                }
                Effect::Inject(identity) => self.inject(identity),
                Effect::Undo(identity) => self.undo(identity),
                Effect::Seal(prediction) => {
                    if !self.seal(prediction) {
                        lost = Some("it could not be sealed, and is lost: the log says why");
                    }
                }
                Effect::Answer(answer) => {
                    if let Some(back) = back.take() {
                        let answer = lost.map_or(answer, |why| CommandAnswer::Refused { why: why.to_owned() });
                        // The asker may have gone away.
                        back.send(answer).ok();
                    }
                }
                Effect::Finish => {}
            }
        }
    }

    fn obey(&mut self, command: Command, back: oneshot::Sender<CommandAnswer>) {
        self.feed(Input::Command(command), Some(back));
    }

    fn find(&mut self, finding: Option<Finding>) {
        let Some(finding) = finding else {
            self.is_guarded = false;
            self.abort_internally("nobody looks at the guardrails any more".to_owned());
            return;
        };
        match finding {
            Finding::Read { guardrail, reading, nearness } => {
                self.record(EventKind::GuardrailRead { guardrail, reading, nearness });
            }
            Finding::Warn { guardrail, observed } => {
                self.record(EventKind::GuardrailWarned { guardrail, observed });
            }
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
        let Some(plan) = self.loads.get(load).cloned() else {
            // The plan starts only loads that it has; one that it has not must not be waited for.
            let lost = Some("the plan does not say what it is".to_owned());
            self.inputs.0.send(Input::LoadOver { load: load.clone(), lost }).ok();
            return;
        };
        match FrameFile::of_load(self.recorder.log().directory(), load) {
            Ok(file) => {
                self.frame_files.insert(load.clone(), file);
            }
            Err(error) => self.abort_internally(error_chain(&error)),
        }
        let (keeper, reins) = Keeper::new(self.gameday.clone(), plan);
        self.reins.insert(load.clone(), reins);
        let news = self.load_news.0.clone();
        let keeper = tokio::spawn(load_task::keep(keeper, news.clone()));
        let load = load.clone();
        tokio::spawn(async move {
            if let Err(panic) = keeper.await {
                news.send(LoadNews::Over { load, lost: Some(panic.to_string()) }).ok();
            }
        });
    }

    /// What keeps a fault from being injected at this moment.
    fn forbidden(&self) -> Option<Finding> {
        let recording = self.recorder.recording();
        let (signals, baseline) = (&self.plan.signals, self.plan.baseline());
        let judge = Judge { recording: &recording, signals, baseline, now_ms: self.now_ms() };
        guardrail::forbids(&self.plan, &self.core.targets_in_place(), &judge)
    }

    fn hear(&mut self, news: LoadNews) {
        match news {
            LoadNews::Started { load, pid } => {
                self.record(EventKind::LoadStarted { load, pid });
            }
            LoadNews::Frame(frame) => {
                if let Some(file) = self.frame_files.get_mut(&frame.load)
                    && let Err(error) = file.append(&frame)
                {
                    self.abort_internally(error_chain(&error));
                }
                self.recorder.record_second(&frame.load, frame.second, record_of(&frame));
                self.record(EventKind::LoadRecorded(second_of(&frame)));
            }
            LoadNews::Closing { load } => self.feed(Input::LoadClosing(load), None),
            LoadNews::Over { load, lost } => self.feed(Input::LoadOver { load, lost }, None),
        }
    }
}
