//! A function's configuration and how it changes: limits, revisions and the update window.
//!
//! Owns: what a change may say and when it takes effect. Must not know: processes, HTTP.
//! An update is accepted at once, shown at once, and *serves* only when its window has ended: until then the old
//! configuration runs and further updates are refused, as in AWS (`LastUpdateStatus` of `InProgress`).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::name::is_name;
use crate::unit::LAMBDA_RESERVED_VARIABLES;

/// The longest timeout of an ordinary function, in seconds. Source: AWS Lambda quotas.
pub(super) const TIMEOUT_SECONDS_MAX: u64 = 900;
/// The smallest and largest memory, in MB. Source: AWS Lambda quotas.
pub(super) const MEMORY_MB_MIN: u32 = 128;
/// See [`MEMORY_MB_MIN`].
pub(super) const MEMORY_MB_MAX: u32 = 10_240;
/// All environment variables together, names and values. Source: AWS Lambda quotas.
const ENVIRONMENT_BYTES_MAX: usize = 4_096;
/// The longest description of a function, a version or an alias. Source: AWS Lambda's service model.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 256;
const HANDLER_BYTES_MAX: usize = 128;
/// Source: AWS Lambda quotas.
const LAYERS_MAX: usize = 5;

/// What a version of a function runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    pub description: String,
    pub handler: String,
    pub timeout_seconds: u64,
    pub memory_mb: u32,
    pub environment: BTreeMap<String, String>,
    /// ARNs of layer versions, in the order in which Lambda lays them on one another.
    pub layers: Vec<String>,
    pub modified: DateTime<Utc>,
}

impl Configuration {
    /// How long the function may take from delivery to answer.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// One `UpdateFunctionConfiguration`: `None` leaves a member as it is; `environment` and `layers` replace all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub description: Option<String>,
    pub handler: Option<String>,
    pub timeout_seconds: Option<u64>,
    pub memory_mb: Option<u32>,
    pub environment: Option<BTreeMap<String, String>>,
    pub layers: Option<Vec<String>>,
    /// The revision that the caller believes to change.
    pub revision: Option<String>,
}

impl Change {
    /// The first value that Lambda would refuse, in Lambda's words.
    pub(super) fn problem(&self) -> Option<String> {
        let timeout = self.timeout_seconds.and_then(timeout_problem);
        let memory = self.memory_mb.and_then(memory_problem);
        let environment = self.environment.as_ref().and_then(environment_problem);
        let layers = self.layers.as_deref().and_then(layers_problem);
        let handler = self.handler.as_ref().filter(|text| text.len() > HANDLER_BYTES_MAX || text.contains(' '));
        let description = self.description.as_ref().filter(|text| text.len() > DESCRIPTION_BYTES_MAX);
        timeout
            .or(memory)
            .or(environment)
            .or(layers)
            .or_else(|| handler.map(|text| format!("Value '{text}' at 'handler' failed to satisfy constraint")))
            .or_else(|| description.map(|_| "Value at 'description' is longer than 256 characters".to_owned()))
    }

    fn apply(self, configuration: &mut Configuration) {
        let Self { description, handler, timeout_seconds, memory_mb, environment, layers, revision: _ } = self;
        configuration.description = description.unwrap_or_else(|| std::mem::take(&mut configuration.description));
        configuration.handler = handler.unwrap_or_else(|| std::mem::take(&mut configuration.handler));
        configuration.timeout_seconds = timeout_seconds.unwrap_or(configuration.timeout_seconds);
        configuration.memory_mb = memory_mb.unwrap_or(configuration.memory_mb);
        configuration.environment = environment.unwrap_or_else(|| std::mem::take(&mut configuration.environment));
        configuration.layers = layers.unwrap_or_else(|| std::mem::take(&mut configuration.layers));
    }
}

/// Why Lambda refuses a timeout of this many seconds.
pub(super) fn timeout_problem(seconds: u64) -> Option<String> {
    (!(1..=TIMEOUT_SECONDS_MAX).contains(&seconds)).then(|| {
        format!("Value '{seconds}' at 'timeout' failed to satisfy constraint: between 1 and {TIMEOUT_SECONDS_MAX}")
    })
}

/// Why Lambda refuses this much memory.
pub(super) fn memory_problem(memory_mb: u32) -> Option<String> {
    (!(MEMORY_MB_MIN..=MEMORY_MB_MAX).contains(&memory_mb)).then(|| {
        format!(
            "Value '{memory_mb}' at 'memorySize' failed to satisfy constraint: between {MEMORY_MB_MIN} and {MEMORY_MB_MAX}"
        )
    })
}

/// Why Lambda refuses these environment variables.
pub(super) fn environment_problem(environment: &BTreeMap<String, String>) -> Option<String> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables \
                          you have provided";
    let reserved: Vec<&str> =
        environment.keys().map(String::as_str).filter(|name| LAMBDA_RESERVED_VARIABLES.contains(name)).collect();
    if !reserved.is_empty() {
        return Some(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in \
             this request: {}",
            reserved.join(", ")
        ));
    }
    let is_name = |name: &str| {
        name.len() >= 2
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = environment.keys().find(|name| !is_name(name)) {
        return Some(format!(
            "Value '{name}' at 'environment.variables' failed to satisfy constraint: a letter, then letters, digits or `_`"
        ));
    }
    if let Some((name, _)) = environment.iter().find(|(_, value)| value.contains('\0')) {
        return Some(format!("the value of the environment variable '{name}' contains a zero byte"));
    }
    let bytes: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    (bytes > ENVIRONMENT_BYTES_MAX).then(|| format!("{UNABLE} exceeded the 4KB limit."))
}

/// Why Lambda refuses these layers.
pub(super) fn layers_problem(layers: &[String]) -> Option<String> {
    if layers.len() > LAYERS_MAX {
        return Some(format!("You cannot reference more than {LAYERS_MAX} layers."));
    }
    if let Some(layer) = layers.iter().find(|layer| layer_of(layer).is_none()) {
        return Some(format!(
            "Value '{layer}' at 'layers' failed to satisfy constraint: arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION"
        ));
    }
    let of = |layer: &String| layer_of(layer).map(str::to_owned);
    let is_twice =
        layers.iter().enumerate().any(|(index, layer)| layers.iter().take(index).any(|o| of(o) == of(layer)));
    is_twice.then(|| {
        "Two different versions of the same layer are not allowed to be referenced in the same function.".to_owned()
    })
}

/// The layer's ARN without its version.
fn layer_of(version_arn: &str) -> Option<&str> {
    let (layer, version) = version_arn.rsplit_once(':')?;
    let is_version = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = layer.split(':').collect();
    let ["arn", partition, "lambda", region, account_id, "layer", name] = parts.as_slice() else { return None };
    let is_account = account_id.len() == 12 && account_id.chars().all(|c| c.is_ascii_digit());
    (is_version && is_account && partition.starts_with("aws") && !region.is_empty() && is_name(name)).then_some(layer)
}

/// Why an update was refused. The texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UpdateError {
    /// 409
    #[error(
        "The operation cannot be performed at this time. An update is in progress for resource: {0}. Status: InProgress"
    )]
    InProgress(String),
    /// 412
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id"
    )]
    StaleRevision,
}

#[derive(Debug)]
struct Pending {
    configuration: Configuration,
    until: Instant,
}

/// The configuration of `$LATEST` and its change under way, if any.
///
/// It has no timer: every reader first calls [`Latest::settle`] with the present.
#[derive(Debug)]
pub(super) struct Latest {
    serving: Configuration,
    pending: Option<Pending>,
    revision: String,
    generation: u64,
}

impl Latest {
    pub(super) fn new(configuration: Configuration) -> Self {
        Self { serving: configuration, pending: None, revision: new_revision(), generation: 0 }
    }

    /// Lets an update whose window has ended take effect; says whether one did.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        match self.pending.take_if(|pending| now >= pending.until) {
            Some(pending) => {
                self.serving = pending.configuration;
                self.generation += 1;
                // AWS gives a new revision at the end of an update, too: a caller that kept the one from the update's
                // answer is stale (aws-sdk#377).
                self.revision = new_revision();
                true
            }
            None => false,
        }
    }

    /// Accepts an update, which takes effect `window` later.
    pub(super) fn update(
        &mut self,
        change: Change,
        arn: &str,
        now: Instant,
        window: Duration,
        modified: DateTime<Utc>,
    ) -> Result<(), UpdateError> {
        if self.pending.is_some() {
            return Err(UpdateError::InProgress(arn.to_owned()));
        }
        if change.revision.as_ref().is_some_and(|revision| *revision != self.revision) {
            return Err(UpdateError::StaleRevision);
        }
        let mut configuration = Configuration { modified, ..self.serving.clone() };
        change.apply(&mut configuration);
        self.pending = Some(Pending { configuration, until: now + window });
        self.revision = new_revision();
        Ok(())
    }

    /// What invocations run with.
    pub(super) fn serving(&self) -> &Configuration {
        &self.serving
    }

    /// What the control API answers: the newest that was accepted.
    pub(super) fn shown(&self) -> &Configuration {
        self.pending.as_ref().map_or(&self.serving, |pending| &pending.configuration)
    }

    pub(super) fn is_updating(&self) -> bool {
        self.pending.is_some()
    }

    pub(super) fn revision(&self) -> &str {
        &self.revision
    }

    /// Counts the configurations that have served; a process of an older one is not used again.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }
}

/// A fresh `RevisionId`.
pub(super) fn new_revision() -> String {
    Uuid::new_v4().to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::sandbox) fn configuration() -> Configuration {
        Configuration {
            description: String::new(),
            handler: "app.handler".to_owned(),
            timeout_seconds: 3,
            memory_mb: 128,
            environment: BTreeMap::new(),
            layers: Vec::new(),
            modified: DateTime::UNIX_EPOCH,
        }
    }

    fn timeout_change(seconds: u64) -> Change {
        Change { timeout_seconds: Some(seconds), ..Change::default() }
    }

    const WINDOW: Duration = Duration::from_secs(2);

    fn update(latest: &mut Latest, change: Change, now: Instant) -> Result<(), UpdateError> {
        latest.update(change, "arn", now, WINDOW, DateTime::UNIX_EPOCH)
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_configuration_serves_until_the_window_ends() {
        let mut latest = Latest::new(configuration());
        let now = Instant::now();
        assert_eq!(update(&mut latest, timeout_change(9), now), Ok(()));
        assert_eq!((latest.serving().timeout_seconds, latest.shown().timeout_seconds), (3, 9));
        assert!(!latest.settle(now + WINDOW - Duration::from_millis(1)));
        assert_eq!(latest.generation(), 0);
        assert!(latest.settle(now + WINDOW));
        assert_eq!((latest.serving().timeout_seconds, latest.generation()), (9, 1));
        assert!(!latest.is_updating());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_update_in_the_window_is_a_conflict() {
        let mut latest = Latest::new(configuration());
        let now = Instant::now();
        assert_eq!(update(&mut latest, timeout_change(9), now), Ok(()));
        assert_eq!(update(&mut latest, timeout_change(8), now), Err(UpdateError::InProgress("arn".to_owned())));
        latest.settle(now + WINDOW);
        assert_eq!(update(&mut latest, timeout_change(8), now), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_revision_changes_at_the_update_and_again_at_its_end() {
        let mut latest = Latest::new(configuration());
        let now = Instant::now();
        let before = latest.revision().to_owned();
        let guarded = |revision: &str| Change { revision: Some(revision.to_owned()), ..timeout_change(5) };
        assert_eq!(update(&mut latest, guarded(&before), now), Ok(()));
        let during = latest.revision().to_owned();
        latest.settle(now + WINDOW);
        let after = latest.revision().to_owned();
        assert!(before != during && during != after);
        assert_eq!(update(&mut latest, guarded(&during), now), Err(UpdateError::StaleRevision));
        assert_eq!(update(&mut latest, guarded(&after), now), Ok(()));
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_replaces_the_whole_environment() {
        let mut changed = configuration();
        changed.environment.insert("OLD".to_owned(), "1".to_owned());
        let environment = BTreeMap::from([("NEW".to_owned(), "2".to_owned())]);
        Change { environment: Some(environment.clone()), ..Change::default() }.apply(&mut changed);
        assert_eq!(changed, Configuration { environment, ..configuration() });
    }

    #[test]
    fn at_most_five_layers_are_kept_each_once() {
        let layer = |name: &str, version: u32| format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:{version}");
        let six: Vec<String> = ["a", "b", "c", "d", "e", "f"].iter().map(|name| layer(name, 1)).collect();
        assert_eq!(layers_problem(six.get(..5).expect("five")), None);
        assert!(layers_problem(&six).is_some_and(|text| text.contains("more than 5")));
        assert!(layers_problem(&[layer("a", 1), layer("a", 2)]).is_some_and(|text| text.starts_with("Two different")));
        for wrong in
            ["x", "arn:aws:lambda:us-east-1:000000000000:layer:a", "arn:aws:s3:us-east-1:000000000000:layer:a:1"]
        {
            assert!(layers_problem(&[wrong.to_owned()]).is_some(), "{wrong}");
        }
    }

    #[test]
    fn values_that_lambda_refuses_are_refused() {
        let variables = |name: &str, value: &str| Change {
            environment: Some(BTreeMap::from([(name.to_owned(), value.to_owned())])),
            ..Change::default()
        };
        for refused in [
            timeout_change(0),
            timeout_change(901),
            Change { memory_mb: Some(127), ..Change::default() },
            Change { memory_mb: Some(10_241), ..Change::default() },
            variables("AWS_REGION", "eu-west-1"),
            variables("1X", ""),
            variables("BIG", &"x".repeat(4_094)),
            Change { handler: Some("a b".to_owned()), ..Change::default() },
        ] {
            assert!(refused.problem().is_some(), "{refused:?}");
        }
        for accepted in
            [timeout_change(1), timeout_change(900), variables("BIG", &"x".repeat(4_093)), Change::default()]
        {
            assert_eq!(accepted.problem(), None);
        }
    }
}
