//! The office: a queue and a sender for each channel. Whoever hands a notice in never waits.

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::channel::{Channel, ChannelKind, Channels};
use super::notice::Notice;
use super::post::{Carrier, Delivered, Http, deliver};
use super::queue::{Letter, QUEUE_NOTICES_MAX, Queue};
use crate::event::EventKind;
use crate::unit::plural;

/// How long a run that is over waits for what has not been sent yet.
pub const END_WAIT: Duration = Duration::from_secs(15);

/// Who hears what became of notices.
type Tell = Arc<dyn Fn(EventKind) + Send + Sync>;

/// Sends notices to all channels of a run, each at its own pace and in order.
pub struct Office {
    desks: Vec<Desk>,
    tell: Tell,
}

/// One channel's queue and sender.
struct Desk {
    kind: ChannelKind,
    form: Box<dyn Fn(&Notice) -> String + Send + Sync>,
    queue: Arc<Queue>,
    sender: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Office {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<ChannelKind> = self.desks.iter().map(|desk| desk.kind).collect();
        formatter.debug_struct("Office").field("channels", &kinds).finish_non_exhaustive()
    }
}

fn failed(notice: &dyn std::fmt::Display, channel: ChannelKind, why: String) -> EventKind {
    EventKind::NoticeFailed { notice: notice.to_string(), channel: channel.to_string(), why }
}

impl Office {
    /// Opens an office for the channels that can be used; the others are told of once.
    #[must_use]
    pub fn open(channels: Channels, seed: u64, tell: impl Fn(EventKind) + Send + Sync + 'static) -> Self {
        let mut office = Self { desks: Vec::new(), tell: Arc::new(tell) };
        for (kind, problem) in channels.unusable {
            (office.tell)(failed(&"all", kind, problem.to_string()));
        }
        for channel in channels.usable {
            let kind = channel.kind;
            match Http::new(channel.clone()) {
                Ok(carrier) => office.add(kind, Box::new(move |notice| Channel::body(&channel, notice)), carrier, seed),
                Err(why) => (office.tell)(failed(&"all", kind, why)),
            }
        }
        office
    }

    fn add(
        &mut self,
        kind: ChannelKind,
        form: Box<dyn Fn(&Notice) -> String + Send + Sync>,
        carrier: impl Carrier + 'static,
        seed: u64,
    ) {
        let queue = Arc::new(Queue::new());
        let random = ChaCha8Rng::seed_from_u64(seed);
        let sending = send_all(kind, Arc::clone(&queue), carrier, random, Arc::clone(&self.tell));
        let sender = AbortOnDropHandle::new(tokio::spawn(sending));
        self.desks.push(Desk { kind, form, queue, sender });
    }

    /// Hands a notice in, for all channels.
    pub fn push(&self, notice: &Notice) {
        for Desk { kind, form, queue, .. } in &self.desks {
            if let Some(Letter { event, .. }) = queue.push(Letter { event: notice.event, body: form(notice) }) {
                let others = plural(QUEUE_NOTICES_MAX, "notice waits", "notices wait");
                (self.tell)(failed(&event, *kind, format!("it was dropped: {others} already")));
            }
        }
    }

    /// Takes nothing more in, and waits, for at most 15 s, until what was handed in is sent.
    pub async fn close(self) {
        let deadline = Instant::now() + END_WAIT;
        self.desks.iter().for_each(|desk| desk.queue.close());
        for Desk { kind, queue, mut sender, .. } in self.desks {
            if tokio::time::timeout_at(deadline, &mut sender).await.is_err() {
                sender.abort();
                // Its end is at its next wait; after it nothing more is told of what is left.
                sender.await.ok();
            }
            for Letter { event, .. } in queue.drain() {
                let why = format!("it was not sent within {} s after the run's end", END_WAIT.as_secs());
                (self.tell)(failed(&event, kind, why));
            }
        }
    }
}

/// Sends what comes, one after the other, until nothing more will.
async fn send_all(kind: ChannelKind, queue: Arc<Queue>, carrier: impl Carrier, mut random: ChaCha8Rng, tell: Tell) {
    let mut news = queue.news();
    let mut is_well = true;
    loop {
        let Ok(now) = news.wait_for(|news| news.waiting_count > 0 || news.is_closed).await.map(|news| *news) else {
            return;
        };
        let Some(letter) = queue.take() else {
            if now.is_closed {
                return;
            }
            continue;
        };
        let Delivered { attempts, result } = deliver(&carrier, &letter, (&queue, is_well), &mut random).await;
        is_well = result.is_ok();
        let notice = &letter.event;
        queue.done();
        tell(match result {
            Ok(_) => EventKind::NoticeSent { notice: notice.to_string(), channel: kind.to_string(), attempts },
            Err(why) if attempts > 1 => failed(notice, kind, format!("{why}, at the last of {attempts} attempts")),
            Err(why) => failed(notice, kind, why),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use chrono::DateTime;

    use super::super::post::{ATTEMPT_TIMEOUT, ATTEMPTS_MAX, Attempt};
    use super::*;
    use crate::notify::test_notice;
    use crate::workspace::NotifyEvent;

    /// A receiver that does as it is told, and then goes on with the last.
    struct Scripted {
        script: Mutex<Vec<Attempt>>,
        takes: Duration,
        carried: Arc<Mutex<Vec<String>>>,
    }

    #[async_trait]
    impl Carrier for Scripted {
        async fn carry(&self, letter: &Letter) -> Attempt {
            tokio::time::sleep(self.takes).await;
            let mut script = self.script.lock().unwrap();
            let attempt = if script.len() > 1 { script.remove(0) } else { script[0].clone() };
            if let Attempt::Taken(_) = attempt {
                self.carried.lock().unwrap().push(letter.body.clone());
            }
            attempt
        }
    }

    struct World {
        office: Office,
        told: Arc<Mutex<Vec<EventKind>>>,
        carried: Arc<Mutex<Vec<String>>>,
    }

    fn taken() -> Attempt {
        Attempt::Taken("200".to_owned())
    }

    fn later(seconds: Option<u64>) -> Attempt {
        Attempt::Later("it said 503".to_owned(), seconds.map(Duration::from_secs))
    }

    impl World {
        fn new(script: Vec<Attempt>, takes: Duration) -> Self {
            let (told, carried) = (Arc::default(), Arc::default());
            let heard: Arc<Mutex<Vec<EventKind>>> = Arc::clone(&told);
            let mut office = Office::open(Channels::default(), 1, move |kind| heard.lock().unwrap().push(kind));
            let carrier = Scripted { script: Mutex::new(script), takes, carried: Arc::clone(&carried) };
            office.add(ChannelKind::Slack, Box::new(|notice| notice.id.clone()), carrier, 1);
            Self { office, told, carried }
        }

        fn push(&self, event: NotifyEvent, id: usize) {
            let notice = test_notice("sandbox", "maria", DateTime::UNIX_EPOCH);
            self.office.push(&Notice { event, id: id.to_string(), ..notice });
        }

        /// The ids that were taken, and what was told.
        async fn close(self) -> (Vec<String>, Vec<EventKind>) {
            self.office.close().await;
            let (carried, told) = (self.carried.lock().unwrap().clone(), self.told.lock().unwrap().clone());
            (carried, told)
        }
    }

    fn sent(notice: &str, attempts: u32) -> EventKind {
        EventKind::NoticeSent { notice: notice.to_owned(), channel: "slack".to_owned(), attempts }
    }

    fn failures(told: &[EventKind]) -> Vec<(&str, &str)> {
        let of = |kind: &'_ EventKind| matches!(kind, EventKind::NoticeFailed { .. });
        told.iter()
            .filter(|kind| of(kind))
            .map(|kind| match kind {
                EventKind::NoticeFailed { notice, why, .. } => (notice.as_str(), why.as_str()),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_is_sent_later_and_in_order() {
        let world = World::new(vec![later(Some(7)), later(None), taken()], Duration::ZERO);
        let begun = Instant::now();
        world.push(NotifyEvent::Start, 1);
        world.push(NotifyEvent::FaultOn, 2);
        tokio::time::sleep(Duration::from_secs(9)).await;
        let (carried, told) = world.close().await;
        assert_eq!(carried, ["1", "2"]);
        assert_eq!(told, [sent("start", 3), sent("fault_on", 1)]);
        assert_eq!(begun.elapsed(), Duration::from_secs(9), "a queue that is empty is not waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final_and_an_outage_is_given_up_after_five_attempts() {
        let world = World::new(vec![Attempt::Refused("it said 404".to_owned()), later(None)], Duration::ZERO);
        world.push(NotifyEvent::Start, 1);
        world.push(NotifyEvent::FaultOn, 2);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let (carried, told) = world.close().await;
        assert_eq!(carried, [] as [&str; 0]);
        let last = format!("it said 503, at the last of {ATTEMPTS_MAX} attempts");
        assert_eq!(failures(&told), [("start", "it said 404"), ("fault_on", last.as_str())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_never_answers_holds_up_neither_those_who_push_nor_the_end() {
        let world = World::new(vec![later(None)], ATTEMPT_TIMEOUT);
        let begun = Instant::now();
        for id in 0..100 {
            world.push(NotifyEvent::FaultOn, id);
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        world.push(NotifyEvent::AllClear, 100);
        let (_, told) = world.close().await;
        assert_eq!(begun.elapsed(), END_WAIT);
        assert_eq!(failures(&told).len(), 101, "each is accounted for");
        let dropped = failures(&told).iter().filter(|(_, why)| why.contains("was dropped")).count();
        assert_eq!(dropped, 101 - QUEUE_NOTICES_MAX, "nothing was in hand before the sender had its turn");
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_must_act_on_is_not_kept_waiting_by_retries_of_other_things() {
        let world = World::new(vec![later(Some(30)), taken()], Duration::ZERO);
        world.push(NotifyEvent::Overdue, 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.push(NotifyEvent::Abort, 2);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*world.carried.lock().unwrap(), ["2"]);
        let (_, told) = world.close().await;
        assert_eq!(failures(&told), [("overdue", "it said 503")]);
        assert_eq!(told.last(), Some(&sent("abort", 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_waits_for_retries_of_an_all_clear() {
        let world = World::new(vec![later(Some(5)), later(Some(5)), taken()], Duration::ZERO);
        world.push(NotifyEvent::AllClear, 1);
        let begun = Instant::now();
        let (carried, told) = world.close().await;
        assert_eq!((carried, told), (vec!["1".to_owned()], vec![sent("all_clear", 3)]));
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_did_not_work_is_not_tried_again_at_the_end_but_for_what_counts() {
        let world = World::new(vec![Attempt::Refused("it said 403".to_owned()), taken()], Duration::from_secs(1));
        world.push(NotifyEvent::FaultOff, 1);
        world.push(NotifyEvent::Overdue, 2);
        world.push(NotifyEvent::AllClear, 3);
        let (carried, told) = world.close().await;
        assert_eq!(carried, ["3"]);
        assert_eq!(failures(&told).iter().map(|(notice, _)| *notice).collect::<Vec<_>>(), ["fault_off", "overdue"]);
    }
}
