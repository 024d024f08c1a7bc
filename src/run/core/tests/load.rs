//! Stories of loads that people steer.

use chrono::DateTime;

use super::super::testing::World;
use super::{Attendance, Effect, Input, SECOND, nature, play_with};
use crate::event::{Command, CommandAnswer, EventKind, LoadSteer};
use crate::load::Steer;
use crate::plan::Plan;
use crate::plan::testing::Sketch;
use crate::scenario::Mode;
use crate::unit::Rate;

/// Two loads for the first ten seconds of twenty: customers at 20/s, and two robots.
fn plan() -> Plan {
    let sketch = Sketch::new(Mode::Drill).load("customers", "10s", "abort").load("robots", "10s", "abort");
    let mut plan = sketch.phase("only", 20).start_load(0, "customers").start_load(0, "robots").plan();
    let customers = plan.loads.get_mut("customers").unwrap();
    customers.shape = serde_yaml::from_str("[{hold: 10s, at: 20/s}]").unwrap();
    plan
}

fn rate(text: &str) -> LoadSteer {
    LoadSteer::Rate(text.parse().unwrap())
}

fn steer(load: &str, how: LoadSteer) -> Command {
    let load = (!load.is_empty()).then(|| load.parse().unwrap());
    Command::SteerLoad { load, how, by: Some("maria".to_owned()) }
}

/// What is said to each of these commands, a second after the one before.
fn answers(plan: Plan, commands: Vec<Command>) -> Vec<Result<(), String>> {
    let commands = (1..).zip(commands).map(|(second, command)| (second * SECOND, command)).collect();
    let answer = |answer: &CommandAnswer| match answer {
        CommandAnswer::Taken => Ok(()),
        CommandAnswer::Refused { why } => Err(why.clone()),
    };
    play_with(plan, commands).answers.iter().map(answer).collect()
}

#[test]
fn what_was_set_and_that_it_is_paused_are_two_things() {
    let how = [LoadSteer::Pause, rate("50/s"), LoadSteer::Resume, rate("30/s")];
    let commands = (1..).zip(how).map(|(second, how)| (second * SECOND, steer("customers", how))).collect();
    let world = play_with(plan(), commands);
    let steers: Vec<(Option<Rate>, bool)> = world
        .effects
        .iter()
        .filter_map(|(_, effect)| match effect {
            Effect::SteerLoad(load, Steer { rate, is_paused }) if load.as_str() == "customers" => {
                Some((*rate, *is_paused))
            }
            _ => None,
        })
        .collect();
    let rate = |text: &str| Some(text.parse().unwrap());
    assert_eq!(steers, [(None, true), (rate("50/s"), true), (rate("50/s"), false), (rate("30/s"), false)]);
    let told = |kind: &EventKind| matches!(kind, EventKind::LoadSteered { by: Some(by), .. } if by == "maria");
    assert_eq!(world.count(told), 4);
}

#[test]
fn what_can_not_be_steered_is_refused() {
    let users = "load `robots` is a number of users, which stays as its shape says; only a load whose shape is a rate \
                 (`20/s`) can be set";
    for (load, how, why) in [
        ("", LoadSteer::Pause, "more than one load runs: say which with `--load`, one of customers, robots"),
        ("custmers", LoadSteer::Pause, "there is no load `custmers`; did you mean `customers`?"),
        ("customers", LoadSteer::Resume, "load `customers` is not paused"),
        ("customers", rate("0/s"), "a rate of nothing is a pause: `gameday load pause`"),
        ("robots", rate("5/s"), users),
    ] {
        assert_eq!(answers(plan(), vec![steer(load, how)]), [Err(why.to_owned())]);
    }
    let pause = || steer("robots", LoadSteer::Pause);
    assert_eq!(answers(plan(), vec![pause(), pause()]), [Ok(()), Err("load `robots` is paused already".to_owned())]);
}

#[test]
fn a_load_is_steered_while_it_runs() {
    let late = |load: &str| vec![(12 * SECOND, steer(load, LoadSteer::Pause))];
    let refused = |why: &str| vec![CommandAnswer::Refused { why: why.to_owned() }];
    assert_eq!(play_with(plan(), late("")).answers, refused("no load runs at present"));
    assert_eq!(play_with(plan(), late("customers")).answers, refused("load `customers` does not run at present"));
    let mut alone = plan();
    alone.steps.retain(|step| !format!("{:?}", step.action).contains("robots"));
    assert_eq!(answers(alone, vec![steer("", rate("5/s"))]), [Ok(())], "it is the only one that runs");
}

#[test]
fn a_load_that_only_tears_down_is_not_steered() {
    let closing = || Input::LoadClosing("customers".parse().unwrap());
    let commands = vec![(4 * SECOND, steer("customers", rate("5/s")))];
    let world = World::new(plan(), Attendance::Unattended, nature()).run(commands, vec![(3 * SECOND, closing())]);
    let why = "load `customers` does not run at present".to_owned();
    assert_eq!(world.answers, [CommandAnswer::Refused { why }]);
}

#[test]
fn where_people_agreed_to_a_plan_no_rate_is_set_that_is_above_it() {
    let approved = EventKind::RunApproved {
        role: "owner".parse().unwrap(),
        by: "aiko".to_owned(),
        given_at: DateTime::UNIX_EPOCH,
        note: None,
    };
    let world = World::new(plan(), Attendance::Unattended, nature()).told(0, approved);
    let commands = ["21/s", "20/s"].into_iter().zip(1..);
    let commands = commands.map(|(text, second)| (second * SECOND, steer("customers", rate(text)))).collect();
    let why = "21/s is more than the 20/s of load `customers` in the plan to which people agreed: change its shape, and ask \
               them again";
    let answers = world.run(commands, Vec::new()).answers;
    assert_eq!(answers, [CommandAnswer::Refused { why: why.to_owned() }, CommandAnswer::Taken]);
}
