//! A YAML document as a tree in which every key and value knows its place. Owns: the YAML that is allowed and the limits
//! on it. Must not know: types.
//!
//! Allowed is one document of maps with scalar keys, lists and scalars of the core schema. Tags are refused. An alias is
//! read as a copy of what its anchor holds, and each copy counts towards [`NODES_MAX`]: a "billion laughs" file ends
//! there. `<<` is a key like any other.

use std::sync::Arc;

use super::build::{Builder, Shape};
use super::{Diagnostic, SourceFile, Span};

/// How deep lists and maps may stand in each other.
pub const DEPTH_MAX: usize = 64;

/// How many values a document may have, aliases counted each time that they stand for something.
pub const NODES_MAX: usize = 200_000;

/// The place of a value in a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The node as an index into a table with one entry a node.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) span: Span,
}

/// What a scalar is; its text stands beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that an `i64` or a `u64` can hold.
    Integer(i128),
    /// A number.
    Float(f64),
    /// Anything else, and everything in quotes.
    Text,
    /// What readers of YAML do not agree on, such as `0123`: no type takes it.
    Unclear,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Scalar {
        kind: Scalar,
        text: String,
    },
    List(Vec<NodeId>),
    /// `sorted` holds the same entries in the order of their keys.
    Map {
        entries: Vec<NodeId>,
        sorted: Vec<NodeId>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) key: Option<Key>,
    pub(super) parent: Option<NodeId>,
    pub(super) value: Value,
}

/// A document. The root is a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    source: Arc<SourceFile>,
    nodes: Vec<Node>,
    root: NodeId,
}

impl Tree {
    /// Reads a document. Problems are added to `problems`; a duplicate key does not stop the reading.
    pub fn parse(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        Self::parse_part(source, source.text(), Shape::Map, problems)
    }

    /// Reads a document that is a list, as [`Tree::parse`] does one that is a map.
    pub fn parse_list(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        Self::parse_part(source, source.text(), Shape::List, problems)
    }

    /// Reads the YAML front matter of a Markdown file, between a first line `---` and the next; with it comes the byte
    /// at which the Markdown starts.
    pub fn front_matter(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<(Self, usize)> {
        let ends = |line: usize| source.slice(&source.line(line)).trim_end() == "---";
        let last = source.position(source.text().len()).line;
        let Some(end) = ends(1).then(|| (2..=last).find(|line| ends(*line))).flatten() else {
            let (message, help) = if ends(1) {
                ("the front matter has no closing `---`", "write a line `---` behind its last key")
            } else {
                let help = "start it with a line `---`, then keys such as `id: …`, then another line `---`";
                ("the file does not start with front matter", help)
            };
            problems.push(Diagnostic::error(source, source.line(1), "no-front-matter", message).with_help(help));
            return None;
        };
        let text = source.slice(&(0..source.line(end).start));
        Some((Self::parse_part(source, text, Shape::Map, problems)?, source.line(end + 1).start))
    }

    /// Reads the document that the start of a file is.
    fn parse_part(source: &Arc<SourceFile>, text: &str, shape: Shape, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut builder = Builder::new(source, text, shape);
        let result = builder.document();
        problems.append(&mut builder.problems);
        match result {
            Ok(root) => Some(Self { source: Arc::clone(source), nodes: builder.nodes, root }),
            Err(problem) => {
                problems.push(*problem);
                None
            }
        }
    }

    /// The text that the tree was read from.
    #[must_use]
    pub fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }

    /// The map that is the document.
    #[must_use]
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none; a tree has always its root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.index()).expect("invariant: a node id comes from this tree")
    }

    /// The entry of a map with that key.
    #[must_use]
    pub fn entry(&self, map: NodeId, key: &str) -> Option<NodeId> {
        let Value::Map { sorted, .. } = &self.node(map).value else { return None };
        let found = sorted.binary_search_by(|id| self.key(*id).unwrap_or_default().cmp(key)).ok()?;
        sorted.get(found).copied()
    }

    /// The values in a list or map, in the order of the file.
    #[must_use]
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        match &self.node(id).value {
            Value::Scalar { .. } => &[],
            Value::List(items) => items,
            Value::Map { entries, .. } => entries,
        }
    }

    /// Whether the value is a list.
    #[must_use]
    pub fn is_list(&self, id: NodeId) -> bool {
        matches!(self.node(id).value, Value::List(_))
    }

    /// Whether the value is a map.
    #[must_use]
    pub fn is_map(&self, id: NodeId) -> bool {
        matches!(self.node(id).value, Value::Map { .. })
    }

    /// The key of an entry of a map.
    #[must_use]
    pub fn key(&self, id: NodeId) -> Option<&str> {
        self.node(id).key.as_ref().map(|key| key.text.as_str())
    }

    /// What a value stands in.
    #[must_use]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent
    }

    /// The place of a value.
    #[must_use]
    pub fn span(&self, id: NodeId) -> Span {
        self.node(id).span.clone()
    }

    /// The place that names a value: its key, else its first key, else itself.
    #[must_use]
    pub fn name_span(&self, id: NodeId) -> Span {
        let node = self.node(id);
        let first_key = || self.children(id).first().and_then(|child| self.node(*child).key.as_ref());
        node.key.as_ref().or_else(first_key).map_or_else(|| node.span.clone(), |key| key.span.clone())
    }

    /// A scalar's kind and text.
    #[must_use]
    pub fn scalar(&self, id: NodeId) -> Option<(Scalar, &str)> {
        match &self.node(id).value {
            Value::Scalar { kind, text } => Some((*kind, text)),
            Value::List(_) | Value::Map { .. } => None,
        }
    }

    /// Every value, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        (0..self.nodes.len()).filter_map(|index| u32::try_from(index).ok().map(NodeId))
    }

    /// Puts another scalar in the place of one; the position stays.
    pub fn replace(&mut self, id: NodeId, kind: Scalar, text: String) {
        if let Some(node) = self.nodes.get_mut(id.index()) {
            node.value = Value::Scalar { kind, text };
        }
    }

    /// The place in the file of the byte `offset` of a scalar's text: exact where the scalar is plain or quoted on one
    /// line and has no escapes before it, else the scalar's start.
    #[must_use]
    pub fn span_within(&self, id: NodeId, part: &Span) -> Span {
        let span = self.span(id);
        let Some((_, text)) = self.scalar(id) else { return span };
        let written = self.source.slice(&span);
        let quote = usize::from(written.starts_with(['"', '\'']));
        let Some(before_end) = text.get(..part.end) else { return span };
        if written.get(quote..quote + before_end.len()) == Some(before_end) {
            return span.start + quote + part.start..span.start + quote + part.end;
        }
        let Some(before_start) = text.get(..part.start) else { return span };
        if written.get(quote..quote + before_start.len()) == Some(before_start) {
            let start = span.start + quote + part.start;
            return start..start;
        }
        span.start..span.start
    }
}
