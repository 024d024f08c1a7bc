//! The terminal: one line for each thing that happens, and, on a real terminal and unless nobody wants it, a status block below them.
//!
//! Everything goes to standard error; results are the command's to print. `NO_COLOR` is honoured.

mod bars;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::bars::Bars;
use super::board::{EventLine, Tone, Veil, View as Viewer, clock};
use crate::event::{Event, EventKind, Feed, RunState};
use crate::plan::Plan;
use crate::unit::{LoadId, TEXT_CHARS_MAX, printable_line};
use console::{Style, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the status line moves without news.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);
/// How often a run without a real terminal tells how it is doing, in seconds of the run.
const PLAIN_INTERVAL_SECONDS: u64 = 15;

/// What stands below the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// On a real terminal a block that is drawn again and again; elsewhere a line now and then.
    Block,
    /// A line now and then, also on a real terminal: for screen readers, and for whoever keeps what was printed.
    Lines,
}

/// Shows a run until its last event, and of it what `viewer` may see.
pub async fn watch(plan: Arc<Plan>, mut feed: Feed, viewer: Viewer, status: Status) {
    let mut veil = Veil::new(&plan, viewer);
    // The block tells of loads, faults and phases, which is not for everybody.
    let status = if veil.is_lifted() { status } else { Status::Lines };
    let mut view = View::new(plan, status);
    let mut redraw = tokio::time::interval(REDRAW_INTERVAL);
    redraw.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            event = feed.next() => {
                // A log that can not be read has nothing to show.
                let Ok(Some(event)) = event else { break };
                veil.pass(&event).iter().for_each(|shown| view.show(shown));
                if let Some(state) = veil.lifted() {
                    view.state = state;
                }
                if matches!(event.kind, EventKind::RunEnded { .. }) {
                    break;
                }
            }
            _ = redraw.tick() => view.tick(),
        }
    }
    view.bar.finish_and_clear();
}

/// Prints lines as [`watch`] does.
pub fn print(lines: &[EventLine]) {
    use std::io::Write as _;
    let mut error = std::io::stderr().lock();
    // A terminal that went away has nothing to be shown.
    lines.iter().for_each(|line| drop(writeln!(error, "{}", drawn(line))));
}

struct View {
    plan: Arc<Plan>,
    state: RunState,
    bar: ProgressBar,
    is_terminal: bool,
    seen: tokio::time::Instant,
    /// When each load was told of last, in seconds of the run.
    told: BTreeMap<LoadId, u64>,
    /// The last seconds of each load that runs.
    bars: BTreeMap<LoadId, Bars>,
}

impl View {
    fn new(plan: Arc<Plan>, status: Status) -> Self {
        let is_terminal = status == Status::Block && console::user_attended_stderr();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self {
            plan,
            state: RunState::default(),
            bar,
            is_terminal,
            seen: tokio::time::Instant::now(),
            told: BTreeMap::new(),
            bars: BTreeMap::new(),
        }
    }

    fn show(&mut self, event: &Event) {
        self.state.apply(event);
        self.seen = tokio::time::Instant::now();
        if let Some(line) = EventLine::of(event, &self.state) {
            self.print(&drawn(&line));
        }
        if let EventKind::LoadRecorded(second) = &event.kind {
            self.bars.entry(second.load.clone()).or_default().add(second);
        } else if let EventKind::LoadStarted { load, .. } = &event.kind {
            self.bars.remove(load);
        }
        if !self.is_terminal
            && let EventKind::LoadRecorded(second) = &event.kind
            && self.is_due(&second.load, second.second)
        {
            self.print(&status::load_line(event.elapsed_ms, second, &self.plan));
        }
    }

    /// Whether a load is to be told of, each at its own pace; remembers that it is.
    fn is_due(&mut self, load: &LoadId, second: u64) -> bool {
        let last = self.told.entry(load.clone()).or_default();
        let is_due = second >= *last + PLAIN_INTERVAL_SECONDS;
        if is_due {
            *last = second;
        }
        is_due
    }

    fn tick(&self) {
        if self.is_terminal && !self.state.phases.is_empty() {
            let since = crate::unit::elapsed_ms(self.seen.elapsed());
            self.bar.set_message(status::block(&self.state, &self.plan, &self.bars, self.state.elapsed_ms + since));
        }
    }

    fn print(&self, line: &str) {
        use std::io::Write as _;
        // A terminal that went away is no reason to stop a run.
        self.bar.suspend(|| writeln!(std::io::stderr().lock(), "{line}").ok());
    }
}

fn drawn(line: &EventLine) -> String {
    let style_of = match line.tone {
        Tone::Quiet => Style::new().dim(),
        Tone::Good => Style::new().green(),
        Tone::Bad => Style::new().red().bold(),
        Tone::Warning => Style::new().yellow(),
        Tone::Fault => Style::new().magenta(),
        Tone::Person => Style::new().cyan(),
        Tone::Phase => Style::new().bold(),
    };
    let clock = style(clock(line.at_ms)).for_stderr().dim();
    // Each line is one event: no text may look like another.
    let text = printable_line(&line.text, TEXT_CHARS_MAX);
    format!("{clock} {} {text}", style_of.for_stderr().apply_to(line.sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::Sketch;
    use crate::scenario::Mode;

    #[test]
    fn no_text_makes_a_second_line() {
        let text = "note: odd\n00:03 ✓ everything is as it was before\r00:04\u{2028}00:05".to_owned();
        let shown = drawn(&EventLine { at_ms: 0, sign: "☞", tone: Tone::Person, text });
        let shown = console::strip_ansi_codes(&shown).into_owned();
        assert_eq!(shown, "00:00 ☞ note: odd 00:03 ✓ everything is as it was before 00:04 00:05");
    }

    #[tokio::test(start_paused = true)]
    async fn each_of_two_loads_is_told_of_at_its_own_pace() {
        let mut view = View::new(Arc::new(Sketch::new(Mode::Drill).phase("only", 10).plan()), Status::Block);
        let mut told = Vec::new();
        for at in 0..=40 {
            for load in ["users", "robots"] {
                if view.is_due(&load.parse().unwrap(), at) {
                    told.push((load, at));
                }
            }
        }
        assert_eq!(told, [("users", 15), ("robots", 15), ("users", 30), ("robots", 30)]);
    }
}
