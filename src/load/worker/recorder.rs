//! Counts what users do, second by second, and decides whether a request may still begin.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::prepare::StepNames;
use super::request::Exchange;
use super::service::Start;
use crate::load::course::{Course, Steer};
use crate::load::failure::FailureKind;
use crate::load::frame::{ConnectionFrame, FailureSample, Frame, SAMPLES_MAX, StepFrame};
use crate::load::shape::Shape;
use crate::load::spec::Model;
use crate::load::status::StatusClass;
use crate::unit::{Clock, Histogram, LATENCY_MICROS_MAX, LoadId, elapsed_ms};

/// The one place that users report to.
#[derive(Debug)]
pub(crate) struct Recorder {
    load: LoadId,
    names: Vec<(String, String)>,
    names_folded: bool,
    clock: Clock,
    /// The shape's zero, since the run's zero.
    started: Duration,
    /// Cancelled when the load must stop; read for each request, so that stopping waits for nobody.
    stop: CancellationToken,
    /// In an open model response and service times are two things.
    is_open: bool,
    /// How long the shape is.
    lasting: Duration,
    is_paused: watch::Sender<bool>,
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Debug)]
struct State {
    course: Course,
    in_flight: u64,
    started: u64,
    users_active: u64,
    users_ever: u64,
    /// The first second that is in no frame yet.
    second_next: u64,
    /// The second in which something happened last.
    second_present: u64,
    seconds: BTreeMap<u64, Second>,
    /// How things stood at the end of seconds that are in no frame yet.
    stands: BTreeMap<u64, Stand>,
    /// How many failures of each kind were told with their details.
    sampled: BTreeMap<FailureKind, usize>,
}

/// How things stand at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Stand {
    in_flight: u64,
    started: u64,
    users_active: u64,
}

impl State {
    fn stand(&self) -> Stand {
        Stand { in_flight: self.in_flight, started: self.started, users_active: self.users_active }
    }

    /// Goes on to `second`: how things stood at the end of those before is kept.
    fn turn_to(&mut self, second: u64) {
        while self.second_present < second {
            let stand = self.stand();
            self.stands.insert(self.second_present, stand);
            self.second_present += 1;
        }
    }
}

#[derive(Debug, Default)]
struct Second {
    /// One for each slot, as far as something ended of it.
    tallies: Vec<Tally>,
    connect: Option<Histogram>,
    tls: Option<Histogram>,
    samples: Vec<FailureSample>,
    latency_clipped: bool,
}

#[derive(Debug, Default)]
struct Tally {
    /// Response times by whether the request met its expectations, and by its answer's class.
    responses: BTreeMap<(bool, StatusClass), Histogram>,
    service: Option<Histogram>,
    first_byte: Option<Histogram>,
    failures: BTreeMap<FailureKind, u64>,
    statuses: BTreeMap<u16, u64>,
    bytes: u64,
    init: Option<Histogram>,
    init_told: u64,
}

impl Second {
    fn tally(&mut self, slot: usize) -> &mut Tally {
        if self.tallies.len() <= slot {
            self.tallies.resize_with(slot + 1, Tally::default);
        }
        self.tallies.get_mut(slot).expect("invariant: it was just made")
    }
}

fn record(histogram: &mut Option<Histogram>, latency: Duration) {
    histogram.get_or_insert_with(Histogram::growing).record(latency);
}

impl Recorder {
    /// A recorder whose shape begins when `lead` is over.
    pub(crate) fn new(
        load: LoadId,
        names: &StepNames,
        shape: &Shape,
        clock: Clock,
        lead: Duration,
        stop: CancellationToken,
    ) -> Self {
        let started = clock.elapsed() + lead;
        let second = started.as_secs();
        let state = State {
            course: Course::new(shape),
            in_flight: 0,
            started: 0,
            users_active: 0,
            users_ever: 0,
            second_next: second,
            second_present: second,
            seconds: BTreeMap::new(),
            stands: BTreeMap::new(),
            sampled: BTreeMap::new(),
        };
        Self {
            load,
            names: names.slots.clone(),
            names_folded: names.is_folded,
            is_open: shape.model() == Some(Model::Open),
            lasting: shape.end(),
            is_paused: watch::Sender::new(false),
            clock,
            started,
            stop,
            state: Mutex::new(state),
            idle: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("invariant: nothing panics while it holds the lock")
    }

    /// The run's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The shape's zero, since the run's zero.
    pub(crate) fn started(&self) -> Duration {
        self.started
    }

    /// The moment, since the run's zero, from which on no request begins.
    pub(crate) fn end_of_shape(&self) -> Duration {
        self.started + self.lasting
    }

    /// What is asked for at a moment since the run's zero: users, or arrivals a second.
    pub(crate) fn target(&self, elapsed: Duration) -> f64 {
        self.target_of(&self.state(), elapsed)
    }

    fn target_of(&self, state: &State, elapsed: Duration) -> f64 {
        elapsed.checked_sub(self.started).map_or(0.0, |elapsed| state.course.level_at(elapsed))
    }

    /// Asks for something else from `at` on, since the shape's zero.
    pub(crate) fn steer(&self, at: Duration, to: Steer) {
        self.state().course.steer(at, to, f64::NEG_INFINITY..=f64::INFINITY);
        self.is_paused.send_replace(to.is_paused);
    }

    /// Whether a user of a closed model may begin a journey. While the load is paused it waits for its end, at most for `wait`.
    pub(crate) async fn lets_in(&self, wait: Duration) -> bool {
        if !*self.is_paused.borrow() {
            return true;
        }
        let mut paused = self.is_paused.subscribe();
        let goes_on = paused.wait_for(|is_paused| !is_paused);
        tokio::time::timeout(wait, goes_on).await.is_ok()
    }

    /// A user has come; its index in order of coming.
    pub(crate) fn enter(&self) -> u64 {
        let mut state = self.state();
        state.turn_to(self.clock.elapsed().as_secs());
        state.users_active += 1;
        state.users_ever += 1;
        state.users_ever - 1
    }

    /// A user has left.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.turn_to(self.clock.elapsed().as_secs());
        state.users_active -= 1;
    }

    /// Whether a request may begin, and if so counts it as in flight. After a stop none does: what was let in before is seen by
    /// whoever asks [`Recorder::in_flight`] from then on.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.state();
        let now = self.clock.elapsed();
        if self.stop.is_cancelled() || now >= self.end_of_shape() {
            return false;
        }
        state.turn_to(now.as_secs());
        state.in_flight += 1;
        state.started += 1;
        true
    }

    /// A request that had begun has ended: it counts in this second.
    pub(crate) fn end(&self, slot: usize, exchange: &Exchange) {
        let mut guard = self.state();
        let state = &mut *guard;
        // The clock is read under the lock, so that no second that is already in a frame gets another request.
        let second = self.clock.elapsed().as_secs();
        state.turn_to(second);
        let second = state.seconds.entry(second).or_default();
        second.latency_clipped |= exchange.response > Duration::from_micros(LATENCY_MICROS_MAX);
        if let Some(connect) = exchange.timings.connect {
            record(&mut second.connect, connect);
        }
        if let Some(tls) = exchange.timings.tls {
            record(&mut second.tls, tls);
        }
        if let Err(failure) = &exchange.outcome {
            let sampled = state.sampled.entry(failure.kind).or_default();
            if *sampled < SAMPLES_MAX
                && let Some((journey, step)) = self.names.get(slot).cloned()
            {
                *sampled += 1;
                second.samples.push(FailureSample {
                    journey,
                    step,
                    kind: failure.kind,
                    detail: failure.detail.clone(),
                });
            }
        }
        let tally = second.tally(slot);
        tally.bytes += exchange.bytes;
        if let Some(status) = exchange.status {
            *tally.statuses.entry(status).or_default() += 1;
        }
        tally.init_told += u64::from(exchange.start.is_some());
        if let Some(Start::Cold(took)) = exchange.start {
            record(&mut tally.init, took);
        }
        if self.is_open {
            record(&mut tally.service, exchange.service);
        }
        if let Some(first_byte) = exchange.timings.first_byte {
            record(&mut tally.first_byte, first_byte);
        }
        if let Err(failure) = &exchange.outcome {
            *tally.failures.entry(failure.kind).or_default() += 1;
        }
        let kind = (exchange.outcome.is_ok(), StatusClass::of(exchange.status));
        tally.responses.entry(kind).or_insert_with(Histogram::growing).record(exchange.response);
        state.in_flight -= 1;
        if state.in_flight == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.state().in_flight
    }

    /// How much of the second that ends at `over` the load was on.
    fn lasting_ms(&self, over: Duration, now: Duration) -> u64 {
        let from = self.started.max(over.saturating_sub(Duration::from_secs(1)));
        elapsed_ms(over.min(now).min(self.end_of_shape()).saturating_sub(from))
    }

    /// Waits until no request is in flight.
    pub(crate) async fn wait_until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// A frame for each second before `second` that has none yet, also for one in which nothing ended.
    pub(crate) fn frames_before(&self, second: u64) -> Vec<Frame> {
        let mut state = self.state();
        let now = self.clock.elapsed();
        state.turn_to(now.as_secs());
        let seconds = state.second_next..second.max(state.second_next);
        state.second_next = seconds.end;
        seconds
            .map(|second| {
                let Second { tallies, connect, tls, samples, latency_clipped } =
                    state.seconds.remove(&second).unwrap_or_default();
                let over = Duration::from_secs(second + 1);
                // Of a second that is not over it is how things stand now.
                let stand = state.stands.remove(&second).unwrap_or_else(|| state.stand());
                Frame {
                    load: self.load.clone(),
                    second,
                    lasting_ms: self.lasting_ms(over, now),
                    began_ms: elapsed_ms(self.started),
                    target: self.target_of(&state, over.min(now)),
                    users_active: stand.users_active,
                    in_flight: stand.in_flight,
                    started: stand.started,
                    arrivals: None,
                    steps: tallies
                        .into_iter()
                        .zip(&self.names)
                        .filter_map(|(tally, name)| step_frame(tally, name))
                        .collect(),
                    connections: ConnectionFrame { connect, tls, ..ConnectionFrame::default() },
                    samples,
                    names_folded: self.names_folded,
                    latency_clipped,
                    lag_ms: elapsed_ms(now.saturating_sub(over)),
                    worker_cpu_seconds: None,
                    doubts: Vec::new(),
                }
            })
            .collect()
    }
}

/// What ended of a step; none where nothing did.
fn step_frame(tally: Tally, name: &(String, String)) -> Option<StepFrame> {
    let (journey, step) = name.clone();
    let Tally { responses, service, first_byte, failures, statuses, bytes, init, init_told } = tally;
    let mut outcomes: BTreeMap<bool, Histogram> = BTreeMap::new();
    let mut classes: BTreeMap<StatusClass, Histogram> = BTreeMap::new();
    let is_mixed = responses.keys().any(|(_, class)| responses.keys().any(|(_, other)| other != class));
    for ((is_ok, class), histogram) in responses {
        if is_mixed {
            add(&mut classes, class, histogram.clone());
        }
        add(&mut outcomes, is_ok, histogram);
    }
    (!outcomes.is_empty()).then(|| StepFrame {
        journey,
        step,
        ok: outcomes.remove(&true),
        failed: outcomes.remove(&false),
        service,
        first_byte,
        failures,
        statuses,
        classes,
        bytes,
        init,
        init_told,
    })
}

fn add<Key: Ord>(sums: &mut BTreeMap<Key, Histogram>, key: Key, more: Histogram) {
    match sums.entry(key) {
        Entry::Vacant(entry) => drop(entry.insert(more)),
        Entry::Occupied(mut entry) => entry.get_mut().merge(&more),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::load::worker::http::{Failure, Timings};

    const MILLIS_100: Duration = Duration::from_millis(100);

    fn recorder() -> Recorder {
        let names = StepNames { slots: vec![("buy".to_owned(), "browse".to_owned())], is_folded: false };
        let shape = Shape::from_stages(&serde_yaml::from_str::<Vec<_>>("[{ramp: 10s, to: 10 users}]").unwrap());
        let clock = Clock::with_origin(DateTime::UNIX_EPOCH);
        Recorder::new("users".parse().unwrap(), &names, &shape, clock, Duration::ZERO, CancellationToken::new())
    }

    fn exchange(outcome: Result<(), FailureKind>) -> Exchange {
        Exchange {
            outcome: outcome.map(|()| BTreeMap::new()).map_err(|kind| Failure::new(kind, "as the test says")),
            status: Some(200),
            response: MILLIS_100,
            service: MILLIS_100,
            timings: Timings { first_byte: Some(MILLIS_100 / 2), ..Timings::default() },
            bytes: 5,
            start: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_counts_in_the_second_in_which_it_ended() {
        let recorder = recorder();
        recorder.enter();
        assert!(recorder.begin());
        assert!(recorder.begin());
        tokio::time::advance(Duration::from_millis(2_500)).await;
        recorder.end(0, &exchange(Ok(())));
        recorder.end(0, &exchange(Err(FailureKind::Status)));
        assert!(recorder.begin());
        tokio::time::advance(MILLIS_100 * 6).await;
        let frames = recorder.frames_before(3);
        assert_eq!(frames.iter().map(|frame| frame.second).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(frames[0].steps.is_empty() && frames[1].steps.is_empty());
        let step = &frames[2].steps[0];
        assert_eq!((step.journey.as_str(), step.step.as_str(), step.bytes), ("buy", "browse", 10));
        assert_eq!(step.ok.as_ref().map(Histogram::count), Some(1));
        assert_eq!(step.failures, BTreeMap::from([(FailureKind::Status, 1)]));
        assert_eq!((frames[2].in_flight, frames[2].started, frames[2].users_active, frames[2].lag_ms), (1, 3, 1, 100));
        assert_eq!((frames[1].in_flight, frames[1].started), (2, 2), "as it was at that second's end");
        assert_eq!((step.service.as_ref(), step.first_byte.as_ref().map(Histogram::count)), (None, Some(2)));
        assert_eq!(step.statuses, BTreeMap::from([(200, 2)]));
        assert_eq!(frames[2].samples.len(), 1);
        assert_eq!([frames[0].target, frames[2].target], [1.0, 3.0]);
        assert_eq!(frames[2].lasting_ms, 1_000);
        assert!(recorder.frames_before(3).is_empty(), "each second has one frame");
    }

    #[tokio::test(start_paused = true)]
    async fn classes_are_told_apart_where_there_are_several() {
        let recorder = recorder();
        let mut answers = [Some(200), Some(204), Some(500), None].map(|status| {
            let outcome = if status.is_some_and(|status| status < 300) { Ok(()) } else { Err(FailureKind::Status) };
            Exchange { status, ..exchange(outcome) }
        });
        for second in 1..=2 {
            for answer in &answers[..2 * second] {
                assert!(recorder.begin());
                recorder.end(0, answer);
            }
            answers[0].response *= 3;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let frames = recorder.frames_before(2);
        let [uniform, mixed] = [&frames[0].steps[0], &frames[1].steps[0]];
        assert_eq!((uniform.only_class(), uniform.classes.len(), uniform.count()), (Some(StatusClass::Success), 0, 2));
        assert_eq!((mixed.only_class(), mixed.ok.as_ref().map(Histogram::count)), (None, Some(2)));
        let max = |class| mixed.classes[&class].max().map(|max| max.as_millis());
        let counts: Vec<_> =
            mixed.classes.iter().map(|(class, histogram)| (class.as_str(), histogram.count())).collect();
        assert_eq!(counts, [("2xx", 2), ("5xx", 1), ("no_answer", 1)]);
        assert_eq!((max(StatusClass::Success), max(StatusClass::ServerError)), (Some(300), Some(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_begins_after_the_stop_or_the_end_of_the_shape() {
        let stopped = recorder();
        assert!(stopped.begin());
        stopped.stop.cancel();
        assert!(!stopped.begin());
        let over = recorder();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!over.begin());
        assert_eq!((stopped.in_flight(), over.in_flight()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_tells_what_was_asked_for_at_its_end_also_where_that_is_told_later() {
        let recorder = recorder();
        tokio::time::advance(MILLIS_100 * 25).await;
        recorder.steer(MILLIS_100 * 25, Steer { rate: None, is_paused: true });
        assert!(!recorder.lets_in(MILLIS_100).await);
        tokio::time::advance(MILLIS_100 * 10).await;
        let targets: Vec<f64> = recorder.frames_before(3).iter().map(|frame| frame.target).collect();
        assert_eq!(targets, [1.0, 2.0, 0.0]);
        recorder.steer(MILLIS_100 * 36, Steer::default());
        assert!(recorder.lets_in(MILLIS_100).await);
        assert!((recorder.target(Duration::from_secs(4)) - 4.0).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_comes_with_the_last_answer() {
        let recorder = recorder();
        recorder.wait_until_idle().await;
        assert!(recorder.begin());
        let wait = recorder.wait_until_idle();
        tokio::pin!(wait);
        assert!(tokio::time::timeout(MILLIS_100, &mut wait).await.is_err());
        recorder.end(0, &exchange(Ok(())));
        wait.await;
    }
}
