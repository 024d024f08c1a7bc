//! Decoding with every problem at once: a wrong key or value becomes a diagnostic and is set aside, and the rest is read
//! again. Owns: what is set aside, and the words. Must not know: which types there are.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::diagnostic::SECRET_CODE;
use super::reader::{Error, Kind, Reader, Spot, Visibility};
use super::tree::{NodeId, Scalar, Tree};
use super::{Diagnostic, SourceFile, Span};
use crate::unit::{IS_A_SECRET, nearest};

/// How many problems of one file are told; nobody mends more at once.
pub const PROBLEMS_MAX: usize = 100;

/// How many known names are listed beside a near one.
const KNOWN_MAX: usize = 12;

/// Reads types from a tree, entry by entry.
#[derive(Debug)]
pub struct Decoder {
    tree: Tree,
    visibility: Visibility,
    problems: Vec<Diagnostic>,
}

/// A tree that has been read, and what of it could not be.
#[derive(Debug)]
pub struct Document {
    tree: Tree,
    visibility: Visibility,
}

impl Decoder {
    /// A decoder of a whole document.
    #[must_use]
    pub fn new(tree: Tree) -> Self {
        Self { visibility: Visibility::of(&tree), tree, problems: Vec::new() }
    }

    /// Reads each entry of the list at `path` by itself, so that a long list stays fast and one wrong entry does not hide
    /// the next. `*` in the path stands for every entry. The innermost lists are to be read first.
    pub fn list<T: DeserializeOwned + JsonSchema>(&mut self, path: &[&str]) {
        self.entries::<T>(path, |tree, id| tree.is_list(id));
    }

    /// Reads each entry of the map at `path` by itself, as [`Decoder::list`] does.
    pub fn map<T: DeserializeOwned + JsonSchema>(&mut self, path: &[&str]) {
        self.entries::<T>(path, |tree, id| tree.is_map(id));
    }

    fn entries<T: DeserializeOwned + JsonSchema>(&mut self, path: &[&str], fits: fn(&Tree, NodeId) -> bool) {
        let mut containers = vec![self.tree.root()];
        for step in path {
            containers = containers
                .into_iter()
                .flat_map(|id| match *step {
                    "*" => self.tree.children(id).to_vec(),
                    key => self.tree.entry(id, key).into_iter().collect(),
                })
                .collect();
        }
        // What is no list (or map) is told as a whole when the value around it is read.
        containers.retain(|id| fits(&self.tree, *id));
        for container in containers {
            for entry in self.tree.children(container).to_vec() {
                self.settle::<T>(entry);
            }
            if let Some(hollow) = self.visibility.hollow.get_mut(container.index()) {
                *hollow = true;
            }
        }
    }

    /// Leaves out a value of which a problem was told already.
    pub fn set_aside(&mut self, id: NodeId) {
        if let Some(aside) = self.visibility.aside.get_mut(id.index()) {
            *aside = true;
        }
    }

    /// Reads the whole document. Without a value there is at least one problem.
    #[must_use]
    pub fn finish<T: DeserializeOwned + JsonSchema>(mut self) -> (Option<T>, Document, Vec<Diagnostic>) {
        let root = self.tree.root();
        let mut value = None;
        // First without the entries that were read already, where mending is cheap; then all of it.
        if self.settle::<T>(root) {
            self.visibility.hollow.fill(false);
            value = self.read(root).ok();
            if value.is_none() && self.settle::<T>(root) {
                value = self.read(root).ok();
            }
        }
        if self.problems.len() >= PROBLEMS_MAX {
            value = None;
        }
        (value, Document { tree: self.tree, visibility: self.visibility }, self.problems)
    }

    fn read<T: DeserializeOwned>(&self, id: NodeId) -> Result<T, Error> {
        T::deserialize(Reader { tree: &self.tree, visibility: &self.visibility, id })
    }

    /// Sets aside what is wrong below `id` until the rest can be read; false when nothing of it can.
    fn settle<T: DeserializeOwned + JsonSchema>(&mut self, id: NodeId) -> bool {
        while self.problems.len() < PROBLEMS_MAX && !self.visibility.is_aside(id) {
            let Err(error) = self.read::<T>(id) else { return true };
            self.blame::<T>(id, &error);
        }
        false
    }

    /// Tells an error, unless it follows from one that was told, and sets its cause aside.
    fn blame<T: JsonSchema>(&mut self, entry: NodeId, error: &Error) {
        let spot = error.spot.unwrap_or(Spot::Value(entry));
        let (Spot::Key(id) | Spot::Value(id)) = spot;
        if self.visibility.is_aside(id) {
            // It was told, and what is around it can not do without it.
            self.set_aside(entry);
            return;
        }
        let span = match spot {
            Spot::Key(id) => self.tree.name_span(id),
            Spot::Value(id) => self.tree.span(id),
        };
        match &*error.kind {
            Kind::UnknownKey { key, known } => self.problems.push(unknown(
                Diagnostic::error(self.tree.source(), span, "unknown-key", format!("unknown key `{key}`")),
                key,
                known,
                "known keys",
            )),
            Kind::UnknownVariant { variant, known } => self.problems.push(unknown(
                Diagnostic::error(
                    self.tree.source(),
                    span,
                    "unknown-value",
                    format!("`{variant}` is not one of the values that are known here"),
                ),
                variant,
                known,
                "known values",
            )),
            Kind::MissingKey(key) => {
                let mut keys = if id == entry { required_keys::<T>() } else { Vec::new() };
                if !keys.iter().any(|required| required == key) {
                    keys.push((*key).to_owned());
                }
                let span = self.tree.name_span(id);
                keys.retain(|key| !self.stands_in(id, key));
                for key in keys {
                    let message = format!("the key `{key}` is missing");
                    self.problems.push(
                        Diagnostic::error(self.tree.source(), span.clone(), "missing-key", message)
                            .with_label(format!("`{key}` is needed here")),
                    );
                }
            }
            Kind::WrongType { found, expected } => {
                let problem = self.wrong_type(span, id, found, expected);
                self.problems.push(problem);
            }
            Kind::Other(message) => {
                let problem = self.invalid(span, id, spot, message);
                self.problems.push(problem);
            }
        }
        self.set_aside(id);
    }

    /// Whether the key is there, or was, or was meant by one that is unknown.
    fn stands_in(&self, map: NodeId, key: &str) -> bool {
        let is_meant = |child: &NodeId| {
            self.visibility.is_aside(*child) && nearest(self.tree.key(*child).unwrap_or_default(), [key]).is_some()
        };
        self.tree.entry(map, key).is_some() || self.tree.children(map).iter().any(is_meant)
    }

    fn wrong_type(&self, span: Span, id: NodeId, found: &str, expected: &str) -> Diagnostic {
        let message = match self.tree.scalar(id) {
            // As it is written: `0x1F` is found more easily than 31.
            Some((Scalar::Integer(_) | Scalar::Float(_), text)) => {
                format!("expected {expected}, found the number `{text}`")
            }
            Some(_) | None => format!("expected {expected}, found {found}"),
        };
        let problem = Diagnostic::error(self.tree.source(), span, "wrong-type", message);
        match self.tree.scalar(id) {
            Some((Scalar::Integer(_) | Scalar::Float(_) | Scalar::Bool(_), text)) if expected == "text" => {
                problem.with_help(format!("put it in quotes: `\"{text}\"`"))
            }
            Some((Scalar::Integer(_) | Scalar::Float(_), text)) if expected.starts_with("a duration") => {
                problem.with_help(format!("write its unit: `{text}s`"))
            }
            Some((Scalar::Null, _)) => problem.with_help("write a value, or remove the key"),
            Some(_) | None => problem,
        }
    }

    /// An error from a type's own parser: `what is wrong; what to write`.
    fn invalid(&self, span: Span, id: NodeId, spot: Spot, message: &str) -> Diagnostic {
        let (problem, help) = match message.split_once("; ") {
            Some((problem, help)) => (problem, Some(help.to_owned())),
            None => (message, None),
        };
        let is_secret = help.as_ref().is_some_and(|help| help.contains(IS_A_SECRET));
        let text = match spot {
            Spot::Key(_) => self.tree.key(id),
            Spot::Value(_) => self.tree.scalar(id).map(|(_, text)| text),
        };
        let message = match text {
            Some(text) if !problem.contains('`') && !is_secret => format!("`{text}` is not valid here: {problem}"),
            Some(_) | None => problem.to_owned(),
        };
        let code = if is_secret { SECRET_CODE } else { "invalid-value" };
        Diagnostic::error(self.tree.source(), span, code, message).with_help_if(help)
    }
}

/// The keys that a type needs, from its schema.
fn required_keys<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T);
    let required = schema.get("required").and_then(serde_json::Value::as_array);
    required.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

fn unknown(problem: Diagnostic, word: &str, known: &[&'static str], list: &str) -> Diagnostic {
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let near = nearest(word, known.iter().copied());
    // A long list helps only where no name is near.
    let is_listed = !known.is_empty() && (near.is_none() || known.len() <= KNOWN_MAX);
    let problem = if is_listed { problem.with_note(format!("{list}: {}", quoted.join(", "))) } else { problem };
    problem.with_help_if(near.map(|name| format!("did you mean `{name}`?")))
}

impl Document {
    /// The text that the document was read from.
    #[must_use]
    pub fn source(&self) -> &Arc<SourceFile> {
        self.tree.source()
    }

    /// The place of the whole document.
    #[must_use]
    pub fn root(&self) -> Place<'_> {
        Place { document: self, id: self.tree.root(), found: true }
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// A place in a document, found by keys. A key that is not there leaves it where it was.
#[derive(Debug, Clone, Copy)]
pub struct Place<'d> {
    document: &'d Document,
    id: NodeId,
    found: bool,
}

impl<'d> Place<'d> {
    /// The entry of this map with that key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        match self.document.tree.entry(self.id, key) {
            Some(id) if self.found => Self { id, ..self },
            Some(_) | None => Self { found: false, ..self },
        }
    }

    /// The entries that could be read, in the order of the file; those of a typed list stand in the same order.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let children = if self.found { self.document.tree.children(self.id) } else { &[] };
        let visible = children.iter().filter(move |id| !self.document.visibility.is_aside(**id));
        visible.map(move |id| Self { id: *id, ..self })
    }

    /// All entries, also those that could not be read.
    pub fn all_items(self) -> impl Iterator<Item = Self> {
        let children = if self.found { self.document.tree.children(self.id) } else { &[] };
        children.iter().map(move |id| Self { id: *id, ..self })
    }

    /// An entry that could be read, by its index.
    #[must_use]
    pub fn item(self, index: usize) -> Self {
        self.items().nth(index).unwrap_or(Self { found: false, ..self })
    }

    /// Whether every key on the way was there.
    #[must_use]
    pub fn is_found(self) -> bool {
        self.found
    }

    /// Whether some of its entries could not be read, so that what seems to be missing may be there.
    #[must_use]
    pub fn has_problems(self) -> bool {
        self.document.tree.children(self.id).iter().any(|id| self.document.visibility.is_aside(*id))
    }

    /// This entry's own key.
    #[must_use]
    pub fn name(self) -> Option<&'d str> {
        self.document.tree.key(self.id)
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(self) -> Option<&'d str> {
        self.document.tree.scalar(self.id).filter(|_| self.found).map(|(_, text)| text)
    }

    /// The text of the file.
    #[must_use]
    pub fn source(self) -> &'d Arc<SourceFile> {
        self.document.source()
    }

    /// Where it stands: the value, or the name of what the key is missing from.
    #[must_use]
    pub fn span(self) -> Span {
        if self.found { self.document.tree.span(self.id) } else { self.name_span() }
    }

    /// Where its key stands; the first key of an entry of a list.
    #[must_use]
    pub fn name_span(self) -> Span {
        self.document.tree.name_span(self.id)
    }

    /// Where a part of its text stands.
    #[must_use]
    pub fn span_within(self, part: &Span) -> Span {
        if self.found { self.document.tree.span_within(self.id, part) } else { self.name_span() }
    }

    /// A problem at the value.
    #[must_use]
    pub fn error(self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.document.source(), self.span(), code, message)
    }

    /// A problem at the key.
    #[must_use]
    pub fn name_error(self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.document.source(), self.name_span(), code, message)
    }

    /// A doubt about the value.
    #[must_use]
    pub fn warning(self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(self.document.source(), self.span(), code, message)
    }

    /// A doubt about the key.
    #[must_use]
    pub fn name_warning(self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(self.document.source(), self.name_span(), code, message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::unit::DurationText;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        title: String,
        count: u32,
        #[serde(default)]
        steps: Vec<Step>,
        #[serde(default)]
        named: BTreeMap<String, Step>,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Step {
        at: DurationText,
        #[serde(default)]
        mode: Option<Mode>,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Fast,
        Slow,
    }

    fn decode(text: &str) -> (Option<Whole>, Vec<String>) {
        let source = Arc::new(SourceFile::new("t.yaml", text));
        let mut problems = Vec::new();
        let Some(tree) = Tree::parse(&source, &mut problems) else { return (None, told(&problems)) };
        let mut decoder = Decoder::new(tree);
        decoder.list::<Step>(&["steps"]);
        decoder.map::<Step>(&["named"]);
        let (value, _, more) = decoder.finish::<Whole>();
        problems.extend(more);
        (value, told(&problems))
    }

    fn told(problems: &[Diagnostic]) -> Vec<String> {
        let line = |problem: &Diagnostic| {
            let at = problem.source.position(problem.span.start);
            format!("{}:{} {}: {}", at.line, at.column, problem.code, problem.message)
        };
        problems.iter().map(line).collect()
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Files(Files),
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Files {
        key: String,
    }

    #[test]
    fn what_can_not_be_read_without_a_part_that_is_wrong_is_told_once() {
        for (text, expected) in
            [("choice: {files: {}}", "the key `key` is missing"), ("choice: {files: {kee: a}}", "unknown key `kee`")]
        {
            let mut problems = Vec::new();
            let source = Arc::new(SourceFile::new("a.yaml", text));
            let tree = Tree::parse(&source, &mut problems).expect("YAML");
            let (value, _, problems) = Decoder::new(tree).finish::<BTreeMap<String, Choice>>();
            let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            assert_eq!((value, told), (None, vec![expected]), "{text}");
        }
    }

    #[test]
    fn a_good_document_is_read() {
        let (value, problems) = decode("title: x\ncount: 3\nsteps: [{at: 5m, mode: fast}]\nnamed: {a: {at: 1s}}\n");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(value.map(|whole| (whole.steps.len(), whole.named.len())), Some((1, 1)));
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_place() {
        let text = "title: 5\ncuont: 3\nsteps:\n  - {at: 5}\n  - {at: 1s, mode: fats, at: 2s}\n  - {}\nnamed:\n  a: {at: 9 s}\n  b: []\n";
        let (value, problems) = decode(text);
        assert_eq!(value, None);
        assert_eq!(
            problems,
            [
                "5:26 duplicate-key: the key `at` stands here twice",
                "4:10 wrong-type: expected a duration such as `5m`, found the number `5`",
                "5:20 unknown-value: `fats` is not one of the values that are known here",
                "6:5 missing-key: the key `at` is missing",
                "8:11 invalid-value: `9 s` has no unit",
                "9:6 wrong-type: expected a map of keys, found a list",
                "1:8 wrong-type: expected text, found the number `5`",
                "2:1 unknown-key: unknown key `cuont`",
            ]
        );
    }

    #[test]
    fn a_map_for_a_list_is_one_problem() {
        assert_eq!(
            decode("title: x\ncount: 1\nsteps: {at: 1s}\n").1,
            ["3:8 wrong-type: expected a list, found a map of keys"]
        );
    }

    #[test]
    fn all_missing_keys_of_the_root_are_told() {
        assert_eq!(
            decode("steps: []\n").1,
            ["1:1 missing-key: the key `title` is missing", "1:1 missing-key: the key `count` is missing"]
        );
    }

    #[test]
    fn what_was_set_aside_is_not_missed_and_the_rest_is_still_read() {
        let (value, problems) = decode("title: x\ncount: 1\nsteps: [{at: x}, {at: 1s}]\n");
        assert_eq!(problems.len(), 1);
        assert_eq!(value.map(|whole| whole.steps.len()), Some(1));
    }

    #[test]
    fn an_alias_stands_for_a_copy_but_never_for_a_billion() {
        let (value, problems) = decode("title: x\ncount: 1\nsteps: [&a {at: 1s}, *a, *a]\n");
        assert_eq!((problems.len(), value.map(|whole| whole.steps.len())), (0, Some(3)));
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            laughs += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
        }
        assert!(decode(&laughs).1.iter().any(|problem| problem.contains("too-many-values")));
        assert!(decode("a: &a [*a]\n").1.iter().any(|problem| problem.contains("unsupported-yaml")));
    }

    #[test]
    fn more_problems_than_anybody_mends_are_cut_off() {
        let text = format!("title: x\ncount: 1\nsteps:\n{}", "  - {at: 5}\n".repeat(5_000));
        let (value, problems) = decode(&text);
        assert_eq!((value, problems.len()), (None, PROBLEMS_MAX));
    }

    #[test]
    fn positions_hold_with_wide_characters_and_windows_line_ends() {
        let (_, problems) = decode("title: \"äöü €\"\r\ncount: \"é\" # ü\r\nnamed: {\"ö\": {at: 5}}\r\n");
        assert_eq!(
            problems,
            [
                "3:19 wrong-type: expected a duration such as `5m`, found the number `5`",
                "2:8 wrong-type: expected a whole number from 0 up, found the text `é`",
            ]
        );
    }
}
