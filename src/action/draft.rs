//! An action that is to be written.

use std::path::{Path, PathBuf};

use super::Record;
use crate::unit::{NewFileError, write_new};

/// An action to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft(pub Record);

impl Draft {
    /// The file's text.
    ///
    /// # Panics
    /// Never: an action has no map with keys that are no texts.
    #[must_use]
    pub fn text(&self) -> String {
        serde_yaml::to_string(&self.0).expect("invariant: actions serialise to YAML")
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.yaml", self.0.id)
    }

    /// Writes the action into a folder, under its id; the file.
    ///
    /// # Errors
    /// See [`NewFileError`]; what is there is never written over.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, NewFileError> {
        write_new(folder, &self.file_name(), &self.text())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::action::{Kind, Status, check};
    use crate::document::SourceFile;
    use crate::unit::Severity;

    pub(in crate::action) fn record(text: &str) -> Record {
        Record {
            id: "A-2026-001".parse().unwrap(),
            text: text.to_owned(),
            kind: Kind::Detect,
            owner: "shop".to_owned(),
            due: "2026-12-01".parse().unwrap(),
            status: Status::Open,
            severity: Severity::High,
            component: Some("payments".parse().unwrap()),
            created: Some("2026-11-28".parse().unwrap()),
            done_on: None,
            found_in: Some("2026-03-10-100000-slow".parse().unwrap()),
            finding: None,
            lesson: Some("L-2026-004".parse().unwrap()),
            retest: Some("slow#H2".parse().unwrap()),
            tracker: Some("https://example.com/issues/31".to_owned()),
            why: None,
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in
            ["The alarm is slow", "yes", "- [x]: \"quotes\" # and 'more'", "---", "ends: \\", "ü & <b>", "1e3", "~"]
        {
            let draft = Draft(record(text));
            let source = Arc::new(SourceFile::new("A-2026-001.yaml", draft.text()));
            let action =
                check(&source, Path::new("A-2026-001.yaml")).unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!((&action.record, action.warnings.len()), (&draft.0, 0), "{text}");
        }
    }
}
