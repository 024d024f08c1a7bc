//! The checklist: open steps with their time, the chosen one in full, then those that are closed.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::app::Cockpit;
use super::look::{Look, bold, dim, reversed};
use super::panel::Section;
use super::text::{row, tame, wrap};
use crate::event::{StepOutcome, StepTime};
use crate::ui::board::{PollRow, StepRow, clock, span};
use crate::unit::plural;

/// How many lines the text of the chosen step may take.
const TEXT_LINES_MAX: usize = 4;

pub(super) fn section(cockpit: &Cockpit, look: Look, now_ms: u64, room: usize) -> Section {
    let steps = cockpit.board.steps(now_ms);
    let chosen = cockpit.chosen_step(now_ms).map(|step| step.step);
    let is_chosen = |step: &StepRow| step.outcome.is_none() && chosen.as_deref() == Some(&step.step);
    let focus = steps.iter().position(is_chosen).unwrap_or(0);
    let items: Vec<Vec<Line<'static>>> = steps
        .iter()
        .map(|step| match &step.outcome {
            Some(outcome) => closed_item(step, outcome, look, room),
            None => open_item(step, is_chosen(step), look, room),
        })
        .collect();
    let open = steps.iter().filter(|step| step.outcome.is_none());
    let (open, overdue) = open.fold((0, 0), |(open, overdue), step| {
        (open + 1, overdue + usize::from(matches!(step.time, StepTime::Overdue(_))))
    });
    let note = match (steps.is_empty(), overdue) {
        (true, _) => "no step yet".to_owned(),
        (false, 0) => format!("{open} open"),
        (false, _) => format!("{open} open, {overdue} OVERDUE"),
    };
    Section { title: "checklist", note, items, focus, from_end: false }
}

/// How near the end of a step's time is, in words.
fn time(step: &StepRow, look: Look) -> Span<'static> {
    match step.time {
        StepTime::Untimed if step.asks.within.is_some() => Span::styled("not counted yet", dim()),
        StepTime::Untimed => Span::raw(""),
        StepTime::Due(left) => Span::raw(format!("{} left", span(left))),
        StepTime::Soon(left) => Span::styled(format!("! soon: {} left", span(left)), look.warning()),
        StepTime::Overdue(late) => Span::styled(format!("✗ OVERDUE {}", span(late)), look.bad()),
    }
}

fn open_item(step: &StepRow, is_chosen: bool, look: Look, room: usize) -> Vec<Line<'static>> {
    let must = if step.must { Span::styled("MUST ", bold()) } else { Span::raw("") };
    let sign = if step.polls.is_empty() { "☐ " } else { "? " };
    let mut lines = Vec::new();
    if is_chosen {
        let head = vec![Span::styled(format!("▶{sign}"), bold()), must, Span::styled(tame(&step.step), bold())];
        let mut head = row(head, vec![time(step, look)], room);
        head.spans.iter_mut().for_each(|span| span.style = span.style.patch(reversed()));
        lines.push(head);
        let text = wrap(&tame(&step.text), room.saturating_sub(3), TEXT_LINES_MAX);
        lines.extend(text.into_iter().map(|line| row(vec![Span::raw(format!("   {line}"))], Vec::new(), room)));
        if let Some(details) = details(step) {
            let details = wrap(&details, room.saturating_sub(3), 2);
            lines.extend(
                details.into_iter().map(|line| row(vec![Span::styled(format!("   {line}"), dim())], Vec::new(), room)),
            );
        }
    } else {
        let text = Span::raw(tame(&step.text));
        lines.push(row(vec![Span::raw(format!(" {sign}")), must, text], vec![time(step, look)], room));
    }
    if !step.polls.is_empty() {
        lines.push(row(votes(&step.polls, look), Vec::new(), room));
    }
    lines
}

/// Who does it, and what else it asks for.
fn details(step: &StepRow) -> Option<String> {
    let parts = [
        step.owner.as_ref().map(|owner| format!("for {owner}")),
        step.asks.evidence.map(|evidence| format!("asks for {}", evidence.in_words())),
        step.asks.needs.as_ref().map(|role| format!("needs {role} to agree")),
        step.asks.within.as_ref().map(|within| format!("within {within}")),
        step.playbook.as_ref().map(|playbook| format!("of {playbook}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| tame(&part)).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// What each role that is asked has said.
fn votes(polls: &[PollRow], look: Look) -> Vec<Span<'static>> {
    let gone = polls.iter().filter(|poll| poll.go.is_some()).count();
    let mut spans = vec![Span::styled(format!("   {gone} of {}: ", plural(polls.len(), "vote", "votes")), dim())];
    for (at, poll) in polls.iter().enumerate() {
        let (text, style) = match poll.go {
            Some(true) => (format!("✓ {} go", poll.role), look.good()),
            Some(false) => (format!("✗ {} NO-GO", poll.role), look.bad()),
            None => (format!("· {}", poll.role), Style::new()),
        };
        let gap = if at == 0 { "" } else { "  " };
        spans.push(Span::styled(format!("{gap}{}", tame(&text)), style));
    }
    spans
}

fn closed_item(step: &StepRow, outcome: &StepOutcome, look: Look, room: usize) -> Vec<Line<'static>> {
    let (sign, word, style) = match outcome {
        StepOutcome::Done => ("✓", "done", look.good()),
        StepOutcome::Skipped { .. } => ("–", "skipped", dim()),
        StepOutcome::Rehearsed => ("–", "rehearsed", dim()),
        StepOutcome::NoGo => ("✗", "NO-GO", look.bad()),
        StepOutcome::LeftOpen => ("–", "left open", dim()),
    };
    let by = step.by.as_ref().map(|by| format!(" {}", tame(by))).unwrap_or_default();
    let at = step.closed_ms.map(clock).unwrap_or_default();
    let left = vec![Span::styled(format!(" {sign} "), style), Span::styled(tame(&step.text), dim())];
    vec![row(left, vec![Span::styled(format!("{word}{by} {at}"), style)], room)]
}
