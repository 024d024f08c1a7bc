//! The process that makes load: `gameday load-worker`. It reads one plan on its standard input and writes one frame a
//! second to its standard output, until the shape ends or its input is closed, which also happens when its controller
//! dies.
//!
//! Owns: the process's descriptors and its end. Must not know: runs, scenarios, how users are scheduled (`goose.rs`).
//!
//! - The pipe is moved away from descriptor 1 before anything else, because goose prints there.
//! - A stop lets no new request begin, gives those in flight a second, and then drops the runtime: neither goose nor
//!   a hanging name lookup is waited for.

pub(super) mod expectation;
pub(super) mod prepare;
pub(super) mod recorder;
pub(super) mod request;
pub(super) mod visitor;

use std::io::{self, BufRead as _, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use self::prepare::Prepared;
use self::recorder::Recorder;
use super::frame::{EndReason, FRAME_FORMAT, WorkerRecord};
use super::goose as attack;
use super::plan::{LoadPlan, PlanError};
use crate::unit::{Clock, cpu_time, elapsed_ms};

/// The longest plan that is read.
const PLAN_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long a plan may be in coming.
const PLAN_WAIT: Duration = Duration::from_secs(30);
/// How long requests in flight may go on after a stop.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How long the controller may leave a record unread before it counts as dead.
const RECORD_WAIT: Duration = Duration::from_secs(10);
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
    /// A plan that asks for something impossible.
    #[error("failed to carry out the plan: {message}")]
    Plan {
        /// What is impossible.
        message: String,
    },
    /// The plan asks for an open model.
    #[error(transparent)]
    Model(#[from] PlanError),
    /// A JSONPath of the plan.
    #[error("failed to read the JSONPath `{text}`")]
    JsonPath {
        /// The path.
        text: String,
        /// What is wrong with it.
        #[source]
        source: serde_json_path::ParseError,
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

/// Makes load as the plan on standard input says. Returns when it is over.
///
/// # Errors
/// See [`WorkerError`]: no valid plan, no users, or a controller that reads no more.
pub(crate) async fn run() -> Result<(), WorkerError> {
    let output = take_stdout().map_err(WorkerError::Output)?;
    // A runtime of its own, because it can be left without waiting for what runs on it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(WorkerError::Runtime)?;
    let served = runtime.spawn(serve(output)).await;
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

async fn serve(output: OwnedFd) -> Result<(), WorkerError> {
    let mut output = pipe::Sender::from_owned_fd(output).map_err(WorkerError::Output)?;
    let stop = CancellationToken::new();
    let plan = read_plan(stop.clone()).await?;
    plan.check_model()?;
    let prepared = Arc::new(Prepared::from_plan(&plan)?);
    let users = attack::Attack::prepare(&plan, Arc::clone(&prepared))?;
    let clock = Clock::since(plan.origin);
    let recorder = Arc::new(Recorder::new(plan.load.clone(), &prepared.names, plan.shape.clone(), clock, stop.clone()));
    let started_ms = elapsed_ms(recorder.started());
    write(&mut output, &WorkerRecord::Ready { format: FRAME_FORMAT, load: plan.load, started_ms }).await?;
    let users = tokio::spawn(users.execute(Arc::clone(&recorder)));
    let reason = pace(&mut output, &recorder, clock, &stop, users).await?;
    // From here on no request begins: the stop was cancelled, or the recorder's clock is past the shape's end.
    stop.cancel();
    // Some may not end within the grace; they are told of below.
    tokio::time::timeout(STOP_GRACE, recorder.wait_until_idle()).await.ok();
    for frame in recorder.frames_before(clock.elapsed().as_secs() + 1) {
        write(&mut output, &WorkerRecord::Frame(frame)).await?;
    }
    write(&mut output, &WorkerRecord::Ended { reason, abandoned: recorder.in_flight() }).await
}

/// Writes a frame at the end of each second, until the load must end.
async fn pace(
    output: &mut pipe::Sender,
    recorder: &Recorder,
    clock: Clock,
    stop: &CancellationToken,
    mut users: tokio::task::JoinHandle<Result<(), attack::AttackError>>,
) -> Result<EndReason, WorkerError> {
    let end = recorder.end_of_shape();
    let mut cpu_before = cpu_time();
    let mut is_attacking = true;
    loop {
        let second = clock.elapsed().as_secs() + 1;
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(EndReason::Stopped),
            () = tokio::time::sleep_until(clock.instant(end)) => return Ok(EndReason::Finished),
            outcome = &mut users, if is_attacking => {
                outcome.map_err(WorkerError::Panicked)??;
                is_attacking = false;
                let left = end.saturating_sub(clock.elapsed());
                if left > EARLY_END_ALLOWED && recorder.users_target(clock.elapsed() + EARLY_END_ALLOWED) >= 1.0 {
                    return Err(WorkerError::EndedEarly { left });
                }
            }
            () = tokio::time::sleep_until(clock.instant(Duration::from_secs(second))) => {
                let mut frames = recorder.frames_before(second);
                let cpu = cpu_time();
                if let Some(last) = frames.last_mut() {
                    last.worker_cpu_seconds = Some(cpu.saturating_sub(cpu_before).as_secs_f64());
                }
                cpu_before = cpu;
                for frame in frames {
                    write(output, &WorkerRecord::Frame(frame)).await?;
                }
            }
        }
    }
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

/// Reads the plan, one line; cancels `stop` when the input is closed after it.
async fn read_plan(stop: CancellationToken) -> Result<LoadPlan, WorkerError> {
    let (sender, line) = oneshot::channel();
    // A plain thread: a read that blocks must not keep the runtime from ending.
    std::thread::spawn(move || read_input(sender, &stop));
    let line = match tokio::time::timeout(PLAN_WAIT, line).await {
        Ok(Ok(line)) => line.map_err(WorkerError::Input)?,
        Ok(Err(_)) | Err(_) => return Err(WorkerError::NoPlan),
    };
    serde_json::from_slice(&line).map_err(WorkerError::Decode)
}

fn read_input(plan: oneshot::Sender<io::Result<Vec<u8>>>, stop: &CancellationToken) {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let read = input.by_ref().take(PLAN_BYTES_MAX).read_until(b'\n', &mut line);
    // Nobody waits for a plan that came too late.
    plan.send(read.map(|_| line)).ok();
    // Nothing else is expected. A read that fails means as much as the end: there is no controller any more.
    io::copy(&mut input, &mut io::sink()).ok();
    stop.cancel();
}
