//! The learnings report: a pure function of a run's folder. Same folder, same bytes.
//!
//! Owns: the model ([`Report`], the contract of `report.json`), how it is drafted from events, and one file a format.
//! Must not know: clocks, AWS, a living run. It drafts what was recorded and leaves judgement to people: factors, not a
//! root cause; what happened, not whose fault it was; and where nothing is known it says so.

mod batch;
mod bootstrap;
mod build;
pub mod chart;
mod cloudevents;
pub mod compare;
mod csv;
mod drawing;
mod facts;
mod folder;
mod html;
mod insight;
mod journal;
mod json;
mod junit;
mod kept;
mod manifest;
mod markdown;
mod metric;
pub mod model;
mod number;
mod otlp;
mod provenance;
mod redact;
mod template;
mod text;
mod window;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use cloudevents::{BATCH_BYTES_MAX, EVENTS_PER_BATCH_MAX, cloudevent_batches, cloudevents};
pub use csv::{actions_csv, load_csv, timeline_csv, windows_csv};
pub use drawing::chart_of;
pub use facts::{Facts, GuardrailFacts, HypothesisFacts, LoadUnit};
use folder::CHART_FILE;
pub use folder::{Evidence, Format, FormatError, ReportError, read_run, write};
pub use html::html;
pub use insight::Seen;
pub use journal::journal;
pub use json::json;
pub use junit::junit;
pub use kept::{Kept, REDACT_FILE, facts_of_run, keep_previous, keep_redactions, keep_retests};
pub use manifest::{FileState, MANIFEST_FILE, Manifest, Verification, read_manifest, verify};
pub use markdown::markdown;
pub use metric::Metric;
pub use model::Report;
pub(crate) use number::{count, latency, percent, signed_duration, stopwatch};
pub use otlp::{OtlpRequest, REQUEST_BYTES_MAX, SPANS_PER_REQUEST_MAX, otlp, trace_id};
pub use redact::Redaction;
pub use template::TemplateError;
pub(crate) use template::{Embedded, fill, fill_all};
pub(crate) use text::{html as html_text, html_code, markdown as markdown_text, printable as printable_character};
pub use window::LoadSum;
