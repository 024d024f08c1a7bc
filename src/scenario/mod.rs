//! Scenario files: text with positions, the schema, expectations, checks and diagnostics.
//!
//! Owns: what a file may say and how a mistake in it is told. Must not know: environments' state, time, runs.

pub mod expect;
pub mod schema;
