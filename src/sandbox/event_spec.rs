//! What feeds a function, and what becomes of its asynchronous events, as files have it.
//!
//! Owns: the shape and the ranges. Must not know: queues, deliveries.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event_invoke::{Destinations, EventInvoke, RETRIES_MAX, age_problem, retries_problem};
use super::event_source::{BATCH_SIZE_MAX, CONCURRENCY_MAX, CONCURRENCY_MIN, batch_size_problem, concurrency_problem};
use super::queue::is_queue_name;
use crate::unit::DurationText;

/// A queue that feeds a function, as an event source mapping of SQS does. The sandbox makes the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSourceSpec {
    /// The queue's name: letters, digits, `-` and `_`, at most 80. Several functions may name the same.
    pub queue: String,
    /// How many messages an invocation gets at most, 1 to 10. Default: 10.
    #[serde(default = "default_batch_size")]
    pub batch_size: u32,
    /// Whether messages are taken from the queue. Default: true.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    /// How many batches may run at once, 2 to 1000. Default: none; 5 then run at once, as many as AWS starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_concurrency: Option<u32>,
    /// How long the messages of a batch that failed or was throttled stay invisible. Default: 1s.
    #[serde(default = "default_visibility_timeout")]
    pub visibility_timeout: DurationText,
}

fn default_batch_size() -> u32 {
    BATCH_SIZE_MAX
}

fn default_enabled() -> bool {
    true
}

fn default_visibility_timeout() -> DurationText {
    DurationText(Duration::from_secs(1))
}

impl EventSourceSpec {
    /// Every value that is out of its range, as texts for a person.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = queue_problem(&self.queue).into_iter().collect::<Vec<_>>();
        if batch_size_problem(self.batch_size).is_some() {
            problems.push(format!("`batch_size: {}` is not between 1 and {BATCH_SIZE_MAX}", self.batch_size));
        }
        if let Some(concurrency) = self.maximum_concurrency.filter(|limit| concurrency_problem(*limit).is_some()) {
            problems.push(format!(
                "`maximum_concurrency: {concurrency}` is not between {CONCURRENCY_MIN} and {CONCURRENCY_MAX}"
            ));
        }
        problems
    }
}

/// What becomes of a function's asynchronous events, those of `$LATEST`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventInvokeSpec {
    /// How often an event that failed is tried again, 0 to 2. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How old an event may get before it is given up: whole seconds from 60s to 6h. Default: 6h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_age: Option<DurationText>,
    /// The queue that gets a record of each event that went well. The sandbox makes the queue. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
    /// The queue that gets a record of each event that was given up. The sandbox makes the queue. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
}

impl EventInvokeSpec {
    /// The queues that it names.
    pub(super) fn queues(&self) -> impl Iterator<Item = &String> {
        self.on_success.iter().chain(&self.on_failure)
    }

    /// The same with ARNs in the place of names.
    pub(super) fn event_invoke(&self, queue_arn: impl Fn(&str) -> String) -> EventInvoke {
        let arn = |queue: &Option<String>| queue.as_deref().map(&queue_arn);
        EventInvoke {
            retries_max: self.retries,
            age_seconds_max: self.maximum_age.map(|age| age.as_secs()),
            destinations: Some(Destinations { on_success: arn(&self.on_success), on_failure: arn(&self.on_failure) }),
        }
    }

    /// Every value that is out of its range: its key, and a text for a person.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(retries) = self.retries.filter(|retries| retries_problem(*retries).is_some()) {
            problems.push(("retries", format!("`retries: {retries}` is not between 0 and {RETRIES_MAX}")));
        }
        let is_wrong = |age: &DurationText| age.subsec_nanos() != 0 || age_problem(age.as_secs()).is_some();
        if let Some(age) = self.maximum_age.filter(is_wrong) {
            problems.push(("maximum_age", format!("`maximum_age: {age}` is not whole seconds between 60s and 6h")));
        }
        for (key, queue) in [("on_success", &self.on_success), ("on_failure", &self.on_failure)] {
            problems.extend(queue.as_deref().and_then(queue_problem).map(|text| (key, text)));
        }
        problems
    }
}

fn queue_problem(name: &str) -> Option<String> {
    let text = || format!("`{name}` is not a queue's name; use 1 to 80 letters, digits, `-` and `_`");
    (!is_queue_name(name)).then(text)
}
