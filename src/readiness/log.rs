//! Section E: whether logs are kept, can be searched, lead from function to function, and hold no secret.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ground::Ground;
use super::outcome::{Tally, Why};
use super::secret::Patterns;
use crate::aws::ListedFunction;

/// For how many days a log should be kept: a report of a month, and then some.
const RETENTION_DAYS_MIN: u32 = 30;
/// How much of a sample must be JSON.
const JSON_SHARE_MIN: f64 = 0.9;
/// How much of a sample must have an id.
const ID_SHARE_MIN: f64 = 0.95;
/// What lines begin with that the platform writes as text.
const PLATFORM: [&str; 6] = ["START ", "END ", "REPORT ", "INIT_START", "EXTENSION", "XRAY "];
/// Parts of names under which programs log an id, in small letters without `_` and `-`.
const ID_NAMES: [&str; 6] = ["traceid", "xraytraceid", "correlationid", "requestid", "awsrequestid", "xamzntraceid"];

pub(super) fn retention(ground: &Ground<'_>) -> Tally {
    let groups = match &ground.look.log_groups {
        Ok(groups) => groups,
        Err(why) => return Tally::not_known(why),
    };
    ground.each_function(false, |tally, _, listed| {
        let name = &listed.log_group;
        match groups.groups.iter().find(|group| group.name == *name) {
            None if groups.is_cut => tally.unknown("not all log groups were read"),
            None => tally.fail(format!("there is no log group `{name}`")),
            Some(group) => match group.retention_days {
                None => tally.warn(format!("`{name}` keeps events for ever")),
                Some(days) => {
                    tally.expect(days >= RETENTION_DAYS_MIN, format!("`{name}` keeps events for {days} days"));
                }
            },
        }
    })
}

pub(super) fn structured(ground: &Ground<'_>) -> Tally {
    ground.each_function(true, |tally, function, listed| {
        if listed.logs_json == Some(true) {
            tally.pass();
            return;
        }
        let Some(lines) = lines(ground, listed, tally) else { return };
        let share = share(&lines, |line| serde_json::from_str::<Value>(line).is_ok_and(|it| it.is_object()));
        let percent = share * 100.0;
        tally.expect(share >= JSON_SHARE_MIN, format!("{percent:.0} % of the lines of `{}` are JSON", function.name));
    })
}

pub(super) fn correlated(ground: &Ground<'_>) -> Tally {
    ground.each_function(true, |tally, function, listed| {
        let Some(lines) = lines(ground, listed, tally) else { return };
        let percent = share(&lines, has_id) * 100.0;
        let text = format!("{percent:.0} % of the lines of `{}` have an id", function.name);
        tally.expect(percent / 100.0 >= ID_SHARE_MIN, text);
    })
}

pub(super) fn reports(ground: &Ground<'_>) -> Tally {
    ground.each_function(false, |tally, function, listed| {
        // Without a level everything is kept.
        tally.expect(
            listed.keeps_reports != Some(false),
            format!("the system log of `{}` leaves the reports out", function.name),
        );
    })
}

/// Kinds and counts, and never what was found.
pub(super) fn secrets(ground: &Ground<'_>) -> Tally {
    let patterns = Patterns::new();
    ground.each_function(true, |tally, _, listed| {
        let sample = match ground.look.samples.get(&listed.log_group) {
            Some(Ok(sample)) if !sample.is_empty() => sample,
            Some(Ok(_)) => {
                tally.unknown(&format!("`{}` has no line of the last hour", listed.log_group));
                return;
            }
            Some(Err(why)) => {
                tally.unknown(&why.0);
                return;
            }
            None => {
                tally.unknown("no sample was taken");
                return;
            }
        };
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        sample.iter().flat_map(|line| patterns.in_line(line)).for_each(|kind| *found.entry(kind).or_default() += 1);
        if found.is_empty() {
            tally.pass();
        }
        for (kind, count) in found {
            tally.fail(format!("`{}` has {kind} in {count} of {} lines", listed.log_group, sample.len()));
        }
    })
}

/// The lines of a function's sample that its own program wrote; none where there is nothing to judge by, which is told.
fn lines<'a>(ground: &Ground<'a>, listed: &ListedFunction, tally: &mut Tally) -> Option<Vec<&'a str>> {
    let unsampled = Err(Why::new("no sample was taken"));
    match ground.look.samples.get(&listed.log_group) {
        Some(Ok(sample)) => {
            let own: Vec<&str> = sample.iter().map(String::as_str).filter(|line| !is_platforms(line)).collect();
            if own.is_empty() {
                tally.unknown(&format!("`{}` has no line of the function's own from the last hour", listed.log_group));
                return None;
            }
            Some(own)
        }
        other => {
            let why: Result<(), Why> = other.map_or(unsampled, |it| it.as_ref().map(drop).map_err(Clone::clone));
            if let Err(why) = why {
                tally.unknown(&why.0);
            }
            None
        }
    }
}

fn is_platforms(line: &str) -> bool {
    let line = line.trim();
    let is_record = || {
        let record: Result<Value, _> = serde_json::from_str(line);
        record.is_ok_and(|it| it.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("platform.")))
    };
    line.is_empty() || PLATFORM.iter().any(|start| line.starts_with(start)) || is_record()
}

fn has_id(line: &str) -> bool {
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(members)) => members.keys().any(|key| {
            let plain: String = key.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
            ID_NAMES.contains(&plain.as_str())
        }),
        Ok(_) | Err(_) => {
            // Lambda's own loggers write the request's id between level and message.
            line.contains("Root=1-") || line.split(['\t', ' ', '[', ']', '=', ':', ',']).any(is_uuid)
        }
    }
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[expect(clippy::cast_precision_loss, reason = "a sample has some hundred lines")]
fn share(lines: &[&str], is_so: impl Fn(&str) -> bool) -> f64 {
    lines.iter().filter(|line| is_so(line)).count() as f64 / lines.len() as f64
}
