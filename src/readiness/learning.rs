//! Section I: playbooks, lessons, and that what is seen can be written down.

use chrono::TimeDelta;

use super::ground::Ground;
use super::organise::exercised;
use super::outcome::Tally;
use crate::playbook::{Playbook, PlaybookKind};
use crate::run::CLOCK_ERROR_MAX;

/// How long ago a playbook may have been exercised.
const EXERCISED: TimeDelta = TimeDelta::days(180);
/// How much room a run should have for its evidence.
const FREE_BYTES_MIN: u64 = 1 << 30;

pub(super) fn playbooks(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    let Some(planned) = &ground.plan.alarms else { return tally };
    for name in planned.names().filter(|name| planned.needs(name)) {
        let of_alarm = |playbook: &&Playbook| playbook.alarms.iter().any(|alarm| alarm.as_str() == name);
        let Some(playbook) = ground.facts.playbooks.iter().find(of_alarm) else {
            match ground.facts.unread_playbooks.as_slice() {
                [] => tally.fail(format!("no playbook names `{name}` in its `alarms`")),
                unread => tally.unknown(&format!("{} can not be read", unread.join(", "))),
            }
            continue;
        };
        let id = &playbook.id;
        tally.expect(playbook.warnings.is_empty(), format!("playbook `{id}` has {} warnings", playbook.warnings.len()));
        let last = ground.facts.exercised.get(id);
        let is_fresh = last.is_some_and(|at| ground.look.now - *at <= EXERCISED);
        let when = last
            .map_or("was never exercised".to_owned(), |at| format!("was last exercised on {}", at.format("%Y-%m-%d")));
        tally.expect(is_fresh, format!("playbook `{id}` {when}"));
    }
    tally
}

pub(super) fn runbooks(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    for component in exercised(ground) {
        let is_it =
            |playbook: &&Playbook| playbook.kind == PlaybookKind::Runbook && playbook.components.contains(&component);
        let runbook = ground.facts.playbooks.iter().find(is_it);
        match runbook {
            Some(runbook) => {
                let text = format!("runbook `{}` has no command: it is prose", runbook.id);
                tally.expect(!runbook.commands.is_empty(), text);
            }
            None if !ground.facts.unread_playbooks.is_empty() => {
                tally.unknown(&format!("{} can not be read", ground.facts.unread_playbooks.join(", ")));
            }
            None => tally.fail(format!("component `{component}` has no runbook")),
        }
    }
    tally
}

pub(super) fn lessons(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    for barrier in &ground.facts.barriers {
        tally.fail(format!("{} ({})", barrier.objection, barrier.remedy));
    }
    ground.facts.unsettled.iter().for_each(|line| tally.warn(line));
    if ground.facts.barriers.is_empty() && ground.facts.unsettled.is_empty() {
        tally.pass();
    }
    tally
}

pub(super) fn earlier(ground: &Ground<'_>) -> Tally {
    Tally::one(ground.facts.previous.is_some(), "no run of this scenario came to its end here")
}

pub(super) fn evidence(ground: &Ground<'_>) -> Tally {
    let why = &ground.facts.not_writable;
    let mut tally = Tally::one(why.is_none(), why.clone().unwrap_or_default());
    match ground.facts.free_bytes {
        Some(free) => {
            let text = format!("{} MB are free in the folder of reports, and 1,024 should be", free >> 20);
            tally.expect(free >= FREE_BYTES_MIN, text);
        }
        None => tally.unknown("how much room the folder of reports has is not known"),
    }
    match &ground.look.clock {
        Ok(Some(error)) => {
            let seconds = error.abs().as_seconds_f64();
            tally.expect(error.abs() <= CLOCK_ERROR_MAX, format!("this machine's clock is wrong by {seconds:.1} s"));
        }
        Ok(None) => {}
        Err(why) => tally.unknown(&why.0),
    }
    tally
}
