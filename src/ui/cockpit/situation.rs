//! What the system does: loads, faults, guardrails, alarms, and what comes next.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::app::Cockpit;
use super::look::{Look, bold, dim};
use super::panel::Section;
use super::text::{fit, row, tame, width};
use crate::event::FaultState;
use crate::ui::board::{FaultRow, GuardrailRow, LoadRow, Point, View, clock, span};

/// From a second with hardly anything to the highest one.
const HEIGHTS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// How many of [`HEIGHTS`] stay below a bound: what is above is always the full block.
const HEIGHTS_WITHIN: f64 = 6.0;
/// How wide a sparkline is at most: the seconds that are kept one by one.
const SPARKLINE_WIDTH_MAX: usize = 60;
/// How near a guardrail is to its limit when that is worth a word.
const NEAR: f64 = 0.8;
/// What is said of a value beyond its bound.
const OVER: &str = "✗ OVER";
/// How wide bars are.
const BAR_WIDTH: usize = 10;
/// How many things that come next are shown.
const NEXT_MAX: usize = 8;

/// The sections, the most important first.
pub(super) fn sections(cockpit: &Cockpit, look: Look, now_ms: u64, room: usize) -> Vec<Section> {
    let all = [
        loads(cockpit, look, room),
        faults(cockpit, look, now_ms, room),
        guardrails(cockpit, look, room),
        alarms(cockpit, look, room),
        next(cockpit, now_ms, room),
        to_give(cockpit, room),
    ];
    all.into_iter().flatten().collect()
}

fn loads(cockpit: &Cockpit, look: Look, room: usize) -> Option<Section> {
    let board = &cockpit.board;
    let rows = board.loads();
    let items: Vec<Vec<Line<'static>>> = rows
        .iter()
        .map(|load| {
            let series = board.series().iter().find(|(id, _)| id.as_str() == load.load);
            let points: Vec<Point> = series.map(|(_, series)| series.recent().copied().collect()).unwrap_or_default();
            load_item(load, &points, look, room)
        })
        .collect();
    let (items, note) = match (items.is_empty(), board.is_open()) {
        (false, _) => (items, String::new()),
        (true, true) if board.plan().loads.is_empty() => return None,
        (true, true) => (Vec::new(), "none runs".to_owned()),
        (true, false) => return None,
    };
    Some(Section { title: "load", note, items, ..Section::default() })
}

fn load_item(load: &LoadRow, points: &[Point], look: Look, room: usize) -> Vec<Line<'static>> {
    let target = if load.is_rate { format!("{:.0}/s asked", load.target) } else { format!("{:.0} users", load.target) };
    let (state, state_style) = match (load.is_paused, load.doubts.is_empty()) {
        (true, _) => ("PAUSED".to_owned(), look.warning()),
        (false, false) => (format!("doubtful: {}", load.doubts.join(", ")), look.warning()),
        (false, true) => (String::new(), Style::new()),
    };
    let head = vec![Span::styled(tame(&load.load), bold()), Span::raw(format!(" {target} · {}/s got", load.achieved))];
    let errors = Gauge {
        name: "errors",
        value: load.error_ratio.map(|ratio| percent(ratio * 100.0)),
        bound: load.error_bound.map(|bound| percent(bound * 100.0)),
        is_over: is_over(load.error_ratio, load.error_bound),
    };
    let latency = Gauge {
        name: "p99",
        value: load.p99_ms.map(millis),
        bound: load.p99_bound_ms.map(millis),
        is_over: is_over(load.p99_ms, load.p99_bound_ms),
    };
    let error_points: Vec<Option<f64>> = points.iter().map(Point::error_ratio).collect();
    let latency_points: Vec<Option<f64>> = points.iter().map(|point| point.p99_ms).collect();
    vec![
        row(head, vec![Span::styled(state, state_style)], room),
        errors.line(&error_points, load.error_bound, look, room),
        latency.line(&latency_points, load.p99_bound_ms, look, room),
    ]
}

fn is_over(value: Option<f64>, bound: Option<f64>) -> bool {
    value.zip(bound).is_some_and(|(value, bound)| value > bound)
}

fn percent(percent: f64) -> String {
    let text = if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") };
    format!("{} %", text.trim_end_matches(".0"))
}

fn millis(millis: f64) -> String {
    if millis < 10_000.0 { format!("{millis:.0} ms") } else { format!("{:.1} s", millis / 1_000.0) }
}

/// A value with its bound and its last seconds.
struct Gauge {
    name: &'static str,
    value: Option<String>,
    bound: Option<String>,
    is_over: bool,
}

impl Gauge {
    fn line(&self, points: &[Option<f64>], bound: Option<f64>, look: Look, room: usize) -> Line<'static> {
        let value = self.value.clone().unwrap_or_else(|| "–".to_owned());
        let bound_text = self.bound.as_ref().map(|bound| format!(" ≤{bound}")).unwrap_or_default();
        let (word, style) = match (self.is_over, self.bound.is_some()) {
            (true, _) => (OVER, look.bad()),
            (false, true) => ("✓", look.good()),
            (false, false) => ("", Style::new()),
        };
        let left = format!("  {:<6} {value:>7}", self.name);
        // One cell each behind the bound and the word.
        let text_width = width(&left) + width(&bound_text).max(9) + 1 + width(OVER) + 1;
        let bars_room = room.saturating_sub(text_width).min(SPARKLINE_WIDTH_MAX);
        let padded = format!("{bound_text:<9} ");
        let spans = vec![Span::raw(left), Span::styled(padded, dim()), Span::styled(word, style)];
        row(spans, sparkline(points, bound, look, bars_room), room)
    }
}

/// The newest seconds, at most `room`, the newest last: those above the bound are full blocks and bold, all others stay below.
fn sparkline(points: &[Option<f64>], bound: Option<f64>, look: Look, room: usize) -> Vec<Span<'static>> {
    let shown = points.get(points.len().saturating_sub(room)..).unwrap_or_default();
    let highest = shown.iter().flatten().copied().fold(0.0, f64::max);
    let mut bars: Vec<Span<'static>> = vec![Span::raw(" ".repeat(room.saturating_sub(shown.len())))];
    bars.extend(shown.iter().map(|point| match (point, bound) {
        (None, _) => Span::raw(" "),
        (Some(value), Some(bound)) if *value > bound => Span::styled("█", look.bad()),
        (Some(value), Some(bound)) => {
            Span::styled(block(value / bound.max(f64::MIN_POSITIVE), HEIGHTS_WITHIN), look.good())
        }
        (Some(value), None) => Span::styled(block(value / highest.max(f64::MIN_POSITIVE), 8.0), look.good()),
    }));
    bars
}

/// A block for a share from 0 to 1 of `heights`.
fn block(share: f64, heights: f64) -> &'static str {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the heights that there are"
    )]
    let at = (share.clamp(0.0, 1.0) * heights).ceil().max(1.0) as usize;
    HEIGHTS.get(at - 1).copied().unwrap_or(" ")
}

/// A bar of a share from 0 to 1.
fn bar(share: f64, style: Style) -> Vec<Span<'static>> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to a bar's width"
    )]
    let full = (share.clamp(0.0, 1.0) * BAR_WIDTH as f64).round() as usize;
    vec![Span::styled("█".repeat(full), style), Span::styled("░".repeat(BAR_WIDTH - full), dim())]
}

fn faults(cockpit: &Cockpit, look: Look, now_ms: u64, room: usize) -> Option<Section> {
    let board = &cockpit.board;
    let rows = board.faults(now_ms);
    if rows.is_empty() && (!board.is_open() || board.plan().changes.is_empty()) {
        return None;
    }
    let note = if rows.is_empty() { "none is on".to_owned() } else { format!("{} on", rows.len()) };
    let items = rows.iter().map(|fault| fault_item(fault, look, now_ms, room)).collect();
    Some(Section { title: "faults", note, items, ..Section::default() })
}

fn fault_item(fault: &FaultRow, look: Look, now_ms: u64, room: usize) -> Vec<Line<'static>> {
    let (word, style) = match fault.state {
        None => ("on the table", look.bad()),
        Some(FaultState::Intended | FaultState::Armed) => ("going in", look.warning()),
        Some(FaultState::Applied) => ("in, no proof yet", look.warning()),
        Some(FaultState::Effective) => ("in, proven", look.bad()),
        Some(FaultState::Reverting) => ("being undone", look.warning()),
        Some(FaultState::Restored) => ("undone", look.good()),
        Some(FaultState::Drifted) => ("CHANGED BY OTHERS", look.bad()),
        Some(FaultState::Stuck) => ("NOT UNDONE", look.bad()),
    };
    let head = vec![
        Span::styled("↯ ", look.bad()),
        Span::styled(tame(&fault.fault), bold()),
        Span::raw(format!(" on {}", tame(&fault.target))),
    ];
    let mut spans = vec![Span::raw("  ")];
    match (fault.left_ms, fault.length_ms) {
        (Some(left), Some(length)) if length > 0 => {
            #[expect(clippy::cast_precision_loss, reason = "a bar needs no more digits than a float has")]
            spans.extend(bar(left as f64 / length as f64, look.bad()));
            spans.push(Span::raw(format!(" {} left", span(left))));
        }
        _ => {
            let since = fault.since_ms.map(|since| span(now_ms.saturating_sub(since)));
            spans.push(Span::raw(
                since.map_or("not in yet".to_owned(), |since| format!("on for {since}, no time limit")),
            ));
        }
    }
    spans.push(Span::styled(format!("  {}", tame(&fault.change)), dim()));
    vec![row(head, vec![Span::styled(word, style)], room), row(spans, Vec::new(), room)]
}

fn guardrails(cockpit: &Cockpit, look: Look, room: usize) -> Option<Section> {
    let rows = cockpit.board.guardrails();
    let items: Vec<Vec<Line<'static>>> = rows.iter().map(|row| guardrail_item(row, look, room)).collect();
    let note = "to the limit".to_owned();
    (!items.is_empty()).then(|| Section { title: "guardrails", note, items, ..Section::default() })
}

fn guardrail_item(guardrail: &GuardrailRow, look: Look, room: usize) -> Vec<Line<'static>> {
    let name = Span::styled(format!("{} ", fit(&tame(&guardrail.guardrail), 12)), bold());
    let text = match &guardrail.reading {
        Some(reading) => format!(" {}; ends the run if {}", tame(reading), tame(&guardrail.limit)),
        None => format!(" ends the run if {}", tame(&guardrail.limit)),
    };
    let Some(nearness) = guardrail.nearness else {
        return vec![row(vec![name, Span::raw(text.trim_start().to_owned())], Vec::new(), room)];
    };
    let (word, style) = match nearness {
        it if it >= 1.0 => ("! AT LIMIT", look.bad()),
        it if it >= NEAR => ("! NEAR", look.warning()),
        _ => ("", look.good()),
    };
    let mut spans = vec![name];
    spans.extend(bar(nearness, style));
    spans.push(Span::raw(format!(" {:.0} %", nearness * 100.0)));
    spans.push(Span::styled(text, dim()));
    vec![row(spans, vec![Span::styled(word, style)], room)]
}

fn alarms(cockpit: &Cockpit, look: Look, room: usize) -> Option<Section> {
    let board = &cockpit.board;
    let mut items: Vec<Vec<Line<'static>>> = board
        .alarms()
        .into_iter()
        .map(|alarm| {
            let since = alarm.since_ms.map_or("before the run".to_owned(), clock);
            let name = vec![Span::styled("◉ ", look.bad()), Span::styled(tame(&alarm.alarm), look.bad())];
            vec![row(name, vec![Span::raw(format!("since {since}"))], room)]
        })
        .collect();
    if let Some(why) = &board.state().alarms_unread {
        let text = format!("! can not be read: {}", tame(why));
        items.push(vec![row(vec![Span::styled(text, look.warning())], Vec::new(), room)]);
    }
    (!items.is_empty()).then(|| Section { title: "in ALARM", items, ..Section::default() })
}

fn next(cockpit: &Cockpit, now_ms: u64, room: usize) -> Option<Section> {
    let rows = cockpit.next(now_ms);
    let item = |next: &crate::ui::board::NextRow| {
        let when = Span::styled(format!("in {:>6}  ", clock(next.in_ms)), bold());
        vec![row(vec![when, Span::raw(tame(&next.text))], Vec::new(), room)]
    };
    let items: Vec<Vec<Line<'static>>> = rows.iter().take(NEXT_MAX).map(item).collect();
    (!items.is_empty()).then(|| Section { title: "next", items, ..Section::default() })
}

/// What whoever runs the game day can still give by key.
fn to_give(cockpit: &Cockpit, room: usize) -> Option<Section> {
    let board = &cockpit.board;
    if board.view() != View::Facilitator {
        return None;
    }
    let line = |key: &'static str, name: String, text: &str| {
        let name = Span::styled(format!("{key} {} ", tame(&name)), bold());
        vec![row(vec![name, Span::raw(tame(text))], Vec::new(), room)]
    };
    let injects = board.injects().into_iter().filter(|inject| inject.delivered_ms.is_none());
    let injects = injects.map(|it| line("i", format!("{} to {}", it.inject, it.to), &it.text));
    let hints = board.hints().into_iter().filter(|hint| hint.given_ms.is_none());
    let hints = hints.map(|it| line("h", it.hint, &it.text));
    let items: Vec<Vec<Line<'static>>> = injects.chain(hints).collect();
    (!items.is_empty()).then(|| Section { title: "ready to give", items, ..Section::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { has_colours: true, has_many_colours: true, has_unicode: true };

    fn text(spans: &[Span<'_>]) -> String {
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn a_bound_is_seen_in_a_sparkline_without_its_colour() {
        let points = [Some(10.0), Some(100.0), Some(101.0), None, Some(900.0), Some(0.0)];
        assert_eq!(text(&sparkline(&points, Some(100.0), LOOK, 6)), "▁▆█ █▁");
        assert_eq!(text(&sparkline(&points, None, LOOK, 8)), "  ▁▁▁ █▁");
        assert_eq!(text(&sparkline(&points, Some(100.0), LOOK, 2)), "█▁");
        assert_eq!(text(&sparkline(&[Some(0.2)], Some(0.0), LOOK, 1)), "█", "a bound may be nothing");
    }

    #[test]
    fn a_value_above_its_bound_is_told_by_sign_and_word() {
        let gauge = |value: f64| {
            let gauge = Gauge {
                name: "p99",
                value: Some(millis(value)),
                bound: Some(millis(300.0)),
                is_over: is_over(Some(value), Some(300.0)),
            };
            text(&gauge.line(&[], Some(300.0), LOOK, 39).spans)
        };
        assert_eq!(gauge(299.0).trim_end(), "  p99     299 ms ≤300 ms  ✓");
        assert_eq!(gauge(1_200.0).trim_end(), "  p99    1200 ms ≤300 ms  ✗ OVER");
    }

    #[test]
    fn bars_are_full_only_at_their_end() {
        assert_eq!(text(&bar(0.0, Style::new())), "░".repeat(10));
        assert_eq!(text(&bar(0.5, Style::new())), "█████░░░░░");
        assert_eq!(text(&bar(7.0, Style::new())), "█".repeat(10));
    }

    #[test]
    fn numbers_have_no_more_digits_than_they_need() {
        assert_eq!([percent(0.0), percent(0.44), percent(12.3)], ["0 %", "0.4 %", "12 %"]);
        assert_eq!([millis(8.2), millis(12_340.0)], ["8 ms", "12.3 s"]);
    }
}
