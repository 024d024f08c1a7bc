//! The status block below the lines: phase, load, faults, open steps.

use std::collections::BTreeMap;

use console::{measure_text_width, style, truncate_str};

use super::bars::Bars;
use crate::event::{LoadProgress, LoadSecond, RunStage, RunState};
use crate::plan::Plan;
use crate::ui::board::{clock, span};
use crate::unit::{AlarmState, LoadId, TEXT_CHARS_MAX, elapsed_ms, printable_line, users};

/// How many open steps are shown.
const STEPS_SHOWN_MAX: usize = 3;
/// How wide a line is where the terminal does not say.
const WIDTH_DEFAULT: u16 = 80;

/// The block at `now_ms`, each line cut to the terminal's width.
pub(super) fn block(state: &RunState, plan: &Plan, bars: &BTreeMap<LoadId, Bars>, now_ms: u64) -> String {
    let width = usize::from(console::Term::stderr().size_checked().map_or(WIDTH_DEFAULT, |(_, columns)| columns));
    let width = width.saturating_sub(1);
    let mut lines = vec![headline(state, plan, now_ms)];
    for (id, load) in state.loads.iter().filter(|(_, load)| load.end_ms.is_none()) {
        let Some(text) = live_text(load, plan, now_ms, width) else { continue };
        let left = width.saturating_sub(measure_text_width(&text) + 1);
        let bars = bars.get(id).map(|bars| bars.draw(left)).unwrap_or_default();
        lines.push(format!("{text} {bars}"));
    }
    let active: Vec<String> =
        state.faults.iter().filter(|fault| fault.is_active()).map(|fault| fault.identity.fault.to_string()).collect();
    if !active.is_empty() {
        lines.push(format!("      {} {}", style("faults:").for_stderr().magenta(), active.join(", ")));
    }
    let in_alarm = state.alarms.iter().filter(|(_, state)| **state == AlarmState::Alarm);
    let in_alarm: Vec<String> = in_alarm.map(|(alarm, _)| printable_line(alarm, TEXT_CHARS_MAX)).collect();
    if !in_alarm.is_empty() {
        lines.push(format!("      {} {}", style("in ALARM:").for_stderr().red(), in_alarm.join(", ")));
    }
    if state.alarms_unread.is_some() {
        lines.push(format!("      {}", style("alarms can not be read").for_stderr().yellow()));
    }
    for (guardrail, reading) in &state.guardrails {
        let reading = printable_line(reading, TEXT_CHARS_MAX);
        lines.push(format!("      {} {reading}", style(format!("guardrail {guardrail}:")).for_stderr().dim()));
    }
    for step in state.steps.iter().filter(|step| step.outcome.is_none()).take(STEPS_SHOWN_MAX) {
        let timer = match step.due_ms {
            Some(due) if due <= now_ms => {
                style(format!("overdue {}", span(now_ms - due))).for_stderr().red().to_string()
            }
            Some(due) => format!("{} left", span(due - now_ms)),
            None => "no limit".to_owned(),
        };
        lines.push(format!("      ☐ {}: {} ({timer})", step.step, printable_line(&step.text, TEXT_CHARS_MAX)));
    }
    let cut: Vec<String> = lines.iter().map(|line| truncate_str(line, width, "…").into_owned()).collect();
    cut.join("\n")
}

fn headline(state: &RunState, plan: &Plan, now_ms: u64) -> String {
    let clock = style(clock(now_ms)).for_stderr().dim();
    let stage = match state.stage {
        RunStage::Aborting => style("aborting: undoing everything".to_owned()).for_stderr().red().bold(),
        RunStage::Recovering => style("undoing what is left".to_owned()).for_stderr().bold(),
        RunStage::Settled => style("undone; waiting for the system to be well again".to_owned()).for_stderr().bold(),
        RunStage::Dirty => style("NOT everything is undone".to_owned()).for_stderr().red().bold(),
        RunStage::Starting | RunStage::Ready => style("starting".to_owned()).for_stderr().bold(),
        RunStage::Running | RunStage::Paused => {
            let pause = if state.stage == RunStage::Paused { " (paused)" } else { "" };
            style(format!("{}{pause}", phase_text(state, plan, now_ms))).for_stderr().bold()
        }
    };
    format!("{clock} {stage}")
}

fn phase_text(state: &RunState, plan: &Plan, now_ms: u64) -> String {
    let Some(phase) = state.current_phase() else { return "between phases".to_owned() };
    let length_ms = plan
        .phases
        .iter()
        .find(|planned| planned.phase == phase.phase)
        .map_or(0, |planned| crate::unit::elapsed_ms(planned.length.0));
    let number = state.phases.len();
    let left_ms = (phase.start_ms + length_ms).saturating_sub(now_ms);
    format!("phase {number}/{} {} · {} left", plan.phases.len(), phase.phase, span(left_ms))
}

/// What a load that runs was doing in its last second, and how long its shape goes on: as much as `width` has room for, the most
/// important first.
fn live_text(load: &LoadProgress, plan: &Plan, now_ms: u64, width: usize) -> Option<String> {
    let second = load.last.as_ref()?;
    let words = LoadWords::of(second, plan);
    let paused = load.is_paused.then(|| style("paused").for_stderr().yellow().to_string());
    let end_ms = plan.loads.get(&second.load).map(|spec| load.start_ms + elapsed_ms(spec.shape().end()));
    let left = end_ms.map(|end_ms| format!("{} left", span(end_ms.saturating_sub(now_ms))));
    let LoadWords { done, failed, doubts, p50, p99, in_flight, target } = words;
    let parts = [paused, Some(done), Some(failed), doubts, p99, left, p50, Some(in_flight)];
    let text = format!("      {}: {target}", second.load);
    Some(parts.into_iter().flatten().fold(text, |text, part| {
        let longer = format!("{text} · {part}");
        if measure_text_width(&longer) <= width { longer } else { text }
    }))
}

/// What is said of a second of a load, in pieces.
struct LoadWords {
    target: String,
    done: String,
    p50: Option<String>,
    p99: Option<String>,
    failed: String,
    in_flight: String,
    doubts: Option<String>,
}

impl LoadWords {
    fn of(second: &LoadSecond, plan: &Plan) -> Self {
        let all = second.ok_count + second.failed_count;
        let failed = if second.failed_count == 0 {
            "no errors".to_owned()
        } else {
            let percent = second.failed_count * 100 / all;
            style(format!("{} of {all} failed ({percent} %)", second.failed_count)).for_stderr().red().to_string()
        };
        let time = |name: &str, millis: Option<f64>| millis.map(|millis| format!("{name} {millis:.0} ms"));
        let is_open = plan.loads.get(&second.load).is_some_and(|load| load.is_open());
        let doubts = match (second.not_sent_count, second.doubts.is_empty()) {
            (0, true) => None,
            (0, false) => Some(style("this machine is too slow".to_owned()).for_stderr().yellow().to_string()),
            (count, _) => Some(style(format!("{count} NOT sent")).for_stderr().red().to_string()),
        };
        Self {
            target: if is_open { format!("{:.0}/s asked", second.target) } else { users(second.target) },
            done: format!("{all}/s"),
            p50: time("p50", second.p50_ms),
            p99: time("p99", second.p99_ms),
            failed,
            in_flight: format!("{} in flight", second.in_flight_count),
            doubts,
        }
    }
}

fn load_text(second: &LoadSecond, plan: &Plan) -> String {
    let LoadWords { target, done, p50, p99, failed, in_flight, doubts } = LoadWords::of(second, plan);
    let parts = [Some(target), Some(done), p50, p99, Some(failed), Some(in_flight), doubts];
    format!("{}: {}", second.load, parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}

/// How a load is doing, as a line of its own.
pub(super) fn load_line(elapsed_ms: u64, second: &LoadSecond, plan: &Plan) -> String {
    let clock = style(clock(elapsed_ms)).for_stderr().dim();
    format!("{clock} {} {}", style("·").for_stderr().dim(), load_text(second, plan))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind};
    use crate::plan::testing::Sketch;
    use crate::scenario::Mode;

    #[test]
    fn no_text_of_a_scenario_gets_to_the_terminal_as_it_is() {
        let hostile = || "odd\n\u{1b}[2J".to_owned();
        let opened = EventKind::StepOpened {
            step: "claim".parse().unwrap(),
            text: hostile(),
            owner: None,
            due_ms: None,
            must: false,
            playbook: None,
            asks: crate::event::StepAsks::default(),
        };
        let read = EventKind::GuardrailRead { guardrail: "G1".parse().unwrap(), reading: hostile(), nearness: None };
        let mut state = RunState::default();
        for kind in [opened, read] {
            state.apply(&Event { seq: 0, at: chrono::DateTime::UNIX_EPOCH, elapsed_ms: 0, kind });
        }
        let shown = block(&state, &Sketch::new(Mode::Drill).phase("only", 10).plan(), &BTreeMap::new(), 0);
        let shown = console::strip_ansi_codes(&shown).into_owned();
        assert_eq!((shown.matches("odd \\u{1b}[2J").count(), shown.lines().count()), (2, 3), "{shown}");
    }
}
