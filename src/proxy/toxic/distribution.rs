//! How delays are spread around the one that was asked for.

use std::f64::consts::TAU;
use std::time::Duration;

use rand::{Rng, RngExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wait::TOXIC_WAIT_MAX;

/// How the delays of a `latency` are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Evenly over `latency ± jitter`; the default, and Toxiproxy's.
    #[default]
    Uniform,
    /// A bell with mean `latency` and standard deviation `jitter`; what falls below zero is zero.
    Normal,
    /// Never below `latency`, with a long tail above it whose mean is `jitter` (Pareto of the second kind, shape 3): half
    /// of the delays exceed `latency` by half of `jitter` at most, one in a hundred by more than seven times of it.
    Pareto,
}

/// The tail's shape: the smallest whole number with which the variance is finite.
const PARETO_SHAPE: f64 = 3.0;

impl Distribution {
    /// Whether it is the default.
    pub(super) fn is_uniform(&self) -> bool {
        *self == Self::Uniform
    }

    /// Draws one delay; at most a day.
    pub(super) fn draw(self, latency: Duration, jitter: Duration, generator: &mut impl Rng) -> Duration {
        if jitter.is_zero() {
            return latency;
        }
        let deviation = match self {
            Self::Uniform => generator.random_range(-1.0..=1.0),
            Self::Normal => standard_normal(generator),
            Self::Pareto => pareto_tail(generator),
        };
        let seconds = latency.as_secs_f64() + deviation * jitter.as_secs_f64();
        Duration::try_from_secs_f64(seconds.max(0.0)).map_or(TOXIC_WAIT_MAX, |delay| delay.min(TOXIC_WAIT_MAX))
    }
}

/// A share in (0, 1], of which a logarithm can be taken.
fn share(generator: &mut impl Rng) -> f64 {
    1.0 - generator.random::<f64>()
}

/// Mean 0, standard deviation 1, by the method of Box and Muller.
fn standard_normal(generator: &mut impl Rng) -> f64 {
    let radius = (-2.0 * share(generator).ln()).sqrt();
    radius * (TAU * share(generator)).cos()
}

/// From 0 upwards with mean 1.
fn pareto_tail(generator: &mut impl Rng) -> f64 {
    (PARETO_SHAPE - 1.0) * (share(generator).powf(-1.0 / PARETO_SHAPE) - 1.0)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const LATENCY_MS: f64 = 50.0;
    const JITTER_MS: f64 = 10.0;

    /// The share of a standard normal distribution below `x` (Abramowitz and Stegun 26.2.17; error below 1e-7).
    fn normal_share(x: f64) -> f64 {
        let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
        let series = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
        let sum = series.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
        let tail = sum * (-x * x / 2.0).exp() / TAU.sqrt();
        if x < 0.0 { tail } else { 1.0 - tail }
    }

    fn expected_share(distribution: Distribution, millis: f64) -> f64 {
        let deviation = (millis - LATENCY_MS) / JITTER_MS;
        match distribution {
            Distribution::Uniform => f64::midpoint(deviation, 1.0),
            Distribution::Normal => normal_share(deviation),
            Distribution::Pareto => 1.0 - (1.0 + deviation / (PARETO_SHAPE - 1.0)).powf(-PARETO_SHAPE),
        }
    }

    /// The test of Kolmogorov and Smirnov at n = 1,000: a distance of 0.0515 is exceeded once in a hundred.
    #[test]
    fn delays_are_spread_as_the_distribution_says() {
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto] {
            let mut generator = ChaCha8Rng::seed_from_u64(11);
            let wait = |millis: f64| Duration::from_secs_f64(millis / 1_000.0);
            let mut delays: Vec<f64> = (0..1_000)
                .map(|_| distribution.draw(wait(LATENCY_MS), wait(JITTER_MS), &mut generator).as_secs_f64() * 1_000.0)
                .collect();
            delays.sort_unstable_by(f64::total_cmp);
            let distance = delays
                .iter()
                .zip(0_u32..)
                .map(|(delay, below)| (expected_share(distribution, *delay) - f64::from(below) / 1_000.0).abs())
                .fold(0.0, f64::max);
            assert!(distance < 0.0515, "{distribution:?}: {distance}");
            let mean = delays.iter().sum::<f64>() / 1_000.0;
            let expected = if distribution == Distribution::Pareto { LATENCY_MS + JITTER_MS } else { LATENCY_MS };
            assert!((mean - expected).abs() < 1.5, "{distribution:?}: {mean} ms");
        }
    }

    #[test]
    fn a_delay_is_never_below_zero_nor_above_a_day_and_without_jitter_it_is_exact() {
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let latency = Duration::from_micros(250);
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto] {
            assert_eq!(distribution.draw(latency, Duration::ZERO, &mut generator), latency);
            for _ in 0..1_000 {
                assert!(distribution.draw(latency, TOXIC_WAIT_MAX, &mut generator) <= TOXIC_WAIT_MAX);
            }
        }
        let none = (0..1_000).filter(|_| Distribution::Normal.draw(latency, 4 * latency, &mut generator).is_zero());
        assert!((300..500).contains(&none.count()), "two of five are cut off at zero");
    }
}
