//! One virtual user: which journey, which step, what was captured, and when it is done resting.
//!
//! A user that is not under way draws a journey by weight, takes its steps as they lead to each other and rests after each
//! request. After a failed step it starts anew. Its cookies last as long as it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{Client, Failure};
use super::prepare::{Prepared, PreparedStep};
use super::program::{Next, Position, draw};
use super::recorder::Recorder;
use super::request::{Cookies, Exchange, perform};
use super::template::Scope;
use crate::load::failure::FailureKind;
use crate::unit::Clock;

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
    /// Where the user is in the journey; none draws one first.
    position: Option<Position>,
    /// Whether the journey has taken any time so far.
    has_begun: bool,
    resting_until: Option<Instant>,
}

/// What a user does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Advance {
    rest: Duration,
    /// Whether a request was made.
    was_request: bool,
    /// Whether the journey is over, and why: it was walked to its end, or a step failed.
    is_over: bool,
}

impl Visitor {
    /// The `index`-th user of a load: the same seed and index make the same choices.
    pub(crate) fn new(prepared: &Prepared, seed: u64, index: u64, clock: Clock) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index);
        let scope = Scope::new(Arc::clone(&prepared.shared), random, clock);
        let cookies = Cookies::default();
        Self { scope, cookies, journey: 0, position: None, has_begun: false, resting_until: None }
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
        if self.position.is_none() && !recorder.lets_in(REST_SLICE_MAX).await {
            return;
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
        let mut is_first = true;
        loop {
            let Some(advance) = self.take_step(client, prepared, recorder, intended).await else { return has_begun };
            has_begun = true;
            if advance.is_over {
                return true;
            }
            if !advance.rest.is_zero() {
                tokio::time::sleep(advance.rest).await;
            }
            is_first &= !advance.was_request;
            // Who came late is late for its first request by as much, however long it rests before.
            intended = if is_first { intended + advance.rest } else { Instant::now() };
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
        Some(match self.next_step(prepared) {
            Next::Request(step) => {
                if !recorder.begin() {
                    return None;
                }
                let exchange = perform(client, &mut self.cookies, step, &mut self.scope, intended).await;
                recorder.end(step.slot, &exchange);
                self.advance(prepared, step, exchange.outcome)
            }
            Next::Rest(rest) => self.advance_by(prepared, rest, false),
            Next::GiveWay => {
                tokio::task::yield_now().await;
                Advance { rest: Duration::ZERO, was_request: false, is_over: false }
            }
            Next::Failed { slot, failure } => {
                if !recorder.begin() {
                    return None;
                }
                recorder.end(slot, &Exchange::unmade(failure));
                self.position = None;
                Advance { rest: REST_AFTER_NO_ANSWER_LEAST, was_request: false, is_over: true }
            }
            Next::Over => {
                self.position = None;
                // A journey that does nothing must not be taken again and again in no time.
                let rest = if self.has_begun { Duration::ZERO } else { REST_AFTER_NO_ANSWER_LEAST };
                Advance { rest, was_request: false, is_over: true }
            }
        })
    }

    /// What comes next; of a journey that is drawn first, where the user is in none.
    fn next_step<'p>(&mut self, prepared: &'p Prepared) -> Next<'p> {
        let drawn = match self.position {
            Some(_) => None,
            None => Some(self.draw(prepared)),
        };
        let Some(journey) = prepared.journeys.get(drawn.unwrap_or(self.journey)) else { return Next::Over };
        if let Some(drawn) = drawn {
            self.scope.values.clear();
            self.journey = drawn;
            self.has_begun = false;
            if let Err(failure) = self.take_rows(prepared, &journey.rows) {
                return Next::Failed { slot: journey.rows_slot, failure };
            }
        }
        let next = self.position.get_or_insert_default().next(&journey.program, &mut self.scope);
        self.has_begun |= matches!(next, Next::Request(_) | Next::Rest(_));
        next
    }

    fn take_rows(&mut self, prepared: &Prepared, tables: &[usize]) -> Result<(), Failure> {
        let rows = &prepared.shared.rows;
        self.scope.rows.clear();
        for table in tables {
            let row = rows.take(*table, &mut self.scope.random);
            let row = row.map_err(|none_left| Failure::new(FailureKind::Other, none_left))?;
            self.scope.rows.resize(rows.count(), None);
            if let Some(taken) = self.scope.rows.get_mut(*table) {
                *taken = row;
            }
        }
        Ok(())
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
        let rest = step.think.map_or(Duration::ZERO, |think| draw(think, &mut self.scope.random));
        match outcome {
            Ok(captured) => {
                self.scope.values.extend(captured);
                self.advance_by(prepared, rest, true)
            }
            Err(failure) => {
                self.position = None;
                let least = if failure.kind.is_no_answer() { REST_AFTER_NO_ANSWER_LEAST } else { Duration::ZERO };
                Advance { rest: rest.max(least), was_request: true, is_over: true }
            }
        }
    }

    /// What comes after a step that went well.
    fn advance_by(&mut self, prepared: &Prepared, rest: Duration, was_request: bool) -> Advance {
        let program = prepared.journeys.get(self.journey).map(|journey| &journey.program);
        let is_over = match (&mut self.position, program) {
            (Some(position), Some(program)) => position.is_over(program, &mut self.scope),
            (None, _) | (_, None) => true,
        };
        if is_over {
            self.position = None;
        }
        Advance { rest, was_request, is_over }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::plan::LoadPlan;
    use crate::load::plan::Targets;
    use crate::load::spec::LoadSpec;
    use crate::load::worker::http::{Connector, Version};

    fn prepared(journeys: &str) -> Prepared {
        let yaml = format!("{{base_url: 'http://a', journeys: {journeys}, shape: [{{hold: 1m, at: 2 users}}]}}");
        let spec: LoadSpec = serde_yaml::from_str(&yaml).unwrap();
        let load = "users".parse().unwrap();
        let read = |_: &str, _| Ok(b"n\n1\n2\n".to_vec());
        let plan = LoadPlan::build(&load, &spec, chrono::DateTime::UNIX_EPOCH, 1, &Targets::NONE, &read).unwrap();
        Prepared::from_plan(&plan, &client()).unwrap()
    }

    fn client() -> Client {
        Client::new(Connector::new(Version::Http1, &[]).unwrap())
    }

    fn visitor(prepared: &Prepared, seed: u64, index: u64) -> Visitor {
        Visitor::new(prepared, seed, index, Clock::with_origin(chrono::DateTime::UNIX_EPOCH))
    }

    /// Makes the next request with this outcome; gives its number and what comes next.
    fn walk(visitor: &mut Visitor, prepared: &Prepared, outcome: Result<Value, FailureKind>) -> (usize, Advance) {
        let Next::Request(step) = visitor.next_step(prepared) else { panic!("a request") };
        let taken = step.slot;
        let captured = outcome.map(|value| serde_json::from_value(value).unwrap());
        (taken, visitor.advance(prepared, step, captured.map_err(|kind| Failure::new(kind, ""))))
    }

    #[test]
    fn a_user_takes_the_steps_in_order_and_forgets_captures_at_the_end() {
        let prepared = prepared("[{name: j, steps: [{get: /a}, {get: /b}]}]");
        let mut visitor = visitor(&prepared, 1, 0);
        let advance = |is_over| Advance { rest: Duration::ZERO, was_request: true, is_over };
        assert_eq!(walk(&mut visitor, &prepared, Ok(json!({"id": 17}))), (0, advance(false)));
        assert_eq!(visitor.scope.values["id"], 17);
        assert_eq!(walk(&mut visitor, &prepared, Ok(json!({}))), (1, advance(true)));
        assert_eq!(walk(&mut visitor, &prepared, Ok(json!({}))), (0, advance(false)));
        assert!(visitor.scope.values.is_empty());
    }

    #[test]
    fn a_failed_step_abandons_the_rest_of_the_journey() {
        let prepared = prepared("[{name: j, steps: [{get: /a}, {get: /b}, {get: /c}]}]");
        let mut visitor = visitor(&prepared, 1, 0);
        walk(&mut visitor, &prepared, Ok(json!({})));
        let over = |rest| Advance { rest, was_request: true, is_over: true };
        assert_eq!(walk(&mut visitor, &prepared, Err(FailureKind::Status)), (1, over(Duration::ZERO)));
        assert_eq!(walk(&mut visitor, &prepared, Err(FailureKind::Connect)), (0, over(REST_AFTER_NO_ANSWER_LEAST)));
    }

    #[test]
    fn a_rest_lies_within_its_range_and_a_step_can_have_its_own() {
        let prepared = prepared("[{name: j, think: 1s..3s, steps: [{get: /a}, {get: /b, think: 10s}]}]");
        let mut visitor = visitor(&prepared, 1, 0);
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
            let mut visitor = visitor(&prepared, seed, index);
            (0..1000).map(|_| visitor.draw(&prepared)).collect::<Vec<_>>()
        };
        let share = draw(1, 0).iter().filter(|journey| **journey == 0).count();
        assert!((240..=360).contains(&share), "{share} of 1000");
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }

    #[test]
    fn a_journey_takes_a_row_when_it_begins_and_fails_when_none_is_left() {
        let prepared = prepared(
            "[{name: j, steps: [{get: '/${rows.n}'}, {get: '/${rows.n}'}]}], data: {rows: {file: rows.csv, pick: unique}}",
        );
        let mut visitor = visitor(&prepared, 1, 0);
        for row in ["1", "1", "2", "2"] {
            walk(&mut visitor, &prepared, Ok(json!({})));
            assert_eq!(visitor.scope.get("rows.n"), Some(&json!(row)));
        }
        let Next::Failed { slot, failure } = visitor.next_step(&prepared) else { panic!("no row is left") };
        assert_eq!((prepared.names.slots[slot].1.as_str(), failure.kind), ("data", FailureKind::Other));
        assert!(failure.detail.contains("each row of `rows` was taken"), "{}", failure.detail);
    }
}
