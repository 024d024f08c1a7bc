//! How many connections may be open: by proxy, and in the whole process by what the system lends it.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections of one proxy may be open unless it is told otherwise.
pub(crate) const CONNECTIONS_MAX_DEFAULT: usize = 16_384;

/// Descriptors that are left for listeners, timers, pipes and the admin API.
const DESCRIPTORS_KEPT: u64 = 128;

/// Descriptors of one connection: its client's and its server's.
const CONNECTION_DESCRIPTORS: u64 = 2;

/// The limits that all proxies of a process share.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    by_proxy: usize,
    process: Arc<Semaphore>,
}

impl Limits {
    /// Takes as many descriptors as the system allows without asking anybody, and shares them out.
    pub(crate) fn of_system(by_proxy: usize) -> Self {
        Self::new(by_proxy, connections_of(raised_descriptors()))
    }

    pub(crate) fn new(by_proxy: usize, process: usize) -> Self {
        Self { by_proxy, process: Arc::new(Semaphore::new(process.min(Semaphore::MAX_PERMITS))) }
    }

    /// A place for one more connection of a proxy that has so many, for as long as it is kept.
    pub(crate) fn admit(&self, open: usize) -> Option<OwnedSemaphorePermit> {
        if open < self.by_proxy { Arc::clone(&self.process).try_acquire_owned().ok() } else { None }
    }
}

/// Raises the soft limit on open files to the hard one; answers with what holds. Where it can not be raised, it stays.
fn raised_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let held = if raised.is_ok() { limit.maximum } else { limit.current };
    held.unwrap_or(u64::MAX)
}

fn connections_of(descriptors: u64) -> usize {
    let connections = descriptors.saturating_sub(DESCRIPTORS_KEPT) / CONNECTION_DESCRIPTORS;
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_admitted_while_its_proxy_and_the_process_have_room() {
        let limits = Limits::new(2, 3);
        let first = limits.admit(0).expect("room");
        let _second = limits.admit(1).expect("room");
        assert!(limits.admit(2).is_none(), "the proxy is full");
        let _other = limits.admit(0).expect("another proxy has room");
        assert!(limits.admit(1).is_none(), "the process is full");
        drop(first);
        assert!(limits.admit(1).is_some(), "a place that is free again");
    }

    #[test]
    fn a_process_with_few_descriptors_still_takes_a_connection() {
        assert_eq!(connections_of(1_024), 448);
        assert_eq!(connections_of(10), 1);
        assert!(connections_of(u64::MAX) > 1_000_000);
    }
}
