//! Waiting for a change of something that many connections watch, at next to no cost for each look.
//!
//! A `changed()` of tokio's that is made and dropped for each turn of a link takes two locks that all links share. Here one waits
//! for as long as there is no change, and a look is a load of an atomic.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;
use tokio::task::unconstrained;

/// Nobody is there any more to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Something that is watched, and who waits for its change.
pub(crate) struct Change<T> {
    watched: watch::Receiver<T>,
    waiting: Option<Waiting>,
}

/// A wait for a change, and who is woken by it.
struct Waiting {
    _change: Pin<Box<dyn Future<Output = ()> + Send>>,
    waker: Waker,
}

impl<T: Send + Sync + 'static> Change<T> {
    pub(crate) fn of(watched: watch::Receiver<T>) -> Self {
        Self { watched, waiting: None }
    }

    /// What is watched now; a change that comes after this is one.
    pub(crate) fn look(&mut self) -> watch::Ref<'_, T> {
        self.waiting = None;
        self.watched.borrow_and_update()
    }

    /// Whether it has changed since the last look. What nobody can change any more stays as it is.
    pub(crate) fn has_changed(&self) -> bool {
        self.watched.has_changed().unwrap_or(false)
    }

    /// Returns when it has changed since the last look, and again and again until the next.
    pub(crate) async fn changed(&mut self) -> Result<(), Gone> {
        poll_fn(|context| self.poll_changed(context)).await
    }

    /// Ready when it has changed since the last look.
    pub(crate) fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        loop {
            match self.watched.has_changed() {
                Err(_) => return Poll::Ready(Err(Gone)),
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
            }
            if self.waiting.as_ref().is_some_and(|waiting| waiting.waker.will_wake(context.waker())) {
                return Poll::Pending;
            }
            let mut watched = self.watched.clone();
            // Not bound by tokio's budget, with which it may say that it waits and be told of nothing.
            let mut change: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(unconstrained(async move {
                // Either way there is something to look at.
                watched.changed().await.ok();
            }));
            if change.as_mut().poll(context).is_pending() {
                self.waiting = Some(Waiting { _change: change, waker: context.waker().clone() });
                return Poll::Pending;
            }
        }
    }
}

impl<T> std::fmt::Debug for Change<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Change")
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_change_is_told_until_it_was_looked_at_and_the_end_too() {
        let (sender, receiver) = watch::channel(1);
        let mut change = Change::of(receiver);
        assert_eq!(*change.look(), 1);
        for value in 2..5 {
            assert!(
                tokio::time::timeout(Duration::from_secs(1), change.changed()).await.is_err(),
                "nothing has changed"
            );
            let sender = sender.clone();
            let changing = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                sender.send_replace(value);
            });
            assert_eq!(change.changed().await, Ok(()));
            assert_eq!(change.changed().await, Ok(()), "nobody has looked");
            assert_eq!(*change.look(), value);
            changing.await.expect("no panic");
        }
        drop(sender);
        assert_eq!(change.changed().await, Err(Gone));
    }

    #[tokio::test]
    async fn a_task_that_has_used_up_its_budget_is_woken_all_the_same() {
        let (sender, receiver) = watch::channel(1);
        let mut change = Change::of(receiver);
        change.look();
        let waiting = tokio::spawn(async move {
            poll_fn(|context| {
                while tokio::task::coop::has_budget_remaining() {
                    assert!(pin!(tokio::task::consume_budget()).poll(context).is_ready());
                }
                change.poll_changed(context)
            })
            .await
        });
        tokio::task::yield_now().await;
        sender.send_replace(2);
        let told = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it is woken");
        assert_eq!(told.expect("no panic"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waited_last_is_woken() {
        let (sender, receiver) = watch::channel(1);
        let mut change = Change::of(receiver);
        change.look();
        // The first wait belonged to another task.
        let mut change = tokio::spawn(async move {
            assert!(tokio::time::timeout(Duration::from_secs(1), change.changed()).await.is_err());
            change
        })
        .await
        .expect("no panic");
        let waiting = tokio::spawn(async move { change.changed().await });
        tokio::task::yield_now().await;
        sender.send_replace(2);
        assert_eq!(waiting.await.expect("no panic"), Ok(()));
    }
}
