//! Provisioned concurrency: processes that are started before they are needed, and their place in the account's pool.
//!
//! Owns: the configuration of each qualifier, and how it becomes ready. Must not know: HTTP.
//! Source: AWS, "Configuring provisioned concurrency for a function". A process that ends is not replaced, and an alias that
//! is led to another version takes its processes along only when it is configured again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::account::Account;
use super::concurrency::ConcurrencyError;
use super::function::Function;
use super::name::Version;

/// How many processes are started ahead at most; a larger number is counted and not started.
const STARTED_AHEAD_MAX: u32 = 50;

/// How far a configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    Pending,
    Ready,
    /// A process could not be started: why.
    Failed(String),
}

/// The configuration of one qualifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provisioned {
    pub requested: u32,
    pub progress: Progress,
    pub modified: DateTime<Utc>,
    /// Tells this configuration from one that took its place.
    order: u64,
}

/// The configurations of one function, by qualifier: a version's number or an alias.
#[derive(Debug, Default)]
pub(super) struct ProvisionedConfigs {
    by_qualifier: Mutex<BTreeMap<String, Provisioned>>,
}

impl ProvisionedConfigs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Provisioned>> {
        self.by_qualifier.lock().expect("invariant: nobody panics while holding these configurations")
    }

    pub(super) fn get(&self, qualifier: &str) -> Option<Provisioned> {
        self.lock().get(qualifier).cloned()
    }

    /// All, by qualifier.
    pub(super) fn all(&self) -> Vec<(String, Provisioned)> {
        self.lock().iter().map(|(qualifier, provisioned)| (qualifier.clone(), provisioned.clone())).collect()
    }

    fn finish(&self, qualifier: &str, order: u64, progress: Progress) {
        if let Some(provisioned) = self.lock().get_mut(qualifier).filter(|provisioned| provisioned.order == order) {
            provisioned.progress = progress;
        }
    }
}

/// Provisions `count` for a version under a qualifier that leads to it; the answer shows it under way.
pub(super) fn provision(
    account: &Arc<Account>,
    function: &Arc<Function>,
    qualifier: &str,
    version: Version,
    count: u32,
) -> Result<Provisioned, ConcurrencyError> {
    let mut all = function.provisioned.lock();
    let others: u32 = all.iter().filter(|(other, _)| *other != qualifier).map(|(_, other)| other.requested).sum();
    account.concurrency.provision(&function.name, others.saturating_add(count))?;
    let order = all.get(qualifier).map_or(0, |before| before.order + 1);
    let modified = account.context.clock.now();
    let provisioned = Provisioned { requested: count, progress: Progress::Pending, modified, order };
    all.insert(qualifier.to_owned(), provisioned.clone());
    drop(all);
    function.cool(version, count);
    let (starter, qualifier) = (Arc::clone(function), qualifier.to_owned());
    account.spawn(async move {
        if let Some(progress) = warm(&starter, version, count).await {
            starter.provisioned.finish(&qualifier, order, progress);
        }
    });
    Ok(provisioned)
}

/// Takes a configuration away, and its idle processes.
pub(super) fn release(account: &Account, function: &Function, qualifier: &str) {
    let mut all = function.provisioned.lock();
    if all.remove(qualifier).is_none() {
        return;
    }
    let others = all.values().map(|other| other.requested).sum();
    // Less than before always fits.
    account.concurrency.provision(&function.name, others).ok();
    drop(all);
    if let Some(version) = function.version(Some(qualifier)) {
        function.cool(version, 0);
    }
}

/// Waits for the update window, and starts processes until there are as many idle ones. `None`: the sandbox stops.
async fn warm(function: &Arc<Function>, version: Version, count: u32) -> Option<Progress> {
    if !function.wait_for_window().await {
        return None;
    }
    let count = usize::try_from(count.min(STARTED_AHEAD_MAX)).unwrap_or(usize::MAX);
    let mut starts = JoinSet::new();
    for _ in function.idle_count(version)..count {
        let function = Arc::clone(function);
        starts.spawn(async move { function.start_idle(version).await });
    }
    let results = starts.join_all().await;
    let failed = results.into_iter().find_map(Result::err);
    Some(failed.map_or(Progress::Ready, Progress::Failed))
}
