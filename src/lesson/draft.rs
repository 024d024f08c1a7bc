//! A lesson that is to be written: its front matter, and lines that ask for the rest.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::FrontMatter;
use crate::unit::{NewFileError, write_new};

/// What stands where the writer's words are missing.
pub(super) const PROMPT: &str = "<!-- write it here -->";

/// What a lesson tells, in order.
const PARTS: [&str; 4] = ["Situation.", "We believed", "It turned out", "We changed"];

/// A lesson to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its front matter.
    pub front: FrontMatter,
    /// Its text; none asks for it.
    pub body: Option<String>,
}

impl Draft {
    /// The file's text.
    ///
    /// # Panics
    /// Never: a front matter has no map with keys that are no texts.
    #[must_use]
    pub fn text(&self) -> String {
        let front = serde_yaml::to_string(&self.front).expect("invariant: front matters serialise to YAML");
        let mut text = format!("---\n{front}---\n");
        match &self.body {
            Some(body) => text.push_str(body.trim()),
            None => PARTS
                .iter()
                .for_each(|part| write!(text, "**{part}** {PROMPT}\n\n").expect("invariant: a string takes all")),
        }
        format!("{}\n", text.trim_end())
    }

    /// Writes the lesson into a folder, under its id; the file.
    ///
    /// # Errors
    /// See [`NewFileError`]; what is there is never written over.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, NewFileError> {
        write_new(folder, &format!("{}.md", self.front.id), &self.text())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;
    use crate::lesson::{Status, check};
    use crate::unit::Severity;

    fn draft(title: &str) -> Draft {
        let front = FrontMatter {
            id: "L-2026-001".parse().unwrap(),
            title: title.to_owned(),
            status: Status::Open,
            severity: Severity::High,
            components: vec!["payments".parse().unwrap()],
            faults: vec!["proxy_latency".to_owned()],
            factors: vec!["alarm window: too long".to_owned()],
            ops: Vec::new(),
            found_in: Some("2026-03-10-100000-slow".parse().unwrap()),
            regression: Some("slow#H2".parse().unwrap()),
            tested_in: None,
            actions: Vec::new(),
            owner: None,
            created: "2026-03-10".parse().unwrap(),
            retest_by: None,
        };
        Draft { front, body: None }
    }

    #[test]
    fn what_is_written_is_a_lesson_that_asks_for_its_text() {
        for title in ["The alarm is slow", "yes", "- [x]: \"quotes\" # and 'more'", "---", "ends: \\", "ü & <b>"] {
            let draft = draft(title);
            let source = Arc::new(SourceFile::new("L-2026-001.md", draft.text()));
            let lesson = check(&source, Path::new("L-2026-001.md")).unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!(lesson.front, draft.front, "{title}");
            assert_eq!(lesson.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["unwritten-lesson"]);
        }
        let whole = Draft { body: Some("All of it.\n\n".to_owned()), ..draft("t") };
        assert!(whole.text().ends_with("\n---\nAll of it.\n"));
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let lessons = folder.path().join("lessons");
        let path = draft("first").write(&lessons).unwrap();
        let error = draft("second").write(&lessons).unwrap_err();
        assert!(matches!(error, NewFileError::Exists(_)), "{error}");
        assert!(std::fs::read_to_string(path).unwrap().contains("title: first"));
    }
}
