//! Load: what a scenario asks for, how much of it when, and the process that makes it.
//!
//! Owns: the spec as scenario files write it, load shapes (pure), the plan that a worker reads, the frames that it
//! writes, the worker itself and its controller. Must not know: faults, runs, events, scenarios, AWS. Only `goose.rs`
//! may name goose.

mod check;
mod controller;
mod frame;
mod goose;
mod placeholder;
mod plan;
mod shape;
mod spec;
mod statistic;
pub(crate) mod worker;

pub use check::SpecProblem;
pub use controller::{LoadError, LoadWorker};
pub use frame::{EndReason, FRAME_FORMAT, FailureKind, Frame, STEP_NAMES_MAX, StepFrame, Totals, WorkerRecord};
pub use placeholder::Placeholder;
pub use plan::{LoadPlan, PlanError, PlannedJourney, PlannedStep, REQUEST_TIMEOUT_DEFAULT};
pub use shape::{Segment, Shape};
pub use spec::{
    BodyExpectation, ExpectSpec, JourneySpec, LoadSpec, Method, Model, OnLost, Stage, StageSpec, StatusList, StepSpec,
};
pub use statistic::LoadStatistic;
