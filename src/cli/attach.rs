//! `gameday attach`: a living run in another terminal, to look at and to take part in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::live::who;
use super::screen::{self, Display, Living, Shown};
use super::{Exit, Failure, out, workspace};
use crate::event::{Command, CommandAnswer, RunOutcome, RunState, is_in_use, read_log};
use crate::run::{Attached, read_plan};
use crate::ui::board::View;
use crate::ui::cockpit::{Ending, Sitter};
use crate::unit::{Clock, PersonId};

/// What is shown.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViewArgument {
    /// Everything, with the keys of whoever runs the game day.
    Facilitator,
    /// What people who take part may see: of a blind drill neither faults nor load until they are revealed.
    Participant,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; needed only when more than one is alive.
    run: Option<String>,
    /// What to show.
    #[arg(long, value_name = "VIEW", default_value = "facilitator")]
    view: ViewArgument,
    /// Who looks, as it stands in the log; default $USER.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    by: Option<String>,
    /// Take part in this role of the scenario's `people`; default the roles that have the name of `--by`.
    #[arg(long, value_name = "ROLE")]
    role: Option<PersonId>,
    /// Show the run by lines alone: for logs and for screen readers.
    #[arg(long)]
    plain: bool,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let directory = living(&reports, arguments.run.as_deref())?;
    let attached = Attached::to(&directory).await.map_err(|error| Failure::from_error(&error))?;
    let name = who(arguments.by.as_deref());
    if let Some(role) = arguments.role.clone() {
        let join = Command::Join { role, by: name.clone() };
        if let CommandAnswer::Refused { why } =
            attached.send(&join).await.map_err(|error| Failure::from_error(&error))?
        {
            return Err(Failure::new(Exit::Failure, why));
        }
    }
    let sitter = Sitter { name, role: arguments.role, is_attached: true, links: Vec::new() };
    let living = Living {
        plan: Arc::new(read_plan(&directory).map_err(|error| Failure::from_error(&error))?),
        clock: clock(&directory)?,
        directory: directory.clone(),
        feed: Box::new(move |after| attached.feed(after)),
        view: match arguments.view {
            ViewArgument::Facilitator => View::Facilitator,
            ViewArgument::Participant => View::Participant,
        },
    };
    let shown = screen::show(living, Display::choose(arguments.plain, sitter));
    let mut shown = shown.ok_or_else(|| Failure::new(Exit::Failure, "there is no thread left to show the run in"))?;
    let ending = until_left(&mut shown).await;
    shown.give_back();
    tell(&directory, ending)
}

/// The folder of the run that is alive; one that is named and over is said to be so.
fn living(reports: &Path, run: Option<&str>) -> Result<PathBuf, Failure> {
    let id = run.map(|run| Path::new(run).file_name().map_or(run.into(), |name| name.to_string_lossy()));
    let live = workspace::live_run(reports, id.as_deref());
    live.map(|live| live.path).map_err(|failure| {
        let named = id.as_deref().and_then(|id| workspace::run_folder(reports, Some(id)).ok());
        match named.map(|folder| (is_over(&folder), folder)) {
            Some((true, folder)) => {
                let text =
                    format_args!("that run is over: see `gameday status` and the report in `{}`", folder.display());
                Failure::new(Exit::Failure, text)
            }
            Some((false, _)) | None => failure,
        }
    })
}

fn is_over(folder: &Path) -> bool {
    read_log(folder).is_ok_and(|read| RunState::fold(&read.events).is_over()) && !is_in_use(folder)
}

/// The run's clock, once the run has begun.
fn clock(directory: &Path) -> Result<Clock, Failure> {
    let read = read_log(directory).map_err(|error| Failure::from_error(&error))?;
    screen::clock_of(&read).ok_or_else(|| Failure::new(Exit::Failure, "the run has not begun; try again"))
}

/// Waits until whoever looks leaves, by key or by a signal, or the run is over.
async fn until_left(shown: &mut Shown) -> Option<Ending> {
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    let mut terminate = signal(SignalKind::terminate()).ok();
    let mut hangup = signal(SignalKind::hangup()).ok();
    let received = async |signal: &mut Option<tokio::signal::unix::Signal>| match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    };
    tokio::select! {
        ending = shown.ended() => ending,
        () = received(&mut interrupt) => Some(Ending::Left),
        () = received(&mut terminate) => Some(Ending::Left),
        () = received(&mut hangup) => Some(Ending::Left),
    }
}

fn tell(directory: &Path, ending: Option<Ending>) -> Result<Exit, Failure> {
    match ending {
        Some(Ending::Left) => {
            out::progress("left; the run goes on");
            Ok(Exit::Success)
        }
        Some(Ending::RunOver) => {
            let state = read_log(directory).map(|read| RunState::fold(&read.events));
            let how = match state.ok().and_then(|state| state.outcome) {
                Some(RunOutcome::Completed) => "the run is over",
                Some(RunOutcome::GateShut) => "the run is over: there was no steady state",
                Some(RunOutcome::NoGo) => "the run is over: somebody said no-go",
                Some(RunOutcome::Aborted) => "the run is over: it was aborted",
                None => "the run is heard of no more: see `gameday status`",
            };
            out::progress(how);
            Ok(Exit::Success)
        }
        Some(Ending::Restored | Ending::Broken) | None => {
            Err(Failure::new(Exit::Failure, "the terminal could not be drawn on any more; the run goes on"))
        }
    }
}
