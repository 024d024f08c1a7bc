//! From a file to an action, and what is wrong with one. Must not know: other actions.

use std::path::Path;
use std::sync::Arc;

use super::{Action, Kind, Record, Status};
use crate::document::{Decoder, Diagnostic, Document, Place, Severity, SourceFile, Tree};
use crate::unit::blame;

/// How long the one line may be that says what is to be done: trackers take no longer title (GitHub and Jira: 255).
const TEXT_CHARS_MAX: usize = 250;

/// Reads and checks an action.
///
/// # Errors
/// Every problem of the file; warnings are among them.
pub fn load(path: &Path) -> Result<Action, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    check(&source, path)
}

/// Checks the text of an action, as [`load`] does; `path` is where it stands.
///
/// # Errors
/// Every problem of the text; warnings are among them.
pub fn check(source: &Arc<SourceFile>, path: &Path) -> Result<Action, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let record = Tree::parse(source, &mut problems).and_then(|tree| {
        let (record, document, found) = Decoder::new(tree).finish::<Record>();
        problems.extend(found);
        check_record(&record?, &document, path, &mut problems)
    });
    problems.sort_by_key(|problem| problem.span.start);
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match record {
        Some(record) if !has_errors => {
            Ok(Action { record, path: path.to_owned(), warnings: problems, source: Arc::clone(source) })
        }
        Some(_) | None => Err(problems),
    }
}

fn check_record(record: &Record, document: &Document, path: &Path, problems: &mut Vec<Diagnostic>) -> Option<Record> {
    let place = document.root();
    if path.file_stem().is_some_and(|stem| stem != record.id.as_str()) {
        let message = format!("the action `{}` stands in a file of another name", record.id);
        let help = format!("call the file `{}.yaml`, or give the action its name as id", record.id);
        problems.push(place.key("id").error("action-file", message).with_help(help));
    }
    check_texts(record, place, problems);
    check_end(record, place, problems);
    check_dates(record, place, problems);
    if let Some(tracker) = &record.tracker
        && let Err(help) = check_url(tracker)
    {
        let message = "the tracker is no URL that a browser would follow";
        problems.push(place.key("tracker").error("action-tracker", message).with_help(help));
    }
    Some(record.clone())
}

/// What is missing or does not show in its texts, and words that end the search for what contributed.
fn check_texts(record: &Record, place: Place<'_>, problems: &mut Vec<Diagnostic>) {
    let texts = [
        ("text", Some(&record.text), "say what is to be done"),
        ("owner", Some(&record.owner), "name the team that sees to it"),
        ("finding", record.finding.as_ref(), "take it away"),
        ("why", record.why.as_ref(), "say why, or take it away"),
    ];
    for (key, text, help) in texts.into_iter().filter_map(|(key, text, help)| Some((key, text?, help))) {
        if text.trim().is_empty() {
            problems.push(place.key(key).error("empty-item", format!("`{key}` is empty")).with_help(help));
        }
        if text.contains(char::is_control) {
            let message = format!("`{key}` is longer than a line, or has characters that do not show");
            problems.push(place.key(key).error("action-line", message).with_help("write it in one line"));
        }
        for found in blame(text) {
            let message = format!("`{}` ends the search for what contributed", found.words);
            problems.push(place.key(key).warning("blame", message).with_help(found.help));
        }
    }
    let length = record.text.chars().count();
    if length > TEXT_CHARS_MAX {
        let message =
            format!("the text has {length} characters, and {TEXT_CHARS_MAX} at most fit into a tracker's title");
        let help = "say in short what is to be done; what it is about belongs into the lesson";
        problems.push(place.key("text").error("action-length", message).with_help(help));
    }
}

/// What is wrong with how it ended, or with how one would know that it helped.
fn check_end(record: &Record, place: Place<'_>, problems: &mut Vec<Diagnostic>) {
    if record.status == Status::Dropped && !place.key("why").is_found() {
        let message = "the action is dropped, and nothing says why";
        let help = "say what made it not worth doing: `why: the function is gone`";
        problems.push(place.key("status").error("action-why", message).with_help(help));
    }
    if record.status != Status::Done && record.done_on.is_some() {
        let message = format!("the action has a day on which it was done, and is {}", record.status.as_str());
        let help = "write `status: done`, or take `done_on` away";
        problems.push(place.key("done_on").error("action-status", message).with_help(help));
    }
    // What stands there and could not be read is told already.
    let is_named = ["retest", "lesson"].iter().any(|key| place.key(key).is_found());
    let is_tested = is_named || record.kind == Kind::Process;
    if record.status == Status::Open && !is_tested {
        let message = "nothing tests that this action helped";
        let help = "name a scenario and its hypothesis, as in `retest: checkout-slow#H2`, or the lesson that has one";
        problems.push(place.key("text").warning("no-retest", message).with_help(help));
    }
}

fn check_dates(record: &Record, place: Place<'_>, problems: &mut Vec<Diagnostic>) {
    let Some(created) = record.created else { return };
    for (key, day, what) in [("due", Some(record.due), "due"), ("done_on", record.done_on, "done")] {
        if day.is_some_and(|day| day < created) {
            let message = format!("it is {what} before it was written, on {created}");
            problems.push(place.key(key).error("action-dates", message).with_help("write a later day"));
        }
    }
}

/// Whether a text is a URL that people may follow; what to write instead where it is none.
fn check_url(text: &str) -> Result<(), &'static str> {
    let help = "write the whole address, as in `https://github.com/owner/name/issues/31`";
    let url = reqwest::Url::parse(text).map_err(|_| help)?;
    if !matches!(url.scheme(), "http" | "https") || text.contains(char::is_whitespace) {
        return Err(help);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("take the name and the password out of it: the file is read by many");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id: A-2026-031\ntext: Shorten the period\ntype: detect\nowner: team-payments\ndue: 2026-04-15\n\
                        retest: slow#H2\n";

    fn read(text: &str) -> Result<Action, Vec<Diagnostic>> {
        check(&Arc::new(SourceFile::new("actions/A-2026-031.yaml", text)), Path::new("actions/A-2026-031.yaml"))
    }

    #[test]
    fn an_action_needs_little() {
        let action = read(GOOD).unwrap();
        assert_eq!((action.record.status, action.warnings.len()), (Status::Open, 0));
        assert!(read(&format!("{GOOD}status: done\n")).is_ok(), "the day on which it was done may be forgotten");
        assert!(read(&format!("{GOOD}status: done\ndone_on: 2026-04-14\ncreated: 2026-03-10\n")).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let long = format!("text: {}", "x".repeat(251));
        for (from, to, code, place) in [
            ("2026-031", "2026-032", "action-file", "A-2026-032"),
            ("due: 2026-04-15", "due: 2026-02-30", "", "2026-02-30"),
            ("due: 2026-04-15", "due: 2026-04-15\ncreated: 2026-04-16", "action-dates", "2026-04-15"),
            ("type: detect", "type: detekt", "", "detekt"),
            ("type: detect", "typ: detect", "", ""),
            ("owner: team-payments", "owner: ' '", "empty-item", "' '"),
            ("text: Shorten the period", "text: \"a\\nb\"", "action-line", "\"a\\nb\""),
            ("text: Shorten the period", long.as_str(), "action-length", ""),
            ("text: Shorten the period", "text: Undo the human error", "blame", "Undo the human error"),
            ("retest: slow#H2\n", "", "no-retest", "Shorten the period"),
            ("retest: slow#H2", "retest: slow", "", "slow"),
            ("retest: slow#H2", "status: dropped", "action-why", "dropped"),
            ("retest: slow#H2", "retest: a#H1\ndone_on: 2026-04-01", "action-status", "2026-04-01"),
            (
                "retest: slow#H2",
                "retest: a#H1\ntracker: 'javascript:alert(1)'",
                "action-tracker",
                "'javascript:alert(1)'",
            ),
            ("retest: slow#H2", "retest: a#H1\ntracker: issues/31", "action-tracker", "issues/31"),
            ("retest: slow#H2", "retest: a#H1\ntracker: https://me:pw@a.b/", "action-tracker", "https://me:pw@a.b/"),
            ("retest: slow#H2", "retest: a#H1\nstatsu: open", "", "statsu"),
        ] {
            let problems = read(&GOOD.replace(from, to)).map_or_else(|problems| problems, |action| action.warnings);
            let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
            let problem = problems.first().unwrap_or_else(|| panic!("{to} is right"));
            assert!(code.is_empty() || codes == [code], "{to}: {problems:#?}");
            assert!(place.is_empty() || problem.source.slice(&problem.span).trim() == place, "{to}: {problem:#?}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let text = GOOD.replace("detect", "detekt").replace("04-15", "04-31") + "colour: red\n";
        assert_eq!(read(&text).unwrap_err().len(), 3);
    }
}
