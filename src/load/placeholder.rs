//! Placeholders in texts: `${name}` is a value captured earlier in the journey, `${customers.email}` a column of a data file,
//! another dotted one, `${target.url}`, belongs to the caller, `${uuid}` and the like are made anew. Owns: finding and filling them,
//! and what can be made anew. Must not know: what is captured, what targets there are.

use serde_json::Value;

/// Where a `${name}` stands in a load, for a checker that knows the targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// Keys and indexes from the load to the text: `["journeys", "0", "steps", "2", "post"]`.
    pub path: Vec<String>,
    /// What stands between `${` and `}`.
    pub name: String,
}

/// A value that is made anew for each request, or read from the environment of the process that makes the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Generator {
    /// `${uuid}`: a random UUID (RFC 9562, version 4).
    Uuid,
    /// `${now}`: the present moment in UTC, to the millisecond (RFC 3339).
    Now,
    /// `${random(1,9)}`: a whole number, both ends included.
    Random {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// `${env:NAME}`: an environment variable; it stands in no plan and no log.
    Environment(String),
}

/// Those that a message may propose.
pub(crate) const GENERATORS: [&str; 4] = ["uuid", "now", "random(1,9)", "env:NAME"];

impl Generator {
    /// The generator that a placeholder names; none where it names something else, an error where it is not written well.
    pub(crate) fn parse(name: &str) -> Option<Result<Self, String>> {
        if let Some(variable) = name.strip_prefix("env:") {
            let is_name = !variable.is_empty() && !variable.contains(['=', '\0']);
            return Some(
                is_name
                    .then(|| Self::Environment(variable.to_owned()))
                    .ok_or_else(|| format!("`{variable}` is not the name of an environment variable")),
            );
        }
        if let Some(rest) = name.strip_prefix("random") {
            let bounds = rest.strip_prefix('(')?.strip_suffix(')')?;
            let number = |text: &str| text.trim().parse::<i64>().ok();
            let (least, most) =
                bounds.split_once(',').and_then(|(least, most)| Some((number(least)?, number(most)?)))?;
            return Some(if least <= most {
                Ok(Self::Random { least, most })
            } else {
                Err(format!("`{name}` has its greater end first"))
            });
        }
        match name {
            "uuid" => Some(Ok(Self::Uuid)),
            "now" => Some(Ok(Self::Now)),
            _ => None,
        }
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Plain(&'a str),
    Name(&'a str),
    /// A `${` with no `}`, to the end.
    Unclosed(&'a str),
}

/// The parts of a text, in order.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(inner) = rest.strip_prefix("${") {
            let Some((name, after)) = inner.split_once('}') else {
                return Some(Part::Unclosed(std::mem::take(&mut rest)));
            };
            rest = after;
            return Some(Part::Name(name));
        }
        let (plain, after) = rest.split_at(rest.find("${").unwrap_or(rest.len()));
        rest = after;
        Some(Part::Plain(plain))
    })
}

/// The names of all placeholders of a text, in order.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Plain(_) | Part::Unclosed(_) => None,
    })
}

/// The name of the placeholder that a text is; none where it is anything else.
pub(crate) fn sole_name(text: &str) -> Option<&str> {
    let mut parts = parts(text);
    match (parts.next(), parts.next()) {
        (Some(Part::Name(name)), None) => Some(name),
        (_, _) => None,
    }
}

/// Whether a `${` of the text has no `}`.
pub(crate) fn is_unclosed(text: &str) -> bool {
    parts(text).any(|part| matches!(part, Part::Unclosed(_)))
}

/// Replaces each placeholder that `value` knows; the others stay as they are.
pub(crate) fn fill(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    parts(text).fold(String::with_capacity(text.len()), |mut filled, part| {
        match part {
            Part::Plain(plain) | Part::Unclosed(plain) => filled.push_str(plain),
            Part::Name(name) => match value(name) {
                Some(value) => filled.push_str(&value),
                None => {
                    filled.push_str("${");
                    filled.push_str(name);
                    filled.push('}');
                }
            },
        }
        filled
    })
}

/// Fills every text of a JSON value. A text that is one placeholder and nothing else becomes the value with its type.
pub(crate) fn fill_json(json: &Value, value: &mut impl FnMut(&str) -> Option<Value>) -> Value {
    match json {
        Value::String(text) => {
            if let Some(name) = sole_name(text)
                && let Some(value) = value(name)
            {
                return value;
            }
            Value::String(fill(text, |name| value(name).as_ref().map(as_text)))
        }
        Value::Array(items) => items.iter().map(|item| fill_json(item, value)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), fill_json(field, value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
    }
}

/// A JSON value as it stands in a path, a header or a plain body: a text without quotes, anything else as JSON.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Every text of a JSON value, with the keys and indexes that lead to it.
pub(crate) fn json_texts(json: &Value, path: &[String], visit: &mut impl FnMut(Vec<String>, &str)) {
    let below = |key: &str| path.iter().cloned().chain([key.to_owned()]).collect::<Vec<_>>();
    match json {
        Value::String(text) => visit(path.to_vec(), text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                json_texts(item, &below(&index.to_string()), visit);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                json_texts(field, &below(key), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_placeholder_is_filled_and_an_unknown_one_stays() {
        let value = |name: &str| (name == "id").then(|| "17".to_owned());
        assert_eq!(fill("/a/${id}/b/${other}?x=${id}", value), "/a/17/b/${other}?x=17");
        assert_eq!(names("/${a}/${b.url}").collect::<Vec<_>>(), ["a", "b.url"]);
    }

    #[test]
    fn an_unclosed_placeholder_is_plain_text_and_is_told() {
        assert!(is_unclosed("/a/${id"));
        assert!(!is_unclosed("/a/${id}"));
        assert_eq!(fill("/a/${id", |_| Some(String::new())), "/a/${id");
    }

    #[test]
    fn a_json_text_that_is_one_placeholder_keeps_the_type_of_its_value() {
        let mut value = |name: &str| (name == "id").then(|| json!(17));
        let filled = fill_json(&json!({"item": "${id}", "note": "no. ${id}", "list": ["${id}", 1]}), &mut value);
        assert_eq!(filled, json!({"item": 17, "note": "no. 17", "list": [17, 1]}));
    }

    #[test]
    fn a_generated_value_is_known_by_its_name() {
        assert_eq!(Generator::parse("uuid"), Some(Ok(Generator::Uuid)));
        assert_eq!(Generator::parse("random(1, 9)"), Some(Ok(Generator::Random { least: 1, most: 9 })));
        assert_eq!(Generator::parse("env:STAGE"), Some(Ok(Generator::Environment("STAGE".to_owned()))));
        assert!(matches!(Generator::parse("random(9,1)"), Some(Err(_))));
        assert!(matches!(Generator::parse("env:"), Some(Err(_))));
        for other in ["random", "random(1)", "randomly", "id", "shop.url"] {
            assert_eq!(Generator::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn filling_nothing_changes_nothing(text in r"[a-z$\{\}/.]{0,40}") {
            prop_assert_eq!(fill(&text, |_| None), text);
        }
    }
}
