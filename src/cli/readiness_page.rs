//! Readiness on a terminal: a line a check, under the question that it belongs to.

use console::style;

use super::out;
use crate::readiness::{Check, CheckResult, Outcome, QUESTIONS, Readiness, Severity, Shift, TABLE};
use crate::unit::{Question, printable_line};

/// How long a reason may be, in characters.
const WHY_CHARS_MAX: usize = 2_000;

pub(super) fn print(readiness: &Readiness, place: &str) {
    out::line(place);
    for question in QUESTIONS {
        let mut checks = readiness.checks.iter().filter(|check| check.question == question).peekable();
        if checks.peek().is_none() {
            continue;
        }
        out::line(format_args!("\n{}", style(heading(question)).bold()));
        checks.for_each(print_check);
    }
    if !readiness.not_applicable.is_empty() {
        let ids: Vec<String> = readiness.not_applicable.iter().map(ToString::to_string).collect();
        out::line(format_args!("\nnothing to look at: {}", ids.join(" ")));
    }
}

fn heading(question: &str) -> String {
    let about = match question {
        "SEC" => Some("Security"),
        "REL" => Some("Reliability"),
        "PERF" => Some("Performance Efficiency"),
        other => Question::of(other).map(|question| question.about),
    };
    about.map_or_else(|| question.to_owned(), |about| format!("{question}  {about}"))
}

fn print_check(check: &CheckResult) {
    let mark = match &check.outcome {
        Outcome::Pass => style("✓").green(),
        Outcome::Warn(_) => style("!").yellow(),
        Outcome::Fail(_) => style("✗").red(),
        Outcome::Waived { .. } => style("~").dim(),
        Outcome::Unknown(_) => style("?").yellow(),
    };
    let severity = check.severity.as_str();
    let blocks = if check.blocks { style(" (keeps a run from beginning)").red().to_string() } else { String::new() };
    out::line(format_args!("  {mark} {}  {severity:<6}  {}{blocks}", check.id, check.title));
    if let Some(why) = &check.why {
        out::line(format_args!("                  {}: {}", check.result, printable_line(why, WHY_CHARS_MAX)));
    }
    if let Some(remedy) = check.remedy {
        out::line(format_args!("                  {}", style(remedy).dim()));
    }
}

/// How many there are of each; no score.
pub(super) fn print_end(readiness: &Readiness) {
    let counts =
        ["pass", "warn", "fail", "waived", "unknown"].map(|result| format!("{} {result}", readiness.count(result)));
    let end = if readiness.is_ready() { "ready" } else { "not ready" };
    out::line(format_args!("\n{}: {end}", counts.join(", ")));
}

/// What became of checks since the last time.
pub(super) fn print_shifts(shifts: &[Shift], since: &str) {
    if shifts.is_empty() {
        out::line(format_args!("\nas it was on {since}"));
        return;
    }
    out::line(format_args!("\nsince {since}"));
    for Shift { id, before, after, is_worse } in shifts {
        let word = if *is_worse { style("worse ").red() } else { style("better").green() };
        let title = Check::of(*id).map(|check| check.title).unwrap_or_default();
        out::line(format_args!("  {word}  {id}  {before} → {after}  {title}"));
    }
}

/// The table of all checks.
pub(super) fn print_table() {
    for question in QUESTIONS {
        out::line(format_args!("{}", style(heading(question)).bold()));
        for Check { id, severity, title, remedy, .. } in TABLE.iter().filter(|check| check.question == question) {
            out::line(format_args!("  {id}  {:<6}  {title}\n                  {remedy}", severity.as_str()));
        }
    }
    let musts = TABLE.iter().filter(|check| check.severity == Severity::Must).count();
    out::line(format_args!("\n{} checks, of which {musts} keep a run in an account from beginning", TABLE.len()));
}
