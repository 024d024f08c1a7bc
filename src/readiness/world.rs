//! Section B: whether the world is quiet enough to disturb it.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::ground::Ground;
use super::outcome::Tally;
use crate::unit::AlarmState;

/// How fresh a change of a function is worth a word.
const FRESH: TimeDelta = TimeDelta::hours(24);
/// The tag by which CloudFormation marks what belongs to a stack.
pub(super) const STACK_TAG: &str = "aws:cloudformation:stack-name";

pub(super) fn quiet(ground: &Ground<'_>) -> Tally {
    let (own, expected) = match (ground.own_alarms(), ground.expected_alarms()) {
        (Ok(own), Ok(expected)) => (own, expected),
        (Err(why), _) | (_, Err(why)) => return Tally::not_known(&why),
    };
    let mut tally = Tally::default();
    for alarm in &own {
        match alarm.state {
            AlarmState::Alarm => tally.fail(format!("`{}` is in ALARM", alarm.name)),
            AlarmState::Ok | AlarmState::InsufficientData => tally.pass(),
        }
    }
    if ground.look.alarms.as_ref().is_ok_and(|list| list.is_cut) {
        tally.unknown("there are more alarms than are read");
    }
    let (found, missing) = expected;
    for alarm in found.iter().filter(|alarm| alarm.state == AlarmState::InsufficientData) {
        tally.fail(format!("`{}` is expected to fire, and has insufficient data", alarm.name));
    }
    missing.iter().for_each(|name| tally.fail(format!("there is no alarm `{name}`, which the scenario expects")));
    tally
}

pub(super) fn deployments(ground: &Ground<'_>) -> Tally {
    let changing = match &ground.look.stacks {
        Ok(changing) => changing,
        Err(why) => return Tally::not_known(why),
    };
    let mut tally = Tally::default();
    if changing.is_empty() {
        tally.pass();
        return tally;
    }
    let mut own = BTreeSet::new();
    for (what, arn) in ground.target_arns() {
        match ground.tags(&arn) {
            Ok(mut tags) => own.extend(tags.remove(STACK_TAG)),
            Err(why) => tally.unknown(&format!("to which stack {what} belongs: {why}")),
        }
    }
    for stack in changing {
        let text = format!("stack `{}` is in {}", stack.name, stack.state);
        match own.contains(&stack.name) {
            true => tally.fail(text),
            false => tally.warn(format!("{text}; no target belongs to it")),
        }
    }
    tally
}

pub(super) fn changes(ground: &Ground<'_>) -> Tally {
    ground.each_function(true, |tally, function, listed| match listed.modified_at {
        Some(at) if ground.look.now - at <= FRESH => {
            tally.warn(format!("function `{}` was changed at {}", function.name, at.format("%Y-%m-%d %H:%M UTC")));
        }
        Some(_) => tally.pass(),
        None => tally.unknown(&format!("when function `{}` was changed is not told", function.name)),
    })
}

pub(super) fn window(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    ground.facts.closed.iter().for_each(|line| tally.fail(line));
    if ground.facts.closed.is_empty() {
        tally.pass();
    }
    tally
}
