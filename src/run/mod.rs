//! The engine: a plan becomes events.
//!
//! `core.rs` decides (pure: time and input in, effects out), `drive.rs` performs (tokio). Owns: the life of a run, the
//! ledger, guardrails, recovery, the run's folder and its control socket. Must not know: how anything is shown.

mod alarm_task;
mod control;
mod core;
mod drive;
mod evidence;
mod folder;
mod guardrail;
mod ledger;
mod load_task;
mod outcome;
mod probe_task;
mod recover;
mod stage;
mod watchdog;

pub use alarm_task::AlarmsNotReady;
pub use control::{ControlError, send_command};
pub use drive::{Attendance, RunError, RunOptions, Watcher, run};
pub use evidence::EvidenceError;
pub use folder::{FolderError, LiveRun, LockError, RunFolder, find_runs, live_runs, read_plan};
pub use outcome::Outcome;
pub use recover::{RecoverError, RecoverOptions, Recovered, RecoveredFault, recover};
pub use watchdog::{Alarm, READY, Watch, WatchdogError};
