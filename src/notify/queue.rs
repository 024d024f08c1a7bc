//! What waits to be sent to one channel: in order, bounded, and never in the way of whoever adds to it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::workspace::NotifyEvent;

/// How many notices wait for one channel at most.
pub(super) const QUEUE_NOTICES_MAX: usize = 32;

/// A notice in the form of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// What it is about.
    pub(super) event: NotifyEvent,
    /// What is sent.
    pub(super) body: String,
}

/// Letters that wait, and the one that is on its way.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    news: watch::Sender<News>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Letter>,
    in_hand: Option<Letter>,
}

/// What a sender must know while it waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    /// How many letters wait.
    pub(super) waiting_count: usize,
    /// Whether one of them is critical: nothing else is tried again before it.
    pub(super) is_urgent: bool,
    /// Whether nothing more will come.
    pub(super) is_closed: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { inner: Mutex::default(), news: watch::Sender::default() }
    }

    /// Adds a letter. Where the queue is full, the oldest that is not critical gives way, or, without one, the oldest.
    pub(super) fn push(&self, letter: Letter) -> Option<Letter> {
        let mut inner = self.lock();
        let dropped = if inner.waiting.len() >= QUEUE_NOTICES_MAX {
            let oldest = inner.waiting.iter().position(|letter| !letter.event.is_critical());
            match oldest {
                // A new one that is not critical never takes the place of those that are.
                None if !letter.event.is_critical() => return Some(letter),
                oldest => inner.waiting.remove(oldest.unwrap_or_default()),
            }
        } else {
            None
        };
        inner.waiting.push_back(letter);
        self.tell(&inner);
        dropped
    }

    /// Takes the oldest letter in hand, until [`Self::done`].
    pub(super) fn take(&self) -> Option<Letter> {
        let mut inner = self.lock();
        inner.in_hand = inner.waiting.pop_front();
        self.tell(&inner);
        inner.in_hand.clone()
    }

    /// The letter in hand is delivered, or given up.
    pub(super) fn done(&self) {
        self.lock().in_hand = None;
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.news.send_modify(|news| news.is_closed = true);
    }

    /// Everything that was not delivered, the one in hand first.
    pub(super) fn drain(&self) -> Vec<Letter> {
        let mut inner = self.lock();
        let in_hand = inner.in_hand.take();
        in_hand.into_iter().chain(inner.waiting.drain(..)).collect()
    }

    /// What is new, from now on.
    pub(super) fn news(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    fn tell(&self, inner: &Inner) {
        let is_urgent = inner.waiting.iter().any(|letter| letter.event.is_critical());
        self.news.send_modify(|news| (news.waiting_count, news.is_urgent) = (inner.waiting.len(), is_urgent));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No change leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(event: NotifyEvent, number: usize) -> Letter {
        Letter { event, body: number.to_string() }
    }

    #[test]
    fn a_full_queue_drops_the_oldest_that_nobody_must_act_on() {
        let queue = Queue::new();
        assert_eq!(queue.push(letter(NotifyEvent::Abort, 0)), None);
        for number in 1..QUEUE_NOTICES_MAX {
            assert_eq!(queue.push(letter(NotifyEvent::FaultOn, number)), None);
        }
        assert_eq!(queue.push(letter(NotifyEvent::FaultOff, 100)), Some(letter(NotifyEvent::FaultOn, 1)));
        assert_eq!(queue.push(letter(NotifyEvent::AllClear, 101)), Some(letter(NotifyEvent::FaultOn, 2)));
        assert_eq!(queue.take(), Some(letter(NotifyEvent::Abort, 0)));
        let left = queue.drain();
        assert_eq!(left.len(), QUEUE_NOTICES_MAX);
        assert_eq!(left.last(), Some(&letter(NotifyEvent::AllClear, 101)));
    }

    #[test]
    fn a_queue_of_critical_notices_alone_lets_nothing_else_in() {
        let queue = Queue::new();
        for number in 0..QUEUE_NOTICES_MAX {
            assert_eq!(queue.push(letter(NotifyEvent::Dirty, number)), None);
        }
        let late = letter(NotifyEvent::Overdue, 100);
        assert_eq!(queue.push(late.clone()), Some(late));
        assert_eq!(queue.push(letter(NotifyEvent::AllClear, 101)), Some(letter(NotifyEvent::Dirty, 0)));
    }

    #[test]
    fn a_sender_hears_of_what_waits() {
        let queue = Queue::new();
        let news = queue.news();
        queue.push(letter(NotifyEvent::Start, 0));
        queue.push(letter(NotifyEvent::Abort, 1));
        assert_eq!(*news.borrow(), News { waiting_count: 2, is_urgent: true, is_closed: false });
        queue.take();
        queue.take();
        queue.close();
        assert_eq!(*news.borrow(), News { waiting_count: 0, is_urgent: false, is_closed: true });
    }
}
