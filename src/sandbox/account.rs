//! The account: all functions, their shared concurrency, and the work under way.
//!
//! Owns: finding what a request names, taking the slot, running the invocation apart from its caller. Must not know: HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::asynchronous::EVENTS_MAX;
use super::concurrency::{Concurrency, Slot, Throttle};
use super::context::Context;
use super::event_source::EventSource;
use super::function::{Function, Invocation, Outcome};
use super::name::{FunctionReference, NameError, Version};
use super::queue::Queues;

/// The largest request of a synchronous invocation, in bytes. Source: AWS Lambda quotas (6 MB).
pub(super) const REQUEST_BYTES_MAX: usize = 6_291_456;
/// Why a request led to no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FindError {
    #[error(transparent)]
    Name(#[from] NameError),
    /// No such function, version or alias. The text is AWS's.
    #[error("Function not found: {0}")]
    Missing(String),
}

/// Why an invocation had no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InvokeError {
    /// The payload is larger than this many bytes.
    TooLarge(usize),
    /// The payload is not JSON.
    NotJson(String),
    Throttled(Throttle),
    Stopping,
}

/// A function that was found, and the version that was named.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub function: Arc<Function>,
    pub version: Version,
    /// The ARN with the qualifier as it was given.
    pub arn: String,
    pub qualifier: Option<String>,
}

/// All functions of a sandbox.
#[derive(Debug)]
pub(super) struct Account {
    pub context: Arc<Context>,
    pub functions: BTreeMap<String, Arc<Function>>,
    pub concurrency: Concurrency,
    pub queues: Queues,
    pub event_sources: Vec<Arc<EventSource>>,
    /// Places for asynchronous events.
    pub events: Arc<Semaphore>,
    /// Dropped or aborted, the invocations drop their environments, which kills them.
    work: Mutex<JoinSet<()>>,
}

impl Account {
    pub(super) fn new(
        context: Arc<Context>,
        functions: BTreeMap<String, Arc<Function>>,
        concurrency: Concurrency,
        queues: Queues,
        event_sources: Vec<Arc<EventSource>>,
    ) -> Self {
        let events = Arc::new(Semaphore::new(EVENTS_MAX));
        Self { context, functions, concurrency, queues, event_sources, events, work: Mutex::default() }
    }

    /// Finds what a request's function name and `Qualifier` mean.
    pub(super) fn find(&self, text: &str, qualifier: Option<&str>) -> Result<Target, FindError> {
        let reference = FunctionReference::parse(text, qualifier)?;
        let mut arn = format!(
            "arn:aws:lambda:{}:{}:function:{}",
            reference.region.as_deref().unwrap_or(&self.context.region),
            reference.account_id.as_deref().unwrap_or(&self.context.account_id),
            reference.name
        );
        let is_ours = arn == self.context.function_arn(&reference.name);
        if let Some(qualifier) = &reference.qualifier {
            arn = format!("{arn}:{qualifier}");
        }
        let found = self.functions.get(&reference.name).filter(|_| is_ours);
        match found.and_then(|function| Some((function, function.version(reference.qualifier.as_deref())?))) {
            Some((function, version)) => {
                Ok(Target { function: Arc::clone(function), version, arn, qualifier: reference.qualifier })
            }
            None => Err(FindError::Missing(arn)),
        }
    }

    /// Invokes and waits for the outcome.
    ///
    /// The slot is taken before there is a process, and the work runs apart from the caller: one that hangs up frees
    /// nothing early.
    pub(super) async fn invoke(&self, target: &Target, payload: Bytes) -> Result<Outcome, InvokeError> {
        if self.context.stopping.is_cancelled() {
            return Err(InvokeError::Stopping);
        }
        let invocation = invocation(target, payload, REQUEST_BYTES_MAX)?;
        let slot = self
            .concurrency
            .take(&target.function.name)
            .inspect_err(|_| self.context.cloudwatch.throttled(&target.arn))
            .map_err(InvokeError::Throttled)?;
        let function = Arc::clone(&target.function);
        let (sender, receiver) = oneshot::channel();
        self.spawn(async move {
            let outcome = run(&function, &invocation, slot).await;
            // A caller that hung up is no error of ours.
            sender.send(outcome).ok();
        });
        receiver.await.ok().flatten().ok_or(InvokeError::Stopping)
    }

    /// Says whether an invocation would be let in, without making one.
    pub(super) fn would_invoke(&self, payload: &Bytes) -> Result<(), InvokeError> {
        check_payload(payload, REQUEST_BYTES_MAX)
    }

    /// Runs work that ends with the sandbox, apart from whoever asked for it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.work.lock().expect("invariant: nobody panics while holding the work");
        while set.try_join_next().is_some() {}
        set.spawn(work);
    }

    /// Ends all work and all processes, and waits until they are gone.
    pub(super) async fn stop(&self) {
        self.context.stopping.cancel();
        let mut work = std::mem::take(&mut *self.work.lock().expect("invariant: nobody panics while holding the work"));
        while work.join_next().await.is_some() {}
        for function in self.functions.values() {
            function.end_idle().await;
        }
    }

    /// Kills all processes without waiting.
    pub(super) fn kill(&self) {
        self.context.stopping.cancel();
        if let Ok(mut work) = self.work.lock() {
            work.abort_all();
        }
        for function in self.functions.values() {
            drop(function.drain_idle());
        }
    }
}

/// The slot is given back before the caller hears the outcome, so that its next call can have it.
pub(super) async fn run(function: &Function, invocation: &Invocation, slot: Slot) -> Option<Outcome> {
    let measured = function.context.cloudwatch.begin(&invocation.invoked_arn);
    let outcome = function.handle(invocation).await;
    measured.end(outcome.as_ref());
    drop(slot);
    outcome
}

fn check_payload(payload: &Bytes, bytes_max: usize) -> Result<(), InvokeError> {
    if payload.len() > bytes_max {
        return Err(InvokeError::TooLarge(bytes_max));
    }
    if !payload.is_empty() {
        serde_json::from_slice::<serde::de::IgnoredAny>(payload)
            .map_err(|error| InvokeError::NotJson(error.to_string()))?;
    }
    Ok(())
}

/// What a function is asked, by the version that is due; a payload that Lambda would refuse is refused.
pub(super) fn invocation(target: &Target, payload: Bytes, bytes_max: usize) -> Result<Invocation, InvokeError> {
    check_payload(&payload, bytes_max)?;
    Ok(Invocation {
        request_id: Uuid::new_v4().to_string(),
        version: target.function.route(target.qualifier.as_deref()).unwrap_or(target.version),
        invoked_arn: target.arn.clone(),
        payload: if payload.is_empty() { Bytes::from_static(b"{}") } else { payload },
    })
}
