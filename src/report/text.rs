//! Text that came from elsewhere, made harmless for where it goes.

use crate::unit::no_formula;

/// Control characters, which break XML and hide text, and the ones that reverse the order in which text is shown,
/// become `\u{fffd}`; line breaks and tabs stay.
#[must_use]
pub(crate) fn printable(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => character,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ if character.is_control() => '\u{fffd}',
        _ => character,
    }
}

/// Escapes for HTML, in text and in quoted attributes.
#[must_use]
pub(crate) fn html(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for character in raw.chars().map(printable) {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            _ => text.push(character),
        }
    }
    text
}

/// Escapes for GitHub-flavoured Markdown, wherever the text stands: it stays on its line and in its table's cell, starts
/// no list or heading, hides no address behind a link's text, and mentions nobody.
#[must_use]
pub(crate) fn markdown(raw: &str) -> String {
    let characters: Vec<char> = raw.chars().map(printable).collect();
    let mut text = String::with_capacity(raw.len() + 8);
    let at = |index: Option<usize>| index.and_then(|index| characters.get(index)).copied().unwrap_or(' ');
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    for (index, character) in characters.iter().copied().enumerate() {
        let leads = text.trim_start().is_empty();
        match character {
            '\n' | '\r' | '\t' => text.push(' '),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '@' => text.push_str("&#64;"),
            // Inside a word an underscore means nothing, and `proxy_latency` should stay readable in the source.
            '_' if is_word(at(index.checked_sub(1))) && is_word(at(index.checked_add(1))) => text.push('_'),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '$' => {
                text.push('\\');
                text.push(character);
            }
            '-' | '+' | '=' if leads => {
                text.push('\\');
                text.push(character);
            }
            '.' | ')' if starts_list(&text) && at(index.checked_add(1)).is_whitespace() => {
                text.push('\\');
                text.push(character);
            }
            _ => text.push(character),
        }
    }
    text
}

/// Text of ours in which pairs of backticks set names apart: the pairs become code, all the rest is escaped.
#[must_use]
pub(super) fn prose(raw: &str, escape: fn(&str) -> String, code: fn(&str) -> String) -> String {
    let pieces: Vec<&str> = raw.split('`').collect();
    // An even number of pieces is an odd number of backticks: one stands alone, and nothing is set apart.
    if pieces.len().is_multiple_of(2) {
        return escape(raw);
    }
    pieces.iter().enumerate().map(|(index, piece)| if index % 2 == 1 { code(piece) } else { escape(piece) }).collect()
}

/// Code in HTML.
#[must_use]
pub(crate) fn html_code(raw: &str) -> String {
    if raw.is_empty() { String::new() } else { format!("<code>{}</code>", html(raw)) }
}

/// Whether text is a number and nothing else: with `. ` behind it, it would start a list.
fn starts_list(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_digit())
}

/// A Markdown code span in a table's cell. It holds any text, backticks and bars included.
#[must_use]
pub(super) fn markdown_code(raw: &str) -> String {
    // A table takes such a backslash away before it looks for code; elsewhere it would show.
    markdown_line_code(raw).replace('|', "\\|")
}

/// A Markdown code span that stands in no table.
#[must_use]
pub(super) fn markdown_line_code(raw: &str) -> String {
    let line: String = raw.chars().map(printable).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let fence = "`".repeat(longest_run(&line, '`') + 1);
    // A space on each side is taken off again by readers, and keeps a backtick apart from the fence.
    if line.is_empty() {
        String::new()
    } else if line.contains('`') || line.starts_with(' ') {
        format!("{fence} {line} {fence}")
    } else {
        format!("{fence}{line}{fence}")
    }
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A cell of a CSV file: quoted where it must be, and never a formula to a spreadsheet.
///
/// See [`no_formula`].
#[must_use]
pub(super) fn csv(raw: &str) -> String {
    let cell = no_formula(raw.chars().map(printable).collect());
    if cell.contains(['"', ',', '\n', '\r', '\'']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_text_only() {
        assert_eq!(html("<b a='\"'>&\u{7}"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn markdown_stays_in_its_line_and_cell() {
        assert_eq!(markdown("a|b\nc"), "a\\|b c");
        assert_eq!(markdown("# x"), "\\# x");
        assert_eq!(markdown("- x"), "\\- x");
        assert_eq!(markdown("1. x"), "1\\. x");
        assert_eq!(markdown("12.5 s at 3.4"), "12.5 s at 3.4");
        assert_eq!(markdown("proxy_latency _x_"), "proxy_latency \\_x\\_");
        assert_eq!(markdown("<script> [a](b) @all"), "&lt;script&gt; \\[a\\](b) &#64;all");
    }

    #[test]
    fn a_code_span_holds_backticks_and_bars() {
        assert_eq!(markdown_code("p99(x) <= 1s"), "`p99(x) <= 1s`");
        assert_eq!(markdown_code("a`b|c"), "`` a`b\\|c ``");
        assert_eq!(markdown_line_code("a`b|c"), "`` a`b|c ``");
    }

    #[test]
    fn only_pairs_of_backticks_become_code() {
        assert_eq!(prose("`a<b` <c>", html, html_code), "<code>a&lt;b</code> &lt;c&gt;");
        assert_eq!(prose("one ` alone <b>", html, html_code), "one ` alone &lt;b&gt;");
        assert_eq!(prose("*x* `a|b`", markdown, markdown_code), "\\*x\\* `a\\|b`");
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(csv("=1+1"), "\"'=1+1\"");
        assert_eq!(csv(" =1+1"), "\"' =1+1\"");
        assert_eq!(csv("-1"), "\"'-1\"");
        assert_eq!(csv("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(csv("plain"), "plain");
    }
}
