//! From a file to a lesson, and what is wrong with one. Must not know: other lessons.

use std::path::Path;
use std::sync::Arc;

use super::{FrontMatter, Lesson};
use crate::document::{Decoder, Diagnostic, Document, Severity, SourceFile, Tree};
use crate::unit::blame;

/// Reads and checks a lesson.
///
/// # Errors
/// Every problem of the file; warnings are among them.
pub fn load(path: &Path) -> Result<Lesson, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    check(&source, path)
}

/// Checks the text of a lesson, as [`load`] does; `path` is where it stands.
///
/// # Errors
/// Every problem of the text; warnings are among them.
pub fn check(source: &Arc<SourceFile>, path: &Path) -> Result<Lesson, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let read = read(source, &mut problems);
    if let Some((front, document, body)) = &read {
        check_front(front, document, path, &mut problems);
        check_body(source, *body, &mut problems);
    }
    problems.sort_by_key(|problem| problem.span.start);
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match read {
        Some((front, _, body)) if !has_errors => Ok(Lesson {
            front,
            body: source.text().get(body..).unwrap_or_default().trim().to_owned(),
            path: path.to_owned(),
            warnings: problems,
            source: Arc::clone(source),
        }),
        Some(_) | None => Err(problems),
    }
}

/// The front matter, its places, and the byte at which the text begins.
fn read(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<(FrontMatter, Document, usize)> {
    let (tree, body) = Tree::front_matter(source, problems)?;
    let (front, document, found) = Decoder::new(tree).finish::<FrontMatter>();
    problems.extend(found);
    Some((front?, document, body))
}

fn check_front(front: &FrontMatter, document: &Document, path: &Path, problems: &mut Vec<Diagnostic>) {
    let place = document.root();
    if path.file_stem().is_some_and(|stem| stem != front.id.as_str()) {
        let message = format!("the lesson `{}` stands in a file of another name", front.id);
        let help = format!("call the file `{}.md`, or give the lesson its name as id", front.id);
        problems.push(place.key("id").warning("lesson-file", message).with_help(help));
    }
    if front.title.trim().is_empty() {
        problems.push(place.key("title").error("empty-title", "the title is empty").with_help("say what was learnt"));
    }
    for (key, text) in [("title", Some(&front.title)), ("owner", front.owner.as_ref())] {
        if text.is_some_and(|text| text.contains(char::is_control)) {
            let message = format!("the {key} is longer than a line, or has characters that do not show");
            problems.push(place.key(key).error("lesson-line", message).with_help("write it in one line"));
        }
    }
    if front.status.is_set_by_runs() && front.tested_in.is_none() {
        let message = format!("`{}` is set by a run alone, and no run is named", front.status.as_str());
        let help = "write `open` or `mitigated`, and name what tests it: `regression: scenario#H1`";
        problems.push(place.key("status").error("lesson-status", message).with_help(help));
    }
    if front.status.is_unsettled() && !place.key("regression").is_found() {
        let message = "nothing tests this lesson again: it would be forgotten";
        let help = "name a scenario and its hypothesis, as in `regression: checkout-slow#H2`";
        problems.push(place.key("status").warning("no-regression", message).with_help(help));
    }
    if front.retest_by.is_some_and(|by| by < front.created) {
        let message = "it is to be tested again before it was written";
        problems.push(place.key("retest_by").error("lesson-dates", message).with_help("write a later day"));
    }
    for (key, texts) in [("faults", &front.faults), ("factors", &front.factors), ("ops", &front.ops)] {
        for (item, _) in place.key(key).items().zip(texts).filter(|(_, text)| text.trim().is_empty()) {
            problems.push(item.error("empty-item", format!("an item of `{key}` is empty")).with_help("take it away"));
        }
    }
}

fn check_body(source: &Arc<SourceFile>, body: usize, problems: &mut Vec<Diagnostic>) {
    let text = source.text().get(body..).unwrap_or_default();
    if text.trim().is_empty() {
        let message = "the lesson has a title and no text";
        let help = "say what the situation was, what you believed, and what it turned out to be";
        problems.push(Diagnostic::error(source, source.line(1), "empty-lesson", message).with_help(help));
    }
    if let Some(at) = text.find(super::draft::PROMPT) {
        let span = body + at..body + at + super::draft::PROMPT.len();
        let message = "the lesson is not written yet";
        let help = "put your words in the place of this line";
        problems.push(Diagnostic::warning(source, span, "unwritten-lesson", message).with_help(help));
    }
    for found in blame(text) {
        let span = body + found.span.start..body + found.span.end;
        let message = format!("`{}` ends the search for what contributed", found.words);
        problems.push(Diagnostic::warning(source, span, "blame", message).with_help(found.help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::Status;

    const GOOD: &str = "---\nid: L-2026-004\ntitle: The alarm is slower than the customer\nregression: slow#H2\n\
                        created: 2026-03-10\n---\n**Situation.** The provider was slow.\n";

    fn read(text: &str) -> Result<Lesson, Vec<Diagnostic>> {
        check(&Arc::new(SourceFile::new("lessons/L-2026-004.md", text)), Path::new("lessons/L-2026-004.md"))
    }

    #[test]
    fn a_lesson_needs_little() {
        let lesson = read(GOOD).unwrap();
        assert_eq!((lesson.front.status, lesson.warnings.len()), (Status::Open, 0));
        assert_eq!(lesson.body, "**Situation.** The provider was slow.");
        assert_eq!(lesson.front.regression.unwrap().to_string(), "slow#H2");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (from, to, code, place) in [
            ("regression: slow#H2", "status: verified", "lesson-status", "verified"),
            ("regression: slow#H2", "regression: slow", "", "slow"),
            ("regression: slow#H2\n", "", "no-regression", ""),
            ("created: 2026-03-10", "created: 2026-03-10\nretest_by: 2026-01-01", "lesson-dates", "2026-01-01"),
            ("title: The alarm is slower than the customer", "title: ''", "empty-title", "''"),
            ("**Situation.** The provider was slow.\n", "\n", "empty-lesson", "---"),
            ("slow.\n", "slow. The Root Cause was Bob.\n", "blame", "Root Cause"),
            ("title: The alarm is slower than the customer", "title: \"a\\nb\"", "lesson-line", "\"a\\nb\""),
            ("L-2026-004", "L-2026-005", "lesson-file", "L-2026-005"),
            ("created:", "faults: ['']\ncreated:", "empty-item", "''"),
            ("created:", "stauts: open\ncreated:", "", "stauts"),
        ] {
            let text = GOOD.replace(from, to);
            let problems = read(&text).map_or_else(|problems| problems, |lesson| lesson.warnings);
            let [problem] = problems.as_slice() else { panic!("{to}: {problems:#?}") };
            assert!(code.is_empty() || problem.code == code, "{to}: {problem:#?}");
            assert!(place.is_empty() || problem.source.slice(&problem.span).trim() == place, "{to}: {problem:#?}");
        }
    }
}
