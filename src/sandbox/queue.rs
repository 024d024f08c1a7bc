//! In-memory queues, as SQS standard queues are: at least once, with a time in which a message that was taken is invisible.
//!
//! Owns: messages and who may see them. Must not know: functions, HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use md5::{Digest as _, Md5};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::context::Context;

/// The longest name of a queue. Source: Amazon SQS quotas.
const NAME_BYTES_MAX: usize = 80;
/// More queues than this are a mistake.
const QUEUES_MAX: usize = 1_000;
/// How many messages a queue holds. A queue of SQS has no limit; this machine's memory has.
const MESSAGES_MAX: usize = 100_000;

/// Whether `text` can be a queue's name: letters, digits, `-` and `_`, 1 to 80 of them.
pub(super) fn is_queue_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(allowed)
}

/// A queue that is full, or too many queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox holds at most {0}")]
pub(super) struct Full(&'static str);

/// A message as whoever took it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub id: String,
    /// Names this taking of the message: an older one deletes nothing.
    pub receipt: String,
    pub body: String,
    pub sent: DateTime<Utc>,
    pub first_received: DateTime<Utc>,
    /// How often the message was taken, this time included.
    pub receives: u32,
}

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// To be had now: the backlog.
    pub visible: usize,
    /// Taken, and neither deleted nor visible again.
    pub in_flight: usize,
    /// Sent with a delay that has not ended.
    pub delayed: usize,
}

#[derive(Debug)]
struct Message {
    id: String,
    receipt: String,
    body: String,
    sent: DateTime<Utc>,
    first_received: Option<DateTime<Utc>>,
    receives: u32,
    visible_from: Instant,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were sent.
    messages: BTreeMap<u64, Message>,
    next: u64,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub name: String,
    pub created: DateTime<Utc>,
    context: Arc<Context>,
    state: Mutex<State>,
    /// Counts what may have made a message visible.
    changes: watch::Sender<u64>,
}

/// The digest of a message's body that SDKs compare with their own, in hexadecimal.
pub(super) fn md5_hex(body: &str) -> String {
    Md5::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Queue {
    fn new(name: &str, context: Arc<Context>) -> Self {
        let created = context.clock.now();
        Self { name: name.to_owned(), created, context, state: Mutex::default(), changes: watch::Sender::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("invariant: nobody panics while holding a queue's state")
    }

    /// `arn:aws:sqs:REGION:ACCOUNT:NAME`.
    pub(super) fn arn(&self) -> String {
        self.context.queue_arn(&self.name)
    }

    /// Tells when a message may have become visible by what somebody did, not by time alone.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn tell_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Puts a message in, visible after `delay`; returns its id.
    pub(super) fn send(&self, body: String, delay: Duration) -> Result<String, Full> {
        let id = Uuid::new_v4().to_string();
        let mut state = self.state();
        if state.messages.len() >= MESSAGES_MAX {
            return Err(Full("100,000 messages in a queue"));
        }
        let message = Message {
            id: id.clone(),
            receipt: String::new(),
            body,
            sent: self.context.clock.now(),
            first_received: None,
            receives: 0,
            visible_from: Instant::now() + delay,
        };
        let number = state.next;
        state.next += 1;
        state.messages.insert(number, message);
        drop(state);
        self.tell_change();
        Ok(id)
    }

    /// Takes up to `count` visible messages, the oldest first, which are then invisible for a while.
    ///
    /// Their bodies are at most `bytes_max` together, unless one alone is more.
    pub(super) fn receive(&self, count: usize, bytes_max: usize, invisible: Duration) -> Vec<Received> {
        let (now, now_utc) = (Instant::now(), self.context.clock.now());
        let mut bytes = 0;
        let mut taken = Vec::new();
        for (number, message) in &mut self.state().messages {
            if message.visible_from > now {
                continue;
            }
            bytes += message.body.len();
            if taken.len() == count || (bytes > bytes_max && !taken.is_empty()) {
                break;
            }
            message.receives = message.receives.saturating_add(1);
            message.receipt = format!("{number}.{}", Uuid::new_v4());
            message.visible_from = now + invisible;
            taken.push(Received {
                id: message.id.clone(),
                receipt: message.receipt.clone(),
                body: message.body.clone(),
                sent: message.sent,
                first_received: *message.first_received.get_or_insert(now_utc),
                receives: message.receives,
            });
        }
        taken
    }

    /// Deletes a message. One that is gone, or was taken by somebody else since, is left as it is, as in SQS.
    pub(super) fn delete(&self, receipt: &str) {
        let Some(number) = number_of(receipt) else { return };
        let mut state = self.state();
        if state.messages.get(&number).is_some_and(|message| message.receipt == receipt) {
            state.messages.remove(&number);
        }
    }

    /// Makes a message that was taken visible again after a while.
    pub(super) fn give_back(&self, receipt: &str, after: Duration) {
        let Some(number) = number_of(receipt) else { return };
        if let Some(message) = self.state().messages.get_mut(&number).filter(|message| message.receipt == receipt) {
            message.visible_from = Instant::now() + after;
        }
        self.tell_change();
    }

    /// Deletes all messages.
    pub(super) fn purge(&self) {
        self.state().messages.clear();
    }

    pub(super) fn counts(&self) -> Counts {
        let now = Instant::now();
        let mut counts = Counts::default();
        for message in self.state().messages.values() {
            if message.visible_from <= now {
                counts.visible += 1;
            } else if message.receives == 0 {
                counts.delayed += 1;
            } else {
                counts.in_flight += 1;
            }
        }
        counts
    }

    /// When the next message becomes visible by itself; in the past when one is. `None`: there are no messages.
    pub(super) fn next_visible(&self) -> Option<Instant> {
        self.state().messages.values().map(|message| message.visible_from).min()
    }
}

/// The message's number in a receipt handle of ours.
pub(super) fn number_of(receipt: &str) -> Option<u64> {
    receipt.split_once('.')?.0.parse().ok()
}

/// The queues of an account.
#[derive(Debug)]
pub(super) struct Queues {
    context: Arc<Context>,
    queues: Mutex<BTreeMap<String, Arc<Queue>>>,
}

impl Queues {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, queues: Mutex::default() }
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Queue>>> {
        self.queues.lock().expect("invariant: nobody panics while holding the queues")
    }

    /// The queue of this name, which is made when it is not there.
    pub(super) fn make(&self, name: &str) -> Result<Arc<Queue>, Full> {
        let mut queues = self.queues();
        if let Some(queue) = queues.get(name) {
            return Ok(Arc::clone(queue));
        }
        if queues.len() >= QUEUES_MAX {
            return Err(Full("1,000 queues"));
        }
        let queue = Arc::new(Queue::new(name, Arc::clone(&self.context)));
        queues.insert(name.to_owned(), Arc::clone(&queue));
        Ok(queue)
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Queue>> {
        self.queues().get(name).cloned()
    }

    /// The queue that an ARN names. `None`: it is not one of this account.
    pub(super) fn find_arn(&self, arn: &str) -> Option<Arc<Queue>> {
        let (_, name) = arn.rsplit_once(':')?;
        self.find(name).filter(|_| self.context.queue_arn(name) == arn)
    }

    /// All names.
    pub(super) fn names(&self) -> Vec<String> {
        self.queues().keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::context::testing::context;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue() -> Queue {
        Queue::new("orders", Arc::new(context()))
    }

    fn bodies(received: &[Received]) -> Vec<&str> {
        received.iter().map(|message| message.body.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_was_taken_is_invisible_until_its_time_or_its_return() {
        let queue = queue();
        for body in ["a", "b", "c"] {
            queue.send(body.to_owned(), Duration::ZERO).expect("room");
        }
        let taken = queue.receive(2, 100, SECOND);
        assert_eq!(bodies(&taken), ["a", "b"]);
        assert_eq!(queue.counts(), Counts { visible: 1, in_flight: 2, delayed: 0 });
        queue.delete(&taken[0].receipt);
        tokio::time::advance(SECOND).await;
        let again = queue.receive(10, 100, SECOND);
        assert_eq!((bodies(&again), again[0].receives), (vec!["b", "c"], 2));
        queue.delete(&taken[1].receipt);
        assert_eq!(queue.counts().in_flight, 2, "an old receipt deletes nothing");
        queue.give_back(&again[0].receipt, Duration::ZERO);
        assert_eq!(queue.counts(), Counts { visible: 1, in_flight: 1, delayed: 0 });
        queue.purge();
        assert_eq!((queue.counts(), queue.next_visible()), (Counts::default(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_message_comes_later_and_a_batch_has_a_limit_in_bytes() {
        let queue = queue();
        queue.send("late".to_owned(), SECOND).expect("room");
        assert_eq!(queue.counts(), Counts { visible: 0, in_flight: 0, delayed: 1 });
        assert_eq!(queue.receive(10, 100, SECOND), []);
        tokio::time::advance(SECOND).await;
        queue.send("more".to_owned(), Duration::ZERO).expect("room");
        assert_eq!(bodies(&queue.receive(10, 5, SECOND)), ["late"]);
        assert_eq!(bodies(&queue.receive(10, 1, SECOND)), ["more"], "one alone may be larger");
    }

    #[test]
    fn a_digest_is_the_one_that_sdks_make() {
        assert_eq!(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn a_queue_is_found_by_the_arn_of_its_own_account_only() {
        let queues = Queues::new(Arc::new(context()));
        let queue = queues.make("orders").expect("room");
        assert_eq!(queue.arn(), "arn:aws:sqs:us-east-1:000000000000:orders");
        assert!(queues.find_arn(&queue.arn()).is_some());
        for arn in ["arn:aws:sqs:eu-west-1:000000000000:orders", "arn:aws:sqs:us-east-1:000000000000:other", "orders"] {
            assert!(queues.find_arn(arn).is_none(), "{arn}");
        }
    }
}
