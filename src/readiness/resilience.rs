//! Section G: whether what fails is kept, tried again within limits, and has room.

use super::ground::Ground;
use super::look::{FunctionInScope, function_name, queue_name};
use super::outcome::{Known, Tally};
use super::runtime::deprecated_from;
use crate::aws::{InvokeConfiguration, ListedFunction, ListedSource};
use crate::load::{LoadSpec, Model};
use crate::unit::{Date, Level};

/// How many times the timeout a message must stay hidden. Source: AWS, "Using Lambda with Amazon SQS".
const VISIBILITY_FACTOR: u32 = 6;
/// How much of the limit a load may use.
const ROOM_SHARE_MAX: f64 = 0.8;

/// Whether something says that a function is invoked asynchronously, or why that is not known.
pub(super) fn is_asynchronous(
    ground: &Ground<'_>,
    function: &FunctionInScope,
    listed: &ListedFunction,
) -> Known<Option<InvokeConfiguration>> {
    let told = ground.look.invoke.get(&function.name);
    let told = told.cloned().transpose()?.flatten();
    let dead_letter = listed.dead_letter.is_some().then(InvokeConfiguration::default);
    Ok(told.or(dead_letter))
}

pub(super) fn dead_letters(ground: &Ground<'_>) -> Tally {
    ground.each_function(true, |tally, function, listed| match is_asynchronous(ground, function, listed) {
        Ok(None) => {}
        Ok(Some(configuration)) => {
            let is_kept = listed.dead_letter.is_some() || configuration.on_failure.is_some();
            tally.expect(is_kept, format!("function `{}` loses events that failed", function.name));
        }
        Err(why) => tally.unknown(&why.0),
    })
}

/// The mappings that feed functions that are looked at, each with the function.
pub(super) fn sources<'a>(ground: &Ground<'a>) -> Known<Vec<(&'a ListedSource, &'a str)>> {
    let list = ground.look.sources.as_ref().map_err(Clone::clone)?;
    let fed = list.sources.iter().filter_map(|source| {
        let name = function_name(&source.function_arn)?;
        ground.scope.functions.contains_key(name).then_some((source, name))
    });
    let fed: Vec<_> = fed.collect();
    match fed.is_empty() && list.is_cut {
        true => Err(super::outcome::Why::new("not all event source mappings were read")),
        false => Ok(fed),
    }
}

pub(super) fn queues(ground: &Ground<'_>) -> Tally {
    let fed = match sources(ground) {
        Ok(fed) => fed,
        Err(why) => return Tally::not_known(&why),
    };
    let mut tally = Tally::default();
    for (source, function) in fed {
        let Some(name) = queue_name(&source.source_arn) else { continue };
        let settings = match ground.look.queues.get(&name) {
            Some(Ok(settings)) => settings,
            Some(Err(why)) => {
                tally.unknown(&why.0);
                continue;
            }
            None => continue,
        };
        tally.expect(settings.dead_letter.is_some(), format!("queue `{name}` has no dead-letter queue"));
        match ground.function(function).map(|listed| listed.timeout_seconds) {
            Ok(Some(timeout)) => {
                let (hidden, needed) = (settings.visibility_seconds, timeout.saturating_mul(VISIBILITY_FACTOR));
                tally.expect(
                    hidden >= needed,
                    format!(
                        "queue `{name}` hides a message for {hidden} s, and {needed} s are six timeouts of `{function}`"
                    ),
                );
            }
            Ok(None) => tally.unknown(&format!("the timeout of `{function}` is not told")),
            Err(why) => tally.unknown(&why.0),
        }
    }
    tally
}

pub(super) fn mappings(ground: &Ground<'_>) -> Tally {
    let fed = match sources(ground) {
        Ok(fed) => fed,
        Err(why) => return Tally::not_known(&why),
    };
    let mut tally = Tally::default();
    for (source, function) in fed {
        // A source without an ARN, such as a Kafka of one's own, is not judged.
        if source.source_arn.is_empty() {
            continue;
        }
        let is_queue = queue_name(&source.source_arn).is_some();
        let is_limited = source.reports_failures || (!is_queue && (source.bisects || source.retries_max.is_some()));
        tally.expect(is_limited, format!("one bad record of `{}` holds up `{function}`", source.source_arn));
    }
    tally
}

/// By Little's law: arrivals a second, times the longest p99 of the last day.
pub(super) fn room(ground: &Ground<'_>) -> Tally {
    let mut tally = Tally::default();
    let loads: Vec<&LoadSpec> = ground.plan.loads.values().collect();
    if loads.is_empty() || ground.scope.targets().next().is_none() {
        return tally;
    }
    let limit = match &ground.look.limit {
        Ok(limit) => *limit,
        Err(why) => return Tally::not_known(why),
    };
    let mut needed = 0.0;
    for load in loads {
        let Some(level) = load.shape().highest() else { continue };
        match (Model::of(level), level) {
            (_, Level::Users(users)) => needed += f64::from(users.0),
            (_, Level::Rate(rate)) => match longest(ground) {
                Ok(Some(seconds)) => needed += rate.per_second() * seconds,
                Ok(None) => {
                    tally.unknown("no target was invoked in the last day, so that nobody knows how long one takes")
                }
                Err(why) => tally.unknown(&why.0),
            },
        }
    }
    let share = needed / f64::from(limit.max(1));
    let text = format!("the load needs some {needed:.0} invocations at once, and the account may have {limit}");
    tally.expect(share <= ROOM_SHARE_MAX, text);
    tally
}

/// The longest p99 of a target's duration, in seconds.
fn longest(ground: &Ground<'_>) -> Known<Option<f64>> {
    let mut longest: Option<f64> = None;
    for duration in ground.look.durations.values() {
        if let Some(milliseconds) = duration.clone()? {
            longest = Some(longest.unwrap_or_default().max(milliseconds / 1_000.0));
        }
    }
    Ok(longest)
}

pub(super) fn runtimes(ground: &Ground<'_>) -> Tally {
    let today = Date(ground.look.now.date_naive());
    ground.each_function(false, |tally, function, listed| {
        let Some(runtime) = &listed.runtime else { return };
        match deprecated_from(runtime).filter(|day| *day <= today) {
            Some(day) => tally.fail(format!("function `{}` runs on {runtime}, deprecated since {day}", function.name)),
            None => tally.pass(),
        }
    })
}
