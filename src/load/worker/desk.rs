//! The desk at which the arrivals of an open load wait for a user who takes them.
//!
//! Owns: which arrivals have come, which of them wait, which will never begin. Must not know: what a user does.
//!
//! Nothing is kept for an arrival that waits: which moment is next is asked of the schedule again, so that a server that
//! stalls for minutes at any rate costs no memory.

use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::load::course::Steer;
use crate::load::frame::ArrivalFrame;
use crate::load::schedule::Arrivals;
use crate::unit::Histogram;

/// How long nobody need be called while all users are under way and arrivals wait.
const FULL_WAIT: Duration = Duration::from_millis(1);

/// See the module's text.
#[derive(Debug)]
pub(super) struct Desk {
    /// The zero of the schedule.
    started: Instant,
    /// How long an arrival waits before it is given up.
    patience: Duration,
    users_max: usize,
    state: Mutex<State>,
    /// Told when the next arrival may have become another.
    steered: Notify,
}

#[derive(Debug)]
struct State {
    arrivals: Arrivals,
    planned: u64,
    begun: u64,
    not_sent: u64,
    /// How many of those were told.
    not_sent_told: u64,
    lag: Option<Histogram>,
    /// Users who have nothing to do, by number; the last was busy last.
    idle: Vec<(usize, Waker)>,
    /// All users there are.
    users: usize,
    is_closed: bool,
}

impl State {
    fn waiting(&self) -> u64 {
        self.planned - self.begun - self.not_sent
    }

    /// Takes note of what has come by `now`, in time since the schedule's zero.
    fn catch_up(&mut self, now: Duration) {
        while self.arrivals.peek().is_some_and(|next| next <= now) && !self.is_closed {
            self.planned += 1;
            self.arrivals.next();
        }
    }

    /// The first arrival that waits and has not waited for too long.
    fn take(&mut self, now: Duration, patience: Duration) -> Option<Duration> {
        while self.waiting() > 0 {
            let arrival = self.arrivals.take_up();
            if arrival + patience > now {
                self.begun += 1;
                return Some(arrival);
            }
            self.not_sent += 1;
        }
        None
    }

    /// Takes note of how late an arrival began though somebody could have begun it in time.
    fn note_lag(&mut self, lag: Duration) {
        self.lag.get_or_insert_with(Histogram::growing).record(lag);
    }
}

/// A user at the desk.
#[derive(Debug)]
pub(super) struct Seat {
    number: usize,
    /// Whether the user has just come from a journey, and not from waiting or from nowhere.
    has_walked: bool,
}

impl Seat {
    pub(super) fn new(number: usize) -> Self {
        Self { number, has_walked: false }
    }
}

impl Desk {
    pub(super) fn new(arrivals: Arrivals, started: Instant, patience: Duration, users_max: usize) -> Self {
        let state = State {
            arrivals,
            planned: 0,
            begun: 0,
            not_sent: 0,
            not_sent_told: 0,
            lag: None,
            idle: Vec::new(),
            users: 0,
            is_closed: false,
        };
        Self { started, patience, users_max, state: Mutex::new(state), steered: Notify::new() }
    }

    /// The time since the schedule's zero; none before it.
    fn now(&self) -> Option<Duration> {
        Instant::now().checked_duration_since(self.started)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls users for what has come by now. The numbers of the users that are to be made because none is idle, and when the
    /// next arrival comes; none when there is none, unless the load is steered.
    pub(super) fn call(&self) -> (Range<usize>, Option<Instant>) {
        let mut state = self.state();
        let Some(now) = self.now() else { return (0..0, Some(self.started)) };
        state.catch_up(now);
        let mut wanted = usize::try_from(state.waiting()).unwrap_or(usize::MAX);
        while wanted > 0
            && let Some((_, user)) = state.idle.pop()
        {
            user.wake();
            wanted -= 1;
        }
        let made = state.users..self.users_max.min(state.users.saturating_add(wanted));
        state.users = made.end;
        let next = state.arrivals.peek().filter(|_| !state.is_closed).map(|next| self.started + next);
        // Users who finish look for themselves what has come meanwhile.
        let is_full = wanted > made.len();
        (made, next.map(|next| if is_full { next.max(Instant::now() + FULL_WAIT) } else { next }))
    }

    /// Steers what has not come yet; from when on, since the schedule's zero.
    pub(super) fn steer(&self, to: Steer) -> Duration {
        let mut state = self.state();
        let now = self.now();
        now.into_iter().for_each(|now| state.catch_up(now));
        let at = now.unwrap_or_default();
        state.arrivals.steer(at, to);
        self.steered.notify_one();
        at
    }

    /// Waits until the load was steered since this was waited for last.
    pub(super) async fn steered(&self) {
        self.steered.notified().await;
    }

    /// When the next arrival of a user was meant to begin; none when the desk is closed. It waits for one.
    pub(super) async fn next(&self, seat: &mut Seat) -> Option<Instant> {
        poll_fn(|context| {
            let mut state = self.state();
            if state.is_closed {
                return Poll::Ready(None);
            }
            let now = self.now().unwrap_or_default();
            state.catch_up(now);
            match state.take(now, self.patience) {
                Some(arrival) => {
                    // An arrival that waited because all users were under way is not late by the pacer.
                    let is_full = state.users == self.users_max && state.idle.is_empty();
                    if !(seat.has_walked && is_full) {
                        state.note_lag(now.saturating_sub(arrival));
                    }
                    seat.has_walked = true;
                    Poll::Ready(Some(self.started + arrival))
                }
                None => {
                    seat.has_walked = false;
                    // Something else may have woken it: it waits in one place only.
                    if state.idle.last().is_none_or(|(number, _)| *number != seat.number) {
                        state.idle.retain(|(number, _)| *number != seat.number);
                        state.idle.push((seat.number, context.waker().clone()));
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// An arrival that was taken did not begin after all: the load is over.
    pub(super) fn take_back(&self) {
        let mut state = self.state();
        state.begun -= 1;
        state.not_sent += 1;
    }

    /// Nobody begins any more: those that wait, and those that would still come, are not sent or not planned.
    pub(super) fn close(&self) {
        let mut state = self.state();
        self.now().into_iter().for_each(|now| state.catch_up(now));
        state.is_closed = true;
        state.not_sent += state.waiting();
        state.idle.drain(..).for_each(|(_, user)| user.wake());
    }

    /// What has come so far, and how late that was noticed since the last call.
    pub(super) fn frame(&self) -> ArrivalFrame {
        let mut state = self.state();
        self.now().into_iter().for_each(|now| state.catch_up(now));
        let not_sent_now = state.not_sent - state.not_sent_told;
        state.not_sent_told = state.not_sent;
        ArrivalFrame {
            planned: state.planned,
            begun: state.begun,
            waiting: state.waiting(),
            not_sent: state.not_sent,
            not_sent_now,
            pacer_lag: state.lag.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::{Spacing, Stripe};
    use crate::load::shape::Shape;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Ten a second for ten seconds.
    fn desk(users_max: usize) -> Desk {
        let shape = Shape::from_stages(&serde_yaml::from_str::<Vec<_>>("[{hold: 10s, at: 10/s}]").unwrap());
        let arrivals = Arrivals::new(&shape, Spacing::Even, 1, Stripe::default());
        Desk::new(arrivals, Instant::now(), PATIENCE, users_max)
    }

    fn counts(desk: &Desk) -> [u64; 4] {
        let ArrivalFrame { planned, begun, waiting, not_sent, .. } = desk.frame();
        [planned, begun, waiting, not_sent]
    }

    #[tokio::test(start_paused = true)]
    async fn arrivals_are_taken_in_order_with_the_moment_that_they_were_meant_for() {
        let desk = desk(2);
        let zero = Instant::now();
        let mut seat = Seat::new(0);
        assert_eq!(desk.call(), (0..1, Some(zero + Duration::from_millis(100))));
        assert_eq!(desk.next(&mut seat).await, Some(zero));
        tokio::time::advance(Duration::from_millis(350)).await;
        assert_eq!(counts(&desk), [4, 1, 3, 0]);
        let full = Some(Instant::now().max(zero + Duration::from_millis(400)));
        assert_eq!(desk.call(), (1..2, full), "one of the two that may be is there");
        assert!(desk.call().0.is_empty());
        for tenths in 1..4 {
            assert_eq!(
                desk.next(&mut seat).await,
                Some(zero + Duration::from_millis(100) * tenths),
                "late, and not forgotten"
            );
        }
        assert!(tokio::time::timeout(Duration::ZERO, desk.next(&mut seat)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_called_and_nobody_more_is_made() {
        let desk = std::sync::Arc::new(desk(5));
        let zero = Instant::now();
        assert_eq!(desk.call().0, 0..1);
        let mut seat = Seat::new(0);
        assert_eq!(desk.next(&mut seat).await, Some(zero));
        let user = tokio::spawn({
            let desk = std::sync::Arc::clone(&desk);
            async move { desk.next(&mut seat).await }
        });
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(desk.call().0.is_empty());
        assert_eq!(user.await.unwrap(), Some(zero + Duration::from_millis(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_comes_before_the_schedule_begins() {
        let zero = Instant::now() + Duration::from_millis(50);
        let desk = Desk { started: zero, ..desk(1) };
        assert_eq!(desk.call(), (0..0, Some(zero)));
        assert_eq!(counts(&desk), [0; 4]);
        tokio::time::advance(Duration::from_millis(50)).await;
        assert_eq!(desk.call().0, 0..1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_somebody_could_have_begun_in_time_is_late() {
        let desk = desk(1);
        let mut seat = Seat::new(0);
        desk.call();
        tokio::time::advance(Duration::from_millis(20)).await;
        desk.next(&mut seat).await;
        tokio::time::advance(Duration::from_millis(180)).await;
        // It was under way when this one came, and there is nobody else.
        desk.next(&mut seat).await;
        let lag = desk.frame().pacer_lag.expect("one was late");
        assert_eq!((lag.count(), lag.max().map(|lag| lag.as_millis())), (1, Some(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_and_another_rate_change_what_comes_and_lose_nothing_that_has_come() {
        let desk = desk(1);
        let zero = Instant::now();
        let mut seat = Seat::new(0);
        desk.call();
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(desk.steer(Steer { rate: None, is_paused: true }), Duration::from_millis(250));
        desk.steered().await;
        assert_eq!(desk.call().1, None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(counts(&desk), [3, 0, 3, 0]);
        for tenths in 0..3 {
            assert_eq!(desk.next(&mut seat).await, Some(zero + Duration::from_millis(100) * tenths));
        }
        assert!(tokio::time::timeout(Duration::ZERO, desk.next(&mut seat)).await.is_err(), "nobody comes in a pause");
        desk.frame();
        desk.steer(Steer { rate: Some("50/s".parse().unwrap()), is_paused: false });
        // Half of the way to the fourth arrival was gone when the pause began.
        let next = zero + Duration::from_millis(2_260);
        assert_eq!(desk.call().1, Some(next));
        tokio::time::advance(Duration::from_millis(10)).await;
        assert_eq!(desk.next(&mut seat).await, Some(next));
        let frame = desk.frame();
        assert_eq!(
            frame.pacer_lag.and_then(|lag| lag.max()),
            Some(Duration::from_micros(1)),
            "a pause makes nobody late"
        );
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(counts(&desk)[0], 3 + 50 * 775 / 100, "at the new rate up to the end of the shape");
    }

    #[tokio::test(start_paused = true)]
    async fn a_load_that_is_steered_before_it_begins_begins_so() {
        let zero = Instant::now() + Duration::from_millis(50);
        let desk = Desk { started: zero, ..desk(1) };
        assert_eq!(desk.steer(Steer { rate: None, is_paused: true }), Duration::ZERO);
        tokio::time::advance(Duration::from_millis(550)).await;
        assert_eq!(counts(&desk), [0; 4]);
        desk.steer(Steer::default());
        assert_eq!(counts(&desk), [1, 0, 1, 0], "the first comes when the pause is over");
        assert_eq!(desk.call().1, Some(zero + Duration::from_millis(600)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_for_too_long_and_who_waits_at_the_end_is_not_sent() {
        let desk = desk(1);
        let zero = Instant::now();
        desk.call();
        tokio::time::advance(Duration::from_secs(35)).await;
        let mut seat = Seat::new(0);
        assert_eq!(desk.next(&mut seat).await, Some(zero + Duration::from_millis(5_100)));
        assert_eq!(counts(&desk), [100, 1, 48, 51]);
        desk.close();
        assert_eq!(counts(&desk), [100, 1, 0, 99]);
        assert_eq!(desk.next(&mut seat).await, None);
        assert_eq!(desk.call().1, None);
        desk.take_back();
        assert_eq!(counts(&desk), [100, 0, 0, 100]);
    }
}
