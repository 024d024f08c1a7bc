//! Texts in Slack's own mark-up, cut into blocks that fit into a message.

use super::row::{ActionRow, LessonRow};
use crate::report::printable_character;

/// The longest text of a section block, in characters (Slack: block kit, section).
const BLOCK_CHARS_MAX: usize = 3_000;

/// How long a title and a shorter text may be, in characters. Escaped, each takes up to five, and all of a line fit into a block.
const TITLE_CHARS_MAX: usize = 250;
const TEXT_CHARS_MAX: usize = 100;

/// How long the address of a link may be, escaped; a longer one is left out, since half of it leads nowhere.
const LINK_CHARS_MAX: usize = 800;

/// How many blocks are written; a message takes 50, and nobody reads as many.
const BLOCKS_MAX: usize = 10;

/// Lessons as text for a message; a blank line is where a block ends.
#[must_use]
pub fn lessons_slack(rows: &[LessonRow]) -> String {
    let lines = rows.iter().map(|row| {
        let late =
            if row.overdue { format!(", *to be tested again by {}*", escaped(&row.retest_by)) } else { String::new() };
        let about = escaped(&shortened(&row.components.join(", "), TEXT_CHARS_MAX));
        let about = if about.is_empty() { about } else { format!(" ({about})") };
        let title = escaped(&shortened(&row.title, TITLE_CHARS_MAX));
        let [id, status, severity] = [&row.id, &row.status, &row.severity].map(|text| escaped(text));
        format!("• *{id}* {title}{about}: {status}, {severity}{late}")
    });
    blocks("*Lessons of our game days*", lines)
}

/// Actions as text for a message; a blank line is where a block ends.
#[must_use]
pub fn actions_slack(rows: &[ActionRow]) -> String {
    let lines = rows.iter().map(|row| {
        let due = if row.overdue { "*overdue since*" } else { "due" };
        let text = escaped(&shortened(&row.text, TITLE_CHARS_MAX));
        let owner = escaped(&shortened(&row.owner, TEXT_CHARS_MAX));
        let [id, day, status] = [&row.id, &row.due, &row.status].map(|text| escaped(text));
        let end = if row.status == "open" { format!("{due} {day}") } else { status };
        // A bar would begin the words of the link.
        let url = escaped(&row.tracker).replace('|', "%7C");
        let id = if url.is_empty() || url.chars().count() > LINK_CHARS_MAX {
            format!("*{id}*")
        } else {
            format!("<{url}|{id}>")
        };
        format!("• {id} {text} ({owner}): {end}")
    });
    blocks("*Actions of our game days*", lines)
}

/// A text that is no longer than that, cut before anything of it is escaped: an entity or a link is never cut.
fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A text that is neither mark-up nor a mention (Slack: escaping text). What sets words apart gets a character of no width before it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars().map(printable_character) {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            '*' | '_' | '~' | '`' => safe.extend(['\u{200b}', character]),
            _ => safe.push(character),
        }
    }
    safe
}

/// Lines in blocks that fit, with a word on what was left out.
fn blocks(title: &str, lines: impl Iterator<Item = String>) -> String {
    let mut blocks = vec![title.to_owned()];
    let (mut shown, mut left_out) = (0_usize, 0_usize);
    for line in lines {
        let length = line.chars().count();
        let last = blocks.last_mut().expect("invariant: there is the title's");
        if left_out > 0 {
            left_out += 1;
        } else if last.chars().count() + 1 + length <= BLOCK_CHARS_MAX {
            last.push('\n');
            last.push_str(&line);
            shown += 1;
        } else if blocks.len() < BLOCKS_MAX {
            blocks.push(line);
            shown += 1;
        } else {
            left_out += 1;
        }
    }
    if shown + left_out == 0 {
        blocks.push("None.".to_owned());
    }
    if left_out > 0 {
        blocks.push(format!("and {left_out} more, left out here"));
    }
    format!("{}\n", blocks.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::row::tests::{action, lesson};

    #[test]
    fn nobody_is_mentioned_and_nothing_is_marked_up() {
        let text = lessons_slack(&[lesson("L-2026-004", "<!channel> & *all* `of` it", "Text.")]);
        assert!(text.contains("&lt;!channel&gt; &amp; \u{200b}*all\u{200b}* \u{200b}`of\u{200b}` it"), "{text}");
        let row = action("A-2026-031", "t", "tracker: 'https://a.b/x|<!here>'");
        assert!(
            actions_slack(&[row])
                .contains("<https://a.b/x%7C&lt;!here&gt;|A-2026-031> t (shop): *overdue since* 2026-04-15")
        );
        assert!(lessons_slack(&[]).contains("None."));
    }

    #[test]
    fn blocks_are_no_longer_than_slack_takes_and_what_is_left_out_is_counted() {
        let rows = vec![action("A-2026-031", &"&".repeat(250), ""); 40];
        let text = actions_slack(&rows);
        let blocks: Vec<_> = text.trim_end().split("\n\n").collect();
        assert!(blocks.iter().all(|block| block.chars().count() <= BLOCK_CHARS_MAX));
        let long = "&".repeat(5_000);
        let mut row = action("A-2026-031", "t", "");
        row.text.clone_from(&long);
        row.owner.clone_from(&long);
        row.tracker = format!("https://a.b/{}", "x".repeat(LINK_CHARS_MAX - 12));
        let mut rows = [row];
        let mut other = lesson("L-2026-004", &long, "Text.");
        other.components = vec![long; 3];
        for text in [actions_slack(&rows), lessons_slack(&[other])] {
            assert!(text.split("\n\n").all(|block| block.chars().count() <= BLOCK_CHARS_MAX), "{}", text.len());
            assert_eq!(text.matches('&').count(), text.matches("&amp;").count(), "no entity is cut: {text}");
            assert!(text.contains('…') && text.matches('<').count() == text.matches('>').count(), "{text}");
        }
        assert!(actions_slack(&rows).contains("|A-2026-031>"));
        rows[0].tracker.push('x');
        assert!(actions_slack(&rows).contains("*A-2026-031*"), "no half of a link");
        let shown = text.matches("• ").count();
        assert!(text.contains(&format!("and {} more", 40 - shown)) && shown > 10, "{shown} of 40");
    }
}
