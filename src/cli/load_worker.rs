//! `gameday load-worker`: (hidden) the process that makes load. Plan on standard input, frames on standard output.

use clap::Args;

use super::{Exit, Failure};
use crate::load::worker;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments) -> Result<Exit, Failure> {
    worker::run().await.map_err(|error| Failure::from_error(&error))?;
    Ok(Exit::Success)
}
