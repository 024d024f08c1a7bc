//! The workspace around a scenario: `gameday.yaml`, `workload.yaml`, and which playbooks and lessons there are.
//!
//! Owns: what these files may say, and to which account an environment is bound. Must not know: scenarios, runs, AWS.

mod approval;
mod discover;
mod environment;
mod functions;
mod host;
mod index;
mod notify;
mod outcome;
mod program;
mod role;
mod safety;
mod settings;
mod waiver;
mod window;
mod workload;

pub use approval::{APPROVAL_LASTS, Approval, ApprovalError};
pub use discover::{SETTINGS_FILE, WORKLOAD_FILE, Workspace};
pub use environment::{
    AccountBinding, Approvals, Class, EndpointBinding, Environment, EnvironmentKind, EnvironmentSpec, TABLE,
};
pub use functions::read_functions;
pub use host::{HostPattern, is_public};
pub(crate) use notify::variable;
pub use notify::{Notify, NotifyEvent, WebhookFormat};
pub use outcome::{Compare, Redaction, ReportFormat, ReportSpec};
pub use program::ProgramPattern;
pub use role::AssumedRole;
pub use safety::{Deadman, DeadmanSwitch};
pub use settings::{Defaults, Settings};
pub use waiver::Waiver;
pub use window::{FieldProblem, Opening, Window, check_timezone, moment};
pub use workload::{
    Change, Component, Function, Indicator, Indicators, Risk, Stakeholder, Team, Workload, read_workload,
};
