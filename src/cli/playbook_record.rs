//! Where a walk through a playbook is written down: in the living run, as events of its own, or in a record of the walk's.

use std::path::PathBuf;

use super::out;
use crate::event::{Command, CommandAnswer, RunState, read_log};
use crate::playbook::{Playbook, Walk, WalkEvent};
use crate::run::{LiveRun, send_command};
use crate::unit::{Clock, PlaybookId, StepId, error_chain, printable, sha256_hex};

/// What became of something that was to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// It is on disk.
    Taken,
    /// The run does not take it, and why.
    Refused(String),
}

/// What is written down of a walk.
pub(super) struct Record {
    /// None where the run is over, or there was none.
    live: Option<LiveRun>,
    /// The walk's own record, once there is one.
    walk: Option<Walk>,
    folder: PathBuf,
    playbook: PlaybookId,
    sha256: String,
    clock: Clock,
    by: Option<String>,
}

impl Record {
    pub(super) fn new(live: Option<LiveRun>, folder: PathBuf, playbook: &Playbook, by: Option<String>) -> Self {
        let sha256 = sha256_hex(playbook.source.text().as_bytes());
        Self { live, walk: None, folder, playbook: playbook.id.clone(), sha256, clock: Clock::start(), by }
    }

    /// Begins; where the walk is written down.
    pub(super) fn begin(&mut self) -> Result<String, String> {
        if let Some(live) = &self.live {
            return Ok(format!("written down in run {}", printable(&live.state.run)));
        }
        self.open()?;
        let path = self.walk.as_ref().map(|walk| walk.path.display().to_string()).unwrap_or_default();
        Ok(format!("no run is alive: written down in {}", printable(&path)))
    }

    /// Makes a record of the walk's own.
    fn open(&mut self) -> Result<(), String> {
        let made = Walk::create(&self.folder, &self.playbook, self.clock.now()).and_then(|mut walk| {
            let (playbook, sha256, by) = (self.playbook.clone(), self.sha256.clone(), self.by.clone());
            walk.append(self.clock.now(), WalkEvent::WalkStarted { playbook, sha256, by })?;
            Ok(walk)
        });
        self.walk = Some(made.map_err(|error| error_chain(&error))?);
        Ok(())
    }

    /// Why a step can not be ticked in the run; none where it can, or where there is no run.
    pub(super) fn not_open(&self, step: &StepId) -> Option<String> {
        let live = self.live.as_ref()?;
        let state = RunState::fold(&read_log(&live.path).ok()?.events);
        match state.open_step(step) {
            Some(open) if open.playbook.as_ref() == Some(&self.playbook) => None,
            Some(_) => Some(format!("`{step}` is a step of something else in the run: it is not ticked there")),
            None => Some(format!("`{step}` is not open in the run: there is nothing to tick")),
        }
    }

    pub(super) async fn step_done(&mut self, step: &StepId, evidence: Option<String>) -> Result<Written, String> {
        let by = self.by.clone();
        let command = Command::StepDone { step: step.clone(), evidence: evidence.clone(), by: by.clone() };
        self.write(command, WalkEvent::StepDone { step: step.clone(), evidence, by }).await
    }

    pub(super) async fn step_skipped(&mut self, step: &StepId, why: Option<String>) -> Result<Written, String> {
        let by = self.by.clone();
        let command = Command::StepSkipped { step: step.clone(), why: why.clone(), by: by.clone() };
        self.write(command, WalkEvent::StepSkipped { step: step.clone(), why, by }).await
    }

    pub(super) async fn block_started(&mut self, block: &str, readonly: bool) -> Result<Written, String> {
        let (playbook, block, by) = (self.playbook.clone(), block.to_owned(), self.by.clone());
        let command = Command::BlockStarted { playbook, block: block.clone(), readonly, by: by.clone() };
        self.write(command, WalkEvent::BlockStarted { block, readonly, by }).await
    }

    pub(super) async fn block_ended(&mut self, block: &str, why: Option<String>) -> Result<Written, String> {
        let (playbook, block, by) = (self.playbook.clone(), block.to_owned(), self.by.clone());
        let ok = why.is_none();
        let command = Command::BlockEnded { playbook, block: block.clone(), ok, why: why.clone(), by: by.clone() };
        self.write(command, WalkEvent::BlockEnded { block, ok, why, by }).await
    }

    /// Ends; `whole` where it came to the playbook's end.
    pub(super) fn end(&mut self, whole: bool) -> Result<(), String> {
        match &mut self.walk {
            Some(walk) => {
                walk.append(self.clock.now(), WalkEvent::WalkEnded { whole }).map_err(|error| error_chain(&error))
            }
            None => Ok(()),
        }
    }

    /// Writes to the run while it can be reached, and from then on to a record of the walk's own.
    async fn write(&mut self, command: Command, event: WalkEvent) -> Result<Written, String> {
        if let Some(live) = &self.live {
            match send_command(&live.path, &command).await {
                Ok(CommandAnswer::Taken) => return Ok(Written::Taken),
                Ok(CommandAnswer::Refused { why }) => return Ok(Written::Refused(why)),
                Err(error) => {
                    let why = printable(&error_chain(&error));
                    out::line(format_args!(
                        "  the run can not be reached any more ({why}): a record of its own goes on"
                    ));
                    self.live = None;
                }
            }
        }
        if self.walk.is_none() {
            self.open()?;
        }
        let Some(walk) = &mut self.walk else { return Err("there is no record".to_owned()) };
        walk.append(self.clock.now(), event).map_err(|error| error_chain(&error))?;
        Ok(Written::Taken)
    }
}
