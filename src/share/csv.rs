//! Tables for a spreadsheet, and for Jira's importer (RFC 4180). No cell is ever a formula.

use super::row::{ActionRow, LessonRow};
use crate::report::printable_character;
use crate::unit::no_formula;

/// What Jira's importer calls its columns (Atlassian: "Import data from a CSV file").
const JIRA: [&str; 7] = ["Summary", "Description", "Issue Type", "Priority", "Labels", "Due Date", "Assignee"];

/// How long a summary in Jira may be, in characters.
const JIRA_SUMMARY_CHARS_MAX: usize = 255;

/// Lessons, one a row.
#[must_use]
pub fn lessons_csv(rows: &[LessonRow]) -> String {
    let header = [
        "id",
        "title",
        "status",
        "severity",
        "components",
        "faults",
        "factors",
        "ops",
        "found_in",
        "regression",
        "tested_in",
        "actions",
        "owner",
        "created",
        "retest_by",
        "overdue",
        "text",
    ];
    let cells = rows.iter().map(|row| {
        let joined = |texts: &[String]| texts.join("; ");
        [
            row.id.clone(),
            row.title.clone(),
            row.status.clone(),
            row.severity.clone(),
            joined(&row.components),
            joined(&row.faults),
            joined(&row.factors),
            joined(&row.ops),
            row.found_in.clone(),
            row.regression.clone(),
            row.tested_in.clone(),
            joined(&row.actions),
            row.owner.clone(),
            row.created.clone(),
            row.retest_by.clone(),
            row.overdue.to_string(),
            row.text.clone(),
        ]
    });
    table(&header, cells)
}

/// Actions, one a row.
#[must_use]
pub fn actions_csv(rows: &[ActionRow]) -> String {
    let header = [
        "id",
        "text",
        "type",
        "owner",
        "due",
        "status",
        "severity",
        "component",
        "created",
        "done_on",
        "found_in",
        "finding",
        "lesson",
        "retest",
        "tracker",
        "why",
        "overdue",
    ];
    let cells = rows.iter().map(|row| {
        [
            row.id.clone(),
            row.text.clone(),
            row.kind.clone(),
            row.owner.clone(),
            row.due.clone(),
            row.status.clone(),
            row.severity.clone(),
            row.component.clone(),
            row.created.clone(),
            row.done_on.clone(),
            row.found_in.clone(),
            row.finding.clone(),
            row.lesson.clone(),
            row.retest.clone(),
            row.tracker.clone(),
            row.why.clone(),
            row.overdue.to_string(),
        ]
    });
    table(&header, cells)
}

/// Lessons for Jira's importer.
#[must_use]
pub fn lessons_jira(rows: &[LessonRow]) -> String {
    let cells = rows.iter().map(|row| {
        let facts = facts(&[
            ("Components", &row.components.join(", ")),
            ("What contributed", &row.factors.join(", ")),
            ("Owner", &row.owner),
            ("Found in", &row.found_in),
            ("Tested by", &row.regression),
            ("Actions", &row.actions.join(", ")),
        ]);
        let description = format!("{}\n\n{facts}gameday-id: {}", row.text.trim(), row.id);
        jira(&row.id, &row.title, description, &row.severity, "lesson", &row.retest_by)
    });
    table(&JIRA, cells)
}

/// Actions for Jira's importer.
#[must_use]
pub fn actions_jira(rows: &[ActionRow]) -> String {
    let cells = rows.iter().map(|row| {
        let facts = facts(&[
            ("Type", &row.kind),
            ("Owner", &row.owner),
            ("Component", &row.component),
            ("Found in", &row.found_in),
            ("Lesson", &row.lesson),
            ("Tested by", &row.retest),
            ("Status", &row.status),
            ("Why", &row.why),
        ]);
        jira(&row.id, &row.text, format!("{facts}gameday-id: {}", row.id), &row.severity, &row.kind, &row.due)
    });
    table(&JIRA, cells)
}

fn jira(id: &str, summary: &str, description: String, severity: &str, label: &str, due: &str) -> [String; 7] {
    let priority = match severity {
        "critical" => "Highest",
        "high" => "High",
        "low" => "Low",
        _ => "Medium",
    };
    let summary: String = format!("{id} {summary}").chars().take(JIRA_SUMMARY_CHARS_MAX).collect();
    let labels = format!("gameday {label}");
    // Nobody of the house is somebody's account there.
    [summary, description, "Task".to_owned(), priority.to_owned(), labels, due.to_owned(), String::new()]
}

/// Facts, one a line; those that are empty are left out.
fn facts(facts: &[(&str, &str)]) -> String {
    facts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}: {text}\n")).collect()
}

fn table<const N: usize>(header: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    // In quotes, no cell is cut where a spreadsheet takes `;` for what is between cells.
    let mut writer = csv::WriterBuilder::new();
    writer.terminator(csv::Terminator::CRLF).quote_style(csv::QuoteStyle::Always);
    let mut writer = writer.from_writer(Vec::new());
    writer.write_record(header).expect("invariant: memory takes all");
    for row in rows {
        writer.write_record(row.map(|cell| guarded(&cell))).expect("invariant: rows have the header's length");
    }
    let bytes = writer.into_inner().expect("invariant: memory takes all");
    String::from_utf8(bytes).expect("invariant: texts are UTF-8")
}

fn guarded(cell: &str) -> String {
    no_formula(cell.chars().map(printable_character).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::row::tests::{action, lesson};

    fn read(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_the_row() {
        for (title, cell) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            (" =1", "' =1"),
            ("a, \"b\"", "a, \"b\""),
        ] {
            let rows = read(&lessons_csv(&[lesson("L-2026-004", title, "One,\n\"two\".")]));
            assert_eq!((rows.len(), rows[1][1].as_str(), rows[1][16].as_str()), (2, cell, "One,\n\"two\"."));
            let rows = read(&actions_csv(&[action("A-2026-031", title, "")]));
            assert_eq!((rows[1][1].as_str(), rows[1].len()), (cell, rows[0].len()));
        }
    }

    #[test]
    fn every_cell_is_in_quotes() {
        let rows = [lesson("L-2026-004", "a; b", "Text.")];
        assert!(lessons_csv(&rows).contains("\r\n\"L-2026-004\",\"a; b\",\"mitigated\","), "{}", lessons_csv(&rows));
        assert!(lessons_jira(&rows).contains("\r\n\"L-2026-004 a; b\","), "{}", lessons_jira(&rows));
        assert!(actions_csv(&[]).starts_with("\"id\",\"text\","));
    }

    #[test]
    fn jira_is_told_what_its_importer_asks_for() {
        let rows = read(&actions_jira(&[action("A-2026-031", "Shorten it", "severity: critical")]));
        assert_eq!(rows[0], JIRA);
        let [summary, description, kind, priority, labels, due, assignee] = rows[1].as_slice() else { panic!() };
        assert_eq!(
            [summary, kind, priority, labels, due, assignee],
            ["A-2026-031 Shorten it", "Task", "Highest", "gameday detect", "2026-04-15", ""]
        );
        assert!(description.contains("Lesson: L-2026-004\n") && description.ends_with("gameday-id: A-2026-031"));
        let rows = read(&lessons_jira(&[lesson("L-2026-004", &"x".repeat(300), "Text.")]));
        assert_eq!(rows[1][0].chars().count(), JIRA_SUMMARY_CHARS_MAX);
    }
}
