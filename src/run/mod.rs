//! The engine: a plan becomes events.
//!
//! `core.rs` decides (pure: time and input in, effects out), `drive.rs` performs (tokio). Owns: the life of a run, the
//! ledger, guardrails, recovery, the run's folder and its control socket. Must not know: how anything is shown.

mod address;
mod alarm_history;
mod alarm_task;
mod attached;
mod control;
mod core;
mod detection;
mod drive;
mod evidence;
mod evidence_metrics;
mod evidence_task;
mod folder;
mod guardrail;
mod ledger;
mod load_task;
mod metric_task;
mod notices;
mod outcome;
mod permission;
mod permit;
mod place;
mod preview;
mod probe_task;
mod readiness;
mod recover;
mod remote_lock;
mod remote_proxy;
mod stage;
mod survey;
mod switch;
mod targets;
mod watchdog;

pub use alarm_task::AlarmsNotReady;
pub use attached::{Attached, send_command};
pub use control::ControlError;
pub use detection::{PredictedDetection, detections};
pub use drive::{Attendance, RunError, RunOptions, Watcher, run};
pub use folder::{FolderError, LiveRun, LockError, RunFolder, find_runs, live_runs, read_plan};
pub use notices::tell_report;
pub use outcome::Outcome;
pub use permission::{Permissions, PermissionsError, Permitted, Verdict as PermissionVerdict, permissions};
pub use permit::{Barrier, Permission, Permit, PermitRequest};
pub use place::PlaceError;
pub use preview::{Preview, preview};
pub use readiness::{CLOCK_ERROR_MAX, CallerError, UNDO_MARGIN};
pub use recover::{RecoverError, RecoverOptions, Recovered, RecoveredFault, recover};
pub use remote_lock::{Held, HolderError, RemoteLockError, UnlockError, unlock};
pub use stage::StageError;
pub use survey::{Survey, SurveyError};
pub use watchdog::{Alarm, READY, Watch, WatchdogError};
