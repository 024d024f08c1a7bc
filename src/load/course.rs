//! A shape as it is steered while its load runs: the level at each moment, and when its integral reaches a count. Pure.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::shape::{Shape, value};
use crate::unit::Rate;

/// What a load is to do from some moment on. Without a rate, and not paused, it goes along its shape.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steer {
    /// The rate to hold in the place of the shape's.
    pub rate: Option<Rate>,
    /// Whether nobody comes.
    pub is_paused: bool,
}

/// A straight piece of the level.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    /// Since the load's zero.
    start: Duration,
    lasting: Duration,
    /// The level at its start: users, or arrivals a second.
    from: f64,
    /// The level at its end.
    to: f64,
    /// The integral of the level up to its start.
    before: f64,
    /// The integral up to its end.
    after: f64,
}

impl Piece {
    fn new(start: Duration, lasting: Duration, [from, to]: [f64; 2], before: f64) -> Self {
        let after = before + lasting.as_secs_f64() * f64::midpoint(from, to);
        Self { start, lasting, from, to, before, after }
    }

    fn end(&self) -> Duration {
        self.start + self.lasting
    }

    fn level_at(&self, elapsed: Duration) -> f64 {
        if self.lasting.is_zero() {
            return self.to;
        }
        let share = (elapsed - self.start).as_secs_f64() / self.lasting.as_secs_f64();
        self.from + (self.to - self.from) * share
    }

    /// When the integral reaches `count`, which lies within the piece.
    fn time_of(&self, count: f64) -> Duration {
        let wanted = (count - self.before).max(0.0);
        let lasting = self.lasting.as_secs_f64();
        let slope = if lasting > 0.0 { (self.to - self.from) / lasting } else { 0.0 };
        // The root of `from·t + slope·t²/2 = wanted` in the form that does not cancel.
        let root = self.from.mul_add(self.from, 2.0 * slope * wanted).max(0.0).sqrt();
        let divisor = self.from + root;
        let elapsed = if divisor > 0.0 { (2.0 * wanted / divisor).min(lasting) } else { 0.0 };
        self.start + Duration::from_secs_f64(elapsed).min(self.lasting)
    }

    /// What is left of it from `start` on, with so much before it.
    fn rest(&self, start: Duration, before: f64) -> Self {
        let start = start.max(self.start);
        Self::new(start, self.end() - start, [self.level_at(start), self.to], before)
    }
}

/// See the module's text.
#[derive(Debug, Clone)]
pub(super) struct Course {
    shape: Vec<Piece>,
    pieces: Vec<Piece>,
}

impl Course {
    /// The course of a load that nobody has steered.
    pub(super) fn new(shape: &Shape) -> Self {
        let mut pieces = Vec::with_capacity(shape.segments().len());
        let (mut start, mut before) = (Duration::ZERO, 0.0);
        for segment in shape.segments() {
            let piece = Piece::new(start, segment.lasting.0, [segment.from, segment.to].map(value), before);
            (start, before) = (piece.end(), piece.after);
            pieces.push(piece);
        }
        Self { shape: pieces.clone(), pieces }
    }

    /// When it ends, since the load's zero. Steering does not move it.
    pub(super) fn end(&self) -> Duration {
        self.shape.last().map_or(Duration::ZERO, Piece::end)
    }

    /// The level at `elapsed` from the load's zero, in users or arrivals a second; 0 from its end on. At a jump the later level
    /// counts.
    pub(super) fn level_at(&self, elapsed: Duration) -> f64 {
        self.pieces.iter().find(|piece| elapsed < piece.end()).map_or(0.0, |piece| piece.level_at(elapsed))
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> impl Iterator<Item = Duration> {
        self.pieces.iter().map(Piece::end)
    }

    /// What the integral of the level comes to at its end.
    pub(super) fn total(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.after)
    }

    /// When the integral of the level reaches `count`; its end where it never does.
    pub(super) fn time_of(&self, count: f64) -> Duration {
        let index = self.pieces.partition_point(|piece| piece.after <= count);
        self.pieces.get(index).or(self.pieces.last()).map_or(Duration::ZERO, |piece| piece.time_of(count))
    }

    /// Goes on as `to` says from `at` on; what was before stays. The integral up to `at` lies within `known`, whatever it
    /// comes to by rounding: no arrival that has come may come again, or not at all.
    pub(super) fn steer(&mut self, at: Duration, to: Steer, known: RangeInclusive<f64>) {
        let end = self.end();
        let Some(present) = self.pieces.iter().find(|piece| at < piece.end()).copied() else { return };
        let level = present.level_at(at);
        let so_far = Piece::new(present.start, at - present.start, [present.from, level], present.before);
        let integral = so_far.after.max(*known.start()).min(*known.end());
        self.pieces.retain(|piece| piece.end() <= at);
        self.pieces.push(Piece { after: integral, ..so_far });
        let held = if to.is_paused { Some(0.0) } else { to.rate.map(Rate::per_second) };
        if let Some(level) = held {
            self.pieces.push(Piece::new(at, end - at, [level, level], integral));
            return;
        }
        let mut before = integral;
        for piece in self.shape.iter().filter(|piece| at < piece.end()) {
            let rest = piece.rest(at, before);
            before = rest.after;
            self.pieces.push(rest);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::load::spec::StageSpec;
    use crate::unit::DurationText;

    /// Nothing is known of the integral.
    const ANY: RangeInclusive<f64> = f64::NEG_INFINITY..=f64::INFINITY;

    pub(in crate::load) fn shapes() -> impl Strategy<Value = Shape> {
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

    /// What people make of a load, each so long after the one before.
    pub(in crate::load) fn steers() -> impl Strategy<Value = Vec<(Duration, Steer)>> {
        let steer = (0_u64..4_000_000, 0_u32..500, 0_u8..4).prop_map(|(micros, rate, kind)| {
            let rate = (kind > 1).then(|| format!("{rate}/s").parse().unwrap());
            (Duration::from_micros(micros), Steer { rate, is_paused: kind % 2 == 0 })
        });
        proptest::collection::vec(steer, 0..8)
    }

    fn course(yaml: &str) -> Course {
        Course::new(&Shape::from_stages(&serde_yaml::from_str::<Vec<StageSpec>>(yaml).unwrap()))
    }

    fn rate(text: &str) -> Steer {
        Steer { rate: Some(text.parse().unwrap()), is_paused: false }
    }

    const PAUSE: Steer = Steer { rate: None, is_paused: true };

    #[test]
    fn a_rate_that_is_set_holds_until_the_end_and_the_past_stays() {
        let mut course = course("[{ramp: 10s, to: 100/s}, {hold: 10s}]");
        course.steer(Duration::from_secs(5), rate("30/s"), ANY);
        let levels = [0, 4, 5, 12, 19, 20].map(|second| course.level_at(Duration::from_secs(second)));
        assert_eq!(levels, [0.0, 40.0, 30.0, 30.0, 30.0, 0.0]);
        assert_eq!((course.total(), course.end()), (125.0 + 15.0 * 30.0, Duration::from_secs(20)));
        assert_eq!(course.time_of(125.0 + 30.0), Duration::from_secs(6));
    }

    #[test]
    fn after_a_pause_the_shape_goes_on_as_of_that_moment() {
        let mut course = course("[{ramp: 10s, to: 100/s}, {ramp: 10s, to: 0/s}]");
        course.steer(Duration::from_secs(2), PAUSE, ANY);
        assert_eq!((course.level_at(Duration::from_secs(8)), course.total()), (0.0, 20.0));
        course.steer(Duration::from_secs(8), Steer::default(), ANY);
        let levels = [1, 2, 8, 10, 15].map(|second| course.level_at(Duration::from_secs(second)));
        assert_eq!(levels, [10.0, 0.0, 80.0, 100.0, 50.0]);
        assert_eq!(course.total(), 20.0 + 180.0 + 500.0);
        assert_eq!(course.time_of(20.0), Duration::from_secs(8), "nothing comes in a pause");
    }

    #[test]
    fn a_load_that_is_over_is_not_steered() {
        let mut course = course("[{hold: 10s, at: 10/s}]");
        course.steer(Duration::from_secs(10), rate("30/s"), ANY);
        assert_eq!(course.total(), 100.0);
    }

    #[test]
    fn what_is_known_of_the_integral_goes_before_what_it_comes_to() {
        let mut course = course("[{hold: 10s, at: 10/s}]");
        course.steer(Duration::from_secs(1), PAUSE, 10.5..=f64::INFINITY);
        assert_eq!(course.time_of(10.2), Duration::from_secs(1), "it has come");
        assert_eq!(course.total(), 10.5);
    }

    proptest! {
        #[test]
        fn a_course_that_is_steered_along_its_shape_is_its_shape(shape in shapes(), at in steers(), millis in 0_u64..30_000) {
            let unsteered = Course::new(&shape);
            let mut course = unsteered.clone();
            let mut moment = Duration::ZERO;
            for (after, _) in at {
                moment += after;
                course.steer(moment, Steer::default(), ANY);
            }
            let elapsed = Duration::from_millis(millis);
            prop_assert!((course.level_at(elapsed) - unsteered.level_at(elapsed)).abs() < 1e-6);
            prop_assert!((course.total() - unsteered.total()).abs() < 1e-6);
        }

        #[test]
        fn the_integral_up_to_the_time_of_a_count_is_that_count(shape in shapes(), steers in steers(), share in 0.0..1.0) {
            let mut course = Course::new(&shape);
            let mut moment = Duration::ZERO;
            for (after, steer) in steers {
                moment += after;
                course.steer(moment, steer, ANY);
            }
            prop_assert_eq!(course.end(), shape.end());
            let count = course.total() * share;
            let time = course.time_of(count);
            let integral: f64 = course.pieces.iter()
                .take_while(|piece| piece.start < time)
                .map(|piece| {
                    let to = time.min(piece.end());
                    (to - piece.start).as_secs_f64() * f64::midpoint(piece.from, piece.level_at(to))
                })
                .sum();
            prop_assert!((integral - count).abs() < 1e-3, "{} of {}", integral, count);
        }
    }
}
