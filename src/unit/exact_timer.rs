//! A timer of the system's own, exact to some microseconds: tokio rounds every wait up to its next millisecond.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A `timerfd`. It takes a descriptor, runs in real time alone, and is for one moment at a time.
#[derive(Debug)]
pub(crate) struct ExactTimer {
    descriptor: AsyncFd<OwnedFd>,
    /// What it is set to, so that a wait that goes on after an interruption costs no call.
    deadline: Option<Instant>,
}

impl ExactTimer {
    /// Opens one, on a runtime that does I/O.
    #[expect(deprecated, reason = "its successor is unsafe; an `OwnedFd` keeps its number for as long as it lives")]
    pub(crate) fn open() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { descriptor: AsyncFd::new(descriptor)?, deadline: None })
    }

    /// Returns at `deadline`, never before it.
    pub(crate) async fn until(&mut self, deadline: Instant) -> io::Result<()> {
        while Instant::now() < deadline {
            poll_fn(|context| self.poll(context, deadline)).await?;
        }
        Ok(())
    }

    /// Ready at `deadline`, or some microseconds before it where the timer was set anew meanwhile.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<io::Result<()>> {
        if self.deadline != Some(deadline) {
            let wait = deadline.saturating_duration_since(Instant::now());
            rustix::time::timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::empty(), &once(wait))?;
            self.deadline = Some(deadline);
        }
        loop {
            let mut guard = ready!(self.descriptor.poll_read_ready(context))?;
            let read = guard.try_io(|inner| {
                let mut expirations = [0; 8];
                rustix::io::read(inner.get_ref(), &mut expirations).map_err(io::Error::from)
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
