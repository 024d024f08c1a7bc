//! The plan: a scenario and its workspace, fully resolved for one environment. Same input, same bytes.
//!
//! Owns: what will happen when, each change with its undo and its calls. Must not know: time, sockets, AWS itself.

mod alarms;
mod alone;
mod compile;
mod cover;
mod dashboard;
mod environment;
mod evidence;
mod interval;
mod notice;
mod permission;
mod refusal;
mod resource;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod types;

pub use alarms::{ALARM_CALLS, ALARM_HISTORY_CALLS, AlarmPlan, DetectionBound, METRIC_CALLS};
pub use alone::LoadAlone;
pub(crate) use compile::environment_facts;
pub use compile::{change_id, compile};
pub use dashboard::{Dashboard, PackedMetric, metric_pack};
pub use environment::{EnvironmentFacts, EnvironmentKind, EnvironmentRules};
pub use evidence::{EvidencePlan, LOG_CALLS, SPAN_CALLS, TRACE_CALLS};
pub use notice::NotifyPlan;
pub use permission::{
    Condition, Grant, MANAGED_POLICY_CHARACTERS_MAX, Permission, Place, Policies, Policy, READINESS_CALLS, Statement,
    TABLE, lock_calls,
};
pub use refusal::Refusal;
pub(crate) use table::is_about_people;
pub use types::{
    Action, ChangePlan, CoverPlan, GuardrailPlan, GuardrailRule, HintPlan, HypothesisPlan, InjectPlan, PLAN_FORMAT,
    PersonStep, PhasePlan, Plan, ScenarioFacts, SettlePlan, Step, TargetPlan,
};
