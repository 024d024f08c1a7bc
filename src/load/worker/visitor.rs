//! One virtual user: which journey, which step, what was captured, and when it is done resting.
//!
//! A user that is not under way draws a journey by weight, takes its steps in order and rests after each. After a
//! failed step it starts anew. Its cookies last as long as it does.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{Client, Failure};
use super::prepare::{Prepared, PreparedStep};
use super::recorder::Recorder;
use super::request::{Cookies, perform};
use super::template::Scope;
use crate::unit::{Clock, DurationRange};

/// A user rests no longer than this at a time, so that it can leave when the shape asks for fewer.
const REST_SLICE_MAX: Duration = Duration::from_millis(500);

/// The least rest of a user who comes again after a request that did not get through: one without think time must not hammer a
/// closed port.
const REST_AFTER_NO_ANSWER_LEAST: Duration = Duration::from_millis(100);

/// A virtual user.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    scope: Scope,
    cookies: Cookies,
    journey: usize,
    /// The step to take next; 0 draws a journey first.
    step: usize,
    resting_until: Option<Instant>,
}

/// What a user does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Advance {
    rest: Duration,
    /// Whether the journey is over, and why: it was walked to its end, or a step failed.
    is_over: bool,
}

impl Visitor {
    /// The `index`-th user of a load: the same seed and index make the same choices.
    pub(crate) fn new(seed: u64, index: u64, clock: Clock) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index);
        let scope = Scope { values: BTreeMap::new(), random, clock };
        Self { scope, cookies: Cookies::default(), journey: 0, step: 0, resting_until: None }
    }

    /// Does the next thing: rests a while, or makes one request. Never returns once the load is over.
    pub(crate) async fn take_turn(&mut self, client: &Client, prepared: &Prepared, recorder: &Recorder) {
        if let Some(until) = self.resting_until {
            let now = Instant::now();
            if now < until {
                tokio::time::sleep_until(until.min(now + REST_SLICE_MAX)).await;
                return;
            }
            self.resting_until = None;
        }
        let Some(advance) = self.take_step(client, prepared, recorder, Instant::now()).await else {
            // The worker is about to end. Coming back would only bring the next turn.
            return std::future::pending().await;
        };
        self.resting_until = (!advance.rest.is_zero()).then(|| Instant::now() + advance.rest);
    }

    /// Walks one journey from its start, which was meant to be at `arrival`, to its end or that of the load. False where the
    /// load was over before it began.
    pub(crate) async fn walk(
        &mut self,
        client: &Client,
        prepared: &Prepared,
        recorder: &Recorder,
        arrival: Instant,
    ) -> bool {
        let mut intended = arrival;
        let mut has_begun = false;
        loop {
            let Some(advance) = self.take_step(client, prepared, recorder, intended).await else { return has_begun };
            has_begun = true;
            if advance.is_over {
                return true;
            }
            if !advance.rest.is_zero() {
                tokio::time::sleep(advance.rest).await;
            }
            intended = Instant::now();
        }
    }

    /// Makes the next request; none where the load is over.
    async fn take_step(
        &mut self,
        client: &Client,
        prepared: &Prepared,
        recorder: &Recorder,
        intended: Instant,
    ) -> Option<Advance> {
        let step = self.next_step(prepared)?;
        if !recorder.begin() {
            return None;
        }
        let exchange = perform(client, &mut self.cookies, step, &mut self.scope, intended).await;
        recorder.end(step.slot, &exchange);
        Some(self.advance(prepared, step, exchange.outcome))
    }

    fn next_step<'p>(&mut self, prepared: &'p Prepared) -> Option<&'p PreparedStep> {
        if self.step == 0 {
            self.scope.values.clear();
            self.journey = self.draw(prepared);
        }
        prepared.journeys.get(self.journey)?.steps.get(self.step)
    }

    /// A journey, by weight.
    fn draw(&mut self, prepared: &Prepared) -> usize {
        if prepared.journeys.len() == 1 {
            return 0;
        }
        let total: u64 = prepared.journeys.iter().map(|journey| u64::from(journey.weight)).sum();
        let mut rest = self.scope.random.random_range(0..total.max(1));
        for (index, journey) in prepared.journeys.iter().enumerate() {
            match rest.checked_sub(u64::from(journey.weight)) {
                Some(less) => rest = less,
                None => return index,
            }
        }
        0
    }

    fn advance(
        &mut self,
        prepared: &Prepared,
        step: &PreparedStep,
        outcome: Result<BTreeMap<String, Value>, Failure>,
    ) -> Advance {
        let mut rest = step.think.map_or(Duration::ZERO, |think| self.think(think));
        match outcome {
            Ok(captured) => {
                self.scope.values.extend(captured);
                let steps = prepared.journeys.get(self.journey).map_or(0, |journey| journey.steps.len());
                self.step = if self.step + 1 < steps { self.step + 1 } else { 0 };
            }
            Err(failure) => {
                self.step = 0;
                if failure.kind.is_no_answer() {
                    rest = rest.max(REST_AFTER_NO_ANSWER_LEAST);
                }
            }
        }
        Advance { rest, is_over: self.step == 0 }
    }

    fn think(&mut self, think: DurationRange) -> Duration {
        self.scope.random.random_range(think.least..=think.most)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::frame::FailureKind;
    use crate::load::plan::LoadPlan;
    use crate::load::spec::LoadSpec;
    use crate::load::worker::http::{Connector, Version};

    fn prepared(journeys: &str) -> Prepared {
        let yaml = format!("{{base_url: 'http://a', journeys: {journeys}, shape: [{{hold: 1m, at: 2 users}}]}}");
        let spec: LoadSpec = serde_yaml::from_str(&yaml).unwrap();
        let load = "users".parse().unwrap();
        let plan = LoadPlan::build(&load, &spec, chrono::DateTime::UNIX_EPOCH, 1, |_| None).unwrap();
        Prepared::from_plan(&plan, &client()).unwrap()
    }

    fn client() -> Client {
        Client::new(Connector::new(Version::Http1, &[]).unwrap())
    }

    fn visitor(seed: u64, index: u64) -> Visitor {
        Visitor::new(seed, index, Clock::with_origin(chrono::DateTime::UNIX_EPOCH))
    }

    /// Takes the next step with this outcome; gives its number and what comes next.
    fn walk(visitor: &mut Visitor, prepared: &Prepared, outcome: Result<Value, FailureKind>) -> (usize, Advance) {
        let step = visitor.next_step(prepared).unwrap();
        let taken = visitor.step;
        let captured = outcome.map(|value| serde_json::from_value(value).unwrap());
        (taken, visitor.advance(prepared, step, captured.map_err(|kind| Failure::new(kind, ""))))
    }

    #[test]
    fn a_user_takes_the_steps_in_order_and_forgets_captures_at_the_end() {
        let prepared = prepared("[{name: j, steps: [{get: /a}, {get: /b}]}]");
        let mut visitor = visitor(1, 0);
        let advance = |is_over| Advance { rest: Duration::ZERO, is_over };
        assert_eq!(walk(&mut visitor, &prepared, Ok(json!({"id": 17}))), (0, advance(false)));
        assert_eq!(visitor.scope.values["id"], 17);
        assert_eq!(walk(&mut visitor, &prepared, Ok(json!({}))), (1, advance(true)));
        assert_eq!(walk(&mut visitor, &prepared, Ok(json!({}))), (0, advance(false)));
        assert!(visitor.scope.values.is_empty());
    }

    #[test]
    fn a_failed_step_abandons_the_rest_of_the_journey() {
        let prepared = prepared("[{name: j, steps: [{get: /a}, {get: /b}, {get: /c}]}]");
        let mut visitor = visitor(1, 0);
        walk(&mut visitor, &prepared, Ok(json!({})));
        let over = |rest| Advance { rest, is_over: true };
        assert_eq!(walk(&mut visitor, &prepared, Err(FailureKind::Status)), (1, over(Duration::ZERO)));
        assert_eq!(walk(&mut visitor, &prepared, Err(FailureKind::Connect)), (0, over(REST_AFTER_NO_ANSWER_LEAST)));
    }

    #[test]
    fn a_rest_lies_within_its_range_and_a_step_can_have_its_own() {
        let prepared = prepared("[{name: j, think: 1s..3s, steps: [{get: /a}, {get: /b, think: 10s}]}]");
        let mut visitor = visitor(1, 0);
        for _ in 0..50 {
            let (_, Advance { rest, .. }) = walk(&mut visitor, &prepared, Ok(json!({})));
            assert!((Duration::from_secs(1)..=Duration::from_secs(3)).contains(&rest), "{rest:?}");
            assert_eq!(walk(&mut visitor, &prepared, Ok(json!({}))).1.rest, Duration::from_secs(10));
        }
    }

    #[test]
    fn journeys_are_drawn_by_weight_and_the_same_seed_draws_the_same() {
        let prepared = prepared("[{name: a, weight: 3, steps: [{get: /a}]}, {name: b, weight: 7, steps: [{get: /b}]}]");
        let draw = |seed, index| {
            let mut visitor = visitor(seed, index);
            (0..1000).map(|_| visitor.draw(&prepared)).collect::<Vec<_>>()
        };
        let share = draw(1, 0).iter().filter(|journey| **journey == 0).count();
        assert!((240..=360).contains(&share), "{share} of 1000");
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }
}
