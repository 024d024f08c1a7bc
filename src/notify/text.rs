//! Texts of notices: one line, without control characters, cut, and blacked out as the report is.

use crate::plan::Plan;
use crate::unit::{Redaction, printable, redact_text};
use crate::workspace;

/// The longest text of a notice, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 300;

/// A text that is no longer than that; what is cut ends with `…`.
pub(super) fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// A text as one line that moves no cursor, of at most 300 characters.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    shortened(&printable(&words.join(" ")), TEXT_CHARS_MAX)
}

/// The same for a text that somebody has written or AWS has said, without what the plan wants blacked out.
pub(super) fn told(plan: &Plan, text: &str) -> String {
    let redactions: Vec<Redaction> = plan
        .redact
        .iter()
        .map(|redaction| match redaction {
            workspace::Redaction::AccountIds => Redaction::AccountIds,
            workspace::Redaction::Emails => Redaction::Emails,
        })
        .collect();
    line(&redact_text(text, &redactions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_that_moves_no_cursor() {
        assert_eq!(line("a\n b\u{1b}[2J\t\u{202e}c"), "a b\\u{1b}[2J \\u{202e}c");
        let long = line(&"ä".repeat(5_000));
        assert_eq!((long.chars().count(), long.chars().last()), (TEXT_CHARS_MAX, Some('…')));
    }
}
