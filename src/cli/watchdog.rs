//! `gameday watchdog` (hidden): watches over a run from a process of its own, and undoes what the run leaves when it dies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, out, recover, report};
use crate::event::{FaultState, LogError, Recoverer};
use crate::fault::AccountError;
use crate::run::{Alarm, PlaceError, READY, RecoverError, Recovered, Watch};
use crate::workspace::Workspace;

/// The first wait between two tries of a recovery; it doubles.
const RETRY_WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a recovery that does not succeed is tried.
const PATIENCE: Duration = Duration::from_secs(3_600);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The process id of the run.
    #[arg(long)]
    parent: u32,
    /// The run's folder.
    run: PathBuf,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let watch = Watch::begin(arguments.parent).map_err(|error| Failure::from_error(&error))?;
    out::line(READY);
    let alarm = watch.wait().await.map_err(|error| Failure::from_error(&error))?;
    let by = match alarm {
        None => return Ok(Exit::Success),
        Some(Alarm::Died) => Recoverer::WatchdogAfterDeath,
        Some(Alarm::Hung) => Recoverer::WatchdogAfterSilence,
    };
    let is_clean = recover_until(&arguments.run, by, |recovered| recovered.is_clean).await;
    // What was learnt until the run died is worth a report; nobody is there to be told that there is none.
    let workspace = Workspace::without_settings(&Workspace::root_of(&arguments.run));
    let report = || report::write(&arguments.run, None, &workspace).ok();
    report();
    // A schedule or a lock that is left in AWS keeps nobody from being told.
    let is_nothing_left = |recovered: &Recovered| recovered.is_clean && recovered.remains.is_empty();
    if is_clean && recover_until(&arguments.run, by, is_nothing_left).await {
        report();
    }
    Ok(if is_clean { Exit::Success } else { Exit::Dirty })
}

/// Recovers until that is enough, or until only a person can help. Whether it is enough.
async fn recover_until(folder: &Path, by: Recoverer, is_enough: impl Fn(&Recovered) -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut wait = RETRY_WAIT_MIN;
    loop {
        let recovered = recover::recover_run(folder, by).await;
        match &recovered {
            Ok(recovered) if is_enough(recovered) => return true,
            _ if !may_help_to_try_again(&recovered) || tokio::time::Instant::now() + wait >= deadline => return false,
            // Whoever took the folder away took the undo with it: no other try brings that back.
            _ if !folder.exists() => return false,
            _ => {}
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// Drift stays drift, and a file that cannot be used stays so; everything else may pass.
fn may_help_to_try_again(recovered: &Result<Recovered, RecoverError>) -> bool {
    match recovered {
        // A schedule or a lock that is left in AWS.
        Ok(recovered) if recovered.is_clean => true,
        Ok(recovered) => recovered.faults.iter().any(|fault| fault.end.is_none() && fault.state != FaultState::Drifted),
        // A log that cannot be written, for want of space, may be so later.
        Err(
            RecoverError::Place(PlaceError::Account(AccountError::Unknown { .. }))
            | RecoverError::Alive(_)
            | RecoverError::InUse(_)
            | RecoverError::Log(LogError::File(_) | LogError::Failed),
        ) => true,
        // Another account, or another endpoint, stays what it is, and a watchdog asks for no lock.
        Err(RecoverError::Log(_) | RecoverError::Folder(_) | RecoverError::Place(_) | RecoverError::Elsewhere(_)) => {
            false
        }
    }
}
