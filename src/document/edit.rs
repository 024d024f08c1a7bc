//! A few keys of a file written anew, and nothing else of it touched: comments, order and layout are their writer's.
//!
//! Owns: where a key's value stands, and how a file is written back. Must not know: what the keys mean; whoever edits reads the text
//! again before it is written, and sees whether it says what it should.

use std::io::Write as _;
use std::path::Path;

use super::{Span, Tree};
use crate::unit::{FileError, WholeFile};

/// What some editors begin a file with, and readers leave out.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Why a file was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file may not be written.
    #[error("`{0}` may only be read, and is left as it is")]
    ReadOnly(String),
    /// The file was changed since it was read.
    #[error("`{0}` was changed meanwhile, and is left as it is")]
    Changed(String),
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A text with some of its keys written anew, to be written into its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    before: String,
    after: String,
}

impl Edit {
    /// Puts keys in the place of those that are there; those that are not go to the byte `end`, where the keys of the file end.
    #[must_use]
    pub fn keys(tree: &Tree, end: usize, keys: &[(&str, &str)]) -> Self {
        let source = tree.source();
        let before = source.text().to_owned();
        let line_end = if before.contains("\r\n") { "\r\n" } else { "\n" };
        let mut edits: Vec<(Span, String)> = Vec::new();
        let mut missing = String::new();
        for (key, value) in keys {
            match tree.entry(tree.root(), key) {
                Some(node) => {
                    let span = tree.span(node);
                    let end = span.start + written(source.slice(&span)).len();
                    edits.push((span.start..end, (*value).to_owned()));
                }
                None => missing.push_str(&format!("{key}: {value}{line_end}")),
            }
        }
        let ahead = before.get(..end).unwrap_or_default();
        if !missing.is_empty() && !ahead.is_empty() && !ahead.ends_with('\n') {
            missing.insert_str(0, line_end);
        }
        edits.push((end..end, missing));
        // From the end, so that the places before stay what they are.
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let mut after = before.clone();
        edits.into_iter().for_each(|(span, value)| after.replace_range(span, &value));
        Self { before, after }
    }

    /// Puts a text in the place of another.
    #[must_use]
    pub fn whole(before: &str, after: String) -> Self {
        Self { before: before.to_owned(), after }
    }

    /// The text as it will be.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.after
    }

    /// Writes the text into its file, whole or not at all; a link stays one, and so do the file's permissions.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn write(&self, file: &Path) -> Result<(), EditError> {
        let shown = || file.display().to_string();
        // A link stays one: what it leads to is written.
        let path = std::fs::canonicalize(file).map_err(FileError::on("find", file))?;
        let raw = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
        let mark = if raw.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK } else { "" };
        if raw.strip_prefix(mark) != Some(&self.before) {
            return Err(EditError::Changed(shown()));
        }
        if std::fs::metadata(&path).map_err(FileError::on("look at", &path))?.permissions().readonly() {
            return Err(EditError::ReadOnly(shown()));
        }
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| EditError::Changed(shown()))?;
        let mut file = WholeFile::begin(path.parent().unwrap_or(Path::new("")), name)?;
        file.allow_as(&path)?;
        file.write_all(format!("{mark}{}", self.after).as_bytes()).map_err(|error| file.failed(error))?;
        file.finish()?;
        Ok(())
    }
}

/// A text as it is written on its line, with its quotes and without a comment behind it.
fn written(value: &str) -> &str {
    let line = value.lines().next().unwrap_or_default();
    let quote = line.chars().next().filter(|first| matches!(first, '"' | '\''));
    let end = match quote {
        Some(quote) => line.char_indices().skip(1).find(|(_, c)| *c == quote).map(|(at, _)| at + 1),
        None => line.find(" #").or_else(|| line.find("\t#")),
    };
    line.get(..end.unwrap_or(line.len())).unwrap_or(line).trim_end()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;

    fn edited(text: &str, keys: &[(&str, &str)]) -> String {
        let source = Arc::new(SourceFile::new("a.yaml", text));
        let tree = Tree::parse(&source, &mut Vec::new()).unwrap();
        Edit::keys(&tree, text.len(), keys).text().to_owned()
    }

    #[test]
    fn comments_quotes_and_line_ends_stay_and_missing_keys_go_to_the_end() {
        let text = "# all of it\na: 'one # two'   # kept\nb: some words  # kept too\n";
        assert_eq!(
            edited(text, &[("b", "less"), ("a", "1"), ("c", "new")]),
            "# all of it\na: 1   # kept\nb: less  # kept too\nc: new\n"
        );
        assert_eq!(edited("a: 1", &[("b", "2"), ("c", "3")]), "a: 1\nb: 2\nc: 3\n");
        assert_eq!(edited("a: 1\r\n", &[("b", "2")]), "a: 1\r\nb: 2\r\n");
        assert_eq!(edited("a: 1", &[("a", "2")]), "a: 2", "nothing is added where nothing is missing");
    }
}
