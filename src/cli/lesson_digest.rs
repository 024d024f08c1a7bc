//! `gameday lesson digest`: what is new, as Markdown that is posted elsewhere.

use std::path::Path;

use super::lessons::{shelf, today};
use super::{Exit, Failure, out};
use crate::lesson::{Lesson, Status};
use crate::unit::{Date, DurationText, Redaction, printable, redact_text};

/// Words as Markdown that says no more than they do (CommonMark: backslash escapes).
fn escaped(text: &str) -> String {
    let is_special =
        |c: char| matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '&' | '@');
    text.chars().flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c])).collect()
}

pub(super) fn digest(since: &DurationText, redactions: &[Redaction], folder: &Path) -> Result<Exit, Failure> {
    let shelf = shelf(folder);
    let today = today();
    let days = chrono::Days::new(since.0.as_secs().div_ceil(24 * 3_600));
    let from = today.checked_sub_days(days).map_or(today, Date);
    let is_new = |lesson: &&Lesson| lesson.front.created >= from && lesson.front.status != Status::Retired;
    let was_tested = |lesson: &Lesson| lesson.tested_on().is_some_and(|day| day >= from);
    let with =
        |status: Status| shelf.entries().filter(move |lesson| lesson.front.status == status && was_tested(lesson));
    out::line(format_args!("## Lessons since {from}"));
    let mut is_empty = true;
    let mut section = |title: &str, lessons: Vec<&Lesson>| {
        if lessons.is_empty() {
            return;
        }
        is_empty = false;
        out::line(format_args!("\n### {title}\n"));
        for lesson in lessons {
            let front = &lesson.front;
            let posted = |text: &str| escaped(&redact_text(text, redactions));
            let owner = front.owner.as_ref().map(|owner| format!(", {}", posted(owner))).unwrap_or_default();
            let text = format!("- **{}** {} ({}{owner})", front.id, posted(&front.title), front.severity.as_str());
            out::line(printable(&text));
        }
    };
    section("New", shelf.entries().filter(is_new).collect());
    section("Verified by a run", with(Status::Verified).collect());
    section("Regressed", with(Status::Regressed).collect());
    section("To be tested again", shelf.entries().filter(|lesson| lesson.is_overdue(today)).collect());
    if is_empty {
        out::line("\nNothing new.");
    }
    Ok(Exit::Success)
}
