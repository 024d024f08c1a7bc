//! Texts with placeholders, taken apart once and filled for each request.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio_util::bytes::Bytes;

use super::http::Failure;
use super::row::Rows;
use crate::load::failure::FailureKind;
use crate::load::placeholder::{Generator, Part, as_text, fill_json, parts};
use crate::unit::Clock;

/// What placeholders stand for in one user's journey.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// What earlier steps captured or set, and the items of loops.
    pub(crate) values: BTreeMap<String, Value>,
    /// The row of each data file that the journey has taken, by the file's index.
    pub(crate) rows: Vec<Option<usize>>,
    /// What is the same for all users.
    pub(crate) shared: Arc<Shared>,
    pub(crate) random: ChaCha8Rng,
    pub(crate) clock: Clock,
}

/// What is the same for all users of a load.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// What the setup captured.
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) rows: Arc<Rows>,
}

/// A placeholder for which there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known as `{0}`")]
pub(crate) struct Missing(String);

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        Self::new(FailureKind::Other, missing)
    }
}

impl Scope {
    /// The scope of a user who knows nothing yet.
    pub(crate) fn new(shared: Arc<Shared>, random: ChaCha8Rng, clock: Clock) -> Self {
        Self { values: BTreeMap::new(), rows: Vec::new(), shared, random, clock }
    }

    /// The value that was captured, set or taken from a row under a name, or a field of one; none where nothing has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.values.get(name).or_else(|| self.shared.values.get(name)) {
            return Some(value);
        }
        let (head, fields) = name.split_once('.')?;
        self.shared.rows.get(name, &self.rows).or_else(|| {
            fields.split('.').try_fold(self.values.get(head)?, |value, field| match value {
                Value::Array(items) => items.get(field.parse::<usize>().ok()?),
                Value::Object(object) => object.get(field),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
            })
        })
    }

    /// The value of a placeholder; none where nothing has that name.
    fn value(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.get(name) {
            return Some(value.clone());
        }
        Some(self.generate(&Generator::parse(name)?.ok()?))
    }

    fn generate(&mut self, generator: &Generator) -> Value {
        match generator {
            Generator::Uuid => {
                let random: u128 = self.random.random();
                uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid().to_string().into()
            }
            Generator::Now => self.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into(),
            Generator::Random { least, most } => self.random.random_range(*least..=*most).into(),
            Generator::Environment(variable) => std::env::var(variable).unwrap_or_default().into(),
        }
    }
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Template {
    Static(String),
    Dynamic(Vec<Piece>),
}

/// A piece of a text that has placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Plain(String),
    Captured(String),
    Generated(Generator),
}

impl Template {
    pub(crate) fn new(text: &str) -> Self {
        let pieces: Vec<Piece> = parts(text)
            .map(|part| match part {
                Part::Plain(plain) | Part::Unclosed(plain) => Piece::Plain(plain.to_owned()),
                Part::Name(name) => match Generator::parse(name) {
                    // It is the same for as long as the process lives.
                    Some(Ok(Generator::Environment(variable))) => {
                        Piece::Plain(std::env::var(variable).unwrap_or_default())
                    }
                    Some(Ok(generator)) => Piece::Generated(generator),
                    Some(Err(_)) | None => Piece::Captured(name.to_owned()),
                },
            })
            .collect();
        let pieces = merged(pieces);
        if pieces.iter().all(|piece| matches!(piece, Piece::Plain(_))) {
            let plain = |piece| match piece {
                Piece::Plain(plain) => plain,
                Piece::Captured(_) | Piece::Generated(_) => String::new(),
            };
            return Self::Static(pieces.into_iter().map(plain).collect());
        }
        Self::Dynamic(pieces)
    }

    /// What stands before the first placeholder.
    pub(crate) fn first_plain(&self) -> Option<&str> {
        match self {
            Self::Static(text) => Some(text),
            Self::Dynamic(pieces) => match pieces.first()? {
                Piece::Plain(text) => Some(text),
                Piece::Captured(_) | Piece::Generated(_) => None,
            },
        }
    }

    /// The text with every placeholder filled.
    pub(crate) fn fill(&self, scope: &mut Scope) -> Result<String, Missing> {
        let mut text = String::new();
        self.fill_into(&mut text, scope)?;
        Ok(text)
    }

    /// Adds the text with every placeholder filled.
    pub(crate) fn fill_into(&self, text: &mut String, scope: &mut Scope) -> Result<(), Missing> {
        let pieces = match self {
            Self::Static(same) => {
                text.push_str(same);
                return Ok(());
            }
            Self::Dynamic(pieces) => pieces,
        };
        for piece in pieces {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Generated(generator) => text.push_str(&as_text(&scope.generate(generator))),
                Piece::Captured(name) => match scope.get(name) {
                    Some(Value::String(value)) => text.push_str(value),
                    Some(value) => text.push_str(&as_text(value)),
                    None => return Err(Missing(name.clone())),
                },
            }
        }
        Ok(())
    }
}

/// A JSON value whose texts may hold placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueTemplate(Value);

impl ValueTemplate {
    pub(crate) fn new(json: &Value) -> Self {
        Self(json.clone())
    }

    /// The value with every placeholder filled; a text that is one placeholder has the type of what it stands for.
    pub(crate) fn fill(&self, scope: &mut Scope) -> Result<Value, Missing> {
        let mut missing = None;
        let filled = fill_json(&self.0, &mut |name| {
            let value = scope.value(name);
            if value.is_none() {
                missing = Some(Missing(name.to_owned()));
            }
            value
        });
        missing.map_or(Ok(filled), Err)
    }
}

/// Pieces with no two plain ones side by side.
fn merged(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (merged.last_mut(), piece) {
            (Some(Piece::Plain(before)), Piece::Plain(text)) => before.push_str(&text),
            (_, piece) => merged.push(piece),
        }
    }
    merged
}

/// A JSON body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JsonTemplate {
    Static(Bytes),
    Dynamic(ValueTemplate),
}

impl JsonTemplate {
    pub(crate) fn new(json: &Value) -> Self {
        let mut has_placeholder = false;
        let mut note = |_: &str| {
            has_placeholder = true;
            None
        };
        let same = fill_json(json, &mut note);
        if has_placeholder { Self::Dynamic(ValueTemplate(same)) } else { Self::Static(same.to_string().into()) }
    }

    /// The body as it is sent.
    pub(crate) fn fill(&self, scope: &mut Scope) -> Result<Bytes, Missing> {
        match self {
            Self::Static(bytes) => Ok(bytes.clone()),
            Self::Dynamic(json) => json.fill(scope).map(|json| json.to_string().into()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rand::SeedableRng as _;
    use serde_json::json;

    use super::*;

    /// A scope in which these values are known.
    pub(in crate::load::worker) fn scope(values: Value) -> Scope {
        let clock = Clock::with_origin(chrono::DateTime::UNIX_EPOCH);
        let values = serde_json::from_value(values).unwrap();
        Scope { values, ..Scope::new(Arc::default(), ChaCha8Rng::seed_from_u64(1), clock) }
    }

    #[test]
    fn a_text_is_filled_with_what_was_captured_and_what_is_made_anew() {
        assert_eq!(Template::new("/a"), Template::Static("/a".to_owned()));
        let mut scope = scope(json!({"id": 17, "name": "käse"}));
        let mut fill = |text: &str| Template::new(text).fill(&mut scope);
        assert_eq!(fill("/${id}/${name}"), Ok("/17/käse".to_owned()));
        assert_eq!(fill("/${id}?${other}").unwrap_err().to_string(), "nothing is known as `other`");
        let uuid = fill("${uuid}").unwrap();
        assert_eq!(uuid::Uuid::parse_str(&uuid).unwrap().get_version_num(), 4);
        assert_ne!(fill("${uuid}").unwrap(), uuid);
        assert!((0..50).all(|_| ["3", "4"].contains(&fill("${random(3,4)}").unwrap().as_str())));
        assert!(fill("${now}").unwrap().starts_with("1970-01-01T00:00:0"));
        assert_eq!(Template::new("a${env:GAMEDAY_NO_SUCH_VARIABLE}b"), Template::Static("ab".to_owned()));
    }

    #[test]
    fn a_json_body_keeps_the_types_of_its_values() {
        let mut scope = scope(json!({"id": 17}));
        let body = JsonTemplate::new(&json!({"id": "${id}", "to": "no. ${id}", "n": "${random(5,5)}"}));
        assert_eq!(body.fill(&mut scope).unwrap(), r#"{"id":17,"to":"no. 17","n":5}"#);
        assert_eq!(JsonTemplate::new(&json!(["${no}"])).fill(&mut scope), Err(Missing("no".to_owned())));
        assert!(
            matches!(JsonTemplate::new(&json!({"a": [1, "b"]})), JsonTemplate::Static(bytes) if bytes == r#"{"a":[1,"b"]}"#)
        );
    }

    #[test]
    fn a_value_has_fields_and_what_the_setup_captured_is_known_to_all() {
        let mut scope = scope(json!({"item": {"tags": ["a", {"b": 2}]}}));
        scope.shared = Arc::new(Shared {
            values: serde_json::from_value(json!({"token": "t", "item": "hidden"})).unwrap(),
            rows: Arc::default(),
        });
        let get = |name| scope.get(name).cloned();
        assert_eq!(get("item.tags.1.b"), Some(json!(2)));
        assert_eq!((get("item.tags.b"), get("item.tags.7"), get("token.x")), (None, None, None));
        assert_eq!(get("token"), Some(json!("t")));
    }
}
