//! Texts with placeholders, taken apart once and filled for each request.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::load::placeholder::{Generator, Part, as_text, fill_json, parts};
use crate::unit::Clock;

/// What placeholders stand for in one user's journey.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// What earlier steps captured.
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) random: ChaCha8Rng,
    pub(crate) clock: Clock,
}

impl Scope {
    /// The value of a placeholder; none where nothing has that name.
    fn value(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.values.get(name) {
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

    /// The text with every placeholder filled; one that nothing is known of stays as it is.
    pub(crate) fn fill(&self, scope: &mut Scope) -> String {
        match self {
            Self::Static(text) => text.clone(),
            Self::Dynamic(pieces) => pieces.iter().fold(String::new(), |mut text, piece| {
                match piece {
                    Piece::Plain(plain) => text.push_str(plain),
                    Piece::Generated(generator) => text.push_str(&as_text(&scope.generate(generator))),
                    Piece::Captured(name) => match scope.values.get(name) {
                        Some(Value::String(value)) => text.push_str(value),
                        Some(value) => text.push_str(&as_text(value)),
                        None => text.extend(["${", name, "}"]),
                    },
                }
                text
            }),
        }
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
    Static(tokio_util::bytes::Bytes),
    Dynamic(Value),
}

impl JsonTemplate {
    pub(crate) fn new(json: &Value) -> Self {
        let mut has_placeholder = false;
        let mut note = |_: &str| {
            has_placeholder = true;
            None
        };
        let same = fill_json(json, &mut note);
        if has_placeholder { Self::Dynamic(same) } else { Self::Static(same.to_string().into()) }
    }

    /// The body as it is sent.
    pub(crate) fn fill(&self, scope: &mut Scope) -> tokio_util::bytes::Bytes {
        match self {
            Self::Static(bytes) => bytes.clone(),
            Self::Dynamic(json) => fill_json(json, &mut |name| scope.value(name)).to_string().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let values = serde_json::from_value(json!({"id": 17, "name": "käse"})).unwrap();
        let clock = Clock::with_origin(chrono::DateTime::UNIX_EPOCH);
        Scope { values, random: ChaCha8Rng::seed_from_u64(1), clock }
    }

    #[test]
    fn a_text_is_filled_with_what_was_captured_and_what_is_made_anew() {
        assert_eq!(Template::new("/a"), Template::Static("/a".to_owned()));
        let mut scope = scope();
        assert_eq!(Template::new("/${id}/${name}?${other}").fill(&mut scope), "/17/käse?${other}");
        let uuid = Template::new("${uuid}").fill(&mut scope);
        assert_eq!(uuid::Uuid::parse_str(&uuid).unwrap().get_version_num(), 4);
        assert_ne!(Template::new("${uuid}").fill(&mut scope), uuid);
        let random = Template::new("${random(3,4)}");
        assert!((0..50).all(|_| ["3", "4"].contains(&random.fill(&mut scope).as_str())));
        assert!(Template::new("${now}").fill(&mut scope).starts_with("1970-01-01T00:00:0"));
        assert_eq!(Template::new("a${env:GAMEDAY_NO_SUCH_VARIABLE}b"), Template::Static("ab".to_owned()));
    }

    #[test]
    fn a_json_body_keeps_the_types_of_its_values() {
        let mut scope = scope();
        let body = JsonTemplate::new(&json!({"id": "${id}", "to": "no. ${id}", "n": "${random(5,5)}"}));
        assert_eq!(body.fill(&mut scope), r#"{"id":17,"to":"no. 17","n":5}"#);
        assert!(
            matches!(JsonTemplate::new(&json!({"a": [1, "b"]})), JsonTemplate::Static(bytes) if bytes == r#"{"a":[1,"b"]}"#)
        );
    }
}
