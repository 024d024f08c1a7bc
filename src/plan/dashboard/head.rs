//! What a dashboard is about, in words, and how its alarms stand.

use serde_json::json;

use super::{ALARMS_PER_WIDGET_MAX, COLUMNS, Widget};
use crate::plan::permission::Place;
use crate::plan::types::Plan;

/// The longest text of the head's parts, in characters.
const TEXT_CHARS_MAX: usize = 1_000;
/// How many hypotheses the head has.
const HYPOTHESES_MAX: usize = 20;
/// The height of the head without its hypotheses, which take half a unit each.
const HEAD_HEIGHT: usize = 3;
/// How many alarms stand side by side, as far as the height is concerned.
const ALARMS_PER_ROW: usize = 6;

/// Title, aim and hypotheses; in a blind drill neither.
pub(super) fn head(plan: &Plan) -> Widget {
    let mut lines = Vec::new();
    if plan.is_blind() {
        lines.push(format!("# Game day in {}", text(&plan.environment.name)));
    } else {
        let scenario = &plan.scenario;
        lines.push(format!("# {}", text(&scenario.title)));
        let (id, environment, owner) = (scenario.id.as_str(), &plan.environment.name, &scenario.owner);
        lines.push(format!("`{id}` in {}, of {}", text(environment), text(owner)));
        lines.extend(scenario.why.iter().map(|why| format!("\n{}", text(why))));
        lines.push(String::new());
        for hypothesis in plan.hypotheses.iter().take(HYPOTHESES_MAX) {
            let (words, expected) = (text(&hypothesis.text), text(&hypothesis.expect.to_string()));
            lines.push(format!("- **{}** {words}: {expected}", hypothesis.id));
        }
        let more = plan.hypotheses.len().saturating_sub(HYPOTHESES_MAX);
        lines.extend((more > 0).then(|| format!("- and {more} more")));
    }
    let height = HEAD_HEIGHT + plan.hypotheses.len().min(HYPOTHESES_MAX).div_ceil(2);
    Widget { kind: "text", width: COLUMNS, height, properties: json!({"markdown": lines.join("\n")}) }
}

/// The alarms that the scenario names, by their ARNs; a pattern names none.
pub(super) fn alarms(plan: &Plan, place: &Place, notes: &mut Vec<String>) -> Vec<Widget> {
    let Some(alarms) = &plan.alarms else { return Vec::new() };
    notes.extend(alarms.globs().map(|pattern| {
        format!("`alarm({})` names no single alarm: it is not on the dashboard", crate::unit::printable(pattern))
    }));
    let arns: Vec<String> = alarms.names().map(|name| place.alarm(name)).collect();
    let widget = |arns: &[String]| Widget {
        kind: "alarm",
        width: COLUMNS,
        height: 1 + arns.len().div_ceil(ALARMS_PER_ROW),
        properties: json!({"title": "Alarms", "alarms": arns}),
    };
    arns.chunks(ALARMS_PER_WIDGET_MAX).map(widget).collect()
}

/// A text of a file in one line, of which nothing is Markdown: neither a heading nor a link.
fn text(text: &str) -> String {
    let line = crate::unit::printable_line(text.trim(), TEXT_CHARS_MAX);
    let mut safe = String::with_capacity(line.len());
    for character in line.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '!' | '&' | '~') {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}
