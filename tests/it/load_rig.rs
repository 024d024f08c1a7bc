//! What tests of the load worker share: a plan, the worker as a real process, and what it came to.

use std::path::Path;
use std::time::Duration;

use gameday::load::{EndReason, Frame, LoadError, LoadPlan, LoadSpec, LoadWorker, Targets, Totals, WorkerRecord};
use gameday::unit::Clock;
use tokio::time::{Instant, timeout};

/// Longer than any test should take, on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn gameday() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_gameday"))
}

/// A plan against the server at `url`; journeys and shape as a scenario writes them.
pub(crate) fn plan(url: &str, journeys: &str, shape: &str) -> LoadPlan {
    let yaml = format!("{{base_url: '{url}', journeys: {journeys}, shape: {shape}}}");
    let spec: LoadSpec = serde_yaml::from_str(&yaml).unwrap();
    assert_eq!(spec.problems(), []);
    let read = |path: &str, _| panic!("nothing was said of `{path}`");
    LoadPlan::build(&"users".parse().unwrap(), &spec, Clock::start().origin(), 7, &Targets::NONE, &read).unwrap()
}

pub(crate) async fn spawn(plan: &LoadPlan) -> LoadWorker {
    LoadWorker::spawn(gameday(), plan).await.unwrap()
}

pub(crate) async fn next(worker: &mut LoadWorker) -> Option<Result<WorkerRecord, LoadError>> {
    timeout(PATIENCE, worker.next()).await.expect("a record in time")
}

/// What a load came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<Frame>,
    pub(crate) end: Option<(EndReason, u64)>,
}

impl Outcome {
    pub(crate) fn add(&mut self, record: WorkerRecord) {
        match record {
            WorkerRecord::Ready { .. } | WorkerRecord::Closing => {}
            WorkerRecord::Frame(frame) => self.frames.push(frame),
            WorkerRecord::Ended { reason, abandoned } => self.end = Some((reason, abandoned)),
        }
    }

    pub(crate) fn totals(&self, step: Option<&str>) -> Totals {
        let mut totals = Totals::default();
        self.frames.iter().for_each(|frame| totals.add(frame, step));
        totals
    }
}

/// Runs a load to its end.
pub(crate) async fn run(plan: &LoadPlan) -> Outcome {
    let mut worker = spawn(plan).await;
    let mut outcome = Outcome::default();
    while let Some(record) = next(&mut worker).await {
        outcome.add(record.unwrap());
    }
    outcome
}

pub(crate) async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
