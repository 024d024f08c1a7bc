//! A comparison as a page, with the distributions of latency drawn over each other.

use std::path::Path;

use serde_json::{Value, json};

use super::{Comparison, LoadChange};
use crate::report::chart::{Curve, STYLE, draw_distribution};
use crate::report::html::PAGE_STYLE;
use crate::report::model::Quantile;
use crate::report::template::{Embedded, TemplateError, fill};
use crate::report::text;

/// The median or the 99th percentile of a window has changed by more than this share of the larger one.
const RATIO_WORTH_A_LOOK: f64 = 0.1;

pub(in crate::report) const TEMPLATE: Embedded = Embedded {
    name: "compare.html.hbs",
    text: include_str!("../../../reports/templates/compare.html.hbs"),
    escape: text::html,
    code: text::html_code,
    line_code: text::html_code,
};

/// A comparison as a page. A `compare.html.hbs` in `templates` goes before the embedded one.
///
/// # Errors
/// The user's template cannot be read, parsed, or filled.
pub fn comparison_page(comparison: &Comparison, templates: Option<&Path>) -> Result<String, TemplateError> {
    fill(TEMPLATE, templates, &context(comparison))
}

/// What the template is filled with.
pub(in crate::report) fn context(comparison: &Comparison) -> Value {
    let drawn = comparison.loads.iter().enumerate().filter(|(_, load)| is_worth_a_look(load));
    let curves: Vec<String> =
        drawn.map(|(index, load)| curve(index, load)).filter(|svg: &String| !svg.is_empty()).collect();
    let alike = comparison.loads.len() - curves.len();
    json!({
        "comparison": comparison,
        "page_style": PAGE_STYLE,
        "chart_style": STYLE,
        "alike": (alike > 0).then_some(alike),
        "curves": curves,
    })
}

/// Whether a window's times differ enough to be drawn; all of a load always is.
fn is_worth_a_look(load: &LoadChange) -> bool {
    let (Some(before), Some(after)) = (&load.before, &load.after) else { return true };
    let differs = |before: Option<f64>, after: Option<f64>| match (before, after) {
        (Some(before), Some(after)) => (after - before).abs() > before.max(after) * RATIO_WORTH_A_LOOK,
        (None, None) => false,
        (None, Some(_)) | (Some(_), None) => true,
    };
    load.name.is_none() || differs(before.p50_ms, after.p50_ms) || differs(before.p99_ms, after.p99_ms)
}

fn curve(index: usize, load: &LoadChange) -> String {
    let window = load.name.clone().unwrap_or_else(|| load.kind.replace('_', " "));
    let points = |quantiles: &[Quantile]| quantiles.iter().map(|point| (point.share, point.ms)).collect();
    let curves = [("before", &load.before_quantiles), ("after", &load.after_quantiles)]
        .map(|(name, quantiles)| Curve { name: name.to_owned(), points: points(quantiles) });
    draw_distribution(&format!("load-{index}"), &format!("{}, {window}", load.load), &curves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::compare::{Change, Figures};
    use crate::report::{Report, sample};

    #[test]
    fn the_page_shows_both_runs_and_escapes_what_they_say() {
        let report = Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence());
        let before = Figures::of(&report);
        let mut after = before.clone();
        "<script>alert(1)</script>".clone_into(&mut after.hypotheses[0].text);
        "upheld".clone_into(&mut after.hypotheses[0].verdict);
        let comparison = Comparison::of(&before, &after);
        assert!(comparison.hypotheses.iter().any(|row| row.change == Change::Better));
        let page = comparison_page(&comparison, None).unwrap();
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
        assert_eq!(page.matches("<figure>").count(), 4, "all of each load, and each time without a fault");
        assert!(page.contains("windows that hardly differ, or of which one run tells nothing, are not drawn"));
        let mut slower = before.clone();
        for window in slower.loads.iter_mut().flat_map(|load| &mut load.windows) {
            window.numbers.p99_ms = window.numbers.p99_ms.map(|ms| ms * 1.2);
        }
        let page = comparison_page(&Comparison::of(&before, &slower), None).unwrap();
        assert!(page.matches("<figure>").count() > 4, "each window has its curves");
        let nothing =
            Figures { hypotheses: Vec::new(), faults: Vec::new(), alarms: Vec::new(), loads: Vec::new(), ..before };
        let page = comparison_page(&Comparison::of(&nothing, &nothing), None).unwrap();
        assert!(!page.contains("<section"), "what there is nothing of has no section");
        let gone = comparison_page(&Comparison::of(&after, &nothing), None).unwrap();
        assert!(gone.contains("change-gone"));
    }
}
