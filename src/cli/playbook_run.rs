//! `gameday playbook run`: a walk through a playbook, step by step. Nothing runs without a key press, what may change something not
//! without its name, and everything is written down before it is done: in the living run, or in a record of its own.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use console::style;

use super::playbook_block::{self, Ended};
use super::playbook_keys::{Key, Keys};
use super::playbook_record::{Record, Written};
use super::playbooks::{PLAYBOOKS, find};
use super::{Exit, Failure, live, out, playbook_show, workspace};
use crate::playbook::{Evidence, PartKind, Playbook, PlaybookCommand, PlaybookStep, Shell};
use crate::run::{LiveRun, live_runs};
use crate::unit::{PlaybookId, printable};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The playbook's id.
    id: PlaybookId,
    /// The living run in which this is done; needed only when more than one is alive.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The folder of runs, and of records of walks outside of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Who walks, as it stands in the record; default $USER.
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
}

/// Whether the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    On,
    Quit,
}

/// What a person says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    Skip,
    Quit,
}

pub(super) async fn run(arguments: Arguments, workspace: &Workspace) -> Result<Exit, Failure> {
    let playbook = find(workspace, &arguments.id)?;
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let text = format!(
            "`playbook run` asks before each step, and this is no terminal; `gameday playbook show {0}` prints it, and \
             `gameday step done ID` ticks a step of a living run",
            arguments.id
        );
        return Err(Failure::new(Exit::Failure, text));
    }
    let reports = workspace::reports_of(workspace, arguments.reports.as_deref());
    let live = living(&reports, arguments.run.as_deref())?;
    let by = live::who(arguments.by.as_deref());
    let failed =
        |error: std::io::Error| Failure::new(Exit::Failure, format_args!("failed to use the terminal: {error}"));
    let mut walk = Walking {
        record: Record::new(live, reports.join(PLAYBOOKS), &playbook, by),
        keys: Keys::new().map_err(failed)?,
        folder: workspace.root.clone(),
        playbook: &playbook,
    };
    for line in playbook_show::head(&playbook) {
        out::line(line);
    }
    match walk.record.begin() {
        Ok(place) => out::line(format_args!("  {place}")),
        Err(why) => return Err(Failure::new(Exit::Failure, why)),
    }
    out::line("  Return: do it, s: skip, q: quit; Ctrl-C ends a command that runs");
    let mut next = Next::On;
    for part in &playbook.outline.parts {
        for line in playbook_show::part(&playbook, part) {
            out::line(line);
        }
        next = match &part.kind {
            PartKind::Step(number) => walk.step(*number).await.map_err(failed)?,
            PartKind::Command(number) => walk.command(*number).await.map_err(failed)?,
            PartKind::Heading { .. } | PartKind::Prose { .. } | PartKind::Code(_) => Next::On,
        };
        if next == Next::Quit {
            break;
        }
    }
    let end = walk.record.end(next == Next::On);
    out::line("");
    out::line(if next == Next::On { "that was the last step" } else { "left before the end" });
    end.map(|()| Exit::Success).map_err(|why| Failure::new(Exit::Failure, why))
}

/// The run in which the walk takes place: the one that is named, or the only one that is alive.
fn living(reports: &Path, run: Option<&str>) -> Result<Option<LiveRun>, Failure> {
    if run.is_some() {
        return workspace::live_run(reports, run).map(Some);
    }
    let runs = live_runs(reports).map_err(|error| Failure::from_error(&error))?;
    match runs.iter().filter(|live| live.is_alive).count() {
        0 => Ok(None),
        _ => workspace::live_run(reports, None).map(Some),
    }
}

struct Walking<'p> {
    record: Record,
    keys: Keys,
    folder: PathBuf,
    playbook: &'p Playbook,
}

impl Walking<'_> {
    /// Asks until it is answered.
    async fn ask(&mut self, question: &str) -> std::io::Result<Answer> {
        let question = format!("  {} ", style(question).cyan());
        loop {
            let (answer, word) = match self.keys.key(&question).await? {
                Key::Enter | Key::Char('y' | 'Y') => (Answer::Yes, "yes"),
                Key::Char('s' | 'S') => (Answer::Skip, "skip"),
                Key::Char('q' | 'Q') | Key::End => (Answer::Quit, "quit"),
                Key::Char(_) | Key::Backspace | Key::Clear => {
                    out::line("Return, s or q");
                    continue;
                }
            };
            out::line(word);
            return Ok(answer);
        }
    }

    async fn step(&mut self, number: usize) -> std::io::Result<Next> {
        let Some(step) = self.playbook.steps.get(number) else { return Ok(Next::On) };
        if let Some(why) = self.record.not_open(&step.id) {
            out::line(format_args!("      {}", style(why).dim()));
            return Ok(if self.ask("go on? [Return/q]").await? == Answer::Quit { Next::Quit } else { Next::On });
        }
        loop {
            let written = match self.ask("done? [Return/s/q]").await? {
                Answer::Quit => return Ok(Next::Quit),
                Answer::Yes => match self.evidence(step).await? {
                    Some(evidence) => self.record.step_done(&step.id, evidence).await,
                    None => continue,
                },
                Answer::Skip => match self.keys.line("  why not? ").await? {
                    Some(why) => self.record.step_skipped(&step.id, Some(why).filter(|why| !why.is_empty())).await,
                    None => continue,
                },
            };
            match written {
                Ok(Written::Taken) => return Ok(Next::On),
                Ok(Written::Refused(why)) | Err(why) => self.tell(&format!("not ticked: {why}")),
            }
        }
    }

    /// What is noted of a step; none where the answer was broken off.
    async fn evidence(&mut self, step: &PlaybookStep) -> std::io::Result<Option<Option<String>>> {
        let Some(kind) = step.evidence else { return Ok(Some(None)) };
        loop {
            let question = format!("  {}", playbook_show::wanted(kind));
            let Some(text) = self.keys.line(&question).await? else { return Ok(None) };
            match Evidence::check(kind, &text) {
                Ok(()) => return Ok(Some(Some(text))),
                Err(why) => self.tell(&why),
            }
        }
    }

    async fn command(&mut self, number: usize) -> std::io::Result<Next> {
        let Some(command) = self.playbook.commands.get(number) else { return Ok(Next::On) };
        let Some(shell) = command.shell() else {
            self.tell("nothing here runs this; do it by hand");
            return Ok(if self.ask("go on? [Return/q]").await? == Answer::Quit { Next::Quit } else { Next::On });
        };
        let mut question = "run it? [Return/s/q]";
        loop {
            match self.ask(question).await? {
                Answer::Quit => return Ok(Next::Quit),
                Answer::Skip => return Ok(Next::On),
                Answer::Yes => {}
            }
            if command.confirm && !self.confirmed(command).await? {
                continue;
            }
            let Some(ended) = self.execute(command, shell).await else { continue };
            if ended.is_last {
                return Ok(Next::Quit);
            }
            if ended.why.is_none() {
                return Ok(Next::On);
            }
            question = "again? [Return/s/q]";
        }
    }

    /// Whether the command's name was typed.
    async fn confirmed(&mut self, command: &PlaybookCommand) -> std::io::Result<bool> {
        let question = format!("  type `{}` to run it: ", printable(&command.name));
        let typed = self.keys.line(&question).await?;
        let is_it = typed.as_ref() == Some(&command.name);
        if !is_it {
            self.tell("that is not its name: it was not run");
        }
        Ok(is_it)
    }

    /// Runs a command between two records; none where it was not started.
    async fn execute(&mut self, command: &PlaybookCommand, shell: Shell) -> Option<Ended> {
        match self.record.block_started(&command.name, command.readonly).await {
            Ok(Written::Taken) => {}
            // To look does no harm, and may be what is most needed when the disk is full.
            Err(why) if command.readonly => self.tell(&format!("this is not recorded: {why}")),
            Ok(Written::Refused(why)) | Err(why) => {
                self.tell(&format!("not run, since it could not be recorded: {why}"));
                return None;
            }
        }
        let ended = playbook_block::run(command, shell, &self.folder, &mut self.keys.stops).await;
        match &ended.why {
            None => out::line(format_args!("  {}", style("ok").green())),
            Some(why) => {
                self.tell(&format!("not ok: {why}"));
                if !command.readonly {
                    self.tell("it may have changed something all the same: look before it is run again");
                }
            }
        }
        match self.record.block_ended(&command.name, ended.why.clone()).await {
            Ok(Written::Taken) => {}
            Ok(Written::Refused(why)) | Err(why) => self.tell(&format!("its end is not recorded: {why}")),
        }
        Some(ended)
    }

    fn tell(&self, text: &str) {
        out::line(format_args!("  {}", style(printable(text)).red()));
    }
}
