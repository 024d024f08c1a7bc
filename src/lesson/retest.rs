//! What a run says of a lesson that it has tested again, written into the lesson's front matter. Nothing else of the file is touched.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FrontMatter, Lesson, Status, check};
use crate::document::{Edit, EditError, SourceFile, Tree};
use crate::unit::{LessonId, RunId};

/// What a run has shown of a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retest<'r> {
    /// The run.
    pub run: &'r RunId,
    /// Whether the lesson's hypothesis held.
    pub is_upheld: bool,
}

/// What became of a lesson that a run has tested again; also the form of a row of `lessons/retests.json` in a run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retested {
    /// The lesson.
    pub lesson: LessonId,
    /// Where it stood.
    pub before: Status,
    /// Where it stands.
    pub after: Status,
    /// What is to be said of it, in words.
    pub note: String,
}

/// Why a lesson was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum RetestError {
    /// Its front matter is not written in the usual way.
    #[error(
        "the front matter of `{0}` is not written a key a line, and is left as it is: set its `status` and `tested_in` by hand"
    )]
    Form(String),
    /// The file could not be written.
    #[error(transparent)]
    Edit(#[from] EditError),
}

impl Retest<'_> {
    /// Where a lesson stands from then on. What nobody said to have mended neither regresses nor is verified, and what is retired
    /// stays so.
    #[must_use]
    pub fn status(&self, before: Status) -> Status {
        match (before, self.is_upheld) {
            (Status::Retired | Status::Open, _) => before,
            (Status::Mitigated | Status::Verified | Status::Regressed, true) => Status::Verified,
            (Status::Mitigated | Status::Verified | Status::Regressed, false) => Status::Regressed,
        }
    }
}

/// Writes what a run has shown into a lesson's file, and that it was this run, where runs decide where it stands; where it stands now.
///
/// # Errors
/// See [`RetestError`].
pub fn retest(lesson: &Lesson, retest: Retest<'_>) -> Result<Status, RetestError> {
    let before = lesson.front.status;
    let after = retest.status(before);
    // The same again is news as well: from this run on it counts as tested.
    if !after.is_set_by_runs() {
        return Ok(after);
    }
    let keys = [("status", after.as_str()), ("tested_in", retest.run.as_str())];
    let form = || RetestError::Form(lesson.path.display().to_string());
    let source = &lesson.source;
    let (tree, body) = Tree::front_matter(source, &mut Vec::new()).ok_or_else(form)?;
    // The front matter's last line is the one that ends it.
    let end = source.line(source.position(body).line.saturating_sub(1).max(1)).start;
    let edit = Edit::keys(&tree, end, &keys);
    let expected = FrontMatter { status: after, tested_in: Some(retest.run.clone()), ..lesson.front.clone() };
    let rewritten = check(&Arc::new(SourceFile::new(source.name(), edit.text())), &lesson.path);
    if rewritten.map_or(true, |rewritten| rewritten.front != expected || rewritten.body != lesson.body) {
        return Err(form());
    }
    edit.write(&lesson.path)?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::load;

    const BYTE_ORDER_MARK: &str = "\u{feff}";

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
            .replace("created: 2026-03-10\r\n", "created: 2026-03-10\r\ntested_in: 2026-11-28-100000-slow\r\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(set(false), Status::Regressed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected.replace("verified", "regressed"));
        assert_eq!(load(&path).unwrap().front.tested_in, Some(run));
    }

    #[test]
    fn the_same_result_again_is_a_test_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("L-1.md");
        let text = TEXT.replace("created: 2026-03-10", "created: 2026-03-10\r\nretest_by: 2026-11-30");
        std::fs::write(&path, text).unwrap();
        let today = "2026-12-05".parse().unwrap();
        for (run, is_upheld, is_overdue) in [
            ("2026-11-28-100000-slow", true, true),
            ("2026-12-01-100000-slow", true, false),
            ("2026-12-02-100000-slow", false, false),
            ("2026-12-03-100000-slow", false, false),
        ] {
            let run: RunId = run.parse().unwrap();
            retest(&load(&path).unwrap(), Retest { run: &run, is_upheld }).unwrap();
            let lesson = load(&path).unwrap();
            assert_eq!((lesson.is_overdue(today), lesson.front.tested_in), (is_overdue, Some(run)));
        }
    }

    #[test]
    fn what_nobody_has_mended_does_not_regress_and_what_is_retired_stays() {
        let run: RunId = "r".parse().unwrap();
        let after = |before, is_upheld| Retest { run: &run, is_upheld }.status(before);
        assert_eq!(after(Status::Open, false), Status::Open);
        assert_eq!(after(Status::Open, true), Status::Open, "nobody has done anything");
        assert_eq!(after(Status::Verified, false), Status::Regressed);
        assert_eq!(after(Status::Mitigated, false), Status::Regressed);
        assert_eq!(after(Status::Regressed, true), Status::Verified);
        assert_eq!([after(Status::Retired, true), after(Status::Retired, false)], [Status::Retired; 2]);
    }

    #[test]
    fn what_is_written_in_another_way_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("L-1.md");
        let run: RunId = "2026-11-28-100000-slow".parse().unwrap();
        let keys = "id: L-1\ntitle: t\nregression: slow#H2\ncreated: 2026-03-10";
        for (front, is_written) in [
            (format!("{keys}\nstatus: mitigated"), true),
            (format!("{keys}\nstatus:   'mitigated'   # said maria"), true),
            (format!("{{{}, status: mitigated}}", keys.replace('\n', ", ")), false),
            (format!("  {}\n  status: mitigated", keys.replace('\n', "\n  ")), false),
            (format!("{keys}\nstatus: mitigated\n..."), false),
        ] {
            let text = format!("---\n{front}\n---\nText.\n");
            for mark in ["", BYTE_ORDER_MARK] {
                std::fs::write(&path, format!("{mark}{text}")).unwrap();
                let Ok(lesson) = load(&path) else { panic!("{front} is a lesson") };
                let written = retest(&lesson, Retest { run: &run, is_upheld: true });
                let now = std::fs::read_to_string(&path).unwrap();
                if is_written {
                    assert_eq!(written.unwrap(), Status::Verified, "{front}");
                    assert!(now.starts_with(&format!("{mark}---\n")) && load(&path).is_ok(), "{now}");
                } else {
                    assert!(matches!(written, Err(RetestError::Form(_))), "{front}: {written:?}");
                    assert_eq!(now, format!("{mark}{text}"));
                }
            }
        }
    }

    #[test]
    fn links_and_permissions_stay_and_what_may_only_be_read_is_not_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.txt"), folder.path().join("L-1.md"));
        std::fs::write(&path, TEXT).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let run: RunId = "r".parse().unwrap();
        let set = |is_upheld| retest(&load(&link).unwrap(), Retest { run: &run, is_upheld });
        let allow = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        allow(0o600);
        assert_eq!(set(true).unwrap(), Status::Verified);
        assert!(link.is_symlink());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        allow(0o444);
        assert!(matches!(set(false), Err(RetestError::Edit(EditError::ReadOnly(_)))));
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
        assert!(matches!(error, RetestError::Edit(EditError::Changed(_))), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), changed);
    }
}
