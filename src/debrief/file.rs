//! The file: read with every problem and its place, written with a comment at each key that says what belongs there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{FORMAT, Record};
use crate::document::{Decoder, Diagnostic, Place, Severity, SourceFile, Tree};
use crate::unit::{FileError, WholeFile, blame};

/// Its name in a run's folder.
pub const DEBRIEF_FILE: &str = "debrief.yaml";
/// What a file that somebody had edited is kept as when a new one is written.
const EDITED_FILE: &str = "debrief.yaml~";

/// Why there is no record, or why none was written.
#[derive(Debug, thiserror::Error)]
pub enum DebriefError {
    /// What the file says is wrong.
    #[error("`{}` is wrong", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Every problem.
        problems: Vec<Diagnostic>,
    },
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The debrief of the run in a folder, and what is doubtful in its file; none where there is no file.
///
/// # Errors
/// Every problem of the file.
pub fn read(run: &Path) -> Result<Option<(Record, Vec<Diagnostic>)>, DebriefError> {
    let path = run.join(DEBRIEF_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let source = SourceFile::read(&path)
        .map_err(|problem| DebriefError::Wrong { path: path.clone(), problems: vec![*problem] })?;
    let mut problems = Vec::new();
    let mut record = None;
    if let Some(tree) = Tree::parse(&source, &mut problems) {
        let (read, document, found) = Decoder::new(tree).finish::<Record>();
        problems.extend(found);
        if let Some(read) = &read {
            check(read, document.root(), run, &mut problems);
        }
        record = read;
    }
    problems.sort_by_key(|problem| problem.span.start);
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match record {
        Some(record) if !has_errors => Ok(Some((record, problems))),
        Some(_) | None => Err(DebriefError::Wrong { path, problems }),
    }
}

fn check(record: &Record, root: Place<'_>, run: &Path, problems: &mut Vec<Diagnostic>) {
    if record.gameday != FORMAT {
        let message = format!("`gameday: {}` is not a version that this program reads", record.gameday);
        problems.push(root.key("gameday").error("unknown-format", message).with_help("write `gameday: 1`"));
    }
    if run.file_name().is_some_and(|name| name != record.run.as_str()) {
        let message = format!("this is the debrief of `{}`, and stands in the folder of another run", record.run);
        problems.push(root.key("run").warning("other-run", message));
    }
    for (key, _, texts) in record.lists() {
        for (place, text) in root.key(key).items().zip(texts) {
            check_text(place, text, problems);
        }
    }
    for (place, answered) in root.key("answers").items().zip(&record.answers) {
        for (place, text) in place.key("answers").items().zip(&answered.answers) {
            check_text(place, text, problems);
        }
    }
    if let Some(text) = &record.summary {
        check_text(root.key("summary"), text, problems);
    }
}

fn check_text(place: Place<'_>, text: &str, problems: &mut Vec<Diagnostic>) {
    if text.trim().is_empty() {
        problems
            .push(place.error("empty-item", "nothing stands here").with_help("take it away, or write what was said"));
    }
    for found in blame(text) {
        let message = format!("`{}` ends the search for what contributed", found.words);
        problems.push(place.warning("blame", message).with_help(found.help));
    }
}

/// Writes the debrief of the run in a folder; its file. One that somebody had edited beyond what a record holds is kept beside it.
///
/// # Errors
/// The file system said no.
pub fn write(run: &Path, record: &Record) -> Result<PathBuf, DebriefError> {
    let path = run.join(DEBRIEF_FILE);
    if let Ok(Some((known, _))) = read(run) {
        let old = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
        if old != text(&known) {
            WholeFile::write_text(run, EDITED_FILE, &old)?;
        }
    }
    Ok(WholeFile::write_text(run, DEBRIEF_FILE, &text(record))?)
}

/// The file's text.
///
/// # Panics
/// Never: texts, numbers and lists are YAML.
#[must_use]
pub fn text(record: &Record) -> String {
    let mut text = String::from(
        "# What people said of this run. Edit it as you like; `gameday report` makes the report again from it.\n",
    );
    let mut part = |comment: &str, key: &str, value: serde_yaml::Value| {
        if !comment.is_empty() {
            writeln!(text, "\n# {comment}").expect("invariant: a string takes all");
        }
        let map: serde_yaml::Mapping = [(serde_yaml::Value::from(key), value)].into_iter().collect();
        text.push_str(&serde_yaml::to_string(&map).expect("invariant: texts, numbers and lists are YAML"));
    };
    part("", "gameday", record.gameday.into());
    part("", "run", record.run.as_str().into());
    if let Some(day) = record.held_on {
        part(
            "The day on which it was held, how many minutes it took, and who was there.",
            "held_on",
            day.to_string().into(),
        );
    }
    if let Some(minutes) = record.minutes {
        part("", "minutes", minutes.into());
    }
    part("Who was there.", "present", values(&record.present));
    if let Some(summary) = &record.summary {
        part("What happened, in a few sentences: it stands before the draft.", "summary", summary.as_str().into());
    }
    let answers = record.answers.iter().map(|answered| {
        let map: serde_yaml::Mapping =
            [("question".into(), answered.question.as_str().into()), ("answers".into(), values(&answered.answers))]
                .into_iter()
                .collect();
        serde_yaml::Value::Mapping(map)
    });
    part(
        "Ask how, not why; ask for what they saw, not for an explanation.",
        "answers",
        answers.collect::<Vec<_>>().into(),
    );
    for (key, question, texts) in record.lists() {
        part(question, key, values(texts));
    }
    let ids =
        |ids: Vec<&str>| serde_yaml::Value::from(ids.into_iter().map(serde_yaml::Value::from).collect::<Vec<_>>());
    part(
        "Lessons and actions that came of it, by id: `gameday lesson new`, `gameday action new`.",
        "lessons",
        ids(record.lessons.iter().map(|id| id.as_str()).collect()),
    );
    part("", "actions", ids(record.actions.iter().map(|id| id.as_str()).collect()));
    text
}

fn values(texts: &[String]) -> serde_yaml::Value {
    texts.iter().map(|text| serde_yaml::Value::from(text.as_str())).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debrief::Answered;

    fn record() -> Record {
        let mut record = Record::of("2026-11-10-100000-slow".parse().unwrap(), &["What did you see first?".to_owned()]);
        record.answers[0].answers = vec!["5xx: on the \"board\"\n# not a comment".to_owned(), "- nothing".to_owned()];
        record
            .answers
            .push(Answered { question: "null".to_owned(), answers: vec!["yes".to_owned(), "1e3".to_owned()] });
        record.held_on = Some("2026-11-11".parse().unwrap());
        record.minutes = Some(45);
        record.summary = Some("It held.\nMostly.".to_owned());
        record.lucky = vec!["  spaces  ".to_owned(), "'".to_owned()];
        record.lessons = vec!["L-2026-004".parse().unwrap()];
        record.actions = vec!["A-2026-031".parse().unwrap()];
        record
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("2026-11-10-100000-slow");
        std::fs::create_dir(&run).unwrap();
        (folder, run)
    }

    #[test]
    fn what_is_written_is_read_back_whatever_people_say() {
        let (_guard, run) = folder();
        assert!(read(&run).unwrap().is_none());
        for record in [record(), Record::of("2026-11-10-100000-slow".parse().unwrap(), &[])] {
            write(&run, &record).unwrap();
            let (found, warnings) = read(&run).unwrap().unwrap();
            assert_eq!((found, warnings.len()), (record, 0));
        }
        assert!(!run.join(EDITED_FILE).exists(), "what we wrote ourselves needs no copy");
        assert!(record().is_held() && !Record::of("r".parse().unwrap(), &["q".to_owned()]).is_held());
    }

    #[test]
    fn what_somebody_had_edited_is_kept() {
        let (_guard, run) = folder();
        let edited = format!("{}# mine\n", text(&record()));
        std::fs::write(run.join(DEBRIEF_FILE), &edited).unwrap();
        write(&run, &record()).unwrap();
        assert_eq!(std::fs::read_to_string(run.join(EDITED_FILE)).unwrap(), edited);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let (_guard, run) = folder();
        let good = "gameday: 1\nrun: 2026-11-10-100000-slow\n";
        for (text, code, shown) in [
            (format!("{good}root_cause: Bob\n"), "", "root_cause"),
            (format!("{good}surprises: ['', x]\n"), "empty-item", "''"),
            (format!("{good}actions: [no id]\n"), "", "no id"),
            (good.replace('1', "2"), "unknown-format", "2"),
            (format!("{good}held_on: soon\n"), "", "soon"),
            (format!("{good}surprises: no list\n"), "", "no list"),
        ] {
            std::fs::write(run.join(DEBRIEF_FILE), &text).unwrap();
            let Err(DebriefError::Wrong { problems, .. }) = read(&run) else { panic!("{text}") };
            let found = problems.iter().find(|problem| code.is_empty() || problem.code == code);
            let found = found.unwrap_or_else(|| panic!("{text}: {problems:#?}"));
            assert_eq!(found.source.slice(&found.span), shown, "{text}");
        }
        std::fs::write(run.join(DEBRIEF_FILE), format!("{good}factors: [human error]\n")).unwrap();
        let (_, warnings) = read(&run).unwrap().unwrap();
        assert_eq!(warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["blame"]);
    }
}
