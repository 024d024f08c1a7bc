//! When something is over by itself unless it is put off: a toxic, a rule, a TLS fault, or that a proxy is out of reach.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The end of something's time to live, which can be put off while it is in use.
#[derive(Debug, Default)]
pub(crate) struct Expiry(Mutex<Option<Instant>>);

impl Expiry {
    /// An end so long from now; none is never.
    pub(crate) fn after(ttl: Option<Duration>) -> Self {
        Self::at_end(end(ttl))
    }

    /// An end that is known.
    pub(crate) fn at_end(end: Option<Instant>) -> Self {
        Self(Mutex::new(end))
    }

    /// When it is over; none is never.
    pub(crate) fn end(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is over at `now`.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// Begins its time to live anew.
    pub(crate) fn begin(&self, ttl: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end(ttl);
    }
}

fn end(ttl: Option<Duration>) -> Option<Instant> {
    ttl.map(|ttl| Instant::now() + ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_ends_later_and_what_has_no_time_never() {
        let ttl = Some(Duration::from_secs(5));
        let (expiry, never) = (Expiry::after(ttl), Expiry::after(None));
        tokio::time::advance(Duration::from_secs(4)).await;
        expiry.begin(ttl);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(!expiry.is_over(Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(expiry.is_over(Instant::now()));
        assert!(!never.is_over(Instant::now()));
    }
}
