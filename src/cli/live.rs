//! The commands that speak to a living run: `step`, `mark`, `ack`, `note`, `pause`, `resume`, `abort`, and `load set`, `load pause`,
//! `load resume`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Exit, Failure, out, workspace};
use crate::event::{Command, CommandAnswer, LoadSteer};
use crate::run::send_command;
use crate::unit::{ComponentId, FaultId, LoadId, Rate, StepId};

/// Which run, and who speaks.
#[derive(Debug, Args)]
pub(super) struct Address {
    /// The run's id; needed only when more than one is alive.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Who does this, as it stands in the log; default $USER.
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Address {
    /// Who does this.
    pub(super) fn who(&self) -> Option<String> {
        who(self.by.as_deref())
    }
}

/// A name in one line; nobody where it is empty, as `$USER` may be.
pub(super) fn who(by: Option<&str>) -> Option<String> {
    let words: Vec<&str> = by.unwrap_or_default().split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[derive(Debug, Args)]
pub(super) struct StepArguments {
    #[command(subcommand)]
    what: StepCommand,
}

#[derive(Debug, Subcommand)]
enum StepCommand {
    /// A step is done.
    Done {
        /// The step's id.
        step: StepId,
        /// What was seen, where the step asks for evidence: a number, a link, a trace's id, a text.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        evidence: Option<String>,
        #[command(flatten)]
        address: Address,
    },
    /// A step will not be done.
    Skip {
        /// The step's id.
        step: StepId,
        /// Why not.
        #[arg(long)]
        why: String,
        #[command(flatten)]
        address: Address,
    },
}

#[derive(Debug, Args)]
pub(super) struct MarkArguments {
    /// The mark: detected, acknowledged, diagnosed, mitigated, recovered, escalated, surprised, or a name of the scenario's own.
    name: String,
    /// What else there is to say.
    text: Vec<String>,
    /// The component that a `diagnosed` names; the report holds it against the fault's.
    #[arg(long, value_name = "COMPONENT")]
    component: Option<ComponentId>,
    /// The fault it belongs to; default the latest with a proven effect.
    #[arg(long, value_name = "FAULT")]
    fault: Option<FaultId>,
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(super) struct PlainArguments {
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(super) struct NoteArguments {
    /// What to write down.
    #[arg(required = true)]
    text: Vec<String>,
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(super) struct AbortArguments {
    /// Why.
    #[arg(long)]
    why: Option<String>,
    #[command(flatten)]
    address: Address,
}

/// What can be done with a load that runs, in `gameday load` or `gameday run`.
#[derive(Debug, Subcommand)]
pub(super) enum LoadCommand {
    /// Hold another rate from now on, up to the end of the load's shape.
    Set {
        /// The rate: `200/s`.
        #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
        rate: Rate,
        #[command(flatten)]
        which: WhichLoad,
    },
    /// Let nobody come; who is under way goes on to the end of the journey.
    Pause(WhichLoad),
    /// Let users come again: at the rate that was set, or else along the load's shape.
    Resume(WhichLoad),
}

#[derive(Debug, Args)]
pub(super) struct WhichLoad {
    /// The load; needed only when more than one runs.
    #[arg(long, value_name = "NAME")]
    load: Option<LoadId>,
    #[command(flatten)]
    address: Address,
}

pub(super) async fn steer_load(command: LoadCommand) -> Result<Exit, Failure> {
    let (how, WhichLoad { load, address }) = match command {
        LoadCommand::Set { rate, which } => (LoadSteer::Rate(rate), which),
        LoadCommand::Pause(which) => (LoadSteer::Pause, which),
        LoadCommand::Resume(which) => (LoadSteer::Resume, which),
    };
    let by = address.who();
    send(&address, Command::SteerLoad { load, how, by }).await
}

pub(super) async fn step(arguments: StepArguments) -> Result<Exit, Failure> {
    match arguments.what {
        StepCommand::Done { step, evidence, address } => {
            let by = address.who();
            send(&address, Command::StepDone { step, evidence, by }).await
        }
        StepCommand::Skip { step, why, address } => {
            let by = address.who();
            send(&address, Command::StepSkipped { step, why: Some(why), by }).await
        }
    }
}

pub(super) async fn mark(arguments: MarkArguments) -> Result<Exit, Failure> {
    let MarkArguments { name, text, component, fault, address } = arguments;
    let by = address.who();
    let text = (!text.is_empty()).then(|| text.join(" "));
    send(&address, Command::Mark { name, fault, component, text, by }).await
}

pub(super) async fn ack(arguments: PlainArguments) -> Result<Exit, Failure> {
    let by = arguments.address.who();
    send(&arguments.address, Command::Ack { by }).await
}

pub(super) async fn note(arguments: NoteArguments) -> Result<Exit, Failure> {
    let by = arguments.address.who();
    send(&arguments.address, Command::Note { text: arguments.text.join(" "), by }).await
}

pub(super) async fn pause(arguments: PlainArguments) -> Result<Exit, Failure> {
    let by = arguments.address.who();
    send(&arguments.address, Command::Pause { by }).await
}

pub(super) async fn resume(arguments: PlainArguments) -> Result<Exit, Failure> {
    let by = arguments.address.who();
    send(&arguments.address, Command::Resume { by }).await
}

pub(super) async fn abort(arguments: AbortArguments) -> Result<Exit, Failure> {
    let by = arguments.address.who();
    send(&arguments.address, Command::Abort { why: arguments.why, by }).await
}

pub(super) async fn send(address: &Address, command: Command) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(address.reports.as_deref());
    let live = workspace::live_run(&reports, address.run.as_deref())?;
    let answer = send_command(&live.path, &command).await.map_err(|error| Failure::from_error(&error))?;
    if address.json {
        out::json(&answer);
    }
    match answer {
        CommandAnswer::Taken => {
            if !address.json {
                out::line(format_args!("taken, in run {}", live.state.run));
            }
            Ok(Exit::Success)
        }
        CommandAnswer::Refused { why } => Err(Failure::new(Exit::Failure, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_nothing() {
        let who = |by: Option<&str>| Address { run: None, reports: None, by: by.map(str::to_owned), json: false }.who();
        assert_eq!([who(None), who(Some("")), who(Some("  "))], [None, None, None]);
        assert_eq!(who(Some(" maria\n of ops ")).as_deref(), Some("maria of ops"));
    }
}
