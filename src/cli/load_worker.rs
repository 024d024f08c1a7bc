//! `gameday load-worker`: (hidden) the process that makes load. Plan on standard input, frames on standard output.

use std::sync::Arc;

use clap::Args;

use super::{Exit, Failure};
use crate::aws::Aws;
use crate::load::worker;
use crate::unit::{AwsAccess, SignRequest};

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments) -> Result<Exit, Failure> {
    worker::run(|access| Box::pin(connect(access))).await.map_err(|error| Failure::from_error(&error))?;
    Ok(Exit::Success)
}

async fn connect(access: AwsAccess) -> Arc<dyn SignRequest> {
    Arc::new(Aws::reconnect(&access).await.signer())
}
