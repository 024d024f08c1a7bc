//! One link's timer: exact to a fraction of a millisecond where the system has one for us.
//!
//! Tokio rounds every wait up to its next millisecond, which costs a short delay more than one. A `timerfd` does not,
//! but it takes a file descriptor and knows nothing of paused time, so that it is opened by the first wait alone, and
//! only on real sockets.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Sleep};

use super::limit::{Descriptors, Taken};

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
    exact: Option<ExactTimer>,
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
            let waited = exact.map(|exact| exact.poll(context, deadline, wait));
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
                    self.exact = descriptors.take(1).and_then(|taken| ExactTimer::open(taken).ok());
                }
                self.exact.as_mut()
            }
            #[cfg(test)]
            Clockwork::Wheel => None,
        }
    }
}

/// A `timerfd`.
#[derive(Debug)]
struct ExactTimer {
    descriptor: AsyncFd<std::os::fd::OwnedFd>,
    /// What it is set to, so that a wait that goes on after an interruption costs no call.
    deadline: Option<Instant>,
    _taken: Taken,
}

impl ExactTimer {
    #[expect(deprecated, reason = "its successor is unsafe; an `OwnedFd` keeps its number for as long as it lives")]
    fn open(taken: Taken) -> std::io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { descriptor: AsyncFd::new(descriptor)?, deadline: None, _taken: taken })
    }

    /// Ready at `deadline`, which is `wait` away.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant, wait: Duration) -> Poll<std::io::Result<()>> {
        if self.deadline != Some(deadline) {
            rustix::time::timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::empty(), &once(wait))?;
            self.deadline = Some(deadline);
        }
        loop {
            let mut guard = ready!(self.descriptor.poll_read_ready(context))?;
            let read = guard.try_io(|inner| {
                let mut expirations = [0; 8];
                rustix::io::read(inner.get_ref(), &mut expirations).map_err(std::io::Error::from)
            });
            // An error of the other kind means that it was set anew since it became readable.
            if let Ok(outcome) = read {
                self.deadline = None;
                return Poll::Ready(outcome.map(drop));
            }
        }
    }
}

/// A setting that expires once; zero would switch the timer off.
fn once(wait: Duration) -> Itimerspec {
    let wait = wait.max(Duration::from_nanos(1));
    let timespec = |duration: Duration| Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    };
    Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(wait) }
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
