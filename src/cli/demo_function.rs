//! `gameday demo-function` (hidden): one function of the demo shop, started by the sandbox as a process of its own.

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::sandbox::{Demo, demo};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The function.
    #[arg(value_enum)]
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Checkout,
    Payments,
    Probe,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let demo = match arguments.name {
        Name::Checkout => Demo::Checkout,
        Name::Payments => Demo::Payments,
        Name::Probe => Demo::Probe,
    };
    demo::run(demo).await.map_err(|error| Failure::from_error(&error))?;
    Ok(Exit::Success)
}
