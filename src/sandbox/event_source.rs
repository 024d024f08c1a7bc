//! Event source mappings: which queue feeds which function, how, and the changes under way.
//!
//! Owns: settings, their limits, states and windows. Must not know: how batches are delivered, HTTP.
//! As with a function's configuration, a change is shown at once and serves when its window has ended.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;

use super::event_spec::EventSourceSpec;
use super::queue::Queue;

/// The largest batch of a mapping without a batching window. Source: AWS, "Using Lambda with Amazon SQS".
pub(super) const BATCH_SIZE_MAX: u32 = 10;
/// The bounds of `MaximumConcurrency`. Source: AWS Lambda's service model.
pub(super) const CONCURRENCY_MIN: u32 = 2;
/// See [`CONCURRENCY_MIN`].
pub(super) const CONCURRENCY_MAX: u32 = 1_000;
/// How many batches run at once where no `MaximumConcurrency` is set: as many as AWS starts with.
const CONCURRENCY_DEFAULT: u32 = 5;

/// What can be changed of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub batch_size: u32,
    pub enabled: bool,
    pub maximum_concurrency: Option<u32>,
}

impl Settings {
    /// How many batches may run at once.
    pub(super) fn concurrency(&self) -> u32 {
        self.maximum_concurrency.unwrap_or(CONCURRENCY_DEFAULT)
    }
}

/// One `UpdateEventSourceMapping`: `None` leaves a member as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SourceChange {
    pub batch_size: Option<u32>,
    pub enabled: Option<bool>,
    /// `Some(None)` takes the limit away.
    pub maximum_concurrency: Option<Option<u32>>,
}

/// Why a mapping was not changed. The texts are AWS's where AWS has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SourceError {
    /// `ResourceInUseException`, 400
    #[error("Cannot update the event source mapping because it is in use.")]
    InUse,
    /// 400
    #[error("{0}")]
    Invalid(String),
}

/// Why Lambda refuses a batch size.
pub(super) fn batch_size_problem(batch_size: u32) -> Option<String> {
    (!(1..=BATCH_SIZE_MAX).contains(&batch_size)).then(|| {
        format!("Value '{batch_size}' at 'batchSize' failed to satisfy constraint: 1 to 10 without a batching window")
    })
}

/// Why Lambda refuses a maximum concurrency.
pub(super) fn concurrency_problem(concurrency: u32) -> Option<String> {
    (!(CONCURRENCY_MIN..=CONCURRENCY_MAX).contains(&concurrency))
        .then(|| format!("Value '{concurrency}' at 'maximumConcurrency' failed to satisfy constraint: 2 to 1000"))
}

/// A mapping as the control API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownSource {
    pub settings: Settings,
    pub state: &'static str,
    pub modified: DateTime<Utc>,
    pub last_result: &'static str,
}

#[derive(Debug)]
struct Pending {
    settings: Settings,
    state: &'static str,
    until: Instant,
}

#[derive(Debug)]
struct State {
    serving: Settings,
    pending: Option<Pending>,
    modified: DateTime<Utc>,
    last_result: &'static str,
}

/// One mapping of a queue to a function.
#[derive(Debug)]
pub(super) struct EventSource {
    pub uuid: String,
    /// The function's name.
    pub function: String,
    pub queue: Arc<Queue>,
    /// How long a message of a batch that failed stays invisible.
    pub visibility_timeout: Duration,
    window: Duration,
    state: Mutex<State>,
    /// Counts what the poller must look at.
    changes: watch::Sender<u64>,
}

impl EventSource {
    pub(super) fn new(
        function: &str,
        spec: &EventSourceSpec,
        queue: Arc<Queue>,
        window: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        let serving = Settings {
            batch_size: spec.batch_size,
            enabled: spec.enabled,
            maximum_concurrency: spec.maximum_concurrency,
        };
        let state = State { serving, pending: None, modified: now, last_result: "No records processed" };
        Self {
            uuid: uuid_of(function, &queue.arn()),
            function: function.to_owned(),
            queue,
            visibility_timeout: *spec.visibility_timeout,
            window,
            state: Mutex::new(state),
            changes: watch::Sender::default(),
        }
    }

    /// The state at present: a change whose window has ended has taken effect.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("invariant: nobody panics while holding a mapping's state");
        if let Some(pending) = state.pending.take_if(|pending| Instant::now() >= pending.until) {
            state.serving = pending.settings;
        }
        state
    }

    /// Tells when the settings or the number of running batches have changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn tell_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What the poller goes by, and when that changes by itself.
    pub(super) fn serving(&self) -> (Settings, Option<Instant>) {
        let state = self.state();
        (state.serving, state.pending.as_ref().map(|pending| pending.until))
    }

    pub(super) fn shown(&self) -> ShownSource {
        let state = self.state();
        let (settings, label) = match &state.pending {
            Some(pending) => (pending.settings, pending.state),
            None => (state.serving, if state.serving.enabled { "Enabled" } else { "Disabled" }),
        };
        ShownSource { settings, state: label, modified: state.modified, last_result: state.last_result }
    }

    /// Notes how the last batch ended.
    pub(super) fn note_result(&self, result: &'static str) {
        self.state().last_result = result;
    }

    /// Accepts a change, which takes effect when the window has ended; the answer shows it under way.
    pub(super) fn update(&self, change: SourceChange, now: DateTime<Utc>) -> Result<ShownSource, SourceError> {
        let concurrency = change.maximum_concurrency.flatten();
        let problem =
            change.batch_size.and_then(batch_size_problem).or_else(|| concurrency.and_then(concurrency_problem));
        if let Some(problem) = problem {
            return Err(SourceError::Invalid(problem));
        }
        let mut state = self.state();
        if state.pending.is_some() {
            return Err(SourceError::InUse);
        }
        let before = state.serving;
        let settings = Settings {
            batch_size: change.batch_size.unwrap_or(before.batch_size),
            enabled: change.enabled.unwrap_or(before.enabled),
            maximum_concurrency: change.maximum_concurrency.unwrap_or(before.maximum_concurrency),
        };
        let label = match (before.enabled, settings.enabled) {
            (true, false) => "Disabling",
            (false, true) => "Enabling",
            (true, true) | (false, false) => "Updating",
        };
        state.pending = Some(Pending { settings, state: label, until: Instant::now() + self.window });
        state.modified = now;
        let shown = ShownSource { settings, state: label, modified: state.modified, last_result: state.last_result };
        drop(state);
        self.tell_change();
        Ok(shown)
    }
}

/// The same for the same function and queue in every sandbox, so that a scenario can name it.
fn uuid_of(function: &str, queue_arn: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(format!("{function} {queue_arn}")).into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::context::testing::context;
    use crate::sandbox::queue::Queues;

    const WINDOW: Duration = Duration::from_secs(2);

    fn source() -> EventSource {
        let spec: EventSourceSpec = serde_yaml::from_str("{queue: orders}").expect("a good mapping");
        let queue = Queues::new(Arc::new(context())).make("orders").expect("room");
        EventSource::new("pay", &spec, queue, WINDOW, DateTime::UNIX_EPOCH)
    }

    fn update(source: &EventSource, change: SourceChange) -> Result<&'static str, SourceError> {
        source.update(change, DateTime::UNIX_EPOCH).map(|shown| shown.state)
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_under_way_until_its_window_ends() {
        let source = source();
        let enable = |enabled| SourceChange { enabled: Some(enabled), ..SourceChange::default() };
        assert_eq!(source.shown().state, "Enabled");
        assert_eq!(update(&source, enable(false)), Ok("Disabling"));
        assert!(source.serving().0.enabled, "the old settings serve");
        assert_eq!(update(&source, enable(true)), Err(SourceError::InUse));
        tokio::time::advance(WINDOW).await;
        assert_eq!((source.shown().state, source.serving().0.enabled), ("Disabled", false));
        let larger = SourceChange { batch_size: Some(3), ..SourceChange::default() };
        assert_eq!(update(&source, larger), Ok("Updating"));
        tokio::time::advance(WINDOW).await;
        assert_eq!((source.shown().state, source.serving().0.batch_size), ("Disabled", 3));
        assert_eq!(update(&source, enable(true)), Ok("Enabling"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_lambda_refuses_is_refused_and_a_limit_can_be_taken_away() {
        let source = source();
        for refused in [
            SourceChange { batch_size: Some(0), ..SourceChange::default() },
            SourceChange { batch_size: Some(11), ..SourceChange::default() },
            SourceChange { maximum_concurrency: Some(Some(1)), ..SourceChange::default() },
            SourceChange { maximum_concurrency: Some(Some(1_001)), ..SourceChange::default() },
        ] {
            assert!(matches!(update(&source, refused), Err(SourceError::Invalid(_))), "{refused:?}");
        }
        for limit in [Some(2), None] {
            let change = SourceChange { maximum_concurrency: Some(limit), ..SourceChange::default() };
            assert_eq!(update(&source, change), Ok("Updating"));
            tokio::time::advance(WINDOW).await;
            assert_eq!(source.serving().0.concurrency(), limit.unwrap_or(CONCURRENCY_DEFAULT));
        }
    }

    #[tokio::test]
    async fn a_mapping_has_the_same_id_in_every_sandbox() {
        assert_eq!(source().uuid, source().uuid);
        assert_eq!(source().uuid.len(), 36);
    }
}
