//! Whatever the timeline, whoever says what, whatever fails when: nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::testing::{Nature, World};
use super::{Attendance, Effect, Input};
use crate::event::{AbortCause, Command, EventKind, FaultIdentity, LoadSteer};
use crate::plan::testing::{Sketch, variable};
use crate::plan::{Action, Plan};
use crate::scenario::Mode;
use crate::unit::FaultId;

const FAULTS: usize = 5;

/// Something in a timeline, as numbers: what kind, of which name, when.
type RawStep = (u8, usize, u64);

#[derive(Debug, Clone)]
struct Case {
    /// Of each fault: its function, its variable, its time limit in seconds.
    faults: Vec<(usize, usize, Option<u64>)>,
    /// Of each phase: its length in seconds, its steps, whether it has a gate.
    phases: Vec<(u64, Vec<RawStep>, bool)>,
    routes: usize,
    failing: BTreeMap<usize, bool>,
    stuck: BTreeSet<usize>,
    commands: Vec<(u64, u8)>,
    inputs: Vec<(u64, u8)>,
    inject_ms: u64,
    undo_ms: u64,
    does_lost_load_abort: bool,
}

prop_compose! {
    fn phase()(length in 1_u64..60)(
        steps in prop::collection::vec((0_u8..6, 0..FAULTS, 0..=length), 0..8),
        length in Just(length),
        has_gate in prop::bool::weighted(0.15),
    ) -> (u64, Vec<RawStep>, bool) {
        (length, steps, has_gate)
    }
}

prop_compose! {
    fn case()(
        faults in prop::collection::vec((0_usize..2, 0_usize..3, prop::option::of(1_u64..40)), FAULTS),
        phases in prop::collection::vec(phase(), 1..5),
        routes in 0_usize..3,
        failing in prop::collection::btree_map(0..FAULTS, any::<bool>(), 0..2),
        stuck in prop::collection::btree_set(0..FAULTS, 0..2),
        has_stuck in prop::bool::weighted(0.2),
        commands in prop::collection::vec((0_u64..150_000, 0_u8..6), 0..6),
        inputs in prop::collection::vec((0_u64..150_000, 0_u8..3), 0..2),
        inject_ms in 0_u64..6_000,
        undo_ms in 0_u64..15_000,
        does_lost_load_abort in any::<bool>(),
    ) -> Case {
        let stuck = if has_stuck { stuck } else { BTreeSet::new() };
        Case { faults, phases, routes, failing, stuck, commands, inputs, inject_ms, undo_ms, does_lost_load_abort }
    }
}

fn fault_name(number: usize) -> String {
    format!("f{number}")
}

fn fault(number: usize) -> FaultId {
    fault_name(number).parse().unwrap()
}

impl Case {
    fn plan(&self) -> Plan {
        let on_lost = if self.does_lost_load_abort { "abort" } else { "continue" };
        let mut sketch = Sketch::new(Mode::Drill)
            .load("users", "1m", on_lost)
            .hypothesis("H0", "mean(ok) >= 50%", &[])
            .hypothesis("H1", "p99(latency) <= 1s within 20s after p0", &["f0"]);
        for (number, (target, name, ttl)) in self.faults.iter().enumerate() {
            let change = variable(&fault_name(number), ["shop", "bank"][*target], &format!("V{name}"));
            sketch = sketch.fault(change, *ttl, Some("mean(ok) < 90%"));
        }
        for number in 0..self.routes {
            // The second route is on a variable that faults change as well.
            sketch = sketch.route(&format!("r{number}"), "shop", ["R", "V0"][number]);
        }
        for (number, (length, steps, has_gate)) in self.phases.iter().enumerate() {
            sketch = sketch.phase(&format!("p{number}"), *length);
            if *has_gate {
                sketch = sketch.gate("H0");
            }
            let mut steps = steps.clone();
            steps.sort_by_key(|(_, _, at)| *at);
            for (kind, name, at) in steps {
                sketch = match kind {
                    0..=2 => sketch.inject(at, &fault_name(name)),
                    3 => sketch.undo(at, &fault_name(name)),
                    4 => sketch.start_load(at, "users"),
                    _ => sketch.stop_load(at, "users"),
                };
            }
        }
        sketch.plan()
    }

    fn play(&self) -> World {
        let nature = Nature {
            inject_ms: self.inject_ms,
            undo_ms: self.undo_ms,
            failing: self.failing.iter().map(|(number, is_made)| (fault(*number), *is_made)).collect(),
            stuck: self.stuck.iter().map(|number| fault(*number)).collect(),
            ..Nature::default()
        };
        let command = |kind: u8| match kind {
            0 => Command::Pause { by: None },
            1 | 2 => Command::Resume { by: None },
            3 => Command::Ack { by: None },
            4 => Command::SteerLoad { load: None, how: LoadSteer::Pause, by: None },
            _ => Command::Abort { why: None, by: None },
        };
        let mut commands: Vec<(u64, Command)> = self.commands.iter().map(|(at, kind)| (*at, command(*kind))).collect();
        // A run that is paused for good does not end, and should not.
        commands.push((160_000, Command::Resume { by: None }));
        let input = |kind: u8| match kind {
            0 => Input::LoadOver { load: "users".parse().unwrap(), lost: Some("killed".to_owned()) },
            1 => Input::Abort(AbortCause::Signal { signal: "SIGTERM".to_owned() }),
            _ => Input::Begin,
        };
        let inputs = self.inputs.iter().map(|(at, kind)| (*at, input(*kind))).collect();
        World::new(self.plan(), Attendance::Unattended, nature).run(commands, inputs)
    }
}

/// When each injection and undo was asked for, and when it was over.
struct Trace {
    injected: BTreeMap<FaultIdentity, (u64, u64)>,
    undone: BTreeMap<FaultIdentity, (u64, u64)>,
    order: Vec<(bool, FaultIdentity)>,
}

fn trace(world: &World) -> Result<Trace, TestCaseError> {
    let mut trace = Trace { injected: BTreeMap::new(), undone: BTreeMap::new(), order: Vec::new() };
    let over = |fits: &dyn Fn(&EventKind) -> bool| world.when(fits).unwrap_or(u64::MAX);
    for (at, effect) in &world.effects {
        match effect {
            Effect::Inject(identity) => {
                let end = over(&|kind| {
                    matches!(kind, EventKind::FaultApplied { identity: it } | EventKind::FaultFailed { identity: it, .. }
                        if it == identity)
                });
                prop_assert!(trace.injected.insert(identity.clone(), (*at, end)).is_none(), "injected twice");
                trace.order.push((true, identity.clone()));
            }
            Effect::Undo(identity) => {
                let end = over(&|kind| {
                    matches!(kind, EventKind::FaultRestored { identity: it, .. } | EventKind::FaultStuck { identity: it, .. }
                        | EventKind::FaultDrifted { identity: it, .. } if it == identity)
                });
                prop_assert!(trace.undone.insert(identity.clone(), (*at, end)).is_none(), "undone twice");
                trace.order.push((false, identity.clone()));
            }
            Effect::Record(_)
            | Effect::StartLoad(_)
            | Effect::StopLoad(_)
            | Effect::SteerLoad(..)
            | Effect::Answer(_)
            | Effect::Seal(_)
            | Effect::Finish => {}
        }
    }
    Ok(trace)
}

fn resource(plan: &Plan, identity: &FaultIdentity) -> String {
    let route = plan.routes.iter().find(|route| route.fault == identity.fault);
    plan.resource(&route.unwrap_or_else(|| &plan.changes[&identity.fault]).target)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_left_behind(case in case()) {
        let plan = case.plan();
        let world = case.play();
        let trace = trace(&world)?;

        // Every fault that was injected is asked to be undone exactly once, after it is in and before the end.
        prop_assert_eq!(trace.injected.keys().collect::<Vec<_>>(), trace.undone.keys().collect::<Vec<_>>());
        for (identity, (_, is_in)) in &trace.injected {
            prop_assert!(trace.undone[identity].0 >= *is_in, "{identity:?} was undone before it was in");
            prop_assert!(trace.undone[identity].1 <= world.now_ms, "the run did not wait for {identity:?}");
        }
        prop_assert!(matches!(world.effects.last(), Some((_, Effect::Finish))));

        // Nothing is injected once the end has begun.
        let is_end = |kind: &EventKind| matches!(kind, EventKind::RunAborted { .. } | EventKind::RunRecovering);
        let is_injection = |kind: &EventKind| matches!(kind, EventKind::FaultIntended { .. });
        let end = world.when(is_end).unwrap();
        let mut late = world.events.iter().skip_while(|(_, kind)| !is_end(kind));
        prop_assert!(!late.any(|(_, kind)| is_injection(kind)), "injected after the end had begun");

        // Where they work on the same thing, changes are made and undone one at a time, and at the end last-in first-out.
        let mut spans: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        for (identity, span) in trace.injected.iter().chain(&trace.undone) {
            spans.entry(resource(&plan, identity)).or_default().push(*span);
        }
        for (resource, mut spans) in spans {
            spans.sort_unstable();
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{resource}: {spans:?}");
            let of_it = |identity: &&FaultIdentity| self::resource(&plan, identity) == resource;
            let injected: Vec<&FaultIdentity> =
                trace.order.iter().filter(|(is_in, _)| *is_in).map(|(_, it)| it).filter(of_it).collect();
            let at_end = |it: &&FaultIdentity| trace.undone[*it].0 > end;
            let undone: Vec<&FaultIdentity> = trace.order.iter().filter(|(is_in, _)| !*is_in).map(|(_, it)| it)
                .filter(of_it).filter(at_end).collect();
            let expected: Vec<&FaultIdentity> = injected.into_iter().rev().filter(at_end).collect();
            prop_assert_eq!(undone, expected, "{}", resource);
        }

        // A time limit ends a fault, paused or not: at the next tick, or when nothing else is under way there.
        let slack = 100 + 2 * (case.inject_ms + case.undo_ms) * FAULTS as u64 * 4;
        for (identity, (_, is_in)) in &trace.injected {
            if let Some(ttl) = plan.changes.get(&identity.fault).and_then(|change| change.spec.ttl) {
                let limit = is_in + crate::unit::elapsed_ms(ttl.0) + slack;
                prop_assert!(trace.undone[identity].0 <= limit, "{identity:?} outlived its time limit");
            }
        }

        // The world is as it was, unless an undo was stuck; and the run says which of the two it is.
        let count = |wanted: fn(&EventKind) -> bool| world.count(wanted);
        let dirty = count(|kind| matches!(kind, EventKind::RunDirty { .. }));
        let settled = count(|kind| matches!(kind, EventKind::RunSettled));
        let drifted = count(|kind| matches!(kind, EventKind::FaultDrifted { .. }));
        if count(|kind| matches!(kind, EventKind::FaultStuck { .. })) > 0 {
            prop_assert!(settled == 0 && dirty > 0, "a run with a stuck undo is dirty");
        } else {
            prop_assert!(world.settings.is_empty(), "left behind: {:?}", world.settings);
            prop_assert_eq!((drifted, dirty), (0, 0));
            prop_assert!(settled > 0);
        }

        // Each hypothesis is judged once, each phase that began ended, and the run was aborted at most once.
        prop_assert_eq!(count(|kind| matches!(kind, EventKind::HypothesisJudged(_))), plan.hypotheses.len());
        let state = world.recording.state();
        prop_assert!(state.phases.iter().all(|phase| phase.end_ms.is_some()));
        let aborted = count(|kind| matches!(kind, EventKind::RunAborted { .. }));
        prop_assert!(aborted <= 1);
        let shut = count(|kind| matches!(kind, EventKind::GateJudged { open: false, .. })) > 0;
        prop_assert_eq!(shut, state.gate_shut);
        let started = count(|kind| matches!(kind, EventKind::LoadStarted { .. }));
        let ended = count(|kind| matches!(kind, EventKind::LoadEnded { .. } | EventKind::LoadLost { .. }));
        prop_assert_eq!(started, ended, "a load outlived the run");
    }

    #[test]
    fn the_same_story_ends_the_same_way(case in case()) {
        prop_assert_eq!(case.play().events, case.play().events);
    }
}

/// A plan's steps name what the test meant: without this, a typing error in a name would make the properties empty.
#[test]
fn the_cases_inject_and_abort_and_pause() {
    let case = Case {
        faults: vec![(0, 0, None); FAULTS],
        phases: vec![(30, vec![(0, 0, 0), (3, 0, 10)], false)],
        routes: 2,
        failing: BTreeMap::new(),
        stuck: BTreeSet::new(),
        commands: vec![(5_000, 0), (20_000, 1)],
        inputs: Vec::new(),
        inject_ms: 300,
        undo_ms: 300,
        does_lost_load_abort: true,
    };
    let undo = Action::UndoFault(fault(0));
    assert_eq!(case.plan().steps[1].action, undo);
    let names: Vec<String> = case.play().changes().into_iter().map(|(_, change)| change).collect();
    assert_eq!(names, ["+route-r0", "+route-r1", "+f0", "-f0", "-route-r1", "-route-r0"]);
}
