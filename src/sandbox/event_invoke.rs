//! What becomes of asynchronous events: how often they are tried, how old they may get, and where they go in the end.
//!
//! Owns: the configuration of each qualifier and its limits. Must not know: how an event is run, HTTP.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// How often an event that failed is tried again at most, which is also the default. Source: AWS Lambda's service model.
pub(super) const RETRIES_MAX: u32 = 2;
/// The bounds of an event's greatest age, in seconds. Source: AWS Lambda's service model.
pub(super) const AGE_SECONDS_MIN: u64 = 60;
/// Six hours, which is also the default. See [`AGE_SECONDS_MIN`].
pub(super) const AGE_SECONDS_MAX: u64 = 21_600;
/// The longest destination. Source: AWS Lambda's service model.
const DESTINATION_BYTES_MAX: usize = 350;

/// ARNs of where a record of an event goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Destinations {
    pub on_success: Option<String>,
    pub on_failure: Option<String>,
}

/// What is said about the events of a qualifier; `None` stands for the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EventInvoke {
    pub retries_max: Option<u32>,
    pub age_seconds_max: Option<u64>,
    pub destinations: Option<Destinations>,
}

impl EventInvoke {
    /// The first value that Lambda would refuse, in Lambda's words where it has some.
    pub(super) fn problem(&self) -> Option<String> {
        let destinations = self.destinations.iter();
        let mut texts = destinations.flat_map(|both| both.on_success.iter().chain(&both.on_failure));
        self.retries_max
            .and_then(retries_problem)
            .or_else(|| self.age_seconds_max.and_then(age_problem))
            .or_else(|| texts.find_map(|text| destination_problem(text)))
    }

    /// How often an event that failed is tried again.
    pub(super) fn retries(&self) -> u32 {
        self.retries_max.unwrap_or(RETRIES_MAX)
    }

    /// How old an event may get before it is given up.
    pub(super) fn age_max(&self) -> Duration {
        Duration::from_secs(self.age_seconds_max.unwrap_or(AGE_SECONDS_MAX))
    }
}

/// Why Lambda refuses this many retries.
pub(super) fn retries_problem(retries: u32) -> Option<String> {
    (retries > RETRIES_MAX).then(|| {
        format!("Value '{retries}' at 'maximumRetryAttempts' failed to satisfy constraint: 0 to {RETRIES_MAX}")
    })
}

/// Why Lambda refuses this age.
pub(super) fn age_problem(seconds: u64) -> Option<String> {
    (!(AGE_SECONDS_MIN..=AGE_SECONDS_MAX).contains(&seconds)).then(|| {
        format!(
            "Value '{seconds}' at 'maximumEventAgeInSeconds' failed to satisfy constraint: {AGE_SECONDS_MIN} to \
             {AGE_SECONDS_MAX}"
        )
    })
}

fn destination_problem(text: &str) -> Option<String> {
    let is_arn = text.starts_with("arn:aws") && text.split(':').count() >= 6;
    (!is_arn || text.len() > DESTINATION_BYTES_MAX).then(|| format!("The destination ARN {text} is invalid."))
}

/// A configuration with the time of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dated {
    pub event_invoke: EventInvoke,
    pub modified: DateTime<Utc>,
}

/// The configurations of one function, by qualifier: `$LATEST`, a version's number or an alias.
#[derive(Debug, Default)]
pub(super) struct EventInvokes {
    by_qualifier: Mutex<BTreeMap<String, Dated>>,
}

impl EventInvokes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Dated>> {
        self.by_qualifier.lock().expect("invariant: nobody panics while holding these configurations")
    }

    /// Replaces all that was said.
    pub(super) fn put(&self, qualifier: &str, event_invoke: EventInvoke, modified: DateTime<Utc>) -> Dated {
        let dated = Dated { event_invoke, modified };
        self.lock().insert(qualifier.to_owned(), dated.clone());
        dated
    }

    /// Replaces what `change` says. `None`: nothing was said before, and that stays so.
    pub(super) fn update(&self, qualifier: &str, change: EventInvoke, modified: DateTime<Utc>) -> Option<Dated> {
        let mut all = self.lock();
        let dated = all.get_mut(qualifier)?;
        let before = std::mem::take(&mut dated.event_invoke);
        dated.event_invoke = EventInvoke {
            retries_max: change.retries_max.or(before.retries_max),
            age_seconds_max: change.age_seconds_max.or(before.age_seconds_max),
            destinations: change.destinations.or(before.destinations),
        };
        dated.modified = modified;
        Some(dated.clone())
    }

    pub(super) fn get(&self, qualifier: &str) -> Option<Dated> {
        self.lock().get(qualifier).cloned()
    }

    /// Says whether there was one.
    pub(super) fn delete(&self, qualifier: &str) -> bool {
        self.lock().remove(qualifier).is_some()
    }

    /// All, by qualifier.
    pub(super) fn all(&self) -> Vec<(String, Dated)> {
        self.lock().iter().map(|(qualifier, dated)| (qualifier.clone(), dated.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn an_update_keeps_what_it_does_not_name_and_a_put_does_not() {
        let all = EventInvokes::default();
        let retries = |count| EventInvoke { retries_max: Some(count), ..EventInvoke::default() };
        let age = EventInvoke { age_seconds_max: Some(60), ..EventInvoke::default() };
        assert_eq!(all.update("live", retries(1), NOW), None);
        all.put("live", retries(1), NOW);
        let both = EventInvoke { retries_max: Some(1), ..age.clone() };
        assert_eq!(all.update("live", age.clone(), NOW).map(|dated| dated.event_invoke), Some(both));
        assert_eq!(all.put("live", age.clone(), NOW).event_invoke, age);
        assert_eq!((age.retries(), age.age_max()), (2, Duration::from_secs(60)));
        assert!(all.delete("live") && !all.delete("live"));
    }

    #[test]
    fn what_lambda_refuses_is_refused() {
        let to = |arn: &str| EventInvoke {
            destinations: Some(Destinations { on_failure: Some(arn.to_owned()), ..Destinations::default() }),
            ..EventInvoke::default()
        };
        for refused in [
            EventInvoke { retries_max: Some(3), ..EventInvoke::default() },
            EventInvoke { age_seconds_max: Some(59), ..EventInvoke::default() },
            EventInvoke { age_seconds_max: Some(21_601), ..EventInvoke::default() },
            to("failed"),
        ] {
            assert!(refused.problem().is_some(), "{refused:?}");
        }
        assert_eq!(to("arn:aws:sns:us-east-1:000000000000:failed").problem(), None);
    }
}
