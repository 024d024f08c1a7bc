//! What a terminal shows of a living run: the cockpit where there is room for it, lines everywhere else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot};

use crate::event::{CommandAnswer, EventLog, Feed, ReadLog};
use crate::plan::Plan;
use crate::run::send_command;
use crate::ui::CommandSender;
use crate::ui::board::View;
use crate::ui::cockpit::{self, Ending, Look, Owner, Restorer, Screen, Seat, Sitter};
use crate::ui::terminal::{self, Status};
use crate::unit::Clock;

/// How long a screen may take to show the last of a run.
const SCREEN_WAIT: Duration = Duration::from_secs(2);
/// How many commands may wait for the run; a person types fewer.
const COMMANDS_WAITING_MAX: usize = 64;

/// How a run is shown.
#[derive(Debug, Clone)]
pub(super) enum Display {
    /// By lines.
    Lines(Status),
    /// By the cockpit.
    Cockpit(Sitter),
}

impl Display {
    /// The cockpit, unless somebody wants lines or the terminal can not show it.
    pub(super) fn choose(is_plain: bool, sitter: Sitter) -> Self {
        match is_plain {
            true => Self::Lines(Status::Lines),
            false if cockpit::is_possible() => Self::Cockpit(sitter),
            false => Self::Lines(Status::Block),
        }
    }

    /// The same, with the links of the run's control room, which the cockpit would hide.
    pub(super) fn with_links(self, links: Vec<String>) -> Self {
        match self {
            Self::Cockpit(sitter) => Self::Cockpit(Sitter { links, ..sitter }),
            Self::Lines(status) => Self::Lines(status),
        }
    }
}

/// A living run, from wherever it is seen.
pub(super) struct Living {
    pub(super) plan: Arc<Plan>,
    pub(super) directory: PathBuf,
    /// Its events behind a number, or from the first on.
    pub(super) feed: Box<dyn Fn(Option<u64>) -> Feed + Send>,
    pub(super) clock: Clock,
    pub(super) view: View,
}

impl Living {
    /// A run of this process, of which `log` tells.
    pub(super) fn own(plan: Arc<Plan>, log: &EventLog) -> Self {
        let (directory, events) = (log.directory().to_owned(), log.subscribe());
        let feed = {
            let directory = directory.clone();
            Box::new(move |after| Feed::new(&directory, events.resubscribe(), after))
        };
        Self { plan, directory, feed, clock: log.clock(), view: View::Facilitator }
    }
}

/// The clock of a run, from the wall-clock moment of its first event; none where it has none.
pub(super) fn clock_of(read: &ReadLog) -> Option<Clock> {
    let first = read.events.first()?;
    let elapsed = i64::try_from(first.elapsed_ms).ok().and_then(TimeDelta::try_milliseconds);
    Some(Clock::since(first.at - elapsed.unwrap_or_default()))
}

/// What is shown, in a thread of its own.
#[derive(Debug)]
pub(super) struct Shown {
    ended: oneshot::Receiver<Ending>,
    restorer: Option<Restorer>,
}

impl Shown {
    /// Waits until it has come to its end: with the run, or because whoever looked has left. None where it broke.
    pub(super) async fn ended(&mut self) -> Option<Ending> {
        (&mut self.ended).await.ok()
    }

    /// Waits until the last of a run was shown, and has the terminal given back. One that broke or hangs is not worth failing for.
    pub(super) async fn finish(mut self) {
        tokio::time::timeout(SCREEN_WAIT, self.ended()).await.ok();
        self.give_back();
    }

    /// Gives the terminal back at once.
    pub(super) fn give_back(&self) {
        if let Some(restorer) = &self.restorer {
            restorer.restore();
        }
    }
}

/// Shows a run from a thread of its own: a terminal that takes nothing more (Ctrl-S, a stuck connection) must hold up
/// neither the run nor its undo.
pub(super) fn show(living: Living, display: Display) -> Option<Shown> {
    let (ended, shown) = oneshot::channel::<Ending>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let owner = |sitter: &Sitter| if sitter.is_attached { Owner::Viewer } else { Owner::Run };
    // A terminal that can not be taken over still takes lines.
    let (screen, lines) = match display {
        Display::Lines(status) => (None, status),
        Display::Cockpit(sitter) => (Screen::take(owner(&sitter)).ok().map(|screen| (screen, sitter)), Status::Block),
    };
    let restorer = screen.as_ref().map(|(screen, _)| screen.restorer());
    let commands = commands_to(&living.directory);
    let draw = move || {
        let ending = match screen {
            Some((screen, sitter)) => runtime.block_on(fly(living, screen, sitter, commands)),
            None => {
                let feed = (living.feed)(None);
                runtime.block_on(terminal::watch(living.plan, feed, living.view, lines));
                Ending::RunOver
            }
        };
        // Nobody may listen any more.
        ended.send(ending).ok();
    };
    std::thread::Builder::new().name("screen".to_owned()).spawn(draw).ok()?;
    Some(Shown { ended: shown, restorer })
}

/// Shows the cockpit, and lines behind it: those of the run's end, or all that follow where the cockpit had to give way.
async fn fly(living: Living, screen: Screen, sitter: Sitter, commands: CommandSender) -> Ending {
    let is_attached = sitter.is_attached;
    let seat = Seat {
        plan: Arc::clone(&living.plan),
        feed: (living.feed)(None),
        view: living.view,
        clock: living.clock,
        commands,
        sitter,
    };
    let left = cockpit::watch(seat, screen, Look::from_environment()).await;
    match left.ending {
        Ending::RunOver => terminal::print(&left.last_lines),
        Ending::Restored | Ending::Broken if !is_attached => {
            let feed = (living.feed)(left.seq);
            terminal::watch(living.plan, feed, living.view, Status::Lines).await;
        }
        Ending::Left | Ending::Restored | Ending::Broken => {}
    }
    left.ending
}

/// The way to the run in `directory`: by its socket, as from everywhere else.
fn commands_to(directory: &Path) -> CommandSender {
    let (sender, mut commands) = mpsc::channel(COMMANDS_WAITING_MAX);
    let directory = directory.to_owned();
    tokio::spawn(async move {
        while let Some((command, back)) = commands.recv().await {
            let answer = send_command(&directory, &command).await;
            let answer = answer.unwrap_or_else(|error| CommandAnswer::Refused { why: error.to_string() });
            let back: oneshot::Sender<CommandAnswer> = back;
            // Whoever asked may have left.
            back.send(answer).ok();
        }
    });
    sender
}
