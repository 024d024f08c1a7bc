//! `gameday launch` (hidden): ties a child's life to its parent's, then becomes another program, or stays as its guard.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::{Exit, Failure, out};
use crate::unit::process;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The process id of the parent: when it has ended already, nothing is launched.
    #[arg(long)]
    parent: u32,
    /// Stay beside the program, and kill its whole process group should the parent die.
    #[arg(long)]
    pub(super) guard: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let error = process::launch(arguments.parent, &arguments.command);
    Err(Failure::new(Exit::Failure, format_args!("failed to launch {:?}: {error}", arguments.command)))
}

/// The exit code is the program's.
pub(super) fn guard(arguments: &Arguments) -> ExitCode {
    match process::guard(arguments.parent, &arguments.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            out::progress(format_args!("error: failed to launch {:?}: {error}", arguments.command));
            ExitCode::from(process::EXIT_NOT_STARTED)
        }
    }
}
