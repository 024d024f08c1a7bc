//! Asynchronous events: taken at once, run later, tried again, and told to a destination in the end.
//!
//! Owns: an event's life. Must not know: HTTP. Source: AWS, "How Lambda handles errors and retries with asynchronous
//! invocation" and "Capturing records of Lambda asynchronous invocations". The waits are shorter than AWS's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::account::{Account, InvokeError, Target, invocation, run};
use super::concurrency::{Slot, Throttle};
use super::event_invoke::EventInvoke;
use super::function::{Invocation, Outcome};

/// The largest asynchronous event, in bytes. Source: AWS Lambda quotas (1 MB).
pub(super) const EVENT_BYTES_MAX: usize = 1_048_576;
/// How many asynchronous events may wait or run.
pub(super) const EVENTS_MAX: usize = 1_000;
/// The waits before the retries of an event that failed. AWS waits one and two minutes.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// How long after a throttled event is tried again. AWS waits from one second to five minutes.
const THROTTLED_WAIT: Duration = Duration::from_millis(500);
/// The qualifier of an event that names none.
pub(super) const UNQUALIFIED: &str = "$LATEST";

/// How an event ended; the names are those of the `condition` in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    /// A reserved concurrency of 0: AWS gives such an event up at once, without a retry.
    ZeroReservedConcurrency,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// An event under way.
struct Event {
    account: Arc<Account>,
    target: Target,
    invocation: Invocation,
    taken: Instant,
}

/// Takes an event for later and returns its request id.
pub(super) fn invoke_later(account: &Arc<Account>, target: &Target, payload: Bytes) -> Result<String, InvokeError> {
    let invocation = invocation(target, payload, EVENT_BYTES_MAX)?;
    let request_id = invocation.request_id.clone();
    let place =
        Arc::clone(&account.events).try_acquire_owned().map_err(|_| InvokeError::Throttled(Throttle::EventQueue))?;
    let event = Event { account: Arc::clone(account), target: target.clone(), invocation, taken: Instant::now() };
    account.spawn(async move {
        let _place = place;
        event.live().await;
    });
    Ok(request_id)
}

impl Event {
    /// What is said about events like this one at present.
    fn settings(&self) -> EventInvoke {
        let qualifier = self.target.qualifier.as_deref().unwrap_or(UNQUALIFIED);
        self.target.function.event_invokes.get(qualifier).map(|dated| dated.event_invoke).unwrap_or_default()
    }

    /// Runs the event until it ends, or until the sandbox stops.
    async fn live(&self) {
        let mut tries = 0;
        let mut last = None;
        let mut waits = RETRY_WAITS.into_iter();
        let condition = loop {
            let slot = match self.wait_for_slot().await {
                Some(Ok(slot)) => slot,
                Some(Err(condition)) => break condition,
                None => return,
            };
            let Some(outcome) = run(&self.target.function, &self.invocation, slot).await else { return };
            tries += 1;
            let has_failed = last.insert(outcome).failed;
            if !has_failed {
                break Condition::Success;
            }
            let Some(wait) = waits.next().filter(|_| tries <= self.settings().retries()) else {
                break Condition::RetriesExhausted;
            };
            if !self.wait(wait).await {
                return;
            }
        };
        self.tell(condition, tries, last.as_ref());
    }

    /// Waits for a slot, as long as the event is young enough. `None`: the sandbox stops.
    async fn wait_for_slot(&self) -> Option<Result<Slot, Condition>> {
        let (concurrency, function) = (&self.account.concurrency, self.target.function.name.as_str());
        loop {
            if self.taken.elapsed() > self.settings().age_max() {
                return Some(Err(Condition::EventAgeExceeded));
            }
            if let Ok(slot) = concurrency.take(function) {
                return Some(Ok(slot));
            }
            self.account.context.cloudwatch.throttled(&self.target.arn);
            if concurrency.reserved(function) == Some(0) {
                return Some(Err(Condition::ZeroReservedConcurrency));
            }
            if !self.wait(THROTTLED_WAIT).await {
                return None;
            }
        }
    }

    /// Says whether the wait ended before the sandbox did.
    async fn wait(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.account.context.stopping.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    /// Puts a record into the queue that the destination names. Other destinations are kept and not served.
    fn tell(&self, condition: Condition, tries: u32, outcome: Option<&Outcome>) {
        let destinations = self.settings().destinations.unwrap_or_default();
        let destination = match condition {
            Condition::Success => destinations.on_success,
            Condition::RetriesExhausted | Condition::EventAgeExceeded | Condition::ZeroReservedConcurrency => {
                destinations.on_failure
            }
        };
        if let Some(queue) = destination.and_then(|arn| self.account.queues.find_arn(&arn)) {
            // A full queue loses the record, as a destination that refuses one does in AWS.
            queue.send(self.record(condition, tries, outcome).to_string(), Duration::ZERO).ok();
        }
    }

    fn record(&self, condition: Condition, tries: u32, outcome: Option<&Outcome>) -> Value {
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let arn = match &self.target.qualifier {
            Some(_) => self.target.arn.clone(),
            None => format!("{}:{UNQUALIFIED}", self.target.arn),
        };
        let mut record = json!({
            "version": "1.0",
            "timestamp": self.account.context.clock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "requestContext": {
                "requestId": self.invocation.request_id,
                "functionArn": arn,
                "condition": condition.name(),
                "approximateInvokeCount": tries,
            },
            "requestPayload": read(&self.invocation.payload),
        });
        if let Some(outcome) = outcome {
            record["responseContext"] = json!({"statusCode": 200, "executedVersion": outcome.version.to_string()});
            if outcome.failed {
                record["responseContext"]["functionError"] = "Unhandled".into();
            }
            record["responsePayload"] = read(&outcome.payload);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sandbox::concurrency::Concurrency;
    use crate::sandbox::context::testing::context;
    use crate::sandbox::function::Function;
    use crate::sandbox::program::Program;
    use crate::sandbox::queue::Queues;
    use crate::sandbox::spec::FunctionSpec;

    fn program() -> Program {
        Program {
            path: "/nowhere".into(),
            arguments: Vec::new(),
            takes_handler: false,
            directory: "/".into(),
            runtime: "provided.al2023".to_owned(),
            handler: "bootstrap".to_owned(),
            identity: "test".to_owned(),
            environment: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_finds_no_slot_is_given_up_when_it_is_too_old() {
        let spec: FunctionSpec =
            serde_yaml::from_str("{demo: probe, event_invoke: {maximum_age: 60s, on_failure: failed}}")
                .expect("a spec");
        let context = Arc::new(context());
        let function = Arc::new(Function::new("pay", &spec, program(), Arc::clone(&context)));
        let queues = Queues::new(Arc::clone(&context));
        let failed = queues.make("failed").expect("room");
        let concurrency = Concurrency::default();
        assert_eq!(concurrency.reserve("pay", Some(1)), Ok(()));
        let functions = BTreeMap::from([("pay".to_owned(), function)]);
        let account = Arc::new(Account::new(context, functions, concurrency.clone(), queues, Vec::new()));

        let _slot = concurrency.take("pay").expect("the only slot");
        let mut changes = failed.changes();
        let before = Instant::now();
        let target = account.find("pay", None).expect("the function");
        assert!(invoke_later(&account, &target, Bytes::from_static(b"{}")).is_ok());
        changes.changed().await.expect("a record");
        assert!(before.elapsed() >= Duration::from_secs(60));
        let record = failed.receive(1, usize::MAX, Duration::ZERO).pop().expect("a record").body;
        let record: Value = serde_json::from_str(&record).expect("JSON");
        let context = &record["requestContext"];
        assert_eq!(
            (&context["condition"], &context["approximateInvokeCount"]),
            (&json!("EventAgeExceeded"), &json!(0))
        );
    }
}
