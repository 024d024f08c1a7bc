//! How fast control calls are sent: all clients of one environment share one bucket. What undoes goes past it.
//!
//! A call takes its turn when it is about to be signed, once for each attempt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::unit::Rate;

/// How many calls may be sent at once after a rest.
const BURST: u32 = 5;

tokio::task_local! {
    /// Set while something is undone.
    static URGENT: ();
}

/// Does something whose calls wait for nobody: an undo must not stand behind looks at the account. They take no other's
/// turn either.
pub async fn urgently<T>(work: impl Future<Output = T>) -> T {
    URGENT.scope((), work).await
}

/// The bucket; without one nothing waits. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace(Option<Arc<Bucket>>);

#[derive(Debug)]
struct Bucket {
    /// Between two calls.
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the bucket will be full again.
    full: Instant,
    /// How many turns were taken.
    #[cfg(test)]
    taken: usize,
}

impl Pace {
    /// So many calls a second; a rate of zero would let nothing through and is taken for none.
    pub(super) fn new(rate: Rate) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / rate.per_second()).ok();
        Self(interval.map(|interval| {
            let state = State {
                full: Instant::now(),
                #[cfg(test)]
                taken: 0,
            };
            Arc::new(Bucket { interval, state: Mutex::new(state) })
        }))
    }

    /// Whether nothing waits.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Waits for the turn of one call.
    pub(super) async fn take(&self) {
        let Some(bucket) = self.0.as_deref().filter(|_| URGENT.try_with(|()| ()).is_err()) else { return };
        let turn = bucket.reserve();
        tokio::time::sleep_until(turn).await;
    }

    #[cfg(test)]
    fn taken(&self) -> usize {
        self.0.as_ref().map_or(0, |bucket| bucket.state().taken)
    }
}

impl Bucket {
    /// The moment of the next turn, in the order of asking.
    fn reserve(&self) -> Instant {
        let mut state = self.state();
        let now = Instant::now();
        // With a whole burst in it, the bucket lets a call through at once.
        let rest = self.interval * (BURST - 1);
        let turn = state.full.checked_sub(rest).map_or(now, |earliest| earliest.max(now));
        state.full = state.full.max(turn) + self.interval;
        #[cfg(test)]
        {
            state.taken += 1;
        }
        turn
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A state that a panic left behind is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;
    use crate::aws::Aws;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    /// When each of `count` calls had its turn, in milliseconds.
    async fn turns(pace: &Pace, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut turns = Vec::new();
        for _ in 0..count {
            pace.take().await;
            turns.push(start.elapsed().as_millis());
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_then_one_call_in_each_interval() {
        let pace = Pace::new(rate("5/s"));
        assert_eq!(turns(&pace, 8).await, [0, 0, 0, 0, 0, 200, 400, 600]);
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(turns(&pace, 3).await, [0, 0, 200], "a rest fills it by what it was long");
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(turns(&pace, 6).await, [0, 0, 0, 0, 0, 200], "and never by more than a burst");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_share_it_wait_for_each_other() {
        let pace = Pace::new(rate("10/s"));
        let start = Instant::now();
        let calls: Vec<_> = (0..25).map(|_| pace.clone()).map(|pace| async move { pace.take().await }).collect();
        let mut tasks: tokio::task::JoinSet<()> = calls.into_iter().collect();
        while tasks.join_next().await.is_some() {}
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_undoes_waits_for_nobody_and_takes_nobodys_turn() {
        let pace = Pace::new(rate("1/s"));
        assert_eq!(turns(&pace, 5).await, [0; 5]);
        let start = Instant::now();
        urgently(turns(&pace, 100)).await;
        assert_eq!((start.elapsed(), pace.taken()), (Duration::ZERO, 5));
        assert_eq!(turns(&pace, 1).await, [1_000]);
        assert_eq!(turns(&Pace::default(), 100).await, [0; 100]);
        assert_eq!(turns(&Pace::new(rate("0/s")), 100).await, [0; 100]);
    }

    /// The SDK's clients and signed requests alike, and every attempt; nothing that is sent is left out.
    #[tokio::test]
    async fn every_attempt_of_every_client_takes_its_turn() {
        let server = Server::start([Reply::new(503, "")]).await;
        let functions = crate::fault::testing::FakeFunctions::new([]);
        let aws = Aws::made_up_at(&server, functions).paced(rate("1000/s"));
        let mut sent = 0;
        for client in ["lambda", "fis", "sts", "ssm", "iam"] {
            let is_refused = match client {
                "lambda" => aws.lambda.alias("a", "b").await.is_err(),
                "fis" => aws.fis.is_lever_engaged().await.is_err(),
                "sts" => aws.caller_account().await.is_err(),
                "ssm" => aws.ssm.parameter("a").await.is_err(),
                _ => aws.iam.role_arn("a").await.is_err(),
            };
            assert!(is_refused, "{client}");
            sent += 4;
            assert_eq!((server.recorded().len(), aws.pace().taken()), (sent, sent), "{client}");
        }
        let undone =
            urgently(async { (aws.lambda.alias("a", "b").await.is_err(), aws.iam.role_arn("a").await.is_err()) });
        assert_eq!(undone.await, (true, true));
        assert_eq!((server.recorded().len(), aws.pace().taken()), (sent + 8, sent));
    }
}
