//! When the arrivals of an open load come: a pure function of its shape and its seed.
//!
//! With `R(t)` the integral of the rate, arrival `n` (from 0) comes at `R⁻¹(n)` where arrivals are even, and at
//! `R⁻¹(E₀ + … + Eₙ)` with independent unit exponentials `E` where they are a Poisson process (time rescaling). A worker takes
//! every `of`-th arrival, so that the union of `of` workers is one worker's schedule exactly.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{Shape, value};

/// Which of the streams of a load's seed its arrivals draw from; its users have the low ones.
const ARRIVAL_STREAM: u64 = u64::MAX;

/// An integral this little above a whole number is that number: it is the sum of fractions that binary numbers do not have.
const ROUNDING_ERROR_MAX: f64 = 1e-6;

/// How arrivals lie between each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// As even as the rate allows: each comes when the integral of the rate has grown by one.
    #[default]
    Even,
    /// As many users who know nothing of each other come: a Poisson process.
    Poisson,
}

/// Which share of the arrivals a worker takes: those whose number modulo `of` is `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stripe {
    /// Less than `of`.
    pub index: u32,
    /// At least 1.
    pub of: u32,
}

impl Default for Stripe {
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

/// A straight piece of the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    /// Seconds from the load's zero.
    start: f64,
    /// In seconds.
    lasting: f64,
    /// Arrivals a second at its start.
    from: f64,
    /// Arrivals a second at its end.
    to: f64,
    /// The integral of the rate up to its start.
    before: f64,
}

impl Piece {
    /// The integral of the rate up to its end.
    fn after(&self) -> f64 {
        self.before + self.lasting * f64::midpoint(self.from, self.to)
    }

    /// When the integral reaches `count`, which lies within the piece, in seconds from the load's zero.
    fn time_of(&self, count: f64) -> f64 {
        let wanted = count - self.before;
        let slope = if self.lasting > 0.0 { (self.to - self.from) / self.lasting } else { 0.0 };
        // The root of `from·t + slope·t²/2 = wanted` in the form that does not cancel.
        let root = self.from.mul_add(self.from, 2.0 * slope * wanted).max(0.0).sqrt();
        let divisor = self.from + root;
        let elapsed = if divisor > 0.0 { 2.0 * wanted / divisor } else { 0.0 };
        self.start + elapsed.clamp(0.0, self.lasting)
    }
}

/// The arrivals of a load, in order.
#[derive(Debug, Clone)]
pub struct Arrivals {
    pieces: Vec<Piece>,
    /// The piece in which the next one lies, or a later one does.
    piece: usize,
    spacing: Spacing,
    random: ChaCha8Rng,
    stripe: Stripe,
    /// The number of the next one, of all workers together.
    number: u64,
    /// What the integral of the rate is when the next one comes, of all workers together.
    next: f64,
    /// What it is when the load is over.
    total: f64,
}

impl Arrivals {
    /// All arrivals of a shape whose levels are rates, as far as they are in the stripe, whose `index` is less than its `of`.
    #[must_use]
    pub fn new(shape: &Shape, spacing: Spacing, seed: u64, stripe: Stripe) -> Self {
        let mut pieces = Vec::with_capacity(shape.segments().len());
        let (mut start, mut before) = (0.0, 0.0);
        for segment in shape.segments() {
            let lasting = segment.lasting.0.as_secs_f64();
            let piece = Piece { start, lasting, from: value(segment.from), to: value(segment.to), before };
            start += lasting;
            before = piece.after();
            pieces.push(piece);
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(ARRIVAL_STREAM);
        let total = before - ROUNDING_ERROR_MAX;
        let mut arrivals = Self { pieces, piece: 0, spacing, random, stripe, number: 0, next: 0.0, total };
        if spacing == Spacing::Poisson {
            arrivals.next = arrivals.gap();
        }
        arrivals
    }

    /// How much the integral of the rate grows between two arrivals.
    fn gap(&mut self) -> f64 {
        match self.spacing {
            Spacing::Even => 1.0,
            // From (0, 1], of which the logarithm is finite.
            Spacing::Poisson => -(1.0 - self.random.random::<f64>()).ln(),
        }
    }

    /// When the integral of the rate reaches `count`.
    fn time_of(&mut self, count: f64) -> Duration {
        while self.piece + 1 < self.pieces.len()
            && self.pieces.get(self.piece).is_some_and(|piece| piece.after() <= count)
        {
            self.piece += 1;
        }
        let seconds = self.pieces.get(self.piece).map_or(0.0, |piece| piece.time_of(count));
        Duration::from_secs_f64(seconds)
    }
}

/// When each arrival of the stripe comes, from the load's zero on; never goes back.
impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        while self.next < self.total {
            let (number, count) = (self.number, self.next);
            self.number += 1;
            // A whole number does not drift, as a sum of gaps would.
            self.next += self.gap();
            if number % u64::from(self.stripe.of.max(1)) == u64::from(self.stripe.index) {
                return Some(self.time_of(count));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::load::spec::StageSpec;
    use crate::unit::DurationText;

    fn shape(yaml: &str) -> Shape {
        Shape::from_stages(&serde_yaml::from_str::<Vec<StageSpec>>(yaml).unwrap())
    }

    fn all(shape: &Shape, spacing: Spacing, seed: u64) -> Vec<Duration> {
        Arrivals::new(shape, spacing, seed, Stripe::default()).collect()
    }

    #[test]
    fn a_constant_rate_is_even_from_the_first_moment() {
        let times = all(&shape("[{hold: 1s, at: 40/s}]"), Spacing::Even, 1);
        assert_eq!(times.len(), 40);
        for (number, time) in (0_u32..).zip(times) {
            assert_eq!(time, Duration::from_millis(25) * number);
        }
    }

    #[test]
    fn a_ramp_has_as_many_arrivals_as_its_integral_says_and_comes_ever_faster() {
        let times = all(&shape("[{ramp: 10s, to: 100/s}]"), Spacing::Even, 1);
        assert_eq!(times.len(), 500);
        // Half the integral of a ramp from nothing lies in the last 29 %.
        assert_eq!(times[250].as_millis(), 7_071);
        let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.windows(2).all(|pair| pair[1] <= pair[0] + Duration::from_nanos(2)), "{gaps:?}");
    }

    #[test]
    fn a_ramp_down_ends_in_silence_and_a_pause_has_no_arrivals() {
        let times = all(
            &shape("[{hold: 2s, at: 10/s}, {hold: 3s, at: 0/s}, {ramp: 2s, to: 10/s}, {ramp: 2s, to: 0/s}]"),
            Spacing::Even,
            1,
        );
        assert_eq!(times.len(), 40);
        let within = |from: u64, to: u64| {
            times.iter().filter(|time| (Duration::from_secs(from)..Duration::from_secs(to)).contains(*time)).count()
        };
        // The 21st comes when the ramp has begun: at its very start, where the rate is nothing yet.
        assert_eq!([within(0, 2), within(2, 5), within(5, 7), within(7, 9)], [20, 0, 10, 10]);
    }

    #[test]
    fn a_poisson_process_has_the_dispersion_of_one_and_the_seed_decides_it() {
        let shape = shape("[{hold: 100s, at: 200/s}]");
        let times = all(&shape, Spacing::Poisson, 7);
        assert_eq!(times, all(&shape, Spacing::Poisson, 7));
        assert_ne!(times, all(&shape, Spacing::Poisson, 8));
        // Of 20,000 expected the standard deviation is 141.
        assert!((19_500..20_500).contains(&times.len()), "{}", times.len());
        let mut counts = vec![0.0_f64; 10_000];
        for time in &times {
            counts[usize::try_from(time.as_millis() / 10).unwrap()] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 10_000.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 10_000.0;
        // The index of dispersion of 10,000 bins of a Poisson process is 1 with a standard deviation of 0.0141.
        assert!((variance / mean - 1.0).abs() < 0.06, "{}", variance / mean);
    }

    #[test]
    fn ten_million_arrivals_do_not_drift() {
        let times = Arrivals::new(&shape("[{hold: 10000s, at: 1000/s}]"), Spacing::Even, 1, Stripe::default());
        assert_eq!(times.last(), Some(Duration::from_millis(9_999_999)));
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let stage = (1_u64..5_000, 0_u32..300, 0_u8..2).prop_map(|(millis, rate, kind)| {
            let lasting = Some(DurationText(Duration::from_millis(millis)));
            let level = Some(format!("{rate}/s").parse().unwrap());
            match kind {
                0 => StageSpec { ramp: lasting, to: level, ..StageSpec::default() },
                _ => StageSpec { hold: lasting, at: level, ..StageSpec::default() },
            }
        });
        proptest::collection::vec(stage, 1..6).prop_map(|stages| Shape::from_stages(&stages))
    }

    proptest! {
        #[test]
        fn the_union_of_all_workers_is_the_schedule_of_one(shape in shapes(), of in 1_u32..9, is_poisson: bool) {
            let spacing = if is_poisson { Spacing::Poisson } else { Spacing::Even };
            let mut union: Vec<Duration> =
                (0..of).flat_map(|index| Arrivals::new(&shape, spacing, 5, Stripe { index, of })).collect();
            union.sort_unstable();
            prop_assert_eq!(union, all(&shape, spacing, 5));
        }

        #[test]
        fn even_arrivals_are_as_many_as_the_integral_and_in_order(shape in shapes()) {
            let times = all(&shape, Spacing::Even, 1);
            let integral: f64 = shape.segments().iter()
                .map(|segment| segment.lasting.0.as_secs_f64() * f64::midpoint(value(segment.from), value(segment.to)))
                .sum();
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let count = times.len() as f64;
            prop_assert!((count - integral).abs() < 1.0, "{} of {}", count, integral);
            prop_assert!(times.is_sorted());
            prop_assert!(times.iter().all(|time| *time <= shape.end()));
        }

        #[test]
        fn the_integral_up_to_an_arrival_is_its_number(shape in shapes()) {
            for (number, time) in (0_u32..).zip(all(&shape, Spacing::Even, 1)) {
                let mut start = Duration::ZERO;
                let mut integral = 0.0;
                for segment in shape.segments() {
                    let elapsed = time.saturating_sub(start).min(segment.lasting.0).as_secs_f64();
                    let slope = (value(segment.to) - value(segment.from)) / segment.lasting.0.as_secs_f64();
                    integral += value(segment.from) * elapsed + slope * elapsed * elapsed / 2.0;
                    start += segment.lasting.0;
                }
                prop_assert!((integral - f64::from(number)).abs() < 1e-3, "{} of {}", integral, number);
            }
        }
    }
}
