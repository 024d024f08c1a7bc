//! The other end of a load worker: starts it, hands it the plan, reads its records, and makes sure that it ends.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::TEARDOWN_MAX;
use super::course::Steer;
use super::frame::{FRAME_FORMAT, WorkerRecord};
use super::plan::LoadPlan;
use crate::unit::process;

/// The hidden command that serves as worker.
const LOAD_WORKER: &str = "load-worker";
/// The longest record that is read.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How much of the worker's last words is kept.
const STDERR_TAIL_BYTES_MAX: usize = 4 * 1024;
/// How long a worker may take to read its plan.
const PLAN_WAIT: Duration = Duration::from_secs(10);
/// How long a worker may take to read how it is steered.
const STEER_WAIT: Duration = Duration::from_secs(2);
/// How long a worker without a teardown may take to end after a stop: its own grace is one second.
const STOP_WAIT: Duration = Duration::from_secs(3);
/// How long a worker that has closed its output may take to be gone.
const EXIT_WAIT: Duration = Duration::from_secs(2);

/// Why load can not be made any more.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The worker could not be started.
    #[error("failed to start the load worker")]
    Spawn(#[source] io::Error),
    /// The worker did not take its plan.
    #[error("failed to hand the load worker its plan")]
    Plan(#[source] io::Error),
    /// The worker did not take how it is to be steered.
    #[error("failed to steer the load worker: it has read nothing for 2 s")]
    Steer,
    /// Its output could not be read.
    #[error("failed to read from the load worker")]
    Read(#[source] io::Error),
    /// A line that is no record.
    #[error("failed to decode a record of the load worker")]
    Record(#[source] serde_json::Error),
    /// A line over 4 MiB.
    #[error("failed to read from the load worker: a record is longer than 4 MiB")]
    RecordTooLong,
    /// A worker of another version.
    #[error("failed to understand the load worker: its format is `{0}`, ours `{FRAME_FORMAT}`")]
    Format(u32),
    /// The worker ended without saying that its load is over.
    #[error("failed to keep the load worker: it ended with {}{}", status_text(*.status), tail_text(.stderr_tail))]
    Lost {
        /// How it ended; none when it hung and was killed.
        status: Option<ExitStatus>,
        /// The last of what it wrote to standard error, at most 4 KiB.
        stderr_tail: String,
    },
}

fn status_text(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "no status".to_owned(), |status| status.to_string())
}

fn tail_text(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!(", saying `{}`", tail.trim_end()) }
}

/// A running load worker. Dropping it kills it.
#[derive(Debug)]
pub struct LoadWorker {
    child: Child,
    pid: u32,
    /// Closing it is the stop.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The part of a line that has come so far: kept here, so that a dropped `next` loses nothing.
    line: Vec<u8>,
    stderr: StderrTail,
    /// The last thing to tell, kept while the worker is waited for.
    last: Option<Result<WorkerRecord, LoadError>>,
    is_over: bool,
    /// How long it may take to end after a stop.
    stop_wait: Duration,
}

impl LoadWorker {
    /// Starts a worker and hands it the plan. `gameday` is the path of the `gameday` program.
    ///
    /// The worker leads a process group of its own, so that a Ctrl-C at the terminal does not reach it, and dies with
    /// this process.
    ///
    /// # Errors
    /// [`LoadError::Spawn`], or [`LoadError::Plan`] when it does not read its plan within 10 s.
    pub async fn spawn(gameday: &Path, plan: &LoadPlan) -> Result<Self, LoadError> {
        let mut child = process::tied_command(gameday, gameday)
            .arg(LOAD_WORKER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(LoadError::Spawn)?;
        let taken = (child.id(), child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(pid), Some(mut input), Some(output), Some(stderr)) = taken else {
            return Err(LoadError::Spawn(io::Error::other("the worker has no pipes")));
        };
        let mut line = serde_json::to_vec(plan).expect("invariant: our own plans serialise to JSON");
        line.push(b'\n');
        let written = tokio::time::timeout(PLAN_WAIT, input.write_all(&line)).await;
        written.unwrap_or_else(|late| Err(late.into())).map_err(LoadError::Plan)?;
        Ok(Self {
            child,
            pid,
            input: Some(input),
            output: BufReader::new(output),
            line: Vec::new(),
            stderr: StderrTail::follow(stderr),
            last: None,
            is_over: false,
            stop_wait: if plan.teardown.is_empty() { STOP_WAIT } else { STOP_WAIT + TEARDOWN_MAX },
        })
    }

    /// The worker's process id, which is also its group's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The next record: `Ready`, a `Frame` a second, `Closing`, the last frames, `Ended`, then none. It may be dropped and called again: nothing
    /// is lost.
    ///
    /// # Errors
    /// An error ends the worker, and none follows: [`LoadError::Lost`] when it ended without `Ended`, others when it
    /// wrote something that is no record.
    pub async fn next(&mut self) -> Option<Result<WorkerRecord, LoadError>> {
        if self.is_over {
            return None;
        }
        if self.last.is_none() {
            let record = match self.read_line().await {
                Ok(true) => self.take_record(),
                Ok(false) => Err(self.lost().await),
                Err(error) => Err(error),
            };
            match record {
                Ok(WorkerRecord::Ready { .. } | WorkerRecord::Frame(_) | WorkerRecord::Closing) => return Some(record),
                Ok(WorkerRecord::Ended { .. }) => {}
                Err(_) => process::kill_group(self.pid),
            }
            self.last = Some(record);
        }
        self.finish().await;
        self.last.take()
    }

    /// Lets the worker go on in another way. What has been asked to stop, or has ended, is not steered any more.
    ///
    /// # Errors
    /// [`LoadError::Steer`] when it does not read that within 2 s.
    pub async fn steer(&mut self, to: Steer) -> Result<(), LoadError> {
        let Some(input) = &mut self.input else { return Ok(()) };
        let mut line = serde_json::to_vec(&to).expect("invariant: our own words serialise to JSON");
        line.push(b'\n');
        // Of a worker that reads no more since it has ended, `next` tells how it did.
        tokio::time::timeout(STEER_WAIT, input.write_all(&line)).await.map(drop).map_err(|_| LoadError::Steer)
    }

    /// Asks the worker to stop: no request begins from now on, and `Ended` comes within about a second. Go on calling
    /// [`LoadWorker::next`] for the last frames.
    pub fn request_stop(&mut self) {
        self.input = None;
    }

    /// Stops the worker and gives its last records, at most for 3 s and what its teardown may take; then it is killed.
    ///
    /// # Errors
    /// As [`LoadWorker::next`]; a worker that had to be killed is [`LoadError::Lost`].
    pub async fn stop(&mut self) -> Result<Vec<WorkerRecord>, LoadError> {
        self.request_stop();
        let deadline = Instant::now() + self.stop_wait;
        let mut records = Vec::new();
        loop {
            match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(Some(record)) => records.push(record?),
                Ok(None) => return Ok(records),
                Err(_) => {
                    self.finish().await;
                    return Err(LoadError::Lost { status: None, stderr_tail: self.stderr.text() });
                }
            }
        }
    }

    /// Reads up to the end of a line into `self.line`; false when there is no more.
    async fn read_line(&mut self) -> Result<bool, LoadError> {
        loop {
            let available = self.output.fill_buf().await.map_err(LoadError::Read)?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(available.len(), |end| end + 1);
            if self.line.len() + used > RECORD_BYTES_MAX {
                return Err(LoadError::RecordTooLong);
            }
            self.line.extend_from_slice(available.get(..used).unwrap_or_default());
            self.output.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    fn take_record(&mut self) -> Result<WorkerRecord, LoadError> {
        let line = std::mem::take(&mut self.line);
        let record = serde_json::from_slice(&line).map_err(LoadError::Record)?;
        match record {
            WorkerRecord::Ready { format, .. } if format != FRAME_FORMAT => Err(LoadError::Format(format)),
            WorkerRecord::Ready { .. }
            | WorkerRecord::Frame(_)
            | WorkerRecord::Closing
            | WorkerRecord::Ended { .. } => Ok(record),
        }
    }

    /// What to say of a worker whose output ended too soon.
    async fn lost(&mut self) -> LoadError {
        let status = tokio::time::timeout(EXIT_WAIT, self.child.wait()).await.ok().and_then(Result::ok);
        self.stderr.wait_for_end().await;
        LoadError::Lost { status, stderr_tail: self.stderr.text() }
    }

    /// Makes sure that the worker is gone: it may end by itself, and is killed if it does not.
    async fn finish(&mut self) {
        self.input = None;
        if tokio::time::timeout(EXIT_WAIT, self.child.wait()).await.is_err() {
            process::kill_group(self.pid);
            // A killed process ends; if the kernel holds it, nothing that we could wait for would change that.
            tokio::time::timeout(EXIT_WAIT, self.child.wait()).await.ok();
        }
        self.is_over = true;
    }
}

/// Follows a worker's standard error and keeps the last of it.
#[derive(Debug)]
struct StderrTail {
    tail: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl StderrTail {
    fn follow(mut stderr: ChildStderr) -> Self {
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let reader = tokio::spawn({
            let tail = Arc::clone(&tail);
            async move {
                let mut buffer = [0; 1024];
                // A read that fails ends the tail like its end does: it is only told in error messages.
                while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                    let mut tail = tail.lock().expect("invariant: nothing panics while it holds the lock");
                    tail.extend(buffer.get(..count).unwrap_or_default());
                    let excess = tail.len().saturating_sub(STDERR_TAIL_BYTES_MAX);
                    tail.drain(..excess);
                }
            }
        });
        Self { tail, reader }
    }

    /// Waits until the worker's last words are in.
    async fn wait_for_end(&mut self) {
        if !self.reader.is_finished() {
            // Somebody else may hold the pipe open; what has come by then has to do.
            tokio::time::timeout(EXIT_WAIT, &mut self.reader).await.ok();
        }
    }

    fn text(&self) -> String {
        let mut tail = self.tail.lock().expect("invariant: nothing panics while it holds the lock");
        String::from_utf8_lossy(tail.make_contiguous()).into_owned()
    }
}
