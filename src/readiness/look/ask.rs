//! One question: its answer in time, or why there is none.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::Instant;

use super::super::outcome::{Known, Why};
use crate::unit::{error_chain, format_duration, printable_line};

/// How many questions of one kind are under way at once.
const AT_ONCE: usize = 4;
/// How many characters of a reason are kept.
const WHY_CHARACTERS_MAX: usize = 300;

/// Asks until it is too late.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    until: Instant,
    limit: Duration,
}

impl Asker {
    pub(crate) fn for_at_most(limit: Duration) -> Self {
        Self { until: Instant::now() + limit, limit }
    }

    /// The answer, or why there is none.
    pub(crate) async fn ask<T, E>(&self, question: impl Future<Output = Result<T, E>>) -> Known<T>
    where
        E: std::error::Error + 'static,
    {
        match tokio::time::timeout_at(self.until, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Why::new(printable_line(&error_chain(&error), WHY_CHARACTERS_MAX))),
            Err(_) => {
                Err(Why::new(format!("the look was to take {} at most, and did not", format_duration(self.limit))))
            }
        }
    }

    /// The answers to the same question about several things, a few at once.
    pub(crate) async fn each<K, T, E, F>(
        &self,
        things: impl IntoIterator<Item = K>,
        question: impl Fn(K) -> F,
    ) -> Vec<(K, Known<T>)>
    where
        K: Clone,
        E: std::error::Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let ask = |thing: K| {
            let question = question(thing.clone());
            async move { (thing, self.ask(question).await) }
        };
        stream::iter(things).map(ask).buffer_unordered(AT_ONCE).collect().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_not_known_and_says_so() {
        let asker = Asker::for_at_most(Duration::from_secs(60));
        let slow = async |seconds: u64| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<u64, std::fmt::Error>(seconds)
        };
        let mut answers = asker.each([1, 2, 100, 3], slow).await;
        answers.sort_by_key(|(seconds, _)| *seconds);
        let known: Vec<bool> = answers.iter().map(|(_, answer)| answer.is_ok()).collect();
        assert_eq!(known, [true, true, true, false]);
        let (_, Err(why)) = &answers[3] else { panic!("a reason") };
        assert_eq!(why.0, "the look was to take 1m at most, and did not");
    }
}
