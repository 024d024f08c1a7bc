//! What is done when the run's own machinery fails.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::super::folder::read_plan;
use super::super::ledger::Recorder;
use super::super::notices::Notices;
use super::super::outcome::Outcome;
use super::super::recover::{close_proxy, read_undos, undo_all};
use super::super::remote_lock::RemoteLock;
use crate::event::{AbortCause, EventKind, RunOutcome};
use crate::fault::FaultEnvironment;
use crate::unit::error_chain;

/// How long injections and undos that are under way may take once the engine is gone; each has a budget of its own.
const TASKS_WAIT: Duration = Duration::from_secs(300);

/// The run's own machinery has failed: what it left is undone from its folder, as another process would.
pub(super) async fn undo_after_panic(
    recorder: &Recorder,
    faults: &FaultEnvironment,
    lock: Option<&RemoteLock>,
    tasks: &TaskTracker,
    notices: &Notices,
    panic: String,
) -> Outcome {
    let record = |kind| recorder.record_anyway(kind);
    record(EventKind::RunAborted { cause: AbortCause::Internal { error: panic } });
    // What is on its way in or out comes to its end first: nothing may be changed behind the undo.
    tasks.close();
    tokio::time::timeout(TASKS_WAIT, tasks.wait()).await.ok();
    let state = recorder.recording().state().clone();
    match read_plan(recorder.log().directory()) {
        Ok(plan) => {
            let (undos, unusable) = read_undos(recorder.log().directory(), &state, &plan);
            unusable.into_iter().for_each(&record);
            undo_all(recorder, faults, undos).await;
        }
        Err(error) => record(EventKind::Noted { text: error_chain(&error), by: None }),
    }
    close_proxy(&state).await;
    let state = recorder.recording().state().clone();
    let left: Vec<String> = state.outstanding().map(|fault| fault.change.clone()).collect();
    let is_clean = left.is_empty();
    record(if is_clean { EventKind::RunSettled } else { EventKind::RunDirty { left } });
    if let Some(lock) = lock {
        lock.end(recorder, is_clean).await;
    }
    let outcome = Outcome::of(recorder.recording().state());
    notices.end().await;
    record(EventKind::RunEnded { outcome: RunOutcome::Aborted, exit_code: outcome.exit_code() });
    outcome
}
