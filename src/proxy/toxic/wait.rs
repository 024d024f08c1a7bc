//! Waits as the admin API writes them: a number of milliseconds, whole as in Toxiproxy or with a fraction.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, Serializer, de};

use super::{TOXIC_WAIT_MS_MAX, ToxicError};
use crate::unit::elapsed_ms;

/// The longest wait.
pub(super) const TOXIC_WAIT_MAX: Duration = Duration::from_millis(TOXIC_WAIT_MS_MAX);

/// Refuses a wait beyond a day.
pub(super) fn checked(attribute: &'static str, wait: Duration) -> Result<Duration, ToxicError> {
    if wait > TOXIC_WAIT_MAX { Err(ToxicError::TooLong { attribute, millis: elapsed_ms(wait) }) } else { Ok(wait) }
}

pub(super) fn serialize<S: Serializer>(wait: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    if wait.subsec_nanos().is_multiple_of(1_000_000) {
        serializer.serialize_u64(elapsed_ms(*wait))
    } else {
        serializer.serialize_f64(wait.as_secs_f64() * 1_000.0)
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(millis / 1_000.0).map_err(|_| de::Error::custom(format!("`{millis}` ms is no wait")))
}
