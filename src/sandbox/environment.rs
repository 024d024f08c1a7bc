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
use serde_json::json;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::configuration::Configuration;
use super::context::Context;
use super::output::{Output, Tail};
use super::program::Program;
use super::runtime_api::{Delivery, RESPONSE_BYTES_MAX, RuntimeApi, RuntimeEvent};
use super::server::{Bound, Server};
use crate::unit::{elapsed_ms, process};

/// How long a runtime may take until it asks for work. Source: AWS, "Lambda execution environment lifecycle", init phase.
pub(super) const INIT_MAX: Duration = Duration::from_secs(10);

/// How long a killed process may take to be gone.
const KILL_MAX: Duration = Duration::from_secs(5);

/// Which function and version a process is started for.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub function: &'a str,
    pub version: String,
    pub program: &'a Program,
    pub configuration: &'a Configuration,
    pub generation: u64,
    pub output: Arc<Tail>,
    pub request_id: &'a str,
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
            Err(Some(payload)) => {
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
        let (output, stdout, stderr) = Output::open(Arc::clone(&start.output))?;
        let mut command = process::tied_command(&context.gameday, &start.program.path);
        command
            .args(&start.program.arguments)
            .env_clear()
            .envs(variables(context, start, &address))
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
            init: None,
            stopping: context.stopping.clone(),
            count: Arc::clone(&context.environments),
            _server: bound.serve(api.router),
        })
    }

    /// `Err(Some(…))` is the function's error as JSON, `Err(None)` the sandbox's end.
    async fn wait_until_ready(&mut self, request_id: &str) -> Result<(), Option<Bytes>> {
        let late = tokio::time::sleep(INIT_MAX);
        // In this order, because a runtime reports its init error and then exits.
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(None),
            event = self.events.recv() => match event {
                Some(RuntimeEvent::Waiting) => Ok(()),
                Some(RuntimeEvent::InitFailed(payload)) => Err(Some(payload)),
                _ => Err(Some(error("Runtime.Unknown", request_id, "the runtime answered before it was asked"))),
            },
            status = self.process.wait() => Err(Some(exit_error(request_id, status.ok()))),
            () = late => Err(Some(timeout_error(request_id, INIT_MAX))),
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
        let request_id = delivery.request_id.clone();
        self.output.note(&format!("START RequestId: {request_id} Version: {}", self.version));
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
        let Some((payload, failed, answered)) = answer else {
            self.end().await;
            return Invoked::Stopping;
        };
        let duration = started.elapsed();
        let is_reusable = answered && self.is_waiting_again(deadline).await;
        self.report(&request_id, duration);
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

    /// The answer's payload, whether it is an error, and whether the runtime itself gave it; `None` at the sandbox's end.
    async fn answer(&mut self, request_id: &str, deadline: Instant) -> Option<(Bytes, bool, bool)> {
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                event = self.events.recv() => match event? {
                    RuntimeEvent::Answered(payload) => return Some((payload, false, true)),
                    RuntimeEvent::Failed(payload) => return Some((payload, true, true)),
                    RuntimeEvent::TooLarge => return Some((too_large_error(), true, true)),
                    RuntimeEvent::Waiting | RuntimeEvent::Delivered | RuntimeEvent::InitFailed(_) => {}
                },
                status = self.process.wait() => return Some((exit_error(request_id, status.ok()), true, false)),
                () = tokio::time::sleep_until(deadline) => {
                    return Some((timeout_error(request_id, self.configuration.timeout()), true, false));
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

    /// The lines with which Lambda ends an invocation's log. Source: AWS, "Lambda function logging", the REPORT line.
    fn report(&mut self, request_id: &str, duration: Duration) {
        let millis =
            |duration: Duration| format!("{}.{:02} ms", elapsed_ms(duration), duration.subsec_micros() % 1_000 / 10);
        let billed = elapsed_ms(duration) + u64::from(!duration.subsec_micros().is_multiple_of(1_000));
        let init = self.init.take().map(|init| format!("\tInit Duration: {}", millis(init))).unwrap_or_default();
        self.output.note(&format!("END RequestId: {request_id}"));
        self.output.note(&format!(
            "REPORT RequestId: {request_id}\tDuration: {}\tBilled Duration: {billed} ms\tMemory Size: {} MB{init}",
            millis(duration),
            self.configuration.memory_mb,
        ));
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
fn variables(context: &Context, start: &Start<'_>, runtime_api: &str) -> BTreeMap<OsString, OsString> {
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
    set("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", start.function));
    set("AWS_LAMBDA_LOG_STREAM_NAME", &format!("sandbox/[{}]{}", start.version, start.request_id));
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

fn timeout_error(request_id: &str, timeout: Duration) -> Bytes {
    error("Sandbox.Timedout", request_id, &format!("Task timed out after {}.00 seconds", timeout.as_secs()))
}

fn too_large_error() -> Bytes {
    let text = format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
    json!({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text}).to_string().into()
}

fn exit_error(request_id: &str, status: Option<ExitStatus>) -> Bytes {
    error("Runtime.ExitError", request_id, &exit_text(status))
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
