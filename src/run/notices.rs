//! A run's notices: a task that listens to the log and hands in what is worth telling. The engine never waits for it, but at its end.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::ledger::Recorder;
use crate::event::{Event, EventKind, EventLog, LogTail, read_log};
use crate::notify::{Channels, Composer, Office, ReportFacts};
use crate::plan::Plan;
use crate::workspace::NotifyEvent;

/// How many events are read at a time when some were missed.
const PART_EVENTS_MAX: usize = 1_000;

/// Tells people elsewhere of a run, until it ends.
#[derive(Debug, Default)]
pub(super) struct Notices {
    listening: Mutex<Option<(oneshot::Sender<()>, AbortOnDropHandle<()>)>>,
}

impl Notices {
    /// Listens to the log from its next event on. What becomes of each notice is recorded.
    pub(super) fn start(plan: &Plan, recorder: &Recorder, seed: u64) -> Self {
        let plan = Arc::new(plan.clone());
        let Some((composer, office)) = open(&plan, recorder, seed) else { return Self::default() };
        let (end, ended) = oneshot::channel();
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(composer, office, recorder.log().clone(), ended)));
        Self { listening: Mutex::new(Some((end, listening))) }
    }

    /// Hands in what has happened so far, and waits until it is sent, for a time that has a limit. A second call does nothing; where the
    /// wait is given up, so is the sending.
    pub(super) async fn end(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((end, listening)) = listening {
            // It may have ended by a panic of its own, which is no reason to fail.
            end.send(()).ok();
            listening.await.ok();
        }
    }
}

fn open(plan: &Arc<Plan>, recorder: &Recorder, seed: u64) -> Option<(Composer, Office)> {
    let composer = Composer::new(plan)?;
    let channels = Channels::of_environment(plan.notify.as_ref()?);
    let recorder = recorder.clone();
    Some((composer, Office::open(channels, seed, move |kind| recorder.record_anyway(kind))))
}

async fn listen(mut composer: Composer, office: Office, log: EventLog, mut ended: oneshot::Receiver<()>) {
    let mut events = log.subscribe();
    // What was written before this task had its first turn.
    let mut tail = LogTail::new(log.directory());
    catch_up(&mut composer, &office, &mut tail).await;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Ok(event) => hand_in(&mut composer, &office, &event),
                Err(RecvError::Lagged(_)) => catch_up(&mut composer, &office, &mut tail).await,
                Err(RecvError::Closed) => break,
            },
            _ = &mut ended => break,
        }
    }
    hand_in_rest(&mut composer, &office, &mut tail, &mut events).await;
    office.close().await;
}

fn hand_in(composer: &mut Composer, office: &Office, event: &Event) {
    composer.on(event).iter().for_each(|notice| office.push(notice));
}

/// Takes in what the log has and the subscription has not: it may hold less than a burst of events.
async fn catch_up(composer: &mut Composer, office: &Office, tail: &mut LogTail) {
    loop {
        let mut ahead = tail.clone();
        let read = tokio::task::spawn_blocking(move || {
            let part = ahead.read_part(0, PART_EVENTS_MAX);
            (ahead, part)
        });
        // A log that can not be read has other consequences; what comes next is told all the same.
        let Ok((ahead, Ok(part))) = read.await else { return };
        *tail = ahead;
        part.events.iter().for_each(|event| hand_in(composer, office, event));
        if part.is_end {
            return;
        }
    }
}

async fn hand_in_rest(composer: &mut Composer, office: &Office, tail: &mut LogTail, events: &mut Receiver<Arc<Event>>) {
    loop {
        match events.try_recv() {
            Ok(event) => hand_in(composer, office, &event),
            Err(TryRecvError::Lagged(_)) => catch_up(composer, office, tail).await,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// Tells of how a recovery ended: `before` is what the log held when it began. What is still left as it was told before is not told
/// again.
pub(super) async fn tell_recovered(plan: &Plan, recorder: &Recorder, before: &[Event], end: EventKind) {
    let told_left = before.iter().rev().find_map(|event| match &event.kind {
        EventKind::RunDirty { left } => Some(left),
        _ => None,
    });
    if matches!((&end, told_left), (EventKind::RunDirty { left }, Some(told)) if left == told) {
        return;
    }
    let plan = Arc::new(plan.clone());
    let Some((composer, office)) = open(&plan, recorder, u64::from(std::process::id())) else { return };
    let read = read_log(recorder.log().directory());
    let mut composer = composer.after(read.as_ref().map_or(before, |read| &read.events));
    hand_in(&mut composer, &office, &now(recorder, end));
    office.close().await;
}

/// An event that no log has.
fn now(recorder: &Recorder, kind: EventKind) -> Event {
    let clock = recorder.log().clock();
    Event { seq: u64::MAX, at: clock.now(), elapsed_ms: crate::unit::elapsed_ms(clock.elapsed()), kind }
}

/// Tells of a report that was made, and waits until that is sent, for a time that has a limit. The log is closed by then: what did not go
/// through is returned, one line each.
pub async fn tell_report(plan: &Arc<Plan>, events: &[Event], facts: &ReportFacts) -> Vec<String> {
    let Some(notify) = plan.notify.as_ref().filter(|notify| notify.tells(NotifyEvent::Report)) else {
        return Vec::new();
    };
    let composer = Composer::new(plan).map(|composer| composer.after(events));
    let (Some(composer), Some(last)) = (composer, events.last()) else { return Vec::new() };
    let failures: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&failures);
    // That a channel can not be used was told when the run began.
    let channels = Channels { unusable: Vec::new(), ..Channels::of_environment(notify) };
    let office = Office::open(channels, u64::from(std::process::id()), move |kind| {
        if let EventKind::NoticeFailed { channel, why, .. } = kind {
            let line = format!("the notice that the report is there did not go to {channel}: {why}");
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    if let Some(notice) = composer.report(last, facts) {
        office.push(&notice);
    }
    office.close().await;
    std::mem::take(&mut *failures.lock().unwrap_or_else(PoisonError::into_inner))
}
