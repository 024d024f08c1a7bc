//! `gameday launch` (hidden): ties a child's life to its parent's, then becomes another program.

use std::ffi::OsString;

use clap::Args;

use super::{Exit, Failure};
use crate::unit::process;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The process id of the parent: when it has ended already, nothing is launched.
    #[arg(long)]
    parent: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let error = process::launch(arguments.parent, &arguments.command);
    Err(Failure::new(Exit::Failure, format_args!("failed to launch {:?}: {error}", arguments.command)))
}
