//! What goes on by itself while a sandbox runs: metrics and alarms once a second, experiments ten times.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use super::account::Account;

/// How often alarms are judged.
const ALARMS_EVERY: Duration = Duration::from_secs(1);
/// How often experiments take a step.
const EXPERIMENTS_EVERY: Duration = Duration::from_millis(100);

/// Starts it; dropping the handle ends it.
pub(super) fn start(account: Arc<Account>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut alarms = tokio::time::interval(ALARMS_EVERY);
        alarms.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut experiments = tokio::time::interval(EXPERIMENTS_EVERY);
        experiments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = account.context.stopping.cancelled() => return,
                _ = alarms.tick() => account.context.cloudwatch.tick(),
                _ = experiments.tick() => account.context.fis.tick(&account),
            }
        }
    }))
}
