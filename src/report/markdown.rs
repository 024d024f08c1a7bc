//! GitHub-flavoured Markdown, fit for a pull request's comment; the chart is a file beside it.

use std::path::Path;

use serde_json::{Value, json};

use super::model::Report;
use super::template::{Embedded, TemplateError, fill};
use super::text;

pub(super) const TEMPLATE: Embedded = Embedded {
    name: "report.md.hbs",
    text: include_str!("../../reports/templates/report.md.hbs"),
    escape: text::markdown,
    code: text::markdown_code,
    line_code: text::markdown_line_code,
};

/// The report as Markdown. A `report.md.hbs` in `templates` goes before the embedded one.
///
/// # Errors
/// The user's template cannot be read, parsed, or filled.
pub fn markdown(report: &Report, templates: Option<&Path>) -> Result<String, TemplateError> {
    fill(TEMPLATE, templates, &context(report))
}

/// What the template is filled with.
pub(super) fn context(report: &Report) -> Value {
    json!({ "report": report, "chart_file": super::CHART_FILE })
}
