//! The text of a file, and where its lines are. Owns: size and encoding. Must not know: YAML.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Diagnostic;

/// The largest file that is read: 4 MiB. A scenario of ten thousand steps has about one.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A stretch of a file's text in bytes, on character boundaries.
pub type Span = Range<usize>;

/// A place as people and editors count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A file's text under the name by which the user knows it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl SourceFile {
    /// A text with a name. A byte order mark at its start is dropped.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let line_starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        Self { name: name.into(), line_starts: line_starts.collect(), text }
    }

    /// Reads a file of at most [`FILE_BYTES_MAX`].
    ///
    /// # Errors
    /// A file that can not be read, is too large, or is not UTF-8: `unreadable-file`, `file-too-large`, `not-utf8`.
    pub fn read(path: &Path) -> Result<Arc<Self>, Box<Diagnostic>> {
        let name = path.display().to_string();
        let unreadable = |error: &std::io::Error| {
            let empty = Arc::new(Self::new(name.clone(), ""));
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => format!("there is no file `{name}`"),
                std::io::ErrorKind::IsADirectory => format!("`{name}` is a folder: name a file of it"),
                _ => format!("failed to read the file: {error}"),
            };
            Box::new(Diagnostic::error(&empty, 0..0, "unreadable-file", message))
        };
        // A pipe or a device would be waited for without an end; a folder is told by the system.
        let kind = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
        if !kind.is_file() && !kind.is_dir() {
            return Err(unreadable(&std::io::Error::other("it is no regular file")));
        }
        let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        let length = file.metadata().map_err(|error| unreadable(&error))?.len();
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if read > FILE_BYTES_MAX {
            let empty = Arc::new(Self::new(name, ""));
            let message = format!("the file has {} bytes; the limit is {FILE_BYTES_MAX}", length.max(read));
            return Err(Box::new(
                Diagnostic::error(&empty, 0..0, "file-too-large", message)
                    .with_help("a scenario is written by people: split it, or move data out of it"),
            ));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Arc::new(Self::new(name, text))),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let lossy = Arc::new(Self::new(name, String::from_utf8_lossy(error.as_bytes())));
                // A byte order mark was dropped from the text, but counts in the file.
                let dropped = if error.as_bytes().starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
                let start = offset - dropped;
                let end =
                    start + lossy.text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                let message = format!("byte {offset} of the file is not UTF-8");
                Err(Box::new(
                    Diagnostic::error(&lossy, start..end, "not-utf8", message)
                        .with_help("save the file with the encoding UTF-8"),
                ))
            }
        }
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty where the span is none of this file's.
    #[must_use]
    pub fn slice(&self, span: &Span) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The line and column of a byte.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        Position { line, column: self.slice(&(start..offset)).chars().count() + 1 }
    }

    /// The span of a line without its line break; lines count from 1. Of a line that is not there it is the end of the text.
    #[must_use]
    pub fn line(&self, line: usize) -> Span {
        let Some(start) = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied() else {
            return self.text.len()..self.text.len();
        };
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let text = self.slice(&(start..end));
        start..start + text.trim_end_matches('\r').len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let source = SourceFile::new("x", "a\näö b\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(7), Position { line: 2, column: 4 });
        assert_eq!(source.position(999), Position { line: 3, column: 1 });
        assert_eq!(source.slice(&source.line(2)), "äö b");
        assert_eq!(source.line(9), 9..9);
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(SourceFile::new("x", "\u{feff}a").text(), "a");
    }
}
