//! A fault that its proxy counts is proven by it, and one that it never did to a caller was not tested.

use serde_json::json;

use super::*;
use crate::event::FaultIdentity;
use crate::plan::ChangePlan;

/// Latency of a proxied dependency, without an `effect_if`.
fn slow() -> ChangePlan {
    let spec = serde_json::from_value(json!({"proxy_latency": {"target": "shop", "latency": "1s"}})).unwrap();
    ChangePlan { kind: "proxy_latency".to_owned(), spec, ..variable("slow", "shop", "X") }
}

fn world(telling: &[&str]) -> World {
    let sketch = Sketch::new(Mode::Drill).load("users", "3h", "abort").fault(slow(), None, None);
    let sketch = sketch.hypothesis("H1", "max(ok) > 0% during faulty", &["slow"]);
    let plan = sketch.phase("faulty", 60).start_load(0, "users").inject(0, "slow").plan();
    World::new(plan, Attendance::Unattended, nature()).telling(telling)
}

fn told(at_ms: u64) -> (u64, Input) {
    (at_ms, Input::ProxiesTold(vec!["shop".parse().unwrap()]))
}

fn judged_after_settling(world: &World) -> u64 {
    let judged = world.when(|kind| matches!(kind, EventKind::HypothesisJudged(_))).unwrap();
    judged - world.when(|kind| matches!(kind, EventKind::RunSettled)).unwrap()
}

fn unproven() -> Verdict {
    Verdict::NotTested("fault `slow` never proved its effect".to_owned())
}

#[test]
fn a_fault_that_its_proxy_never_did_to_a_caller_was_not_tested() {
    let looks = (1..80).map(|second| told(second * SECOND));
    let world = world(&["shop"]).run(Vec::new(), looks.collect());
    assert_eq!(verdict(&world, "H1"), unproven());
    assert!(judged_after_settling(&world) < 2 * SECOND, "one look after the end is enough");
}

#[test]
fn a_proxy_that_falls_silent_is_waited_for_only_so_long() {
    let world = world(&["shop"]).run(Vec::new(), Vec::new());
    assert_eq!(verdict(&world, "H1"), unproven());
    assert!((2 * SECOND..5 * SECOND).contains(&judged_after_settling(&world)));
}

#[test]
fn what_its_proxy_did_to_a_caller_is_proof_and_nobody_waits_for_more() {
    let identity = FaultIdentity { step: "002-slow".to_owned(), fault: "slow".parse().unwrap() };
    let proof = EventKind::FaultEffective { identity, evidence: "toxic".to_owned(), first_ms: None };
    let world = world(&["shop"]).told(30 * SECOND, proof).run(Vec::new(), Vec::new());
    assert_eq!(verdict(&world, "H1"), Verdict::Upheld);
    assert!(judged_after_settling(&world) < 2 * SECOND);
}

#[test]
fn of_a_proxy_that_tells_nothing_nothing_is_asked() {
    let world = world(&[]).run(Vec::new(), Vec::new());
    assert_eq!(verdict(&world, "H1"), Verdict::Upheld);
    assert!(judged_after_settling(&world) < 2 * SECOND);
}
