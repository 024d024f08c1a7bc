//! The cockpit: a run on the whole screen of a terminal, with keys for all that people can do.
//!
//! Owns: keys, questions, what is drawn where, the terminal's modes. Must not know: how a run works, and what may be shown to whom, which
//! is the board's.

mod app;
mod checklist;
mod digits;
mod draw;
mod editor;
mod input;
mod keyboard;
mod keys;
mod look;
mod overlay;
mod panel;
mod prompt;
mod screen;
mod situation;
#[cfg(test)]
mod tests;
mod text;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

pub use app::Sitter;
pub use draw::SIZE_MIN;
pub use look::Look;
pub use screen::{Owner, Restorer, Screen, is_possible};

use self::app::{Cockpit, Reaction};
use self::input::Key;
use self::screen::Frames;
use super::CommandSender;
use super::board::{Board, EventLine, Tone, View};
use crate::event::{Command, CommandAnswer, EventKind, Feed};
use crate::plan::Plan;
use crate::unit::{Clock, elapsed_ms};

/// The shortest time between two frames: 20 a second.
const FRAME_INTERVAL: Duration = Duration::from_millis(50);
/// How often the clock moves without news, and how often is looked for another size of the terminal.
const TICK_INTERVAL: Duration = Duration::from_millis(250);
/// How often a frame is drawn without news.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);
/// How long a suspended viewer may take to be stopped.
const STOP_WAIT: Duration = Duration::from_millis(300);
/// How many lines of a run's end are handed back.
const LAST_LINES_MAX: usize = 100;

/// What a cockpit shows, and to whom.
#[derive(Debug)]
pub struct Seat {
    /// The run's plan.
    pub plan: Arc<Plan>,
    /// Its events.
    pub feed: Feed,
    /// What may be shown.
    pub view: View,
    /// The run's clock.
    pub clock: Clock,
    /// The way back to the run.
    pub commands: CommandSender,
    /// Who looks.
    pub sitter: Sitter,
}

/// Why a cockpit is shown no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The run is over, or nothing more is heard of it.
    RunOver,
    /// Whoever looked has left.
    Left,
    /// The terminal was given back by somebody else, after a panic; the run goes on.
    Restored,
    /// The terminal takes nothing more, or the log can not be read; the run goes on.
    Broken,
}

/// A cockpit that was left.
#[derive(Debug)]
pub struct Left {
    /// Why.
    pub ending: Ending,
    /// What the run said when it came to its end.
    pub last_lines: Vec<EventLine>,
    /// The number of the last event that was shown.
    pub seq: Option<u64>,
}

/// Shows a run on `screen` until it is over or whoever looks leaves.
pub async fn watch(seat: Seat, screen: Screen, look: Look) -> Left {
    let Seat { plan, feed, view, clock, commands, sitter } = seat;
    let cockpit = Cockpit::new(Board::new(plan, view), sitter);
    let answers = FuturesUnordered::new();
    let mut show = Show { cockpit, clock, commands, answers, look, screen, is_away: false };
    let ending = show.run(feed).await.unwrap_or(Ending::Broken);
    let mut last_lines = show.cockpit.last_lines();
    let surplus = last_lines.len().saturating_sub(LAST_LINES_MAX);
    last_lines.drain(..surplus);
    Left { ending, last_lines, seq: show.cockpit.board.seq() }
}

type CrosstermTerminal = Terminal<CrosstermBackend<Frames>>;

struct Show {
    cockpit: Cockpit,
    clock: Clock,
    commands: CommandSender,
    answers: FuturesUnordered<oneshot::Receiver<CommandAnswer>>,
    look: Look,
    screen: Screen,
    /// Whether the terminal was lent to the program that is in front of it.
    is_away: bool,
}

impl Show {
    async fn run(&mut self, mut feed: Feed) -> io::Result<Ending> {
        let mut keys = Some(keyboard::listen()?);
        let mut size = screen::size().unwrap_or(SIZE_MIN);
        let mut terminal = self.screen.terminal(size)?;
        let mut tick = tokio::time::interval(TICK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut pace = Pace::new(Instant::now());
        loop {
            if pace.is_overdue(Instant::now()) && !self.draw(&mut terminal, size, &mut pace)? {
                return Ok(Ending::Restored);
            }
            // What has come is taken in before it is drawn.
            tokio::select! {
                biased;
                event = feed.next() => match event.map_err(io::Error::other)? {
                    Some(event) => {
                        self.cockpit.apply(&event);
                        if matches!(event.kind, EventKind::RunEnded { .. }) {
                            return Ok(Ending::RunOver);
                        }
                        pace.news(Instant::now());
                    }
                    None => return Ok(Ending::RunOver),
                },
                key = next_key(&mut keys) => match key {
                    Some(key) => {
                        if self.press(&key, &mut terminal).await? {
                            return Ok(Ending::Left);
                        }
                        pace.news(Instant::now());
                    }
                    // Nobody is there any more; a run of our own goes on until it is told otherwise.
                    None if self.cockpit.sitter.is_attached => return Ok(Ending::Left),
                    None => keys = None,
                },
                Some(answer) = self.answers.next() => {
                    self.answered(answer);
                    pace.news(Instant::now());
                }
                _ = tick.tick() => {
                    self.come_back(&mut terminal)?;
                    if let Some(new) = screen::size().filter(|new| *new != size) {
                        size = new;
                        terminal.resize(Rect::new(0, 0, new.0, new.1))?;
                        pace.news(Instant::now());
                    }
                    for join in self.cockpit.take_seats() {
                        // Nobody has asked for it: that it was taken is in the log, and hides no answer to a key.
                        let (back, _) = oneshot::channel();
                        self.commands.try_send((join, back)).ok();
                    }
                }
                () = tokio::time::sleep_until(pace.next()) => {
                    if !self.draw(&mut terminal, size, &mut pace)? {
                        return Ok(Ending::Restored);
                    }
                }
            }
        }
    }

    fn answered(&mut self, answer: Result<CommandAnswer, oneshot::error::RecvError>) {
        let now_ms = self.now_ms();
        match answer {
            Ok(answer) => self.cockpit.answered(&answer, now_ms),
            Err(_) => self.cockpit.say(Tone::Bad, "✗", "the run gave no answer", now_ms),
        }
    }

    fn now_ms(&self) -> u64 {
        elapsed_ms(self.clock.elapsed())
    }

    /// Draws a frame; answers whether the terminal is still ours.
    fn draw(&self, terminal: &mut CrosstermTerminal, size: (u16, u16), pace: &mut Pace) -> io::Result<bool> {
        let restorer = self.screen.restorer();
        if !restorer.is_taken() {
            pace.drawn(Instant::now());
            return Ok(self.is_away && !restorer.is_over());
        }
        let now_ms = self.now_ms();
        let area = Rect::new(0, 0, size.0, size.1);
        terminal.draw(|frame| draw::frame(&self.cockpit, self.look, now_ms, area, frame.buffer_mut()))?;
        pace.drawn(Instant::now());
        Ok(true)
    }

    /// Takes in a key; answers whether to leave.
    async fn press(&mut self, key: &Key, terminal: &mut CrosstermTerminal) -> io::Result<bool> {
        match self.cockpit.key(key, self.now_ms()) {
            Reaction::Nothing => {}
            Reaction::Send(command) => self.send(command),
            Reaction::Leave => return Ok(true),
            Reaction::Redraw => clear(terminal)?,
            Reaction::Suspend => {
                self.suspend().await?;
                self.come_back(terminal)?;
            }
        }
        Ok(false)
    }

    fn send(&mut self, command: Command) {
        let (back, answer) = oneshot::channel();
        match self.commands.try_send((command, back)) {
            Ok(()) => self.answers.push(answer),
            Err(_) => {
                let now_ms = self.now_ms();
                self.cockpit.say(Tone::Bad, "✗", "not sent: the run takes no more commands at present", now_ms);
            }
        }
    }

    /// Stops this process as a Ctrl-Z does, with the terminal as it was, until it is continued.
    async fn suspend(&mut self) -> io::Result<()> {
        let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
        self.screen.restorer().lend();
        self.is_away = true;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
        // Where nobody could continue it, the kernel does not stop it either.
        tokio::time::timeout(STOP_WAIT, continued.recv()).await.ok();
        Ok(())
    }

    /// Takes the terminal that was lent, once this process is in front again: it may have been continued in the background, or to end.
    fn come_back(&mut self, terminal: &mut CrosstermTerminal) -> io::Result<()> {
        if self.is_away && self.screen.enter()? {
            self.is_away = false;
            clear(terminal)?;
        }
        Ok(())
    }
}

/// Has every cell drawn anew. [`Terminal::clear`] would ask the terminal where its cursor is, and the answer would be taken for keys.
fn clear(terminal: &mut CrosstermTerminal) -> io::Result<()> {
    let area = terminal.get_frame().area();
    terminal.resize(area)
}

async fn next_key(keys: &mut Option<mpsc::Receiver<Key>>) -> Option<Key> {
    match keys {
        Some(keys) => keys.recv().await,
        None => std::future::pending().await,
    }
}

/// When frames are drawn: soon after news, not too often, and now and then without.
#[derive(Debug, Clone, Copy)]
struct Pace {
    last: Option<Instant>,
    /// Since when there is something to draw.
    news: Option<Instant>,
    begun: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { last: None, news: Some(now), begun: now }
    }

    fn news(&mut self, now: Instant) {
        self.news.get_or_insert(now);
    }

    fn drawn(&mut self, now: Instant) {
        (self.last, self.news) = (Some(now), None);
    }

    /// The earliest moment for the next frame, once nothing more comes.
    fn next(&self) -> Instant {
        match (self.last, self.news) {
            (None, _) => self.begun,
            (Some(last), Some(news)) => news.max(last + FRAME_INTERVAL),
            (Some(last), None) => last + REDRAW_INTERVAL,
        }
    }

    /// Whether a frame can not wait any longer, although more keeps coming.
    fn is_overdue(&self, now: Instant) -> bool {
        self.news.is_some_and(|news| now >= self.next().max(news + FRAME_INTERVAL))
    }
}
