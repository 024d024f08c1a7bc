//! How many connections may be open: by proxy, and in the whole process by the descriptors that the system lends it.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections of one proxy may be open unless it is told otherwise.
pub(crate) const CONNECTIONS_MAX_DEFAULT: usize = 16_384;

/// Descriptors that are left for listeners, the admin API, and what waits to be looked at.
const DESCRIPTORS_KEPT: u64 = 128;

/// Descriptors of one connection: its client's and its server's.
const CONNECTION_DESCRIPTORS: u32 = 2;

/// The descriptors that connections, their timers and their pipes share. Who gets none goes on without, or is refused: no
/// connection that was taken in fails for want of one.
#[derive(Debug, Clone)]
pub(crate) struct Descriptors(Arc<Semaphore>);

/// Descriptors that are taken for as long as this is kept.
pub(crate) type Taken = OwnedSemaphorePermit;

impl Descriptors {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes so many, if there are as many.
    pub(crate) fn take(&self, count: u32) -> Option<Taken> {
        Arc::clone(&self.0).try_acquire_many_owned(count).ok()
    }
}

/// The limits that all proxies of a process share.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    by_proxy: usize,
    descriptors: Descriptors,
}

impl Limits {
    /// Takes as many descriptors as the system allows without asking anybody, and shares them out.
    pub(crate) fn of_system(by_proxy: usize) -> Self {
        Self::new(by_proxy, shared_of(raised_descriptors()))
    }

    pub(crate) fn new(by_proxy: usize, descriptors: usize) -> Self {
        Self { by_proxy, descriptors: Descriptors::new(descriptors) }
    }

    /// A place for one more connection of a proxy that has so many, for as long as it is kept.
    pub(crate) fn admit(&self, open: usize) -> Option<Taken> {
        if open < self.by_proxy { self.descriptors.take(CONNECTION_DESCRIPTORS) } else { None }
    }

    /// What is left for timers and pipes.
    pub(crate) fn descriptors(&self) -> Descriptors {
        self.descriptors.clone()
    }
}

/// Raises the soft limit on open files to the hard one; answers with what holds. Where it can not be raised, it stays.
fn raised_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let held = if raised.is_ok() { limit.maximum } else { limit.current };
    held.unwrap_or(u64::MAX)
}

/// How many of the process's descriptors are shared out: at least those of one connection.
fn shared_of(descriptors: u64) -> usize {
    let shared = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(CONNECTION_DESCRIPTORS.into());
    usize::try_from(shared).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_admitted_while_its_proxy_and_the_process_have_room() {
        let limits = Limits::new(2, 7);
        let first = limits.admit(0).expect("room");
        let _second = limits.admit(1).expect("room");
        assert!(limits.admit(2).is_none(), "the proxy is full");
        let _other = limits.admit(0).expect("another proxy has room");
        assert!(limits.admit(1).is_none(), "the process is full");
        let timer = limits.descriptors().take(1).expect("one is left");
        assert!(limits.descriptors().take(1).is_none(), "what timers take is not lent twice");
        drop((first, timer));
        assert!(limits.admit(1).is_some(), "a place that is free again");
    }

    #[test]
    fn a_process_with_few_descriptors_still_takes_a_connection() {
        assert_eq!(shared_of(1_024), 896);
        assert_eq!(shared_of(10), 2);
        assert!(shared_of(u64::MAX) > 1_000_000);
    }
}
