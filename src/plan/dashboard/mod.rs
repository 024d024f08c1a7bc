//! A CloudWatch dashboard for a scenario: what it is about, its alarms, its targets by their default metrics, and its signals with the bounds
//! that hypotheses set. Pure, and offline: what the account alone can tell, such as a function's own timeout, is not on it.
//!
//! Owns: the body (CloudWatch: "Dashboard Body Structure and Syntax"). Must not know: how it is put there.

mod body;
mod head;
mod pack;
mod signal;
#[cfg(test)]
mod tests;

pub use body::Dashboard;
use body::{ALARMS_PER_WIDGET_MAX, COLUMNS, Line, Side, Widget};
pub use pack::{PackedMetric, metric_pack};
