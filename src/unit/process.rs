//! Starting, signalling and ending processes that we own, and the hidden launcher that ties a child to its parent.
//!
//! A child of ours is started as `gameday launch --parent PID -- PROGRAM ARGS…`: the launcher asks the kernel to be
//! killed with its parent (`PR_SET_PDEATHSIG`), then becomes the program by `exec`. No `unsafe` of ours is needed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal};

/// The hidden sub-command that [`launch`] serves.
pub(crate) const LAUNCH: &str = "launch";

/// The path of the running `gameday`, from which it starts its own workers.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// A command that runs `program` as a leader of its own process group and dies with this process.
///
/// `gameday` is the path of the `gameday` program, which serves as the launcher. The command must be spawned from a
/// thread that lives as long as the child should, which every tokio worker thread does.
pub(crate) fn tied_command(gameday: &Path, program: impl AsRef<OsStr>) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(gameday);
    command
        .arg(LAUNCH)
        .arg("--parent")
        .arg(std::process::id().to_string())
        .arg("--")
        .arg(program)
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null());
    command
}

/// Serves `gameday launch`: binds this process's life to `parent`, then becomes `command`. Returns only on failure.
pub(crate) fn launch(parent: u32, command: &[std::ffi::OsString]) -> io::Error {
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no program to launch");
    };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    let parent_now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent_now != i32::try_from(parent).ok() {
        return io::Error::other("the parent process has ended");
    }
    std::process::Command::new(program).args(arguments).exec()
}

/// Kills every process of the group that `leader` leads. One that is gone already is no error.
pub(crate) fn kill_group(leader: u32) {
    let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) else { return };
    // The group may have ended by itself, which is what was wanted.
    rustix::process::kill_process_group(pid, Signal::KILL).ok();
}
