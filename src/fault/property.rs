//! What every fault on a function owes it, whatever the control plane and a second writer do meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::change::{FaultEnvironment, INJECT_BUDGET, REVERT_BUDGET};
use super::testing::{FakeFunctions, Field, FunctionState, Hand, Value, armed};
use super::{FaultError, FaultKind, LambdaConcurrency, LambdaEnvironment, LambdaTimeout, Reverted, Undo};
use crate::unit::DurationText;

/// What a step may take beyond its budget: one more try, with two updates to wait for (60 s each) and slow answers.
const LAST_TRY_MAX: Duration = Duration::from_secs(240);

/// Variables that faults set and take away.
const OURS: [&str; 4] = ["KEY", "MODE", "TOKEN", "URL"];
/// Variables that only the second writer knows, next to ours.
const THEIRS: [&str; 2] = ["LEVEL", "OWNER"];

/// A function's setting, and what a fault puts there.
type Injected = BTreeMap<(String, Field), Value>;

#[derive(Debug, Clone)]
struct Case {
    seed: u64,
    trouble_percent: u32,
    /// How often somebody else writes, in a hundred calls.
    writer_percent: u32,
    /// Whether somebody may also delete functions.
    is_deleting: bool,
    /// Whether faults are injected, and undone, all at once.
    is_together: bool,
    update_takes_ms: u64,
    /// No two change the same setting: a plan does not either.
    faults: Vec<FaultKind>,
}

fn function_name(index: usize) -> String {
    format!("function-{index}")
}

fn fault() -> impl Strategy<Value = FaultKind> {
    let target = (0..3_usize).prop_map(|index| function_name(index).parse().unwrap());
    let change = proptest::option::weighted(0.7, 0..100_u32);
    (target, 0..4_u8, 1..10_u32, proptest::collection::vec(change, OURS.len())).prop_map(
        |(target, kind, number, changes)| match kind {
            0 => FaultKind::LambdaConcurrency(LambdaConcurrency { target, reserved: number - 1 }),
            1 => {
                let timeout = DurationText(Duration::from_secs(number.into()));
                FaultKind::LambdaTimeout(LambdaTimeout { target, timeout })
            }
            _ => {
                let mut fault = LambdaEnvironment { target, set: BTreeMap::new(), unset: BTreeSet::new() };
                for (name, change) in OURS.iter().zip(changes) {
                    match change {
                        None => {}
                        Some(number) if number % 3 == 0 => {
                            fault.unset.insert((*name).to_owned());
                        }
                        Some(number) => {
                            fault.set.insert((*name).to_owned(), format!("injected-{number}"));
                        }
                    }
                }
                FaultKind::LambdaEnvironment(fault)
            }
        },
    )
}

fn apart(faults: Vec<FaultKind>) -> Vec<FaultKind> {
    let mut taken = BTreeSet::new();
    let is_apart = |fault: &FaultKind| {
        let settings: Vec<_> =
            fault.settings().into_iter().map(|setting| (fault.target().to_string(), setting)).collect();
        let is_free = settings.iter().all(|setting| !taken.contains(setting));
        taken.extend(settings.into_iter().filter(|_| is_free));
        is_free
    };
    faults.into_iter().filter(is_apart).collect()
}

fn case() -> impl Strategy<Value = Case> {
    let percent = |most: u32| prop_oneof![1 => Just(0), 3 => 1..=most];
    let switches = (proptest::bool::weighted(0.1), any::<bool>());
    (any::<u64>(), percent(60), percent(40), switches, 0..3_000_u64, proptest::collection::vec(fault(), 1..7)).prop_map(
        |(seed, trouble_percent, writer_percent, (is_deleting, is_together), update_takes_ms, faults)| Case {
            seed,
            trouble_percent,
            writer_percent,
            is_deleting,
            is_together,
            update_takes_ms,
            faults: apart(faults),
        },
    )
}

fn function(index: usize) -> FunctionState {
    let mut state = FunctionState::with(&[("KEY", "secret-1"), ("MODE", "secret-2"), ("OWNER", "secret-3")]);
    state.reserved = [None, Some(0), Some(50)][index];
    state.timeout_seconds = [3, 30, 900][index];
    state
}

/// Writes one setting of one function: something new, or what was there at first.
fn write(hand: &mut Hand<'_>, is_deleting: bool) {
    let index = hand.random().random_range(0..3_usize);
    let name = function_name(index);
    let is_new = hand.random().random_bool(0.8);
    let number = hand.random().random_range(100..800_u32);
    let before = function(index);
    match hand.random().random_range(0..20) {
        0 if is_deleting => hand.delete(&name),
        0..5 => hand.set_timeout(&name, if is_new { number } else { before.timeout_seconds }),
        5..10 => hand.reserve(&name, if is_new { Some(number) } else { before.reserved }),
        _ => {
            let variables = [OURS.as_slice(), &THEIRS].concat();
            let variable = variables[hand.random().random_range(0..variables.len())];
            let is_there = hand.random().random_bool(0.7);
            let value = match is_new {
                true => is_there.then(|| format!("foreign-{number}")),
                false => before.value(&Field::Variable(variable.to_owned())),
            };
            hand.set_variable(&name, variable, value);
        }
    }
}

fn injected(faults: &[FaultKind]) -> Injected {
    let of = |fault: &FaultKind| match fault {
        FaultKind::LambdaConcurrency(fault) => vec![(Field::Concurrency, Some(fault.reserved.to_string()))],
        FaultKind::LambdaTimeout(fault) => vec![(Field::Timeout, Some(fault.seconds().unwrap().to_string()))],
        FaultKind::LambdaEnvironment(fault) => {
            let set = fault.set.iter().map(|(name, value)| (Field::Variable(name.clone()), Some(value.clone())));
            set.chain(fault.unset.iter().map(|name| (Field::Variable(name.clone()), None))).collect()
        }
        // A new kind need not join here.
        other => panic!("no strategy of this file makes it: {other:?}"),
    };
    let named = |fault: &FaultKind| {
        let target = fault.target().to_string();
        of(fault).into_iter().map(move |(field, value)| ((target.clone(), field), value)).collect::<Vec<_>>()
    };
    faults.iter().flat_map(named).collect()
}

/// Every setting holds what somebody else wrote last, or else what was there at first; `is_undone` is whether ours went
/// back for certain. What somebody else wrote that is just what we inject cannot be told from ours.
fn check_settings(fake: &FakeFunctions, injected: &Injected, is_undone: bool) -> Result<(), TestCaseError> {
    let written = fake.written();
    let variables = OURS.iter().chain(&THEIRS).map(|name| Field::Variable((*name).to_owned()));
    let fields: Vec<Field> = [Field::Timeout, Field::Concurrency].into_iter().chain(variables).collect();
    for index in 0..3 {
        let name = function_name(index);
        let Some(found) = fake.find(&name) else { continue };
        let before = function(index);
        for field in &fields {
            let key = (name.clone(), field.clone());
            let (ours, first) = (injected.get(&key), before.value(field));
            let allowed = match written.get(&key) {
                Some(theirs) if ours == Some(theirs) => vec![theirs.clone(), first],
                Some(theirs) if *theirs != first => vec![theirs.clone()],
                Some(_) | None if is_undone => vec![first],
                Some(_) | None => ours.cloned().into_iter().chain([first]).collect(),
            };
            let value = found.value(field);
            prop_assert!(allowed.contains(&value), "{name} {field:?}: found {value:?}, not one of {allowed:?}");
        }
    }
    Ok(())
}

/// Does one thing with each undo, all at once or one after another, and says how long each took.
async fn each<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    undos: &[Undo],
    is_together: bool,
    act: impl Fn(Undo) -> F,
) -> Vec<(T, Duration)> {
    let timed = |undo: &Undo| {
        let (start, act) = (Instant::now(), act(undo.clone()));
        async move { (act.await, start.elapsed()) }
    };
    if is_together {
        let mut tasks = JoinSet::new();
        for (index, undo) in undos.iter().enumerate() {
            let act = timed(undo);
            tasks.spawn(async move { (index, act.await) });
        }
        let mut outcomes = tasks.join_all().await;
        outcomes.sort_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    } else {
        let mut outcomes = Vec::new();
        for undo in undos {
            outcomes.push(timed(undo).await);
        }
        outcomes
    }
}

async fn revert_each(environment: &FaultEnvironment, undos: &[Undo], is_together: bool) -> Reverts {
    each(undos, is_together, |undo| {
        let environment = environment.clone();
        async move { undo.revert(&environment).await }
    })
    .await
}

type Reverts = Vec<(Result<Reverted, FaultError>, Duration)>;

async fn prepare_each(environment: &FaultEnvironment, faults: &[FaultKind]) -> Vec<Undo> {
    let mut undos = Vec::new();
    for fault in faults {
        undos.push(fault.prepare(environment).await.unwrap());
    }
    undos
}

fn snapshot(fake: &FakeFunctions) -> Vec<Option<FunctionState>> {
    (0..3).map(|index| fake.find(&function_name(index))).collect()
}

async fn play(case: Case) -> Result<(), TestCaseError> {
    let fake = FakeFunctions::new((0..3).map(|index| (function_name(index), function(index))));
    fake.updates_take(Duration::from_millis(case.update_takes_ms));
    let environment = fake.environment();
    let wanted = injected(&case.faults);

    let undos = prepare_each(&environment, &case.faults).await;
    let armed = Arc::new(armed());
    prop_assert_eq!(fake.changing_calls(), 0, "nothing changes before a fault is armed");
    fake.forget_reads();

    fake.hostile(case.seed, case.trouble_percent);
    let Case { writer_percent, is_deleting, .. } = case;
    fake.second_writer(move |_, _, hand| {
        if hand.random().random_range(0..100) < writer_percent {
            write(hand, is_deleting);
        }
    });
    let injections = each(&undos, case.is_together, |undo| {
        let (environment, armed) = (environment.clone(), Arc::clone(&armed));
        async move { undo.inject(&environment, &armed).await }
    })
    .await;
    let mut said = format!("{undos:?}");
    for (outcome, took) in &injections {
        prop_assert!(*took <= INJECT_BUDGET + LAST_TRY_MAX, "an injection took {took:?}");
        said.push_str(&format!("{outcome:?}"));
    }
    check_settings(&fake, &wanted, false)?;
    let is_alone = writer_percent == 0;
    if is_alone && injections.iter().all(|(outcome, _)| outcome.is_ok()) {
        for ((name, field), value) in &wanted {
            prop_assert_eq!(&fake.find(name).unwrap().value(field), value, "{} {:?} as injected", name, field);
        }
    }

    let during = snapshot(&fake);
    let reverts = revert_each(&environment, &undos, case.is_together).await;
    for (outcome, took) in &reverts {
        prop_assert!(*took <= REVERT_BUDGET + LAST_TRY_MAX, "an undo took {took:?}");
        said.push_str(&format!("{outcome:?}"));
        if let Err(error) = outcome {
            said.push_str(&crate::unit::error_chain(error));
        }
        prop_assert!(!(is_alone && matches!(outcome, Ok(Reverted::Drift(_)))), "nobody else wrote: {outcome:?}");
        prop_assert!(is_deleting || !matches!(outcome, Ok(Reverted::Gone)), "nothing is gone");
    }
    prop_assert!(!said.contains("secret-") && !said.contains("foreign-"), "values were told: {said}");
    let is_undone = reverts.iter().all(|(outcome, _)| outcome.is_ok());
    check_settings(&fake, &wanted, is_undone)?;
    if is_alone && is_undone {
        check_ends(&case.faults, &during, &snapshot(&fake), &reverts)?;
    }

    // What did not end well is undone once the weather is better, and once more is as good as once.
    fake.calm();
    fake.forget_reads();
    for (outcome, _) in revert_each(&environment, &undos, case.is_together).await {
        prop_assert!(outcome.is_ok(), "{outcome:?}");
    }
    check_settings(&fake, &wanted, true)?;
    let (once, changing_calls) = (snapshot(&fake), fake.changing_calls());
    for (outcome, _) in revert_each(&environment, &undos, case.is_together).await {
        prop_assert!(matches!(outcome, Ok(Reverted::AsBefore | Reverted::Drift(_) | Reverted::Gone)), "{outcome:?}");
    }
    prop_assert_eq!(fake.changing_calls(), changing_calls);
    prop_assert_eq!(snapshot(&fake), once);
    Ok(())
}

/// With nobody else about, an undo says `Restored` where its fault had changed something, and `AsBefore` where not.
fn check_ends(
    faults: &[FaultKind],
    during: &[Option<FunctionState>],
    after: &[Option<FunctionState>],
    reverts: &Reverts,
) -> Result<(), TestCaseError> {
    for (fault, (outcome, _)) in faults.iter().zip(reverts) {
        let was_changed = injected(std::slice::from_ref(fault)).keys().any(|(name, field)| {
            let value = |states: &[Option<FunctionState>]| {
                let index = (0..3).find(|index| function_name(*index) == *name).unwrap();
                states[index].as_ref().unwrap().value(field)
            };
            value(during) != value(after)
        });
        let expected = if was_changed { Reverted::Restored } else { Reverted::AsBefore };
        prop_assert_eq!(outcome.as_ref().unwrap(), &expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_ours_goes_back_and_theirs_stays(case in case()) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(case))?;
    }
}
