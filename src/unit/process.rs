//! Starting, signalling and ending processes that we own, and the hidden launcher that ties a child to its parent.
//!
//! A child of ours is started as `gameday launch --parent PID -- PROGRAM ARGS…`: the launcher asks the kernel to be
//! killed with its parent (`PR_SET_PDEATHSIG`), then becomes the program by `exec`. No `unsafe` of ours is needed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

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
pub(crate) fn launch(parent: u32, command: &[OsString]) -> io::Error {
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

/// What a shell answers for a program that it cannot start.
pub(crate) const EXIT_NOT_STARTED: u8 = 127;
/// What a shell adds to the number of the signal that ended a program.
const EXIT_OF_SIGNALS: i32 = 128;

/// A command that runs `program` in a process group of its own, which signals from a terminal do not reach. When this
/// process dies, all of the group is killed: nothing that the program started goes on behind the back of whoever cleans
/// up. Its exit code is the program's, 127 where there is no such program, and 128 and more where a signal ended it.
pub(crate) fn guarded_command(gameday: &Path, program: impl AsRef<OsStr>) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(gameday);
    let parent = std::process::id().to_string();
    command.arg(LAUNCH).arg("--guard").arg("--parent").arg(parent).arg("--").arg(program);
    command.process_group(0).stdin(Stdio::null());
    command
}

/// Serves `gameday launch --guard`: runs `command`, and kills this process's group should `parent` die first. Answers the
/// exit code.
///
/// # Errors
/// The program cannot be started, the parent has ended already, or the kernel does not say when it ends.
pub(crate) fn guard(parent: u32, command: &[OsString]) -> io::Result<u8> {
    let missing = || io::Error::other("the parent process has ended");
    let pid = i32::try_from(parent).ok().and_then(Pid::from_raw).ok_or_else(missing)?;
    let parent = pidfd_open(pid, PidfdFlags::empty())?;
    // The handle is of whoever has that number now: only where that is still the parent is it the right one.
    if rustix::process::getppid() != Some(pid) {
        return Err(missing());
    }
    let (program, arguments) = command.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut child = std::process::Command::new(program).args(arguments).spawn()?;
    let running = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    loop {
        let mut handles = [PollFd::new(&parent, PollFlags::IN), PollFd::new(&running, PollFlags::IN)];
        match poll(&mut handles, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [is_parent_gone, is_over] = handles.map(|handle| !handle.revents().is_empty());
        if is_over {
            let status = child.wait()?;
            let of_signal = || EXIT_OF_SIGNALS + status.signal().unwrap_or_default();
            return Ok(u8::try_from(status.code().unwrap_or_else(of_signal)).unwrap_or(u8::MAX));
        }
        if is_parent_gone {
            // This process is a part of the group, and ends with it.
            rustix::process::kill_current_process_group(Signal::KILL)?;
        }
    }
}

/// Kills every process of the group that `leader` leads. One that is gone already is no error.
pub(crate) fn kill_group(leader: u32) {
    let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) else { return };
    // The group may have ended by itself, which is what was wanted.
    rustix::process::kill_process_group(pid, Signal::KILL).ok();
}
