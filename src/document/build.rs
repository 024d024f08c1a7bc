//! Builds a tree from the parser's events. Owns: the limits, and what of YAML is refused. Must not know: types.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::scalar::resolve;
use super::tree::{DEPTH_MAX, Key, NODES_MAX, Node, NodeId, Scalar, Value};
use super::{Diagnostic, PROBLEMS_MAX, SourceFile, Span};

/// A list or map that is being read.
struct Open {
    id: NodeId,
    anchor: usize,
    /// In a map: the key whose value comes next.
    key: Option<Key>,
    is_map: bool,
    children: Vec<NodeId>,
}

/// What a document is to be as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Map,
    List,
}

/// A tree that is being read.
pub(super) struct Builder<'s> {
    source: &'s Arc<SourceFile>,
    text: &'s str,
    shape: Shape,
    pub(super) nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    pub(super) problems: Vec<Diagnostic>,
    /// The byte of each character, where they differ.
    offsets: Option<Vec<usize>>,
    root: Option<NodeId>,
}

/// The problem that ends the reading.
type Stop = Box<Diagnostic>;

impl<'s> Builder<'s> {
    pub(super) fn new(source: &'s Arc<SourceFile>, text: &'s str, shape: Shape) -> Self {
        Self {
            source,
            text,
            shape,
            nodes: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            problems: Vec::new(),
            offsets: (!text.is_ascii()).then(|| text.char_indices().map(|(offset, _)| offset).collect()),
            root: None,
        }
    }

    /// The parser counts characters; everything else here counts bytes.
    fn offset(&self, marker: &Marker) -> usize {
        let end = self.text.len();
        match &self.offsets {
            None => marker.index().min(end),
            Some(offsets) => offsets.get(marker.index()).copied().unwrap_or(end),
        }
    }

    fn stop(&self, span: Span, code: &'static str, message: impl Into<String>) -> Stop {
        Box::new(Diagnostic::error(self.source, span, code, message))
    }

    /// Reads the one document; what does not stop the reading is left in `problems`.
    pub(super) fn document(&mut self) -> Result<NodeId, Stop> {
        let source = Arc::clone(self.source);
        let mut documents = 0;
        for event in Parser::new_from_str(self.text) {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let span = self.offset(&span.start)..self.offset(&span.end).max(self.offset(&span.start));
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Box::new(
                            Diagnostic::error(&source, span, "more-than-one-document", "a second document starts here")
                                .with_help("keep one document a file: remove the `---`, or move what follows it to another file"),
                        ));
                    }
                }
                Event::Alias(anchor) => self.alias(anchor, span)?,
                Event::Scalar(text, style, anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), &span)?;
                    self.scalar(text.into_owned(), style, anchor, span)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), &span)?;
                    self.start(false, anchor, span)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), &span)?;
                    self.start(true, anchor, span)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(&span)?,
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        self.finish()
    }

    fn finish(&self) -> Result<NodeId, Stop> {
        let root = self.root.map(|id| (id, self.nodes.get(id.index()).map(|node| &node.value)));
        match root {
            Some((id, Some(Value::Map { .. }))) if self.shape == Shape::Map => Ok(id),
            Some((id, Some(Value::List(_)))) if self.shape == Shape::List => Ok(id),
            None | Some((_, None | Some(Value::Scalar { kind: Scalar::Null, .. }))) => {
                Err(self.stop(0..0, "empty-file", "the file says nothing"))
            }
            Some((id, Some(Value::Map { .. } | Value::List(_) | Value::Scalar { .. }))) => {
                let span = self.nodes.get(id.index()).map_or(0..0, |node| node.span.clone());
                let (message, help) = match self.shape {
                    Shape::Map => ("the file is not a map of keys and values", "start it with `gameday: 1`"),
                    Shape::List => ("the file is not a list", "begin each entry with `- `"),
                };
                let stop = *self.stop(span, "wrong-type", message);
                Err(Box::new(stop.with_help(help)))
            }
        }
    }

    fn syntax(&self, error: &saphyr_parser::ScanError) -> Stop {
        let at = self.offset(error.marker());
        let line = self.source.position(at).line;
        // The parser may notice it a line late, or at the key before it; elsewhere, as in a text of several lines, a tab may be right.
        let speaks_of_it = error.info().contains("tab") || error.info().contains("indent");
        let near = [line.saturating_sub(1), line + 1].into_iter().filter(|line| speaks_of_it && *line > 0);
        if let Some(at) = std::iter::once(line).chain(near).find_map(|line| self.tab(line)) {
            let span = at..at + 1;
            let stop = *self.stop(span, "syntax", "a tab stands in the indentation");
            return Box::new(stop.with_help("indent with spaces: YAML does not allow tabs there"));
        }
        // The parser's own limit, on brackets alone, may be met before ours, because it reads ahead.
        if error.info() == "recursion limit exceeded" {
            return self.too_deep(at..at);
        }
        self.stop(at..at, "syntax", format!("this is not YAML: {}", error.info()))
    }

    /// Where a tab stands in the indentation of a line.
    fn tab(&self, line: usize) -> Option<usize> {
        let line = self.source.line(line);
        let text = self.text.get(line.clone())?;
        let blank = text.len() - text.trim_start().len();
        Some(line.start + text.get(..blank)?.find('\t')?)
    }

    fn too_deep(&self, span: Span) -> Stop {
        self.stop(span, "too-deep", format!("lists and maps stand more than {DEPTH_MAX} deep in each other"))
    }

    fn refuse_tag(&self, tag: Option<&saphyr_parser::Tag>, span: &Span) -> Result<(), Stop> {
        match tag {
            None => Ok(()),
            Some(tag) => {
                let written = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
                let message = format!("the tag `{written}` has no meaning here");
                let stop = *self.stop(span.clone(), "unsupported-yaml", message);
                Err(Box::new(stop.with_help("remove the tag; put text in quotes to keep it text")))
            }
        }
    }

    fn add(&mut self, node: Node) -> Result<NodeId, Stop> {
        if self.nodes.len() >= NODES_MAX {
            let message = format!("the document has more than {NODES_MAX} values, aliases counted each time");
            return Err(self.stop(node.span, "too-many-values", message));
        }
        let id = NodeId(u32::try_from(self.nodes.len()).expect("invariant: the limit of values fits"));
        self.nodes.push(node);
        Ok(id)
    }

    /// Adds a value to what is open, under the key that came before it.
    fn place(&mut self, span: Span, value: Value, anchor: usize) -> Result<NodeId, Stop> {
        let parent = self.open.last().map(|open| open.id);
        let key = self.open.last_mut().and_then(|open| open.key.take());
        let id = self.add(Node { span, key, parent, value })?;
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(id),
            None => self.root = Some(id),
        }
        Ok(id)
    }

    /// Whether the next value is a key of the map that is open.
    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_map && open.key.is_none())
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, anchor: usize, span: Span) -> Result<(), Stop> {
        // A plain scalar's span may run on over blanks.
        let span = span.start..span.start + self.source.slice(&span).trim_end().len();
        if self.expects_key() {
            if let Some(open) = self.open.last_mut() {
                open.key = Some(Key { text, span });
            }
            return Ok(());
        }
        let kind = if style == ScalarStyle::Plain { resolve(&text) } else { Scalar::Text };
        self.place(span, Value::Scalar { kind, text }, anchor)?;
        Ok(())
    }

    fn start(&mut self, is_map: bool, anchor: usize, span: Span) -> Result<(), Stop> {
        if self.expects_key() {
            return Err(self.stop(span, "unsupported-yaml", "a key must be a word, not a list or a map"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        let empty =
            if is_map { Value::Map { entries: Vec::new(), sorted: Vec::new() } } else { Value::List(Vec::new()) };
        // The anchor is known only once all of it has been read: it can not hold itself.
        let id = self.place(span, empty, 0)?;
        self.open.push(Open { id, anchor, key: None, is_map, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self, span: &Span) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else {
            return Err(self.stop(span.clone(), "syntax", "a list or map ends here that never started"));
        };
        let value = if open.is_map { self.map(open.children) } else { Value::List(open.children) };
        if let Some(node) = self.nodes.get_mut(open.id.index()) {
            node.span.end = span.end.max(node.span.end);
            node.value = value;
        }
        if open.anchor > 0 {
            self.anchors.insert(open.anchor, open.id);
        }
        Ok(())
    }

    /// The entries of a map, of which each key counts once; the later ones are problems.
    fn map(&mut self, entries: Vec<NodeId>) -> Value {
        let key = |id: &NodeId| self.nodes.get(id.index()).and_then(|node| node.key.as_ref());
        let mut sorted = entries.clone();
        sorted.sort_by(|left, right| key(left).map(|key| &key.text).cmp(&key(right).map(|key| &key.text)));
        let mut duplicates = Vec::new();
        let mut kept: Vec<NodeId> = Vec::with_capacity(sorted.len());
        for id in sorted {
            match (kept.last().and_then(key), key(&id)) {
                (Some(first), Some(second)) if first.text == second.text => {
                    let message = format!("the key `{}` stands here twice", second.text);
                    let problem = Diagnostic::error(self.source, second.span.clone(), "duplicate-key", message)
                        .with_related(self.source, first.span.clone(), "it stands here already");
                    duplicates.push((id, problem));
                }
                _ => kept.push(id),
            }
        }
        let (dropped, problems): (HashSet<NodeId>, Vec<Diagnostic>) = duplicates.into_iter().unzip();
        let room = PROBLEMS_MAX.saturating_sub(self.problems.len());
        self.problems.extend(problems.into_iter().take(room));
        let entries = entries.into_iter().filter(|id| !dropped.contains(id)).collect();
        Value::Map { entries, sorted: kept }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let Some(&original) = self.anchors.get(&anchor) else {
            return Err(self.stop(span, "unsupported-yaml", "an alias can not stand inside of what it stands for"));
        };
        if self.expects_key() {
            return Err(self.stop(span, "unsupported-yaml", "an alias can not be a key"));
        }
        let depth = self.open.len();
        let shell = self.shell(original);
        let id = self.place(span.clone(), shell, 0)?;
        self.copy_children(original, id, depth, &span)
    }

    /// A scalar, or an empty list or map of the same kind.
    fn shell(&self, id: NodeId) -> Value {
        match self.nodes.get(id.index()).map(|node| &node.value) {
            Some(Value::List(_)) => Value::List(Vec::new()),
            Some(Value::Map { .. }) => Value::Map { entries: Vec::new(), sorted: Vec::new() },
            Some(scalar @ Value::Scalar { .. }) => scalar.clone(),
            None => Value::Scalar { kind: Scalar::Null, text: String::new() },
        }
    }

    fn copy_children(&mut self, original: NodeId, copy: NodeId, depth: usize, alias: &Span) -> Result<(), Stop> {
        if depth >= DEPTH_MAX {
            let message = format!("with this alias, lists and maps stand more than {DEPTH_MAX} deep in each other");
            return Err(self.stop(alias.clone(), "too-deep", message));
        }
        let children = match self.nodes.get(original.index()).map(|node| &node.value) {
            Some(Value::List(children)) => children.clone(),
            Some(Value::Map { entries, .. }) => entries.clone(),
            Some(Value::Scalar { .. }) | None => return Ok(()),
        };
        let mut copies = Vec::with_capacity(children.len());
        for child in children {
            let value = self.shell(child);
            let Some(node) = self.nodes.get(child.index()) else { continue };
            let (span, key) = (node.span.clone(), node.key.clone());
            let id = self.add(Node { span, key, parent: Some(copy), value }).map_err(|mut stop| {
                stop.span = alias.clone();
                stop
            })?;
            self.copy_children(child, id, depth + 1, alias)?;
            copies.push(id);
        }
        let is_map = matches!(self.nodes.get(copy.index()).map(|node| &node.value), Some(Value::Map { .. }));
        let value = if is_map { self.map(copies) } else { Value::List(copies) };
        if let Some(node) = self.nodes.get_mut(copy.index()) {
            node.value = value;
        }
        Ok(())
    }
}
