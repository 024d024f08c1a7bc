//! The body: which widgets there are, and where each stands.

use serde_json::{Value, json};

use super::{head, pack, signal};
use crate::plan::environment::EnvironmentKind;
use crate::plan::permission::Place;
use crate::plan::types::Plan;
use crate::unit::printable_line;

/// CloudWatch: the columns of a dashboard's grid.
pub(super) const COLUMNS: usize = 24;
/// CloudWatch: how many widgets a dashboard has at most.
pub(super) const WIDGETS_MAX: usize = 500;
/// CloudWatch: how many alarms a widget of alarms has at most.
pub(super) const ALARMS_PER_WIDGET_MAX: usize = 100;
/// How high a graph is, in units of the grid.
const GRAPH_HEIGHT: usize = 6;
/// The longest title of a widget, in characters.
const TITLE_CHARS_MAX: usize = 200;

/// A dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// What `PutDashboard` takes as its body.
    pub body: Value,
    /// What is not on it, and why, one line each.
    pub notes: Vec<String>,
}

/// A widget without its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Widget {
    pub(super) kind: &'static str,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) properties: Value,
}

impl Widget {
    /// A graph that takes a third of the width.
    pub(super) fn graph(title: &str, region: &str, metrics: &[Value], lines: &[Line]) -> Self {
        let mut properties = json!({
            "title": printable_line(title, TITLE_CHARS_MAX),
            "region": region,
            "view": "timeSeries",
            "stacked": false,
            "period": 60,
            "yAxis": {"left": {"min": 0}},
            "metrics": metrics,
        });
        if !lines.is_empty() {
            properties["annotations"] = json!({"horizontal": lines.iter().map(Line::json).collect::<Vec<_>>()});
        }
        Self { kind: "metric", width: COLUMNS / 3, height: GRAPH_HEIGHT, properties }
    }
}

/// A line across a graph.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) value: f64,
    /// Which side of it is the forbidden one; none of a line that forbids nothing.
    pub(super) forbids: Option<Side>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

impl Line {
    fn json(&self) -> Value {
        let mut line = json!({"label": printable_line(&self.label, TITLE_CHARS_MAX), "value": self.value});
        match self.forbids {
            Some(Side::Above) => line["fill"] = json!("above"),
            Some(Side::Below) => line["fill"] = json!("below"),
            None => {}
        }
        line
    }
}

impl Dashboard {
    /// The dashboard of a plan; none where its environment is no account, which has no CloudWatch.
    #[must_use]
    pub fn of(plan: &Plan) -> Option<Self> {
        let place = match &plan.environment.kind {
            EnvironmentKind::Sandbox | EnvironmentKind::Endpoint { .. } => return None,
            EnvironmentKind::Account { account, region, .. } => Place::new(region, account),
        };
        let mut notes = Vec::new();
        if plan.is_blind() {
            let note = "somebody takes part from whom the faults are hidden: title, aim, hypotheses and their bounds are left out";
            notes.push(note.to_owned());
        }
        // What belongs together begins in a row of its own.
        let mut groups = vec![vec![head::head(plan)], head::alarms(plan, &place, &mut notes)];
        groups.push(signal::signals(plan, &place.region));
        groups.extend(plan.targets.iter().map(|(id, target)| pack::target(plan, id, target, &place.region)));
        let widgets = laid_out(&groups, &mut notes);
        Some(Self { body: json!({"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}), notes })
    }

    /// The body as it is put, without spaces.
    #[must_use]
    pub fn text(&self) -> String {
        self.body.to_string()
    }
}

/// Gives each widget its place: side by side as far as they fit, group below group.
pub(super) fn laid_out(groups: &[Vec<Widget>], notes: &mut Vec<String>) -> Vec<Value> {
    let mut placed = Vec::new();
    let mut y = 0;
    for group in groups {
        let (mut x, mut row_height) = (0, 0);
        for widget in group {
            if x + widget.width > COLUMNS {
                y += row_height;
                (x, row_height) = (0, 0);
            }
            placed.push(json!({
                "type": widget.kind, "x": x, "y": y, "width": widget.width, "height": widget.height,
                "properties": widget.properties,
            }));
            x += widget.width;
            row_height = row_height.max(widget.height);
        }
        y += row_height;
    }
    if placed.len() > WIDGETS_MAX {
        notes.push(format!(
            "a dashboard has at most {WIDGETS_MAX} widgets: {} are left out",
            placed.len() - WIDGETS_MAX
        ));
        placed.truncate(WIDGETS_MAX);
    }
    placed
}
