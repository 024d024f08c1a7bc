//! How much load when: a curve of straight segments. Pure; knows no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{Model, Stage, StageSpec};
use crate::unit::{DurationText, Level};

/// A curve of levels over the time since the load's start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    segments: Vec<Segment>,
}

/// One straight piece of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// How long it is.
    pub lasting: DurationText,
    /// The level at its start.
    pub from: Level,
    /// The level at its end.
    pub to: Level,
}

impl Shape {
    /// The curve of these stages: a ramp starts at the level before it (0 at first), a hold keeps it or jumps to its
    /// own. A stage that is not valid, and a hold with no level known, are left out.
    #[must_use]
    pub fn from_stages(stages: &[StageSpec]) -> Self {
        let mut level: Option<Level> = None;
        let mut segments = Vec::new();
        for stage in stages.iter().filter_map(StageSpec::stage) {
            let segment = match stage {
                Stage::Ramp { lasting, to } => Segment { lasting, from: level.unwrap_or(zero_of(to)), to },
                Stage::Hold { lasting, at } => match at.or(level) {
                    Some(level) => Segment { lasting, from: level, to: level },
                    None => continue,
                },
            };
            level = Some(segment.to);
            segments.push(segment);
        }
        Self { segments }
    }

    /// Its segments, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Open or closed; none for a shape of nothing.
    #[must_use]
    pub fn model(&self) -> Option<Model> {
        self.segments.first().map(|segment| Model::of(segment.to))
    }

    /// When it ends, from the load's start.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.segments.iter().map(|segment| segment.lasting.0).sum()
    }

    /// The highest level that it reaches; none for a shape of nothing.
    #[must_use]
    pub fn highest(&self) -> Option<Level> {
        let levels = self.segments.iter().flat_map(|segment| [segment.from, segment.to]);
        levels.max_by(|one, other| value(*one).total_cmp(&value(*other)))
    }

    /// The highest level that it reaches, as a number.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.segments.iter().flat_map(|segment| [value(segment.from), value(segment.to)]).fold(0.0, f64::max)
    }
}

/// A level as a number: users, or arrivals a second.
pub(crate) fn value(level: Level) -> f64 {
    match level {
        Level::Rate(rate) => rate.per_second(),
        Level::Users(users) => f64::from(users.0),
    }
}

/// Nothing, in the unit of `level`.
fn zero_of(level: Level) -> Level {
    let text = match Model::of(level) {
        Model::Open => "0/s",
        Model::Closed => "0 users",
    };
    text.parse().expect("invariant: both texts are levels")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::load::course::Course;

    fn shape(yaml: &str) -> Shape {
        Shape::from_stages(&serde_yaml::from_str::<Vec<StageSpec>>(yaml).unwrap())
    }

    fn at(shape: &Shape, seconds: u64) -> f64 {
        level_at(shape, Duration::from_secs(seconds))
    }

    fn level_at(shape: &Shape, elapsed: Duration) -> f64 {
        Course::new(shape).level_at(elapsed)
    }

    #[test]
    fn a_ramp_starts_at_nothing_and_a_hold_keeps_the_level() {
        let shape = shape("[{ramp: 10s, to: 20 users}, {hold: 5s}, {ramp: 5s, to: 0 users}]");
        assert_eq!([0, 5, 10, 14, 15, 20].map(|second| at(&shape, second)), [0.0, 10.0, 20.0, 20.0, 20.0, 0.0]);
        assert_eq!(at(&shape, 17), 12.0);
        assert_eq!(shape.end(), Duration::from_secs(20));
        assert_eq!(shape.model(), Some(Model::Closed));
    }

    #[test]
    fn a_hold_at_a_level_jumps_to_it() {
        let shape = shape("[{hold: 5s, at: 3/s}, {hold: 5s, at: 60/m}]");
        assert_eq!([0, 4, 5, 9, 10].map(|second| at(&shape, second)), [3.0, 3.0, 1.0, 1.0, 0.0]);
        assert_eq!(shape.model(), Some(Model::Open));
        assert_eq!(shape.peak(), 3.0);
    }

    #[test]
    fn a_ramp_that_takes_no_time_is_a_jump() {
        let shape = shape("[{ramp: 0s, to: 8 users}, {hold: 2s}]");
        assert_eq!(at(&shape, 0), 8.0);
    }

    fn stages() -> impl Strategy<Value = Vec<StageSpec>> {
        let stage = (0_u64..20_000, 0_u32..500, 0_u8..3).prop_map(|(millis, users, kind)| {
            let lasting = Some(DurationText(Duration::from_millis(millis)));
            let level = Some(Level::Users(crate::unit::Users(users)));
            match kind {
                0 => StageSpec { ramp: lasting, to: level, ..StageSpec::default() },
                1 => StageSpec { hold: lasting, at: level, ..StageSpec::default() },
                _ => StageSpec { hold: lasting, ..StageSpec::default() },
            }
        });
        proptest::collection::vec(stage, 0..8)
    }

    proptest! {
        #[test]
        fn a_level_never_leaves_its_bounds(stages in stages(), millis in 0_u64..200_000) {
            let shape = Shape::from_stages(&stages);
            let level = level_at(&shape, Duration::from_millis(millis));
            prop_assert!((0.0..=shape.peak()).contains(&level), "{level}");
            if Duration::from_millis(millis) >= shape.end() {
                prop_assert_eq!(level, 0.0);
            }
        }

        #[test]
        fn a_ramp_has_no_jumps(millis in 1_000_u64..100_000, from in 0_u32..500, to in 0_u32..500, share in 0.0..0.999) {
            let level = |users| Some(Level::Users(crate::unit::Users(users)));
            let ramp = Some(DurationText(Duration::from_millis(millis)));
            let none = Some(DurationText(Duration::ZERO));
            let shape = Shape::from_stages(&[
                StageSpec { ramp: none, to: level(from), ..StageSpec::default() },
                StageSpec { ramp, to: level(to), ..StageSpec::default() },
            ]);
            let moment = shape.end().mul_f64(share);
            let steepness = f64::from(from.abs_diff(to)) / shape.end().as_secs_f64();
            let change = level_at(&shape, moment + Duration::from_millis(1)) - level_at(&shape, moment);
            // At the very end the shape is over, which is a jump of its own.
            if moment + Duration::from_millis(1) < shape.end() {
                prop_assert!(change.abs() <= steepness * 0.001 + 1e-6, "{change}");
            }
        }

        #[test]
        fn a_shape_survives_its_json(stages in stages()) {
            let shape = Shape::from_stages(&stages);
            let json = serde_json::to_string(&shape).unwrap();
            prop_assert_eq!(serde_json::from_str::<Shape>(&json).unwrap(), shape);
        }
    }
}
