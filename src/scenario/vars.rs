//! Variables: `${name}` in a text becomes the value that an environment gives to `vars.name`, before types are read.
//!
//! A text that is nothing but `${name}` takes the value with its type. Dotted names (`${orders.url}`) are targets' and stay;
//! so do the undotted names of loads that are no variables, which are captured while a journey runs.

use std::collections::BTreeSet;

use crate::document::{Diagnostic, NodeId, PROBLEMS_MAX, Scalar, Span, Tree};
use crate::unit::nearest;

/// The key under which a variable has its value for environments that it does not name.
pub(super) const DEFAULT: &str = "default";

/// How much text variables may add to one file, in bytes: a long value that is used often must not fill the memory.
const FILLED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// Text as it stands.
    Plain(&'t str),
    /// The name in `${name}`, with the byte at which its `$` stands.
    Name(&'t str, usize),
    /// A `${` without an end, with its byte.
    Open(usize),
}

/// The parts of a text, in order.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let Some((plain, after)) = rest.split_once("${") else {
            parts.push(Part::Plain(rest));
            break;
        };
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        let Some((name, after)) = after.split_once('}') else {
            parts.push(Part::Open(at + plain.len()));
            break;
        };
        parts.push(Part::Name(name, at + plain.len()));
        rest = after;
    }
    parts
}

/// The environments among `names` that can differ: those for which some variable has a value of its own, and one that
/// stands for all others.
pub(super) fn distinct_environments(tree: &Tree, names: Vec<String>) -> Vec<String> {
    let named = named(tree);
    let mut seen_default = false;
    names
        .into_iter()
        .filter(|name| named.contains(name.as_str()) || !std::mem::replace(&mut seen_default, true))
        .collect()
}

/// Whether no variable can tell two environments apart.
pub(super) fn are_the_same(tree: &Tree, one: &str, other: &str) -> bool {
    let named = named(tree);
    one == other || (!named.contains(one) && !named.contains(other))
}

/// The environments for which some variable has a value of its own.
fn named(tree: &Tree) -> BTreeSet<&str> {
    let vars = tree.entry(tree.root(), "vars").map(|vars| tree.children(vars)).unwrap_or_default();
    vars.iter().flat_map(|var| tree.children(*var)).filter_map(|value| tree.key(*value)).collect()
}

/// Puts the values of `environment` in the place of every variable. What could not be filled in is told with its value.
pub(super) fn substitute(tree: &mut Tree, environment: Option<&str>) -> Vec<(NodeId, Diagnostic)> {
    let mut told = Vec::new();
    let mut replaced = Vec::new();
    let mut filled_bytes = 0;
    for id in tree.ids() {
        let Some((Scalar::Text, text)) = tree.scalar(id) else { continue };
        if !text.contains("${") {
            continue;
        }
        let Some(top) = top_level_key(tree, id) else { continue };
        let mut filler = Filler { tree, id, top, environment, filled_bytes, problems: Vec::new() };
        if let Some(value) = filler.fill(text) {
            replaced.push((id, value));
        }
        filled_bytes = filler.filled_bytes;
        told.extend(filler.problems.into_iter().map(|problem| (id, problem)));
        if told.len() >= PROBLEMS_MAX {
            break;
        }
    }
    for (id, (kind, text)) in replaced {
        tree.replace(id, kind, text);
    }
    told
}

/// The top-level key that a value stands under.
fn top_level_key(tree: &Tree, id: NodeId) -> Option<&str> {
    let mut at = id;
    while let Some(parent) = tree.parent(at).filter(|parent| *parent != tree.root()) {
        at = parent;
    }
    tree.key(at)
}

/// Fills one text.
struct Filler<'t> {
    tree: &'t Tree,
    id: NodeId,
    /// The top-level key that the text stands under.
    top: &'t str,
    environment: Option<&'t str>,
    filled_bytes: usize,
    problems: Vec<Diagnostic>,
}

impl Filler<'_> {
    /// The text with its variables filled in; none when it has none, or when it could not be done.
    fn fill(&mut self, text: &str) -> Option<(Scalar, String)> {
        let parts = parts(text);
        let mut filled = String::with_capacity(text.len());
        let mut changed = false;
        for part in &parts {
            let (name, at) = match *part {
                Part::Plain(plain) => {
                    filled.push_str(plain);
                    continue;
                }
                // A load says so itself.
                Part::Open(_) if self.top == "load" => return None,
                Part::Open(at) => {
                    self.tell(at..text.len(), "this `${` has no `}`".to_owned(), "write `${name}`");
                    return None;
                }
                Part::Name(name, at) => (name, at..at + name.len() + "${}".len()),
            };
            if self.top == "vars" {
                let message = format!("`${{{name}}}` stands in the value of a variable");
                self.tell(at, message, "a variable can not be made of others: write the value out");
                return None;
            }
            match value(self.tree, name, self.environment) {
                Some(Ok((kind, value))) => {
                    self.filled_bytes = self.filled_bytes.saturating_add(value.len());
                    if self.filled_bytes > FILLED_BYTES_MAX {
                        let message = format!("variables add more than {FILLED_BYTES_MAX} bytes to the file");
                        self.tell(at, message, "write the long text once, where it is needed");
                        return None;
                    }
                    if parts.len() == 1 {
                        return Some((kind, value.to_owned()));
                    }
                    filled.push_str(value);
                    changed = true;
                    continue;
                }
                Some(Err(message)) => self.tell(at, message, &format!("add `{DEFAULT}: …` to `vars.{name}`")),
                None if name.contains('.') || self.top == "load" => {}
                None => {
                    let (message, help) = unknown(self.tree, name);
                    self.tell(at, message, &help);
                }
            }
            if self.problems.len() >= PROBLEMS_MAX {
                return None;
            }
            filled.push_str(&format!("${{{name}}}"));
        }
        changed.then_some((Scalar::Text, filled))
    }

    fn tell(&mut self, at: Span, message: String, help: &str) {
        let span = self.tree.span_within(self.id, &at);
        self.problems.push(Diagnostic::error(self.tree.source(), span, "unknown-variable", message).with_help(help));
    }
}

/// The value of a variable; none where there is no such variable.
fn value<'t>(tree: &'t Tree, name: &str, environment: Option<&str>) -> Option<Result<(Scalar, &'t str), String>> {
    let var = tree.entry(tree.entry(tree.root(), "vars")?, name)?;
    let own = environment.and_then(|environment| tree.entry(var, environment));
    let Some(value) = own.or_else(|| tree.entry(var, DEFAULT)) else {
        let place = environment.unwrap_or(DEFAULT);
        return Some(Err(format!("`{name}` has no value for the environment `{place}`")));
    };
    // A list or a map is told where the variable stands.
    tree.scalar(value).map(Ok)
}

/// What is told of a name that is no variable, and what to write instead.
fn unknown(tree: &Tree, name: &str) -> (String, String) {
    let vars = tree.entry(tree.root(), "vars");
    let known = vars.map(|vars| tree.children(vars)).unwrap_or_default().iter().filter_map(|id| tree.key(*id));
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `${{{near}}}`?"),
        None => format!("declare it: `vars: {{{name}: {{{DEFAULT}: …}}}}`"),
    };
    (format!("no variable is called `{name}`"), help)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;

    fn substituted(text: &str, environment: Option<&str>) -> (Option<(Scalar, String)>, Vec<String>) {
        let mut tree = Tree::parse(&Arc::new(SourceFile::new("t", text)), &mut Vec::new()).unwrap();
        let problems = substitute(&mut tree, environment);
        let value =
            tree.entry(tree.root(), "x").and_then(|id| tree.scalar(id)).map(|(kind, text)| (kind, text.to_owned()));
        (value, problems.into_iter().map(|(_, problem)| problem.message).collect())
    }

    #[test]
    fn a_text_is_cut_into_parts() {
        assert_eq!(parts("a${b}c${d}"), [Part::Plain("a"), Part::Name("b", 1), Part::Plain("c"), Part::Name("d", 6)]);
        assert_eq!(parts("${a"), [Part::Open(0)]);
    }

    #[test]
    fn a_lone_variable_keeps_its_type_and_an_environment_has_its_own_value() {
        let text = "vars: {n: {default: 5, staging: two}}\nx: \"${n}\"\n";
        assert_eq!(substituted(text, None), (Some((Scalar::Integer(5), "5".to_owned())), vec![]));
        assert_eq!(substituted(text, Some("staging")), (Some((Scalar::Text, "two".to_owned())), vec![]));
        let text = "vars: {n: {default: 5}}\nx: \"a${n}b${t.url}\"\n";
        assert_eq!(substituted(text, Some("other")), (Some((Scalar::Text, "a5b${t.url}".to_owned())), vec![]));
    }

    #[test]
    fn variables_do_not_fill_the_memory() {
        let text = format!("vars: {{n: {{default: {}}}}}\nx: \"{}\"\n", "n".repeat(100_000), "${n}".repeat(100_000));
        assert_eq!(substituted(&text, None).1, ["variables add more than 4194304 bytes to the file"]);
        assert_eq!(substituted(&format!("x: \"{}\"\n", "${n}".repeat(100_000)), None).1.len(), PROBLEMS_MAX);
    }

    #[test]
    fn what_can_not_be_filled_in_is_told() {
        assert_eq!(substituted("vars: {rate: {default: 1}}\nx: \"${rat}\"\n", None).1, ["no variable is called `rat`"]);
        let text = "vars: {n: {staging: 1}}\nx: \"${n}\"\n";
        assert_eq!(substituted(text, Some("prod")).1, ["`n` has no value for the environment `prod`"]);
        assert_eq!(substituted("x: \"a ${n\"\n", None).1, ["this `${` has no `}`"]);
        assert_eq!(substituted("vars: {n: {default: \"${m}\"}}\n", None).1.len(), 1);
        assert_eq!(substituted("load: {a: {base_url: \"${captured}\"}}\n", None).1, Vec::<String>::new());
    }
}
