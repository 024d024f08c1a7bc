//! One link's timer: exact to a fraction of a millisecond where the system has one for us.
//!
//! Tokio rounds every wait up to its next millisecond, which costs a short delay more than one. A `timerfd` does not,
//! but it takes a file descriptor and knows nothing of paused time, so that it is opened by the first wait alone, and
//! only on real sockets.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::limit::{Descriptors, Taken};
use crate::unit::ExactTimer;

/// Waits longer than this are tokio's first, down to it: they need no descriptor meanwhile.
const EXACT_WAIT_MAX: Duration = Duration::from_secs(1);

/// Which clockwork a timer has.
#[derive(Debug, Clone)]
pub(crate) enum Clockwork {
    /// The system's timers, in real time; tokio's where there is no descriptor left for one.
    Exact(Descriptors),
    /// Tokio's wheel, which follows paused time: a millisecond late at most.
    #[cfg(test)]
    Wheel,
}

/// A timer for one moment at a time.
#[derive(Debug)]
pub(crate) struct Timer {
    clockwork: Clockwork,
    exact: Option<CountedTimer>,
    /// Tokio's own, for waits that are long or when there is no other.
    coarse: Option<Pin<Box<Sleep>>>,
}

impl Clockwork {
    /// What is left of the descriptors that its timers take.
    pub(crate) fn descriptors(&self) -> Option<&Descriptors> {
        match self {
            Self::Exact(descriptors) => Some(descriptors),
            #[cfg(test)]
            Self::Wheel => None,
        }
    }
}

impl Timer {
    pub(crate) fn new(clockwork: Clockwork) -> Self {
        Self { clockwork, exact: None, coarse: None }
    }

    /// Returns at `deadline`, never before it. A wait that is dropped leaves nothing behind.
    pub(crate) async fn until(&mut self, deadline: Instant) {
        poll_fn(|context| self.poll_until(context, deadline)).await;
    }

    /// Ready at `deadline`, never before it. Each call may name another moment.
    pub(crate) fn poll_until(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        loop {
            let now = Instant::now();
            if deadline <= now {
                return Poll::Ready(());
            }
            let wait = deadline - now;
            let exact = if wait > EXACT_WAIT_MAX { None } else { self.exact() };
            let waited = exact.map(|exact| exact.poll(context, deadline));
            match waited {
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Pending) => return Poll::Pending,
                // A timer that is broken, or none.
                Some(Poll::Ready(Err(_))) | None => {
                    let until = if wait > EXACT_WAIT_MAX { deadline - EXACT_WAIT_MAX / 2 } else { deadline };
                    ready!(self.poll_coarse(context, until));
                }
            }
        }
    }

    /// Ready at `until`, or where it was at an earlier moment.
    fn poll_coarse(&mut self, context: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.coarse.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        ready!(sleep.as_mut().poll(context));
        self.coarse = None;
        Poll::Ready(())
    }

    fn exact(&mut self) -> Option<&mut ExactTimer> {
        match &self.clockwork {
            Clockwork::Exact(descriptors) => {
                if self.exact.is_none() {
                    self.exact = descriptors
                        .take(1)
                        .and_then(|taken| Some(CountedTimer { timer: ExactTimer::open().ok()?, _taken: taken }));
                }
                self.exact.as_mut().map(|counted| &mut counted.timer)
            }
            #[cfg(test)]
            Clockwork::Wheel => None,
        }
    }
}

/// A `timerfd` and the share of the descriptors that it takes.
#[derive(Debug)]
struct CountedTimer {
    timer: ExactTimer,
    _taken: Taken,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn the_wheel_follows_paused_time_however_long_the_wait() {
        let mut timer = Timer::new(Clockwork::Wheel);
        for wait in [MILLISECOND, Duration::from_secs(1), Duration::from_secs(3_600)] {
            let deadline = Instant::now() + wait;
            timer.until(deadline).await;
            let late = Instant::now() - deadline;
            assert!(late <= MILLISECOND, "{late:?}");
        }
        let now = Instant::now();
        timer.until(now).await;
        assert_eq!(Instant::now(), now, "a moment that has come needs no wait");
    }

    #[tokio::test]
    async fn an_exact_timer_is_never_early_and_on_the_whole_far_less_than_a_millisecond_late() {
        let mut timer = Timer::new(Clockwork::Exact(Descriptors::new(1)));
        let mut late = Vec::new();
        for step in 1..=50_u32 {
            let deadline = Instant::now() + MILLISECOND / 4 + step * (MILLISECOND / 50);
            timer.until(deadline).await;
            let now = Instant::now();
            assert!(now >= deadline);
            late.push(now - deadline);
        }
        late.sort_unstable();
        // A busy machine makes some of them late; tokio's own timer would make the best of them so.
        let best = late.first().expect("50 of them");
        assert!(*best < MILLISECOND / 2, "{late:?}");
    }

    #[tokio::test]
    async fn a_wait_that_was_dropped_does_not_disturb_the_next() {
        let mut timer = Timer::new(Clockwork::Exact(Descriptors::new(1)));
        let far = Instant::now() + 500 * MILLISECOND;
        let near = Instant::now() + 5 * MILLISECOND;
        tokio::select! {
            biased;
            () = timer.until(far) => panic!("it has half a second to go"),
            () = std::future::ready(()) => {}
        }
        timer.until(near).await;
        assert!(Instant::now() >= near);
        timer.until(near).await;
        timer.until(near + MILLISECOND).await;
        assert!(Instant::now() >= near + MILLISECOND);
    }
}
