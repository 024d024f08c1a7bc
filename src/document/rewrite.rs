//! A file of which a few keys are set anew, and nothing else is touched: comments, order, line ends and quotes stay.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::{SourceFile, Tree};
use crate::unit::{FileError, WholeFile};

/// What some editors begin a file with, and readers leave out.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Why a file was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
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

/// Writes `text` into a file that still says what `source` has read of it. A link stays one: what it leads to is written.
///
/// # Errors
/// See [`ReplaceError`]; the file is then as it was.
pub fn replace_file(path: &Path, source: &SourceFile, text: &str) -> Result<(), ReplaceError> {
    let shown = || path.display().to_string();
    let real = std::fs::canonicalize(path).map_err(FileError::on("find", path))?;
    let raw = std::fs::read_to_string(&real).map_err(FileError::on("read", &real))?;
    let mark = if raw.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK } else { "" };
    if raw.strip_prefix(mark) != Some(source.text()) {
        return Err(ReplaceError::Changed(shown()));
    }
    if std::fs::metadata(&real).map_err(FileError::on("look at", &real))?.permissions().readonly() {
        return Err(ReplaceError::ReadOnly(shown()));
    }
    let name = real.file_name().and_then(|name| name.to_str()).ok_or_else(|| ReplaceError::Changed(shown()))?;
    let folder = real.parent().unwrap_or(Path::new(""));
    let mut file = WholeFile::begin(folder, name)?;
    file.allow_as(&real)?;
    file.write_all(format!("{mark}{text}").as_bytes()).map_err(|error| file.failed(error))?;
    file.finish()?;
    Ok(())
}

/// The file with these keys in its front matter, or, where it has none, in its map: in the place of those that are there, or else at
/// its end. The values are YAML as they stand. Whoever calls it reads the result again: what is not written a key a line may have
/// become something else.
#[must_use]
pub fn with_keys(source: &Arc<SourceFile>, keys: &[(&str, &str)]) -> String {
    let mut text = source.text().to_owned();
    let last = source.position(text.len()).line;
    let has_front_matter = source.slice(&source.line(1)).trim_end() == "---" && last > 1;
    let end = (2..=last).find(|line| source.slice(&source.line(*line)).trim_end() == "---");
    let front_matter =
        end.filter(|_| has_front_matter).and_then(|line| Some((line, Tree::front_matter(source, &mut Vec::new())?.0)));
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (tree, end) = match front_matter {
        Some((line, tree)) => (tree, source.line(line).start),
        None => match Tree::parse(source, &mut Vec::new()) {
            Some(tree) => (tree, text.len()),
            None => return text,
        },
    };
    let mut edits: Vec<_> = keys
        .iter()
        .filter_map(|(key, value)| {
            let span = tree.span(tree.entry(tree.root(), key)?);
            let end = span.start + written(source.slice(&span)).len();
            Some((span.start..end, (*value).to_owned()))
        })
        .collect();
    let missing: Vec<String> = keys
        .iter()
        .filter(|(key, _)| tree.entry(tree.root(), key).is_none())
        .map(|(key, value)| format!("{key}: {value}{line_end}"))
        .collect();
    let gap = if end == text.len() && !text.is_empty() && !text.ends_with('\n') { line_end } else { "" };
    if !missing.is_empty() {
        edits.push((end..end, format!("{gap}{}", missing.concat())));
    }
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    edits.into_iter().for_each(|(span, value)| text.replace_range(span, &value));
    text
}

/// A name as it is written, with its quotes and without a comment behind it.
fn written(value: &str) -> &str {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    let end = match quote {
        Some(quote) => value.char_indices().skip(1).find(|(_, c)| *c == quote).map(|(at, _)| at + 1),
        None => value.find([' ', '\t', '\r', '\n']),
    };
    value.get(..end.unwrap_or(value.len())).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_in_their_place_or_at_the_end_and_nothing_else_changes() {
        let with = |text: &str| {
            with_keys(&Arc::new(SourceFile::new("a", text)), &[("status", "done"), ("done_on", "2026-11-28")])
        };
        assert_eq!(with("id: a\nstatus: open   # why\n"), "id: a\nstatus: done   # why\ndone_on: 2026-11-28\n");
        assert_eq!(with("id: a\nstatus: 'open'"), "id: a\nstatus: done\ndone_on: 2026-11-28\n");
        assert_eq!(with("id: a\r\nstatus: open\r\n"), "id: a\r\nstatus: done\r\ndone_on: 2026-11-28\r\n");
        assert_eq!(with("---\nstatus: open\n---\nText.\n"), "---\nstatus: done\ndone_on: 2026-11-28\n---\nText.\n");
        assert_eq!(with("done_on: x\nstatus: y\n"), "done_on: 2026-11-28\nstatus: done\n");
    }
}
