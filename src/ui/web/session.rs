//! [`Sessions`]: who has entered by a link, under which name, and how much each may ask.
//!
//! The file in the run's folder is the truth, since another server of the same run may write it: it is read before each change, and looked
//! at between. Whoever deletes it ends every session.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::access::{Access, AccessError, Guest, Stamp, random_text};
use super::cast::folded;
use super::limit::Bucket;
use super::lines::Line;
use super::refusal::Refusal;
use crate::ui::board::View;
use crate::unit::{FileError, PersonId, sha256_hex};

/// How many streams one session may hold open: one a tab.
pub(super) const STREAMS_PER_SESSION_MAX: usize = 16;
/// How many streams a server holds open, by the link by which their pages came: nobody takes the facilitator's.
pub(super) const STREAMS_MAX: PerView<usize> = PerView { facilitator: 64, participant: 256 };
/// How many people may have entered by each link of one run.
const GUESTS_MAX: PerView<usize> = PerView { facilitator: 100, participant: 900 };
/// Commands of one session: so many at once, then one at each interval.
const COMMANDS: (Duration, u32) = (Duration::from_millis(100), 20);
/// Commands of all sessions of one link together.
const COMMANDS_OF_ALL: (Duration, u32) = (Duration::from_millis(10), 200);
/// Aborts of one session. They count as nothing else: whoever wants to end the run waits for nobody.
const ABORTS: (Duration, u32) = (Duration::from_secs(1), 5);
/// New sessions of one link.
const ENTRIES: (Duration, u32) = (Duration::from_millis(100), 100);
/// Tokens that are no link's.
const WRONG_TOKENS: (Duration, u32) = (Duration::from_secs(1), 10);
/// Looks at the file for sessions that are not known.
const LOOKS: (Duration, u32) = (Duration::from_secs(1), 5);
/// How often it is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon whoever found no place may come again.
const PLACE_WAIT: Duration = Duration::from_secs(5);

/// Something that each link has of its own.
#[derive(Debug, Clone)]
pub(super) struct PerView<T> {
    pub(super) facilitator: T,
    pub(super) participant: T,
}

impl<T> PerView<T> {
    pub(super) fn of(&self, view: View) -> &T {
        match view {
            View::Facilitator => &self.facilitator,
            View::Participant => &self.participant,
        }
    }

    fn of_mut(&mut self, view: View) -> &mut T {
        match view {
            View::Facilitator => &mut self.facilitator,
            View::Participant => &mut self.participant,
        }
    }
}

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
    /// The file is read and written by one at a time.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// As the file has it; none where there is no file that can be trusted, and nobody comes in.
    access: Option<Access>,
    stamp: Option<Stamp>,
    present: BTreeMap<String, Present>,
    seat_count: u64,
    commands: PerView<Bucket>,
    entries: PerView<Bucket>,
    wrong_tokens: Bucket,
    looks: Bucket,
}

/// What is known of a session since the server was started.
#[derive(Debug)]
struct Present {
    view: View,
    commands: Bucket,
    aborts: Bucket,
    /// Its streams, the oldest first.
    streams: VecDeque<(u64, Line)>,
}

impl Present {
    fn new(view: View) -> Self {
        let bucket = |(interval, burst)| Bucket::new(interval, burst);
        Self { view, commands: bucket(COMMANDS), aborts: bucket(ABORTS), streams: VecDeque::new() }
    }
}

/// One of the streams that may be open. Dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    key: String,
    number: u64,
    line: Line,
}

impl Seat {
    /// Is cancelled when the stream has to make room, or its session is over.
    pub(super) fn ended(&self) -> CancellationToken {
        self.line.end().clone()
    }

    /// Whether its session goes on, with other streams.
    pub(super) fn has_session(&self) -> bool {
        self.sessions.lock().guest(&self.key).is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.line.set_stream(false);
        if let Some(present) = self.sessions.lock().present.get_mut(&self.key) {
            present.streams.retain(|(number, _)| *number != self.number);
        }
    }
}

impl Sessions {
    pub(super) fn new(directory: PathBuf, access: Access) -> Self {
        let bucket = |(interval, burst)| Bucket::new(interval, burst);
        let of_each = |limit| PerView { facilitator: bucket(limit), participant: bucket(limit) };
        let state = State {
            access: Some(access),
            stamp: None,
            present: BTreeMap::new(),
            seat_count: 0,
            commands: of_each(COMMANDS_OF_ALL),
            entries: of_each(ENTRIES),
            wrong_tokens: bucket(WRONG_TOKENS),
            looks: bucket(LOOKS),
        };
        Self { directory, state: Mutex::new(state), writing: tokio::sync::Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in by the token of a link: the id of a new session, which is told once and kept nowhere.
    pub(super) async fn enter(&self, view: View, token: &str) -> Result<String, Refusal> {
        let id = random_text();
        self.lock().admit(view, token, Instant::now())?;
        self.change(|state| state.enter(view, token, key_of(&id))).await?;
        Ok(id)
    }

    /// Which link a token is of, for a program that reads and has no session.
    pub(super) fn view_of(&self, token: &str) -> Result<View, Refusal> {
        let mut state = self.lock();
        let view = [View::Facilitator, View::Participant].into_iter().find(|view| state.is_token(*view, token));
        view.map_or_else(|| Err(state.refuse_token(Instant::now())), Ok)
    }

    /// Whose session of that view one of these ids is. One that is not known may be of another server of the same run.
    pub(super) async fn find<'a>(&self, view: View, ids: impl Iterator<Item = &'a str>) -> Result<Session, Refusal> {
        let keys: Vec<String> = ids.map(key_of).collect();
        if let Some(session) = self.lock().find(view, &keys) {
            return Ok(session);
        }
        let may_look = !keys.is_empty() && self.lock().looks.take(Instant::now()).is_ok();
        if may_look {
            self.look().await;
        }
        self.lock().find(view, &keys).ok_or_else(unknown)
    }

    /// Checks that nobody of the other link goes by a name: what is shown to whom rests on who said it.
    pub(super) fn check_name(&self, session: &Session, name: &str) -> Result<(), Refusal> {
        let name = folded(name);
        let is_theirs = |guest: &Guest| {
            guest.view != session.guest.view && guest.name.as_ref().is_some_and(|theirs| folded(theirs) == name)
        };
        if self.lock().guests().any(|(_, guest)| is_theirs(guest)) {
            let why = "somebody has entered under this name by the other link: take another one";
            return Err(Refusal::new(StatusCode::CONFLICT, why));
        }
        Ok(())
    }

    /// Keeps under which name, and in which role, somebody takes part.
    pub(super) async fn name(&self, session: &Session, name: String, role: Option<PersonId>) -> Result<(), Refusal> {
        let rename = |state: &mut State| {
            let guest = state.access.as_mut().and_then(|access| access.guests.get_mut(&session.key));
            let guest = guest.ok_or_else(unknown)?;
            (guest.name, guest.role) = (Some(name), role);
            Ok(())
        };
        self.change(rename).await
    }

    /// Takes one command from what a session, and all of its link together, may ask.
    pub(super) fn take_command(&self, session: &Session) -> Result<(), Refusal> {
        let now = Instant::now();
        let mut state = self.lock();
        let view = session.guest.view;
        let present = state.present.entry(session.key.clone()).or_insert_with(|| Present::new(view));
        let taken = present.commands.take(now).and_then(|()| state.commands.of_mut(view).take(now));
        taken.map_err(too_many)
    }

    /// Takes one abort from those that a session may ask.
    pub(super) fn take_abort(&self, session: &Session) -> Result<(), Refusal> {
        let mut state = self.lock();
        let present = state.present.entry(session.key.clone()).or_insert_with(|| Present::new(session.guest.view));
        present.aborts.take(Instant::now()).map_err(too_many)
    }

    /// A place for one more stream, on `line`. Where there is none, the session's oldest stream ends: it may be of a page that lost its
    /// network, and can not say so.
    pub(super) fn seat(self: &Arc<Self>, session: &Session, line: Line) -> Result<Seat, Refusal> {
        let mut state = self.lock();
        let view = session.guest.view;
        let of_view = state.present.values().filter(|present| present.view == view);
        let is_full = of_view.map(|present| present.streams.len()).sum::<usize>() >= *STREAMS_MAX.of(view);
        let number = state.seat_count;
        let present = state.present.entry(session.key.clone()).or_insert_with(|| Present::new(view));
        if is_full || present.streams.len() >= STREAMS_PER_SESSION_MAX {
            let Some((_, oldest)) = present.streams.pop_front() else {
                let why = format!("{} pages are open already: close one", STREAMS_MAX.of(view));
                return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, why, PLACE_WAIT));
            };
            oldest.end().cancel();
        }
        line.set_stream(true);
        present.streams.push_back((number, line.clone()));
        state.seat_count += 1;
        Ok(Seat { sessions: Arc::clone(self), key: session.key.clone(), number, line })
    }

    /// Looks at the file from time to time, for ever.
    pub(super) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look().await;
        }
    }

    /// Takes in what the file says, where it has changed.
    pub(super) async fn look(&self) {
        let _writing = self.writing.lock().await;
        let known = self.lock().stamp;
        self.read(known).await;
    }

    /// Changes who has entered, and writes it down.
    async fn change(&self, change: impl FnOnce(&mut State) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let _writing = self.writing.lock().await;
        self.read(None).await;
        let (directory, access) = {
            let mut state = self.lock();
            change(&mut state)?;
            (self.directory.clone(), state.access.clone().ok_or_else(unknown)?)
        };
        let write = tokio::task::spawn_blocking(move || access.write(&directory));
        match write.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(not_kept(&error)),
            Err(_) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the session was not kept: try again")),
        }
    }

    /// Takes in the file, unless it is as when it had the stamp `known`.
    async fn read(&self, known: Option<Stamp>) {
        let directory = self.directory.clone();
        let read = tokio::task::spawn_blocking(move || {
            let stamp = Access::stamp(&directory);
            (stamp.is_none() || stamp != known).then(|| (stamp, Access::read(&directory)))
        });
        let Ok(Some((stamp, read))) = read.await else { return };
        let access = match read {
            Ok(access) => access,
            // A system that is out of descriptors says nothing about the links.
            Err(AccessError::File(_)) => return,
            Err(AccessError::NotPrivate { .. } | AccessError::Unknown { .. }) => None,
        };
        self.lock().replace(access, stamp);
    }
}

/// What is wrong is told without the file's path: that is for whoever sits at this machine.
fn not_kept(error: &FileError) -> Refusal {
    let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the run's folder takes no more files{why}"))
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "open the link that was printed when the control room began")
}

fn too_many(wait: Duration) -> Refusal {
    Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too many commands at once: wait for a moment", wait)
}

fn too_many_attempts(wait: Duration) -> Refusal {
    Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too many attempts: wait for a moment", wait)
}

fn wrong_link() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "this is not the link of this control room")
}

impl State {
    /// Everybody who has entered.
    fn guests(&self) -> impl Iterator<Item = (&String, &Guest)> {
        self.access.iter().flat_map(|access| &access.guests)
    }

    fn guest(&self, key: &str) -> Option<&Guest> {
        self.access.as_ref()?.guests.get(key)
    }

    fn find(&self, view: View, keys: &[String]) -> Option<Session> {
        keys.iter().find_map(|key| {
            let guest = self.guest(key).filter(|guest| guest.view == view)?;
            Some(Session { key: key.clone(), guest: guest.clone() })
        })
    }

    fn is_token(&self, view: View, token: &str) -> bool {
        self.access.as_ref().is_some_and(|access| access.is_token(view, token))
    }

    /// Checks a token before anything is read or written for it.
    fn admit(&mut self, view: View, token: &str, now: Instant) -> Result<(), Refusal> {
        if !self.is_token(view, token) {
            return Err(self.refuse_token(now));
        }
        self.entries.of_mut(view).take(now).map_err(too_many_attempts)
    }

    /// What is said to a token that is no link's, which nobody may try often.
    fn refuse_token(&mut self, now: Instant) -> Refusal {
        self.wrong_tokens.take(now).map_or_else(too_many_attempts, |()| wrong_link())
    }

    fn enter(&mut self, view: View, token: &str, key: String) -> Result<(), Refusal> {
        let Some(access) = self.access.as_mut().filter(|access| access.is_token(view, token)) else {
            return Err(wrong_link());
        };
        let of_view = access.guests.iter().filter(|(_, guest)| guest.view == view);
        let max = *GUESTS_MAX.of(view);
        if of_view.clone().count() >= max {
            // Whoever opened a link and neither gave a name nor looks now can open it again.
            let is_idle = |key: &String| self.present.get(key).is_none_or(|present| present.streams.is_empty());
            let idle = of_view.clone().find(|(key, guest)| guest.name.is_none() && is_idle(key));
            let Some(idle) = idle.map(|(key, _)| key.clone()) else {
                let why = format!("{max} people have entered already");
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why));
            };
            access.guests.remove(&idle);
            self.present.remove(&idle);
        }
        access.guests.insert(key, Guest { view, name: None, role: None });
        Ok(())
    }

    /// Takes over what the file says. Sessions that it does not have any more are over, with their streams.
    fn replace(&mut self, access: Option<Access>, stamp: Option<Stamp>) {
        (self.access, self.stamp) = (access, stamp);
        let guests = self.access.as_ref().map(|access| &access.guests);
        self.present.retain(|key, present| {
            let is_known = guests.is_some_and(|guests| guests.contains_key(key));
            if !is_known {
                present.streams.iter().for_each(|(_, line)| line.end().cancel());
            }
            is_known
        });
    }
}

/// Under what a session is kept. Looking it up takes no time that tells of the id.
fn key_of(id: &str) -> String {
    sha256_hex(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::access::ROOM_FILE;
    use super::*;

    struct Rig {
        directory: tempfile::TempDir,
        sessions: Arc<Sessions>,
        access: Access,
    }

    fn rig() -> Rig {
        let directory = tempfile::tempdir().unwrap();
        let access = Access::new("127.0.0.1:8424".parse().unwrap());
        access.write(directory.path()).unwrap();
        Rig { sessions: Arc::new(Sessions::new(directory.path().to_owned(), access.clone())), directory, access }
    }

    impl Rig {
        fn token(&self, view: View) -> String {
            self.access.fragment(view).split_off(2)
        }

        /// Another server of the same run.
        fn other(&self) -> Arc<Sessions> {
            let access = Access::read(self.directory.path()).unwrap().unwrap();
            Arc::new(Sessions::new(self.directory.path().to_owned(), access))
        }

        async fn session(&self, view: View) -> Session {
            let id = self.sessions.enter(view, &self.token(view)).await.unwrap();
            self.sessions.find(view, [id.as_str()].into_iter()).await.unwrap()
        }

        fn seat(&self, session: &Session) -> Result<Seat, Refusal> {
            self.sessions.seat(session, Line::default())
        }
    }

    #[tokio::test]
    async fn a_session_is_of_one_view_and_outlives_the_server() {
        let rig = rig();
        let token = rig.token(View::Participant);
        let refused = rig.sessions.enter(View::Facilitator, &token).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let id = rig.sessions.enter(View::Participant, &token).await.unwrap();
        let ids = || ["other", id.as_str()].into_iter();
        assert!(rig.sessions.find(View::Facilitator, ids()).await.is_err());
        let session = rig.sessions.find(View::Participant, ids()).await.unwrap();
        rig.sessions.name(&session, "maria".to_owned(), None).await.unwrap();

        let text = std::fs::read_to_string(rig.directory.path().join(ROOM_FILE)).unwrap();
        assert!(!text.contains(&id), "the id itself is kept nowhere: {text}");
        let next = rig.other();
        assert_eq!(next.find(View::Participant, ids()).await.unwrap().guest.name.as_deref(), Some("maria"));
    }

    #[tokio::test]
    async fn two_servers_of_a_run_learn_each_others_guests() {
        let rig = rig();
        let other = rig.other();
        let id = other.enter(View::Participant, &rig.token(View::Participant)).await.unwrap();
        let ids = || [id.as_str()].into_iter();
        let session = rig.sessions.find(View::Participant, ids()).await.unwrap();
        rig.sessions.name(&session, "maria".to_owned(), None).await.unwrap();
        rig.session(View::Facilitator).await;
        other.enter(View::Participant, &rig.token(View::Participant)).await.unwrap();
        for sessions in [&rig.sessions, &other, &rig.other()] {
            let known = sessions.find(View::Participant, ids()).await.unwrap();
            assert_eq!(known.guest.name.as_deref(), Some("maria"), "nobody writes over it what they knew before");
        }
    }

    #[tokio::test]
    async fn whoever_deletes_the_file_ends_every_session_and_the_links() {
        let rig = rig();
        let token = rig.token(View::Participant);
        let id = rig.sessions.enter(View::Participant, &token).await.unwrap();
        let session = rig.sessions.find(View::Participant, [id.as_str()].into_iter()).await.unwrap();
        let seat = rig.seat(&session).unwrap();
        let path = rig.directory.path().join(ROOM_FILE);
        std::fs::remove_file(&path).unwrap();
        // Before the next look, as after it.
        let refused = rig.sessions.name(&session, "maria".to_owned(), None).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(seat.ended().is_cancelled() && !seat.has_session());
        assert!(rig.sessions.find(View::Participant, [id.as_str()].into_iter()).await.is_err());
        assert_eq!(rig.sessions.enter(View::Participant, &token).await.unwrap_err().status, StatusCode::UNAUTHORIZED);
        assert!(!path.exists(), "nobody writes it again");

        // The next server makes new links, and this one goes by them too.
        let new = Access::new("127.0.0.1:8425".parse().unwrap());
        new.write(rig.directory.path()).unwrap();
        rig.sessions.look().await;
        assert!(rig.sessions.enter(View::Participant, &token).await.is_err());
        let token = new.fragment(View::Participant).split_off(2);
        rig.sessions.enter(View::Participant, &token).await.unwrap();
        let kept = Access::read(rig.directory.path()).unwrap().unwrap();
        assert_eq!((kept.fragment(View::Facilitator), kept.address), (new.fragment(View::Facilitator), new.address));
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
        rig.session(View::Participant).await;
    }

    #[tokio::test]
    async fn commands_of_one_session_are_bounded_and_those_of_others_go_on() {
        let rig = rig();
        let (one, other) = (rig.session(View::Participant).await, rig.session(View::Participant).await);
        assert!((0..20).all(|_| rig.sessions.take_command(&one).is_ok()));
        assert_eq!(rig.sessions.take_command(&one).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        rig.sessions.take_command(&other).unwrap();
        // Whoever has asked for too much can still end the run, and not without end.
        assert!((0..5).all(|_| rig.sessions.take_abort(&one).is_ok()));
        assert_eq!(rig.sessions.take_abort(&one).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
    }

    #[tokio::test(start_paused = true)]
    async fn participants_who_post_steadily_take_nothing_from_the_facilitator() {
        let rig = rig();
        let mut participants = Vec::new();
        for _ in 0..20 {
            participants.push(rig.session(View::Participant).await);
        }
        let facilitator = rig.session(View::Facilitator).await;
        let mut refused = 0;
        for participant in participants.iter().cycle().take(1_000) {
            refused += usize::from(rig.sessions.take_command(participant).is_err());
            tokio::time::advance(Duration::from_millis(5)).await;
        }
        assert!(refused > 300, "{refused}");
        rig.sessions.take_abort(&participants[0]).unwrap();
        rig.sessions.take_command(&facilitator).unwrap();
        rig.sessions.take_abort(&facilitator).unwrap();
    }

    #[tokio::test]
    async fn the_newest_page_of_a_session_takes_the_place_of_its_oldest() {
        let rig = rig();
        let (one, other) = (rig.session(View::Participant).await, rig.session(View::Participant).await);
        let others = rig.seat(&other).unwrap();
        let mut seats: Vec<Seat> = (0..STREAMS_PER_SESSION_MAX).map(|_| rig.seat(&one).unwrap()).collect();
        assert!(seats.iter().all(|seat| !seat.ended().is_cancelled()));
        seats.push(rig.seat(&one).unwrap());
        let ended: Vec<bool> = seats.iter().map(|seat| seat.ended().is_cancelled()).collect();
        assert_eq!((ended[0], ended.iter().filter(|ended| **ended).count()), (true, 1));
        assert!(seats[0].has_session() && !others.ended().is_cancelled());
        // The one that ended gives its place back but once.
        drop(seats.remove(0));
        seats.push(rig.seat(&one).unwrap());
        assert!(seats[0].ended().is_cancelled());
        drop(seats);
        assert!(!rig.seat(&one).unwrap().ended().is_cancelled());
    }

    #[tokio::test]
    async fn participants_hold_so_many_streams_and_none_of_the_facilitators() {
        let rig = rig();
        let (mut seats, mut first) = (Vec::new(), None);
        while seats.len() < STREAMS_MAX.participant {
            let session = rig.session(View::Participant).await;
            seats.extend((0..STREAMS_PER_SESSION_MAX).map(|_| rig.seat(&session).unwrap()));
            first.get_or_insert(session);
        }
        let refused = rig.seat(&rig.session(View::Participant).await).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        rig.seat(&rig.session(View::Facilitator).await).unwrap();
        // Whoever comes back has a place: their own.
        seats.push(rig.seat(&first.unwrap()).unwrap());
        assert!(seats[0].ended().is_cancelled());
    }

    #[tokio::test]
    async fn whoever_opened_a_link_and_went_away_makes_room_for_others_of_the_same_link() {
        let rig = rig();
        let mut state = rig.sessions.lock();
        let facilitator = rig.token(View::Facilitator);
        state.enter(View::Facilitator, &facilitator, "ann".to_owned()).unwrap();
        for number in 0..=GUESTS_MAX.participant {
            state.enter(View::Participant, &rig.token(View::Participant), number.to_string()).unwrap();
        }
        assert_eq!(state.guests().count(), GUESTS_MAX.participant + 1);
        for guest in state.access.as_mut().unwrap().guests.values_mut() {
            guest.name = Some("somebody".to_owned());
        }
        assert!(state.enter(View::Participant, &rig.token(View::Participant), "late".to_owned()).is_err());
        state.enter(View::Facilitator, &facilitator, "bob".to_owned()).unwrap();
    }
}
