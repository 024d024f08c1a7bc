//! `gameday proxy`: the fault proxy by itself.

use std::io;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failure, out};
use crate::proxy::{AdminAddress, Server, ServerOptions};
use crate::unit::DurationText;
use crate::unit::error_chain;

/// The seed unless one is given: fixed, so that two runs of one experiment hit the same connections.
const SEED_DEFAULT: u64 = 1;

/// The port of Toxiproxy's admin API, which its clients expect.
const ADMIN_DEFAULT: &str = "127.0.0.1:8474";

#[derive(Debug, Args)]
#[command(after_help = "\
It speaks Toxiproxy's HTTP API, so its clients work unchanged:
  curl -d '{\"name\": \"api\", \"listen\": \":18080\", \"upstream\": \"127.0.0.1:8080\"}' localhost:8474/proxies
  curl -d '{\"type\": \"latency\", \"attributes\": {\"latency\": 250}}' localhost:8474/proxies/api/toxics
Ctrl-C ends it, and with it every proxy.")]
pub(super) struct Arguments {
    /// Where the admin API listens: a loopback address and port, or `unix:` and a path in a directory of mode 0700.
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN_DEFAULT)]
    admin: AdminAddress,
    /// The seed of all chances: the same seed hits the same connections.
    #[arg(long, default_value_t = SEED_DEFAULT)]
    seed: u64,
    /// End by itself after this time, such as `2h`.
    #[arg(long, value_name = "DURATION")]
    time_limit: Option<DurationText>,
    /// A JSON file of proxies to begin with, as in `POST /populate`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave the session of the process that started this one, and outlive it.
    #[arg(long, hide = true)]
    detach: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.detach {
        rustix::process::setsid().map_err(|error| Failure::from_error(&error))?;
    }
    let signals = Signals::listen().map_err(|error| Failure::from_error(&error))?;
    let options = ServerOptions {
        admin: arguments.admin,
        seed: arguments.seed,
        time_limit: arguments.time_limit.map(|limit| limit.0),
    };
    let server = Server::bind(&options).await.map_err(|error| Failure::from_error(&error))?;
    if let Some(path) = &arguments.config {
        let invalid = |error: &dyn std::error::Error| {
            Failure::new(Exit::Invalid, format_args!("`{}`: {}", path.display(), error_chain(error)))
        };
        let text = tokio::fs::read(path).await.map_err(|error| invalid(&error))?;
        let proxies = server.populate(&text).await.map_err(|error| invalid(&error))?;
        for proxy in proxies {
            out::line(format_args!("proxy {proxy}"));
        }
    }
    if !arguments.detach {
        out::line(format_args!("admin API on {}", server.admin_address()));
    }
    server.run(signals.stop(arguments.detach)).await.map_err(|error| Failure::from_error(&error))?;
    Ok(Exit::Success)
}

/// The signals that end the process, caught from before anything is bound.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves when the process is to end. A detached one takes no note of a terminal that closes.
    async fn stop(mut self, detached: bool) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = self.hangup.recv(), if !detached => {}
        }
    }
}
