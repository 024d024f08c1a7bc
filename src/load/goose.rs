//! The only file that names goose. Goose starts and stops virtual users along the shape and lets them take their
//! turns; what a turn is, and what it measures, is ours (`worker/visitor.rs`).
//!
//! Hazards that it keeps in the worker process (goose 0.19.0): it takes SIGINT, prints to standard output, and its
//! stop switch is global to the process. Its own metrics, telnet port and reports are off.

use std::sync::Arc;
use std::time::Duration;

use ::goose::GooseAttack;
use ::goose::GooseError;
use ::goose::client::GooseClientBuilder;
use ::goose::config::{GooseConfiguration, GooseDefault, GooseDefaultType as _};
use ::goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};

use super::plan::LoadPlan;
use super::shape::Shape;
use super::worker::http::Client;
use super::worker::prepare::Prepared;
use super::worker::recorder::Recorder;
use super::worker::visitor::Visitor;
use crate::unit::Level;

/// Goose wants a host although each request has a whole URL; nothing is ever sent to this one.
const HOST_UNUSED: &str = "http://127.0.0.1/";

/// Goose's `quiet` level that prints only errors.
const QUIET: u8 = 2;

/// Why users could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttackError {
    /// Goose refused the load, or failed.
    // Its display text leaves out what it is about, so the debug text is given.
    #[error("failed to run goose: {0:?}")]
    Goose(#[source] Box<GooseError>),
}

impl From<GooseError> for AttackError {
    fn from(error: GooseError) -> Self {
        Self::Goose(Box::new(error))
    }
}

/// A load that is ready to begin.
pub(crate) struct Attack {
    goose: GooseAttack,
    client: Arc<Client>,
    prepared: Arc<Prepared>,
    seed: u64,
}

impl Attack {
    /// Makes goose's configuration. What users send goes over `client`: goose's own is never used.
    pub(crate) fn prepare(plan: &LoadPlan, client: Arc<Client>, prepared: Arc<Prepared>) -> Result<Self, AttackError> {
        let mut configuration = GooseConfiguration::default();
        configuration.no_metrics = true;
        configuration.no_print_metrics = true;
        configuration.no_telnet = true;
        configuration.quiet = QUIET;
        let goose = GooseAttack::initialize_with_config(configuration)?
            .set_default(GooseDefault::TestPlan, test_plan(&plan.shape).as_str())?
            // Otherwise goose makes a client for each user before it starts the first.
            .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?;
        Ok(Self { goose, client, prepared, seed: plan.seed })
    }

    /// Runs users along the shape. Returns when the shape has come down to no users and all have left; a shape that
    /// ends with users runs on until this future is dropped.
    pub(crate) async fn execute(self, recorder: Arc<Recorder>) -> Result<(), AttackError> {
        let Self { goose, client, prepared, seed } = self;
        let users = Scenario::new("users")
            .set_host(HOST_UNUSED)
            .register_transaction(
                Transaction::new(enter(Arc::clone(&recorder), Arc::clone(&prepared), seed)).set_on_start(),
            )
            .register_transaction(Transaction::new(take_turn(Arc::clone(&recorder), client, prepared)))
            .register_transaction(Transaction::new(leave(recorder)).set_on_stop());
        // Its metrics are off; ours are with the recorder.
        goose.register_scenario(users).execute().await?;
        Ok(())
    }
}

/// A user comes: it gets a state of its own.
fn enter(recorder: Arc<Recorder>, prepared: Arc<Prepared>, seed: u64) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        user.set_session_data(Visitor::new(&prepared, seed, recorder.enter(), recorder.clock()));
        Box::pin(async { Ok(()) })
    })
}

/// A user makes one request or rests a while. Goose asks between turns whether it should leave.
fn take_turn(recorder: Arc<Recorder>, client: Arc<Client>, prepared: Arc<Prepared>) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        let recorder = Arc::clone(&recorder);
        let client = Arc::clone(&client);
        let prepared = Arc::clone(&prepared);
        Box::pin(async move {
            let visitor = user.get_session_data_unchecked_mut::<Visitor>();
            visitor.take_turn(&client, &prepared, &recorder).await;
            Ok(())
        })
    })
}

/// A user leaves.
fn leave(recorder: Arc<Recorder>) -> TransactionFunction {
    Arc::new(move |_: &mut GooseUser| {
        recorder.leave();
        Box::pin(async { Ok(()) })
    })
}

/// The shape in goose's words: `users,seconds` for each stage, where goose ramps evenly to `users`.
///
/// Goose counts stages in whole seconds, so each stage's end is rounded to the nearest; the errors do not add up.
fn test_plan(shape: &Shape) -> String {
    let mut steps: Vec<String> = Vec::new();
    let mut users_before = 0;
    let mut end = Duration::ZERO;
    let mut end_seconds_before = 0;
    for segment in shape.segments() {
        let (from, to) = (users(segment.from), users(segment.to));
        if from != users_before {
            steps.push(format!("{from},0"));
        }
        end += segment.lasting.0;
        let end_seconds = (end + Duration::from_millis(500)).as_secs();
        // Goose never leaves a step that keeps its users for 0 s.
        if to != from || end_seconds > end_seconds_before {
            steps.push(format!("{to},{}", end_seconds - end_seconds_before));
        }
        end_seconds_before = end_seconds;
        users_before = to;
    }
    steps.join(";")
}

fn users(level: Level) -> u32 {
    match level {
        Level::Users(users) => users.0,
        // The shapes of an open model are not goose's.
        Level::Rate(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn plan(yaml: &str) -> String {
        test_plan(&Shape::from_stages(&serde_yaml::from_str::<Vec<_>>(yaml).unwrap()))
    }

    #[test]
    fn a_shape_becomes_a_test_plan() {
        assert_eq!(plan("[{ramp: 3m, to: 40 users}, {hold: 60m}, {ramp: 1m, to: 0 users}]"), "40,180;40,3600;0,60");
    }

    #[test]
    fn a_jump_is_a_step_that_takes_no_time() {
        assert_eq!(plan("[{hold: 5s, at: 20 users}, {hold: 5s, at: 3 users}]"), "20,0;20,5;3,0;3,5");
    }

    #[test]
    fn a_hold_that_rounds_to_nothing_is_left_out() {
        assert_eq!(plan("[{ramp: 2s, to: 3 users}, {hold: 400ms}, {ramp: 300ms, to: 1 users}]"), "3,2;1,1");
        assert_eq!(plan("[{hold: 0s, at: 3 users}, {hold: 2s}]"), "3,0;3,2");
    }

    proptest! {
        #[test]
        fn a_test_plan_is_as_long_as_its_shape(millis in proptest::collection::vec(1_u64..5_000, 1..10)) {
            let stages: Vec<String> = millis.iter().map(|millis| format!("{{ramp: {millis}ms, to: {millis} users}}")).collect();
            let shape = Shape::from_stages(&serde_yaml::from_str::<Vec<_>>(&format!("[{}]", stages.join(","))).unwrap());
            let seconds: u64 = test_plan(&shape).split(';').map(|step| step.split_once(',').unwrap().1.parse::<u64>().unwrap()).sum();
            prop_assert!(Duration::from_secs(seconds).abs_diff(shape.end()) <= Duration::from_millis(500));
        }
    }

    #[test]
    fn rounding_to_whole_seconds_does_not_add_up() {
        let half_seconds = "{ramp: 500ms, to: 1 users}, {ramp: 500ms, to: 2 users}";
        let text = plan(&format!("[{half_seconds}, {half_seconds}, {half_seconds}]"));
        let total: u64 = text.split(';').map(|step| step.split_once(',').unwrap().1.parse::<u64>().unwrap()).sum();
        assert_eq!(total, 3);
    }
}
