//! Section D: whether anything would be seen, and anybody told.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::cron::{Muting, muting};
use super::ground::Ground;
use super::look::is_topic;
use super::outcome::{Known, Tally};
use super::resilience::{is_asynchronous, sources};
use super::safety::stops_traffic;
use crate::aws::AlarmReading;
use crate::observe::{Fit, SignalLevel, SignalSource, predict};
use crate::scenario::expect::{Condition, Measure, Operator, Value};
use crate::unit::{AlarmSubject, MissingData};

const LAMBDA: &str = "AWS/Lambda";
/// How much of the timeout an alarm on the duration may wait for.
pub(super) const TIMEOUT_SHARE: f64 = 0.8;
/// How old the last run of a canary may be.
const CANARY_FRESH: TimeDelta = TimeDelta::hours(1);

/// Whether one of some metrics of something is watched.
fn watched(ground: &Ground<'_>, namespace: &str, names: &[&str], dimension: (&str, &str)) -> Known<bool> {
    ground.alarms_on(namespace, names, &[dimension]).map(|alarms| !alarms.is_empty())
}

fn expect_watched(tally: &mut Tally, found: Known<bool>, otherwise: impl Into<String>) {
    match found {
        Ok(is_watched) => tally.expect(is_watched, otherwise),
        Err(why) => tally.unknown(&why.0),
    }
}

/// Asks for an alarm on one of some metrics of each function.
fn each_watched(ground: &Ground<'_>, names: &[&str]) -> Tally {
    let mut tally = Tally::default();
    for name in ground.scope.functions.keys() {
        let found = watched(ground, LAMBDA, names, ("FunctionName", name));
        expect_watched(&mut tally, found, format!("no alarm watches {} of function `{name}`", names.join(" or ")));
    }
    tally
}

pub(super) fn errors(ground: &Ground<'_>) -> Tally {
    each_watched(ground, &["Errors"])
}

pub(super) fn throttles(ground: &Ground<'_>) -> Tally {
    each_watched(ground, &["Throttles"])
}

pub(super) fn duration(ground: &Ground<'_>) -> Tally {
    ground.each_function(false, |tally, function, listed| {
        let name = &function.name;
        let alarms = match ground.alarms_on(LAMBDA, &["Duration"], &[("FunctionName", name)]) {
            Ok(alarms) => alarms,
            Err(why) => return tally.unknown(&why.0),
        };
        let Some(timeout) = listed.timeout_seconds else {
            return tally.unknown(&format!("the timeout of function `{name}` is not told"));
        };
        let most = f64::from(timeout) * 1_000.0 * TIMEOUT_SHARE;
        let thresholds: Vec<Option<f64>> =
            alarms.iter().filter_map(|alarm| alarm.settings.rule()).map(|(_, rule)| rule.threshold).collect();
        let is_below = thresholds.iter().any(|threshold| threshold.is_none_or(|threshold| threshold <= most));
        match (alarms.is_empty(), is_below) {
            (true, _) => tally.fail(format!("no alarm watches Duration of function `{name}`")),
            (false, is_below) => tally.expect(
                is_below,
                format!(
                    "the alarm on Duration of function `{name}` waits for more than {most:.0} ms, 80 % of its timeout"
                ),
            ),
        }
    })
}

pub(super) fn asynchronous(ground: &Ground<'_>) -> Tally {
    const NAMES: [&str; 4] = ["AsyncEventAge", "AsyncEventsDropped", "DeadLetterErrors", "DestinationDeliveryFailures"];
    ground.each_function(true, |tally, function, listed| match is_asynchronous(ground, function, listed) {
        Ok(None) => {}
        Ok(Some(_)) => {
            let name = &function.name;
            let found = watched(ground, LAMBDA, &NAMES, ("FunctionName", name));
            expect_watched(tally, found, format!("no alarm watches the events of function `{name}`"));
        }
        Err(why) => tally.unknown(&why.0),
    })
}

pub(super) fn iterator_age(ground: &Ground<'_>) -> Tally {
    let fed = match sources(ground) {
        Ok(fed) => fed,
        Err(why) => return Tally::not_known(&why),
    };
    let mut tally = Tally::default();
    let is_stream = |arn: &str| matches!(arn.split(':').nth(2), Some("kinesis" | "dynamodb"));
    let names: BTreeSet<&str> = fed.iter().filter(|(source, _)| is_stream(&source.source_arn)).map(|it| it.1).collect();
    for name in names {
        let found = watched(ground, LAMBDA, &["IteratorAge"], ("FunctionName", name));
        expect_watched(&mut tally, found, format!("no alarm watches IteratorAge of function `{name}`"));
    }
    tally
}

pub(super) fn concurrency(ground: &Ground<'_>) -> Tally {
    if ground.scope.functions.is_empty() {
        return Tally::default();
    }
    const NAMES: [&str; 3] = ["ConcurrentExecutions", "ClaimedAccountConcurrency", "UnreservedConcurrentExecutions"];
    let (alarms, limit) = match (ground.alarms_on(LAMBDA, &NAMES, &[]), &ground.look.limit) {
        (Ok(alarms), Ok(limit)) => (alarms, *limit),
        (Err(why), _) => return Tally::not_known(&why),
        (_, Err(why)) => return Tally::not_known(why),
    };
    let is_of_account = |alarm: &&AlarmReading| alarm.settings.metrics().iter().any(|it| it.dimensions.is_empty());
    let is_below = |alarm: &AlarmReading| {
        alarm.settings.rule().is_some_and(|(_, rule)| rule.threshold.is_none_or(|it| it < f64::from(limit)))
    };
    let found = alarms.into_iter().filter(is_of_account).any(is_below);
    Tally::one(found, format!("no alarm tells before {limit} invocations run at once"))
}

pub(super) fn queues(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    let names: BTreeSet<&String> = ground.scope.queues.iter().chain(ground.look.queues.keys()).collect();
    for name in names {
        let age = watched(ground, "AWS/SQS", &["ApproximateAgeOfOldestMessage"], ("QueueName", name));
        expect_watched(&mut tally, age, format!("no alarm watches the age of the oldest message in queue `{name}`"));
        match ground.look.queues.get(name) {
            Some(Ok(settings)) => {
                let dead = settings.dead_letter.as_deref().and_then(super::look::queue_name);
                let Some(dead) = dead else { continue };
                let metric = ["ApproximateNumberOfMessagesVisible"];
                let found = watched(ground, "AWS/SQS", &metric, ("QueueName", &dead));
                expect_watched(&mut tally, found, format!("no alarm watches what is in dead-letter queue `{dead}`"));
            }
            Some(Err(why)) => tally.unknown(&why.0),
            None => tally.unknown(&format!("queue `{name}` was not asked for")),
        }
    }
    tally
}

pub(super) fn tables(ground: &Ground<'_>) -> Tally {
    const NAMES: [&str; 4] = ["ThrottledRequests", "ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"];
    let mut tally = Tally::default();
    for name in &ground.scope.tables {
        let found = watched(ground, "AWS/DynamoDB", &NAMES, ("TableName", name));
        expect_watched(&mut tally, found, format!("no alarm watches throttles or errors of table `{name}`"));
    }
    tally
}

/// The alarms on which it depends whether anybody hears of it: those that the scenario expects, and those on Errors of its functions.
fn counting<'a>(ground: &Ground<'a>) -> Known<Vec<&'a AlarmReading>> {
    let (mut counting, _) = ground.expected_alarms()?;
    for function in ground.scope.targets() {
        let found = ground.alarms_on(LAMBDA, &["Errors"], &[("FunctionName", &function.name)])?;
        counting.extend(
            found.into_iter().filter(|alarm| counting.iter().all(|known| known.name != alarm.name)).collect::<Vec<_>>(),
        );
    }
    Ok(counting)
}

/// The alarm itself, and the composite alarms above it, where these do something.
fn voices<'a>(ground: &Ground<'a>, alarm: &'a AlarmReading) -> Vec<&'a AlarmReading> {
    let alarms = ground.look.alarms.iter().flat_map(|list| list.alarms.values());
    let is_above = |above: &&AlarmReading| above.settings.children().contains(&alarm.name);
    let all = std::iter::once(alarm).chain(alarms.filter(is_above));
    all.filter(|it| it.settings.actions_enabled && !it.settings.actions.is_empty()).collect()
}

pub(super) fn actions(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    match counting(ground) {
        Ok(alarms) => alarms.iter().for_each(|alarm| {
            let why = if alarm.settings.actions_enabled { "has no action" } else { "has its actions disabled" };
            tally.expect(!voices(ground, alarm).is_empty(), format!("`{}` {why}: nobody is told", alarm.name));
        }),
        Err(why) => tally.unknown(&why.0),
    }
    tally
}

pub(super) fn subscriptions(ground: &Ground<'_>) -> Tally {
    let alarms = match counting(ground) {
        Ok(alarms) => alarms,
        Err(why) => return Tally::not_known(&why),
    };
    let voices = alarms.into_iter().flat_map(|alarm| voices(ground, alarm));
    let topics: BTreeSet<&String> =
        voices.flat_map(|alarm| &alarm.settings.actions).filter(|arn| is_topic(arn)).collect();
    let mut tally = Tally::default();
    for arn in topics {
        match ground.look.subscriptions.get(arn) {
            Some(Ok(found)) if found.confirmed > 0 => tally.pass(),
            Some(Ok(found)) if found.is_cut => tally.unknown(&format!("not all subscriptions of `{arn}` were read")),
            Some(Ok(found)) if found.pending > 0 => {
                tally.fail(format!("none of the {} subscriptions of `{arn}` is confirmed", found.pending));
            }
            Some(Ok(_)) => tally.fail(format!("nobody has subscribed to `{arn}`")),
            Some(Err(why)) => tally.unknown(&why.0),
            None => tally.unknown(&format!("`{arn}` was not asked for")),
        }
    }
    tally
}

pub(super) fn mutes(ground: &Ground<'_>) -> Tally {
    let (alarms, rules) = match (counting(ground), &ground.look.mutes) {
        (Ok(alarms), _) if alarms.is_empty() => return Tally::default(),
        (Ok(alarms), Ok(rules)) => (alarms, rules),
        (Err(why), _) => return Tally::not_known(&why),
        (_, Err(why)) => return Tally::not_known(why),
    };
    let lasts =
        ground.plan.length() + ground.plan.settle.as_ref().map_or_else(Default::default, |settle| settle.within.0);
    let until = ground.look.now + TimeDelta::from_std(lasts).unwrap_or(TimeDelta::MAX);
    let mut tally = Tally::default();
    let names: BTreeSet<&str> =
        alarms.iter().flat_map(|alarm| voices(ground, alarm)).map(|alarm| alarm.name.as_str()).collect();
    for rule in &rules.rules {
        // A rule that names none would be about all.
        let of_ours: Vec<&str> = match rule.alarms.is_empty() {
            true => names.iter().copied().collect(),
            false => rule.alarms.iter().map(String::as_str).filter(|name| names.contains(name)).collect(),
        };
        if of_ours.is_empty() {
            continue;
        }
        let listed = of_ours.join(", ");
        match muting(rule, (ground.look.now, until)) {
            Muting::Now => tally.fail(format!("mute rule `{}` keeps {listed} silent now", rule.name)),
            Muting::From(at) => {
                let at = at.format("%Y-%m-%d %H:%M UTC");
                tally.fail(format!("mute rule `{}` keeps {listed} silent from {at} on", rule.name));
            }
            Muting::No => {}
            Muting::Unread => tally.unknown(&format!(
                "when mute rule `{}` (`{}`) keeps {listed} silent can not be read here",
                rule.name, rule.expression
            )),
        }
    }
    if rules.is_cut {
        tally.unknown("not all mute rules were read");
    }
    tally.pass();
    tally
}

pub(super) fn missing_data(ground: &Ground<'_>) -> Tally {
    let kinds: Vec<_> = ground.plan.changes.values().filter_map(|change| change.spec.kind().ok()).collect();
    if !kinds.iter().any(stops_traffic) {
        return Tally::default();
    }
    each_expected(ground, |tally, alarm| {
        // A throttle is a datum of its own.
        let is_of_throttles = alarm.settings.metrics().iter().any(|metric| metric.name == "Throttles");
        let Some((_, rule)) = alarm.settings.rule() else { return };
        let missing = rule.missing;
        let text = format!("`{}` takes no data for `{}`, and a fault stops the traffic", alarm.name, missing.as_str());
        tally.expect(is_of_throttles || missing == MissingData::Breaching, text);
    })
}

/// Asks about each alarm that the scenario expects and that is there.
fn each_expected<'a>(ground: &Ground<'a>, mut ask: impl FnMut(&mut Tally, &'a AlarmReading)) -> Tally {
    let mut tally = Tally::default();
    match ground.expected_alarms() {
        Ok((found, _)) => found.into_iter().for_each(|alarm| ask(&mut tally, alarm)),
        Err(why) => tally.unknown(&why.0),
    }
    tally
}

pub(super) fn descriptions(ground: &Ground<'_>) -> Tally {
    each_expected(ground, |tally, alarm| {
        let text = alarm.settings.description.as_deref().unwrap_or_default();
        let leads = ground.facts.playbooks.iter().any(|playbook| names(text, playbook.id.as_str()));
        match (leads, ground.facts.unread_playbooks.is_empty()) {
            (true, _) => tally.pass(),
            (false, true) => tally.fail(format!("the description of `{}` names no playbook that is there", alarm.name)),
            (false, false) => tally.unknown("some playbooks can not be read"),
        }
    })
}

/// Whether a text has an id as a word of its own: `see playbooks/pay.md`.
fn names(text: &str, id: &str) -> bool {
    let is_inner = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    text.match_indices(id).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + id.len()..).and_then(|after| after.chars().next());
        !is_inner(before) && !is_inner(after)
    })
}

pub(super) fn detection(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    let is_local = ground.plan.environment.kind.is_local();
    for hypothesis in &ground.plan.hypotheses {
        for term in &hypothesis.expect.terms {
            let Condition::Compare {
                measure: Measure::Detect(name),
                operator: Operator::Less | Operator::AtMost,
                value: Value::Duration(bound),
            } = &term.condition
            else {
                continue;
            };
            let list = match &ground.look.alarms {
                Ok(list) => list,
                Err(why) => return Tally::not_known(why),
            };
            let Some(alarm) = list.alarms.get(name.as_str()) else {
                tally.unknown(&format!("there is no alarm `{name}`"));
                continue;
            };
            match predict(&alarm.settings, &ground.settings(), is_local) {
                Ok(detection) => {
                    let text = format!("{}: `{name}` fires {detection}", hypothesis.id);
                    match detection.fits(*bound) {
                        Fit::Keeps => tally.pass(),
                        Fit::May => tally.warn(text),
                        Fit::Misses => tally.fail(text),
                    }
                }
                Err(why) => tally.unknown(&format!("`{name}`: {why}")),
            }
        }
    }
    tally
}

pub(super) fn tried(ground: &Ground<'_>) -> Tally {
    each_expected(ground, |tally, alarm| match ground.look.history.get(&alarm.name) {
        Some(Ok(history)) => {
            let rang = history.entries.iter().any(|entry| entry.kind == crate::aws::AlarmHistoryKind::Action);
            match (rang, history.is_cut) {
                (true, _) => tally.pass(),
                (false, true) => tally.unknown(&format!("not all of the history of `{}` was read", alarm.name)),
                (false, false) => tally.fail(format!("`{}` told nobody as far back as AWS knows", alarm.name)),
            }
        }
        Some(Err(why)) => tally.unknown(&why.0),
        None => tally.unknown(&format!("the history of `{}` was not asked for", alarm.name)),
    })
}

pub(super) fn children(ground: &Ground<'_>) -> Tally {
    let (own, list) = match (ground.own_alarms(), &ground.look.alarms) {
        (Ok(own), Ok(list)) => (own, list),
        (Err(why), _) => return Tally::not_known(&why),
        (_, Err(why)) => return Tally::not_known(why),
    };
    let mut tally = Tally::default();
    for alarm in own.into_iter().filter(|alarm| matches!(alarm.settings.subject, AlarmSubject::Composite { .. })) {
        for child in alarm.settings.children() {
            match (list.alarms.contains_key(&child), list.is_cut) {
                (true, _) => tally.pass(),
                (false, true) => tally.unknown("not all alarms were read"),
                (false, false) => tally.fail(format!("`{}` names `{child}`, which is not there", alarm.name)),
            }
        }
    }
    tally
}

pub(super) fn dashboards(ground: &Ground<'_>) -> Tally {
    let (bodies, is_cut) = match &ground.look.dashboards {
        Ok((bodies, is_cut)) => (bodies, *is_cut),
        Err(why) => return Tally::not_known(why),
    };
    let mut tally = Tally::default();
    let scope = ground.scope;
    let functions = scope.targets().map(|function| ("function", &function.name));
    let queues = scope.queues.iter().map(|name| ("queue", name));
    let tables = scope.tables.iter().map(|name| ("table", name));
    for (what, name) in functions.chain(queues).chain(tables) {
        let quoted = format!("\"{name}\"");
        match (bodies.values().any(|body| body.contains(&quoted)), is_cut) {
            (true, _) => tally.pass(),
            (false, true) => tally.unknown("not all dashboards were read"),
            (false, false) => tally.fail(format!("no dashboard shows {what} `{name}`")),
        }
    }
    tally
}

pub(super) fn business(ground: &Ground<'_>) -> Tally {
    let signals = ground.plan.signals.iter().filter(|(_, spec)| spec.level == Some(SignalLevel::Business));
    let mut tally = Tally::default();
    for (id, spec) in signals {
        match (ground.look.business.get(id), spec.source()) {
            (Some(Ok(true)), _) => tally.pass(),
            (Some(Ok(false)), _) => tally.fail(format!("signal `{id}` has no value of the last 15 minutes")),
            (Some(Err(why)), _) => tally.unknown(&why.0),
            (None, Ok(SignalSource::Cloudwatch(_))) => tally.unknown(&format!("signal `{id}` was not asked for")),
            (None, _) => tally.warn(format!("signal `{id}` is measured by the run alone")),
        }
    }
    if tally.is_empty() {
        tally.fail("no signal has `level: business`");
    }
    tally
}

pub(super) fn canaries(ground: &Ground<'_>) -> Tally {
    let runs = match &ground.look.canaries {
        Ok(runs) => runs,
        Err(why) => return Tally::not_known(why),
    };
    let now = ground.look.now;
    let is_fresh = |at: Option<chrono::DateTime<chrono::Utc>>| at.is_some_and(|at| now - at <= CANARY_FRESH);
    let passed = runs.runs.iter().any(|run| run.passed && is_fresh(run.ended_at));
    let has_own = ground.plan.signals.values().any(|spec| spec.level == Some(SignalLevel::Ux));
    let mut tally = Tally::default();
    match (passed, runs.is_cut, has_own) {
        (true, _, _) => tally.pass(),
        (false, true, _) => tally.unknown("not all canaries were read"),
        (false, false, true) => tally
            .warn("no canary passed in the last hour; the scenario's own signal of `level: ux` looks while it runs"),
        (false, false, false) => tally.fail("no canary passed in the last hour, and no signal has `level: ux`"),
    }
    tally
}
