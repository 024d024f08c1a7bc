//! The page: one file with everything in it, no script, no request to anywhere.

use std::path::Path;

use serde_json::{Value, json};

use super::chart::{STYLE, Width};
use super::drawing::chart_of;
use super::model::Report;
use super::template::{Embedded, TemplateError, fill};
use super::text;

pub(super) const TEMPLATE: Embedded = Embedded {
    name: "report.html.hbs",
    text: include_str!("../../reports/templates/report.html.hbs"),
    escape: text::html,
    code: text::html_code,
    line_code: text::html_code,
};

/// The style sheet of our pages.
pub(super) const PAGE_STYLE: &str = include_str!("../../reports/templates/page.css");

/// The report as a page. A `report.html.hbs` in `templates` goes before the embedded one.
///
/// # Errors
/// The user's template cannot be read, parsed, or filled.
pub fn html(report: &Report, templates: Option<&Path>) -> Result<String, TemplateError> {
    fill(TEMPLATE, templates, &context(report))
}

/// What the template is filled with.
pub(super) fn context(report: &Report) -> Value {
    let chart = chart_of(report);
    json!({
        "report": report,
        "page_style": PAGE_STYLE,
        "chart": {
            "style": STYLE,
            "is_empty": chart.is_empty(),
            "wide": chart.draw(Width::Wide),
            "narrow": chart.draw(Width::Narrow),
        },
    })
}
