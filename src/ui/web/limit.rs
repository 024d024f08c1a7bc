//! How often something may be asked: a bucket that fills up again with time.

use std::time::Duration;

use tokio::time::Instant;

/// So many requests at once, and then one at each interval.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    interval: Duration,
    burst: u32,
    /// When all that was asked so far would have been asked at its pace.
    even_at: Option<Instant>,
}

impl Bucket {
    /// A full bucket of `burst` that gets one more each `interval`.
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, even_at: None }
    }

    /// Takes one at `now`.
    ///
    /// # Errors
    /// It is empty: how long the next one takes to come.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let even_at = self.even_at.map_or(now, |even_at| even_at.max(now)) + self.interval;
        let ahead = even_at.duration_since(now);
        match ahead.checked_sub(self.interval * self.burst) {
            None | Some(Duration::ZERO) => {
                self.even_at = Some(even_at);
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_through_and_then_one_at_each_interval() {
        let mut bucket = Bucket::new(Duration::from_millis(100), 3);
        let now = Instant::now();
        assert_eq!([(); 4].map(|()| bucket.take(now).is_ok()), [true, true, true, false]);
        assert_eq!(bucket.take(now), Err(Duration::from_millis(100)));
        let later = now + Duration::from_millis(100);
        assert_eq!([(); 2].map(|()| bucket.take(later).is_ok()), [true, false]);
        let much_later = now + Duration::from_secs(60);
        assert_eq!([(); 4].map(|()| bucket.take(much_later).is_ok()), [true, true, true, false]);
    }
}
