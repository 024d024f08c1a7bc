//! The engine: a plan becomes events.
//!
//! `core.rs` decides (pure: time and input in, effects out), `drive.rs` performs (tokio). Owns: the life of a run, the
//! ledger, guardrails, recovery, the run's folder and its control socket. Must not know: how anything is shown.

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

pub use control::{ControlError, send_command};
pub use drive::{RunError, RunOptions, Attendance, run};
pub use folder::{FolderError, LiveRun, RunFolder, find_runs, live_runs, read_plan, LockError};
pub use evidence::{recording_of, EvidenceError};
pub use outcome::Outcome;
pub use recover::{Recovered, RecoverError, recover};
