//! The board: a run's state bound to its plan and to who looks, with the little history that a view draws. The terminal, the cockpit and
//! the page show the same board.
//!
//! Owns: what a view may show ([`Veil`]), an event in one line, rows for what is on. Must not know: terminals, HTTP.

mod cast;
mod kept;
mod line;
mod people_line;
mod rows;
mod series;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use cast::organisers;
pub use line::{EventLine, Tone, clock, span};
pub use rows::{
    AlarmRow, ClockRow, FaultRow, GuardrailRow, HintRow, InjectRow, LoadRow, NextRow, PhaseRow, PollRow, StepRow,
};
pub use series::{Point, Series};
pub use view::{Veil, View};

use crate::event::{Event, EventKind, RunState};
use crate::plan::Plan;
use crate::report::Facts;
use crate::unit::LoadId;

/// How many lines are kept.
const LINES_MAX: usize = 500;

/// A run as one kind of viewer sees it.
#[derive(Debug)]
pub struct Board {
    plan: Arc<Plan>,
    facts: Facts,
    view: View,
    veil: Veil,
    state: RunState,
    series: BTreeMap<LoadId, Series>,
    lines: VecDeque<EventLine>,
    line_count: usize,
    seq: Option<u64>,
}

impl Board {
    /// An empty board of a run that follows `plan`.
    #[must_use]
    pub fn new(plan: Arc<Plan>, view: View) -> Self {
        Self {
            facts: Facts::of(&plan),
            veil: Veil::new(&plan, view),
            plan,
            view,
            state: RunState::default(),
            series: BTreeMap::new(),
            lines: VecDeque::new(),
            line_count: 0,
            seq: None,
        }
    }

    /// Takes in the next event of the log.
    pub fn apply(&mut self, event: &Event) {
        drop(self.pass(event));
    }

    /// Takes in the next event of the log, and answers what this viewer may see by it.
    pub fn pass(&mut self, event: &Event) -> Vec<Event> {
        let shown = self.veil.pass(event);
        for (step, within) in self.veil.restored() {
            let blanked = self.state.steps.iter_mut().filter(|it| it.step == step && it.asks.within.is_none());
            blanked.for_each(|it| it.asks.within = Some(within.clone()));
        }
        shown.iter().for_each(|shown| self.show(shown));
        if let Some(state) = self.veil.lifted() {
            self.state = state;
        }
        self.seq = Some(event.seq);
        self.state.elapsed_ms = event.elapsed_ms;
        shown
    }

    fn show(&mut self, event: &Event) {
        self.state.apply(event);
        if let EventKind::LoadRecorded(second) = &event.kind {
            self.series.entry(second.load.clone()).or_default().add(second);
        }
        if let Some(line) = EventLine::of(event, &self.state) {
            if self.lines.len() == LINES_MAX {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
            self.line_count += 1;
        }
    }

    /// The plan. A view that is not [`View::Facilitator`] shows nothing of it by itself before [`Self::is_open`].
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the plan says of bounds and units.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Who looks.
    #[must_use]
    pub fn view(&self) -> View {
        self.view
    }

    /// Whether nothing is kept back: the view may show all that the plan says.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.veil.is_lifted()
    }

    /// The run as this viewer may see it.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The number of the last event that was taken in.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// What each load did over time.
    #[must_use]
    pub fn series(&self) -> &BTreeMap<LoadId, Series> {
        &self.series
    }

    /// The newest lines, at most 500, the newest last.
    #[must_use]
    pub fn lines(&self) -> &VecDeque<EventLine> {
        &self.lines
    }

    /// How many lines there were so far: those that were dropped included.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.line_count
    }
}
