//! A frame: header with the big clock, situation, checklist, log, status and keys; for whatever size there is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::app::Cockpit;
use super::look::{Look, bold, dim, reversed};
use super::panel::{Section, draw_column};
use super::text::{fit, row, tame, width, wrap};
use super::{checklist, digits, keys, overlay, situation};
use crate::event::RunStage;
use crate::ui::board::{ClockRow, EventLine, PhaseRow, View, clock, span};

/// The smallest screen that has room for everything.
pub const SIZE_MIN: (u16, u16) = (80, 24);
/// From how many columns on the log has a column of its own.
const WIDE: u16 = 150;
/// From how many columns on there are two big clocks.
const TWO_CLOCKS: u16 = 110;
/// Rows of the header: the title, and the clock's digits.
const HEADER: u16 = 4;
/// Rows below all: the status and the keys.
const FOOTER: u16 = 2;
/// How many lines an entry of the log may take where it has a column of its own.
const LOG_LINES_MAX: usize = 3;

/// Draws all of `area`.
pub(super) fn frame(cockpit: &Cockpit, look: Look, now_ms: u64, area: Rect, buffer: &mut Buffer) {
    if area.width < SIZE_MIN.0 || area.height < SIZE_MIN.1 {
        too_small(area, buffer);
        look.apply(buffer);
        return;
    }
    header(cockpit, look, now_ms, Rect { height: HEADER, ..area }, buffer);
    let body = Rect { y: area.y + HEADER, height: area.height - HEADER - FOOTER, ..area };
    draw_body(cockpit, look, now_ms, body, buffer);
    let bottom = Rect { y: area.bottom() - FOOTER, height: FOOTER, ..area };
    footer(cockpit, look, now_ms, bottom, buffer);
    if let Some(scrolled) = cockpit.help {
        overlay::help(cockpit, scrolled, body, buffer);
    }
    if let Some(prompt) = &cockpit.prompt {
        overlay::prompt(prompt, look, body, buffer);
    }
    look.apply(buffer);
}

/// Says so, in as many words as there is room for.
fn too_small(area: Rect, buffer: &mut Buffer) {
    let (columns, rows) = SIZE_MIN;
    let text = format!(
        "The cockpit needs {columns} columns and {rows} rows; here are {} and {}. The run goes on: make the window larger, or use \
         `gameday attach --plain` in another one.",
        area.width, area.height
    );
    let lines = wrap(&text, usize::from(area.width), usize::from(area.height));
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        buffer.set_line(area.x, y, &Line::from(fit(line, usize::from(area.width))), area.width);
    }
}

fn draw_body(cockpit: &Cockpit, look: Look, now_ms: u64, body: Rect, buffer: &mut Buffer) {
    let gap = 1;
    let is_wide = body.width >= WIDE;
    let (columns_height, log_height) = if is_wide {
        (body.height, 0)
    } else {
        let log = (body.height / 3).max(5);
        (body.height - log, log)
    };
    let column_count = if is_wide { 3 } else { 2 };
    let column_width = (body.width - gap * (column_count - 1)) / column_count;
    let left = Rect { width: column_width, height: columns_height, ..body };
    let middle = Rect { x: left.right() + gap, width: column_width, ..left };
    let middle = if is_wide { middle } else { Rect { width: body.right() - middle.x, ..middle } };
    draw_column(&situation::sections(cockpit, look, now_ms, usize::from(left.width)), left, buffer);
    checklist::section(cockpit, look, now_ms, usize::from(middle.width)).draw(middle, buffer);
    let log_area = if is_wide {
        Rect { x: middle.right() + gap, width: body.right() - middle.right() - gap, ..left }
    } else {
        Rect { y: body.bottom() - log_height, height: log_height, ..body }
    };
    let lines_max = if is_wide { LOG_LINES_MAX } else { 1 };
    log(cockpit, look, log_area, lines_max).draw(log_area, buffer);
}

fn log(cockpit: &Cockpit, look: Look, area: Rect, lines_max: usize) -> Section {
    let room = usize::from(area.width);
    let newest = cockpit.board.lines().iter().rev().take(usize::from(area.height));
    let mut items: Vec<Vec<Line<'static>>> = newest.map(|line| log_item(line, look, room, lines_max)).collect();
    items.reverse();
    Section { title: "log", items, from_end: true, ..Section::default() }
}

fn log_item(line: &EventLine, look: Look, room: usize, lines_max: usize) -> Vec<Line<'static>> {
    let style = look.of_tone(line.tone);
    let clock = format!("{:>7} ", clock(line.at_ms));
    let indent = width(&clock) + 2;
    let text = wrap(&tame(&line.text), room.saturating_sub(indent), lines_max);
    let text = if text.is_empty() { vec![String::new()] } else { text };
    let mut lines = Vec::new();
    for (at, text) in text.into_iter().enumerate() {
        let start = if at == 0 {
            vec![Span::styled(clock.clone(), dim()), Span::styled(format!("{} ", tame(line.sign)), style)]
        } else {
            vec![Span::raw(" ".repeat(indent))]
        };
        lines.push(row(start.into_iter().chain([Span::styled(text, style)]).collect(), Vec::new(), room));
    }
    lines
}

fn header(cockpit: &Cockpit, look: Look, now_ms: u64, area: Rect, buffer: &mut Buffer) {
    let state = cockpit.board.state();
    let room = usize::from(area.width);
    let title = if state.title.is_empty() { "gameday".to_owned() } else { tame(&state.title) };
    let who = match (&cockpit.sitter.name, cockpit.board.view()) {
        (Some(name), View::Facilitator) => format!(" {} · facilitator ", tame(name)),
        (Some(name), View::Participant) => format!(" {} · participant ", tame(name)),
        (None, View::Facilitator) => " facilitator ".to_owned(),
        (None, View::Participant) => " participant ".to_owned(),
    };
    let left = vec![
        Span::styled(format!(" {title}"), bold()),
        Span::raw(format!(" · {} · {}", tame(&state.environment), tame(&state.run))),
    ];
    let mut title = row(left, vec![Span::raw(who)], room);
    title.spans.iter_mut().for_each(|span| span.style = span.style.patch(reversed()));
    buffer.set_line(area.x, area.y, &title, area.width);
    let row_of_clock = cockpit.board.clock(now_ms);
    let big = clocks(&row_of_clock, area.width >= TWO_CLOCKS, look);
    let big_width = big.iter().map(|row| width(row)).max().unwrap_or(0);
    let room = room.saturating_sub(big_width + 2);
    for (line, y) in about(cockpit, &row_of_clock, look, room).iter().zip(area.y + 1..area.bottom()) {
        buffer.set_line(area.x, y, line, area.width);
    }
    let x = area.right() - u16::try_from(big_width).unwrap_or(area.width).min(area.width);
    for (line, y) in big.iter().zip(area.y + 1..area.bottom()) {
        buffer.set_line(x, y, &Line::from(Span::styled(line.clone(), bold())), area.right() - x);
    }
}

/// The big clocks: how long the phase has lasted, and how long it has left.
fn clocks(row: &ClockRow, has_room: bool, look: Look) -> [String; digits::ROWS] {
    // What is being undone has no time left that means anything.
    let is_on = matches!(row.stage, RunStage::Running | RunStage::Paused);
    let shown: Vec<(&str, u64)> = match row.phase.as_ref().filter(|_| is_on) {
        Some(PhaseRow { elapsed_ms, left_ms: Some(left), .. }) if has_room => {
            vec![("elapsed", *elapsed_ms), ("left", *left)]
        }
        Some(PhaseRow { left_ms: Some(left), .. }) => vec![("left", *left)],
        Some(PhaseRow { elapsed_ms, left_ms: None, .. }) => vec![("elapsed", *elapsed_ms)],
        None => vec![("run", row.now_ms)],
    };
    std::array::from_fn(|at| {
        let parts = shown.iter().map(|(name, millis)| {
            let name = if at == 1 { *name } else { "" };
            let name_width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            if look.has_unicode {
                let rows = digits::big(*millis);
                format!("{name:>name_width$} {}", rows.get(at).cloned().unwrap_or_default())
            } else {
                // Half blocks are no ASCII.
                let text = if at == 1 { clock(*millis) } else { String::new() };
                format!("{name:>name_width$} {text:>8}")
            }
        });
        let parts: Vec<String> = parts.collect();
        format!("{} ", parts.join("   "))
    })
}

/// What stands beside the clock: the stage, the phase, what it waits for or what comes next.
fn about(cockpit: &Cockpit, row_of_clock: &ClockRow, look: Look, room: usize) -> [Line<'static>; digits::ROWS] {
    let now_ms = row_of_clock.now_ms;
    let state = cockpit.board.state();
    let (sign, stage, style) = match row_of_clock.stage {
        RunStage::Starting => ("·", "STARTING".to_owned(), bold()),
        RunStage::Ready => ("✓", "READY".to_owned(), look.good()),
        RunStage::Running => ("▶", "RUNNING".to_owned(), look.good()),
        RunStage::Paused => {
            let since = state.paused_since_ms.map(|since| format!(" for {}", span(now_ms.saturating_sub(since))));
            ("!", format!("PAUSED{}; guardrails are not", since.unwrap_or_default()), look.bad())
        }
        RunStage::Aborting => ("✗", "ABORTING: undoing everything".to_owned(), look.bad()),
        RunStage::Recovering => ("▶", "the timeline is over: undoing what is left".to_owned(), look.warning()),
        RunStage::Settled => ("✓", "all undone; waiting until the system is well".to_owned(), look.good()),
        RunStage::Dirty => ("✗", "NOT everything is undone".to_owned(), look.bad()),
    };
    let stage = vec![Span::styled(format!(" {sign} {stage}"), style)];
    let run_clock = vec![Span::styled(format!("run {}", clock(now_ms)), dim())];
    let first = row(stage, run_clock, room);
    let is_on = matches!(row_of_clock.stage, RunStage::Running | RunStage::Paused);
    let Some(phase) = row_of_clock.phase.as_ref().filter(|_| is_on) else {
        return [first, Line::default(), Line::default()];
    };
    let number = match phase.count {
        Some(count) => format!(" phase {}/{count} ", phase.number),
        None => format!(" phase {} ", phase.number),
    };
    let length = match phase.length_ms {
        Some(length) => format!("{} of {}", clock(phase.elapsed_ms), clock(length)),
        None => clock(phase.elapsed_ms),
    };
    let second = row(vec![Span::raw(number), Span::styled(tame(&phase.name), bold())], vec![Span::raw(length)], room);
    let third = if phase.waits_for.is_empty() {
        let next = cockpit.next(now_ms).into_iter().next();
        let text = next.map(|next| format!(" next in {}: {}", clock(next.in_ms), tame(&next.text)));
        row(vec![Span::raw(text.unwrap_or_default())], Vec::new(), room)
    } else {
        let text = format!(" ! waits for {}", tame(&phase.waits_for.join(", ")));
        row(vec![Span::styled(text, look.warning())], Vec::new(), room)
    };
    [first, second, third]
}

fn footer(cockpit: &Cockpit, look: Look, now_ms: u64, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width);
    if let Some(status) = cockpit.status(now_ms) {
        let text = Span::styled(format!(" {} {}", status.sign, tame(&status.text)), look.of_tone(status.tone));
        buffer.set_line(area.x, area.y, &row(vec![text], Vec::new(), room), area.width);
    }
    let mut spans: Vec<Span<'static>> = vec![Span::raw(" ")];
    let mut used = 1;
    for entry in keys::entries(cockpit.board.view()) {
        let needed = width(entry.name) + 1 + width(entry.label) + 2;
        // A key is shown whole, or in the help alone.
        if used + needed > room {
            break;
        }
        used += needed;
        spans.push(Span::styled(entry.name, bold()));
        spans.push(Span::raw(format!(" {}  ", entry.label)));
    }
    buffer.set_line(area.x, area.y + 1, &Line::from(spans), area.width);
}
