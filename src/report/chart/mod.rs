//! One chart of a run: lanes over one time axis, drawn by hand as SVG.
//!
//! Owns: what a lane looks like. Must not know: reports, events, plans; it draws a [`Chart`] and nothing else. Colours
//! come from `chart.css`, which pages embed once and the file by itself carries along. Nothing is told by colour alone.

mod distribution;
mod lane;
mod people;
mod scale;
mod series;
mod svg;

pub use distribution::{Curve, draw_distribution};
use lane::Canvas;
use scale::{Scale, fit, text_width, time_marks};
use svg::Svg;

use super::number::{float, stopwatch};

/// The style sheet of the chart: custom properties with light and dark values, and every class.
pub const STYLE: &str = include_str!("chart.css");

/// What is drawn. Times are milliseconds since the run's start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// What it shows, in one line.
    pub title: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// The length of the time axis.
    pub length_ms: u64,
    /// The phases, in order.
    pub phases: Vec<PhaseBand>,
    /// The loads.
    pub loads: Vec<LoadLine>,
    /// Bounds of hypotheses.
    pub bounds: Vec<BoundBand>,
    /// The faults.
    pub faults: Vec<FaultBar>,
    /// The alarms that were read.
    pub alarms: Vec<AlarmBar>,
    /// The steps for people.
    pub steps: Vec<StepBar>,
    /// Marks, notes, injects, and what ended the run.
    pub ticks: Vec<Tick>,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseBand {
    /// Its name.
    pub name: String,
    /// Its start.
    pub start_ms: u64,
    /// Its end, or the run's.
    pub end_ms: u64,
}

/// A load, second by second.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadLine {
    /// Its name.
    pub name: String,
    /// What the target counts.
    pub target: TargetUnit,
    /// Each second, in order.
    pub points: Vec<LoadPoint>,
    /// Steps of its journeys that have lines of their own.
    pub steps: Vec<StepLine>,
}

/// A step of a load's journeys.
#[derive(Debug, Clone, PartialEq)]
pub struct StepLine {
    /// The load and the step.
    pub name: String,
    /// Each second in which it had requests, in order.
    pub points: Vec<QualityPoint>,
}

/// What a load's target counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetUnit {
    /// Users: it has an axis of its own, since requests are no users.
    Users,
    /// Arrivals a second: it stands on the same axis as what was achieved.
    PerSecond,
    /// Unknown: it has an axis of its own.
    Unknown,
}

/// One second of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadPoint {
    /// Which, in whole seconds since the run's start.
    pub second: u64,
    /// The shape's level.
    pub target: f64,
    /// Requests that ended.
    pub completed: f64,
    /// How they ended.
    pub quality: QualityPoint,
}

/// How the requests of one second ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityPoint {
    /// Which, in whole seconds since the run's start.
    pub second: u64,
    /// The share of failures, 0 to 1; none without requests.
    pub failed_ratio: Option<f64>,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: Option<f64>,
}

/// A bound of a hypothesis, and its forbidden side.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundBand {
    /// The hypothesis and its condition.
    pub label: String,
    /// Whether it bounds latency (milliseconds) or the share of failures.
    pub is_latency: bool,
    /// The bound.
    pub value: f64,
    /// Whether larger values are forbidden.
    pub forbids_above: bool,
    /// The start of its window.
    pub from_ms: u64,
    /// The end of its window.
    pub to_ms: u64,
}

/// A fault, from its request to the end of its undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultBar {
    /// Its name.
    pub name: String,
    /// When it was requested.
    pub requested_ms: u64,
    /// When its effect was proven.
    pub effective_ms: Option<u64>,
    /// When its undo began.
    pub reverting_ms: Option<u64>,
    /// When its undo ended well; none where it is still in place.
    pub restored_ms: Option<u64>,
}

/// An alarm, over the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmBar {
    /// Its name, with what is to be said of it.
    pub name: String,
    /// When it was in `ALARM`: from and to.
    pub alarm_ms: Vec<(u64, u64)>,
    /// When its state was not known, or it had insufficient data.
    pub unknown_ms: Vec<(u64, u64)>,
}

/// A step for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepBar {
    /// Its name.
    pub name: String,
    /// When it was opened.
    pub opened_ms: u64,
    /// When it was due.
    pub due_ms: Option<u64>,
    /// When it was closed; none where it stayed open.
    pub closed_ms: Option<u64>,
    /// By how much it was late, in words; none where it was not.
    pub late: Option<String>,
}

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// When.
    pub at_ms: u64,
    /// Its shape.
    pub kind: TickKind,
    /// What it says.
    pub label: String,
}

/// The shape of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickKind {
    /// A diamond: a mark that somebody made.
    Mark,
    /// A disc: a note.
    Note,
    /// A triangle: a message to a person.
    Inject,
    /// A cross and a line through all lanes: what ended the run, or wanted to.
    Trouble,
}

/// For which width it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// A page on a desk.
    Wide,
    /// A phone held upright.
    Narrow,
}

/// Sizes in pixels.
#[derive(Debug, Clone, Copy)]
struct Layout {
    width: f64,
    left: f64,
    right: f64,
    font: f64,
    plot_height: f64,
    mark_width: f64,
    key: &'static str,
}

impl Width {
    fn layout(self) -> Layout {
        match self {
            Self::Wide => Layout {
                width: 1_080.0,
                left: 60.0,
                right: 1_072.0,
                font: 12.0,
                plot_height: 84.0,
                mark_width: 84.0,
                key: "wide",
            },
            Self::Narrow => Layout {
                width: 360.0,
                left: 56.0,
                right: 354.0,
                font: 11.5,
                plot_height: 68.0,
                mark_width: 58.0,
                key: "narrow",
            },
        }
    }
}

impl Chart {
    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phases.is_empty()
            && self.loads.is_empty()
            && self.faults.is_empty()
            && self.alarms.is_empty()
            && self.steps.is_empty()
            && self.ticks.is_empty()
    }

    /// Draws it as an `svg` element for a page that has [`STYLE`].
    #[must_use]
    pub fn draw(&self, width: Width) -> String {
        self.draw_with(width.layout(), None)
    }

    /// Draws it as a file by itself, with its style inside.
    #[must_use]
    pub fn draw_file(&self) -> String {
        self.draw_with(Width::Wide.layout(), Some(STYLE))
    }

    fn draw_with(&self, layout: Layout, style: Option<&str>) -> String {
        let length_ms = self.length_ms.max(1_000);
        let time = Scale::new(float(length_ms), layout.left, layout.right);
        let mut canvas = Canvas::new(layout, time, length_ms);
        self.phase_lane(&mut canvas);
        lane::load_lanes(&mut canvas, &self.loads);
        lane::failure_lane(&mut canvas, &self.loads, &self.bounds);
        lane::latency_lane(&mut canvas, &self.loads, &self.bounds);
        people::fault_lane(&mut canvas, &self.faults);
        people::alarm_lane(&mut canvas, &self.alarms);
        people::step_lane(&mut canvas, &self.steps);
        people::tick_lane(&mut canvas, &self.ticks);
        self.frame(canvas, style)
    }

    fn phase_lane(&self, canvas: &mut Canvas) {
        const HEIGHT: f64 = 24.0;
        /// How much wider bold text is.
        const BOLD: f64 = 1.08;
        let (layout, y) = (canvas.layout, canvas.y);
        for (index, phase) in self.phases.iter().enumerate() {
            let (from, to) = canvas.span(phase.start_ms, phase.end_ms);
            let class = if index % 2 == 0 { "gd-phase" } else { "gd-phase gd-odd" };
            canvas.svg.rectangle(class, [from, y, (to - from - 1.0).max(0.5), HEIGHT]);
            let name = fit(&phase.name, layout.font * BOLD, to - from - 8.0);
            if !name.is_empty() {
                canvas.svg.text("gd-phase-name", [f64::midpoint(from, to), y + 16.5], "middle", &name);
            }
        }
        canvas.y += if self.phases.is_empty() { 0.0 } else { HEIGHT + 6.0 };
    }

    /// Puts the lanes on their ground: tinted phases and time marks behind, what ended the run before.
    fn frame(&self, canvas: Canvas, style: Option<&str>) -> String {
        let layout = canvas.layout;
        let bottom = canvas.y;
        let height = bottom + 24.0;
        let identity = |part: &str| format!("gd-{}-{part}", layout.key);
        let mut svg = Svg::default();
        svg.element("svg", "gd-chart")
            .attribute("xmlns", "http://www.w3.org/2000/svg")
            .attribute("viewBox", &format!("0 0 {} {}", svg::number(layout.width), svg::number(height)))
            .attribute("role", "img")
            .attribute("aria-labelledby", &format!("{} {}", identity("title"), identity("description")))
            .open();
        svg.element("title", "gd-title").attribute("id", &identity("title")).text("title", &self.title);
        svg.element("desc", "gd-description").attribute("id", &identity("description")).text("desc", &self.description);
        if let Some(style) = style {
            svg.element("style", "gd-style").text("style", style);
            svg.rectangle("gd-ground", [0.0, 0.0, layout.width, height]);
        }
        for phase in self.phases.iter().skip(1).step_by(2) {
            let (from, to) = canvas.span(phase.start_ms, phase.end_ms);
            svg.rectangle("gd-tint", [from, 0.0, to - from, bottom]);
        }
        let mut room = 0;
        while layout.mark_width * float(room + 1) <= layout.right - layout.left {
            room += 1;
        }
        for moment in time_marks(canvas.length_ms, room) {
            let x = canvas.time.at_ms(moment);
            svg.line("gd-grid", [x, 30.0, x, bottom]);
            let label = stopwatch(moment);
            let half = text_width(&label, layout.font) / 2.0;
            let x = x.clamp(half, layout.width - half);
            svg.text("gd-axis", [x, bottom + 16.0], "middle", &label);
        }
        svg.append(&canvas.svg);
        for tick in self.ticks.iter().filter(|tick| tick.kind == TickKind::Trouble) {
            let x = canvas.time.at_ms(tick.at_ms);
            svg.line("gd-trouble-line", [x, 0.0, x, bottom]);
        }
        svg.close("svg");
        svg.into_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::number::{decimal, latency, percent};

    #[test]
    fn the_values_of_an_axis_have_room_before_it() {
        for layout in [Width::Wide, Width::Narrow].map(Width::layout) {
            for label in [latency(750.0), percent(1.0), decimal(25_000.0)] {
                let width = text_width(&label, layout.font);
                assert!(width <= layout.left - lane::AXIS_GAP, "{label} is cut where the page is {}", layout.key);
            }
        }
    }
}
