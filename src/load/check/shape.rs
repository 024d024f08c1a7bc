//! Shapes: stages that are one kind each, of one unit, and come to something.

use super::Checker;
use crate::load::shape::Shape;
use crate::load::spec::{Model, StageSpec};

pub(super) fn check_shape(checker: &mut Checker, stages: &[StageSpec]) {
    if stages.is_empty() {
        checker.problem("the shape has no stage", "write at least one, as in `{hold: 5m, at: 20 users}`");
        return;
    }
    let model = stages.iter().find_map(StageSpec::level).map(Model::of);
    let mut is_level_known = false;
    for (index, stage) in stages.iter().enumerate() {
        checker.within(index, |checker| {
            check_stage(checker, stage, is_level_known);
            if let Some(level) = stage.level()
                && model.is_some_and(|model| model != Model::of(level))
            {
                checker.within(if stage.to.is_some() { "to" } else { "at" }, |checker| {
                    checker.problem(
                        format!("`{level}` is of another unit than the stages before"),
                        "use one unit in a shape, `users` or `/s`, and a second load for the other",
                    );
                });
            }
        });
        is_level_known |= stage.level().is_some();
    }
    let shape = Shape::from_stages(stages);
    if stages.iter().all(|stage| stage.stage().is_some()) && is_level_known {
        if shape.end().is_zero() {
            checker.problem("the shape takes no time", "give a stage some, as in `{hold: 5m}`");
        } else if shape.peak() <= 0.0 {
            checker.problem(
                "the shape never rises above nothing",
                "give a stage a level, as in `{hold: 5m, at: 20 users}`",
            );
        }
    }
}

fn check_stage(checker: &mut Checker, stage: &StageSpec, is_level_known: bool) {
    match stage {
        StageSpec { ramp: None, hold: None, .. } => {
            checker
                .problem("the stage is neither a ramp nor a hold", "write `{ramp: 3m, to: 40 users}` or `{hold: 5m}`");
        }
        StageSpec { ramp: Some(_), hold: Some(_), .. } => {
            checker.within("hold", |checker| {
                checker.problem("the stage is a ramp and a hold at once", "make them two stages");
            });
        }
        StageSpec { ramp: Some(_), to: None, .. } => {
            checker.problem("the ramp leads nowhere", "add where it ends, as in `to: 40 users`");
        }
        StageSpec { ramp: Some(_), at: Some(_), .. } => {
            checker.within("at", |checker| checker.problem("a ramp has no `at`", "write `to`"));
        }
        StageSpec { hold: Some(_), to: Some(_), .. } => {
            checker.within("to", |checker| checker.problem("a hold has no `to`", "write `at`"));
        }
        StageSpec { hold: Some(_), at: None, .. } if !is_level_known => {
            checker.problem("nothing says what level to hold", "add it, as in `at: 20 users`");
        }
        StageSpec { .. } => {}
    }
}
