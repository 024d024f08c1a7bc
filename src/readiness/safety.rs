//! Section A: who the caller is, what it may do, and that whatever is done can be undone.

use std::time::Duration;

use chrono::TimeDelta;

use super::ground::Ground;
use super::outcome::Tally;
use crate::aws::CredentialsEnd;
use crate::fault::FaultKind;
use crate::plan::EnvironmentKind;
use crate::run::{PermissionVerdict, UNDO_MARGIN};
use crate::unit::format_duration;
use crate::workspace::Class;

/// How much longer than the run credentials should last: people talk, and an undo may wait.
const COMFORT: Duration = Duration::from_secs(30 * 60);
/// How long ago the undo of a fault may have been rehearsed.
const REHEARSED: TimeDelta = TimeDelta::days(30);
/// How many people must agree where customers are.
const CONSENTS_MIN: u32 = 2;

pub(super) fn account(ground: &Ground<'_>) -> Tally {
    match &ground.look.account {
        Ok(None) => Tally::default(),
        Ok(Some(_)) => Tally::one(true, ""),
        // The guard's own words say in which account the caller is.
        Err(why) if why.0.contains("nothing is touched") => Tally::one(false, &why.0),
        Err(why) => Tally::not_known(why),
    }
}

pub(super) fn region(ground: &Ground<'_>) -> Tally {
    let EnvironmentKind::Account { region, .. } = &ground.plan.environment.kind else { return Tally::default() };
    let mut tally = Tally::default();
    if !ground.look.region.is_empty() {
        let found = &ground.look.region;
        tally.expect(found == region, format!("the clients are for `{found}`, and the environment is for `{region}`"));
    }
    let partition = crate::plan::Place::new(region, "").partition;
    let named = ground.scope.functions.keys().chain(&ground.scope.topics).chain(&ground.scope.queues);
    for arn in named.filter(|name| name.starts_with("arn:")) {
        let parts: Vec<&str> = arn.split(':').collect();
        let is_there = parts.get(1) == Some(&partition.as_str()) && parts.get(3) == Some(&region.as_str());
        tally.expect(is_there, format!("`{arn}` does not lie in `{region}` of the partition `{partition}`"));
    }
    if ground.look.region.is_empty() {
        tally.pass();
    }
    tally
}

pub(super) fn credentials(ground: &Ground<'_>) -> Tally {
    let lasts = ground.plan.length() + ground.plan.settle.as_ref().map_or(Duration::ZERO, |settle| settle.within.0);
    let until = |margin| ground.look.now + TimeDelta::from_std(lasts + margin).unwrap_or(TimeDelta::MAX);
    let mut tally = Tally::default();
    match &ground.look.credentials {
        Ok(None) => {}
        Ok(Some(CredentialsEnd::Never | CredentialsEnd::Renewed)) => tally.pass(),
        Ok(Some(CredentialsEnd::Unknown)) => tally.unknown("nobody knows when the session of the credentials ends"),
        Ok(Some(CredentialsEnd::At(end))) => {
            let text = |margin: Duration| {
                let needed = format_duration(lasts + margin);
                format!("they end at {}, and {needed} are needed from now on", end.format("%H:%M:%S UTC"))
            };
            if *end < until(UNDO_MARGIN) {
                tally.fail(text(UNDO_MARGIN));
            } else if *end < until(COMFORT) {
                tally.warn(format!("{} to be comfortable", text(COMFORT)));
            } else {
                tally.pass();
            }
        }
        Err(why) => tally.unknown(&why.0),
    }
    tally
}

pub(super) fn permissions(ground: &Ground<'_>) -> Tally {
    let permissions = match &ground.look.permissions {
        Ok(None) => return Tally::default(),
        Ok(Some(permissions)) => permissions,
        Err(why) => return Tally::not_known(why),
    };
    let mut tally = Tally::default();
    for permitted in &permissions.permissions {
        let undo = if permitted.is_for_undo { " (also to undo)" } else { "" };
        let why = permitted.why.as_deref().unwrap_or("IAM does not say why");
        match permitted.verdict {
            PermissionVerdict::Allowed => tally.pass(),
            PermissionVerdict::Denied => {
                tally.fail(format!("{} on {}{undo}: {why}", permitted.action, permitted.resource));
            }
            PermissionVerdict::Unknown => tally.unknown(why),
        }
    }
    // A plan that makes no call needs no permission.
    if permissions.permissions.is_empty() {
        tally.pass();
    }
    tally
}

pub(super) fn tags(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    let required = &ground.environment.require_tags;
    if required.is_empty() {
        return tally;
    }
    for (what, arn) in ground.target_arns() {
        match ground.tags(&arn) {
            Ok(tags) => {
                let lacking = required.iter().find(|(key, value)| tags.get(*key) != Some(value));
                let (key, value) = lacking.map(|(key, value)| (key.as_str(), value.as_str())).unwrap_or_default();
                tally.expect(lacking.is_none(), format!("{what} does not carry `{key}: {value}`"));
            }
            Err(why) => tally.unknown(&format!("{what}: {why}")),
        }
    }
    tally
}

pub(super) fn approvals(ground: &Ground<'_>) -> Tally {
    let need = ground.environment.approvals.as_ref().map_or(0, |approvals| approvals.need);
    match ground.environment.class {
        Class::Nonproduction => Tally::default(),
        Class::Production => {
            let text = format!("customers depend on it, and {need} of {CONSENTS_MIN} people are asked");
            Tally::one(need >= CONSENTS_MIN, text)
        }
    }
}

pub(super) fn lever(ground: &Ground<'_>) -> Tally {
    match &ground.look.lever {
        Ok(None) => Tally::default(),
        Ok(Some(is_engaged)) => Tally::one(!is_engaged, "it is engaged: no experiment begins"),
        Err(why) => Tally::not_known(why),
    }
}

pub(super) fn rehearsed(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    let kinds: std::collections::BTreeSet<&str> =
        ground.plan.changes.values().map(|change| change.kind.as_str()).collect();
    for kind in kinds {
        let last = ground.facts.rehearsed.get(kind);
        let is_fresh = last.is_some_and(|at| ground.look.now - *at <= REHEARSED);
        let when = last
            .map_or("was never undone here".to_owned(), |at| format!("was last undone on {}", at.format("%Y-%m-%d")));
        tally.expect(is_fresh, format!("`{kind}` {when}"));
    }
    tally
}

pub(super) fn alone(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    ground.facts.others.iter().for_each(|line| tally.fail(line));
    if ground.facts.others.is_empty() {
        tally.pass();
    }
    tally
}

pub(super) fn abort(ground: &Ground<'_>) -> Tally {
    let why = &ground.facts.no_socket;
    Tally::one(why.is_none(), why.clone().unwrap_or_default())
}

/// Whether a fault leaves a function or a rule without traffic, so that there is no data.
pub(super) fn stops_traffic(kind: &FaultKind) -> bool {
    match kind {
        FaultKind::LambdaConcurrency(fault) => fault.reserved == 0,
        FaultKind::LambdaEventSource(_) | FaultKind::EventRule(_) | FaultKind::LambdaFunctionUrl(_) => true,
        _ => false,
    }
}
