//! The lanes of bars and ticks: faults, alarms, steps for people, and what people said.

use super::lane::{Canvas, overlaps, row_y};
use super::scale::fit;
use super::{AlarmBar, FaultBar, StepBar, Tick, TickKind};

/// How many rows of faults or steps are drawn; the tables have them all.
const ROWS_MAX: usize = 14;
/// How many rows the labels of ticks may fill.
const TICK_ROWS_MAX: usize = 7;
/// The longest label of a tick, as a share of the chart's width.
const TICK_LABEL_SHARE: f64 = 0.45;

const FAULT_ROW: f64 = 24.0;
const STEP_ROW: f64 = 19.0;
const TICK_ROW: f64 = 18.0;

/// Faults: an outline while the effect is not proven, solid from then on, pale while it is undone.
pub(super) fn fault_lane(canvas: &mut Canvas, faults: &[FaultBar]) {
    if faults.is_empty() {
        return;
    }
    canvas.heading("Faults");
    canvas.key(&[
        ("gd-fault-requested", "requested"),
        ("gd-fault-effective", "effect proven"),
        ("gd-fault-undoing", "being undone"),
    ]);
    for fault in faults.iter().take(ROWS_MAX) {
        let y = canvas.y;
        let end_ms = fault.restored_ms.unwrap_or(canvas.length_ms).min(canvas.length_ms);
        let undo_ms = fault.reverting_ms.unwrap_or(end_ms).min(end_ms);
        let proof_ms = fault.effective_ms.unwrap_or(undo_ms).min(undo_ms);
        let parts = [
            ("gd-fault-requested", fault.requested_ms, proof_ms),
            ("gd-fault-effective", proof_ms, undo_ms),
            ("gd-fault-undoing", undo_ms, end_ms),
        ];
        for (class, from_ms, to_ms) in parts {
            if to_ms > from_ms {
                let (from, to) = canvas.span(from_ms, to_ms);
                canvas.svg.rectangle(class, [from, y, to - from, 16.0]);
            }
        }
        let left_behind = fault.restored_ms.is_none();
        let name = if left_behind { format!("{} (not undone)", fault.name) } else { fault.name.clone() };
        let span = canvas.span(fault.requested_ms, end_ms);
        if left_behind {
            canvas.svg.line("gd-open-end", [span.1, y - 2.0, span.1, y + 18.0]);
        }
        canvas.y += FAULT_ROW + bar_name(canvas, &name, span, y + 12.5);
    }
    finish_rows(canvas, faults.len());
}

/// Alarms: solid while in `ALARM`, an outline while nothing is known of them, nothing while they are `OK`.
pub(super) fn alarm_lane(canvas: &mut Canvas, alarms: &[AlarmBar]) {
    if alarms.is_empty() {
        return;
    }
    canvas.heading("Alarms");
    canvas.key(&[("gd-alarm", "in ALARM"), ("gd-alarm-unknown", "insufficient data, or not read")]);
    for alarm in alarms.iter().take(ROWS_MAX) {
        let y = canvas.y;
        let (start, end) = canvas.span(0, canvas.length_ms);
        canvas.svg.line("gd-base", [start, y + 8.0, end, y + 8.0]);
        for (class, times) in [("gd-alarm-unknown", &alarm.unknown_ms), ("gd-alarm", &alarm.alarm_ms)] {
            for (from_ms, to_ms) in times {
                let (from, to) = canvas.span(*from_ms, (*to_ms).min(canvas.length_ms));
                canvas.svg.rectangle(class, [from, y + 2.0, (to - from).max(1.0), 12.0]);
            }
        }
        let shown = alarm.alarm_ms.iter().chain(&alarm.unknown_ms);
        let last_ms = shown.map(|(_, to_ms)| (*to_ms).min(canvas.length_ms)).max().unwrap_or_default();
        let first_ms =
            alarm.alarm_ms.iter().chain(&alarm.unknown_ms).map(|(from_ms, _)| *from_ms).min().unwrap_or_default();
        let span = canvas.span(first_ms, last_ms);
        canvas.y += FAULT_ROW + bar_name(canvas, &alarm.name, span, y + 12.5);
    }
    finish_rows(canvas, alarms.len());
}

/// Steps: a bar from opening to closing, a tick where it was due, the part behind it marked as late.
pub(super) fn step_lane(canvas: &mut Canvas, steps: &[StepBar]) {
    if steps.is_empty() {
        return;
    }
    canvas.heading("Checklist and playbook steps");
    canvas.key(&[("gd-step", "open until done"), ("gd-due", "due"), ("gd-late", "overdue")]);
    for step in steps.iter().take(ROWS_MAX) {
        let y = canvas.y;
        let end_ms = step.closed_ms.unwrap_or(canvas.length_ms).min(canvas.length_ms);
        let (from, to) = canvas.span(step.opened_ms, end_ms);
        canvas.svg.rectangle("gd-step", [from, y + 2.0, to - from, 9.0]);
        if let Some(due_ms) = step.due_ms.filter(|due_ms| *due_ms <= canvas.length_ms) {
            let due = canvas.time.at_ms(due_ms);
            if step.late.is_some() && to > due {
                canvas.svg.rectangle("gd-late", [due, y + 2.0, to - due, 9.0]);
            }
            canvas.svg.line("gd-due", [due, y - 1.0, due, y + 14.0]);
        }
        let name = match (&step.late, step.closed_ms) {
            (Some(late), Some(_)) => format!("{}: {late} late", step.name),
            (Some(late), None) => format!("{}: {late} late, still open", step.name),
            (None, Some(_)) => step.name.clone(),
            (None, None) => format!("{}: still open", step.name),
        };
        let due_end = step.due_ms.map_or(to, |due_ms| canvas.time.at_ms(due_ms.min(canvas.length_ms)).max(to));
        canvas.y += STEP_ROW + bar_name(canvas, &name, (from, due_end), y + 11.0);
    }
    finish_rows(canvas, steps.len());
}

fn finish_rows(canvas: &mut Canvas, count: usize) {
    canvas.y += 2.0;
    if count > ROWS_MAX {
        let text = format!("{} more are in the table", count - ROWS_MAX);
        canvas.svg.text("gd-key", [canvas.layout.left, canvas.y + 11.0], "start", &text);
        canvas.y += 18.0;
    }
}

/// A bar's name: behind it, before it, or below it, wherever there is room first. Returns the height that it adds.
fn bar_name(canvas: &mut Canvas, name: &str, (from, to): (f64, f64), base: f64) -> f64 {
    const BELOW: f64 = 15.0;
    let width = canvas.text_width(name);
    let (left, right) = (2.0, canvas.layout.right);
    let (x, y, anchor) = if to + 8.0 + width <= right {
        (to + 6.0, base, "start")
    } else if from - 8.0 - width >= left {
        (from - 6.0, base, "end")
    } else {
        (right, base + BELOW, "end")
    };
    let name = fit(name, canvas.layout.font, right - left);
    canvas.svg.text("gd-bar-name", [x, y], anchor, &name);
    y - base
}

/// Marks, notes and messages, each label in the first row that has room for it.
pub(super) fn tick_lane(canvas: &mut Canvas, ticks: &[Tick]) {
    if ticks.is_empty() {
        return;
    }
    canvas.heading("Marks, notes and messages");
    let top = canvas.y;
    let mut rows: Vec<Vec<(f64, f64)>> = Vec::new();
    for tick in ticks {
        let x = canvas.time.at_ms(tick.at_ms);
        let text = fit(&tick.label, canvas.layout.font, canvas.layout.width * TICK_LABEL_SHARE);
        let width = canvas.text_width(&text);
        let turned = x + 10.0 + width > canvas.layout.width;
        let labelled = if turned { (x - 10.0 - width, x + 6.0) } else { (x - 6.0, x + 10.0 + width) };
        let place = free_row(&mut rows, labelled);
        // Where no row has room for the label, the shape stands alone in the last one; the table has its words.
        let (row, has_label) = place.map_or((TICK_ROWS_MAX - 1, false), |row| (row, true));
        let y = row_y(top, row, TICK_ROW);
        symbol(canvas, tick.kind, x, y + 8.0);
        if has_label {
            let (anchor, at) = if turned { ("end", x - 8.0) } else { ("start", x + 8.0) };
            canvas.svg.text("gd-tick-name", [at, y + 12.0], anchor, &text);
        }
    }
    canvas.y = row_y(top, rows.len(), TICK_ROW) + 4.0;
}

fn free_row(rows: &mut Vec<Vec<(f64, f64)>>, wanted: (f64, f64)) -> Option<usize> {
    let found = rows.iter().position(|row| row.iter().all(|taken| !overlaps(*taken, wanted)));
    let row = match found {
        Some(row) => row,
        None if rows.len() < TICK_ROWS_MAX => {
            rows.push(Vec::new());
            rows.len() - 1
        }
        None => return None,
    };
    rows.get_mut(row)?.push(wanted);
    Some(row)
}

fn symbol(canvas: &mut Canvas, kind: TickKind, x: f64, y: f64) {
    match kind {
        TickKind::Mark => polygon(canvas, "gd-mark", &[(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)]),
        TickKind::Note => {
            canvas.svg.element("circle", "gd-note").number("cx", x).number("cy", y).number("r", 4.0).empty();
        }
        TickKind::Inject => polygon(canvas, "gd-inject", &[(x - 5.0, y + 4.5), (x + 5.0, y + 4.5), (x, y - 5.0)]),
        TickKind::Trouble => {
            canvas.svg.line("gd-trouble", [x - 4.5, y - 4.5, x + 4.5, y + 4.5]);
            canvas.svg.line("gd-trouble", [x - 4.5, y + 4.5, x + 4.5, y - 4.5]);
        }
    }
}

fn polygon(canvas: &mut Canvas, class: &str, corners: &[(f64, f64)]) {
    let mut path = String::new();
    for (index, (x, y)) in corners.iter().enumerate() {
        super::svg::point_into(&mut path, if index == 0 { 'M' } else { 'L' }, *x, *y);
    }
    path.push('Z');
    canvas.svg.path(class, &path);
}
