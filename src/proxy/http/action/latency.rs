//! `latency`: the answer comes late, and its body no slower.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Problem, wait_problem};
use crate::unit::DurationText;

/// Holds the answer's first byte back by `latency` ± `jitter` from when it arrived; the upstream has done its work by then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The delay; at most a day.
    pub latency: DurationText,
    /// How far the delay may lie from `latency`, evenly spread, drawn for each request; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<DurationText>,
}

impl Latency {
    pub(crate) fn draw(&self, generator: &mut ChaCha8Rng) -> Duration {
        let jitter = self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        // From `latency - jitter` to `latency + jitter`.
        (self.latency.0 + jitter.mul_f64(2.0 * generator.random::<f64>())).saturating_sub(jitter)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = wait_problem("latency", self.latency).into_iter().collect();
        let jitter = self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        if self.latency.is_zero() && jitter.is_zero() {
            problems.push(Problem::new("latency", "a delay of nothing is no fault"));
        }
        if jitter > self.latency.0 {
            problems.push(Problem::new("jitter", "the jitter is larger than the latency"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn delays_lie_within_the_jitter_and_around_the_latency() {
        let text = |text: &str| text.parse::<DurationText>().expect("a duration");
        let action = Latency { latency: text("50ms"), jitter: Some(text("10ms")) };
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<Duration> = (0..2_000).map(|_| action.draw(&mut generator)).collect();
        let (low, high) = (Duration::from_millis(40), Duration::from_millis(60));
        assert!(draws.iter().all(|draw| (low..=high).contains(draw)));
        let mean = draws.iter().sum::<Duration>() / 2_000;
        assert!(mean.abs_diff(Duration::from_millis(50)) < Duration::from_millis(1), "{mean:?}");
    }
}
