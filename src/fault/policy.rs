//! Policies that deny something for a while, and are forgotten by AWS itself when their time is over.
//!
//! Owns: the statement, its expiry, what it is called, and when two policies are the same. Must not know: where a policy
//! stands, and how it gets there.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::change::Occasion;
use super::switch::Cover;
use crate::unit::{Clock, sha256_hex};

/// The version of the policy language that all policies are written in (AWS: IAM JSON policy elements, `Version`).
pub(super) const VERSION: &str = "2012-10-17";
/// How much longer a statement holds than its fault: the undo has this long before AWS forgets it by itself.
const EXPIRY_MARGIN: Duration = Duration::from_secs(300);
/// How such a statement ends when nobody of ours is left.
pub(super) const COVER: Cover = Cover::Expires("AWS forgets the denial 5 min after the fault's time");
/// How much of a digest stands in a name that had to be changed, so that it is still one of its own.
const DIGEST_CHARACTERS: usize = 8;
/// IAM: the longest name of a policy (PutRolePolicy, `PolicyName`).
const NAME_CHARACTERS_MAX: usize = 128;
/// A length of a `Sid` that is far below what any service takes.
const SID_CHARACTERS_MAX: usize = 100;

/// A statement that denies `actions` on `resources` until the fault is over for certain, some minutes later than planned.
pub(super) fn deny(occasion: &Occasion, actions: &[String], resources: &[String]) -> Value {
    let lasts = TimeDelta::from_std(occasion.lasts.saturating_add(EXPIRY_MARGIN)).unwrap_or(TimeDelta::MAX);
    let now = Clock::start().now();
    let until = now.checked_add_signed(lasts).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    json!({
        "Sid": sid(&occasion.token),
        "Effect": "Deny",
        "Action": actions,
        "Resource": resources,
        "Condition": {"DateLessThan": {"aws:CurrentTime": until.to_rfc3339_opts(SecondsFormat::Secs, true)}},
    })
}

/// The name of an inline policy. IAM: at most 128 of `[\w+=,.@-]` (PutRolePolicy).
pub(super) fn policy_name(token: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let name: String = token.chars().map(|c| if is_allowed(c) { c } else { '-' }).collect();
    if name == token {
        shortened(&name, token, NAME_CHARACTERS_MAX)
    } else {
        with_digest(&name, token, NAME_CHARACTERS_MAX)
    }
}

/// The name of a statement. AWS: letters and digits alone (`Sid`).
pub(super) fn sid(token: &str) -> String {
    let letters: String = token.chars().filter(char::is_ascii_alphanumeric).collect();
    shortened(&letters, token, SID_CHARACTERS_MAX)
}

fn shortened(name: &str, token: &str, characters_max: usize) -> String {
    if name.chars().count() <= characters_max { name.to_owned() } else { with_digest(name, token, characters_max) }
}

/// The start of `name`, and a digest of the whole token, in `characters_max` characters at most.
fn with_digest(name: &str, token: &str, characters_max: usize) -> String {
    let start = name.chars().take(characters_max.saturating_sub(DIGEST_CHARACTERS));
    start.chain(sha256_hex(token.as_bytes()).chars().take(DIGEST_CHARACTERS)).collect()
}

/// A policy, or a part of one, in a form in which equal ones are the same: AWS may write a list of one as its only item, put
/// lists in another order, and write the principal `*` in two ways.
pub(super) fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normal).collect();
            if items.len() == 1 {
                return items.remove(0);
            }
            let key = |item: &Value| item.to_string();
            if items.iter().all(Value::is_string) {
                items.sort_by_cached_key(key);
            }
            Value::Array(items)
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("Principal", Some("*")) => (key.clone(), json!({"AWS": "*"})),
                _ => (key.clone(), normal(value)),
            });
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A statement, or a policy of one statement, in a few words.
pub(super) fn show(value: &Value) -> String {
    let statement = value.get("Statement").unwrap_or(value);
    let until = statement.pointer("/Condition/DateLessThan/aws:CurrentTime").and_then(Value::as_str);
    let actions: BTreeSet<&str> = match statement.get("Action") {
        Some(Value::String(action)) => BTreeSet::from([action.as_str()]),
        Some(Value::Array(actions)) => actions.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    };
    let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
    match (statement.get("Effect").and_then(Value::as_str), until) {
        (Some("Deny"), Some(until)) if !actions.is_empty() => format!("a deny of {actions} until {until}"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_iam_takes_and_one_of_its_own() {
        assert_eq!(policy_name("gameday-2026-11-10-1000-shop-002-deny"), "gameday-2026-11-10-1000-shop-002-deny");
        let names: BTreeSet<String> =
            ["a/b", "a b", "a-b", &"x".repeat(128), &"x".repeat(129), &"x".repeat(130)].map(policy_name).into();
        assert_eq!(names.len(), 6, "{names:?}");
        for name in &names {
            assert!(name.len() <= 128, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
        }
        assert_eq!(sid("gameday-1-deny"), "gameday1deny");
        assert_eq!(sid(&"x-".repeat(200)).len(), SID_CHARACTERS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_ends_some_minutes_after_its_fault() {
        let occasion = Occasion { token: "gameday-1".to_owned(), lasts: Duration::from_secs(600) };
        let now = Clock::start().now();
        let statement = deny(&occasion, &["sqs:SendMessage".to_owned()], &["*".to_owned()]);
        let until = statement["Condition"]["DateLessThan"]["aws:CurrentTime"].as_str().unwrap();
        assert!(until.ends_with('Z') && until.len() == "2026-01-01T00:00:00Z".len(), "{until}");
        let lasts = until.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - now;
        assert!((lasts - TimeDelta::minutes(15)).abs() < TimeDelta::seconds(5), "{lasts}");
        assert_eq!(show(&statement), format!("a deny of sqs:SendMessage until {until}"));
        assert_eq!(show(&normal(&statement)), show(&statement));
        assert!(deny(&Occasion { lasts: Duration::MAX, ..occasion }, &[], &[]).is_object());
    }

    #[test]
    fn policies_that_say_the_same_are_the_same() {
        let one = json!({"Statement": [{"Action": ["b", "a"], "Principal": "*", "Resource": ["x"]}]});
        let other = json!({"Statement": {"Resource": "x", "Principal": {"AWS": ["*"]}, "Action": ["a", "b"]}});
        assert_eq!(normal(&one), normal(&other));
        assert_ne!(normal(&one), normal(&json!({"Statement": [{"Action": "a", "Principal": "*", "Resource": "x"}]})));
    }
}
