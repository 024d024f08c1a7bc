//! Text from a file, made safe for a terminal.

/// How long such a text may be, in characters: names from a file may be of any length.
const TEXT_CHARS_MAX: usize = 1_000;

/// Writes out control characters and those that change the direction of text, and cuts what is far too long.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == TEXT_CHARS_MAX {
            safe.push('…');
            break;
        }
        let reorders = matches!(c, '\u{200d}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && c != '\n') || reorders {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_moves_the_cursor_or_turns_the_line_around() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}b\u{202e}c\nd"), "a\\u{1b}[2J\\u{9b}b\\u{202e}c\nd");
        let long = printable(&"x".repeat(TEXT_CHARS_MAX + 1));
        assert_eq!((long.chars().count(), long.chars().last()), (TEXT_CHARS_MAX + 1, Some('…')));
    }
}
