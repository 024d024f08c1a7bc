//! [`Hub`]: one fold of the run for each view, however many look.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cast::{Cast, folded};
use super::gate::Shown;
use super::metrics::metrics;
use super::screen::{NewLine, Screen, newest_lines};
use super::section::Standing;
use super::session::PerView;
use crate::event::{Event, EventKind, Feed, LogError};
use crate::plan::Plan;
use crate::ui::board::{Board, View};
use crate::unit::{Clock, elapsed_ms, error_chain};

/// Pages are told at most so often.
const UPDATE_EVERY: Duration = Duration::from_millis(50);
/// How often it is looked whether time alone has changed something: a step that is soon due, a phase that waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long what the run has still told is waited for when the server ends.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(500);

/// The views, as pages see them.
#[derive(Debug)]
pub(super) struct Hub {
    facilitator: Screen,
    participant: Screen,
    changed: [watch::Receiver<u64>; 2],
    clock: Clock,
    /// The time at which the run ended.
    ended_ms: OnceLock<u64>,
    cast: Cast,
    /// What participants see.
    shown: Mutex<Shown>,
    /// Each view as Prometheus reads it.
    metrics: PerView<Mutex<String>>,
    /// The names, as they are compared, of those who have done what organisers do.
    organisers: Mutex<BTreeSet<String>>,
}

impl Hub {
    pub(super) fn screen(&self, view: View) -> &Screen {
        match view {
            View::Facilitator => &self.facilitator,
            View::Participant => &self.participant,
        }
    }

    /// Tells when a view has changed, and ends with the server.
    pub(super) fn changed(&self, view: View) -> watch::Receiver<u64> {
        let [facilitator, participant] = &self.changed;
        match view {
            View::Facilitator => facilitator.clone(),
            View::Participant => participant.clone(),
        }
    }

    /// The run's time; that of its end, once it is over.
    pub(super) fn now_ms(&self) -> u64 {
        self.ended_ms.get().copied().unwrap_or_else(|| elapsed_ms(self.clock.elapsed()))
    }

    /// Who may be whom.
    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }

    /// What participants see at the moment.
    pub(super) fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a view shows at the moment, as Prometheus reads it.
    pub(super) fn metrics(&self, view: View) -> String {
        self.metrics.of(view).lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether somebody of that name has run the game day, from wherever.
    pub(super) fn is_organisers_name(&self, name: &str) -> bool {
        self.organisers.lock().unwrap_or_else(PoisonError::into_inner).contains(&folded(name))
    }

    /// Takes down who does what organisers do.
    fn note_organiser(&self, kind: &EventKind) {
        let by = match kind {
            EventKind::Joined { role, by } => by.as_ref().filter(|_| self.cast.is_organiser(role)),
            EventKind::InjectDelivered { by, .. }
            | EventKind::HintGiven { by, .. }
            | EventKind::Revealed { by, .. }
            | EventKind::CardDealt { by, .. }
            | EventKind::RunPaused { by }
            | EventKind::RunResumed { by }
            | EventKind::LoadSteered { by, .. } => by.as_ref(),
            _ => None,
        };
        if let Some(by) = by {
            self.organisers.lock().unwrap_or_else(PoisonError::into_inner).insert(folded(by));
        }
    }
}

/// A view while it is folded.
#[derive(Debug)]
struct Folded {
    board: Board,
    /// The number of the last event that has one.
    seq: Option<u64>,
    new_lines: Vec<NewLine>,
    changed: watch::Sender<u64>,
}

impl Folded {
    fn apply(&mut self, event: &Event) {
        let before = self.board.line_count();
        self.board.apply(event);
        // What the log could not take in has no number.
        self.seq = Some(event.seq).filter(|seq| *seq != u64::MAX).or(self.seq);
        let count = self.board.line_count() - before;
        if count > 0 {
            self.new_lines.extend(newest_lines(&self.board, count, self.seq));
        }
    }
}

/// Folds a run into its views.
#[derive(Debug)]
pub(super) struct Folding {
    hub: Arc<Hub>,
    feed: Option<Feed>,
    views: [Folded; 2],
    standing: Standing,
}

impl Folding {
    pub(super) fn new(plan: &Arc<Plan>, feed: Feed, clock: Clock, takes_commands: bool) -> Self {
        let folded = |view| {
            let (changed, receiver) = watch::channel(0);
            let board = Board::new(Arc::clone(plan), view);
            (Folded { board, seq: None, new_lines: Vec::new(), changed }, receiver)
        };
        let (facilitator, facilitator_changed) = folded(View::Facilitator);
        let (participant, participant_changed) = folded(View::Participant);
        let hub = Hub {
            facilitator: Screen::default(),
            participant: Screen::default(),
            changed: [facilitator_changed, participant_changed],
            clock,
            ended_ms: OnceLock::new(),
            shown: Mutex::new(Shown::of(&participant.board)),
            metrics: PerView { facilitator: Mutex::default(), participant: Mutex::default() },
            organisers: Mutex::default(),
            cast: Cast::of(plan),
        };
        let standing = Standing {
            began_at: clock.origin(),
            takes_commands,
            trouble: None,
            players: hub.cast.roles(View::Participant).to_vec(),
        };
        Self { hub: Arc::new(hub), feed: Some(feed), views: [facilitator, participant], standing }
    }

    pub(super) fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Folds until it is told to stop, and then whatever the run has still told.
    pub(super) async fn fold(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.catch_up() => self.update(),
            () = stop.cancelled() => {}
        }
        let mut update_at = Instant::now() + UPDATE_EVERY;
        let mut is_new = false;
        loop {
            let wake_at = if is_new { update_at } else { update_at + LOOK_EVERY };
            tokio::select! {
                event = next(self.feed.as_mut()) => {
                    self.take(event);
                    is_new = true;
                }
                () = tokio::time::sleep_until(wake_at) => {
                    self.update();
                    update_at = Instant::now() + UPDATE_EVERY;
                    is_new = false;
                }
                () = stop.cancelled() => break,
            }
        }
        // The log of a run that is over has its end; that of one that goes on in another process has none.
        let deadline = Instant::now() + LAST_WORDS_WAIT;
        while self.feed.is_some() {
            let quiet = (Instant::now() + UPDATE_EVERY).min(deadline);
            let Ok(event) = tokio::time::timeout_at(quiet, next(self.feed.as_mut())).await else { break };
            self.take(event);
        }
        self.update();
    }

    /// Takes in what the log has already. Before, nobody is told anything: a page that comes back from another server knows more.
    async fn catch_up(&mut self) {
        let first = next(self.feed.as_mut()).await;
        self.take(first);
        while let Some(event) = next(self.feed.as_mut()).now_or_never() {
            self.take(event);
        }
    }

    fn take(&mut self, event: Result<Option<Arc<Event>>, LogError>) {
        match event {
            Ok(Some(event)) => {
                self.hub.note_organiser(&event.kind);
                self.views.iter_mut().for_each(|view| view.apply(&event));
            }
            Ok(None) => self.end(None),
            // The path of the log is for whoever sits at this machine.
            Err(LogError::File(error)) => {
                let why = std::error::Error::source(&error).map(error_chain).unwrap_or_default();
                self.end(Some(format!("the run's log can not be read: {why}")));
            }
            Err(_) => self.end(Some("the run's log can not be read: `gameday status` says why".to_owned())),
        }
    }

    /// Nothing more comes.
    fn end(&mut self, trouble: Option<String>) {
        self.feed = None;
        let [Folded { board, .. }, _] = &self.views;
        self.hub.ended_ms.get_or_init(|| board.state().elapsed_ms);
        let died = (!board.state().is_over()).then(|| {
            "nothing more comes from the run, which has not ended: `gameday status` says how it stands".to_owned()
        });
        (self.standing.takes_commands, self.standing.trouble) = (false, trouble.or(died));
    }

    fn update(&mut self) {
        let now_ms = self.hub.now_ms();
        let [_, participant] = &self.views;
        *self.hub.shown.lock().unwrap_or_else(PoisonError::into_inner) = Shown::of(&participant.board);
        for view in &mut self.views {
            let lines = std::mem::take(&mut view.new_lines);
            let text = metrics(&view.board, now_ms);
            *self.hub.metrics.of(view.board.view()).lock().unwrap_or_else(PoisonError::into_inner) = text;
            let screen = self.hub.screen(view.board.view());
            if let Some(version) = screen.update(&view.board, (lines, view.seq), now_ms, &self.standing) {
                view.changed.send_replace(version);
            }
        }
    }
}

/// The next event; never, where nothing more comes.
async fn next(feed: Option<&mut Feed>) -> Result<Option<Arc<Event>>, LogError> {
    match feed {
        Some(feed) => feed.next().await,
        None => std::future::pending().await,
    }
}
