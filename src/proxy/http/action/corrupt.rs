//! `corrupt`: the answer's body is another one.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Problem;

/// The longest body that is changed, without the marks of chunks; a longer one passes as it is, and is not counted.
pub(crate) const CORRUPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Changes the answer's body; its length is told anew. One of the three. The request is sent on without `Accept-Encoding`, so
/// that the body is not compressed; one that is all the same is left as it is for `json_merge`. An answer that tells by its head
/// that it has no body passes as it is, and is not counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// An object that is merged into a JSON body (RFC 7396): a `null` takes a member away. A body that is no JSON object
    /// passes as it is, and is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_merge: Option<Map<String, Value>>,
    /// The whole body, of an answer that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
    /// How many bytes, at places that the seed decides, become others; an empty body has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u32>,
}

impl Corrupt {
    /// The changed body, or `None` where there is nothing to change.
    pub(crate) fn apply(&self, body: &[u8], generator: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        if let Some(patch) = &self.json_merge {
            let mut value: Value = serde_json::from_slice(body).ok()?;
            merge(value.as_object_mut()?, patch);
            return Some(value.to_string().into_bytes());
        }
        if let Some(text) = &self.replace {
            return Some(text.clone().into_bytes());
        }
        let mut changed = body.to_vec();
        for _ in 0..self.bytes? {
            let place = generator.random_range(0..u64::MAX);
            let length = u64::try_from(changed.len()).ok()?;
            let place = usize::try_from(place.checked_rem(length)?).ok()?;
            // Never the byte that was there before this change.
            *changed.get_mut(place)? ^= generator.random_range(1..=u8::MAX);
        }
        (changed != body).then_some(changed)
    }

    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let given = [self.json_merge.is_some(), self.replace.is_some(), self.bytes.is_some()];
        if given.iter().filter(|is_given| **is_given).count() != 1 {
            return vec![Problem::new("corrupt", "write one of `json_merge`, `replace` and `bytes`")];
        }
        if self.json_merge.as_ref().is_some_and(Map::is_empty) {
            return vec![Problem::new("json_merge", "an empty object changes nothing")];
        }
        if self.bytes.is_some_and(|bytes| !(1..=65_536).contains(&bytes)) {
            return vec![Problem::new("bytes", "the number of bytes must be from 1 to 65536")];
        }
        Vec::new()
    }
}

/// RFC 7396, section 2.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.shift_remove(name);
            }
            Value::Object(inner) => {
                let member = target.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, inner);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use serde_json::json;

    use super::*;

    fn apply(action: Value, body: &str) -> Option<String> {
        let action: Corrupt = serde_json::from_value(action).expect("an action");
        assert_eq!(action.problems(), []);
        let changed = action.apply(body.as_bytes(), &mut ChaCha8Rng::seed_from_u64(1));
        changed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn a_merge_changes_members_and_takes_them_away_and_leaves_what_is_no_object() {
        let patch = json!({"json_merge": {"a": 1, "b": null, "c": {"d": "x"}}});
        let merged = apply(patch.clone(), r#"{"a":0,"b":2,"c":{"e":3},"f":4}"#);
        assert_eq!(merged.as_deref(), Some(r#"{"a":1,"c":{"e":3,"d":"x"},"f":4}"#));
        assert_eq!(apply(patch.clone(), "[1]"), None);
        assert_eq!(apply(patch, "not json"), None);
    }

    #[test]
    fn bytes_change_and_the_length_stays() {
        let body = "0123456789".repeat(10);
        let changed = apply(json!({"bytes": 3}), &body).expect("changed");
        assert_ne!(changed, body);
        let action = Corrupt { json_merge: None, replace: None, bytes: Some(3) };
        let changed = action.apply(body.as_bytes(), &mut ChaCha8Rng::seed_from_u64(1)).expect("changed");
        let differing = changed.iter().zip(body.as_bytes()).filter(|(left, right)| left != right).count();
        assert!(changed.len() == body.len() && (1..=3).contains(&differing), "{differing}");
        assert_eq!(action.apply(b"", &mut ChaCha8Rng::seed_from_u64(1)), None);
    }

    #[test]
    fn one_of_the_three_is_needed() {
        for action in [json!({}), json!({"bytes": 1, "replace": ""}), json!({"bytes": 0}), json!({"json_merge": {}})] {
            let action: Corrupt = serde_json::from_value(action).expect("an action");
            assert_eq!(action.problems().len(), 1, "{action:?}");
        }
    }
}
