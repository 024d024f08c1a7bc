//! `gameday proxy`: the fault proxy by itself.

use clap::Args;

use super::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Success)
}
