//! Reads types from a tree by serde; each error knows the value or the key that it is about.
//!
//! Owns: how a tree looks to serde. Must not know: what is done about an error.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::tree::{NodeId, Scalar, Tree, Value};

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Key(NodeId),
    Value(NodeId),
}

/// Why a type could not be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    UnknownKey { key: String, known: &'static [&'static str] },
    UnknownVariant { variant: String, known: &'static [&'static str] },
    MissingKey(&'static str),
    WrongType { found: String, expected: String },
    Other(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Error {
    pub(super) spot: Option<Spot>,
    pub(super) kind: Box<Kind>,
}

impl Error {
    fn new(kind: Kind) -> Self {
        Self { spot: None, kind: Box::new(kind) }
    }

    /// The innermost place wins: it is set first.
    fn at(mut self, spot: Spot) -> Self {
        self.spot.get_or_insert(spot);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            Kind::UnknownKey { key, .. } => write!(formatter, "unknown key `{key}`"),
            Kind::UnknownVariant { variant, .. } => write!(formatter, "`{variant}` is not known here"),
            Kind::MissingKey(key) => write!(formatter, "the key `{key}` is missing"),
            Kind::WrongType { found, expected } => write!(formatter, "expected {expected}, found {found}"),
            Kind::Other(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// What was found, in the words of the format.
fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number `{number}`"),
        Unexpected::Signed(number) => format!("the number `{number}`"),
        Unexpected::Float(number) => format!("the number `{number}`"),
        Unexpected::Str(text) => format!("the text `{text}`"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map of keys".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        other => other.to_string(),
    }
}

/// What serde's own visitors expect, in the words of the format.
fn expected(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a map of keys".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 up".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        text if text.starts_with("struct ") => "a map of keys".to_owned(),
        other => other.to_owned(),
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::new(Kind::WrongType { found: found(unexpected), expected: expected(wanted) })
    }

    fn invalid_value(unexpected: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, wanted)
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownVariant { variant: variant.to_owned(), known })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::MissingKey(key))
    }
}

/// Which values are to be seen. Both tables have one entry a node.
#[derive(Debug)]
pub(super) struct Visibility {
    /// Left out, with its key.
    pub(super) aside: Vec<bool>,
    /// Seen as an empty list or map, because what it holds has been read already.
    pub(super) hollow: Vec<bool>,
}

impl Visibility {
    pub(super) fn of(tree: &Tree) -> Self {
        Self { aside: vec![false; tree.len()], hollow: vec![false; tree.len()] }
    }

    pub(super) fn is_aside(&self, id: NodeId) -> bool {
        self.aside.get(id.index()).copied().unwrap_or_default()
    }

    fn is_hollow(&self, id: NodeId) -> bool {
        self.hollow.get(id.index()).copied().unwrap_or_default()
    }
}

/// A value of a tree, as serde sees it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'t> {
    pub(super) tree: &'t Tree,
    pub(super) visibility: &'t Visibility,
    pub(super) id: NodeId,
}

impl<'t> Reader<'t> {
    fn value(self) -> &'t Value {
        &self.tree.node(self.id).value
    }

    fn visible_children(self) -> Children<'t> {
        let children = if self.visibility.is_hollow(self.id) { &[] } else { self.tree.children(self.id) };
        Children { parent: self, rest: children.iter(), value: None }
    }

    fn unexpected(self) -> Unexpected<'t> {
        match self.value() {
            Value::List(_) => Unexpected::Seq,
            Value::Map { .. } => Unexpected::Map,
            Value::Scalar { kind: Scalar::Null, .. } => Unexpected::Unit,
            Value::Scalar { kind: Scalar::Bool(value), .. } => Unexpected::Bool(*value),
            Value::Scalar { kind: Scalar::Integer(number), .. } => match i64::try_from(*number) {
                Ok(number) => Unexpected::Signed(number),
                Err(_) => Unexpected::Unsigned(unsigned(*number)),
            },
            Value::Scalar { kind: Scalar::Float(number), .. } => Unexpected::Float(*number),
            Value::Scalar { kind: Scalar::Text | Scalar::Unclear, text } => Unexpected::Str(text),
        }
    }

    fn here(self) -> impl FnOnce(Error) -> Error {
        move |error| error.at(Spot::Value(self.id))
    }
}

/// A number above the largest `i64`.
fn unsigned(number: i128) -> u64 {
    u64::try_from(number).expect("invariant: a whole number of a tree has 64 bits")
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value() {
            Value::List(_) => visitor.visit_seq(self.visible_children()),
            Value::Map { .. } => visitor.visit_map(self.visible_children()),
            Value::Scalar { kind, text } => match *kind {
                Scalar::Null => visitor.visit_unit(),
                Scalar::Bool(value) => visitor.visit_bool(value),
                Scalar::Integer(number) => match i64::try_from(number) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_u64(unsigned(number)),
                },
                Scalar::Float(number) => visitor.visit_f64(number),
                Scalar::Text => visitor.visit_borrowed_str(text),
                Scalar::Unclear => Err(de::Error::custom(format_args!(
                    "`{text}` does not mean the same to all readers of YAML; put it in quotes, or write it as a plain number"
                ))),
            },
        }
        .map_err(self.here())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // A key with nothing after it is a slip, not a wish for the default: `some` lets the inner type say so.
        visitor.visit_some(self).map_err(self.here())
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value() {
            Value::Map { .. } => visitor.visit_map(self.visible_children()).map_err(self.here()),
            // serde would take a list as the keys' values in order.
            Value::List(_) | Value::Scalar { .. } => {
                Err(de::Error::invalid_type(self.unexpected(), &"a map of keys")).map_err(self.here())
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(self.here())
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let children: Vec<NodeId> = self.tree.children(self.id).to_vec();
        match (self.value(), children.as_slice()) {
            (Value::Scalar { kind: Scalar::Text, text }, _) => {
                visitor.visit_enum(Variant { name: text, content: None })
            }
            (Value::Map { .. }, [only]) => {
                let name = self.tree.key(*only).unwrap_or_default();
                visitor.visit_enum(Variant { name, content: Some(Reader { id: *only, ..self }) })
            }
            _ => Err(de::Error::invalid_type(self.unexpected(), &"one word")),
        }
        .map_err(self.here())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// The entries of a list or map, without what was set aside.
struct Children<'t> {
    parent: Reader<'t>,
    rest: std::slice::Iter<'t, NodeId>,
    value: Option<NodeId>,
}

impl Children<'_> {
    fn next_visible(&mut self) -> Option<NodeId> {
        self.rest.by_ref().copied().find(|id| !self.parent.visibility.is_aside(*id))
    }
}

impl<'de> SeqAccess<'de> for Children<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.next_visible().map(|id| seed.deserialize(Reader { id, ..self.parent })).transpose()
    }
}

impl<'de> MapAccess<'de> for Children<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(id) = self.next_visible() else { return Ok(None) };
        self.value = Some(id);
        let key: &'de str = self.parent.tree.key(id).unwrap_or_default();
        seed.deserialize(StrDeserializer::new(key)).map(Some).map_err(|error: Error| error.at(Spot::Key(id)))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let id = self.value.take().expect("invariant: serde asks for a value after its key");
        seed.deserialize(Reader { id, ..self.parent })
    }
}

/// One word, or one key with a value, as a variant of an enumeration.
struct Variant<'t> {
    name: &'t str,
    content: Option<Reader<'t>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((seed.deserialize(StrDeserializer::new(self.name))?, self))
    }
}

impl Variant<'_> {
    fn no_content() -> Error {
        de::Error::custom("this kind needs a value of its own")
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(content) => Err(de::Error::invalid_type(content.unexpected(), &"a word alone")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.content.ok_or_else(Self::no_content)?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        self.content.ok_or_else(Self::no_content)?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, keys: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content.ok_or_else(Self::no_content)?.deserialize_struct("", keys, visitor)
    }
}
