//! The file: read with every problem and its place, written with a comment at each key that says what belongs there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FORMAT, Record};
use crate::document::{Decoder, Diagnostic, Edit, EditError, Place, Severity, SourceFile, Tree};
use crate::unit::{FileError, WholeFile, blame};

/// Its name in a run's folder.
pub const DEBRIEF_FILE: &str = "debrief.yaml";
/// How many copies of a file that somebody had edited are kept.
const COPIES_MAX: u32 = 1_000;

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
    /// There are as many copies of what people wrote as are kept.
    #[error("there are too many copies beside `{}`: take away those that nobody needs", .0.display())]
    TooManyCopies(PathBuf),
    /// The file was left as it was.
    #[error(transparent)]
    Edit(#[from] EditError),
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
    parse(&source, run).map(Some).map_err(|problems| DebriefError::Wrong { path, problems })
}

fn parse(source: &Arc<SourceFile>, run: &Path) -> Result<(Record, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut record = None;
    if let Some(tree) = Tree::parse(source, &mut problems) {
        let (read, document, found) = Decoder::new(tree).finish::<Record>();
        problems.extend(found);
        if let Some(read) = &read {
            check(read, document.root(), run, &mut problems);
        }
        record = read;
    }
    problems.sort_by_key(|problem| problem.span.start);
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    record.filter(|_| !has_errors).map(|record| (record, problems.clone())).ok_or(problems)
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
    for (place, name) in root.key("present").items().zip(&record.present) {
        if name.trim().is_empty() {
            problems
                .push(place.error("empty-item", "nobody stands here").with_help("take it away, or write who it was"));
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

/// Writes the debrief of the run in a folder, which said `before` when it was read. Of a file that somebody edited only what differs is
/// written; where that can not be done, or where it says something else by now, the whole of it is kept as a copy, which is returned.
///
/// # Errors
/// The file system said no, or there are too many copies.
pub fn write(run: &Path, before: &Record, record: &Record) -> Result<Option<PathBuf>, DebriefError> {
    let path = run.join(DEBRIEF_FILE);
    let old = match std::fs::read_to_string(&path) {
        Ok(old) => old.trim_start_matches('\u{feff}').to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            WholeFile::write_text(run, DEBRIEF_FILE, &text(record))?;
            return Ok(None);
        }
        Err(error) => return Err(FileError::on("read", &path)(error).into()),
    };
    let edited = if old == text(before) { Some(text(record)) } else { edited(&old, before, record, run) };
    let kept = if edited.is_none() { Some(keep_copy(run, &old)?) } else { None };
    Edit::whole(&old, edited.unwrap_or_else(|| text(record))).write(&path)?;
    Ok(kept)
}

/// The text with the keys that differ written anew, and nothing else of it touched; none where it would not say what it should.
fn edited(old: &str, before: &Record, record: &Record, run: &Path) -> Option<String> {
    let parse = |text: &str| parse(&Arc::new(SourceFile::new(DEBRIEF_FILE, text)), run).ok().map(|(record, _)| record);
    let tree = Tree::parse(&Arc::new(SourceFile::new(DEBRIEF_FILE, old)), &mut Vec::new())?;
    parse(old).filter(|known| known == before)?;
    let known = parts(before);
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for part in parts(record).into_iter().filter(|part| !known.contains(part)) {
        match tree.entry(tree.root(), part.key) {
            Some(node) => {
                let span = tree.span(node);
                let start = old.get(..span.start)?.rfind(&format!("{}:", part.key))?;
                let written = without_comments_behind(old.get(start..span.end)?);
                // A comment in the midst of what is written anew would be lost.
                if written.contains('#') {
                    return None;
                }
                edits.push((start..start + written.len(), part.text.trim_end().to_owned()));
            }
            None => {
                let line_end = if old.ends_with('\n') { "" } else { "\n" };
                edits.push((old.len()..old.len(), format!("{line_end}{}", part.with_comment())));
            }
        }
    }
    // From the end, so that the places before stay what they are.
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = old.to_owned();
    edits.into_iter().for_each(|(span, value)| text.replace_range(span, &value));
    parse(&text).filter(|found| found == record).map(|_| text)
}

/// A block reaches to the next key, over comments that belong to that one.
fn without_comments_behind(text: &str) -> &str {
    let mut text = text.trim_end();
    while let Some((before, last)) = text.rsplit_once('\n')
        && last.starts_with('#')
    {
        text = before.trim_end();
    }
    text
}

fn keep_copy(run: &Path, text: &str) -> Result<PathBuf, DebriefError> {
    let mut number = 1;
    while number < COPIES_MAX && run.join(copy_name(number)).exists() {
        number += 1;
    }
    if number == COPIES_MAX {
        return Err(DebriefError::TooManyCopies(run.join(copy_name(1))));
    }
    Ok(WholeFile::write_text(run, &copy_name(number), text)?)
}

/// As editors number their copies: `debrief.yaml.~1~`.
fn copy_name(number: u32) -> String {
    format!("{DEBRIEF_FILE}.~{number}~")
}

/// A key of the file as it is written, with the comment that stands before it.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    comment: &'static str,
    key: &'static str,
    text: String,
}

impl Part {
    fn new(comment: &'static str, key: &'static str, value: serde_yaml::Value) -> Self {
        let map: serde_yaml::Mapping = [(serde_yaml::Value::from(key), value)].into_iter().collect();
        let text = serde_yaml::to_string(&map).expect("invariant: texts, numbers and lists are YAML");
        Self { comment, key, text }
    }

    fn with_comment(&self) -> String {
        if self.comment.is_empty() { self.text.clone() } else { format!("\n# {}\n{}", self.comment, self.text) }
    }
}

/// The file's text.
///
/// # Panics
/// Never: texts, numbers and lists are YAML.
#[must_use]
pub fn text(record: &Record) -> String {
    let head =
        "# What people said of this run. Edit it as you like; `gameday report` makes the report again from it.\n";
    parts(record).iter().fold(head.to_owned(), |text, part| text + &part.with_comment())
}

fn parts(record: &Record) -> Vec<Part> {
    let mut parts =
        vec![Part::new("", "gameday", record.gameday.into()), Part::new("", "run", record.run.as_str().into())];
    if let Some(day) = record.held_on {
        parts.push(Part::new(
            "The day on which it was held, and how many minutes it took.",
            "held_on",
            day.to_string().into(),
        ));
    }
    if let Some(minutes) = record.minutes {
        parts.push(Part::new("", "minutes", minutes.into()));
    }
    parts.push(Part::new("Who was there.", "present", values(&record.present)));
    if let Some(summary) = &record.summary {
        let comment = "What happened, in a few sentences: it stands before the draft.";
        parts.push(Part::new(comment, "summary", summary.as_str().into()));
    }
    let answers = record.answers.iter().map(|answered| {
        let map: serde_yaml::Mapping =
            [("question".into(), answered.question.as_str().into()), ("answers".into(), values(&answered.answers))]
                .into_iter()
                .collect();
        serde_yaml::Value::Mapping(map)
    });
    let comment = "Ask how, not why; ask for what they saw, not for an explanation.";
    parts.push(Part::new(comment, "answers", answers.collect::<Vec<_>>().into()));
    parts.extend(record.lists().map(|(key, question, texts)| Part::new(question, key, values(texts))));
    let ids =
        |ids: Vec<&str>| serde_yaml::Value::from(ids.into_iter().map(serde_yaml::Value::from).collect::<Vec<_>>());
    let comment = "Lessons and actions that came of it, by id: `gameday lesson new`, `gameday action new`.";
    let lessons = ids(record.lessons.iter().map(|id| id.as_str()).collect());
    let actions = ids(record.actions.iter().map(|id| id.as_str()).collect());
    parts.extend([Part::new(comment, "lessons", lessons), Part::new("", "actions", actions)]);
    if record.predictions_revealed {
        let comment = "Whether the report shows what people predicted in private.";
        parts.push(Part::new(comment, "predictions_revealed", true.into()));
    }
    parts
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
        let empty = Record::of("2026-11-10-100000-slow".parse().unwrap(), &[]);
        for (before, record) in [(&empty, record()), (&record(), empty.clone())] {
            assert_eq!(write(&run, before, &record).unwrap(), None, "what we wrote ourselves needs no copy");
            let (found, warnings) = read(&run).unwrap().unwrap();
            assert_eq!((found, warnings.len()), (record, 0));
        }
        assert!(record().is_held() && !Record::of("r".parse().unwrap(), &["q".to_owned()]).is_held());
        assert!(Record { minutes: Some(45), ..empty }.is_held());
    }

    #[test]
    fn comments_and_layout_that_people_wrote_stay_while_keys_are_written() {
        let (_guard, run) = folder();
        let before = record();
        let mine = text(&before).replace("# Who was there.", "# Who was there: ask Jo!");
        let mine = format!("# mine\n{mine}# the end\n");
        std::fs::write(run.join(DEBRIEF_FILE), &mine).unwrap();
        let mut after = before.clone();
        after.surprises.push("two: alarms".to_owned());
        after.lucky.clear();
        after.summary = Some("Now\nthis: \"too\".".to_owned());
        after.minutes = None;
        assert!(write(&run, &before, &after).unwrap().is_some(), "a key that goes takes the layout with it");
        std::fs::write(run.join(DEBRIEF_FILE), &mine).unwrap();
        after.minutes = Some(50);
        assert_eq!(write(&run, &before, &after).unwrap(), None);
        assert_eq!(read(&run).unwrap().unwrap().0, after);
        let written = std::fs::read_to_string(run.join(DEBRIEF_FILE)).unwrap();
        for comment in ["# mine\n", "# Who was there: ask Jo!\n", "# the end\n"] {
            assert!(written.contains(comment), "{written}");
        }
    }

    #[test]
    fn each_text_that_could_not_be_kept_in_place_is_kept_as_a_copy() {
        let (_guard, run) = folder();
        let (before, mut after) = (record(), record());
        after.lucky.push("x".to_owned());
        let commented = text(&before).replace("- '  spaces  '", "- '  spaces  ' # two of them");
        let meanwhile = text(&before).replace("45", "46");
        let texts = [commented, meanwhile, "surprises: [half".to_owned()];
        for (number, mine) in texts.iter().enumerate() {
            std::fs::write(run.join(DEBRIEF_FILE), mine).unwrap();
            let copy = write(&run, &before, &after).unwrap().expect("a copy");
            assert_eq!(copy, run.join(format!("debrief.yaml.~{}~", number + 1)));
            assert_eq!(&std::fs::read_to_string(copy).unwrap(), mine);
            assert_eq!(read(&run).unwrap().unwrap().0, after);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let (_guard, run) = folder();
        let good = "gameday: 1\nrun: 2026-11-10-100000-slow\n";
        for (text, code, shown) in [
            (format!("{good}root_cause: Bob\n"), "", "root_cause"),
            (format!("{good}surprises: ['', x]\n"), "empty-item", "''"),
            (format!("{good}present: [' ', x]\n"), "empty-item", "' '"),
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
