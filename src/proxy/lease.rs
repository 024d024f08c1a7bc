//! The controller's lease: the faults live no longer than somebody who would end them.
//!
//! Pure state and the one task that waits for its deadlines. Once a lease has been taken it must be renewed; when it
//! lapses the proxies fail open, and take no toxic until it is renewed, so that a controller that was stopped and wakes
//! up late can not bring a fault back.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::counters::LeaseStats;
use crate::unit::elapsed_ms;

/// The longest lease and the longest time limit that may be asked for: 7 days, in milliseconds.
pub(crate) const LEASE_MS_MAX: u64 = 7 * 24 * 3_600 * 1_000;

/// The state of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lease {
    /// No controller has taken one: toxics stay until they are removed.
    #[default]
    NeverTaken,
    /// A controller holds it until then.
    HeldUntil(Instant),
    /// It was not renewed in time.
    Lapsed,
}

impl Lease {
    /// The state at `now`, also if nobody has acted on a deadline that has passed.
    pub(crate) fn at(self, now: Instant) -> Self {
        match self {
            Self::HeldUntil(deadline) if deadline <= now => Self::Lapsed,
            Self::NeverTaken | Self::HeldUntil(_) | Self::Lapsed => self,
        }
    }

    pub(crate) fn stats(self, now: Instant) -> LeaseStats {
        match self.at(now) {
            Self::NeverTaken => LeaseStats::NeverTaken,
            Self::HeldUntil(deadline) => LeaseStats::HeldMs(elapsed_ms(deadline - now)),
            Self::Lapsed => LeaseStats::Lapsed,
        }
    }
}

/// The moments at which something must happen by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// When the lease lapses.
    pub(crate) lapse: Option<Instant>,
    /// When the process ends.
    pub(crate) end: Option<Instant>,
    /// When a toxic, a rule, or that a proxy is out of reach, is over by itself.
    pub(crate) expiry: Option<Instant>,
}

/// What a deadline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// The lease has lapsed.
    Lease,
    /// The time to live of a toxic, or of something else, is over.
    TimeToLive,
    /// The time limit of the process is over.
    TimeLimit,
    /// Nobody can set a deadline any more.
    Abandoned,
}

/// Waits until a deadline passes, however often they are moved meanwhile.
pub(crate) async fn expired(deadlines: &mut watch::Receiver<Deadlines>) -> Expired {
    loop {
        let present = *deadlines.borrow_and_update();
        tokio::select! {
            biased;
            changed = deadlines.changed() => if changed.is_err() {
                return Expired::Abandoned;
            },
            () = reached(present.end) => return Expired::TimeLimit,
            () = reached(present.lapse) => return Expired::Lease,
            () = reached(present.expiry) => return Expired::TimeToLive,
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A number of milliseconds from a request as a time, if it lies in 1 to [`LEASE_MS_MAX`].
pub(crate) fn checked_wait(millis: u64) -> Option<Duration> {
    (1..=LEASE_MS_MAX).contains(&millis).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_renewed_lease_lapses_after_its_last_renewal() {
        let start = Instant::now();
        let (sender, mut receiver) =
            watch::channel(Deadlines { lapse: Some(start + 2 * SECOND), ..Deadlines::default() });
        let waiting = tokio::spawn(async move { (expired(&mut receiver).await, Instant::now()) });
        tokio::time::sleep(SECOND).await;
        sender.send_replace(Deadlines { lapse: Some(start + 3 * SECOND), ..Deadlines::default() });
        let (what, when) = waiting.await.expect("no panic");
        assert_eq!((what, when), (Expired::Lease, start + 3 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_limit_ends_what_no_lease_does() {
        let start = Instant::now();
        let (sender, mut receiver) =
            watch::channel(Deadlines { end: Some(start + 5 * SECOND), ..Deadlines::default() });
        assert_eq!(expired(&mut receiver).await, Expired::TimeLimit);
        assert_eq!(Instant::now(), start + 5 * SECOND);
        sender.send_replace(Deadlines::default());
        drop(sender);
        assert_eq!(expired(&mut receiver).await, Expired::Abandoned);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_past_its_deadline_is_lapsed_even_if_nobody_has_acted_on_it() {
        let start = Instant::now();
        let lease = Lease::HeldUntil(start + SECOND);
        assert_eq!(lease.stats(start), LeaseStats::HeldMs(1_000));
        assert_eq!(lease.at(start + SECOND), Lease::Lapsed);
        assert_eq!(Lease::NeverTaken.at(start + SECOND), Lease::NeverTaken);
    }

    #[test]
    fn a_lease_has_bounds() {
        assert_eq!(checked_wait(0), None);
        assert_eq!(checked_wait(1), Some(Duration::from_millis(1)));
        assert_eq!(checked_wait(LEASE_MS_MAX + 1), None);
    }
}
