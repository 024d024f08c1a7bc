//! [`Sessions`]: who has entered by a link, under which name, and how much each may ask.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use super::access::{Access, Guest, random_text};
use super::limit::Bucket;
use super::refusal::Refusal;
use crate::ui::board::View;
use crate::unit::{FileError, PersonId, sha256_hex};

/// How many people may have entered by the links of one run.
const GUESTS_MAX: usize = 1_000;
/// How many streams one session may hold open: one a tab.
pub(super) const STREAMS_PER_SESSION_MAX: usize = 16;
/// How many streams a server holds open.
pub(super) const STREAMS_MAX: usize = 256;
/// Commands of one session: so many at once, then one at each interval.
const COMMANDS: (Duration, u32) = (Duration::from_millis(100), 20);
/// Commands of all sessions together.
const COMMANDS_OF_ALL: (Duration, u32) = (Duration::from_millis(10), 200);
/// New sessions.
const ENTRIES: (Duration, u32) = (Duration::from_millis(100), 100);
/// Tokens that are no link's.
const WRONG_TOKENS: (Duration, u32) = (Duration::from_secs(1), 10);

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    key: String,
    pub(super) guest: Guest,
}

/// Everybody who has entered.
#[derive(Debug)]
pub(super) struct Sessions {
    directory: PathBuf,
    state: Mutex<State>,
    /// One file at a time is written, and the last one has everything.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    access: Access,
    present: BTreeMap<String, Present>,
    stream_count: usize,
    commands: Bucket,
    entries: Bucket,
    wrong_tokens: Bucket,
}

/// What is known of a session since the server was started.
#[derive(Debug)]
struct Present {
    commands: Bucket,
    stream_count: usize,
}

impl Present {
    fn new() -> Self {
        Self { commands: Bucket::new(COMMANDS.0, COMMANDS.1), stream_count: 0 }
    }
}

/// One of the streams that may be open. Dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    key: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.sessions.lock();
        state.stream_count = state.stream_count.saturating_sub(1);
        if let Some(present) = state.present.get_mut(&self.key) {
            present.stream_count = present.stream_count.saturating_sub(1);
        }
    }
}

impl Sessions {
    pub(super) fn new(directory: PathBuf, access: Access) -> Self {
        let state = State {
            access,
            present: BTreeMap::new(),
            stream_count: 0,
            commands: Bucket::new(COMMANDS_OF_ALL.0, COMMANDS_OF_ALL.1),
            entries: Bucket::new(ENTRIES.0, ENTRIES.1),
            wrong_tokens: Bucket::new(WRONG_TOKENS.0, WRONG_TOKENS.1),
        };
        Self { directory, state: Mutex::new(state), writing: tokio::sync::Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in by the token of a link: the id of a new session, which is told once and kept nowhere.
    pub(super) async fn enter(&self, view: View, token: &str) -> Result<String, Refusal> {
        let id = random_text();
        self.lock().enter(view, token, key_of(&id), Instant::now())?;
        self.keep().await?;
        Ok(id)
    }

    /// Whose session of that view one of these ids is.
    pub(super) fn find<'a>(&self, view: View, ids: impl Iterator<Item = &'a str>) -> Result<Session, Refusal> {
        let state = self.lock();
        for key in ids.map(key_of) {
            if let Some(guest) = state.access.guests.get(&key).filter(|guest| guest.view == view) {
                return Ok(Session { key, guest: guest.clone() });
            }
        }
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "open the link that was printed when the control room began"))
    }

    /// Checks that nobody of the other link goes by a name: what is shown to whom rests on who said it.
    pub(super) fn check_name(&self, session: &Session, name: &str) -> Result<(), Refusal> {
        let is_theirs = |guest: &Guest| {
            let has_name = guest.name.as_ref().is_some_and(|theirs| theirs.to_lowercase() == name.to_lowercase());
            guest.view != session.guest.view && has_name
        };
        if self.lock().access.guests.values().any(is_theirs) {
            let why = "somebody has entered under this name by the other link: take another one";
            return Err(Refusal::new(StatusCode::CONFLICT, why));
        }
        Ok(())
    }

    /// Keeps under which name, and in which role, somebody takes part.
    pub(super) async fn name(&self, session: &Session, name: String, role: Option<PersonId>) -> Result<(), Refusal> {
        if let Some(guest) = self.lock().access.guests.get_mut(&session.key) {
            (guest.name, guest.role) = (Some(name), role);
        }
        self.keep().await
    }

    /// Takes one command from what a session, and all together, may ask.
    pub(super) fn take_command(&self, session: &Session) -> Result<(), Refusal> {
        let now = Instant::now();
        let mut state = self.lock();
        let present = state.present.entry(session.key.clone()).or_insert_with(Present::new);
        let taken = present.commands.take(now).and_then(|()| state.commands.take(now));
        let why = "too many commands at once: wait for a moment";
        taken.map_err(|wait| Refusal::later(StatusCode::TOO_MANY_REQUESTS, why, wait))
    }

    /// A place for one more stream.
    pub(super) fn seat(self: &Arc<Self>, session: &Session) -> Result<Seat, Refusal> {
        let mut state = self.lock();
        let wait = Duration::from_secs(5);
        if state.stream_count >= STREAMS_MAX {
            let why = format!("{STREAMS_MAX} pages are open already: close one");
            return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, why, wait));
        }
        let present = state.present.entry(session.key.clone()).or_insert_with(Present::new);
        if present.stream_count >= STREAMS_PER_SESSION_MAX {
            let why = format!("you have {STREAMS_PER_SESSION_MAX} pages open already: close one");
            return Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, why, wait));
        }
        present.stream_count += 1;
        state.stream_count += 1;
        Ok(Seat { sessions: Arc::clone(self), key: session.key.clone() })
    }

    /// Writes down who has entered, with those whom another server of the same run has let in.
    async fn keep(&self) -> Result<(), Refusal> {
        let _writing = self.writing.lock().await;
        let (directory, mut access) = (self.directory.clone(), self.lock().access.clone());
        let write = tokio::task::spawn_blocking(move || {
            for (key, guest) in Access::read(&directory).ok().flatten().map(|known| known.guests).unwrap_or_default() {
                if access.guests.len() < GUESTS_MAX {
                    access.guests.entry(key).or_insert(guest);
                }
            }
            access.write(&directory)
        });
        match write.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(not_kept(&error)),
            Err(_) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the session was not kept: try again")),
        }
    }
}

/// What is wrong is told without the file's path: that is for whoever sits at this machine.
fn not_kept(error: &FileError) -> Refusal {
    let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the run's folder takes no more files{why}"))
}

impl State {
    fn enter(&mut self, view: View, token: &str, key: String, now: Instant) -> Result<(), Refusal> {
        let later = |wait| Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too many attempts: wait for a moment", wait);
        if !self.access.is_token(view, token) {
            self.wrong_tokens.take(now).map_err(later)?;
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "this is not the link of this control room"));
        }
        self.entries.take(now).map_err(later)?;
        if self.access.guests.len() >= GUESTS_MAX {
            // Whoever opened a link and neither gave a name nor looks now can open it again.
            let is_idle = |key: &String| self.present.get(key).is_none_or(|present| present.stream_count == 0);
            let idle = self.access.guests.iter().find(|(key, guest)| guest.name.is_none() && is_idle(key));
            let Some(idle) = idle.map(|(key, _)| key.clone()) else {
                let why = format!("{GUESTS_MAX} people have entered already");
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why));
            };
            self.access.guests.remove(&idle);
            self.present.remove(&idle);
        }
        self.access.guests.insert(key, Guest { view, name: None, role: None });
        Ok(())
    }
}

/// Under what a session is kept. Looking it up takes no time that tells of the id.
fn key_of(id: &str) -> String {
    sha256_hex(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        _directory: tempfile::TempDir,
        sessions: Arc<Sessions>,
        token: String,
    }

    fn rig() -> Rig {
        let directory = tempfile::tempdir().unwrap();
        let access = Access::new("127.0.0.1:8424".parse().unwrap());
        let token = access.fragment(View::Participant).split_off(2);
        Rig { sessions: Arc::new(Sessions::new(directory.path().to_owned(), access)), _directory: directory, token }
    }

    async fn session(rig: &Rig) -> Session {
        let id = rig.sessions.enter(View::Participant, &rig.token).await.unwrap();
        rig.sessions.find(View::Participant, [id.as_str()].into_iter()).unwrap()
    }

    #[tokio::test]
    async fn a_session_is_of_one_view_and_outlives_the_server() {
        let rig = rig();
        let refused = rig.sessions.enter(View::Facilitator, &rig.token).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let id = rig.sessions.enter(View::Participant, &rig.token).await.unwrap();
        let ids = || ["other", id.as_str()].into_iter();
        assert!(rig.sessions.find(View::Facilitator, ids()).is_err());
        let session = rig.sessions.find(View::Participant, ids()).unwrap();
        rig.sessions.name(&session, "maria".to_owned(), None).await.unwrap();

        let access = Access::read(rig._directory.path()).unwrap().unwrap();
        let text = serde_json::to_string(&access).unwrap();
        assert!(!text.contains(&id), "the id itself is kept nowhere: {text}");
        let next = Sessions::new(rig._directory.path().to_owned(), access);
        assert_eq!(next.find(View::Participant, ids()).unwrap().guest.name.as_deref(), Some("maria"));
    }

    #[tokio::test]
    async fn guessing_is_slowed_down_and_does_not_lock_out_whoever_has_the_link() {
        let rig = rig();
        let mut statuses = Vec::new();
        for _ in 0..12 {
            statuses.push(rig.sessions.enter(View::Participant, "x").await.unwrap_err().status);
        }
        assert_eq!(statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count(), 10);
        assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
        session(&rig).await;
    }

    #[tokio::test]
    async fn streams_and_commands_of_one_session_are_bounded_and_those_of_others_go_on() {
        let rig = rig();
        let (one, other) = (session(&rig).await, session(&rig).await);
        let seats: Vec<Seat> = (0..STREAMS_PER_SESSION_MAX).map(|_| rig.sessions.seat(&one).unwrap()).collect();
        assert_eq!(rig.sessions.seat(&one).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        rig.sessions.seat(&other).unwrap();
        drop(seats);
        rig.sessions.seat(&one).unwrap();
        assert!((0..20).all(|_| rig.sessions.take_command(&one).is_ok()));
        assert_eq!(rig.sessions.take_command(&one).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        rig.sessions.take_command(&other).unwrap();
    }

    #[tokio::test]
    async fn a_server_holds_so_many_streams_and_no_more() {
        let rig = rig();
        let mut seats = Vec::new();
        while seats.len() < STREAMS_MAX {
            let session = session(&rig).await;
            seats.extend((0..STREAMS_PER_SESSION_MAX).map(|_| rig.sessions.seat(&session).unwrap()));
        }
        let refused = rig.sessions.seat(&session(&rig).await).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_opened_a_link_and_went_away_makes_room_for_others() {
        let rig = rig();
        for number in 0..=GUESTS_MAX {
            let mut state = rig.sessions.lock();
            let now = Instant::now() + Duration::from_secs(number as u64);
            state.enter(View::Participant, &rig.token, number.to_string(), now).unwrap();
        }
        assert_eq!(rig.sessions.lock().access.guests.len(), GUESTS_MAX);
    }
}
