//! What the FIS experiments of a plan would work on, asked of the environment before any run of it.

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::control::short_name;
use super::stage::{Stage, StageError, StageOptions};
use crate::fault::{ExperimentPreview, FaultError, FaultKind};
use crate::plan::{Plan, TargetPlan};
use crate::unit::{Failpoints, FaultId};
use crate::workspace::Environment;

/// What came of looking at one experiment.
#[derive(Debug)]
pub struct Preview {
    /// The fault that is the experiment.
    pub fault: FaultId,
    /// What it would work on.
    pub outcome: Result<ExperimentPreview, FaultError>,
}

/// Looks for the targets of every FIS experiment of a plan, with all actions skipped, and leaves nothing behind, also when
/// it is interrupted. Killed in the middle it can leave a template without effect, which the next look takes away after ten
/// minutes, and an experiment without actions, which ends by itself.
///
/// `gameday` is the program, from which functions of an embedded sandbox are started; `workspace` is absolute.
///
/// # Errors
/// The stage cannot be set: nothing was asked of FIS then.
pub async fn preview(
    plan: &Plan,
    environment: &Environment,
    gameday: &Path,
    workspace: &Path,
) -> Result<Vec<Preview>, Box<StageError>> {
    // Nothing is led through the fault proxy for a look.
    let mut plan = plan.clone();
    plan.targets.retain(|_, target| !matches!(target, TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. }));
    let interrupted = interruption();
    let failpoints = Failpoints::default();
    let options = StageOptions {
        gameday,
        workspace,
        folder: None,
        session: "gameday-preview",
        short_name: &short_name(workspace),
        seed: 1,
        failpoints: &failpoints,
    };
    let mut stage = Stage::set(&plan, environment, &options, |_, _, _| {}).await.map_err(Box::new)?;
    let mut previews = Vec::new();
    for (fault, change) in &plan.changes {
        let Ok(FaultKind::FisExperiment(experiment)) = change.spec.kind() else { continue };
        if *interrupted.borrow() {
            let outcome = Err(FaultError::Ended {
                target: fault.to_string(),
                found: "the look was broken off before it".to_owned(),
            });
            previews.push(Preview { fault: fault.clone(), outcome });
            continue;
        }
        let mut wish = interrupted.clone();
        let broken_off = async move {
            if wish.wait_for(|is_over| *is_over).await.is_err() {
                // Nobody listens for signals: they end the process as they always do.
                std::future::pending::<()>().await;
            }
        };
        let outcome = experiment.preview(&stage.faults, fault, broken_off).await;
        previews.push(Preview { fault: fault.clone(), outcome });
    }
    stage.clear().await;
    Ok(previews)
}

/// Becomes true at Ctrl-C or SIGTERM.
fn interruption() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        if let Ok(mut signal) = signal(kind) {
            let sender = sender.clone();
            tokio::spawn(async move {
                signal.recv().await;
                sender.send_replace(true);
            });
        }
    }
    receiver
}
