//! One execution environment: a real child process, its Runtime API, and at most one invocation at a time.
//!
//! Owns: start, delivery, timeout, crash, kill. Must not know: pools, slots, HTTP callers.
//! Whoever holds an [`Environment`] is its only user; one that timed out or crashed is never handed back, so a poisoned
//! process can not serve again, whenever its death is noticed. Dropping one kills its whole process group.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::configuration::Configuration;
use super::context::Context;
use super::logs::{End, LogStream, PlatformLog, Report};
use super::output::{Output, Tail};
use super::program::Program;
use super::runtime_api::{Delivery, RESPONSE_BYTES_MAX, RuntimeApi, RuntimeEvent};
use super::server::{Bound, Server};
use crate::unit::{Clock, process};

/// How long a runtime may take until it asks for work. Source: AWS, "Lambda execution environment lifecycle", init phase.
pub(super) const INIT_MAX: Duration = Duration::from_secs(10);

/// How long a killed process may take to be gone.
const KILL_MAX: Duration = Duration::from_secs(5);

/// The type of the error that is answered for a process that ended.
const EXIT_ERROR: &str = "Runtime.ExitError";
/// The type of the error that is answered for a runtime that does not keep to its protocol.
const UNKNOWN_ERROR: &str = "Runtime.Unknown";
/// The type of the error that is answered in the place of an answer that is too large.
const TOO_LARGE_ERROR: &str = "Function.ResponseSizeTooLarge";

/// Which function and version a process is started for.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub function: &'a str,
    pub version: String,
    pub program: &'a Program,
    pub configuration: &'a Configuration,
    pub generation: u64,
    pub log: PlatformLog,
    pub log_group: String,
    pub output: Arc<Tail>,
    pub request_id: &'a str,
    /// The trace of the invocation that waits for it; none where nobody does.
    pub trace_id: Option<&'a str>,
    /// When it was known to be needed.
    pub began: Instant,
}

/// Why there is no environment.
#[derive(Debug)]
pub(super) enum StartError {
    /// The function's own fault: the error as JSON and its output.
    Init { payload: Bytes, log: Vec<u8> },
    /// This machine's: no process or no port could be had.
    System(io::Error),
    /// The sandbox stops.
    Stopping,
}

/// How an invocation ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub payload: Bytes,
    /// Whether the payload is an error.
    pub failed: bool,
    pub log: Vec<u8>,
    /// From delivery to answer, or to the timeout.
    pub duration: Duration,
}

/// What came of an invocation, before anything is told of it.
struct Answer {
    payload: Bytes,
    /// Whether the payload is an error.
    failed: bool,
    end: End,
    /// Whether the runtime itself gave it, so that it may ask for another invocation.
    is_runtimes: bool,
}

/// The end of an invocation, and the environment when it can serve another.
#[derive(Debug)]
pub(super) enum Invoked {
    Ended {
        ending: Ending,
        reusable: Option<Box<Environment>>,
    },
    /// The process had ended before it could be given the invocation.
    NotDelivered,
    Stopping,
}

/// A running process with its Runtime API.
#[derive(Debug)]
pub(super) struct Environment {
    pub generation: u64,
    configuration: Configuration,
    version: String,
    process: Child,
    process_id: u32,
    events: mpsc::Receiver<RuntimeEvent>,
    work: mpsc::Sender<Delivery>,
    output: Output,
    log: PlatformLog,
    clock: Clock,
    /// The process's peak, as it was last read.
    peak_memory_mb: Option<u64>,
    /// How long it took to start, until that is told with the first invocation.
    init: Option<Duration>,
    stopping: CancellationToken,
    count: Arc<AtomicUsize>,
    /// Held for its drop, which closes the port.
    _server: Server,
}

impl Environment {
    /// Starts a process and waits until its runtime asks for work, at most [`INIT_MAX`].
    pub(super) async fn start(context: &Context, start: Start<'_>) -> Result<Self, StartError> {
        let began = start.began;
        let mut environment = Self::spawn(context, &start).await.map_err(StartError::System)?;
        let ready = environment.wait_until_ready(start.request_id).await;
        environment.init = Some(began.elapsed());
        match ready {
            Ok(()) => Ok(environment),
            Err(None) => {
                environment.end().await;
                Err(StartError::Stopping)
            }
            Err(Some((payload, end))) => {
                environment.tell_failed_start(&start, &payload, end);
                let log = environment.output.take();
                environment.end().await;
                Err(StartError::Init { payload, log })
            }
        }
    }

    async fn spawn(context: &Context, start: &Start<'_>) -> io::Result<Self> {
        let bound = Bound::bind(0).await.map_err(io::Error::other)?;
        let address = bound.address().to_string();
        let api = RuntimeApi::new(context.clock);
        let stream = stream_name(&start.version, context.clock.now());
        let log = LogStream::new(Arc::clone(&context.logs), &start.log_group, &stream);
        let (output, stdout, stderr) = Output::open(Arc::clone(&start.output), log)?;
        let mut command = process::tied_command(&context.gameday, &start.program.path);
        command
            .args(&start.program.arguments)
            .env_clear()
            .envs(variables(context, start, &address, &stream))
            .current_dir(&start.program.directory)
            .stdout(stdout)
            .stderr(stderr);
        if start.program.takes_handler {
            command.arg(&start.configuration.handler);
        }
        let process = command.spawn()?;
        let process_id = process.id().ok_or_else(|| io::Error::other("the process ended at once"))?;
        context.environments.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            generation: start.generation,
            configuration: start.configuration.clone(),
            version: start.version.clone(),
            process,
            process_id,
            events: api.events,
            work: api.work,
            output,
            log: start.log,
            clock: context.clock,
            peak_memory_mb: None,
            init: None,
            stopping: context.stopping.clone(),
            count: Arc::clone(&context.environments),
            _server: bound.serve(api.router),
        })
    }

    /// `Err(Some(…))` is the function's error as JSON and its kind, `Err(None)` the sandbox's end.
    async fn wait_until_ready(&mut self, request_id: &str) -> Result<(), Option<(Bytes, End)>> {
        let late = tokio::time::sleep(INIT_MAX);
        // In this order, because a runtime reports its init error and then exits.
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(None),
            event = self.events.recv() => match event {
                Some(RuntimeEvent::Waiting) => Ok(()),
                Some(RuntimeEvent::InitFailed(payload)) => Err(Some((payload, End::Error("Runtime.InitError")))),
                _ => {
                    let payload = error(UNKNOWN_ERROR, request_id, "the runtime answered before it was asked");
                    Err(Some((payload, End::Error(UNKNOWN_ERROR))))
                }
            },
            status = self.process.wait() => Err(Some((exit_error(request_id, status.ok()), End::Error(EXIT_ERROR)))),
            () = late => Err(Some((timeout_error(request_id, INIT_MAX), End::Timeout))),
        }
    }

    /// Lambda's lines about a start that failed, and about the invocation that has waited for it.
    fn tell_failed_start(&mut self, start: &Start<'_>, payload: &[u8], end: End) {
        let (init, now) = (start.began.elapsed(), self.clock.now());
        self.output.note(&self.log.failed_init(init, end, now));
        if let Some(line) = error_line(payload) {
            self.output.note(&line);
        }
        if let Some(trace_id) = start.trace_id {
            self.note_start(start.request_id);
            self.report(start.request_id, trace_id, init, end);
        }
    }

    fn note_start(&self, request_id: &str) {
        if let Some(line) = self.log.start(request_id, &self.version, self.clock.now()) {
            self.output.note(&line);
        }
    }

    /// It was there before anybody needed it: no invocation has waited for its start.
    pub(super) fn was_ahead(&mut self) {
        self.init = None;
    }

    /// The function's timeout.
    pub(super) fn timeout(&self) -> Duration {
        self.configuration.timeout()
    }

    /// Whether the process still runs, as far as is known.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Has the process handle one invocation. The function's timeout starts when the runtime is given it.
    pub(super) async fn invoke(mut self, delivery: Delivery) -> Invoked {
        let (request_id, trace_id) = (delivery.request_id.clone(), delivery.trace_id.clone());
        self.note_start(&request_id);
        // Whatever the runtime said between two invocations is no answer to this one.
        while self.events.try_recv().is_ok() {}
        if self.work.try_send(delivery).is_err() || !self.delivered().await {
            let stopping = self.stopping.is_cancelled();
            self.end().await;
            return if stopping { Invoked::Stopping } else { Invoked::NotDelivered };
        }
        let started = Instant::now();
        let deadline = started + self.configuration.timeout();
        let answer = self.answer(&request_id, deadline).await;
        let Some(Answer { payload, failed, end, is_runtimes }) = answer else {
            self.end().await;
            return Invoked::Stopping;
        };
        let duration = started.elapsed();
        let is_reusable = is_runtimes && self.is_waiting_again(deadline).await;
        self.tell_trouble(&request_id, &payload, end);
        self.report(&request_id, &trace_id, duration, end);
        let ending = Ending { payload, failed, log: self.output.take(), duration };
        let reusable = if is_reusable {
            Some(Box::new(self))
        } else {
            self.end().await;
            None
        };
        Invoked::Ended { ending, reusable }
    }

    /// Waits until the runtime has the invocation. It waited for it already, so this is quick or never.
    async fn delivered(&mut self) -> bool {
        let late = tokio::time::sleep(INIT_MAX);
        tokio::pin!(late);
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return false,
                event = self.events.recv() => match event {
                    Some(RuntimeEvent::Delivered) => return true,
                    Some(_) => {}
                    None => return false,
                },
                _ = self.process.wait() => return false,
                () = &mut late => return false,
            }
        }
    }

    /// What came of the invocation; `None` at the sandbox's end.
    async fn answer(&mut self, request_id: &str, deadline: Instant) -> Option<Answer> {
        let of = |payload, failed, end, is_runtimes| Some(Answer { payload, failed, end, is_runtimes });
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                event = self.events.recv() => match event? {
                    RuntimeEvent::Answered(payload) => return of(payload, false, End::Success, true),
                    RuntimeEvent::Failed(payload) => return of(payload, true, End::Success, true),
                    RuntimeEvent::TooLarge => return of(too_large_error(), true, End::Error(TOO_LARGE_ERROR), true),
                    RuntimeEvent::Waiting | RuntimeEvent::Delivered | RuntimeEvent::InitFailed(_) => {}
                },
                status = self.process.wait() => {
                    return of(exit_error(request_id, status.ok()), true, End::Error(EXIT_ERROR), false);
                }
                () = tokio::time::sleep_until(deadline) => {
                    return of(timeout_error(request_id, self.configuration.timeout()), true, End::Timeout, false);
                }
            }
        }
    }

    /// Whether the runtime asks for the next invocation, within the timeout of the last.
    async fn is_waiting_again(&mut self, deadline: Instant) -> bool {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => false,
            event = self.events.recv() => matches!(event, Some(RuntimeEvent::Waiting)),
            _ = self.process.wait() => false,
            () = tokio::time::sleep_until(deadline) => false,
        }
    }

    /// Lambda's line about a process that ended or had no more time.
    fn tell_trouble(&self, request_id: &str, payload: &[u8], end: End) {
        match end {
            End::Success => {}
            End::Error(_) => error_line(payload).iter().for_each(|line| self.output.note(line)),
            End::Timeout => {
                let now = self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
                self.output.note(&format!("{now} {request_id} {}", timeout_text(self.configuration.timeout())));
            }
        }
    }

    /// The lines with which Lambda ends an invocation's log.
    fn report(&mut self, request_id: &str, trace_id: &str, duration: Duration, end: End) {
        // A process that is gone has no peak any more; it never falls.
        self.peak_memory_mb = self.process.id().and_then(peak_memory_mb).max(self.peak_memory_mb);
        let report = Report {
            request_id,
            trace_id,
            duration,
            memory_mb: self.configuration.memory_mb,
            max_memory_mb: self.peak_memory_mb,
            init: self.init.take(),
            end,
        };
        for line in self.log.end(&report, self.clock.now()) {
            self.output.note(&line);
        }
    }

    /// Kills the process group.
    pub(super) fn kill(&self) {
        process::kill_group(self.process_id);
    }

    /// Kills the process group and waits until its leader is gone.
    pub(super) async fn end(mut self) {
        self.kill();
        // A process that can not be killed (in the kernel) is left to the drop and to init.
        tokio::time::timeout(KILL_MAX, self.process.wait()).await.ok();
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.kill();
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The process's whole environment: nothing of our own but `PATH`.
fn variables(
    context: &Context,
    start: &Start<'_>,
    runtime_api: &str,
    log_stream: &str,
) -> BTreeMap<OsString, OsString> {
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    variables.insert("PATH".into(), context.search_path.clone());
    let mut set = |name: &str, value: &str| {
        variables.insert(name.into(), value.into());
    };
    set("LANG", "en_US.UTF-8");
    set("TZ", ":UTC");
    set("AWS_ENDPOINT_URL", &context.endpoint);
    // No SDK in a function may look for real credentials, or for the instance that we run on.
    set("AWS_EC2_METADATA_DISABLED", "true");
    for (name, value) in &start.program.environment {
        variables.insert((*name).into(), value.clone());
    }
    for (name, value) in &start.configuration.environment {
        variables.insert(name.into(), value.into());
    }
    // The rest is Lambda's own: a configuration can not say otherwise.
    let mut set = |name: &str, value: &str| {
        variables.insert(name.into(), value.into());
    };
    set("AWS_LAMBDA_RUNTIME_API", runtime_api);
    set("AWS_LAMBDA_FUNCTION_NAME", start.function);
    set("AWS_LAMBDA_FUNCTION_VERSION", &start.version);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &start.configuration.memory_mb.to_string());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    set("AWS_LAMBDA_LOG_FORMAT", start.log.format.as_aws());
    set("AWS_LAMBDA_LOG_GROUP_NAME", &start.log_group);
    set("AWS_LAMBDA_LOG_STREAM_NAME", log_stream);
    set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", start.program.runtime));
    set("AWS_REGION", &context.region);
    set("AWS_DEFAULT_REGION", &context.region);
    set("AWS_ACCESS_KEY_ID", "sandbox");
    set("AWS_SECRET_ACCESS_KEY", "sandbox");
    set("AWS_SESSION_TOKEN", "sandbox");
    set("_HANDLER", &start.configuration.handler);
    variables.insert("LAMBDA_TASK_ROOT".into(), start.program.directory.clone().into());
    variables
}

fn error(kind: &str, request_id: &str, text: &str) -> Bytes {
    json!({"errorType": kind, "errorMessage": format!("RequestId: {request_id} Error: {text}")}).to_string().into()
}

/// A log stream's name as Lambda makes it.
fn stream_name(version: &str, now: DateTime<Utc>) -> String {
    format!("{}/[{version}]{}", now.format("%Y/%m/%d"), Uuid::new_v4().simple())
}

/// The most memory that a process has had in RAM, in MB as Lambda counts them; none where it is gone.
fn peak_memory_mb(process_id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes.div_ceil(1_024))
}

/// The text of an error that is answered, as the log has it.
fn error_line(payload: &[u8]) -> Option<String> {
    let error: serde_json::Value = serde_json::from_slice(payload).ok()?;
    error.get("errorMessage")?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn timeout_text(timeout: Duration) -> String {
    format!("Task timed out after {}.00 seconds", timeout.as_secs())
}

fn timeout_error(request_id: &str, timeout: Duration) -> Bytes {
    error("Sandbox.Timedout", request_id, &timeout_text(timeout))
}

fn too_large_error() -> Bytes {
    let text = format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
    json!({"errorType": TOO_LARGE_ERROR, "errorMessage": text}).to_string().into()
}

fn exit_error(request_id: &str, status: Option<ExitStatus>) -> Bytes {
    error(EXIT_ERROR, request_id, &exit_text(status))
}

fn exit_text(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) if code != 0 => format!("Runtime exited with error: exit status {code}"),
        Some((_, Some(9))) => "Runtime exited with error: signal: killed".to_owned(),
        Some((_, Some(signal))) => format!("Runtime exited with error: signal: {signal}"),
        _ => "Runtime exited without providing a reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_told_in_lambdas_words() {
        let text = |raw| exit_text(Some(ExitStatus::from_raw(raw)));
        assert_eq!(text(3 << 8), "Runtime exited with error: exit status 3");
        assert_eq!(text(9), "Runtime exited with error: signal: killed");
        assert_eq!(text(0), "Runtime exited without providing a reason");
    }

    #[test]
    fn a_timeout_is_told_in_lambdas_words() {
        assert_eq!(
            timeout_error("r-1", Duration::from_secs(3)),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r-1 Error: Task timed out after 3.00 seconds"}"#
        );
    }
}
