//! Scenario files: the schema, variables, expectations and checks.
//!
//! Owns: what a scenario may say and how a mistake in it is told. Must not know: environments' state, time, runs.

mod check;
pub mod expect;
mod invitation;
mod kind;
mod load;
mod schema;
mod vars;

pub use invitation::{NEUTRAL_TITLE, NO_BLAME, SAY, STOP, invitation_contacts, invitation_roles, invitation_rules};
pub use load::{Checked, Expectations, check, load};
pub use schema::{
    ActionKind, ActionSpec, Alarms, CALENDAR_BYTES_MAX, ChecklistStep, Compare, Covers, Debrief, EnvironmentRules,
    EvidenceSpec, FORMAT, Freeze, Guardrail, Hint, Hypothesis, Inject, LambdaTarget, Mode, NotWithin, Notify,
    NotifyEvent, OnMissing, Person, PhaseSpec, ProxyKind, ProxyTarget, Redaction, ReportFormat, ReportSpec, Review,
    Scenario, Schedule, Settle, TargetKind, TargetSpec,
};
