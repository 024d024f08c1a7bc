//! Changing a function's configuration so that two writers cannot lose each other's changes.
//!
//! AWS: an update while another is under way answers 409; a stale `RevisionId` answers 412, and the id changes again
//! when an update is done, so it is always read after the update has settled.

use std::time::Duration;

use super::change::{FaultEnvironment, FaultError};
use crate::aws::{FunctionConfiguration, FunctionState, FunctionUpdate, UpdateProgress};

/// How long an update may be under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked at.
const SETTLE_POLL: Duration = Duration::from_millis(200);

/// What is to be done about a configuration that was just read.
pub(super) enum Decision {
    /// It is as wanted.
    Done,
    /// This is to be written.
    Write(FunctionUpdate),
}

/// Reads a function's configuration once no update of it is under way.
async fn settled(environment: &FaultEnvironment, function: &str) -> Result<FunctionConfiguration, FaultError> {
    let deadline = tokio::time::Instant::now() + SETTLE_TIMEOUT;
    loop {
        let configuration = environment.functions.configuration(function).await?;
        if configuration.progress != UpdateProgress::InProgress {
            return Ok(configuration);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(FaultError::StillUpdating { function: function.to_owned(), waited: SETTLE_TIMEOUT });
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
}

/// Reads a function's configuration where a fault on it could be undone for certain, and refuses where not.
pub(super) async fn ready(environment: &FaultEnvironment, function: &str) -> Result<FunctionConfiguration, FaultError> {
    let configuration = settled(environment, function).await?;
    match obstacle(&configuration) {
        None => Ok(configuration),
        Some(why) => Err(FaultError::Unsafe { function: function.to_owned(), why }),
    }
}

/// What of a function's state keeps a fault on it from being undone for certain.
#[must_use]
pub fn obstacle(configuration: &FunctionConfiguration) -> Option<&'static str> {
    if configuration.environment.is_none() {
        // AWS: `Environment.Error`. Whatever is written back would wipe what cannot be read.
        return Some("its environment variables cannot be read (is the KMS key denied?)");
    }
    match (configuration.state, configuration.progress) {
        (FunctionState::Pending, _) => Some("it is being made (`State` is `Pending`)"),
        (FunctionState::Inactive, _) => Some("it is idle (`State` is `Inactive`): invoke it once"),
        (FunctionState::Failed, _) => Some("it could not be made (`State` is `Failed`)"),
        (FunctionState::Active, UpdateProgress::InProgress) => Some("an update of it is under way"),
        (FunctionState::Active, UpdateProgress::Failed) => {
            Some("its last update failed (`LastUpdateStatus` is `Failed`): update it until it succeeds")
        }
        (FunctionState::Active, UpdateProgress::Successful) => None,
    }
}

/// Reads, decides, writes under the revision that was read, waits, and reads again until there is nothing to write.
/// An answer that was lost is settled by reading.
pub(super) async fn converge(
    environment: &FaultEnvironment,
    function: &str,
    mut decide: impl FnMut(&FunctionConfiguration) -> Result<Decision, FaultError>,
) -> Result<(), FaultError> {
    let configuration = settled(environment, function).await?;
    let Decision::Write(update) = decide(&configuration)? else { return Ok(()) };
    let revision = configuration.revision.as_deref();
    environment.functions.update_configuration(function, &update, revision).await?;
    let configuration = settled(environment, function).await?;
    match decide(&configuration)? {
        Decision::Done => Ok(()),
        Decision::Write(_) => Err(FaultError::NotApplied {
            target: function.to_owned(),
            found: "reading back shows another value than the one written".to_owned(),
        }),
    }
}

/// What a revert came to: drift wins, since something is left that is not as before.
pub(super) fn reverted(drift: Vec<String>, wrote: bool) -> super::Reverted {
    match (drift.is_empty(), wrote) {
        (false, _) => super::Reverted::Drift(drift),
        (true, true) => super::Reverted::Restored,
        (true, false) => super::Reverted::AsBefore,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::change::REVERT_BUDGET;
    use super::super::owed;
    use super::*;
    use crate::aws::FunctionControl as _;

    #[tokio::test(start_paused = true)]
    async fn an_update_that_does_not_end_is_an_error_after_its_time() {
        let fake = owed::checkout();
        fake.updates_take(Duration::from_secs(3_600));
        let update = FunctionUpdate { timeout_seconds: Some(3), environment: None };
        fake.update_configuration("checkout", &update, None).await.unwrap();
        let start = tokio::time::Instant::now();
        let outcome = settled(&fake.environment(), "checkout").await;
        assert!(matches!(outcome, Err(FaultError::StillUpdating { waited: SETTLE_TIMEOUT, .. })), "{outcome:?}");
        assert!(start.elapsed() <= REVERT_BUDGET + SETTLE_POLL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_goes_under_the_revision_from_after_the_last_update() {
        let fake = owed::checkout();
        let update = FunctionUpdate { timeout_seconds: Some(3), environment: None };
        let first = Arc::clone(&fake);
        first.update_configuration("checkout", &update, None).await.unwrap();
        // The update of somebody else is under way: it is waited for, so that neither 409 nor 412 comes of it.
        let calls = fake.changing_calls();
        converge(&fake.environment(), "checkout", |found| {
            Ok(match found.timeout_seconds {
                4 => Decision::Done,
                _ => Decision::Write(FunctionUpdate { timeout_seconds: Some(4), environment: None }),
            })
        })
        .await
        .unwrap();
        assert_eq!((fake.changing_calls() - calls, fake.state().timeout_seconds), (1, 4));
    }
}
