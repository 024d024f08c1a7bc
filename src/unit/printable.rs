//! Text from a file, made safe for a terminal.

/// How long such a text may be, in characters: names from a file may be of any length.
pub const TEXT_CHARS_MAX: usize = 1_000;

/// Writes out control characters and those that change the direction of text, and cuts what is far too long. Line ends stay.
#[must_use]
pub fn printable(text: &str) -> String {
    safe(text, TEXT_CHARS_MAX, |c| (c == '\n').then_some('\n'))
}

/// The same in one line, of at most so many characters: whatever ends a line is a space. For output of which each line means something,
/// so that no text looks like a line of its own.
#[must_use]
pub fn printable_line(text: &str, chars_max: usize) -> String {
    let ends_line = |c| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    safe(text, chars_max, |c| ends_line(c).then_some(' '))
}

/// Cuts a text and writes out what is not for a terminal, but for what `stands_for` has something else.
fn safe(text: &str, chars_max: usize, stands_for: impl Fn(char) -> Option<char>) -> String {
    let mut safe = String::with_capacity(text.len().min(chars_max.saturating_mul(4)));
    for (count, c) in text.chars().enumerate() {
        if count == chars_max {
            safe.push('…');
            break;
        }
        let reorders = matches!(c, '\u{200d}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match stands_for(c) {
            Some(other) => safe.push(other),
            None if c.is_control() || reorders => safe.extend(c.escape_default()),
            None => safe.push(c),
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

    #[test]
    fn no_text_looks_like_a_line_of_its_own() {
        assert_eq!(printable_line("a\nb\rc\u{b}d\u{c}e\u{85}f\u{2028}g\u{2029}h\u{1b}", 100), "a b c d e f g h\\u{1b}");
        assert_eq!(printable_line("abc", 2), "ab…");
    }
}
