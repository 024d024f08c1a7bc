//! Tables in GitHub-flavoured Markdown, for a wiki, a pull request or a message.

use super::row::{ActionRow, LessonRow};
use crate::report::markdown_text;

/// Lessons as a table.
#[must_use]
pub fn lessons_markdown(rows: &[LessonRow]) -> String {
    let header =
        ["Id", "Lesson", "Status", "Severity", "Components", "What contributed", "Owner", "Tested by", "Actions"];
    let cells = rows.iter().map(|row| {
        let status = with_note(&row.status, row.overdue, &format!("to be tested again by {}", row.retest_by));
        [
            row.id.clone(),
            row.title.clone(),
            status,
            row.severity.clone(),
            row.components.join(", "),
            row.factors.join(", "),
            row.owner.clone(),
            row.regression.clone(),
            row.actions.join(", "),
        ]
        .map(|cell| markdown_text(&cell))
    });
    table("Lessons", &header, cells)
}

/// Actions as a table.
#[must_use]
pub fn actions_markdown(rows: &[ActionRow]) -> String {
    let header =
        ["Id", "Action", "Type", "Owner", "Due", "Status", "Severity", "Component", "Lesson", "Tested by", "Tracker"];
    let cells = rows.iter().map(|row| {
        let [id, text, kind, owner, due, status, severity, component, lesson, retest] = [
            &row.id,
            &row.text,
            &row.kind,
            &row.owner,
            &row.due,
            &with_note(&row.status, row.overdue, "overdue"),
            &row.severity,
            &row.component,
            &row.lesson,
            &row.retest,
        ]
        .map(|cell| markdown_text(cell));
        [id, text, kind, owner, due, status, severity, component, lesson, retest, link(&row.tracker)]
    });
    table("Actions", &header, cells)
}

fn with_note(text: &str, is_noted: bool, note: &str) -> String {
    if is_noted { format!("{text}, {note}") } else { text.to_owned() }
}

/// A URL as a link that ends where it should: what would end it early is written in percents (CommonMark: link destinations).
fn link(url: &str) -> String {
    if url.is_empty() {
        return String::new();
    }
    let is_safe = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|' | '\\' | '"' | '`');
    let mut bytes = [0; 4];
    let escaped = |c: char, bytes: &mut [u8; 4]| -> String {
        if is_safe(c) {
            return c.to_string();
        }
        c.encode_utf8(bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
    };
    let url: String = url.chars().map(|c| escaped(c, &mut bytes)).collect();
    format!("<{url}>")
}

fn table<const N: usize>(title: &str, header: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<String> = rows.map(|cells| format!("| {} |\n", cells.join(" | "))).collect();
    if rows.is_empty() {
        return format!("## {title}\n\nNone.\n");
    }
    let rule = header.map(|_| "---").join(" | ");
    format!("## {title}\n\n| {} |\n| {rule} |\n{}", header.join(" | "), rows.concat())
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::share::row::tests::{action, lesson};

    /// The cells of the rows of the only table, and whatever there is of links and HTML.
    fn cells(text: &str) -> (usize, Vec<String>) {
        let mut count = 0;
        let mut others = Vec::new();
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::TableCell) => count += 1,
                Event::Start(Tag::Link { dest_url, .. }) => others.push(dest_url.to_string()),
                Event::Html(html) | Event::InlineHtml(html) => others.push(html.to_string()),
                _ => {}
            }
        }
        (count, others)
    }

    #[test]
    fn no_text_breaks_the_table() {
        let titles = ["a | b", "`a | b`", "x\\", "<img src=x onerror=alert(1)>", "[x](javascript:1)", "**", "@all #1"];
        let rows: Vec<_> = titles.map(|title| lesson("L-2026-004", title, "Text.")).into();
        assert_eq!(cells(&lessons_markdown(&rows)), (9 * 8, vec![]));
        let mut rows: Vec<_> = titles.map(|title| action("A-2026-031", title, "")).into();
        rows[0].tracker = "https://a.b/x|y<z> \"`(1)".to_owned();
        let link = "https://a.b/x%7Cy%3Cz%3E%20%22%60(1)".to_owned();
        assert_eq!(cells(&actions_markdown(&rows)), (11 * 8, vec![link]));
        assert_eq!(lessons_markdown(&[]), "## Lessons\n\nNone.\n");
    }
}
