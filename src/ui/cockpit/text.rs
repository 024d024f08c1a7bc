//! Texts in cells: cut, wrapped and measured by the width that they take on a screen.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::unit::printable;

/// What stands where a text was cut.
const CUT: &str = "…";

/// A text in one line whose width all terminals agree on: without variation selectors, joiners and skin tones, and with flags as letters.
pub(super) fn tame(text: &str) -> String {
    let letter = |c: char| u32::from(c).checked_sub(0x1f1e6).and_then(|at| char::from_u32(u32::from('A') + at));
    let safe = printable(text);
    let tamed = safe.chars().filter_map(|c| match c {
        '\n' => Some(' '),
        '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => None,
        '\u{1f1e6}'..='\u{1f1ff}' => letter(c),
        // Terminals do not agree on its width.
        '⚡' => Some('↯'),
        c => Some(c),
    });
    tamed.collect()
}

/// How many cells a text takes.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { pieces(text).map(|(_, width)| width).sum() }
}

/// What a reader sees as one character each, with its width.
fn pieces(text: &str) -> impl Iterator<Item = (String, usize)> {
    let span = Span::raw(text.to_owned());
    let pieces: Vec<(String, usize)> = span
        .styled_graphemes(Style::new())
        .map(|piece| (piece.symbol.to_owned(), Span::raw(piece.symbol).width()))
        .collect();
    pieces.into_iter()
}

/// A text of at most `room` cells; what is missing is marked.
pub(super) fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for (piece, width) in pieces(text) {
        if used + width + 1 > room {
            break;
        }
        used += width;
        cut.push_str(&piece);
    }
    if room > 0 {
        cut.push_str(CUT);
    }
    cut
}

/// A text in lines of at most `room` cells, broken at spaces; what does not fit into `lines_max` lines is marked as cut.
pub(super) fn wrap(text: &str, room: usize, lines_max: usize) -> Vec<String> {
    let room = room.max(2);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && width(&line) + 1 + width(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        // A word that is wider than a line is broken where the line ends.
        for (piece, piece_width) in pieces(word) {
            if width(&line) + piece_width > room {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(&piece);
        }
        if lines.len() > lines_max {
            break;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = fit(&format!("{last}{CUT}"), room);
        }
    }
    lines
}

/// Spans in at most `room` cells; what is missing is marked.
pub(super) fn fit_spans(spans: Vec<Span<'static>>, room: usize) -> Vec<Span<'static>> {
    let all: usize = spans.iter().map(|span| width(&span.content)).sum();
    if all <= room {
        return spans;
    }
    let (mut fitting, mut used) = (Vec::new(), 0);
    for span in spans {
        let span_width = width(&span.content);
        // The last cell is kept for the mark.
        if used + span_width < room {
            used += span_width;
            fitting.push(span);
            continue;
        }
        let cut = fit(&format!("{}{CUT}", span.content), room - used);
        fitting.push(Span::styled(cut, span.style));
        break;
    }
    fitting
}

/// A line of exactly `room` cells with something at its right end, which is never cut as long as it fits at all.
pub(super) fn row(left: Vec<Span<'static>>, right: Vec<Span<'static>>, room: usize) -> Line<'static> {
    let right = fit_spans(right, room);
    let right_width: usize = right.iter().map(|span| width(&span.content)).sum();
    let gap = usize::from(right_width > 0 && right_width < room);
    let mut spans = fit_spans(left, room.saturating_sub(right_width + gap));
    let left_width: usize = spans.iter().map(|span| width(&span.content)).sum();
    spans.push(Span::raw(" ".repeat(room.saturating_sub(left_width + right_width))));
    spans.extend(right);
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_cells_and_say_so() {
        assert_eq!(fit("checkout", 8), "checkout");
        assert_eq!(fit("checkout", 5), "chec…");
        assert_eq!(fit("支払いが遅い", 12), "支払いが遅い");
        assert_eq!(fit("支払いが遅い", 7), "支払い…");
        assert_eq!(fit("支払いが遅い", 6), "支払…", "half a character is none");
        assert_eq!((fit("ab", 1), fit("ab", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn what_terminals_do_not_agree_on_is_taken_out() {
        assert_eq!(tame("a\nb\u{1b}[2J"), "a b\\u{1b}[2J");
        assert_eq!(tame("👍🏽 ❤\u{fe0f} 🇩🇪"), "👍 ❤ DE");
        assert_eq!(width(&tame("👍🏽")), 2);
    }

    #[test]
    fn texts_are_wrapped_at_spaces_and_long_words_are_broken() {
        assert_eq!(wrap("look at the dashboard", 11, 9), ["look at the", "dashboard"]);
        assert_eq!(wrap("abcdefgh ij", 4, 9), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("one two three four", 5, 2), ["one", "two…"]);
        assert!(wrap("", 5, 2).is_empty());
        assert_eq!(wrap("支払いが遅い", 5, 9), ["支払", "いが", "遅い"]);
    }

    #[test]
    fn the_right_end_of_a_row_is_kept() {
        let text = |line: Line<'_>| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>();
        let row = |left: &'static str, right: &'static str, room| {
            text(super::row(vec![Span::raw(left)], vec![Span::raw(right)], room))
        };
        assert_eq!(row("a step", "1m left", 16), "a step   1m left");
        assert_eq!(row("a long step", "1m left", 16), "a long … 1m left");
        assert_eq!(row("a", "1m left", 4), "1m …");
        assert_eq!(row("a", "", 4), "a   ");
    }
}
