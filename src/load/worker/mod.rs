//! The process that makes load: `gameday load-worker`. It reads one plan on its standard input, and then how the load is to be
//! steered, one line each; it writes one frame a second to its standard output, until the shape ends or its input is closed, which
//! also happens when its controller dies.
//!
//! Owns: the process's descriptors and its end. Must not know: runs, scenarios, how users are scheduled (`goose.rs` for a
//! number of them, `open.rs` for a rate).
//!
//! - The pipe is moved away from descriptor 1 before anything else, because goose prints there.
//! - A stop lets no new request begin, gives those in flight a second, and then drops the runtime: neither goose nor
//!   a hanging name lookup is waited for.

mod body;
mod desk;
mod encode;
pub(super) mod expectation;
pub(super) mod http;
mod once;
mod open;
pub(super) mod prepare;
mod program;
pub(super) mod recorder;
pub(super) mod request;
mod row;
mod service;
mod signature;
mod template;
pub(super) mod visitor;

use std::io::{self, BufRead as _, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use self::desk::Desk;
use self::once::{Caretaker, OnceFailure};
use self::open::Opening;
use self::prepare::Prepared;
use self::recorder::Recorder;
use super::course::Steer;
use super::failure::FailureKind;
use super::frame::{EndReason, FRAME_FORMAT, Frame, WorkerRecord};
use super::goose as attack;
use super::plan::LoadPlan;
use super::schedule::Arrivals;
use super::spec::Model;
use crate::unit::{AwsAccess, Clock, SignRequest, cpu_time, elapsed_ms};

/// The longest plan that is read: the files that a load may name, as they are written in a plan, and more than anybody writes.
const PLAN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The longest line that steers.
const STEER_BYTES_MAX: u64 = 4 * 1024;
/// How long a plan may be in coming.
const PLAN_WAIT: Duration = Duration::from_secs(30);
/// How long requests in flight may go on after a stop.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How long the controller may leave a record unread before it counts as dead.
const RECORD_WAIT: Duration = Duration::from_secs(10);
/// How long before the zero of an open load's shape its pacer is made: it must be there when the first arrival comes.
const LEAD: Duration = Duration::from_millis(50);
/// Users may be fewer than the shape asks for this long before its end: goose counts its stages in whole seconds.
const EARLY_END_ALLOWED: Duration = Duration::from_secs(2);

/// Why a worker could not do its work. It goes to standard error, where the controller finds it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    /// Standard output could not be moved.
    #[error("failed to take over standard output, which must be a pipe")]
    Output(#[source] io::Error),
    /// No runtime.
    #[error("failed to start the runtime")]
    Runtime(#[source] io::Error),
    /// The plan could not be read.
    #[error("failed to read the plan from standard input")]
    Input(#[source] io::Error),
    /// No plan came.
    #[error("failed to read the plan: none came within 30 s")]
    NoPlan,
    /// Not a plan.
    #[error("failed to decode the plan")]
    Decode(#[source] serde_json::Error),
    /// Not a way to steer.
    #[error("failed to decode how to steer the load")]
    Steer(#[source] serde_json::Error),
    /// A plan that asks for something impossible.
    #[error("failed to carry out the plan: {message}")]
    Plan {
        /// What is impossible.
        message: String,
    },
    /// Connections can not be made.
    #[error("failed to make the HTTP client")]
    Client(#[from] http::TlsSetupError),
    /// The pacer of an open model.
    #[error("failed to keep the pace")]
    Pace(#[source] io::Error),
    /// A JSONPath of the plan.
    #[error("failed to read the JSONPath `{text}`")]
    JsonPath {
        /// The path.
        text: String,
        /// What is wrong with it.
        #[source]
        source: serde_json_path::ParseError,
    },
    /// The setup failed.
    #[error("failed to set up the load: {}{} ({})", step_text(.step.as_deref()), .detail, .kind.as_str())]
    Setup {
        /// The step; none when the time was over.
        step: Option<String>,
        /// What the step failed with.
        kind: FailureKind,
        /// What was seen.
        detail: String,
    },
    /// Users could not be started or went away.
    #[error(transparent)]
    Attack(#[from] attack::AttackError),
    /// The users went away long before the end.
    #[error("failed to keep the load up: all users were gone with {left:?} left")]
    EndedEarly {
        /// Time left in the shape.
        left: Duration,
    },
    /// The controller reads no more.
    #[error("failed to write a record")]
    Write(#[source] io::Error),
    /// The controller has not read for 10 s.
    #[error("failed to write a record: nobody has read for 10 s")]
    Unread,
    /// A bug.
    #[error("failed to go on")]
    Panicked(#[source] JoinError),
}

fn step_text(step: Option<&str>) -> String {
    step.map(|step| format!("step `{step}`: ")).unwrap_or_default()
}

impl From<OnceFailure> for WorkerError {
    fn from(OnceFailure { step, failure }: OnceFailure) -> Self {
        Self::Setup { step, kind: failure.kind, detail: failure.detail }
    }
}

/// Connects to AWS, for a plan whose requests are signed.
pub(crate) type Connect = fn(AwsAccess) -> Pin<Box<dyn Future<Output = Arc<dyn SignRequest>> + Send>>;

/// Makes load as the plan on standard input says. Returns when it is over. `connect` is called where the plan signs requests.
///
/// # Errors
/// See [`WorkerError`]: no valid plan, no users, or a controller that reads no more.
pub(crate) async fn run(connect: Connect) -> Result<(), WorkerError> {
    let output = take_stdout().map_err(WorkerError::Output)?;
    // A runtime of its own, because it can be left without waiting for what runs on it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(WorkerError::Runtime)?;
    let served = runtime.spawn(serve(output, connect)).await;
    runtime.shutdown_background();
    served.map_err(WorkerError::Panicked)?
}

/// Takes the pipe on descriptor 1 away and leaves `/dev/null` there.
fn take_stdout() -> io::Result<OwnedFd> {
    let pipe = io::stdout().as_fd().try_clone_to_owned()?;
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    Ok(pipe)
}

async fn serve(output: OwnedFd, connect: Connect) -> Result<(), WorkerError> {
    let mut output = pipe::Sender::from_owned_fd(output).map_err(WorkerError::Output)?;
    let stop = CancellationToken::new();
    let (plan, steers) = read_plan(stop.clone()).await?;
    let mut load = Making::prepare(plan, connect, stop).await?;
    let started_ms = elapsed_ms(load.recorder.started());
    write(&mut output, &WorkerRecord::Ready { format: FRAME_FORMAT, load: load.plan.load.clone(), started_ms }).await?;
    let users = load.begin()?;
    let reason = load.pace(&mut output, users, steers).await?;
    // From here on no request begins: the recorder's clock is past the shape's end, or the stop was cancelled.
    load.stop.cancel();
    if let Some(desk) = &load.desk {
        desk.close();
    }
    write(&mut output, &WorkerRecord::Closing).await?;
    // Some may not end within the grace; they are told of below.
    tokio::time::timeout(STOP_GRACE, load.recorder.wait_until_idle()).await.ok();
    let mut frames = load.frames_before(load.clock.elapsed().as_secs() + 1, None);
    let abandoned = frames.last().map_or(0, |frame| frame.in_flight);
    let last = frames.pop();
    for frame in frames {
        write(&mut output, &WorkerRecord::Frame(frame)).await?;
    }
    let failures = load.caretaker.tear_down(&load.client, &load.prepared).await;
    if let Some(mut last) = last {
        last.samples.extend(failures);
        write(&mut output, &WorkerRecord::Frame(last)).await?;
    }
    write(&mut output, &WorkerRecord::Ended { reason, abandoned }).await
}

/// A load while it is made.
struct Making {
    plan: LoadPlan,
    client: Arc<http::Client>,
    prepared: Arc<Prepared>,
    caretaker: Caretaker,
    recorder: Arc<Recorder>,
    /// There in an open model.
    desk: Option<Arc<Desk>>,
    clock: Clock,
    stop: CancellationToken,
}

/// Tells when users could not go on, or all have left.
type Users = Pin<Box<dyn Future<Output = Result<(), WorkerError>> + Send>>;

impl Making {
    /// Makes all ready, the setup included; the shape begins when that is done, and the pacer is there.
    async fn prepare(plan: LoadPlan, connect: Connect, stop: CancellationToken) -> Result<Self, WorkerError> {
        if plan.stripe.index >= plan.stripe.of {
            return Err(WorkerError::Plan { message: "its stripe is none".to_owned() });
        }
        lift_descriptor_limit();
        let version = if plan.http2 { http::Version::Http2 } else { http::Version::Http1 };
        let client = http::Client::new(http::Connector::new(version, &plan.authorities)?);
        let client = Arc::new(match &plan.aws {
            Some(access) => client.signing(connect(access.clone()).await),
            None => client,
        });
        let mut prepared = Prepared::from_plan(&plan, &client)?;
        let clock = Clock::since(plan.origin);
        let mut caretaker = Caretaker::new(&plan, &prepared, clock);
        match caretaker.set_up(&client, &prepared, &stop).await {
            Ok(values) => prepared.share(values),
            Err(failure) => {
                // What was set up so far is taken away again, as far as that goes.
                caretaker.tear_down(&client, &prepared).await;
                return Err(failure.into());
            }
        }
        let prepared = Arc::new(prepared);
        let is_open = plan.shape.model() == Some(Model::Open);
        let lead = if is_open { LEAD } else { Duration::ZERO };
        let recorder = Recorder::new(plan.load.clone(), &prepared.names, &plan.shape, clock, lead, stop.clone());
        let desk = match plan.shape.model() {
            Some(Model::Open) => {
                let arrivals = Arrivals::new(&plan.shape, plan.arrivals, plan.seed, plan.stripe);
                let users_max = usize::try_from(plan.in_flight_max).unwrap_or(usize::MAX);
                let began = clock.instant(recorder.started());
                Some(Arc::new(Desk::new(arrivals, began, prepared.patience(), users_max)))
            }
            Some(Model::Closed) | None => None,
        };
        Ok(Self { plan, client, prepared, caretaker, recorder: Arc::new(recorder), desk, clock, stop })
    }

    /// Lets users come.
    fn begin(&self) -> Result<Users, WorkerError> {
        let (client, prepared) = (Arc::clone(&self.client), Arc::clone(&self.prepared));
        let recorder = Arc::clone(&self.recorder);
        let Some(desk) = &self.desk else {
            let users = attack::Attack::prepare(&self.plan, client, prepared)?;
            let users = tokio::spawn(users.execute(recorder));
            return Ok(Box::pin(async { Ok(users.await.map_err(WorkerError::Panicked)??) }));
        };
        let opening = Opening { client, prepared, seed: self.plan.seed, stripe: self.plan.stripe };
        let failure = opening.begin(recorder, Arc::clone(desk)).map_err(WorkerError::Pace)?;
        Ok(Box::pin(async {
            let error = failure.await.unwrap_or_else(|_| io::Error::other("its thread has panicked"));
            Err(WorkerError::Pace(error))
        }))
    }

    /// Writes a frame at the end of each second, until the load must end.
    async fn pace(
        &self,
        output: &mut pipe::Sender,
        mut users: Users,
        mut steers: watch::Receiver<Vec<u8>>,
    ) -> Result<EndReason, WorkerError> {
        let end = self.recorder.end_of_shape();
        let mut cpu_before = cpu_time();
        let mut has_users = true;
        loop {
            let second = self.clock.elapsed().as_secs() + 1;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(EndReason::Stopped),
                () = tokio::time::sleep_until(self.clock.instant(end)) => return Ok(EndReason::Finished),
                Ok(()) = steers.changed() => self.steer(&steers.borrow_and_update())?,
                outcome = &mut users, if has_users => {
                    outcome?;
                    has_users = false;
                    let left = end.saturating_sub(self.clock.elapsed());
                    let target = self.recorder.target(self.clock.elapsed() + EARLY_END_ALLOWED);
                    if left > EARLY_END_ALLOWED && target >= 1.0 {
                        return Err(WorkerError::EndedEarly { left });
                    }
                }
                () = tokio::time::sleep_until(self.clock.instant(Duration::from_secs(second))) => {
                    let cpu = cpu_time();
                    let used = cpu.saturating_sub(cpu_before);
                    cpu_before = cpu;
                    for frame in self.frames_before(second, Some(used)) {
                        write(output, &WorkerRecord::Frame(frame)).await?;
                    }
                }
            }
        }
    }

    fn steer(&self, line: &[u8]) -> Result<(), WorkerError> {
        let steer: Steer = serde_json::from_slice(line).map_err(WorkerError::Steer)?;
        let at = match &self.desk {
            Some(desk) => desk.steer(steer),
            None if steer.rate.is_some() => {
                return Err(WorkerError::Plan { message: "users have no rate that could be set".to_owned() });
            }
            None => self.clock.elapsed().saturating_sub(self.recorder.started()),
        };
        self.recorder.steer(at, steer);
        Ok(())
    }

    /// A whole frame for each second before `second` that has none yet; the last of them used so much CPU time.
    fn frames_before(&self, second: u64, mut used: Option<Duration>) -> Vec<Frame> {
        let mut frames = self.recorder.frames_before(second);
        let mut arrivals = self.desk.as_ref().map(|desk| desk.frame());
        // What two seconds used together can not be told apart.
        let is_one = frames.len() == 1;
        for frame in frames.iter_mut().rev() {
            frame.connections.open = self.client.counts().open();
            frame.connections.opened = self.client.counts().opened();
            frame.arrivals.clone_from(&arrivals);
            // What is of one second is told in the one that has just passed.
            if let Some(arrivals) = &mut arrivals {
                (arrivals.pacer_lag, arrivals.not_sent_now) = (None, 0);
            }
            frame.worker_cpu_seconds = used.take().filter(|_| is_one).map(|used| used.as_secs_f64());
            frame.find_doubts(self.cores());
        }
        frames
    }

    /// How many cores the load can use: users of an open model share one, those of a closed one have all.
    fn cores(&self) -> f64 {
        let all = std::thread::available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok());
        if self.desk.is_some() { 1.0 } else { f64::from(all.unwrap_or(1)) }
    }
}

/// Lets the process have as many connections as the system allows it.
fn lift_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused there are as many as before.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
}

/// Writes one record as one line.
async fn write(output: &mut pipe::Sender, record: &WorkerRecord) -> Result<(), WorkerError> {
    let mut line = serde_json::to_vec(record).expect("invariant: our own records serialise to JSON");
    line.push(b'\n');
    match tokio::time::timeout(RECORD_WAIT, output.write_all(&line)).await {
        Ok(written) => written.map_err(WorkerError::Write),
        Err(_) => Err(WorkerError::Unread),
    }
}

/// Reads the plan, one line, and goes on with how to steer, of which the newest line counts; cancels `stop` when the input is closed.
async fn read_plan(stop: CancellationToken) -> Result<(LoadPlan, watch::Receiver<Vec<u8>>), WorkerError> {
    let (sender, line) = oneshot::channel();
    let (steer, steers) = watch::channel(Vec::new());
    // A plain thread: a read that blocks must not keep the runtime from ending.
    std::thread::spawn(move || read_input(sender, &steer, &stop));
    let line = match tokio::time::timeout(PLAN_WAIT, line).await {
        Ok(Ok(line)) => line.map_err(WorkerError::Input)?,
        Ok(Err(_)) | Err(_) => return Err(WorkerError::NoPlan),
    };
    Ok((serde_json::from_slice(&line).map_err(WorkerError::Decode)?, steers))
}

fn read_input(plan: oneshot::Sender<io::Result<Vec<u8>>>, steer: &watch::Sender<Vec<u8>>, stop: &CancellationToken) {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let read = input.by_ref().take(PLAN_BYTES_MAX).read_until(b'\n', &mut line);
    // Nobody waits for a plan that came too late.
    plan.send(read.map(|_| line)).ok();
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(STEER_BYTES_MAX).read_until(b'\n', &mut line);
        // Half a line, and a read that fails, mean as much as the end: there is no controller any more.
        if read.is_err() || !line.ends_with(b"\n") {
            break;
        }
        steer.send_replace(line);
    }
    stop.cancel();
}
