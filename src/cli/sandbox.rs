//! `gameday sandbox`: the local Lambda by itself, for other programs to use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failure, out, workspace};
use crate::sandbox::{Sandbox, SandboxError, SandboxOptions};
use crate::unit::process;
use crate::workspace::read_functions;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start it, print how to reach it, and run until Ctrl-C.
    Up(Up),
}

#[derive(Debug, Args)]
struct Up {
    /// A YAML file with `functions:`, each with `demo`, or `runtime`, `code` and `handler`, or `command`.
    #[arg(long, value_name = "FILE")]
    functions: PathBuf,
    /// The port of the Lambda API on 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The port of the function URLs on 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    url_port: u16,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What is printed once the sandbox answers.
#[derive(Debug, Serialize)]
struct Started {
    endpoint: String,
    functions: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_provider: Option<String>,
    /// What a client's environment should hold.
    environment: BTreeMap<&'static str, String>,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Up(arguments) => up(arguments).await,
    }
}

async fn up(arguments: Up) -> Result<Exit, Failure> {
    let spec = read_functions(&arguments.functions).map_err(|problems| workspace::invalid(&problems))?;
    // Before the sandbox starts, so that no signal finds it unguarded.
    let mut signals = Signals::listen().map_err(|error| Failure::from_error(&error))?;
    let options = options(&arguments)?;
    let region = options.region.clone();
    let sandbox = Sandbox::start(spec, options).await.map_err(|error| {
        let failure = Failure::from_error(&error);
        if matches!(error, SandboxError::Invalid { .. }) { Failure::new(Exit::Invalid, failure.text) } else { failure }
    })?;
    print(&started(&sandbox, region), arguments.json);
    signals.wait().await;
    out::progress("stopping");
    sandbox.stop().await;
    Ok(Exit::Success)
}

fn options(arguments: &Up) -> Result<SandboxOptions, Failure> {
    let failure = |error: std::io::Error| Failure::from_error(&error);
    let gameday = process::own_program().map_err(failure)?;
    let file = std::path::absolute(&arguments.functions).map_err(failure)?;
    let directory = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let defaults = SandboxOptions::new(gameday, directory);
    Ok(SandboxOptions { control_port: arguments.port, url_port: arguments.url_port, ..defaults })
}

fn started(sandbox: &Sandbox, region: String) -> Started {
    let endpoint = sandbox.endpoint();
    let url = |name: &str| Some((name.to_owned(), sandbox.function_url(name)?));
    Started {
        functions: sandbox.functions().filter_map(url).collect(),
        card_provider: sandbox.card_provider().map(|address| format!("http://{address}")),
        environment: BTreeMap::from([
            ("AWS_ENDPOINT_URL", endpoint.clone()),
            ("AWS_REGION", region),
            // The sandbox does not check them, but every SDK wants some.
            ("AWS_ACCESS_KEY_ID", "sandbox".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
        ]),
        endpoint,
    }
}

fn print(started: &Started, json: bool) {
    if json {
        out::json(started);
        return;
    }
    out::line(format_args!("Lambda API     {}", started.endpoint));
    for (name, url) in &started.functions {
        out::line(format_args!("function       {name}  {url}"));
    }
    if let Some(provider) = &started.card_provider {
        out::line(format_args!("card provider  {provider}"));
    }
    out::line("");
    for (name, value) in &started.environment {
        out::line(format_args!("export {name}={value}"));
    }
    out::progress("running; Ctrl-C stops it");
}

/// The signals that end the sandbox in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
