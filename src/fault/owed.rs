//! What every fault on a function owes it: checks that the tests of each such fault call with a fault of theirs.
//!
//! The function is `checkout`: 30 s, nothing reserved, `KEY` and `OWNER` in its environment.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::change::{INJECT_BUDGET, REVERT_BUDGET};
use super::testing::{
    DELETE_CONCURRENCY, FakeFunctions, Field, FunctionState, GET_CONCURRENCY, GET_CONFIGURATION, PUT_CONCURRENCY,
    Trouble, UPDATE_CONFIGURATION, armed,
};
use super::{FaultError, FaultKind, Reverted};

const OPERATIONS: [&str; 5] =
    [GET_CONFIGURATION, UPDATE_CONFIGURATION, GET_CONCURRENCY, PUT_CONCURRENCY, DELETE_CONCURRENCY];

/// The function `checkout` before anything happens to it.
pub(super) fn checkout() -> Arc<FakeFunctions> {
    FakeFunctions::checkout(FunctionState::with(&[("KEY", "secret-1"), ("OWNER", "secret-2")]))
}

/// Everything below, for a fault that changes the settings `own`.
pub(super) async fn all(kind: &FaultKind, own: &[Field]) {
    its_own_settings_change_and_go_back_once(kind, own).await;
    a_lost_answer_is_settled_by_reading(kind).await;
    what_passes_is_waited_for(kind).await;
    what_never_passes_is_an_error_in_its_time(kind).await;
    foreign_changes_of_other_settings_are_kept(kind, own).await;
    a_function_that_is_gone_has_nothing_to_undo(kind).await;
}

/// Nothing is changed by preparing; a fault changes its own settings and no other; its undo puts them back, and a second
/// undo does nothing at all.
async fn its_own_settings_change_and_go_back_once(kind: &FaultKind, own: &[Field]) {
    let fake = checkout();
    let environment = fake.environment();
    let before = fake.state();
    let undo = kind.prepare(&environment).await.unwrap();
    assert_eq!((fake.changing_calls(), fake.state()), (0, before.clone()));
    undo.inject(&environment, &armed()).await.unwrap();
    let during = fake.state();
    let variables = ["KEY", "OWNER", "URL"].map(|name| Field::Variable(name.to_owned()));
    for field in [Field::Timeout, Field::Memory, Field::Layers, Field::Concurrency].iter().chain(&variables) {
        assert_eq!(during.value(field) != before.value(field), own.contains(field), "{field:?}");
    }
    assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored);
    assert_eq!((fake.changing_calls(), fake.state()), (2, before.clone()));
    assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::AsBefore);
    assert_eq!((fake.changing_calls(), fake.state()), (2, before));
}

/// Each way in which the answer to a change that was made can be lost: it counts as applied, and is not made again.
async fn a_lost_answer_is_settled_by_reading(kind: &FaultKind) {
    for trouble in [Trouble::LostAnswer, Trouble::LateAnswer, Trouble::CutAnswer, Trouble::StaleAfterSuccess] {
        let fake = checkout();
        let environment = fake.environment();
        let before = fake.state();
        for operation in [UPDATE_CONFIGURATION, PUT_CONCURRENCY] {
            fake.script(operation, [trouble]);
        }
        let undo = fake.injected(kind).await;
        assert_ne!(fake.state(), before, "{trouble:?}");
        assert_eq!(fake.changing_calls(), 1, "{trouble:?}");
        for operation in [UPDATE_CONFIGURATION, DELETE_CONCURRENCY] {
            fake.script(operation, [trouble]);
        }
        assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored, "{trouble:?}");
        assert_eq!((fake.changing_calls(), fake.state()), (2, before), "{trouble:?}");
    }
}

/// Throttling, conflicts, failures of the service and slow answers, on every call of the injection and of the undo.
async fn what_passes_is_waited_for(kind: &FaultKind) {
    let slow = Trouble::Slow(Duration::from_secs(2));
    let troubles = [Trouble::Throttled, Trouble::Conflict, Trouble::ServiceFailure, Trouble::NotReached, slow];
    let fake = checkout();
    let environment = fake.environment();
    let before = fake.state();
    let undo = kind.prepare(&environment).await.unwrap();
    OPERATIONS.iter().for_each(|operation| fake.script(operation, troubles));
    let start = Instant::now();
    undo.inject(&environment, &armed()).await.unwrap();
    assert!(start.elapsed() < INJECT_BUDGET, "{:?}", start.elapsed());
    assert_ne!(fake.state(), before);
    OPERATIONS.iter().for_each(|operation| fake.script(operation, troubles));
    let start = Instant::now();
    assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored);
    assert!(start.elapsed() < REVERT_BUDGET, "{:?}", start.elapsed());
    assert_eq!(fake.state(), before);
}

/// What never passes ends in an error in its time, and what can not pass at once; a later undo still does its work.
async fn what_never_passes_is_an_error_in_its_time(kind: &FaultKind) {
    let passing = [Trouble::Throttled, Trouble::Conflict, Trouble::ServiceFailure, Trouble::NotReached];
    for trouble in passing.into_iter().chain([Trouble::Denied]) {
        let fake = checkout();
        let environment = fake.environment();
        let before = fake.state();
        let undo = kind.prepare(&environment).await.unwrap();
        fake.always(trouble);
        let start = Instant::now();
        assert!(matches!(undo.inject(&environment, &armed()).await, Err(FaultError::Aws(_))), "{trouble:?}");
        let took_to_inject = start.elapsed();
        fake.calm();
        undo.inject(&environment, &armed()).await.unwrap();
        fake.always(trouble);
        let start = Instant::now();
        assert!(matches!(undo.revert(&environment).await, Err(FaultError::Aws(_))), "{trouble:?}");
        let took_to_revert = start.elapsed();
        if trouble == Trouble::Denied {
            assert_eq!((took_to_inject, took_to_revert), (Duration::ZERO, Duration::ZERO));
        } else {
            assert!(took_to_inject > INJECT_BUDGET / 2 && took_to_inject <= INJECT_BUDGET, "{took_to_inject:?}");
            assert!(took_to_revert > REVERT_BUDGET / 2 && took_to_revert <= REVERT_BUDGET, "{took_to_revert:?}");
        }
        fake.calm();
        assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored);
        assert_eq!(fake.state(), before);
    }
}

/// Somebody writes every other setting before each of our calls: a stale revision makes us read again, and nothing of
/// theirs is lost.
async fn foreign_changes_of_other_settings_are_kept(kind: &FaultKind, own: &[Field]) {
    let fake = checkout();
    fake.updates_take(Duration::ZERO);
    let environment = fake.environment();
    let before = fake.state();
    let mine = own.to_vec();
    let mut number = 100;
    fake.second_writer(move |operation, function, hand| {
        number += 1;
        // Three times the writer is faster than we are, between the reading and the writing.
        if number > 110 && operation == UPDATE_CONFIGURATION {
            return;
        }
        if !mine.contains(&Field::Timeout) {
            hand.set_timeout(function, number);
        }
        if !mine.contains(&Field::Concurrency) {
            hand.reserve(function, Some(number));
        }
        hand.set_variable(function, "OWNER", Some(format!("foreign-{number}")));
        hand.set_variable(function, "LEVEL", Some(format!("foreign-{number}")));
    });
    let undo = fake.injected(kind).await;
    assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored);
    let is_locked = !own.contains(&Field::Concurrency);
    assert!(!is_locked || fake.changing_calls() > 2, "412 leads to another reading, and another writing");
    let (after, written) = (fake.state(), fake.written());
    let is_kept_from_writer = |field: &&Field| matches!(field, Field::Timeout | Field::Concurrency);
    assert_eq!(written.len(), 4 - own.iter().filter(is_kept_from_writer).count());
    for ((_, field), value) in &written {
        assert_eq!(&after.value(field), value, "{field:?}");
    }
    for field in own {
        assert_eq!(after.value(field), before.value(field), "{field:?}");
    }
}

/// Somebody changes what the fault is about to change, after it was read: it is not overwritten, neither by the
/// injection nor by the undo, which calls it drift.
pub(super) async fn what_was_changed_since_it_was_read_is_not_overwritten(
    kind: &FaultKind,
    change: impl Fn(&mut FunctionState),
) -> Vec<String> {
    let fake = checkout();
    let environment = fake.environment();
    let undo = kind.prepare(&environment).await.unwrap();
    fake.change(&change);
    let theirs = fake.state();
    let start = Instant::now();
    let outcome = undo.inject(&environment, &armed()).await;
    assert!(matches!(outcome, Err(FaultError::Unsafe { .. })), "{outcome:?}");
    assert_eq!(start.elapsed(), Duration::ZERO, "it is no use to try again");
    let outcome = undo.revert(&environment).await.unwrap();
    let Reverted::Drift(lines) = outcome else { panic!("{outcome:?}") };
    assert_eq!((fake.changing_calls(), fake.state()), (0, theirs));
    lines
}

/// A function that was deleted has nothing to undo, and nobody waits for it.
async fn a_function_that_is_gone_has_nothing_to_undo(kind: &FaultKind) {
    let fake = checkout();
    let environment = fake.environment();
    let undo = fake.injected(kind).await;
    fake.second_writer(|_, function, hand| hand.delete(function));
    let start = Instant::now();
    assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Gone);
    assert!(matches!(undo.inject(&environment, &armed()).await, Err(FaultError::Aws(error)) if error.is_not_found()));
    assert_eq!(start.elapsed(), Duration::ZERO);
}
