//! `gameday proxy`: the fault proxy by itself.

use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::proxy_list::ProxyFile;
use super::{Exit, Failure, out};
use crate::aws::Resigner;
use crate::proxy::{AdminAddress, Audit, AuditEvent, HostName, Server, ServerOptions, TokenSource};
use crate::unit::{DurationText, Secret};

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
    /// A YAML or JSON file of proxies (Toxiproxy's own, too). It is followed: a change takes effect at once, and one that
    /// is not valid is told and changes nothing.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let proxies listen where others can reach them; with a token, the admin API, too.
    #[arg(long)]
    listen_any: bool,
    /// What every call of the admin API must bear (`Authorization: Bearer …`), as `env:NAME` of the variable that has it.
    #[arg(long, value_name = "env:NAME")]
    token: Option<String>,
    /// How many connections of one proxy may be open, at most what the process has descriptors for.
    #[arg(long, value_name = "NUMBER")]
    connections_max: Option<NonZero<usize>>,
    /// How many threads serve connections. One passes as many requests as a core can; each more lets another core help, and
    /// costs every request some 15 % more CPU.
    #[arg(long, value_name = "NUMBER", default_value_t = NonZero::<usize>::MIN)]
    threads: NonZero<usize>,
    /// Allow proxies with `resign: true`: they sign requests anew that were signed for them, with the credentials of this
    /// process. Whatever program reaches such a proxy, or the admin API, may do what these credentials may do; what a browser
    /// sends is not signed.
    #[arg(long)]
    resign: bool,
    /// A name by which programs call proxies with `resign: true`; may be repeated. Requests for an IP address, for
    /// `localhost` and for names below it are signed in any case, those for all other names are passed on as they are.
    #[arg(long, value_name = "NAME", requires = "resign")]
    resign_host: Vec<HostName>,
    /// The profile whose credentials sign; default the usual chain.
    #[arg(long, value_name = "NAME", requires = "resign")]
    profile: Option<String>,
    /// Leave the session of the process that started this one, and outlive it.
    #[arg(long, hide = true)]
    detach: bool,
}

impl Arguments {
    /// How many threads serve connections.
    pub(super) fn threads(&self) -> usize {
        self.threads.get()
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let token = arguments.token.as_deref().map(read_token).transpose()?;
    if arguments.detach {
        rustix::process::setsid().map_err(|error| Failure::from_error(&error))?;
    }
    let signals = Signals::listen().map_err(|error| Failure::from_error(&error))?;
    let options = ServerOptions {
        admin: arguments.admin,
        seed: arguments.seed,
        time_limit: arguments.time_limit.map(|limit| limit.0),
        listen_any: arguments.listen_any,
        token,
        connections_max: arguments.connections_max.map(NonZero::get),
        resigner: if arguments.resign { Some(Arc::new(resigner(arguments.profile.as_deref()).await)) } else { None },
        resign_hosts: arguments.resign_host,
        // Nobody may be there to read what a detached process writes, and its controller keeps a log of its own.
        audit: if arguments.detach { Audit::default() } else { Audit::to(tell) },
    };
    let server = Server::bind(&options).await.map_err(|error| Failure::from_error(&error))?;
    let file = match arguments.config {
        Some(path) => Some(ProxyFile::open(path, server.list()).await?),
        None => None,
    };
    if arguments.listen_any {
        out::progress("warning: proxies may listen where others can reach them (`--listen-any`)");
    }
    if !arguments.detach {
        out::line(format_args!("admin API on {}", server.admin_address()));
    }
    let stop = async {
        tokio::select! {
            () = signals.stop(arguments.detach) => {}
            () = follow(file) => {}
        }
    };
    server.run(stop).await.map_err(|error| Failure::from_error(&error))?;
    Ok(Exit::Success)
}

/// Who signs anew; that there is nothing to sign with is told, and may change.
async fn resigner(profile: Option<&str>) -> Resigner {
    let resigner = Resigner::of_caller(profile).await;
    let first = resigner.clone();
    // The usual chain may ask for seconds, and proxies wait for nobody.
    tokio::spawn(async move {
        if let Err(why) = first.find_credentials().await {
            out::progress(format_args!("warning: nothing is signed anew until there are credentials: {why}"));
        }
    });
    resigner
}

/// The token that a variable has. What is no name of one may be the token itself, and is not repeated.
fn read_token(source: &str) -> Result<Secret, Failure> {
    let source: TokenSource =
        source.parse().map_err(|error| Failure::new(Exit::Failure, format_args!("`--token` is not valid: {error}")))?;
    source.read().map_err(|error| Failure::from_error(&error))
}

/// Follows the file of proxies, if there is one; never returns.
async fn follow(file: Option<ProxyFile>) {
    if let Some(file) = file {
        file.follow().await;
    }
    std::future::pending().await
}

/// One line of JSON for each change.
fn tell(event: &AuditEvent) {
    out::progress(serde_json::to_string(event).expect("invariant: an audit event has only texts as keys"));
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
