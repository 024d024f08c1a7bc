//! The one reader of clocks. Wall time is read once; afterwards time is the origin plus monotonic time, so that a
//! step of the system clock cannot reorder a run.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// A run's time: wall-clock origin and monotonic start. Tests pause tokio's time, so no trait is needed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: DateTime<Utc>,
    start: Instant,
}

impl Clock {
    /// Starts a clock at this moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn start() -> Self {
        Self { origin: Utc::now(), start: Instant::now() }
    }

    /// A clock whose zero lies at `origin`, a wall-clock moment that may be in the past: for a process that joins a run.
    #[must_use]
    pub fn since(origin: DateTime<Utc>) -> Self {
        let now = Self::start();
        let behind = (now.origin - origin).to_std().unwrap_or_default();
        Self { origin, start: now.start.checked_sub(behind).unwrap_or(now.start) }
    }

    /// A clock with a given origin that starts now: the same input gives the same output in tests.
    #[must_use]
    pub fn with_origin(origin: DateTime<Utc>) -> Self {
        Self { origin, start: Instant::now() }
    }

    /// The wall-clock moment of the clock's zero.
    #[must_use]
    pub fn origin(&self) -> DateTime<Utc> {
        self.origin
    }

    /// Monotonic time since the clock's zero.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The present moment, by this clock: origin plus elapsed.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.origin + TimeDelta::from_std(self.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    /// The instant at `elapsed` after the clock's zero, for a timer.
    #[must_use]
    pub fn instant(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }
}

/// A duration as whole milliseconds, the form in which events and frames carry time since a run's start.
#[must_use]
pub fn elapsed_ms(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The CPU time that this process has used so far, all its threads together.
#[must_use]
pub fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn now_is_the_origin_plus_elapsed_time() {
        let origin = DateTime::UNIX_EPOCH;
        let clock = Clock::with_origin(origin);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.elapsed(), Duration::from_secs(90));
        assert_eq!(clock.now(), origin + TimeDelta::seconds(90));
    }
}
