//! Setup and teardown: steps that one user takes once, before all others come and after all have left.
//!
//! Owns: how they are walked, and their limits. Must not know: frames; what is done here is counted in none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::http::{Client, Failure};
use super::prepare::{Prepared, StepNames, TEARDOWN};
use super::program::{Next, Position, Program, draw};
use super::request::{Cookies, perform};
use super::template::Scope;
use crate::load::failure::FailureKind;
use crate::load::frame::FailureSample;
use crate::load::plan::LoadPlan;
use crate::load::{SETUP_MAX, TEARDOWN_MAX};
use crate::unit::Clock;

/// The generator of this user is none of a visitor's: these have the streams from 0 on.
const STREAM: u64 = u64::MAX;

/// The user who takes the steps of the setup and of the teardown, with what it has captured and its cookies.
#[derive(Debug)]
pub(super) struct Caretaker {
    scope: Scope,
    cookies: Cookies,
}

/// A step of the setup or the teardown that failed.
#[derive(Debug)]
pub(super) struct OnceFailure {
    /// The step's name; none where the time was over.
    pub(super) step: Option<String>,
    pub(super) failure: Failure,
}

impl Caretaker {
    pub(super) fn new(plan: &LoadPlan, prepared: &Prepared, clock: Clock) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        random.set_stream(STREAM);
        Self { scope: Scope::new(Arc::clone(&prepared.shared), random, clock), cookies: Cookies::default() }
    }

    /// Takes the steps of the setup, at most for [`SETUP_MAX`], and gives what they captured. A stop cuts it short.
    pub(super) async fn set_up(
        &mut self,
        client: &Client,
        prepared: &Prepared,
        stop: &CancellationToken,
    ) -> Result<BTreeMap<String, Value>, OnceFailure> {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            walked = tokio::time::timeout(SETUP_MAX, self.walk(client, &prepared.setup, &prepared.once_names)) => {
                walked.unwrap_or_else(|_| Err(OnceFailure::out_of_time(SETUP_MAX)))?;
            }
        }
        Ok(self.scope.values.clone())
    }

    /// Takes the steps of the teardown, at most for [`TEARDOWN_MAX`]. A step that fails keeps no other from being taken; the
    /// failures are told.
    pub(super) async fn tear_down(&mut self, client: &Client, prepared: &Prepared) -> Vec<FailureSample> {
        if prepared.teardown.is_empty() {
            return Vec::new();
        }
        let mut failures = Vec::new();
        let mut position = Position::default();
        let walk = async {
            while let Err(failure) =
                self.walk_from(&mut position, client, &prepared.teardown, &prepared.once_names).await
            {
                failures.push(failure);
            }
        };
        let is_late = tokio::time::timeout(TEARDOWN_MAX, walk).await.is_err();
        failures.extend(is_late.then(|| OnceFailure::out_of_time(TEARDOWN_MAX)));
        failures.into_iter().map(OnceFailure::into_sample).collect()
    }

    async fn walk(&mut self, client: &Client, program: &Program, names: &StepNames) -> Result<(), OnceFailure> {
        self.walk_from(&mut Position::default(), client, program, names).await
    }

    /// Goes on from a position to the end, or to the first failure.
    async fn walk_from(
        &mut self,
        position: &mut Position,
        client: &Client,
        program: &Program,
        names: &StepNames,
    ) -> Result<(), OnceFailure> {
        let fail = |slot: usize, failure| {
            Err(OnceFailure { step: names.slots.get(slot).map(|(_, step)| step.clone()), failure })
        };
        loop {
            match position.next(program, &mut self.scope) {
                Next::Request(step) => {
                    let exchange = perform(client, &mut self.cookies, step, &mut self.scope, Instant::now()).await;
                    match exchange.outcome {
                        Ok(captured) => self.scope.values.extend(captured),
                        Err(failure) => return fail(step.slot, failure),
                    }
                    if let Some(think) = step.think {
                        tokio::time::sleep(draw(think, &mut self.scope.random)).await;
                    }
                }
                Next::Rest(rest) => tokio::time::sleep(rest).await,
                Next::GiveWay => tokio::task::yield_now().await,
                Next::Failed { slot, failure } => return fail(slot, failure),
                Next::Over => return Ok(()),
            }
        }
    }
}

impl OnceFailure {
    fn out_of_time(limit: Duration) -> Self {
        let text = format_args!("not done within {limit:?}");
        Self { step: None, failure: Failure::new(FailureKind::Timeout, text) }
    }

    fn into_sample(self) -> FailureSample {
        let Failure { kind, detail } = self.failure;
        FailureSample { journey: TEARDOWN.to_owned(), step: self.step.unwrap_or_default(), kind, detail }
    }
}
