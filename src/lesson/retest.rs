//! What a run says of a lesson that it has tested again, written into the lesson's front matter. Nothing else of the file is touched.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::{Lesson, Status};
use crate::document::{SourceFile, Tree};
use crate::unit::{FileError, RunId, WholeFile};

/// What a run has shown of a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retest<'r> {
    /// The run.
    pub run: &'r RunId,
    /// Whether the lesson's hypothesis held.
    pub is_upheld: bool,
}

/// Why a lesson was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum RetestError {
    /// The file was changed since it was read.
    #[error("`{0}` was changed meanwhile, and is left as it is")]
    Changed(String),
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Retest<'_> {
    /// Where a lesson stands from then on. What nobody has mended does not regress, and what is retired stays so.
    #[must_use]
    pub fn status(&self, before: Status) -> Status {
        match (before, self.is_upheld) {
            (Status::Retired, _) => Status::Retired,
            (_, true) => Status::Verified,
            (Status::Open, false) => Status::Open,
            (Status::Mitigated | Status::Verified | Status::Regressed, false) => Status::Regressed,
        }
    }
}

/// Writes what a run has shown into a lesson's file, where that changes where it stands; where it stands now.
///
/// # Errors
/// See [`RetestError`].
pub fn retest(lesson: &Lesson, retest: Retest<'_>) -> Result<Status, RetestError> {
    let before = lesson.front.status;
    let after = retest.status(before);
    if after == before {
        return Ok(after);
    }
    let text = with_keys(&lesson.source, &[("status", after.as_str()), ("tested_in", retest.run.as_str())]);
    let shown = || lesson.path.display().to_string();
    if std::fs::read_to_string(&lesson.path).ok().as_deref() != Some(lesson.source.text()) {
        return Err(RetestError::Changed(shown()));
    }
    let name = lesson.path.file_name().and_then(|name| name.to_str()).ok_or_else(|| RetestError::Changed(shown()))?;
    let folder = lesson.path.parent().unwrap_or(Path::new(""));
    let mut file = WholeFile::begin(folder, name)?;
    file.write_all(text.as_bytes()).map_err(|error| file.failed(error))?;
    file.finish()?;
    Ok(after)
}

/// The file with these keys in its front matter: in the place of those that are there, or else at its end.
fn with_keys(source: &Arc<SourceFile>, keys: &[(&str, &str)]) -> String {
    let mut text = source.text().to_owned();
    let Some((tree, _)) = Tree::front_matter(source, &mut Vec::new()) else { return text };
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
        .map(|(key, value)| format!("{key}: {value}\n"))
        .collect();
    let last = source.position(source.text().len()).line;
    let end = (2..=last).find(|line| source.slice(&source.line(*line)).trim_end() == "---");
    if let Some(end) = end.map(|line| source.line(line).start) {
        edits.push((end..end, missing.concat()));
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
    use crate::lesson::load;

    const TEXT: &str = "---\r\nid: L-1\r\ntitle: 'Ä: slow' # kept\r\nstatus: \"mitigated\"  # open | mitigated\r\n\
                        regression: slow#H2\r\ncreated: 2026-03-10\r\n---\r\n**status: open** stays, ü too.\r\n";

    #[test]
    fn only_what_a_run_sets_is_touched_and_it_can_be_set_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("L-1.md");
        std::fs::write(&path, TEXT).unwrap();
        let run: RunId = "2026-11-28-100000-slow".parse().unwrap();
        let set = |is_upheld| retest(&load(&path).unwrap(), Retest { run: &run, is_upheld }).unwrap();
        assert_eq!(set(true), Status::Verified);
        let expected = TEXT
            .replace("\"mitigated\"", "verified")
            .replace("created: 2026-03-10\r\n", "created: 2026-03-10\r\ntested_in: 2026-11-28-100000-slow\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(set(false), Status::Regressed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected.replace("verified", "regressed"));
        assert_eq!(load(&path).unwrap().front.tested_in, Some(run));
    }

    #[test]
    fn what_nobody_has_mended_does_not_regress_and_what_is_retired_stays() {
        let run: RunId = "r".parse().unwrap();
        let after = |before, is_upheld| Retest { run: &run, is_upheld }.status(before);
        assert_eq!(after(Status::Open, false), Status::Open);
        assert_eq!(after(Status::Open, true), Status::Verified);
        assert_eq!(after(Status::Mitigated, false), Status::Regressed);
        assert_eq!(after(Status::Regressed, true), Status::Verified);
        assert_eq!([after(Status::Retired, true), after(Status::Retired, false)], [Status::Retired; 2]);
    }

    #[test]
    fn a_file_that_was_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("L-1.md");
        std::fs::write(&path, TEXT).unwrap();
        let lesson = load(&path).unwrap();
        let changed = TEXT.replace("slow'", "slower'");
        std::fs::write(&path, &changed).unwrap();
        let run: RunId = "r".parse().unwrap();
        let error = retest(&lesson, Retest { run: &run, is_upheld: true }).unwrap_err();
        assert!(matches!(error, RetestError::Changed(_)), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), changed);
    }
}
