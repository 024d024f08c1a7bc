//! Load: what a scenario asks for, how much of it when, and the process that makes it.
//!
//! Owns: the spec as scenario files write it, load shapes (pure), the plan that a worker reads, the frames that it
//! writes, the worker itself and its controller. Must not know: faults, runs, events, scenarios, AWS. Only `goose.rs`
//! may name goose.

mod check;
mod controller;
mod destination;
mod frame;
mod goose;
mod placeholder;
mod plan;
mod schedule;
mod shape;
mod spec;
mod statistic;
mod summary;
pub(crate) mod worker;

pub use check::SpecProblem;
pub use controller::{LoadError, LoadWorker};
pub(crate) use destination::host_of;
pub use frame::{
    ArrivalFrame, ConnectionFrame, Doubt, EndReason, FRAME_FORMAT, FailureKind, FailureSample, Frame, PACER_LAG_MAX,
    SAMPLES_MAX, STEP_NAMES_MAX, StepFrame, Totals, WORKER_CPU_MAX, WorkerRecord,
};
pub use placeholder::Placeholder;
pub use plan::{CONNECT_TIMEOUT_DEFAULT, LoadPlan, PlanError, PlannedJourney, PlannedStep, REQUEST_TIMEOUT_DEFAULT};
pub use schedule::{Arrivals, Spacing, Stripe};
pub use shape::{Segment, Shape};
pub use spec::{
    BodyExpectation, ExpectSpec, IN_FLIGHT_MAX_DEFAULT, JourneySpec, LoadSpec, Method, Model, OnLost, Stage, StageSpec,
    StatusList, StepSpec,
};
pub use statistic::LoadStatistic;
pub use summary::{LoadSummary, StepSummary, Times};
