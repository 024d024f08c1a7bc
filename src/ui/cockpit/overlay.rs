//! What lies over the rest: a question, and the help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::app::Cockpit;
use super::editor::Editor;
use super::keys;
use super::look::{Look, bold, dim, reversed};
use super::prompt::Prompt;
use super::text::{fit, row, tame, width, wrap};

/// How wide a box is at most.
const WIDTH_MAX: u16 = 90;
/// How many lines there may be to know before one answers.
const ABOUT_LINES_MAX: usize = 3;

/// A box in the middle of `area`, with a title and lines; what does not fit is left out at its end.
fn draw_box(title: &str, hint: &str, lines: &[Line<'static>], area: Rect, buffer: &mut Buffer) {
    let frame_width = area.width.min(WIDTH_MAX);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    if frame_width < 4 || height < 2 {
        return;
    }
    let x = area.x + (area.width - frame_width) / 2;
    let y = area.y + (area.height - height) / 2;
    let inner = usize::from(frame_width) - 4;
    let edge = |start: &str, text: &str, end: &str| {
        let text = if text.is_empty() { String::new() } else { format!(" {} ", fit(text, inner.saturating_sub(2))) };
        let rule = "─".repeat((inner + 1).saturating_sub(width(&text)));
        Line::from(vec![Span::raw(format!("{start}─")), Span::styled(text, bold()), Span::raw(format!("{rule}{end}"))])
    };
    let content = lines.iter().take(usize::from(height) - 2).map(|line| {
        let mut spans = vec![Span::raw("│ ")];
        spans.extend(row(line.spans.clone(), Vec::new(), inner).spans);
        spans.push(Span::raw(" │"));
        Line::from(spans)
    });
    let all = std::iter::once(edge("┌", title, "┐")).chain(content).chain([edge("└", hint, "┘")]);
    for (line, y) in all.zip(y..) {
        buffer.set_line(x, y, &line, frame_width);
    }
}

/// How wide the text in a box is.
fn inner_width(area: Rect) -> usize {
    usize::from(area.width.min(WIDTH_MAX)).saturating_sub(4)
}

pub(super) fn prompt(prompt: &Prompt, look: Look, area: Rect, buffer: &mut Buffer) {
    let room = inner_width(area);
    let mut lines: Vec<Line<'static>> = Vec::new();
    if prompt.editor.is_some() {
        let about = wrap(&tame(&prompt.about), room, ABOUT_LINES_MAX);
        lines.extend(about.into_iter().map(|line| Line::from(Span::styled(line, dim()))));
    }
    // Of many choices those around the chosen one are shown.
    let choices_max = usize::from(area.height).saturating_sub(lines.len() + 5).max(1);
    let first = if prompt.chosen < choices_max { 0 } else { prompt.chosen + 1 - choices_max };
    for (at, choice) in prompt.choices.iter().enumerate().skip(first).take(choices_max) {
        let is_chosen = prompt.editor.is_none() && at == prompt.chosen;
        let mark = if is_chosen { "▶" } else { " " };
        let number = if at < 9 { format!("{}", at + 1) } else { " ".to_owned() };
        let style = if is_chosen { reversed() } else { ratatui::style::Style::new() };
        lines.push(Line::from(Span::styled(format!("{mark} {number} {}", tame(&choice.label)), style)));
    }
    if prompt.choices.len() > choices_max {
        lines.push(Line::from(Span::styled(format!("  {} in all", prompt.choices.len()), dim())));
    }
    if let Some(editor) = &prompt.editor {
        lines.push(typed(editor, room));
    }
    if let Some(error) = &prompt.error {
        lines.push(Line::from(Span::styled(format!("✗ {}", tame(error)), look.bad())));
    }
    let hint = if prompt.editor.is_some() {
        "Enter sends · Esc leaves"
    } else {
        "↑ ↓ or a number · Enter sends · Esc leaves"
    };
    draw_box(&tame(&prompt.title), hint, &lines, area, buffer);
}

/// The line that is typed, with the cursor in sight.
fn typed(editor: &Editor, room: usize) -> Line<'static> {
    let (before, behind) = editor.parts();
    let (before, behind) = (tame(&before), tame(&behind));
    let (at, rest) = match behind.chars().next() {
        Some(c) => (c.to_string(), behind.chars().skip(1).collect()),
        None => (" ".to_owned(), String::new()),
    };
    // What does not fit is cut at the left, where it was typed long ago.
    let mut start = 0;
    let room = room.saturating_sub(2 + width(&at));
    let shown = |start: usize| before.chars().skip(start).collect::<String>();
    while width(&shown(start)) + usize::from(start > 0) > room {
        start += 1;
    }
    let text = if start > 0 { format!("…{}", shown(start)) } else { before.clone() };
    Line::from(vec![Span::raw("> "), Span::raw(text), Span::styled(at, reversed()), Span::raw(rest)])
}

pub(super) fn help(cockpit: &Cockpit, scrolled: usize, area: Rect, buffer: &mut Buffer) {
    let links = cockpit.sitter.links.iter();
    let mut lines: Vec<Line<'static>> = links.map(|link| Line::from(Span::raw(tame(link)))).collect();
    if !lines.is_empty() {
        lines.push(Line::default());
    }
    lines.extend([Line::from(vec![Span::styled("↑ ↓ j k   ", bold()), Span::raw("choose a step of the checklist")])]);
    lines.extend(keys::entries(cockpit.board.view()).map(|entry| {
        let name = Span::styled(format!("{:<10}", entry.name), bold());
        Line::from(vec![name, Span::raw(quit_text(entry, cockpit.sitter.is_attached))])
    }));
    let control_c = if cockpit.sitter.is_attached {
        "leave this view; the run goes on"
    } else {
        "abort with undo; again: what is left; a third time soon after: leave it undone"
    };
    lines.push(Line::from(vec![Span::styled("Ctrl-C    ", bold()), Span::raw(control_c)]));
    lines.push(Line::from(vec![Span::styled("Ctrl-L    ", bold()), Span::raw("draw everything anew")]));
    let control_z = if cockpit.sitter.is_attached {
        "suspend this view (`fg` brings it back); the run goes on"
    } else {
        "nothing: a run does not stop while its faults may be on"
    };
    lines.push(Line::from(vec![Span::styled("Ctrl-Z    ", bold()), Span::raw(control_z)]));
    let room = usize::from(area.height).saturating_sub(2);
    let from = scrolled.min(lines.len().saturating_sub(room));
    let hint = match (from, lines.len() > from + room) {
        (_, true) => "↓ more · any other key closes",
        (0, false) => "any key closes",
        (_, false) => "↑ back · any other key closes",
    };
    draw_box("keys", hint, lines.get(from..).unwrap_or_default(), area, buffer);
}

fn quit_text(entry: &keys::Entry, is_attached: bool) -> &'static str {
    match (entry.wish, is_attached) {
        (keys::Wish::Quit, true) => "leave this view; the run goes on",
        (keys::Wish::Quit, false) => "end the run, as `x` does: this view lives as long as the run",
        (_, _) => entry.help,
    }
}
