//! Counting concurrent invocations against the account's limit and each function's reservation.
//!
//! Owns: who may take a slot, and that a slot is given back. Must not know: processes, HTTP.
//! Rules from AWS, "Understanding Lambda function scaling": a reservation is taken out of the account's pool whether it
//! is used or not, and at least 100 must stay unreserved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// The account's concurrency: AWS's default quota.
pub(super) const ACCOUNT_LIMIT: u32 = 1_000;

/// What reservations must leave for functions without one. Source: AWS, `PutFunctionConcurrency`.
pub(super) const UNRESERVED_MIN: u32 = 100;

/// Why an invocation found no slot; the names are those of AWS's `Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Throttle {
    /// The function's reservation is used up; a reservation of 0 stops every invocation.
    Reserved,
    /// The account's unreserved pool is used up.
    Account,
    /// Too many asynchronous events wait.
    EventQueue,
}

impl Throttle {
    /// The `Reason` in the answer.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Self::Account => "ConcurrentInvocationLimitExceeded",
            Self::EventQueue => "CallerRateLimitExceeded",
        }
    }
}

/// A reservation or provisioned concurrency that does not fit. The texts are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConcurrencyError {
    /// It would leave too little to the other functions.
    #[error(
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
         minimum value of [{UNRESERVED_MIN}]."
    )]
    TooMuchReserved,
    /// The same of provisioned concurrency.
    #[error(
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum \
         value of [{UNRESERVED_MIN}]."
    )]
    TooMuchProvisioned,
    /// What is provisioned is taken out of the function's own reservation.
    #[error(
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    )]
    MoreThanReserved,
    /// The other way round.
    #[error("ReservedConcurrentExecutions should not be lower than the function's total provisioned concurrency")]
    LessThanProvisioned,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    reserved: Option<u32>,
    /// Of all versions and aliases together.
    provisioned: u32,
    busy: u32,
}

impl Count {
    /// What the function takes out of the account's pool, used or not.
    fn claimed(&self) -> u32 {
        self.reserved.unwrap_or(self.provisioned)
    }

    /// What it uses of the account's pool.
    fn unreserved_busy(&self) -> u32 {
        self.reserved.map_or(self.busy.saturating_sub(self.provisioned), |_| 0)
    }
}

/// The account's counts. Cloning gives another handle to the same counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Concurrency {
    counts: Arc<Mutex<BTreeMap<String, Count>>>,
}

impl Concurrency {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, Count>> {
        self.counts.lock().expect("invariant: nobody panics while holding the counts")
    }

    /// Takes a slot for one invocation of `function`, before there is a process for it.
    pub(super) fn take(&self, function: &str) -> Result<Slot, Throttle> {
        let mut counts = self.counts();
        let own = counts.get(function).copied().unwrap_or_default();
        match own.reserved {
            Some(reserved) if own.busy >= reserved => return Err(Throttle::Reserved),
            Some(_) => {}
            None if own.busy < own.provisioned => {}
            None => {
                let busy: u32 = counts.values().map(Count::unreserved_busy).sum();
                if busy >= unreserved(&counts) {
                    return Err(Throttle::Account);
                }
            }
        }
        counts.entry(function.to_owned()).or_default().busy += 1;
        Ok(Slot { concurrency: self.clone(), function: function.to_owned() })
    }

    /// Sets or (with `None`) removes a function's reservation.
    pub(super) fn reserve(&self, function: &str, reserved: Option<u32>) -> Result<(), ConcurrencyError> {
        let mut counts = self.counts();
        let own = counts.get(function).copied().unwrap_or_default();
        if reserved.is_some_and(|reserved| reserved < own.provisioned) {
            return Err(ConcurrencyError::LessThanProvisioned);
        }
        let changed = Count { reserved, ..own };
        if !fits(&counts, function, changed) {
            return Err(ConcurrencyError::TooMuchReserved);
        }
        counts.insert(function.to_owned(), changed);
        Ok(())
    }

    /// Sets what is provisioned for all versions and aliases of a function together.
    pub(super) fn provision(&self, function: &str, provisioned: u32) -> Result<(), ConcurrencyError> {
        let mut counts = self.counts();
        let own = counts.get(function).copied().unwrap_or_default();
        if own.reserved.is_some_and(|reserved| provisioned > reserved) {
            return Err(ConcurrencyError::MoreThanReserved);
        }
        let changed = Count { provisioned, ..own };
        if !fits(&counts, function, changed) {
            return Err(ConcurrencyError::TooMuchProvisioned);
        }
        counts.insert(function.to_owned(), changed);
        Ok(())
    }

    /// A function's reservation.
    pub(super) fn reserved(&self, function: &str) -> Option<u32> {
        self.counts().get(function).and_then(|count| count.reserved)
    }

    /// What is left of the account's limit for functions without a reservation, beyond what they have provisioned.
    pub(super) fn unreserved(&self) -> u32 {
        unreserved(&self.counts())
    }
}

fn unreserved(counts: &BTreeMap<String, Count>) -> u32 {
    ACCOUNT_LIMIT.saturating_sub(counts.values().map(Count::claimed).sum())
}

/// Whether enough stays unreserved when a function's count is this. Taking no more than before always fits.
fn fits(counts: &BTreeMap<String, Count>, function: &str, changed: Count) -> bool {
    let others: u32 = counts.iter().filter(|(name, _)| *name != function).map(|(_, count)| count.claimed()).sum();
    let before = counts.get(function).map_or(0, Count::claimed);
    changed.claimed() <= before || others.saturating_add(changed.claimed()) <= ACCOUNT_LIMIT - UNRESERVED_MIN
}

/// One concurrent invocation; given back when dropped, however the invocation ends.
#[derive(Debug)]
pub(super) struct Slot {
    concurrency: Concurrency,
    function: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(count) = self.concurrency.counts().get_mut(&self.function) {
            count.busy = count.busy.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_of_zero_stops_every_invocation() {
        let concurrency = Concurrency::default();
        assert_eq!(concurrency.reserve("pay", Some(0)), Ok(()));
        assert_eq!(concurrency.take("pay").err(), Some(Throttle::Reserved));
        assert!(concurrency.take("other").is_ok());
        assert_eq!(concurrency.reserve("pay", None), Ok(()));
        assert!(concurrency.take("pay").is_ok());
    }

    #[test]
    fn a_slot_is_given_back_when_it_is_dropped() {
        let concurrency = Concurrency::default();
        assert_eq!(concurrency.reserve("pay", Some(1)), Ok(()));
        let slot = concurrency.take("pay").expect("the first slot");
        assert_eq!(concurrency.take("pay").err(), Some(Throttle::Reserved));
        drop(slot);
        assert!(concurrency.take("pay").is_ok());
    }

    #[test]
    fn functions_without_a_reservation_share_what_is_left() {
        let concurrency = Concurrency::default();
        assert_eq!(concurrency.reserve("pay", Some(900)), Ok(()));
        assert_eq!(concurrency.unreserved(), 100);
        let slots: Vec<Slot> = (0..100).filter_map(|index| concurrency.take(["a", "b"][index % 2]).ok()).collect();
        assert_eq!(slots.len(), 100);
        assert_eq!(concurrency.take("c").err(), Some(Throttle::Account));
        assert!(concurrency.take("pay").is_ok());
    }

    #[test]
    fn a_hundred_must_stay_unreserved() {
        let concurrency = Concurrency::default();
        assert_eq!(concurrency.reserve("pay", Some(901)), Err(ConcurrencyError::TooMuchReserved));
        assert_eq!(concurrency.reserve("pay", Some(500)), Ok(()));
        assert_eq!(concurrency.reserve("other", Some(401)), Err(ConcurrencyError::TooMuchReserved));
        assert_eq!(concurrency.reserve("pay", Some(900)), Ok(()), "a function's own old reservation does not count");
        assert_eq!(concurrency.reserve("other", Some(u32::MAX)), Err(ConcurrencyError::TooMuchReserved));
    }

    #[test]
    fn what_is_provisioned_is_taken_out_of_the_pool_or_the_reservation() {
        let concurrency = Concurrency::default();
        assert_eq!(concurrency.provision("pay", 890), Ok(()));
        assert_eq!(concurrency.unreserved(), 110);
        assert_eq!(concurrency.provision("other", 11), Err(ConcurrencyError::TooMuchProvisioned));
        let slots: Vec<Slot> = (0..110).filter_map(|_| concurrency.take("other").ok()).collect();
        assert_eq!((slots.len(), concurrency.take("other").err()), (110, Some(Throttle::Account)));
        assert!(concurrency.take("pay").is_ok(), "the pool is used up, and what is provisioned is there");
        assert_eq!(concurrency.reserve("pay", Some(889)), Err(ConcurrencyError::LessThanProvisioned));
        assert_eq!(concurrency.reserve("pay", Some(900)), Ok(()));
        assert_eq!(concurrency.provision("pay", 901), Err(ConcurrencyError::MoreThanReserved));
        assert_eq!((concurrency.provision("pay", 0), concurrency.unreserved()), (Ok(()), 100));
    }
}
