//! The life of a run, told as stories: each in simulated time, from its beginning to its end.

mod alarm;
mod change;
mod load;
mod metric;
mod people;
mod proof;
mod taking_part;
mod timer;

use std::collections::BTreeSet;

use super::testing::{Nature, Traffic, WELL, World};
use super::{Attendance, Effect, Input};
use crate::event::{Command, EventKind, PhaseEnd, RunStage, Verdict};
use crate::plan::testing::{Sketch, variable};
use crate::plan::{Action, Plan};
use crate::scenario::Mode;
use crate::unit::FaultId;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// A quarter of the answers fail while any fault is in.
fn disturbed(faults: &BTreeSet<FaultId>) -> Traffic {
    if faults.iter().all(|fault| fault.as_str().starts_with("route-")) {
        WELL
    } else {
        Traffic { requests: 12, failed: 3, latency_ms: 900 }
    }
}

fn nature() -> Nature {
    Nature { traffic: disturbed, ..Nature::default() }
}

fn play(plan: Plan) -> World {
    World::new(plan, Attendance::Unattended, nature()).run(Vec::new(), Vec::new())
}

fn play_with(plan: Plan, commands: Vec<(u64, Command)>) -> World {
    World::new(plan, Attendance::Unattended, nature()).run(commands, Vec::new())
}

fn names(world: &World) -> Vec<String> {
    world.changes().into_iter().map(|(_, change)| change).collect()
}

fn start_of(world: &World, name: &str) -> Option<u64> {
    world.when(|kind| matches!(kind, EventKind::PhaseStarted { phase } if phase.as_str() == name))
}

fn end_of(world: &World, name: &str) -> Option<(u64, PhaseEnd)> {
    world.events.iter().find_map(|(at, kind)| match kind {
        EventKind::PhaseEnded { phase, why } if phase.as_str() == name => Some((*at, *why)),
        _ => None,
    })
}

fn skipped(world: &World) -> Vec<String> {
    world
        .events
        .iter()
        .filter_map(|(_, kind)| match kind {
            EventKind::ActionSkipped { action, why } => Some(format!("{action}: {why}")),
            _ => None,
        })
        .collect()
}

fn verdict(world: &World, name: &str) -> Verdict {
    let results = &world.recording.state().results;
    results.iter().find(|result| result.hypothesis.as_str() == name).unwrap().verdict.clone()
}

fn mark(name: &str) -> Command {
    Command::Mark { name: name.to_owned(), fault: None, component: None, text: None, by: None }
}

/// One load, one fault for a minute in the middle of three phases.
fn drill() -> Sketch {
    Sketch::new(Mode::Drill)
        .load("users", "3h", "abort")
        .fault(variable("lag", "shop", "LAG"), None, Some("mean(ok) < 90%"))
        .hypothesis("H1", "mean(ok) >= 99% during faulty", &["lag"])
}

fn three_phases(sketch: Sketch) -> Sketch {
    sketch.phase("baseline", 30).start_load(0, "users").phase("faulty", 60).inject(0, "lag").phase("after", 30)
}

#[test]
fn a_game_day_of_two_hours_takes_a_moment() {
    let plan = drill()
        .hypothesis("H0", "p99(latency) <= 200ms during baseline", &[])
        .hypothesis("H2", "p99(latency) <= 200ms for 30s within 5m after faulty", &["lag"])
        .route("provider", "shop", "PROVIDER")
        .phase("baseline", 15 * 60)
        .start_load(0, "users")
        .gate("H0")
        .phase("faulty", 60 * 60)
        .inject(5 * 60, "lag")
        .person_step("look", Some(60), true, true)
        .phase("after", 45 * 60)
        .undo(0, "lag")
        .settle("H0", 300)
        .plan();
    let world = play(plan);
    assert_eq!(names(&world), ["+route-provider", "+lag", "-lag", "-route-provider"]);
    assert_eq!(verdict(&world, "H0"), Verdict::Upheld);
    assert_eq!(verdict(&world, "H1"), Verdict::Refuted);
    assert_eq!(verdict(&world, "H2"), Verdict::Upheld);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::SettleJudged { held: true, .. })), 1);
    assert_eq!(world.recording.state().stage, RunStage::Settled);
    assert!((120 * MINUTE..121 * MINUTE).contains(&world.now_ms), "{}", world.now_ms);
}

#[test]
fn a_gate_looks_at_its_whole_phase_though_it_was_paused() {
    let plan = drill().hypothesis("H0", "mean(ok) >= 99%", &[]).phase("baseline", 30).start_load(0, "users").gate("H0");
    let world = play_with(
        plan.plan(),
        vec![(10 * SECOND, Command::Pause { by: None }), (50 * SECOND, Command::Resume { by: None })],
    );
    let window = world.events.iter().find_map(|(_, kind)| match kind {
        EventKind::GateJudged { results, .. } => results[0].observations[0].window_ms,
        _ => None,
    });
    assert_eq!(window, Some((0, end_of(&world, "baseline").unwrap().0)));
}

#[test]
fn a_lost_load_ends_the_run_or_not_as_the_scenario_says() {
    let lost = || Input::LoadOver { load: "users".parse().unwrap(), lost: Some("killed".to_owned()) };
    for (on_lost, is_aborted) in [("abort", true), ("continue", false)] {
        let plan = three_phases(drill().load("users", "3h", on_lost)).plan();
        let world = World::new(plan, Attendance::Unattended, nature()).run(Vec::new(), vec![(40 * SECOND, lost())]);
        assert_eq!(world.recording.state().abort.is_some(), is_aborted, "{on_lost}");
        assert_eq!(start_of(&world, "after").is_none(), is_aborted, "{on_lost}");
        assert_eq!(names(&world), ["+lag", "-lag"]);
        assert_eq!(world.count(|kind| matches!(kind, EventKind::LoadLost { .. })), 1);
    }
}

#[test]
fn a_gate_that_is_refuted_or_does_not_know_stays_shut() {
    for (expect, verdict) in [
        ("p99(latency) <= 10ms", Verdict::Refuted),
        ("mean(ok) >= 99% for 1m", Verdict::Inconclusive("the time to look back over is not full yet".to_owned())),
    ] {
        let plan = drill().hypothesis("H0", expect, &[]).phase("baseline", 30).start_load(0, "users").gate("H0");
        let world = play(plan.phase("faulty", 30).inject(0, "lag").plan());
        let results = world.events.iter().find_map(|(_, kind)| match kind {
            EventKind::GateJudged { open: false, results, .. } => Some(results.clone()),
            _ => None,
        });
        assert_eq!(results.unwrap()[0].verdict, verdict);
        assert_eq!(world.changes(), [], "{expect}");
        assert_eq!(end_of(&world, "baseline").unwrap().1, PhaseEnd::GateShut);
        assert_eq!(self::verdict(&world, "H1"), Verdict::NotTested("phase `faulty` did not begin".to_owned()));
        assert!(world.recording.state().gate_shut && world.recording.state().stage == RunStage::Settled);
    }
}

#[test]
fn a_phase_that_ends_early_carries_out_its_ends_and_leaves_out_the_rest() {
    let deliver = Action::DeliverInject {
        inject: "ticket".parse().unwrap(),
        to: "maria".parse().unwrap(),
        text: "it spins".to_owned(),
    };
    let plan = drill()
        .phase("faulty", 60)
        .until("mark(mitigated)")
        .start_load(0, "users")
        .inject(0, "lag")
        .at(40, deliver)
        .undo(50, "lag")
        .phase("after", 30);
    let world = play_with(plan.plan(), vec![(20 * SECOND, mark("mitigated"))]);
    let (ended, why) = end_of(&world, "faulty").unwrap();
    assert!(why == PhaseEnd::Until && (20 * SECOND..=20 * SECOND + 100).contains(&ended), "{ended}");
    assert_eq!(world.changes()[1], (ended, "-lag".to_owned()));
    assert_eq!(skipped(&world), ["inject ticket to maria: its phase ended early"]);
}

#[test]
fn what_an_unless_rules_out_does_not_happen() {
    let deliver = |name: &str| Action::DeliverInject {
        inject: name.parse().unwrap(),
        to: "maria".parse().unwrap(),
        text: "it spins".to_owned(),
    };
    let plan = Sketch::new(Mode::Drill)
        .phase("only", 30)
        .at_unless(5, deliver("early"), Some("mark(detected)"))
        .at_unless(20, deliver("late"), Some("mark(detected)"));
    let world = play_with(plan.plan(), vec![(10 * SECOND, mark("detected"))]);
    let delivered = |name: &str| {
        world.count(|kind| matches!(kind, EventKind::InjectDelivered { inject, .. } if inject.as_str() == name))
    };
    assert_eq!((delivered("early"), delivered("late")), (1, 0));
    assert_eq!(skipped(&world), ["inject late to maria: its `unless` holds: mark(detected)"]);
}

#[test]
fn load_goes_on_until_the_system_is_well_again_or_the_time_for_it_is_up() {
    for (traffic, held) in [(disturbed as fn(&BTreeSet<FaultId>) -> Traffic, true), (never_well, false)] {
        let plan = three_phases(drill()).hypothesis("H0", "mean(ok) >= 99%", &[]).settle("H0", 20).plan();
        let world = World::new(plan, Attendance::Unattended, Nature { traffic, ..nature() });
        let world = world.run(Vec::new(), Vec::new());
        let settled = world.when(|kind| matches!(kind, EventKind::RunSettled)).unwrap();
        let judged = world.events.iter().find_map(|(at, kind)| match kind {
            EventKind::SettleJudged { held, held_ms } => Some((*at, *held, *held_ms)),
            _ => None,
        });
        let (at, was_held, held_ms) = judged.unwrap();
        assert_eq!((was_held, held_ms.is_some()), (held, held));
        let took = at - settled;
        assert!(if held { (5 * SECOND..8 * SECOND).contains(&took) } else { took >= 20 * SECOND }, "{took}");
        let stopped = world.effects.iter().find(|(_, effect)| matches!(effect, Effect::StopLoad(_))).unwrap().0;
        assert!(stopped >= at, "load must go on while it is looked at");
    }
}

fn never_well(_: &BTreeSet<FaultId>) -> Traffic {
    Traffic { requests: 10, failed: 5, latency_ms: 80 }
}

#[test]
fn a_within_keeps_the_run_alive_until_it_is_decided() {
    for (traffic, is_upheld) in [(disturbed as fn(&BTreeSet<FaultId>) -> Traffic, true), (never_well, false)] {
        let plan = drill()
            .hypothesis("H2", "mean(ok) >= 99% for 10s within 40s after faulty", &["lag"])
            .phase("faulty", 30)
            .start_load(0, "users")
            .inject(0, "lag");
        let world = World::new(plan.plan(), Attendance::Unattended, Nature { traffic, ..nature() });
        let world = world.run(Vec::new(), Vec::new());
        let stopped = world.effects.iter().find(|(_, effect)| matches!(effect, Effect::StopLoad(_))).unwrap().0;
        let expected = if is_upheld { 40 * SECOND..45 * SECOND } else { 70 * SECOND..72 * SECOND };
        assert!(expected.contains(&stopped), "{stopped}");
        let verdict = verdict(&world, "H2");
        assert_eq!(verdict, if is_upheld { Verdict::Upheld } else { Verdict::Refuted });
    }
}

#[test]
fn a_load_that_is_started_again_waits_for_its_first_worker() {
    let plan = drill().phase("first", 20).start_load(0, "users").phase("second", 20);
    let world =
        play(plan.stop_load(0, "users").start_load(0, "users").stop_load(10, "users").stop_load(15, "users").plan());
    let load: Vec<_> = world
        .effects
        .iter()
        .filter_map(|(at, effect)| match effect {
            Effect::StartLoad(_) => Some((*at, "start")),
            Effect::StopLoad(_) => Some((*at, "stop")),
            _ => None,
        })
        .collect();
    assert_eq!(load, [(0, "start"), (20_000, "stop"), (21_200, "start"), (30_000, "stop")]);
    assert_eq!(skipped(&world), ["stop load users: the load is over already"]);
}

#[test]
fn what_is_judged_ends_when_load_was_told_to_stop() {
    let plan = drill().hypothesis("H2", "mean(ok) >= 50%", &["lag"]).phase("faulty", 30).start_load(0, "users");
    let plan = plan.inject(0, "lag").plan();
    let world = World::new(plan, Attendance::Unattended, Nature { stop_ms: 20_000, ..nature() });
    let world = world.run(Vec::new(), Vec::new());
    assert_eq!(verdict(&world, "H2"), Verdict::Upheld, "the seconds after the stop are not missing");
}

#[test]
fn an_aborted_run_refutes_but_does_not_uphold() {
    let plan = three_phases(drill())
        .hypothesis("H2", "mean(ok) >= 50%", &["lag"])
        .hypothesis("H3", "mean(ok) >= 99%", &["lag"])
        .hypothesis("H4", "mark(detected)", &["lag"])
        .hypothesis("H5", "mean(ok) >= 99% during baseline", &[]);
    let commands = vec![(50 * SECOND, mark("detected")), (60 * SECOND, Command::Abort { why: None, by: None })];
    let world = play_with(plan.plan(), commands);
    assert_eq!(verdict(&world, "H1"), Verdict::Refuted);
    assert_eq!(verdict(&world, "H2"), Verdict::Inconclusive("the run ended before its time".to_owned()));
    assert_eq!(verdict(&world, "H3"), Verdict::Refuted);
    assert_eq!(verdict(&world, "H4"), Verdict::Upheld);
    assert_eq!(verdict(&world, "H5"), Verdict::Upheld);
    assert_eq!(world.recording.state().stage, RunStage::Settled);
}

#[test]
fn ten_thousand_steps_happen_in_order() {
    let mut sketch = Sketch::new(Mode::Drill).phase("only", 1_000);
    for number in 0..10_000 {
        let deliver = Action::DeliverInject {
            inject: format!("i{number}").parse().unwrap(),
            to: "maria".parse().unwrap(),
            text: String::new(),
        };
        sketch = sketch.at(number / 10, deliver);
    }
    let world = play(sketch.plan());
    let delivered: Vec<u64> = world
        .events
        .iter()
        .filter_map(|(_, kind)| match kind {
            EventKind::InjectDelivered { inject, .. } => inject.as_str().trim_start_matches('i').parse().ok(),
            _ => None,
        })
        .collect();
    assert_eq!(delivered, (0..10_000).collect::<Vec<u64>>());
}
