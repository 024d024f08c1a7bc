//! When the arrivals of an open load come: a pure function of its shape, its seed and what it was steered to when.
//!
//! With `R(t)` the integral of the rate (`course.rs`), arrival `n` (from 0) comes at `R⁻¹(n)` where arrivals are even, and at
//! `R⁻¹(E₀ + … + Eₙ)` with independent unit exponentials `E` where they are a Poisson process (time rescaling). A worker takes
//! every `of`-th arrival, so that the union of `of` workers is one worker's schedule exactly. Steering changes `R` from that moment
//! on and nothing of the counts, so that no arrival is lost and none comes twice.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::course::{Course, Steer};
use super::shape::Shape;

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

/// What the integral of the rate is when the arrivals of a stripe come, in order and without an end.
#[derive(Debug, Clone)]
struct Counts {
    spacing: Spacing,
    random: ChaCha8Rng,
    stripe: Stripe,
    /// The number of the next one, of all workers together.
    number: u64,
    /// The count of the next one, of all workers together.
    next: f64,
}

impl Counts {
    fn new(spacing: Spacing, seed: u64, stripe: Stripe) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(ARRIVAL_STREAM);
        let mut counts = Self { spacing, random, stripe, number: 0, next: 0.0 };
        if spacing == Spacing::Poisson {
            counts.next = counts.gap();
        }
        counts
    }

    /// How much the integral of the rate grows between two arrivals.
    fn gap(&mut self) -> f64 {
        match self.spacing {
            Spacing::Even => 1.0,
            // From (0, 1], of which the logarithm is finite.
            Spacing::Poisson => -(1.0 - self.random.random::<f64>()).ln(),
        }
    }

    fn next(&mut self) -> f64 {
        loop {
            let (number, count) = (self.number, self.next);
            self.number += 1;
            // A whole number does not drift, as a sum of gaps would.
            self.next += self.gap();
            if number % u64::from(self.stripe.of.max(1)) == u64::from(self.stripe.index) {
                return count;
            }
        }
    }
}

/// The arrivals of a load, in order, and the same once more for whoever takes them up later.
#[derive(Debug, Clone)]
pub struct Arrivals {
    course: Course,
    /// Goes ahead: the arrivals that have not come.
    coming: Counts,
    /// The count of the last one that has come.
    last: f64,
    /// The count of the next one.
    next: f64,
    /// When it comes; none when it does not.
    next_at: Option<Duration>,
    /// Follows: those that nobody has taken.
    untaken: Counts,
}

impl Arrivals {
    /// All arrivals of a shape whose levels are rates, as far as they are in the stripe, whose `index` is less than its `of`.
    #[must_use]
    pub fn new(shape: &Shape, spacing: Spacing, seed: u64, stripe: Stripe) -> Self {
        let untaken = Counts::new(spacing, seed, stripe);
        let mut coming = untaken.clone();
        let next = coming.next();
        let course = Course::new(shape);
        let mut arrivals = Self { course, coming, last: f64::NEG_INFINITY, next, next_at: None, untaken };
        arrivals.look_ahead();
        arrivals
    }

    fn look_ahead(&mut self) {
        let will_come = self.next < self.course.total() - ROUNDING_ERROR_MAX;
        self.next_at = will_come.then(|| self.course.time_of(self.next));
    }

    /// When the next one comes, from the load's zero on.
    #[must_use]
    pub fn peek(&self) -> Option<Duration> {
        self.next_at
    }

    /// When the first one that nobody has taken was meant to come. No more may be taken than have come.
    pub(super) fn take_up(&mut self) -> Duration {
        self.course.time_of(self.untaken.next())
    }

    /// Goes on as `to` says from `at` on, when all that come by then have come and no other has.
    pub(super) fn steer(&mut self, at: Duration, to: Steer) {
        self.course.steer(at, to, self.last.next_up()..=self.next);
        self.look_ahead();
    }
}

/// When each arrival of the stripe comes, from the load's zero on; never goes back.
impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let at = self.next_at?;
        self.last = self.next;
        self.next = self.coming.next();
        self.look_ahead();
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::load::course::tests::{shapes, steers};
    use crate::load::shape::value;
    use crate::load::spec::StageSpec;

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

        #[test]
        fn steered_arrivals_are_as_many_as_the_integral_at_each_moment_and_are_taken_as_they_came(
            shape in shapes(), steers in steers(), of in 1_u32..4, is_poisson: bool,
        ) {
            let spacing = if is_poisson { Spacing::Poisson } else { Spacing::Even };
            for index in 0..of {
                let mut arrivals = Arrivals::new(&shape, spacing, 5, Stripe { index, of });
                let mut unsteered = Counts::new(spacing, 5, Stripe { index, of });
                let (mut moment, mut integral, mut came) = (Duration::ZERO, 0.0, Vec::new());
                for (lasting, steer) in steers.iter().copied().chain([(shape.end(), Steer::default())]) {
                    let from = moment;
                    moment = (moment + lasting).min(shape.end());
                    integral += sum(&arrivals.course, from, moment);
                    while let Some(at) = arrivals.peek().filter(|at| *at <= moment) {
                        prop_assert!(at >= from, "{:?} comes before {:?}", at, from);
                        came.push(at);
                        arrivals.next();
                    }
                    arrivals.steer(moment, steer);
                }
                prop_assert!(came.is_sorted());
                // As many have come as the integral says, give or take what lies at the very end.
                let expected: Vec<f64> = std::iter::repeat_with(|| unsteered.next()).take(came.len() + 1).collect();
                let reached = |count: Option<&f64>| count.is_none_or(|count| *count <= integral + 1e-3);
                prop_assert!(reached(came.len().checked_sub(1).and_then(|last| expected.get(last))), "too many");
                prop_assert!(expected[came.len()] >= integral - 1e-3, "too few: {} of {}", came.len(), integral);
                for at in came {
                    let taken = arrivals.take_up();
                    prop_assert!(taken.abs_diff(at) < Duration::from_micros(1), "{:?} came at {:?}", taken, at);
                }
            }
        }
    }

    /// The integral of the level between two moments, between which nothing is steered.
    fn sum(course: &Course, from: Duration, to: Duration) -> f64 {
        let mut ends: Vec<Duration> = course.ends().filter(|end| (from..to).contains(end)).collect();
        ends.push(to);
        let mut start = from;
        let mut sum = 0.0;
        for end in ends {
            // The middle of a straight piece is its mean.
            let lasting = end - start;
            sum += lasting.as_secs_f64() * course.level_at(start + lasting / 2);
            start = end;
        }
        sum
    }
}
